//! The wallet provider: it activates wallet units, attests them, and revokes them.
//!
//! [`WalletProvider`] is the one way in. It tracks whether a unit is installed,
//! operational or revoked, and never which attestations a unit holds (ARF
//! `WIAM_12a`); it keeps references to status entries, not the tokens that carry
//! them. What it stands on comes through ports: a [`ProviderStore`] for its
//! memory, [`wsca::WscaAdmin`] for the WSCA, a [`Publisher`] for its status lists,
//! [`jose::Signer`]s for its keys, a [`clock::Clock`] for the time.
//!
//! A request takes one way through: the edge calls [`WalletProvider::authenticate`]
//! and then one operation; the operation reads, checks, signs, and last of all
//! records in one transaction everything that must hold at once (the request was
//! not made before, the nonce is unused, the unit is operational, no key is in
//! another KA). Only what was recorded leaves the house.

mod activation;
mod allocation;
mod association;
mod config;
mod error;
mod evidence;
mod issuance;
mod ports;
mod provider;
mod publication;
mod revocation;
mod secrets;

pub use config::{Config, ConfigError, KaIndex, WalletSolution};
pub use error::Error;
pub use evidence::{AppAttestRecord, DeviceRecord};
pub use ports::folder::FolderPublisher;
pub use ports::publisher::{PublishError, Publisher, Tokens};
pub use ports::store::{
    AccountRecord, Activated, Block, EndedList, Event, Issuance, ListContent, ListKind, ListState,
    NewEntry, NewList, NewUnit, Noted, ProviderStore, Purged, Purpose, Revocation, Revoked,
    SpentRequest, StoreError, UnitRecord,
};
pub use ports::tally::Tally;
pub use ports::turn::{Turn, Work};
pub use provider::{Caller, Parts, Seal, WalletProvider};
pub use secrets::IndexSecret;

pub use status_list::TokenFormat;

pub use provider_api::{RULES, RevocationReason, Revoker, UnitState};
