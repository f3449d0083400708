//! `claviger demo` closes the circle, and says under which requirements.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

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
        assert!(requirements.contains(&line), "docs/requirements.toml lacks {id}");
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
