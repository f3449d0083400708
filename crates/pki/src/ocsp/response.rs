//! What a responder answers, read and not yet believed.

use der::Decode;
use der::asn1::{GeneralizedTime, ObjectIdentifier, OctetStringRef};
use jiff::Timestamp;
use x509_cert::ext::pkix::crl::CrlReason;

use super::{CertId, CertIdHash};
use crate::certificate::Certificate;
use crate::extension::Extension;
use crate::oid::{self, Oid};
use crate::signature::SignatureAlgorithm;
use crate::tlv::{self, Tlv};

/// How large a response may be: 64 KiB.
pub const MAX_RESPONSE: usize = 64 * 1024;
/// How many certificates a response may carry.
const MAX_CERTIFICATES: usize = 8;
/// How many certificates a response may tell of.
const MAX_SINGLES: usize = 256;

/// A basic OCSP response that has been read. Whose it is, and whether it may be
/// relied on, is [`super::status_by_ocsp`]'s to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OcspResponse {
    pub(super) responder: ResponderId,
    pub(super) produced_at: Timestamp,
    pub(super) singles: Vec<Single>,
    pub(super) nonce: Option<Vec<u8>>,
    pub(super) tbs: Vec<u8>,
    pub(super) algorithm: SignatureAlgorithm,
    pub(super) signature: Vec<u8>,
    pub(super) certificates: Vec<Certificate>,
}

/// Who says to have signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ResponderId {
    /// The signer's subject, DER.
    Name(Vec<u8>),
    /// SHA-1 over the signer's key.
    Key(Vec<u8>),
}

/// What a response says of one certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Single {
    /// Which; `None` where it is named by a hash that we do not ask with.
    pub id: Option<CertId>,
    /// What its status is.
    pub status: CertStatus,
    /// When this was known to be so.
    pub this_update: Timestamp,
    /// When more will be known; `None` where the responder always knows more.
    pub next_update: Option<Timestamp>,
}

/// A certificate's status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CertStatus {
    /// It is not revoked.
    Good,
    /// It is.
    Revoked {
        /// When.
        at: Timestamp,
        /// Why; unspecified where that is absent.
        reason: CrlReason,
    },
    /// The responder does not know it.
    Unknown,
}

/// Why a responder gave no answer (RFC 6960, 4.2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ResponseStatus {
    /// malformedRequest.
    #[error("malformedRequest")]
    MalformedRequest,
    /// internalError.
    #[error("internalError")]
    InternalError,
    /// tryLater.
    #[error("tryLater")]
    TryLater,
    /// sigRequired.
    #[error("sigRequired")]
    SigRequired,
    /// unauthorized: it is not asked about this CA, or not by us.
    #[error("unauthorized")]
    Unauthorized,
    /// A status that RFC 6960 does not know.
    #[error("the status {0}")]
    Other(u8),
}

/// Why bytes are not an answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OcspError {
    /// More bytes than are accepted.
    #[error("an OCSP response of {len} bytes, at most {MAX_RESPONSE} are accepted")]
    TooLarge {
        /// Its size in bytes.
        len: usize,
    },
    /// Not the DER of a response, or bytes after it.
    #[error("not a DER OCSP response: its {0}")]
    NotDer(&'static str),
    /// The responder gave no answer, and says why. Nobody signed this.
    #[error("the responder gave no answer: {0}")]
    NoAnswer(ResponseStatus),
    /// A kind of response, or a critical extension, that is not handled.
    #[error("an OCSP response with {0}, which is not handled")]
    Unsupported(String),
}

impl OcspResponse {
    /// Reads the DER of a response of at most [`MAX_RESPONSE`] bytes.
    pub fn from_der(der: &[u8]) -> Result<Self, OcspError> {
        if der.len() > MAX_RESPONSE {
            return Err(OcspError::TooLarge { len: der.len() });
        }
        let mut input = der;
        let mut fields = take(&mut input, tlv::SEQUENCE, "outermost sequence")?.content;
        end(input, "end")?;
        let status = take(&mut fields, ENUMERATED, "status")?;
        let &[status] = status.content else {
            return Err(OcspError::NotDer("status"));
        };
        if status != 0 {
            return Err(OcspError::NoAnswer(ResponseStatus::of(status)));
        }
        let mut wrapped = take(&mut fields, EXPLICIT, "response bytes")?.content;
        end(fields, "end")?;
        let mut bytes = take(&mut wrapped, tlv::SEQUENCE, "response bytes")?.content;
        end(wrapped, "response bytes")?;
        let kind = take(&mut bytes, OBJECT_IDENTIFIER, "response type")?;
        let kind = ObjectIdentifier::from_der(kind.whole)
            .map_err(|_| OcspError::NotDer("response type"))?;
        if kind != oid::OCSP_BASIC {
            return Err(OcspError::Unsupported(format!("the type {kind}")));
        }
        let basic = take(&mut bytes, OCTET_STRING, "response")?.content;
        end(bytes, "response bytes")?;
        Self::from_basic(basic)
    }

