//! What a responder is asked.

use der::asn1::OctetString;
use der::{Encode, Sequence};

use super::{CertId, CertIdHash, EncodedCertId, Nonce};
use crate::certificate::Certificate;
use crate::extension::Extension;
use crate::oid;

/// A request for the status of one certificate (RFC 6960, 4.1.1), unsigned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OcspRequest {
    /// The request as DER, to be sent as `application/ocsp-request`.
    pub der: Vec<u8>,
    /// What the answer must echo; `None` where stored answers are welcome.
    pub nonce: Option<Nonce>,
}

impl OcspRequest {
    /// Asks about a certificate that `issuer` issued.
    pub fn new(
        certificate: &Certificate,
        issuer: &Certificate,
        hash: CertIdHash,
        nonce: Option<Nonce>,
    ) -> Result<Self, der::Error> {
        let list = vec![Request {
            certificate: CertId::of(certificate, issuer, hash).encoded()?,
        }];
        let extensions = nonce.map(|nonce| nonce_extension(nonce.as_bytes()));
        let request = OcspRequestDer {
            tbs: TbsRequest {
                list,
                extensions: extensions.transpose()?.map(|nonce| vec![nonce]),
            },
        };
        Ok(Self {
            der: request.to_der()?,
            nonce,
        })
    }
}

/// The nonce stands as an OCTET STRING inside the extension's own (RFC 9654, 2.1).
pub(super) fn nonce_extension(nonce: &[u8]) -> Result<Extension, der::Error> {
    Ok(Extension {
        extn_id: oid::OCSP_NONCE,
        critical: false,
        extn_value: OctetString::new(OctetString::new(nonce)?.to_der()?)?,
    })
}

#[derive(Sequence)]
struct OcspRequestDer {
    tbs: TbsRequest,
}

#[derive(Sequence)]
struct TbsRequest {
    list: Vec<Request>,
    #[asn1(context_specific = "2", tag_mode = "EXPLICIT", optional = "true")]
    extensions: Option<Vec<Extension>>,
}

#[derive(Sequence)]
struct Request {
    certificate: EncodedCertId,
}
