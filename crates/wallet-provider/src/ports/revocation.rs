use async_trait::async_trait;
use jiff::Timestamp;
use provider_api::{Extent, JobState, RevocationReason, Selector, Storage};
use sci::UnitId;

use crate::{Keys, Revocation, Revoked, StoreError};

/// The memory of revocations beyond one unit's by its user or an operator. Every
/// method that writes is one transaction: state, history, entries, what the lists
/// and the WSCA have to be told, and the notice to the user hold together or not at
/// all.
#[async_trait]
pub trait RevocationStore: Send + Sync + std::fmt::Debug {
    /// Revokes one storage of a unit and leaves the unit as it is: the entries of the
    /// KAs that describe it. One that is revoked stays as it was.
    async fn revoke_storage(&self, revocation: StorageRevocation) -> Result<Revoked, StoreError>;

    /// Takes a PID provider's request, once, and revokes the unit that has the entry, or
    /// the entry itself where it belongs to no unit. Where there is none, the request is
    /// spent all the same.
    async fn revoke_on_request(
        &self,
        request: SpentPidRequest,
        entry: EntryName,
        revocation: RequestedRevocation,
    ) -> Result<FoundByEntry, StoreError>;

    /// Counts the units of a selector that are not revoked, or, for a keystore, whose
    /// keystore is not. It reads in pages and holds no lock.
    async fn count(&self, selector: &Selector, extent: Extent) -> Result<u64, StoreError>;

    /// Keeps a job.
    async fn add_job(&self, job: NewJob) -> Result<(), StoreError>;

    /// The job; `None` where there is none.
    async fn job(&self, job: &str) -> Result<Option<JobRecord>, StoreError>;

    /// Jobs, the newest first.
    async fn jobs(&self, limit: u32) -> Result<Vec<JobRecord>, StoreError>;

    /// The jobs that are not done.
    async fn running_jobs(&self) -> Result<Vec<String>, StoreError>;

    /// Looks at the next `page` units of a running job and revokes those that are
    /// meant. Any number of nodes may do so at once: each page is one's.
    async fn advance_job(
        &self,
        job: &str,
        page: u32,
        at: Timestamp,
    ) -> Result<JobRecord, StoreError>;

    /// Revokes at most `limit` units whose evidence rests on one of these
    /// certificates; how many it revoked.
    async fn revoke_resting_on(
        &self,
        certificates: Vec<[u8; 32]>,
        revocation: RequestedRevocation,
        limit: u32,
    ) -> Result<u64, StoreError>;

    /// Which of these certificates some unit's evidence rests on that is not revoked.
    async fn resting_on(&self, certificates: &[[u8; 32]]) -> Result<Vec<[u8; 32]>, StoreError>;

    /// Units whose revocation the WSCA was not told of, after `after`, and what is to
    /// become of their keys.
    async fn untold(
        &self,
        after: Option<UnitId>,
        limit: u32,
    ) -> Result<Vec<(UnitId, Keys)>, StoreError>;

    /// How many units there are whose revocation the WSCA was not told of.
    async fn count_untold(&self) -> Result<u64, StoreError>;

    /// The WSCA has been told that the unit's keys are now so. If they are to be worse
    /// by now, it is still to be told.
    async fn told(&self, unit: UnitId, keys: Keys) -> Result<(), StoreError>;

    /// Forgets at most `limit` units that were installed before `before` and never
    /// became operational, with everything that is of them, and their accounts where
    /// nothing else is of those. What the WSCA has of them is still to be destroyed.
    async fn forget_installed(&self, before: Timestamp, limit: u32) -> Result<u64, StoreError>;

    /// Units that are forgotten here and not yet at the WSCA.
    async fn forgotten(&self, limit: u32) -> Result<Vec<UnitId>, StoreError>;

    /// The WSCA has destroyed what it had of a forgotten unit.
    async fn destroyed(&self, unit: UnitId) -> Result<(), StoreError>;

    /// Forgets the requests of PID providers of which no copy would be taken by `now`.
    async fn forget_pid_requests(&self, now: Timestamp) -> Result<u64, StoreError>;
}

/// The revocation of one storage of a unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StorageRevocation {
    /// Which storage.
    pub storage: Storage,
    /// Of which unit, by whom, why, and when.
    pub revocation: Revocation,
}

/// A revocation of whatever unit is found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestedRevocation {
    /// Who revokes it.
    pub by: provider_api::Revoker,
    /// The revoker's name, where it is known.
    pub name: Option<String>,
    /// Why.
    pub reason: RevocationReason,
    /// When.
    pub at: Timestamp,
}

impl RequestedRevocation {
    /// The same of a unit.
    pub fn of(&self, unit: UnitId) -> Revocation {
        Revocation {
            unit,
            by: self.by,
            name: self.name.clone(),
            reason: self.reason,
            advisory: None,
            at: self.at,
        }
    }
}

/// A status entry as a WIA names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryName {
    /// The list's address.
    pub uri: String,
    /// The index.
    pub index: u64,
}

/// What has the entry that a PID provider's request names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FoundByEntry {
    /// A unit, which is revoked now or was before.
    Unit(UnitId, Revoked),
    /// No unit: the entry itself is revoked. How many were not before.
    Loose(u64),
    /// Nobody.
    Nothing,
}

/// A PID provider's request that is taken once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpentPidRequest {
    /// The PID provider, by a hash of its name.
    pub provider: [u8; 32],
    /// The request's identifier.
    pub jti: String,
    /// When it can be forgotten.
    pub forget_at: Timestamp,
    /// How many requests of this provider may wait to be forgotten, this one among
    /// them: its rate, over all nodes.
    pub at_most: u64,
}

/// A job to begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewJob {
    /// Its identifier.
    pub job: String,
    /// Which units: those that were there at `at`.
    pub selector: Selector,
    /// What of them.
    pub extent: Extent,
    /// Why.
    pub reason: RevocationReason,
    /// The advisory that tells the technical details.
    pub advisory: Option<String>,
    /// The operator's name, where it is known.
    pub name: Option<String>,
    /// How many units are selected.
    pub selected: u64,
    /// When.
    pub at: Timestamp,
}

/// A job as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobRecord {
    /// What it is to do.
    pub new: NewJob,
    /// Where it stands.
    pub state: JobState,
    /// How many units it revoked.
    pub revoked: u64,
    /// When it was done.
    pub finished: Option<Timestamp>,
}
