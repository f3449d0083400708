//! From columns to rows and back.

use jiff::Timestamp;
use sci::{KeyId, UnitId};
use wsca::audit::Entry;
use wsca::{
    Appended, AuditRow, CheckpointRow, ExchangeKind, ExchangeRow, ItemRow, KeyRow, Member,
    RotationRow, SessionRow, ShardRow, UnitRow,
};

use crate::Error;
use crate::sql::{Cell, Row};

/// One row of one table, for errors that name it.
#[derive(Clone, Copy)]
struct Of<'r> {
    table: &'static str,
    row: &'r Row,
}

impl<'r> Of<'r> {
    fn get<T: Cell>(self, column: &'static str) -> Result<T, Error> {
        self.row.get(column)
    }

    fn damaged(self, column: &'static str, what: &'static str) -> Error {
        Error::Damaged {
            table: self.table,
            column,
            what: what.into(),
        }
    }

    fn unit(self) -> Result<UnitId, Error> {
        UnitId::from_slice(&self.get::<Vec<u8>>("unit")?)
            .map_err(|_| self.damaged("unit", "not a unit's identifier"))
    }

    /// An audit entry's unit; the nil UUID stands for the service itself.
    fn unit_or_service(self) -> Result<Option<UnitId>, Error> {
        let unit = self.unit()?;
        Ok(Some(unit).filter(|unit| *unit.as_bytes() != [0; 16]))
    }

    fn number<T: TryFrom<i64>>(self, column: &'static str) -> Result<T, Error> {
        T::try_from(self.get::<i64>(column)?).map_err(|_| self.damaged(column, "out of range"))
    }

    fn optional<T: TryFrom<i64>>(self, column: &'static str) -> Result<Option<T>, Error> {
        self.get::<Option<i64>>(column)?
            .map(|value| T::try_from(value).map_err(|_| self.damaged(column, "out of range")))
            .transpose()
    }

    fn time(self, column: &'static str) -> Result<Timestamp, Error> {
        Timestamp::from_millisecond(self.get(column)?)
            .map_err(|_| self.damaged(column, "not a time"))
    }

    fn hash(self, column: &'static str) -> Result<[u8; 32], Error> {
        <[u8; 32]>::try_from(self.get::<Vec<u8>>(column)?)
            .map_err(|_| self.damaged(column, "not 32 bytes"))
    }
}

pub(super) fn unit(row: &Row) -> Result<UnitRow, Error> {
    let of = Of {
        table: "wsca_unit",
        row,
    };
    let last_try = of
        .get::<Option<i64>>("last_try")?
        .map(Timestamp::from_millisecond)
        .transpose()
        .map_err(|_| of.damaged("last_try", "not a time"))?;
    Ok(UnitRow {
        unit: of.unit()?,
        shard: of.number("shard")?,
        version: of.number("version")?,
        state: of.get("state")?,
        signing_key: of.get("signing_key")?,
        agreement_key: of.get("agreement_key")?,
        pin_record: of.get("pin_record")?,
        pin_credential: of.get("pin_credential")?,
        tries: of.number("tries")?,
        last_try,
        session_epoch: of.number("session_epoch")?,
        wrapping_generation: of.number("wrapping_generation")?,
        wrapping_key: of.get("wrapping_key")?,
        policy: of.get("policy")?,
        holdings: of.get("holdings")?,
        mac: of.get("mac")?,
    })
}

pub(super) fn member(row: &Row) -> Result<Member, Error> {
    let of = Of {
        table: "wsca_unit",
        row,
    };
    Ok(Member {
        unit: of.unit()?,
        version: of.number("version")?,
        mac: of.get("mac")?,
    })
}

pub(super) fn shard(row: &Row) -> Result<ShardRow, Error> {
    let of = Of {
        table: "wsca_shard",
        row,
    };
    Ok(ShardRow {
        shard: of.number("shard")?,
        epoch: of.number("epoch")?,
        state: of.get("state")?,
        mac: of.get("mac")?,
    })
}

