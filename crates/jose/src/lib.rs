//! JWS, JWE, JWK and COSE_Sign1 for the three curves the field uses, the strict
//! JSON and CBOR readers, and the [`Signer`] and [`KeyAgreement`] traits behind
//! which private keys stay in their devices.
//!
//! Only ES256, ES384 and ES512 exist here: TS3 2.6 allows no others, so an
//! algorithm that is not one of them cannot be confused with one that is.

pub mod b64;
pub mod cbor;
pub mod cose;
pub mod json;
pub mod jwe;
pub mod jws;

mod algorithm;
mod ecdsa;
mod hash;
mod key;
mod signer;

pub use algorithm::{Algorithm, Curve};
pub use ecdsa::{from_der as ecdsa_from_der, to_der as ecdsa_to_der};
pub use hash::{HashAlg, sha256};
pub use key::{BadSignature, KeyError, PublicKey};
pub use signer::{KeyAgreement, SignError, Signer};

/// A JSON object, in the order it was written.
pub type Map = serde_json::Map<String, serde_json::Value>;
