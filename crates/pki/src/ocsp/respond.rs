//! Answers made here, for test beds: what a responder would sign.

use der::asn1::{Any, BitString, GeneralizedTime, OctetString};
use der::{Decode, Encode, Sequence, Tag};
use jiff::Timestamp;
use jose::{SignError, Signer, ecdsa_to_der};
use x509_cert::ext::pkix::crl::CrlReason;
use x509_cert::spki::AlgorithmIdentifierOwned;

use super::request::nonce_extension;
use super::{CertId, CertIdHash, CertStatus, EncodedCertId, ResponderId, key_bits};
use crate::certificate::Certificate;
use crate::extension::Extension;
use crate::issue::{IssueError, algorithm_for};
use crate::oid;

/// An answer that is to be signed.
#[derive(Debug, Clone)]
pub struct OcspReply {
    /// Who says to sign it.
    pub responder: ResponderId,
    /// producedAt.
    pub produced_at: Timestamp,
    /// What it says.
    pub replies: Vec<Reply>,
    /// The nonce it echoes.
    pub nonce: Option<Vec<u8>>,
    /// Certificates that go with it.
    pub certificates: Vec<Certificate>,
}

/// What is said of one certificate.
#[derive(Debug, Clone)]
pub struct Reply {
    /// Which.
    pub id: CertId,
    /// Its status.
    pub status: CertStatus,
    /// thisUpdate.
    pub this_update: Timestamp,
    /// nextUpdate.
    pub next_update: Option<Timestamp>,
}

impl ResponderId {
    /// A signer by its name.
    pub fn name_of(certificate: &Certificate) -> Self {
        Self::Name(certificate.subject_der().to_vec())
    }

    /// A signer by its key.
    pub fn key_of(certificate: &Certificate) -> Self {
        Self::Key(CertIdHash::Sha1.of(key_bits(certificate)))
    }
}

/// Signs an answer as it stands, true or not.
pub async fn sign_reply(reply: &OcspReply, signer: &dyn Signer) -> Result<Vec<u8>, IssueError> {
    let responder = match &reply.responder {
        ResponderId::Name(der) => explicit(0xa1, der),
        ResponderId::Key(hash) => explicit(0xa2, &OctetString::new(hash.as_slice())?.to_der()?),
    };
    let data = ResponseData {
        responder: Any::from_der(&responder?)?,
        produced_at: time(reply.produced_at)?,
        replies: reply
            .replies
            .iter()
            .map(Reply::encoded)
            .collect::<Result<_, _>>()?,
        extensions: reply
            .nonce
            .as_deref()
            .map(|nonce| Ok::<_, der::Error>(vec![nonce_extension(nonce)?]))
            .transpose()?,
    };
    let tbs = data.to_der()?;
    let signature = ecdsa_to_der(&signer.sign(&tbs).await?)
        .ok_or_else(|| SignError::Refused("the signature is not r || s".into()))?;
    let certificates = reply
        .certificates
        .iter()
        .map(|certificate| Any::from_der(certificate.der()))
        .collect::<Result<Vec<_>, _>>()?;
    let basic = Basic {
        data: Any::from_der(&tbs)?,
        algorithm: algorithm_for(signer.public_key().curve()),
        signature: BitString::from_bytes(&signature)?,
        certificates: (!certificates.is_empty()).then_some(certificates),
    };
    let response = Response {
        status: Any::new(Tag::Enumerated, [0].as_slice())?,
        bytes: Bytes {
            kind: oid::OCSP_BASIC,
            response: OctetString::new(basic.to_der()?)?,
        },
    };
    Ok(response.to_der()?)
}

impl Reply {
    fn encoded(&self) -> Result<SingleResponse, der::Error> {
        let status = match self.status {
            CertStatus::Good => vec![0x80, 0],
            CertStatus::Unknown => vec![0x82, 0],
            CertStatus::Revoked { at, reason } => {
                let mut inside = time(at)?.to_der()?;
                if reason != CrlReason::Unspecified {
                    inside.extend(explicit(0xa0, &reason.to_der()?)?);
                }
                explicit(0xa1, &inside)?
            }
        };
        Ok(SingleResponse {
            id: self.id.encoded()?,
            status: Any::from_der(&status)?,
            this_update: time(self.this_update)?,
            next_update: self.next_update.map(time).transpose()?,
        })
    }
}

/// An element with this identifier octet.
fn explicit(tag: u8, content: &[u8]) -> Result<Vec<u8>, der::Error> {
    let mut der = vec![tag];
    der::Length::try_from(content.len())?.encode(&mut der)?;
    der.extend_from_slice(content);
    Ok(der)
}

fn time(at: Timestamp) -> Result<GeneralizedTime, der::Error> {
    let seconds = u64::try_from(at.as_second()).unwrap_or_default();
    GeneralizedTime::from_unix_duration(std::time::Duration::from_secs(seconds))
}

#[derive(Sequence)]
struct Response {
    status: Any,
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT")]
    bytes: Bytes,
}

#[derive(Sequence)]
struct Bytes {
    kind: oid::Oid,
    response: OctetString,
}

#[derive(Sequence)]
struct Basic {
    data: Any,
    algorithm: AlgorithmIdentifierOwned,
    signature: BitString,
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT", optional = "true")]
    certificates: Option<Vec<Any>>,
}

#[derive(Sequence)]
struct ResponseData {
    responder: Any,
    produced_at: GeneralizedTime,
    replies: Vec<SingleResponse>,
    #[asn1(context_specific = "1", tag_mode = "EXPLICIT", optional = "true")]
    extensions: Option<Vec<Extension>>,
}

#[derive(Sequence)]
struct SingleResponse {
    id: EncodedCertId,
    status: Any,
    this_update: GeneralizedTime,
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT", optional = "true")]
    next_update: Option<GeneralizedTime>,
}
