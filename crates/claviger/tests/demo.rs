//! `claviger demo` closes the circle, and says under which requirements.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod support;

use std::path::Path;

use support::{claviger, claviger_json};

#[test]
fn the_circle_closes_and_every_refusal_names_its_rule() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let (code, record) = claviger_json(&["demo", "--out", out.to_str().unwrap()]);
    assert_eq!(code, 0);
    assert_eq!(record["ok"], true);
    let steps = record["steps"].as_array().unwrap();
    assert!(steps.len() >= 9);
    let refusals: Vec<&str> = steps
        .iter()
        .filter_map(|step| step["refusals"].as_array())
        .flatten()
        .map(|refused| refused["rule"].as_str().unwrap())
        .collect();
    for rule in [
        "ISSUER-LEVEL",
        "PKI-DIRECT-NOT-LISTED",
        "PKI-DIRECT-LOOKALIKE",
        "TRUST-OTHER-CONTEXT",
        "ISSUER-REPLAY-NONCE",
        "KA-EXPIRED",
        "WSCA-ISOLATION",
        "WSCA-PIN-RETRY",
        "WSCA-SESSION",
        "WSCA-FROZEN",
        "WP-UNIT-REVOKED",
        "WSCA-ERASED",
    ] {
        assert!(refusals.contains(&rule), "{rule} is not among {refusals:?}");
    }
    let (_, listing) = claviger_json(&["rules"]);
    let known: Vec<&str> = listing["rules"]
        .as_array()
        .unwrap()
        .iter()
        .map(|rule| rule["id"].as_str().unwrap())
        .collect();
    for rule in &refusals {
        assert!(known.contains(rule), "claviger rules does not list {rule}");
    }
    let requirements = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/requirements.toml");
    let requirements = std::fs::read_to_string(requirements).unwrap();
    for id in record["requirements"].as_array().unwrap() {
        let line = format!("id = \"{}\"", id.as_str().unwrap());
        assert!(
            requirements.contains(&line),
            "docs/requirements.toml lacks {id}"
        );
    }
    assert!(out.join("manifest.json").is_file());
}

#[test]
fn rule_ids_are_unique() {
    let (_, listing) = claviger_json(&["rules"]);
    let mut ids: Vec<&str> = listing["rules"]
        .as_array()
        .unwrap()
        .iter()
        .map(|rule| rule["id"].as_str().unwrap())
        .collect();
    let count = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), count, "an id stands twice");
    assert!(count > 300);
}

#[test]
fn an_unknown_device_is_refused_in_one_line() {
    let output = claviger(&["demo", "--device", "abacus:beads"]);
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(said.contains("abacus"), "{said}");
}

#[test]
fn the_circle_closes_on_a_pkcs11_token() {
    let module = [
        "/usr/lib/softhsm/libsofthsm2.so",
        "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
        "/usr/lib64/pkcs11/libsofthsm2.so",
    ]
    .into_iter()
    .find(|path| Path::new(path).is_file());
    let Some(module) = module else {
        claviger_fixtures::skip(
            "the_circle_closes_on_a_pkcs11_token",
            "SoftHSM2 is not installed (Debian: apt-get install softhsm2)",
        );
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    std::fs::create_dir(path("tokens")).unwrap();
    std::fs::write(
        path("softhsm2.conf"),
        format!("directories.tokendir = {}\n", path("tokens")),
    )
    .unwrap();
    for (name, pin) in [("so", "12345678"), ("pin", "87654321")] {
        use std::os::unix::fs::PermissionsExt;
        std::fs::write(path(name), pin).unwrap();
        std::fs::set_permissions(path(name), std::fs::Permissions::from_mode(0o600)).unwrap();
    }
    let device = format!(
        "pkcs11:token=circle?module-path={module}&pin-source={}",
        path("pin")
    );
    let run = |arguments: &[&str]| {
        std::process::Command::new(env!("CARGO_BIN_EXE_claviger"))
            .args(arguments)
            .env("SOFTHSM2_CONF", path("softhsm2.conf"))
            .output()
            .unwrap()
    };
    for arguments in [
        vec![
            "wscd",
            "init",
            "--device",
            &device,
            "--so-pin-source",
            &path("so"),
        ],
        vec!["demo", "--json", "--device", &device],
        vec!["wscd", "conformance", "--erase", "--device", &device],
    ] {
        let output = run(&arguments);
        assert!(
            output.status.success(),
            "{arguments:?}: {}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
    }
}
