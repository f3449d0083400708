use jose::Signer;
use pki::{Certificate, Crl, Profile, QcStatements};

use crate::now;
use crate::signed::KEY;

/// A certificate with everything read of it and held against every profile; a
/// chain of certificates; QCStatements of their own.
pub(crate) fn certificate(data: &[u8]) {
    if let Ok(certificate) = Certificate::from_der(data) {
        look_at(&certificate);
        for profile in Profile::ALL {
            let _ = pki::lint(&certificate, profile, now());
        }
    }
    if let Ok(chain) = pki::read_chain(data) {
        assert!(chain.len() <= pki::MAX_CHAIN, "a chain is bounded");
    }
    if let Ok(statements) = QcStatements::from_der(data) {
        let _ = (statements.qc_types(), statements.psb(), statements.to_der());
    }
}

fn look_at(certificate: &Certificate) {
    let _ = (
        certificate.subject(),
        certificate.issuer(),
        certificate.serial(),
        certificate.extensions(),
        certificate.basic_constraints(),
        certificate.key_usage(),
        certificate.extended_key_usage(),
        certificate.policies(),
    );
    let _ = (
        certificate.subject_key_id(),
        certificate.authority_key_id(),
        certificate.alt_names(),
        certificate.distribution_points(),
        certificate.crl_urls(),
        certificate.ocsp_urls(),
        certificate.ca_issuers_urls(),
        certificate.qc_statements(),
    );
    let _ = (
        certificate.no_rev_avail(),
        certificate.is_validity_assured(),
        certificate.public_key(),
        certificate.is_self_signed(),
        certificate.to_ref(),
    );
}

/// A CRL, asked for a serial and for a signature.
pub(crate) fn crl(data: &[u8]) {
    let Ok(crl) = Crl::from_der(data) else {
        return;
    };
    let _ = (crl.entry(&[1]), crl.scope(), crl.next_update(), crl.len());
    let _ = crl.is_delta_to(&crl);
    let _ = crl.verify_signature(&KEY.public_key().to_spki_der());
}
