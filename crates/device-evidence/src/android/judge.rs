//! The policy against what the device says.

use finding::{Finding, Rule, Severity};
use jiff::tz::TimeZone;
use jose::Curve;
use pki::{Certificate, oid};

use super::path::nth;
use super::{
    ApplicationId, AuthorizationList, BootState, Check, KeyDescription, Leniency, Origin, Purpose,
    RootOfTrust, SecurityLevel,
};
use crate::policy_values::App;
use crate::{rules, same};

/// The versions that are defined.
const ATTESTATION_VERSIONS: &[u64] = &[1, 2, 3, 4, 100, 200, 300, 400];
const KEYMINT_VERSIONS: &[u64] = &[2, 3, 4, 41, 100, 200, 300, 400];

const EC: u64 = 3;

/// Judges a KeyDescription.
pub(super) fn description(
    said: &KeyDescription,
    chain: &[Certificate],
    check: &Check<'_>,
    findings: &mut Vec<Finding>,
) {
    let mut judge = Judge {
        said,
        hardware: &said.hardware_enforced,
        check,
        findings,
    };
    judge.challenge();
    judge.key(chain);
    judge.tags();
    judge.versions();
    judge.security_level(chain);
    judge.boot();
    judge.system();
    judge.patches();
    judge.origin();
    judge.purposes();
    judge.protections();
    judge.application();
}

struct Judge<'a> {
    said: &'a KeyDescription,
    hardware: &'a AuthorizationList,
    check: &'a Check<'a>,
    findings: &'a mut Vec<Finding>,
}

