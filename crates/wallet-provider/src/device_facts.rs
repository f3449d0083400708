//! What an Android device's hardware says of the device itself, and whether it got
//! worse since it was looked at last.

use device_evidence::android::{BootState, Said};
use finding::Finding;
use provider_api::rules;
use serde::{Deserialize, Serialize};

/// The facts of a device that outlive the key they were stated with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeviceFacts {
    /// What was booted; absent where hardware does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boot: Option<BootFacts>,
    /// MMmmss: 130000 is Android 13.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub os_version: Option<u64>,
    /// YYYYMM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub os_patch_level: Option<u64>,
    /// YYYYMMDD or YYYYMM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vendor_patch_level: Option<u64>,
    /// YYYYMMDD or YYYYMM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boot_patch_level: Option<u64>,
    /// Brand, manufacturer, model and device, those that hardware states.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
}

/// What a device booted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BootFacts {
    /// Whether the bootloader is locked.
    pub locked: bool,
    /// What was verified.
    pub state: BootState,
    /// The key that the system is signed with, in hex.
    pub key: String,
}

impl DeviceFacts {
    /// The facts in an attestation: those that hardware holds to, since software's word
    /// on the device it runs on counts for nothing.
    pub(crate) fn of(said: &Said) -> Self {
        let hardware = &said.description.hardware_enforced;
        let ids = &hardware.device;
        let named: Vec<&str> = [&ids.brand, &ids.manufacturer, &ids.model, &ids.device]
            .into_iter()
            .filter_map(|name| name.as_deref())
            .collect();
        Self {
            boot: hardware.root_of_trust.as_ref().map(|root| BootFacts {
                locked: root.device_locked,
                state: root.verified_boot_state,
                key: hex::encode(&root.verified_boot_key),
            }),
            os_version: hardware.os_version,
            os_patch_level: hardware.os_patch_level,
            vendor_patch_level: hardware.vendor_patch_level,
            boot_patch_level: hardware.boot_patch_level,
            model: (!named.is_empty()).then(|| named.join(" ")),
        }
    }

    /// The month of the system's last security patch, YYYYMM.
    pub(crate) fn patch_month(&self) -> Option<u32> {
        self.os_patch_level
            .and_then(|level| u32::try_from(month(level)).ok())
    }

    /// In what the device is worse than it was, or another one: nothing where it is
    /// neither. A device is not rebooted into another system, nor patched back, without
    /// its user or somebody else having opened it.
    pub(crate) fn worse_than(&self, before: &Self) -> Vec<Finding> {
        let mut found = Vec::new();
        let mut add = |subject: &str, now: String, before: String| {
            let evidence = format!("{now} now, {before} before");
            found.push(rules::DEVICE_WORSE.finding(subject, evidence));
        };
        match (&self.boot, &before.boot) {
            (now, Some(before)) if now.as_ref() != Some(before) => {
                let shown = |boot: &BootFacts| {
                    let lock = if boot.locked { "locked" } else { "unlocked" };
                    format!("{lock}, {}, by {}", boot.state, boot.key)
                };
                let now = now.as_ref().map_or("unstated".into(), shown);
                add("rootOfTrust", now, shown(before));
            }
            _ => {}
        }
        for (name, now, before) in [
            ("osVersion", self.os_version, before.os_version),
            ("osPatchLevel", self.os_patch_level, before.os_patch_level),
            (
                "vendorPatchLevel",
                self.vendor_patch_level,
                before.vendor_patch_level,
            ),
            (
                "bootPatchLevel",
                self.boot_patch_level,
                before.boot_patch_level,
            ),
        ] {
            if let Some(before) = before
                && now.is_none_or(|now| goes_back(now, before))
            {
                let now = now.map_or("unstated".into(), |now| now.to_string());
                add(name, now, before.to_string());
            }
        }
        if let (Some(now), Some(before)) = (&self.model, &before.model)
            && now != before
        {
            add("attestationIds", now.clone(), before.clone());
        }
        found
    }
}

/// Whether a level is older than another; where one of them tells no day, by month.
fn goes_back(now: u64, before: u64) -> bool {
    let day = |level: u64| level > 999_999;
    match (day(now), day(before)) {
        (true, false) | (false, true) => month(now) < month(before),
        _ => now < before,
    }
}

fn month(level: u64) -> u64 {
    if level > 999_999 { level / 100 } else { level }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn facts() -> DeviceFacts {
        DeviceFacts {
            boot: Some(BootFacts {
                locked: true,
                state: BootState::Verified,
                key: "07".into(),
            }),
            os_version: Some(160_000),
            os_patch_level: Some(202_610),
            vendor_patch_level: Some(20_261_005),
            boot_patch_level: Some(202_610),
            model: Some("examplebrand Example One".into()),
        }
    }

    #[test]
    fn a_device_that_is_as_it_was_or_newer_is_not_worse() {
        let mut newer = facts();
        newer.os_version = Some(170_000);
        newer.os_patch_level = Some(202_611);
        newer.vendor_patch_level = Some(202_610);
        newer.boot_patch_level = Some(20_261_001);
        for now in [facts(), newer] {
            assert_eq!(now.worse_than(&facts()), []);
        }
        // What was not stated before is no promise.
        let mut before = facts();
        (before.boot, before.model, before.os_patch_level) = (None, None, None);
        assert_eq!(facts().worse_than(&before), []);
        assert_eq!(facts().patch_month(), Some(202_610));
    }

    #[test]
    fn each_way_of_being_worse_is_told() {
        type Change = fn(&mut DeviceFacts);
        let cases: [(&str, Change); 10] = [
            ("rootOfTrust", |now| {
                now.boot.as_mut().unwrap().locked = false
            }),
            ("rootOfTrust", |now| {
                now.boot.as_mut().unwrap().state = BootState::SelfSigned;
            }),
            ("rootOfTrust", |now| {
                now.boot.as_mut().unwrap().key = "08".into()
            }),
            ("rootOfTrust", |now| now.boot = None),
            ("osVersion", |now| now.os_version = Some(150_000)),
            ("osPatchLevel", |now| now.os_patch_level = Some(202_609)),
            ("osPatchLevel", |now| now.os_patch_level = None),
            ("vendorPatchLevel", |now| {
                now.vendor_patch_level = Some(20_261_004)
            }),
            ("bootPatchLevel", |now| {
                now.boot_patch_level = Some(20_260_930)
            }),
            ("attestationIds", |now| now.model = Some("another".into())),
        ];
        for (subject, change) in cases {
            let mut now = facts();
            change(&mut now);
            let found = now.worse_than(&facts());
            let subjects: Vec<_> = found.iter().map(|f| f.subject.as_str()).collect();
            assert_eq!(subjects, [subject]);
        }
    }
}
