//! What a PID provider asks of a wallet provider when the user of a unit has died
//! (ARF `WURevocation_11`, `_12`).

use finding::Refusal;
use jiff::Timestamp;
use jose::{Map, PublicKey, SignError, Signer, b64, jws};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::{Problem, RevocationReason, token};

/// The typ of a PID provider's request.
pub const PID_REVOCATION_TYP: &str = "wallet-revocation-request+jwt";

/// The largest such request that is read, in bytes: it holds a WIA.
pub const MAX_PID_REVOCATION: usize = 96 * 1024;

/// The most certificates in its chain.
const MAX_CERTIFICATES: usize = 8;

/// What a PID provider signs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PidRevocationClaims {
    /// The wallet provider.
    pub aud: String,
    /// When it was made, in seconds since 1970.
    pub iat: i64,
    /// At least 96 random bits, of at most 64 characters.
    pub jti: String,
    /// Why. The one reason that a PID provider has is `death`.
    pub reason: RevocationReason,
    /// The WIA that the unit showed when it got its PID, as it came. It may have
    /// expired; its status must still be maintained.
    pub wia: String,
}

/// The body of a PID provider's request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PidRevocationRequest {
    /// The signed claims, a compact JWS of typ `wallet-revocation-request+jwt` with
    /// the PID provider's chain as `x5c`.
    pub request: String,
}

/// The request was taken. It is the same whatever the unit's state was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PidRevocationAnswer {
    /// When it was taken.
    #[schema(value_type = String, format = "date-time")]
    pub taken_at: Timestamp,
}

impl PidRevocationClaims {
    /// Signs the claims with the PID provider's key; `x5c` holds its certificates in
    /// DER, the key's own first.
    pub async fn sign(&self, x5c: &[Vec<u8>], signer: &dyn Signer) -> Result<String, SignError> {
        let refused = |error: serde_json::Error| SignError::Refused(error.to_string());
        let mut header = Map::new();
        header.insert("typ".into(), PID_REVOCATION_TYP.into());
        let chain: Vec<Value> = x5c.iter().map(|der| b64::encode_std(der).into()).collect();
        header.insert("x5c".into(), chain.into());
        let payload = serde_json::to_vec(self).map_err(refused)?;
        jws::sign(header, &payload, signer).await
    }
}

/// A request as it came: it carries a chain, which somebody has to judge.
#[derive(Debug, Clone)]
pub struct UnverifiedPidRevocation {
    token: jws::Unverified,
    x5c: Vec<Vec<u8>>,
    claims: PidRevocationClaims,
}

/// A request whose signature and binding were checked. Whether the signer is a PID
/// provider has to be asked elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedPidRevocation {
    /// Its identifier, to be taken once.
    pub jti: String,
    /// When no copy of it would be taken any more.
    pub forget_at: Timestamp,
    /// The reason.
    pub reason: RevocationReason,
    /// The WIA, of which nothing is believed yet.
    pub wia: String,
}

impl UnverifiedPidRevocation {
    /// Reads a request.
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        let refuse = |what: String| Problem::Malformed.refusal("request", what);
        let token = token::parse(text, PID_REVOCATION_TYP, MAX_PID_REVOCATION).map_err(refuse)?;
        let x5c = match token.x5c() {
            Ok(Some(x5c)) if x5c.len() <= MAX_CERTIFICATES => x5c,
            Ok(Some(x5c)) => {
                return Err(refuse(format!(
                    "{} certificates, {MAX_CERTIFICATES} are accepted",
                    x5c.len()
                )));
            }
            Ok(None) => return Err(refuse("x5c is absent".into())),
            Err(error) => return Err(refuse(error.to_string())),
        };
        let claims: PidRevocationClaims = token::claims(&token).map_err(refuse)?;
        let long = claims.jti.len();
        if !(16..=64).contains(&long) {
            return Err(refuse(format!(
                "a jti of {long} characters, 16 to 64 are accepted"
            )));
        }
        Ok(Self { token, x5c, claims })
    }

    /// The chain, leaf first, in DER: never empty.
    pub fn x5c(&self) -> &[Vec<u8>] {
        &self.x5c
    }

    /// Verifies it under the leaf's key, for this wallet provider and this moment.
    pub fn verify(
        self,
        leaf: &PublicKey,
        provider: &str,
        now: Timestamp,
    ) -> Result<VerifiedPidRevocation, Refusal> {
        let Self { token, claims, .. } = self;
        token
            .verify(leaf)
            .map_err(|error| Problem::PidProvider.refusal("request", error.to_string()))?;
        if claims.aud != provider {
            return Err(Problem::WrongBinding.refusal("request", "aud names another provider"));
        }
        token::check_time(claims.iat, now)
            .map_err(|what| Problem::NotOfNow.refusal("request", what))?;
        Ok(VerifiedPidRevocation {
            jti: claims.jti,
            forget_at: token::forget_at(claims.iat),
            reason: claims.reason,
            wia: claims.wia,
        })
    }
}
