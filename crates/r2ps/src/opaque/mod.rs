//! OPAQUE (RFC 9807) with P-256, SHA-256 and Argon2id: the PIN is proven and
//! never shown. Both sides, behind bytes, so that no other room needs to know
//! the library.
//!
//! [`Client`] runs on the phone, [`server`] in the WSCA. What both must agree on
//! besides the messages is a [`Transcript`].

mod client;
pub mod server;

use opaque_ke::argon2::{Algorithm, Argon2, Params, Version};
use opaque_ke::errors::{InternalError, ProtocolError};
use opaque_ke::generic_array::{ArrayLength, GenericArray};
use opaque_ke::ksf::Ksf;
use opaque_ke::{CipherSuite, Identifiers, TripleDh};
use sci::{Task, UnitId};
use zeroize::Zeroizing;

pub use client::{Client, LoginStarted, RegistrationStarted};

/// The suite: OPAQUE-3DH over P-256 with SHA-256.
pub(crate) struct Suite;

impl CipherSuite for Suite {
    type OprfCs = p256_opaque::NistP256;
    type KeyExchange = TripleDh<p256_opaque::NistP256, sha2_opaque::Sha256>;
    type Ksf = Stretching;
}

/// How hard the client makes each guess: Argon2id.
///
/// Production is 19 MiB, two passes, one lane (OWASP's first choice, RFC 9106
/// ranks memory likewise): about 31 ms here, some 100 ms on a phone. It is the
/// third wall only: before it stand the phone's key, without which no guess can
/// be formed, and the seed in the service's device, without which none can be
/// tested.
#[derive(Debug, Clone)]
pub struct Stretching(Params);

impl Default for Stretching {
    fn default() -> Self {
        Self(Params::DEFAULT)
    }
}

impl Stretching {
    /// Memory in KiB, passes, lanes.
    pub fn parameters(&self) -> (u32, u32, u32) {
        (self.0.m_cost(), self.0.t_cost(), self.0.p_cost())
    }

    /// The weakest that Argon2 allows, so that tests of everything else are quick.
    /// A PIN registered with it is not proven with [`Stretching::default`].
    pub fn weak_for_tests() -> Self {
        Self(Params::new(Params::MIN_M_COST, 1, 1, None).unwrap_or(Params::DEFAULT))
    }
}

impl Ksf for Stretching {
    fn hash<L: ArrayLength<u8>>(
        &self,
        input: GenericArray<u8, L>,
    ) -> Result<GenericArray<u8, L>, InternalError> {
        Argon2::new(Algorithm::Argon2id, Version::V0x13, self.0.clone()).hash(input)
    }
}

/// What a proof of the PIN is bound to on both sides besides the messages
/// themselves: who, where, with which device key, for what, in which session.
#[derive(Debug, Clone, Copy)]
pub struct Transcript<'a> {
    /// The wallet unit.
    pub unit: UnitId,
    /// The service's context.
    pub context: &'a str,
    /// The thumbprint of the device's signing key.
    pub signing_key: [u8; 32],
    /// What the session is for.
    pub task: Task,
    /// The session.
    pub session_id: &'a str,
}

impl Transcript<'_> {
    /// The OPAQUE context (RFC 9807, 6.4.2): each part with its length before it.
    pub(crate) fn context_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(192);
        let parts = [
            crate::PROFILE.as_bytes(),
            self.context.as_bytes(),
            self.unit.as_bytes(),
            &self.signing_key,
            self.task.name().as_bytes(),
            self.session_id.as_bytes(),
        ];
        for part in parts {
            // All of them are short; 4 GiB is not reached.
            let len = u32::try_from(part.len()).unwrap_or(u32::MAX);
            bytes.extend_from_slice(&len.to_be_bytes());
            bytes.extend_from_slice(part);
        }
        bytes
    }
}

/// `client_identity` and `server_identity` (RFC 9807, 3.2.1): the unit's bytes
/// and the context's name.
pub(crate) fn identities<'a>(unit: &'a UnitId, context: &'a str) -> Identifiers<'a> {
    Identifiers {
        client: Some(unit.as_bytes()),
        server: Some(context.as_bytes()),
    }
}

/// The key of a session: 256 random-looking bytes that both sides have after a
/// proof. It is wiped when dropped.
pub type SessionKey = jose::jwe::ContentKey;

fn session_key(bytes: &[u8]) -> Result<SessionKey, OpaqueError> {
    let key: [u8; 32] = bytes.try_into().map_err(|_| OpaqueError::Library)?;
    Ok(Zeroizing::new(key))
}

/// Why an exchange failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OpaqueError {
    /// The PIN is not the one that was registered, or the service is another.
    #[error("the PIN does not fit")]
    WrongPin,
    /// The message is none of this exchange.
    #[error("the message is malformed")]
    Message,
    /// The other side's last message does not fit the first.
    #[error("the proof does not fit")]
    Proof,
    /// The library failed.
    #[error("the OPAQUE library failed")]
    Library,
}

impl From<ProtocolError> for OpaqueError {
    fn from(error: ProtocolError) -> Self {
        match error {
            ProtocolError::InvalidLoginError => Self::Proof,
            ProtocolError::SerializationError
            | ProtocolError::SizeError { .. }
            | ProtocolError::ReflectedValueError
            // What the OPRF's own library does not read as a point or a scalar.
            | ProtocolError::LibraryError(InternalError::OprfError(_)) => Self::Message,
            _ => Self::Library,
        }
    }
}

#[cfg(test)]
mod tests;
