//! Certificate revocation lists (RFC 5280, 5): read, and made.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use der::asn1::{Any, OctetString, Uint};
use der::{Decode, Encode, Sequence};
use jiff::Timestamp;
use jose::Signer;
use x509_cert::certificate::Raw;
use x509_cert::crl::CertificateList;
use x509_cert::ext::Extension;
pub use x509_cert::ext::pkix::crl::CrlReason;
use x509_cert::ext::pkix::crl::dp::ReasonFlags;
use x509_cert::ext::pkix::{AuthorityKeyIdentifier, IssuingDistributionPoint};
use x509_cert::spki::AlgorithmIdentifierOwned;
use x509_cert::time::Time;

use crate::certificate::{Certificate, timestamp};
use crate::extension::PointName;
use crate::issue::{IssueError, algorithm_for, key_identifier, sign_der, time};
use crate::name::Name;
use crate::oid::{self, Oid};
use crate::signature::{SignatureAlgorithm, SignatureError};
use crate::tlv;

/// How large a CRL may be unless the caller says otherwise: 16 MiB.
pub const MAX_CRL: usize = 16 * 1024 * 1024;

/// A CRL that has been read. Its signature has not been verified yet.
#[derive(Debug, Clone)]
pub struct Crl {
    issuer: Name,
    issuer_der: Vec<u8>,
    this_update: Timestamp,
    next_update: Option<Timestamp>,
    authority_key_id: Option<Vec<u8>>,
    scope: Scope,
    number: Option<Vec<u8>>,
    delta_base: Option<Vec<u8>>,
    /// Shared by clones, as what was signed is: a CRL may be large.
    entries: Arc<HashMap<Vec<u8>, Entry>>,
    tbs: Arc<[u8]>,
    algorithm: SignatureAlgorithm,
    algorithms_agree: bool,
    signature: Vec<u8>,
    /// The key under which the signature has been found to verify. The bytes do
    /// not change, so neither does that.
    verified: Arc<OnceLock<Vec<u8>>>,
}

/// When and why a certificate was revoked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// revocationDate.
    pub at: Timestamp,
    /// reasonCode; unspecified where it is absent.
    pub reason: CrlReason,
}

/// What an issuingDistributionPoint says the CRL covers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Scope {
    /// The distribution point's names, where it names any.
    pub points: Vec<PointName>,
    /// The reasons it covers; `None` for all.
    pub reasons: Option<ReasonFlags>,
    /// It covers end entities only.
    pub only_users: bool,
    /// It covers CAs only.
    pub only_cas: bool,
}

/// Why bytes are not a CRL that we use.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CrlError {
    /// More bytes than are accepted.
    #[error("a CRL of {len} bytes, at most {max} are accepted")]
    TooLarge {
        /// Its size in bytes.
        len: usize,
        /// The limit in bytes.
        max: usize,
    },
    /// Not the DER of a CRL, or bytes after it.
    #[error("not a DER CRL: {0}")]
    NotDer(der::Error),
    /// A kind of CRL that is not handled: indirect, for attribute certificates,
    /// or with a critical extension unknown here.
    #[error("a CRL of a kind that is not handled: {0}")]
    Unsupported(String),
}

impl Crl {
    /// Reads the DER of a CRL of at most [`MAX_CRL`] bytes.
    pub fn from_der(der: &[u8]) -> Result<Self, CrlError> {
        Self::from_der_within(der, MAX_CRL)
    }

    /// Reads the DER of a CRL of at most `max` bytes.
    pub fn from_der_within(der: &[u8], max: usize) -> Result<Self, CrlError> {
        if der.len() > max {
            return Err(CrlError::TooLarge {
                len: der.len(),
                max,
            });
        }
        let list = CertificateList::<Raw>::from_der(der).map_err(CrlError::NotDer)?;
        let signed =
            tlv::signed(der).ok_or_else(|| CrlError::NotDer(der::ErrorKind::Failed.into()))?;
        let tbs = &list.tbs_cert_list;
        let issuer_der = tbs.issuer.to_der().map_err(CrlError::NotDer)?;
        let issuer = Name::from_der(&issuer_der).map_err(CrlError::NotDer)?;
        let extensions = Extensions::read(tbs.crl_extensions.as_deref(), &issuer)?;
        let mut entries = HashMap::new();
        for revoked in tbs.revoked_certificates.iter().flatten() {
            let reason = reason(revoked.crl_entry_extensions.as_deref())?;
            entries.insert(
                revoked.serial_number.as_bytes().to_vec(),
                Entry {
                    at: timestamp(&revoked.revocation_date),
                    reason,
                },
            );
        }
        Ok(Self {
            issuer,
            issuer_der,
            this_update: timestamp(&tbs.this_update),
            next_update: tbs.next_update.as_ref().map(timestamp),
            authority_key_id: extensions.key,
            scope: extensions.scope,
            number: extensions.number,
            delta_base: extensions.delta_base,
            entries: Arc::new(entries),
            tbs: signed.tbs.whole.into(),
            algorithm: SignatureAlgorithm::from_der(signed.algorithm),
            algorithms_agree: tbs.signature == list.signature_algorithm,
            signature: list
                .signature
                .as_bytes()
                .ok_or_else(|| CrlError::NotDer(der::ErrorKind::Failed.into()))?
                .to_vec(),
            verified: Arc::default(),
        })
    }

