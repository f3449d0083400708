//! Accounts themselves, and what their users agreed to.

use accounts::{AccountId, Consent, NewAccount, StoreError};
use uuid::Uuid;

use super::{damaged, keys, seconds, sign_in};
use crate::sql::{Connection, query};

pub(super) async fn make(tx: &mut Connection, new: NewAccount) -> Result<AccountId, StoreError> {
    let made: Option<i64> = query(
        "INSERT INTO account (alias, handle, language, created_at) VALUES (?, ?, ?, ?)
         ON CONFLICT (alias) DO NOTHING RETURNING id",
    )
    .bind(new.alias)
    .bind(new.handle.as_bytes())
    .bind(new.language)
    .bind(seconds(new.passkey.at))
    .optional(tx)
    .await?;
    let account = AccountId(made.ok_or(StoreError::AliasTaken)?);
    keys::insert(tx, account, new.passkey).await?;
    agree(tx, account, &new.consent).await?;
    sign_in::begin(tx, account, new.sign_in).await?;
    Ok(account)
}

pub(super) async fn by_alias(
    connection: &mut Connection,
    alias: &str,
) -> Result<Option<AccountId>, StoreError> {
    let found: Option<i64> = query("SELECT id FROM account WHERE alias = ? AND deleted_at IS NULL")
        .bind(alias)
        .optional(connection)
        .await?;
    Ok(found.map(AccountId))
}

/// Locks the account: what is counted or compared of it stays so until the commit.
pub(super) async fn lock(tx: &mut Connection, account: AccountId) -> Result<(), StoreError> {
    let found = query("SELECT id FROM account WHERE id = ? AND deleted_at IS NULL")
        .bind(account.0)
        .locking()
        .fetch_optional(tx)
        .await?;
    found.map(|_| ()).ok_or(StoreError::AccountUnknown)
}

pub(super) async fn handle(
    tx: &mut Connection,
    account: AccountId,
    new: Uuid,
) -> Result<Uuid, StoreError> {
    lock(tx, account).await?;
    query("UPDATE account SET handle = ? WHERE id = ? AND handle IS NULL")
        .bind(new.as_bytes())
        .bind(account.0)
        .execute(tx)
        .await?;
    let handle: Vec<u8> = query("SELECT handle FROM account WHERE id = ?")
        .bind(account.0)
        .one(tx)
        .await?;
    Uuid::from_slice(&handle).map_err(|_| damaged("account", "handle", "is no handle"))
}

pub(super) async fn agree(
    tx: &mut Connection,
    account: AccountId,
    consent: &Consent,
) -> Result<(), StoreError> {
    query("INSERT INTO consent (account, kind, version, sha256, given_at) VALUES (?, ?, ?, ?, ?)")
        .bind(account.0)
        .bind(consent.kind.name())
        .bind(&consent.version)
        .bind(consent.sha256)
        .bind(seconds(consent.at))
        .execute(tx)
        .await?;
    Ok(())
}
