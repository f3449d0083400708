//! What opens an account: passkeys and recovery codes; and what brings a wallet in.

use accounts::{AccountId, NewPasskey, PasskeyRecord, StoreError};
use jiff::Timestamp;
use notices::Fact;

use super::{account, seconds, sign_in, tell, time};
use crate::sql::{Connection, query};

pub(super) async fn passkeys(
    connection: &mut Connection,
    account: AccountId,
) -> Result<Vec<PasskeyRecord>, StoreError> {
    type Kept = (Vec<u8>, String, String, i64, Option<i64>);
    let rows: Vec<Kept> = query(
        "SELECT id, name, data, created_at, used_at FROM passkey
         WHERE account = ? ORDER BY created_at, id",
    )
    .bind(account.0)
    .all(connection)
    .await?;
    rows.into_iter()
        .map(|(id, name, data, created_at, used_at)| {
            Ok(PasskeyRecord {
                id,
                name,
                data,
                created_at: time("passkey", "created_at", created_at)?,
                used_at: used_at
                    .map(|at| time("passkey", "used_at", at))
                    .transpose()?,
            })
        })
        .collect()
}

pub(super) async fn insert(
    tx: &mut Connection,
    account: AccountId,
    passkey: NewPasskey,
) -> Result<(), StoreError> {
    let inserted = query(
        "INSERT INTO passkey (id, account, name, data, created_at) VALUES (?, ?, ?, ?, ?)
         ON CONFLICT DO NOTHING",
    )
    .bind(passkey.id)
    .bind(account.0)
    .bind(passkey.name)
    .bind(passkey.data)
    .bind(seconds(passkey.at))
    .execute(tx)
    .await?;
    match inserted {
        1 => Ok(()),
        _ => Err(StoreError::PasskeyKnown),
    }
}

pub(super) async fn add(
    tx: &mut Connection,
    account: AccountId,
    passkey: NewPasskey,
    most: u32,
) -> Result<(), StoreError> {
    account::lock(tx, account).await?;
    if count_passkeys(tx, account).await? >= i64::from(most) {
        return Err(StoreError::Full);
    }
    let at = passkey.at;
    insert(tx, account, passkey).await?;
    tell(tx, account, Fact::PasskeyAdded, at).await
}

/// Whoever is signed in elsewhere may have come in with it, and has to come in again.
pub(super) async fn remove(
    tx: &mut Connection,
    account: AccountId,
    id: Vec<u8>,
    own: [u8; 32],
) -> Result<(), StoreError> {
    account::lock(tx, account).await?;
    let removed = query("DELETE FROM passkey WHERE account = ? AND id = ?")
        .bind(account.0)
        .bind(id)
        .execute(tx)
        .await?;
    if removed == 0 {
        return Err(StoreError::PasskeyUnknown);
    }
    if count_passkeys(tx, account).await? == 0 && codes_left(tx, account).await? == 0 {
        return Err(StoreError::LastWay);
    }
    sign_in::end_others(tx, account, own).await
}

pub(super) async fn count_passkeys(
    connection: &mut Connection,
    account: AccountId,
) -> Result<i64, StoreError> {
    Ok(query("SELECT count(*) FROM passkey WHERE account = ?")
        .bind(account.0)
        .one(connection)
        .await?)
}

pub(super) async fn replace_codes(
    tx: &mut Connection,
    account: AccountId,
    codes: Vec<[u8; 32]>,
    own: [u8; 32],
    at: Timestamp,
) -> Result<(), StoreError> {
    account::lock(tx, account).await?;
    query("DELETE FROM recovery_code WHERE account = ?")
        .bind(account.0)
        .execute(tx)
        .await?;
    for code in codes {
        query("INSERT INTO recovery_code (account, hash, created_at) VALUES (?, ?, ?)")
            .bind(account.0)
            .bind(code)
            .bind(seconds(at))
            .execute(tx)
            .await?;
    }
    tell(tx, account, Fact::RecoveryCodesReplaced, at).await?;
    sign_in::end_others(tx, account, own).await
}

pub(super) async fn codes_left(
    connection: &mut Connection,
    account: AccountId,
) -> Result<u64, StoreError> {
    let left: i64 =
        query("SELECT count(*) FROM recovery_code WHERE account = ? AND used_at IS NULL")
            .bind(account.0)
            .one(connection)
            .await?;
    Ok(u64::try_from(left).unwrap_or_default())
}

pub(super) async fn replace_link_code(
    tx: &mut Connection,
    account: AccountId,
    code: [u8; 32],
    expires_at: Timestamp,
) -> Result<(), StoreError> {
    account::lock(tx, account).await?;
    query(
        "INSERT INTO link_code (account, hash, expires_at) VALUES (?, ?, ?)
         ON CONFLICT (account) DO UPDATE
         SET hash = excluded.hash, expires_at = excluded.expires_at, used_by = NULL",
    )
    .bind(account.0)
    .bind(code)
    .bind(seconds(expires_at))
    .execute(tx)
    .await?;
    Ok(())
}
