//! The envelope: an outer JWE that encrypts, an inner JWS that signs.
//!
//! What comes from outside passes through types that say how far it is believed:
//! [`SealedRequest`] (well-formed), [`UnverifiedRequest`] (opened), and
//! [`Request`] (signed by the key the caller chose, fresh, bound to its JWE).
//! Whether its nonce is new is for the caller to remember.

use jiff::{SignedDuration, Timestamp};
use jose::json::{self, JsonError, Limits};
use jose::jwe::{self, ContentKey, Draft, JweError};
use jose::jws::{self, JwsError};
use jose::{KeyAgreement, Map, PublicKey, SignError, Signer, b64};
use sci::Code;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::Binary;
use crate::service::{Mode, ServiceType};

/// The largest message, in bytes: a batch of [`sci::MAX_BATCH`] of anything fits.
pub const MAX_MESSAGE: usize = 128 * 1024;

/// The draft's version, `ver` in every message.
pub const VERSION: &str = "1.0";

/// How far a message's `iat` may be from the reader's clock, either way.
pub const WINDOW: SignedDuration = SignedDuration::from_mins(2);

const TYP_1FA: &str = "r2ps-1fa";
const TYP_2FA: &str = "r2ps-2fa";
const TYP_REQUEST: &str = "r2ps-request+jwt";
const TYP_RESPONSE: &str = "r2ps-response+jwt";

/// A service as its clients know it: the context and its two keys. Clients get it
/// from the wallet provider at activation, and pin it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceIdentity {
    /// The security context's name.
    pub context: String,
    /// The static key that one-factor requests are encrypted to.
    pub agreement: PublicKey,
    /// The key that signs answers.
    pub signing: PublicKey,
}

/// A request's nonce: 16 to 64 bytes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Nonce(Vec<u8>);

impl Nonce {
    /// A fresh one, of 32 bytes.
    pub fn random() -> Result<Self, EnvelopeError> {
        let mut bytes = vec![0; 32];
        aws_lc_rs::rand::fill(&mut bytes).map_err(|_| EnvelopeError::Library)?;
        Ok(Self(bytes))
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// One that is known already: for test vectors.
    #[cfg(test)]
    pub(crate) fn of(bytes: &[u8]) -> Self {
        Self(bytes.to_vec())
    }

    fn read(bytes: &[u8]) -> Result<Self, EnvelopeError> {
        if (16..=64).contains(&bytes.len()) {
            Ok(Self(bytes.to_vec()))
        } else {
            Err(EnvelopeError::Nonce)
        }
    }
}

/// How a message is protected, by the one who seals it.
#[derive(Clone, Copy)]
pub enum Protection<'a> {
    /// Encrypted to a static key, between two named parties.
    OneFactor {
        /// The reader's agreement key.
        recipient: &'a PublicKey,
        /// The sender: the client's id in a request, the context in an answer.
        from: &'a str,
        /// The reader: the other one.
        to: &'a str,
    },
    /// Encrypted under a session's key.
    TwoFactor {
        /// The session.
        session_id: &'a str,
        /// Its key.
        key: &'a ContentKey,
    },
}

impl Protection<'_> {
    fn draft(self) -> Result<Draft, EnvelopeError> {
        let mut header = Map::new();
        match self {
            Self::OneFactor {
                recipient,
                from,
                to,
            } => {
                header.insert("typ".into(), TYP_1FA.into());
                header.insert("kid".into(), recipient.thumbprint_b64().into());
                header.insert("cty".into(), "JWT".into());
                Ok(Draft::to(
                    header,
                    from.as_bytes(),
                    to.as_bytes(),
                    recipient,
                )?)
            }
            Self::TwoFactor { session_id, key } => {
                header.insert("typ".into(), TYP_2FA.into());
                header.insert("kid".into(), session_id.into());
                header.insert("cty".into(), "JWT".into());
                Ok(Draft::direct(header, key))
            }
        }
    }
}

impl std::fmt::Debug for Protection<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::OneFactor { from, to, .. } => write!(f, "OneFactor({from} to {to})"),
            Self::TwoFactor { session_id, .. } => write!(f, "TwoFactor({session_id})"),
        }
    }
}

#[derive(Serialize, Deserialize)]
struct RequestPayload {
    ver: String,
    nonce: Binary,
    iat: i64,
    #[serde(rename = "type")]
    kind: String,
    jwe_hash: Binary,
    data: Map,
}

#[derive(Serialize, Deserialize)]
struct ResponsePayload {
    ver: String,
    nonce: Binary,
    iat: i64,
    data: Map,
}

