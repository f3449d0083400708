//! Revocations of many units, a page at a time.

use jiff::Timestamp;
use sci::UnitId;
use wallet_provider::{
    Extent, JobRecord, JobState, NewJob, Revocation, RevocationReason, Revoked, Revoker, Selector,
    Storage, StorageRevocation, StoreError,
};

use super::revocation::{revoke_all, revoke_storages};
use super::{rows, seconds, signed};
use crate::Error;
use crate::sql::{Connection, Query, Row, query};

/// How many rows are read at a time to be counted.
const COUNTED: u32 = 4096;

/// Units that a selector means, after one, as far as the database can tell: a version
/// below another is left to [`Selector::takes_version`].
macro_rules! selected {
    ($what:literal, $end:literal) => {
        concat!(
            $what,
            " FROM unit
              WHERE id > ?1 AND created_at <= ?2 AND state <> 'revoked'
                AND (?3 IS NULL OR id = ?3)
                AND (?4 IS NULL OR device_model = ?4)
                AND (?5 IS NULL OR patch_level < ?5)
                AND (?6 IS NULL OR wallet_version = ?6)
                AND (?7 IS NULL OR EXISTS (
                    SELECT 1 FROM unit_storage AS kept
                    WHERE kept.unit = unit.id AND kept.storage = 'wscd' AND kept.type = ?7))
                AND (?8 IS NULL OR EXISTS (
                    SELECT 1 FROM unit_storage AS kept
                    WHERE kept.unit = unit.id AND kept.storage = 'keystore' AND kept.type = ?8))
                AND (?9 <> 'keystore' OR EXISTS (
                    SELECT 1 FROM unit_storage AS kept
                    WHERE kept.unit = unit.id AND kept.storage = 'keystore'
                      AND kept.revoked_at IS NULL)) ",
            $end
        )
    };
}

fn bind(query: Query, selector: &Selector, extent: Extent, after: &[u8], at: i64) -> Query {
    query
        .bind(after)
        .bind(at)
        .bind(selector.unit.map(|unit| unit.as_bytes().to_vec()))
        .bind(selector.model.clone())
        .bind(selector.patch_below)
        .bind(selector.version.clone())
        .bind(selector.wscd_type.clone())
        .bind(selector.keystore_type.clone())
        .bind(extent.name())
}

pub(super) async fn count(
    connection: &mut Connection,
    selector: &Selector,
    extent: Extent,
) -> Result<u64, StoreError> {
    if selector.version_below.is_none() {
        let all = query(selected!("SELECT count(*)", "")).whole_tables();
        let count: i64 = bind(all, selector, extent, &[], i64::MAX)
            .one(connection)
            .await?;
        return rows::unsigned("unit", "count", count);
    }
    let (mut count, mut after) = (0, Vec::new());
    loop {
        let page = page(connection, selector, extent, &after, i64::MAX, COUNTED).await?;
        let Some((last, _)) = page.last() else {
            return Ok(count);
        };
        after.clone_from(last);
        for (_, version) in &page {
            count += u64::from(selector.takes_version(version));
        }
    }
}

async fn page(
    connection: &mut Connection,
    selector: &Selector,
    extent: Extent,
    after: &[u8],
    at: i64,
    limit: u32,
) -> Result<Vec<(Vec<u8>, String)>, StoreError> {
    let some = query(selected!(
        "SELECT id, wallet_version",
        "ORDER BY id LIMIT ?10"
    ));
    let some = bind(some, selector, extent, after, at)
        .bind(limit)
        .at_length();
    Ok(some.all(connection).await?)
}

pub(crate) async fn add(tx: &mut Connection, job: NewJob) -> Result<(), StoreError> {
    let selector = serde_json::to_string(&job.selector)
        .map_err(|error| StoreError::Failed(Box::new(error)))?;
    query(
        "INSERT INTO revocation_job
             (id, selector, extent, reason, advisory, name, selected, began, state)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'running')",
    )
    .bind(&job.job)
    .bind(selector)
    .bind(job.extent.name())
    .bind(job.reason.name())
    .bind(job.advisory)
    .bind(job.name)
    .bind(signed(job.selected))
    .bind(seconds(job.at))
    .execute(tx)
    .await?;
    Ok(())
}

pub(super) async fn find(
    connection: &mut Connection,
    job: &str,
) -> Result<Option<JobRecord>, StoreError> {
    let found = query("SELECT * FROM revocation_job WHERE id = ?").bind(job);
    let row = found.fetch_optional(connection).await?;
    row.as_ref().map(read).transpose()
}

pub(super) async fn newest(
    connection: &mut Connection,
    limit: u32,
) -> Result<Vec<JobRecord>, StoreError> {
    let rows = query("SELECT * FROM revocation_job ORDER BY began DESC, id LIMIT ?")
        .bind(limit)
        .fetch_all(connection)
        .await?;
    rows.iter().map(read).collect()
}

