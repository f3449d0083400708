//! A certificate that has been read: well-formed, within its size limit, and
//! trusted for nothing yet.

use std::hash::{Hash, Hasher};
use std::sync::{Arc, OnceLock};

use der::Decode;
use finding::{CertificateRef, Finding};
use jiff::Timestamp;
use jose::{KeyError, PublicKey, sha256};
use x509_cert::certificate::{CertificateInner, Raw, Version};

use crate::name::Name;
use crate::oid::Oid;
use crate::signature::SignatureAlgorithm;
use crate::tlv;
use crate::well_formed::{self, Malformed};

/// How large a certificate may be unless the caller says otherwise: 64 KiB.
pub const MAX_CERTIFICATE: usize = 64 * 1024;

/// An X.509 certificate. Cheap to clone; two are equal when their bytes are.
#[derive(Clone)]
pub struct Certificate(Arc<Inner>);

/// Kept lean, since a list may hold ten thousand: the bytes, and where in them
/// things stand. What is asked for is decoded then.
struct Inner {
    der: Box<[u8]>,
    sha256: [u8; 32],
    spans: Spans,
    version: u8,
    algorithms_agree: bool,
    not_before: Timestamp,
    not_after: Timestamp,
    /// What was made of it when it was first asked for; most of a list never is.
    known: OnceLock<Box<Known>>,
}

/// What does not change about a certificate and costs something to find out.
#[derive(Default)]
struct Known {
    subject: OnceLock<Name>,
    issuer: OnceLock<Name>,
    key: OnceLock<PublicKey>,
    self_signed: OnceLock<bool>,
    lints: [OnceLock<Box<[Finding]>>; PROFILES],
}

/// How many profiles a certificate remembers its lint for: all.
const PROFILES: usize = 9;

/// Why bytes are not a certificate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// More bytes than are accepted.
    #[error("a certificate of {len} bytes, at most {max} are accepted")]
    TooLarge {
        /// Its size in bytes.
        len: usize,
        /// The limit in bytes.
        max: usize,
    },
    /// Not the DER of a certificate, or bytes after it.
    #[error("not a DER certificate: {0}")]
    NotDer(der::Error),
    /// An extension that RFC 5280 defines does not hold what it must.
    #[error("the extension {id} is malformed: {cause}")]
    Extension {
        /// Which.
        id: Oid,
        /// What is wrong with it.
        cause: der::Error,
    },
    /// An extension stands twice (RFC 5280, 4.2).
    #[error("the extension {0} stands twice")]
    Duplicate(Oid),
}

impl From<Malformed> for CertificateError {
    fn from(malformed: Malformed) -> Self {
        match malformed {
            Malformed::Extension(id, cause) => Self::Extension { id, cause },
            Malformed::Duplicate(id) => Self::Duplicate(id),
        }
    }
}

impl Certificate {
    /// Reads the DER of a certificate of at most [`MAX_CERTIFICATE`] bytes.
    pub fn from_der(der: &[u8]) -> Result<Self, CertificateError> {
        Self::from_der_within(der, MAX_CERTIFICATE)
    }

    /// Reads the DER of a certificate of at most `max` bytes.
    pub fn from_der_within(der: &[u8], max: usize) -> Result<Self, CertificateError> {
        if der.len() > max {
            return Err(CertificateError::TooLarge {
                len: der.len(),
                max,
            });
        }
        let x509 = CertificateInner::<Raw>::from_der(der).map_err(CertificateError::NotDer)?;
        let tbs = x509.tbs_certificate();
        well_formed::check(tbs.extensions().map_or(&[], Vec::as_slice))?;
        let spans = Spans::find(der)
            .ok_or_else(|| CertificateError::NotDer(der::ErrorKind::Failed.into()))?;
        let version = match tbs.version() {
            Version::V1 => 1,
            Version::V2 => 2,
            Version::V3 => 3,
        };
        Ok(Self(Arc::new(Inner {
            der: der.into(),
            sha256: sha256(der),
            spans,
            version,
            algorithms_agree: tbs.signature() == x509.signature_algorithm(),
            not_before: timestamp(&tbs.validity().not_before),
            not_after: timestamp(&tbs.validity().not_after),
            known: OnceLock::new(),
        })))
    }

    /// The whole certificate.
    pub fn der(&self) -> &[u8] {
        &self.0.der
    }

    /// SHA-256 over the whole DER.
    pub fn sha256(&self) -> [u8; 32] {
        self.0.sha256
    }

