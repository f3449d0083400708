use jose::SignError;
use r2ps::opaque::OpaqueError;
use r2ps::{EnvelopeError, Problem};
use sci::Code;
use wscd::DeviceError;

use crate::{AdminError, CommitError, Guard, StoreError};

/// Why a request was refused.
#[derive(Debug, thiserror::Error)]
pub enum WscaError {
    /// A rule says no.
    #[error("{0}")]
    Refused(Problem),
    /// The message is not one that is believed.
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    /// The device did not.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// One of the service's own keys did not.
    #[error(transparent)]
    Key(#[from] SignError),
    /// The store did not.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The PIN's protocol failed.
    #[error(transparent)]
    Opaque(#[from] OpaqueError),
    /// Something changed meanwhile; the request is worth doing again.
    #[error("the unit changed meanwhile")]
    Conflict,
    /// What cannot be.
    #[error("{0}")]
    Internal(String),
}

impl WscaError {
    /// What the asker is told.
    pub fn problem(&self) -> Problem {
        match self {
            Self::Refused(problem) => problem.clone(),
            Self::Envelope(error) => error.code().into(),
            Self::Device(error) => device_code(error).into(),
            Self::Key(SignError::Unavailable(_)) => Code::TryLater.into(),
            Self::Store(StoreError::Unavailable(_)) | Self::Conflict => Code::TryLater.into(),
            Self::Opaque(OpaqueError::Message) => Code::IllegalRequestData.into(),
            Self::Opaque(OpaqueError::Proof | OpaqueError::WrongPin) => Code::PinUnproven.into(),
            Self::Store(StoreError::Damaged(_)) => Code::RecordAltered.into(),
            Self::Key(_) | Self::Opaque(OpaqueError::Library) | Self::Internal(_) => {
                Code::ServerError.into()
            }
        }
    }

    /// Whether someone has to look: the fault is not the asker's.
    pub(crate) fn is_ours(&self) -> bool {
        matches!(
            self.problem().code,
            Code::ServerError | Code::TryLater | Code::RecordAltered | Code::StateRolledBack
        )
    }

    /// Whether the device does not offer it at all.
    pub(crate) fn is_not_offered(&self) -> bool {
        matches!(self, Self::Device(DeviceError::NotOffered { .. }))
    }

    /// What a guard that did not hold means to the asker.
    pub(crate) fn of_guard(guard: &Guard) -> Self {
        match guard {
            Guard::NonceUnused(..) => Code::Replayed.into(),
            Guard::SessionLive(..) => Code::NoSession.into(),
            Guard::Exchange(_) => Code::PinUnproven.into(),
            Guard::NoUnit(_)
            | Guard::UnitVersion(..)
            | Guard::ShardEpoch(..)
            | Guard::NoSecret(_)
            | Guard::Generation(_)
            | Guard::RotationVersion(_)
            | Guard::LastCheckpoint(_) => Self::Conflict,
        }
    }

    pub(crate) fn of_commit(error: CommitError, guards: &[Guard]) -> Self {
        match error {
            CommitError::Guard { index } => guards.get(index).map_or(
                Self::Internal("the store named a guard that is not there".into()),
                Self::of_guard,
            ),
            CommitError::Store(error) => Self::Store(error),
        }
    }
}

impl From<Code> for WscaError {
    fn from(code: Code) -> Self {
        Self::Refused(code.into())
    }
}

impl From<Problem> for WscaError {
    fn from(problem: Problem) -> Self {
        Self::Refused(problem)
    }
}

fn device_code(error: &DeviceError) -> Code {
    match error {
        DeviceError::Busy { .. } | DeviceError::Lost { .. } | DeviceError::Exhausted { .. } => {
            Code::TryLater
        }
        DeviceError::WrongUnit { .. }
        | DeviceError::WrongKey
        | DeviceError::WrongUnitKey { .. }
        | DeviceError::WrongGeneration { .. }
        | DeviceError::Tampered { .. } => Code::RecordAltered,
        DeviceError::DigestLength { .. } | DeviceError::WrongCurve { .. } => {
            Code::IllegalRequestData
        }
        DeviceError::TooMany { .. } => Code::TooMany,
        DeviceError::UnsupportedCurve { .. } | DeviceError::NotOffered { .. } => Code::NotOffered,
        _ => Code::ServerError,
    }
}

impl From<WscaError> for AdminError {
    fn from(error: WscaError) -> Self {
        let problem = error.problem();
        match (error, problem.code) {
            (WscaError::Store(error), _) => Self::Store(error),
            (_, Code::RecordAltered) => Self::RecordAltered,
            (_, Code::StateRolledBack) => Self::StateRolledBack,
            (_, Code::UnitDestroyed) => Self::Destroyed,
            (error, Code::TryLater) => Self::Unavailable(error.to_string()),
            (error, _) => Self::Internal(error.to_string()),
        }
    }
}

/// Why a WSCA did not start.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The device did not.
    #[error("the device: {0}")]
    Device(#[from] DeviceError),
    /// The store did not.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The service's own secrets cannot be used.
    #[error("the WSCA's secret {name}: {cause}")]
    Secret {
        /// Which.
        name: &'static str,
        /// Why.
        cause: String,
    },
    /// The device has anchors of more shards than are configured.
    #[error("the device remembers a shard {found}, but only {configured} shards are configured")]
    Shards {
        /// A shard that should not be.
        found: u16,
        /// How many are configured.
        configured: u16,
    },
    /// The configuration cannot be.
    #[error("{0}")]
    Config(String),
}
