//! The token: a JWE (A256KW, A256GCM) around a JWS (ES256).

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::key_wrap::{AES_256, AesKek, KeyWrap};
use finding::{Finding, Rule};
use jose::json::{self, Limits};
use jose::jws::{self, JwsError};
use jose::{Algorithm, Map, b64};
use serde_json::Value;
use zeroize::Zeroizing;

use super::PlayPolicy;
use crate::rules;

/// The largest token. Real ones are about 1 KB.
const MAX_BYTES: usize = 32 * 1024;

/// AES key wrap adds 8 octets to a key of 32.
const WRAPPED: usize = 40;

type Refused = Box<Finding>;

/// The claims of a token that the app's keys open and verify.
pub(super) fn open(token: &str, policy: &PlayPolicy) -> Result<Map, Refused> {
    let token = token.trim();
    if token.len() > MAX_BYTES {
        let why = format!("{} bytes, at most {MAX_BYTES} are read", token.len());
        return Err(refuse(&rules::SIZE, "the token", why));
    }
    let content = decrypt(token, policy)?;
    let text = std::str::from_utf8(&content)
        .map_err(|_| format_error("the JWE's content", "it is not text"))?;
    let signed =
        jws::parse(text, MAX_BYTES).map_err(|error| format_error("the JWS", error.to_string()))?;
    if signed.alg() != Algorithm::Es256 {
        let why = format!("it says {}, ES256 is expected", signed.alg().name());
        return Err(format_error("the JWS", why));
    }
    let claims = signed
        .verify(&policy.verification_key.0)
        .map_err(|error| refuse(&rules::PLAY_AUTHENTIC, "the JWS", error.to_string()))?
        .claims();
    claims.map_err(|error: JwsError| format_error("the payload", error.to_string()))
}

fn decrypt(token: &str, policy: &PlayPolicy) -> Result<Zeroizing<Vec<u8>>, Refused> {
    let parts: Vec<&str> = token.splitn(6, '.').collect();
    let [header, wrapped, iv, ciphertext, tag] = parts.as_slice() else {
        let why = "five parts with dots between them are expected";
        return Err(format_error("the JWE", why));
    };
    let decode = |name: &str, text: &str| {
        b64::decode(text).map_err(|_| format_error(name, "it is not base64url"))
    };
    let members = json::parse_object(&decode("the JWE's header", header)?, Limits::TOKEN)
        .map_err(|error| format_error("the JWE's header", error.to_string()))?;
    for (name, expected) in [("alg", "A256KW"), ("enc", "A256GCM")] {
        if members.get(name).and_then(Value::as_str) != Some(expected) {
            let why = format!("{name} is not {expected}");
            return Err(format_error("the JWE's header", why));
        }
    }
    if members.contains_key("crit") || members.contains_key("zip") {
        let why = "crit and zip are not understood";
        return Err(format_error("the JWE's header", why));
    }
    let wrapped = decode("the wrapped key", wrapped)?;
    let iv = <[u8; 12]>::try_from(decode("the initialization vector", iv)?)
        .map_err(|_| format_error("the initialization vector", "12 octets are expected"))?;
    let tag = decode("the tag", tag)?;
    if wrapped.len() != WRAPPED || tag.len() != AES_256_GCM.tag_len() {
        let why = "the wrapped key has 40 octets, the tag 16";
        return Err(format_error("the JWE", why));
    }
    let mut content = Zeroizing::new(decode("the ciphertext", ciphertext)?);
    content.extend_from_slice(&tag);

    let closed = || {
        let why = "it does not open under the app's decryption key";
        refuse(&rules::PLAY_AUTHENTIC, "the JWE", why)
    };
    let kek = AesKek::new(&AES_256, policy.decryption_key.bytes()).map_err(|_| closed())?;
    let mut key = Zeroizing::new([0u8; WRAPPED]);
    let key = kek
        .unwrap(&wrapped, key.as_mut_slice())
        .map_err(|_| closed())?;
    let len = UnboundKey::new(&AES_256_GCM, key)
        .map(LessSafeKey::new)
        .map_err(|_| closed())?
        .open_in_place(
            Nonce::assume_unique_for_key(iv),
            Aad::from(header.as_bytes()),
            &mut content,
        )
        .map_err(|_| closed())?
        .len();
    content.truncate(len);
    Ok(content)
}

pub(super) fn format_error(what: &str, why: impl Into<String>) -> Refused {
    refuse(&rules::PLAY_FORMAT, what, why)
}

fn refuse(rule: &Rule, what: &str, why: impl Into<String>) -> Refused {
    Box::new(rule.finding(what, why))
}
