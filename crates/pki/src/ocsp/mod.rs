//! The Online Certificate Status Protocol (RFC 6960): what is asked, what is
//! answered, and what an answer is worth.
//!
//! Pure, as all of this room: the request and the response are bytes that
//! someone else carries.

mod request;
mod respond;
mod response;
mod verify;

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};
use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use der::asn1::{Any, OctetString};
use der::{Sequence, Tag};
use x509_cert::spki::{AlgorithmIdentifierOwned, SubjectPublicKeyInfoRef};

use crate::certificate::Certificate;
use crate::issue::IssueError;
use crate::oid;

pub use request::OcspRequest;
pub use respond::{OcspReply, Reply, sign_reply};
pub use response::{
    CertStatus, MAX_RESPONSE, OcspError, OcspResponse, ResponderId, ResponseStatus, Single,
};
pub use verify::{OcspAnswer, OcspFault, OcspPolicy, status_by_ocsp};

/// The hash by which a request names the issuer. It only identifies: what counts
/// is whose signature the answer bears.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum CertIdHash {
    /// SHA-1, which every responder understands (RFC 5019, 2.1.1).
    #[default]
    Sha1,
    /// SHA-256, which newer ones understand.
    Sha256,
}

/// Which certificate is meant (RFC 6960, 4.1.1): its issuer's name and key,
/// hashed, and its serial number.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CertId {
    hash: CertIdHash,
    name: Vec<u8>,
    key: Vec<u8>,
    serial: Vec<u8>,
}

impl CertId {
    /// How a certificate issued by `issuer` is named.
    pub fn of(certificate: &Certificate, issuer: &Certificate, hash: CertIdHash) -> Self {
        Self {
            hash,
            name: hash.of(issuer.subject_der()),
            key: hash.of(key_bits(issuer)),
            serial: certificate.serial_der().to_vec(),
        }
    }

    /// The content of the serial number's INTEGER.
    pub fn serial_der(&self) -> &[u8] {
        &self.serial
    }

    /// Whether it means this certificate of this issuer.
    pub fn means(&self, certificate: &Certificate, issuer: &Certificate) -> bool {
        *self == Self::of(certificate, issuer, self.hash)
    }

    fn encoded(&self) -> Result<EncodedCertId, der::Error> {
        Ok(EncodedCertId {
            hash: AlgorithmIdentifierOwned {
                oid: match self.hash {
                    CertIdHash::Sha1 => oid::SHA1,
                    CertIdHash::Sha256 => oid::SHA256,
                },
                parameters: Some(Any::null()),
            },
            name: OctetString::new(self.name.as_slice())?,
            key: OctetString::new(self.key.as_slice())?,
            serial: Any::new(Tag::Integer, self.serial.as_slice())?,
        })
    }
}

#[derive(Sequence)]
struct EncodedCertId {
    hash: AlgorithmIdentifierOwned,
    name: OctetString,
    key: OctetString,
    serial: Any,
}

impl CertIdHash {
    fn of(self, bytes: &[u8]) -> Vec<u8> {
        let algorithm = match self {
            CertIdHash::Sha1 => &SHA1_FOR_LEGACY_USE_ONLY,
            CertIdHash::Sha256 => &SHA256,
        };
        digest(algorithm, bytes).as_ref().to_vec()
    }
}

/// The content of the BIT STRING that holds a certificate's key.
fn key_bits(certificate: &Certificate) -> &[u8] {
    use der::Decode;
    SubjectPublicKeyInfoRef::from_der(certificate.spki_der())
        .ok()
        .and_then(|spki| spki.subject_public_key.as_bytes())
        .unwrap_or_default()
}

/// What binds an answer to its request: 32 random octets (RFC 9654, 2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Nonce([u8; 32]);

impl Nonce {
    /// A fresh one.
    pub fn random() -> Result<Self, IssueError> {
        let mut octets = [0; 32];
        SystemRandom::new()
            .fill(&mut octets)
            .map_err(|_| IssueError::Random)?;
        Ok(Self(octets))
    }

    /// Its octets.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl From<[u8; 32]> for Nonce {
    fn from(octets: [u8; 32]) -> Self {
        Self(octets)
    }
}
