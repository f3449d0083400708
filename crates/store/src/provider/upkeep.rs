//! What a check and a restore ask, and what a restore sets right.

use std::collections::BTreeSet;

use async_trait::async_trait;
use jiff::Timestamp;
use sci::UnitId;
use wallet_provider::{
    Adopted, Fault, ListState, Storage, StoreError, TakenOver, TypeRevoked, UnitCounts, UnitState,
    UpkeepStore,
};

use super::activation::add_event;
use super::revocation::{FREEZE, lists_of, mark_changed, set_entries};
use super::storages::end_type;
use super::{SqlProviderStore, boxed, lists, rows, seconds, signed};
use crate::outdated;
use crate::sql::{Connection, query};

/// How many faults of a kind are told: a database that is wholly wrong is wrong enough.
const FEW: i64 = 20;

#[async_trait]
impl UpkeepStore for SqlProviderStore {
    async fn known_lists(&self) -> Result<Vec<ListState>, StoreError> {
        lists::all(&mut self.database.reader().await?).await
    }

    async fn set_entries(&self, list: i64) -> Result<Vec<u64>, StoreError> {
        let set: Vec<i64> = query("SELECT idx FROM status_set WHERE list = ? ORDER BY idx")
            .bind(list)
            .all(&mut self.database.reader().await?)
            .await?;
        set.into_iter()
            .map(|idx| rows::unsigned("status_set", "idx", idx))
            .collect()
    }

    async fn retire(&self, at: Timestamp) -> Result<u64, StoreError> {
        self.database
            .write_in_turn(move |tx| {
                boxed(async move { Ok(outdated::retire(tx, None, at).await?) })
            })
            .await
    }

    async fn take_over(
        &self,
        list: i64,
        indices: Vec<u64>,
        at: Timestamp,
    ) -> Result<TakenOver, StoreError> {
        self.database
            .write_in_turn(move |tx| boxed(take_over(tx, list, indices, at)))
            .await
    }

    async fn adopt(&self, list: Adopted, until: Timestamp) -> Result<(), StoreError> {
        self.database
            .write_in_turn(move |tx| boxed(adopt(tx, list, until)))
            .await
    }

    async fn faults(&self) -> Result<Vec<Fault>, StoreError> {
        let mut snapshot = self.database.snapshot().await?;
        let faults = faults(snapshot.connection()).await?;
        snapshot.end().await?;
        Ok(faults)
    }

    async fn unit_counts(&self) -> Result<UnitCounts, StoreError> {
        let (units, revoked, due): (i64, i64, i64) = query(
            "SELECT count(*), count(CASE WHEN state = 'revoked' THEN 1 END),
                    count(CASE WHEN freeze_due <> 0 THEN 1 END) FROM unit",
        )
        .whole_tables()
        .one(&mut self.database.reader().await?)
        .await?;
        Ok(UnitCounts {
            units: units.unsigned_abs(),
            revoked: revoked.unsigned_abs(),
            freeze_due: due.unsigned_abs(),
        })
    }
}

/// As a revocation is done, by nobody and for no reason: both are lost.
async fn take_over(
    tx: &mut Connection,
    list: i64,
    indices: Vec<u64>,
    at: Timestamp,
) -> Result<TakenOver, StoreError> {
    let mut taken = TakenOver::default();
    let (mut units, mut storages) = (BTreeSet::new(), BTreeSet::new());
    for index in &indices {
        if take_over_shared(tx, list, *index, at, &mut taken).await? {
            continue;
        }
        let of: Option<(Vec<u8>, Option<String>)> =
            query("SELECT unit, storage FROM status_entry WHERE list = ? AND idx = ?")
                .bind(list)
                .bind(signed(*index))
                .optional(tx)
                .await?;
        match of {
            None => taken.of_nobody += 1,
            Some((unit, storage)) => {
                let unit = rows::unit_id("status_entry", "unit", &unit)?;
                match storage {
                    None => drop(units.insert(unit)),
                    Some(storage) => drop(storages.insert((unit, storage))),
                }
            }
        }
    }
    let mut changed = BTreeSet::new();
    for unit in &units {
        changed.extend(end_unit(tx, *unit, at, &mut taken).await?);
    }
    for (unit, storage) in &storages {
        changed.extend(end_storage(tx, *unit, storage, at, &mut taken).await?);
    }
    lists::set_again(tx, list, &indices, at).await?;
    taken.entries = u64::try_from(indices.len()).unwrap_or(u64::MAX);
    mark_changed(tx, changed).await?;
    for unit in &units {
        set_entries(tx, *unit, None).await?;
    }
    for (unit, storage) in &storages {
        set_entries(tx, *unit, Some(storage)).await?;
    }
    Ok(taken)
}

