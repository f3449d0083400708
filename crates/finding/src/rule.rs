use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::Finding;

/// How much a finding weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing; nothing is wrong.
    Note,
    /// Wrong or unwise, and not a reason to refuse.
    Warning,
    /// A reason to refuse.
    Error,
}

impl std::fmt::Display for Severity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Severity::Note => "note",
            Severity::Warning => "warning",
            Severity::Error => "error",
        })
    }
}

/// A rule that a check can find broken (or, for a note, worth telling).
///
/// Ids are stable: scripts and tests rely on them.
#[derive(Debug, PartialEq, Eq)]
pub struct Rule {
    /// The stable id: upper case, with the room or document first.
    pub id: &'static str,
    /// The document and clause it comes from, with the document's version.
    pub clause: &'static str,
    /// How much a breach weighs, unless the finding says otherwise.
    pub severity: Severity,
    /// What the rule demands, in one line of our own words.
    pub says: &'static str,
}

impl Rule {
    /// A finding under this rule.
    pub fn finding(&self, subject: impl Into<String>, evidence: impl Into<String>) -> Finding {
        self.finding_as(self.severity, subject, evidence)
    }

    /// A finding under this rule that weighs something else than usual, for
    /// instance because a recorded policy says so.
    pub fn finding_as(
        &self,
        severity: Severity,
        subject: impl Into<String>,
        evidence: impl Into<String>,
    ) -> Finding {
        Finding {
            rule: Cow::Owned(self.id.to_owned()),
            clause: Cow::Owned(self.clause.to_owned()),
            severity,
            subject: subject.into(),
            evidence: evidence.into(),
        }
    }
}

/// Declares rules as constants and gathers them in `RULES`.
///
/// ```
/// finding::rules! {
///     /// Shown in the docs of the constant.
///     NEXT_UPDATE = "LOTE-NEXT-UPDATE", "ETSI TS 119 602 v1.1.1, 6.3.15", Error,
///         "a list past its NextUpdate is not used";
/// }
/// assert_eq!(NEXT_UPDATE.finding("list", "passed").rule, "LOTE-NEXT-UPDATE");
/// assert_eq!(RULES.len(), 1);
/// ```
#[macro_export]
macro_rules! rules {
    ($($(#[$meta:meta])* $name:ident = $id:literal, $clause:literal, $severity:ident, $says:literal;)*) => {
        $(
            $(#[$meta])*
            #[doc = concat!("`", $id, "`: ", $says, " (", $clause, ").")]
            pub static $name: $crate::Rule = $crate::Rule {
                id: $id,
                clause: $clause,
                severity: $crate::Severity::$severity,
                says: $says,
            };
        )*
        /// Every rule declared here.
        pub static RULES: &[&$crate::Rule] = &[$(&$name),*];
    };
}
