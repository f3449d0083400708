//! The end of a unit, or of one of its storages.

use std::collections::BTreeSet;

use notices::{Fact, NewNotice, Part};
use sci::UnitId;
use wallet_provider::{
    EntryName, FoundByEntry, Keys, RequestedRevocation, Revocation, RevocationReason, Revoked,
    SpentPidRequest, Storage, StorageRevocation, StoreError, UnitState,
};

use super::issuance::locked_state;
use super::{rows, seconds, signed};
use crate::sql::{Connection, query};

/// What `freeze_due` says.
const NOTHING: i64 = 0;
pub(super) const FREEZE: i64 = 1;
const RETIRE: i64 = 2;

pub(crate) async fn revoke(
    tx: &mut Connection,
    revocation: Revocation,
) -> Result<Revoked, StoreError> {
    let revoked = revoke_all(tx, &[revocation]).await?;
    revoked.into_iter().next().ok_or(StoreError::UnitUnknown)
}

/// Revokes units, which come in the order of their identifiers. All units are locked
/// before any list is, and the lists in their order: of two transactions at once, one
/// waits for the other, and not each for the other.
pub(super) async fn revoke_all(
    tx: &mut Connection,
    revocations: &[Revocation],
) -> Result<Vec<Revoked>, StoreError> {
    let mut done = Vec::with_capacity(revocations.len());
    let mut lists = BTreeSet::new();
    for revocation in revocations {
        let already = match locked_state(tx, revocation.unit).await? {
            UnitState::Revoked => {
                revoke_again(tx, revocation).await?;
                true
            }
            _ => {
                end(tx, revocation).await?;
                lists.extend(lists_of(tx, revocation.unit, None).await?);
                false
            }
        };
        done.push(Revoked {
            already,
            entries: 0,
        });
    }
    mark_changed(tx, lists).await?;
    for (revocation, revoked) in revocations.iter().zip(&mut done) {
        if !revoked.already {
            revoked.entries = set_entries(tx, revocation.unit, None).await?;
        }
    }
    Ok(done)
}

/// The unit's own rows.
async fn end(tx: &mut Connection, revocation: &Revocation) -> Result<(), StoreError> {
    let id = revocation.unit.as_bytes().as_slice();
    query("UPDATE unit SET state = 'revoked', freeze_due = ? WHERE id = ?")
        .bind(due(Keys::after(revocation.reason)))
        .bind(id)
        .execute(tx)
        .await?;
    // No list has to find it any more.
    query("DELETE FROM unit_certificate WHERE unit = ?")
        .bind(id)
        .execute(tx)
        .await?;
    super::checks::forget_failed(tx, revocation.unit).await?;
    add_event(tx, UnitState::Revoked, revocation, None).await?;
    tell_user(tx, revocation, None).await
}

/// A unit that is revoked stays as it was, unless its keys could be used until now and
/// the new reason says that they must not.
async fn revoke_again(tx: &mut Connection, revocation: &Revocation) -> Result<(), StoreError> {
    let unit = revocation.unit.as_bytes().as_slice();
    let reasons: Vec<String> = query(
        "SELECT reason FROM unit_event
         WHERE unit = ? AND state = 'revoked' AND reason IS NOT NULL AND storage IS NULL",
    )
    .bind(unit)
    .all(tx)
    .await?;
    let mut keys = Keys::Usable;
    for reason in &reasons {
        let read = RevocationReason::from_name;
        let reason = rows::named("unit_event", "reason", reason, read)?;
        keys = keys.worst(Keys::after(reason));
    }
    if Keys::after(revocation.reason) <= keys {
        return Ok(());
    }
    query("UPDATE unit SET freeze_due = ? WHERE id = ?")
        .bind(FREEZE)
        .bind(unit)
        .execute(tx)
        .await?;
    add_event(tx, UnitState::Revoked, revocation, None).await?;
    tell_user(tx, revocation, None).await
}

pub(crate) async fn revoke_storage(
    tx: &mut Connection,
    revocation: StorageRevocation,
) -> Result<Revoked, StoreError> {
    let revoked = revoke_storages(tx, &[revocation]).await?;
    revoked.into_iter().next().ok_or(StoreError::UnitUnknown)
}

/// Revokes storages of units, which come in the order of their identifiers.
pub(super) async fn revoke_storages(
    tx: &mut Connection,
    revocations: &[StorageRevocation],
) -> Result<Vec<Revoked>, StoreError> {
    let mut done = Vec::with_capacity(revocations.len());
    let mut lists = BTreeSet::new();
    for StorageRevocation {
        storage,
        revocation,
    } in revocations
    {
        let unit = revocation.unit;
        let state = locked_state(tx, unit).await?;
        let ended = query(
            "UPDATE unit_storage SET revoked_at = ?, by = ?, reason = ?
             WHERE unit = ? AND storage = ? AND revoked_at IS NULL",
        )
        .bind(seconds(revocation.at))
        .bind(revocation.by.name())
        .bind(revocation.reason.name())
        .bind(unit.as_bytes())
        .bind(storage.name())
        .execute(tx)
        .await?;
        if ended == 0 {
            must_have(tx, unit, storage.name()).await?;
        } else {
            add_event(tx, state, revocation, Some(*storage)).await?;
            tell_user(tx, revocation, Some(*storage)).await?;
            lists.extend(lists_of(tx, unit, Some(storage.name())).await?);
        }
        done.push(Revoked {
            already: ended == 0,
            entries: 0,
        });
    }
    mark_changed(tx, lists).await?;
    for (asked, revoked) in revocations.iter().zip(&mut done) {
        if !revoked.already {
            let storage = Some(asked.storage.name());
            revoked.entries = set_entries(tx, asked.revocation.unit, storage).await?;
        }
    }
    Ok(done)
}

