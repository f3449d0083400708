use finding::Refusal;
use jiff::Timestamp;
use jose::{PublicKey, SignError, Signer, b64, sha256};
use sci::UnitId;
use serde::{Deserialize, Serialize};

use crate::{Problem, token};

/// The typ of a signed unit request.
pub const REQUEST_TYP: &str = "wallet-unit-request+jwt";

/// The HTTP header that carries it.
pub const REQUEST_HEADER: &str = "wallet-unit-request";

/// What a wallet unit signs with its device-bound key for each request after its
/// activation: who asks whom for what, once, now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UnitRequest {
    /// The unit.
    pub iss: UnitId,
    /// The provider.
    pub aud: String,
    /// The HTTP method, in capitals.
    pub htm: String,
    /// The address, without query and fragment, as the provider publishes it.
    pub htu: String,
    /// At least 96 random bits, base64url, of at most 64 characters.
    pub jti: String,
    /// When it was made, in seconds since 1970.
    pub iat: i64,
    /// SHA-256 of the request's body, base64url.
    pub body_hash: String,
}

/// What a request must be for.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    /// The provider's identifier.
    pub provider: &'a str,
    /// The HTTP method, in capitals.
    pub method: &'a str,
    /// The address that was called, as the provider publishes it.
    pub uri: &'a str,
    /// The body that came with it.
    pub body: &'a [u8],
    /// The time.
    pub now: Timestamp,
}

impl UnitRequest {
    /// The request of `unit` for a method, an address and a body. `jti` is
    /// the caller's randomness, of at least 96 bits.
    pub fn new(
        unit: UnitId,
        provider: impl Into<String>,
        method: impl Into<String>,
        uri: impl Into<String>,
        body: &[u8],
        jti: impl Into<String>,
        now: Timestamp,
    ) -> Self {
        Self {
            iss: unit,
            aud: provider.into(),
            htm: method.into(),
            htu: uri.into(),
            jti: jti.into(),
            iat: now.as_second(),
            body_hash: b64::encode(sha256(body)),
        }
    }

    /// Signs the request with the unit's device-bound key.
    pub async fn sign(&self, device: &dyn Signer) -> Result<String, SignError> {
        token::sign(REQUEST_TYP, self, false, device).await
    }
}

/// A signed request as it came: it names a unit, whose key is to be looked up.
#[derive(Debug, Clone)]
pub struct UnverifiedUnitRequest {
    token: jose::jws::Unverified,
    claims: UnitRequest,
}

/// A signed request that verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedUnitRequest {
    unit: UnitId,
    jti: String,
    iat: i64,
}

impl UnverifiedUnitRequest {
    /// Reads the header's value.
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        let refuse = |what: String| Problem::Malformed.refusal(REQUEST_HEADER, what);
        let token = token::parse(text, REQUEST_TYP, token::MAX_TOKEN).map_err(refuse)?;
        let claims: UnitRequest = token::claims(&token).map_err(refuse)?;
        let long = claims.jti.len();
        if !(16..=64).contains(&long) {
            return Err(refuse(format!(
                "a jti of {long} characters, 16 to 64 are accepted"
            )));
        }
        // A signed view is in reply to what looks otherwise.
        if !token::is_base64url(&claims.jti) {
            return Err(refuse("a jti that is not base64url".into()));
        }
        Ok(Self { token, claims })
    }

    /// The unit it says it is from.
    pub fn unit(&self) -> UnitId {
        self.claims.iss
    }

    /// The identifier it says it has, of at most 64 characters.
    pub fn jti(&self) -> &str {
        &self.claims.jti
    }

    /// Verifies it under the unit's device key and against what was called.
    pub fn verify(
        self,
        device: &PublicKey,
        expected: Expected<'_>,
    ) -> Result<VerifiedUnitRequest, Refusal> {
        let Self { token, claims } = self;
        let subject = REQUEST_HEADER;
        if token.kid() != Some(device.thumbprint_b64().as_str()) {
            return Err(Problem::WrongDeviceKey.refusal(subject, "kid names another key"));
        }
        token
            .verify(device)
            .map_err(|error| Problem::WrongDeviceKey.refusal(subject, error.to_string()))?;
        let bound = |what| Problem::WrongBinding.refusal(subject, what);
        if claims.aud != expected.provider {
            return Err(bound("aud names another provider"));
        }
        if claims.htm != expected.method {
            return Err(bound("htm is another method"));
        }
        if claims.htu != expected.uri {
            return Err(bound("htu is another address"));
        }
        if claims.body_hash != b64::encode(sha256(expected.body)) {
            return Err(bound("body_hash is of another body"));
        }
        token::check_time(claims.iat, expected.now)
            .map_err(|what| Problem::NotOfNow.refusal(subject, what))?;
        Ok(VerifiedUnitRequest {
            unit: claims.iss,
            jti: claims.jti,
            iat: claims.iat,
        })
    }
}

impl VerifiedUnitRequest {
    /// The unit that made it.
    pub fn unit(&self) -> UnitId {
        self.unit
    }

    /// Its identifier, to be taken once.
    pub fn jti(&self) -> &str {
        &self.jti
    }

    /// When no copy of it would be taken any more, so that its `jti` can be
    /// forgotten.
    pub fn forget_at(&self) -> Timestamp {
        token::forget_at(self.iat)
    }
}
