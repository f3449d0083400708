//! The Secure Cryptographic Interface: what a wallet instance may ask of any
//! WSCA, wherever that stands.
//!
//! [`Sci`] is the one trait. A remote WSCA (an HSM at the wallet provider) is
//! reached through a client that speaks the R2PS protocol; a WSCA that stands
//! beside the user (a card's applet, a phone's keystore, an embedded secure
//! element) authenticates the user itself and implements the trait directly, so
//! that its PIN never reaches a server. Both pass the same conformance kit
//! ([`conformance`]).
//!
//! # How each family fits
//!
//! | family | architecture (ARF 4.5) | what implements [`Sci`] |
//! | --- | --- | --- |
//! | HSM over PKCS#11 | remote | the WSCA drives it as a `wscd::Wscd`; the phone has `wallet_client::sci_remote` |
//! | HSM over KMIP 2.1 | remote | the same: `Create Key Pair`, `Sign` and `Destroy` stand behind the device trait (see `wscd::Wscd`), and nothing changes here |
//! | JavaCard applet, eSIM, embedded secure element | local external, local internal | a client on the phone over APDUs: a session is `VERIFY PIN` in a secure channel, a key is a key reference, a batch is several `PSO: COMPUTE DIGITAL SIGNATURE` within one verified state; the card counts the tries. [`Sci::state_keys`] is signed by the applet's own key, whose certificate its maker vouches for |
//! | Android keystore, StrongBox | local native | a client over the platform's API: a session is the platform's prompt (`setUserAuthenticationParameters`), so [`Sci::register_pin`] and [`Sci::change_pin`] answer `NOT_OFFERED`; statements are the platform's key attestation, so [`Sci::state_keys`] may too |
//! | Apple Secure Enclave | local native | the same with `SecAccessControl` and `LAContext`; P-256 alone |
//!
//! What a family may leave out is what [`conformance`] calls mandatory for a remote
//! WSCA only. None may leave out that a session comes first, that wrong PINs are
//! counted and end, that nothing is exported, that units are apart, and that what is
//! destroyed stays so.
//!
//! # The rooms
//!
//! - [`Sci`], the trait, and [`KeySigner`], a key behind it as a [`jose::Signer`];
//! - [`UnitId`], [`KeyId`], [`KeyInfo`]: what is named, and what is told of it;
//! - [`Pin`], [`Task`], [`SessionInfo`]: how a user is authenticated, and for what;
//! - [`ActivationInfo`], [`Descriptor`]: what an activation needs to know;
//! - [`KeyStatement`]: what a WSCA states of the keys it holds, for an attestation;
//! - [`audit`]: receipts and checkpoints of what a WSCA did;
//! - [`Error`], with stable codes.

pub mod audit;
pub mod conformance;
mod descriptor;
mod error;
mod interface;
mod key;
pub mod merkle;
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
    ASSOCIATION_STATEMENT_TYP, KeyStatement, STATEMENT_LIFETIME, STATEMENT_TYP, StatedKey,
    StatementClaims, StatementError,
};
pub use unit::{NotAUnit, UnitId};
