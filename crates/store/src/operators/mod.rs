//! The ports of the operators: their trail, and the units they look for.

mod search;

use async_trait::async_trait;
use jiff::Timestamp;
use wallet_provider::operators::{Act, Credential, Head, OperatorRole, TrailEnds, TrailRow};
use wallet_provider::{
    EntryName, NewJob, OperatorTrail, Revocation, Revoked, StorageRevocation, StoreError,
};

use crate::provider::rows::{damaged, hash, named, unsigned};
use crate::provider::{boxed, jobs, loose, revocation, seconds, signed};
use crate::sql::{Connection, Row, query};
use crate::{Database, Error};

/// The trail of what operators did, in a [`Database`].
#[derive(Debug, Clone)]
pub struct SqlOperatorTrail {
    database: Database,
}

impl SqlOperatorTrail {
    /// The trail in `database`.
    pub fn new(database: Database) -> Self {
        Self { database }
    }
}

#[async_trait]
impl OperatorTrail for SqlOperatorTrail {
    async fn append(&self, act: Act) -> Result<TrailRow, StoreError> {
        self.database.write(move |tx| boxed(append(tx, act))).await
    }

    async fn revoke(
        &self,
        revocation: Revocation,
        act: Act,
    ) -> Result<(Revoked, TrailRow), StoreError> {
        self.database
            .write_and_tell(move |tx| {
                boxed(async move {
                    let revoked = revocation::revoke(tx, revocation).await?;
                    Ok((revoked, append(tx, act).await?))
                })
            })
            .await
    }

    async fn revoke_storage(
        &self,
        revocation: StorageRevocation,
        act: Act,
    ) -> Result<(Revoked, TrailRow), StoreError> {
        self.database
            .write_and_tell(move |tx| {
                boxed(async move {
                    let revoked = revocation::revoke_storage(tx, revocation).await?;
                    Ok((revoked, append(tx, act).await?))
                })
            })
            .await
    }

    async fn revoke_entry(
        &self,
        entry: EntryName,
        act: Act,
    ) -> Result<(u64, TrailRow), StoreError> {
        self.database
            .write(move |tx| {
                boxed(async move {
                    let set = loose::revoke_one(tx, entry).await?;
                    let set = set.ok_or(StoreError::EntryUnknown)?;
                    Ok((set, append(tx, act).await?))
                })
            })
            .await
    }

    async fn add_job(&self, job: NewJob, act: Act) -> Result<TrailRow, StoreError> {
        self.database
            .write(move |tx| {
                boxed(async move {
                    jobs::add(tx, job).await?;
                    append(tx, act).await
                })
            })
            .await
    }

    async fn rows(&self, after: u64, limit: u32) -> Result<Vec<TrailRow>, StoreError> {
        let rows =
            query("SELECT * FROM operator_trail WHERE sequence > ? ORDER BY sequence LIMIT ?")
                .bind(signed(after))
                .bind(limit)
                .fetch_all(&mut self.database.reader().await?)
                .await?;
        rows.iter().map(read).collect()
    }

    async fn ends(&self) -> Result<TrailEnds, StoreError> {
        let ends = query("SELECT * FROM operator_trail_ends")
            .fetch_one(&mut self.database.reader().await?)
            .await?;
        read_ends(&ends)
    }

    async fn forget(&self, before: Timestamp) -> Result<u64, StoreError> {
        self.database
            .write(move |tx| boxed(forget(tx, before)))
            .await
    }
}

/// Adds to the trail in a transaction that does something else besides. It comes last
/// there: until the transaction ends, nobody else adds to the trail.
pub(crate) async fn append(tx: &mut Connection, act: Act) -> Result<TrailRow, StoreError> {
    let ends = locked_ends(tx).await?;
    let row = TrailRow::after(ends.end, act);
    let TrailRow {
        sequence,
        act,
        hash,
    } = &row;
    query(
        "INSERT INTO operator_trail
         (sequence, at_ms, operator, role, credential, action, object, reason, outcome, hash)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(signed(*sequence))
    .bind(act.at.as_millisecond())
    .bind(&act.operator)
    .bind(act.role.name())
    .bind(act.by.name())
    .bind(&act.action)
    .bind(&act.object)
    .bind(act.reason.clone())
    .bind(&act.outcome)
    .bind(hash)
    .execute(tx)
    .await?;
    query("UPDATE operator_trail_ends SET sequence = ?, hash = ?")
        .bind(signed(*sequence))
        .bind(hash)
        .execute(tx)
        .await?;
    Ok(row)
}

async fn forget(tx: &mut Connection, before: Timestamp) -> Result<u64, StoreError> {
    let ends = locked_ends(tx).await?;
    // Who asked for a job is told as long as the trail tells it.
    query("UPDATE revocation_job SET name = NULL WHERE began < ? AND name IS NOT NULL")
        .bind(seconds(before))
        .execute(tx)
        .await?;
    let kept: Option<i64> = query("SELECT MIN(sequence) FROM operator_trail WHERE at_ms >= ?")
        .bind(before.as_millisecond())
        .one(tx)
        .await?;
    // The newest row stays, so that the chain's end can be seen.
    let kept = kept.unwrap_or(signed(ends.end.sequence));
    let start: Option<(i64, Vec<u8>)> = query(
        "SELECT sequence, hash FROM operator_trail WHERE sequence < ?
         ORDER BY sequence DESC LIMIT 1",
    )
    .bind(kept)
    .optional(tx)
    .await?;
    let Some((sequence, hash)) = start else {
        return Ok(0);
    };
    query("UPDATE operator_trail_ends SET start_sequence = ?, start_hash = ?")
        .bind(sequence)
        .bind(hash)
        .execute(tx)
        .await?;
    Ok(query("DELETE FROM operator_trail WHERE sequence < ?")
        .bind(kept)
        .execute(tx)
        .await?)
}

async fn locked_ends(tx: &mut Connection) -> Result<TrailEnds, StoreError> {
    let ends = query("SELECT * FROM operator_trail_ends")
        .locking()
        .fetch_one(tx)
        .await?;
    read_ends(&ends)
}

fn read_ends(row: &Row) -> Result<TrailEnds, StoreError> {
    let head = |sequence: &'static str, of_hash: &'static str| -> Result<Head, StoreError> {
        Ok(Head {
            sequence: unsigned("operator_trail_ends", sequence, row.get(sequence)?)?,
            hash: hash(
                "operator_trail_ends",
                of_hash,
                &row.get::<Vec<u8>>(of_hash)?,
            )?,
        })
    };
    Ok(TrailEnds {
        start: head("start_sequence", "start_hash")?,
        end: head("sequence", "hash")?,
    })
}

fn read(row: &Row) -> Result<TrailRow, StoreError> {
    const TABLE: &str = "operator_trail";
    let text = |column: &str| -> Result<String, Error> { row.get(column) };
    Ok(TrailRow {
        sequence: unsigned(TABLE, "sequence", row.get("sequence")?)?,
        act: Act {
            at: Timestamp::from_millisecond(row.get("at_ms")?)
                .map_err(|_| damaged(TABLE, "at_ms", "is no time"))?,
            operator: text("operator")?,
            role: named(TABLE, "role", &text("role")?, OperatorRole::from_name)?,
            by: named(
                TABLE,
                "credential",
                &text("credential")?,
                Credential::from_name,
            )?,
            action: text("action")?,
            object: text("object")?,
            reason: row.get("reason")?,
            outcome: text("outcome")?,
        },
        hash: hash(TABLE, "hash", &row.get::<Vec<u8>>("hash")?)?,
    })
}

#[cfg(test)]
mod tests;
