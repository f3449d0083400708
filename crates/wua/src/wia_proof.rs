use jiff::Timestamp;
use jose::{Map, Signer};
use serde_json::{Value, json};

use crate::token::{claims, sign};
use crate::{BuildError, ClientAttestationDraft};

/// What a proof of possession of a WIA says (draft 10, 5.1; draft 07, 5.2). Its
/// time is never rounded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WiaProof {
    /// `iss`: the WIA's `sub`; written under draft 07 only, which demands it.
    pub client_id: String,
    /// `aud`: the identifier of the server the proof is made for.
    pub audience: String,
    /// `jti`: random, never used twice.
    pub jti: String,
    /// `iat`: the time, as it is.
    pub issued: Timestamp,
    /// `challenge`: what the server gave, when it gave one.
    pub challenge: Option<String>,
}

impl WiaProof {
    /// The proof in JWS compact form, signed by the key in the WIA's `cnf`.
    pub async fn sign(
        &self,
        draft: ClientAttestationDraft,
        signer: &dyn Signer,
    ) -> Result<String, BuildError> {
        for (name, value) in [("aud", &self.audience), ("jti", &self.jti)] {
            if value.is_empty() {
                return Err(BuildError::Missing(name));
            }
        }
        let issuer = match draft {
            ClientAttestationDraft::Draft07 => json!(self.client_id),
            ClientAttestationDraft::Draft10 => Value::Null,
        };
        let claims = claims([
            ("iss", issuer),
            ("aud", json!(self.audience)),
            ("jti", json!(self.jti)),
            ("iat", json!(self.issued.as_second())),
            ("challenge", json!(self.challenge)),
        ]);
        sign(POP_TYP, &[], Map::new(), &claims, signer).await
    }
}

pub(crate) const POP_TYP: &str = "oauth-client-attestation-pop+jwt";
