//! The lint: clean lists are clean, and each rule broken alone is found alone.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod common;

use common::*;
use lote::{Profile, lint_bytes, lint_draft};
use rstest::rstest;
use serde_json::{Value, json};

const S: &str = "/LoTE/ListAndSchemeInformation";
const T: &str = "/LoTE/TrustedEntitiesList/0/TrustedEntityInformation";
const I: &str = "/LoTE/TrustedEntitiesList/0/TrustedEntityServices/0/ServiceInformation";
const H: &str = "/LoTE/TrustedEntitiesList/0/TrustedEntityServices/0/ServiceHistory";

#[rstest]
#[tokio::test]
async fn our_own_lists_are_clean(
    #[values(
        Profile::Pid,
        Profile::Wallet,
        Profile::Access,
        Profile::Registration,
        Profile::PubEaa,
        Profile::Registrars,
        Profile::Mdl
    )]
    profile: Profile,
) {
    let operator = operator().await;
    let draft = draft(profile, &operator.certificate).await;
    let report = lint_draft(&draft.list().to_json().unwrap(), None, now());
    assert_eq!(report.findings, []);
    assert_eq!(report.profile, Some(profile));

    let sealed = lote::seal(
        draft.list(),
        &[operator.certificate],
        &operator.key,
        issued(),
    )
    .await
    .unwrap();
    let report = lint_bytes(sealed.as_bytes(), Some(profile), now());
    assert_eq!(report.findings, []);
    assert_eq!(report.list.as_ref(), Some(draft.list()));
}

