//! What `up` acknowledged is on disk: with every write that was not synced
//! dropped, and every folder entry that was not synced gone, nothing that was
//! acknowledged is lost.
//!
//! `tests/support/unsynced.c` is the fault-injecting layer: it keeps, beside the
//! running process, what would be left after a loss of power.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use provider_api::{RevocationReason, RevocationRequest, UnitState};
use support::{Phone, Up, is_set};
use wallet_client::keystore::DeviceKeystore;

#[tokio::test(flavor = "multi_thread")]
async fn unsynced_writes_dropped_lose_nothing_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let Some(layer) = build_layer(folder.path()) else {
        claviger_fixtures::skip(
            "unsynced_writes_dropped_lose_nothing_acknowledged",
            "no C compiler (cc) is here",
        );
        return;
    };
    let shadow = folder.path().join("shadow");
    for part in ["inode", "folder"] {
        fs::create_dir_all(shadow.join(part)).unwrap();
    }
    let data = folder.path().join("data");
    let environment = [
        ("LD_PRELOAD", layer.as_path()),
        ("CLAVIGER_SHADOW", shadow.as_path()),
    ];
    let up = Up::start_with(&data, "127.0.0.1:0", &environment);
    let listen = up.listen();
    let phone = Phone::activate(&up, "user").await;
    let (_, uri, index) = phone.wia().await;
    let revocation = RevocationRequest {
        alias: "user".into(),
        code: phone.answer.account_code.clone().unwrap(),
        unit: Some(phone.answer.unit),
        reason: RevocationReason::UserRequest,
    };
    let other = Phone::activate(&up, "other").await;
    let (_, other_uri, other_index) = other.wia().await;
    let view = phone.provider.revoke(&revocation).await.unwrap();
    assert_eq!(view.state, UnitState::Revoked);
    up.kill();

    let left = folder.path().join("left");
    after_power_loss(&shadow, &data, &left);
    fs::remove_dir_all(&data).unwrap();
    fs::rename(&left, &data).unwrap();
    let up = Up::start(&data, &listen);
    let token = reqwest::get(&uri).await.unwrap().bytes().await.unwrap();
    assert!(
        is_set(&token, &uri, index),
        "the revocation is still published"
    );
    let unit = phone
        .provider
        .unit(phone.answer.unit, phone.device.signing())
        .await;
    assert_eq!(unit.unwrap().state, UnitState::Revoked);

    // The other unit's activation, PIN and attestation were acknowledged too.
    let unit = other
        .provider
        .unit(other.answer.unit, other.device.signing())
        .await;
    assert_eq!(unit.unwrap().state, UnitState::Operational);
    let token = reqwest::get(&other_uri)
        .await
        .unwrap()
        .bytes()
        .await
        .unwrap();
    assert!(!is_set(&token, &other_uri, other_index));
    let pin = sci::Pin::new("493827").unwrap();
    sci::Sci::open_session(&other.sci, &pin, sci::Task::Issuance)
        .await
        .expect("the PIN is still known");
    drop(up);
}

/// The layer as a shared library; `None` without a C compiler.
fn build_layer(folder: &Path) -> Option<PathBuf> {
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/unsynced.c");
    let library = folder.join("unsynced.so");
    let built = Command::new("cc")
        .args(["-shared", "-fPIC", "-O1", "-o"])
        .arg(&library)
        .args([source, "-ldl", "-lpthread"])
        .output()
        .ok()?;
    assert!(
        built.status.success(),
        "{}",
        String::from_utf8_lossy(&built.stderr)
    );
    Some(library)
}

/// Lays out in `left` what a loss of power would have left of `data`.
fn after_power_loss(shadow: &Path, data: &Path, left: &Path) {
    let data = data.canonicalize().unwrap();
    let mut files = 0;
    for listing in fs::read_dir(shadow.join("folder")).unwrap() {
        let text = fs::read_to_string(listing.unwrap().path()).unwrap();
        let mut lines = text.lines();
        let folder = PathBuf::from(lines.next().unwrap());
        let Ok(relative) = folder.strip_prefix(&data) else {
            continue;
        };
        let into = left.join(relative);
        fs::create_dir_all(&into).unwrap();
        for line in lines {
            let (inode, name) = line.split_once(' ').unwrap();
            let content = fs::read(shadow.join("inode").join(inode)).unwrap_or_default();
            fs::write(into.join(name), content).unwrap();
            files += 1;
        }
    }
    assert!(files >= 5, "only {files} files were synced at all");
    use std::os::unix::fs::PermissionsExt;
    for name in ["device.key", "operator.token", "claviger.db"] {
        let path = left.join(name);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600))
            .unwrap_or_else(|error| panic!("{name} was never synced: {error}"));
    }
}
