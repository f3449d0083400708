//! Sessions: short, of one unit, one device key and one task.
//!
//! A session is a row with its key sealed inside; the seal binds the row's columns,
//! the device's signing key and the unit's session epoch. So a session that was
//! prolonged, moved to another unit or another task in the database does not open,
//! and none opens after the epoch has moved on (revocation, freeze, new PIN), even
//! where someone puts the row back.

use jiff::{SignedDuration, Timestamp};
use r2ps::opaque::SessionKey;
use sci::{Code, Operation, SessionInfo, Task};
use zeroize::Zeroizing;

use crate::record::Unit;
use crate::secrets::Secrets;
use crate::{SessionPolicy, SessionRow, Write, WscaError};

/// A session that is open now.
pub(crate) struct Session {
    pub(crate) info: SessionInfo,
    pub(crate) key: SessionKey,
}

impl Session {
    /// A new session: what its owner may know, and the row.
    pub(crate) fn begin(
        id: String,
        task: Task,
        key: SessionKey,
        duration: Option<u64>,
        policy: SessionPolicy,
        now: Timestamp,
    ) -> Self {
        let longest = policy.absolute;
        let asked = duration
            .and_then(|seconds| i64::try_from(seconds).ok())
            .map_or(longest, |seconds| {
                SignedDuration::from_secs(seconds).min(longest)
            });
        let expires = later(now, asked);
        Self {
            info: SessionInfo {
                id,
                task,
                opened: millis(now),
                idle_until: later(now, policy.idle).min(expires),
                expires,
            },
            key,
        }
    }

    /// The row of a session of `unit`.
    pub(crate) fn row(
        &self,
        unit: &Unit,
        session_epoch: u64,
        secrets: &Secrets,
    ) -> Result<SessionRow, WscaError> {
        let aad = binding(&self.info, unit, session_epoch);
        Ok(SessionRow {
            id: self.info.id.clone(),
            unit: unit.id(),
            task: self.info.task.name().into(),
            opened: self.info.opened,
            idle_until: self.info.idle_until,
            expires: self.info.expires,
            sealed: secrets.seal(&self.info.id, &aad, self.key.as_slice())?,
        })
    }

    /// Opens a session of `unit` from its row, as of `now`.
    pub(crate) fn open(
        row: SessionRow,
        unit: &Unit,
        secrets: &Secrets,
        now: Timestamp,
    ) -> Result<Self, WscaError> {
        if row.unit != unit.id() || now >= row.idle_until || now >= row.expires {
            return Err(Code::NoSession.into());
        }
        let info = SessionInfo {
            id: row.id,
            task: row.task.parse().map_err(|_| Code::NoSession)?,
            opened: row.opened,
            idle_until: row.idle_until,
            expires: row.expires,
        };
        let aad = binding(&info, unit, unit.row().session_epoch);
        let key = secrets
            .open_sealed(&info.id, &aad, &row.sealed)?
            .ok_or(Code::NoSession)?;
        let key = <[u8; 32]>::try_from(key.as_slice()).map_err(|_| Code::NoSession)?;
        Ok(Self {
            info,
            key: Zeroizing::new(key),
        })
    }

    /// Refuses what the session's task does not allow.
    pub(crate) fn must_allow(&self, operation: Operation) -> Result<(), WscaError> {
        if self.info.task.allows(operation) {
            Ok(())
        } else {
            Err(Code::TaskForbids.into())
        }
    }

    /// The session after a request: its idle limit moves.
    pub(crate) fn touched(&self, policy: SessionPolicy, now: Timestamp) -> SessionInfo {
        SessionInfo {
            idle_until: later(now, policy.idle).min(self.info.expires),
            ..self.info.clone()
        }
    }

    /// The write that moves the idle limit.
    pub(crate) fn touch(
        &self,
        touched: &SessionInfo,
        unit: &Unit,
        secrets: &Secrets,
    ) -> Result<Write, WscaError> {
        let aad = binding(touched, unit, unit.row().session_epoch);
        Ok(Write::TouchSession {
            id: touched.id.clone(),
            idle_until: touched.idle_until,
            sealed: secrets.seal(&touched.id, &aad, self.key.as_slice())?,
        })
    }
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Session({})", self.info.id)
    }
}

/// What a session's seal binds.
fn binding(info: &SessionInfo, unit: &Unit, session_epoch: u64) -> Vec<u8> {
    let mut aad = Vec::with_capacity(192);
    aad.extend_from_slice(b"claviger-wsca-session-v1");
    aad.extend_from_slice(unit.id().as_bytes());
    aad.extend_from_slice(&unit.signing.thumbprint());
    aad.extend_from_slice(&session_epoch.to_be_bytes());
    for at in [info.opened, info.idle_until, info.expires] {
        aad.extend_from_slice(&at.as_millisecond().to_be_bytes());
    }
    aad.extend_from_slice(info.task.name().as_bytes());
    aad.push(0);
    aad.extend_from_slice(info.id.as_bytes());
    aad
}

/// `at` after `by`, in whole milliseconds, as the database keeps them.
pub(crate) fn later(at: Timestamp, by: SignedDuration) -> Timestamp {
    millis(at.checked_add(by).unwrap_or(Timestamp::MAX))
}

/// In whole milliseconds, as the database keeps them.
pub(crate) fn millis(at: Timestamp) -> Timestamp {
    Timestamp::from_millisecond(at.as_millisecond()).unwrap_or(at)
}

/// A fresh identifier of a session or exchange: 256 random bits.
pub(crate) fn fresh_id() -> Result<String, WscaError> {
    let mut bytes = [0; 32];
    aws_lc_rs::rand::fill(&mut bytes)
        .map_err(|_| WscaError::Internal("the cryptographic library failed".into()))?;
    Ok(jose::b64::encode(bytes))
}
