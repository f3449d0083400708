//! Real chains: each says what the JSON beside it says, and is judged as its
//! device deserves.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod changed;
mod support;

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use device_evidence::android::{
    self, AndroidPolicy, ApplicationId, AuthorizationList, BootState, Check, KeyDescription,
    Levels, Origin, Provisioning, Said, SecurityLevel,
};
use device_evidence::{App, Assessment, AttackPotential, Digest, rules};
use finding::Trusted;
use pki::Certificate;
use serde_json::{Map, Value, json};
use support::{chains_with_json, time};

fn folder(test: &str) -> Option<PathBuf> {
    let folder = claviger_fixtures::vectors().map(|v| v.join("android-key-attestation"));
    if folder.is_none() {
        claviger_fixtures::skip(test, "there is no folder of test vectors");
    }
    folder
}

fn chain(path: &Path) -> Vec<Certificate> {
    pki::read_chain(&std::fs::read(path).unwrap()).unwrap()
}

/// A time at which the chain's remotely provisioned certificates are valid.
fn lived(chain: &[Certificate]) -> jiff::Timestamp {
    let from = chain.iter().skip(1).map(Certificate::not_before).max();
    from.unwrap() + jiff::SignedDuration::from_hours(1)
}

fn assess(
    chain: &[Certificate],
    challenge: Option<&[u8]>,
    policy: &AndroidPolicy,
) -> Assessment<Said> {
    let at = lived(chain);
    let list = android::RevocationList::from_json(br#"{"entries":{}}"#, at).unwrap();
    let check = Check {
        policy,
        challenge,
        key: None,
        revocation: Some(&list),
        at,
    };
    android::assess_certificates(chain, &check)
}

/// A policy that names the app whose key it is.
fn naming_its_app(description: &KeyDescription) -> AndroidPolicy {
    let app = description.software_enforced.application_id.as_ref();
    let app = app.unwrap();
    let signers: Vec<_> = app
        .signers
        .iter()
        .map(|s| Digest(s.as_slice().try_into().unwrap()))
        .collect();
    let named = |package: &android::Package| App {
        package: package.name.clone(),
        signers: signers.clone(),
        min_version: package.version,
    };
    AndroidPolicy {
        apps: app.packages.iter().map(named).collect(),
        levels: Levels::BY_PLACE,
        ..AndroidPolicy::default()
    }
}

#[test]
fn every_chain_says_what_the_json_beside_it_says() {
    let Some(folder) = folder("every_chain_says_what_the_json_beside_it_says") else {
        return;
    };
    let files = chains_with_json(&folder);
    assert_eq!(files.len(), 13);
    for file in files {
        let expected: Value =
            serde_json::from_slice(&std::fs::read(file.with_extension("json")).unwrap()).unwrap();
        let chain = chain(&file);
        let assessment = assess(&chain, None, &AndroidPolicy::default());
        let said = assessment.says.as_ref().unwrap();
        assert_eq!(
            described(&said.description),
            without_order(expected),
            "{file:?}"
        );
        assert!(
            assessment.root.as_deref().unwrap().contains("RSA"),
            "{file:?}"
        );
        for rule in [
            &rules::ANDROID_SIGNATURE,
            &rules::ANDROID_ROOT,
            &rules::ANDROID_CA,
            &rules::ANDROID_EXTENDED,
            &rules::ANDROID_VALIDITY,
        ] {
            assert!(
                !assessment.refused_for(rule),
                "{file:?}: {:#?}",
                assessment.findings
            );
        }
    }
}

/// The devices of the vectors: who is unlocked is refused for that, and earns
/// nothing; who is locked is accepted.
#[test]
fn every_chain_is_judged_as_its_device_deserves() {
    let Some(folder) = folder("every_chain_is_judged_as_its_device_deserves") else {
        return;
    };
    for file in chains_with_json(&folder) {
        let chain = chain(&file);
        let name = file.to_string_lossy().into_owned();
        let first = assess(&chain, None, &AndroidPolicy::default());
        let description = first.says.unwrap().description;
        let policy = naming_its_app(&description);
        let assessment = assess(&chain, Some(&description.challenge), &policy);
        let root = description
            .hardware_enforced
            .root_of_trust
            .as_ref()
            .unwrap();
        if root.device_locked {
            assert_eq!(
                assessment.accepted,
                Trusted::Yes,
                "{name}: {:#?}",
                assessment.findings
            );
            let level = match description.keymint_security_level {
                SecurityLevel::StrongBox => AttackPotential::Moderate,
                _ => AttackPotential::EnhancedBasic,
            };
            assert_eq!(assessment.key_storage, Some(level), "{name}");
        } else {
            assert!(assessment.refused_for(&rules::ANDROID_BOOT), "{name}");
            assert_eq!(assessment.key_storage, None, "{name}");
        }
        let rsa = description.hardware_enforced.algorithm == Some(1);
        assert_eq!(
            assessment.refused_for(&rules::ANDROID_KEY_PARAMETERS),
            rsa,
            "{name}"
        );
        let remote = matches!(
            assessment.says.unwrap().provisioning,
            Provisioning::Remote { .. }
        );
        assert_eq!(
            remote,
            name.contains("akita") || name.contains("caiman"),
            "{name}"
        );
    }
}

#[test]
fn a_remotely_provisioned_chain_needs_no_root_and_ends() {
    let Some(folder) = folder("a_remotely_provisioned_chain_needs_no_root_and_ends") else {
        return;
    };
    let mut chain = chain(&folder.join("caiman/sdk36/SB_EC_RKP.pem"));
    chain.pop();
    let assessment = assess(&chain, None, &AndroidPolicy::default());
    assert_eq!(assessment.accepted, Trusted::Undecided);
    assert!(assessment.root.unwrap().contains("RSA"));
    let policy = AndroidPolicy::default();
    let late = Check {
        policy: &policy,
        challenge: None,
        key: None,
        revocation: None,
        at: time("2026-11-20T00:00:00Z"),
    };
    let late = android::assess_certificates(&chain, &late);
    assert!(late.refused_for(&rules::ANDROID_VALIDITY));
}

/// The batch certificate of this device is no CA, and both the batch and the root
/// certificate have expired.
#[test]
fn an_early_factory_chain_stands_and_is_told() {
    let Some(folder) = folder("an_early_factory_chain_stands_and_is_told") else {
        return;
    };
    let chain = chain(&folder.join("sony-xperia10-iii/sdk33/TEE_EC.pem"));
    let policy = AndroidPolicy::default();
    let check = Check {
        policy: &policy,
        challenge: None,
        key: None,
        revocation: None,
        at: time("2026-11-20T00:00:00Z"),
    };
    let assessment = android::assess_certificates(&chain, &check);
    assert_eq!(
        assessment.accepted,
        Trusted::Undecided,
        "{:#?}",
        assessment.findings
    );
    for rule in [&rules::ANDROID_LEGACY_CA, &rules::ANDROID_EXPIRED_FACTORY] {
        assert!(
            assessment.findings.iter().any(|f| f.is(rule)),
            "{}",
            rule.id
        );
    }
}

#[test]
fn the_malformed_are_refused_for_their_true_reason() {
    let Some(folder) = folder("the_malformed_are_refused_for_their_true_reason") else {
        return;
    };
    let policy = AndroidPolicy::default();
    let lock = chain(&folder.join("invalid/malformed_rot_device_locked.pem"));
    let lock = assess(&lock, None, &policy);
    assert_eq!(lock.accepted, Trusted::No);
    let finding = lock
        .findings
        .iter()
        .find(|f| f.is(&rules::ANDROID_EXTENSION))
        .unwrap();
    assert!(
        finding.evidence.contains("deviceLocked: a BOOLEAN of 0x01"),
        "{}",
        finding.evidence
    );
    let order = chain(&folder.join("invalid/tags_not_in_ascending_order.pem"));
    let order = assess(&order, None, &policy);
    assert_eq!(order.accepted, Trusted::No);
    assert!(order.refused_for(&rules::ANDROID_TAG_ORDER));
    assert!(!order.refused_for(&rules::ANDROID_EXTENSION));
}

#[test]
fn the_known_roots_are_googles() {
    let Some(folder) = folder("the_known_roots_are_googles") else {
        return;
    };
    let roots: Vec<String> =
        serde_json::from_slice(&std::fs::read(folder.join("roots.json")).unwrap()).unwrap();
    let roots: Vec<Certificate> = roots
        .iter()
        .flat_map(|pem| pki::read_chain(pem.as_bytes()).unwrap())
        .collect();
    let known = android::google_roots();
    assert_eq!(known.len(), roots.len());
    for (known, root) in known.iter().zip(&roots) {
        assert_eq!(known.spki_der(), root.spki_der(), "{}", known.name);
    }
}

/// Of every chain, each class of bytes of each certificate: header, serial number,
/// extensions, signature. What is found beside what the device itself deserves is what
/// such a byte can break.
#[test]
fn a_changed_byte_is_refused_for_what_it_breaks() {
    let Some(folder) = folder("a_changed_byte_is_refused_for_what_it_breaks") else {
        return;
    };
    for file in chains_with_json(&folder) {
        let chain = chain(&file);
        let description = assess(&chain, None, &AndroidPolicy::default())
            .says
            .unwrap()
            .description;
        let policy = naming_its_app(&description);
        let at = lived(&chain);
        let list = android::RevocationList::from_json(br#"{"entries":{}}"#, at).unwrap();
        let check = Check {
            policy: &policy,
            challenge: Some(&description.challenge),
            key: None,
            revocation: Some(&list),
            at,
        };
        let ders: Vec<Vec<u8>> = chain.iter().map(|c| c.der().to_vec()).collect();
        let before = changed::errors(&android::assess(&ders, &check));
        let authentic = |id: &String| *id != rules::ANDROID_SIGNATURE.id;
        assert!(before.iter().all(authentic), "{file:?}: {before:?}");
        for (position, der) in ders.iter().enumerate() {
            let parts = changed::android_certificate(der, position, position + 1 == ders.len());
            changed::try_each(der, &parts, |other| {
                let mut chain = ders.clone();
                chain[position] = other.to_vec();
                let assessment = android::assess(&chain, &check);
                assert_eq!(assessment.accepted, Trusted::No, "{file:?}");
                let mut found = changed::errors(&assessment);
                found.retain(|id| !before.contains(id));
                found
            });
        }
    }
}

/// A bit in every part of every certificate of one chain, and certificates that are
/// missing or another's.
#[test]
fn no_changed_chain_is_accepted() {
    let Some(folder) = folder("no_changed_chain_is_accepted") else {
        return;
    };
    let chain = chain(&folder.join("caiman/sdk36/TEE_EC_RKP.pem"));
    let at = lived(&chain);
    let list = android::RevocationList::from_json(br#"{"entries":{}}"#, at).unwrap();
    let ders: Vec<Vec<u8>> = chain.iter().map(|c| c.der().to_vec()).collect();
    let challenge = assess(&chain, None, &AndroidPolicy::default())
        .says
        .unwrap()
        .description
        .challenge;
    let policy = AndroidPolicy {
        apps: vec![App {
            package: "com.google.android.attestation".into(),
            signers: vec![Digest(
                STANDARD
                    .decode("EDk47kU35Z6O55L2VFBPuDRvxrNG0LvEQV/DOfz8jsE=")
                    .unwrap()
                    .try_into()
                    .unwrap(),
            )],
            min_version: 0,
        }],
        ..AndroidPolicy::default()
    };
    let check = Check {
        policy: &policy,
        challenge: Some(&challenge),
        key: None,
        revocation: Some(&list),
        at,
    };
    assert_eq!(android::assess(&ders, &check).accepted, Trusted::Yes);
    let authenticity = [
        &rules::ANDROID_SIGNATURE,
        &rules::ANDROID_ROOT,
        &rules::ANDROID_CHAIN,
    ];
    for position in 0..ders.len() {
        for byte in (0..ders[position].len()).step_by(7) {
            let mut changed = ders.clone();
            changed[position][byte] ^= 0x10;
            let assessment = android::assess(&changed, &check);
            assert_eq!(
                assessment.accepted,
                Trusted::No,
                "certificate {position}, byte {byte}"
            );
            assert!(
                authenticity.iter().any(|rule| assessment.refused_for(rule)),
                "certificate {position}, byte {byte}: {:#?}",
                assessment.findings
            );
        }
    }
    // Cut short, turned around, with one missing or one of another device's.
    for len in (0..ders[0].len()).step_by(13) {
        let mut cut = ders.clone();
        cut[0].truncate(len);
        assert!(android::assess(&cut, &check).refused_for(&rules::ANDROID_CHAIN));
    }
    let mut turned = ders.clone();
    turned.reverse();
    assert!(android::assess(&turned, &check).refused_for(&rules::ANDROID_SIGNATURE));
    for missing in 1..ders.len() - 1 {
        let mut gap = ders.clone();
        gap.remove(missing);
        assert!(android::assess(&gap, &check).refused_for(&rules::ANDROID_SIGNATURE));
    }
    let other =
        pki::read_chain(&std::fs::read(folder.join("akita/sdk34/TEE_EC_NONE.pem")).unwrap());
    let mut mixed = ders.clone();
    mixed[1] = other.unwrap()[1].der().to_vec();
    assert!(android::assess(&mixed, &check).refused_for(&rules::ANDROID_SIGNATURE));
}

// The form of Google's JSON.

fn described(said: &KeyDescription) -> Value {
    let level = |level| match level {
        SecurityLevel::Software => "SOFTWARE",
        SecurityLevel::TrustedEnvironment => "TRUSTED_ENVIRONMENT",
        SecurityLevel::StrongBox => "STRONG_BOX",
    };
    json!({
        "attestationVersion": said.attestation_version.to_string(),
        "attestationSecurityLevel": level(said.attestation_security_level),
        "keyMintVersion": said.keymint_version.to_string(),
        "keyMintSecurityLevel": level(said.keymint_security_level),
        "attestationChallenge": STANDARD.encode(&said.challenge),
        "uniqueId": STANDARD.encode(&said.unique_id),
        "softwareEnforced": list(&said.software_enforced),
        "hardwareEnforced": list(&said.hardware_enforced),
    })
}

fn list(list: &AuthorizationList) -> Value {
    let mut map = Map::new();
    let mut put = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            map.insert(name.into(), value);
        }
    };
    let number = |n: Option<u64>| n.map(|n| Value::from(n.to_string()));
    let numbers = |n: &Option<Vec<u64>>| {
        n.as_ref()
            .map(|n| n.iter().map(u64::to_string).collect::<Vec<_>>().into())
    };
    let flag = |set: bool| set.then_some(Value::Bool(true));
    let text = |t: &Option<String>| t.clone().map(Value::from);
    put(
        "purposes",
        list.purposes.as_ref().map(|purposes| {
            let purposes = purposes.iter().map(|p| p.number().to_string());
            purposes.collect::<Vec<_>>().into()
        }),
    );
    put("algorithms", number(list.algorithm));
    put("keySize", number(list.key_size));
    put("blockModes", numbers(&list.block_modes));
    put("digests", numbers(&list.digests));
    put("paddings", numbers(&list.paddings));
    put("ecCurve", number(list.ec_curve));
    put("rsaPublicExponent", number(list.rsa_public_exponent));
    put("rsaOaepMgfDigests", numbers(&list.rsa_oaep_mgf_digests));
    put("rollbackResistant", flag(list.rollback_resistance));
    put("activeDateTime", number(list.active_date_time));
    put(
        "originationExpireDateTime",
        number(list.origination_expire_date_time),
    );
    put("usageExpireDateTime", number(list.usage_expire_date_time));
    put("usageCountLimit", number(list.usage_count_limit));
    put("noAuthRequired", flag(list.no_auth_required));
    put("userAuthType", number(list.user_auth_type));
    put("authTimeout", number(list.auth_timeout));
    put(
        "trustedUserPresenceRequired",
        flag(list.trusted_user_presence_required),
    );
    put(
        "unlockedDeviceRequired",
        flag(list.unlocked_device_required),
    );
    put("creationDateTime", number(list.creation_date_time));
    put(
        "origin",
        list.origin.map(|origin| match origin {
            Origin::Generated => "GENERATED".into(),
            other => format!("{other:?}").into(),
        }),
    );
    put(
        "rootOfTrust",
        list.root_of_trust.as_ref().map(|root| {
            json!({
                "verifiedBootKey": STANDARD.encode(&root.verified_boot_key),
                "deviceLocked": root.device_locked,
                "verifiedBootState": match root.verified_boot_state {
                    BootState::Verified => "VERIFIED",
                    BootState::SelfSigned => "SELF_SIGNED",
                    BootState::Unverified => "UNVERIFIED",
                    BootState::Failed => "FAILED",
                },
                "verifiedBootHash": STANDARD.encode(root.verified_boot_hash.as_ref().unwrap()),
            })
        }),
    );
    put("osVersion", number(list.os_version));
    put("osPatchLevel", number(list.os_patch_level));
    put(
        "attestationApplicationId",
        list.application_id.as_ref().map(application),
    );
    put("attestationIdBrand", text(&list.device.brand));
    put("attestationIdDevice", text(&list.device.device));
    put("attestationIdProduct", text(&list.device.product));
    put("attestationIdSerial", text(&list.device.serial));
    put("attestationIdImei", text(&list.device.imei));
    put("attestationIdMeid", text(&list.device.meid));
    put("attestationIdManufacturer", text(&list.device.manufacturer));
    put("attestationIdModel", text(&list.device.model));
    put("vendorPatchLevel", number(list.vendor_patch_level));
    put("bootPatchLevel", number(list.boot_patch_level));
    put("attestationIdSecondImei", text(&list.device.second_imei));
    put(
        "moduleHash",
        list.module_hash
            .as_ref()
            .map(|hash| STANDARD.encode(hash).into()),
    );
    assert!(list.in_order && list.unknown.is_empty());
    Value::Object(map)
}

fn application(id: &ApplicationId) -> Value {
    let packages: Vec<Value> = id
        .packages
        .iter()
        .map(|package| json!({"name": package.name, "version": package.version.to_string()}))
        .collect();
    let signatures: Vec<String> = id.signers.iter().map(|s| STANDARD.encode(s)).collect();
    json!({"packages": packages, "signatures": signatures})
}

/// Some files say that the tags are in order; every one of them is.
fn without_order(mut expected: Value) -> Value {
    for name in ["softwareEnforced", "hardwareEnforced"] {
        let list = expected[name].as_object_mut().unwrap();
        assert!(
            list.remove("areTagsOrdered")
                .is_none_or(|ordered| ordered == true)
        );
    }
    expected
}
