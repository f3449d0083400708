//! Chains as they arrive: PEM, DER, or the JSON array of an `x5c` header; and
//! CRLs in a file.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::certificate::{Certificate, CertificateError, MAX_CERTIFICATE};
use crate::crl::{Crl, CrlError, MAX_CRL};

/// How many certificates a chain may hold.
pub const MAX_CHAIN: usize = 20;

/// How large a chain may be in any of its forms: 2 MiB.
pub const MAX_CHAIN_BYTES: usize = 2 * 1024 * 1024;

/// Why bytes are not a chain.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChainError {
    /// More bytes than are accepted.
    #[error("a chain of {len} bytes, at most {max} are accepted")]
    TooLarge {
        /// Its size in bytes.
        len: usize,
        /// The limit in bytes.
        max: usize,
    },
    /// More certificates than are accepted.
    #[error("more than {max} certificates")]
    TooMany {
        /// The limit.
        max: usize,
    },
    /// No certificate in it.
    #[error("no certificate: PEM, DER or a JSON array of base64 is expected")]
    Empty,
    /// A PEM block of another kind, such as a private key.
    #[error("a PEM block {0:?} where CERTIFICATE is expected")]
    NotCertificate(String),
    /// A PEM block without an end, or not base64.
    #[error("PEM block {number}: {cause}")]
    Pem {
        /// Which block, from 1.
        number: usize,
        /// What is wrong with it.
        cause: &'static str,
    },
    /// JSON that is not an array of base64 strings.
    #[error("x5c: {0}")]
    X5c(String),
    /// A certificate that was not read.
    #[error("certificate {number}: {cause}")]
    Certificate {
        /// Which, from 1.
        number: usize,
        /// Why not.
        cause: CertificateError,
    },
    /// A PEM block of another kind where CRLs are expected.
    #[error("a PEM block {0:?} where X509 CRL is expected")]
    NotCrl(String),
    /// A CRL that was not read.
    #[error("CRL {number}: {cause}")]
    Crl {
        /// Which, from 1.
        number: usize,
        /// Why not.
        cause: CrlError,
    },
}

/// Reads CRLs: one or several PEM blocks, or one in DER. At most [`MAX_CHAIN`] of
/// them, and [`MAX_CRL`] bytes in all.
pub fn read_crls(bytes: &[u8]) -> Result<Vec<Crl>, ChainError> {
    if bytes.len() > MAX_CRL {
        return Err(ChainError::TooLarge {
            len: bytes.len(),
            max: MAX_CRL,
        });
    }
    let ders = if bytes.first() == Some(&0x30) {
        vec![bytes.to_vec()]
    } else {
        let text = std::str::from_utf8(bytes).map_err(|_| ChainError::Empty)?;
        pem_blocks(text, "X509 CRL", MAX_CRL, ChainError::NotCrl)?
    };
    if ders.is_empty() {
        return Err(ChainError::Empty);
    }
    (1..)
        .zip(ders)
        .map(|(number, der)| Crl::from_der(&der).map_err(|cause| ChainError::Crl { number, cause }))
        .collect()
}

/// Reads certificates in the order they stand: one or several PEM blocks, one
/// DER certificate, or a JSON array of standard base64 (RFC 7515, 4.1.6). At
/// most [`MAX_CHAIN`] certificates and [`MAX_CHAIN_BYTES`].
pub fn read_chain(bytes: &[u8]) -> Result<Vec<Certificate>, ChainError> {
    if bytes.len() > MAX_CHAIN_BYTES {
        return Err(ChainError::TooLarge {
            len: bytes.len(),
            max: MAX_CHAIN_BYTES,
        });
    }
    if bytes.first() == Some(&0x30) {
        return from_ders([bytes]);
    }
    let text = std::str::from_utf8(bytes).map_err(|_| ChainError::Empty)?;
    if text.trim_start().starts_with('[') {
        return from_x5c_json(bytes);
    }
    let most = 2 * MAX_CERTIFICATE;
    from_ders(pem_blocks(
        text,
        "CERTIFICATE",
        most,
        ChainError::NotCertificate,
    )?)
}

/// Reads the certificates of an `x5c` header that has been decoded from base64.
pub fn from_ders<D: AsRef<[u8]>>(
    ders: impl IntoIterator<Item = D>,
) -> Result<Vec<Certificate>, ChainError> {
    let mut chain = Vec::new();
    for der in ders {
        let number = chain.len() + 1;
        if number > MAX_CHAIN {
            return Err(ChainError::TooMany { max: MAX_CHAIN });
        }
        chain.push(
            Certificate::from_der(der.as_ref())
                .map_err(|cause| ChainError::Certificate { number, cause })?,
        );
    }
    if chain.is_empty() {
        return Err(ChainError::Empty);
    }
    Ok(chain)
}

/// The certificates as PEM, one block each.
pub fn to_pem(chain: &[Certificate]) -> String {
    let mut pem = String::new();
    for certificate in chain {
        pem.push_str("-----BEGIN CERTIFICATE-----\n");
        let text = STANDARD.encode(certificate.der());
        let mut rest = text.as_str();
        while !rest.is_empty() {
            let (line, after) = rest.split_at(rest.len().min(64));
            pem.push_str(line);
            pem.push('\n');
            rest = after;
        }
        pem.push_str("-----END CERTIFICATE-----\n");
    }
    pem
}

fn from_x5c_json(bytes: &[u8]) -> Result<Vec<Certificate>, ChainError> {
    let limits = jose::json::Limits {
        max_bytes: MAX_CHAIN_BYTES,
        max_depth: 2,
    };
    let texts: Vec<String> =
        jose::json::parse_as(bytes, limits).map_err(|error| ChainError::X5c(error.to_string()))?;
    if texts.len() > MAX_CHAIN {
        return Err(ChainError::TooMany { max: MAX_CHAIN });
    }
    let ders: Vec<Vec<u8>> = texts
        .iter()
        .map(|text| STANDARD.decode(text))
        .collect::<Result<_, _>>()
        .map_err(|error| ChainError::X5c(error.to_string()))?;
    from_ders(ders)
}

const BEGIN: &str = "-----BEGIN ";
const END: &str = "-----END ";
const DASHES: &str = "-----";

/// Text before, between and after blocks is passed over (RFC 7468, 5.2).
fn pem_blocks(
    text: &str,
    kind: &str,
    most: usize,
    another_kind: fn(String) -> ChainError,
) -> Result<Vec<Vec<u8>>, ChainError> {
    let mut ders = Vec::new();
    let mut rest = text;
    while let Some((_, block)) = rest.split_once(BEGIN) {
        let number = ders.len() + 1;
        if number > MAX_CHAIN {
            return Err(ChainError::TooMany { max: MAX_CHAIN });
        }
        let bad = |cause| ChainError::Pem { number, cause };
        let (label, body) = block.split_once(DASHES).ok_or(bad("no label"))?;
        if label != kind {
            return Err(another_kind(label.chars().take(40).collect()));
        }
        let (body, after) = body.split_once(END).ok_or(bad("no end"))?;
        rest = after
            .strip_prefix(kind)
            .and_then(|after| after.strip_prefix(DASHES))
            .ok_or(bad("its end names another kind"))?;
        if body.len() > most {
            return Err(bad("too large"));
        }
        let compact: String = body.split_ascii_whitespace().collect();
        ders.push(STANDARD.decode(compact).map_err(|_| bad("not base64"))?);
    }
    Ok(ders)
}
