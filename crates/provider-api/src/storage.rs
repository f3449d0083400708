use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Where a unit's keys are kept, as a KA describes it (ARF `WUA_05`).
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Storage {
    /// The WSCD behind the WSCA: it holds the keys of PIDs.
    Wscd,
    /// The keystore of the user's device.
    Keystore,
}

impl Storage {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Wscd, Self::Keystore];

    /// The name on the wire and in the store.
    pub fn name(self) -> &'static str {
        match self {
            Self::Wscd => "wscd",
            Self::Keystore => "keystore",
        }
    }

    /// The storage of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|storage| storage.name() == name)
    }
}

impl std::fmt::Display for Storage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}
