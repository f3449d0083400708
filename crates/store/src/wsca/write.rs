use jiff::Timestamp;
use sci::UnitId;
use wsca::audit::{self, Entry};
use wsca::{
    Appended, Batch, CheckpointRow, ExchangeRow, Guard, ItemRow, KeyRow, NonceRow, RotationRow,
    SessionRow, ShardRow, UnitRow, Write,
};

use super::rows::{self, whole};
use crate::Error;
use crate::sql::{Connection, query};

/// Why a batch was not applied.
#[derive(Debug)]
pub(super) enum Failed {
    /// This guard did not hold.
    Guard(usize),
    Store(Error),
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self::Store(error)
    }
}

/// Applies a batch inside a transaction that holds the write lock, and says where its
/// audit entries came to stand.
pub(super) async fn apply(tx: &mut Connection, batch: Batch) -> Result<Vec<Appended>, Failed> {
    for (index, guard) in batch.guards.iter().enumerate() {
        if !holds(tx, guard).await? {
            return Err(Failed::Guard(index));
        }
    }
    let mut appended = Vec::new();
    for write in batch.writes {
        match write {
            Write::Audit(entry) => appended.push(append(tx, entry, appended.last()).await?),
            other => perform(tx, other).await?,
        }
    }
    Ok(appended)
}

async fn holds(tx: &mut Connection, guard: &Guard) -> Result<bool, Error> {
    let holds: bool = match guard {
        Guard::NoUnit(unit) => {
            query("SELECT count(*) = 0 FROM wsca_unit WHERE unit = ?")
                .bind(unit.as_bytes().as_slice())
                .one(tx)
                .await?
        }
        Guard::UnitVersion(unit, version) => {
            query("SELECT count(*) > 0 FROM wsca_unit WHERE unit = ? AND version = ?")
                .bind(unit.as_bytes().as_slice())
                .bind(whole("wsca_unit", "version", *version)?)
                .one(tx)
                .await?
        }
        Guard::ShardEpoch(shard, epoch) => {
            query("SELECT coalesce((SELECT epoch FROM wsca_shard WHERE shard = ?), 0) = ?")
                .bind(i64::from(*shard))
                .bind(whole("wsca_shard", "epoch", *epoch)?)
                .one(tx)
                .await?
        }
        Guard::SessionLive(id, now) => {
            query(
                "SELECT count(*) > 0 FROM wsca_session \
                 WHERE id = ? AND idle_until > ? AND expires > ?",
            )
            .bind(id)
            .bind(now.as_millisecond())
            .bind(now.as_millisecond())
            .one(tx)
            .await?
        }
        Guard::Exchange(id) => {
            query("SELECT count(*) > 0 FROM wsca_exchange WHERE id = ?")
                .bind(id)
                .one(tx)
                .await?
        }
        Guard::NonceUnused(unit, nonce) => {
            query("SELECT count(*) = 0 FROM wsca_nonce WHERE unit = ? AND nonce = ?")
                .bind(unit.as_bytes().as_slice())
                .bind(nonce)
                .one(tx)
                .await?
        }
        Guard::NoSecret(name) => {
            query("SELECT count(*) = 0 FROM wsca_secret WHERE name = ?")
                .bind(name)
                .one(tx)
                .await?
        }
        Guard::Generation(generation) => {
            query("SELECT coalesce((SELECT minimum FROM wsca_rotation), 0) <= ?")
                .bind(whole("wsca_rotation", "minimum", *generation)?)
                .one(tx)
                .await?
        }
        Guard::RotationVersion(version) => {
            query("SELECT coalesce((SELECT version FROM wsca_rotation), 0) = ?")
                .bind(whole("wsca_rotation", "version", *version)?)
                .one(tx)
                .await?
        }
        Guard::LastCheckpoint(sequence) => {
            query("SELECT coalesce((SELECT max(sequence) FROM wsca_checkpoint), 0) = ?")
                .bind(whole("wsca_checkpoint", "sequence", *sequence)?)
                .one(tx)
                .await?
        }
    };
    Ok(holds)
}

