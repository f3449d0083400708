//! Users' accounts: passkeys, recovery codes, sign-in, consent (ARF `WIAM_05`,
//! `WIAM_06`).
//!
//! [`Accounts`] is the one way in. It knows who somebody is and what they agreed to,
//! and nothing of wallet units: what belongs to an account elsewhere in the house is
//! reached through [`Belongings`]. What it stands on comes through ports: an
//! [`AccountStore`] for its memory, [`Letters`] for what it sends, a
//! [`clock::Clock`] for the time. It alone knows the WebAuthn library.
//!
//! Nodes share nothing but the store: a ceremony that one node began another may
//! finish. The protocol of the pages is in `docs/protocols/accounts.md`.
//!
//! The house says "session" of a WSCA session alone; here it is a *sign-in*, from
//! which on [`SignedIn`] stands for the user.

mod account;
mod address;
mod ceremony;
mod codes;
mod config;
mod deletion;
mod error;
mod passkeys;
mod ports;
mod relying_party;
pub mod rules;
mod secrets;
mod sign_in;
mod sign_up;

pub use account::{Accounts, Parts, SignedIn};
pub use codes::MAX_CODES;
pub use config::{Config, ConfigError, ConsentText};
pub use error::{Error, Problem};
pub use passkeys::PasskeyView;
pub use ports::{
    Account, AccountStore, AddressCode, Belongings, BoxError, Consent, ConsentKind, Letters,
    NewAccount, NewCeremony, NewPasskey, NewSignIn, PasskeyRecord, PasskeyUse, Purged,
    SignInRecord, StoreError,
};
pub use provider_api::{AccountCode, AccountId};
pub use rules::RULES;
pub use secrets::Token;
pub use sign_up::SignUp;

use serde::{Deserialize, Serialize};

/// What a browser is told to begin a ceremony with.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Begun {
    /// Names the ceremony; it is finished with it, once.
    pub ceremony: String,
    /// For `navigator.credentials`, its binary values in base64url.
    pub options: serde_json::Value,
}

/// What a browser brings back from a ceremony.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Finished {
    /// The ceremony's name.
    pub ceremony: String,
    /// What `navigator.credentials` gave, its binary values in base64url.
    pub credential: serde_json::Value,
}