pub(super) async fn running(connection: &mut Connection) -> Result<Vec<String>, StoreError> {
    let running = query("SELECT id FROM revocation_job WHERE state = 'running' ORDER BY began, id");
    Ok(running.all(connection).await?)
}

/// The job's row is locked first, so each page is one node's, and how far the job is
/// holds with what it did.
pub(super) async fn advance(
    tx: &mut Connection,
    job: &str,
    limit: u32,
    at: Timestamp,
) -> Result<JobRecord, StoreError> {
    let row = query("SELECT * FROM revocation_job WHERE id = ?")
        .bind(job)
        .locking()
        .fetch_optional(tx)
        .await?
        .ok_or(StoreError::JobUnknown)?;
    let mut record = read(&row)?;
    if record.state == JobState::Done {
        return Ok(record);
    }
    let (after, found): (Vec<u8>, i64) = (row.get("after")?, row.get("found")?);
    let new = &record.new;
    let page = page(
        tx,
        &new.selector,
        new.extent,
        &after,
        seconds(new.at),
        limit,
    )
    .await?;
    let meant = page
        .iter()
        .filter(|(_, version)| new.selector.takes_version(version))
        .map(|(id, _)| rows::unit_id("unit", "id", id))
        .collect::<Result<Vec<_>, _>>()?;
    let revoked = end(tx, new, meant, at).await?;
    let found = found.saturating_add(signed(revoked));
    record.revoked = record.revoked.saturating_add(revoked);

    let full = u32::try_from(page.len()).is_ok_and(|len| len == limit);
    let (after, found) = match page.last() {
        // The pass goes on behind the last one that was looked at.
        Some((last, _)) if full => (last.clone(), found),
        // It is at its end. What was activated meanwhile, with an older time, is for
        // the next one; a pass that finds nothing is the last.
        _ => {
            if found == 0 {
                record.state = JobState::Done;
                record.finished = Some(at);
            }
            (Vec::new(), 0)
        }
    };
    query(
        "UPDATE revocation_job SET state = ?, revoked = ?, finished = ?, after = ?, found = ?
         WHERE id = ?",
    )
    .bind(record.state.name())
    .bind(signed(record.revoked))
    .bind(record.finished.map(seconds))
    .bind(after)
    .bind(found)
    .bind(job)
    .execute(tx)
    .await?;
    Ok(record)
}

/// Revokes what the job means of these units; how many.
async fn end(
    tx: &mut Connection,
    job: &NewJob,
    units: Vec<UnitId>,
    at: Timestamp,
) -> Result<u64, StoreError> {
    let revocations = units.into_iter().map(|unit| Revocation {
        unit,
        by: Revoker::Operator,
        name: job.name.clone(),
        reason: job.reason,
        advisory: job.advisory.clone(),
        at,
    });
    let done: Vec<Revoked> = match job.extent {
        Extent::Unit => revoke_all(tx, &revocations.collect::<Vec<_>>()).await?,
        Extent::Keystore => {
            let keystore = |revocation| StorageRevocation {
                storage: Storage::Keystore,
                revocation,
            };
            revoke_storages(tx, &revocations.map(keystore).collect::<Vec<_>>()).await?
        }
    };
    let count = done.iter().filter(|revoked| !revoked.already).count();
    Ok(u64::try_from(count).unwrap_or(u64::MAX))
}

fn read(row: &Row) -> Result<JobRecord, StoreError> {
    let damaged = |column, what: &'static str| Error::Damaged {
        table: "revocation_job",
        column,
        what: what.into(),
    };
    let time = |column, seconds: i64| {
        Timestamp::from_second(seconds).map_err(|_| damaged(column, "is no time"))
    };
    let text = |column: &'static str| row.get::<String>(column);
    let selector = serde_json::from_str(&text("selector")?)
        .map_err(|_| damaged("selector", "is no selector"))?;
    let finished = row.get::<Option<i64>>("finished")?;
    Ok(JobRecord {
        new: NewJob {
            job: text("id")?,
            selector,
            extent: rows::named(
                "revocation_job",
                "extent",
                &text("extent")?,
                Extent::from_name,
            )?,
            reason: rows::named(
                "revocation_job",
                "reason",
                &text("reason")?,
                RevocationReason::from_name,
            )?,
            advisory: row.get("advisory")?,
            name: row.get("name")?,
            selected: rows::unsigned("revocation_job", "selected", row.get("selected")?)?,
            at: time("began", row.get("began")?)?,
        },
        state: rows::named(
            "revocation_job",
            "state",
            &text("state")?,
            JobState::from_name,
        )?,
        revoked: rows::unsigned("revocation_job", "revoked", row.get("revoked")?)?,
        finished: finished.map(|at| time("finished", at)).transpose()?,
    })
}
