//! Base64, strictly: no stray bits, no white space, padding only where it belongs.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

/// The text is not the one encoding of any bytes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not base64: {0}")]
pub struct NotBase64(#[from] base64::DecodeError);

/// base64url without padding (RFC 7515, 2).
pub fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The same, after what stands in `text` already.
pub fn encode_onto(text: &mut String, bytes: impl AsRef<[u8]>) {
    URL_SAFE_NO_PAD.encode_string(bytes, text);
}

/// Reads base64url without padding.
pub fn decode(text: impl AsRef<[u8]>) -> Result<Vec<u8>, NotBase64> {
    Ok(URL_SAFE_NO_PAD.decode(text)?)
}

/// Standard base64 with padding (as in `x5c`).
pub fn encode_std(bytes: impl AsRef<[u8]>) -> String {
    STANDARD.encode(bytes)
}

/// Reads standard base64 with padding.
pub fn decode_std(text: impl AsRef<[u8]>) -> Result<Vec<u8>, NotBase64> {
    Ok(STANDARD.decode(text)?)
}
