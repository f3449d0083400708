//! The wallet provider's port.

mod activation;
mod checks;
pub(crate) mod forgetting;
mod gathered;
mod held;
mod issuance;
mod issuance_store;
pub(crate) mod jobs;
mod lists;
pub(crate) mod loose;
pub(crate) mod revocation;
mod revocation_port;
pub(crate) mod rows;
mod storages;
mod turns;
mod upkeep;

use std::future::Future;
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use jiff::Timestamp;
use sci::UnitId;
use wallet_provider::{
    AccountId, AccountRecord, Activated, Block, CallerRecord, Event, Issuance, ListContent,
    ListState, NewList, NewUnit, Noted, ProviderStore, Purged, Purpose, Revocation, Revoked,
    SpentRequest, StoreError, Turn, UnitRecord, Work,
};

use self::gathered::Gathered;
use crate::{Database, Error, Kind};

/// The wallet provider's memory in a [`Database`].
#[derive(Debug, Clone)]
pub struct SqlProviderStore {
    database: Database,
    /// Where issuances go that are recorded many at once; from the first one on.
    gathered: Arc<OnceLock<Gathered>>,
}

impl SqlProviderStore {
    /// The store in `database`.
    pub fn new(database: Database) -> Self {
        Self {
            database,
            gathered: Arc::default(),
        }
    }

    pub(crate) fn database(&self) -> &Database {
        &self.database
    }
}

impl From<Error> for StoreError {
    fn from(error: Error) -> Self {
        Self::Failed(Box::new(error))
    }
}

/// Seconds, as the tables have them.
pub(crate) fn seconds(time: Timestamp) -> i64 {
    time.as_second()
}

/// A number that the tables hold as a signed one.
pub(crate) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Gives each transaction's body its boxed shape.
pub(crate) fn boxed<'c, T>(
    body: impl Future<Output = Result<T, StoreError>> + Send + 'c,
) -> crate::JobFuture<'c, T, StoreError> {
    Box::pin(body)
}

#[async_trait]
impl ProviderStore for SqlProviderStore {
    async fn health(&self) -> Result<(), StoreError> {
        Ok(self.database.health().await?)
    }

    async fn add_challenge(
        &self,
        hash: [u8; 32],
        purpose: Purpose,
        expires_at: Timestamp,
    ) -> Result<(), StoreError> {
        self.database
            .write(move |tx| boxed(issuance::add_challenge(tx, hash, purpose, expires_at)))
            .await
    }

    async fn waiting_activations(&self, now: Timestamp) -> Result<u64, StoreError> {
        issuance::waiting_activations(&mut self.database.reader().await?, now).await
    }

    async fn forget_challenges(&self, now: Timestamp) -> Result<u64, StoreError> {
        self.database
            .write(move |tx| boxed(issuance::forget_challenges(tx, now)))
            .await
    }

    async fn begun_activation(
        &self,
        challenge: [u8; 32],
        device: [[u8; 32]; 2],
        alias: &str,
        at: Timestamp,
    ) -> Result<Option<String>, StoreError> {
        let mut reader = self.database.reader().await?;
        activation::begun(&mut reader, challenge, device, alias, at).await
    }

    async fn begin_activation(&self, unit: NewUnit) -> Result<Activated, StoreError> {
        self.database
            .write(move |tx| boxed(activation::begin(tx, unit)))
            .await
    }

    async fn complete_activation(
        &self,
        unit: UnitId,
        request: SpentRequest,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        self.database
            .write(move |tx| boxed(activation::complete(tx, unit, request, at)))
            .await
    }

    async fn unit(&self, unit: UnitId) -> Result<Option<UnitRecord>, StoreError> {
        rows::unit(&mut self.database.reader().await?, unit).await
    }

    async fn caller(&self, unit: UnitId, jti: &str) -> Result<Option<CallerRecord>, StoreError> {
        rows::caller(&mut self.database.reader().await?, unit, jti).await
    }

    async fn history(&self, unit: UnitId) -> Result<Vec<Event>, StoreError> {
        rows::history(&mut self.database.reader().await?, unit).await
    }

    async fn account(&self, alias: &str) -> Result<Option<AccountRecord>, StoreError> {
        rows::account(&mut self.database.reader().await?, alias).await
    }

