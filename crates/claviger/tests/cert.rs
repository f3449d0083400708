//! `claviger cert`: certificates made, linted, and led to their anchor, by the
//! command itself.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use std::path::Path;
use std::process::{Command, Output};

use rstest::rstest;
use serde_json::Value;

const CA: &str = "C=BE,O=Claviger Test,organizationIdentifier=VATBE-0876866142,CN=Test CA";
const WALLET: &str = "C=BE,O=Claviger Test,organizationIdentifier=VATBE-0876866142,CN=Wallet";

fn claviger(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_claviger"))
        .args(arguments)
        .arg("--json")
        .env("CLAVIGER_TEST_STORE_KEY", "5a".repeat(32))
        .current_dir(folder)
        .output()
        .unwrap()
}

fn asked(folder: &Path, arguments: &[&str], status: i32) -> Value {
    let output = claviger(folder, arguments);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(status), "{arguments:?}: {said}");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn rules(report: &Value) -> Vec<&str> {
    report["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|finding| finding["rule"].as_str().unwrap())
        .collect()
}

fn issue(folder: &Path, name: &str, more: &[&str], status: i32) -> Value {
    let (out, device) = (
        format!("{name}.pem"),
        "software:device?key-env=CLAVIGER_TEST_STORE_KEY",
    );
    let common = [
        "cert", "issue", "--device", device, "--key", name, "--out", &out,
    ];
    asked(folder, &[common.as_slice(), more].concat(), status)
}

#[test]
fn certificates_are_issued_linted_and_led_to_their_anchor() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let ca = ["--profile", "ca", "--subject", CA];
    issue(folder, "ca", &ca, 0);
    issue(folder, "other", &ca, 0);
    let wallet = ["--profile", "wallet", "--subject", WALLET];
    let under = ["--issuer", "ca.pem", "--issuer-key", "ca"];
    let urls = [
        "--crl-url",
        "http://ca.example/ca.crl",
        "--ca-issuers-url",
        "http://ca.example/ca.cer",
    ];
    // What would not conform is not made.
    let refused = issue(folder, "wallet", &[wallet, under].concat(), 1);
    assert_eq!(rules(&refused), ["PKI-REVOCATION-INFO", "PKI-PID-AIA"]);
    assert!(!folder.join("wallet.pem").exists());
    issue(
        folder,
        "wallet",
        &[wallet.as_slice(), &under, &urls].concat(),
        0,
    );
    let linted = asked(
        folder,
        &["cert", "lint", "wallet.pem", "--profile", "wallet"],
        0,
    );
    assert_eq!(rules(&linted), [""; 0]);

    let path = |anchors: &str, more: &[&str], status: i32| {
        let common = [
            "cert",
            "path",
            "--chain",
            "wallet.pem",
            "--anchors",
            anchors,
        ];
        asked(folder, &[common.as_slice(), more].concat(), status)
    };
    let yes = path("ca.pem", &[], 0);
    assert_eq!(yes["trusted"], "yes");
    assert_eq!(yes["path"].as_array().map(Vec::len), Some(1));
    assert_eq!(rules(&yes), ["PKI-REVOCATION-SKIPPED"]);
    // A CA of the same name, and another time.
    assert_eq!(rules(&path("other.pem", &[], 1)), ["PKI-PATH-SIGNATURE"]);
    assert_eq!(
        rules(&path("ca.pem", &["--at", "2020-01-01T00:00:00Z"], 1)),
        ["PKI-PATH-VALIDITY"]
    );
    path("ca.pem", &["--policy-oid", "0.4.0.2042.1.1"], 0);
    assert_eq!(
        rules(&path("ca.pem", &["--policy-oid", "1.2.3.4"], 1)),
        ["PKI-PATH-POLICY"]
    );
}

/// What `cert issue` makes of a profile, `cert lint` has nothing against.
#[rstest]
#[case::pid("pid", &[])]
#[case::wallet("wallet", &[])]
#[case::eaa("eaa", &[])]
#[case::qeaa("qeaa", &[])]
#[case::pub_eaa("pub-eaa", &["--psb-country", "BE", "--psb-source", "Example register", "--psb-law", "Example law"])]
#[case::access("access", &["--contact", "https://party.example/help", "--cps-url", "https://ca.example/cps"])]
#[case::ca("ca", &[])]
#[case::list_operator("list-operator", &[])]
#[case::status_list("status-list", &[])]
fn what_is_issued_conforms(#[case] profile: &str, #[case] more: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    issue(folder, "ca", &["--profile", "ca", "--subject", CA], 0);
    let common = [
        "--profile",
        profile,
        "--subject",
        WALLET,
        "--issuer",
        "ca.pem",
        "--issuer-key",
        "ca",
        "--crl-url",
        "http://ca.example/ca.crl",
        "--ca-issuers-url",
        "http://ca.example/ca.cer",
    ];
    issue(folder, "made", &[common.as_slice(), more].concat(), 0);
    let lint = ["cert", "lint", "made.pem", "--profile", profile];
    assert_eq!(rules(&asked(folder, &lint, 0)), [""; 0]);
}

#[test]
fn a_file_of_another_kind_is_said_to_be_one() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    issue(folder, "ca", &["--profile", "ca", "--subject", CA], 0);
    let arguments = [
        "cert",
        "path",
        "--chain",
        "ca.pem",
        "--anchors",
        "ca.pem",
        "--crls",
        "ca.pem",
    ];
    let output = claviger(folder, &arguments);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("X509 CRL is expected"), "{said}");
}
