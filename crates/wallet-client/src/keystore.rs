//! Where the phone's two device-bound keys live.
//!
//! On a phone this is the platform's keystore: one key that signs, one that agrees,
//! neither of which leaves it. (Agreement needs Android keystore version 100 and
//! API 31, or the Secure Enclave; App Attest keys cannot agree.) For development and
//! tests there is [`SoftwareKeystore`].

use std::sync::Arc;

use async_trait::async_trait;
use aws_lc_rs::agreement::{self, PrivateKey};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use jose::{Curve, KeyAgreement, PublicKey, SignError, Signer};
use zeroize::Zeroizing;

/// The phone's two keys.
pub trait DeviceKeystore: std::fmt::Debug + Send + Sync {
    /// The key that signs every request: possession.
    fn signing(&self) -> &dyn Signer;

    /// The key that opens answers and hardens the PIN. It does nothing else: whoever
    /// can have it agree with points of his choice can test PINs.
    fn agreement(&self) -> &dyn KeyAgreement;

    /// A fresh signing key on P-256: each WIA is bound to one of its own, so that
    /// no two issuers see the same (ARF `ISSU_35a`).
    fn fresh_signing_key(&self) -> Result<Arc<dyn Signer>, SignError>;
}

/// Two keys in the memory of the process, for development. It is a device that
/// protects nothing, and no evidence vouches for it.
#[derive(Debug)]
pub struct SoftwareKeystore {
    signing: SoftwareSigner,
    agreement: SoftwareAgreement,
}

/// The library could not make the keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the cryptographic library failed to make a key")]
pub struct NoKey;

impl SoftwareKeystore {
    /// Two fresh keys on P-256.
    pub fn generate() -> Result<Self, NoKey> {
        let secret = PrivateKey::generate(&agreement::ECDH_P256).map_err(|_| NoKey)?;
        let point = secret.compute_public_key().map_err(|_| NoKey)?;
        Ok(Self {
            signing: SoftwareSigner::generate()?,
            agreement: SoftwareAgreement {
                public: PublicKey::from_point(Curve::P256, point.as_ref()).map_err(|_| NoKey)?,
                secret,
            },
        })
    }
}

impl DeviceKeystore for SoftwareKeystore {
    fn signing(&self) -> &dyn Signer {
        &self.signing
    }

    fn agreement(&self) -> &dyn KeyAgreement {
        &self.agreement
    }

    fn fresh_signing_key(&self) -> Result<Arc<dyn Signer>, SignError> {
        let key =
            SoftwareSigner::generate().map_err(|error| SignError::Refused(error.to_string()))?;
        Ok(Arc::new(key))
    }
}

struct SoftwareSigner {
    public: PublicKey,
    pair: EcdsaKeyPair,
}

impl SoftwareSigner {
    fn generate() -> Result<Self, NoKey> {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).map_err(|_| NoKey)?;
        let public = PublicKey::from_point(Curve::P256, pair.public_key().as_ref());
        Ok(Self {
            public: public.map_err(|_| NoKey)?,
            pair,
        })
    }
}

#[async_trait]
impl Signer for SoftwareSigner {
    fn public_key(&self) -> &PublicKey {
        &self.public
    }

    async fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError> {
        self.pair
            .sign(&SystemRandom::new(), message)
            .map(|signature| signature.as_ref().to_vec())
            .map_err(|_| SignError::Refused("the cryptographic library failed".into()))
    }
}

struct SoftwareAgreement {
    public: PublicKey,
    secret: PrivateKey,
}

#[async_trait]
impl KeyAgreement for SoftwareAgreement {
    fn public_key(&self) -> &PublicKey {
        &self.public
    }

    async fn agree(&self, peer: &PublicKey) -> Result<Zeroizing<Vec<u8>>, SignError> {
        if peer.curve() != Curve::P256 {
            return Err(SignError::CurveMismatch);
        }
        agreement::agree(
            &self.secret,
            agreement::UnparsedPublicKey::new(&agreement::ECDH_P256, peer.point()),
            SignError::Refused("the cryptographic library failed".into()),
            |shared| Ok(Zeroizing::new(shared.to_vec())),
        )
    }
}

impl std::fmt::Debug for SoftwareSigner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SoftwareSigner({:?})", self.public)
    }
}

impl std::fmt::Debug for SoftwareAgreement {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SoftwareAgreement({:?})", self.public)
    }
}