    /// Who issued it.
    pub fn issuer(&self) -> &Name {
        &self.issuer
    }

    /// When it was issued.
    pub fn this_update(&self) -> Timestamp {
        self.this_update
    }

    /// When the next one comes; `None` where it does not say.
    pub fn next_update(&self) -> Option<Timestamp> {
        self.next_update
    }

    /// What it covers.
    pub fn scope(&self) -> &Scope {
        &self.scope
    }

    /// Whether it is a delta CRL: the changes since another.
    pub fn is_delta(&self) -> bool {
        self.delta_base.is_some()
    }

    /// Whether this delta CRL may be combined with a complete one of the same
    /// issuer (RFC 5280, 6.3.3 (c)).
    pub fn is_delta_to(&self, complete: &Crl) -> bool {
        let (Some(base), Some(number), Some(own)) =
            (&self.delta_base, &complete.number, &self.number)
        else {
            return false;
        };
        self.scope == complete.scope && !greater(base, number) && greater(own, number)
    }

    /// How many certificates it revokes.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether it revokes none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The algorithm it was signed with.
    pub fn signature_algorithm(&self) -> SignatureAlgorithm {
        self.algorithm
    }

    /// The entry of a serial number, given as the content of its INTEGER.
    pub fn entry(&self, serial: &[u8]) -> Option<Entry> {
        self.entries.get(serial).copied()
    }

    /// Whether `issuer` is named as its issuer: by name, and by key identifier
    /// where both say one.
    pub fn is_by(&self, issuer: &Certificate) -> bool {
        let named =
            self.issuer_der == issuer.subject_der() || self.issuer.matches(&issuer.subject_name());
        let key = match (&self.authority_key_id, issuer.subject_key_id()) {
            (Some(theirs), Some(own)) => *theirs == own,
            _ => true,
        };
        named && key
    }

    /// Verifies its signature under the key of a SubjectPublicKeyInfo; once, for
    /// this CRL and its clones.
    pub fn verify_signature(&self, issuer_spki: &[u8]) -> Result<(), SignatureError> {
        if !self.algorithms_agree {
            return Err(SignatureError::Mismatch);
        }
        if self.verified.get().is_some_and(|key| key == issuer_spki) {
            return Ok(());
        }
        self.algorithm
            .verify(issuer_spki, &self.tbs, &self.signature)?;
        // Another key may have been first; then this one is looked at each time.
        let _ = self.verified.set(issuer_spki.to_vec());
        Ok(())
    }
}

/// Of two unsigned big-endian numbers without leading zeroes, whether the first
/// is the greater.
fn greater(one: &[u8], other: &[u8]) -> bool {
    (one.len(), one) > (other.len(), other)
}

#[derive(Default)]
struct Extensions {
    scope: Scope,
    key: Option<Vec<u8>>,
    number: Option<Vec<u8>>,
    delta_base: Option<Vec<u8>>,
}

impl Extensions {
    fn read(extensions: Option<&[Extension]>, issuer: &Name) -> Result<Self, CrlError> {
        let number = |value: &[u8]| {
            Uint::from_der(value)
                .map(|number| number.as_bytes().to_vec())
                .map_err(CrlError::NotDer)
        };
        let mut read = Self::default();
        for extension in extensions.unwrap_or_default() {
            let value = extension.extn_value.as_bytes();
            match extension.extn_id {
                oid::ISSUING_DISTRIBUTION_POINT => read.scope = Scope::from_der(value, issuer)?,
                oid::DELTA_CRL_INDICATOR => read.delta_base = Some(number(value)?),
                oid::CRL_NUMBER => read.number = Some(number(value)?),
                oid::AUTHORITY_KEY_IDENTIFIER => {
                    read.key = AuthorityKeyIdentifier::from_der(value)
                        .map_err(CrlError::NotDer)?
                        .key_identifier
                        .map(|id| id.as_bytes().to_vec());
                }
                id if extension.critical => return Err(unknown(id)),
                _ => {}
            }
        }
        Ok(read)
    }
}

fn unknown(id: Oid) -> CrlError {
    CrlError::Unsupported(format!("the critical extension {id}"))
}

fn reason(extensions: Option<&[Extension]>) -> Result<CrlReason, CrlError> {
    let mut reason = CrlReason::Unspecified;
    for extension in extensions.unwrap_or_default() {
        match extension.extn_id {
            oid::CRL_REASON => {
                reason = CrlReason::from_der(extension.extn_value.as_bytes())
                    .map_err(CrlError::NotDer)?;
            }
            oid::CERTIFICATE_ISSUER => {
                return Err(CrlError::Unsupported("an indirect CRL".into()));
            }
            id if extension.critical => return Err(unknown(id)),
            _ => {}
        }
    }
    Ok(reason)
}

