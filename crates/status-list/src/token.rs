use jiff::{SignedDuration, Timestamp};
use jose::cbor::{self, Value as Cbor};
use jose::{SignError, Signer, b64, cose, jws};
use serde::Serialize;

use crate::claims::{self, CWT_TYP, JWT_TYP};
use crate::list::{self, PackedJson};
use crate::{Bits, CompressionEffort, StatusList, compression};

/// A status list with what its token says about it (draft-20, section 5),
/// ready to be signed in either form.
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

    /// Compresses the list, once for both forms. It takes most of the time that a
    /// token takes, and all of it on the processor.
    pub fn pack(&self) -> Result<PackedToken, BuildError> {
        Ok(PackedToken {
            uri: self.uri.clone(),
            times: self.times()?,
            bits: self.list.bits(),
            lst: compression::deflate(self.list.as_bytes(), self.effort),
            aggregation_uri: self.aggregation_uri.clone(),
        })
    }

    /// The token as a JWT: [`StatusListToken::pack`] and [`PackedToken::sign`].
    pub async fn sign(&self, x5c: &[Vec<u8>], signer: &dyn Signer) -> Result<String, BuildError> {
        self.pack()?.sign(x5c, signer).await
    }

    /// The token as a CWT: [`StatusListToken::pack`] and [`PackedToken::sign_cwt`].
    pub async fn sign_cwt(
        &self,
        x5chain: &[Vec<u8>],
        signer: &dyn Signer,
    ) -> Result<Vec<u8>, BuildError> {
        self.pack()?.sign_cwt(x5chain, signer).await
    }

    fn times(&self) -> Result<Times, BuildError> {
        if self.expires.is_some_and(|expires| expires <= self.issued) {
            return Err(BuildError::ExpiresBeforeIssued);
        }
        if self.ttl.is_some_and(|ttl| ttl.as_secs() < 1) {
            return Err(BuildError::TtlNotPositive);
        }
        Ok(Times {
            issued: self.issued.as_second(),
            expires: self.expires.map(Timestamp::as_second),
            ttl: self.ttl.map(|ttl| ttl.as_secs()),
        })
    }
}

/// A token whose list is compressed, to be signed in one form or in both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackedToken {
    uri: String,
    times: Times,
    bits: Bits,
    lst: Vec<u8>,
    aggregation_uri: Option<String>,
}

impl PackedToken {
    /// The token as a JWT, in JWS compact form, signed by `signer`, whose
    /// certificate leads `x5c` (DER, leaf first). An empty `x5c` leaves the header
    /// out.
    pub async fn sign(&self, x5c: &[Vec<u8>], signer: &dyn Signer) -> Result<String, BuildError> {
        let header = JwtHeader {
            typ: JWT_TYP,
            x5c: x5c.iter().map(b64::encode_std).collect(),
        };
        Ok(jws::sign_claims(&header, &self.json_claims(), signer).await?)
    }

    /// The token as a CWT: a tagged COSE_Sign1 in binary, with `x5chain` (DER,
    /// leaf first) in the protected header unless it is empty.
    pub async fn sign_cwt(
        &self,
        x5chain: &[Vec<u8>],
        signer: &dyn Signer,
    ) -> Result<Vec<u8>, BuildError> {
        let payload = cbor::encode(&self.cbor_claims());
        let header = cose::Header {
            typ: Some(CWT_TYP),
            x5chain,
            kid: None,
        };
        Ok(cose::sign(header, &payload, signer).await?)
    }

    fn json_claims(&self) -> JsonClaims<'_> {
        JsonClaims {
            sub: &self.uri,
            iat: self.times.issued,
            exp: self.times.expires,
            ttl: self.times.ttl,
            status_list: JsonList {
                packed: list::packed_json(self.bits, &self.lst),
                aggregation_uri: self.aggregation_uri.as_deref(),
            },
        }
    }

    fn cbor_claims(&self) -> Cbor {
        let mut list = list::packed_cbor(self.bits, self.lst.clone());
        if let (Cbor::Map(entries), Some(uri)) = (&mut list, &self.aggregation_uri) {
            entries.push(("aggregation_uri".into(), uri.as_str().into()));
        }
        let entries = [
            (claims::SUB, Some(self.uri.as_str().into())),
            (claims::IAT, Some(self.times.issued.into())),
            (claims::EXP, self.times.expires.map(Cbor::from)),
            (claims::TTL, self.times.ttl.map(Cbor::from)),
            (claims::STATUS_LIST, Some(list)),
        ];
        let entries = entries
            .into_iter()
            .filter_map(|(key, value)| Some((key.into(), value?)));
        Cbor::Map(entries.collect())
    }
}

#[derive(Serialize)]
struct JwtHeader {
    typ: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    x5c: Vec<String>,
}

/// A token's claims as JSON (draft-20, section 5.1).
#[derive(Serialize)]
struct JsonClaims<'a> {
    sub: &'a str,
    iat: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    exp: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ttl: Option<i64>,
    status_list: JsonList<'a>,
}

#[derive(Serialize)]
struct JsonList<'a> {
    #[serde(flatten)]
    packed: PackedJson,
    #[serde(skip_serializing_if = "Option::is_none")]
    aggregation_uri: Option<&'a str>,
}

/// In seconds, and not contradicting each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Times {
    issued: i64,
    expires: Option<i64>,
    ttl: Option<i64>,
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