/// An entry that all units of a storage's type share, or one that never belonged to a
/// unit. Whether it was one of these.
async fn take_over_shared(
    tx: &mut Connection,
    list: i64,
    index: u64,
    at: Timestamp,
    taken: &mut TakenOver,
) -> Result<bool, StoreError> {
    let shared: Option<(String, String)> =
        query("SELECT storage, type FROM storage_type WHERE list = ? AND idx = ?")
            .bind(list)
            .bind(signed(index))
            .optional(tx)
            .await?;
    if let Some((storage, name)) = shared {
        let storage = rows::named("storage_type", "storage", &storage, Storage::from_name)?;
        let ended = end_type(tx, storage, &name, None, at).await?;
        taken.storages += u64::from(ended != TypeRevoked::Already);
        return Ok(true);
    }
    let loose = query("SELECT 1 FROM loose_entry WHERE list = ? AND idx = ?")
        .bind(list)
        .bind(signed(index))
        .fetch_optional(tx)
        .await?;
    Ok(loose.is_some())
}

/// The lists of its entries.
async fn end_unit(
    tx: &mut Connection,
    unit: UnitId,
    at: Timestamp,
    taken: &mut TakenOver,
) -> Result<Vec<i64>, StoreError> {
    let ended = query(
        "UPDATE unit SET state = 'revoked', freeze_due = ? WHERE id = ? AND state <> 'revoked'",
    )
    .bind(FREEZE)
    .bind(unit.as_bytes())
    .execute(tx)
    .await?;
    if ended > 0 {
        query("DELETE FROM unit_certificate WHERE unit = ?")
            .bind(unit.as_bytes())
            .execute(tx)
            .await?;
        super::checks::forget_failed(tx, unit).await?;
        add_event(tx, unit, UnitState::Revoked, at).await?;
        taken.units += 1;
    }
    lists_of(tx, unit, None).await
}

/// One of a unit that is revoked went with it.
async fn end_storage(
    tx: &mut Connection,
    unit: UnitId,
    storage: &str,
    at: Timestamp,
    taken: &mut TakenOver,
) -> Result<Vec<i64>, StoreError> {
    taken.storages += query(
        "UPDATE unit_storage SET revoked_at = ? WHERE unit = ? AND storage = ?
         AND revoked_at IS NULL
         AND EXISTS (SELECT 1 FROM unit WHERE unit.id = unit_storage.unit AND state <> 'revoked')",
    )
    .bind(seconds(at))
    .bind(unit.as_bytes())
    .bind(storage)
    .execute(tx)
    .await?;
    lists_of(tx, unit, Some(storage)).await
}

/// A closed list is forgotten some time after it was closed, and when nothing refers
/// to it. What refers to this one is not known: it counts as closed at the end of it.
async fn adopt(tx: &mut Connection, list: Adopted, until: Timestamp) -> Result<(), StoreError> {
    // No list of ours: nobody draws an index of it again.
    const NO_KEY: [u8; 8] = [0; 8];
    let id: Option<i64> = query(
        "INSERT INTO status_list (kind, name, uri, size, key_check, next_counter, closed_at)
         VALUES ('wia', ?1, ?2, ?3, ?4, ?3, ?5) ON CONFLICT DO NOTHING RETURNING id",
    )
    .bind(&list.name)
    .bind(&list.uri)
    .bind(signed(list.size))
    .bind(NO_KEY)
    .bind(seconds(until))
    .optional(tx)
    .await?;
    let Some(id) = id else {
        return Ok(());
    };
    for index in list.set {
        query("INSERT INTO status_set (list, idx, revision) VALUES (?, ?, 1)")
            .bind(id)
            .bind(signed(index))
            .execute(tx)
            .await?;
    }
    Ok(())
}

