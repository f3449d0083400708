//! Certificates and lists for the tests of this crate.
#![allow(dead_code, unreachable_pub)]

use claviger_fixtures::TestKey;
use jiff::Timestamp;
use jose::{Curve, Signer};
use lote::{Draft, NewEntity, NewService, Operator, Postal, Profile, Publication, ServiceKind};
use pki::Certificate;
use serde_json::Value;

pub fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// The time of issue of the lists made here.
pub fn issued() -> Timestamp {
    at("2026-11-01T00:00:00Z")
}

/// A time at which they are current.
pub fn now() -> Timestamp {
    at("2026-11-22T12:00:00Z")
}

/// The lists' next update.
pub fn next() -> Timestamp {
    at("2027-04-01T00:00:00Z")
}

pub const OPERATOR: &str = "Example List Operator";
pub const ENTITY: &str = "Example Provider GmbH";
pub const REGISTRATION: &str = "NTRDE-HRB12345";

/// A key and its self-signed certificate.
pub struct Party {
    pub key: TestKey,
    pub certificate: Certificate,
}

/// What stands in a certificate made here.
pub struct Subject<'a> {
    pub country: &'a str,
    pub organization: &'a str,
    pub identifier: Option<&'a str>,
    pub ca: bool,
    pub not_before: &'a str,
    pub not_after: &'a str,
}

impl Default for Subject<'_> {
    fn default() -> Self {
        Subject {
            country: "DE",
            organization: ENTITY,
            identifier: Some(REGISTRATION),
            ca: false,
            not_before: "20260101000000Z",
            not_after: "20290101000000Z",
        }
    }
}

pub async fn operator() -> Party {
    party(Subject {
        country: "EU",
        organization: OPERATOR,
        identifier: None,
        ..Subject::default()
    })
    .await
}

pub async fn party(subject: Subject<'_>) -> Party {
    let key = TestKey::generate(Curve::P256);
    let certificate = certificate(&key, &subject).await;
    Party { key, certificate }
}

pub async fn certificate(key: &TestKey, subject: &Subject<'_>) -> Certificate {
    let ecdsa = seq(&[oid(&[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02])]);
    let mut rdns = vec![
        rdn(&[0x55, 4, 6], 0x13, subject.country),
        rdn(&[0x55, 4, 10], 0x0c, subject.organization),
    ];
    if let Some(identifier) = subject.identifier {
        rdns.push(rdn(&[0x55, 4, 97], 0x0c, identifier));
    }
    let name = seq(&rdns);
    let public = Signer::public_key(key);
    let basic = if subject.ca {
        seq(&[tlv(1, &[0xff])])
    } else {
        seq(&[])
    };
    let ski = tlv(4, &jose::sha256(public.point())[..20]);
    let extensions = seq(&[
        seq(&[oid(&[0x55, 0x1d, 0x13]), tlv(1, &[0xff]), tlv(4, &basic)]),
        seq(&[oid(&[0x55, 0x1d, 0x0e]), tlv(4, &ski)]),
    ]);
    let tbs = seq(&[
        tlv(0xa0, &tlv(2, &[2])),
        tlv(2, &[1]),
        ecdsa.clone(),
        name.clone(),
        seq(&[
            tlv(0x18, subject.not_before.as_bytes()),
            tlv(0x18, subject.not_after.as_bytes()),
        ]),
        name,
        public.to_spki_der(),
        tlv(0xa3, &extensions),
    ]);
    let signature = jose::ecdsa_to_der(&key.sign(&tbs).await.unwrap()).unwrap();
    let bits = [&[0][..], &signature].concat();
    Certificate::from_der(&seq(&[tbs, ecdsa, tlv(3, &bits)])).unwrap()
}

fn rdn(id: &[u8], tag: u8, text: &str) -> Vec<u8> {
    tlv(0x31, &seq(&[oid(id), tlv(tag, text.as_bytes())]))
}

fn oid(body: &[u8]) -> Vec<u8> {
    tlv(6, body)
}

fn seq(parts: &[Vec<u8>]) -> Vec<u8> {
    tlv(0x30, &parts.concat())
}