/// One change to a clean list, and the one rule that it breaks.
type Case = (Profile, &'static str, String, Option<Value>);

fn cases() -> Vec<Case> {
    use Profile::*;
    let set = |profile, rule, at: String, value| (profile, rule, at, Some(value));
    let cut = |profile, rule, at: String| (profile, rule, at, None);
    let text = |t: &str| json!([{ "lang": "en", "value": t }]);
    vec![
        // Shape.
        set(
            Pid,
            "LOTE-SHAPE",
            format!("{S}/LoTESequenceNumber"),
            json!("1"),
        ),
        set(
            Pid,
            "LOTE-SHAPE",
            format!("{S}/LoTESequenceNumber"),
            json!(1.5),
        ),
        set(Pid, "LOTE-SHAPE", format!("{S}/SchemeName"), json!(null)),
        set(
            Pid,
            "LOTE-SHAPE",
            "/LoTE/TrustedEntitiesList".into(),
            json!({}),
        ),
        cut(Pid, "LOTE-SHAPE", S.into()),
        set(
            Pid,
            "LOTE-UNKNOWN-MEMBER",
            format!("{S}/Colour"),
            json!("blue"),
        ),
        set(Pid, "LOTE-UNKNOWN-MEMBER", "/extra".into(), json!(1)),
        set(
            Pid,
            "LOTE-EMPTY-ARRAY",
            format!("{S}/DistributionPoints"),
            json!([]),
        ),
        // 6.1.
        set(
            Pid,
            "LOTE-URI",
            format!("{S}/DistributionPoints/1"),
            json!("not a uri"),
        ),
        set(
            Pid,
            "LOTE-DATE-TIME",
            format!("{S}/NextUpdate"),
            json!("2027-04-01T00:00:00.5Z"),
        ),
        set(
            Pid,
            "LOTE-DATE-TIME",
            format!("{S}/ListIssueDateTime"),
            json!("yesterday"),
        ),
        set(
            Pid,
            "LOTE-ENGLISH",
            format!("{T}/TEName"),
            json!([{"lang": "de", "value": ENTITY}]),
        ),
        set(
            Pid,
            "LOTE-LANGUAGE",
            format!("{T}/TEName/0/lang"),
            json!("EN"),
        ),
        cut(Pid, "LOTE-TEXT", format!("{I}/ServiceName/0/value")),
        set(
            Pid,
            "LOTE-TEXT",
            format!("{I}/ServiceName/0/value"),
            json!("a\nb"),
        ),
        set(
            Pid,
            "LOTE-COUNTRY",
            format!("{T}/TEAddress/TEPostalAddress/0/Country"),
            json!("GR"),
        ),
        // 6.3 and Tables D.1 to I.1.
        set(
            Pid,
            "LOTE-VERSION",
            format!("{S}/LoTEVersionIdentifier"),
            json!(2),
        ),
        cut(Pid, "LOTE-VERSION", format!("{S}/LoTEVersionIdentifier")),
        set(
            Pid,
            "LOTE-SEQUENCE",
            format!("{S}/LoTESequenceNumber"),
            json!(0),
        ),
        cut(Pid, "LOTE-SEQUENCE", format!("{S}/LoTESequenceNumber")),
        cut(PubEaa, "LOTE-TYPE", format!("{S}/LoTEType")),
        cut(Pid, "LOTE-OPERATOR-NAME", format!("{S}/SchemeOperatorName")),
        cut(
            Pid,
            "LOTE-OPERATOR-ADDRESS",
            format!("{S}/SchemeOperatorAddress"),
        ),
        cut(
            Pid,
            "LOTE-POSTAL-ADDRESS",
            format!("{S}/SchemeOperatorAddress/SchemeOperatorPostalAddress/0/StreetAddress"),
        ),
        cut(
            Pid,
            "LOTE-EMAIL",
            format!("{S}/SchemeOperatorAddress/SchemeOperatorElectronicAddress/0"),
        ),
        cut(
            Pid,
            "LOTE-WEB-SITE",
            format!("{S}/SchemeOperatorAddress/SchemeOperatorElectronicAddress/1"),
        ),
        cut(Pid, "LOTE-SCHEME-NAME", format!("{S}/SchemeName")),
        set(
            Pid,
            "LOTE-SCHEME-NAME",
            format!("{S}/SchemeName"),
            text("DE:PID providers"),
        ),
        cut(
            Pid,
            "LOTE-INFORMATION-URI",
            format!("{S}/SchemeInformationURI/1"),
        ),
        cut(
            PubEaa,
            "LOTE-INFORMATION-URI",
            format!("{S}/SchemeInformationURI"),
        ),
        set(
            Pid,
            "LOTE-STATUS-DETERMINATION",
            format!("{S}/StatusDeterminationApproach"),
            json!("http://uri.etsi.org/19602/WalletProvidersList/StatusDetn/EU"),
        ),
        cut(
            Pid,
            "LOTE-STATUS-DETERMINATION",
            format!("{S}/StatusDeterminationApproach"),
        ),
        set(
            Pid,
            "LOTE-COMMUNITY-RULES",
            format!("{S}/SchemeTypeCommunityRules/0/uriValue"),
            json!("http://uri.etsi.org/19602/PIDProvidersList/schemerules/EU"),
        ),
        cut(
            Pid,
            "LOTE-COMMUNITY-RULES",
            format!("{S}/SchemeTypeCommunityRules"),
        ),
        cut(
            Pid,
            "LOTE-POLICY-NOTICE",
            format!("{S}/PolicyOrLegalNotice"),
        ),
        set(
            Pid,
            "LOTE-POLICY-NOTICE-FORM",
            format!("{S}/PolicyOrLegalNotice/1"),
            json!({"LoTELegalNotice": "mixed"}),
        ),
        set(
            Pid,
            "LOTE-HISTORY-PERIOD",
            format!("{S}/HistoricalInformationPeriod"),
            json!(0),
        ),
        set(
            PubEaa,
            "LOTE-HISTORY-PERIOD",
            format!("{S}/HistoricalInformationPeriod"),
            json!(10),
        ),
        cut(
            PubEaa,
            "LOTE-HISTORY-PERIOD",
            format!("{S}/HistoricalInformationPeriod"),
        ),
        cut(Pid, "LOTE-POINTERS", format!("{S}/PointersToOtherLoTE")),
        set(
            Pid,
            "LOTE-POINTERS",
            format!("{S}/PointersToOtherLoTE/0/LoTEQualifiers/0/LoTEType"),
            json!("urn:other"),
        ),
        set(
            Pid,
            "LOTE-POINTERS",
            format!("{S}/PointersToOtherLoTE/0/LoTELocation"),
            json!("https://elsewhere.example/"),
        ),
        cut(
            Pid,
            "LOTE-POINTER-FORM",
            format!("{S}/PointersToOtherLoTE/0/ServiceDigitalIdentities"),
        ),
        cut(
            Pid,
            "LOTE-POINTER-FORM",
            format!("{S}/PointersToOtherLoTE/0/LoTEQualifiers/0/MimeType"),
        ),
        set(
            Pid,
            "LOTE-ISSUE-TIME",
            format!("{S}/ListIssueDateTime"),
            json!("2027-01-01T00:00:00Z"),
        ),
        cut(Pid, "LOTE-ISSUE-TIME", format!("{S}/ListIssueDateTime")),
        set(
            Pid,
            "LOTE-NEXT-UPDATE",
            format!("{S}/NextUpdate"),
            json!("2026-11-22T12:00:00Z"),
        ),
        cut(Pid, "LOTE-NEXT-UPDATE-FORM", format!("{S}/NextUpdate")),
        set(
            Pid,
            "LOTE-NEXT-UPDATE-SPAN",
            format!("{S}/NextUpdate"),
            json!("2027-05-01T00:00:01Z"),
        ),
        set(
            Pid,
            "LOTE-CRITICAL-EXTENSION",
            format!("{S}/SchemeExtensions"),
            json!([{"Critical": true, "x": 1}]),
        ),
        set(
            Pid,
            "LOTE-EXTENSION-CRITICALITY",
            format!("{S}/SchemeExtensions"),
            json!([{"x": 1}]),
        ),
        set(
            Pid,
            "LOTE-CRITICAL-EXTENSION",
            format!("{T}/TEInformationExtensions"),
            json!([{"critical": true}]),
        ),
        set(
            Pid,
            "LOTE-CRITICAL-EXTENSION",
            format!("{I}/ServiceInformationExtensions"),
            json!([{"critical": "true"}]),
        ),
        // 6.5 and Tables D.2 to I.2.
        cut(Registrars, "LOTE-TE-TRADE-NAME", format!("{T}/TETradeName")),
        cut(Wallet, "LOTE-TE-TRADE-NAME", format!("{T}/TETradeName")),
        set(
            Access,
            "LOTE-TE-TRADE-NAME",
            format!("{T}/TETradeName"),
            text("Brand"),
        ),
        cut(PubEaa, "LOTE-TE-LAW", format!("{T}/TETradeName/1")),
        cut(Pid, "LOTE-TE-ADDRESS", format!("{T}/TEAddress")),
        cut(
            Pid,
            "LOTE-TE-PHONE",
            format!("{T}/TEAddress/TEElectronicAddress/1"),
        ),
        cut(
            Pid,
            "LOTE-EMAIL",
            format!("{T}/TEAddress/TEElectronicAddress/0"),
        ),
        cut(
            Pid,
            "LOTE-WEB-SITE",
            format!("{T}/TEAddress/TEElectronicAddress/2"),
        ),
        cut(
            Pid,
            "LOTE-TE-INFORMATION-URI",
            format!("{T}/TEInformationURI/0"),
        ),
        cut(
            Mdl,
            "LOTE-TE-INFORMATION-URI",
            format!("{T}/TEInformationURI"),
        ),
        cut(
            Pid,
            "LOTE-TE-RESPONSIBLE",
            format!("{T}/TEInformationURI/1"),
        ),
        set(
            Pid,
            "LOTE-TE-RESPONSIBLE",
            format!("{T}/TEInformationURI/1/uriValue"),
            json!("http://uri.etsi.org/19602/ListOfTrustedEntities/PIDProvider/ZZ"),
        ),
        cut(
            PubEaa,
            "LOTE-TE-RESPONSIBLE",
            format!("{T}/TEAddress/TEElectronicAddress/3"),
        ),
        set(
            Pid,
            "LOTE-TE-SERVICES",
            "/LoTE/TrustedEntitiesList/0/TrustedEntityServices".into(),
            json!([]),
        ),
        // 6.6, 6.7 and Tables D.3 to I.3.
        set(
            Pid,
            "LOTE-SVC-TYPE",
            format!("{I}/ServiceTypeIdentifier"),
            json!("http://uri.etsi.org/19602/SvcType/WalletSolution/Issuance"),
        ),
        cut(Pid, "LOTE-SVC-TYPE", format!("{I}/ServiceTypeIdentifier")),
        cut(Pid, "LOTE-SVC-NAME", format!("{I}/ServiceName")),
        cut(
            Pid,
            "LOTE-SVC-IDENTITY",
            format!("{I}/ServiceDigitalIdentity"),
        ),
        cut(
            Pid,
            "LOTE-SVC-IDENTITY",
            format!("{I}/ServiceDigitalIdentity/X509Certificates"),
        ),
        set(
            Mdl,
            "LOTE-SVC-CERTIFICATE",
            format!("{I}/ServiceDigitalIdentity/X509Certificates/0/val"),
            json!("AAAA"),
        ),
        set(
            Mdl,
            "LOTE-SVC-CERTIFICATE",
            format!("{I}/ServiceDigitalIdentity/X509Certificates/0/val"),
            json!("%"),
        ),
        cut(
            Mdl,
            "LOTE-SVC-CERTIFICATE",
            format!("{I}/ServiceDigitalIdentity/X509Certificates/0/val"),
        ),
        set(
            Pid,
            "LOTE-SVC-SUBJECT",
            format!("{T}/TEName/0/value"),
            json!("Another Name"),
        ),
        set(
            Wallet,
            "LOTE-SVC-SUBJECT",
            format!("{T}/TETradeName/0/value"),
            json!("NTRDE-HRB99"),
        ),
        set(
            PubEaa,
            "LOTE-SVC-ORGANIZATION",
            format!("{T}/TEName/0/value"),
            json!("example provider gmbh"),
        ),
        set(
            Pid,
            "LOTE-SVC-SKI",
            format!("{I}/ServiceDigitalIdentity/X509SKIs"),
            json!(["AAAA"]),
        ),
        set(
            Pid,
            "LOTE-SVC-STATUS",
            format!("{I}/ServiceStatus"),
            json!(lote::STATUS_NOTIFIED),
        ),
        cut(PubEaa, "LOTE-SVC-STATUS", format!("{I}/ServiceStatus")),
        set(
            PubEaa,
            "LOTE-SVC-STATUS",
            format!("{I}/ServiceStatus"),
            json!("urn:granted"),
        ),
        set(
            Pid,
            "LOTE-SVC-STATUS-TIME",
            format!("{I}/StatusStartingTime"),
            json!("2026-11-01T00:00:00Z"),
        ),
        cut(
            Wallet,
            "LOTE-SVC-UNIQUE-ID",
            format!("{I}/ServiceInformationExtensions"),
        ),
        set(
            Wallet,
            "LOTE-SVC-UNIQUE-ID",
            format!("{I}/ServiceInformationExtensions/0/ServiceUniqueIdentifier"),
            json!("1"),
        ),
        cut(
            Registrars,
            "LOTE-SVC-SUPPLY-POINT",
            format!("{I}/ServiceSupplyPoints"),
        ),
        set(
            Pid,
            "LOTE-SVC-HISTORY",
            H.into(),
            history("2025-01-01T00:00:00Z", true),
        ),
        set(
            PubEaa,
            "LOTE-HISTORY-INSTANCE",
            H.into(),
            json!([without(
                &history("2025-01-01T00:00:00Z", true)[0],
                "ServiceStatus"
            )]),
        ),
        set(
            PubEaa,
            "LOTE-HISTORY-ORDER",
            H.into(),
            history("2026-12-01T00:00:00Z", true),
        ),
        set(
            PubEaa,
            "LOTE-HISTORY-SKI",
            H.into(),
            history("2025-01-01T00:00:00Z", false),
        ),
    ]
}

fn history(time: &str, with_ski: bool) -> Value {
    let identity = if with_ski {
        json!({"X509SKIs": ["AAAA"]})
    } else {
        json!({"X509SubjectNames": ["CN=x"]})
    };
    json!([{
        "ServiceName": [{"lang": "en", "value": "Earlier"}],
        "ServiceDigitalIdentity": identity,
        "ServiceStatus": lote::STATUS_NOTIFIED,
        "StatusStartingTime": time,
    }])
}

fn without(object: &Value, member: &str) -> Value {
    let mut object = object.clone();
    object.as_object_mut().unwrap().remove(member);
    object
}

#[tokio::test]
async fn each_rule_broken_alone_is_found_alone() {
    let operator = operator().await;
    let mut wrong = Vec::new();
    for (profile, rule, pointer, value) in cases() {
        let draft = draft(profile, &operator.certificate).await;
        let mut document = serde_json::to_value(draft.list()).unwrap();
        put(&mut document, &pointer, value.clone());
        let report = lint_draft(document.to_string().as_bytes(), Some(profile), now());
        let found = errors(&report.findings);
        // Annex I wants a registration number only where there is one.
        let expected: &[&str] = match (profile, rule) {
            (Profile::Registrars, "LOTE-TE-TRADE-NAME") => &[],
            (_, "LOTE-TE-SERVICES") => &["LOTE-EMPTY-ARRAY", rule],
            _ => &[rule],
        };
        if found != expected {
            wrong.push(format!(
                "{profile} {pointer} {value:?}: {rule} expected, {found:?} found"
            ));
        }
    }
    assert_eq!(wrong, [""; 0], "{wrong:#?}");
}

#[tokio::test]
async fn a_territory_other_than_eu_is_found_with_the_name_that_carries_it() {
    let operator = operator().await;
    let draft = draft(Profile::Pid, &operator.certificate).await;
    let mut document = serde_json::to_value(draft.list()).unwrap();
    put(
        &mut document,
        &format!("{S}/SchemeTerritory"),
        Some(json!("DE")),
    );
    let report = lint_draft(document.to_string().as_bytes(), None, now());
    assert_eq!(
        errors(&report.findings),
        ["LOTE-SCHEME-NAME", "LOTE-TERRITORY"]
    );
    let territory = report
        .findings
        .iter()
        .find(|f| f.rule == "LOTE-TERRITORY")
        .unwrap();
    assert_eq!(
        territory.clause,
        "ETSI TS 119 602 v1.1.1, Table D.1 (6.3.10)"
    );
    assert_eq!(territory.subject, format!("{S}/SchemeTerritory"));
}

#[tokio::test]
async fn a_list_judged_by_another_profile_breaks_its_annex() {
    let operator = operator().await;
    let draft = draft(Profile::Pid, &operator.certificate).await;
    let report = lint_draft(
        &draft.list().to_json().unwrap(),
        Some(Profile::Wallet),
        now(),
    );
    assert_eq!(
        errors(&report.findings),
        [
            "LOTE-COMMUNITY-RULES",
            "LOTE-STATUS-DETERMINATION",
            "LOTE-SVC-TYPE",
            "LOTE-SVC-UNIQUE-ID",
            "LOTE-TE-RESPONSIBLE",
            "LOTE-TYPE",
        ]
    );
}

#[tokio::test]
async fn keys_and_subjects_of_one_public_sector_service_are_one() {
    let operator = operator().await;
    let one = party(Subject::default()).await;
    let other_key = party(Subject::default()).await;
    let other_subject = certificate(
        &one.key,
        &Subject {
            identifier: None,
            ..Subject::default()
        },
    )
    .await;
    for (second, rule) in [
        (&other_key.certificate, "LOTE-SVC-ONE-KEY"),
        (&other_subject, "LOTE-SVC-ONE-SUBJECT"),
    ] {
        let mut draft = new_draft(Profile::PubEaa, &operator.certificate);
        draft.add_entity(&entity()).unwrap();
        let mut new = service(
            Profile::PubEaa,
            lote::ServiceKind::Issuance,
            &one.certificate,
        );
        new.certificates.push(second.clone());
        draft.add_service(ENTITY, &new, issued()).unwrap();
        draft.issue(issued(), next()).unwrap();
        let findings = lote::lint(draft.list(), None, now());
        assert_eq!(errors(&findings), [rule]);
    }
}

#[tokio::test]
async fn a_public_key_beside_its_certificate_is_its_own() {
    let operator = operator().await;
    let provider = party(Subject::default()).await;
    let mut draft = new_draft(Profile::Pid, &operator.certificate);
    draft.add_entity(&entity()).unwrap();
    let new = service(
        Profile::Pid,
        lote::ServiceKind::Issuance,
        &provider.certificate,
    );
    draft.add_service(ENTITY, &new, issued()).unwrap();
    draft.issue(issued(), next()).unwrap();
    let clean = serde_json::to_value(draft.list()).unwrap();
    for (key, expected) in [
        (provider.certificate.public_key().unwrap(), &[][..]),
        (
            operator.certificate.public_key().unwrap(),
            &["LOTE-SVC-PUBLIC-KEY"][..],
        ),
    ] {
        let mut document = clean.clone();
        let at = format!("{I}/ServiceDigitalIdentity/PublicKeyValues");
        put(&mut document, &at, Some(json!([key.to_jwk()])));
        let report = lint_draft(document.to_string().as_bytes(), None, now());
        assert_eq!(errors(&report.findings), expected);
    }
}

#[rstest]
#[case(Profile::Pid, true, &["LOTE-SVC-CA"])]
#[case(Profile::Wallet, true, &["LOTE-SVC-CA"])]
#[case(Profile::Access, false, &["LOTE-SVC-NOT-CA"])]
#[case(Profile::Registration, false, &["LOTE-SVC-NOT-CA"])]
#[case(Profile::PubEaa, true, &[])]
#[tokio::test]
async fn the_kind_of_certificate_is_a_warning(
    #[case] profile: Profile,
    #[case] ca: bool,
    #[case] rules: &[&str],
) {
    let operator = operator().await;
    let provider = party(Subject {
        ca,
        ..Subject::default()
    })
    .await;
    let mut draft = new_draft(profile, &operator.certificate);
    draft.add_entity(&entity()).unwrap();
    let new = service(profile, lote::ServiceKind::Issuance, &provider.certificate);
    draft.add_service(ENTITY, &new, issued()).unwrap();
    draft.issue(issued(), next()).unwrap();
    let findings = lote::lint(draft.list(), None, now());
    assert_eq!(all(&findings), rules);
    assert_eq!(errors(&findings), [""; 0]);
}

#[tokio::test]
async fn the_warts_of_the_standard_are_survived() {
    let operator = operator().await;
    let draft = draft(Profile::Registration, &operator.certificate).await;
    let clean = serde_json::to_value(draft.list()).unwrap();

    // Table 1's spelling of the pointers.
    let mut document = clean.clone();
    let pointers = document
        .pointer(&format!("{S}/PointersToOtherLoTE"))
        .cloned();
    put(&mut document, &format!("{S}/PointersToOtherLoTE"), None);
    put(&mut document, &format!("{S}/PointerToOtherLoTE"), pointers);
    let report = lint_draft(document.to_string().as_bytes(), None, now());
    assert_eq!(all(&report.findings), ["LOTE-POINTER-SPELLING"]);
    assert_eq!(report.list.unwrap().scheme().pointers().count(), 1);

    // A closed list.
    let mut document = clean.clone();
    put(&mut document, &format!("{S}/NextUpdate"), Some(Value::Null));
    let report = lint_draft(document.to_string().as_bytes(), None, now());
    assert_eq!(all(&report.findings), ["LOTE-CLOSED"]);
    let list = report.list.unwrap();
    assert_eq!(list.scheme().next_update, Some(None));
    assert!(
        String::from_utf8(list.to_json().unwrap())
            .unwrap()
            .contains("\"NextUpdate\":null")
    );

    // Both forms of the legal notice, both spellings of Annex G's status URI.
    for (pointer, value) in [
        ("PolicyOrLegalNotice", json!([{"LoTELegalNotice": "plain"}])),
        (
            "PolicyOrLegalNotice",
            json!([{"LoTELegalNotice": {"lang": "en", "value": "tagged"}}]),
        ),
        (
            "StatusDeterminationApproach",
            json!("http://uri.etsi.org/19602/WRPRCProvidersList/StatusDetn/EU"),
        ),
        (
            "StatusDeterminationApproach",
            json!("http://uri.etsi.org/19602/WRPRCrovidersList/StatusDetn/EU"),
        ),
    ] {
        let mut document = clean.clone();
        put(&mut document, &format!("{S}/{pointer}"), Some(value));
        let report = lint_draft(document.to_string().as_bytes(), None, now());
        assert_eq!(report.findings, []);
    }
}

#[tokio::test]
async fn unknown_members_are_kept() {
    let operator = operator().await;
    let draft = draft(Profile::Pid, &operator.certificate).await;
    let mut document = serde_json::to_value(draft.list()).unwrap();
    put(
        &mut document,
        &format!("{S}/Colour"),
        Some(json!({"of": ["the", "house"]})),
    );
    put(&mut document, &format!("{T}/Shape"), Some(json!(7)));
    let list = lote::UncheckedList::from_value(document.clone()).unwrap();
    assert_eq!(serde_json::to_value(&list).unwrap(), document);
}

#[rstest]
#[case::nothing(b"".to_vec(), "LOTE-JSON")]
#[case::blank(b" \n".to_vec(), "LOTE-JSON")]
#[case::not_utf8(vec![0xff, 0xfe, 0x00], "LOTE-JSON")]
#[case::zeroes(vec![0; 100_000_000], "LOTE-JSON")]
#[case::zero(vec![0], "LOTE-JSON")]
#[case::not_json(b"{".to_vec(), "LOTE-JSON")]
#[case::nested(b"[".repeat(10_000), "LOTE-JSON")]
#[case::duplicate(br#"{"LoTE":{},"LoTE":{}}"#.to_vec(), "LOTE-JSON")]
#[case::array(b"[]".to_vec(), "LOTE-SHAPE")]
#[case::empty(b"{}".to_vec(), "LOTE-SHAPE")]
#[case::dots(b"a.b.c".to_vec(), "LOTE-SEAL-FORM")]
#[case::sentence(b"Hello. World".to_vec(), "LOTE-SEAL-FORM")]
fn garbage_is_one_clear_finding(#[case] bytes: Vec<u8>, #[case] rule: &str) {
    let report = lint_bytes(&bytes, None, now());
    assert_eq!(all(&report.findings), [rule]);
    assert_eq!(report.findings.len(), 1);
    assert!(report.list.is_none());
}

#[test]
fn a_report_of_millions_of_findings_is_cut() {
    let many = vec![json!(1); 50_000];
    let document = json!({"LoTE": {"ListAndSchemeInformation": {"SchemeName": many}}});
    let report = lint_bytes(document.to_string().as_bytes(), None, now());
    assert!(report.findings.len() <= 1_002, "{}", report.findings.len());
    assert!(
        report
            .findings
            .iter()
            .any(|f| f.rule == "LOTE-MORE-FINDINGS")
    );
}

#[test]
fn what_is_shown_has_no_control_characters() {
    let document = json!({"LoTE": {"ListAndSchemeInformation": {"LoTEType": "\u{1b}[31mred\u{7}", "\u{1b}]0;x": 1}}});
    for finding in lint_bytes(document.to_string().as_bytes(), None, now()).findings {
        assert!(
            !finding.to_string().chars().any(char::is_control),
            "{finding}"
        );
    }
}

#[test]
fn rule_ids_are_unique_and_name_their_clause() {
    let mut ids: Vec<&str> = lote::RULES.iter().map(|r| r.id).collect();
    ids.sort_unstable();
    let before = ids.len();
    ids.dedup();
    assert_eq!(ids.len(), before);
    assert!(
        lote::RULES
            .iter()
            .all(|r| r.id.starts_with("LOTE-") && !r.clause.is_empty())
    );
}
