//! How findings name a list, and what weight they are told with.

use finding::{Finding, Severity};

use crate::snapshot::Held;

/// Refusals say which list was asked.
pub(crate) fn told_of(held: &Held, findings: Vec<Finding>) -> Vec<Finding> {
    findings
        .into_iter()
        .map(|mut finding| {
            if finding.severity == Severity::Error {
                finding.evidence = format!("{}; asked of {}", finding.evidence, named(held));
            }
            finding
        })
        .collect()
}

/// A list as refusals name it.
pub(crate) fn named(held: &Held) -> String {
    format!("{} no. {}", held.uri, held.verified.list.sequence())
}

/// A finding that weighs no more than this.
pub(crate) fn at_most(mut finding: Finding, severity: Severity) -> Finding {
    finding.severity = finding.severity.min(severity);
    finding
}
