use serde::{Deserialize, Serialize};

use crate::{Finding, Rule, Severity};

/// A refusal: at least one finding that is an error, and whatever was found
/// beside it. It is the error type of every check that either yields a checked
/// value or does not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    findings: Vec<Finding>,
}

impl Refusal {
    /// A refusal for one reason.
    pub fn because(rule: &Rule, subject: impl Into<String>, evidence: impl Into<String>) -> Self {
        Self {
            findings: vec![rule.finding_as(Severity::Error, subject, evidence)],
        }
    }

    /// `Err` when any of the findings is an error; the rest come back otherwise.
    pub fn unless_clean(findings: Vec<Finding>) -> Result<Vec<Finding>, Self> {
        if crate::has_errors(&findings) {
            Err(Self { findings })
        } else {
            Ok(findings)
        }
    }

    /// Everything that was found.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// Everything that was found, by value.
    pub fn into_findings(self) -> Vec<Finding> {
        self.findings
    }

    /// Whether one of the errors falls under `rule`.
    pub fn names(&self, rule: &Rule) -> bool {
        self.findings
            .iter()
            .any(|f| f.severity == Severity::Error && f.is(rule))
    }
}

impl From<Finding> for Refusal {
    fn from(finding: Finding) -> Self {
        Self {
            findings: vec![finding],
        }
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut first = true;
        for finding in self
            .findings
            .iter()
            .filter(|f| f.severity == Severity::Error)
        {
            if !first {
                f.write_str("; ")?;
            }
            first = false;
            write!(f, "{finding}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Refusal {}
