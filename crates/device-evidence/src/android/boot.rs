//! RootOfTrust: what the device booted.

use serde::{Deserialize, Serialize};

use crate::asn1::{Asn1Error, Reader};

/// How the device booted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RootOfTrust {
    /// The key that the system is signed with (its digest from most devices);
    /// zeros where nothing is verified.
    #[serde(with = "super::bytes")]
    pub verified_boot_key: Vec<u8>,
    /// Whether the bootloader is locked.
    pub device_locked: bool,
    /// What was verified.
    pub verified_boot_state: BootState,
    /// A digest over everything that was verified (version 3 and later).
    #[serde(with = "super::bytes::option")]
    pub verified_boot_hash: Option<Vec<u8>>,
}

/// What Android Verified Boot found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BootState {
    /// Signed by the device's maker ("green").
    Verified,
    /// Signed by a key that the user enrolled ("yellow"), as GrapheneOS is.
    SelfSigned,
    /// Nothing is verified ("orange").
    Unverified,
    /// Verification failed ("red").
    Failed,
}

impl std::fmt::Display for BootState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            BootState::Verified => "verified, signed by the maker",
            BootState::SelfSigned => "verified, signed by a key that was enrolled",
            BootState::Unverified => "not verified",
            BootState::Failed => "verification failed",
        })
    }
}

impl RootOfTrust {
    pub(crate) fn read(value: &mut Reader<'_>, at: &str) -> Result<Self, Asn1Error> {
        let at = |field: &str| format!("{at} rootOfTrust.{field}");
        let mut fields = value.sequence(&at("SEQUENCE"))?;
        let root = Self {
            verified_boot_key: fields.octets(&at("verifiedBootKey"))?.to_vec(),
            device_locked: fields.boolean(&at("deviceLocked"))?,
            verified_boot_state: match fields.enumerated(&at("verifiedBootState"))? {
                0 => BootState::Verified,
                1 => BootState::SelfSigned,
                2 => BootState::Unverified,
                3 => BootState::Failed,
                other => return Err(Asn1Error::Value(at("verifiedBootState"), other)),
            },
            verified_boot_hash: if fields.is_empty() {
                None
            } else {
                Some(fields.octets(&at("verifiedBootHash"))?.to_vec())
            },
        };
        fields.finish(&at("SEQUENCE"))?;
        Ok(root)
    }

    /// Whether the boot key is missing or all zeros.
    pub fn has_no_key(&self) -> bool {
        self.verified_boot_key.iter().all(|byte| *byte == 0)
    }
}
