use jiff::{SignedDuration, Timestamp};
use jose::json::{self, JsonError, Limits};
use jose::{Map, PublicKey, SignError, Signer, jws};
use serde::{Deserialize, Serialize};

use crate::{AttackPotential, KeyId, UnitId};

/// The typ of a statement. No other token of the house has it, and the key that
/// signs statements signs nothing else.
pub const STATEMENT_TYP: &str = "claviger-key-statement+jwt";

/// The typ of a statement that an association is signed on (ACP_01, ACP_05). It says
/// the same; the typ of its own keeps it from earning a key attestation, and a
/// statement for an attestation from earning an association.
pub const ASSOCIATION_STATEMENT_TYP: &str = "claviger-key-association-statement+jwt";

/// How long a statement is good for.
pub const STATEMENT_LIFETIME: SignedDuration = SignedDuration::from_mins(5);

/// How far the WSCA's and the provider's clocks may be apart.
const SKEW: SignedDuration = SignedDuration::from_secs(30);

/// The largest statement that is read, in bytes: [`crate::MAX_BATCH`] keys on
/// P-521 and room to spare.
const MAX_BYTES: usize = 64 * 1024;

/// What a WSCA states of keys that it holds for one unit: made in a live session
/// of two factors, for one audience, on its nonce. The wallet provider issues a
/// key attestation on nothing less.
///
/// This type is a statement that verified; [`StatementClaims`] is what it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyStatement {
    claims: StatementClaims,
}

/// What a statement says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StatementClaims {
    /// The WSCA's context.
    pub iss: String,
    /// The wallet unit that holds the keys.
    pub sub: UnitId,
    /// Whom it was made for.
    pub aud: String,
    /// The audience's nonce.
    pub nonce: String,
    /// When it was made, in seconds since 1970.
    pub iat: i64,
    /// When it ends.
    pub exp: i64,
    /// When the user proved both factors for the session it was made in.
    pub auth_time: i64,
    /// The thumbprint (RFC 7638) of the device key that signed the request.
    pub device: String,
    /// The keys.
    pub keys: Vec<StatedKey>,
}

/// One key of a statement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StatedKey {
    /// Its name within the unit.
    pub id: KeyId,
    /// Its public key.
    pub jwk: PublicKey,
    /// What attacks its storage withstands; none where nothing certifies it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_storage: Option<AttackPotential>,
    /// What attacks the user authentication withstands; none likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_authentication: Option<AttackPotential>,
    /// The certification that the levels rest on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certification: Option<String>,
    /// Whether it can leave the device. A statement that says so is refused.
    pub exportable: bool,
}

