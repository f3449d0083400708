//! An audit log as someone who writes the database has made it.

use async_trait::async_trait;
use sci::UnitId;
use wsca::{
    Appended, AuditRow, Batch, CheckpointRow, CommitError, ExchangeRow, Holdings, Member,
    RotationRow, SessionRow, ShardRow, StoreError, UnitRow, WscaStore,
};

#[derive(Debug)]
pub struct ForgedLog {
    rows: Vec<AuditRow>,
    checkpoints: Vec<CheckpointRow>,
}

impl ForgedLog {
    pub fn new(rows: Vec<AuditRow>, checkpoints: Vec<CheckpointRow>) -> Self {
        Self { rows, checkpoints }
    }
}

fn nothing_else<T>() -> Result<T, StoreError> {
    Err(StoreError::Damaged("a forged log is a log alone".into()))
}

#[async_trait]
impl WscaStore for ForgedLog {
    async fn audit(&self, after: u64, limit: u32) -> Result<Vec<AuditRow>, StoreError> {
        let rows = self.rows.iter().filter(|row| row.sequence > after);
        Ok(rows.take(limit as usize).cloned().collect())
    }

    async fn checkpoint_over(&self, sequence: u64) -> Result<Option<CheckpointRow>, StoreError> {
        let mut rows = self.checkpoints.iter();
        Ok(rows.find(|row| row.sequence >= sequence).cloned())
    }

    async fn last_checkpoint(&self) -> Result<Option<CheckpointRow>, StoreError> {
        Ok(self.checkpoints.last().cloned())
    }

    async fn audit_end(&self) -> Result<Option<Appended>, StoreError> {
        nothing_else()
    }

    async fn holdings(&self, _: UnitId) -> Result<Option<Holdings>, StoreError> {
        nothing_else()
    }

    async fn record(&self, _: UnitId) -> Result<Option<(UnitRow, ShardRow)>, StoreError> {
        nothing_else()
    }

    async fn session(&self, _: &str) -> Result<Option<SessionRow>, StoreError> {
        nothing_else()
    }

    async fn exchange(&self, _: &str) -> Result<Option<ExchangeRow>, StoreError> {
        nothing_else()
    }

    async fn exchange_of(
        &self,
        _: UnitId,
        _: &[u8; 32],
    ) -> Result<Option<ExchangeRow>, StoreError> {
        nothing_else()
    }

    async fn shard(&self, _: u16) -> Result<Option<ShardRow>, StoreError> {
        nothing_else()
    }

    async fn whole_shard(
        &self,
        _: u16,
        _: &mut (dyn FnMut(Member) + Send),
    ) -> Result<Option<ShardRow>, StoreError> {
        nothing_else()
    }

    async fn members(&self, _: u16, _: Option<UnitId>, _: u32) -> Result<Vec<Member>, StoreError> {
        nothing_else()
    }

    async fn secret(&self, _: &str) -> Result<Option<Vec<u8>>, StoreError> {
        nothing_else()
    }

    async fn unit_count(&self) -> Result<u64, StoreError> {
        nothing_else()
    }

    async fn rotation(&self) -> Result<Option<RotationRow>, StoreError> {
        nothing_else()
    }

    async fn commit(&self, _: Batch) -> Result<Vec<Appended>, CommitError> {
        Ok(nothing_else()?)
    }
}
