//! The WSCDs and keystores of units, and their types.

use std::collections::BTreeSet;

use crate::sql::{Connection, query};
use jiff::Timestamp;
use sci::UnitId;
use wallet_provider::{
    KeyStorage, Storage, StorageRecord, StoreError, TypeRevocation, TypeRevoked,
};

use super::revocation::mark_changed;
use super::{rows, seconds};

/// Takes note that the unit has attested keys in a storage, if neither that nor its type
/// is revoked. The unit is locked already: who sets the entries of all units of a type
/// waits for it, and finds this one's.
pub(super) async fn use_one(
    tx: &mut Connection,
    unit: UnitId,
    storage: &KeyStorage,
    at: Timestamp,
) -> Result<(), StoreError> {
    let found: Option<(String, Option<i64>)> =
        query("SELECT type, revoked_at FROM unit_storage WHERE unit = ? AND storage = ?")
            .bind(unit.as_bytes().as_slice())
            .bind(storage.kind.name())
            .locking()
            .optional(tx)
            .await?;
    match found {
        Some((_, Some(_))) => Err(StoreError::StorageRevoked),
        Some((name, None)) if name == storage.type_name => check(tx, unit, storage).await,
        Some(_) if storage.kind == Storage::Keystore => Err(StoreError::OtherStorage),
        // The WSCA moved to another device: the unit's keys went with it.
        Some(_) => {
            lock_type(tx, storage).await?;
            query("UPDATE unit_storage SET type = ?, certification = ? WHERE unit = ? AND storage = ?")
                .bind(&storage.type_name)
                .bind(storage.certification.clone())
                .bind(unit.as_bytes().as_slice())
                .bind(storage.kind.name())
                .execute(tx)
                .await?;
            Ok(())
        }
        None => {
            lock_type(tx, storage).await?;
            query(
                "INSERT INTO unit_storage (unit, storage, type, certification, added_at)
                 VALUES (?, ?, ?, ?, ?)",
            )
            .bind(unit.as_bytes().as_slice())
            .bind(storage.kind.name())
            .bind(&storage.type_name)
            .bind(storage.certification.clone())
            .bind(seconds(at))
            .execute(tx)
            .await?;
            Ok(())
        }
    }
}

/// What [`use_one`] would answer now. It changes nothing.
pub(super) async fn check(
    tx: &mut Connection,
    unit: UnitId,
    storage: &KeyStorage,
) -> Result<(), StoreError> {
    let revoked = query(
        "SELECT 1 FROM unit_storage
         WHERE unit = ?1 AND storage = ?2 AND revoked_at IS NOT NULL
         UNION ALL
         SELECT 1 FROM storage_type
         WHERE storage = ?2 AND type = ?3 AND revoked_at IS NOT NULL",
    )
    .bind(unit.as_bytes().as_slice())
    .bind(storage.kind.name())
    .bind(&storage.type_name)
    .fetch_optional(tx)
    .await?;
    match revoked {
        Some(_) => Err(StoreError::StorageRevoked),
        None => Ok(()),
    }
}

/// The type, known and not revoked, and locked.
async fn lock_type(tx: &mut Connection, storage: &KeyStorage) -> Result<(), StoreError> {
    let (kind, name) = (storage.kind, storage.type_name.as_str());
    match locked_type(tx, kind, name).await? {
        Some(_) => Err(StoreError::StorageRevoked),
        None => Ok(()),
    }
}

/// When the type was revoked. It is made known where it is not, and locked.
async fn locked_type(
    tx: &mut Connection,
    kind: Storage,
    name: &str,
) -> Result<Option<i64>, StoreError> {
    query("INSERT INTO storage_type (storage, type) VALUES (?, ?) ON CONFLICT DO NOTHING")
        .bind(kind.name())
        .bind(name)
        .execute(tx)
        .await?;
    let revoked = query("SELECT revoked_at FROM storage_type WHERE storage = ? AND type = ?")
        .bind(kind.name())
        .bind(name)
        .locking()
        .one(tx)
        .await?;
    Ok(revoked)
}

