//! What is required of evidence: one policy for all platforms, read from
//! configuration. Every part has a default that requires what any wallet does;
//! what only an operator can know (its app, its signers, its certified devices)
//! has none, and evidence is undecided without it.

use serde::Deserialize;

use crate::android::AndroidPolicy;
use crate::apple::ApplePolicy;
use crate::play::PlayPolicy;

/// What is required of evidence.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Policy {
    /// Of Android key attestations.
    pub android: AndroidPolicy,
    /// Of App Attest.
    pub apple: ApplePolicy,
    /// Of Play Integrity; not asked for where absent.
    pub play: Option<PlayPolicy>,
}
