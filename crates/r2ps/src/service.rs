//! The service types, and what their requests and answers carry in `data`.
//!
//! The first three are the draft's; the others are this profile's. An answer's
//! `data` has `success`; where that is false, `error` says why and nothing else
//! is there ([`Failure`]).

use jiff::Timestamp;
use jose::PublicKey;
use sci::audit::{InclusionProof, Receipt};
use sci::{ActivationInfo, ItemName, KeyId, KeyInfo, SessionInfo};
use serde::{Deserialize, Serialize};

use crate::{Binary, Problem};

/// How a message is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mode {
    /// By possession alone (`r2ps-1fa`).
    OneFactor,
    /// By possession and the PIN (`r2ps-2fa`).
    TwoFactor,
}

/// A text names no service type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no such service type")]
pub struct UnknownServiceType;

macro_rules! service_types {
    ($($(#[$meta:meta])* $variant:ident = $name:literal, $mode:ident;)*) => {
        /// What is asked for.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum ServiceType { $($(#[$meta])* $variant,)* }

        impl ServiceType {
            /// Every service type.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// Its name on the wire.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// The one mode it is exchanged in.
            pub fn mode(self) -> Mode {
                match self { $(Self::$variant => Mode::$mode,)* }
            }
        }
    };
}

service_types! {
    /// Registers the PIN.
    Registration = "2fa_registration", OneFactor;
    /// Proves the PIN and opens a session.
    CreateSession = "create_session", OneFactor;
    /// Changes the PIN.
    Update = "2fa_update", TwoFactor;
    /// Tells what an activation needs to know.
    Information = "wsca_information", OneFactor;
    /// Proves that the audit log still holds what a receipt was given for.
    AuditProof = "audit_proof", OneFactor;
    /// Tells of the session.
    SessionInfo = "session_info", TwoFactor;
    /// Ends the session.
    SessionEnd = "session_end", TwoFactor;
    /// Makes keys.
    KeyGenerate = "key_generate", TwoFactor;
    /// Lists keys.
    KeyList = "key_list", TwoFactor;
    /// Signs digests.
    KeySign = "key_sign", TwoFactor;
    /// Agrees on a secret.
    KeyAgree = "key_agree", TwoFactor;
    /// States keys.
    KeyState = "key_state", TwoFactor;
    /// States keys for an association.
    KeyAssociate = "key_associate", TwoFactor;
    /// Destroys keys.
    KeyDestroy = "key_destroy", TwoFactor;
    /// Stores an item.
    ItemStore = "item_store", TwoFactor;
    /// Reads an item.
    ItemRead = "item_read", TwoFactor;
    /// Removes an item.
    ItemRemove = "item_remove", TwoFactor;
    /// Destroys the unit.
    UnitDestroy = "unit_destroy", TwoFactor;
}

impl std::str::FromStr for ServiceType {
    type Err = UnknownServiceType;

    fn from_str(name: &str) -> Result<Self, UnknownServiceType> {
        Self::ALL
            .iter()
            .copied()
            .find(|kind| kind.name() == name)
            .ok_or(UnknownServiceType)
    }
}

impl std::fmt::Display for ServiceType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}

/// The `protocol` member: the only one of the draft's that is offered.
pub const OPAQUE: &str = "opaque";

/// The `authorization_type` of a registration. What authorises it out of band is
/// that the wallet provider has enrolled these device keys for this unit; the
/// request is signed by them, so `authorization` carries nothing.
pub const AUTHORIZED_BY_ENROLMENT: &str = "enrolment";

/// The `state` member.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// The first exchange: the blinded PIN is evaluated.
    Evaluate,
    /// The last exchange.
    Finalize,
}

/// `data` of requests of `create_session`, `2fa_registration` and `2fa_update`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct FactorRequest {
    /// [`OPAQUE`].
    pub protocol: String,
    /// Which exchange it is.
    pub state: State,
    /// The OPAQUE message.
    pub p_data: Binary,
    /// `create_session`, evaluate: what the session is for. This profile
    /// requires it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    /// `create_session`, evaluate: how long the session may last, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_duration: Option<u64>,
    /// Finalize: the exchange that `evaluate` began. For `create_session` it is
    /// the session's identifier. The draft does not send it back; without it a
    /// service without memory cannot tell which exchange is finished.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_id: Option<String>,
    /// `2fa_registration`, finalize: empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authorization: Option<Binary>,
    /// `2fa_registration`, finalize: [`AUTHORIZED_BY_ENROLMENT`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authorization_type: Option<String>,
}

/// `data` of a successful answer to [`State::Evaluate`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct EvaluateAnswer {
    /// True.
    pub success: bool,
    /// The OPAQUE message.
    pub p_data: Binary,
    /// The exchange, to be named when it is finished; for `create_session` the
    /// identifier of the session to be.
    pub session_id: String,
    /// How many tries are left if this one fails.
    pub tries_left: u32,
    /// When the next try is accepted if this one fails and a pause begins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_at: Option<Timestamp>,
}

