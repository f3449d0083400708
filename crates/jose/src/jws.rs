//! JWS in the compact serialization (RFC 7515), for ES256, ES384 and ES512.
//!
//! [`Unverified`] is what came from outside: bounded, well-formed, and not to be
//! believed. Only [`Unverified::verify`] makes a [`Verified`] of it.

use serde::Serialize;
use serde_json::Value;

use crate::json::{self, JsonError, Limits};
use crate::{Algorithm, Map, PublicKey, SignError, Signer, b64};

/// What is accepted when a JWS is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Accept<'a> {
    /// The size of the whole compact text, in bytes.
    pub max_bytes: usize,
    /// The extensions that the caller understands and will process when they
    /// stand in `crit` (RFC 7515, 4.1.11).
    pub understood: &'a [&'a str],
}

impl Accept<'_> {
    /// A token of at most `max_bytes`, without critical extensions.
    pub const fn bytes(max_bytes: usize) -> Self {
        Accept {
            max_bytes,
            understood: &[],
        }
    }
}

/// A well-formed JWS whose signature has not been verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unverified {
    text: String,
    signing_input: usize,
    header: Map,
    algorithm: Algorithm,
    payload: Vec<u8>,
    signature: Vec<u8>,
}

/// A JWS whose signature verified under a key that the caller chose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified(Unverified);

/// Why a text is not a JWS that we accept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JwsError {
    /// The text is larger than is accepted.
    #[error("a JWS of {len} bytes, at most {max} are accepted")]
    TooLarge {
        /// Its size in bytes.
        len: usize,
        /// The limit in bytes.
        max: usize,
    },
    /// Not three parts with dots between them.
    #[error("not a compact JWS: three parts separated by dots are expected")]
    NotCompact,
    /// A part is not base64url.
    #[error("the {part} is not base64url")]
    NotBase64 {
        /// Which part.
        part: &'static str,
    },
    /// The header is not a JSON object that we accept.
    #[error("the header: {0}")]
    Header(JsonError),
    /// The payload is not a JSON object that we accept.
    #[error("the claims: {0}")]
    Claims(JsonError),
    /// The algorithm is not ES256, ES384 or ES512.
    #[error("the algorithm {0:?} is not ES256, ES384 or ES512")]
    Algorithm(String),
    /// `crit` is malformed (RFC 7515, 4.1.11).
    #[error("crit: {0}")]
    MalformedCrit(&'static str),
    /// `crit` names an extension that is not understood here.
    #[error("the critical extension {0:?} is not understood")]
    UnknownCrit(String),
    /// `x5c` is malformed.
    #[error("x5c is not an array of base64 certificates")]
    X5c,
    /// The key is for another algorithm than the header says.
    #[error("the header says {header}, the key is for {key}")]
    AlgorithmMismatch {
        /// What the header says.
        header: Algorithm,
        /// What the key is for.
        key: Algorithm,
    },
    /// The signature does not verify.
    #[error("the signature does not verify")]
    BadSignature,
}

/// Signs `payload`. `alg` is set from the signer; the other header members are
/// the caller's, in the order given.
pub async fn sign(header: Map, payload: &[u8], signer: &dyn Signer) -> Result<String, SignError> {
    let mut full = Map::new();
    full.insert("alg".into(), Value::from(signer.algorithm().name()));
    full.extend(header.into_iter().filter(|(name, _)| name != "alg"));
    seal(Value::Object(full).to_string().as_bytes(), payload, signer).await
}

/// Signs claims under a header, both written as they are serialized. `alg` is set from
/// the signer and comes first; `header` has none.
pub async fn sign_claims(
    header: &(impl Serialize + Sync),
    claims: &(impl Serialize + Sync),
    signer: &dyn Signer,
) -> Result<String, SignError> {
    #[derive(Serialize)]
    struct Full<'a, H> {
        alg: &'static str,
        #[serde(flatten)]
        rest: &'a H,
    }
    let written = |error: serde_json::Error| SignError::Refused(error.to_string());
    let header = serde_json::to_vec(&Full {
        alg: signer.algorithm().name(),
        rest: header,
    })
    .map_err(written)?;
    let claims = serde_json::to_vec(claims).map_err(written)?;
    seal(&header, &claims, signer).await
}

async fn seal(header: &[u8], payload: &[u8], signer: &dyn Signer) -> Result<String, SignError> {
    // Base64 of all three, and the dots.
    let size = (header.len() + payload.len()).div_ceil(3) * 4 + 192;
    let mut text = String::with_capacity(size);
    b64::encode_onto(&mut text, header);
    text.push('.');
    b64::encode_onto(&mut text, payload);
    let signature = signer.sign(text.as_bytes()).await?;
    text.push('.');
    b64::encode_onto(&mut text, signature);
    Ok(text)
}

/// What a refusal says of a token whose `typ` is not the expected one.
pub fn unexpected_typ(found: Option<&str>, expected: &str) -> String {
    match found {
        Some(found) => format!("typ is {found:?}, {expected:?} was expected"),
        None => format!("typ is absent, {expected:?} was expected"),
    }
}

/// Reads a compact JWS of at most `max_bytes`.
pub fn parse(text: &str, max_bytes: usize) -> Result<Unverified, JwsError> {
    parse_accepting(text, Accept::bytes(max_bytes))
}

