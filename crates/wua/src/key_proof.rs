use jiff::Timestamp;
use jose::{Map, PublicKey, Signer};
use serde_json::json;

use crate::BuildError;
use crate::token::{claims, sign};

/// What a `jwt` key proof says (OpenID4VCI 1.0, F.1). Its time is never rounded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyProof {
    /// The header's `key_attestation`: the KA in JWS compact form.
    pub ka: String,
    /// `aud`: the credential issuer's identifier.
    pub audience: String,
    /// `iat`: the time, as it is.
    pub issued: Timestamp,
    /// `nonce`: the issuer's c_nonce.
    pub nonce: Option<String>,
    /// `iss`: the client_id, left out after an anonymous pre-authorized flow.
    pub client_id: Option<String>,
}

/// Which text a `jwt` proof follows.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, Default, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum KeyProofProfile {
    /// TS3 v1.5.2: signed with the key at index 0 of `attested_keys`; the header
    /// names no key, and the KA needs no nonce.
    #[default]
    Ts3,
    /// OpenID4VCI 1.0 by the letter: the header names the key (`kid` or `jwk`),
    /// which is any of the attested ones, and the KA carries the c_nonce.
    OpenId4VciFinal,
}

impl KeyProof {
    /// The proof in JWS compact form, signed with the first attested key: `first`
    /// is that key, so that a proof which nobody would accept is not made.
    pub async fn sign(
        &self,
        profile: KeyProofProfile,
        first: &PublicKey,
        signer: &dyn Signer,
    ) -> Result<String, BuildError> {
        if first != signer.public_key() {
            return Err(BuildError::WrongKey);
        }
        for (name, value) in [("key_attestation", &self.ka), ("aud", &self.audience)] {
            if value.is_empty() {
                return Err(BuildError::Missing(name));
            }
        }
        let mut header = Map::new();
        if profile == KeyProofProfile::OpenId4VciFinal {
            // As in the example of F.1: the index of the attested key.
            header.insert("kid".into(), "0".into());
        }
        header.insert("key_attestation".into(), self.ka.as_str().into());
        let claims = claims([
            ("iss", json!(self.client_id)),
            ("aud", json!(self.audience)),
            ("iat", json!(self.issued.as_second())),
            ("nonce", json!(self.nonce)),
        ]);
        sign(PROOF_TYP, &[], header, &claims, signer).await
    }
}

pub(crate) const PROOF_TYP: &str = "openid4vci-proof+jwt";