/// Seals a request, signed by the device's signing key.
pub async fn seal_request(
    protection: Protection<'_>,
    kind: ServiceType,
    data: Map,
    nonce: &Nonce,
    now: Timestamp,
    signer: &dyn Signer,
) -> Result<String, EnvelopeError> {
    let draft = protection.draft()?;
    let payload = RequestPayload {
        ver: VERSION.into(),
        nonce: nonce.as_bytes().into(),
        iat: now.as_second(),
        kind: kind.name().into(),
        jwe_hash: jose::sha256(draft.encoded_header().as_bytes())
            .as_slice()
            .into(),
        data,
    };
    let text = sign(&payload, TYP_REQUEST, signer).await?;
    Ok(draft.seal(text.as_bytes())?)
}

/// Seals an answer to the request that had `nonce`, signed by the service.
pub async fn seal_response(
    protection: Protection<'_>,
    data: Map,
    nonce: &Nonce,
    now: Timestamp,
    signer: &dyn Signer,
) -> Result<String, EnvelopeError> {
    let payload = ResponsePayload {
        ver: VERSION.into(),
        nonce: nonce.as_bytes().into(),
        iat: now.as_second(),
        data,
    };
    let text = sign(&payload, TYP_RESPONSE, signer).await?;
    Ok(protection.draft()?.seal(text.as_bytes())?)
}

async fn sign(
    payload: &impl Serialize,
    typ: &str,
    signer: &dyn Signer,
) -> Result<Zeroizing<String>, EnvelopeError> {
    let mut header = Map::new();
    header.insert("kid".into(), signer.public_key().thumbprint_b64().into());
    header.insert("typ".into(), typ.into());
    let payload = Zeroizing::new(serde_json::to_vec(payload).map_err(|_| EnvelopeError::Library)?);
    Ok(Zeroizing::new(jws::sign(header, &payload, signer).await?))
}

/// A well-formed request that has not been opened.
#[derive(Debug, Clone)]
pub struct SealedRequest {
    sealed: jwe::Sealed,
    outer: Outer,
}

/// What the outer header says. Nothing of it is authentic yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outer {
    /// One factor: possession.
    OneFactor {
        /// Who says to ask (`apu`).
        client_id: String,
        /// Whom it asks (`apv`).
        context: String,
        /// The thumbprint of the key it is encrypted to.
        recipient: String,
    },
    /// Two factors: possession and the PIN.
    TwoFactor {
        /// The session.
        session_id: String,
    },
}

impl SealedRequest {
    /// Reads a message of at most [`MAX_MESSAGE`] bytes.
    pub fn parse(bytes: &[u8]) -> Result<Self, EnvelopeError> {
        let sealed = parse_jwe(bytes)?;
        let member = |name| sealed.member(name).ok_or(EnvelopeError::Header(name));
        let outer = match member("typ")? {
            TYP_1FA => Outer::OneFactor {
                client_id: party(&sealed, "apu")?,
                context: party(&sealed, "apv")?,
                recipient: member("kid")?.to_owned(),
            },
            TYP_2FA => Outer::TwoFactor {
                session_id: member("kid")?.to_owned(),
            },
            _ => return Err(EnvelopeError::Header("typ")),
        };
        Ok(Self { sealed, outer })
    }

    /// What the outer header says.
    pub fn outer(&self) -> &Outer {
        &self.outer
    }

    /// Opens a one-factor request with the service's key.
    pub async fn open_with(
        &self,
        recipient: &dyn KeyAgreement,
    ) -> Result<UnverifiedRequest, EnvelopeError> {
        if !matches!(self.outer, Outer::OneFactor { .. }) {
            return Err(EnvelopeError::Header("typ"));
        }
        let content = self.sealed.open_with(recipient).await?;
        self.opened(&content, Mode::OneFactor)
    }

    /// Opens a two-factor request with its session's key.
    pub fn open_in_session(&self, key: &ContentKey) -> Result<UnverifiedRequest, EnvelopeError> {
        if !matches!(self.outer, Outer::TwoFactor { .. }) {
            return Err(EnvelopeError::Header("typ"));
        }
        let content = self.sealed.open_direct(key)?;
        self.opened(&content, Mode::TwoFactor)
    }

    fn opened(&self, content: &[u8], mode: Mode) -> Result<UnverifiedRequest, EnvelopeError> {
        Ok(UnverifiedRequest {
            jws: inner_jws(content, TYP_REQUEST)?,
            header_hash: jose::sha256(self.sealed.encoded_header().as_bytes()),
            mode,
        })
    }
}

/// A request that was opened, whose signature has not been verified.
#[derive(Debug, Clone)]
pub struct UnverifiedRequest {
    jws: jws::Unverified,
    header_hash: [u8; 32],
    mode: Mode,
}