    fn from_basic(der: &[u8]) -> Result<Self, OcspError> {
        let mut input = der;
        let mut fields = take(&mut input, tlv::SEQUENCE, "basic response")?.content;
        end(input, "basic response")?;
        let tbs = take(&mut fields, tlv::SEQUENCE, "response data")?;
        let algorithm = take(&mut fields, tlv::SEQUENCE, "signature algorithm")?;
        let signature = take(&mut fields, BIT_STRING, "signature")?
            .content
            .strip_prefix(&[0])
            .ok_or(OcspError::NotDer("signature"))?;
        let mut certificates = Vec::new();
        if let Some(mut list) = optional(&mut fields, EXPLICIT) {
            let mut list = {
                let inside = take(&mut list, tlv::SEQUENCE, "certificates")?.content;
                end(list, "certificates")?;
                inside
            };
            while !list.is_empty() {
                if certificates.len() == MAX_CERTIFICATES {
                    return Err(OcspError::Unsupported(format!(
                        "more than {MAX_CERTIFICATES} certificates"
                    )));
                }
                let der = take(&mut list, tlv::SEQUENCE, "certificates")?.whole;
                certificates.push(
                    Certificate::from_der(der).map_err(|_| OcspError::NotDer("certificates"))?,
                );
            }
        }
        end(fields, "basic response")?;
        let data = Data::read(tbs.content)?;
        Ok(Self {
            responder: data.responder,
            produced_at: data.produced_at,
            singles: data.singles,
            nonce: data.nonce,
            tbs: tbs.whole.to_vec(),
            algorithm: SignatureAlgorithm::from_der(algorithm.whole),
            signature: signature.to_vec(),
            certificates,
        })
    }

    /// Who says to have signed it.
    pub fn responder(&self) -> &ResponderId {
        &self.responder
    }

    /// When it was signed.
    pub fn produced_at(&self) -> Timestamp {
        self.produced_at
    }

    /// What it says, certificate by certificate.
    pub fn singles(&self) -> &[Single] {
        &self.singles
    }

    /// The nonce it echoes.
    pub fn nonce(&self) -> Option<&[u8]> {
        self.nonce.as_deref()
    }
}

impl ResponseStatus {
    fn of(code: u8) -> Self {
        match code {
            1 => Self::MalformedRequest,
            2 => Self::InternalError,
            3 => Self::TryLater,
            5 => Self::SigRequired,
            6 => Self::Unauthorized,
            other => Self::Other(other),
        }
    }
}

struct Data {
    responder: ResponderId,
    produced_at: Timestamp,
    singles: Vec<Single>,
    nonce: Option<Vec<u8>>,
}

impl Data {
    fn read(mut fields: &[u8]) -> Result<Self, OcspError> {
        if let Some(version) = optional(&mut fields, EXPLICIT)
            && version != [tlv::INTEGER, 1, 0]
        {
            return Err(OcspError::Unsupported("a version other than 1".into()));
        }
        let id = tlv::next(&mut fields).ok_or(OcspError::NotDer("responder"))?;
        let mut inside = id.content;
        let responder = match id.tag {
            0xa1 => ResponderId::Name(
                take(&mut inside, tlv::SEQUENCE, "responder")?
                    .whole
                    .to_vec(),
            ),
            0xa2 => ResponderId::Key(
                take(&mut inside, OCTET_STRING, "responder")?
                    .content
                    .to_vec(),
            ),
            _ => return Err(OcspError::NotDer("responder")),
        };
        end(inside, "responder")?;
        let produced_at = time(&mut fields, "producedAt")?;
        let mut list = take(&mut fields, tlv::SEQUENCE, "responses")?.content;
        let mut singles = Vec::new();
        while !list.is_empty() {
            if singles.len() == MAX_SINGLES {
                return Err(OcspError::Unsupported(format!(
                    "more than {MAX_SINGLES} answers"
                )));
            }
            singles.push(Single::read(
                take(&mut list, tlv::SEQUENCE, "responses")?.content,
            )?);
        }
        let extensions = extensions(optional(&mut fields, 0xa1))?;
        end(fields, "response data")?;
        let mut nonce = None;
        for extension in extensions {
            match extension.extn_id {
                oid::OCSP_NONCE => nonce = Some(nonce_of(&extension)?),
                id if extension.critical => return Err(critical(id)),
                _ => {}
            }
        }
        Ok(Self {
            responder,
            produced_at,
            singles,
            nonce,
        })
    }
}

/// 1 to 128 octets (RFC 9654, 2.1).
fn nonce_of(extension: &Extension) -> Result<Vec<u8>, OcspError> {
    let octets = <&OctetStringRef>::from_der(extension.extn_value.as_bytes())
        .map_err(|_| OcspError::NotDer("nonce"))?
        .as_bytes();
    if octets.is_empty() || octets.len() > 128 {
        return Err(OcspError::NotDer("nonce"));
    }
    Ok(octets.to_vec())
}