pub(super) async fn of_unit(
    connection: &mut Connection,
    unit: UnitId,
) -> Result<Vec<StorageRecord>, StoreError> {
    type Found = (String, String, Option<String>, i64, Option<i64>);
    let found: Vec<Found> = query(
        "SELECT storage, type, certification, added_at, revoked_at FROM unit_storage
         WHERE unit = ? ORDER BY storage",
    )
    .bind(unit.as_bytes().as_slice())
    .all(connection)
    .await?;
    found
        .into_iter()
        .map(|(kind, type_name, certification, added_at, revoked_at)| {
            let time = |column, seconds| rows::time("unit_storage", column, seconds);
            Ok(StorageRecord {
                storage: KeyStorage {
                    kind: rows::named("unit_storage", "storage", &kind, Storage::from_name)?,
                    type_name,
                    certification,
                },
                added_at: time("added_at", added_at)?,
                revoked_at: revoked_at.map(|at| time("revoked_at", at)).transpose()?,
            })
        })
        .collect()
}

pub(super) async fn types(
    connection: &mut Connection,
) -> Result<Vec<(Storage, String)>, StoreError> {
    let found: Vec<(String, String)> =
        query("SELECT storage, type FROM storage_type WHERE revoked_at IS NULL ORDER BY 1, 2")
            .all(connection)
            .await?;
    let read = |(kind, name): (String, String)| {
        let kind = rows::named("storage_type", "storage", &kind, Storage::from_name)?;
        Ok((kind, name))
    };
    found.into_iter().map(read).collect()
}

pub(super) async fn count_shared(
    connection: &mut Connection,
    of: Option<(Storage, String)>,
) -> Result<u64, StoreError> {
    let (kind, name) = of.unzip();
    let count: i64 = query(
        "SELECT count(*) FROM storage_type
         WHERE revoked_at IS NULL AND list IS NOT NULL
           AND (?1 IS NULL OR storage = ?1) AND (?2 IS NULL OR type = ?2)",
    )
    .bind(kind.map(Storage::name))
    .bind(name)
    .one(connection)
    .await?;
    rows::unsigned("storage_type", "count", count)
}

/// Closes the type, and sets the entry that its units share, if they do. The units' own
/// entries are others' to set (`jobs.rs`): whoever issues meanwhile is either refused, or
/// holds its unit's lock until its entry can be found.
pub(super) async fn revoke_type(
    tx: &mut Connection,
    revocation: TypeRevocation,
) -> Result<TypeRevoked, StoreError> {
    let why = Some((revocation.by.name(), revocation.reason.name()));
    end_type(tx, revocation.kind, &revocation.name, why, revocation.at).await
}

/// As [`revoke_type`], by whomever and for whatever reason, where both are known.
pub(super) async fn end_type(
    tx: &mut Connection,
    kind: Storage,
    name: &str,
    why: Option<(&str, &str)>,
    at: Timestamp,
) -> Result<TypeRevoked, StoreError> {
    if locked_type(tx, kind, name).await?.is_some() {
        return Ok(TypeRevoked::Already);
    }
    query(
        "UPDATE storage_type SET revoked_at = ?, by = ?, reason = ?
         WHERE storage = ? AND type = ?",
    )
    .bind(seconds(at))
    .bind(why.map(|(by, _)| by))
    .bind(why.map(|(_, reason)| reason))
    .bind(kind.name())
    .bind(name)
    .execute(tx)
    .await?;
    let shared: Option<(Option<i64>, Option<i64>)> =
        query("SELECT list, idx FROM storage_type WHERE storage = ? AND type = ?")
            .bind(kind.name())
            .bind(name)
            .optional(tx)
            .await?;
    let Some((Some(list), Some(index))) = shared else {
        return Ok(TypeRevoked::Closed);
    };
    mark_changed(tx, BTreeSet::from([list])).await?;
    set_entry(tx, list, index).await?;
    Ok(TypeRevoked::ClosedAndSet)
}

/// Sets one entry, with the revision that its list has come to; how many were not set
/// before.
pub(super) async fn set_entry(
    tx: &mut Connection,
    list: i64,
    index: i64,
) -> Result<u64, StoreError> {
    let set = query(
        "INSERT INTO status_set (list, idx, revision)
         SELECT id, ?2, revision FROM status_list WHERE id = ?1
         ON CONFLICT DO NOTHING",
    );
    Ok(set.bind(list).bind(index).execute(tx).await?)
}
