//! What was acknowledged is on disk: with every write that was not synced dropped,
//! and every folder entry that was not synced gone, nothing of it is lost. Of `up` and
//! its SQLite; and of the PostgreSQL below a node.
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

use std::collections::{HashMap, HashSet};
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use claviger_fixtures::postgres::{self, Stop};
use provider_api::{RevocationReason, UnitState};
use support::{Phone, Up, is_set, nodes};
use wallet_client::keystore::DeviceKeystore;

#[tokio::test(flavor = "multi_thread")]
async fn unsynced_writes_dropped_lose_nothing_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let test = "unsynced_writes_dropped_lose_nothing_acknowledged";
    let Some((layer, shadow)) = build_layer(test, folder.path()) else {
        return;
    };
    let data = folder.path().join("data");
    let environment = [
        ("LD_PRELOAD", layer.as_path()),
        ("CLAVIGER_SHADOW", shadow.as_path()),
    ];
    let up = Up::start_with(&data, "127.0.0.1:0", &environment);
    let listen = up.listen();
    let phone = Phone::activate(&up, "user").await;
    let (_, uri, index) = phone.wia().await;
    let other = Phone::activate(&up, "other").await;
    let (_, other_uri, other_index) = other.wia().await;
    let view = phone
        .provider
        .revoke(&phone.revocation(RevocationReason::UserRequest))
        .await
        .unwrap();
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

/// The power goes where PostgreSQL is, between two of its checkpoints, and the node is
/// killed with it.
#[tokio::test(flavor = "multi_thread")]
async fn unsynced_writes_of_postgresql_dropped_lose_nothing_acknowledged() {
    let test = "unsynced_writes_of_postgresql_dropped_lose_nothing_acknowledged";
    let folder = tempfile::tempdir().unwrap();
    let Some(mut cluster) = postgres::cluster(&folder.path().join("postgres")) else {
        return;
    };
    let database = cluster.server().create().unwrap();
    let url = database.url();
    // It goes with its cluster.
    std::mem::forget(database);
    let data = cluster.data();
    let place = data.parent().unwrap().to_owned();
    let Some((layer, shadow)) = build_layer(test, &place) else {
        return;
    };
    cluster.stop(Stop::Fast).unwrap();
    let disk = Disk::of(&data, &place.join("synced"));
    cluster.set_environment(vec![
        ("LD_PRELOAD".to_owned(), layer),
        ("CLAVIGER_SHADOW".to_owned(), shadow.clone()),
    ]);
    cluster.start().unwrap();

    let (mut node, at) = nodes::alone(folder.path(), Some(&url));
    let mut taken = HashSet::new();
    let mut phones = Vec::new();
    for number in 0..6 {
        if number == 3 {
            let database = store::Database::open(&url).await.unwrap();
            let mut connection = database.reader().await.unwrap();
            let checkpoint = store::sql::query("CHECKPOINT");
            checkpoint.execute(&mut connection).await.unwrap();
            drop(connection);
            database.close().await;
        }
        let phone = Phone::try_activate(&at, &format!("user {number}")).await;
        let phone = phone.unwrap();
        let mut own = Vec::new();
        for _ in 0..5 {
            let (_, uri, index) = phone.wia().await;
            assert!(taken.insert((uri.clone(), index)));
            own.push((uri, index));
        }
        // The last that is acknowledged is a revocation.
        if number % 2 == 1 {
            phone
                .provider
                .revoke(&phone.revocation(RevocationReason::UserRequest))
                .await
                .unwrap();
        }
        phones.push((phone, own));
    }
    cluster.stop(Stop::Immediate).unwrap();
    node.kill();
    let dropped = disk.after_power_loss(&shadow, &data);
    assert!(dropped > 0, "all tables were synced: nothing was tried");
    cluster.set_environment(vec![]);
    cluster.start().unwrap();
    node.restart();

    let all_set = async |own: &[(String, u64)]| {
        let mut set = 0;
        for (uri, index) in own {
            let token = reqwest::get(uri).await.unwrap().bytes().await.unwrap();
            set += usize::from(is_set(&token, uri, *index));
        }
        assert!(set == 0 || set == own.len(), "{set} of {}", own.len());
        set > 0
    };
    for (number, (phone, own)) in phones.iter().enumerate() {
        let (unit, signing) = (phone.answer.unit, phone.device.signing());
        let state = phone.provider.unit(unit, signing).await.unwrap().state;
        let revoked = number % 2 == 1;
        assert_eq!(state == UnitState::Revoked, revoked, "unit {number}");
        assert_eq!(all_set(own).await, revoked, "unit {number}");
        match phone.try_wia().await {
            Ok((_, uri, index)) => {
                assert!(!revoked, "unit {number} has come back to life");
                assert!(taken.insert((uri, index)), "an index was used twice");
            }
            Err(refused) => assert_eq!(
                (refused.code(), revoked),
                (Some("unit-revoked"), true),
                "unit {number}"
            ),
        }
        if !revoked {
            // Every entry that it was given is still known to be its own.
            phone
                .provider
                .revoke(&phone.revocation(RevocationReason::UserRequest))
                .await
                .unwrap();
            assert!(all_set(own).await, "unit {number}");
        }
    }
}