fn tlv(tag: u8, body: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    match body.len() {
        n @ 0..128 => out.push(n as u8),
        n @ 128..256 => out.extend([0x81, n as u8]),
        n => out.extend([0x82, (n >> 8) as u8, n as u8]),
    }
    out.extend(body);
    out
}

pub fn postal() -> Postal {
    Postal {
        street: "Example Street 1".into(),
        locality: "Berlin".into(),
        postal_code: "10115".into(),
        country: "DE".into(),
    }
}

pub fn entity() -> NewEntity {
    NewEntity {
        name: ENTITY.into(),
        registration: REGISTRATION.into(),
        member_state: "DE".into(),
        address: postal(),
        email: "help@provider.example".into(),
        phone: "+49301234567".into(),
        web: "https://provider.example/".into(),
        policies: "https://provider.example/policies".into(),
        law: Some("OJ:DE:example-law".into()),
    }
}

pub fn new_draft(profile: Profile, operator: &Certificate) -> Draft {
    let name = Operator {
        name: OPERATOR.into(),
        territory: "EU".into(),
        address: postal(),
        email: "lists@operator.example".into(),
        web: "https://operator.example/".into(),
    };
    let place = Publication {
        scheme_name: format!("Example {profile} list"),
        location: format!("https://operator.example/{profile}.jwt"),
        information: "https://operator.example/about".into(),
        archive: "https://operator.example/archive".into(),
        policy: "https://operator.example/policy".into(),
    };
    Draft::new(profile, &name, &place, std::slice::from_ref(operator))
}

pub fn service(profile: Profile, kind: ServiceKind, certificate: &Certificate) -> NewService {
    NewService {
        kind,
        name: format!("Example {kind:?}"),
        certificates: vec![certificate.clone()],
        unique_id: (profile == Profile::Wallet).then(|| "urn:example:wallet:1".into()),
        supply_point: (profile == Profile::Registrars)
            .then(|| "https://provider.example/register".into()),
    }
}

/// An issued list of one entity with all the services of its profile.
pub async fn draft(profile: Profile, operator: &Certificate) -> Draft {
    let ca = matches!(profile, Profile::Access | Profile::Registration);
    let provider = party(Subject {
        ca,
        ..Subject::default()
    })
    .await;
    let mut draft = new_draft(profile, operator);
    draft.add_entity(&entity()).unwrap();
    for kind in [
        ServiceKind::Issuance,
        ServiceKind::Revocation,
        ServiceKind::Register,
    ] {
        if profile.service_type(kind).is_some() {
            let service = service(profile, kind, &provider.certificate);
            draft.add_service(ENTITY, &service, issued()).unwrap();
        }
    }
    draft.issue(issued(), next()).unwrap();
    draft
}

pub fn errors(findings: &[finding::Finding]) -> Vec<String> {
    let mut rules: Vec<String> = findings
        .iter()
        .filter(|f| f.severity == finding::Severity::Error)
        .map(|f| f.rule.to_string())
        .collect();
    rules.sort();
    rules.dedup();
    rules
}

pub fn all(findings: &[finding::Finding]) -> Vec<String> {
    let mut rules: Vec<String> = findings.iter().map(|f| f.rule.to_string()).collect();
    rules.sort();
    rules.dedup();
    rules
}

/// Sets the member at a JSON pointer, or removes it.
pub fn put(document: &mut Value, pointer: &str, value: Option<Value>) {
    let (parent, member) = pointer.rsplit_once('/').unwrap();
    match document
        .pointer_mut(parent)
        .unwrap_or_else(|| panic!("no {parent}"))
    {
        Value::Object(object) => match value {
            Some(value) => {
                object.insert(member.into(), value);
            }
            None => {
                object
                    .remove(member)
                    .unwrap_or_else(|| panic!("no {pointer}"));
            }
        },
        Value::Array(items) => {
            let i: usize = member.parse().unwrap();
            match value {
                Some(value) if i < items.len() => items[i] = value,
                Some(value) => items.push(value),
                None => {
                    items.remove(i);
                }
            }
        }
        _ => panic!("{parent} is neither an object nor an array"),
    }
}
