//! What the material says of a decision. No network and no clock.

use finding::{Finding, Trusted, Verdict};
use pki::revocation::Unknown;
use pki::{
    AlgorithmPolicy, Certificate, Crl, Known, OcspAnswer, OcspPolicy, PathSettings, PathValidator,
    RevocationMode, RevocationSources, RevocationStatus, StatusSources, path_status_with,
};

use super::{Material, has_issued, names_a_source};
use crate::decision::{Decision, StandsOn};
use crate::explain::explain;
use crate::request::CheckRequest;
use crate::rules;

/// Completes a decision with what is known of revocation. A "yes" may become
/// "no" or "undecided"; nothing becomes "yes".
pub(crate) fn judge(
    decision: Decision,
    request: &CheckRequest,
    material: &Material,
    validator: &dyn PathValidator,
) -> Verdict {
    let mut verdict = complete(decision, request, material, validator);
    explain(&mut verdict, &request.chain);
    verdict
}

fn complete(
    decision: Decision,
    request: &CheckRequest,
    material: &Material,
    validator: &dyn PathValidator,
) -> Verdict {
    let Decision {
        mut verdict,
        stands_on,
    } = decision;
    let Some(stands_on) = stands_on else {
        return verdict;
    };
    if request.revocation == RevocationMode::Skip {
        let leaf = request.chain.first().map(Certificate::subject);
        let skipped = pki::rules::REVOCATION_SKIPPED.finding(leaf.unwrap_or_default(), "skip");
        verdict.findings.push(skipped);
        return verdict;
    }
    let mut findings = material.failed.clone();
    for known in statuses(&stands_on, request, material, validator, &mut findings) {
        let (answer, finding) = known.status.judge(&known.certificate, request.revocation);
        findings.extend(
            finding.map(|finding| match (&known.status, request.revocation) {
                (RevocationStatus::Unknown(_), RevocationMode::Soft) => softly(finding),
                _ => finding,
            }),
        );
        findings.extend(known.notes);
        verdict.trusted = match (verdict.trusted, answer) {
            (_, Trusted::No) | (Trusted::No, _) => Trusted::No,
            (_, Trusted::Undecided) | (Trusted::Undecided, _) => Trusted::Undecided,
            (Trusted::Yes, Trusted::Yes) => Trusted::Yes,
        };
    }
    // What decided stands first.
    findings.append(&mut verdict.findings);
    verdict.findings = findings;
    verdict
}

fn statuses(
    stands_on: &StandsOn,
    request: &CheckRequest,
    material: &Material,
    validator: &dyn PathValidator,
    findings: &mut Vec<Finding>,
) -> Vec<Known> {
    let crls: Vec<Crl> = material.crls.iter().map(|kept| kept.crl.clone()).collect();
    let answers: Vec<OcspAnswer> = material.answers.iter().map(|a| a.answer.clone()).collect();
    let used_as = request.context.used_as();
    match stands_on {
        StandsOn::Path(path) => {
            let sources = RevocationSources {
                crls: &crls,
                certificates: &request.chain,
                settings: &PathSettings::at(request.at),
                validator,
            };
            path_status_with(path, used_as, sources, &answers, OcspPolicy::default())
        }
        StandsOn::Leaf(leaf, issuer) => {
            // That it issued the leaf was seen when it was fetched, and is looked at
            // again: a recorded one is its maker's word.
            let found = material.issuer.as_ref();
            let found = found.filter(|found| has_issued(found, leaf));
            let Some(issuer) = issuer.as_ref().or(found) else {
                return without_issuer(leaf, findings);
            };
            let sources = StatusSources {
                crls: &crls,
                answers: &answers,
                at: request.at,
                algorithms: AlgorithmPolicy::AGREED,
                ocsp: OcspPolicy::default(),
            };
            let known = pki::status(leaf, issuer, used_as, &sources);
            match known.status {
                // The list is its only revocation, as its operator has seen to.
                RevocationStatus::Unknown(Unknown::NoSource) => {
                    findings.push(by_list(leaf));
                    Vec::new()
                }
                _ => vec![known],
            }
        }
    }
}

/// A "yes" without knowing is a choice that somebody made, and is recorded.
fn softly(mut finding: Finding) -> Finding {
    finding.evidence = format!(
        "{}; passed over, since revocation is {}",
        finding.evidence,
        RevocationMode::Soft
    );
    finding
}

fn without_issuer(leaf: &Certificate, findings: &mut Vec<Finding>) -> Vec<Known> {
    if !names_a_source(leaf) {
        findings.push(by_list(leaf));
        return Vec::new();
    }
    vec![Known {
        certificate: leaf.clone(),
        status: RevocationStatus::Unknown(Unknown::NoCrl),
        notes: Vec::new(),
    }]
}

fn by_list(leaf: &Certificate) -> Finding {
    let evidence = "it names neither a CRL nor an OCSP responder";
    rules::REVOCATION_BY_LIST.finding(leaf.subject(), evidence)
}