/// Files as they were when all of them were on disk.
struct Disk {
    synced: PathBuf,
    /// Where each was, from the folder, by its inode.
    places: HashMap<u64, PathBuf>,
}

impl Disk {
    fn of(data: &Path, synced: &Path) -> Self {
        let mut places = HashMap::new();
        for file in files_in(data) {
            let inode = fs::metadata(&file).unwrap().ino();
            places.insert(inode, file.strip_prefix(data).unwrap().to_owned());
        }
        run(Command::new("cp").arg("-a").args([data, synced]));
        let synced = synced.to_owned();
        Self { synced, places }
    }

    /// Puts in place of `data` what a loss of power would have left of it: what was
    /// synced since, on top of what was there before. To sync a file makes its name
    /// last too, as file systems have it and PostgreSQL expects. Answers how many
    /// tables and indexes have lost something.
    fn after_power_loss(&self, shadow: &Path, data: &Path) -> usize {
        let before = data.with_extension("before");
        fs::rename(data, &before).unwrap();
        run(Command::new("cp").arg("-a").args([&self.synced, data]));
        for listing in whole(&shadow.join("folder")) {
            let text = fs::read_to_string(listing).unwrap();
            let mut lines = text.lines();
            let folder = PathBuf::from(lines.next().unwrap());
            if !folder.starts_with(data) {
                continue;
            }
            fs::create_dir_all(&folder).unwrap();
            let mut listed = HashSet::new();
            for line in lines {
                let (inode, name) = line.split_once(' ').unwrap();
                listed.insert(folder.join(name));
                let kept = shadow.join("inode").join(inode);
                let old = self.places.get(&inode.parse().unwrap());
                let from = match kept.exists() {
                    true => Some(kept),
                    false => old.map(|place| self.synced.join(place)),
                };
                let content = from.map_or_else(Vec::new, |from| fs::read(from).unwrap());
                fs::write(folder.join(name), content).unwrap();
            }
            for entry in fs::read_dir(&folder).unwrap() {
                let entry = entry.unwrap();
                if entry.file_type().unwrap().is_file() && !listed.contains(&entry.path()) {
                    fs::remove_file(entry.path()).unwrap();
                }
            }
        }
        for kept in whole(&shadow.join("name")) {
            let path = PathBuf::from(fs::read_to_string(&kept).unwrap());
            if path.starts_with(data) && path.parent().is_some_and(Path::exists) {
                let content = shadow.join("inode").join(kept.file_name().unwrap());
                fs::copy(content, &path).unwrap();
            }
        }
        run(Command::new("chown")
            .arg("-R")
            .arg(reference(&self.synced))
            .arg(data));
        let tables = files_in(&before.join("base"));
        let tables = tables.into_iter().filter(|file| is_number(file));
        let lost = tables.filter(|file| {
            let left = data.join(file.strip_prefix(&before).unwrap());
            fs::read(left).ok() != Some(fs::read(file).unwrap())
        });
        let lost = lost.count();
        fs::remove_dir_all(before).unwrap();
        lost
    }
}

/// What the layer kept whole, the oldest first: the server may have been stopped while it
/// kept one more.
fn whole(kept: &Path) -> Vec<PathBuf> {
    let mut files = files_in(kept);
    files.retain(|file| is_number(file));
    files.sort_by_key(|file| fs::metadata(file).unwrap().modified().unwrap());
    files
}

fn is_number(file: &Path) -> bool {
    let name = file.file_name().unwrap().to_string_lossy();
    name.bytes().all(|byte| byte.is_ascii_digit())
}

fn reference(of: &Path) -> String {
    format!("--reference={}", of.display())
}

fn run(command: &mut Command) {
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}");
}

/// All regular files below a folder.
fn files_in(folder: &Path) -> Vec<PathBuf> {
    let (mut open, mut files) = (vec![folder.to_owned()], Vec::new());
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            let kind = entry.file_type().unwrap();
            match (kind.is_dir(), kind.is_file()) {
                (true, _) => open.push(entry.path()),
                (_, true) => files.push(entry.path()),
                _ => {}
            }
        }
    }
    files
}

/// The layer as a shared library, and the folder that it fills; `None`, said as a skip,
/// without a C compiler.
fn build_layer(test: &str, folder: &Path) -> Option<(PathBuf, PathBuf)> {
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/unsynced.c");
    let library = folder.join("unsynced.so");
    let mut compiler = Command::new("cc");
    compiler.args(["-shared", "-fPIC", "-O1", "-o"]);
    compiler.arg(&library).args([source, "-ldl", "-lpthread"]);
    if Command::new("cc").arg("--version").output().is_err() {
        claviger_fixtures::skip(test, "no C compiler (cc) is here");
        return None;
    }
    run(&mut compiler);
    let shadow = folder.join("shadow");
    for part in ["", "inode", "name", "folder"] {
        let folder = shadow.join(part);
        fs::create_dir_all(&folder).unwrap();
        // The server's user is another one.
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o777)).unwrap();
    }
    Some((library, shadow))
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
    for name in ["device.key", "operator.token", "claviger.db"] {
        let path = left.join(name);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600))
            .unwrap_or_else(|error| panic!("{name} was never synced: {error}"));
    }
}
