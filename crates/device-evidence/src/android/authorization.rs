//! AuthorizationList: what the keystore or the secure hardware holds a key to.

use serde::Serialize;

use super::application::ApplicationId;
use super::boot::RootOfTrust;
use crate::asn1::{Asn1Error, Reader};

/// The most values in a set, and tags in a list.
const MAX_VALUES: usize = 64;

/// The tags of one list. What is absent is `None`, `false` or empty. Numbers are
/// KeyMint's own where they have no name here.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct AuthorizationList {
    /// What the key may do (tag 1).
    pub purposes: Option<Vec<Purpose>>,
    /// 1 is RSA, 3 is EC, 32 AES, 33 3DES, 128 HMAC (tag 2).
    pub algorithm: Option<u64>,
    /// In bits (tag 3).
    pub key_size: Option<u64>,
    /// Tag 4.
    pub block_modes: Option<Vec<u64>>,
    /// 0 is none, 4 is SHA-256, 5 is SHA-384, 6 is SHA-512 (tag 5).
    pub digests: Option<Vec<u64>>,
    /// Tag 6.
    pub paddings: Option<Vec<u64>>,
    /// 0 is P-224, 1 is P-256, 2 is P-384, 3 is P-521, 4 is Curve25519 (tag 10).
    pub ec_curve: Option<u64>,
    /// Tag 11.
    pub ml_dsa_variant: Option<u64>,
    /// Tag 200.
    pub rsa_public_exponent: Option<u64>,
    /// Tag 203.
    pub rsa_oaep_mgf_digests: Option<Vec<u64>>,
    /// The key does not outlive a reset (tag 303, and 703 before version 3).
    pub rollback_resistance: bool,
    /// Tag 305.
    pub early_boot_only: bool,
    /// Milliseconds since 1970 (tag 400).
    pub active_date_time: Option<u64>,
    /// Milliseconds since 1970 (tag 401).
    pub origination_expire_date_time: Option<u64>,
    /// Milliseconds since 1970 (tag 402).
    pub usage_expire_date_time: Option<u64>,
    /// Tag 405.
    pub usage_count_limit: Option<u64>,
    /// Anyone who holds the device may use the key (tag 503).
    pub no_auth_required: bool,
    /// Who may use the key: bit 0 password, bit 1 biometric (tag 504).
    pub user_auth_type: Option<u64>,
    /// Seconds that an authentication lasts; every use needs one if absent (tag
    /// 505).
    pub auth_timeout: Option<u64>,
    /// Tag 506.
    pub allow_while_on_body: bool,
    /// Tag 507.
    pub trusted_user_presence_required: bool,
    /// Tag 508.
    pub trusted_confirmation_required: bool,
    /// Tag 509.
    pub unlocked_device_required: bool,
    /// Tag 600.
    pub all_applications: bool,
    /// Milliseconds since 1970 (tag 701).
    pub creation_date_time: Option<u64>,
    /// Where the key material comes from (tag 702).
    pub origin: Option<Origin>,
    /// Tag 704.
    pub root_of_trust: Option<RootOfTrust>,
    /// MMmmss: 130000 is Android 13 (tag 705).
    pub os_version: Option<u64>,
    /// YYYYMM (tag 706).
    pub os_patch_level: Option<u64>,
    /// The app that asked for the key (tag 709).
    pub application_id: Option<ApplicationId>,
    /// What the device is (tags 710 to 717 and 723).
    pub device: DeviceIds,
    /// YYYYMMDD, from some devices YYYYMM (tag 718).
    pub vendor_patch_level: Option<u64>,
    /// YYYYMMDD, from some devices YYYYMM (tag 719).
    pub boot_patch_level: Option<u64>,
    /// Tag 720.
    pub device_unique_attestation: bool,
    /// SHA-256 over the loaded modules (tag 724, version 400).
    #[serde(with = "super::bytes::option")]
    pub module_hash: Option<Vec<u8>>,
    /// Tags that are read by nobody here.
    pub unknown: Vec<u32>,
    /// Whether the tags stand in ascending order, as the schema has them.
    #[serde(skip)]
    pub in_order: bool,
}

