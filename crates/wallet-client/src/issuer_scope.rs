//! One status entry for one issuer, without the provider learning which.

use aws_lc_rs::hmac;
use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use jose::b64;
use zeroize::Zeroizing;

use crate::ProviderError;

/// The wallet instance's own secret, from which the scopes of issuers are made (TS3
/// v1.5.2, 2.5.1 and 2.5.2). It stays on the device: whoever has it can try which issuers
/// a unit has met. With it, the instance finds the scope of an issuer again, and with
/// another one it begins anew.
pub struct IssuerSecret(Zeroizing<[u8; 32]>);

impl IssuerSecret {
    /// A fresh secret.
    pub fn generate() -> Result<Self, ProviderError> {
        let mut bytes = Zeroizing::new([0; 32]);
        SystemRandom::new()
            .fill(bytes.as_mut_slice())
            .map_err(|_| ProviderError::Random)?;
        Ok(Self(bytes))
    }

    /// The secret that was kept.
    pub fn new(bytes: Zeroizing<[u8; 32]>) -> Self {
        Self(bytes)
    }

    /// The 32 bytes to be kept, in the platform's keystore.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The scope of an issuer, by its identifier: the base64url of
    ///
    /// ```text
    /// HMAC-SHA256(secret, "claviger issuer scope 1" 00 || issuer)
    /// ```
    pub fn scope(&self, issuer: &str) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA256, self.0.as_slice());
        let message = [b"claviger issuer scope 1\0".as_slice(), issuer.as_bytes()].concat();
        b64::encode(hmac::sign(&key, &message))
    }
}

impl std::fmt::Debug for IssuerSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("IssuerSecret(..)")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_scope_is_one_issuers_under_one_secret() {
        let (one, other) = (
            IssuerSecret::generate().unwrap(),
            IssuerSecret::generate().unwrap(),
        );
        let again = IssuerSecret::new(Zeroizing::new(*one.as_bytes()));
        let scope = one.scope("https://pid.example");
        assert_eq!(again.scope("https://pid.example"), scope);
        assert_ne!(one.scope("https://pid.example/"), scope);
        assert_ne!(other.scope("https://pid.example"), scope);
        assert_eq!(b64::decode(&scope).unwrap().len(), 32);
        assert_eq!(format!("{one:?}"), "IssuerSecret(..)");
    }

    /// A second reader of the protocol can hold itself against this.
    #[test]
    fn a_scope_is_the_mac_that_the_protocol_says() {
        let secret = IssuerSecret::new(Zeroizing::new([7; 32]));
        let key = hmac::Key::new(hmac::HMAC_SHA256, &[7; 32]);
        let tag = hmac::sign(&key, b"claviger issuer scope 1\0https://pid.example");
        assert_eq!(secret.scope("https://pid.example"), b64::encode(tag));
    }
}
