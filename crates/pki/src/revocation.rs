//! Whether a certificate is revoked, by the CRLs at hand.

use finding::{Finding, Severity, Trusted};
use jiff::Timestamp;
use x509_cert::ext::pkix::crl::CrlReason;
use x509_cert::ext::pkix::crl::dp::{ReasonFlags, Reasons};

use crate::certificate::Certificate;
use crate::crl::Crl;
use crate::direct::AnchorIndex;
use crate::ocsp::OcspFault;
use crate::path::{Path, PathSettings, PathValidator, find_path};
use crate::rules;
use crate::signature::AlgorithmPolicy;

/// What is known about a certificate's revocation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RevocationStatus {
    /// A fresh CRL of its issuer does not list it.
    Good,
    /// A CRL of its issuer lists it.
    Revoked {
        /// When.
        at: Timestamp,
        /// Why.
        reason: CrlReason,
    },
    /// Its issuer says that there is no revocation information: noRevAvail, or
    /// validity-assured short-term.
    None,
    /// It is not known.
    Unknown(Unknown),
}

/// Why a certificate's revocation is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unknown {
    /// The certificate names neither a CRL nor a responder.
    #[error("it names neither a CRL nor an OCSP responder")]
    NoSource,
    /// No CRL of its issuer is at hand.
    #[error("no CRL of its issuer is at hand")]
    NoCrl,
    /// The CRL covers other certificates.
    #[error("the CRL does not cover it")]
    OutOfScope,
    /// The issuer's key may not sign CRLs (RFC 5280, 6.3.3 (f)).
    #[error("the issuer's key usage holds no cRLSign")]
    NotCrlSigner,
    /// The CRL's signature is made with an algorithm that is not good enough.
    #[error("the CRL's signature algorithm is not good enough")]
    Algorithm,
    /// The CRL's signature does not verify.
    #[error("the CRL's signature does not verify")]
    BadSignature,
    /// The CRL's thisUpdate lies ahead.
    #[error("the CRL's thisUpdate {0} lies ahead")]
    NotYet(Timestamp),
    /// The CRL's nextUpdate has passed.
    #[error("the CRL's nextUpdate {0} has passed")]
    Stale(Timestamp),
    /// The CRLs tell of some reasons only.
    #[error("the CRLs at hand tell of some reasons only")]
    SomeReasons,
    /// The CRL does not say when the next one comes, so nothing says how long it
    /// may be relied on.
    #[error("the CRL has no nextUpdate")]
    NoNextUpdate,
    /// The OCSP response is not relied on.
    #[error("{0}")]
    Ocsp(OcspFault),
    /// It says that nothing is said about its revocation, which its profile does
    /// not allow.
    #[error("it is exempt from revocation by its own word, and its profile does not allow that")]
    NotExempt,
}

/// The status of a certificate at a time, by CRLs that someone fetched. `issuer`
/// must be its issuer on a validated path. Delta CRLs at hand are applied to the
/// complete ones, and CRLs for some reasons count together.
pub fn status_by_crl(
    certificate: &Certificate,
    issuer: &Certificate,
    crls: &[Crl],
    at: Timestamp,
    algorithms: AlgorithmPolicy,
) -> RevocationStatus {
    status_by_signers(certificate, &[issuer], crls, at, algorithms)
}

/// As [`status_by_crl`], with every certificate by which the issuer may have
/// signed its CRLs: its own, and others of its name that have been validated to
/// the same anchor.
pub(crate) fn status_by_signers(
    certificate: &Certificate,
    signers: &[&Certificate],
    crls: &[Crl],
    at: Timestamp,
    algorithms: AlgorithmPolicy,
) -> RevocationStatus {
    let mut unknown = match certificate.crl_urls().is_empty() && certificate.ocsp_urls().is_empty()
    {
        true => Unknown::NoSource,
        false => Unknown::NoCrl,
    };
    let mut told = ReasonFlags::default();
    for signer in signers {
        let (deltas, complete): (Vec<_>, Vec<_>) = crls
            .iter()
            .filter(|crl| crl.is_by(signer))
            .partition(|crl| crl.is_delta());
        for crl in complete {
            let reasons = match usable(certificate, signer, crl, at, algorithms) {
                Ok(reasons) => reasons,
                Err(why) => {
                    unknown = why;
                    continue;
                }
            };
            let mut entry = crl.entry(certificate.serial_der());
            for delta in deltas.iter().filter(|delta| delta.is_delta_to(crl)) {
                if usable(certificate, signer, delta, at, algorithms).is_ok()
                    && let Some(change) = delta.entry(certificate.serial_der())
                {
                    entry = (change.reason != CrlReason::RemoveFromCRL).then_some(change);
                }
            }
            if let Some(entry) = entry {
                return RevocationStatus::Revoked {
                    at: entry.at,
                    reason: entry.reason,
                };
            }
            told |= reasons;
        }
    }
    if told.contains(every_reason()) {
        return RevocationStatus::Good;
    }
    if is_exempt(certificate) {
        return RevocationStatus::None;
    }
    if !told.is_empty() {
        unknown = Unknown::SomeReasons;
    }
    RevocationStatus::Unknown(unknown)
}

