//! Making certificates that conform to their profiles.

mod extensions;
mod signing_request;

use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use der::asn1::{Any, BitString, OctetString, SetOfVec, Uint};
use der::{Encode, Sequence, Tag};
use finding::Refusal;
use jiff::Timestamp;
use jose::{Curve, PublicKey, SignError, Signer, ecdsa_to_der, sha256};
use x509_cert::attr::AttributeTypeAndValue;
use x509_cert::spki::AlgorithmIdentifierOwned;
use x509_cert::time::Time;

use crate::certificate::{Certificate, CertificateError};
use crate::extension::{AltName, Extension, Policy};
use crate::oid::{self, Oid};
use crate::profile::{Profile, lint};
use crate::qc::QcStatements;
use crate::signature::SignatureAlgorithm;

pub use signing_request::{request_to_pem, signing_request};

/// Who a certificate is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// An organization (EN 319 412-3, 4.2.1).
    Legal {
        /// countryName, alpha-2.
        country: String,
        /// organizationName.
        organization: String,
        /// organizationIdentifier, such as `VATBE-0876866142`.
        identifier: String,
        /// commonName.
        common_name: String,
    },
    /// A human being (EN 319 412-2, 4.2.4).
    Natural {
        /// countryName, alpha-2.
        country: String,
        /// givenName.
        given_name: String,
        /// surname.
        surname: String,
        /// commonName.
        common_name: String,
        /// serialNumber.
        serial_number: String,
    },
}

impl Subject {
    /// An organization.
    pub fn legal(country: &str, organization: &str, identifier: &str, common_name: &str) -> Self {
        Self::Legal {
            country: country.to_owned(),
            organization: organization.to_owned(),
            identifier: identifier.to_owned(),
            common_name: common_name.to_owned(),
        }
    }

    /// Its name as DER, one attribute in each relative name.
    pub fn to_der(&self) -> Result<Vec<u8>, der::Error> {
        let attributes: Vec<(Oid, &str)> = match self {
            Subject::Legal {
                country,
                organization,
                identifier,
                common_name,
            } => vec![
                (oid::COUNTRY, country),
                (oid::ORGANIZATION, organization),
                (oid::ORGANIZATION_IDENTIFIER, identifier),
                (oid::COMMON_NAME, common_name),
            ],
            Subject::Natural {
                country,
                given_name,
                surname,
                common_name,
                serial_number,
            } => vec![
                (oid::COUNTRY, country),
                (oid::GIVEN_NAME, given_name),
                (oid::SURNAME, surname),
                (oid::COMMON_NAME, common_name),
                (oid::SERIAL_NUMBER, serial_number),
            ],
        };
        name_der(&attributes)
    }
}

/// A distinguished name as DER, one attribute in each relative name.
pub fn name_der(attributes: &[(Oid, &str)]) -> Result<Vec<u8>, der::Error> {
    let names: Vec<SetOfVec<AttributeTypeAndValue>> = attributes
        .iter()
        .map(|(id, text)| {
            let tag = match *id {
                oid::COUNTRY | oid::SERIAL_NUMBER => Tag::PrintableString,
                _ => Tag::Utf8String,
            };
            SetOfVec::try_from(vec![AttributeTypeAndValue {
                oid: *id,
                value: Any::new(tag, text.as_bytes())?,
            }])
        })
        .collect::<Result<_, der::Error>>()?;
    names.to_der()
}

/// A certificate that is asked for.
#[derive(Debug, Clone)]
pub struct Request {
    /// What it is for.
    pub profile: Profile,
    /// Who it is for.
    pub subject: Subject,
    /// The key it certifies.
    pub public_key: PublicKey,
    /// The start of its validity; whole seconds count.
    pub not_before: Timestamp,
    /// The end of its validity; whole seconds count.
    pub not_after: Timestamp,
    /// The serial number, at most 20 octets as an unsigned number; 16 random
    /// octets where none is given.
    pub serial: Option<Vec<u8>>,
    /// Where its CRL is.
    pub crl_urls: Vec<String>,
    /// Where its OCSP responder is.
    pub ocsp_urls: Vec<String>,
    /// Where its issuer's certificate is.
    pub ca_issuers_urls: Vec<String>,
    /// subjectAltName; of an access certificate, how to reach the party.
    pub alt_names: Vec<AltName>,
    /// The policies it is issued under. Where none are given, an access
    /// certificate gets NCP-n- or NCP-l-eudiwrp by its subject, and another
    /// leaf under a CA gets NCP (EN 319 411-1).
    pub policies: Vec<Policy>,
    /// The statements beside the QcType that the profile brings.
    pub statements: QcStatements,
    /// For a CA: how many CAs may stand below it.
    pub path_len: Option<u8>,
}

