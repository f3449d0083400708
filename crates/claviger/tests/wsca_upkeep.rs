//! What an operator does with the WSCA's data and device: rotate, verify, unlock.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod support;

use std::path::{Path, PathBuf};

use jose::Curve;
use sci::{Digest, KeyState, Pin, Sci, Task};
use support::{Phone, Up, claviger, claviger_json, rules};

fn pin() -> Pin {
    Pin::choose("493827").unwrap()
}

fn at(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Copies a folder's database, or puts a copy back.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for name in ["claviger.db", "claviger.db-wal", "claviger.db-shm"] {
        let _ = std::fs::remove_file(to.join(name));
        if from.join(name).exists() {
            std::fs::copy(from.join(name), to.join(name)).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_destroyed_is_erased_and_the_log_tells_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let up = Up::start(&data, "127.0.0.1:0");
    let listen = up.listen();
    let phone = Phone::activate(&up, "mine").await;
    phone
        .sci
        .open_session(&pin(), Task::Issuance)
        .await
        .unwrap();
    let keys = phone.sci.generate_keys(3, Curve::P256).await.unwrap();
    phone.sci.destroy_keys(&[keys[0].id]).await.unwrap();
    let audit_key = phone.sci.audit_key().await.unwrap();
    let receipts = phone.sci.take_receipts();
    assert_eq!(receipts.len(), 2);
    up.kill();

    let (status, rotated) = claviger_json(&["wscd", "rotate", "--data", at(&data)]);
    assert_eq!(
        (status, &rotated["rotated"]),
        (0, &true.into()),
        "{rotated}"
    );
    assert_eq!(
        (&rotated["units"], &rotated["keys"]),
        (&1.into(), &2.into())
    );

    // The log is whole, by its own chain, the device, and what the client holds.
    let file = folder.path().join("receipts.json");
    std::fs::write(&file, serde_json::to_vec(&receipts).unwrap()).unwrap();
    let key = folder.path().join("key.jwk");
    std::fs::write(&key, audit_key.to_jwk().to_string()).unwrap();
    let verify = [
        "audit",
        "verify",
        "--data",
        at(&data),
        "--receipt",
        at(&file),
    ];
    let (status, report) = claviger_json(&verify);
    assert_eq!((status, rules(&report)), (0, vec![]), "{report}");
    assert_eq!(report["key"], audit_key.thumbprint_b64());
    assert_eq!(report["covered"], report["last"]);
    let kept = claviger(&["audit", "checkpoint", "--data", at(&data)]);
    assert!(kept.status.success());
    let checkpoint = folder.path().join("checkpoint");
    std::fs::write(&checkpoint, &kept.stdout).unwrap();

    // The node goes on with the keys that live.
    let up = Up::start(&data, &listen);
    phone
        .sci
        .open_session(&pin(), Task::Issuance)
        .await
        .unwrap();
    let digest = Digest::of(b"m", Curve::P256);
    phone.sci.sign(&[(keys[1].id, digest)]).await.unwrap();
    let listed = phone.sci.list_keys().await.unwrap();
    let gone = listed.iter().find(|key| key.id == keys[0].id).unwrap();
    assert_eq!(gone.state, KeyState::Erased);
    for receipt in &receipts {
        let proven = phone.sci.prove_receipt(receipt, &audit_key).await.unwrap();
        assert!(proven.is_some());
    }
    up.kill();

    // Without the device the key alone does; with neither it cannot be decided; and
    // an entry that was changed in the file is found.
    let bare = folder.path().join("bare");
    claviger_json(&["audit", "verify", "--data", at(&data)]);
    copy(&data, &bare);
    let (status, report) =
        claviger_json(&["audit", "verify", "--data", at(&bare), "--key", at(&key)]);
    assert_eq!(status, 0, "{report}");
    let (status, report) = claviger_json(&["audit", "verify", "--data", at(&bare)]);
    assert_eq!((status, rules(&report)[0]), (3, "AUDIT-KEY"), "{report}");
    change(&bare.join("claviger.db"), b"key_generate", b"key_destroy!");
    let (status, report) =
        claviger_json(&["audit", "verify", "--data", at(&bare), "--key", at(&key)]);
    assert_eq!(status, 1);
    assert!(rules(&report).contains(&"AUDIT-CHAIN"), "{report}");
}

/// Changes the first place in a file where something stands.
fn change(path: &Path, what: &[u8], to: &[u8]) {
    let mut bytes = std::fs::read(path).unwrap();
    let place = bytes.windows(what.len()).position(|at| at == what).unwrap();
    bytes[place..place + to.len()].copy_from_slice(to);
    std::fs::write(path, bytes).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shard_is_locked_by_an_older_database_and_unlocked_on_purpose() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let up = Up::start(&data, "127.0.0.1:0");
    let listen = up.listen();
    let phone = Phone::activate(&up, "mine").await;
    phone
        .sci
        .open_session(&pin(), Task::Issuance)
        .await
        .unwrap();
    let keys = phone.sci.generate_keys(1, Curve::P256).await.unwrap();
    up.kill();
    let place = ["--data", at(&data)];
    let command = |before: &[&'static str], after: &[&str]| -> (i32, serde_json::Value) {
        let all: Vec<&str> = before.iter().chain(&place).chain(after).copied().collect();
        claviger_json(&all)
    };
    let (status, shards) = command(&["wsca", "shards"], &[]);
    assert_eq!((status, &shards["locked"]), (0, &serde_json::json!([])));
    let earlier: PathBuf = folder.path().join("earlier");
    copy(&data, &earlier);

    let up = Up::start(&data, &listen);
    phone
        .sci
        .open_session(&pin(), Task::Issuance)
        .await
        .unwrap();
    phone.sci.destroy_keys(&[keys[0].id]).await.unwrap();
    up.kill();
    copy(&earlier, &data);
    let (status, shards) = command(&["wsca", "shards"], &[]);
    assert_eq!(status, 1, "{shards}");
    let locked = shards["locked"][0]["shard"].to_string();
    // Nothing is rotated over it, and nothing unlocked without a reason.
    let (status, rotated) = command(&["wscd", "rotate"], &[]);
    assert_eq!(
        (status, &rotated["rotated"]),
        (1, &false.into()),
        "{rotated}"
    );
    let silent = [
        "wsca",
        "unlock",
        "--data",
        at(&data),
        "--shard",
        &locked,
        "--destroy",
    ];
    assert_eq!(claviger(&silent).status.code(), Some(2));
    let (status, done) = command(
        &["wsca", "unlock"],
        &[
            "--shard",
            &locked,
            "--destroy",
            "--reason",
            "older copy restored",
        ],
    );
    assert_eq!((status, &done["destroyed"]), (0, &1.into()), "{done}");
    let (status, _) = command(&["wsca", "shards"], &[]);
    assert_eq!(status, 0);
    let up = Up::start(&data, &listen);
    let opened = phone.sci.open_session(&pin(), Task::Issuance).await;
    let code = opened.unwrap_err().code();
    assert_eq!(code, Some(sci::Code::UnitDestroyed));
    drop(up);
}
