use sci::UnitId;
use sqlx::sqlite::SqlitePool;
use wsca::{AuditRow, ExchangeRow, Holdings, Member, SessionRow, ShardRow};

use super::rows;
use crate::Error;

/// A unit with all it holds, in one transaction and so as of one moment.
pub(super) async fn holdings(pool: &SqlitePool, id: UnitId) -> Result<Option<Holdings>, Error> {
    let mut tx = pool.begin().await?;
    let unit = sqlx::query("SELECT * FROM wsca_unit WHERE unit = ?")
        .bind(id.as_bytes().as_slice())
        .fetch_optional(&mut *tx)
        .await?;
    let Some(unit) = unit else {
        return Ok(None);
    };
    let unit = rows::unit(&unit)?;
    let shard = sqlx::query("SELECT * FROM wsca_shard WHERE shard = ?")
        .bind(i64::from(unit.shard))
        .fetch_optional(&mut *tx)
        .await?
        .ok_or(Error::Damaged {
            table: "wsca_unit",
            column: "shard",
            what: "there is no such shard".into(),
        })?;
    let keys = sqlx::query("SELECT * FROM wsca_key WHERE unit = ? ORDER BY id")
        .bind(id.as_bytes().as_slice())
        .fetch_all(&mut *tx)
        .await?;
    let items = sqlx::query("SELECT * FROM wsca_item WHERE unit = ? ORDER BY name")
        .bind(id.as_bytes().as_slice())
        .fetch_all(&mut *tx)
        .await?;
    tx.commit().await?;
    Ok(Some(Holdings {
        unit,
        shard: rows::shard(&shard)?,
        keys: keys.iter().map(rows::key).collect::<Result<_, _>>()?,
        items: items.iter().map(rows::item).collect::<Result<_, _>>()?,
    }))
}

pub(super) async fn session(pool: &SqlitePool, id: &str) -> Result<Option<SessionRow>, Error> {
    sqlx::query("SELECT * FROM wsca_session WHERE id = ?")
        .bind(id)
        .fetch_optional(pool)
        .await?
        .map(|row| rows::session(&row))
        .transpose()
}

pub(super) async fn exchange(pool: &SqlitePool, id: &str) -> Result<Option<ExchangeRow>, Error> {
    sqlx::query("SELECT * FROM wsca_exchange WHERE id = ?")
        .bind(id)
        .fetch_optional(pool)
        .await?
        .map(|row| rows::exchange(&row))
        .transpose()
}

pub(super) async fn exchange_of(
    pool: &SqlitePool,
    unit: UnitId,
    message: &[u8; 32],
) -> Result<Option<ExchangeRow>, Error> {
    sqlx::query(
        "SELECT * FROM wsca_exchange WHERE unit = ? AND message = ? ORDER BY expires DESC LIMIT 1",
    )
    .bind(unit.as_bytes().as_slice())
    .bind(message.as_slice())
    .fetch_optional(pool)
    .await?
    .map(|row| rows::exchange(&row))
    .transpose()
}

pub(super) async fn shard(pool: &SqlitePool, shard: u16) -> Result<Option<ShardRow>, Error> {
    sqlx::query("SELECT * FROM wsca_shard WHERE shard = ?")
        .bind(i64::from(shard))
        .fetch_optional(pool)
        .await?
        .map(|row| rows::shard(&row))
        .transpose()
}

pub(super) async fn members(
    pool: &SqlitePool,
    shard: u16,
    after: Option<UnitId>,
    limit: u32,
) -> Result<Vec<Member>, Error> {
    // Every identifier is longer than the empty one, and so after it.
    let after = after.map_or(vec![], |unit| unit.as_bytes().to_vec());
    sqlx::query(
        "SELECT unit, version, mac FROM wsca_unit WHERE shard = ? AND unit > ? \
         ORDER BY unit LIMIT ?",
    )
    .bind(i64::from(shard))
    .bind(after)
    .bind(i64::from(limit))
    .fetch_all(pool)
    .await?
    .iter()
    .map(rows::member)
    .collect()
}

pub(super) async fn secret(pool: &SqlitePool, name: &str) -> Result<Option<Vec<u8>>, Error> {
    Ok(
        sqlx::query_scalar("SELECT sealed FROM wsca_secret WHERE name = ?")
            .bind(name)
            .fetch_optional(pool)
            .await?,
    )
}

pub(super) async fn audit(
    pool: &SqlitePool,
    after: u64,
    limit: u32,
) -> Result<Vec<AuditRow>, Error> {
    sqlx::query("SELECT * FROM wsca_audit WHERE sequence > ? ORDER BY sequence LIMIT ?")
        .bind(rows::whole("wsca_audit", "sequence", after)?)
        .bind(i64::from(limit))
        .fetch_all(pool)
        .await?
        .iter()
        .map(rows::audit)
        .collect()
}
