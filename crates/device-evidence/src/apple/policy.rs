//! What is required of App Attest.

use jose::sha256;
use serde::{Deserialize, Serialize};
use wua::AttackPotential;

use crate::chain::RootKey;
use crate::policy_values::{PolicyError, level};

/// What is required of App Attest.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ApplePolicy {
    /// Whether chains may lead to Apple's root.
    pub apple_root: bool,
    /// Further root keys, of test beds.
    pub roots: Vec<RootKey>,
    /// The apps that evidence may come from.
    pub apps: Vec<AppId>,
    /// Where keys may have been made. Keys of the development environment earn
    /// no level.
    pub environments: Vec<Environment>,
    /// What keys earn.
    pub levels: AppleLevels,
}

/// An App ID: the team, a dot, the bundle.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct AppId(String);

impl AppId {
    /// The App ID as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What stands in authenticator data.
    pub fn hash(&self) -> [u8; 32] {
        sha256(self.0.as_bytes())
    }
}

impl TryFrom<String> for AppId {
    type Error = PolicyError;

    fn try_from(text: String) -> Result<Self, PolicyError> {
        match text.split_once('.') {
            Some((team, bundle))
                if team.len() == 10
                    && team.bytes().all(|b| b.is_ascii_alphanumeric())
                    && !bundle.is_empty() =>
            {
                Ok(Self(text))
            }
            _ => Err(PolicyError::AppId(text)),
        }
    }
}

/// The App Attest environment, by the AAGUID.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Environment {
    /// Apps under development.
    Development,
    /// Apps from TestFlight, the App Store, or an enterprise.
    Production,
}

impl Environment {
    /// The AAGUID that stands for it.
    pub(crate) fn from_aaguid(aaguid: &[u8; 16]) -> Option<Self> {
        match aaguid {
            b"appattestdevelop" => Some(Environment::Development),
            b"appattest\0\0\0\0\0\0\0" => Some(Environment::Production),
            _ => None,
        }
    }
}

impl std::fmt::Display for Environment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Environment::Development => "development",
            Environment::Production => "production",
        })
    }
}

/// What keys earn: nothing, unless the operator answers for it, as for Android's
/// ([`crate::android::Levels`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AppleLevels {
    /// The attested key: Apple vouches that it is in the Secure Enclave.
    #[serde(deserialize_with = "level")]
    pub attested_key: Option<AttackPotential>,
    /// Keys that the app binds: only the genuine app says where they are.
    #[serde(deserialize_with = "level")]
    pub bound_keys: Option<AttackPotential>,
}

impl AppleLevels {
    /// What the Secure Enclave, and a genuine app beside it, are built to resist, for an
    /// operator who knows that they do.
    pub const BY_PLACE: Self = Self {
        attested_key: Some(AttackPotential::Moderate),
        bound_keys: Some(AttackPotential::EnhancedBasic),
    };
}

impl Default for ApplePolicy {
    fn default() -> Self {
        Self {
            apple_root: true,
            roots: Vec::new(),
            apps: Vec::new(),
            environments: vec![Environment::Production],
            levels: AppleLevels::default(),
        }
    }
}
