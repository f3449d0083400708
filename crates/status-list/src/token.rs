use jiff::{SignedDuration, Timestamp};
use jose::{SignError, Signer, b64, jws};
use serde_json::{Value, json};

use crate::{CompressionEffort, StatusList};

/// A status list with what its token says about it (draft-20, section 5.1),
/// ready to be signed.
///
/// Times are written in whole seconds; a fraction is cut off.
#[derive(Debug, Clone, PartialEq)]
pub struct StatusListToken {
    /// `sub`: the URI the token is served at, and that references name.
    pub uri: String,
    /// `iat`.
    pub issued: Timestamp,
    /// `exp`: the token is not used past it.
    pub expires: Option<Timestamp>,
    /// `ttl`: how long a copy is used before it is fetched again.
    pub ttl: Option<SignedDuration>,
    /// The statuses.
    pub list: StatusList,
    /// `aggregation_uri`: where all lists of this issuer are named.
    pub aggregation_uri: Option<String>,
    /// How hard the list is compressed.
    pub effort: CompressionEffort,
}

impl StatusListToken {
    /// A token over `list` that neither expires nor says how long it is cached.
    pub fn new(uri: impl Into<String>, issued: Timestamp, list: StatusList) -> Self {
        Self {
            uri: uri.into(),
            issued,
            expires: None,
            ttl: None,
            list,
            aggregation_uri: None,
            effort: CompressionEffort::default(),
        }
    }

    /// The token in JWS compact form, signed by `signer`, whose certificate leads
    /// `x5c` (DER, leaf first). An empty `x5c` leaves the header out.
    pub async fn sign(&self, x5c: &[Vec<u8>], signer: &dyn Signer) -> Result<String, BuildError> {
        let claims = self.claims()?;
        let mut header = jose::Map::new();
        header.insert("typ".into(), TYP.into());
        if !x5c.is_empty() {
            let chain: Vec<Value> = x5c.iter().map(|c| b64::encode_std(c).into()).collect();
            header.insert("x5c".into(), chain.into());
        }
        let payload = claims.to_string();
        Ok(jws::sign(header, payload.as_bytes(), signer).await?)
    }

    fn claims(&self) -> Result<Value, BuildError> {
        let mut claims = json!({
            "sub": self.uri,
            "iat": self.issued.as_second(),
        });
        if let Some(expires) = self.expires {
            if expires <= self.issued {
                return Err(BuildError::ExpiresBeforeIssued);
            }
            set(&mut claims, "exp", expires.as_second().into());
        }
        if let Some(ttl) = self.ttl {
            if ttl.as_secs() < 1 {
                return Err(BuildError::TtlNotPositive);
            }
            set(&mut claims, "ttl", ttl.as_secs().into());
        }
        let mut list = self.list.to_json(self.effort);
        if let Some(uri) = &self.aggregation_uri {
            set(&mut list, "aggregation_uri", uri.as_str().into());
        }
        set(&mut claims, "status_list", list);
        Ok(claims)
    }
}

/// Why a token was not made.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// `exp` would not lie after `iat`.
    #[error("the token would expire before it is issued")]
    ExpiresBeforeIssued,
    /// `ttl` would be less than a second.
    #[error("the time to live is less than a second")]
    TtlNotPositive,
    /// The key was not used.
    #[error("the status list was not signed: {0}")]
    Sign(#[from] SignError),
}

pub(crate) const TYP: &str = "statuslist+jwt";

fn set(object: &mut Value, name: &str, value: Value) {
    if let Value::Object(map) = object {
        map.insert(name.to_owned(), value);
    }
}