impl Judge<'_> {
    fn add(&mut self, rule: &Rule, subject: &str, evidence: impl Into<String>) {
        self.findings.push(rule.finding(subject, evidence));
    }

    fn challenge(&mut self) {
        match self.check.challenge {
            None => self.add(
                &rules::CHALLENGE_UNKNOWN,
                "attestationChallenge",
                "there is none to compare it with",
            ),
            Some(expected) if !same(expected, &self.said.challenge) => self.add(
                &rules::CHALLENGE,
                "attestationChallenge",
                "it is another one than was given",
            ),
            Some(_) => {}
        }
    }

    fn key(&mut self, chain: &[Certificate]) {
        let Some(Ok(key)) = chain.first().map(Certificate::public_key) else {
            let algorithm = self.hardware.algorithm.unwrap_or_default();
            return self.add(
                &rules::ANDROID_KEY_PARAMETERS,
                "the attested key",
                format!("not EC on P-256, P-384 or P-521 (KeyMint's algorithm {algorithm})"),
            );
        };
        let (curve, bits) = match key.curve() {
            Curve::P256 => (1, 256),
            Curve::P384 => (2, 384),
            Curve::P521 => (3, 521),
        };
        let hardware = self.hardware;
        let described = hardware.algorithm == Some(EC)
            && hardware.ec_curve.is_none_or(|stated| stated == curve)
            && hardware.key_size.is_none_or(|stated| stated == bits)
            && (hardware.ec_curve.is_some() || hardware.key_size.is_some());
        if !described {
            self.add(
                &rules::ANDROID_KEY_PARAMETERS,
                "hardwareEnforced",
                format!(
                    "algorithm {:?}, size {:?} and curve {:?} do not describe a key on {}",
                    hardware.algorithm,
                    hardware.key_size,
                    hardware.ec_curve,
                    key.curve().name()
                ),
            );
        }
        if self.check.key.is_some_and(|expected| *expected != key) {
            self.add(
                &rules::KEY,
                "the attested key",
                format!("{} is another key", key.thumbprint_b64()),
            );
        }
    }

    fn tags(&mut self) {
        let severity = match self.check.policy.unordered_tags {
            Leniency::Refuse => Severity::Error,
            Leniency::Warn => Severity::Warning,
        };
        for (name, list) in [
            ("softwareEnforced", &self.said.software_enforced),
            ("hardwareEnforced", &self.said.hardware_enforced),
        ] {
            if !list.in_order {
                self.findings.push(rules::ANDROID_TAG_ORDER.finding_as(
                    severity,
                    name,
                    "its tags are not in ascending order",
                ));
            }
            if !list.unknown.is_empty() {
                let tags = format!("tags {:?} are not known", list.unknown);
                self.add(&rules::ANDROID_UNKNOWN_TAG, name, tags);
            }
        }
    }

    fn versions(&mut self) {
        let attestation = self.said.attestation_version;
        let keymint = self.said.keymint_version;
        if !ATTESTATION_VERSIONS.contains(&attestation) || !KEYMINT_VERSIONS.contains(&keymint) {
            self.add(
                &rules::ANDROID_VERSION,
                "attestationVersion",
                format!("attestation version {attestation} with KeyMint version {keymint} is not defined"),
            );
        } else if attestation < self.check.policy.min_attestation_version {
            let least = self.check.policy.min_attestation_version;
            self.add(
                &rules::ANDROID_VERSION,
                "attestationVersion",
                format!("{attestation}, at least {least} is required"),
            );
        }
    }

    fn security_level(&mut self, chain: &[Certificate]) {
        let attestation = self.said.attestation_security_level;
        let key = self.said.keymint_security_level;
        let least = self.check.policy.security_level;
        if attestation != key {
            self.add(
                &rules::ANDROID_SECURITY_LEVEL,
                "attestationSecurityLevel",
                format!("the key is in {key}, and attested by {attestation}"),
            );
        }
        if attestation.min(key) < least {
            let found = attestation.min(key);
            self.add(
                &rules::ANDROID_SECURITY_LEVEL,
                "keyMintSecurityLevel",
                format!("{found}, at least {least} is required"),
            );
        }
        if let Some(named) = chain.get(1).and_then(named_level) {
            if named < attestation {
                self.add(
                    &rules::ANDROID_SECURITY_LEVEL,
                    &nth(1),
                    format!("its attesting key is in {named}, the attestation says {attestation}"),
                );
            }
        } else if attestation == SecurityLevel::StrongBox {
            self.add(
                &rules::ANDROID_SECURITY_LEVEL,
                &nth(1),
                "a secure element's certificate says StrongBox, this one does not",
            );
        }
    }

    fn boot(&mut self) {
        let Some(root) = &self.hardware.root_of_trust else {
            return self.add(
                &rules::ANDROID_BOOT,
                "hardwareEnforced.rootOfTrust",
                "hardware does not say what was booted",
            );
        };
        let sound = |state| matches!(state, BootState::Verified | BootState::SelfSigned);
        if !root.device_locked || !sound(root.verified_boot_state) {
            let lock = if root.device_locked {
                "locked"
            } else {
                "unlocked"
            };
            let severity = if self.check.policy.unlocked_devices {
                Severity::Warning
            } else {
                Severity::Error
            };
            self.findings.push(rules::ANDROID_BOOT.finding_as(
                severity,
                "hardwareEnforced.rootOfTrust",
                format!(
                    "the device is {lock}, the system {}",
                    root.verified_boot_state
                ),
            ));
        } else {
            self.boot_key(root);
        }
    }

    fn boot_key(&mut self, root: &RootOfTrust) {
        let place = "hardwareEnforced.rootOfTrust.verifiedBootKey";
        if root.verified_boot_state == BootState::Verified {
            if root.has_no_key() {
                self.add(&rules::ANDROID_BOOT_KEY_ZERO, place, "it is zeros");
            }
            return;
        }
        let known = self.check.policy.boot_keys.iter();
        match known
            .clone()
            .find(|known| same(&known.key, &root.verified_boot_key))
        {
            Some(known) => {
                let name = format!("the system is signed by {}", known.name);
                self.add(&rules::ANDROID_BOOT_KEY_OWN, place, name);
            }
            None => self.add(
                &rules::ANDROID_BOOT,
                place,
                format!(
                    "{} is none of the {} that are accepted",
                    hex::encode(&root.verified_boot_key),
                    known.count()
                ),
            ),
        }
    }

    fn system(&mut self) {
        if let Some(least) = self.check.policy.min_os_version
            && self.hardware.os_version.is_none_or(|found| found < least)
        {
            let found = shown(self.hardware.os_version);
            self.add(
                &rules::ANDROID_OS_VERSION,
                "hardwareEnforced.osVersion",
                format!("{found}, at least {least} is required"),
            );
        }
    }

    fn patches(&mut self) {
        let policy = self.check.policy;
        for (name, found, least) in [
            (
                "osPatchLevel",
                self.hardware.os_patch_level,
                policy.min_os_patch_level,
            ),
            (
                "vendorPatchLevel",
                self.hardware.vendor_patch_level,
                policy.min_vendor_patch_level,
            ),
            (
                "bootPatchLevel",
                self.hardware.boot_patch_level,
                policy.min_boot_patch_level,
            ),
        ] {
            if let Some(least) = least
                && found.is_none_or(|found| older(found, least))
            {
                let found = shown(found);
                self.add(
                    &rules::ANDROID_PATCH_LEVEL,
                    &format!("hardwareEnforced.{name}"),
                    format!("{found}, at least {least} is required"),
                );
            }
        }
        if let Some(most) = policy.max_os_patch_age_months {
            let age = self.hardware.os_patch_level.and_then(|level| {
                let now = self.check.at.to_zoned(TimeZone::UTC).date();
                Some(i64::from(now.year()) * 12 + i64::from(now.month()) - month(level)?)
            });
            if age.is_none_or(|age| age > i64::from(most)) {
                let found = shown(self.hardware.os_patch_level);
                let rule = match age {
                    Some(_) => &rules::ANDROID_PATCH_AGE,
                    None => &rules::ANDROID_PATCH_LEVEL,
                };
                self.add(
                    rule,
                    "hardwareEnforced.osPatchLevel",
                    format!(
                        "{found} at {}, at most {most} months are accepted",
                        self.check.at
                    ),
                );
            }
        }
    }

    fn origin(&mut self) {
        if self.hardware.origin != Some(Origin::Generated) {
            let found = self
                .hardware
                .origin
                .map_or_else(|| "absent".into(), |origin| format!("{origin:?}"));
            self.add(&rules::ANDROID_ORIGIN, "hardwareEnforced.origin", found);
        }
    }

    fn purposes(&mut self) {
        let policy = self.check.policy;
        let found = self.hardware.purposes.as_deref().unwrap_or_default();
        for required in &policy.required_purposes {
            if !found.contains(required) {
                let missing = format!("{} is missing", required.name());
                self.add(&rules::ANDROID_PURPOSE, "hardwareEnforced.purpose", missing);
            }
        }
        for purpose in found {
            if !policy.allowed_purposes.contains(purpose) || *purpose == Purpose::AttestKey {
                let extra = format!("{} is not allowed", purpose.name());
                self.add(&rules::ANDROID_PURPOSE, "hardwareEnforced.purpose", extra);
            }
        }
    }

    fn protections(&mut self) {
        let policy = self.check.policy;
        if policy.rollback_resistance && !self.hardware.rollback_resistance {
            self.add(
                &rules::ANDROID_ROLLBACK,
                "hardwareEnforced.rollbackResistance",
                "absent",
            );
        }
        let asks = self
            .hardware
            .user_auth_type
            .is_some_and(|kinds| kinds & 3 != 0);
        if policy.user_authentication && (self.hardware.no_auth_required || !asks) {
            self.add(
                &rules::ANDROID_AUTHENTICATION,
                "hardwareEnforced.userAuthType",
                "hardware lets anyone who holds the device use the key",
            );
        }
    }

    fn application(&mut self) {
        let place = "softwareEnforced.attestationApplicationId";
        if self.check.policy.apps.is_empty() {
            return self.add(
                &rules::ANDROID_APPLICATION_UNKNOWN,
                place,
                "the policy names no app",
            );
        }
        match &self.said.software_enforced.application_id {
            None => self.add(&rules::ANDROID_APPLICATION, place, "absent"),
            Some(id) => {
                if let Err(why) = application(id, &self.check.policy.apps) {
                    self.add(&rules::ANDROID_APPLICATION, place, why);
                }
            }
        }
    }
}

