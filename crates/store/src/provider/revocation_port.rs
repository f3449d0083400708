//! The port of revocations.

use async_trait::async_trait;
use jiff::Timestamp;
use sci::UnitId;
use wallet_provider::{
    EntryName, Extent, FoundByEntry, JobRecord, Keys, NewJob, RequestedRevocation, RevocationStore,
    Revoked, Selector, SpentPidRequest, StorageRevocation, StoreError,
};

use super::{SqlProviderStore, boxed, forgetting, jobs, revocation};

#[async_trait]
impl RevocationStore for SqlProviderStore {
    async fn revoke_storage(&self, revocation: StorageRevocation) -> Result<Revoked, StoreError> {
        self.database
            .write_and_tell(move |tx| boxed(revocation::revoke_storage(tx, revocation)))
            .await
    }

    async fn revoke_on_request(
        &self,
        request: SpentPidRequest,
        entry: EntryName,
        revocation: RequestedRevocation,
    ) -> Result<FoundByEntry, StoreError> {
        self.database
            .write_and_tell(move |tx| {
                boxed(revocation::revoke_on_request(
                    tx, request, entry, revocation,
                ))
            })
            .await
    }

    async fn count(&self, selector: &Selector, extent: Extent) -> Result<u64, StoreError> {
        jobs::count(&mut self.database.reader().await?, selector, extent).await
    }

    async fn add_job(&self, job: NewJob) -> Result<(), StoreError> {
        self.database
            .write(move |tx| boxed(jobs::add(tx, job)))
            .await
    }

    async fn job(&self, job: &str) -> Result<Option<JobRecord>, StoreError> {
        jobs::find(&mut self.database.reader().await?, job).await
    }

    async fn jobs(&self, limit: u32) -> Result<Vec<JobRecord>, StoreError> {
        jobs::newest(&mut self.database.reader().await?, limit).await
    }

    async fn running_jobs(&self) -> Result<Vec<String>, StoreError> {
        jobs::running(&mut self.database.reader().await?).await
    }

    async fn advance_job(
        &self,
        job: &str,
        page: u32,
        at: Timestamp,
    ) -> Result<JobRecord, StoreError> {
        let job = job.to_owned();
        self.database
            .write_and_tell(move |tx| boxed(async move { jobs::advance(tx, &job, page, at).await }))
            .await
    }

    async fn revoke_resting_on(
        &self,
        certificates: Vec<[u8; 32]>,
        revocation: RequestedRevocation,
        limit: u32,
    ) -> Result<u64, StoreError> {
        self.database
            .write_and_tell(move |tx| {
                boxed(revocation::revoke_resting_on(
                    tx,
                    certificates,
                    revocation,
                    limit,
                ))
            })
            .await
    }

    async fn resting_on(&self, certificates: &[[u8; 32]]) -> Result<Vec<[u8; 32]>, StoreError> {
        revocation::resting_on(&mut self.database.reader().await?, certificates).await
    }

    async fn untold(
        &self,
        after: Option<UnitId>,
        limit: u32,
    ) -> Result<Vec<(UnitId, Keys)>, StoreError> {
        revocation::untold(&mut self.database.reader().await?, after, limit).await
    }

    async fn count_untold(&self) -> Result<u64, StoreError> {
        revocation::count_untold(&mut self.database.reader().await?).await
    }

    async fn told(&self, unit: UnitId, keys: Keys) -> Result<(), StoreError> {
        self.database
            .write(move |tx| boxed(revocation::told(tx, unit, keys)))
            .await
    }

    async fn forget_installed(&self, before: Timestamp, limit: u32) -> Result<u64, StoreError> {
        self.database
            .write(move |tx| boxed(forgetting::forget_installed(tx, before, limit)))
            .await
    }

    async fn forgotten(&self, limit: u32) -> Result<Vec<UnitId>, StoreError> {
        forgetting::forgotten(&mut self.database.reader().await?, limit).await
    }

    async fn destroyed(&self, unit: UnitId) -> Result<(), StoreError> {
        self.database
            .write(move |tx| boxed(forgetting::destroyed(tx, unit)))
            .await
    }

    async fn forget_pid_requests(&self, now: Timestamp) -> Result<u64, StoreError> {
        self.database
            .write(move |tx| boxed(forgetting::forget_pid_requests(tx, now)))
            .await
    }
}
