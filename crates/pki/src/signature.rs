//! Signatures on certificates and CRLs, and which algorithms are good enough.

use aws_lc_rs::signature::{
    RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512,
    RsaParameters, UnparsedPublicKey,
};
use der::Decode;
use jose::{Algorithm, HashAlg, PublicKey};
use x509_cert::spki::{AlgorithmIdentifierOwned, SubjectPublicKeyInfoRef};

use crate::oid::{self, Oid};
use crate::tlv;

/// A signature algorithm of X.509.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignatureAlgorithm {
    /// ECDSA (RFC 5758); the key says on which curve.
    Ecdsa(HashAlg),
    /// RSASSA-PKCS1-v1_5 (RFC 4055).
    RsaPkcs1(HashAlg),
    /// One we do not verify.
    Unknown(Oid),
    /// Not an AlgorithmIdentifier as its algorithm demands.
    Malformed,
}

/// Why a signature does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// The algorithm is none of ours.
    #[error("the signature algorithm {0} is not supported")]
    Unsupported(Oid),
    /// The AlgorithmIdentifier or the key is malformed, or they do not go
    /// together.
    #[error("the signature algorithm and the key do not go together")]
    Mismatch,
    /// The signature does not verify.
    #[error("the signature does not verify under this key")]
    Bad,
}

impl SignatureAlgorithm {
    /// Reads a DER AlgorithmIdentifier.
    pub fn from_der(der: &[u8]) -> Self {
        let Ok(id) = AlgorithmIdentifierOwned::from_der(der) else {
            return Self::Malformed;
        };
        let (algorithm, null_allowed) = match id.oid {
            oid::ECDSA_SHA256 => (Self::Ecdsa(HashAlg::Sha256), false),
            oid::ECDSA_SHA384 => (Self::Ecdsa(HashAlg::Sha384), false),
            oid::ECDSA_SHA512 => (Self::Ecdsa(HashAlg::Sha512), false),
            oid::RSA_SHA256 => (Self::RsaPkcs1(HashAlg::Sha256), true),
            oid::RSA_SHA384 => (Self::RsaPkcs1(HashAlg::Sha384), true),
            oid::RSA_SHA512 => (Self::RsaPkcs1(HashAlg::Sha512), true),
            other => return Self::Unknown(other),
        };
        match id.parameters {
            None => algorithm,
            Some(parameters) if null_allowed && parameters.is_null() => algorithm,
            Some(_) => Self::Malformed,
        }
    }

    /// The X.509 identifier that goes with a JOSE algorithm.
    pub fn id_for(algorithm: Algorithm) -> Oid {
        match algorithm {
            Algorithm::Es256 => oid::ECDSA_SHA256,
            Algorithm::Es384 => oid::ECDSA_SHA384,
            Algorithm::Es512 => oid::ECDSA_SHA512,
        }
    }

    /// Verifies `signature` over `message` under the key of a
    /// SubjectPublicKeyInfo. Whether the algorithm is good enough is
    /// [`AlgorithmPolicy`]'s to say.
    pub fn verify(
        self,
        spki: &[u8],
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), SignatureError> {
        match self {
            Self::Ecdsa(hash) => PublicKey::from_spki_der(spki)
                .map_err(|_| SignatureError::Mismatch)?
                .verify_der(hash, message, signature)
                .map_err(|_| SignatureError::Bad),
            Self::RsaPkcs1(hash) => {
                let key = rsa_key(spki).ok_or(SignatureError::Mismatch)?;
                let parameters: &RsaParameters = match hash {
                    HashAlg::Sha256 => &RSA_PKCS1_2048_8192_SHA256,
                    HashAlg::Sha384 => &RSA_PKCS1_2048_8192_SHA384,
                    HashAlg::Sha512 => &RSA_PKCS1_2048_8192_SHA512,
                };
                UnparsedPublicKey::new(parameters, key)
                    .verify(message, signature)
                    .map_err(|_| SignatureError::Bad)
            }
            Self::Unknown(id) => Err(SignatureError::Unsupported(id)),
            Self::Malformed => Err(SignatureError::Mismatch),
        }
    }
}

impl std::fmt::Display for SignatureAlgorithm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Ecdsa(hash) => write!(f, "ECDSA with SHA-{}", hash.len() * 8),
            Self::RsaPkcs1(hash) => write!(f, "RSA PKCS #1 with SHA-{}", hash.len() * 8),
            Self::Unknown(id) => write!(f, "{id}"),
            Self::Malformed => f.write_str("malformed"),
        }
    }
}

/// Which algorithms and key sizes are good enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AlgorithmPolicy {
    /// The shortest RSA modulus, in bits; `None` where RSA is not accepted.
    pub min_rsa_bits: Option<usize>,
}

impl AlgorithmPolicy {
    /// The ECCG's agreed mechanisms: ECDSA on P-256 and above and RSA of 3000
    /// bits and above, with SHA-256 and above.
    pub const AGREED: Self = Self {
        min_rsa_bits: Some(3000),
    };

    /// With RSA of 2048 bits too, which the ECCG lists as legacy.
    pub const WITH_LEGACY_RSA: Self = Self {
        min_rsa_bits: Some(2048),
    };

    /// Whether a key is good enough; otherwise what it is.
    pub fn accepts_key(self, spki: &[u8]) -> Result<(), String> {
        if PublicKey::from_spki_der(spki).is_ok() {
            return Ok(());
        }
        match (rsa_bits(spki), self.min_rsa_bits) {
            (Some(bits), Some(min)) if bits >= min => Ok(()),
            (Some(bits), _) => Err(format!("an RSA key of {bits} bits")),
            (None, _) => Err("a key that is neither EC on P-256, P-384 or P-521 nor RSA".into()),
        }
    }

    /// Whether an algorithm is good enough; otherwise what it is.
    pub fn accepts_algorithm(self, algorithm: SignatureAlgorithm) -> Result<(), String> {
        match algorithm {
            SignatureAlgorithm::Ecdsa(_) => Ok(()),
            SignatureAlgorithm::RsaPkcs1(_) if self.min_rsa_bits.is_some() => Ok(()),
            other => Err(format!("the signature algorithm {other}")),
        }
    }
}

impl Default for AlgorithmPolicy {
    fn default() -> Self {
        Self::AGREED
    }
}

/// The RSAPublicKey (RFC 8017, A.1.1) in a SubjectPublicKeyInfo.
fn rsa_key(spki: &[u8]) -> Option<&[u8]> {
    let spki = SubjectPublicKeyInfoRef::from_der(spki).ok()?;
    (spki.algorithm.oid == oid::RSA_ENCRYPTION)
        .then(|| spki.subject_public_key.as_bytes())
        .flatten()
}

fn rsa_bits(spki: &[u8]) -> Option<usize> {
    let key = rsa_key(spki)?;
    let outer = tlv::next(&mut &*key)?;
    let modulus = tlv::next(&mut &*outer.content)?;
    let digits = match (modulus.tag, modulus.content) {
        (tlv::INTEGER, [0, digits @ ..]) => digits,
        (tlv::INTEGER, digits) => digits,
        _ => return None,
    };
    let first = digits.first()?;
    Some(digits.len() * 8 - first.leading_zeros() as usize)
}