/// Whether the issuer says that nothing will be said about it: never of a CA, and
/// not where the certificate says at once where to look (RFC 9608, 3 and 4).
fn is_exempt(certificate: &Certificate) -> bool {
    let contradicts = !certificate.crl_urls().is_empty() || !certificate.ocsp_urls().is_empty();
    !certificate.is_ca()
        && (certificate.is_validity_assured() || certificate.no_rev_avail() && !contradicts)
}

/// Everything the status of a path's certificates is looked up in.
#[derive(Debug, Clone, Copy)]
pub struct RevocationSources<'a> {
    /// The CRLs at hand.
    pub crls: &'a [Crl],
    /// Certificates by which CRLs may be signed, such as those of the chain.
    pub certificates: &'a [Certificate],
    /// How a CRL signer's own path is validated.
    pub settings: &'a PathSettings,
    /// By whom.
    pub validator: &'a dyn PathValidator,
}

/// The status of each certificate of a validated path, leaf first. A CA may sign
/// its CRLs with another key than its certificates (after a change of keys, say):
/// the certificate of that key is used once it has the CA's name, leads to the
/// same anchor and is itself not revoked (RFC 5280, 6.3.3 (f)).
pub fn path_status(
    path: &Path,
    sources: RevocationSources<'_>,
) -> Vec<(Certificate, RevocationStatus)> {
    statuses(path, sources, MAX_SIGNER_DEPTH)
}

/// How many CRL signers may vouch for each other in a row.
const MAX_SIGNER_DEPTH: usize = 2;

fn statuses(
    path: &Path,
    sources: RevocationSources<'_>,
    depth: usize,
) -> Vec<(Certificate, RevocationStatus)> {
    let PathSettings { at, algorithms, .. } = *sources.settings;
    path.pairs()
        .map(|(certificate, issuer)| {
            let mut status = status_by_crl(certificate, issuer, sources.crls, at, algorithms);
            if matches!(status, RevocationStatus::Unknown(_)) && depth > 0 {
                let others = other_signers(issuer, path, sources, depth);
                if !others.is_empty() {
                    let signers: Vec<&Certificate> = [issuer].into_iter().chain(&others).collect();
                    status = status_by_signers(certificate, &signers, sources.crls, at, algorithms);
                }
            }
            (certificate.clone(), status)
        })
        .collect()
}

/// Other certificates of the issuer's name that signed a CRL at hand, lead to
/// the same anchor and are good themselves.
fn other_signers(
    issuer: &Certificate,
    path: &Path,
    sources: RevocationSources<'_>,
    depth: usize,
) -> Vec<Certificate> {
    let anchors = AnchorIndex::new([path.anchor.clone()]);
    let name = issuer.subject_name();
    sources
        .certificates
        .iter()
        .chain(&path.certificates)
        .filter(|signer| *signer != issuer && signer.subject_name().matches(&name))
        .filter(|signer| sources.crls.iter().any(|crl| crl.is_by(signer)))
        .filter(|signer| {
            find_path(
                signer,
                sources.certificates,
                &anchors,
                sources.settings,
                sources.validator,
            )
            .is_ok_and(|path| {
                statuses(&path, sources, depth - 1)
                    .iter()
                    .all(|(_, status)| *status == RevocationStatus::Good)
            })
        })
        .take(4)
        .cloned()
        .collect()
}

