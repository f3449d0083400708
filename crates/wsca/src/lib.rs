//! The remote WSCA: it authenticates a wallet's user, keeps units apart, and uses
//! their keys, in a device ([`wscd::Wscd`]), for nobody else.
//!
//! [`Wsca::handle`] answers R2PS requests (`docs/protocols/wsca.md`); the wallet
//! provider administers it through [`WscaAdmin`]. State is in a [`WscaStore`];
//! the process keeps nothing that another one could not take up.
//!
//! # What holds an attacker, and where
//!
//! - possession and PIN, always both: `request` and `factor`;
//! - no PIN is tried uncounted: `factor` counts durably before it evaluates;
//! - a unit's record is one piece, bound by the device: `record`;
//! - a database from yesterday gives nothing back: `shard` and its anchors;
//! - what was destroyed is erased with the next root: `rotation`;
//! - what happened is chained, and the chain signed: [`audit`], `checkpoint`.

mod admin;
pub mod audit;
pub mod audit_check;
mod checkpoint;
mod config;
mod error;
mod factor;
mod information;
mod keys;
mod lthash;
mod outcome;
mod record;
mod request;
mod retry;
mod rotation;
pub mod rules;
mod secrets;
mod service;
mod session;
mod shard;
mod store;
mod unlock;
mod upkeep;

pub use admin::{AdminError, DeviceKeys, UnitState, WscaAdmin};
pub use config::{Config, Recovery, SessionPolicy};
pub use error::{OpenError, WscaError};
pub use request::Reply;
pub use retry::{Decision, RetryPolicy};
pub use rotation::{Progress, Rotated, RotationError};
pub use rules::RULES;
pub use service::{Alarm, LockedShard, Wsca};
pub use store::{
    Appended, AuditRow, Batch, CheckpointRow, CommitError, ExchangeKind, ExchangeRow, Guard,
    Holdings, ItemRow, KeyRow, Member, NonceRow, RotationRow, SessionRow, ShardRow, StoreError,
    UnitRow, Write, WscaStore,
};
pub use unlock::{Unlock, Unlocked};

/// How a service is known to its clients.
pub use r2ps::ServiceIdentity;
