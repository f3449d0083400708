use sci::UnitId;
use wsca::{
    Appended, AuditRow, CheckpointRow, ExchangeRow, Holdings, Member, RotationRow, SessionRow,
    ShardRow, UnitRow,
};

use super::rows;
use crate::sql::{Connection, query};
use crate::{Database, Error};

/// A unit with all it holds, in one transaction and so as of one moment.
pub(super) async fn holdings(database: &Database, id: UnitId) -> Result<Option<Holdings>, Error> {
    let mut snapshot = database.snapshot().await?;
    let tx = snapshot.connection();
    let Some((unit, shard)) = record_on(tx, id).await? else {
        snapshot.end().await?;
        return Ok(None);
    };
    let keys = query("SELECT * FROM wsca_key WHERE unit = ? ORDER BY id")
        .bind(id.as_bytes().as_slice())
        .fetch_all(tx)
        .await?;
    let items = query("SELECT * FROM wsca_item WHERE unit = ? ORDER BY name")
        .bind(id.as_bytes().as_slice())
        .fetch_all(tx)
        .await?;
    snapshot.end().await?;
    Ok(Some(Holdings {
        unit,
        shard,
        keys: keys.iter().map(rows::key).collect::<Result<_, _>>()?,
        items: items.iter().map(rows::item).collect::<Result<_, _>>()?,
    }))
}

/// A unit's record and its shard's, in one statement and so as of one moment.
pub(super) async fn record(
    database: &Database,
    id: UnitId,
) -> Result<Option<(UnitRow, ShardRow)>, Error> {
    record_on(&mut database.reader().await?, id).await
}

async fn record_on(
    connection: &mut Connection,
    id: UnitId,
) -> Result<Option<(UnitRow, ShardRow)>, Error> {
    let found = query(
        "SELECT wsca_unit.*, wsca_shard.epoch AS shard_epoch,
                wsca_shard.state AS shard_state, wsca_shard.mac AS shard_mac
         FROM wsca_unit LEFT JOIN wsca_shard ON wsca_shard.shard = wsca_unit.shard
         WHERE wsca_unit.unit = ?",
    )
    .bind(id.as_bytes().as_slice())
    .fetch_optional(connection)
    .await?;
    found
        .map(|row| Ok((rows::unit(&row)?, rows::shard_of_unit(&row)?)))
        .transpose()
}

pub(super) async fn session(database: &Database, id: &str) -> Result<Option<SessionRow>, Error> {
    query("SELECT * FROM wsca_session WHERE id = ?")
        .bind(id)
        .fetch_optional(&mut database.reader().await?)
        .await?
        .map(|row| rows::session(&row))
        .transpose()
}

pub(super) async fn exchange(database: &Database, id: &str) -> Result<Option<ExchangeRow>, Error> {
    query("SELECT * FROM wsca_exchange WHERE id = ?")
        .bind(id)
        .fetch_optional(&mut database.reader().await?)
        .await?
        .map(|row| rows::exchange(&row))
        .transpose()
}

pub(super) async fn exchange_of(
    database: &Database,
    unit: UnitId,
    message: &[u8; 32],
) -> Result<Option<ExchangeRow>, Error> {
    query(
        "SELECT * FROM wsca_exchange WHERE unit = ? AND message = ? ORDER BY expires DESC LIMIT 1",
    )
    .bind(unit.as_bytes().as_slice())
    .bind(message.as_slice())
    .fetch_optional(&mut database.reader().await?)
    .await?
    .map(|row| rows::exchange(&row))
    .transpose()
}

pub(super) async fn shard(database: &Database, shard: u16) -> Result<Option<ShardRow>, Error> {
    shard_on(&mut database.reader().await?, shard).await
}

/// How many members of a whole shard are in memory at a time.
const PAGE: u32 = 1000;

