//! Certificates for these tests, made with the room's own `issue`.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used)]

use claviger_fixtures::TestKey;
use jiff::Timestamp;
use jose::{Curve, Signer};
use pki::{
    AltName, Certificate, Draft, Issuer, Oid, Policy, Profile, QcPsb, QcStatements, Request,
    Subject, oid,
};

/// The time the tests live at.
pub(crate) fn now() -> Timestamp {
    "2026-11-22T12:00:00Z".parse().unwrap()
}

pub(crate) fn key() -> TestKey {
    TestKey::generate(Curve::P256)
}

/// A CA with its key.
pub(crate) struct Ca {
    pub(crate) certificate: Certificate,
    pub(crate) key: TestKey,
}

impl Ca {
    pub(crate) fn issuer(&self) -> Issuer<'_> {
        Issuer::Ca {
            certificate: &self.certificate,
            signer: &self.key,
        }
    }
}

pub(crate) fn subject(name: &str) -> Subject {
    Subject::legal("BE", "Claviger Test", "VATBE-0876866142", name)
}

/// A request that conforms to its profile under a CA.
pub(crate) fn request(profile: Profile, name: &str, key: &dyn Signer) -> Request {
    let mut request = Request::new(
        profile,
        subject(name),
        key.public_key().clone(),
        "2026-01-01T00:00:00Z".parse().unwrap(),
        "2028-01-01T00:00:00Z".parse().unwrap(),
    );
    request.crl_urls = vec!["http://ca.example/ca.crl".into()];
    request.ca_issuers_urls = vec!["http://ca.example/ca.cer".into()];
    if profile == Profile::PubEaa {
        let body = QcPsb {
            country: "BE".into(),
            source: "register".into(),
            legislation: "law".into(),
        };
        request.statements = QcStatements::of_psb(&body).expect("it is encoded");
    }
    if profile == Profile::Access {
        request.alt_names = vec![AltName::Uri("https://party.example/support".into())];
        request.policies = vec![Policy {
            id: oid::NCP_L_EUDIWRP,
            cps: vec!["https://ca.example/cps".into()],
        }];
    }
    request
}

pub(crate) async fn root(name: &str) -> Ca {
    let key = key();
    let certificate = pki::issue(&request(Profile::Ca, name, &key), Issuer::Itself(&key))
        .await
        .expect("a root");
    Ca { certificate, key }
}

pub(crate) async fn sub_ca(name: &str, above: &Ca, path_len: Option<u8>) -> Ca {
    let key = key();
    let mut request = request(Profile::Ca, name, &key);
    request.path_len = path_len;
    let certificate = pki::issue(&request, above.issuer()).await.expect("a CA");
    Ca { certificate, key }
}

pub(crate) async fn leaf(profile: Profile, name: &str, ca: &Ca) -> (Certificate, TestKey) {
    let key = key();
    let certificate = pki::issue(&request(profile, name, &key), ca.issuer())
        .await
        .expect("a leaf");
    (certificate, key)
}

/// A draft of a conforming certificate, to be spoilt.
pub(crate) fn draft(profile: Profile, name: &str, key: &dyn Signer, ca: &Ca) -> Draft {
    Draft::new(&request(profile, name, key), ca.issuer()).unwrap()
}

/// The ids of the rules that are broken, sorted.
pub(crate) fn errors(findings: &[finding::Finding]) -> Vec<String> {
    let mut ids: Vec<String> = findings
        .iter()
        .filter(|f| f.severity == finding::Severity::Error)
        .map(|f| f.rule.to_string())
        .collect();
    ids.sort();
    ids.dedup();
    ids
}

pub(crate) fn oid_of(text: &str) -> Oid {
    Oid::new(text).unwrap()
}
