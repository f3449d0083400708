use serde::{Deserialize, Serialize};

use crate::DeviceError;

/// What a MAC is for. Each purpose has a key of its own in the device, so that
/// no MAC made for one can be passed off as another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MacPurpose {
    /// Binds the columns of a unit's record to each other.
    RecordBinding,
    /// Stands for OPAQUE's `oprf_seed` (RFC 9807): see [`crate::Wscd::mac`].
    OprfSeed,
    /// Makes identifiers that cannot be guessed from what they stand for.
    AccountAlias,
    /// Chains the entries of the audit log.
    AuditLog,
    /// Keys the permutation that status indices are drawn from.
    StatusIndex,
}

impl MacPurpose {
    /// Every purpose.
    pub const ALL: [Self; 5] = [
        Self::RecordBinding,
        Self::OprfSeed,
        Self::AccountAlias,
        Self::AuditLog,
        Self::StatusIndex,
    ];

    /// The purpose's stable name, which a backend labels its key with.
    pub fn label(self) -> &'static str {
        match self {
            Self::RecordBinding => "record-binding",
            Self::OprfSeed => "oprf-seed",
            Self::AccountAlias => "account-alias",
            Self::AuditLog => "audit-log",
            Self::StatusIndex => "status-index",
        }
    }
}

/// What a small secret of the WSCA itself is. Each has a sealing key of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SealPurpose {
    /// The server's static key of OPAQUE's key exchange.
    OpaqueServerKey,
    /// A secret of the service that fits no other purpose; `aad` says which.
    ServiceSecret,
}

impl SealPurpose {
    /// Every purpose.
    pub const ALL: [Self; 2] = [Self::OpaqueServerKey, Self::ServiceSecret];

    /// The purpose's stable name, which a backend labels its key with.
    pub fn label(self) -> &'static str {
        match self {
            Self::OpaqueServerKey => "opaque-server-key",
            Self::ServiceSecret => "service-secret",
        }
    }
}

/// What a named key may do: one thing, never both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyUse {
    /// ECDSA over a digest.
    Sign,
    /// ECDH.
    Agree,
}

impl std::fmt::Display for KeyUse {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Sign => "signing",
            Self::Agree => "key agreement",
        })
    }
}

/// The name of one of the service's own keys: 1 to 64 of `a-z`, `0-9`, `-`,
/// `_`, `.`, so that it is a label on every device.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KeyName(String);

impl KeyName {
    /// Checks a name.
    pub fn new(name: impl Into<String>) -> Result<Self, DeviceError> {
        let name = name.into();
        let fits = (1..=64).contains(&name.len())
            && name
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_.".contains(&b));
        if fits {
            Ok(Self(name))
        } else {
            Err(DeviceError::BadName { name })
        }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for KeyName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for KeyName {
    type Error = DeviceError;
    fn try_from(name: String) -> Result<Self, DeviceError> {
        Self::new(name)
    }
}

impl From<KeyName> for String {
    fn from(name: KeyName) -> Self {
        name.0
    }
}