/// What the device says it is. Only system apps and device owners get these.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct DeviceIds {
    /// Tag 710.
    pub brand: Option<String>,
    /// Tag 711.
    pub device: Option<String>,
    /// Tag 712.
    pub product: Option<String>,
    /// Tag 713.
    pub serial: Option<String>,
    /// Tag 714.
    pub imei: Option<String>,
    /// Tag 715.
    pub meid: Option<String>,
    /// Tag 716.
    pub manufacturer: Option<String>,
    /// Tag 717.
    pub model: Option<String>,
    /// Tag 723.
    pub second_imei: Option<String>,
}

/// What a key may do (KeyPurpose).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// 0.
    Encrypt,
    /// 1.
    Decrypt,
    /// 2.
    Sign,
    /// 3.
    Verify,
    /// 5.
    WrapKey,
    /// 6.
    AgreeKey,
    /// 7.
    AttestKey,
}

impl Purpose {
    fn from_number(number: u64, what: &str) -> Result<Self, Asn1Error> {
        Ok(match number {
            0 => Purpose::Encrypt,
            1 => Purpose::Decrypt,
            2 => Purpose::Sign,
            3 => Purpose::Verify,
            5 => Purpose::WrapKey,
            6 => Purpose::AgreeKey,
            7 => Purpose::AttestKey,
            other => return Err(Asn1Error::Value(what.into(), other)),
        })
    }

    /// KeyMint's number for it.
    pub fn number(self) -> u64 {
        match self {
            Purpose::Encrypt => 0,
            Purpose::Decrypt => 1,
            Purpose::Sign => 2,
            Purpose::Verify => 3,
            Purpose::WrapKey => 5,
            Purpose::AgreeKey => 6,
            Purpose::AttestKey => 7,
        }
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Purpose::Encrypt => "encrypt",
            Purpose::Decrypt => "decrypt",
            Purpose::Sign => "sign",
            Purpose::Verify => "verify",
            Purpose::WrapKey => "wrap key",
            Purpose::AgreeKey => "agree key",
            Purpose::AttestKey => "attest key",
        }
    }
}

/// Where key material comes from (KeyOrigin).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// Made in the keystore.
    Generated,
    /// Derived in it.
    Derived,
    /// Brought in from outside.
    Imported,
    /// Reserved.
    Reserved,
    /// Brought in encrypted to the secure hardware.
    SecurelyImported,
}

impl AuthorizationList {
    pub(crate) fn read(fields: &mut Reader<'_>, what: &str) -> Result<Self, Asn1Error> {
        let mut list = Self {
            in_order: true,
            ..Self::default()
        };
        let mut tags = fields.sequence(what)?;
        let mut seen: Vec<u32> = Vec::new();
        while !tags.is_empty() {
            let (tag, mut value) = tags.explicit(what)?;
            let place = format!("{what} tag {tag}");
            if seen.contains(&tag) {
                return Err(Asn1Error::Twice(place));
            }
            if seen.len() >= MAX_VALUES {
                return Err(Asn1Error::Length(what.into()));
            }
            list.in_order &= seen.last().is_none_or(|last| *last < tag);
            seen.push(tag);
            list.take(tag, &mut value, &place)?;
        }
        Ok(list)
    }