/// A shard and its members in one transaction, and so as of one moment.
pub(super) async fn whole_shard(
    database: &Database,
    shard: u16,
    each: &mut (dyn FnMut(Member) + Send),
) -> Result<Option<ShardRow>, Error> {
    let mut snapshot = database.snapshot().await?;
    let tx = snapshot.connection();
    let row = shard_on(tx, shard).await?;
    let mut after = None;
    loop {
        let page = members_on(tx, shard, after, PAGE).await?;
        let Some(last) = page.last() else {
            break;
        };
        after = Some(last.unit);
        page.into_iter().for_each(&mut *each);
    }
    snapshot.end().await?;
    Ok(row)
}

pub(super) async fn members(
    database: &Database,
    shard: u16,
    after: Option<UnitId>,
    limit: u32,
) -> Result<Vec<Member>, Error> {
    members_on(&mut database.reader().await?, shard, after, limit).await
}

async fn shard_on(connection: &mut Connection, shard: u16) -> Result<Option<ShardRow>, Error> {
    query("SELECT * FROM wsca_shard WHERE shard = ?")
        .bind(i64::from(shard))
        .fetch_optional(connection)
        .await?
        .map(|row| rows::shard(&row))
        .transpose()
}

async fn members_on(
    connection: &mut Connection,
    shard: u16,
    after: Option<UnitId>,
    limit: u32,
) -> Result<Vec<Member>, Error> {
    // Every identifier is longer than the empty one, and so after it.
    let after = after.map_or(vec![], |unit| unit.as_bytes().to_vec());
    query(
        "SELECT unit, version, mac FROM wsca_unit WHERE shard = ? AND unit > ? \
         ORDER BY unit LIMIT ?",
    )
    .bind(i64::from(shard))
    .bind(after)
    .bind(i64::from(limit))
    .at_length()
    .fetch_all(connection)
    .await?
    .iter()
    .map(rows::member)
    .collect()
}

pub(super) async fn secret(database: &Database, name: &str) -> Result<Option<Vec<u8>>, Error> {
    query("SELECT sealed FROM wsca_secret WHERE name = ?")
        .bind(name)
        .optional(&mut database.reader().await?)
        .await
}

pub(super) async fn audit(
    database: &Database,
    after: u64,
    limit: u32,
) -> Result<Vec<AuditRow>, Error> {
    query("SELECT * FROM wsca_audit WHERE sequence > ? ORDER BY sequence LIMIT ?")
        .bind(rows::whole("wsca_audit", "sequence", after)?)
        .bind(i64::from(limit))
        .fetch_all(&mut database.reader().await?)
        .await?
        .iter()
        .map(rows::audit)
        .collect()
}

pub(super) async fn audit_end(database: &Database) -> Result<Option<Appended>, Error> {
    query("SELECT sequence, hash FROM wsca_audit ORDER BY sequence DESC LIMIT 1")
        .fetch_optional(&mut database.reader().await?)
        .await?
        .map(|row| rows::appended(&row))
        .transpose()
}

pub(super) async fn checkpoint_over(
    database: &Database,
    sequence: u64,
) -> Result<Option<CheckpointRow>, Error> {
    let Ok(sequence) = i64::try_from(sequence) else {
        return Ok(None);
    };
    query("SELECT * FROM wsca_checkpoint WHERE sequence >= ? ORDER BY sequence LIMIT 1")
        .bind(sequence)
        .fetch_optional(&mut database.reader().await?)
        .await?
        .map(|row| rows::checkpoint(&row))
        .transpose()
}

pub(super) async fn last_checkpoint(database: &Database) -> Result<Option<CheckpointRow>, Error> {
    query("SELECT * FROM wsca_checkpoint ORDER BY sequence DESC LIMIT 1")
        .fetch_optional(&mut database.reader().await?)
        .await?
        .map(|row| rows::checkpoint(&row))
        .transpose()
}

pub(super) async fn unit_count(database: &Database) -> Result<u64, Error> {
    let count: i64 = query("SELECT count(*) FROM wsca_unit")
        .at_length()
        .one(&mut database.reader().await?)
        .await?;
    Ok(count.unsigned_abs())
}

pub(super) async fn rotation(database: &Database) -> Result<Option<RotationRow>, Error> {
    query("SELECT * FROM wsca_rotation")
        .fetch_optional(&mut database.reader().await?)
        .await?
        .map(|row| rows::rotation(&row))
        .transpose()
}
