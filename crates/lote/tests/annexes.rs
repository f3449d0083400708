//! Each rule of lists, broken alone in a list of each annex, D to I, and of the
//! mobile driving licences; and that no rule is forgotten.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod common;

use std::collections::BTreeSet;

use common::*;
use finding::Rule;
use jose::b64;
use lote::{Mode, Profile, STATUS_NOTIFIED, Signers, Verifier, lint_bytes, lint_draft, rules};
use pki::Certificate;
use rstest::rstest;
use serde_json::{Value, json};

const S: &str = "/LoTE/ListAndSchemeInformation";
const T: &str = "/LoTE/TrustedEntitiesList/0/TrustedEntityInformation";
const I: &str = "/LoTE/TrustedEntitiesList/0/TrustedEntityServices/0/ServiceInformation";
const SERVICES: &str = "/LoTE/TrustedEntitiesList/0/TrustedEntityServices";

/// What breaks a rule: members set, or removed where there is no value.
struct Case {
    rule: &'static str,
    changes: Vec<(String, Option<Value>)>,
    /// What else cannot but be broken with it.
    with: &'static [&'static str],
}

/// The rules of two versions, of a report's size, and of who is pinned: nothing
/// that one list of one annex can break alone.
const ELSEWHERE: [(&str, &str); 4] = [
    (
        "LOTE-SEQUENCE-BACK",
        "versions.rs::a_sequence_number_never_goes_back",
    ),
    (
        "LOTE-SEAL-SUCCESSOR",
        "versions.rs::a_change_of_signer_is_announced_one_version_ahead",
    ),
    (
        "LOTE-MORE-FINDINGS",
        "lint_oddities.rs::a_report_of_millions_of_findings_is_cut",
    ),
    (
        "LOTE-SVC-ID-TWICE",
        "lint_services.rs::an_identifier_is_of_one_service",
    ),
];

/// Why a rule cannot be broken in a list of a profile.
fn not_of(profile: Profile, rule: &str) -> Option<&'static str> {
    use Profile::*;
    let of = |profiles: &[Profile]| !profiles.contains(&profile);
    match rule {
        "LOTE-POINTERS" if of(&[Pid, Wallet, Access, Registration, PubEaa, Registrars]) => {
            Some("pointers are free")
        }
        "LOTE-POINTER-FORM" | "LOTE-POINTER-SPELLING" | "LOTE-POINTER-SIGNER"
            if profile == PubEaa =>
        {
            Some("Table H.1 forbids every pointer")
        }
        "LOTE-POINTER-FORM" | "LOTE-POINTER-SPELLING" | "LOTE-POINTER-SIGNER" if profile == Mdl => {
            Some("a list made here has none")
        }
        "LOTE-NEXT-UPDATE-SPAN" if profile == Mdl => Some("no annex bounds it"),
        "LOTE-TE-TRADE-NAME" if matches!(profile, Registrars | Mdl) => {
            Some("no form of a registration number is asked for")
        }
        "LOTE-TE-LAW" if of(&[PubEaa]) => Some("Table H.2"),
        "LOTE-TE-PHONE" | "LOTE-TE-RESPONSIBLE" if profile == Mdl => Some("no annex asks for it"),
        "LOTE-SVC-SUBJECT" if of(&[Pid, Wallet, Registrars]) => Some("Tables D.3, E.3, I.3"),
        "LOTE-SVC-CA" if of(&[Pid, Wallet, Registrars]) => Some("a CA may be listed"),
        "LOTE-SVC-NOT-CA" if of(&[Access, Registration]) => Some("Tables F.3 and G.3"),
        "LOTE-SVC-ORGANIZATION"
        | "LOTE-SVC-ONE-KEY"
        | "LOTE-SVC-ONE-SUBJECT"
        | "LOTE-HISTORY-INSTANCE"
        | "LOTE-HISTORY-ORDER"
        | "LOTE-HISTORY-SKI"
            if of(&[PubEaa]) =>
        {
            Some("Table H.3")
        }
        "LOTE-SVC-HISTORY" if profile == PubEaa => Some("it keeps its history"),
        "LOTE-SVC-STATUS" | "LOTE-SVC-STATUS-TIME" if profile == Mdl => Some("statuses are free"),
        "LOTE-SVC-UNIQUE-ID" if of(&[Wallet]) => Some("Table E.3"),
        "LOTE-SVC-SUPPLY-POINT" if of(&[Registrars]) => Some("Table I.3"),
        _ => None,
    }
}