async fn must_have(tx: &mut Connection, unit: UnitId, storage: &str) -> Result<(), StoreError> {
    let found = query("SELECT 1 FROM unit_storage WHERE unit = ? AND storage = ?")
        .bind(unit.as_bytes())
        .bind(storage)
        .fetch_optional(tx)
        .await?;
    match found {
        Some(_) => Ok(()),
        None => Err(StoreError::StorageUnknown),
    }
}

/// The lists in which the unit has entries: all, or those of one storage.
pub(super) async fn lists_of(
    tx: &mut Connection,
    unit: UnitId,
    storage: Option<&str>,
) -> Result<Vec<i64>, StoreError> {
    let lists = query(
        "SELECT DISTINCT list FROM status_entry WHERE unit = ?1 AND (?2 IS NULL OR storage = ?2)",
    )
    .bind(unit.as_bytes())
    .bind(storage.map(str::to_owned));
    Ok(lists.all(tx).await?)
}

/// Sets the unit's entries, with the revision that their lists have come to: whoever
/// read a list before reads these alone. How many were not set before.
pub(super) async fn set_entries(
    tx: &mut Connection,
    unit: UnitId,
    storage: Option<&str>,
) -> Result<u64, StoreError> {
    let set = query(
        "INSERT INTO status_set (list, idx, revision)
         SELECT entry.list, entry.idx, status_list.revision
         FROM status_entry AS entry JOIN status_list ON status_list.id = entry.list
         WHERE entry.unit = ?1 AND (?2 IS NULL OR entry.storage = ?2)
         ON CONFLICT DO NOTHING",
    )
    .bind(unit.as_bytes())
    .bind(storage.map(str::to_owned));
    Ok(set.execute(tx).await?)
}

/// The lists in the order of their keys: two revocations at once wait for each other,
/// and not each for the other.
pub(super) async fn mark_changed(
    tx: &mut Connection,
    lists: BTreeSet<i64>,
) -> Result<(), StoreError> {
    for list in lists {
        query("UPDATE status_list SET revision = revision + 1 WHERE id = ?")
            .bind(list)
            .execute(tx)
            .await?;
    }
    Ok(())
}

pub(super) async fn revoke_on_request(
    tx: &mut Connection,
    request: SpentPidRequest,
    entry: EntryName,
    revocation: RequestedRevocation,
) -> Result<FoundByEntry, StoreError> {
    // One row of each PID provider, which no request has: whoever counts holds it, so
    // that two requests at once are not both the last one.
    query(
        "INSERT INTO spent_pid_request (provider, jti, forget_at) VALUES (?, '', ?)
         ON CONFLICT (provider, jti) DO UPDATE SET forget_at = excluded.forget_at",
    )
    .bind(request.provider)
    .bind(seconds(request.forget_at))
    .execute(tx)
    .await?;
    let lately: i64 = query(
        "SELECT count(*) FROM spent_pid_request
         WHERE provider = ? AND forget_at > ? AND jti <> ''",
    )
    .bind(request.provider)
    .bind(seconds(revocation.at))
    .one(tx)
    .await?;
    if rows::unsigned("spent_pid_request", "count", lately)? >= request.at_most {
        return Err(StoreError::TooManyRequests);
    }
    let spent = query(
        "INSERT INTO spent_pid_request (provider, jti, forget_at) VALUES (?, ?, ?)
         ON CONFLICT DO NOTHING",
    )
    .bind(request.provider)
    .bind(&request.jti)
    .bind(seconds(request.forget_at))
    .execute(tx)
    .await?;
    if spent == 0 {
        return Err(StoreError::Replayed);
    }
    let found: Option<Vec<u8>> = query(
        "SELECT status_entry.unit FROM status_entry
         JOIN status_list ON status_list.id = status_entry.list
         WHERE status_list.uri = ? AND status_list.kind = 'wia' AND status_entry.idx = ?",
    )
    .bind(&entry.uri)
    .bind(signed(entry.index))
    .optional(tx)
    .await?;
    let Some(unit) = found else {
        let loose = super::loose::revoke_one(tx, entry).await?;
        return Ok(loose.map_or(FoundByEntry::Nothing, FoundByEntry::Loose));
    };
    let unit = rows::unit_id("status_entry", "unit", &unit)?;
    let revoked = revoke(tx, revocation.of(unit)).await?;
    Ok(FoundByEntry::Unit(unit, revoked))
}

