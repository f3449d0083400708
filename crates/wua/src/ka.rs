use std::collections::HashSet;

use jiff::Timestamp;
use jose::{Map, PublicKey, Signer};
use serde::Serialize;

use crate::token::sign;
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
        let claims = Claims {
            iat: self.issued.as_second(),
            exp: self.expires.as_second(),
            attested_keys: &self.keys,
            key_storage: &self.key_storage,
            user_authentication: &self.user_authentication,
            certification: &self.certification,
            nonce: self.nonce.as_deref(),
            key_storage_status: &self.status,
        };
        sign(KA_TYP, x5c, Map::new(), &claims, signer).await
    }
}

#[derive(Serialize)]
struct Claims<'a> {
    iat: i64,
    exp: i64,
    attested_keys: &'a [PublicKey],
    /// An empty array is not allowed: the claim is left out instead.
    #[serde(skip_serializing_if = "<[Level]>::is_empty")]
    key_storage: &'a [Level],
    #[serde(skip_serializing_if = "<[Level]>::is_empty")]
    user_authentication: &'a [Level],
    certification: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    nonce: Option<&'a str>,
    key_storage_status: &'a StatusPeriod,
}

pub(crate) const KA_TYP: &str = "key-attestation+jwt";
