//! The WSCDs and keystores of units, and their types.

use crate::sql::{Connection, query};
use jiff::Timestamp;
use sci::UnitId;
use wallet_provider::{
    KeyStorage, Storage, StorageRecord, StoreError, TypeRevocation, TypeRevoked,
};

use super::revocation::mark_changed;
use super::{rows, seconds};

/// Takes note that the unit has attested keys in a storage, if neither that nor its type
/// is revoked. It stays so until the transaction ends: a revocation of the type waits.
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
        Some((name, None)) if name == storage.type_name => Ok(()),
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

/// First the type, then the units' storages: whoever issues meanwhile either waits for
/// one of the two and is refused, or is waited for and found.
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
    storage: Storage,
    name: &str,
    why: Option<(&str, &str)>,
    at: Timestamp,
) -> Result<TypeRevoked, StoreError> {
    if locked_type(tx, storage, name).await?.is_some() {
        return Ok(TypeRevoked::default());
    }
    let kind = storage.name();
    let by = why.map(|(by, _)| by.to_owned());
    let reason = why.map(|(_, reason)| reason.to_owned());
    query(
        "UPDATE storage_type SET revoked_at = ?, by = ?, reason = ?
         WHERE storage = ? AND type = ?",
    )
    .bind(seconds(at))
    .bind(by.clone())
    .bind(reason.clone())
    .bind(kind)
    .bind(name)
    .execute(tx)
    .await?;
    let units = query(
        "UPDATE unit_storage SET revoked_at = ?, by = ?, reason = ?
         WHERE storage = ? AND type = ? AND revoked_at IS NULL",
    )
    .bind(seconds(at))
    .bind(by)
    .bind(reason)
    .bind(kind)
    .bind(name)
    .execute(tx)
    .await?;
    let changed = "SELECT list FROM storage_type
         WHERE storage = ?1 AND type = ?2 AND list IS NOT NULL
         UNION
         SELECT entry.list FROM status_entry AS entry
         JOIN unit_storage AS held ON held.unit = entry.unit AND held.storage = entry.storage
         WHERE held.storage = ?1 AND held.type = ?2";
    let lists: Vec<i64> = query(changed).bind(kind).bind(name).all(tx).await?;
    mark_changed(tx, lists.into_iter().collect()).await?;
    let entries = query(
        "INSERT INTO status_set (list, idx, revision)
         SELECT chosen.list, chosen.idx, status_list.revision FROM (
             SELECT list, idx FROM storage_type
             WHERE storage = ?1 AND type = ?2 AND list IS NOT NULL
             UNION
             SELECT entry.list, entry.idx FROM status_entry AS entry
             JOIN unit_storage AS held
               ON held.unit = entry.unit AND held.storage = entry.storage
             WHERE held.storage = ?1 AND held.type = ?2
         ) AS chosen JOIN status_list ON status_list.id = chosen.list
         WHERE TRUE
         ON CONFLICT DO NOTHING",
    )
    .bind(kind)
    .bind(name)
    .execute(tx)
    .await?;
    Ok(TypeRevoked { units, entries })
}
