//! `claviger db`: a backup is made while a node works, restored to either database,
//! and brought up to what is published; a check finds what does not fit together.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod support;

use std::path::Path;
use std::process::Command;

use provider_api::{RevocationReason, UnitState};
use sci::{Pin, Sci, Task};
use serde_json::{Value, json};
use store::sql::query;
use support::nodes::{Device, Nodes};
use support::{Phone, Up, claviger, claviger_json, is_set, rules};
use wallet_client::keystore::DeviceKeystore;

fn at(path: &Path) -> &str {
    path.to_str().unwrap()
}

async fn revoke(phone: &Phone) {
    let revocation = phone.revocation(RevocationReason::LostOrStolen);
    let view = phone.provider.revoke(&revocation).await.unwrap();
    assert_eq!(view.state, UnitState::Revoked);
}

async fn state(phone: &Phone) -> UnitState {
    let unit = phone
        .provider
        .unit(phone.answer.unit, phone.device.signing());
    unit.await.unwrap().state
}

fn problem<T>(result: Result<T, wallet_client::ProviderError>) -> String {
    let Err(error) = result else {
        panic!("it was not refused")
    };
    error
        .problem()
        .unwrap_or_else(|| panic!("{error:?}"))
        .code
        .clone()
}

async fn published(uri: &str) -> Vec<u8> {
    reqwest::get(uri)
        .await
        .unwrap()
        .bytes()
        .await
        .unwrap()
        .to_vec()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_database_takes_over_what_was_revoked_since() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let up = Up::start(&data, "127.0.0.1:0");
    let listen = up.listen();
    let lost = Phone::activate(&up, "lost").await;
    let kept = Phone::activate(&up, "kept").await;
    let (_, uri, index) = lost.wia().await;
    let (_, kept_uri, kept_index) = kept.wia().await;

    let file = folder.path().join("backup");
    let backup = ["db", "backup", "--data", at(&data), "--out", at(&file)];
    let (status, made) = claviger_json(&backup);
    assert_eq!((status, &made["rows"]["unit"]), (0, &json!(2)), "{made:#}");
    assert_eq!(
        claviger(&backup).status.code(),
        Some(2),
        "it is there already"
    );
    let mode = std::os::unix::fs::MetadataExt::mode(&std::fs::metadata(&file).unwrap());
    assert_eq!(mode & 0o777, 0o600);

    // What the copy does not know: a revocation, and a unit with an entry.
    revoke(&lost).await;
    let late = Phone::activate(&up, "late").await;
    let (_, late_uri, late_index) = late.wia().await;
    up.kill();
    let check = ["db", "check", "--data", at(&data)];
    let (status, whole) = claviger_json(&check);
    assert_eq!((status, rules(&whole)), (0, vec![]), "{whole:#}");
    assert_eq!((&whole["units"], &whole["revoked"]), (&json!(3), &json!(1)));

    let restore = ["db", "restore", at(&file), "--data", at(&data)];
    let refused = claviger(&restore);
    assert_eq!(refused.status.code(), Some(2), "it is not empty");
    let said = String::from_utf8_lossy(&refused.stderr);
    let named = format!("error: {} is not empty (", at(&data.join("claviger.db")));
    assert!(
        said.contains(&named) && said.contains("--replace takes away what is there"),
        "{said}"
    );
    let (status, done) = claviger_json(&[&restore[..], &["--replace"]].concat());
    assert_eq!(status, 0, "{done:#}");
    let counts = ["units", "entries", "closed", "of_nobody", "adopted"].map(|of| done[of].clone());
    assert_eq!(counts, [1, 1, 1, 0, 0].map(Value::from), "{done:#}");
    assert_ne!(done["wsca"]["locked"], json!([]), "{done:#}");
    // Done again, there is nothing left to do.
    let (status, again) = claviger_json(&["db", "reconcile", "--data", at(&data)]);
    assert_eq!(status, 0, "{again:#}");
    assert_eq!([&again["units"], &again["closed"]], [&json!(0); 2]);

    // The WSCA's half is the device's to judge, and the operator's to decide.
    for shard in done["wsca"]["locked"].as_array().unwrap() {
        let shard = shard.to_string();
        let unlock = ["wsca", "unlock", "--data", at(&data), "--shard", &shard];
        let how = ["--accept", "--reason", "the database was restored"];
        let (status, unlocked) = claviger_json(&[&unlock[..], &how].concat());
        assert_eq!(status, 0, "{unlocked:#}");
    }
    let up = Up::start(&data, &listen);
    assert_eq!(state(&lost).await, UnitState::Revoked);
    assert_eq!(problem(lost.try_wia().await), "unit-revoked");
    let pin = Pin::new("493827").unwrap();
    let session = lost.sci.open_session(&pin, Task::Issuance).await;
    let code = session.unwrap_err().code().map(|code| code.name());
    assert_eq!(code, Some("UNIT_FROZEN"), "the WSCA was told again");
    assert!(is_set(&published(&uri).await, &uri, index));

    // What lives goes on, in a list of its own: no index is used twice.
    let (_, new_uri, _) = kept.wia().await;
    assert_ne!(new_uri, kept_uri);
    assert!(!is_set(&published(&kept_uri).await, &kept_uri, kept_index));
    assert!(!is_set(&published(&late_uri).await, &late_uri, late_index));
    assert_eq!(problem(late.try_wia().await), "unknown-unit");
    up.kill();
    let (status, whole) = claviger_json(&check);
    assert_eq!((status, rules(&whole)), (0, vec![]), "{whole:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_was_opened_after_the_backup_goes_on_being_published() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let up = Up::start(&data, "127.0.0.1:0");
    let listen = up.listen();
    let file = folder.path().join("backup");
    let (status, _) = claviger_json(&["db", "backup", "--data", at(&data), "--out", at(&file)]);
    assert_eq!(status, 0);
    let phone = Phone::activate(&up, "late").await;
    let (_, uri, index) = phone.wia().await;
    revoke(&phone).await;
    up.kill();
    for name in ["claviger.db", "claviger.db-wal", "claviger.db-shm"] {
        let _ = std::fs::remove_file(data.join(name));
    }
    let (status, done) = claviger_json(&["db", "restore", at(&file), "--data", at(&data)]);
    let counts = ["adopted", "entries", "of_nobody", "units"].map(|of| done[of].clone());
    assert_eq!(
        (status, counts),
        (0, [1, 1, 1, 0].map(Value::from)),
        "{done:#}"
    );
    let up = Up::start(&data, &listen);
    let token = published(&uri).await;
    assert!(is_set(&token, &uri, index));
    // It is renewed as every list is; by a node, not by the restore.
    let other = activate_in_an_open_shard(&up.url).await;
    let (_, other_uri, _) = other.wia().await;
    assert_ne!(other_uri, uri);
    up.kill();
    let (status, whole) = claviger_json(&["db", "check", "--data", at(&data)]);
    assert_eq!((status, rules(&whole)), (0, vec![]), "{whole:#}");
}

/// A unit whose shard the device does not remember to be newer: the others are locked
/// until somebody has looked (`claviger wsca unlock`), and which one a unit is in is
/// chance.
async fn activate_in_an_open_shard(url: &str) -> Phone {
    for turn in 0..40 {
        if let Some(phone) = Phone::try_activate(url, &format!("other {turn}")).await {
            return phone;
        }
    }
    panic!("every shard is locked");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_is_the_way_from_sqlite_to_postgresql() {
    let Some(server) = claviger_fixtures::postgres::database() else {
        return;
    };
    let place = tempfile::tempdir().unwrap();
    let mut nodes = Nodes::start(place.path(), 1, None, &Device::Software).await;
    let phone = Phone::try_activate(&nodes.front.url, "mover")
        .await
        .unwrap();
    let (_, before, _) = phone.wia().await;
    nodes.nodes[0].kill();
    let file = place.path().join("backup");
    let (status, made) = nodes.command(&["db", "backup", "--out", at(&file)]);
    assert_eq!((status, &made["made_from"]), (0, &json!("sqlite")));
    let text = std::fs::read_to_string(&nodes.config).unwrap();
    let text = text.replace(
        "roles =",
        &format!("database = \"{}\"\nroles =", server.url()),
    );
    std::fs::write(&nodes.config, text).unwrap();
    let (status, done) = nodes.command(&["db", "restore", at(&file)]);
    assert_eq!(
        (status, &done["wsca"]["locked"]),
        (0, &json!([])),
        "{done:#}"
    );
    assert!(
        done["database"]
            .as_str()
            .unwrap()
            .starts_with("postgres://")
    );
    nodes.nodes[0].restart();
    let (_, after, _) = phone.wia().await;
    assert_ne!(before, after);
    let pin = Pin::new("493827").unwrap();
    let session = phone.sci.open_session(&pin, Task::Issuance).await;
    assert!(session.is_ok() || session.unwrap_err().code().is_some());
    nodes.nodes[0].kill();
    let (status, whole) = nodes.command(&["db", "check"]);
    assert_eq!((status, rules(&whole)), (0, vec![]), "{whole:#}");
    // And back: from PostgreSQL into a folder of another node.
    let back = place.path().join("back");
    let (status, _) = nodes.command(&["db", "backup", "--out", at(&back)]);
    assert_eq!(status, 0);
    let other = place.path().join("other");
    std::fs::create_dir(&other).unwrap();
    let (status, done) = claviger_json(&["db", "restore", at(&back), "--data", at(&other)]);
    // Neither the device nor what is published is there: nothing could be taken over.
    let found = rules(&done);
    assert_eq!((status, found[0]), (3, "DB-LIST-NO-KEY"), "{done:#}");
    let gone = found[1..].iter().all(|rule| *rule == "DB-LIST-MISSING");
    assert!(gone && found.len() > 1, "{done:#}");
    assert!(other.join("claviger.db").is_file());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_finds_what_does_not_fit_together() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let up = Up::start(&data, "127.0.0.1:0");
    let phone = Phone::activate(&up, "one").await;
    phone.wia().await;
    revoke(&phone).await;
    let other = Phone::activate(&up, "two").await;
    other.wia().await;
    up.kill();
    let status_folder = data.join("public").join("status");
    let list = std::fs::read_dir(&status_folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.extension().is_some_and(|extension| extension == "jwt"))
        .unwrap();
    let token = std::fs::read(&list).unwrap();
    let file = folder.path().join("whole");
    let (status, _) = claviger_json(&["db", "backup", "--data", at(&data), "--out", at(&file)]);
    assert_eq!(status, 0);

    type Damage = (&'static str, &'static [&'static str], &'static str);
    const DAMAGES: [Damage; 12] = [
        ("nothing", &[], ""),
        (
            "a revoked entry is valid again",
            &["DELETE FROM status_set"],
            "DB-REVOKED",
        ),
        (
            "a revocation is forgotten, with all it did",
            &[
                "DELETE FROM status_set",
                "DELETE FROM unit_event WHERE state = 'revoked'",
            ],
            "DB-LIST-LOST",
        ),
        (
            "a unit without a history",
            &["DELETE FROM unit_event"],
            "DB-HISTORY",
        ),
        (
            "counters went back",
            &["UPDATE status_list SET next_counter = 0"],
            "DB-COUNTERS",
        ),
        (
            "more entries than counters, of attestations of no unit",
            &[
                "UPDATE status_list SET next_counter =
                   (SELECT count(*) FROM status_entry WHERE list = status_list.id)",
                "INSERT INTO loose_entry (list, idx, maintained_until)
                 SELECT list, CASE WHEN idx = 0 THEN 1 ELSE idx - 1 END, 9999999999
                 FROM status_entry LIMIT 1",
            ],
            "DB-COUNTERS",
        ),
        (
            "an index of a unit and of no unit",
            &["INSERT INTO loose_entry (list, idx, maintained_until)
               SELECT list, idx, 9999999999 FROM status_entry LIMIT 1"],
            "DB-INDEX-TWICE",
        ),
        (
            "an index of a unit and of a type",
            &[
                "INSERT INTO storage_type (storage, type, list, idx, maintained_until)
               SELECT 'keystore', 'another', list, idx, 9999999999 FROM status_entry LIMIT 1",
            ],
            "DB-INDEX-TWICE",
        ),
        (
            "a type's entry past the list's end",
            &[
                "INSERT INTO storage_type (storage, type, list, idx, maintained_until)
               VALUES ('keystore', 'another', 1, 99999999, 9999999999)",
            ],
            "DB-INDEX",
        ),
        (
            "an entry past the list's end",
            &["INSERT INTO status_set (list, idx) VALUES (1, 99999999)"],
            "DB-INDEX",
        ),
        (
            "an entry that counts as published and is not",
            &[
                "INSERT INTO status_set (list, idx) SELECT list, idx FROM status_entry WHERE true ON CONFLICT DO NOTHING",
            ],
            "DB-LIST-BEHIND",
        ),
        (
            "the WSCA is still to be told",
            &["UPDATE unit SET freeze_due = 1 WHERE state = 'revoked'"],
            "DB-FREEZE-DUE",
        ),
    ];
    let check = ["db", "check", "--data", at(&data)];
    for (what, statements, rule) in DAMAGES {
        let (status, _) =
            claviger_json(&["db", "restore", at(&file), "--data", at(&data), "--replace"]);
        assert_eq!(status, 0, "{what}");
        // A restore closes lists, and a node would publish that.
        let database = store::Database::open(data.join("claviger.db"))
            .await
            .unwrap();
        for sql in statements.iter().copied() {
            database
                .write::<_, store::Error, _>(move |tx| {
                    Box::pin(async move { query(sql).execute(tx).await })
                })
                .await
                .unwrap();
        }
        database.close().await;
        let (status, report) = claviger_json(&check);
        let found = rules(&report);
        match rule {
            "" => assert_eq!((status, found), (0, vec![]), "{what}: {report:#}"),
            "DB-FREEZE-DUE" => assert_eq!((status, found), (0, vec![rule]), "{report:#}"),
            rule => assert!(status == 1 && found.contains(&rule), "{what}: {report:#}"),
        }
    }

    let (status, _) =
        claviger_json(&["db", "restore", at(&file), "--data", at(&data), "--replace"]);
    assert_eq!(status, 0);
    for (content, rule) in [
        (Some(&b"no token"[..]), "DB-LIST-OURS"),
        (None, "DB-LIST-MISSING"),
    ] {
        match content {
            Some(content) => std::fs::write(&list, content).unwrap(),
            None => std::fs::remove_file(&list).unwrap(),
        }
        let (status, report) = claviger_json(&check);
        assert_eq!((status, rules(&report)), (1, vec![rule]), "{report:#}");
    }
    std::fs::write(&list, &token).unwrap();
    let unknown = list.with_file_name("unknown.jwt");
    std::fs::write(&unknown, &token).unwrap();
    let (status, report) = claviger_json(&check);
    assert_eq!(
        (status, rules(&report)),
        (0, vec!["DB-LIST-UNKNOWN"]),
        "{report:#}"
    );
    std::fs::remove_file(&unknown).unwrap();
    // Without the key nothing can be said of what is published.
    std::fs::remove_file(data.join("pki").join("wallet-status.pem")).unwrap();
    let (status, report) = claviger_json(&check);
    assert_eq!(
        (status, rules(&report)),
        (3, vec!["DB-LIST-NO-KEY"]),
        "{report:#}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_without_the_published_lists_says_what_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let up = Up::start(&data, "127.0.0.1:0");
    let phone = Phone::activate(&up, "one").await;
    let (_, uri, _) = phone.wia().await;
    // It is answered once it is published.
    revoke(&phone).await;
    up.kill();
    let file = folder.path().join("backup");
    let (status, _) = claviger_json(&["db", "backup", "--data", at(&data), "--out", at(&file)]);
    assert_eq!(status, 0);
    let (published, away) = (data.join("public/status"), folder.path().join("away"));
    std::fs::rename(&published, &away).unwrap();
    let restore = ["db", "restore", at(&file), "--data", at(&data), "--replace"];
    let (status, done) = claviger_json(&restore);
    assert_eq!(status, 3, "{done:#}");
    assert!(
        rules(&done).iter().all(|rule| *rule == "DB-LIST-MISSING"),
        "{done:#}"
    );
    let of_it = done["findings"].as_array().unwrap().iter();
    assert_eq!(
        of_it.filter(|finding| finding["subject"] == uri).count(),
        1,
        "{done:#}"
    );
    // With the lists at hand it is made up for.
    std::fs::rename(&away, &published).unwrap();
    let (status, done) = claviger_json(&["db", "reconcile", "--data", at(&data)]);
    assert_eq!((status, rules(&done)), (0, vec![]), "{done:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_onto_another_device_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let up = Up::start(&data, "127.0.0.1:0");
    let phone = Phone::activate(&up, "one").await;
    phone.wia().await;
    revoke(&phone).await;
    up.kill();
    let file = folder.path().join("backup");
    let (status, _) = claviger_json(&["db", "backup", "--data", at(&data), "--out", at(&file)]);
    assert_eq!(status, 0);
    let key = folder.path().join("other.key");
    std::fs::write(&key, "7".repeat(64)).unwrap();
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
    let store = folder.path().join("other.store");
    let other = format!("software:{}?key-file={}", at(&store), at(&key));
    let restore = ["db", "restore", at(&file), "--data", at(&data), "--replace"];
    for command in [&restore[..], &["db", "reconcile", "--data", at(&data)]] {
        let (status, done) = claviger_json(&[command, &["--device", &other]].concat());
        assert_eq!((status, rules(&done)), (3, vec!["DB-DEVICE"]), "{done:#}");
    }
    let (status, done) = claviger_json(&restore);
    assert_eq!((status, rules(&done)), (0, vec![]), "{done:#}");
}

#[test]
fn of_a_database_that_is_away_nothing_can_be_said() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("claviger.toml");
    let text = format!(
        "development = true\nlisten = \"127.0.0.1:0\"\ndata = \"{}\"\n\
         database = \"postgres://127.0.0.1:1/none\"\nroles = [\"wsca\"]\n\
         [device]\nuri = \"software:/nowhere\"\n",
        at(folder.path())
    );
    std::fs::write(&config, text).unwrap();
    let asked = claviger(&["db", "check", "--config", at(&config)]);
    let said = String::from_utf8_lossy(&asked.stderr);
    assert_eq!(asked.status.code(), Some(3), "{said}");
    assert!(
        said.contains("postgres://127.0.0.1:1/none: cannot be reached"),
        "{said}"
    );
}

#[test]
fn a_full_disk_leaves_nothing_half() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    drop(Up::start(&data, "127.0.0.1:0"));
    let out = folder.path().join("out");
    std::fs::create_dir(&out).unwrap();
    let file = out.join("backup");
    // A file may not grow past nothing here: what is written fails as on a full disk.
    let script = format!(
        "trap '' XFSZ; ulimit -f 0; exec '{}' db backup --data '{}' --out '{}'",
        env!("CARGO_BIN_EXE_claviger"),
        data.display(),
        file.display()
    );
    let output = Command::new("sh").args(["-c", &script]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(std::fs::read_dir(&out).unwrap().count(), 0);
    let (status, _) = claviger_json(&["db", "backup", "--data", at(&data), "--out", at(&file)]);
    assert_eq!(status, 0);
    let (status, _) = claviger_json(&["db", "verify", at(&file)]);
    assert_eq!(status, 0);
    let whole = std::fs::read(&file).unwrap();
    std::fs::write(&file, &whole[..whole.len() - 9]).unwrap();
    let cut = claviger(&["db", "verify", at(&file)]);
    assert_eq!(cut.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&cut.stderr).contains("line"));
}
