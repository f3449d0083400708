//! Apple App Attest: that a key is in the Secure Enclave of an Apple device and
//! belongs to a genuine instance of the app ("Validating apps that connect to
//! your server").
//!
//! An iOS app cannot have arbitrary keys attested. The keys it makes beside the
//! attested one are bound through [`client_data_hash`]: Apple vouches for the
//! app, and the app for its keys.

mod assertion;
mod attestation;
mod auth_data;
mod policy;

pub use assertion::{AssertionCheck, AssertionSaid, assess_assertion};
pub use attestation::{AttestationCheck, AttestationSaid, assess_attestation};
pub use policy::{AppId, AppleLevels, ApplePolicy, Environment};

use std::sync::LazyLock;

use jose::{PublicKey, sha256};
use pki::Oid;

use crate::chain::RootKey;

/// The extension with the nonce.
const NONCE: Oid = Oid::new_unwrap("1.2.840.113635.100.8.2");

/// Apple App Attestation Root CA, EC P-384.
static APPLE: LazyLock<[RootKey; 1]> = LazyLock::new(|| {
    [RootKey::known(
        "Apple App Attestation Root CA",
        "MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAERTHhmLW07ATaFQIEVwTtT4dyctdhNbJh\
         Fs/Ii2FdCgAHGbpphY3+d8qjuDngIN3WVhQUBHAoMeQ/cLiP1sOUtgjqK9auYen1\
         mMEvRq9Sk3Jm5X8U62H+xTD3FE9TgS41",
    )]
});

/// Apple's root key: what [`ApplePolicy::apple_root`] trusts.
pub fn apple_roots() -> &'static [RootKey] {
    &*APPLE
}

/// The client data that binds keys of the app to a challenge: a label, the
/// challenge with its length (4 octets, big-endian), the number of keys
/// (likewise), and the JWK thumbprint of each, in order.
pub fn client_data(challenge: &[u8], keys: &[PublicKey]) -> Vec<u8> {
    let len = |n: usize| u32::try_from(n).unwrap_or(u32::MAX).to_be_bytes();
    let mut data = b"claviger app attest v1\0".to_vec();
    data.extend_from_slice(&len(challenge.len()));
    data.extend_from_slice(challenge);
    data.extend_from_slice(&len(keys.len()));
    for key in keys {
        data.extend_from_slice(&key.thumbprint());
    }
    data
}

/// SHA-256 over [`client_data`]: what the app has attested or asserted.
pub fn client_data_hash(challenge: &[u8], keys: &[PublicKey]) -> [u8; 32] {
    sha256(&client_data(challenge, keys))
}

/// What Apple's signatures and nonces are over: SHA-256 over authenticator data
/// and client data hash.
fn nonce(auth_data: &[u8], client_data_hash: &[u8; 32]) -> [u8; 32] {
    sha256(&[auth_data, client_data_hash].concat())
}
