//! The end of an account, and of whatever has a time.

use accounts::{AccountId, Purged, StoreError};
use jiff::Timestamp;

use super::{account, seconds};
use crate::notices;
use crate::provider::forgetting::forget_unit;
use crate::sql::{Connection, query};

/// The account is locked from its first statement on, as it is by an activation that
/// brings a unit in: either that sees no account any more, or this sees the unit.
pub(super) async fn delete(
    tx: &mut Connection,
    account: AccountId,
    tombstone: String,
    at: Timestamp,
) -> Result<(), StoreError> {
    account::lock(tx, account).await?;
    let living: i64 = query("SELECT count(*) FROM unit WHERE account = ? AND state <> 'revoked'")
        .bind(account.0)
        .one(tx)
        .await?;
    if living > 0 {
        return Err(StoreError::InUse);
    }
    notices::account_ends(tx, account.0, at).await?;
    for statement in [
        "DELETE FROM passkey WHERE account = ?",
        "DELETE FROM recovery_code WHERE account = ?",
        "DELETE FROM sign_in WHERE account = ?",
        "DELETE FROM link_code WHERE account = ?",
        "DELETE FROM address_code WHERE account = ?",
        "DELETE FROM consent WHERE account = ?",
    ] {
        query(statement).bind(account.0).execute(tx).await?;
    }
    query(
        "UPDATE account SET alias = ?, handle = NULL, language = 'en', email = NULL,
                            email_confirmed_at = NULL, deleted_at = ?
         WHERE id = ?",
    )
    .bind(tombstone)
    .bind(seconds(at))
    .bind(account.0)
    .execute(tx)
    .await?;
    Ok(())
}

pub(super) async fn purge(
    tx: &mut Connection,
    now: Timestamp,
    idle: Timestamp,
) -> Result<Purged, StoreError> {
    let mut purged = Purged::default();
    for statement in [
        "DELETE FROM ceremony WHERE expires_at <= ?",
        "DELETE FROM link_code WHERE expires_at <= ?",
        "DELETE FROM address_code WHERE expires_at <= ?",
    ] {
        purged.ended += query(statement).bind(seconds(now)).execute(tx).await?;
    }
    purged.sign_ins = query("DELETE FROM sign_in WHERE ends_at <= ? OR seen_at < ?")
        .bind(seconds(now))
        .bind(seconds(idle))
        .execute(tx)
        .await?;
    Ok(purged)
}

/// How many shells go at once.
const SHELLS: i64 = 100;

/// Takes away the shells of deleted accounts, with their units, once nothing refers to
/// these: no status entry is maintained any more, and the WSCA knows of their end.
pub(super) async fn purge_shells(tx: &mut Connection) -> Result<u64, StoreError> {
    let shells: Vec<i64> = query(
        "SELECT id FROM account
         WHERE deleted_at IS NOT NULL AND NOT EXISTS (
             SELECT 1 FROM unit WHERE unit.account = account.id AND (
                 unit.freeze_due <> 0 OR EXISTS (
                     SELECT 1 FROM status_entry WHERE status_entry.unit = unit.id)))
         ORDER BY id LIMIT ?",
    )
    .bind(SHELLS)
    .all(tx)
    .await?;
    for shell in &shells {
        let units: Vec<Vec<u8>> = query("SELECT id FROM unit WHERE account = ? ORDER BY id")
            .bind(*shell)
            .all(tx)
            .await?;
        for unit in &units {
            forget_unit(tx, unit).await?;
        }
        query("DELETE FROM account WHERE id = ?")
            .bind(*shell)
            .execute(tx)
            .await?;
    }
    Ok(shells.len() as u64)
}
