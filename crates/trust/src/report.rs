//! What a refresh did.

use finding::Finding;
use jiff::Timestamp;
use serde::Serialize;

/// What a refresh did.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// When.
    pub at: Timestamp,
    /// For each source that was asked: those of the configuration in its order, then
    /// those that pointers led to.
    pub sources: Vec<SourceReport>,
    /// What was found of no source that is left: lists that no pointer leads to any
    /// more.
    pub findings: Vec<Finding>,
}

/// What a refresh did for one source.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SourceReport {
    /// The source.
    pub source: String,
    /// The kind of list it gives.
    pub profile: String,
    /// What happened.
    pub outcome: Outcome,
    /// The sequence number of the list that is held now.
    pub sequence: Option<u64>,
    /// What was found.
    pub findings: Vec<Finding>,
}

/// What happened to a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// A new list was accepted.
    Updated,
    /// It gave the list that is held.
    Unchanged,
    /// It gave something that was refused; what is held stays.
    Refused,
    /// It gave nothing; what is held stays.
    Unavailable,
}
