//! Wallet Unit Attestations: the Wallet Instance Attestation (WIA), the Key
//! Attestation (KA), and the proofs they travel with.
//!
//! Sources: TS3 v1.5.2 (*Specification of Wallet Unit Attestations*), OpenID4VCI
//! 1.0 Appendices D, E and F, and *OAuth 2.0 Attestation-Based Client
//! Authentication*, draft 07 (which OpenID4VCI 1.0 pins) and draft 10. Which of
//! two texts a party follows is a declared setting ([`ClientAttestationDraft`],
//! [`KeyProofProfile`]), never guessed from what it sends.
//!
//! | token | made by | read by |
//! | --- | --- | --- |
//! | WIA | [`Wia::sign`] | [`UnverifiedWia::parse`], [`UnverifiedWia::verify`] |
//! | its proof of possession | [`WiaProof::sign`] | [`UnverifiedWiaProof`] |
//! | KA | [`Ka::sign`] | [`UnverifiedKa`] |
//! | `jwt` proof | [`KeyProof::sign`] | [`UnverifiedKeyProof`] |
//! | association of keys | [`Association::sign`] | [`UnverifiedAssociation`] |
//! | `attestation` proof | a KA with a nonce | [`UnverifiedKa::parse_attestation_proof`] |
//!
//! Reading has two steps. `parse` bounds the input and shows the `x5c`, which is
//! what a trust check is asked about; `verify` takes the key of a leaf that the
//! trust check accepted, and checks the signature before anything it covers.
//! Whether a proof or a nonce was seen before is for the caller to know, who
//! keeps state; everything here is pure.

mod association;
mod claims;
mod ka;
mod ka_check;
mod key_proof;
mod key_proof_check;
mod level;
mod oauth_errors;
mod rounding;
pub mod rules;
mod status_period;
mod token;
mod wia;
mod wia_check;
mod wia_proof;
mod wia_proof_check;

pub use association::{
    ASSOCIATION_TYP, Association, AssociationCheck, MAX_ASSOCIATION_LIFETIME, UnverifiedAssociation,
};
pub use ka::Ka;
pub use ka_check::{KaCheck, UnverifiedKa, VerifiedKa};
pub use key_proof::{KeyProof, KeyProofProfile};
pub use key_proof_check::{KeyProofCheck, UnverifiedKeyProof, VerifiedKeyProof};
pub use level::{AttackPotential, Level, strongest};
pub use oauth_errors::{client_attestation_error, credential_error};
pub use rounding::Rounding;
pub use rules::RULES;
pub use status_period::StatusPeriod;
pub use wia::{ClientAttestationDraft, Wia};
pub use wia_check::{UnverifiedWia, VerifiedWia, WiaCheck};
pub use wia_proof::WiaProof;
pub use wia_proof_check::{UnverifiedWiaProof, VerifiedWiaProof, WiaProofCheck};

use jiff::SignedDuration;
use jose::SignError;

/// How far ahead `client_status.exp` and `key_storage_status.exp` lie, at least,
/// whenever a WIA or KA is shown (TS3 v1.5.2, 2.4.2).
pub const MIN_MAINTENANCE: SignedDuration = SignedDuration::from_hours(31 * 24);

/// A WIA ends less than this after the wallet instance was checked
/// (TS3 v1.5.2, 2.2.1.1).
pub const MAX_WIA_LIFETIME: SignedDuration = SignedDuration::from_hours(24);

/// How much of somebody else's token is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The longest WIA, in bytes.
    pub wia_bytes: usize,
    /// The longest proof of possession of a WIA, in bytes.
    pub wia_proof_bytes: usize,
    /// The longest KA, in bytes.
    pub ka_bytes: usize,
    /// The most keys in a KA.
    pub attested_keys: usize,
    /// The most certificates in `x5c`.
    pub certificates: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            wia_bytes: 32 * 1024,
            wia_proof_bytes: 8 * 1024,
            ka_bytes: 128 * 1024,
            attested_keys: 100,
            certificates: 8,
        }
    }
}

/// Why a token was not made.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// A claim that must be there is missing or empty.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// A claim is not what it must be.
    #[error("{0} is not what it must be: {1}")]
    Malformed(&'static str, &'static str),
    /// One key stands in the KA twice.
    #[error("the key at index {0} stands in the attestation twice")]
    RepeatedKey(usize),
    /// A proof is signed with another key than the attestation names.
    #[error("the signing key is not the key that the attestation names")]
    WrongKey,
    /// The key was not used.
    #[error("not signed: {0}")]
    Sign(#[from] SignError),
}