    fn take(&mut self, tag: u32, value: &mut Reader<'_>, at: &str) -> Result<(), Asn1Error> {
        match tag {
            1 => self.purposes = Some(purposes(value, at)?),
            2 => self.algorithm = Some(value.integer(at)?),
            3 => self.key_size = Some(value.integer(at)?),
            4 => self.block_modes = Some(numbers(value, at)?),
            5 => self.digests = Some(numbers(value, at)?),
            6 => self.paddings = Some(numbers(value, at)?),
            10 => self.ec_curve = Some(value.integer(at)?),
            11 => self.ml_dsa_variant = Some(value.integer(at)?),
            200 => self.rsa_public_exponent = Some(value.integer(at)?),
            203 => self.rsa_oaep_mgf_digests = Some(numbers(value, at)?),
            303 | 703 => self.rollback_resistance = present(value, at)?,
            305 => self.early_boot_only = present(value, at)?,
            400 => self.active_date_time = Some(value.integer(at)?),
            401 => self.origination_expire_date_time = Some(value.integer(at)?),
            402 => self.usage_expire_date_time = Some(value.integer(at)?),
            405 => self.usage_count_limit = Some(value.integer(at)?),
            503 => self.no_auth_required = present(value, at)?,
            504 => self.user_auth_type = Some(value.integer(at)?),
            505 => self.auth_timeout = Some(value.integer(at)?),
            506 => self.allow_while_on_body = present(value, at)?,
            507 => self.trusted_user_presence_required = present(value, at)?,
            508 => self.trusted_confirmation_required = present(value, at)?,
            509 => self.unlocked_device_required = present(value, at)?,
            600 => self.all_applications = present(value, at)?,
            701 => self.creation_date_time = Some(value.integer(at)?),
            702 => self.origin = Some(origin(value, at)?),
            704 => self.root_of_trust = Some(RootOfTrust::read(value, at)?),
            705 => self.os_version = Some(value.integer(at)?),
            706 => self.os_patch_level = Some(value.integer(at)?),
            709 => self.application_id = Some(ApplicationId::from_der(value.octets(at)?)?),
            710 => self.device.brand = Some(value.text(at)?),
            711 => self.device.device = Some(value.text(at)?),
            712 => self.device.product = Some(value.text(at)?),
            713 => self.device.serial = Some(value.text(at)?),
            714 => self.device.imei = Some(value.text(at)?),
            715 => self.device.meid = Some(value.text(at)?),
            716 => self.device.manufacturer = Some(value.text(at)?),
            717 => self.device.model = Some(value.text(at)?),
            718 => self.vendor_patch_level = Some(value.integer(at)?),
            719 => self.boot_patch_level = Some(value.integer(at)?),
            720 => self.device_unique_attestation = present(value, at)?,
            723 => self.device.second_imei = Some(value.text(at)?),
            724 => self.module_hash = Some(value.octets(at)?.to_vec()),
            other => {
                self.unknown.push(other);
                return Ok(());
            }
        }
        if value.is_empty() {
            Ok(())
        } else {
            Err(Asn1Error::Trailing(at.into()))
        }
    }
}

fn present(value: &mut Reader<'_>, at: &str) -> Result<bool, Asn1Error> {
    value.null(at).map(|()| true)
}

fn numbers(value: &mut Reader<'_>, at: &str) -> Result<Vec<u64>, Asn1Error> {
    let mut set = value.set(at)?;
    let mut numbers = Vec::new();
    while !set.is_empty() {
        let number = set.integer(at)?;
        if numbers.contains(&number) {
            return Err(Asn1Error::Twice(format!("{at} value {number}")));
        }
        if numbers.len() >= MAX_VALUES {
            return Err(Asn1Error::Length(at.into()));
        }
        numbers.push(number);
    }
    Ok(numbers)
}

fn purposes(value: &mut Reader<'_>, at: &str) -> Result<Vec<Purpose>, Asn1Error> {
    numbers(value, at)?
        .into_iter()
        .map(|number| Purpose::from_number(number, at))
        .collect()
}

fn origin(value: &mut Reader<'_>, at: &str) -> Result<Origin, Asn1Error> {
    Ok(match value.integer(at)? {
        0 => Origin::Generated,
        1 => Origin::Derived,
        2 => Origin::Imported,
        3 => Origin::Reserved,
        4 => Origin::SecurelyImported,
        other => return Err(Asn1Error::Value(at.into(), other)),
    })
}
