//! The end of a unit.

use sci::UnitId;
use sqlx::sqlite::{SqliteConnection, SqlitePool};
use wallet_provider::UnitState;
use wallet_provider::{Revocation, Revoked, StoreError};

use super::activation::add_event;
use super::issuance::state;
use super::{rows, sql};

pub(super) async fn revoke(
    tx: &mut SqliteConnection,
    revocation: Revocation,
) -> Result<Revoked, StoreError> {
    let unit = revocation.unit;
    if state(tx, unit).await? == UnitState::Revoked {
        return Ok(Revoked {
            already: true,
            entries: 0,
        });
    }
    let id = unit.as_bytes().as_slice();
    sqlx::query("UPDATE unit SET state = 'revoked', freeze_due = 1 WHERE id = ?")
        .bind(id)
        .execute(&mut *tx)
        .await
        .map_err(sql)?;
    let why = Some((revocation.by.name(), revocation.reason.name()));
    add_event(tx, unit, UnitState::Revoked, revocation.at, why).await?;
    let set = sqlx::query(
        "INSERT INTO status_set (list, idx) SELECT list, idx FROM status_entry WHERE unit = ?
         ON CONFLICT DO NOTHING",
    )
    .bind(id)
    .execute(&mut *tx)
    .await
    .map_err(sql)?;
    sqlx::query(
        "UPDATE status_list SET revision = revision + 1
         WHERE id IN (SELECT list FROM status_entry WHERE unit = ?)",
    )
    .bind(id)
    .execute(tx)
    .await
    .map_err(sql)?;
    Ok(Revoked {
        already: false,
        entries: set.rows_affected(),
    })
}

pub(super) async fn unfrozen(pool: &SqlitePool) -> Result<Vec<UnitId>, StoreError> {
    let units: Vec<Vec<u8>> = sqlx::query_scalar("SELECT id FROM unit WHERE freeze_due = 1")
        .fetch_all(pool)
        .await
        .map_err(sql)?;
    units
        .iter()
        .map(|id| rows::unit_id("unit", "id", id))
        .collect()
}

pub(super) async fn frozen(tx: &mut SqliteConnection, unit: UnitId) -> Result<(), StoreError> {
    sqlx::query("UPDATE unit SET freeze_due = 0 WHERE id = ?")
        .bind(unit.as_bytes().as_slice())
        .execute(tx)
        .await
        .map_err(sql)?;
    Ok(())
}
