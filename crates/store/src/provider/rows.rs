//! From rows to the port's types.

use jiff::Timestamp;
use jose::PublicKey;
use sci::UnitId;
use sqlx::sqlite::{SqlitePool, SqliteRow};
use sqlx::{FromRow, Row};
use wallet_provider::{AccountRecord, Event, StoreError, UnitRecord};

use super::sql;
use crate::Error;

pub(super) async fn unit(
    pool: &SqlitePool,
    unit: UnitId,
) -> Result<Option<UnitRecord>, StoreError> {
    let row: Option<UnitRow> = sqlx::query_as("SELECT * FROM unit WHERE id = ?")
        .bind(unit.as_bytes().as_slice())
        .fetch_optional(pool)
        .await
        .map_err(sql)?;
    row.map(UnitRow::read).transpose()
}

pub(super) async fn units(
    pool: &SqlitePool,
    after: Option<UnitId>,
    limit: u32,
) -> Result<Vec<UnitRecord>, StoreError> {
    let after = after.map_or_else(Vec::new, |unit| unit.as_bytes().to_vec());
    let rows: Vec<UnitRow> = sqlx::query_as("SELECT * FROM unit WHERE id > ? ORDER BY id LIMIT ?")
        .bind(after)
        .bind(limit)
        .fetch_all(pool)
        .await
        .map_err(sql)?;
    rows.into_iter().map(UnitRow::read).collect()
}

pub(super) async fn account(
    pool: &SqlitePool,
    alias: &str,
) -> Result<Option<AccountRecord>, StoreError> {
    let found: Option<(i64, Vec<u8>)> =
        sqlx::query_as("SELECT id, code_hash FROM account WHERE alias = ?")
            .bind(alias)
            .fetch_optional(pool)
            .await
            .map_err(sql)?;
    let Some((id, code)) = found else {
        return Ok(None);
    };
    let rows: Vec<UnitRow> =
        sqlx::query_as("SELECT * FROM unit WHERE account = ? ORDER BY created_at, id")
            .bind(id)
            .fetch_all(pool)
            .await
            .map_err(sql)?;
    Ok(Some(AccountRecord {
        code: hash("account", "code_hash", &code)?,
        units: rows
            .into_iter()
            .map(UnitRow::read)
            .collect::<Result<_, _>>()?,
    }))
}

pub(super) async fn history(pool: &SqlitePool, unit: UnitId) -> Result<Vec<Event>, StoreError> {
    let rows: Vec<(i64, String, Option<String>, Option<String>)> = sqlx::query_as(
        "SELECT at_ms, state, by, reason FROM unit_event WHERE unit = ? ORDER BY id",
    )
    .bind(unit.as_bytes().as_slice())
    .fetch_all(pool)
    .await
    .map_err(sql)?;
    rows.into_iter()
        .map(|(at, state, by, reason)| {
            Ok(Event {
                at: Timestamp::from_millisecond(at)
                    .map_err(|_| damaged("unit_event", "at_ms", "is no time"))?,
                state: named(
                    "unit_event",
                    "state",
                    &state,
                    wallet_provider::UnitState::from_name,
                )?,
                by: by
                    .map(|name| {
                        named(
                            "unit_event",
                            "by",
                            &name,
                            wallet_provider::Revoker::from_name,
                        )
                    })
                    .transpose()?,
                reason: reason
                    .map(|name| {
                        let read = wallet_provider::RevocationReason::from_name;
                        named("unit_event", "reason", &name, read)
                    })
                    .transpose()?,
            })
        })
        .collect()
}

pub(super) struct UnitRow {
    id: Vec<u8>,
    state: String,
    signing_key: Vec<u8>,
    agreement_key: Vec<u8>,
    evidence: String,
    wallet_version: String,
    created_at: i64,
}

impl FromRow<'_, SqliteRow> for UnitRow {
    fn from_row(row: &SqliteRow) -> sqlx::Result<Self> {
        Ok(Self {
            id: row.try_get("id")?,
            state: row.try_get("state")?,
            signing_key: row.try_get("signing_key")?,
            agreement_key: row.try_get("agreement_key")?,
            evidence: row.try_get("evidence")?,
            wallet_version: row.try_get("wallet_version")?,
            created_at: row.try_get("created_at")?,
        })
    }
}

impl UnitRow {
    fn read(self) -> Result<UnitRecord, StoreError> {
        let key = |column, der: &[u8]| {
            PublicKey::from_spki_der(der).map_err(|_| damaged("unit", column, "is no public key"))
        };
        Ok(UnitRecord {
            unit: unit_id("unit", "id", &self.id)?,
            state: named(
                "unit",
                "state",
                &self.state,
                wallet_provider::UnitState::from_name,
            )?,
            signing_key: key("signing_key", &self.signing_key)?,
            agreement_key: key("agreement_key", &self.agreement_key)?,
            evidence: self.evidence,
            wallet_version: self.wallet_version,
            created_at: Timestamp::from_second(self.created_at)
                .map_err(|_| damaged("unit", "created_at", "is no time"))?,
        })
    }
}

pub(super) fn unit_id(
    table: &'static str,
    column: &'static str,
    bytes: &[u8],
) -> Result<UnitId, StoreError> {
    UnitId::from_slice(bytes).map_err(|_| damaged(table, column, "is no unit's identifier"))
}

pub(super) fn hash<const N: usize>(
    table: &'static str,
    column: &'static str,
    bytes: &[u8],
) -> Result<[u8; N], StoreError> {
    bytes
        .try_into()
        .map_err(|_| damaged(table, column, "has another length"))
}

pub(super) fn unsigned(
    table: &'static str,
    column: &'static str,
    number: i64,
) -> Result<u64, StoreError> {
    u64::try_from(number).map_err(|_| damaged(table, column, "is negative"))
}

pub(super) fn named<T>(
    table: &'static str,
    column: &'static str,
    name: &str,
    read: impl Fn(&str) -> Option<T>,
) -> Result<T, StoreError> {
    read(name).ok_or_else(|| damaged(table, column, "is a word this version does not know"))
}

fn damaged(table: &'static str, column: &'static str, what: &'static str) -> StoreError {
    Error::Damaged {
        table,
        column,
        what: what.into(),
    }
    .into()
}
