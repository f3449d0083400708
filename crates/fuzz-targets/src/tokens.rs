use jose::cbor;
use jose::{PublicKey, Signer, json, jwe};

use crate::signed::KEY;

/// Anything in a JOSE compact form, and the JSON and the key inside it.
pub(crate) fn jws(data: &[u8]) {
    if let Ok(value) = json::parse(data, json::Limits::TOKEN)
        && let Ok(key) = PublicKey::from_jwk(&value)
    {
        let again = PublicKey::from_jwk(&key.to_jwk());
        assert_eq!(again.as_ref(), Ok(&key), "a key survives a round trip");
    }
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let _ = jwe::parse(text, MAX);
    if let Ok(token) = jose::jws::parse(text, MAX) {
        let _ = (token.x5c(), token.claims(), token.typ(), token.kid());
        let _ = token.verify(KEY.public_key());
    }
}

/// A tagged COSE_Sign1, and the CBOR inside it.
pub(crate) fn cose(data: &[u8]) {
    if let Ok(value) = cbor::parse(data, cbor::Limits::TOKEN) {
        let written = cbor::encode(&value);
        // Not compared as values: not a number is unequal to itself.
        let again = cbor::parse(&written, cbor::Limits::TOKEN).map(|value| cbor::encode(&value));
        assert_eq!(again, Ok(written), "CBOR survives a round trip");
    }
    if let Ok(message) = jose::cose::parse(data, MAX) {
        let _ = (message.x5chain(), message.claims(), message.typ());
        let _ = message.verify(KEY.public_key());
    }
}

const MAX: usize = 256 * 1024;
