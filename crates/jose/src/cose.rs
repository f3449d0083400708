//! COSE_Sign1 (RFC 9052), tagged, for ES256, ES384 and ES512: what [`crate::jws`]
//! is for JSON. A CWT (RFC 8392) is one of these with claims as its payload.
//!
//! [`Unverified`] is what came from outside: bounded, well-formed, and not to be
//! believed. Only [`Unverified::verify`] makes a [`Verified`] of it.

use coset::{CoseSign1Builder, HeaderBuilder, ProtectedHeader, SignatureContext, iana};
use coset::{TaggedCborSerializable, sig_structure_data};

use crate::cbor::{self, CborError, Limits, Value};
use crate::{Algorithm, PublicKey, SignError, Signer};

/// What a COSE_Sign1 says about itself; `alg` comes from the signer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Header<'a> {
    /// `typ` (RFC 9596): a media type, in the protected header.
    pub typ: Option<&'a str>,
    /// `x5chain` (RFC 9360): the certificates as DER, the leaf first, in the
    /// protected header. Left out when empty.
    pub x5chain: &'a [Vec<u8>],
    /// `kid`, in the protected header.
    pub kid: Option<&'a [u8]>,
}

/// A well-formed COSE_Sign1 whose signature has not been verified.
#[derive(Debug, Clone, PartialEq)]
pub struct Unverified {
    protected_bytes: Vec<u8>,
    protected: Value,
    unprotected: Value,
    algorithm: Algorithm,
    payload: Vec<u8>,
    signature: Vec<u8>,
}

/// A COSE_Sign1 whose signature verified under a key that the caller chose.
#[derive(Debug, Clone, PartialEq)]
pub struct Verified(Unverified);