/// Reads a compact JWS.
pub fn parse_accepting(text: &str, accept: Accept<'_>) -> Result<Unverified, JwsError> {
    if text.len() > accept.max_bytes {
        return Err(JwsError::TooLarge {
            len: text.len(),
            max: accept.max_bytes,
        });
    }
    let (signing_input, signature) = text.rsplit_once('.').ok_or(JwsError::NotCompact)?;
    let (header, payload) = signing_input.split_once('.').ok_or(JwsError::NotCompact)?;
    if payload.contains('.') {
        return Err(JwsError::NotCompact);
    }
    let decode = |part: &'static str, text: &str| {
        b64::decode(text).map_err(|_| JwsError::NotBase64 { part })
    };
    // An x5c of a few certificates makes a header larger than other tokens' are.
    let header_limits = Limits {
        max_bytes: 256 * 1024,
        ..Limits::TOKEN
    };
    let header =
        json::parse_object(&decode("header", header)?, header_limits).map_err(JwsError::Header)?;
    let name = header.get("alg").and_then(Value::as_str).unwrap_or("");
    let algorithm = Algorithm::from_name(name)
        .ok_or_else(|| JwsError::Algorithm(name.chars().take(32).collect()))?;
    check_crit(&header, accept.understood)?;
    Ok(Unverified {
        payload: decode("payload", payload)?,
        signature: decode("signature", signature)?,
        signing_input: signing_input.len(),
        header,
        algorithm,
        text: text.to_owned(),
    })
}

impl Unverified {
    /// The protected header.
    pub fn header(&self) -> &Map {
        &self.header
    }

    /// The algorithm the header names.
    pub fn alg(&self) -> Algorithm {
        self.algorithm
    }

    /// The `typ` header.
    pub fn typ(&self) -> Option<&str> {
        self.header.get("typ").and_then(Value::as_str)
    }

    /// The `kid` header.
    pub fn kid(&self) -> Option<&str> {
        self.header.get("kid").and_then(Value::as_str)
    }

    /// The certificates of the `x5c` header, each as DER, the leaf first.
    pub fn x5c(&self) -> Result<Option<Vec<Vec<u8>>>, JwsError> {
        let Some(value) = self.header.get("x5c") else {
            return Ok(None);
        };
        let items = value.as_array().ok_or(JwsError::X5c)?;
        if items.is_empty() {
            return Err(JwsError::X5c);
        }
        items
            .iter()
            .map(|item| {
                let text = item.as_str().ok_or(JwsError::X5c)?;
                b64::decode_std(text).map_err(|_| JwsError::X5c)
            })
            .collect::<Result<Vec<_>, _>>()
            .map(Some)
    }

    /// The payload, which nobody has vouched for yet.
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// The payload as a JSON object, which nobody has vouched for yet.
    pub fn claims(&self) -> Result<Map, JwsError> {
        let limits = Limits {
            max_bytes: usize::MAX,
            ..Limits::TOKEN
        };
        json::parse_object(&self.payload, limits).map_err(JwsError::Claims)
    }

    /// The compact text as it was read.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The signature, as `r || s`.
    pub fn signature(&self) -> &[u8] {
        &self.signature
    }

    /// Verifies the signature under `key`. A key on another curve than the
    /// header's algorithm needs is refused.
    pub fn verify(self, key: &PublicKey) -> Result<Verified, JwsError> {
        if self.algorithm != key.algorithm() {
            return Err(JwsError::AlgorithmMismatch {
                header: self.algorithm,
                key: key.algorithm(),
            });
        }
        let signing_input = self.text.as_bytes().get(..self.signing_input);
        key.verify(signing_input.unwrap_or_default(), &self.signature)
            .map_err(|_| JwsError::BadSignature)?;
        Ok(Verified(self))
    }
}

impl Verified {
    /// The payload.
    pub fn payload(&self) -> &[u8] {
        &self.0.payload
    }

    /// The payload alone, the rest given back: a list's text is large.
    pub fn into_payload(self) -> Vec<u8> {
        self.0.payload
    }
}

impl std::ops::Deref for Verified {
    type Target = Unverified;

    fn deref(&self) -> &Unverified {
        &self.0
    }
}

/// RFC 7515, 4.1.11: `crit` is a non-empty array of names that are unique, stand
/// in the header, are not RFC 7515's own, and are all understood.
fn check_crit(header: &Map, understood: &[&str]) -> Result<(), JwsError> {
    const REGISTERED: [&str; 11] = [
        "alg", "jku", "jwk", "kid", "x5u", "x5c", "x5t", "x5t#S256", "typ", "cty", "crit",
    ];
    let Some(crit) = header.get("crit") else {
        return Ok(());
    };
    let names = crit
        .as_array()
        .filter(|names| !names.is_empty())
        .ok_or(JwsError::MalformedCrit("not a non-empty array"))?;
    let mut seen = Vec::with_capacity(names.len());
    for name in names {
        let name = name
            .as_str()
            .ok_or(JwsError::MalformedCrit("a name is not a string"))?;
        if seen.contains(&name) {
            return Err(JwsError::MalformedCrit("a name stands twice"));
        }
        if REGISTERED.contains(&name) {
            return Err(JwsError::MalformedCrit("a name of RFC 7515 itself"));
        }
        if !header.contains_key(name) {
            return Err(JwsError::MalformedCrit("a name is not in the header"));
        }
        if !understood.contains(&name) {
            return Err(JwsError::UnknownCrit(name.chars().take(64).collect()));
        }
        seen.push(name);
    }
    Ok(())
}
