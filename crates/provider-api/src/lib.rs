//! The wallet provider's interface to its wallet instances: what is said on the
//! wire, and how it is signed.
//!
//! Pure: the wallet provider, the server's edge and the wallet client share these
//! types, and none of them is decided here. The protocol is written down in
//! `docs/protocols/wallet-provider.md`.
//!
//! | to do | start at |
//! | --- | --- |
//! | activate a unit | [`ActivationClaims`], [`ActivationRequest`], [`ActivationAnswer`] |
//! | sign and check a unit's requests | [`UnitRequest`], [`UnverifiedUnitRequest`] |
//! | sign and check the provider's answers | [`SignedAnswer`] |
//! | ask for attestations | [`WiaRequest`], [`KaRequest`], [`KeystoreKaRequest`], [`Attestations`] |
//! | have the instance checked again | [`NonceRequest`], [`CheckRequest`], [`bound_challenge`] |
//! | replace the key of the answers, and follow | [`Handover`], [`PinnedKeys`] |
//! | revoke without the phone | [`RevocationRequest`] |
//! | revoke for a user who died | [`PidRevocationClaims`], [`UnverifiedPidRevocation`] |
//! | revoke many units | [`BulkRevocation`], [`RevocationJob`] |
//! | revoke an entry of no unit | [`EntryRevocation`], [`EntryRevoked`] |
//! | tell why not | [`Problem`] |

mod account;
mod activation;
mod alias;
mod answer;
mod attestation;
mod check;
mod entry;
mod handover;
mod key_proof;
mod keystore;
mod pid_provider;
mod problem;
pub mod reference;
mod request;
pub mod rules;
mod selector;
mod storage;
mod token;
mod unit;

pub use account::{AccountCode, AccountId, ConsentView, account_code_hash};
pub use activation::{
    ACTIVATION_TYP, ActivationAnswer, ActivationClaims, ActivationRequest, Evidence,
    UnverifiedActivation, WscaView, agreement_proof, verify_agreement_proof,
};
pub use alias::{MAX_ALIAS, check_alias, compose_alias};
pub use answer::{ANSWER_TYP, SignedAnswer, view_asked};
pub use attestation::{
    AssociationAnswer, AssociationRequest, Attestations, KaRequest, MAX_PROOFS, ProofType,
    WiaRequest,
};
pub use check::{
    CheckAnswer, CheckEvidence, CheckRequest, NoncePurpose, NonceRequest, bound_challenge,
};
pub use entry::{EntryRevocation, EntryRevoked};
pub use handover::{HANDOVER_OVERLAP, HANDOVER_TYP, Handover, MAX_HANDOVERS, PinnedKeys};
pub use key_proof::{KEY_PROOF_TYP, KeyProof};
pub use keystore::{KeystoreKaRequest, KeystoreKeys};
pub use pid_provider::{
    MAX_PID_REVOCATION, PID_REVOCATION_TYP, PidRevocationAnswer, PidRevocationClaims,
    PidRevocationRequest, UnverifiedPidRevocation, VerifiedPidRevocation,
};
pub use problem::Problem;
pub use request::{
    Expected, REQUEST_HEADER, REQUEST_TYP, UnitRequest, UnverifiedUnitRequest, VerifiedUnitRequest,
};
pub use rules::RULES;
pub use selector::{
    BulkRevocation, Extent, JobState, RevocationJob, RevocationJobs, Selected, Selector,
    SelectorError, check_advisory,
};
pub use storage::Storage;
pub use token::{CLOCK_SKEW, PROOF_LIFETIME};
pub use unit::{
    AccountRequest, AccountView, Challenge, Empty, HistoryEntry, Offers, ProviderView,
    RevocationReason, RevocationRequest, Revoker, UnitState, UnitView,
};

/// The largest request body that the interface reads, in bytes.
pub const MAX_BODY: usize = 256 * 1024;
