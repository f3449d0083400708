//! `claviger sci conformance`: our own WSCA, over the network and over a device.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod support;

use serde_json::Value;
use support::{Up, claviger, claviger_json};

fn with_result<'a>(report: &'a Value, result: &str) -> Vec<&'a str> {
    report["checks"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|check| check["result"] == result)
        .map(|check| check["id"].as_str().unwrap())
        .collect()
}

/// Another process, reached as a phone reaches it: what needs its clock or its life
/// is not tried, and all the rest passes.
#[test]
fn our_wsca_conforms_over_the_network() {
    let folder = tempfile::tempdir().unwrap();
    let up = Up::start(&folder.path().join("data"), "127.0.0.1:0");
    let (status, report) = claviger_json(&["sci", "conformance", "--wsca", &up.url]);
    assert_eq!(with_result(&report, "failed"), [""; 0], "{report:#}");
    assert_eq!(with_result(&report, "not-offered"), [""; 0], "{report:#}");
    assert_eq!(
        with_result(&report, "not-tried"),
        [
            "SCI-SESSION-IDLE",
            "SCI-SESSION-REVOKED",
            "SCI-PIN-BLOCK",
            "SCI-RESTART"
        ]
    );
    assert_eq!((status, &report["passed"]), (0, &Value::Bool(true)));
    assert_eq!(report["architecture"], "remote");
}

/// Over a device, with a clock that moves and restarts in between: everything.
#[test]
fn our_wsca_conforms_over_a_device_with_nothing_left_untried() {
    let (status, report) = claviger_json(&["sci", "conformance", "--device", "software:"]);
    let checks = report["checks"].as_array().unwrap().len();
    assert_eq!(
        with_result(&report, "passed").len(),
        checks,
        "{:?}",
        with_result(&report, "failed")
    );
    assert_eq!((status, &report["passed"]), (0, &Value::Bool(true)));
    assert!(checks > 30);
}

#[test]
fn a_wsca_that_is_none_is_told_apart_from_one_that_fails() {
    let nobody = support::served::free_address();
    let here = format!("http://{nobody}");
    for arguments in [
        vec!["sci", "conformance"],
        vec!["sci", "conformance", "--wsca", &here],
        vec![
            "sci",
            "conformance",
            "--wsca",
            &here,
            "--device",
            "software:",
        ],
        vec!["sci", "conformance", "--wsca", "http://wsca.example"],
        vec!["sci", "conformance", "--device", "abacus:"],
    ] {
        let output = claviger(&arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
        assert!(!output.stderr.is_empty(), "{arguments:?}");
    }
}
