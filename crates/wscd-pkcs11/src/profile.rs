//! What a token can do, asked of the token itself.

use cryptoki::context::Pkcs11;
use cryptoki::mechanism::{MechanismInfo, MechanismType};
use cryptoki::slot::Slot;
use jose::Curve;

use crate::error::{OpenError, during};

/// How this backend uses a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Profile {
    pub(crate) wrapping: Wrapping,
    pub(crate) sealing: Sealing,
    pub(crate) curves: Vec<Curve>,
    pub(crate) agreement: bool,
}

/// How keys are wrapped. The number stands in every wrapped form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Wrapping {
    /// `CKM_AES_KEY_WRAP_PAD` (RFC 5649).
    KeyWrapPad = 1,
    /// `CKM_AES_GCM`, with a random IV of 12 bytes before the wrapped key.
    Gcm = 2,
}

/// How small secrets are sealed. The number stands in every sealed form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Sealing {
    /// `CKM_AES_GCM`, with a random IV of 12 bytes before it.
    Gcm = 2,
    /// `CKM_AES_CBC_PAD`, with a random IV of 16 bytes before it and an HMAC of
    /// the device over all of it after it.
    CbcHmac = 3,
}

impl Wrapping {
    pub(crate) fn from_number(number: u8) -> Option<Self> {
        [Self::KeyWrapPad, Self::Gcm]
            .into_iter()
            .find(|known| *known as u8 == number)
    }
}

impl Sealing {
    pub(crate) fn from_number(number: u8) -> Option<Self> {
        [Self::Gcm, Self::CbcHmac]
            .into_iter()
            .find(|known| *known as u8 == number)
    }
}

impl Profile {
    /// Asks the token in `slot` what it offers.
    pub(crate) fn probe(pkcs11: &Pkcs11, slot: Slot) -> Result<Self, OpenError> {
        let listed = pkcs11
            .get_mechanism_list(slot)
            .map_err(during("list its mechanisms"))?;
        let offers = |mechanism: MechanismType, does: Does| {
            listed.contains(&mechanism)
                && pkcs11
                    .get_mechanism_info(slot, mechanism)
                    .is_ok_and(|info| does(&info))
        };
        let needed: [(MechanismType, Does, &'static str); 5] = [
            (
                MechanismType::AES_KEY_GEN,
                MechanismInfo::generate,
                "CKM_AES_KEY_GEN",
            ),
            (
                MechanismType::GENERIC_SECRET_KEY_GEN,
                MechanismInfo::generate,
                "CKM_GENERIC_SECRET_KEY_GEN",
            ),
            (
                MechanismType::SHA256_HMAC,
                MechanismInfo::sign,
                "CKM_SHA256_HMAC",
            ),
            (
                MechanismType::ECC_KEY_PAIR_GEN,
                MechanismInfo::generate_key_pair,
                "CKM_EC_KEY_PAIR_GEN",
            ),
            (MechanismType::ECDSA, MechanismInfo::sign, "CKM_ECDSA"),
        ];
        for (mechanism, does, what) in needed {
            if !offers(mechanism, does) {
                return Err(OpenError::NotOffered { what });
            }
        }
        let wrapping = if offers(MechanismType::AES_KEY_WRAP_PAD, MechanismInfo::wrap) {
            Wrapping::KeyWrapPad
        } else if offers(MechanismType::AES_GCM, MechanismInfo::wrap) {
            Wrapping::Gcm
        } else {
            return Err(OpenError::NotOffered {
                what: "CKM_AES_KEY_WRAP_PAD or CKM_AES_GCM to wrap with",
            });
        };
        let sealing = if offers(MechanismType::AES_GCM, MechanismInfo::encrypt) {
            Sealing::Gcm
        } else if offers(MechanismType::AES_CBC_PAD, MechanismInfo::encrypt) {
            Sealing::CbcHmac
        } else {
            return Err(OpenError::NotOffered {
                what: "CKM_AES_GCM or CKM_AES_CBC_PAD to encrypt with",
            });
        };
        let sizes = pkcs11
            .get_mechanism_info(slot, MechanismType::ECDSA)
            .map_err(during("describe CKM_ECDSA"))?;
        let curves: Vec<Curve> = Curve::ALL
            .into_iter()
            .filter(|curve| (sizes.min_key_size()..=sizes.max_key_size()).contains(&bits(*curve)))
            .collect();
        if !curves.contains(&Curve::P256) {
            return Err(OpenError::NotOffered { what: "P-256" });
        }
        Ok(Self {
            wrapping,
            sealing,
            curves,
            agreement: offers(MechanismType::ECDH1_DERIVE, MechanismInfo::derive),
        })
    }
}

/// Asks a mechanism's flags for one use.
type Does = fn(&MechanismInfo) -> bool;

fn bits(curve: Curve) -> usize {
    match curve {
        Curve::P256 => 256,
        Curve::P384 => 384,
        Curve::P521 => 521,
    }
}
