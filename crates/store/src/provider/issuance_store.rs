//! The port for checks, storages and entries that are used again.

use async_trait::async_trait;
use jiff::Timestamp;
use sci::UnitId;
use wallet_provider::{
    FailedCheck, HeldEntry, Holder, InstanceCheck, IssuanceStore, SpentCheck, Storage,
    StorageRecord, StoreError, TypeRevocation, TypeRevoked,
};

use super::{SqlProviderStore, boxed, checks, held, seconds, storages};
use crate::sql::{Connection, query};

#[async_trait]
impl IssuanceStore for SqlProviderStore {
    async fn record_check(&self, check: InstanceCheck) -> Result<(), StoreError> {
        self.database
            .write(move |tx| boxed(checks::record(tx, check)))
            .await
    }

    async fn record_failed_check(&self, failed: SpentCheck, why: String) -> Result<(), StoreError> {
        self.database
            .write(move |tx| boxed(checks::record_failed(tx, failed, why)))
            .await
    }

    async fn failed_checks(&self, limit: u32) -> Result<Vec<FailedCheck>, StoreError> {
        checks::failed(&mut self.database.reader().await?, limit).await
    }

    async fn assertion_counter(&self, unit: UnitId) -> Result<Option<u32>, StoreError> {
        checks::counter(&mut self.database.reader().await?, unit).await
    }

    async fn held_entry(
        &self,
        unit: UnitId,
        holder: &Holder,
    ) -> Result<Option<HeldEntry>, StoreError> {
        held::find(&mut self.database.reader().await?, unit, holder).await
    }

    async fn storages(&self, unit: UnitId) -> Result<Vec<StorageRecord>, StoreError> {
        storages::of_unit(&mut self.database.reader().await?, unit).await
    }

    async fn revoke_type(&self, revocation: TypeRevocation) -> Result<TypeRevoked, StoreError> {
        self.database
            .write(move |tx| boxed(storages::revoke_type(tx, revocation)))
            .await
    }

    async fn storage_types(&self) -> Result<Vec<(Storage, String)>, StoreError> {
        storages::types(&mut self.database.reader().await?).await
    }

    async fn count_shared(&self, of: Option<(Storage, String)>) -> Result<u64, StoreError> {
        storages::count_shared(&mut self.database.reader().await?, of).await
    }

    async fn record_choice(
        &self,
        name: &'static str,
        value: String,
        at: Timestamp,
    ) -> Result<Option<String>, StoreError> {
        self.database
            .write(move |tx| boxed(choose(tx, name, value, at)))
            .await
    }
}

async fn choose(
    tx: &mut Connection,
    name: &'static str,
    value: String,
    at: Timestamp,
) -> Result<Option<String>, StoreError> {
    let last: Option<(i64, String)> =
        query("SELECT number, value FROM choice WHERE name = ? ORDER BY number DESC LIMIT 1")
            .bind(name)
            .optional(tx)
            .await?;
    let (number, before) = match last {
        Some((_, last)) if last == value => return Ok(None),
        Some((number, last)) => (number.saturating_add(1), Some(last)),
        None => (1, None),
    };
    // Of two nodes that choose at once, the first is taken note of; the other one's
    // choice follows at its next round.
    query(
        "INSERT INTO choice (name, number, value, since) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
    )
    .bind(name)
    .bind(number)
    .bind(value)
    .bind(seconds(at))
    .execute(tx)
    .await?;
    Ok(before)
}