async fn perform(tx: &mut Connection, write: Write) -> Result<(), Error> {
    match write {
        Write::Unit(row) => unit(tx, *row).await,
        Write::Shard(row) => shard(tx, row).await,
        Write::Nonce(row) => nonce(tx, row).await,
        Write::Exchange(row) => exchange(tx, row).await,
        Write::ExchangeAnswered { id, answer, sealed } => {
            query("UPDATE wsca_exchange SET answer = ?, sealed = ? WHERE id = ?")
                .bind(answer)
                .bind(sealed)
                .bind(id)
                .execute(tx)
                .await?;
            Ok(())
        }
        Write::EndExchange(id) => delete(tx, "DELETE FROM wsca_exchange WHERE id = ?", &id).await,
        Write::Session(row) => session(tx, row).await,
        Write::TouchSession {
            id,
            idle_until,
            sealed,
        } => {
            // Of two requests at once the later limit stands, with its own seal.
            query(
                "UPDATE wsca_session SET idle_until = ?, sealed = ? \
                 WHERE id = ? AND idle_until < ?",
            )
            .bind(idle_until.as_millisecond())
            .bind(sealed)
            .bind(id)
            .bind(idle_until.as_millisecond())
            .execute(tx)
            .await?;
            Ok(())
        }
        Write::EndSession(id) => delete(tx, "DELETE FROM wsca_session WHERE id = ?", &id).await,
        Write::EndSessions(id) => {
            of_unit(tx, "DELETE FROM wsca_session WHERE unit = ?", id).await?;
            of_unit(tx, "DELETE FROM wsca_exchange WHERE unit = ?", id).await
        }
        Write::Key(row) => key(tx, row).await,
        Write::Item(row) => item(tx, row).await,
        Write::RemoveItem(unit, name) => {
            query("DELETE FROM wsca_item WHERE unit = ? AND name = ?")
                .bind(unit.as_bytes().as_slice())
                .bind(name)
                .execute(tx)
                .await?;
            Ok(())
        }
        Write::RemoveItems(id) => of_unit(tx, "DELETE FROM wsca_item WHERE unit = ?", id).await,
        Write::Secret(name, sealed) => {
            query("INSERT INTO wsca_secret (name, sealed) VALUES (?, ?)")
                .bind(name)
                .bind(sealed)
                .execute(tx)
                .await?;
            Ok(())
        }
        // These give their places: the caller does them.
        Write::Audit(_) => Ok(()),
        Write::RemoveKey(unit, id) => {
            query("DELETE FROM wsca_key WHERE unit = ? AND id = ?")
                .bind(unit.as_bytes().as_slice())
                .bind(id.as_bytes().as_slice())
                .execute(tx)
                .await?;
            Ok(())
        }
        Write::Checkpoint(row) => checkpoint(tx, row).await,
        Write::Rotation(row) => rotation(tx, row).await,
    }
}

async fn unit(tx: &mut Connection, row: UnitRow) -> Result<(), Error> {
    query(
        "INSERT INTO wsca_unit (unit, shard, version, state, signing_key, \
         agreement_key, pin_record, pin_credential, tries, last_try, session_epoch, \
         wrapping_generation, wrapping_key, policy, holdings, mac) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) \
         ON CONFLICT (unit) DO UPDATE SET version = excluded.version, \
         state = excluded.state, signing_key = excluded.signing_key, \
         agreement_key = excluded.agreement_key, pin_record = excluded.pin_record, \
         pin_credential = excluded.pin_credential, tries = excluded.tries, \
         last_try = excluded.last_try, session_epoch = excluded.session_epoch, \
         wrapping_generation = excluded.wrapping_generation, \
         wrapping_key = excluded.wrapping_key, policy = excluded.policy, \
         holdings = excluded.holdings, mac = excluded.mac",
    )
    .bind(row.unit.as_bytes().as_slice())
    .bind(i64::from(row.shard))
    .bind(whole("wsca_unit", "version", row.version)?)
    .bind(row.state)
    .bind(row.signing_key)
    .bind(row.agreement_key)
    .bind(row.pin_record)
    .bind(row.pin_credential)
    .bind(i64::from(row.tries))
    .bind(row.last_try.map(Timestamp::as_millisecond))
    .bind(whole("wsca_unit", "session_epoch", row.session_epoch)?)
    .bind(whole(
        "wsca_unit",
        "wrapping_generation",
        row.wrapping_generation,
    )?)
    .bind(row.wrapping_key)
    .bind(row.policy)
    .bind(row.holdings)
    .bind(row.mac)
    .execute(tx)
    .await?;
    Ok(())
}