/// The shard that stands beside its unit.
pub(super) fn shard_of_unit(row: &Row) -> Result<ShardRow, Error> {
    let of = Of {
        table: "wsca_unit",
        row,
    };
    let epoch = of.optional("shard_epoch")?;
    Ok(ShardRow {
        shard: of.number("shard")?,
        epoch: epoch.ok_or_else(|| of.damaged("shard", "there is no such shard"))?,
        state: of.get("shard_state")?,
        mac: of.get("shard_mac")?,
    })
}

pub(super) fn key(row: &Row) -> Result<KeyRow, Error> {
    let of = Of {
        table: "wsca_key",
        row,
    };
    Ok(KeyRow {
        unit: of.unit()?,
        id: KeyId::from_slice(&of.get::<Vec<u8>>("id")?)
            .map_err(|_| of.damaged("id", "not a key's identifier"))?,
        public_key: of.get("public_key")?,
        wrapped: of.get("wrapped")?,
        created: of.time("created")?,
        erased_with: of.optional("erased_with")?,
    })
}

pub(super) fn item(row: &Row) -> Result<ItemRow, Error> {
    let of = Of {
        table: "wsca_item",
        row,
    };
    Ok(ItemRow {
        unit: of.unit()?,
        name: of.get("name")?,
        sealed: of.get("sealed")?,
    })
}

pub(super) fn exchange(row: &Row) -> Result<ExchangeRow, Error> {
    let of = Of {
        table: "wsca_exchange",
        row,
    };
    Ok(ExchangeRow {
        id: of.get("id")?,
        unit: of.unit()?,
        kind: ExchangeKind::from_name(&of.get::<String>("kind")?)
            .ok_or_else(|| of.damaged("kind", "not a kind of exchange"))?,
        message: of.hash("message")?,
        session: of.get("session")?,
        task: of.get("task")?,
        duration: of.optional("duration")?,
        expires: of.time("expires")?,
        answer: of.get("answer")?,
        sealed: of.get("sealed")?,
    })
}

pub(super) fn session(row: &Row) -> Result<SessionRow, Error> {
    let of = Of {
        table: "wsca_session",
        row,
    };
    Ok(SessionRow {
        id: of.get("id")?,
        unit: of.unit()?,
        task: of.get("task")?,
        opened: of.time("opened")?,
        idle_until: of.time("idle_until")?,
        expires: of.time("expires")?,
        sealed: of.get("sealed")?,
    })
}

pub(super) fn audit(row: &Row) -> Result<AuditRow, Error> {
    let of = Of {
        table: "wsca_audit",
        row,
    };
    Ok(AuditRow {
        sequence: of.number("sequence")?,
        entry: Entry {
            at: of.time("at")?,
            unit: of.unit_or_service()?,
            operation: of.get("operation")?,
            key: of.get("key")?,
            outcome: of.get("outcome")?,
        },
        hash: of.hash("hash")?,
    })
}

pub(super) fn appended(row: &Row) -> Result<Appended, Error> {
    let of = Of {
        table: "wsca_audit",
        row,
    };
    Ok(Appended {
        sequence: of.number("sequence")?,
        hash: of.hash("hash")?,
    })
}

pub(super) fn checkpoint(row: &Row) -> Result<CheckpointRow, Error> {
    let of = Of {
        table: "wsca_checkpoint",
        row,
    };
    Ok(CheckpointRow {
        sequence: of.number("sequence")?,
        token: of.get("token")?,
    })
}

pub(super) fn rotation(row: &Row) -> Result<RotationRow, Error> {
    let of = Of {
        table: "wsca_rotation",
        row,
    };
    Ok(RotationRow {
        version: of.number("version")?,
        minimum: of.number("minimum")?,
        target: of.optional("target")?,
        holder: of.get("holder")?,
        until: of.time("until")?,
        finished: of.time("finished")?,
    })
}

/// A number as the tables keep it. What does not fit is refused, not bent.
pub(super) fn whole(table: &'static str, column: &'static str, value: u64) -> Result<i64, Error> {
    i64::try_from(value).map_err(|_| Error::Damaged {
        table,
        column,
        what: "too large to be kept".into(),
    })
}
