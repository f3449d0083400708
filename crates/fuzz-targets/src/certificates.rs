use pki::{AnchorIndex, Certificate, Certval, PathSettings, Profile, QcStatements, find_path};

use crate::now;

/// A certificate with everything read of it and held against every profile; a
/// chain of certificates and its path; QCStatements of their own.
pub(crate) fn certificate(data: &[u8]) {
    if let Ok(certificate) = Certificate::from_der(data) {
        look_at(&certificate);
        for profile in Profile::ALL {
            let _ = pki::lint(&certificate, profile, now());
        }
    }
    if let Ok(chain) = pki::read_chain(data) {
        assert!(chain.len() <= pki::MAX_CHAIN, "a chain is bounded");
        path(&chain);
    }
    if let Ok(statements) = QcStatements::from_der(data) {
        let _ = (statements.qc_types(), statements.psb(), statements.to_der());
    }
}

/// A path from the first certificate over the others to those that are their own
/// issuers.
fn path(chain: &[Certificate]) {
    let Some((leaf, others)) = chain.split_first() else {
        return;
    };
    let own = others.iter().filter(|c| c.is_self_issued()).cloned();
    let anchors = AnchorIndex::new(own);
    let settings = PathSettings::at(now());
    if let Ok(path) = find_path(leaf, others, &anchors, &settings, &Certval::new()) {
        assert!(anchors.positions(&path.anchor).contains(&path.position));
    }
    let _ = anchors.match_direct(leaf);
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
