//! `claviger evidence`: every vector, as a script sees it, and the sample policy.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

#[path = "../../device-evidence/tests/support/mod.rs"]
mod devices;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

fn claviger(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_claviger"))
        .arg("evidence")
        .args(arguments)
        .output()
        .unwrap()
}

/// The exit status and the one JSON document.
fn asked(arguments: &[&str]) -> (i32, Value) {
    let output = claviger(&[arguments, &["--json"]].concat());
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let document = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{arguments:?}: {error}: {said}"));
    (output.status.code().unwrap(), document)
}

fn errors(document: &Value) -> Vec<&str> {
    document["findings"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|finding| finding["severity"] == "error")
        .map(|finding| finding["rule"].as_str().unwrap())
        .collect()
}

fn vectors(test: &str) -> Option<PathBuf> {
    let vectors = claviger_fixtures::vectors();
    if vectors.is_none() {
        claviger_fixtures::skip(test, "there is no folder of test vectors");
    }
    vectors
}

fn write(folder: &Path, name: &str, content: impl AsRef<[u8]>) -> String {
    let path = folder.join(name);
    std::fs::write(&path, content).unwrap();
    path.to_str().unwrap().to_owned()
}

fn sample_policy() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"));
    path.join("../../docs/evidence-policy.example.toml")
        .to_str()
        .unwrap()
        .to_owned()
}

/// A path, a time at which the chain's certificates are valid, and whether the
/// device is locked and the key usable.
const CHAINS: &[(&str, &str, bool)] = &[
    ("akita/sdk34/SB_RSA_NONE", "2024-09-27T00:00:00Z", false),
    ("akita/sdk34/TEE_EC_NONE", "2024-09-27T00:00:00Z", false),
    (
        "akita/sdk34/TEE_RSA_BASE+IMEI",
        "2024-09-27T00:00:00Z",
        false,
    ),
    ("akita/sdk34/TEE_RSA_NONE", "2024-09-27T00:00:00Z", false),
    (
        "akita/sdk34/TEE_RSA_NONE_USERAUTH",
        "2024-09-27T00:00:00Z",
        false,
    ),
    ("blueline/sdk28/SB_RSA_NONE", "2026-11-20T00:00:00Z", false),
    (
        "blueline/sdk28/SB_RSA_NONE_USERAUTH",
        "2026-11-20T00:00:00Z",
        false,
    ),
    ("blueline/sdk28/TEE_EC_NONE", "2026-11-20T00:00:00Z", false),
    (
        "blueline/sdk28/TEE_RSA_BASE+IMEI",
        "2026-11-20T00:00:00Z",
        false,
    ),
    ("blueline/sdk28/TEE_RSA_NONE", "2026-11-20T00:00:00Z", false),
    ("caiman/sdk36/SB_EC_RKP", "2025-09-27T00:00:00Z", true),
    ("caiman/sdk36/TEE_EC_RKP", "2025-09-27T00:00:00Z", true),
    (
        "sony-xperia10-iii/sdk33/TEE_EC",
        "2026-11-20T00:00:00Z",
        true,
    ),
];

