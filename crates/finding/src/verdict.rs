use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{Finding, Severity};

/// The answer to "is this trusted?".
///
/// `Undecided` is what a stale list or an unreachable responder gives. It is
/// never read as "yes".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Trusted {
    /// Every rule of the context holds.
    Yes,
    /// At least one rule is broken.
    No,
    /// Nothing is known to be broken, and something needed is not known.
    Undecided,
}

impl std::fmt::Display for Trusted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Trusted::Yes => "yes",
            Trusted::No => "no",
            Trusted::Undecided => "undecided",
        })
    }
}

/// How the chain was tied to an anchor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Method {
    /// The leaf itself stands in the list, byte for byte.
    Direct,
    /// A certification path (RFC 5280) leads to an anchor in the list.
    Pkix,
}

/// A certificate as a verdict names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertificateRef {
    /// The subject (RFC 4514).
    pub subject: String,
    /// The issuer (RFC 4514).
    pub issuer: String,
    /// The serial number, in lower-case hex.
    pub serial: String,
    /// SHA-256 over the whole DER, in lower-case hex.
    pub sha256: String,
    /// The start of the validity period.
    pub not_before: Timestamp,
    /// The end of the validity period.
    pub not_after: Timestamp,
}

/// A list that a verdict stands on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListRef {
    /// Where it came from.
    pub uri: String,
    /// Its LoTESequenceNumber.
    pub sequence: u64,
    /// Its ListIssueDateTime.
    pub issued: Timestamp,
    /// Its NextUpdate; `None` for a closed list.
    pub next_update: Option<Timestamp>,
    /// SHA-256 over the sealed list as it was received, in lower-case hex.
    pub sha256: String,
}

/// One answer to one question: is this chain trusted for this context, at this
/// time, and why?
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// The answer.
    pub trusted: Trusted,
    /// What the chain was to be trusted for, such as `wallet`.
    pub context: String,
    /// How it was tied to an anchor, where it was.
    pub method: Option<Method>,
    /// The time the answer holds for.
    pub at: Timestamp,
    /// The chain that was judged, leaf first.
    pub path: Vec<CertificateRef>,
    /// The anchor that was matched, where one was.
    pub anchor: Option<CertificateRef>,
    /// The lists the answer stands on.
    pub lists: Vec<ListRef>,
    /// Everything found on the way.
    pub findings: Vec<Finding>,
}

impl Verdict {
    /// The findings that are errors.
    pub fn errors(&self) -> impl Iterator<Item = &Finding> {
        self.findings
            .iter()
            .filter(|f| f.severity == Severity::Error)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]
    use super::*;

    #[test]
    fn a_verdict_is_one_json_document_that_reads_back() {
        let verdict = Verdict {
            trusted: Trusted::Undecided,
            context: "wallet".into(),
            method: Some(Method::Direct),
            at: Timestamp::UNIX_EPOCH,
            path: vec![],
            anchor: None,
            lists: vec![],
            findings: vec![],
        };
        let json = serde_json::to_value(&verdict).expect("serializes");
        assert_eq!(json["trusted"], "undecided");
        assert_eq!(json["method"], "direct");
        assert_eq!(json["at"], "1970-01-01T00:00:00Z");
        let back: Verdict = serde_json::from_value(json).expect("reads back");
        assert_eq!(back, verdict);
    }
}
