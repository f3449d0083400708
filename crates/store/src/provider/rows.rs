//! From rows to the port's types.

use jiff::Timestamp;
use jose::PublicKey;
use sci::UnitId;
use wallet_provider::{AccountId, AccountRecord, CallerRecord, Event, StoreError, UnitRecord};

use crate::Error;
use crate::sql::{Columns, Connection, Row, query};

pub(super) async fn unit(
    connection: &mut Connection,
    unit: UnitId,
) -> Result<Option<UnitRecord>, StoreError> {
    let row: Option<UnitRow> = query("SELECT * FROM unit WHERE id = ?")
        .bind(unit.as_bytes().as_slice())
        .optional(connection)
        .await?;
    row.map(UnitRow::record).transpose()
}

pub(super) async fn caller(
    connection: &mut Connection,
    unit: UnitId,
    jti: &str,
) -> Result<Option<CallerRecord>, StoreError> {
    let found = query(
        "SELECT unit.*,
                EXISTS (SELECT 1 FROM spent_request WHERE unit = ?1 AND jti = ?2) AS spent,
                EXISTS (SELECT 1 FROM failed_check WHERE unit = ?1) AS worse
         FROM unit WHERE id = ?1",
    )
    .bind(unit.as_bytes().as_slice())
    .bind(jti)
    .fetch_optional(connection)
    .await?;
    let Some(row) = found else {
        return Ok(None);
    };
    Ok(Some(CallerRecord {
        unit: UnitRow::read(&row)?.record()?,
        spent: row.get("spent")?,
        worse: row.get("worse")?,
    }))
}

pub(super) async fn units(
    connection: &mut Connection,
    after: Option<UnitId>,
    limit: u32,
) -> Result<Vec<UnitRecord>, StoreError> {
    let after = after.map_or_else(Vec::new, |unit| unit.as_bytes().to_vec());
    let rows: Vec<UnitRow> = query("SELECT * FROM unit WHERE id > ? ORDER BY id LIMIT ?")
        .bind(after)
        .bind(limit)
        .all(connection)
        .await?;
    rows.into_iter().map(UnitRow::record).collect()
}

pub(super) async fn account(
    connection: &mut Connection,
    alias: &str,
) -> Result<Option<AccountRecord>, StoreError> {
    let id: Option<i64> = query("SELECT id FROM account WHERE alias = ? AND deleted_at IS NULL")
        .bind(alias)
        .optional(connection)
        .await?;
    let Some(id) = id else {
        return Ok(None);
    };
    let codes: Vec<Vec<u8>> =
        query("SELECT hash FROM recovery_code WHERE account = ? AND used_at IS NULL")
            .bind(id)
            .all(connection)
            .await?;
    let codes = codes.iter().map(|code| hash("recovery_code", "hash", code));
    Ok(Some(AccountRecord {
        codes: codes.collect::<Result<_, _>>()?,
        units: units_of(connection, AccountId(id)).await?,
    }))
}

pub(super) async fn units_of(
    connection: &mut Connection,
    account: AccountId,
) -> Result<Vec<UnitRecord>, StoreError> {
    let rows: Vec<UnitRow> = query("SELECT * FROM unit WHERE account = ? ORDER BY created_at, id")
        .bind(account.0)
        .all(connection)
        .await?;
    rows.into_iter().map(UnitRow::record).collect()
}

pub(super) async fn history(
    connection: &mut Connection,
    unit: UnitId,
) -> Result<Vec<Event>, StoreError> {
    type Line = (
        i64,
        String,
        Option<String>,
        Option<String>,
        Option<String>,
        Option<String>,
    );
    let rows: Vec<Line> = query(
        "SELECT at_ms, state, by, reason, storage, name FROM unit_event WHERE unit = ? ORDER BY id",
    )
    .bind(unit.as_bytes().as_slice())
    .all(connection)
    .await?;
    rows.into_iter()
        .map(|(at, state, by, reason, storage, name)| {
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
                storage: storage
                    .map(|name| {
                        let read = wallet_provider::Storage::from_name;
                        named("unit_event", "storage", &name, read)
                    })
                    .transpose()?,
                name,
            })
        })
        .collect()
}

pub(crate) struct UnitRow {
    id: Vec<u8>,
    state: String,
    signing_key: Vec<u8>,
    agreement_key: Vec<u8>,
    evidence: String,
    wallet_version: String,
    created_at: i64,
    checked_at: Option<i64>,
}

impl Columns for UnitRow {
    fn read(row: &Row) -> Result<Self, Error> {
        Ok(Self {
            id: row.get("id")?,
            state: row.get("state")?,
            signing_key: row.get("signing_key")?,
            agreement_key: row.get("agreement_key")?,
            evidence: row.get("evidence")?,
            wallet_version: row.get("wallet_version")?,
            created_at: row.get("created_at")?,
            checked_at: row.get("checked_at")?,
        })
    }
}

impl UnitRow {
    pub(crate) fn record(self) -> Result<UnitRecord, StoreError> {
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
            created_at: time("unit", "created_at", self.created_at)?,
            // Before checks were kept, the activation was the only one.
            checked_at: time(
                "unit",
                "checked_at",
                self.checked_at.unwrap_or(self.created_at),
            )?,
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

pub(crate) fn time(
    table: &'static str,
    column: &'static str,
    seconds: i64,
) -> Result<Timestamp, StoreError> {
    Timestamp::from_second(seconds).map_err(|_| damaged(table, column, "is no time"))
}

pub(crate) fn hash<const N: usize>(
    table: &'static str,
    column: &'static str,
    bytes: &[u8],
) -> Result<[u8; N], StoreError> {
    bytes
        .try_into()
        .map_err(|_| damaged(table, column, "has another length"))
}

pub(crate) fn unsigned(
    table: &'static str,
    column: &'static str,
    number: i64,
) -> Result<u64, StoreError> {
    u64::try_from(number).map_err(|_| damaged(table, column, "is negative"))
}

pub(crate) fn named<T>(
    table: &'static str,
    column: &'static str,
    name: &str,
    read: impl Fn(&str) -> Option<T>,
) -> Result<T, StoreError> {
    read(name).ok_or_else(|| damaged(table, column, "is a word this version does not know"))
}

pub(crate) fn damaged(table: &'static str, column: &'static str, what: &'static str) -> StoreError {
    Error::Damaged {
        table,
        column,
        what: what.into(),
    }
    .into()
}