/// Certificates of the entity that break something.
struct Certificates {
    leaf: Certificate,
    ca: Certificate,
    other_key: Certificate,
    other_subject: Certificate,
    stranger: Certificate,
}

impl Certificates {
    async fn make() -> Self {
        let leaf = party(Subject::default()).await;
        let nameless = Subject {
            identifier: None,
            ..Subject::default()
        };
        let ca = Subject {
            ca: true,
            ..Subject::default()
        };
        Self {
            other_subject: certificate(&leaf.key, &nameless).await,
            leaf: leaf.certificate,
            ca: party(ca).await.certificate,
            other_key: party(Subject::default()).await.certificate,
            stranger: operator().await.certificate,
        }
    }
}

fn objects(certificates: &[&Certificate]) -> Value {
    let object = |c: &&Certificate| json!({ "val": b64::encode_std(c.der()) });
    certificates.iter().map(object).collect()
}

fn cases(profile: Profile, made: &Certificates) -> Vec<Case> {
    use Profile::*;
    let mut cases: Vec<Case> = Vec::new();
    let mut add = |rule: &Rule, changes: Vec<(String, Option<Value>)>, with| {
        cases.push(Case {
            rule: rule.id,
            changes,
            with,
        });
    };
    let set = |at: String, value: Value| vec![(at, Some(value))];
    let cut = |at: String| vec![(at, None)];
    let s = |member: &str| format!("{S}/{member}");
    let t = |member: &str| format!("{T}/{member}");
    let i = |member: &str| format!("{I}/{member}");
    let annex = profile != Mdl;
    let points = annex && profile != PubEaa;
    let direct = matches!(profile, Pid | Wallet | Registrars);
    let certificates = i("ServiceDigitalIdentity/X509Certificates");

    add(&rules::SHAPE, set(s("SchemeName"), json!("x")), &[]);
    add(&rules::UNKNOWN_MEMBER, set(t("Colour"), json!("blue")), &[]);
    add(
        &rules::EMPTY,
        set(i("ServiceDefinitionURI"), json!([])),
        &[],
    );
    add(
        &rules::URI,
        set(s("DistributionPoints/1"), json!("no uri")),
        &[],
    );
    add(
        &rules::DATE,
        set(s("NextUpdate"), json!("2027-04-01T00:00:00.0Z")),
        &[],
    );
    add(
        &rules::ENGLISH,
        set(i("ServiceName/0/lang"), json!("de")),
        &[],
    );
    add(&rules::LANGUAGE, set(t("TEName/0/lang"), json!("EN")), &[]);
    add(
        &rules::TEXT,
        set(i("ServiceName/0/value"), json!("<b>x</b>")),
        &[],
    );
    let country = t("TEAddress/TEPostalAddress/0/Country");
    add(&rules::COUNTRY, set(country, json!("GR")), &[]);

    add(
        &rules::VERSION,
        set(s("LoTEVersionIdentifier"), json!(2)),
        &[],
    );
    add(
        &rules::SEQUENCE,
        set(s("LoTESequenceNumber"), json!(0)),
        &[],
    );
    let other = if profile == Pid { Wallet } else { Pid }.lote_type();
    let mut changes = set(s("LoTEType"), json!(other));
    if points {
        let own = s("PointersToOtherLoTE/0/LoTEQualifiers/0/LoTEType");
        changes.push((own, Some(json!(other))));
    }
    add(&rules::TYPE, changes, &[]);
    add(&rules::OPERATOR_NAME, cut(s("SchemeOperatorName")), &[]);
    add(
        &rules::OPERATOR_ADDRESS,
        cut(s("SchemeOperatorAddress")),
        &[],
    );
    let street = t("TEAddress/TEPostalAddress/0/StreetAddress");
    add(&rules::POSTAL_ADDRESS, cut(street), &[]);
    let electronic = "SchemeOperatorAddress/SchemeOperatorElectronicAddress";
    add(&rules::EMAIL, cut(s(&format!("{electronic}/0"))), &[]);
    add(&rules::WEB_SITE, cut(s(&format!("{electronic}/1"))), &[]);
    let name = s("SchemeName/0/value");
    add(
        &rules::SCHEME_NAME,
        set(name.clone(), json!("no territory")),
        &[],
    );
    add(&rules::INFORMATION_URI, cut(s("SchemeInformationURI")), &[]);
    let approach = s("StatusDeterminationApproach");
    if annex {
        add(
            &rules::STATUS_DETERMINATION,
            set(approach, json!("urn:x")),
            &[],
        );
        let mut changes = set(s("SchemeTerritory"), json!("DE"));
        changes.push((name, Some(json!("DE:list"))));
        add(&rules::TERRITORY, changes, &[]);
    } else {
        add(&rules::STATUS_DETERMINATION, cut(approach), &[]);
        let mut changes = cut(s("SchemeTerritory"));
        changes.push((name, Some(json!(":list"))));
        add(&rules::TERRITORY, changes, &[]);
    }
    let community = s("SchemeTypeCommunityRules/0/uriValue");
    add(&rules::COMMUNITY_RULES, set(community, json!("urn:x")), &[]);
    add(&rules::POLICY, cut(s("PolicyOrLegalNotice")), &[]);
    let mixed = json!({ "LoTELegalNotice": "a notice beside a policy" });
    add(
        &rules::POLICY_FORM,
        set(s("PolicyOrLegalNotice/1"), mixed),
        &[],
    );
    let period = match profile {
        Mdl => -1,
        PubEaa => 10,
        _ => 0,
    };
    let with: &[&str] = match profile {
        // History that is kept needs a status of every service.
        Mdl => &["LOTE-SVC-STATUS"],
        _ => &[],
    };
    add(
        &rules::HISTORY_PERIOD,
        set(s("HistoricalInformationPeriod"), json!(period)),
        with,
    );
    let pointers = s("PointersToOtherLoTE");
    if points {
        add(&rules::POINTERS, cut(pointers.clone()), &[]);
        let form = format!("{pointers}/0/LoTEQualifiers/0/MimeType");
        add(&rules::POINTER_FORM, cut(form), &[]);
    } else if profile == PubEaa {
        let pointer = json!([{
            "LoTELocation": "https://operator.example/pub-eaa.jwt",
            "ServiceDigitalIdentities": [{ "X509Certificates": objects(&[&made.stranger]) }],
            "LoTEQualifiers": [{
                "LoTEType": profile.lote_type(),
                "SchemeOperatorName": [{ "lang": "en", "value": OPERATOR }],
                "SchemeTerritory": "EU",
                "MimeType": "application/jose",
            }],
        }]);
        add(&rules::POINTERS, set(pointers, pointer), &[]);
    }
    add(&rules::ISSUE_TIME, cut(s("ListIssueDateTime")), &[]);
    add(
        &rules::NEXT_UPDATE,
        set(s("NextUpdate"), json!("2026-11-22T12:00:00Z")),
        &[],
    );
    add(&rules::NEXT_UPDATE_FORM, cut(s("NextUpdate")), &[]);
    add(&rules::CLOSED, set(s("NextUpdate"), Value::Null), &[]);
    if annex {
        let late = json!("2027-05-01T00:00:01Z");
        add(&rules::NEXT_UPDATE_SPAN, set(s("NextUpdate"), late), &[]);
    }
    let critical = json!([{ "critical": true, "x": 1 }]);
    add(
        &rules::CRITICAL_EXTENSION,
        set(s("SchemeExtensions"), critical),
        &[],
    );
    let silent = json!([{ "x": 1 }]);
    add(
        &rules::EXTENSION_CRITICALITY,
        set(s("SchemeExtensions"), silent),
        &[],
    );

    let with: &[&str] = match profile {
        Pid | Wallet | Registrars => &["LOTE-SVC-SUBJECT"],
        PubEaa => &["LOTE-SVC-ORGANIZATION"],
        Access | Registration | Mdl => &[],
    };
    add(&rules::TE_NAME, cut(t("TEName")), with);
    if annex && profile != Registrars {
        let brand = set(t("TETradeName/0/value"), json!("Brand"));
        add(&rules::TE_TRADE_NAME, brand, &[]);
    }
    let with: &[&str] = match profile {
        // Table H.2 wants the responsible state, and all want a number, in it.
        PubEaa => &["LOTE-TE-RESPONSIBLE"],
        _ => &[],
    };
    add(&rules::TE_ADDRESS, cut(t("TEAddress")), with);
    let contact = t("TEAddress/TEElectronicAddress");
    if annex {
        add(&rules::TE_PHONE, cut(format!("{contact}/1")), &[]);
        let responsible = match profile {
            PubEaa => format!("{contact}/3"),
            _ => t("TEInformationURI/1"),
        };
        add(&rules::TE_RESPONSIBLE, cut(responsible), &[]);
    }
    let policies = match profile {
        PubEaa | Mdl => t("TEInformationURI"),
        _ => t("TEInformationURI/0"),
    };
    add(&rules::TE_INFORMATION_URI, cut(policies), &[]);
    let nameless = json!([{ "OtherAssociatedBodies": [{}] }]);
    add(
        &rules::TE_ASSOCIATED_BODY,
        set(t("TEInformationExtensions"), nameless),
        &[],
    );
    add(
        &rules::TE_SERVICES,
        set(SERVICES.into(), json!([])),
        &["LOTE-EMPTY-ARRAY"],
    );

    add(
        &rules::SVC_TYPE,
        set(i("ServiceTypeIdentifier"), json!("urn:x")),
        &[],
    );
    add(&rules::SVC_NAME, cut(i("ServiceName")), &[]);
    add(&rules::SVC_IDENTITY, cut(i("ServiceDigitalIdentity")), &[]);
    let broken = format!("{certificates}/0/val");
    add(&rules::SVC_CERTIFICATE, set(broken, json!("AAAA")), &[]);
    let jwk = made.stranger.public_key().unwrap().to_jwk();
    let keys = i("ServiceDigitalIdentity/PublicKeyValues");
    add(&rules::SVC_PUBLIC_KEY, set(keys, json!([jwk])), &[]);
    add(
        &rules::SVC_SKI,
        set(i("ServiceDigitalIdentity/X509SKIs"), json!(["AAAA"])),
        &[],
    );
    if direct {
        let other = set(t("TEName/0/value"), json!("Another Name"));
        add(&rules::SVC_SUBJECT, other, &[]);
        add(
            &rules::SVC_CA,
            set(certificates.clone(), objects(&[&made.ca])),
            &[],
        );
    }
    if matches!(profile, Access | Registration) {
        let leaf = set(certificates.clone(), objects(&[&made.leaf]));
        add(&rules::SVC_NOT_CA, leaf, &[]);
    }
    let earlier = |time: &str, identity: Value| {
        json!([{
            "ServiceName": [{ "lang": "en", "value": "Earlier" }],
            "ServiceDigitalIdentity": identity,
            "ServiceStatus": STATUS_NOTIFIED,
            "StatusStartingTime": time,
        }])
    };
    let by_ski = json!({ "X509SKIs": ["AAAA"] });
    let history = format!("{SERVICES}/0/ServiceHistory");
    let status = i("ServiceStatus");
    let started = i("StatusStartingTime");
    if profile == PubEaa {
        add(&rules::TE_LAW, cut(t("TETradeName/1")), &[]);
        let other = set(t("TEName/0/value"), json!("Another Name"));
        add(&rules::SVC_ORGANIZATION, other, &[]);
        let keys = objects(&[&made.leaf, &made.other_key]);
        add(&rules::SVC_ONE_KEY, set(certificates.clone(), keys), &[]);
        let subjects = objects(&[&made.leaf, &made.other_subject]);
        add(&rules::SVC_ONE_SUBJECT, set(certificates, subjects), &[]);
        add(&rules::SVC_STATUS, cut(status), &[]);
        let later = json!("2026-11-01T00:00:01Z");
        add(&rules::SVC_STATUS_TIME, set(started, later), &[]);
        let mut nameless = earlier("2025-01-01T00:00:00Z", by_ski.clone());
        nameless[0].as_object_mut().unwrap().remove("ServiceName");
        add(
            &rules::HISTORY_INSTANCE,
            set(history.clone(), nameless),
            &[],
        );
        let late = earlier("2026-12-01T00:00:00Z", by_ski);
        add(&rules::HISTORY_ORDER, set(history.clone(), late), &[]);
        let whole = json!({ "X509Certificates": objects(&[&made.leaf]) });
        let whole = earlier("2025-01-01T00:00:00Z", whole);
        add(&rules::HISTORY_SKI, set(history, whole), &[]);
    } else {
        let kept = earlier("2025-01-01T00:00:00Z", by_ski);
        add(&rules::SVC_HISTORY, set(history, kept), &[]);
        if annex {
            add(&rules::SVC_STATUS, set(status, json!(STATUS_NOTIFIED)), &[]);
            let since = json!("2026-11-01T00:00:00Z");
            add(&rules::SVC_STATUS_TIME, set(started, since), &[]);
        }
    }
    if profile == Wallet {
        let id = i("ServiceInformationExtensions/0/ServiceUniqueIdentifier");
        add(&rules::SVC_UNIQUE_ID, set(id, json!("1")), &[]);
    }
    if profile == Registrars {
        add(&rules::SVC_SUPPLY_POINT, cut(i("ServiceSupplyPoints")), &[]);
    }
    cases
}

