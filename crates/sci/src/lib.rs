//! The Secure Cryptographic Interface: what a wallet instance may ask of any
//! WSCA, wherever that stands.
//!
//! [`Sci`] is the one trait. A remote WSCA (an HSM at the wallet provider) is
//! reached through a client that speaks the R2PS protocol; a WSCA that stands
//! beside the user (a card's applet, a phone's keystore, an embedded secure
//! element) authenticates the user itself and implements the trait directly, so
//! that its PIN never reaches a server. Both pass the same conformance kit.
//!
//! # The rooms
//!
//! - [`Sci`], the trait, and [`KeySigner`], a key behind it as a [`jose::Signer`];
//! - [`UnitId`], [`KeyId`], [`KeyInfo`]: what is named, and what is told of it;
//! - [`Pin`], [`Task`], [`SessionInfo`]: how a user is authenticated, and for what;
//! - [`ActivationInfo`], [`Descriptor`]: what an activation needs to know;
//! - [`KeyStatement`]: what a WSCA states of the keys it holds, for an attestation;
//! - [`Error`], with stable codes.

mod descriptor;
mod error;
mod interface;
mod key;
mod pin;
pub mod rules;
mod session;
mod signer;
mod statement;
mod unit;

pub use descriptor::{
    ActivationInfo, Architecture, Assurance, AttackPotential, Descriptor, PinRules, WscaProvider,
};
pub use error::{Code, Error};
pub use interface::{MAX_BATCH, MAX_ITEM_BYTES, Sci};
pub use key::{Digest, DigestLength, ItemName, KeyId, KeyInfo, KeyState, NotAnId, NotAnItemName};
pub use pin::{Pin, PinError};
pub use rules::RULES;
pub use session::{Operation, SessionInfo, Task, UnknownTask};
pub use signer::{KeySigner, POSSESSION_TYP, PossessionError, prove_possession, verify_possession};
pub use statement::{
    KeyStatement, STATEMENT_LIFETIME, STATEMENT_TYP, StatedKey, StatementClaims, StatementError,
};
pub use unit::{NotAUnit, UnitId};
