use std::sync::Arc;

use async_trait::async_trait;
use jose::{Curve, KeyAgreement, PublicKey, SignError, Signer};
use zeroize::Zeroizing;

use crate::{DeviceError, KeyName, KeyUse, Wscd};

/// A named key of a device as a [`jose::Signer`]: the digest is made here, the
/// signature in the device.
#[derive(Debug, Clone)]
pub struct DeviceSigner {
    device: Arc<dyn Wscd>,
    name: KeyName,
    public: PublicKey,
}

impl DeviceSigner {
    /// Opens the named signing key, or makes it.
    pub async fn open(
        device: Arc<dyn Wscd>,
        name: KeyName,
        curve: Curve,
    ) -> Result<Self, DeviceError> {
        let public = device.named_key(&name, curve, KeyUse::Sign).await?;
        Ok(Self {
            device,
            name,
            public,
        })
    }

    /// The key's name.
    pub fn name(&self) -> &KeyName {
        &self.name
    }
}

#[async_trait]
impl Signer for DeviceSigner {
    fn public_key(&self) -> &PublicKey {
        &self.public
    }

    async fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError> {
        let digest = self.public.algorithm().hash().digest(message);
        self.device
            .sign_named(&self.name, &digest)
            .await
            .map_err(into_sign_error)
    }
}

/// A named key of a device as a [`jose::KeyAgreement`].
#[derive(Debug, Clone)]
pub struct DeviceAgreement {
    device: Arc<dyn Wscd>,
    name: KeyName,
    public: PublicKey,
}

impl DeviceAgreement {
    /// Opens the named agreement key, or makes it.
    pub async fn open(
        device: Arc<dyn Wscd>,
        name: KeyName,
        curve: Curve,
    ) -> Result<Self, DeviceError> {
        let public = device.named_key(&name, curve, KeyUse::Agree).await?;
        Ok(Self {
            device,
            name,
            public,
        })
    }

    /// The key's name.
    pub fn name(&self) -> &KeyName {
        &self.name
    }
}

#[async_trait]
impl KeyAgreement for DeviceAgreement {
    fn public_key(&self) -> &PublicKey {
        &self.public
    }

    async fn agree(&self, peer: &PublicKey) -> Result<Zeroizing<Vec<u8>>, SignError> {
        self.device
            .agree_named(&self.name, peer)
            .await
            .map_err(into_sign_error)
    }
}

/// What a caller of JOSE needs to know of a device's error.
fn into_sign_error(error: DeviceError) -> SignError {
    match error {
        DeviceError::WrongCurve { .. } => SignError::CurveMismatch,
        transient if transient.is_transient() => SignError::Unavailable(transient.to_string()),
        other => SignError::Refused(other.to_string()),
    }
}