impl Scope {
    fn from_der(der: &[u8], issuer: &Name) -> Result<Self, CrlError> {
        let point = IssuingDistributionPoint::from_der(der).map_err(CrlError::NotDer)?;
        for (refused, what) in [
            (point.indirect_crl, "an indirect CRL"),
            (
                point.only_contains_attribute_certs,
                "a CRL for attribute certificates",
            ),
        ] {
            if refused {
                return Err(CrlError::Unsupported(what.into()));
            }
        }
        let points = match &point.distribution_point {
            None => vec![],
            Some(names) => {
                let points = PointName::all(names, issuer);
                if points.is_empty() {
                    return Err(CrlError::Unsupported(
                        "a distribution point that is neither a URL nor a directory name".into(),
                    ));
                }
                points
            }
        };
        Ok(Self {
            points,
            reasons: point.only_some_reasons,
            only_users: point.only_contains_user_certs,
            only_cas: point.only_contains_ca_certs,
        })
    }
}

/// A CRL that is asked for.
#[derive(Debug, Clone)]
pub struct CrlRequest {
    /// cRLNumber: grows with each.
    pub number: u64,
    /// thisUpdate.
    pub this_update: Timestamp,
    /// nextUpdate.
    pub next_update: Timestamp,
    /// The certificates revoked, by the content of their serial's INTEGER.
    pub revoked: Vec<(Vec<u8>, Entry)>,
    /// An issuingDistributionPoint, DER, where there is to be one.
    pub scope: Option<Vec<u8>>,
    /// For a delta CRL: the number of the CRL it builds on.
    pub delta_base: Option<u64>,
}

/// Makes a CRL, signed by the CA.
pub async fn issue_crl(
    request: &CrlRequest,
    ca: &Certificate,
    signer: &dyn Signer,
) -> Result<Vec<u8>, IssueError> {
    if ca.public_key().as_ref() != Ok(signer.public_key()) {
        return Err(IssueError::WrongKey);
    }
    let algorithm = algorithm_for(signer.public_key().curve());
    let revoked: Vec<Revoked> = request
        .revoked
        .iter()
        .map(|(serial, entry)| {
            Ok(Revoked {
                serial: Any::new(der::Tag::Integer, serial.as_slice())?,
                at: time(entry.at)?,
                extensions: (entry.reason != CrlReason::Unspecified)
                    .then(|| {
                        Ok::<_, der::Error>(vec![extension(
                            oid::CRL_REASON,
                            false,
                            entry.reason.to_der()?,
                        )?])
                    })
                    .transpose()?,
            })
        })
        .collect::<Result<_, der::Error>>()?;
    let key = AuthorityKeyIdentifier {
        key_identifier: Some(OctetString::new(
            ca.subject_key_id()
                .unwrap_or_else(|| key_identifier(signer.public_key())),
        )?),
        ..AuthorityKeyIdentifier::default()
    };
    let number = Uint::new(&request.number.to_be_bytes())?;
    let mut extensions = vec![
        extension(oid::AUTHORITY_KEY_IDENTIFIER, false, key.to_der()?)?,
        extension(oid::CRL_NUMBER, false, number.to_der()?)?,
    ];
    if let Some(scope) = &request.scope {
        extensions.push(extension(
            oid::ISSUING_DISTRIBUTION_POINT,
            true,
            scope.clone(),
        )?);
    }
    if let Some(base) = request.delta_base {
        let base = Uint::new(&base.to_be_bytes())?;
        extensions.push(extension(oid::DELTA_CRL_INDICATOR, true, base.to_der()?)?);
    }
    let tbs = Tbs {
        version: 1,
        signature: algorithm.clone(),
        issuer: Any::from_der(ca.subject_der())?,
        this_update: time(request.this_update)?,
        next_update: time(request.next_update)?,
        revoked: (!revoked.is_empty()).then_some(revoked),
        extensions,
    };
    sign_der(&tbs.to_der()?, algorithm, signer).await
}

fn extension(id: Oid, critical: bool, value: Vec<u8>) -> Result<Extension, der::Error> {
    Ok(Extension {
        extn_id: id,
        critical,
        extn_value: OctetString::new(value)?,
    })
}

#[derive(Sequence)]
struct Tbs {
    version: u8,
    signature: AlgorithmIdentifierOwned,
    issuer: Any,
    this_update: Time,
    next_update: Time,
    revoked: Option<Vec<Revoked>>,
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT")]
    extensions: Vec<Extension>,
}

#[derive(Sequence)]
struct Revoked {
    serial: Any,
    at: Time,
    extensions: Option<Vec<Extension>>,
}
