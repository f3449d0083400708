//! R2PS: how a wallet instance and a remote WSCA speak with each other.
//!
//! The envelope is that of the Internet-Draft draft-santesson-r2ps-00: a compact
//! JWE around a compact JWS, one-factor (`ECDH-ES` to the service's key) or
//! two-factor (`dir` under a session's key). What the draft leaves open is fixed
//! here, point by point, in `docs/protocols/wsca.md`, whose version is
//! [`PROFILE`].
//!
//! # The rooms
//!
//! - [`envelope`]: sealing and opening requests and answers;
//! - [`service`]: the service types, and what their requests and answers carry;
//! - [`opaque`]: the PIN's protocol (RFC 9807), both sides, behind bytes. The only
//!   place in the house that knows the OPAQUE library;
//! - [`hardening`]: how the phone's key is mixed into the PIN.

pub mod envelope;
pub mod hardening;
pub mod opaque;
pub mod service;

mod binary;
mod problem;
#[cfg(test)]
mod vectors_tests;

pub use binary::Binary;
pub use envelope::{EnvelopeError, MAX_MESSAGE, Nonce, ServiceIdentity};
pub use problem::Problem;

/// The version of the profile that `docs/protocols/wsca.md` describes. It is
/// bound into every PIN's transcript, so that two versions cannot be mixed.
pub const PROFILE: &str = "claviger-r2ps-1";

/// The media type of requests and answers.
pub const MEDIA_TYPE: &str = "application/jose";
