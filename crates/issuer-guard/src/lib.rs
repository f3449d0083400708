//! The issuer's side: what a PID or attestation provider runs to verify the WIA
//! and KA it is shown, and to keep watching them for as long as what it issued
//! lives.
//!
//! [`IssuerGuard`] answers "may this wallet unit get this, bound to these keys?"
//! with an [`IssuanceVerdict`]; [`StatusWatch`] asks the status lists again and
//! reports what changed. Both stand on four ports, each with one part that is
//! ready to use:
//!
//! | port | what it knows | ready |
//! | --- | --- | --- |
//! | [`ChainTrust`] | which chains are trusted for which purpose | [`ListTrust`] |
//! | [`StatusSource`] | the bytes served at a status list's URI | [`HttpStatusSource`] |
//! | [`ReplayStore`] | what was used before | [`MemoryReplayStore`] |
//! | [`clock::Clock`] | the time | [`clock::SystemClock`] |
//!
//! When a user has died, a PID provider asks the wallet provider to revoke the unit:
//! [`RevocationRequest`].
//!
//! What cannot be learnt (a list out of reach, a full replay store) makes the
//! answer *undecided*, which is not accepted.

mod chain_trust;
mod guard;
mod http_source;
mod judgement;
mod list_trust;
mod replay;
mod revocation_request;
pub mod rules;
mod settings;
mod status_lists;
mod watch;

pub use chain_trust::{ChainTrust, ListedParty, TrustContext};
pub use guard::{IssuerGuard, KeyProofs, WiaPresentation};
pub use http_source::{FetchError, Fetched, HttpSettings, HttpStatusSource, StatusSource};
pub use judgement::{
    AttestationKind, IssuanceVerdict, Judgement, KaVerdict, StatusAnswer, StatusReference,
    WiaVerdict,
};
pub use list_trust::ListTrust;
pub use replay::{Claim, Mark, MemoryReplayStore, ReplayError, ReplayStore};
pub use revocation_request::RevocationRequest;
pub use rules::RULES;
pub use settings::{GuardSettings, TrustProfile};
pub use status_lists::{CheckedList, StatusLists, StatusSettings};
pub use watch::{Change, StatusWatch, WatchState, Watched};