/// Why bytes are not a COSE_Sign1 that we accept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CoseError {
    /// Not CBOR that we accept, or too much of it.
    #[error(transparent)]
    Cbor(#[from] CborError),
    /// Not a tagged COSE_Sign1 with its payload inside.
    #[error("not a tagged COSE_Sign1: {0}")]
    NotSign1(&'static str),
    /// The protected header is not a map that we accept.
    #[error("the protected header: {0}")]
    Protected(CborError),
    /// The payload is not a map that we accept.
    #[error("the claims: {0}")]
    Claims(CborError),
    /// The algorithm is not ES256, ES384 or ES512, or is not protected.
    #[error("the protected header's alg is {0}, not ES256 (-7), ES384 (-35) or ES512 (-36)")]
    Algorithm(String),
    /// A label stands in both headers (RFC 9052, section 3).
    #[error("the header label {0} stands in both headers")]
    Duplicate(String),
    /// `crit` is malformed (RFC 9052, section 3.1).
    #[error("crit: {0}")]
    MalformedCrit(&'static str),
    /// `crit` names a header parameter that is not understood here.
    #[error("the critical header parameter {0} is not understood")]
    UnknownCrit(String),
    /// `x5chain` is malformed.
    #[error("x5chain is not a certificate, nor a non-empty array of them")]
    X5Chain,
    /// The key is for another algorithm than the header says.
    #[error("the header says {header}, the key is for {key}")]
    AlgorithmMismatch {
        /// What the header says.
        header: Algorithm,
        /// What the key is for.
        key: Algorithm,
    },
    /// The signature does not verify.
    #[error("the signature does not verify")]
    BadSignature,
}

/// Signs `payload`: a tagged COSE_Sign1, without external data.
pub async fn sign(
    header: Header<'_>,
    payload: &[u8],
    signer: &dyn Signer,
) -> Result<Vec<u8>, SignError> {
    let mut protected = HeaderBuilder::new().algorithm(match signer.algorithm() {
        Algorithm::Es256 => iana::Algorithm::ES256,
        Algorithm::Es384 => iana::Algorithm::ES384,
        Algorithm::Es512 => iana::Algorithm::ES512,
    });
    if let Some(kid) = header.kid {
        protected = protected.key_id(kid.to_vec());
    }
    if let Some(typ) = header.typ {
        protected = protected.value(TYP, typ.into());
    }
    let mut chain = header.x5chain.iter().cloned().map(Value::Bytes);
    match header.x5chain.len() {
        0 => {}
        1 => protected = protected.value(X5CHAIN, chain.next().unwrap_or(Value::Null)),
        _ => protected = protected.value(X5CHAIN, Value::Array(chain.collect())),
    }
    let mut message = CoseSign1Builder::new()
        .protected(protected.build())
        .payload(payload.to_vec())
        .build();
    message.signature = signer.sign(&message.tbs_data(&[])).await?;
    // Labels are written once each and the payload is bytes: this always encodes.
    message
        .to_tagged_vec()
        .map_err(|e| SignError::Refused(format!("the message was not encoded: {e}")))
}

/// Reads a tagged COSE_Sign1 of at most `max_bytes`.
pub fn parse(bytes: &[u8], max_bytes: usize) -> Result<Unverified, CoseError> {
    let Value::Tag(tag, message) = cbor::parse(bytes, Limits::bytes(max_bytes))? else {
        return Err(CoseError::NotSign1("no tag"));
    };
    if tag != SIGN1_TAG {
        return Err(CoseError::NotSign1("another tag than 18"));
    }
    let parts: [Value; 4] = message
        .into_array()
        .ok()
        .and_then(|parts| parts.try_into().ok())
        .ok_or(CoseError::NotSign1("an array of four is expected"))?;
    let [protected, unprotected, payload, signature] = parts;
    let protected_bytes = bytes_of(protected, "the protected header is not bytes")?;
    let payload = bytes_of(payload, "the payload is not inside")?;
    let signature = bytes_of(signature, "the signature is not bytes")?;
    if !unprotected.is_map() {
        return Err(CoseError::NotSign1("the unprotected header is not a map"));
    }
    // An x5chain of a few certificates makes it larger than other headers are.
    let protected =
        cbor::parse(&protected_bytes, Limits::bytes(256 * 1024)).map_err(CoseError::Protected)?;
    if !protected.is_map() {
        return Err(CoseError::NotSign1("the protected header is not a map"));
    }
    let algorithm = algorithm(&protected)?;
    refuse_shared_labels(&protected, &unprotected)?;
    check_crit(&protected, &unprotected)?;
    Ok(Unverified {
        protected_bytes,
        protected,
        unprotected,
        algorithm,
        payload,
        signature,
    })
}

impl Unverified {
    /// The algorithm the protected header names.
    pub fn alg(&self) -> Algorithm {
        self.algorithm
    }

    /// The `typ` of the protected header, where it is a media type.
    pub fn typ(&self) -> Option<&str> {
        cbor::get(&self.protected, TYP)?.as_text()
    }

    /// The key identifier, in either header.
    pub fn kid(&self) -> Option<&[u8]> {
        self.header(KID)?.as_bytes().map(Vec::as_slice)
    }

    /// The certificates of `x5chain`, in either header, each as DER, the leaf
    /// first: one byte string, or an array of them.
    pub fn x5chain(&self) -> Result<Option<Vec<Vec<u8>>>, CoseError> {
        match self.header(X5CHAIN) {
            None => Ok(None),
            Some(Value::Bytes(one)) => Ok(Some(vec![one.clone()])),
            Some(Value::Array(many)) if !many.is_empty() => many
                .iter()
                .map(|item| item.as_bytes().cloned().ok_or(CoseError::X5Chain))
                .collect::<Result<Vec<_>, _>>()
                .map(Some),
            Some(_) => Err(CoseError::X5Chain),
        }
    }

    /// The payload, which nobody has vouched for yet.
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// The payload as a CBOR map, which nobody has vouched for yet.
    pub fn claims(&self) -> Result<Value, CoseError> {
        let claims = cbor::parse(&self.payload, Limits::bytes(usize::MAX));
        match claims.map_err(CoseError::Claims)? {
            map @ Value::Map(_) => Ok(map),
            _ => Err(CoseError::Claims(CborError::Syntax(
                "a map was expected".into(),
            ))),
        }
    }

    /// The signature, as `r || s`.
    pub fn signature(&self) -> &[u8] {
        &self.signature
    }

    /// Verifies the signature under `key`. A key on another curve than the
    /// header's algorithm goes with is refused.
    pub fn verify(self, key: &PublicKey) -> Result<Verified, CoseError> {
        if self.algorithm != key.algorithm() {
            return Err(CoseError::AlgorithmMismatch {
                header: self.algorithm,
                key: key.algorithm(),
            });
        }
        let protected = ProtectedHeader {
            original_data: Some(self.protected_bytes.clone()),
            header: coset::Header::default(),
        };
        let context = SignatureContext::CoseSign1;
        let signed = sig_structure_data(context, protected, None, &[], &self.payload);
        key.verify(&signed, &self.signature)
            .map_err(|_| CoseError::BadSignature)?;
        Ok(Verified(self))
    }

    fn header(&self, label: i64) -> Option<&Value> {
        cbor::get(&self.protected, label).or_else(|| cbor::get(&self.unprotected, label))
    }
}

impl std::ops::Deref for Verified {
    type Target = Unverified;

    fn deref(&self) -> &Unverified {
        &self.0
    }
}

fn bytes_of(value: Value, otherwise: &'static str) -> Result<Vec<u8>, CoseError> {
    value
        .into_bytes()
        .map_err(|_| CoseError::NotSign1(otherwise))
}

fn algorithm(protected: &Value) -> Result<Algorithm, CoseError> {
    let alg = cbor::get(protected, ALG);
    match alg.and_then(Value::as_integer).map(i128::from) {
        Some(-7) => Ok(Algorithm::Es256),
        Some(-35) => Ok(Algorithm::Es384),
        Some(-36) => Ok(Algorithm::Es512),
        _ => Err(CoseError::Algorithm(alg.map_or("absent".into(), show))),
    }
}

fn refuse_shared_labels(protected: &Value, unprotected: &Value) -> Result<(), CoseError> {
    let labels = unprotected.as_map().into_iter().flatten();
    for (label, _) in labels {
        if cbor::get(protected, label.clone()).is_some() {
            return Err(CoseError::Duplicate(show(label)));
        }
    }
    Ok(())
}

/// RFC 9052, section 3.1: `crit` is protected and a non-empty array of labels
/// that are all protected, and understood.
fn check_crit(protected: &Value, unprotected: &Value) -> Result<(), CoseError> {
    if cbor::get(unprotected, CRIT).is_some() {
        return Err(CoseError::MalformedCrit("not in the protected header"));
    }
    let Some(crit) = cbor::get(protected, CRIT) else {
        return Ok(());
    };
    let labels = crit
        .as_array()
        .filter(|labels| !labels.is_empty())
        .ok_or(CoseError::MalformedCrit("not a non-empty array"))?;
    for label in labels {
        if !(label.is_integer() || label.is_text()) {
            return Err(CoseError::MalformedCrit("a label is no label"));
        }
        if cbor::get(protected, label.clone()).is_none() {
            return Err(CoseError::MalformedCrit("a label is not protected"));
        }
        if ![ALG, KID, TYP, X5CHAIN].map(Value::from).contains(label) {
            return Err(CoseError::UnknownCrit(show(label)));
        }
    }
    Ok(())
}

fn show(value: &Value) -> String {
    match value {
        Value::Integer(number) => i128::from(*number).to_string(),
        Value::Text(text) => format!("{:?}", text.chars().take(32).collect::<String>()),
        _ => "of another type".into(),
    }
}

const SIGN1_TAG: u64 = 18;
const ALG: i64 = 1;
const CRIT: i64 = 2;
const KID: i64 = 4;
const TYP: i64 = 16;
const X5CHAIN: i64 = 33;