    /// SHA-256 over the whole DER, in lower-case hex.
    pub fn sha256_hex(&self) -> String {
        hex::encode(self.0.sha256)
    }

    /// The version: 1, 2 or 3.
    pub fn version(&self) -> u8 {
        self.0.version
    }

    /// The subject as text (RFC 4514).
    pub fn subject(&self) -> String {
        self.subject_name().to_string()
    }

    /// The issuer as text (RFC 4514).
    pub fn issuer(&self) -> String {
        self.issuer_name().to_string()
    }

    /// The subject, to be asked for its attributes.
    pub fn subject_name(&self) -> Name {
        let subject = || name(self.subject_der());
        self.known().subject.get_or_init(subject).clone()
    }

    /// The issuer, to be asked for its attributes.
    pub fn issuer_name(&self) -> Name {
        let issuer = || name(self.issuer_der());
        self.known().issuer.get_or_init(issuer).clone()
    }

    /// The subject as it stands in the certificate.
    pub fn subject_der(&self) -> &[u8] {
        self.part(self.0.spans.subject)
    }

    /// The issuer as it stands in the certificate.
    pub fn issuer_der(&self) -> &[u8] {
        self.part(self.0.spans.issuer)
    }

    /// Whether subject and issuer are the same name.
    pub fn is_self_issued(&self) -> bool {
        self.subject_der() == self.issuer_der() || self.subject_name().matches(&self.issuer_name())
    }

    /// Whether it is self-issued and its own key verifies its signature.
    pub fn is_self_signed(&self) -> bool {
        let verifies = || self.is_self_issued() && self.verify_signature(self.spki_der()).is_ok();
        *self.known().self_signed.get_or_init(verifies)
    }

    /// The content of the serial number's INTEGER: two's complement, big-endian.
    pub fn serial_der(&self) -> &[u8] {
        self.part(self.0.spans.serial)
    }

    /// The serial number in lower-case hex, without the sign octet.
    pub fn serial(&self) -> String {
        match self.serial_der() {
            [0, rest @ ..] if !rest.is_empty() => hex::encode(rest),
            serial => hex::encode(serial),
        }
    }

    /// notBefore.
    pub fn not_before(&self) -> Timestamp {
        self.0.not_before
    }

    /// notAfter; a date past what a [`Timestamp`] holds is its greatest.
    pub fn not_after(&self) -> Timestamp {
        self.0.not_after
    }

    /// The subject's key; an error where it is not EC on one of our curves.
    pub fn public_key(&self) -> Result<PublicKey, KeyError> {
        PublicKey::from_spki_der(self.spki_der())
    }

    /// The subject's key, decoded once and kept; `None` where it is not EC on one
    /// of our curves.
    pub(crate) fn kept_key(&self) -> Option<&PublicKey> {
        let kept = &self.known().key;
        if let Some(key) = kept.get() {
            return Some(key);
        }
        let key = self.public_key().ok()?;
        Some(kept.get_or_init(|| key))
    }

    /// The SubjectPublicKeyInfo as it stands in the certificate.
    pub fn spki_der(&self) -> &[u8] {
        self.part(self.0.spans.spki)
    }

    /// What the issuer signed.
    pub fn tbs_der(&self) -> &[u8] {
        self.part(self.0.spans.tbs)
    }

    /// The issuer's signature.
    pub fn signature(&self) -> &[u8] {
        self.part(self.0.spans.signature)
    }

    /// The algorithm the issuer signed with.
    pub fn signature_algorithm(&self) -> SignatureAlgorithm {
        SignatureAlgorithm::from_der(self.part(self.0.spans.algorithm))
    }

    /// Whether the signed and the unsigned statement of the signature algorithm
    /// agree (RFC 5280, 4.1.1.2).
    pub fn signature_algorithms_agree(&self) -> bool {
        self.0.algorithms_agree
    }

    /// Verifies the signature under the key of a SubjectPublicKeyInfo.
    pub fn verify_signature(
        &self,
        issuer_spki: &[u8],
    ) -> Result<(), crate::signature::SignatureError> {
        self.signature_algorithm()
            .verify(issuer_spki, self.tbs_der(), self.signature())
    }

    /// Verifies the signature under the key in a certificate of the issuer.
    pub fn verify_issued_by(
        &self,
        issuer: &Certificate,
    ) -> Result<(), crate::signature::SignatureError> {
        match (self.signature_algorithm(), issuer.kept_key()) {
            (SignatureAlgorithm::Ecdsa(hash), Some(key)) => key
                .verify_der(hash, self.tbs_der(), self.signature())
                .map_err(|_| crate::signature::SignatureError::Bad),
            (algorithm, _) => algorithm.verify(issuer.spki_der(), self.tbs_der(), self.signature()),
        }
    }