/// Apps that share a user id share their keys: every one of them must be named.
fn application(id: &ApplicationId, apps: &[App]) -> Result<(), String> {
    if id.packages.is_empty() {
        return Err("it names no package".into());
    }
    if id.signers.is_empty() {
        return Err("it names no signer".into());
    }
    for package in &id.packages {
        let name = &package.name;
        let app = apps
            .iter()
            .find(|app| app.package == *name)
            .ok_or_else(|| format!("the package {name:?} is none that the policy names"))?;
        if package.version < app.min_version {
            return Err(format!(
                "{name} is of version {}, at least {} is required",
                package.version, app.min_version
            ));
        }
        let accepted = |signer: &Vec<u8>| app.signers.iter().any(|known| same(&known.0, signer));
        if let Some(other) = id.signers.iter().find(|signer| !accepted(signer)) {
            return Err(format!("{name} is signed by {}", hex::encode(other)));
        }
    }
    Ok(())
}

/// The level in the subject of the attesting key's certificate: its title from
/// factories, its organization from remote provisioning.
fn named_level(certificate: &Certificate) -> Option<SecurityLevel> {
    let name = certificate.subject_name();
    [name.first(oid::TITLE), name.organization()]
        .into_iter()
        .flatten()
        .find_map(|text| match text.as_str() {
            "StrongBox" => Some(SecurityLevel::StrongBox),
            "TEE" => Some(SecurityLevel::TrustedEnvironment),
            _ => None,
        })
}

/// Compared by month where one of them has no day.
fn older(found: u64, least: u64) -> bool {
    let with_day = |level: u64| level > 999_999;
    match (with_day(found), with_day(least)) {
        (true, false) => found / 100 < least,
        (false, true) => found < least / 100,
        _ => found < least,
    }
}

/// The months since the year 0 of a patch level; `None` where it is none.
fn month(level: u64) -> Option<i64> {
    let level = if level > 999_999 { level / 100 } else { level };
    let (year, month) = (level / 100, level % 100);
    if !(2000..=9999).contains(&year) || !(1..=12).contains(&month) {
        return None;
    }
    i64::try_from(year * 12 + month).ok()
}

fn shown(number: Option<u64>) -> String {
    number.map_or_else(|| "absent".into(), |number| number.to_string())
}
