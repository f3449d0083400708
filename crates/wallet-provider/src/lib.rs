//! The wallet provider: it activates wallet units, attests them, and revokes them.
//!
//! [`WalletProvider`] is the one way in. It tracks whether a unit is installed,
//! operational or revoked, and never which attestations a unit holds (ARF
//! `WIAM_12a`); it keeps references to status entries, not the tokens that carry
//! them. What it stands on comes through ports: a [`ProviderStore`] for its
//! memory, [`wsca::WscaAdmin`] for the WSCA, a [`Publisher`] for its status lists,
//! a [`Keyring`] for its keys, a [`clock::Clock`] for the time.
//!
//! A request takes one way through: the edge calls [`WalletProvider::authenticate`]
//! and then one operation; the operation reads, checks, signs, and last of all
//! records in one transaction everything that must hold at once (the request was
//! not made before, the nonce is unused, the unit is operational, no key is in
//! another KA). Only what was recorded leaves the house.

mod account;
mod activation;
mod allocation;
mod association;
mod bulk_revocation;
mod check;
mod choices;
mod config;
mod counts;
mod device_facts;
mod entries;
mod error;
mod evidence;
mod issuance;
mod ka;
pub mod keyring;
mod keystore;
pub mod lifecycle;
pub mod operators;
mod pid_provider;
mod ports;
mod provider;
mod publication;
pub mod reference;
pub mod retention;
mod revocation;
pub mod rules;
mod secrets;
mod storage_revocation;
pub mod upkeep;
mod watch;

pub use check::{CheckBy, OnWorse};
pub use config::{Config, ConfigError, KaIndex, WalletSolution};
pub use device_facts::{BootFacts, DeviceFacts};
pub use error::Error;
pub use evidence::{AppAttestRecord, DeviceRecord};
pub use keyring::{
    AnswerKeys, CertificateState, Generation, Generations, KeyPurpose, KeySet, Keyring,
    LaterAnswerKey, NotAGeneration, Seal, Seals, Standing, Succession, check_chain,
};
pub use lifecycle::Keys;
pub use ports::folder::FolderPublisher;
pub use ports::issuance_store::{
    FailedCheck, HeldEntry, Holder, InstanceCheck, IssuanceStore, KeyStorage, SpentCheck,
    StorageRecord, TypeRevocation, TypeRevoked,
};
pub use ports::operator_trail::OperatorTrail;
pub use ports::pid_providers::{ListedPidProvider, PidProviderCheck};
pub use ports::publisher::{PublishError, Publisher, Tokens};
pub use ports::reference_store::{LooseIssuance, LooseSelection, ReferenceStore};
pub use ports::revocation::{
    EntryName, FoundByEntry, JobRecord, NewJob, RequestedRevocation, RevocationStore,
    SpentPidRequest, StorageRevocation,
};
pub use ports::store::{
    AccountRecord, Activated, AgreedText, Block, CallerRecord, EndedList, Event, Issuance,
    ListContent, ListKind, ListState, NewEntry, NewList, NewUnit, Noted, ProviderStore, Purged,
    Purpose, Revocation, Revoked, SpentRequest, StoreError, UnitRecord,
};
pub use ports::tally::Tally;
pub use ports::turn::{Turn, Work};
pub use ports::upkeep::{Adopted, Fault, TakenOver, UnitCounts, UpkeepStore};
pub use provider::{Caller, Parts, WalletProvider};
pub use secrets::IndexSecret;
pub use storage_revocation::UnitGoes;

pub use status_list::TokenFormat;

pub use provider_api::{
    AccountId, Extent, JobState, RULES, RevocationReason, Revoker, Selector, Storage, UnitState,
};
