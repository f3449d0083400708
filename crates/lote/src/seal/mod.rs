//! The seal of a list: a compact JAdES signature at baseline B (6.8, D.4 to I.4).

pub(crate) mod header;
mod verify;

pub use header::MAX_BYTES;
pub use verify::{Mode, Signers, VerifiedList, Verifier};
pub(crate) use verify::{lint, lint_dn_of_embedded, looks_compact};

use jiff::Timestamp;
use jose::{SignError, Signer, b64};
use pki::Certificate;
use serde_json::{Value, json};

use crate::{UncheckedList, cert};

/// Why a list was not sealed.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// No certificate to seal with.
    #[error("a seal needs the signer's certificate")]
    NoCertificate,
    /// The signer holds another key than the certificate names.
    #[error("the signer's key is not the key of the certificate {0}")]
    OtherKey(String),
    /// The certificate is not valid at the time of the seal.
    #[error("the certificate {0} is not valid at {1}")]
    NotValid(String, Timestamp),
    /// 6.8: the certificate's subject is not the operator in the list.
    #[error(transparent)]
    NotTheOperator(finding::Refusal),
    /// The list cannot be written as JSON.
    #[error("the list cannot be written: {0}")]
    Write(#[from] serde_json::Error),
    /// The key was not used.
    #[error(transparent)]
    Sign(#[from] SignError),
}

/// Seals a list at a time: header `alg`, `typ`, `iat`, `x5t#S256` and `x5c`, and
/// the list as the payload. `chain` has the signer's certificate first.
///
/// The list itself is not judged here; lint it before.
///
/// # Errors
/// [`SealError`] when the certificate is not the signer's, is not valid at that
/// time, or does not name the operator and territory of the list (6.8).
pub async fn seal(
    list: &UncheckedList,
    chain: &[Certificate],
    signer: &dyn Signer,
    at: Timestamp,
) -> Result<String, SealError> {
    let leaf = chain.first().ok_or(SealError::NoCertificate)?;
    if !cert::has_key(leaf, signer.public_key()) {
        return Err(SealError::OtherKey(leaf.subject()));
    }
    if !cert::is_valid(leaf, at) {
        return Err(SealError::NotValid(leaf.subject(), at));
    }
    let mismatches = verify::operator_findings(leaf, list);
    finding::Refusal::unless_clean(mismatches).map_err(SealError::NotTheOperator)?;

    let x5c: Vec<String> = chain.iter().map(|c| b64::encode_std(c.der())).collect();
    let header = json!({
        "typ": "JOSE",
        "iat": at.as_second(),
        "x5t#S256": b64::encode(leaf.sha256()),
        "x5c": x5c,
    });
    let Value::Object(header) = header else {
        return Err(SealError::NoCertificate);
    };
    Ok(jose::jws::sign(header, &list.to_json()?, signer).await?)
}