    async fn units_of(&self, account: AccountId) -> Result<Vec<UnitRecord>, StoreError> {
        rows::units_of(&mut self.database.reader().await?, account).await
    }

    async fn units(
        &self,
        after: Option<UnitId>,
        limit: u32,
    ) -> Result<Vec<UnitRecord>, StoreError> {
        rows::units(&mut self.database.reader().await?, after, limit).await
    }

    async fn spend(
        &self,
        unit: UnitId,
        request: SpentRequest,
        challenge: Option<([u8; 32], Timestamp)>,
    ) -> Result<(), StoreError> {
        self.database
            .write(move |tx| {
                boxed(async move {
                    issuance::spend_request(tx, unit, &request).await?;
                    match challenge {
                        Some((hash, expires_at)) => {
                            let purpose = Purpose::Statement(unit);
                            issuance::add_challenge(tx, hash, purpose, expires_at).await
                        }
                        None => Ok(()),
                    }
                })
            })
            .await
    }

    async fn check_issuance(&self, issuance: &Issuance) -> Result<(), StoreError> {
        issuance::check(&mut self.database.reader().await?, issuance).await
    }

    async fn issue(&self, issuance: Issuance) -> Result<(), StoreError> {
        if self.database.kind() == Kind::Postgres && gathered::takes(&issuance) {
            let gathered = self
                .gathered
                .get_or_init(|| Gathered::start(self.database.clone()));
            return gathered.issue(issuance).await;
        }
        self.database
            .write(move |tx| boxed(issuance::issue(tx, issuance)))
            .await
    }

    async fn revoke(&self, revocation: Revocation) -> Result<Revoked, StoreError> {
        self.database
            .write_and_tell(move |tx| boxed(revocation::revoke(tx, revocation)))
            .await
    }

    async fn take_block(
        &self,
        new: NewList,
        count: u64,
        at: Timestamp,
    ) -> Result<Block, StoreError> {
        self.database
            .write(move |tx| boxed(lists::take_block(tx, new, count, at)))
            .await
    }

    async fn close_list(&self, list: i64, at: Timestamp) -> Result<(), StoreError> {
        self.database
            .write(move |tx| boxed(lists::close(tx, list, at)))
            .await
    }

    async fn lists_to_publish(
        &self,
        renew_before: Timestamp,
    ) -> Result<Vec<ListState>, StoreError> {
        lists::to_publish(&mut self.database.reader().await?, renew_before).await
    }

    async fn turn(&self, work: Work) -> Result<Arc<dyn Turn>, StoreError> {
        turns::take(&self.database, work).await
    }

    async fn list_state(&self, list: i64) -> Result<Option<ListState>, StoreError> {
        lists::state(&mut self.database.reader().await?, list).await
    }

    async fn list(&self, list: i64, since: Option<i64>) -> Result<Option<ListContent>, StoreError> {
        let mut snapshot = self.database.snapshot().await?;
        let found = lists::content(snapshot.connection(), list, since).await?;
        snapshot.end().await?;
        Ok(found)
    }

    async fn set_again(
        &self,
        list: i64,
        indices: Vec<u64>,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        self.database
            .write(move |tx| boxed(async move { lists::set_again(tx, list, &indices, at).await }))
            .await
    }

    async fn promise(&self, list: i64, until: Timestamp) -> Result<(), StoreError> {
        self.database
            .write(move |tx| boxed(lists::promise(tx, list, until)))
            .await
    }

    async fn published(
        &self,
        list: i64,
        revision: i64,
        expires_at: Timestamp,
    ) -> Result<Noted, StoreError> {
        self.database
            .write(move |tx| boxed(lists::published(tx, list, revision, expires_at)))
            .await
    }

    async fn list_uris(&self) -> Result<Vec<String>, StoreError> {
        lists::uris(&mut self.database.reader().await?).await
    }

    async fn purge(&self, now: Timestamp, closed_before: Timestamp) -> Result<Purged, StoreError> {
        self.database
            .write(move |tx| boxed(lists::purge(tx, now, closed_before)))
            .await
    }

    async fn forget_list(&self, list: i64) -> Result<(), StoreError> {
        self.database
            .write(move |tx| boxed(lists::forget(tx, list)))
            .await
    }
}

#[cfg(test)]
mod tests;
