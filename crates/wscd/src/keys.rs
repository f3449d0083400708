use jose::{Curve, PublicKey};
use serde::{Deserialize, Serialize};

/// The wallet unit that a key belongs to, as the device sees it: 16 bytes (the
/// unit's UUID) that every wrapped form of the unit is bound to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct UnitBinding(pub [u8; 16]);

impl std::fmt::Display for UnitBinding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

/// Counts the roots a device has had; the first is 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Generation(pub u64);

impl std::fmt::Display for Generation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Which roots a device holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RootState {
    /// The root that wraps.
    pub current: Generation,
    /// The root being retired, while a rotation is under way.
    pub retiring: Option<Generation>,
}

impl RootState {
    /// Whether what is wrapped under `generation` still opens.
    pub fn opens(&self, generation: Generation) -> bool {
        generation == self.current || Some(generation) == self.retiring
    }
}

/// A unit's wrapping key, wrapped by the root. Opaque; bound to the unit and to
/// the root's generation.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WrappedUnitKey {
    /// The generation of the root that wraps it.
    pub generation: Generation,
    /// The device's own form.
    pub bytes: Vec<u8>,
}

/// A user key's private part, wrapped by its unit's key. Opaque; bound to the
/// unit, the unit's key and the public key.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WrappedKey(pub Vec<u8>);

/// A user key as it leaves the device: its public key, and its private part in
/// a form that only the device opens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserKey {
    /// The public key.
    pub public: PublicKey,
    /// The private key, wrapped.
    pub wrapped: WrappedKey,
}

/// How far the destruction of a key has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state", content = "generation")]
pub enum Erasure {
    /// Nothing of it exists any more, in any copy of the database.
    Complete,
    /// No request reaches it; earlier copies of the database become useless
    /// when the root of this generation is destroyed.
    AtRotation(Generation),
}

/// How long the digest must be that a key of this curve signs, in bytes:
/// SHA-256, SHA-384 and SHA-512, as ES256, ES384 and ES512 want (RFC 7518, 3.4).
pub fn digest_len(curve: Curve) -> usize {
    curve.algorithm().hash().len()
}

// The wrapped forms are not secret, but they are long and say nothing.
impl std::fmt::Debug for WrappedUnitKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "WrappedUnitKey(generation {}, {} bytes)",
            self.generation,
            self.bytes.len()
        )
    }
}

impl std::fmt::Debug for WrappedKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "WrappedKey({} bytes)", self.0.len())
    }
}