/// A request that the holder of a chosen key signed, for this JWE, just now.
#[derive(Clone)]
pub struct Request {
    /// Its nonce. Whether it is new is for the caller to remember.
    pub nonce: Nonce,
    /// When it was made, in seconds since 1970.
    pub iat: i64,
    /// What it asks for. The mode that this wants is the mode it came in.
    pub kind: ServiceType,
    /// The particulars.
    pub data: Map,
}

/// The particulars may be secret (an item's content), and are not shown.
impl std::fmt::Debug for Request {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Request({})", self.kind)
    }
}

impl UnverifiedRequest {
    /// Verifies it under the client's signing key, as of `now`.
    pub fn verify(self, key: &PublicKey, now: Timestamp) -> Result<Request, EnvelopeError> {
        if self.jws.kid() != Some(key.thumbprint_b64().as_str()) {
            return Err(EnvelopeError::AnotherKey);
        }
        let verified = self.jws.verify(key)?;
        let payload: RequestPayload = read(verified.payload())?;
        if payload.ver != VERSION {
            return Err(EnvelopeError::Version);
        }
        if !bool::from(payload.jwe_hash.as_bytes().ct_eq(&self.header_hash)) {
            return Err(EnvelopeError::AnotherEnvelope);
        }
        let nonce = Nonce::read(payload.nonce.as_bytes())?;
        if now.as_second().abs_diff(payload.iat) > WINDOW.as_secs().unsigned_abs() {
            return Err(EnvelopeError::Stale { iat: payload.iat });
        }
        let kind: ServiceType = payload
            .kind
            .parse()
            .map_err(|_| EnvelopeError::ServiceType)?;
        if kind.mode() != self.mode {
            return Err(EnvelopeError::ServiceType);
        }
        Ok(Request {
            nonce,
            iat: payload.iat,
            kind,
            data: payload.data,
        })
    }
}

/// An answer as its reader expects it.
#[derive(Debug)]
pub struct Expected<'a> {
    /// The service that was asked.
    pub service: &'a ServiceIdentity,
    /// Who asked.
    pub client_id: &'a str,
    /// The request's nonce.
    pub nonce: &'a Nonce,
    /// The reader's time.
    pub now: Timestamp,
}

impl Expected<'_> {
    /// Opens an answer to a one-factor request with the device's agreement key.
    pub async fn open_with(
        &self,
        bytes: &[u8],
        device: &dyn KeyAgreement,
    ) -> Result<Map, EnvelopeError> {
        let sealed = parse_jwe(bytes)?;
        let addressed = sealed.member("typ") == Some(TYP_1FA)
            && party(&sealed, "apu")? == self.service.context
            && party(&sealed, "apv")? == self.client_id;
        if !addressed {
            return Err(EnvelopeError::Header("typ, apu or apv"));
        }
        self.read(&sealed.open_with(device).await?)
    }

    /// Opens an answer to a two-factor request with the session's key.
    pub fn open_in_session(
        &self,
        bytes: &[u8],
        session_id: &str,
        key: &ContentKey,
    ) -> Result<Map, EnvelopeError> {
        let sealed = parse_jwe(bytes)?;
        if sealed.member("typ") != Some(TYP_2FA) || sealed.member("kid") != Some(session_id) {
            return Err(EnvelopeError::Header("typ or kid"));
        }
        self.read(&sealed.open_direct(key)?)
    }

    fn read(&self, content: &[u8]) -> Result<Map, EnvelopeError> {
        let verified = inner_jws(content, TYP_RESPONSE)?.verify(&self.service.signing)?;
        let payload: ResponsePayload = read(verified.payload())?;
        if payload.ver != VERSION {
            return Err(EnvelopeError::Version);
        }
        if !bool::from(payload.nonce.as_bytes().ct_eq(self.nonce.as_bytes())) {
            return Err(EnvelopeError::Nonce);
        }
        if self.now.as_second().abs_diff(payload.iat) > WINDOW.as_secs().unsigned_abs() {
            return Err(EnvelopeError::Stale { iat: payload.iat });
        }
        Ok(payload.data)
    }
}

fn parse_jwe(bytes: &[u8]) -> Result<jwe::Sealed, EnvelopeError> {
    if bytes.len() > MAX_MESSAGE {
        return Err(EnvelopeError::TooLarge { len: bytes.len() });
    }
    let text = std::str::from_utf8(bytes).map_err(|_| EnvelopeError::NotText)?;
    let sealed = jwe::parse(text, MAX_MESSAGE)?;
    if sealed.member("cty") != Some("JWT") {
        return Err(EnvelopeError::Header("cty"));
    }
    Ok(sealed)
}

