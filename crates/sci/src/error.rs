use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::PinError;

/// Why a WSCA did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The WSCA refused, and says why by a stable code.
    #[error("{code}")]
    Refused {
        /// Why.
        code: Code,
        /// When the same request may be made again, where waiting helps.
        retry_at: Option<Timestamp>,
    },
    /// The PIN is wrong. The try has been counted.
    #[error("wrong PIN; {tries_left} tries are left")]
    WrongPin {
        /// How many tries are left before the PIN is blocked.
        tries_left: u32,
        /// When the next try is accepted, if a pause begins now.
        retry_at: Option<Timestamp>,
    },
    /// This is no PIN, or one that is not accepted as a new one.
    #[error(transparent)]
    Pin(#[from] PinError),
    /// There is no open session here.
    #[error("no session is open")]
    NoSession,
    /// The request is not one that can be made; nothing was sent.
    #[error("{0}")]
    Invalid(String),
    /// The device's own keys could not be used.
    #[error("the device's own key: {0}")]
    DeviceKey(#[from] jose::SignError),
    /// The WSCA could not be reached.
    #[error("the WSCA cannot be reached: {0}")]
    Unreachable(String),
    /// The answer is not one of the WSCA that was asked, to this request.
    #[error("the answer cannot be trusted: {0}")]
    Answer(String),
}

impl Error {
    /// A refusal without a time to wait.
    pub fn refused(code: Code) -> Self {
        Self::Refused {
            code,
            retry_at: None,
        }
    }

    /// The code, where the WSCA refused.
    pub fn code(&self) -> Option<Code> {
        match self {
            Self::Refused { code, .. } => Some(*code),
            _ => None,
        }
    }
}

/// Why a WSCA refused. The names are stable: they stand on the wire, in the
/// audit log and in scripts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[non_exhaustive]
pub enum Code {
    /// The request is malformed, too large, or asks for what cannot be.
    IllegalRequestData,
    /// Nobody who may ask has signed the request, or not with this session's key.
    Unauthorized,
    /// The same nonce was used before.
    Replayed,
    /// The request's time is too far from now.
    Stale,
    /// The service type is unknown, or wants the other protection mode.
    UnsupportedRequestType,
    /// The PIN rests: too many wrong tries in a row. It can be tried again later.
    PinPaused,
    /// The PIN is blocked for good.
    PinBlocked,
    /// No PIN was registered yet.
    NoPin,
    /// A PIN was registered already; it can be changed, not registered again.
    PinExists,
    /// The PIN was not proven: the last message does not fit the first.
    PinUnproven,
    /// There is no such session (any more): ended, expired, or idle for too long.
    NoSession,
    /// The session was opened for another task.
    TaskForbids,
    /// The unit has no such key. Another unit's key is none of its keys.
    NoSuchKey,
    /// The key was destroyed.
    KeyDestroyed,
    /// The unit has no such item.
    NoSuchItem,
    /// There would be too many keys or items.
    TooMany,
    /// The device does not offer it: this curve, this operation.
    NotOffered,
    /// The unit's keys are frozen.
    UnitFrozen,
    /// The unit is retired: what it has can be used, and nothing is added to it.
    UnitRetired,
    /// The unit was destroyed.
    UnitDestroyed,
    /// The stored record of the unit is not what the WSCA wrote: someone changed
    /// the database.
    RecordAltered,
    /// The database is older than the device remembers: nothing is done with it.
    StateRolledBack,
    /// The WSCA or its device is busy or away; the same request may work later.
    TryLater,
    /// Something failed inside.
    ServerError,
}

impl Code {
    /// The name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::IllegalRequestData => "ILLEGAL_REQUEST_DATA",
            Self::Unauthorized => "UNAUTHORIZED",
            Self::Replayed => "REPLAYED",
            Self::Stale => "STALE",
            Self::UnsupportedRequestType => "UNSUPPORTED_REQUEST_TYPE",
            Self::PinPaused => "PIN_PAUSED",
            Self::PinBlocked => "PIN_BLOCKED",
            Self::NoPin => "NO_PIN",
            Self::PinExists => "PIN_EXISTS",
            Self::PinUnproven => "PIN_UNPROVEN",
            Self::NoSession => "NO_SESSION",
            Self::TaskForbids => "TASK_FORBIDS",
            Self::NoSuchKey => "NO_SUCH_KEY",
            Self::KeyDestroyed => "KEY_DESTROYED",
            Self::NoSuchItem => "NO_SUCH_ITEM",
            Self::TooMany => "TOO_MANY",
            Self::NotOffered => "NOT_OFFERED",
            Self::UnitFrozen => "UNIT_FROZEN",
            Self::UnitRetired => "UNIT_RETIRED",
            Self::UnitDestroyed => "UNIT_DESTROYED",
            Self::RecordAltered => "RECORD_ALTERED",
            Self::StateRolledBack => "STATE_ROLLED_BACK",
            Self::TryLater => "TRY_LATER",
            Self::ServerError => "SERVER_ERROR",
        }
    }

    /// Every code.
    pub const ALL: [Self; 24] = [
        Self::IllegalRequestData,
        Self::Unauthorized,
        Self::Replayed,
        Self::Stale,
        Self::UnsupportedRequestType,
        Self::PinPaused,
        Self::PinBlocked,
        Self::NoPin,
        Self::PinExists,
        Self::PinUnproven,
        Self::NoSession,
        Self::TaskForbids,
        Self::NoSuchKey,
        Self::KeyDestroyed,
        Self::NoSuchItem,
        Self::TooMany,
        Self::NotOffered,
        Self::UnitFrozen,
        Self::UnitRetired,
        Self::UnitDestroyed,
        Self::RecordAltered,
        Self::StateRolledBack,
        Self::TryLater,
        Self::ServerError,
    ];

    /// What a person reads.
    pub fn says(self) -> &'static str {
        match self {
            Self::IllegalRequestData => "the request is malformed or asks for what cannot be",
            Self::Unauthorized => "the request is not signed by a key that may ask this",
            Self::Replayed => "the request was made before",
            Self::Stale => "the request's time is too far from now",
            Self::UnsupportedRequestType => "the service type is unknown in this protection mode",
            Self::PinPaused => "too many wrong tries: the PIN rests for a while",
            Self::PinBlocked => "too many wrong tries: the PIN is blocked",
            Self::NoPin => "no PIN is registered",
            Self::PinExists => "a PIN is registered already",
            Self::PinUnproven => "the PIN was not proven",
            Self::NoSession => "there is no such session, or it has ended",
            Self::TaskForbids => "the session was opened for another task",
            Self::NoSuchKey => "the unit has no such key",
            Self::KeyDestroyed => "the key was destroyed",
            Self::NoSuchItem => "the unit has no such item",
            Self::TooMany => "there would be too many",
            Self::NotOffered => "the device does not offer this",
            Self::UnitFrozen => "the unit's keys are frozen",
            Self::UnitRetired => "the unit is retired: nothing is added to what it has",
            Self::UnitDestroyed => "the unit was destroyed",
            Self::RecordAltered => "the unit's record was altered outside the WSCA",
            Self::StateRolledBack => "the database is older than the device remembers",
            Self::TryLater => "the WSCA or its device is busy or away",
            Self::ServerError => "something failed inside",
        }
    }
}

impl std::fmt::Display for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.name(), self.says())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn names_on_the_wire_are_the_names_shown() {
        for code in Code::ALL {
            assert_eq!(serde_json::to_value(code).unwrap(), code.name());
        }
    }
}
