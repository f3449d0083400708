use jiff::Timestamp;
use jose::{Curve, HashAlg, PublicKey};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::AttackPotential;

/// The name of a key within its wallet unit. Another unit's key cannot be named
/// at all: every look-up is by unit and name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct KeyId(Uuid);

/// The bytes or the text are no key's identifier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a key's identifier: a UUID is expected")]
pub struct NotAnId;

impl KeyId {
    /// A fresh name.
    pub fn random() -> Self {
        Self(Uuid::new_v4())
    }

    /// The name in 16 bytes.
    pub fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }

    /// A name from its bytes.
    pub fn from_slice(bytes: &[u8]) -> Result<Self, NotAnId> {
        Uuid::from_slice(bytes).map(Self).map_err(|_| NotAnId)
    }
}

impl std::fmt::Display for KeyId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.0.hyphenated().encode_lower(&mut Uuid::encode_buffer()))
    }
}

impl std::str::FromStr for KeyId {
    type Err = NotAnId;

    fn from_str(text: &str) -> Result<Self, NotAnId> {
        Uuid::try_parse(text).map(Self).map_err(|_| NotAnId)
    }
}

/// What a WSCA tells of a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyInfo {
    /// Its name.
    pub id: KeyId,
    /// Its public key.
    pub public_key: PublicKey,
    /// What attacks its storage withstands (`key_storage` of a key attestation);
    /// none where nothing certifies it.
    pub key_storage: Option<AttackPotential>,
    /// What attacks the authentication before its use withstands
    /// (`user_authentication`); none where nothing certifies it.
    pub user_authentication: Option<AttackPotential>,
    /// The certification that the levels rest on.
    pub certification: Option<String>,
    /// Whether the private key can leave the device. Never: ARF `WUA_16a`.
    pub exportable: bool,
    /// Whether it can be used.
    pub state: KeyState,
    /// When it was made.
    pub created: Timestamp,
}

impl KeyInfo {
    /// The key's curve.
    pub fn curve(&self) -> Curve {
        self.public_key.curve()
    }
}

/// Where a key is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyState {
    /// It can be used.
    Active,
    /// Nobody can use it any more. A full copy of the database from before its
    /// destruction, together with the device, could still, until the next
    /// rotation of the device's root.
    Destroyed,
    /// Nobody can use it any more, with whatever copy of whatever database.
    Erased,
}

/// A digest to be signed. A WSCA signs nothing else, so that it does not learn
/// whom the user addresses.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Digest(Vec<u8>);

/// A digest has another length than the key's curve signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a digest of {found} bytes; a key on {curve} signs {expected}")]
pub struct DigestLength {
    /// Its length in bytes.
    pub found: usize,
    /// The length that the curve's algorithm signs.
    pub expected: usize,
    /// The key's curve.
    pub curve: Curve,
}

impl Digest {
    /// The digest of `message` by the hash that goes with `curve`.
    pub fn of(message: &[u8], curve: Curve) -> Self {
        Self(curve.algorithm().hash().digest(message))
    }

    /// A digest made elsewhere: 32, 48 or 64 bytes, as the curve wants.
    pub fn new(bytes: Vec<u8>, curve: Curve) -> Result<Self, DigestLength> {
        let expected = HashAlg::len(curve.algorithm().hash());
        if bytes.len() == expected {
            Ok(Self(bytes))
        } else {
            Err(DigestLength {
                found: bytes.len(),
                expected,
                curve,
            })
        }
    }

    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// The name of a small protected item: 1 to 64 of `a-z`, `0-9`, `-`, `_`, `.`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ItemName(String);

/// The text is no item's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("an item's name is 1 to 64 of a-z, 0-9, '-', '_', '.'")]
pub struct NotAnItemName;

impl ItemName {
    /// Checks a name.
    pub fn new(name: impl Into<String>) -> Result<Self, NotAnItemName> {
        let name = name.into();
        let fits = (1..=64).contains(&name.len())
            && name
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_.".contains(&b));
        if fits {
            Ok(Self(name))
        } else {
            Err(NotAnItemName)
        }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for ItemName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(&self.0)
    }
}

impl TryFrom<String> for ItemName {
    type Error = NotAnItemName;

    fn try_from(name: String) -> Result<Self, NotAnItemName> {
        Self::new(name)
    }
}

impl From<ItemName> for String {
    fn from(name: ItemName) -> String {
        name.0
    }
}
