use std::collections::HashSet;

use jiff::Timestamp;
use jose::{Map, PublicKey, Signer};
use serde_json::{Value, json};

use crate::token::{claims, sign};
use crate::{BuildError, Level, StatusPeriod};

/// What a Key Attestation says (TS3 v1.5.2, 2.3.2; OpenID4VCI 1.0, Appendix D).
/// Times are written in whole seconds; round them first ([`crate::Rounding`]).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ka {
    /// `iat`.
    pub issued: Timestamp,
    /// `exp`, after `iat`.
    pub expires: Timestamp,
    /// `attested_keys`: at least one, each once, all in one WSCD or keystore.
    /// The key at index 0 signs a `jwt` proof.
    pub keys: Vec<PublicKey>,
    /// `key_storage`; left out when empty.
    pub key_storage: Vec<Level>,
    /// `user_authentication`; left out when empty.
    pub user_authentication: Vec<Level>,
    /// `certification`: a URL that leads to what was certified.
    pub certification: String,
    /// `nonce`: the issuer's c_nonce, for the `attestation` proof type.
    pub nonce: Option<String>,
    /// `key_storage_status`: the state of the WSCD or keystore.
    pub status: StatusPeriod,
}

impl Ka {
    /// The KA in JWS compact form, signed by the wallet provider's key. `x5c`
    /// (DER, leaf first) holds at least the signing certificate.
    pub async fn sign(&self, x5c: &[Vec<u8>], signer: &dyn Signer) -> Result<String, BuildError> {
        if x5c.is_empty() {
            return Err(BuildError::Missing("x5c"));
        }
        if self.keys.is_empty() {
            return Err(BuildError::Missing("attested_keys"));
        }
        let mut seen = HashSet::new();
        if let Some(index) = self.keys.iter().position(|key| !seen.insert(key)) {
            return Err(BuildError::RepeatedKey(index));
        }
        if self.expires <= self.issued {
            return Err(BuildError::Malformed("exp", "not after iat"));
        }
        if url::Url::parse(&self.certification).is_err() {
            return Err(BuildError::Malformed("certification", "not a URL"));
        }
        sign(KA_TYP, x5c, Map::new(), self.claims(), signer).await
    }

    fn claims(&self) -> Map {
        let keys: Vec<Value> = self.keys.iter().map(PublicKey::to_jwk).collect();
        claims([
            ("iat", json!(self.issued.as_second())),
            ("exp", json!(self.expires.as_second())),
            ("attested_keys", keys.into()),
            ("key_storage", levels(&self.key_storage)),
            ("user_authentication", levels(&self.user_authentication)),
            ("certification", json!(self.certification)),
            ("nonce", json!(self.nonce)),
            ("key_storage_status", self.status.to_json()),
        ])
    }
}

/// An empty array is not allowed: the claim is left out instead.
fn levels(levels: &[Level]) -> Value {
    if levels.is_empty() {
        return Value::Null;
    }
    levels.iter().map(Level::as_str).collect()
}

pub(crate) const KA_TYP: &str = "key-attestation+jwt";
