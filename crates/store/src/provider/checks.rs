//! Checks of wallet instances.

use crate::sql::{Connection, Query, query};
use jiff::Timestamp;
use sci::UnitId;
use wallet_provider::{FailedCheck, InstanceCheck, Purpose, SpentCheck, StoreError, UnitState};

use super::issuance::{answer_challenge, locked_state, spend_request};
use super::{activation, rows, seconds};

pub(super) async fn record(tx: &mut Connection, check: InstanceCheck) -> Result<(), StoreError> {
    let unit = check.spent.unit;
    spend(tx, &check.spent).await?;
    if let Some(counter) = check.counter {
        grow_counter(tx, unit, counter).await?;
    }
    if let Some((before, now)) = check.evidence {
        let changed = query("UPDATE unit SET evidence = ? WHERE id = ? AND evidence = ?")
            .bind(now)
            .bind(unit.as_bytes().as_slice())
            .bind(before)
            .execute(tx)
            .await?;
        if changed == 0 {
            return Err(StoreError::UnitChanged);
        }
    }
    if let Some(level) = check.patch_level {
        query("UPDATE unit SET patch_level = ? WHERE id = ?")
            .bind(level)
            .bind(unit.as_bytes().as_slice())
            .execute(tx)
            .await?;
    }
    activation::keep_certificates(tx, unit, &check.certificates).await?;
    // Sound again.
    forget_failed(tx, unit).await?;
    checked(tx, unit, check.spent.at).await
}

/// A check that the unit's device failed, and has not passed since.
pub(super) fn failed_one(unit: UnitId) -> Query {
    query("SELECT 1 FROM failed_check WHERE unit = ?").bind(unit.as_bytes())
}

pub(super) async fn record_failed(
    tx: &mut Connection,
    spent: SpentCheck,
    why: String,
) -> Result<(), StoreError> {
    spend(tx, &spent).await?;
    query("INSERT INTO failed_check (unit, at, why) VALUES (?, ?, ?) ON CONFLICT DO NOTHING")
        .bind(spent.unit.as_bytes().as_slice())
        .bind(seconds(spent.at))
        .bind(why)
        .execute(tx)
        .await?;
    Ok(())
}

pub(super) async fn failed(
    connection: &mut Connection,
    limit: u32,
) -> Result<Vec<FailedCheck>, StoreError> {
    let found: Vec<(Vec<u8>, i64, String)> =
        query("SELECT unit, at, why FROM failed_check ORDER BY at, unit LIMIT ?")
            .bind(limit)
            .all(connection)
            .await?;
    found
        .into_iter()
        .map(|(unit, at, why)| {
            Ok(FailedCheck {
                unit: rows::unit_id("failed_check", "unit", &unit)?,
                at: rows::time("failed_check", "at", at)?,
                why,
            })
        })
        .collect()
}

/// Nothing more has to come of it.
pub(super) async fn forget_failed(tx: &mut Connection, unit: UnitId) -> Result<(), StoreError> {
    query("DELETE FROM failed_check WHERE unit = ?")
        .bind(unit.as_bytes().as_slice())
        .execute(tx)
        .await?;
    Ok(())
}

pub(super) async fn counter(
    connection: &mut Connection,
    unit: UnitId,
) -> Result<Option<u32>, StoreError> {
    let found: Option<i64> = query("SELECT counter FROM assertion_counter WHERE unit = ?")
        .bind(unit.as_bytes().as_slice())
        .optional(connection)
        .await?;
    found
        .map(|counter| {
            u32::try_from(counter)
                .map_err(|_| rows::damaged("assertion_counter", "counter", "is out of range"))
        })
        .transpose()
}

/// Of two assertions at once, the one with the lower counter is refused where the other
/// came first.
pub(super) async fn grow_counter(
    tx: &mut Connection,
    unit: UnitId,
    counter: u32,
) -> Result<(), StoreError> {
    let grown = query(
        "INSERT INTO assertion_counter (unit, counter) VALUES (?, ?)
         ON CONFLICT (unit) DO UPDATE SET counter = excluded.counter
         WHERE assertion_counter.counter < excluded.counter",
    )
    .bind(unit.as_bytes().as_slice())
    .bind(counter)
    .execute(tx)
    .await?;
    match grown {
        0 => Err(StoreError::CounterBack),
        _ => Ok(()),
    }
}

/// The time of the last check never goes back.
pub(super) async fn checked(
    tx: &mut Connection,
    unit: UnitId,
    at: Timestamp,
) -> Result<(), StoreError> {
    query(
        "UPDATE unit SET checked_at = ?2
         WHERE id = ?1 AND (checked_at IS NULL OR checked_at < ?2)",
    )
    .bind(unit.as_bytes().as_slice())
    .bind(seconds(at))
    .execute(tx)
    .await?;
    Ok(())
}

async fn spend(tx: &mut Connection, spent: &SpentCheck) -> Result<(), StoreError> {
    let state = locked_state(tx, spent.unit).await?;
    spend_request(tx, spent.unit, &spent.request).await?;
    match state {
        UnitState::Operational => {}
        other => return Err(StoreError::UnitState(other)),
    }
    match spent.nonce {
        Some(nonce) => answer_challenge(tx, nonce, Purpose::Statement(spent.unit), spent.at).await,
        None => Ok(()),
    }
}