/// `data` of a successful answer to [`State::Finalize`] of `create_session`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SessionOpened {
    /// True.
    pub success: bool,
    /// Null: OPAQUE has no fourth message.
    pub p_data: Option<Binary>,
    /// The session.
    pub session_id: String,
    /// What it is for.
    pub task: String,
    /// When it ends whatever happens, in seconds since 1970.
    pub session_expiration_time: i64,
    /// The session in full.
    pub session: SessionInfo,
}

/// `data` of a successful answer that carries nothing.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Done {
    /// True.
    pub success: bool,
}

impl Done {
    /// It was done.
    pub const OK: Self = Self { success: true };
}

/// `data` of an answer that refuses.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Failure {
    /// False.
    pub success: bool,
    /// Why. The draft leaves a refusal without a reason; this profile adds it.
    pub error: Problem,
}

impl From<Problem> for Failure {
    fn from(error: Problem) -> Self {
        Self {
            success: false,
            error,
        }
    }
}

/// `data` of a request that carries nothing.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub struct Nothing {}

/// Answer to `wsca_information`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct InformationAnswer {
    /// True.
    pub success: bool,
    /// What an activation needs to know.
    pub information: ActivationInfo,
    /// The key that checkpoints of the audit log verify under.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audit_key: Option<PublicKey>,
}

/// Request of `audit_proof`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ProofRequest {
    /// What was given with the operation's answer.
    pub receipt: Receipt,
}

/// Answer to `audit_proof`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ProofAnswer {
    /// True.
    pub success: bool,
    /// The proof; none where no checkpoint covers the entry yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof: Option<InclusionProof>,
}

/// The member of an answer's `data` that carries its [`Receipt`].
pub const RECEIPT: &str = "receipt";

/// Answer to `session_info`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SessionAnswer {
    /// True.
    pub success: bool,
    /// The session.
    pub session: SessionInfo,
}

/// Request of `key_generate`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct GenerateRequest {
    /// How many, 1 to [`sci::MAX_BATCH`].
    pub count: usize,
    /// The curve: `P-256`, `P-384`, `P-521`.
    pub crv: String,
}

/// Answer to `key_generate` and `key_list`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct KeysAnswer {
    /// True.
    pub success: bool,
    /// The keys.
    pub keys: Vec<KeyInfo>,
}

/// Request of `key_list`: a page at a time, since a message has a size.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct ListRequest {
    /// How many keys to pass over.
    #[serde(default)]
    pub offset: usize,
}

/// Request of `key_sign`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SignRequest {
    /// 1 to [`sci::MAX_BATCH`] digests.
    pub items: Vec<SignItem>,
}

/// One digest and the key that signs it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SignItem {
    /// The key.
    pub key: KeyId,
    /// The digest.
    pub digest: Binary,
}

/// Answer to `key_sign`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SignAnswer {
    /// True.
    pub success: bool,
    /// The signatures, `r || s`, in the order of the items.
    pub signatures: Vec<Binary>,
}

/// Request of `key_agree`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AgreeRequest {
    /// The key.
    pub key: KeyId,
    /// The other side's public key.
    pub peer: PublicKey,
}

/// Answer to `key_agree`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AgreeAnswer {
    /// True.
    pub success: bool,
    /// The x-coordinate of the shared point.
    pub secret: Binary,
}

/// Request of `key_state` and `key_associate`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct StateRequest {
    /// The keys, 1 to [`sci::MAX_BATCH`].
    pub keys: Vec<KeyId>,
    /// The audience's nonce, at most [`MAX_LABEL`] bytes.
    pub nonce: String,
    /// Whom the statement is for, at most [`MAX_LABEL`] bytes.
    pub audience: String,
}

/// The longest nonce or audience of a statement, in bytes.
pub const MAX_LABEL: usize = 512;

/// Answer to `key_state` and `key_associate`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct StateAnswer {
    /// True.
    pub success: bool,
    /// The statement ([`sci::KeyStatement`]).
    pub statement: String,
}

/// Request of `key_destroy`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DestroyRequest {
    /// The keys, 1 to [`sci::MAX_BATCH`].
    pub keys: Vec<KeyId>,
}

/// Request of `item_store`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct StoreRequest {
    /// Its name.
    pub name: ItemName,
    /// What it holds, at most [`sci::MAX_ITEM_BYTES`].
    pub content: Binary,
}

/// Request of `item_read` and `item_remove`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ReadRequest {
    /// Its name.
    pub name: ItemName,
}

/// Answer to `item_read`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ReadAnswer {
    /// True.
    pub success: bool,
    /// What it holds.
    pub content: Binary,
}
