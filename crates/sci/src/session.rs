use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What a session is opened for. It allows what the task needs and nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Task {
    /// Getting attestations: keys are made, stated, and prove themselves.
    Issuance,
    /// Presenting attestations: keys sign and agree.
    Presentation,
    /// Looking after what is there: listing and destroying keys, the unit.
    Maintenance,
    /// Changing the PIN, once (`2fa_update` of the Internet-Draft).
    #[serde(rename = "2fa_update")]
    PinChange,
}

/// The text names no task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a task that a session can be opened for")]
pub struct UnknownTask;

/// What a session may be used for, one by one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// Making keys.
    GenerateKeys,
    /// Telling which keys there are.
    ListKeys,
    /// Signing digests.
    Sign,
    /// Agreeing on a secret.
    Agree,
    /// Stating keys for an attestation.
    StateKeys,
    /// Storing or removing an item.
    StoreItem,
    /// Reading an item.
    ReadItem,
    /// Destroying keys.
    DestroyKeys,
    /// Destroying the unit.
    DestroyUnit,
    /// Changing the PIN.
    ChangePin,
    /// Asking after the session.
    InspectSession,
    /// Ending the session.
    EndSession,
}

impl Task {
    /// Every task.
    pub const ALL: [Self; 4] = [
        Self::Issuance,
        Self::Presentation,
        Self::Maintenance,
        Self::PinChange,
    ];

    /// Its name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::Issuance => "issuance",
            Self::Presentation => "presentation",
            Self::Maintenance => "maintenance",
            Self::PinChange => "2fa_update",
        }
    }

    /// Whether a session for this task may do `operation`.
    pub fn allows(self, operation: Operation) -> bool {
        use Operation::{
            Agree, ChangePin, DestroyKeys, DestroyUnit, EndSession, GenerateKeys, InspectSession,
            ListKeys, ReadItem, Sign, StateKeys, StoreItem,
        };
        let tasks: &[Self] = match operation {
            GenerateKeys | StateKeys => &[Self::Issuance],
            Sign => &[Self::Issuance, Self::Presentation],
            Agree => &[Self::Presentation],
            StoreItem => &[Self::Issuance, Self::Maintenance],
            ReadItem => &[Self::Issuance, Self::Presentation, Self::Maintenance],
            DestroyKeys => &[Self::Issuance, Self::Presentation, Self::Maintenance],
            DestroyUnit => &[Self::Maintenance],
            ListKeys => &[Self::Issuance, Self::Presentation, Self::Maintenance],
            ChangePin => &[Self::PinChange],
            InspectSession | EndSession => &Self::ALL,
        };
        tasks.contains(&self)
    }
}

impl std::fmt::Display for Task {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}

impl std::str::FromStr for Task {
    type Err = UnknownTask;

    fn from_str(text: &str) -> Result<Self, UnknownTask> {
        Self::ALL
            .into_iter()
            .find(|task| task.name() == text)
            .ok_or(UnknownTask)
    }
}

/// A session as its owner may know it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionInfo {
    /// Its identifier. It opens nothing by itself.
    pub id: String,
    /// What it was opened for.
    pub task: Task,
    /// When the PIN was proven.
    pub opened: Timestamp,
    /// When it ends if nothing happens in it.
    pub idle_until: Timestamp,
    /// When it ends whatever happens.
    pub expires: Timestamp,
}