/// The reasons about which this CRL tells of this certificate at this time.
fn usable(
    certificate: &Certificate,
    signer: &Certificate,
    crl: &Crl,
    at: Timestamp,
    algorithms: AlgorithmPolicy,
) -> Result<ReasonFlags, Unknown> {
    let reasons = covers(crl, certificate).ok_or(Unknown::OutOfScope)?;
    if signer.key_usage().is_some_and(|usage| !usage.crl_sign()) {
        return Err(Unknown::NotCrlSigner);
    }
    if crl.this_update() > at {
        return Err(Unknown::NotYet(crl.this_update()));
    }
    let next = crl.next_update().ok_or(Unknown::NoNextUpdate)?;
    if next < at {
        return Err(Unknown::Stale(next));
    }
    algorithms
        .accepts_algorithm(crl.signature_algorithm())
        .and(algorithms.accepts_key(signer.spki_der()))
        .map_err(|_| Unknown::Algorithm)?;
    crl.verify_signature(signer.spki_der())
        .map_err(|_| Unknown::BadSignature)?;
    Ok(reasons)
}

/// RFC 5280, 6.3.3 (b) and (d): whether the CRL covers the certificate, and about
/// which reasons it tells.
fn covers(crl: &Crl, certificate: &Certificate) -> Option<ReasonFlags> {
    let scope = crl.scope();
    if scope.only_users && certificate.is_ca() || scope.only_cas && !certificate.is_ca() {
        return None;
    }
    let told = scope.reasons.unwrap_or_else(every_reason);
    if scope.points.is_empty() {
        return Some(told);
    }
    certificate
        .distribution_points()
        .into_iter()
        .filter(|point| !point.indirect && point.names.iter().any(|n| scope.points.contains(n)))
        .map(|point| told & point.reasons.unwrap_or_else(every_reason))
        .reduce(|one, other| one | other)
}

/// Every reason but the unused bit.
fn every_reason() -> ReasonFlags {
    Reasons::KeyCompromise
        | Reasons::CaCompromise
        | Reasons::AffiliationChanged
        | Reasons::Superseded
        | Reasons::CessationOfOperation
        | Reasons::CertificateHold
        | Reasons::PrivilegeWithdrawn
        | Reasons::AaCompromise
}

/// How revocation is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RevocationMode {
    /// What is not known leaves the verdict undecided.
    #[default]
    Hard,
    /// What is not known is a warning.
    Soft,
    /// Nobody looks.
    Skip,
}

/// There is no mode of that name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no revocation mode {0:?}: hard, soft or skip is expected")]
pub struct UnknownMode(pub String);

impl std::str::FromStr for RevocationMode {
    type Err = UnknownMode;

    fn from_str(name: &str) -> Result<Self, UnknownMode> {
        match name {
            "hard" => Ok(Self::Hard),
            "soft" => Ok(Self::Soft),
            "skip" => Ok(Self::Skip),
            other => Err(UnknownMode(other.chars().take(40).collect())),
        }
    }
}

impl std::fmt::Display for RevocationMode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Hard => "hard",
            Self::Soft => "soft",
            Self::Skip => "skip",
        })
    }
}

impl RevocationStatus {
    /// What the status does to a verdict under a mode: `Yes` lets it stand, `No`
    /// refuses, `Undecided` leaves it open; and the finding that says so.
    pub fn judge(
        &self,
        certificate: &Certificate,
        mode: RevocationMode,
    ) -> (Trusted, Option<Finding>) {
        let about = certificate.subject();
        match (self, mode) {
            (_, RevocationMode::Skip) => (
                Trusted::Yes,
                Some(rules::REVOCATION_SKIPPED.finding(about, "skip")),
            ),
            (Self::Good, _) => (Trusted::Yes, None),
            (Self::Revoked { at, reason }, _) => (
                Trusted::No,
                Some(rules::REVOKED.finding(about, format!("revoked at {at}: {reason:?}"))),
            ),
            (Self::None, _) => (
                Trusted::Yes,
                Some(rules::REVOCATION_NONE.finding(about, "noRevAvail or validity-assured")),
            ),
            (Self::Unknown(why), RevocationMode::Hard) => (
                Trusted::Undecided,
                Some(rules::REVOCATION_UNKNOWN.finding(about, why.to_string())),
            ),
            (Self::Unknown(why), RevocationMode::Soft) => (
                Trusted::Yes,
                Some(rules::REVOCATION_UNKNOWN.finding_as(
                    Severity::Warning,
                    about,
                    why.to_string(),
                )),
            ),
        }
    }
}