    /// How a verdict names it.
    pub fn to_ref(&self) -> CertificateRef {
        CertificateRef {
            subject: self.subject(),
            issuer: self.issuer(),
            serial: self.serial(),
            sha256: self.sha256_hex(),
            not_before: self.not_before(),
            not_after: self.not_after(),
        }
    }

    pub(crate) fn extensions_der(&self) -> &[u8] {
        self.part(self.0.spans.extensions)
    }

    /// What its lint says under the profile of this number, whenever it is.
    pub(crate) fn kept_lint(
        &self,
        profile: usize,
        lint: impl FnOnce() -> Vec<Finding>,
    ) -> Vec<Finding> {
        match self.known().lints.get(profile) {
            Some(kept) => kept.get_or_init(|| lint().into()).to_vec(),
            None => lint(),
        }
    }

    /// Its subject's [`Name::key`], with nothing kept: of ten thousand that are
    /// indexed, hardly one is asked again.
    pub(crate) fn subject_key(&self) -> [u8; 32] {
        name(self.subject_der()).key()
    }

    fn known(&self) -> &Known {
        self.0.known.get_or_init(Box::default)
    }

    fn part(&self, span: Span) -> &[u8] {
        let (start, end) = (span.start as usize, span.end as usize);
        self.0.der.get(start..end).unwrap_or_default()
    }
}

/// The name was decoded when the certificate was read, so it decodes again.
fn name(der: &[u8]) -> Name {
    Name::from_der(der).unwrap_or_else(|_| Name::empty())
}

pub(crate) fn timestamp(time: &x509_cert::time::Time) -> Timestamp {
    i64::try_from(time.to_unix_duration().as_secs())
        .ok()
        .and_then(|seconds| Timestamp::from_second(seconds).ok())
        .unwrap_or(Timestamp::MAX)
}

/// Where a part stands in a certificate.
#[derive(Clone, Copy)]
struct Span {
    start: u32,
    end: u32,
}

struct Spans {
    tbs: Span,
    serial: Span,
    issuer: Span,
    subject: Span,
    spki: Span,
    algorithm: Span,
    signature: Span,
    extensions: Span,
}

impl Spans {
    fn find(der: &[u8]) -> Option<Self> {
        let span = |part: &[u8]| {
            let start = (part.as_ptr() as usize).checked_sub(der.as_ptr() as usize)?;
            let (start, end) = (start.try_into().ok()?, start.checked_add(part.len())?);
            Some(Span {
                start,
                end: end.try_into().ok()?,
            })
        };
        let signed = tlv::signed(der)?;
        let outer = tlv::next(&mut &*der)?;
        let [_, _, signature] = tlv::all(outer.content)?.try_into().ok()?;
        // The first octet of a BIT STRING counts the unused bits: a signature is
        // whole octets, or the same one could be written in two ways.
        let signature = signature.content.strip_prefix(&[0])?;

        let mut fields = signed.tbs.content;
        let mut field = tlv::next(&mut fields)?;
        if field.tag == 0xa0 {
            field = tlv::next(&mut fields)?;
        }
        let serial = field;
        let _algorithm = tlv::next(&mut fields)?;
        let issuer = tlv::next(&mut fields)?;
        let _validity = tlv::next(&mut fields)?;
        let subject = tlv::next(&mut fields)?;
        let spki = tlv::next(&mut fields)?;
        let extensions = tlv::all(fields)?
            .into_iter()
            .find(|field| field.tag == 0xa3)
            .map_or(Some(Span { start: 0, end: 0 }), |field| span(field.content))?;
        Some(Self {
            tbs: span(signed.tbs.whole)?,
            serial: span(serial.content)?,
            issuer: span(issuer.whole)?,
            subject: span(subject.whole)?,
            spki: span(spki.whole)?,
            algorithm: span(signed.algorithm)?,
            signature: span(signature)?,
            extensions,
        })
    }
}

impl PartialEq for Certificate {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
            || (self.0.sha256 == other.0.sha256 && self.0.der == other.0.der)
    }
}

impl Eq for Certificate {}

impl Hash for Certificate {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.sha256.hash(state);
    }
}

impl std::fmt::Debug for Certificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Certificate({}, {})", self.subject(), self.sha256_hex())
    }
}
