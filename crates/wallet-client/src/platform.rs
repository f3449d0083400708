//! What the phone's platform vouches for.

use std::sync::Arc;

use async_trait::async_trait;
use jose::{PublicKey, SignError, Signer};
use provider_api::{CheckEvidence, Evidence};

use crate::keystore::{DeviceKeystore, SoftwareKeystore};

/// The platform's side of every piece of evidence: Android's keystore and Play
/// Integrity, or Apple's App Attest. An app implements it once for each platform;
/// [`Unattested`] is for development.
#[async_trait]
pub trait Platform: std::fmt::Debug + Send + Sync {
    /// What vouches for the two device keys at their activation. On Android the keys are
    /// made here and now, with the text of `challenge` as their attestation challenge;
    /// where an earlier activation of theirs was begun, their chains are as they were
    /// then. An App Attest key is made anew each time.
    async fn activation(
        &self,
        challenge: &str,
        signing: &PublicKey,
        agreement: &PublicKey,
    ) -> Result<Evidence, SignError>;

    /// What vouches for the device again. It names `nonce`, and carries `bound`: as the
    /// attestation challenge of a fresh key, in base64url as the nonce of a Play Integrity
    /// token, or in the client data of an assertion.
    async fn check(&self, nonce: &str, bound: &str) -> Result<CheckEvidence, SignError>;

    /// Fresh signing keys in the platform's keystore, and what vouches for them, which
    /// carries `bound` likewise. `None` where no key of its is to be attested.
    async fn fresh_keys(&self, count: usize, bound: &str) -> Result<Option<FreshKeys>, SignError>;
}

/// Keys of the platform's keystore.
#[derive(Debug)]
pub struct FreshKeys {
    /// The keys, in their order.
    pub keys: Vec<Arc<dyn Signer>>,
    /// What vouches for them.
    pub vouching: Vouching,
}

/// What vouches for keys of the platform's keystore.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Vouching {
    /// Nothing: the keys only prove themselves.
    Nothing,
    /// Android's attestation chains, one for each key: DER, base64url, the leaf first.
    Chains(Vec<Vec<String>>),
    /// An assertion of App Attest over all of them, base64url.
    Assertion(String),
}

/// A platform that vouches for nothing, and whose keystore is the memory of the process:
/// for development.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unattested;

#[async_trait]
impl Platform for Unattested {
    async fn activation(
        &self,
        _: &str,
        _: &PublicKey,
        _: &PublicKey,
    ) -> Result<Evidence, SignError> {
        Ok(Evidence::None {})
    }

    async fn check(&self, _: &str, _: &str) -> Result<CheckEvidence, SignError> {
        Ok(CheckEvidence::None {})
    }

    async fn fresh_keys(&self, count: usize, _: &str) -> Result<Option<FreshKeys>, SignError> {
        let keystore =
            SoftwareKeystore::generate().map_err(|error| SignError::Refused(error.to_string()))?;
        let keys = (0..count)
            .map(|_| keystore.fresh_signing_key())
            .collect::<Result<_, _>>()?;
        Ok(Some(FreshKeys {
            keys,
            vouching: Vouching::Nothing,
        }))
    }
}
