//! What CRLs and OCSP responses say together, and what a profile makes of a
//! certificate about which nobody says anything.
//!
//! Revoked by one of them is revoked. Good by one of them is good, whatever the
//! other could not tell. A certificate that says of itself that there is nothing
//! to be learnt is taken at its word only where its profile allows that.

use finding::Finding;
use jiff::Timestamp;

use crate::certificate::Certificate;
use crate::crl::Crl;
use crate::ocsp::{OcspAnswer, OcspPolicy, status_by_ocsp};
use crate::path::Path;
use crate::profile::Profile;
use crate::revocation::{RevocationSources, RevocationStatus, Unknown, path_status, status_by_crl};
use crate::rules;
use crate::signature::AlgorithmPolicy;

/// Everything the status of one certificate is looked up in.
#[derive(Debug, Clone, Copy)]
pub struct StatusSources<'a> {
    /// The CRLs at hand.
    pub crls: &'a [Crl],
    /// The OCSP responses at hand.
    pub answers: &'a [OcspAnswer],
    /// The time.
    pub at: Timestamp,
    /// Which algorithms are good enough.
    pub algorithms: AlgorithmPolicy,
    /// For how long responses are relied on.
    pub ocsp: OcspPolicy,
}

/// A certificate with what is known of its revocation.
#[derive(Debug, Clone)]
pub struct Known {
    /// The certificate.
    pub certificate: Certificate,
    /// What is known.
    pub status: RevocationStatus,
    /// What is worth saying beside it.
    pub notes: Vec<Finding>,
}

/// The status of a certificate used as `profile`. `issuer` must be its issuer on
/// a validated path.
pub fn status(
    certificate: &Certificate,
    issuer: &Certificate,
    profile: Profile,
    sources: &StatusSources<'_>,
) -> Known {
    let StatusSources {
        crls,
        at,
        algorithms,
        ..
    } = *sources;
    let by_crl = status_by_crl(certificate, issuer, crls, at, algorithms);
    combine(certificate, issuer, profile, by_crl, sources)
}

/// The status of each certificate of a validated path, leaf first, with OCSP
/// responses beside the CRLs; the leaf is used as `profile`.
pub fn path_status_with(
    path: &Path,
    profile: Profile,
    by_crl: RevocationSources<'_>,
    answers: &[OcspAnswer],
    ocsp: OcspPolicy,
) -> Vec<Known> {
    let sources = StatusSources {
        crls: by_crl.crls,
        answers,
        at: by_crl.settings.at,
        algorithms: by_crl.settings.algorithms,
        ocsp,
    };
    let statuses = path_status(path, by_crl);
    path.pairs()
        .zip(statuses)
        .enumerate()
        .map(|(i, ((certificate, issuer), (_, by_crl)))| {
            let profile = if i == 0 { profile } else { Profile::Ca };
            combine(certificate, issuer, profile, by_crl, &sources)
        })
        .collect()
}

fn combine(
    certificate: &Certificate,
    issuer: &Certificate,
    profile: Profile,
    by_crl: RevocationStatus,
    sources: &StatusSources<'_>,
) -> Known {
    let mut known = Known {
        certificate: certificate.clone(),
        status: by_crl,
        notes: Vec::new(),
    };
    for answer in sources.answers {
        if answer.about(certificate, issuer).is_none() {
            continue;
        }
        let StatusSources {
            crls,
            at,
            algorithms,
            ..
        } = *sources;
        let by_ocsp = status_by_ocsp(
            certificate,
            issuer,
            answer,
            crls,
            at,
            algorithms,
            &sources.ocsp,
        );
        if answer.lacks_nonce() && !matches!(by_ocsp, RevocationStatus::Unknown(_)) {
            let evidence = format!("produced at {}", answer.response.produced_at());
            known
                .notes
                .push(rules::OCSP_NONCE.finding(certificate.subject(), evidence));
        }
        if weight(&by_ocsp) > weight(&known.status) {
            known.status = by_ocsp;
        }
    }
    // TS 119 411-8, GEN-6.6.1-01: access certificates are not short-term ones.
    if known.status == RevocationStatus::None && profile == Profile::Access {
        known.status = RevocationStatus::Unknown(Unknown::NotExempt);
    }
    known
}

/// Of two statuses the one that counts.
fn weight(status: &RevocationStatus) -> u8 {
    match status {
        RevocationStatus::Revoked { .. } => 4,
        RevocationStatus::Good => 3,
        RevocationStatus::None => 2,
        // Why an answer that is at hand was not relied on says more than that
        // there was no other.
        RevocationStatus::Unknown(Unknown::Ocsp(_)) => 1,
        RevocationStatus::Unknown(_) => 0,
    }
}
