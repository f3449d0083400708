//! The port of users' accounts. Its tables are the wallet provider's neighbours:
//! migration 3 makes them. What an owner has to be told of goes into the outbox in the
//! transaction that it happens in.

mod account;
mod address;
mod ceremony;
mod end;
mod keys;
mod sign_in;

use std::future::Future;

use accounts::{
    AccountId, AccountStore, AddressCode, Consent, NewAccount, NewCeremony, NewPasskey, NewSignIn,
    PasskeyRecord, PasskeyUse, Purged, SignInRecord, StoreError,
};
use async_trait::async_trait;
use jiff::Timestamp;
use notices::{Fact, NewNotice};
use uuid::Uuid;

use crate::sql::Connection;
use crate::{Database, Error, JobFuture};

/// The memory of accounts in a [`Database`].
#[derive(Debug, Clone)]
pub struct SqlAccountStore {
    database: Database,
}

impl SqlAccountStore {
    /// The store in `database`.
    pub fn new(database: Database) -> Self {
        Self { database }
    }
}

impl From<Error> for StoreError {
    fn from(error: Error) -> Self {
        Self::Failed(Box::new(error))
    }
}

/// Gives each transaction's body its boxed shape.
fn boxed<'c, T>(
    body: impl Future<Output = Result<T, StoreError>> + Send + 'c,
) -> JobFuture<'c, T, StoreError> {
    Box::pin(body)
}

/// Tells the account's owner, at the address that was confirmed.
async fn tell(
    tx: &mut Connection,
    account: AccountId,
    fact: Fact,
    at: Timestamp,
) -> Result<(), StoreError> {
    let notice = NewNotice::of_account(account.0, fact, at);
    Ok(crate::notices::add(tx, &notice).await?)
}

fn seconds(time: Timestamp) -> i64 {
    time.as_second()
}

fn time(table: &'static str, column: &'static str, second: i64) -> Result<Timestamp, StoreError> {
    Timestamp::from_second(second).map_err(|_| damaged(table, column, "is no time"))
}

fn damaged(table: &'static str, column: &'static str, what: &'static str) -> StoreError {
    Error::Damaged {
        table,
        column,
        what: what.into(),
    }
    .into()
}

#[async_trait]
impl AccountStore for SqlAccountStore {
    async fn add_ceremony(&self, ceremony: NewCeremony) -> Result<(), StoreError> {
        self.database
            .write(move |tx| boxed(ceremony::add(tx, ceremony)))
            .await
    }

    async fn take_ceremony(
        &self,
        hash: [u8; 32],
        now: Timestamp,
    ) -> Result<Option<String>, StoreError> {
        self.database
            .write(move |tx| boxed(ceremony::take(tx, hash, now)))
            .await
    }

    async fn sign_up(&self, account: NewAccount) -> Result<AccountId, StoreError> {
        self.database
            .write(move |tx| boxed(account::make(tx, account)))
            .await
    }

    async fn by_alias(&self, alias: &str) -> Result<Option<AccountId>, StoreError> {
        account::by_alias(&mut self.database.reader().await?, alias).await
    }

    async fn passkeys(&self, account: AccountId) -> Result<Vec<PasskeyRecord>, StoreError> {
        keys::passkeys(&mut self.database.reader().await?, account).await
    }

    async fn add_passkey(
        &self,
        account: AccountId,
        passkey: NewPasskey,
        most: u32,
    ) -> Result<(), StoreError> {
        self.database
            .write_and_tell(move |tx| boxed(keys::add(tx, account, passkey, most)))
            .await
    }

    async fn remove_passkey(
        &self,
        account: AccountId,
        id: Vec<u8>,
        sign_in: [u8; 32],
    ) -> Result<(), StoreError> {
        self.database
            .write(move |tx| boxed(keys::remove(tx, account, id, sign_in)))
            .await
    }

    async fn handle(&self, account: AccountId, handle: Uuid) -> Result<Uuid, StoreError> {
        self.database
            .write(move |tx| boxed(account::handle(tx, account, handle)))
            .await
    }