#[test]
fn every_android_chain_agrees_with_the_json_beside_it() {
    let Some(vectors) = vectors("every_android_chain_agrees_with_the_json_beside_it") else {
        return;
    };
    let chains = vectors.join("android-key-attestation");
    let there: Vec<_> = devices::chains_with_json(&chains)
        .iter()
        .map(|path| path.strip_prefix(&chains).unwrap().with_extension(""))
        .collect();
    let known: Vec<_> = CHAINS
        .iter()
        .map(|(name, ..)| PathBuf::from(name))
        .collect();
    assert_eq!(there, known);
    let folder = tempfile::tempdir().unwrap();
    let list = write(folder.path(), "status.json", r#"{"entries":{}}"#);
    for (name, at, sound) in CHAINS {
        let path = vectors.join("android-key-attestation").join(name);
        let (pem, json) = (
            format!("{}.pem", path.display()),
            format!("{}.json", path.display()),
        );
        let expected: Value = serde_json::from_slice(&std::fs::read(json).unwrap()).unwrap();
        let challenge = format!(
            "base64:{}",
            expected["attestationChallenge"].as_str().unwrap()
        );
        let policy = write(folder.path(), "policy.toml", policy_for(&expected));
        let (status, document) = asked(&[
            "android",
            &pem,
            "--at",
            at,
            "--revocation-list",
            &list,
            "--challenge",
            &challenge,
            "--policy",
            &policy,
        ]);
        agrees(&document["says"], &expected, name);
        let strong_box = expected["keyMintSecurityLevel"] == "STRONG_BOX";
        let (expected_status, level) = match (sound, strong_box) {
            (false, _) => (1, "none"),
            (true, false) => (0, "iso_18045_enhanced-basic"),
            (true, true) => (0, "iso_18045_moderate"),
        };
        assert_eq!(status, expected_status, "{name}: {document:#}");
        assert_eq!(document["key_storage"], level, "{name}");
        if !sound {
            assert!(
                errors(&document).contains(&"EVIDENCE-ANDROID-BOOT"),
                "{name}"
            );
        }
        // Another challenge, and none.
        let base = ["android", &pem, "--at", at, "--revocation-list", &list];
        let (_, other) = asked(&[base.as_slice(), &["--challenge", "hex:00"]].concat());
        assert!(errors(&other).contains(&"EVIDENCE-CHALLENGE"), "{name}");
        let (status, bare) = asked(&base);
        assert_eq!(status, if *sound { 3 } else { 1 }, "{name}");
        assert_eq!(bare["key_storage"], "none", "{name}");
    }
}

/// The app of the vector.
fn policy_for(expected: &Value) -> String {
    let app = &expected["softwareEnforced"]["attestationApplicationId"];
    let signers: Vec<String> = app["signatures"]
        .as_array()
        .unwrap()
        .iter()
        .map(|s| hex::encode(STANDARD.decode(s.as_str().unwrap()).unwrap()))
        .collect();
    if signers.is_empty() {
        return LEVELS.into();
    }
    let package = app["packages"][0]["name"].as_str().unwrap();
    format!("[[android.apps]]\npackage = {package:?}\nsigners = {signers:?}\n{LEVELS}")
}

/// An operator who answers for what is not certified.
const LEVELS: &str = "[android.levels]\ntrusted_environment = \"iso_18045_enhanced-basic\"\n\
                      strong_box = \"iso_18045_moderate\"\n";

fn agrees(says: &Value, expected: &Value, name: &str) {
    let hex_of = |value: &Value| {
        Value::from(hex::encode(
            STANDARD.decode(value.as_str().unwrap()).unwrap(),
        ))
    };
    let number = |value: &Value| match value {
        Value::Null => Value::Null,
        text => Value::from(text.as_str().unwrap().parse::<u64>().unwrap()),
    };
    let level = |value: &Value| match value.as_str().unwrap() {
        "STRONG_BOX" => Value::from("strong_box"),
        other => Value::from(other.to_lowercase()),
    };
    let (hardware, beside) = (&says["hardware_enforced"], &expected["hardwareEnforced"]);
    let (root, beside_root) = (&hardware["root_of_trust"], &beside["rootOfTrust"]);
    let mut pairs = vec![
        (
            says["challenge"].clone(),
            hex_of(&expected["attestationChallenge"]),
        ),
        (
            says["attestation_version"].clone(),
            number(&expected["attestationVersion"]),
        ),
        (
            says["keymint_version"].clone(),
            number(&expected["keyMintVersion"]),
        ),
        (
            says["attestation_security_level"].clone(),
            level(&expected["attestationSecurityLevel"]),
        ),
        (
            says["keymint_security_level"].clone(),
            level(&expected["keyMintSecurityLevel"]),
        ),
        (
            root["device_locked"].clone(),
            beside_root["deviceLocked"].clone(),
        ),
        (
            root["verified_boot_state"].clone(),
            level(&beside_root["verifiedBootState"]),
        ),
        (
            root["verified_boot_key"].clone(),
            hex_of(&beside_root["verifiedBootKey"]),
        ),
        (
            root["verified_boot_hash"].clone(),
            hex_of(&beside_root["verifiedBootHash"]),
        ),
    ];
    for (ours, theirs) in [
        ("algorithm", "algorithms"),
        ("key_size", "keySize"),
        ("ec_curve", "ecCurve"),
        ("os_version", "osVersion"),
        ("os_patch_level", "osPatchLevel"),
        ("vendor_patch_level", "vendorPatchLevel"),
        ("boot_patch_level", "bootPatchLevel"),
        ("user_auth_type", "userAuthType"),
        ("auth_timeout", "authTimeout"),
    ] {
        pairs.push((hardware[ours].clone(), number(&beside[theirs])));
    }
    for (ours, theirs) in [
        ("brand", "attestationIdBrand"),
        ("model", "attestationIdModel"),
        ("imei", "attestationIdImei"),
        ("second_imei", "attestationIdSecondImei"),
    ] {
        pairs.push((hardware["device"][ours].clone(), beside[theirs].clone()));
    }
    let each = |value: &Value, read: &dyn Fn(&Value) -> Value| match value.as_array() {
        None => Value::Null,
        Some(values) => values.iter().map(read).collect(),
    };
    const PURPOSES: [&str; 4] = ["encrypt", "decrypt", "sign", "verify"];
    let purpose = |value: &Value| {
        let place: usize = value.as_str().unwrap().parse().unwrap();
        Value::from(PURPOSES[place])
    };
    let lower = |value: &Value| value.as_str().map(str::to_lowercase).into();
    pairs.extend([
        (
            hardware["purposes"].clone(),
            each(&beside["purposes"], &purpose),
        ),
        (
            hardware["digests"].clone(),
            each(&beside["digests"], &number),
        ),
        (
            hardware["paddings"].clone(),
            each(&beside["paddings"], &number),
        ),
        (hardware["origin"].clone(), lower(&beside["origin"])),
        (
            hardware["no_auth_required"].clone(),
            beside["noAuthRequired"].as_bool().unwrap_or(false).into(),
        ),
    ]);
    let (software, beside) = (&says["software_enforced"], &expected["softwareEnforced"]);
    let app = &beside["attestationApplicationId"];
    let signers = each(&app["signatures"], &hex_of);
    pairs.extend([
        (
            software["creation_date_time"].clone(),
            number(&beside["creationDateTime"]),
        ),
        (software["application_id"]["signers"].clone(), signers),
    ]);
    let package = |package: &Value| {
        serde_json::json!({
            "name": package["name"],
            "version": number(&package["version"]),
        })
    };
    pairs.push((
        software["application_id"]["packages"].clone(),
        each(&app["packages"], &package),
    ));
    for (ours, theirs) in pairs {
        assert_eq!(ours, theirs, "{name}: {says:#}");
    }
}

#[test]
fn the_malformed_are_refused_for_their_true_reason() {
    let Some(vectors) = vectors("the_malformed_are_refused_for_their_true_reason") else {
        return;
    };
    for (name, rule) in [
        ("malformed_rot_device_locked", "EVIDENCE-ANDROID-EXTENSION"),
        ("tags_not_in_ascending_order", "EVIDENCE-ANDROID-TAG-ORDER"),
    ] {
        let path = vectors.join(format!("android-key-attestation/invalid/{name}.pem"));
        let at = "2026-11-20T00:00:00Z";
        let (status, document) = asked(&["android", path.to_str().unwrap(), "--at", at]);
        assert_eq!(status, 1);
        assert!(errors(&document).contains(&rule), "{document:#}");
    }
}

#[test]
fn a_person_reads_what_the_device_says() {
    let Some(vectors) = vectors("a_person_reads_what_the_device_says") else {
        return;
    };
    let path = vectors.join("android-key-attestation/caiman/sdk36/SB_EC_RKP.pem");
    let output = claviger(&[
        "android",
        path.to_str().unwrap(),
        "--at",
        "2025-09-27T00:00:00Z",
    ]);
    assert_eq!(output.status.code(), Some(3));
    let text = String::from_utf8(output.stdout).unwrap();
    for expected in [
        "undecided",
        "level     none",
        "StrongBox (attestation version 300, KeyMint 300)",
        "Google, Pixel 9 Pro",
        "EC P-256, generated, may sign and verify",
        "locked; verified, signed by the maker",
        "Android 16.0.0; patches: system 2025-11, vendor 2025-11-05, boot 2025-11-05",
        "com.google.android.attestation version 0",
        "EVIDENCE-ANDROID-REVOCATION-UNKNOWN",
        "EVIDENCE-CHALLENGE-UNKNOWN",
        "EVIDENCE-ANDROID-APPLICATION-UNKNOWN",
    ] {
        assert!(text.contains(expected), "{expected:?} in\n{text}");
    }
}

#[test]
fn every_app_attest_object_is_judged_as_it_deserves() {
    let Some(vectors) = vectors("every_app_attest_object_is_judged_as_it_deserves") else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let mut judged = 0;
    for name in ["ios-14.2", "ios-14.3-beta-2", "ios-14.3"] {
        let path = vectors.join(format!("app-attest/{name}.yaml"));
        let text = format!("\n{}", std::fs::read_to_string(path).unwrap());
        for document in text.split("\n---\n") {
            let field = |name: &str| {
                let start = format!("{name}: ");
                document
                    .lines()
                    .find_map(|line| line.strip_prefix(&start))
                    .map(|value| value.trim_matches('\'').to_owned())
            };
            let Some(kind) = field("type").filter(|kind| kind != "receipt") else {
                continue;
            };
            let (at, hash) = (
                field("timestamp").unwrap(),
                field("clientDataHashSha256Base64"),
            );
            let hash = format!("base64:{}", hash.unwrap());
            let app = format!(
                "{}.{}",
                field("teamIdentifier").unwrap(),
                field("bundleIdentifier").unwrap()
            );
            let policy = |environment: &str| {
                format!("[apple]\napps = [{app:?}]\nenvironments = [{environment:?}]\n")
            };
            let lenient = write(folder.path(), "development.toml", policy("development"));
            let strict = write(folder.path(), "production.toml", policy("production"));
            let object = field(&format!("{kind}Base64")).unwrap();
            let object = write(folder.path(), "object.txt", object);
            let key: String = document
                .lines()
                .skip_while(|line| !line.starts_with("publicKey"))
                .skip(1)
                .take_while(|line| line.starts_with(' '))
                .map(|line| format!("{}\n", line.trim()))
                .collect();
            let key = write(folder.path(), "key.pem", key);
            let more = if kind == "assertion" {
                vec!["--key", &key, "--development"]
            } else {
                vec![]
            };
            let ask = |policy: &str, hash: &str, more: &[&str]| {
                let base = ["apple", &object, "--at", &at, "--policy", policy];
                asked(&[base.as_slice(), &["--client-data-hash", hash], more].concat())
            };
            let (status, document) = ask(&lenient, &hash, &more);
            assert_eq!(status, 0, "{name} {kind}: {document:#}");
            assert_eq!(document["says"]["app"], app.as_str());
            let plain = ["apple", &object, "--at", &at, "--policy", &lenient];
            let plain = [plain.as_slice(), &["--client-data-hash", &hash], &more].concat();
            let text = String::from_utf8(claviger(&plain).stdout).unwrap();
            for expected in [&*app, &*kind, "accepted  App Attest"] {
                assert!(text.contains(expected), "{expected:?} is not in\n{text}");
            }
            assert_eq!(document["key_storage"], "none");
            let (status, document) = ask(&strict, &hash, &more);
            assert_eq!(status, 1);
            assert_eq!(errors(&document), ["EVIDENCE-APPLE-ENVIRONMENT"]);
            let zeros = format!("hex:{}", "00".repeat(32));
            let (status, document) = ask(&lenient, &zeros, &more);
            assert_eq!(status, 1);
            let broken = errors(&document)[0];
            if kind == "assertion" {
                assert_eq!(broken, "EVIDENCE-APPLE-SIGNATURE");
                let (_, again) = ask(
                    &lenient,
                    &hash,
                    &[more.as_slice(), &["--counter", "9"]].concat(),
                );
                assert_eq!(errors(&again), ["EVIDENCE-APPLE-COUNTER"]);
            } else {
                assert_eq!(broken, "EVIDENCE-APPLE-NONCE");
            }
            judged += 1;
        }
    }
    assert!(judged >= 6, "{judged}");
}

/// The sample is read, and means what it says: the test bed's device is accepted
/// under it, with the level of its made-up certification.
#[test]
fn the_sample_policy_is_read_and_judges() {
    use devices::android::{AT, Bed, CHALLENGE, Description};
    let folder = tempfile::tempdir().unwrap();
    let bed = Bed::strong_box();
    let sample = std::fs::read_to_string(sample_policy()).unwrap();
    let root = STANDARD.encode(bed.root.spki_der());
    let policy = format!("{sample}\n[[android.roots]]\nname = \"test bed\"\nkey = \"{root}\"\n");
    let policy = write(folder.path(), "policy.toml", policy);
    let list = write(folder.path(), "status.json", r#"{"entries":{}}"#);
    let challenge = format!("hex:{}", hex::encode(CHALLENGE));
    let certificates = pki::chain::from_ders(bed.chain(&Description::strong_box())).unwrap();
    let chain = write(
        folder.path(),
        "chain.pem",
        pki::chain::to_pem(&certificates),
    );
    let key = devices::public(&bed.app_key).to_jwk().to_string();
    let key = write(folder.path(), "key.json", key);
    let base = [
        "android",
        &chain,
        "--at",
        AT,
        "--challenge",
        &challenge,
        "--key",
        &key,
    ];
    let ask = |more: &[&str]| asked(&[base.as_slice(), more].concat());
    let (status, document) = ask(&["--policy", &policy, "--revocation-list", &list]);
    assert_eq!(status, 0, "{document:#}");
    assert_eq!(document["key_storage"], "iso_18045_high");
    assert_eq!(document["basis"], "EUCC-3110-2026-0001 (made up)");
    // Without the test bed's root; with an old list; with a serial revoked.
    let (status, document) = ask(&["--policy", &sample_policy(), "--revocation-list", &list]);
    assert_eq!(
        (status, errors(&document)),
        (1, vec!["EVIDENCE-ANDROID-ROOT"])
    );
    let old = ["--revocation-list-of", "2026-11-01T00:00:00Z"];
    let common = ["--policy", &policy, "--revocation-list", &list];
    let (status, document) = ask(&[common.as_slice(), &old].concat());
    assert_eq!(status, 3, "{document:#}");
    let revoked = r#"{"entries":{"abc":{"status":"REVOKED"}}}"#;
    let revoked = write(folder.path(), "revoked.json", revoked);
    let (status, document) = ask(&["--policy", &policy, "--revocation-list", &revoked]);
    assert_eq!(
        (status, errors(&document)),
        (1, vec!["EVIDENCE-ANDROID-REVOKED"])
    );
}

#[test]
fn a_play_token_is_judged_with_the_apps_own_keys() {
    use devices::play::{AT, Bed, NONCE};
    let folder = tempfile::tempdir().unwrap();
    let bed = Bed::new();
    let sample = std::fs::read_to_string(sample_policy()).unwrap();
    let key = STANDARD.encode(devices::public(&bed.key).to_spki_der());
    let sample = sample
        .lines()
        .map(|line| {
            if line.starts_with("verification_key") {
                format!("verification_key = \"{key}\"\n")
            } else {
                format!("{line}\n")
            }
        })
        .collect::<String>();
    let policy = write(folder.path(), "policy.toml", sample);
    let token = write(folder.path(), "token.txt", bed.token(&Bed::sound()));
    let nonce = format!("hex:{}", hex::encode(NONCE));
    let base = ["play", &token, "--at", AT];
    let ask = |more: &[&str]| asked(&[base.as_slice(), more].concat());
    let (status, document) = ask(&["--policy", &policy, "--challenge", &nonce]);
    assert_eq!(status, 0, "{document:#}");
    let plain = ["--policy", &policy, "--challenge", &nonce];
    let shown = claviger(&[base.as_slice(), &plain].concat());
    let text = String::from_utf8(shown.stdout).unwrap();
    for expected in [
        "accepted  Play Integrity token",
        "PLAY_RECOGNIZED, version 7",
        "MEETS_BASIC_INTEGRITY, MEETS_DEVICE_INTEGRITY",
        "LICENSED",
    ] {
        assert!(text.contains(expected), "{expected:?} is not in\n{text}");
    }
    let (status, document) = ask(&["--policy", &policy, "--challenge", "another"]);
    assert_eq!(
        (status, errors(&document)),
        (1, vec!["EVIDENCE-PLAY-NONCE"])
    );
    let (status, _) = ask(&["--policy", &policy]);
    assert_eq!(status, 3);
    let (status, document) = ask(&["--policy", &sample_policy(), "--challenge", &nonce]);
    assert_eq!(
        (status, errors(&document)),
        (1, vec!["EVIDENCE-PLAY-AUTHENTIC"])
    );
}

#[test]
fn what_cannot_be_used_is_said_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let nothing = write(folder.path(), "nothing.pem", "no certificate");
    let wrong = |name: &str, text: &str| write(folder.path(), name, text);
    let token = wrong("token", "a.b.c.d.e");
    let key = "[[android.boot_keys]]\nname = \"zeros\"\nkey = \"00\"\n";
    let no_signer = "[[android.apps]]\npackage = \"a\"\nsigners = []\n";
    let no_model = "[[android.certified]]\nsecurity_level = \"strong_box\"\nlevel = \"iso_18045_high\"\ncertificate = \"x\"\n";
    let object = wrong("object", "oA==");
    let assertion = wrong("assertion", "omlzaWduYXR1cmVAcWF1dGhlbnRpY2F0b3JEYXRhQA==");
    let cases: Vec<(Vec<String>, &str)> = vec![
        (vec!["android".into(), nothing.clone()], "certificate"),
        (vec!["android".into(), "absent.pem".into()], "absent.pem"),
        (vec!["play".into(), token.clone()], "[play]"),
        (vec!["apple".into(), assertion], "--key"),
        (vec!["apple".into(), nothing.clone()], "CBOR"),
        (
            vec![
                "apple".into(),
                object.clone(),
                "--policy".into(),
                wrong("a.toml", "[apple]\napps = [\"x\"]\n"),
            ],
            "App ID",
        ),
        (
            vec![
                "apple".into(),
                object.clone(),
                "--policy".into(),
                wrong("b.toml", "[android]\nsecurity = 1\n"),
            ],
            "security",
        ),
        (
            vec![
                "apple".into(),
                object.clone(),
                "--policy".into(),
                wrong("c.toml", key),
            ],
            "boot key",
        ),
        (
            vec![
                "apple".into(),
                object.clone(),
                "--policy".into(),
                wrong("d.toml", no_signer),
            ],
            "no signer",
        ),
        (
            vec![
                "apple".into(),
                object.clone(),
                "--policy".into(),
                wrong("e.toml", no_model),
            ],
            "model",
        ),
        (
            vec![
                "apple".into(),
                object.clone(),
                "--policy".into(),
                wrong("f.toml", "[android.levels]\nstrong_box = \"high\"\n"),
            ],
            "iso_18045_high",
        ),
    ];
    for (arguments, expected) in cases {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let output = claviger(&arguments);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
        assert!(said.contains(expected), "{arguments:?}: {said}");
    }
}
