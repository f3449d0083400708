//! Bytes and keys as a person gives them.

use std::path::Path;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use jose::PublicKey;

use crate::exit::{Doing, Failure};
use crate::input;

const LENIENT: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&base64::alphabet::STANDARD, LENIENT);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&base64::alphabet::URL_SAFE, LENIENT);

/// Bytes from the command line: `text:…`, `hex:…`, `base64:…`; what has none of
/// these before it is text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Bytes(pub(super) Vec<u8>);

impl FromStr for Bytes {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(hex) = text.strip_prefix("hex:") {
            return hex::decode(hex)
                .map(Self)
                .map_err(|error| error.to_string());
        }
        if let Some(text) = text.strip_prefix("base64:") {
            return base64(text)
                .map(Self)
                .ok_or_else(|| "not base64 or base64url".into());
        }
        let text = text.strip_prefix("text:").unwrap_or(text);
        Ok(Self(text.as_bytes().to_vec()))
    }
}

/// Either alphabet, padded or not, over several lines.
pub(super) fn base64(text: &str) -> Option<Vec<u8>> {
    let compact: String = text.split_ascii_whitespace().collect();
    STANDARD
        .decode(&compact)
        .or_else(|_| URL_SAFE.decode(&compact))
        .ok()
}

/// The bytes of a file that holds them as they are (a CBOR map), or in base64.
pub(super) fn cbor(path: &Path, max: u64) -> Result<Vec<u8>, Failure> {
    let bytes = input::read(path, max)?;
    if bytes
        .first()
        .is_some_and(|first| (0xa0..=0xbf).contains(first))
    {
        return Ok(bytes);
    }
    std::str::from_utf8(&bytes)
        .ok()
        .and_then(base64)
        .ok_or_else(|| {
            Failure::new(format!(
                "{}: neither a CBOR map nor base64 of one",
                path.display()
            ))
        })
}

/// A public key: PEM, or a JWK.
pub(super) fn public_key(path: &Path) -> Result<PublicKey, Failure> {
    let text = input::read_text(path, input::TOKEN)?;
    if text.starts_with('{') {
        let jwk =
            jose::json::parse(text.as_bytes(), jose::json::Limits::TOKEN).doing(path.display())?;
        return PublicKey::from_jwk(&jwk).doing(path.display());
    }
    let body: String = text
        .lines()
        .filter(|line| !line.starts_with("-----"))
        .collect();
    let der = base64(&body)
        .ok_or_else(|| Failure::new(format!("{}: neither PEM nor a JWK", path.display())))?;
    PublicKey::from_spki_der(&der).doing(path.display())
}