/// A seal by hand: the list under any header.
async fn sealed_as(document: &Value, by: &Party, change: impl FnOnce(&mut jose::Map)) -> String {
    let header = json!({
        "typ": "JOSE",
        "iat": issued().as_second(),
        "x5t#S256": b64::encode(by.certificate.sha256()),
        "x5c": [b64::encode_std(by.certificate.der())],
    });
    let Value::Object(mut header) = header else {
        unreachable!()
    };
    change(&mut header);
    let payload = document.to_string();
    jose::jws::sign(header, payload.as_bytes(), &by.key)
        .await
        .unwrap()
}

#[rstest]
#[tokio::test]
async fn each_rule_is_broken_alone_in_each_annex(
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
    let made = Certificates::make().await;
    let draft = draft(profile, &operator.certificate).await;
    let clean = serde_json::to_value(draft.list()).unwrap();
    let mut wrong = Vec::new();
    let mut broken: BTreeSet<&str> = BTreeSet::new();
    let mut expect = |rule: &'static str, with: &[&str], found: Vec<String>| {
        let mut expected: Vec<&str> = with.iter().copied().chain([rule]).collect();
        expected.sort_unstable();
        if found != expected {
            wrong.push(format!("{rule}: {found:?} found, {expected:?} expected"));
        }
        broken.insert(rule);
    };

    for case in cases(profile, &made) {
        let mut document = clean.clone();
        for (pointer, value) in &case.changes {
            put(&mut document, pointer, value.clone());
        }
        let report = lint_draft(document.to_string().as_bytes(), Some(profile), now());
        expect(case.rule, case.with, all(&report.findings));
    }

    // What it is at all.
    let twice = br#"{"LoTE":{},"LoTE":{}}"#;
    let report = lint_draft(twice, Some(profile), now());
    expect("LOTE-JSON", &[], all(&report.findings));
    let mut document = clean.clone();
    put(
        &mut document,
        &format!("{S}/LoTEType"),
        Some(json!("urn:x")),
    );
    let report = lint_draft(document.to_string().as_bytes(), None, now());
    expect("LOTE-PROFILE", &[], all(&report.findings));
    if profile != Profile::PubEaa && profile != Profile::Mdl {
        let mut document = clean.clone();
        let at = format!("{S}/PointersToOtherLoTE");
        let pointers = document.pointer(&at).cloned();
        put(&mut document, &at, None);
        put(&mut document, &format!("{S}/PointerToOtherLoTE"), pointers);
        let report = lint_draft(document.to_string().as_bytes(), None, now());
        expect("LOTE-POINTER-SPELLING", &[], all(&report.findings));
    }

    // Its seal: D.4 to I.4.
    let lint = |text: &str| all(&lint_bytes(text.as_bytes(), Some(profile), now()).findings);
    let good = sealed_as(&clean, &operator, |_| {}).await;
    assert_eq!(lint(&good), [""; 0]);
    expect("LOTE-SEAL-FORM", &[], lint(&clean.to_string()));
    let (over, signature) = good.rsplit_once('.').unwrap();
    let mut bytes = b64::decode(signature).unwrap();
    bytes[7] ^= 1;
    let forged = format!("{over}.{}", b64::encode(bytes));
    expect("LOTE-SEAL-SIGNATURE", &[], lint(&forged));
    let rest = good.split_once('.').unwrap().1;
    let weak = format!("{}.{rest}", b64::encode(br#"{"alg":"HS256"}"#));
    expect("LOTE-SEAL-ALGORITHM", &[], lint(&weak));
    for (rule, member, value) in [
        ("LOTE-SEAL-CERTIFICATE", "x5c", None),
        ("LOTE-SEAL-CERT-DIGEST", "x5t#S256", None),
        ("LOTE-SEAL-TIME", "iat", None),
        ("LOTE-SEAL-CRIT", "sigD", Some(json!({}))),
        ("LOTE-SEAL-TYP", "typ", Some(json!("JWT"))),
        (
            "LOTE-SEAL-VALIDITY",
            "iat",
            Some(json!(at("2025-01-01T00:00:00Z").as_second())),
        ),
    ] {
        let text = sealed_as(&clean, &operator, |header| {
            match value {
                Some(value) => header.insert(member.into(), value),
                None => header.remove(member),
            };
        })
        .await;
        expect(rule, &[], lint(&text));
    }
    for (rule, country, organization) in [
        ("LOTE-SEAL-COUNTRY", "DE", OPERATOR),
        ("LOTE-SEAL-ORGANIZATION", "EU", "Another Operator"),
    ] {
        let stranger = party(Subject {
            country,
            organization,
            identifier: None,
            ..Subject::default()
        })
        .await;
        let list = common::draft(profile, &stranger.certificate).await;
        let document = serde_json::to_value(list.list()).unwrap();
        let text = sealed_as(&document, &stranger, |_| {}).await;
        expect(rule, &[], lint(&text));
    }
    let twin = common::operator().await;
    let text = sealed_as(&clean, &twin, |_| {}).await;
    if profile != Profile::PubEaa && profile != Profile::Mdl {
        expect("LOTE-POINTER-SIGNER", &[], lint(&text));
    }
    let pinned = [operator.certificate.clone()];
    let verifier = Verifier {
        signers: Signers::Pinned(&pinned),
        mode: Mode::Strict,
    };
    let refusal = verifier.verify(text.as_bytes(), now()).unwrap_err();
    expect("LOTE-SEAL-SIGNER", &[], all(&refusal.into_findings()));

    assert_eq!(wrong, [""; 0], "{wrong:#?}");
    for rule in lote::RULES.iter().map(|rule| rule.id) {
        let elsewhere = ELSEWHERE.iter().any(|(known, _)| *known == rule);
        let reason = not_of(profile, rule);
        assert_eq!(
            broken.contains(rule),
            !elsewhere && reason.is_none(),
            "{rule} in a list of the profile {profile}: {reason:?}"
        );
    }
}
