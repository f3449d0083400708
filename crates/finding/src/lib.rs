//! How every check in the house answers.
//!
//! A check never answers with a bare `bool`. It answers with [`Finding`]s, each
//! of which names a [`Rule`] (a stable id), the clause the rule comes from, what
//! was looked at, and the evidence; or with a [`Verdict`], which gathers findings
//! into one answer to one question: *is this trusted, for this purpose, at this
//! time, and why?*
//!
//! Rules are declared once, beside the code that checks them, with [`rules!`];
//! each room exports its `RULES`, and the `claviger rules` command lists them all.

mod refusal;
mod rule;
mod verdict;

pub use refusal::Refusal;
pub use rule::{Rule, Severity};
pub use verdict::{CertificateRef, ListRef, Method, Trusted, Verdict};

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

/// One thing a check found, and the rule it falls under.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The stable id of the rule, such as `LOTE-NEXT-UPDATE`.
    pub rule: Cow<'static, str>,
    /// Where the rule comes from, such as `ETSI TS 119 602 v1.1.1, 6.3.15`.
    pub clause: Cow<'static, str>,
    /// How much it weighs.
    pub severity: Severity,
    /// What was looked at: a JSON pointer, a certificate's subject, a file.
    pub subject: String,
    /// What was seen there, and what was expected.
    pub evidence: String,
}

impl Finding {
    /// Whether this finding falls under `rule`.
    pub fn is(&self, rule: &Rule) -> bool {
        self.rule == rule.id
    }
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{}: {}: {} [{}]",
            self.rule, self.subject, self.evidence, self.clause
        )
    }
}

/// Whether any of these findings is an error.
pub fn has_errors(findings: &[Finding]) -> bool {
    findings.iter().any(|f| f.severity == Severity::Error)
}
