//! What makes a refusal useful: which certificate, and what would have made it
//! pass.

use finding::{Finding, Rule, Severity, Trusted, Verdict};
use pki::Certificate;

use crate::rules;

/// Completes the findings that keep a verdict from being "yes": the subject of a
/// certificate is followed by the digest of its bytes, and the evidence by what
/// would have made it pass.
pub(crate) fn explain(verdict: &mut Verdict, chain: &[Certificate]) {
    let decisive = match verdict.trusted {
        Trusted::Yes => return,
        Trusted::No => Severity::Error,
        Trusted::Undecided => Severity::Warning,
    };
    for finding in &mut verdict.findings {
        if finding.severity < decisive {
            continue;
        }
        if verdict.trusted == Trusted::Undecided && !leaves_open(finding) {
            continue;
        }
        if let Some(digests) = digests(&finding.subject, chain) {
            finding.subject = format!("{} (sha256 {digests})", finding.subject);
        }
        if let Some(remedy) = remedy(finding) {
            finding.evidence = format!("{}; to pass: {remedy}", finding.evidence);
        }
    }
}

/// Whether a warning is of those that leave a verdict undecided.
fn leaves_open(finding: &Finding) -> bool {
    let open: [&Rule; 11] = [
        &rules::NO_LIST,
        &rules::LIST_UNAVAILABLE,
        &rules::LIST_STALE,
        &rules::LIST_LATER,
        &rules::ARCHIVE_INSTANCE,
        &rules::REVOCATION_FETCH,
        &rules::REVOCATION_ISSUER,
        &rules::HISTORY_KEY,
        &pki::rules::REVOCATION_UNKNOWN,
        &lote::rules::NEXT_UPDATE,
        &lote::rules::ISSUE_TIME,
    ];
    open.iter().any(|rule| finding.is(rule))
}

/// The digests of the chain's certificates with this subject. Cross-signed CAs
/// share one.
fn digests(subject: &str, chain: &[Certificate]) -> Option<String> {
    let mut found: Vec<String> = chain
        .iter()
        .filter(|c| c.subject() == subject)
        .map(Certificate::sha256_hex)
        .collect();
    found.sort();
    found.dedup();
    found.truncate(3);
    (!found.is_empty()).then(|| found.join(" or "))
}

/// What would have made it pass: what is said here, or what the rule demands.
fn remedy(finding: &Finding) -> Option<&'static str> {
    REMEDIES
        .iter()
        .find(|(rule, _)| finding.is(rule))
        .map(|(_, remedy)| *remedy)
        .or_else(|| {
            let rooms = [crate::RULES, pki::RULES, lote::RULES];
            let mut declared = rooms.into_iter().flatten();
            declared.find(|rule| finding.is(rule)).map(|rule| rule.says)
        })
}

/// Where more can be said than what the rule demands.
static REMEDIES: &[(&Rule, &str)] = &[
    (
        &pki::rules::DIRECT_NOT_LISTED,
        "the list has to hold this very certificate for the service of the context",
    ),
    (
        &pki::rules::DIRECT_LOOKALIKE,
        "present the listed certificate itself; this is another one with its names",
    ),
    (
        &pki::rules::DIRECT_SAME_KEY,
        "present the listed certificate itself; this is another one with its key",
    ),
    (
        &pki::rules::DIRECT_SAME_SUBJECT,
        "present the listed certificate itself, or have this one listed",
    ),
    (
        &pki::rules::PATH_NO_ANCHOR,
        "the chain has to bring every certificate between the leaf and a listed CA",
    ),
    (
        &pki::rules::PATH_LIMIT,
        "the chain has to hold one path to a listed CA, and little else",
    ),
    (
        &pki::rules::PATH_ANCHOR_KEY,
        "leave the certificate out: the listed one is used, and this has its key with other bytes",
    ),
    (
        &pki::rules::EXPIRED,
        "a certificate that is valid at the time, or an earlier time to ask for",
    ),
    (
        &pki::rules::NOT_YET_VALID,
        "a certificate that is valid at the time, or a later time to ask for",
    ),
    (
        &pki::rules::REVOKED,
        "another certificate: a revoked one is not used again",
    ),
    (
        &pki::rules::REVOCATION_UNKNOWN,
        "a current CRL or OCSP response of its issuer that covers it, or revocation \"soft\", which the verdict records",
    ),
    (
        &pki::rules::LEAF_QC_TYPE,
        "a leaf whose QcType is that of the context",
    ),
    (
        &rules::NO_LIST,
        "a source of lists of this kind in the configuration",
    ),
    (
        &rules::LIST_UNAVAILABLE,
        "the source has to answer once with a list that is accepted",
    ),
    (
        &rules::LIST_STALE,
        "the operator's next list, or a grace period in the configuration",
    ),
    (
        &rules::LIST_LATER,
        "the list that was current then, from the archive",
    ),
    (
        &rules::OTHER_CONTEXT,
        "ask for the context of that list, or use the certificate that is listed for this one",
    ),
    (
        &rules::OTHER_SERVICE,
        "use the certificate that is listed for this service",
    ),
    (
        &rules::WITHDRAWN,
        "the service has to be notified at the time and known by this key; a time when it was may be asked for",
    ),
    (
        &rules::NO_CA,
        "the list has to hold the CA that issues these certificates; the leaf itself is no anchor here",
    ),
    (
        &rules::PKIX_IDENTITY,
        "a leaf whose subject has the listed entity's name and registration number",
    ),
    (
        &rules::PKIX_PURPOSE,
        "a leaf that its CA made for this context",
    ),
    (
        &rules::REVOCATION_FETCH,
        "the address has to answer with what the certificate names it for",
    ),
    (
        &rules::REVOCATION_ISSUER,
        "the chain has to bring the issuer's certificate",
    ),
    (
        &rules::HISTORY_KEY,
        "the list that was current then, from the archive",
    ),
];
