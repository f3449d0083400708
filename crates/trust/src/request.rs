//! What is asked.

use jiff::Timestamp;
use pki::Certificate;

use crate::context::Context;

pub use pki::RevocationMode as Revocation;

/// One question.
#[derive(Debug, Clone)]
pub struct CheckRequest {
    /// The chain, leaf first. What else is in it may stand in any order.
    pub chain: Vec<Certificate>,
    /// What it is to be trusted for.
    pub context: Context,
    /// How it may be tied to an anchor.
    pub policy: Policy,
    /// How revocation is taken.
    pub revocation: Revocation,
    /// The time the answer is to hold for.
    pub at: Timestamp,
}

/// How a chain may be tied to an anchor in lists of PID and wallet providers.
/// Access and registration certificates are always tied by a path; attestations
/// of public bodies and mobile driving licences by either.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Policy {
    /// These lists hold end-entity certificates, matched whole.
    #[default]
    DirectOnly,
    /// They may hold certification authorities too: current practice.
    DirectOrPkix,
}

impl Policy {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Policy::DirectOnly => "direct-only",
            Policy::DirectOrPkix => "direct-or-pkix",
        }
    }

    /// The policy of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Policy::DirectOnly, Policy::DirectOrPkix]
            .into_iter()
            .find(|policy| policy.name() == name)
    }
}

impl std::fmt::Display for Policy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}