pub(super) async fn resting_on(
    connection: &mut Connection,
    certificates: &[[u8; 32]],
) -> Result<Vec<[u8; 32]>, StoreError> {
    let mut resting = Vec::new();
    for certificate in certificates {
        let found = query("SELECT 1 FROM unit_certificate WHERE certificate = ? LIMIT 1")
            .bind(certificate)
            .fetch_optional(connection)
            .await?;
        if found.is_some() {
            resting.push(*certificate);
        }
    }
    Ok(resting)
}

pub(super) async fn revoke_resting_on(
    tx: &mut Connection,
    certificates: Vec<[u8; 32]>,
    revocation: RequestedRevocation,
    limit: u32,
) -> Result<u64, StoreError> {
    let most = usize::try_from(limit).unwrap_or(usize::MAX);
    let mut units = BTreeSet::new();
    for certificate in certificates {
        let found: Vec<Vec<u8>> =
            query("SELECT unit FROM unit_certificate WHERE certificate = ? ORDER BY unit LIMIT ?")
                .bind(certificate)
                .bind(limit)
                .all(tx)
                .await?;
        for unit in found {
            if units.len() < most {
                units.insert(rows::unit_id("unit_certificate", "unit", &unit)?);
            }
        }
    }
    let revocations: Vec<Revocation> = units.into_iter().map(|unit| revocation.of(unit)).collect();
    let revoked = revoke_all(tx, &revocations).await?;
    let count = revoked.iter().filter(|revoked| !revoked.already).count();
    Ok(u64::try_from(count).unwrap_or(u64::MAX))
}

pub(super) async fn untold(
    connection: &mut Connection,
    after: Option<UnitId>,
    limit: u32,
) -> Result<Vec<(UnitId, Keys)>, StoreError> {
    let after = after.map_or_else(Vec::new, |unit| unit.as_bytes().to_vec());
    let found: Vec<(Vec<u8>, i64)> = query(
        "SELECT id, freeze_due FROM unit WHERE freeze_due <> 0 AND id > ? ORDER BY id LIMIT ?",
    )
    .bind(after)
    .bind(limit)
    .all(connection)
    .await?;
    found
        .into_iter()
        .map(|(id, due)| {
            let keys = if due == RETIRE {
                Keys::Usable
            } else {
                Keys::Frozen
            };
            Ok((rows::unit_id("unit", "id", &id)?, keys))
        })
        .collect()
}

/// Writes a line of the unit's history.
async fn add_event(
    tx: &mut Connection,
    state: UnitState,
    revocation: &Revocation,
    storage: Option<Storage>,
) -> Result<(), StoreError> {
    query(
        "INSERT INTO unit_event (unit, at_ms, state, by, reason, name, storage)
         VALUES (?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(revocation.unit.as_bytes())
    .bind(revocation.at.as_millisecond())
    .bind(state.name())
    .bind(revocation.by.name())
    .bind(revocation.reason.name())
    .bind(revocation.name.clone())
    .bind(storage.map(|storage| storage.name().to_owned()))
    .execute(tx)
    .await?;
    Ok(())
}

/// Puts what the user is told into the outbox.
async fn tell_user(
    tx: &mut Connection,
    revocation: &Revocation,
    storage: Option<Storage>,
) -> Result<(), StoreError> {
    let (by, reason) = (revocation.by, revocation.reason);
    // What is no advisory's name was refused where it came in.
    let advisory = revocation.advisory.as_deref();
    let advisory = advisory.and_then(|name| name.parse().ok());
    let fact = match storage {
        None => Fact::UnitRevoked {
            by,
            reason,
            keys: match Keys::after(reason) {
                Keys::Usable => notices::Keys::Usable,
                Keys::Frozen => notices::Keys::Frozen,
            },
            advisory,
        },
        Some(storage) => Fact::KeysRevoked {
            part: match storage {
                Storage::Wscd => Part::Wscd,
                Storage::Keystore => Part::Keystore,
            },
            by,
            reason,
            advisory,
        },
    };
    let notice = NewNotice::of_unit(revocation.unit, fact, revocation.at);
    Ok(crate::notices::add(tx, &notice).await?)
}

pub(super) async fn count_untold(connection: &mut Connection) -> Result<u64, StoreError> {
    let count: i64 = query("SELECT count(*) FROM unit WHERE freeze_due <> 0")
        .one(connection)
        .await?;
    rows::unsigned("unit", "freeze_due", count)
}

/// What is worse than was told by now stays due.
pub(super) async fn told(tx: &mut Connection, unit: UnitId, keys: Keys) -> Result<(), StoreError> {
    query("UPDATE unit SET freeze_due = ?1 WHERE id = ?2 AND (freeze_due = ?3 OR ?3 = ?4)")
        .bind(NOTHING)
        .bind(unit.as_bytes())
        .bind(due(keys))
        .bind(FREEZE)
        .execute(tx)
        .await?;
    Ok(())
}

fn due(keys: Keys) -> i64 {
    match keys {
        Keys::Usable => RETIRE,
        Keys::Frozen => FREEZE,
    }
}
