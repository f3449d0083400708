use async_trait::async_trait;
use jiff::Timestamp;

use super::store::{NewEntry, StoreError};
use crate::DeviceFacts;

/// What the store keeps of attestations that belong to no unit.
#[async_trait]
pub trait ReferenceStore: Send + Sync + std::fmt::Debug {
    /// Refuses a challenge that does not wait for its answer, and changes nothing.
    async fn challenge_waits(&self, challenge: [u8; 32], at: Timestamp) -> Result<(), StoreError>;

    /// Records one: its challenge is spent, its keys are in no other KA or WIA, its entry
    /// is free.
    async fn issue_loose(&self, issuance: LooseIssuance) -> Result<(), StoreError>;

    /// Revokes entries that belong to no unit, for good; how many were set.
    async fn revoke_loose(&self, selection: LooseSelection) -> Result<u64, StoreError>;

    /// How many entries [`ReferenceStore::revoke_loose`] would set.
    async fn count_loose(&self, selection: LooseSelection) -> Result<u64, StoreError>;
}

/// An attestation that belongs to no unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LooseIssuance {
    /// The hash of the challenge; absent where nothing vouches for the keys.
    pub challenge: Option<[u8; 32]>,
    /// The thumbprints of the keys that enter a KA.
    pub keys: Vec<[u8; 32]>,
    /// The thumbprints of the keys that enter a WIA.
    pub instance_keys: Vec<[u8; 32]>,
    /// The status entry.
    pub entry: Option<NewEntry>,
    /// What hardware says the device is, where it does.
    pub device_model: Option<String>,
    /// The month of its last patch, YYYYMM, likewise.
    pub patch_level: Option<u32>,
    /// When.
    pub at: Timestamp,
}

impl LooseIssuance {
    pub(crate) fn new(
        challenge: Option<[u8; 32]>,
        facts: &Option<DeviceFacts>,
        at: Timestamp,
    ) -> Self {
        Self {
            challenge,
            keys: Vec::new(),
            instance_keys: Vec::new(),
            entry: None,
            device_model: facts.as_ref().and_then(|facts| facts.model.clone()),
            patch_level: facts.as_ref().and_then(DeviceFacts::patch_month),
            at,
        }
    }
}

/// Which entries of no unit are meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LooseSelection {
    /// The one at this place, as a token names it.
    Entry {
        /// The list's address.
        uri: String,
        /// The index.
        index: u64,
    },
    /// Those of devices of this model.
    Model(String),
    /// Those of devices whose last patch is older than this month, YYYYMM.
    PatchedBefore(u32),
    /// All of them.
    All,
}
