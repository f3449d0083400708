//! What is required of a Play Integrity token, and the keys that open it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jose::{Curve, PublicKey};
use serde::{Deserialize, Deserializer, de};
use zeroize::Zeroizing;

use crate::policy_values::{App, PolicyError};

/// What is required of a Play Integrity token.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlayPolicy {
    /// The app's decryption key from the Play Console.
    pub decryption_key: DecryptionKey,
    /// The app's verification key from the Play Console.
    pub verification_key: VerificationKey,
    /// The apps that a token may be about.
    pub apps: Vec<App>,
    /// Whether evidence of an Android device must come with a token.
    #[serde(default)]
    pub required: bool,
    /// The labels that the device must have.
    #[serde(default = "device_integrity")]
    pub device_labels: Vec<String>,
    /// Whether Play must recognise the app.
    #[serde(default = "yes")]
    pub recognized_app: bool,
    /// Whether the user must have got the app from Play.
    #[serde(default)]
    pub licensed: bool,
    /// How old a token may be, in seconds.
    #[serde(default = "ten_minutes")]
    pub max_age_seconds: u32,
}

fn device_integrity() -> Vec<String> {
    vec!["MEETS_DEVICE_INTEGRITY".into()]
}

fn yes() -> bool {
    true
}

fn ten_minutes() -> u32 {
    600
}

/// An AES-256 key that unwraps content keys, base64 in a policy.
#[derive(Clone)]
pub struct DecryptionKey(Zeroizing<[u8; 32]>);

impl DecryptionKey {
    /// A key of these bytes.
    pub fn new(key: Zeroizing<[u8; 32]>) -> Self {
        Self(key)
    }

    pub(super) fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl<'de> Deserialize<'de> for DecryptionKey {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = Zeroizing::new(String::deserialize(from)?);
        Self::from_base64(&text).map_err(de::Error::custom)
    }
}

impl DecryptionKey {
    /// The key as the Play Console gives it.
    pub fn from_base64(text: &str) -> Result<Self, PolicyError> {
        let bad = PolicyError::Key("the decryption key", "32 octets in base64 are expected");
        let bytes = Zeroizing::new(STANDARD.decode(text.trim()).map_err(|_| bad.clone())?);
        let mut key = Zeroizing::new([0; 32]);
        if bytes.len() != key.len() {
            return Err(bad);
        }
        key.copy_from_slice(&bytes);
        Ok(Self(key))
    }
}

impl std::fmt::Debug for DecryptionKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("DecryptionKey(..)")
    }
}

/// A P-256 key, a SubjectPublicKeyInfo in base64 in a policy.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct VerificationKey(pub PublicKey);

impl TryFrom<String> for VerificationKey {
    type Error = PolicyError;

    fn try_from(text: String) -> Result<Self, PolicyError> {
        STANDARD
            .decode(text.trim())
            .ok()
            .and_then(|der| PublicKey::from_spki_der(&der).ok())
            .filter(|key| key.curve() == Curve::P256)
            .map(Self)
            .ok_or(PolicyError::Key(
                "the verification key",
                "a SubjectPublicKeyInfo of a P-256 key in base64 is expected",
            ))
    }
}