/// Why a statement is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StatementError {
    /// It is no JWS, or its signature does not verify.
    #[error(transparent)]
    Jws(#[from] jws::JwsError),
    /// Its typ is another.
    #[error("the typ is not {0}")]
    Typ(&'static str),
    /// What it says cannot be read.
    #[error("the claims: {0}")]
    Claims(JsonError),
    /// It was made for someone else.
    #[error("it was made for another audience")]
    Audience,
    /// It answers another nonce.
    #[error("it answers another nonce")]
    Nonce,
    /// It is past its time.
    #[error("it ended at {0}")]
    Expired(Timestamp),
    /// It is from the future, or good for longer than a statement is.
    #[error("its times are not those of a statement")]
    Times,
    /// It names no key, too many, one twice, or one that can leave the device.
    #[error("the keys: {0}")]
    Keys(&'static str),
}

impl StatementClaims {
    /// Signs the statement. The key must sign nothing else.
    pub async fn sign(&self, signer: &dyn Signer) -> Result<String, SignError> {
        self.sign_as(STATEMENT_TYP, signer).await
    }

    /// Signs it as a statement that an association is signed on.
    pub async fn sign_for_association(&self, signer: &dyn Signer) -> Result<String, SignError> {
        self.sign_as(ASSOCIATION_STATEMENT_TYP, signer).await
    }

    async fn sign_as(&self, typ: &'static str, signer: &dyn Signer) -> Result<String, SignError> {
        let mut header = Map::new();
        header.insert("typ".into(), typ.into());
        header.insert("kid".into(), signer.public_key().thumbprint_b64().into());
        let payload =
            serde_json::to_vec(self).map_err(|error| SignError::Refused(error.to_string()))?;
        jws::sign(header, &payload, signer).await
    }
}

impl KeyStatement {
    /// Reads a statement that `key`'s WSCA made for `audience` on `nonce`, as of
    /// `now`.
    pub fn verify(
        text: &str,
        key: &PublicKey,
        nonce: &str,
        audience: &str,
        now: Timestamp,
    ) -> Result<Self, StatementError> {
        Self::verify_as(STATEMENT_TYP, text, key, nonce, audience, now)
    }

    /// The same of a statement that an association is to be signed on.
    pub fn verify_for_association(
        text: &str,
        key: &PublicKey,
        nonce: &str,
        audience: &str,
        now: Timestamp,
    ) -> Result<Self, StatementError> {
        Self::verify_as(ASSOCIATION_STATEMENT_TYP, text, key, nonce, audience, now)
    }

    fn verify_as(
        typ: &'static str,
        text: &str,
        key: &PublicKey,
        nonce: &str,
        audience: &str,
        now: Timestamp,
    ) -> Result<Self, StatementError> {
        let unverified = jws::parse(text, MAX_BYTES)?;
        if unverified.typ() != Some(typ) {
            return Err(StatementError::Typ(typ));
        }
        let verified = unverified.verify(key)?;
        let claims: StatementClaims = json::parse_as(verified.payload(), Limits::bytes(MAX_BYTES))
            .map_err(StatementError::Claims)?;
        if claims.aud != audience {
            return Err(StatementError::Audience);
        }
        if claims.nonce != nonce {
            return Err(StatementError::Nonce);
        }
        check_times(&claims, now)?;
        check_keys(&claims.keys)?;
        Ok(Self { claims })
    }

    /// The wallet unit that holds the keys.
    pub fn unit(&self) -> UnitId {
        self.claims.sub
    }

    /// The keys.
    pub fn keys(&self) -> &[StatedKey] {
        &self.claims.keys
    }

    /// When the user proved both factors, in seconds since 1970.
    pub fn auth_time(&self) -> i64 {
        self.claims.auth_time
    }

    /// All that it says.
    pub fn claims(&self) -> &StatementClaims {
        &self.claims
    }
}

fn check_times(claims: &StatementClaims, now: Timestamp) -> Result<(), StatementError> {
    let end = Timestamp::from_second(claims.exp).map_err(|_| StatementError::Times)?;
    let now = now.as_second();
    if now >= claims.exp {
        return Err(StatementError::Expired(end));
    }
    let ahead = claims.iat.saturating_sub(now) > SKEW.as_secs();
    let life = claims.exp.saturating_sub(claims.iat);
    let backwards = claims.auth_time > claims.iat || life <= 0;
    if ahead || backwards || life > STATEMENT_LIFETIME.as_secs() {
        return Err(StatementError::Times);
    }
    Ok(())
}

fn check_keys(keys: &[StatedKey]) -> Result<(), StatementError> {
    if keys.is_empty() {
        return Err(StatementError::Keys("there is none"));
    }
    if keys.len() > crate::MAX_BATCH {
        return Err(StatementError::Keys("there are too many"));
    }
    if keys.iter().any(|key| key.exportable) {
        return Err(StatementError::Keys("one can leave the device"));
    }
    let mut seen = std::collections::HashSet::new();
    if !keys.iter().all(|key| seen.insert(&key.jwk)) {
        return Err(StatementError::Keys("one stands twice"));
    }
    Ok(())
}
