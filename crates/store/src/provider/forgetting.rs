//! Units that were installed and never completed.

use jiff::Timestamp;
use sci::UnitId;
use wallet_provider::StoreError;

use super::{rows, seconds};
use crate::Error;
use crate::sql::{Connection, query};

/// What is of a unit, in an order that its references allow.
const OF_A_UNIT: [&str; 6] = [
    "DELETE FROM unit_event WHERE unit = ?",
    "DELETE FROM unit_storage WHERE unit = ?",
    "DELETE FROM unit_certificate WHERE unit = ?",
    "DELETE FROM spent_request WHERE unit = ?",
    "DELETE FROM challenge WHERE unit = ?",
    "DELETE FROM unit WHERE id = ?",
];

pub(super) async fn forget_installed(
    tx: &mut Connection,
    before: Timestamp,
    limit: u32,
) -> Result<u64, StoreError> {
    // Locked: one that becomes operational meanwhile is not among them.
    let found: Vec<(Vec<u8>, i64)> = query(
        "SELECT id, account FROM unit WHERE state = 'installed' AND created_at < ?
         ORDER BY id LIMIT ?",
    )
    .bind(seconds(before))
    .bind(limit)
    .locking()
    .all(tx)
    .await?;
    for (unit, account) in &found {
        forget_unit(tx, unit).await?;
        forget_unused_account(tx, *account).await?;
    }
    Ok(u64::try_from(found.len()).unwrap_or(u64::MAX))
}

/// Forgets a unit here, and has the WSCA do the same.
pub(crate) async fn forget_unit(tx: &mut Connection, unit: &[u8]) -> Result<(), Error> {
    for statement in OF_A_UNIT {
        query(statement).bind(unit).execute(tx).await?;
    }
    query("INSERT INTO forgotten_unit (unit) VALUES (?) ON CONFLICT DO NOTHING")
        .bind(unit)
        .execute(tx)
        .await?;
    Ok(())
}

/// What an activation gave the account that it made.
const OF_AN_UNUSED_ACCOUNT: [&str; 3] = [
    "DELETE FROM recovery_code WHERE account = ?",
    "DELETE FROM consent WHERE account = ?",
    "DELETE FROM account WHERE id = ?",
];

/// Forgets an account without units that an activation made and that nobody ever came
/// into: no passkey, and no code but the one that the activation gave.
async fn forget_unused_account(tx: &mut Connection, account: i64) -> Result<(), StoreError> {
    let unused = query(
        "SELECT 1 FROM account
         WHERE id = ? AND deleted_at IS NULL
           AND NOT EXISTS (SELECT 1 FROM unit WHERE unit.account = account.id)
           AND NOT EXISTS (SELECT 1 FROM passkey WHERE passkey.account = account.id)
           AND EXISTS (SELECT 1 FROM recovery_code AS code
                       WHERE code.account = account.id AND first = 1 AND used_at IS NULL)",
    )
    .bind(account)
    .locking()
    .fetch_optional(tx)
    .await?;
    if unused.is_some() {
        for statement in OF_AN_UNUSED_ACCOUNT {
            query(statement).bind(account).execute(tx).await?;
        }
    }
    Ok(())
}

pub(super) async fn forgotten(
    connection: &mut Connection,
    limit: u32,
) -> Result<Vec<UnitId>, StoreError> {
    let units: Vec<Vec<u8>> = query("SELECT unit FROM forgotten_unit ORDER BY unit LIMIT ?")
        .bind(limit)
        .all(connection)
        .await?;
    units
        .iter()
        .map(|unit| rows::unit_id("forgotten_unit", "unit", unit))
        .collect()
}

pub(super) async fn destroyed(tx: &mut Connection, unit: UnitId) -> Result<(), StoreError> {
    query("DELETE FROM forgotten_unit WHERE unit = ?")
        .bind(unit.as_bytes())
        .execute(tx)
        .await?;
    Ok(())
}

pub(super) async fn forget_pid_requests(
    tx: &mut Connection,
    now: Timestamp,
) -> Result<u64, StoreError> {
    let done = query("DELETE FROM spent_pid_request WHERE forget_at <= ?")
        .bind(seconds(now))
        .execute(tx)
        .await?;
    Ok(done)
}
