use async_trait::async_trait;
use zeroize::Zeroizing;

use crate::{Algorithm, PublicKey};

/// Something that signs with a private key it alone holds: a key in an HSM, in a
/// phone's keystore, behind the WSCA.
///
/// The trait is async because a device may be far away, and knows no runtime.
#[async_trait]
pub trait Signer: std::fmt::Debug + Send + Sync {
    /// The public key its signatures verify under.
    fn public_key(&self) -> &PublicKey;

    /// The signature over `message`, as `r || s` (RFC 7518, 3.4). The hash is
    /// the one that goes with the key's curve.
    async fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError>;

    /// The algorithm its signatures are made with.
    fn algorithm(&self) -> Algorithm {
        self.public_key().algorithm()
    }
}

/// Something that agrees on a secret (ECDH) with a private key it alone holds.
#[async_trait]
pub trait KeyAgreement: std::fmt::Debug + Send + Sync {
    /// The public key the other side uses.
    fn public_key(&self) -> &PublicKey;

    /// The x-coordinate of the shared point. `peer` must be on the same curve.
    async fn agree(&self, peer: &PublicKey) -> Result<Zeroizing<Vec<u8>>, SignError>;
}

/// A private key was not used, and why.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    /// The device is away or busy; the same call may work later.
    #[error("the key's device is not available: {0}")]
    Unavailable(String),
    /// The device will not do it: no such key, not allowed, wrong kind of key.
    #[error("the key's device refused: {0}")]
    Refused(String),
    /// The peer's key is on another curve.
    #[error("the keys are on different curves")]
    CurveMismatch,
}