impl Single {
    fn read(mut fields: &[u8]) -> Result<Self, OcspError> {
        let id = cert_id(take(&mut fields, tlv::SEQUENCE, "certificate id")?.content)?;
        let status = tlv::next(&mut fields).ok_or(OcspError::NotDer("certificate status"))?;
        let status = match (status.tag, status.content) {
            (0x80, []) => CertStatus::Good,
            (0x82, []) => CertStatus::Unknown,
            (0xa1, mut inside) => {
                let at = time(&mut inside, "revocation time")?;
                let reason = match optional(&mut inside, EXPLICIT) {
                    None => CrlReason::Unspecified,
                    Some(reason) => CrlReason::from_der(reason)
                        .map_err(|_| OcspError::NotDer("revocation reason"))?,
                };
                end(inside, "certificate status")?;
                CertStatus::Revoked { at, reason }
            }
            _ => return Err(OcspError::NotDer("certificate status")),
        };
        let this_update = time(&mut fields, "thisUpdate")?;
        let next_update = match optional(&mut fields, EXPLICIT) {
            None => None,
            Some(mut inside) => {
                let next = time(&mut inside, "nextUpdate")?;
                end(inside, "nextUpdate")?;
                Some(next)
            }
        };
        let extensions = extensions(optional(&mut fields, 0xa1))?;
        end(fields, "responses")?;
        match extensions.iter().find(|extension| extension.critical) {
            Some(extension) => Err(critical(extension.extn_id)),
            None => Ok(Self {
                id,
                status,
                this_update,
                next_update,
            }),
        }
    }
}

fn cert_id(mut fields: &[u8]) -> Result<Option<CertId>, OcspError> {
    let what = "certificate id";
    let mut algorithm = take(&mut fields, tlv::SEQUENCE, what)?.content;
    let algorithm = take(&mut algorithm, OBJECT_IDENTIFIER, what)?;
    let algorithm =
        ObjectIdentifier::from_der(algorithm.whole).map_err(|_| OcspError::NotDer(what))?;
    let name = take(&mut fields, OCTET_STRING, what)?.content.to_vec();
    let key = take(&mut fields, OCTET_STRING, what)?.content.to_vec();
    let serial = take(&mut fields, tlv::INTEGER, what)?.content.to_vec();
    end(fields, what)?;
    let hash = match algorithm {
        oid::SHA1 => CertIdHash::Sha1,
        oid::SHA256 => CertIdHash::Sha256,
        _ => return Ok(None),
    };
    Ok(Some(CertId {
        hash,
        name,
        key,
        serial,
    }))
}

fn extensions(der: Option<&[u8]>) -> Result<Vec<Extension>, OcspError> {
    let Some(der) = der else { return Ok(vec![]) };
    let extensions =
        Vec::<Extension>::from_der(der).map_err(|_| OcspError::NotDer("extensions"))?;
    for (i, extension) in extensions.iter().enumerate() {
        let same = |other: &Extension| other.extn_id == extension.extn_id;
        if extensions.iter().skip(i + 1).any(same) {
            return Err(OcspError::NotDer("extensions"));
        }
    }
    Ok(extensions)
}

fn critical(id: Oid) -> OcspError {
    OcspError::Unsupported(format!("the critical extension {id}"))
}

const BIT_STRING: u8 = 0x03;
const OCTET_STRING: u8 = 0x04;
const OBJECT_IDENTIFIER: u8 = 0x06;
const ENUMERATED: u8 = 0x0a;
const GENERALIZED_TIME: u8 = 0x18;
/// `[0] EXPLICIT`.
const EXPLICIT: u8 = 0xa0;

fn take<'a>(input: &mut &'a [u8], tag: u8, what: &'static str) -> Result<Tlv<'a>, OcspError> {
    tlv::next(input)
        .filter(|element| element.tag == tag)
        .ok_or(OcspError::NotDer(what))
}

/// The content of the next element, where it has this tag.
fn optional<'a>(input: &mut &'a [u8], tag: u8) -> Option<&'a [u8]> {
    let mut ahead = *input;
    let element = tlv::next(&mut ahead).filter(|element| element.tag == tag)?;
    *input = ahead;
    Some(element.content)
}

fn end(input: &[u8], what: &'static str) -> Result<(), OcspError> {
    match input {
        [] => Ok(()),
        _ => Err(OcspError::NotDer(what)),
    }
}

fn time(input: &mut &[u8], what: &'static str) -> Result<Timestamp, OcspError> {
    let element = take(input, GENERALIZED_TIME, what)?;
    GeneralizedTime::from_der(element.whole)
        .ok()
        .and_then(|time| i64::try_from(time.to_unix_duration().as_secs()).ok())
        .and_then(|seconds| Timestamp::from_second(seconds).ok())
        .ok_or(OcspError::NotDer(what))
}
