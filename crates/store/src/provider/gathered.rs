//! Issuances of WIAs that wait for PostgreSQL at the same time, recorded together: one
//! way there and back for each step serves all of them, and so does the commit.
//!
//! They are recorded all or none. Where one of them is refused, or somebody else holds its
//! unit, nothing is kept, and each is recorded by itself, by what says why
//! ([`issuance::issue`]).

use std::collections::BTreeSet;
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};
use wallet_provider::{Issuance, StoreError};

use super::{boxed, issuance, seconds, signed};
use crate::db::Measured;
use crate::group::in_groups;
use crate::sql::Connection;
use crate::{Database, Error};

/// How many are recorded together at most.
const GROUP: usize = 64;

/// The queue's near end.
#[derive(Debug, Clone)]
pub(super) struct Gathered {
    waiting: mpsc::Sender<Waiting>,
}

#[derive(Debug)]
struct Waiting {
    issuance: Issuance,
    tell: oneshot::Sender<Result<(), StoreError>>,
}

/// Whether an issuance is one of those that are alike: keys of WIAs, and an entry each.
pub(super) fn takes(issuance: &Issuance) -> bool {
    let Issuance {
        unit: _,
        request: _,
        nonce: None,
        keys,
        instance_keys: _,
        entries: _,
        holder: None,
        storage: None,
        certificates,
        counter: None,
        at: _,
    } = issuance
    else {
        return false;
    };
    keys.is_empty() && certificates.is_empty()
}

impl Gathered {
    /// Starts the task that records. It ends when the last `Gathered` is dropped.
    pub(super) fn start(database: Database) -> Self {
        let waiting = in_groups(GROUP, move |group| {
            tokio::spawn(record(database.clone(), group))
        });
        Self { waiting }
    }

    /// Records an issuance that [`takes`] takes. Dropping the returned future does not
    /// undo it.
    pub(super) async fn issue(&self, issuance: Issuance) -> Result<(), StoreError> {
        let _measured = Measured::begin();
        let (tell, told) = oneshot::channel();
        let waiting = Waiting { issuance, tell };
        let queued = self.waiting.send(waiting).await;
        queued.map_err(|_| StoreError::from(Error::Closed))?;
        told.await.map_err(|_| Error::Abandoned)?
    }
}

async fn record(database: Database, group: Vec<Waiting>) {
    if let [_, _, ..] = group.as_slice() {
        let all = Columns::of(&group);
        let done = database.write_unmeasured(move |tx| boxed(all.put(tx)));
        let failed = match done.await {
            Ok(()) => None,
            Err(error) => match severed(error) {
                Some(error) => Some(Arc::new(error)),
                None => return one_by_one(&database, group),
            },
        };
        for waiting in group {
            // The caller may have gone; the record stands all the same.
            let _ = waiting.tell.send(match &failed {
                None => Ok(()),
                Some(error) => Err(Error::Commit(Arc::clone(error)).into()),
            });
        }
        return;
    }
    one_by_one(&database, group);
}

/// What is no refusal of a statement: then it is not known whether the group was recorded,
/// or the database is away, and to try each by itself helps nobody.
fn severed(error: StoreError) -> Option<Error> {
    let StoreError::Failed(error) = error else {
        return None;
    };
    match *error.downcast::<Error>().ok()? {
        Error::Sql(sqlx::Error::Database(_)) => None,
        error => Some(error),
    }
}

fn one_by_one(database: &Database, group: Vec<Waiting>) {
    for waiting in group {
        let database = database.clone();
        tokio::spawn(async move {
            let Waiting { issuance, tell } = waiting;
            let write = database.write_unmeasured(move |tx| boxed(issuance::issue(tx, issuance)));
            let _ = tell.send(write.await);
        });
    }
}

/// The rows of all issuances of a group, column by column.
#[derive(Debug, Default)]
struct Columns {
    /// The units, each once.
    units: BTreeSet<Vec<u8>>,
    spent_units: Vec<Vec<u8>>,
    spent_jtis: Vec<String>,
    spent_ends: Vec<i64>,
    keys: Vec<Vec<u8>>,
    key_ends: Vec<i64>,
    attested: Vec<Vec<u8>>,
    lists: Vec<i64>,
    indices: Vec<i64>,
    entry_units: Vec<Vec<u8>>,
    entry_ends: Vec<i64>,
}

