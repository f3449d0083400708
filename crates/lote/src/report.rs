//! Findings gathered with a bound, and text from outside made fit to show.

use crate::rules;
use finding::{Finding, Rule};

/// More findings than this help nobody, and a hostile list could have millions.
const MOST: usize = 1_000;

/// Findings up to [`MOST`]; the rest are counted.
#[derive(Debug, Default)]
pub(crate) struct Report {
    findings: Vec<Finding>,
    dropped: usize,
}

impl Report {
    pub(crate) fn add(&mut self, finding: Finding) {
        if self.findings.len() < MOST {
            self.findings.push(finding);
        } else {
            self.dropped = self.dropped.saturating_add(1);
        }
    }

    pub(crate) fn extend(&mut self, findings: impl IntoIterator<Item = Finding>) {
        for finding in findings {
            self.add(finding);
        }
    }

    /// Adds a finding under `rule` unless `holds`.
    pub(crate) fn demand(
        &mut self,
        holds: bool,
        rule: &Rule,
        subject: &str,
        evidence: impl FnOnce() -> String,
    ) {
        if !holds {
            self.add(rule.finding(subject, evidence()));
        }
    }

    pub(crate) fn into_findings(mut self) -> Vec<Finding> {
        if self.dropped > 0 {
            self.findings.push(rules::MORE.finding(
                "list",
                format!("{} findings more are not shown", self.dropped),
            ));
        }
        self.findings
    }
}

/// Text from outside, quoted, without control characters, and short.
pub(crate) fn show(text: &str) -> String {
    const LONGEST: usize = 160;
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{:?}…", text.get(..end).unwrap_or_default()),
        None => format!("{text:?}"),
    }
}
