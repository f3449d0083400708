//! E-mail addresses, and the codes that confirm them.

use accounts::{AccountId, AddressCode, Consent, StoreError};
use jiff::Timestamp;

use super::{account, seconds};
use crate::notices;
use crate::sql::{Connection, query};

/// An account has a letter sent once in a while, and an address gets one once in a
/// while, whoever asks.
pub(super) async fn begin(
    tx: &mut Connection,
    account: AccountId,
    new: AddressCode,
    not_before: Timestamp,
) -> Result<(), StoreError> {
    account::lock(tx, account).await?;
    let sent: i64 = query(
        "SELECT count(*) FROM address_code WHERE (account = ? OR address = ?) AND made_at > ?",
    )
    .bind(account.0)
    .bind(&new.address)
    .bind(seconds(not_before))
    .one(tx)
    .await?;
    if sent > 0 {
        return Err(StoreError::TooSoon);
    }
    query(
        "INSERT INTO address_code (account, address, hash, made_at, expires_at)
         VALUES (?, ?, ?, ?, ?)
         ON CONFLICT (account) DO UPDATE
         SET address = excluded.address, hash = excluded.hash, made_at = excluded.made_at,
             expires_at = excluded.expires_at, wrong = 0",
    )
    .bind(account.0)
    .bind(new.address)
    .bind(new.code)
    .bind(seconds(new.at))
    .bind(seconds(new.expires_at))
    .execute(tx)
    .await?;
    Ok(())
}

/// Whether the code is that of the address that waits.
pub(super) async fn confirm(
    tx: &mut Connection,
    account: AccountId,
    code: [u8; 32],
    tries: u32,
    consent: Consent,
) -> Result<bool, StoreError> {
    account::lock(tx, account).await?;
    let waiting: Option<(String, Vec<u8>)> = query(
        "SELECT address, hash FROM address_code
         WHERE account = ? AND expires_at > ? AND wrong < ?",
    )
    .bind(account.0)
    .bind(seconds(consent.at))
    .bind(tries)
    .optional(tx)
    .await?;
    let Some((address, hash)) = waiting else {
        return Ok(false);
    };
    // Hashes of a random code: how long a comparison takes tells nothing.
    if hash != code {
        query("UPDATE address_code SET wrong = wrong + 1 WHERE account = ?")
            .bind(account.0)
            .execute(tx)
            .await?;
        return Ok(false);
    }
    let before: Option<String> = query("SELECT email FROM account WHERE id = ?")
        .bind(account.0)
        .one(tx)
        .await?;
    if before.is_some_and(|before| before != address) {
        notices::address_ends(tx, account.0, consent.at).await?;
    }
    query("UPDATE account SET email = ?, email_confirmed_at = ? WHERE id = ?")
        .bind(address)
        .bind(seconds(consent.at))
        .bind(account.0)
        .execute(tx)
        .await?;
    query("DELETE FROM address_code WHERE account = ?")
        .bind(account.0)
        .execute(tx)
        .await?;
    account::agree(tx, account, &consent).await?;
    Ok(true)
}

pub(super) async fn waiting(
    connection: &mut Connection,
    account: AccountId,
    now: Timestamp,
) -> Result<Option<String>, StoreError> {
    Ok(
        query("SELECT address FROM address_code WHERE account = ? AND expires_at > ?")
            .bind(account.0)
            .bind(seconds(now))
            .optional(connection)
            .await?,
    )
}

/// That a letter was sent stays known for its pause, and not where to.
pub(super) async fn remove(
    tx: &mut Connection,
    account: AccountId,
    at: Timestamp,
) -> Result<(), StoreError> {
    account::lock(tx, account).await?;
    notices::address_ends(tx, account.0, at).await?;
    for statement in [
        "UPDATE account SET email = NULL, email_confirmed_at = NULL WHERE id = ?",
        "UPDATE address_code SET address = '', expires_at = made_at WHERE account = ?",
        "DELETE FROM consent WHERE account = ? AND kind = 'letters'",
    ] {
        query(statement).bind(account.0).execute(tx).await?;
    }
    Ok(())
}
