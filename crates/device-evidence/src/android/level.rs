//! What the evidence earns: from where the hardware says the key is, and from
//! certifications that the policy names.

use finding::Finding;

use super::{AndroidPolicy, CertifiedDevice, DeviceIds, KeyDescription, Said, SecurityLevel};
use crate::assessment::{Assessment, UserAuthentication};
use crate::rules;

/// Whom the hardware asks for before the key is used. Software's word on it
/// counts for nothing.
pub(super) fn user_authentication(description: &KeyDescription) -> UserAuthentication {
    let hardware = &description.hardware_enforced;
    if hardware.no_auth_required {
        return UserAuthentication::None;
    }
    match hardware.user_auth_type.unwrap_or_default() & 3 {
        1 => UserAuthentication::Password,
        2 => UserAuthentication::Biometric,
        3 => UserAuthentication::PasswordOrBiometric,
        _ => UserAuthentication::None,
    }
}

/// Gives the assessment what the evidence would earn if it is accepted.
pub(super) fn earn(
    said: &Said,
    policy: &AndroidPolicy,
    assessment: &mut Assessment<Said>,
    findings: &mut Vec<Finding>,
) {
    let description = &said.description;
    let none = |why: &str| rules::LEVEL_NONE.finding("key_storage", why);
    let place = description
        .attestation_security_level
        .min(description.keymint_security_level);
    if !boots_soundly(description) {
        findings.push(none("the device is not known to run what it verified"));
        return;
    }
    let devices = &description.hardware_enforced.device;
    let certified = policy
        .certified
        .iter()
        .filter(|known| known.security_level == place && known.matches(devices))
        .max_by_key(|known| known.level);
    assessment.key_storage = match certified {
        Some(certified) => {
            assessment.basis = Some(certified.certificate.clone());
            Some(certified.level)
        }
        None => match place {
            SecurityLevel::Software => None,
            SecurityLevel::TrustedEnvironment => policy.levels.trusted_environment,
            SecurityLevel::StrongBox => policy.levels.strong_box,
        },
    };
    match assessment.key_storage {
        None => findings.push(none("the policy gives this keystore no level")),
        Some(_) if assessment.basis.is_none() => {
            assessment.basis = Some(format!("attested to be in {place}"));
        }
        Some(_) => {}
    }
    if said.user_authentication != UserAuthentication::None {
        assessment.user_authentication = policy
            .levels
            .user_authentication
            .min(assessment.key_storage);
    }
}

fn boots_soundly(description: &KeyDescription) -> bool {
    use super::BootState::{SelfSigned, Verified};
    description
        .hardware_enforced
        .root_of_trust
        .as_ref()
        .is_some_and(|root| {
            root.device_locked && matches!(root.verified_boot_state, Verified | SelfSigned)
        })
}

impl CertifiedDevice {
    fn matches(&self, device: &DeviceIds) -> bool {
        [
            (&self.brand, &device.brand),
            (&self.manufacturer, &device.manufacturer),
            (&self.model, &device.model),
            (&self.device, &device.device),
        ]
        .into_iter()
        .all(|(wanted, found)| wanted.is_none() || wanted == found)
    }
}
