//! The WSCA's port.

mod read;
mod rows;
mod write;

use async_trait::async_trait;
use sci::UnitId;
use wsca::{
    Appended, AuditRow, Batch, CheckpointRow, CommitError, ExchangeRow, Holdings, Member,
    RotationRow, SessionRow, ShardRow, StoreError, UnitRow, WscaStore,
};

use crate::{Database, Error};

/// The WSCA's memory in a [`Database`].
#[derive(Debug, Clone)]
pub struct SqlWscaStore {
    database: Database,
}

impl SqlWscaStore {
    /// The store in `database`.
    pub fn new(database: Database) -> Self {
        Self { database }
    }
}

#[async_trait]
impl WscaStore for SqlWscaStore {
    async fn holdings(&self, unit: UnitId) -> Result<Option<Holdings>, StoreError> {
        read::holdings(&self.database, unit)
            .await
            .map_err(store_error)
    }

    async fn record(&self, unit: UnitId) -> Result<Option<(UnitRow, ShardRow)>, StoreError> {
        read::record(&self.database, unit)
            .await
            .map_err(store_error)
    }

    async fn session(&self, id: &str) -> Result<Option<SessionRow>, StoreError> {
        read::session(&self.database, id).await.map_err(store_error)
    }

    async fn exchange(&self, id: &str) -> Result<Option<ExchangeRow>, StoreError> {
        read::exchange(&self.database, id)
            .await
            .map_err(store_error)
    }

    async fn exchange_of(
        &self,
        unit: UnitId,
        message: &[u8; 32],
    ) -> Result<Option<ExchangeRow>, StoreError> {
        read::exchange_of(&self.database, unit, message)
            .await
            .map_err(store_error)
    }

    async fn shard(&self, shard: u16) -> Result<Option<ShardRow>, StoreError> {
        read::shard(&self.database, shard)
            .await
            .map_err(store_error)
    }

    async fn whole_shard(
        &self,
        shard: u16,
        each: &mut (dyn FnMut(Member) + Send),
    ) -> Result<Option<ShardRow>, StoreError> {
        read::whole_shard(&self.database, shard, each)
            .await
            .map_err(store_error)
    }

    async fn members(
        &self,
        shard: u16,
        after: Option<UnitId>,
        limit: u32,
    ) -> Result<Vec<Member>, StoreError> {
        read::members(&self.database, shard, after, limit)
            .await
            .map_err(store_error)
    }

    async fn secret(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        read::secret(&self.database, name)
            .await
            .map_err(store_error)
    }

    async fn audit(&self, after: u64, limit: u32) -> Result<Vec<AuditRow>, StoreError> {
        read::audit(&self.database, after, limit)
            .await
            .map_err(store_error)
    }

    async fn audit_end(&self) -> Result<Option<Appended>, StoreError> {
        read::audit_end(&self.database).await.map_err(store_error)
    }

    async fn checkpoint_over(&self, sequence: u64) -> Result<Option<CheckpointRow>, StoreError> {
        read::checkpoint_over(&self.database, sequence)
            .await
            .map_err(store_error)
    }

    async fn last_checkpoint(&self) -> Result<Option<CheckpointRow>, StoreError> {
        read::last_checkpoint(&self.database)
            .await
            .map_err(store_error)
    }

    async fn unit_count(&self) -> Result<u64, StoreError> {
        read::unit_count(&self.database).await.map_err(store_error)
    }

    async fn rotation(&self) -> Result<Option<RotationRow>, StoreError> {
        read::rotation(&self.database).await.map_err(store_error)
    }

    async fn commit(&self, batch: Batch) -> Result<Vec<Appended>, CommitError> {
        // The audit log is one chain, and guards ask what is there and what is not: its
        // writers take turns, and one turn serves many of them.
        self.database
            .write_in_turn::<_, write::Failed, _>(move |tx| {
                Box::pin(async move { write::apply(tx, batch).await })
            })
            .await
            .map_err(|failed| match failed {
                write::Failed::Guard(index) => CommitError::Guard { index },
                write::Failed::Store(error) => CommitError::Store(store_error(error)),
            })
    }
}

/// A row that cannot be read is damage; all else may pass.
fn store_error(error: Error) -> StoreError {
    match error {
        Error::Damaged { .. } => StoreError::Damaged(error.to_string()),
        error => StoreError::Unavailable(Box::new(error)),
    }
}
