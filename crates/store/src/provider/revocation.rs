//! The end of a unit.

use crate::sql::{Connection, query};
use notices::{Fact, Keys, NewNotice};
use sci::UnitId;
use wallet_provider::UnitState;
use wallet_provider::{Revocation, Revoked, StoreError};

use super::activation::add_event;
use super::issuance::locked_state;
use super::rows;

pub(crate) async fn revoke(
    tx: &mut Connection,
    revocation: Revocation,
) -> Result<Revoked, StoreError> {
    let unit = revocation.unit;
    if locked_state(tx, unit).await? == UnitState::Revoked {
        return Ok(Revoked {
            already: true,
            entries: 0,
        });
    }
    let id = unit.as_bytes().as_slice();
    query("UPDATE unit SET state = 'revoked', freeze_due = 1 WHERE id = ?")
        .bind(id)
        .execute(tx)
        .await?;
    let why = Some((revocation.by.name(), revocation.reason.name()));
    add_event(tx, unit, UnitState::Revoked, revocation.at, why).await?;
    crate::notices::add(tx, &notice(&revocation)).await?;
    let set = query(
        "INSERT INTO status_set (list, idx) SELECT list, idx FROM status_entry WHERE unit = ?
         ON CONFLICT DO NOTHING",
    )
    .bind(id)
    .execute(tx)
    .await?;
    // The lists in the order of their keys: two revocations at once wait for each
    // other, and not each for the other.
    query(
        "SELECT id FROM status_list WHERE id IN (SELECT list FROM status_entry WHERE unit = ?)
         ORDER BY id",
    )
    .bind(id)
    .locking()
    .fetch_all(tx)
    .await?;
    query(
        "UPDATE status_list SET revision = revision + 1
         WHERE id IN (SELECT list FROM status_entry WHERE unit = ?)",
    )
    .bind(id)
    .execute(tx)
    .await?;
    Ok(Revoked {
        already: false,
        entries: set,
    })
}

/// What its user is told of it.
fn notice(revocation: &Revocation) -> NewNotice {
    let fact = Fact::UnitRevoked {
        by: revocation.by,
        reason: revocation.reason,
        keys: Keys::Frozen,
        advisory: None,
    };
    NewNotice::of_unit(revocation.unit, fact, revocation.at)
}

pub(super) async fn unfrozen(connection: &mut Connection) -> Result<Vec<UnitId>, StoreError> {
    let units: Vec<Vec<u8>> = query("SELECT id FROM unit WHERE freeze_due = 1")
        .all(connection)
        .await?;
    units
        .iter()
        .map(|id| rows::unit_id("unit", "id", id))
        .collect()
}

pub(super) async fn frozen(tx: &mut Connection, unit: UnitId) -> Result<(), StoreError> {
    query("UPDATE unit SET freeze_due = 0 WHERE id = ?")
        .bind(unit.as_bytes().as_slice())
        .execute(tx)
        .await?;
    Ok(())
}