async fn faults(connection: &mut Connection) -> Result<Vec<Fault>, StoreError> {
    let mut faults = Vec::new();
    if !connection.is_postgres() {
        let said: Vec<String> = query("PRAGMA integrity_check(20)")
            .at_length()
            .all(connection)
            .await?;
        let wrong = said.into_iter().filter(|line| line != "ok");
        faults.extend(wrong.map(Fault::Integrity));
    }
    for (table, names, sql) in REFERENCES {
        let rows: i64 = query(sql).whole_tables().one(connection).await?;
        if rows > 0 {
            faults.push(Fault::Reference {
                table,
                names,
                rows: rows.unsigned_abs(),
            });
        }
    }
    let not_set: Vec<(Vec<u8>, i64, i64)> = query(
        "SELECT entry.unit, entry.list, entry.idx FROM status_entry AS entry
         JOIN unit ON unit.id = entry.unit
         LEFT JOIN unit_storage AS storage
           ON storage.unit = entry.unit AND storage.storage = entry.storage
         WHERE (unit.state = 'revoked' OR storage.revoked_at IS NOT NULL)
           AND NOT EXISTS (SELECT 1 FROM status_set AS done
                           WHERE done.list = entry.list AND done.idx = entry.idx)
         LIMIT ?",
    )
    .bind(FEW)
    .whole_tables()
    .all(connection)
    .await?;
    for (unit, list, index) in not_set {
        faults.push(Fault::NotSet {
            unit: rows::unit_id("status_entry", "unit", &unit)?,
            list,
            index: rows::unsigned("status_entry", "idx", index)?,
        });
    }
    let shared: Vec<(i64, i64)> = query(
        "SELECT type.list, type.idx FROM storage_type AS type
         WHERE type.revoked_at IS NOT NULL AND type.list IS NOT NULL
           AND NOT EXISTS (SELECT 1 FROM status_set AS done
                           WHERE done.list = type.list AND done.idx = type.idx)
         LIMIT ?",
    )
    .bind(FEW)
    .whole_tables()
    .all(connection)
    .await?;
    for (list, index) in shared {
        let index = rows::unsigned("storage_type", "idx", index)?;
        faults.push(Fault::SharedNotSet { list, index });
    }
    for sql in [
        "SELECT list, idx FROM status_entry JOIN status_list ON id = list
         WHERE idx < 0 OR idx >= size LIMIT ?",
        "SELECT list, idx FROM loose_entry JOIN status_list ON id = list
         WHERE idx < 0 OR idx >= size LIMIT ?",
        "SELECT list, idx FROM storage_type JOIN status_list ON id = list
         WHERE idx < 0 OR idx >= size LIMIT ?",
        "SELECT list, idx FROM status_set JOIN status_list ON id = list
         WHERE idx < 0 OR idx >= size LIMIT ?",
    ] {
        let wrong: Vec<(i64, i64)> = query(sql).bind(FEW).whole_tables().all(connection).await?;
        faults.extend(
            wrong
                .into_iter()
                .map(|(list, index)| Fault::Index { list, index }),
        );
    }
    // Each table has an index once; the same one can stand in two of them. An issuer's
    // entry is its unit's, and stands in both.
    let twice: Vec<(i64, i64)> = query(
        "SELECT list, idx FROM (
           SELECT list, idx FROM status_entry
           UNION ALL SELECT list, idx FROM loose_entry
           UNION ALL SELECT list, idx FROM storage_type WHERE list IS NOT NULL
         ) AS entry GROUP BY list, idx HAVING count(*) > 1 LIMIT ?",
    )
    .bind(FEW)
    .whole_tables()
    .all(connection)
    .await?;
    faults.extend(
        twice
            .into_iter()
            .map(|(list, index)| Fault::Twice { list, index }),
    );
    // A list hands out counters below the next one, each for one entry at most.
    let counters: Vec<i64> = query(
        "SELECT id FROM status_list WHERE next_counter < 0 OR next_counter > size
           OR published > revision
           OR revision < (SELECT max(revision) FROM status_set WHERE list = status_list.id)
           OR next_counter < (SELECT count(*) FROM status_entry WHERE list = status_list.id)
                           + (SELECT count(*) FROM loose_entry WHERE list = status_list.id)
                           + (SELECT count(*) FROM storage_type WHERE list = status_list.id)
         ORDER BY id LIMIT ?",
    )
    .bind(FEW)
    .whole_tables()
    .all(connection)
    .await?;
    faults.extend(counters.into_iter().map(|list| Fault::Counters { list }));
    let history: Vec<Vec<u8>> = query(
        "SELECT id FROM unit WHERE state IS DISTINCT FROM
           (SELECT state FROM unit_event WHERE unit_event.unit = unit.id
            ORDER BY unit_event.id DESC LIMIT 1)
         LIMIT ?",
    )
    .bind(FEW)
    .whole_tables()
    .all(connection)
    .await?;
    for unit in history {
        let unit = rows::unit_id("unit", "id", &unit)?;
        faults.push(Fault::History { unit });
    }
    Ok(faults)
}

/// Both databases keep these by themselves; a damaged one may not.
const REFERENCES: [(&str, &str, &str); 8] = [
    (
        "status_entry",
        "unit",
        "SELECT count(*) FROM status_entry WHERE NOT EXISTS
           (SELECT 1 FROM unit WHERE unit.id = status_entry.unit)",
    ),
    (
        "status_entry",
        "status_list",
        "SELECT count(*) FROM status_entry WHERE NOT EXISTS
           (SELECT 1 FROM status_list WHERE status_list.id = status_entry.list)",
    ),
    (
        "loose_entry",
        "status_list",
        "SELECT count(*) FROM loose_entry WHERE NOT EXISTS
           (SELECT 1 FROM status_list WHERE status_list.id = loose_entry.list)",
    ),
    (
        "issuer_scope",
        "unit",
        "SELECT count(*) FROM issuer_scope WHERE NOT EXISTS
           (SELECT 1 FROM unit WHERE unit.id = issuer_scope.unit)",
    ),
    (
        "issuer_scope",
        "status_list",
        "SELECT count(*) FROM issuer_scope WHERE NOT EXISTS
           (SELECT 1 FROM status_list WHERE status_list.id = issuer_scope.list)",
    ),
    (
        "storage_type",
        "status_list",
        "SELECT count(*) FROM storage_type WHERE list IS NOT NULL AND NOT EXISTS
           (SELECT 1 FROM status_list WHERE status_list.id = storage_type.list)",
    ),
    (
        "status_set",
        "status_list",
        "SELECT count(*) FROM status_set WHERE NOT EXISTS
           (SELECT 1 FROM status_list WHERE status_list.id = status_set.list)",
    ),
    (
        "unit_event",
        "unit",
        "SELECT count(*) FROM unit_event WHERE NOT EXISTS
           (SELECT 1 FROM unit WHERE unit.id = unit_event.unit)",
    ),
];
