//! One change to a clean list, and the one rule that it breaks.
#![allow(unreachable_pub, clippy::indexing_slicing, clippy::unwrap_used)]

use lote::Profile;
use serde_json::{Value, json};

use crate::common::ENTITY;

const S: &str = "/LoTE/ListAndSchemeInformation";
const T: &str = "/LoTE/TrustedEntitiesList/0/TrustedEntityInformation";
const I: &str = "/LoTE/TrustedEntitiesList/0/TrustedEntityServices/0/ServiceInformation";
const H: &str = "/LoTE/TrustedEntitiesList/0/TrustedEntityServices/0/ServiceHistory";

/// The profile of the list, the rule, the member, and what it is set to.
pub type Case = (Profile, &'static str, String, Option<Value>);

pub fn cases() -> Vec<Case> {
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
        cut(
            Pid,
            "LOTE-POINTER-FORM",
            format!("{S}/PointersToOtherLoTE/0/ServiceDigitalIdentities/0/X509Certificates"),
        ),
        set(
            Pid,
            "LOTE-COUNTRY",
            format!("{S}/PointersToOtherLoTE/0/LoTEQualifiers/0/SchemeTerritory"),
            json!("Europe"),
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
        set(
            Pid,
            "LOTE-TE-TRADE-NAME",
            format!("{T}/TETradeName"),
            text("XYZDE-HRB12345"),
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
        set(
            Wallet,
            "LOTE-TE-ASSOCIATED-BODY",
            format!("{T}/TEInformationExtensions"),
            json!([{ "OtherAssociatedBodies": [{ "AssociatedBodyName": [] }] }]),
        ),
        set(
            Pid,
            "LOTE-TE-ASSOCIATED-BODY",
            format!("{T}/TEInformationExtensions"),
            json!([{ "OtherAssociatedBodies": [{ "AssociatedBodyName": text(ENTITY) }] }]),
        ),
        set(
            Pid,
            "LOTE-ENGLISH",
            format!("{T}/TEInformationExtensions"),
            json!([{ "OtherAssociatedBodies":
                [{ "AssociatedBodyName": [{ "lang": "de", "value": "Amt" }] }] }]),
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
            PubEaa,
            "LOTE-SVC-IDENTITY",
            format!("{I}/ServiceDigitalIdentity"),
            json!({ "X509SubjectNames": ["CN=x"] }),
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
