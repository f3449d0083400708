//! `claviger wscd init` and `conformance`, as an operator runs them.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::expect_used,
    clippy::panic
)]

use std::process::{Command, Output};

use claviger_fixtures::tokens::{Module, Tokens};

#[test]
fn the_software_device_conforms_and_the_table_says_so() {
    let output = claviger(None, &["wscd", "conformance", "--device", "software:"]);
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("conforms: 25 passed, 0 failed"), "{text}");
    for row in ["NOT-EXPORTABLE", "FOREIGN-USER-KEY", "ROTATION-ERASES"] {
        assert!(text.contains(row), "{row}: {text}");
    }
}

#[test]
fn one_token_and_two_conform_with_each_module() {
    for kind in Module::ALL {
        let Some(module) = kind.path() else {
            claviger_fixtures::skip(
                &format!("one_token_and_two_conform_with_each_module ({kind:?})"),
                kind.missing(),
            );
            continue;
        };
        let folder = tempfile::tempdir().unwrap();
        let tokens = Tokens::prepare(kind, module, folder.path()).unwrap();
        let so_pin = folder.path().join("so-pin");
        let so_pin = so_pin.to_str().unwrap();
        let set = format!("{}&replica=pkcs11:token=c&keys=replicated", tokens.uri("b"));
        for device in [tokens.uri("a"), set] {
            let init = [
                "wscd",
                "init",
                "--device",
                &device,
                "--so-pin-source",
                so_pin,
            ];
            let output = claviger(Some(&tokens), &init);
            assert!(output.status.success(), "{kind:?} {device}: {output:?}");
            let check = ["wscd", "conformance", "--json", "--device", &device];
            let output = claviger(Some(&tokens), &check);
            assert!(output.status.success(), "{kind:?} {device}: {output:?}");
            let said: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
            assert_eq!(said["passed"], true);
            let checks = said["checks"].as_array().unwrap();
            assert!(checks.iter().any(|check| check["id"] == "WSCD-RESTART"));
            assert!(checks.iter().all(|check| check["result"] == "passed"));
        }
    }
}

/// The kit erases what hangs from the root: not under a WSCA that serves.
#[test]
fn a_device_that_serves_somebody_is_not_erased_unasked() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    std::fs::write(path("key"), "7".repeat(64)).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(path("key"), mode).unwrap();
    let device = format!("software:{}?key-file={}", path("store"), path("key"));
    let check = |more: &[&str]| {
        let arguments = [&["wscd", "conformance", "--device", &device], more].concat();
        claviger(None, &arguments)
    };
    assert!(check(&[]).status.success(), "it serves nobody yet");
    let key = wscd::software::StoreKey::from_bytes(&[0x77; 32]);
    let opened = wscd::software::SoftwareDevice::open(path("store").as_ref(), key).unwrap();
    let anchor = wscd::Anchor {
        epoch: 1,
        hash: [1; 32],
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let root = runtime.block_on(async {
        use wscd::Wscd;
        // Where the audit log is remembered, the kit has left nothing.
        let last = opened.descriptor().limits.max_shards - 1;
        assert_eq!(opened.read_anchor(last).await.unwrap(), None);
        opened.write_anchor(0, &anchor).await.unwrap();
        opened.root().await.unwrap()
    });
    drop(opened);
    let refused = check(&[]);
    assert_eq!(refused.status.code(), Some(2), "{refused:?}");
    let text = String::from_utf8_lossy(&refused.stderr);
    assert!(text.contains("--in-use"), "{text}");
    assert_eq!(check(&["--in-use"]).status.code(), Some(1));
    let opened = {
        let key = wscd::software::StoreKey::from_bytes(&[0x77; 32]);
        wscd::software::SoftwareDevice::open(path("store").as_ref(), key).unwrap()
    };
    let now = runtime.block_on(async { wscd::Wscd::root(&opened).await.unwrap() });
    assert_eq!(now, root, "its root is the one it had");
    drop(opened);
    assert!(check(&["--erase"]).status.success());
}

#[test]
fn a_pin_on_the_command_line_is_refused_and_not_repeated() {
    let device = "pkcs11:token=a?module-path=/m.so&pin-value=471100";
    let output = claviger(None, &["wscd", "init", "--device", device]);
    assert_eq!(output.status.code(), Some(2));
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(text.contains("does not belong in a URI"), "{text}");
    assert!(!text.contains("471100"), "{text}");
}

fn claviger(tokens: Option<&Tokens>, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_claviger"));
    if let Some(tokens) = tokens {
        command.envs(tokens.environment());
    }
    command.args(arguments).output().unwrap()
}