    async fn sign_in_by_passkey(
        &self,
        used: PasskeyUse,
        sign_in: NewSignIn,
    ) -> Result<(), StoreError> {
        self.database
            .write(move |tx| boxed(sign_in::by_passkey(tx, used, sign_in)))
            .await
    }

    async fn sign_in_by_code(
        &self,
        alias: String,
        code: [u8; 32],
        sign_in: NewSignIn,
    ) -> Result<AccountId, StoreError> {
        self.database
            .write_and_tell(move |tx| boxed(sign_in::by_code(tx, alias, code, sign_in)))
            .await
    }

    async fn signed_in(&self, hash: [u8; 32]) -> Result<Option<SignInRecord>, StoreError> {
        sign_in::find(&mut self.database.reader().await?, hash).await
    }

    async fn seen(&self, hash: [u8; 32], at: Timestamp) -> Result<(), StoreError> {
        self.database
            .write(move |tx| boxed(sign_in::seen(tx, hash, at)))
            .await
    }

    async fn sign_out(&self, hash: [u8; 32]) -> Result<(), StoreError> {
        self.database
            .write(move |tx| boxed(sign_in::end(tx, hash)))
            .await
    }

    async fn replace_codes(
        &self,
        account: AccountId,
        codes: Vec<[u8; 32]>,
        sign_in: [u8; 32],
        at: Timestamp,
    ) -> Result<(), StoreError> {
        self.database
            .write_and_tell(move |tx| boxed(keys::replace_codes(tx, account, codes, sign_in, at)))
            .await
    }

    async fn codes_left(&self, account: AccountId) -> Result<u64, StoreError> {
        keys::codes_left(&mut self.database.reader().await?, account).await
    }

    async fn replace_link_code(
        &self,
        account: AccountId,
        code: [u8; 32],
        expires_at: Timestamp,
    ) -> Result<(), StoreError> {
        self.database
            .write(move |tx| boxed(keys::replace_link_code(tx, account, code, expires_at)))
            .await
    }

    async fn agree(&self, account: AccountId, consent: Consent) -> Result<(), StoreError> {
        self.database
            .write(move |tx| {
                boxed(async move {
                    account::lock(tx, account).await?;
                    account::agree(tx, account, &consent).await
                })
            })
            .await
    }

    async fn begin_address(
        &self,
        account: AccountId,
        code: AddressCode,
        not_before: Timestamp,
    ) -> Result<(), StoreError> {
        self.database
            .write(move |tx| boxed(address::begin(tx, account, code, not_before)))
            .await
    }

    async fn confirm_address(
        &self,
        account: AccountId,
        code: [u8; 32],
        tries: u32,
        consent: Consent,
    ) -> Result<(), StoreError> {
        // A wrong code is written down, so its transaction is one that goes well.
        let confirmed = self
            .database
            .write_and_tell(move |tx| boxed(address::confirm(tx, account, code, tries, consent)))
            .await?;
        confirmed.then_some(()).ok_or(StoreError::AddressCode)
    }

    async fn waiting_address(
        &self,
        account: AccountId,
        now: Timestamp,
    ) -> Result<Option<String>, StoreError> {
        address::waiting(&mut self.database.reader().await?, account, now).await
    }

    async fn remove_address(&self, account: AccountId, at: Timestamp) -> Result<(), StoreError> {
        self.database
            .write_and_tell(move |tx| boxed(address::remove(tx, account, at)))
            .await
    }

    async fn delete(
        &self,
        account: AccountId,
        tombstone: String,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        self.database
            .write_and_tell(move |tx| boxed(end::delete(tx, account, tombstone, at)))
            .await
    }

    async fn purge(&self, now: Timestamp, idle: Timestamp) -> Result<Purged, StoreError> {
        let mut purged = self
            .database
            .write(move |tx| boxed(end::purge(tx, now, idle)))
            .await?;
        purged.shells = self
            .database
            .write(move |tx| boxed(end::purge_shells(tx)))
            .await?;
        Ok(purged)
    }
}

#[cfg(test)]
mod tests;
