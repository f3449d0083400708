use std::sync::{Arc, OnceLock};

use aws_lc_rs::agreement::{self, ECDH_P256, ECDH_P384, ECDH_P521, UnparsedPublicKey};
use aws_lc_rs::digest::{Digest, SHA256, SHA384, SHA512};
use aws_lc_rs::encoding::{AsBigEndian, EcPrivateKeyBin};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING,
    ECDSA_P521_SHA512_FIXED_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm, KeyPair,
};
use jose::{Curve, PublicKey};
use zeroize::Zeroizing;

use super::secret::Secret;
use crate::{DeviceError, digest_len};

/// A private key in the clear: the one type in the house that is one. It does
/// not leave this module's parent.
#[derive(Clone)]
pub(super) struct EcKey {
    scalar: Secret,
    public: PublicKey,
    /// The same key as the library signs with it, from its first signature on. It
    /// overwrites its memory when it is freed.
    signing: Arc<OnceLock<EcdsaKeyPair>>,
}

impl EcKey {
    /// A fresh key.
    pub(super) fn generate(curve: Curve) -> Result<Self, DeviceError> {
        let failed = |cause: &str| DeviceError::Failed {
            what: "generate a key",
            cause: cause.to_owned(),
        };
        let pair = EcdsaKeyPair::generate(ecdsa(curve)).map_err(|_| failed("generation"))?;
        let public = PublicKey::from_point(curve, pair.public_key().as_ref())
            .map_err(|error| failed(&error.to_string()))?;
        let scalar: EcPrivateKeyBin<'_> = pair
            .private_key()
            .as_be_bytes()
            .map_err(|_| failed("encoding"))?;
        Ok(Self {
            scalar: Secret::copy(scalar.as_ref()),
            public,
            signing: Arc::default(),
        })
    }

    /// A key from its parts. That they belong together is checked when the key
    /// is used.
    pub(super) fn from_parts(scalar: Secret, public: PublicKey) -> Self {
        Self {
            scalar,
            public,
            signing: Arc::default(),
        }
    }

    pub(super) fn public(&self) -> &PublicKey {
        &self.public
    }

    pub(super) fn curve(&self) -> Curve {
        self.public.curve()
    }

    /// The private part, big-endian, as long as the curve's field.
    pub(super) fn scalar(&self) -> &Secret {
        &self.scalar
    }

    /// The signature over a digest, `r || s`.
    pub(super) fn sign_digest(&self, digest: &[u8]) -> Result<Vec<u8>, DeviceError> {
        let curve = self.curve();
        let expected = digest_len(curve);
        if digest.len() != expected {
            return Err(DeviceError::DigestLength {
                expected,
                got: digest.len(),
            });
        }
        let failed = |cause: &str| DeviceError::Failed {
            what: "sign",
            cause: cause.to_owned(),
        };
        let pair = match self.signing.get() {
            Some(pair) => pair,
            None => {
                let pair = EcdsaKeyPair::from_private_key_and_public_key(
                    ecdsa(curve),
                    self.scalar.expose(),
                    self.public.point(),
                )
                .map_err(|error| failed(&error.to_string()))?;
                self.signing.get_or_init(|| pair)
            }
        };
        let algorithm = match curve {
            Curve::P256 => &SHA256,
            Curve::P384 => &SHA384,
            Curve::P521 => &SHA512,
        };
        let digest = Digest::import_less_safe(digest, algorithm).map_err(|_| failed("digest"))?;
        let signature = pair.sign_digest(&digest).map_err(|_| failed("signature"))?;
        Ok(signature.as_ref().to_vec())
    }

    /// The x-coordinate of the point shared with `peer`.
    pub(super) fn agree(&self, peer: &PublicKey) -> Result<Zeroizing<Vec<u8>>, DeviceError> {
        let curve = self.curve();
        if peer.curve() != curve {
            return Err(DeviceError::WrongCurve {
                what: "the peer's key",
                expected: curve,
                got: peer.curve(),
            });
        }
        let failed = || DeviceError::Failed {
            what: "agree on a key",
            cause: "ECDH".to_owned(),
        };
        let algorithm = match curve {
            Curve::P256 => &ECDH_P256,
            Curve::P384 => &ECDH_P384,
            Curve::P521 => &ECDH_P521,
        };
        let private = agreement::PrivateKey::from_private_key(algorithm, self.scalar.expose())
            .map_err(|_| failed())?;
        agreement::agree(
            &private,
            UnparsedPublicKey::new(algorithm, peer.point()),
            failed(),
            |x| Ok(Zeroizing::new(x.to_vec())),
        )
    }
}

fn ecdsa(curve: Curve) -> &'static EcdsaSigningAlgorithm {
    match curve {
        Curve::P256 => &ECDSA_P256_SHA256_FIXED_SIGNING,
        Curve::P384 => &ECDSA_P384_SHA384_FIXED_SIGNING,
        Curve::P521 => &ECDSA_P521_SHA512_FIXED_SIGNING,
    }
}

impl std::fmt::Debug for EcKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "EcKey({:?})", self.public)
    }
}
