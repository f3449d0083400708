//! Secret bytes, and where they come from.

use aws_lc_rs::{hmac, rand};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zeroize::Zeroizing;

use crate::DeviceError;

/// Secret bytes: a symmetric key, or a private key's scalar.
#[derive(Clone)]
pub(super) struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// The length of every symmetric key here.
    pub(super) const LEN: usize = 32;

    pub(super) fn random() -> Result<Self, DeviceError> {
        let mut bytes = Zeroizing::new(vec![0; Self::LEN]);
        fill(&mut bytes)?;
        Ok(Self(bytes))
    }

    pub(super) fn copy(bytes: &[u8]) -> Self {
        Self(Zeroizing::new(bytes.to_vec()))
    }

    pub(super) fn take(bytes: Zeroizing<Vec<u8>>) -> Self {
        Self(bytes)
    }

    pub(super) fn expose(&self) -> &[u8] {
        &self.0
    }

    /// HMAC-SHA-256 under this secret.
    pub(super) fn hmac(&self, data: &[u8]) -> [u8; 32] {
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &self.0), data);
        let mut out = [0; 32];
        out.copy_from_slice(tag.as_ref());
        out
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(..)")
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut text = Zeroizing::new(vec![0; 2 * self.0.len()]);
        hex::encode_to_slice(&*self.0, &mut text).map_err(serde::ser::Error::custom)?;
        let text = std::str::from_utf8(&text).map_err(serde::ser::Error::custom)?;
        serializer.serialize_str(text)
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Borrowed, so that the text is nowhere but in the caller's buffer.
        let text = <&'de str>::deserialize(deserializer)?;
        let mut bytes = Zeroizing::new(vec![0; text.len() / 2]);
        hex::decode_to_slice(text, &mut bytes)
            .map_err(|_| serde::de::Error::custom("not hexadecimal"))?;
        Ok(Self(bytes))
    }
}

/// Fills a buffer from the operating system's source of randomness.
pub(super) fn fill(bytes: &mut [u8]) -> Result<(), DeviceError> {
    rand::fill(bytes).map_err(|_| DeviceError::Failed {
        what: "draw randomness",
        cause: "the operating system gave none".to_owned(),
    })
}
