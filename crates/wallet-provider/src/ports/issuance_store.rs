use async_trait::async_trait;
use jiff::Timestamp;
use provider_api::{RevocationReason, Revoker, Storage};
use sci::UnitId;

use super::store::{NewEntry, SpentRequest, StoreError};

/// What the store keeps for the checks of wallet instances, for the storages of keys,
/// and for status entries that are used more than once. What is recorded *with* an
/// issuance goes through [`crate::ProviderStore::issue`], in its transaction.
#[async_trait]
pub trait IssuanceStore: Send + Sync + std::fmt::Debug {
    /// Records that a wallet instance passed a check: its request and its nonce are spent,
    /// its unit is operational and has changed in nothing since it was read, and the
    /// counter of its App Attest key has grown. What its evidence rests on is kept
    /// beside what the activation's did.
    async fn record_check(&self, check: InstanceCheck) -> Result<(), StoreError>;

    /// Records that a device turned out worse than it was; its request and its nonce
    /// are spent. From here on nothing is issued to the unit, until a check is passed.
    /// Of several for one unit the first one stays.
    async fn record_failed_check(&self, failed: SpentCheck, why: String) -> Result<(), StoreError>;

    /// The units whose devices turned out worse, which have passed no check since and
    /// are not revoked, the oldest first.
    async fn failed_checks(&self, limit: u32) -> Result<Vec<FailedCheck>, StoreError>;

    /// The counter of the last assertion of the unit's App Attest key that was accepted
    /// after its attestation.
    async fn assertion_counter(&self, unit: UnitId) -> Result<Option<u32>, StoreError>;

    /// The entry that is kept for `holder`, where its maintenance has not ended.
    async fn held_entry(
        &self,
        unit: UnitId,
        holder: &Holder,
    ) -> Result<Option<HeldEntry>, StoreError>;

    /// The storages in which the unit has attested keys.
    async fn storages(&self, unit: UnitId) -> Result<Vec<StorageRecord>, StoreError>;

    /// Revokes a type of WSCD or keystore for good: no KA is recorded for it any more, and
    /// the entry that its units share is set, if they share one. Units' own entries are
    /// revoked as units are ([`crate::RevocationStore::advance_job`]).
    async fn revoke_type(&self, revocation: TypeRevocation) -> Result<TypeRevoked, StoreError>;

    /// The types of WSCDs and keystores that are not revoked.
    async fn storage_types(&self) -> Result<Vec<(Storage, String)>, StoreError>;

    /// How many entries that all units of a type share [`IssuanceStore::revoke_type`]
    /// would set: of this type, or of all types.
    async fn count_shared(&self, of: Option<(Storage, String)>) -> Result<u64, StoreError>;

    /// Takes note of what was chosen where the texts leave a choice, if it was not the
    /// last choice. The answer is the one before, where that was another.
    async fn record_choice(
        &self,
        name: &'static str,
        value: String,
        at: Timestamp,
    ) -> Result<Option<String>, StoreError>;
}

/// A check that was passed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstanceCheck {
    /// The request and the nonce that it answers.
    pub spent: SpentCheck,
    /// What was known of the device, and what is to be kept instead: absent where
    /// nothing new was learnt.
    pub evidence: Option<(String, String)>,
    /// What the evidence rests on, as [`crate::NewUnit::certificates`] has it.
    pub certificates: Vec<[u8; 32]>,
    /// The month of the device's last patch, YYYYMM, where that was learnt.
    pub patch_level: Option<u32>,
    /// The counter of the App Attest key's assertion.
    pub counter: Option<u32>,
}

/// What a check spends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpentCheck {
    /// The unit.
    pub unit: UnitId,
    /// Its request.
    pub request: SpentRequest,
    /// The hash of the nonce that its evidence answers.
    pub nonce: Option<[u8; 32]>,
    /// When.
    pub at: Timestamp,
}

/// A device that turned out worse than it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedCheck {
    /// Its unit.
    pub unit: UnitId,
    /// When.
    pub at: Timestamp,
    /// What was found, as text.
    pub why: String,
}

/// A WSCD or keystore of a unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyStorage {
    /// Which of the two.
    pub kind: Storage,
    /// The name of its type: what shares one entry, and is revoked together.
    pub type_name: String,
    /// What it is certified for, where a statement or evidence says so.
    pub certification: Option<String>,
}

/// A WSCD or keystore of a unit, as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StorageRecord {
    /// What it is.
    pub storage: KeyStorage,
    /// When the unit first had keys in it attested.
    pub added_at: Timestamp,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
}

/// For whom one status entry is kept, to be used again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Holder {
    /// For one issuer, which the provider knows only as a scope: for the unit's WIAs
    /// (`None`), or its KAs over keys in one storage.
    Issuer {
        /// The scope.
        scope: [u8; 32],
        /// What the attestations are about.
        about: Option<Storage>,
        /// How many scopes a unit may have.
        most: u32,
    },
    /// For all units with this type of WSCD or keystore.
    StorageType {
        /// Which of the two.
        kind: Storage,
        /// The type's name.
        name: String,
    },
}

/// A status entry that is used again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldEntry {
    /// The entry, with the end of its maintenance so far.
    pub entry: NewEntry,
    /// Its list's address.
    pub uri: String,
}

/// A revocation of a type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TypeRevocation {
    /// WSCD or keystore.
    pub kind: Storage,
    /// The type's name.
    pub name: String,
    /// Who revokes it.
    pub by: Revoker,
    /// Why.
    pub reason: RevocationReason,
    /// When.
    pub at: Timestamp,
}

/// What the revocation of a type did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TypeRevoked {
    /// It was revoked before.
    Already,
    /// No KA is recorded for it any more.
    Closed,
    /// That, and the entry that its units share is set.
    ClosedAndSet,
}
