//! The shape of the JSON binding: which members there are, and of what type.
//!
//! It is the JSON schema of Annex A.1 as a table, without what the schema gets
//! wrong beside the text (the text prevails, A.1): `NextUpdate` may be null,
//! `LoTELegalNotice` may be multilingual, and the pointers have two spellings.

use serde_json::Value;

use crate::report::{Report, show};
use crate::rules;
use finding::Finding;

/// Judges a parsed document against the shape.
pub(crate) fn judge(document: &Value) -> Vec<Finding> {
    let mut report = Report::default();
    let mut path = String::new();
    walk(document, &ROOT, &mut path, &mut report);
    report.into_findings()
}

/// Whether a value has the shape of an entity, what it has beside its members and
/// empty arrays apart.
pub(crate) fn is_entity(value: &Value) -> bool {
    let mut report = Report::default();
    walk(value, &ENTITY, &mut String::new(), &mut report);
    let findings = report.into_findings();
    !findings.iter().any(|f| f.is(&rules::SHAPE))
}

enum Kind {
    Str,
    StrOrNull,
    Int,
    Any,
    TextOrStr,
    List(&'static Kind),
    Object(&'static [(&'static str, &'static Kind)]),
}

fn walk(value: &Value, kind: &Kind, path: &mut String, report: &mut Report) {
    match (kind, value) {
        (Kind::Any, _)
        | (Kind::Str | Kind::StrOrNull | Kind::TextOrStr, Value::String(_))
        | (Kind::StrOrNull, Value::Null) => {}
        (Kind::Int, Value::Number(n)) if n.as_i64().is_some() => {}
        (Kind::TextOrStr, Value::Object(_)) => walk(value, &TEXT, path, report),
        (Kind::List(item), Value::Array(items)) => {
            if items.is_empty() {
                report.add(rules::EMPTY.finding(at(path), "an array without any element"));
            }
            for (i, element) in items.iter().enumerate() {
                step(path, &i.to_string(), |path| {
                    walk(element, item, path, report)
                });
            }
        }
        (Kind::Object(members), Value::Object(object)) => {
            for (name, member) in object {
                match members.iter().find(|(known, _)| known == name) {
                    Some((_, kind)) => step(path, name, |path| walk(member, kind, path, report)),
                    None => report.add(
                        rules::UNKNOWN_MEMBER
                            .finding(at(path), format!("{} is not a member of it", show(name))),
                    ),
                }
            }
        }
        _ => report.add(rules::SHAPE.finding(
            at(path),
            format!("{} stands where {} belongs", name_of(value), expected(kind)),
        )),
    }
    // The three objects without which there is nothing to read.
    if let (Kind::Object(members), Value::Object(object)) = (kind, value) {
        for needed in [
            "LoTE",
            "ListAndSchemeInformation",
            "TrustedEntityInformation",
            "TrustedEntityServices",
            "ServiceInformation",
        ] {
            if members.iter().any(|(name, _)| *name == needed) && !object.contains_key(needed) {
                report.add(rules::SHAPE.finding(at(path), format!("{needed} is missing")));
            }
        }
    }
}

fn step(path: &mut String, segment: &str, then: impl FnOnce(&mut String)) {
    let length = path.len();
    path.push('/');
    path.push_str(segment);
    then(path);
    path.truncate(length);
}

fn at(path: &str) -> String {
    if path.is_empty() {
        "/".to_owned()
    } else {
        path.to_owned()
    }
}

fn name_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

fn expected(kind: &Kind) -> &'static str {
    match kind {
        Kind::Str => "a string",
        Kind::StrOrNull => "a string or null",
        Kind::Int => "an integer",
        Kind::Any => "anything",
        Kind::TextOrStr => "a multilingual string",
        Kind::List(_) => "an array",
        Kind::Object(_) => "an object",
    }
}

static STR: Kind = Kind::Str;
static INT: Kind = Kind::Int;
static STRS: Kind = Kind::List(&Kind::Str);
static ANYS: Kind = Kind::List(&Kind::Any);
static TEXT: Kind = Kind::Object(&[("lang", &STR), ("value", &STR)]);
static TEXTS: Kind = Kind::List(&TEXT);
static URI: Kind = Kind::Object(&[("lang", &STR), ("uriValue", &STR)]);
static URIS: Kind = Kind::List(&URI);

static ROOT: Kind = Kind::Object(&[("LoTE", &LOTE)]);
static LOTE: Kind = Kind::Object(&[
    ("ListAndSchemeInformation", &SCHEME),
    ("TrustedEntitiesList", &ENTITIES),
]);
static SCHEME: Kind = Kind::Object(&[
    ("LoTEVersionIdentifier", &INT),
    ("LoTESequenceNumber", &INT),
    ("LoTEType", &STR),
    ("SchemeOperatorName", &TEXTS),
    ("SchemeOperatorAddress", &OPERATOR_ADDRESS),
    ("SchemeName", &TEXTS),
    ("SchemeInformationURI", &URIS),
    ("StatusDeterminationApproach", &STR),
    ("SchemeTypeCommunityRules", &URIS),
    ("SchemeTerritory", &STR),
    ("PolicyOrLegalNotice", &POLICIES),
    ("HistoricalInformationPeriod", &INT),
    ("PointersToOtherLoTE", &POINTERS),
    ("PointerToOtherLoTE", &POINTERS),
    ("ListIssueDateTime", &STR),
    ("NextUpdate", &STR_OR_NULL),
    ("DistributionPoints", &STRS),
    ("SchemeExtensions", &ANYS),
]);
static STR_OR_NULL: Kind = Kind::StrOrNull;
static OPERATOR_ADDRESS: Kind = Kind::Object(&[
    ("SchemeOperatorPostalAddress", &POSTALS),
    ("SchemeOperatorElectronicAddress", &URIS),
]);
static POSTALS: Kind = Kind::List(&POSTAL);
static POSTAL: Kind = Kind::Object(&[
    ("lang", &STR),
    ("StreetAddress", &STR),
    ("Locality", &STR),
    ("StateOrProvince", &STR),
    ("PostalCode", &STR),
    ("Country", &STR),
]);
static POLICIES: Kind = Kind::List(&POLICY);
static POLICY: Kind = Kind::Object(&[("LoTEPolicy", &URI), ("LoTELegalNotice", &TEXT_OR_STR)]);
static TEXT_OR_STR: Kind = Kind::TextOrStr;
static POINTERS: Kind = Kind::List(&POINTER);
static POINTER: Kind = Kind::Object(&[
    ("LoTELocation", &STR),
    ("ServiceDigitalIdentities", &IDENTITIES),
    ("LoTEQualifiers", &QUALIFIERS),
]);
static IDENTITIES: Kind = Kind::List(&IDENTITY);
static IDENTITY: Kind = Kind::Object(&[
    ("X509Certificates", &PKI_OBJECTS),
    ("X509SubjectNames", &STRS),
    ("PublicKeyValues", &ANYS),
    ("X509SKIs", &STRS),
    ("OtherIds", &ANYS),
]);
static PKI_OBJECTS: Kind = Kind::List(&PKI_OBJECT);
static PKI_OBJECT: Kind = Kind::Object(&[("encoding", &STR), ("specRef", &STR), ("val", &STR)]);
static QUALIFIERS: Kind = Kind::List(&QUALIFIER);
static QUALIFIER: Kind = Kind::Object(&[
    ("LoTEType", &STR),
    ("SchemeOperatorName", &TEXTS),
    ("SchemeTypeCommunityRules", &URIS),
    ("SchemeTerritory", &STR),
    ("MimeType", &STR),
]);
static ENTITIES: Kind = Kind::List(&ENTITY);
static ENTITY: Kind = Kind::Object(&[
    ("TrustedEntityInformation", &ENTITY_INFORMATION),
    ("TrustedEntityServices", &SERVICES),
]);
static ENTITY_INFORMATION: Kind = Kind::Object(&[
    ("TEName", &TEXTS),
    ("TETradeName", &TEXTS),
    ("TEAddress", &ENTITY_ADDRESS),
    ("TEInformationURI", &URIS),
    ("TEInformationExtensions", &ANYS),
]);
static ENTITY_ADDRESS: Kind = Kind::Object(&[
    ("TEPostalAddress", &POSTALS),
    ("TEElectronicAddress", &URIS),
]);
static SERVICES: Kind = Kind::List(&SERVICE);
static SERVICE: Kind = Kind::Object(&[
    ("ServiceInformation", &SERVICE_INFORMATION),
    ("ServiceHistory", &HISTORY),
]);
static SERVICE_INFORMATION: Kind = Kind::Object(&[
    ("ServiceTypeIdentifier", &STR),
    ("ServiceName", &TEXTS),
    ("ServiceDigitalIdentity", &IDENTITY),
    ("ServiceStatus", &STR),
    ("StatusStartingTime", &STR),
    ("SchemeServiceDefinitionURI", &URIS),
    ("ServiceSupplyPoints", &SUPPLY_POINTS),
    ("ServiceDefinitionURI", &URIS),
    ("ServiceInformationExtensions", &ANYS),
]);
static SUPPLY_POINTS: Kind = Kind::List(&SUPPLY_POINT);
static SUPPLY_POINT: Kind = Kind::Object(&[("ServiceType", &STR), ("uriValue", &STR)]);
static HISTORY: Kind = Kind::List(&HISTORY_INSTANCE);
static HISTORY_INSTANCE: Kind = Kind::Object(&[
    ("ServiceTypeIdentifier", &STR),
    ("ServiceName", &TEXTS),
    ("ServiceDigitalIdentity", &IDENTITY),
    ("ServiceStatus", &STR),
    ("StatusStartingTime", &STR),
    ("ServiceInformationExtensions", &ANYS),
]);