fn party(sealed: &jwe::Sealed, name: &'static str) -> Result<String, EnvelopeError> {
    let text = sealed.member(name).ok_or(EnvelopeError::Header(name))?;
    b64::decode(text)
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .ok_or(EnvelopeError::Header(name))
}

fn inner_jws(content: &[u8], typ: &str) -> Result<jws::Unverified, EnvelopeError> {
    let text = std::str::from_utf8(content).map_err(|_| EnvelopeError::NotText)?;
    let jws = jws::parse(text, MAX_MESSAGE)?;
    if jws.typ() != Some(typ) {
        return Err(EnvelopeError::InnerTyp);
    }
    Ok(jws)
}

fn read<T: serde::de::DeserializeOwned>(payload: &[u8]) -> Result<T, EnvelopeError> {
    json::parse_as(payload, Limits::bytes(MAX_MESSAGE)).map_err(EnvelopeError::Payload)
}

/// Reads what a service type expects in `data`.
pub fn read_data<T: serde::de::DeserializeOwned>(data: Map) -> Result<T, EnvelopeError> {
    serde_json::from_value(Value::Object(data)).map_err(|_| EnvelopeError::Data)
}

/// Writes what a service type carries in `data`.
pub fn write_data(data: &impl Serialize) -> Result<Map, EnvelopeError> {
    match serde_json::to_value(data) {
        Ok(Value::Object(map)) => Ok(map),
        _ => Err(EnvelopeError::Data),
    }
}

/// Why a message was not made or not believed.
#[derive(Debug, thiserror::Error)]
pub enum EnvelopeError {
    /// Larger than [`MAX_MESSAGE`].
    #[error("a message of {len} bytes, at most {MAX_MESSAGE} are accepted")]
    TooLarge {
        /// Its size in bytes.
        len: usize,
    },
    /// Not UTF-8.
    #[error("the message is no text")]
    NotText,
    /// The outer JWE.
    #[error("the outer JWE: {0}")]
    Jwe(#[from] JweError),
    /// A member of the outer header.
    #[error("the outer header's {0} is missing or not what it must be")]
    Header(&'static str),
    /// The inner JWS.
    #[error("the inner JWS: {0}")]
    Jws(#[from] JwsError),
    /// The inner JWS has another typ: an answer for a request, or neither.
    #[error("the inner typ is not what it must be")]
    InnerTyp,
    /// The inner JWS is signed by another key than the one that may ask.
    #[error("it is signed by another key")]
    AnotherKey,
    /// The inner JWS was made for another JWE: someone forwarded it.
    #[error("the signed content was made for another envelope")]
    AnotherEnvelope,
    /// The payload cannot be read.
    #[error("the payload: {0}")]
    Payload(JsonError),
    /// The protocol's version is another.
    #[error("the version is not {VERSION}")]
    Version,
    /// The nonce is too short, too long, or another than the request's.
    #[error("the nonce is not what it must be")]
    Nonce,
    /// The message's time is too far from now.
    #[error("made at {iat}, too far from now")]
    Stale {
        /// When it says to be made, in seconds since 1970.
        iat: i64,
    },
    /// The service type is unknown, or wants the other mode.
    #[error("the service type is unknown in this mode")]
    ServiceType,
    /// `data` is not what the service type carries.
    #[error("the data is not what the service type carries")]
    Data,
    /// A key could not be used.
    #[error(transparent)]
    Key(#[from] SignError),
    /// The cryptographic library failed.
    #[error("the cryptographic library failed")]
    Library,
}

impl EnvelopeError {
    /// The code that the sender of the message is told.
    pub fn code(&self) -> Code {
        match self {
            Self::TooLarge { .. }
            | Self::NotText
            | Self::Header(_)
            | Self::InnerTyp
            | Self::Payload(_)
            | Self::Version
            | Self::Nonce
            | Self::Data => Code::IllegalRequestData,
            Self::Jwe(JweError::NotAuthentic) => Code::Unauthorized,
            Self::Jwe(JweError::Key(error)) | Self::Key(error) => match error {
                SignError::Unavailable(_) => Code::TryLater,
                _ => Code::ServerError,
            },
            Self::Jwe(JweError::Library) | Self::Library => Code::ServerError,
            Self::Jwe(_) => Code::IllegalRequestData,
            Self::Jws(JwsError::BadSignature | JwsError::AlgorithmMismatch { .. })
            | Self::AnotherKey
            | Self::AnotherEnvelope => Code::Unauthorized,
            Self::Jws(_) => Code::IllegalRequestData,
            Self::Stale { .. } => Code::Stale,
            Self::ServiceType => Code::UnsupportedRequestType,
        }
    }
}

#[cfg(test)]
#[path = "envelope_tests.rs"]
mod tests;