impl Request {
    /// A request with the profile's own extensions and nothing else.
    pub fn new(
        profile: Profile,
        subject: Subject,
        public_key: PublicKey,
        not_before: Timestamp,
        not_after: Timestamp,
    ) -> Self {
        Self {
            profile,
            subject,
            public_key,
            not_before,
            not_after,
            serial: None,
            crl_urls: vec![],
            ocsp_urls: vec![],
            ca_issuers_urls: vec![],
            alt_names: vec![],
            policies: vec![],
            statements: QcStatements::default(),
            path_len: None,
        }
    }
}

/// Who signs a certificate.
#[derive(Debug, Clone, Copy)]
pub enum Issuer<'a> {
    /// The subject itself, with the key that is certified.
    Itself(&'a dyn Signer),
    /// A CA, with the key in its certificate.
    Ca {
        /// Its certificate.
        certificate: &'a Certificate,
        /// Its key.
        signer: &'a dyn Signer,
    },
}

impl<'a> Issuer<'a> {
    fn signer(self) -> &'a dyn Signer {
        match self {
            Issuer::Itself(signer) | Issuer::Ca { signer, .. } => signer,
        }
    }
}

/// Why no certificate or CRL was made.
#[derive(Debug, thiserror::Error)]
pub enum IssueError {
    /// What was asked for cannot be encoded.
    #[error("it cannot be encoded: {0}")]
    Encoding(#[from] der::Error),
    /// The key did not sign.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// The signer's key is not the one in the issuer's certificate, or, for a
    /// self-signed certificate, not the one certified.
    #[error("the signer's key is not the issuer's")]
    WrongKey,
    /// The issuer's certificate is not a CA's.
    #[error("the issuer is not a CA: {0}")]
    NotCa(String),
    /// The system's random source failed.
    #[error("no random numbers")]
    Random,
    /// What was made is not read as a certificate.
    #[error("what was made is no certificate: {0}")]
    Made(#[from] CertificateError),
    /// What was asked for does not conform to its profile.
    #[error("it would not conform: {0}")]
    NotConforming(Refusal),
}

/// Makes a certificate. What does not conform to its profile (see [`lint`], as
/// of its notBefore) is refused, with the rules it would break.
pub async fn issue(request: &Request, issuer: Issuer<'_>) -> Result<Certificate, IssueError> {
    let certificate = Draft::new(request, issuer)?.sign(issuer).await?;
    let findings = lint(&certificate, request.profile, certificate.not_before());
    Refusal::unless_clean(findings).map_err(IssueError::NotConforming)?;
    Ok(certificate)
}

/// A certificate before it is signed, open to change: test beds make flawed
/// certificates with it. [`issue`] is what everyone else uses.
#[derive(Debug, Clone)]
pub struct Draft {
    /// The serial number, unsigned big-endian.
    pub serial: Vec<u8>,
    /// The issuer's name, DER.
    pub issuer: Vec<u8>,
    /// The subject's name, DER.
    pub subject: Vec<u8>,
    /// The SubjectPublicKeyInfo, DER.
    pub spki: Vec<u8>,
    /// notBefore.
    pub not_before: Timestamp,
    /// notAfter.
    pub not_after: Timestamp,
    /// The extensions, in order.
    pub extensions: Vec<Extension>,
}

impl Draft {
    /// What [`issue`] would sign.
    pub fn new(request: &Request, issuer: Issuer<'_>) -> Result<Self, IssueError> {
        let subject = request.subject.to_der()?;
        let issuer_name = match issuer {
            Issuer::Itself(signer) if *signer.public_key() == request.public_key => subject.clone(),
            Issuer::Ca {
                certificate,
                signer,
            } if certificate.public_key().as_ref() == Ok(signer.public_key()) => {
                if !certificate.is_ca() {
                    return Err(IssueError::NotCa(certificate.subject()));
                }
                certificate.subject_der().to_vec()
            }
            _ => return Err(IssueError::WrongKey),
        };
        Ok(Self {
            serial: match &request.serial {
                Some(serial) => serial.clone(),
                None => random_serial()?,
            },
            issuer: issuer_name,
            subject,
            spki: request.public_key.to_spki_der(),
            not_before: request.not_before,
            not_after: request.not_after,
            extensions: extensions::of(request, issuer)?,
        })
    }

    /// Leaves an extension out.
    pub fn without(mut self, id: Oid) -> Self {
        self.extensions.retain(|e| e.extn_id != id);
        self
    }

    /// Sets an extension, in place of the one with its id.
    pub fn with(self, id: Oid, critical: bool, value: &[u8]) -> Result<Self, IssueError> {
        let mut draft = self.without(id);
        draft.extensions.push(Extension {
            extn_id: id,
            critical,
            extn_value: OctetString::new(value)?,
        });
        Ok(draft)
    }

    /// Signs it as it stands, conforming or not.
    pub async fn sign(&self, issuer: Issuer<'_>) -> Result<Certificate, IssueError> {
        let signer = issuer.signer();
        let algorithm = algorithm_for(signer.public_key().curve());
        let tbs = Tbs {
            version: 2,
            serial: Uint::new(&self.serial)?,
            signature: algorithm.clone(),
            issuer: any(&self.issuer)?,
            validity: Validity {
                not_before: time(self.not_before)?,
                not_after: time(self.not_after)?,
            },
            subject: any(&self.subject)?,
            spki: any(&self.spki)?,
            extensions: (!self.extensions.is_empty()).then(|| self.extensions.clone()),
        };
        let der = sign_der(&tbs.to_der()?, algorithm, signer).await?;
        Ok(Certificate::from_der(&der)?)
    }
}

#[derive(Sequence)]
struct Tbs {
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT")]
    version: u8,
    serial: Uint,
    signature: AlgorithmIdentifierOwned,
    issuer: Any,
    validity: Validity,
    subject: Any,
    spki: Any,
    #[asn1(context_specific = "3", tag_mode = "EXPLICIT", optional = "true")]
    extensions: Option<Vec<Extension>>,
}

#[derive(Sequence)]
struct Validity {
    not_before: Time,
    not_after: Time,
}

#[derive(Sequence)]
struct SignedDer {
    tbs: Any,
    algorithm: AlgorithmIdentifierOwned,
    signature: BitString,
}

/// `SEQUENCE { tbs, algorithm, signature }`.
pub(crate) async fn sign_der(
    tbs: &[u8],
    algorithm: AlgorithmIdentifierOwned,
    signer: &dyn Signer,
) -> Result<Vec<u8>, IssueError> {
    let signature = signer.sign(tbs).await?;
    let signature = ecdsa_to_der(&signature)
        .ok_or_else(|| SignError::Refused("the signature is not r || s".into()))?;
    Ok(SignedDer {
        tbs: any(tbs)?,
        algorithm,
        signature: BitString::from_bytes(&signature)?,
    }
    .to_der()?)
}

pub(crate) fn algorithm_for(curve: Curve) -> AlgorithmIdentifierOwned {
    AlgorithmIdentifierOwned {
        oid: SignatureAlgorithm::id_for(curve.algorithm()),
        parameters: None,
    }
}

/// UTCTime until 2049, GeneralizedTime after (RFC 5280, 4.1.2.5).
pub(crate) fn time(at: Timestamp) -> Result<Time, der::Error> {
    let seconds = u64::try_from(at.as_second()).unwrap_or_default();
    let date = der::DateTime::from_unix_duration(std::time::Duration::from_secs(seconds))?;
    Ok(Time::from(date))
}

/// The key identifier of RFC 7093, 2, method 1: the leftmost 160 bits of the
/// SHA-256 over the public key.
pub fn key_identifier(key: &PublicKey) -> Vec<u8> {
    sha256(key.point()).iter().take(20).copied().collect()
}

fn any(der: &[u8]) -> Result<Any, der::Error> {
    der::Decode::from_der(der)
}

fn random_serial() -> Result<Vec<u8>, IssueError> {
    let mut serial = vec![0; 16];
    SystemRandom::new()
        .fill(&mut serial)
        .map_err(|_| IssueError::Random)?;
    // Positive, and of the same length always.
    if let Some(first) = serial.first_mut() {
        *first = *first & 0x7f | 0x40;
    }
    Ok(serial)
}
