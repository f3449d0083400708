//! How the phone's agreement key is mixed into the PIN.
//!
//! The PIN's guesses are few, so whoever can test one offline has it. Hence what
//! goes into OPAQUE is not the PIN but an HMAC of it under a secret that only the
//! phone can compute: the ECDH of its agreement key with a point whose discrete
//! logarithm *nobody* knows, because the point is a hash (RFC 9380) of the
//! context and the unit. Were the point a public key of the service, the service
//! could compute the same secret from the phone's public key; so it cannot, and
//! neither a stolen database nor the service with its own device tests a PIN.

use aws_lc_rs::hmac;
use jose::{Curve, KeyAgreement, PublicKey, SignError};
use p256_opaque::elliptic_curve::hash2curve::{ExpandMsgXmd, GroupDigest};
use p256_opaque::elliptic_curve::sec1::ToEncodedPoint;
use p256_opaque::{NistP256, ProjectivePoint};
use sci::{Pin, UnitId};
use sha2_opaque::Sha256;
use zeroize::Zeroizing;

/// The domain separation tag of the point (RFC 9380, 3.1).
const POINT_DST: &[u8] = b"CLAVIGER-WSCA-PIN-V1-P256_XMD:SHA-256_SSWU_RO_";

/// The label of the HMAC's key.
const KEY_LABEL: &[u8] = b"claviger-wsca-pin-v1";

/// What goes into OPAQUE in place of the PIN: 32 bytes that look random to
/// whoever has not this phone.
pub struct HardenedPin(Zeroizing<[u8; 32]>);

/// The PIN could not be hardened.
#[derive(Debug, thiserror::Error)]
pub enum HardeningError {
    /// The agreement key is not on P-256.
    #[error("the device's agreement key is on {0}; P-256 is needed")]
    Curve(Curve),
    /// The agreement key could not be used.
    #[error(transparent)]
    Key(#[from] SignError),
    /// The library failed to hash onto the curve.
    #[error("hashing onto the curve failed")]
    Library,
}

impl HardenedPin {
    /// The bytes, for OPAQUE alone.
    pub(crate) fn expose(&self) -> &[u8] {
        self.0.as_slice()
    }
}

impl std::fmt::Debug for HardenedPin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HardenedPin(..)")
    }
}

/// Hardens `pin` with the device's agreement key.
pub async fn harden(
    pin: &Pin,
    unit: UnitId,
    context: &str,
    device: &dyn KeyAgreement,
) -> Result<HardenedPin, HardeningError> {
    let curve = device.public_key().curve();
    if curve != Curve::P256 {
        return Err(HardeningError::Curve(curve));
    }
    let shared = device.agree(&hardening_point(unit, context)?).await?;
    let extract = hmac::Key::new(hmac::HMAC_SHA256, KEY_LABEL);
    let secret = hmac::sign(&extract, &shared);
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_ref());
    let mut hardened = Zeroizing::new([0; 32]);
    hardened.copy_from_slice(hmac::sign(&key, pin.expose()).as_ref());
    Ok(HardenedPin(hardened))
}

/// The point of one unit in one context. Nobody knows its discrete logarithm.
pub fn hardening_point(unit: UnitId, context: &str) -> Result<PublicKey, HardeningError> {
    let message = [unit.as_bytes().as_slice(), context.as_bytes()];
    let point: ProjectivePoint =
        NistP256::hash_from_bytes::<ExpandMsgXmd<Sha256>>(&message, &[POINT_DST])
            .map_err(|_| HardeningError::Library)?;
    let encoded = point.to_affine().to_encoded_point(false);
    PublicKey::from_point(Curve::P256, encoded.as_bytes()).map_err(|_| HardeningError::Library)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use claviger_fixtures::TestKey;

    #[tokio::test]
    async fn pin_device_unit_and_context_all_count() {
        let (device, other) = (
            TestKey::generate(Curve::P256),
            TestKey::generate(Curve::P256),
        );
        let unit = UnitId::random();
        let pin = Pin::new("493827").unwrap();
        let base = harden(&pin, unit, "c", &device).await.unwrap();
        let again = harden(&pin, unit, "c", &device).await.unwrap();
        assert_eq!(base.expose(), again.expose());
        let others = [
            harden(&Pin::new("493828").unwrap(), unit, "c", &device).await,
            harden(&pin, UnitId::random(), "c", &device).await,
            harden(&pin, unit, "d", &device).await,
            harden(&pin, unit, "c", &other).await,
        ];
        for changed in others {
            assert_ne!(changed.unwrap().expose(), base.expose());
        }
    }

    #[tokio::test]
    async fn an_agreement_key_on_another_curve_is_refused() {
        let device = TestKey::generate(Curve::P384);
        let pin = Pin::new("493827").unwrap();
        assert!(matches!(
            harden(&pin, UnitId::random(), "c", &device).await,
            Err(HardeningError::Curve(Curve::P384))
        ));
    }
}
