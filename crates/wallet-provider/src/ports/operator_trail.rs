use async_trait::async_trait;
use jiff::Timestamp;

use crate::operators::{Act, TrailEnds, TrailRow};
use crate::{EntryName, NewJob, Revocation, Revoked, StorageRevocation, StoreError};

/// The memory of what operators did. Every method that writes is one transaction,
/// and of two writers at once the second follows on the first, whichever node each
/// is on: the trail is one chain.
#[async_trait]
pub trait OperatorTrail: Send + Sync + std::fmt::Debug {
    /// Adds an act that wrote nothing else.
    async fn append(&self, act: Act) -> Result<TrailRow, StoreError>;

    /// Revokes a unit as [`crate::ProviderStore::revoke`] does, and adds the act.
    async fn revoke(
        &self,
        revocation: Revocation,
        act: Act,
    ) -> Result<(Revoked, TrailRow), StoreError>;

    /// Revokes one storage as [`crate::RevocationStore::revoke_storage`] does, and adds
    /// the act.
    async fn revoke_storage(
        &self,
        revocation: StorageRevocation,
        act: Act,
    ) -> Result<(Revoked, TrailRow), StoreError>;

    /// Revokes one entry that belongs to no unit, and adds the act; how many entries were
    /// not revoked before.
    async fn revoke_entry(&self, entry: EntryName, act: Act)
    -> Result<(u64, TrailRow), StoreError>;

    /// Keeps a job as [`crate::RevocationStore::add_job`] does, and adds the act.
    async fn add_job(&self, job: NewJob, act: Act) -> Result<TrailRow, StoreError>;

    /// The rows after number `after`, the oldest first, at most `limit`.
    async fn rows(&self, after: u64, limit: u32) -> Result<Vec<TrailRow>, StoreError>;

    /// What the oldest kept row follows on, and the newest row.
    async fn ends(&self) -> Result<TrailEnds, StoreError>;

    /// Forgets the rows before the first one that is of `before` or later, and keeps
    /// what that one follows on; how many went. The newest row stays. Jobs that began
    /// before `before` lose the name of who asked for them.
    async fn forget(&self, before: Timestamp) -> Result<u64, StoreError>;
}
