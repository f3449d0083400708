//! Status entries that are used again: for one issuer, or for a type of storage.

use crate::sql::{Connection, Together, query};
use sci::UnitId;
use wallet_provider::{HeldEntry, Holder, Issuance, NewEntry, Storage, StoreError};

use super::issuance::add_entry;
use super::{rows, seconds, signed};

/// The entry that is kept for the holder.
pub(super) async fn find(
    connection: &mut Connection,
    unit: UnitId,
    holder: &Holder,
) -> Result<Option<HeldEntry>, StoreError> {
    let found = match holder {
        Holder::Issuer { scope, about, .. } => query(
            "SELECT held.list, held.idx, held.maintained_until, status_list.uri
             FROM issuer_scope AS held JOIN status_list ON status_list.id = held.list
             WHERE held.unit = ? AND held.scope = ? AND held.about = ?",
        )
        .bind(unit.as_bytes().as_slice())
        .bind(scope)
        .bind(about_name(*about)),
        Holder::StorageType { kind, name } => query(
            "SELECT held.list, held.idx, held.maintained_until, status_list.uri
             FROM storage_type AS held JOIN status_list ON status_list.id = held.list
             WHERE held.storage = ? AND held.type = ?",
        )
        .bind(kind.name())
        .bind(name),
    };
    let found: Option<(i64, i64, i64, String)> = found.optional(connection).await?;
    found
        .map(|(list, index, maintained_until, uri)| {
            Ok(HeldEntry {
                entry: NewEntry {
                    list,
                    index: rows::unsigned("held entry", "idx", index)?,
                    maintained_until: rows::time("held entry", "until", maintained_until)?,
                },
                uri,
            })
        })
        .transpose()
}

/// Takes note of the issuance's entry for its holder, or sees that it is the one that is
/// kept; its maintenance lasts as long as the issuance's from now on.
pub(super) async fn keep(
    tx: &mut Connection,
    issuance: &Issuance,
    holder: &Holder,
) -> Result<(), StoreError> {
    let [entry] = issuance.entries.as_slice() else {
        let what = "an issuance for a holder has one entry";
        return Err(StoreError::Failed(what.into()));
    };
    match holder {
        Holder::Issuer { scope, about, most } => {
            keep_for_issuer(tx, issuance, entry, scope, *about, *most).await
        }
        Holder::StorageType { kind, name } => keep_for_type(tx, entry, *kind, name).await,
    }
}

/// The unit's row is locked already: nobody else adds a scope of its meanwhile.
async fn keep_for_issuer(
    tx: &mut Connection,
    issuance: &Issuance,
    entry: &NewEntry,
    scope: &[u8; 32],
    about: Option<Storage>,
    most: u32,
) -> Result<(), StoreError> {
    let id = issuance.unit.as_bytes().as_slice();
    let kept: Option<(i64, i64, i64)> = query(
        "SELECT list, idx, maintained_until FROM issuer_scope
         WHERE unit = ? AND scope = ? AND about = ?",
    )
    .bind(id)
    .bind(scope)
    .bind(about_name(about))
    .optional(tx)
    .await?;
    let until = seconds(entry.maintained_until);
    let Some((list, index, so_far)) = kept else {
        let scopes: i64 = query("SELECT count(*) FROM issuer_scope WHERE unit = ? AND about = ?")
            .bind(id)
            .bind(about_name(about))
            .one(tx)
            .await?;
        if scopes >= i64::from(most) {
            return Err(StoreError::TooManyScopes(most));
        }
        let mut entries = Together::default();
        add_entry(
            &mut entries,
            issuance.unit,
            entry,
            issuance.storage.as_ref(),
        );
        entries.put(tx).await?;
        query(
            "INSERT INTO issuer_scope (unit, scope, about, list, idx, maintained_until)
             VALUES (?, ?, ?, ?, ?, ?)",
        )
        .bind(id)
        .bind(scope)
        .bind(about_name(about))
        .bind(entry.list)
        .bind(signed(entry.index))
        .bind(until)
        .execute(tx)
        .await?;
        return Ok(());
    };
    if (list, index) != (entry.list, signed(entry.index)) {
        return Err(StoreError::EntryMoved);
    }
    if so_far >= until {
        return Ok(());
    }
    query("UPDATE issuer_scope SET maintained_until = ? WHERE list = ? AND idx = ?")
        .bind(until)
        .bind(list)
        .bind(index)
        .execute(tx)
        .await?;
    // The entry is the unit's own, whatever stands beside it.
    let moved = query(
        "UPDATE status_entry SET maintained_until = ? WHERE list = ? AND idx = ? AND unit = ?",
    )
    .bind(until)
    .bind(list)
    .bind(index)
    .bind(id)
    .execute(tx)
    .await?;
    if moved == 0 {
        Err(StoreError::EntryMoved)
    } else {
        Ok(())
    }
}

/// One row for all units of the type: it is written only where something changes, which
/// with rounded times is once in a while.
async fn keep_for_type(
    tx: &mut Connection,
    entry: &NewEntry,
    kind: Storage,
    name: &str,
) -> Result<(), StoreError> {
    let until = seconds(entry.maintained_until);
    let settled = query(
        "SELECT 1 FROM storage_type
         WHERE storage = ? AND type = ? AND list = ? AND idx = ? AND maintained_until >= ?",
    )
    .bind(kind.name())
    .bind(name)
    .bind(entry.list)
    .bind(signed(entry.index))
    .bind(until)
    .fetch_optional(tx)
    .await?;
    if settled.is_some() {
        return Ok(());
    }
    let kept = query(
        "UPDATE storage_type SET list = ?3, idx = ?4,
                maintained_until = CASE WHEN maintained_until >= ?5 THEN maintained_until ELSE ?5 END
         WHERE storage = ?1 AND type = ?2 AND (list IS NULL OR (list = ?3 AND idx = ?4))",
    )
    .bind(kind.name())
    .bind(name)
    .bind(entry.list)
    .bind(signed(entry.index))
    .bind(until)
    .execute(tx)
    .await?;
    if kept == 0 {
        Err(StoreError::EntryMoved)
    } else {
        Ok(())
    }
}

/// Forgets what is held past its maintenance, and keys that were in WIAs of that time.
pub(super) async fn forget(tx: &mut Connection, now: i64) -> Result<(), StoreError> {
    for statement in [
        "DELETE FROM issuer_scope WHERE maintained_until <= ?",
        "DELETE FROM loose_entry WHERE maintained_until <= ?",
        "DELETE FROM instance_key WHERE forget_at <= ?",
        "UPDATE storage_type SET list = NULL, idx = NULL, maintained_until = NULL
         WHERE maintained_until <= ?",
    ] {
        query(statement).bind(now).execute(tx).await?;
    }
    Ok(())
}

fn about_name(about: Option<Storage>) -> &'static str {
    about.map_or("wia", Storage::name)
}
