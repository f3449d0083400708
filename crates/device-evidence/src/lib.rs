//! Android key attestation, Apple App Attest, Play Integrity: what a device says,
//! and what it is worth.
//!
//! Pure: bytes and a time come in, an [`Assessment`] comes out. It holds what the
//! device said, everything that was found, the decision under a [`Policy`], and
//! the level the evidence earns (`iso_18045_*`). A level is never taken from the
//! client, and never given to evidence that was not accepted.
//!
//! What has a memory is the caller's: that a challenge is used once, the counter
//! of an App Attest key, the copy of Google's revocation list and its age.
//!
//! - [`android::assess`]: a certificate chain of the Android keystore;
//! - [`apple::assess_attestation`] and [`apple::assess_assertion`]: App Attest;
//! - [`play::assess`]: a Play Integrity token, opened with the app's own keys.

pub mod android;
pub mod apple;
pub mod play;
pub mod rules;

mod asn1;
mod assessment;
mod chain;
mod policy;
mod policy_values;

pub use assessment::{Assessment, Platform, UserAuthentication};
pub use chain::RootKey;
pub use policy::Policy;
pub use policy_values::{App, Digest, PolicyError};
pub use rules::RULES;
pub use wua::AttackPotential;

/// Whether two byte strings are equal, in a time that does not depend on where
/// they differ.
fn same(left: &[u8], right: &[u8]) -> bool {
    aws_lc_rs::constant_time::verify_slices_are_equal(left, right).is_ok()
}