async fn shard(tx: &mut Connection, row: ShardRow) -> Result<(), Error> {
    query(
        "INSERT INTO wsca_shard (shard, epoch, state, mac) VALUES (?, ?, ?, ?) \
         ON CONFLICT (shard) DO UPDATE SET epoch = excluded.epoch, \
         state = excluded.state, mac = excluded.mac",
    )
    .bind(i64::from(row.shard))
    .bind(whole("wsca_shard", "epoch", row.epoch)?)
    .bind(row.state)
    .bind(row.mac)
    .execute(tx)
    .await?;
    Ok(())
}

async fn nonce(tx: &mut Connection, row: NonceRow) -> Result<(), Error> {
    query("DELETE FROM wsca_nonce WHERE unit = ? AND until <= ?")
        .bind(row.unit.as_bytes().as_slice())
        .bind(row.now.as_millisecond())
        .execute(tx)
        .await?;
    query("INSERT INTO wsca_nonce (unit, nonce, until) VALUES (?, ?, ?)")
        .bind(row.unit.as_bytes().as_slice())
        .bind(row.nonce)
        .bind(row.until.as_millisecond())
        .execute(tx)
        .await?;
    Ok(())
}

async fn exchange(tx: &mut Connection, row: ExchangeRow) -> Result<(), Error> {
    let duration = row
        .duration
        .map(|seconds| whole("wsca_exchange", "duration", seconds))
        .transpose()?;
    query(
        "INSERT INTO wsca_exchange \
         (id, unit, kind, message, session, task, duration, expires, answer, sealed) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(row.id)
    .bind(row.unit.as_bytes().as_slice())
    .bind(row.kind.name())
    .bind(row.message.as_slice())
    .bind(row.session)
    .bind(row.task)
    .bind(duration)
    .bind(row.expires.as_millisecond())
    .bind(row.answer)
    .bind(row.sealed)
    .execute(tx)
    .await?;
    Ok(())
}

async fn session(tx: &mut Connection, row: SessionRow) -> Result<(), Error> {
    let now = row.opened.as_millisecond();
    for sql in [
        "DELETE FROM wsca_session WHERE unit = ? AND (expires <= ? OR idle_until <= ?)",
        "DELETE FROM wsca_exchange WHERE unit = ? AND (expires <= ? OR expires <= ?)",
    ] {
        query(sql)
            .bind(row.unit.as_bytes().as_slice())
            .bind(now)
            .bind(now)
            .execute(tx)
            .await?;
    }
    query(
        "INSERT INTO wsca_session (id, unit, task, opened, idle_until, expires, sealed) \
         VALUES (?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(row.id)
    .bind(row.unit.as_bytes().as_slice())
    .bind(row.task)
    .bind(now)
    .bind(row.idle_until.as_millisecond())
    .bind(row.expires.as_millisecond())
    .bind(row.sealed)
    .execute(tx)
    .await?;
    Ok(())
}

async fn key(tx: &mut Connection, row: KeyRow) -> Result<(), Error> {
    let erased_with = row
        .erased_with
        .map(|generation| whole("wsca_key", "erased_with", generation))
        .transpose()?;
    query(
        "INSERT INTO wsca_key (unit, id, public_key, wrapped, created, erased_with) \
         VALUES (?, ?, ?, ?, ?, ?) \
         ON CONFLICT (unit, id) DO UPDATE SET public_key = excluded.public_key, \
         wrapped = excluded.wrapped, created = excluded.created, \
         erased_with = excluded.erased_with",
    )
    .bind(row.unit.as_bytes().as_slice())
    .bind(row.id.as_bytes().as_slice())
    .bind(row.public_key)
    .bind(row.wrapped)
    .bind(row.created.as_millisecond())
    .bind(erased_with)
    .execute(tx)
    .await?;
    Ok(())
}

async fn item(tx: &mut Connection, row: ItemRow) -> Result<(), Error> {
    query(
        "INSERT INTO wsca_item (unit, name, sealed) VALUES (?, ?, ?) \
         ON CONFLICT (unit, name) DO UPDATE SET sealed = excluded.sealed",
    )
    .bind(row.unit.as_bytes().as_slice())
    .bind(row.name)
    .bind(row.sealed)
    .execute(tx)
    .await?;
    Ok(())
}

async fn checkpoint(tx: &mut Connection, row: CheckpointRow) -> Result<(), Error> {
    query("INSERT INTO wsca_checkpoint (sequence, token) VALUES (?, ?)")
        .bind(whole("wsca_checkpoint", "sequence", row.sequence)?)
        .bind(row.token)
        .execute(tx)
        .await?;
    Ok(())
}

async fn rotation(tx: &mut Connection, row: RotationRow) -> Result<(), Error> {
    let number = |column, value| whole("wsca_rotation", column, value);
    query(
        "INSERT INTO wsca_rotation \
         (one, version, minimum, target, holder, until, finished) VALUES (1, ?, ?, ?, ?, ?, ?) \
         ON CONFLICT (one) DO UPDATE SET version = excluded.version, \
         minimum = excluded.minimum, target = excluded.target, holder = excluded.holder, \
         until = excluded.until, finished = excluded.finished",
    )
    .bind(number("version", row.version)?)
    .bind(number("minimum", row.minimum)?)
    .bind(row.target.map(|root| number("target", root)).transpose()?)
    .bind(row.holder)
    .bind(row.until.as_millisecond())
    .bind(row.finished.as_millisecond())
    .execute(tx)
    .await?;
    Ok(())
}

/// Appends to the log: the write lock is held, so nobody else appends meanwhile.
/// `before` is the entry that this batch appended last.
async fn append(
    tx: &mut Connection,
    entry: Entry,
    before: Option<&Appended>,
) -> Result<Appended, Error> {
    let damaged = |column| Error::Damaged {
        table: "wsca_audit",
        column,
        what: "not what was written".into(),
    };
    let last = match before {
        Some(last) => Some(*last),
        None => query("SELECT sequence, hash FROM wsca_audit ORDER BY sequence DESC LIMIT 1")
            .fetch_optional(tx)
            .await?
            .map(|row| rows::appended(&row))
            .transpose()?,
    };
    let (last, hash) = last.map_or((0, audit::GENESIS), |last| (last.sequence, last.hash));
    let number = last.checked_add(1).ok_or_else(|| damaged("sequence"))?;
    let sequence = whole("wsca_audit", "sequence", number)?;
    let hash = audit::chain(&hash, number, &entry);
    let unit = entry.unit.as_ref().map_or([0; 16], |unit| *unit.as_bytes());
    query(
        "INSERT INTO wsca_audit (sequence, at, unit, operation, key, outcome, hash) \
         VALUES (?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(sequence)
    .bind(entry.at.as_millisecond())
    .bind(unit.as_slice())
    .bind(entry.operation)
    .bind(entry.key)
    .bind(entry.outcome)
    .bind(hash.as_slice())
    .execute(tx)
    .await?;
    Ok(Appended {
        sequence: number,
        hash,
    })
}

async fn delete(tx: &mut Connection, sql: &'static str, id: &str) -> Result<(), Error> {
    query(sql).bind(id).execute(tx).await?;
    Ok(())
}

async fn of_unit(tx: &mut Connection, sql: &'static str, unit: UnitId) -> Result<(), Error> {
    query(sql)
        .bind(unit.as_bytes().as_slice())
        .execute(tx)
        .await?;
    Ok(())
}
