//! A root, an intermediate, a leaf, and their CRLs.
#![allow(dead_code)]

use claviger_fixtures::TestKey;
use jiff::Timestamp;
use jose::{Curve, Signer};
use pki::{Certificate, CrlRequest, Issuer, Profile, Request, Subject, issue, issue_crl};

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

/// A request whose CRL is at this address.
pub(crate) fn request_at(profile: Profile, name: &str, key: &TestKey, crl: &str) -> Request {
    let mut request = Request::new(
        profile,
        Subject::legal("BE", "Claviger Bench", "VATBE-0876866142", name),
        Signer::public_key(key).clone(),
        at("2026-01-01T00:00:00Z"),
        at("2028-01-01T00:00:00Z"),
    );
    request.crl_urls = vec![crl.into()];
    request.ca_issuers_urls = vec!["http://ca.example/ca.cer".into()];
    request
}

pub(crate) fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// A CA, its CRL and those of what it issues below `base`.
pub(crate) async fn ca(name: &str, base: &str, above: Option<&Ca>) -> Ca {
    let key = TestKey::generate(Curve::P256);
    let request = request_at(Profile::Ca, name, &key, &format!("{base}/root.crl"));
    let issuer = above.map_or(Issuer::Itself(&key), Ca::issuer);
    let certificate = issue(&request, issuer).await.unwrap();
    Ca { certificate, key }
}

/// An empty CRL of a CA.
pub(crate) async fn crl_der(ca: &Ca) -> Vec<u8> {
    let request = CrlRequest {
        number: 1,
        this_update: at("2026-11-22T00:00:00Z"),
        next_update: at("2026-11-29T00:00:00Z"),
        revoked: vec![],
        scope: None,
        delta_base: None,
    };
    issue_crl(&request, &ca.certificate, &ca.key).await.unwrap()
}
