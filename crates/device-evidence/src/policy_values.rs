//! The values that the policies of all platforms are written in.

use serde::{Deserialize, Deserializer, de};
use wua::AttackPotential;

/// Why a value in a policy is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// Not a SHA-256 in hex.
    #[error("{0:?} is not a SHA-256 digest in hex")]
    Digest(String),
    /// Not a boot key in hex.
    #[error("{0:?} is not a verified boot key in hex, other than zeros")]
    BootKey(String),
    /// An app without a signer: anyone could sign a package of that name.
    #[error("the app {0:?} names no signer")]
    NoSigner(String),
    /// A certified device that any device would match.
    #[error("a certified device names a model or a device")]
    NoModel,
    /// A level that does not exist.
    #[error(
        "{0:?} is none of none, iso_18045_basic, iso_18045_enhanced-basic, iso_18045_moderate, iso_18045_high"
    )]
    Level(String),
    /// An App ID that is not a team and a bundle.
    #[error("{0:?} is not an App ID: TEAMID.bundle.identifier")]
    AppId(String),
    /// A key that is not what it must be.
    #[error("{0} is not a key of the kind that is needed: {1}")]
    Key(&'static str, &'static str),
}

/// A SHA-256 digest, as hex in a policy; colons are allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct Digest(pub [u8; 32]);

impl TryFrom<String> for Digest {
    type Error = PolicyError;

    fn try_from(text: String) -> Result<Self, PolicyError> {
        let mut digest = [0; 32];
        match hex::decode_to_slice(text.replace(':', ""), &mut digest) {
            Ok(()) => Ok(Self(digest)),
            Err(_) => Err(PolicyError::Digest(text)),
        }
    }
}

/// An app as Android and Play know it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "WrittenApp")]
pub struct App {
    /// Its package name.
    pub package: String,
    /// SHA-256 of the certificates it may be signed with; at least one.
    pub signers: Vec<Digest>,
    /// The lowest versionCode that is accepted.
    pub min_version: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenApp {
    package: String,
    signers: Vec<Digest>,
    #[serde(default)]
    min_version: u64,
}

impl TryFrom<WrittenApp> for App {
    type Error = PolicyError;

    fn try_from(app: WrittenApp) -> Result<Self, PolicyError> {
        if app.signers.is_empty() {
            return Err(PolicyError::NoSigner(app.package));
        }
        Ok(Self {
            package: app.package,
            signers: app.signers,
            min_version: app.min_version,
        })
    }
}

/// Reads a level: `none`, or a value of `key_storage`.
pub(crate) fn level<'de, D: Deserializer<'de>>(
    from: D,
) -> Result<Option<AttackPotential>, D::Error> {
    let text = String::deserialize(from)?;
    if text == "none" {
        return Ok(None);
    }
    match AttackPotential::from_name(&text) {
        Some(level) => Ok(Some(level)),
        None => Err(de::Error::custom(PolicyError::Level(text))),
    }
}