impl Columns {
    fn of(group: &[Waiting]) -> Self {
        let mut all = Self::default();
        for Waiting { issuance, .. } in group {
            let unit = issuance.unit.as_bytes().to_vec();
            all.units.insert(unit.clone());
            all.spent_jtis.push(issuance.request.jti.clone());
            all.spent_ends.push(seconds(issuance.request.forget_at));
            let forget_at = issuance::keys_end(issuance);
            for thumbprint in &issuance.instance_keys {
                all.keys
                    .push(issuance::instance_key_hash(thumbprint).to_vec());
                all.key_ends.push(forget_at);
                all.attested
                    .push(issuance::attested_key_hash(thumbprint).to_vec());
            }
            for entry in &issuance.entries {
                all.lists.push(entry.list);
                all.indices.push(signed(entry.index));
                all.entry_units.push(unit.clone());
                all.entry_ends.push(seconds(entry.maintained_until));
            }
            all.spent_units.push(unit);
        }
        all
    }

    /// Records all of them, or refuses.
    async fn put(self, tx: &mut Connection) -> Result<(), StoreError> {
        let Connection::Postgres(loan) = tx else {
            return Err(StoreError::Failed("only PostgreSQL takes arrays".into()));
        };
        let units: Vec<Vec<u8>> = self.units.into_iter().collect();
        // As `issuance::issue` locks a unit; one that somebody else holds keeps none of the
        // others waiting.
        let locked = loan
            .fetch_all(
                sqlx::query(
                    "SELECT 1 FROM unit WHERE id = ANY ($1) AND state = 'operational'
                     FOR UPDATE SKIP LOCKED",
                )
                .bind(units.clone()),
            )
            .await?;
        if locked.len() != units.len() {
            return Err(refused());
        }
        let expected = [
            count(&self.spent_jtis),
            count(&self.keys),
            count(&self.indices),
            0,
            0,
        ];
        let row = loan
            .fetch_optional(
                sqlx::query(
                    "WITH spent AS (
                         INSERT INTO spent_request (unit, jti, forget_at)
                         SELECT * FROM unnest($1::bytea[], $2::text[], $3::bigint[])
                         ON CONFLICT DO NOTHING RETURNING 1
                     ), kept AS (
                         INSERT INTO instance_key (hash, forget_at)
                         SELECT * FROM unnest($4::bytea[], $5::bigint[])
                         ON CONFLICT DO NOTHING RETURNING 1
                     ), entries AS (
                         INSERT INTO status_entry (list, idx, unit, maintained_until)
                         SELECT * FROM unnest($6::bigint[], $7::bigint[], $8::bytea[], $9::bigint[])
                         ON CONFLICT DO NOTHING RETURNING 1
                     )
                     SELECT (SELECT count(*) FROM spent), (SELECT count(*) FROM kept),
                            (SELECT count(*) FROM entries),
                            (SELECT count(*) FROM failed_check WHERE unit = ANY ($10)),
                            (SELECT count(*) FROM attested_key WHERE hash = ANY ($11))",
                )
                .bind(self.spent_units)
                .bind(self.spent_jtis)
                .bind(self.spent_ends)
                .bind(self.keys)
                .bind(self.key_ends)
                .bind(self.lists)
                .bind(self.indices)
                .bind(self.entry_units)
                .bind(self.entry_ends)
                .bind(units)
                .bind(self.attested),
            )
            .await?
            .ok_or_else(refused)?;
        for (place, expected) in expected.into_iter().enumerate() {
            let found: i64 = sqlx::Row::try_get(&row, place).map_err(Error::from)?;
            if found != expected {
                return Err(refused());
            }
        }
        Ok(())
    }
}

fn count<T>(all: &[T]) -> i64 {
    i64::try_from(all.len()).unwrap_or(i64::MAX)
}

/// One of them is refused; which, and why, is said when each is recorded by itself.
fn refused() -> StoreError {
    StoreError::UnitChanged
}
