use finding::Refusal;
use jiff::Timestamp;
use jose::{PublicKey, SignError, Signer};
use sci::UnitId;
use serde::{Deserialize, Serialize};

use crate::{Problem, token};

/// The typ of a proof that a key is at hand.
pub const KEY_PROOF_TYP: &str = "wallet-key-proof+jwt";

/// A proof by a key that is to become a WIA's `cnf` key: for this provider, this
/// unit and the one request it stands in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyProof {
    /// The unit.
    pub iss: UnitId,
    /// The provider.
    pub aud: String,
    /// The `jti` of the signed request that carries the proof.
    pub request: String,
    /// When it was made, in seconds since 1970.
    pub iat: i64,
}

impl KeyProof {
    /// Signs the proof; the key stands in its header as `jwk`.
    pub async fn sign(&self, key: &dyn Signer) -> Result<String, SignError> {
        token::sign(KEY_PROOF_TYP, self, true, key).await
    }

    /// The key that `text` proves, if it does so for this provider, unit and
    /// request, at this time.
    pub fn verify(
        text: &str,
        provider: &str,
        unit: UnitId,
        request: &str,
        now: Timestamp,
    ) -> Result<PublicKey, Refusal> {
        let refuse = |what: String| Problem::KeyProof.refusal("proofs", what);
        let parsed = token::parse(text, KEY_PROOF_TYP, token::MAX_TOKEN).map_err(refuse)?;
        let jwk = parsed
            .header()
            .get("jwk")
            .ok_or_else(|| refuse("jwk is absent".into()))?;
        let key = PublicKey::from_jwk(jwk).map_err(|error| refuse(error.to_string()))?;
        let verified = parsed
            .verify(&key)
            .map_err(|error| refuse(error.to_string()))?;
        let proof: Self = token::claims(&verified).map_err(refuse)?;
        if proof.aud != provider || proof.iss != unit || proof.request != request {
            return Err(refuse(
                "it was made for another provider, unit or request".into(),
            ));
        }
        token::check_time(proof.iat, now)
            .map_err(|what| Problem::NotOfNow.refusal("proofs", what))?;
        Ok(key)
    }
}
