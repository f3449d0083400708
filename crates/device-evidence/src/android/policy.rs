//! What is required of an Android key attestation.

use serde::Deserialize;
use wua::AttackPotential;

use super::{Purpose, SecurityLevel};
use crate::chain::RootKey;
use crate::policy_values::{App, PolicyError, level};

/// What is required of an Android key attestation. The default demands hardware,
/// a verified boot by the maker, a fresh revocation list, and an app that is
/// named: which is left to the operator.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AndroidPolicy {
    /// Whether chains may lead to Google's roots.
    pub google_roots: bool,
    /// Further root keys, of test beds.
    pub roots: Vec<RootKey>,
    /// The apps that keys may belong to.
    pub apps: Vec<App>,
    /// The weakest place a key may be in.
    pub security_level: SecurityLevel,
    /// Keys of systems that the user installed and the policy accepts, such as
    /// GrapheneOS's, a key for each device model.
    pub boot_keys: Vec<BootKey>,
    /// Accepts devices that are not locked or booted what was not verified: for
    /// development only. They earn no level.
    pub unlocked_devices: bool,
    /// The lowest attestation version: 3 is Android 9.
    pub min_attestation_version: u64,
    /// The lowest system version, MMmmss: 130000 is Android 13.
    pub min_os_version: Option<u64>,
    /// The oldest patch level of the system, YYYYMM.
    pub min_os_patch_level: Option<u64>,
    /// The oldest patch level of the maker's part, YYYYMM or YYYYMMDD.
    pub min_vendor_patch_level: Option<u64>,
    /// The oldest patch level of the boot partition, YYYYMM or YYYYMMDD.
    pub min_boot_patch_level: Option<u64>,
    /// How many months old the system's patch level may be.
    pub max_os_patch_age_months: Option<u32>,
    /// What the key must be allowed to do.
    pub required_purposes: Vec<Purpose>,
    /// What it may be allowed to do, and nothing else. A key that may attest
    /// others is never allowed.
    pub allowed_purposes: Vec<Purpose>,
    /// Whether the key must be rollback-resistant. Apps cannot ask for it today.
    pub rollback_resistance: bool,
    /// Whether hardware must ask for the user before the key is used.
    pub user_authentication: bool,
    /// What happens without a fresh revocation list.
    pub revocation: WithoutRevocationList,
    /// How old the revocation list may be, in hours.
    pub revocation_max_age_hours: u32,
    /// What happens with a factory's batch certificate that is no CA.
    pub factory_certificate_without_ca: Leniency,
    /// What happens with tags out of order.
    pub unordered_tags: Leniency,
    /// How many certificates a device may get in 30 days without a warning.
    pub max_certificates_issued: Option<u64>,
    /// What a key earns by where it is.
    pub levels: Levels,
    /// Devices whose keystore is certified, and what that earns.
    pub certified: Vec<CertifiedDevice>,
}

/// A key that systems are signed with, as the device states it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "WrittenBootKey")]
pub struct BootKey {
    /// Whose it is.
    pub name: String,
    /// The verifiedBootKey.
    pub key: Vec<u8>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenBootKey {
    name: String,
    key: String,
}

impl TryFrom<WrittenBootKey> for BootKey {
    type Error = PolicyError;

    fn try_from(written: WrittenBootKey) -> Result<Self, PolicyError> {
        match hex::decode(&written.key) {
            Ok(key) if key.len() >= 32 && key.iter().any(|byte| *byte != 0) => Ok(Self {
                name: written.name,
                key,
            }),
            _ => Err(PolicyError::BootKey(written.key)),
        }
    }
}

/// What happens where no fresh revocation list is at hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WithoutRevocationList {
    /// Nothing is accepted.
    Undecided,
    /// It is recorded, and the rest decides.
    Record,
}

/// What happens with a flaw that real devices have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Leniency {
    /// The evidence is refused.
    Refuse,
    /// It is recorded, and the rest decides.
    Warn,
}

/// What a key earns by the hardware it is in, where no certification says more: nothing,
/// unless the operator answers for it. A keystore's level is that which it was certified
/// for, and `none` where it was not (ARF `WIAM_08a`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Levels {
    /// In a trusted execution environment.
    #[serde(deserialize_with = "level")]
    pub trusted_environment: Option<AttackPotential>,
    /// In a secure element.
    #[serde(deserialize_with = "level")]
    pub strong_box: Option<AttackPotential>,
    /// What the keystore's authentication of the user resists; never more than
    /// the key storage itself.
    #[serde(deserialize_with = "level")]
    pub user_authentication: Option<AttackPotential>,
}

/// A device model whose keystore has been certified. It is recognised by what
/// the hardware states, never by what the app sends.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "WrittenCertifiedDevice")]
pub struct CertifiedDevice {
    /// attestationIdBrand.
    pub brand: Option<String>,
    /// attestationIdManufacturer.
    pub manufacturer: Option<String>,
    /// attestationIdModel.
    pub model: Option<String>,
    /// attestationIdDevice.
    pub device: Option<String>,
    /// Which of its keystores.
    pub security_level: SecurityLevel,
    /// What the certification says it resists.
    pub level: AttackPotential,
    /// The certificate's reference.
    pub certificate: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenCertifiedDevice {
    brand: Option<String>,
    manufacturer: Option<String>,
    model: Option<String>,
    device: Option<String>,
    security_level: SecurityLevel,
    level: String,
    certificate: String,
}

impl TryFrom<WrittenCertifiedDevice> for CertifiedDevice {
    type Error = PolicyError;

    fn try_from(written: WrittenCertifiedDevice) -> Result<Self, PolicyError> {
        if written.model.is_none() && written.device.is_none() {
            return Err(PolicyError::NoModel);
        }
        Ok(Self {
            brand: written.brand,
            manufacturer: written.manufacturer,
            model: written.model,
            device: written.device,
            security_level: written.security_level,
            level: AttackPotential::from_name(&written.level)
                .ok_or(PolicyError::Level(written.level))?,
            certificate: written.certificate,
        })
    }
}

impl Default for AndroidPolicy {
    fn default() -> Self {
        Self {
            google_roots: true,
            roots: Vec::new(),
            apps: Vec::new(),
            security_level: SecurityLevel::TrustedEnvironment,
            boot_keys: Vec::new(),
            unlocked_devices: false,
            min_attestation_version: 3,
            min_os_version: None,
            min_os_patch_level: None,
            min_vendor_patch_level: None,
            min_boot_patch_level: None,
            max_os_patch_age_months: None,
            required_purposes: vec![Purpose::Sign],
            allowed_purposes: vec![Purpose::Sign, Purpose::Verify, Purpose::AgreeKey],
            rollback_resistance: false,
            user_authentication: false,
            revocation: WithoutRevocationList::Undecided,
            revocation_max_age_hours: 24,
            factory_certificate_without_ca: Leniency::Warn,
            unordered_tags: Leniency::Refuse,
            max_certificates_issued: Some(200),
            levels: Levels::default(),
            certified: Vec::new(),
        }
    }
}

impl Levels {
    /// What such hardware is built to resist where it follows its protection profile
    /// (GlobalPlatform TEE PP, AVA_VAN.2 and AVA_TEE.2, for a trusted execution
    /// environment), for an operator who knows that it does.
    pub const BY_PLACE: Self = Self {
        trusted_environment: Some(AttackPotential::EnhancedBasic),
        strong_box: Some(AttackPotential::Moderate),
        user_authentication: Some(AttackPotential::Basic),
    };
}
