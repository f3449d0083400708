use async_trait::async_trait;
use jose::{Curve, PublicKey};
use sci::{ActivationInfo, UnitId};
use serde::{Deserialize, Serialize};

use crate::{ServiceIdentity, StoreError};

/// The two keys of a phone that a unit is bound to, as its evidence showed them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceKeys {
    /// Signs every request (P-256).
    pub sign: PublicKey,
    /// Opens answers and hardens the PIN (P-256).
    pub agree: PublicKey,
}

impl DeviceKeys {
    /// Whether both are on P-256 and are two keys.
    pub(crate) fn fit(&self) -> bool {
        self.sign.curve() == Curve::P256
            && self.agree.curve() == Curve::P256
            && self.sign != self.agree
    }
}

/// How a unit stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnitState {
    /// Whether a PIN is registered.
    pub has_factor: bool,
    /// Whether the PIN is blocked for good.
    pub pin_blocked: bool,
    /// Whether nothing is added to it any more: [`WscaAdmin::retire`].
    #[serde(default)]
    pub retired: bool,
    /// Whether its keys are frozen.
    pub frozen: bool,
    /// Whether it was destroyed.
    pub destroyed: bool,
}

/// What the wallet provider may ask of the WSCA. Nothing here uses a user's key:
/// only its user can (CIR (EU) 2024/2979, Article 5(1)(h)).
#[async_trait]
pub trait WscaAdmin: std::fmt::Debug + Send + Sync {
    /// Makes a unit for a phone with these keys. The same unit with the same keys
    /// again is no error, so that it can be repeated after a crash.
    async fn enroll(&self, unit: UnitId, keys: DeviceKeys) -> Result<(), AdminError>;

    /// How a unit stands.
    async fn unit_state(&self, unit: UnitId) -> Result<UnitState, AdminError>;

    /// Ends every session of a unit; once this returns, none of them does anything.
    async fn end_sessions(&self, unit: UnitId) -> Result<(), AdminError>;

    /// Retires a unit: its sessions end, and what it does on the way to new
    /// attestations (making keys, having keys stated) is refused for good. The keys
    /// it has are used as before. `reason` goes to the audit log: a word, no personal
    /// data. A unit that is frozen or destroyed stays so.
    async fn retire(&self, unit: UnitId, reason: &str) -> Result<(), AdminError>;

    /// Freezes a unit: its sessions end, no new one opens, no key is used. `reason`
    /// goes to the audit log: a word, no personal data.
    async fn freeze(&self, unit: UnitId, reason: &str) -> Result<(), AdminError>;

    /// Destroys a unit with all its keys and items. It is final; again is no error.
    async fn destroy_unit(&self, unit: UnitId) -> Result<(), AdminError>;

    /// Lets the user of a unit register a new PIN, for one who has forgotten theirs.
    /// The wallet provider has identified the user anew before. All keys and items
    /// of the unit are destroyed with the old PIN: nothing that the old PIN
    /// protected can be used with the new one (`docs/decisions/0041`).
    async fn reset_factor(&self, unit: UnitId) -> Result<(), AdminError> {
        let _ = unit;
        Err(AdminError::RecoveryForbidden)
    }

    /// The key that key statements verify under.
    fn statement_key(&self) -> &PublicKey;

    /// The context and keys that a wallet instance must know and pin.
    fn service(&self) -> &ServiceIdentity;

    /// What an activation needs to know (ARF `WIAM_05`).
    fn information(&self) -> &ActivationInfo;
}

/// Why the WSCA did not do what its administrator asked.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// There is no such unit.
    #[error("the WSCA knows no such unit")]
    UnknownUnit,
    /// The unit is there with other keys, or has gone further already.
    #[error("the unit is enrolled already")]
    AlreadyEnrolled,
    /// The unit was destroyed.
    #[error("the unit was destroyed")]
    Destroyed,
    /// The unit's keys are frozen, or nothing is added to it any more.
    #[error("the unit is frozen or retired")]
    Frozen,
    /// The configuration lets no factor be reset.
    #[error("a forgotten PIN cannot be replaced here: the unit has to be destroyed")]
    RecoveryForbidden,
    /// The device keys are not two keys on P-256.
    #[error("a unit needs two device keys on P-256, one to sign and one to agree")]
    DeviceKeys,
    /// The unit's record is not what the WSCA wrote.
    #[error("the unit's record was altered outside the WSCA")]
    RecordAltered,
    /// The database is older than the device remembers.
    #[error("the database is older than the device remembers")]
    StateRolledBack,
    /// The device or the store is busy or away.
    #[error("the WSCA or its device is busy or away: {0}")]
    Unavailable(String),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Something failed inside.
    #[error("{0}")]
    Internal(String),
}
