//! What says that a certificate is revoked: CRLs and OCSP responses, as they come
//! and with the bytes as what a known CA signed.

use std::sync::LazyLock;

use jose::Signer;
use pki::ocsp::status_by_ocsp;
use pki::{
    AlgorithmPolicy, Certificate, Crl, Issuer, OcspAnswer, OcspPolicy, OcspResponse, Profile,
    Request, Subject, status_by_crl,
};

use crate::now;
use crate::signed::{KEY, der, element, ready};

/// A CA with the targets' key, and a leaf of it.
struct World {
    ca: Certificate,
    leaf: Certificate,
}

#[allow(clippy::expect_used)]
static WORLD: LazyLock<World> = LazyLock::new(|| {
    let made = |profile, issuer: Issuer<'_>| {
        let year = jiff::SignedDuration::from_hours(24 * 365);
        let mut request = Request::new(
            profile,
            Subject::legal("BE", "Fuzz Ltd", "VATBE-0876866142", "Fuzz"),
            KEY.public_key().clone(),
            now() - year,
            now() + year,
        );
        request.crl_urls = vec!["http://ca.example/ca.crl".into()];
        ready(pki::issue(&request, issuer))
            .expect("nothing to wait for")
            .expect("a certificate")
    };
    let ca = made(Profile::Ca, Issuer::Itself(&*KEY));
    let issuer = Issuer::Ca {
        certificate: &ca,
        signer: &*KEY,
    };
    let leaf = made(Profile::StatusList, issuer);
    World { ca, leaf }
});

/// A CRL, asked for a serial and for a status; and the bytes as what is signed in
/// one.
pub(crate) fn crl(data: &[u8]) {
    judge_crl(data);
    if let Some(signed) = der(data) {
        judge_crl(&signed);
    }
}

fn judge_crl(data: &[u8]) {
    let Ok(crl) = Crl::from_der(data) else {
        return;
    };
    let _ = (crl.entry(&[1]), crl.scope(), crl.next_update(), crl.len());
    let _ = crl.is_delta_to(&crl);
    let _ = crl.verify_signature(&KEY.public_key().to_spki_der());
    let World { ca, leaf } = &*WORLD;
    let policy = AlgorithmPolicy::AGREED;
    let _ = status_by_crl(leaf, ca, std::slice::from_ref(&crl), now(), policy);
}

/// An OCSP response, judged for a certificate; and the bytes as what is signed in
/// one.
pub(crate) fn ocsp(data: &[u8]) {
    judge_ocsp(data);
    if let Some(signed) = der(data) {
        // id-pkix-ocsp-basic, in a response that says it is successful.
        let basic = [0x2b, 6, 1, 5, 5, 7, 0x30, 1, 1];
        let bytes = [element(6, &basic), element(4, &signed)].concat();
        let bytes = element(0xa0, &element(0x30, &bytes));
        judge_ocsp(&element(0x30, &[element(0x0a, &[0]), bytes].concat()));
    }
}

fn judge_ocsp(data: &[u8]) {
    let Ok(response) = OcspResponse::from_der(data) else {
        return;
    };
    let _ = (response.responder(), response.singles(), response.nonce());
    let answer = OcspAnswer {
        response,
        nonce: None,
    };
    let World { ca, leaf } = &*WORLD;
    let policy = OcspPolicy::default();
    let _ = answer.until(leaf, ca, &policy);
    let algorithms = AlgorithmPolicy::AGREED;
    let _ = status_by_ocsp(leaf, ca, &answer, &[], now(), algorithms, &policy);
}
