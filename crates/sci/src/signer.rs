use std::sync::Arc;

use async_trait::async_trait;
use jose::{Map, PublicKey, SignError, Signer, b64, jws};
use serde_json::{Value, json};

use crate::{Digest, Error, KeyId, KeyInfo, Sci};

/// A key behind a WSCA as a [`Signer`]: the digest is made here, the signature
/// there, in the session that is open.
#[derive(Debug, Clone)]
pub struct KeySigner {
    sci: Arc<dyn Sci>,
    id: KeyId,
    public: PublicKey,
}

impl KeySigner {
    /// The key that `key` describes.
    pub fn new(sci: Arc<dyn Sci>, key: &KeyInfo) -> Self {
        Self {
            sci,
            id: key.id,
            public: key.public_key.clone(),
        }
    }

    /// The key's name.
    pub fn id(&self) -> KeyId {
        self.id
    }
}

#[async_trait]
impl Signer for KeySigner {
    fn public_key(&self) -> &PublicKey {
        &self.public
    }

    async fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError> {
        sign_one(&*self.sci, self.id, &self.public, message).await
    }
}

async fn sign_one(
    sci: &dyn Sci,
    id: KeyId,
    public: &PublicKey,
    message: &[u8],
) -> Result<Vec<u8>, SignError> {
    let digest = Digest::of(message, public.curve());
    let mut signatures = sci
        .sign(&[(id, digest)])
        .await
        .map_err(|error| match error {
            Error::DeviceKey(error) => error,
            Error::Unreachable(why) => SignError::Unavailable(why),
            other => SignError::Refused(other.to_string()),
        })?;
    match (signatures.pop(), signatures.is_empty()) {
        (Some(signature), true) => Ok(signature),
        _ => Err(SignError::Refused("not one signature came back".into())),
    }
}

/// The typ of a proof of possession.
pub const POSSESSION_TYP: &str = "claviger-key-possession+jwt";

/// The largest proof of possession that is read, in bytes.
const MAX_POSSESSION: usize = 4096;

/// A proof of possession, made with [`Sci::sign`] alone: what every WSCA that
/// signs digests can offer as [`Sci::prove_possession`].
pub async fn prove_possession(
    sci: &dyn Sci,
    key: &KeyInfo,
    challenge: &[u8],
) -> Result<String, Error> {
    /// Borrows what [`KeySigner`] owns.
    #[derive(Debug)]
    struct Borrowed<'a>(&'a dyn Sci, &'a KeyInfo);

    #[async_trait]
    impl Signer for Borrowed<'_> {
        fn public_key(&self) -> &PublicKey {
            &self.1.public_key
        }

        async fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError> {
            sign_one(self.0, self.1.id, &self.1.public_key, message).await
        }
    }

    let mut header = Map::new();
    header.insert("typ".into(), POSSESSION_TYP.into());
    header.insert("jwk".into(), key.public_key.to_jwk());
    let payload = json!({"challenge": b64::encode(challenge)}).to_string();
    Ok(jws::sign(header, payload.as_bytes(), &Borrowed(sci, key)).await?)
}

/// Why a proof of possession is not one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PossessionError {
    /// It is no JWS, or its signature does not verify under the key.
    #[error(transparent)]
    Jws(#[from] jws::JwsError),
    /// Its typ is another.
    #[error("the typ is not {POSSESSION_TYP}")]
    Typ,
    /// It answers another challenge.
    #[error("it answers another challenge")]
    Challenge,
}

/// Reads a proof that the holder of `key` answered `challenge`.
pub fn verify_possession(
    proof: &str,
    key: &PublicKey,
    challenge: &[u8],
) -> Result<(), PossessionError> {
    let proof = jws::parse(proof, MAX_POSSESSION)?;
    if proof.typ() != Some(POSSESSION_TYP) {
        return Err(PossessionError::Typ);
    }
    let claims = proof.verify(key)?.claims()?;
    let answered = claims.get("challenge").and_then(Value::as_str);
    if answered == Some(b64::encode(challenge).as_str()) {
        Ok(())
    } else {
        Err(PossessionError::Challenge)
    }
}
