//! JAdES baseline B on a registration certificate: the same reader as of the seals
//! of lists, its findings under the rules of registration certificates.

use finding::{Finding, Rule, Severity};
use jiff::Timestamp;
use jose::jws::Unverified;

use crate::{Mode, rules};

/// What the header says: the claimed time of the signature, and what is wrong.
pub(crate) struct Header {
    pub(crate) signed_at: Option<Timestamp>,
    pub(crate) findings: Vec<Finding>,
}

pub(crate) fn judge(jws: &Unverified, mode: Mode) -> Header {
    let header = lote::jades::judge(jws);
    let most = match mode {
        Mode::Strict => Severity::Error,
        Mode::Interop => Severity::Warning,
    };
    // typ has a rule of its own: a seal's is JOSE, a certificate's rc-wrp+jwt.
    let deviations = header
        .deviations
        .into_iter()
        .filter(|finding| !finding.is(&lote::rules::SEAL_TYP))
        .map(|finding| restated(&finding, most));
    let defects = header.defects.iter();
    Header {
        signed_at: header.time,
        findings: defects
            .map(|finding| restated(finding, Severity::Error))
            .chain(deviations)
            .collect(),
    }
}

fn restated(finding: &Finding, severity: Severity) -> Finding {
    let rule: &Rule = match finding {
        f if f.is(&lote::rules::SEAL_TIME) => &rules::JADES_TIME,
        f if f.is(&lote::rules::SEAL_CERT_DIGEST) => &rules::JADES_DIGEST,
        f if f.is(&lote::rules::SEAL_CERTIFICATE) => &rules::X5C,
        f if f.is(&lote::rules::SEAL_CRIT) => &rules::JADES_CRIT,
        _ => &rules::FORM,
    };
    rule.finding_as(severity, finding.subject.clone(), finding.evidence.clone())
}
