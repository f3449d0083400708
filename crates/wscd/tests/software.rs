//! The software device: its wrapped forms, its store, its keys in files.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use jose::{Curve, KeyAgreement, PublicKey, SignError, Signer};
use rstest::rstest;
use wscd::conformance::{self, Marks, Outcome, Scope};
use wscd::software::{SoftwareDevice, StoreKey};
use wscd::{
    Anchor, Assurance, DeviceAgreement, DeviceError, DeviceSigner, Erasure, Generation, KeyName,
    KeyUse, OpenError, SealPurpose, SignItem, UnitBinding, UserKey, WrappedUnitKey, Wscd,
};

const ALICE: UnitBinding = UnitBinding([0xa1; 16]);
const BOB: UnitBinding = UnitBinding([0xb0; 16]);
const DIGEST: [u8; 32] = [0x5a; 32];

#[tokio::test]
async fn it_passes_the_kit() {
    let device = ephemeral();
    let report = conformance::run(&device, Scope::Empty).await;
    assert!(report.passed(), "{report:#?}");
    assert_eq!(report.checks.len(), conformance::checks().count());
    assert!(report.checks.iter().all(|c| c.result == Outcome::Passed));
}

#[tokio::test]
async fn it_passes_the_kit_twice_over_a_store_and_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    for _ in 0..2 {
        let device = stored(&path).unwrap();
        let report = conformance::run(&device, Scope::Empty).await;
        assert!(report.passed(), "{:?}", report.failures());
    }
    let device = stored(&path).unwrap();
    let marks = Marks::leave(&device).await.unwrap();
    drop(device);
    let device = stored(&path).unwrap();
    assert_eq!(marks.check(&device).await.result, Outcome::Passed);
    // And the check can fail: another device has none of the marks.
    let stranger = marks.check(&ephemeral()).await;
    assert!(matches!(stranger.result, Outcome::Failed(_)));
}

#[tokio::test]
async fn a_device_in_use_is_not_rotated_and_so_does_not_pass() {
    let device = ephemeral();
    let before = device.root().await.unwrap();
    let report = conformance::run(&device, Scope::InUse).await;
    assert_eq!(device.root().await.unwrap(), before);
    assert_eq!(
        report.failures(),
        [
            "WSCD-ANCHOR",
            "WSCD-ROTATION-MOVES",
            "WSCD-ROTATION-ERASES",
            "WSCD-ROTATION-KEEPS"
        ]
    );
}

#[test]
fn it_claims_no_level() {
    let device = ephemeral();
    let said = device.descriptor();
    assert_eq!(said.assurance, Assurance::None);
    assert_eq!(said.key_storage, None);
    assert_eq!(said.user_authentication, None);
    assert!(!said.exportable);
    assert_eq!(said.curves, Curve::ALL);
}

// ---- wrapped forms: each refusal by its own cause ----------------------------------

#[tokio::test]
async fn what_belongs_elsewhere_is_refused_by_its_cause() {
    let device = ephemeral();
    let (alice, keys) = unit(&device, ALICE, 2).await;
    let (bob, bobs) = unit(&device, BOB, 1).await;
    let second = device.create_unit_key(&ALICE).await.unwrap();
    let swapped = UserKey {
        public: keys[0].public.clone(),
        wrapped: keys[1].wrapped.clone(),
    };
    let sign = async |unit, unit_key, key| sign(&device, unit, unit_key, key).await.unwrap_err();

    assert!(matches!(
        sign(ALICE, &bob, &bobs[0]).await,
        DeviceError::WrongUnit { what: "unit key" }
    ));
    assert!(matches!(
        sign(ALICE, &alice, &bobs[0]).await,
        DeviceError::WrongUnit { what: "user key" }
    ));
    assert!(matches!(
        sign(ALICE, &second, &keys[0]).await,
        DeviceError::WrongUnitKey { what: "user key" }
    ));
    assert!(matches!(
        sign(ALICE, &alice, &swapped).await,
        DeviceError::WrongKey
    ));
}

#[tokio::test]
async fn a_header_rewritten_to_fit_is_still_refused() {
    let device = ephemeral();
    let (alice, keys) = unit(&device, ALICE, 1).await;
    let (bob, bobs) = unit(&device, BOB, 1).await;
    // Everything in the clear of Bob's forms is made to read as Alice's:
    // device, generation and unit are bytes 2..34, the unit key's id 34..50.
    let mut forged_unit = bob.clone();
    forged_unit.bytes[..50].copy_from_slice(&alice.bytes[..50]);
    let mut forged_key = bobs[0].clone();
    forged_key.wrapped.0[..50].copy_from_slice(&keys[0].wrapped.0[..50]);

    let refused = sign(&device, ALICE, &forged_unit, &keys[0]).await;
    assert!(matches!(
        refused,
        Err(DeviceError::Tampered {
            what: "unit key",
            ..
        })
    ));
    let refused = sign(&device, ALICE, &alice, &forged_key).await;
    assert!(matches!(
        refused,
        Err(DeviceError::Tampered {
            what: "user key",
            ..
        })
    ));
}

#[tokio::test]
async fn another_devices_forms_are_refused() {
    let device = ephemeral();
    let (unit_key, keys) = unit(&ephemeral(), ALICE, 1).await;
    assert!(matches!(
        sign(&device, ALICE, &unit_key, &keys[0]).await,
        Err(DeviceError::Tampered {
            cause: "it was made by another device",
            ..
        })
    ));
    let sealed = ephemeral()
        .seal(SealPurpose::ServiceSecret, b"", b"x")
        .await
        .unwrap();
    assert!(matches!(
        device.open(SealPurpose::ServiceSecret, b"", &sealed).await,
        Err(DeviceError::Tampered { what: "secret", .. })
    ));
}

#[tokio::test]
async fn a_form_longer_than_any_is_refused() {
    let device = ephemeral();
    let (unit_key, keys) = unit(&device, ALICE, 1).await;
    let mut key = keys[0].clone();
    key.wrapped.0.resize(1 << 20, 0);
    assert!(matches!(
        sign(&device, ALICE, &unit_key, &key).await,
        Err(DeviceError::Tampered {
            cause: "it is too long",
            ..
        })
    ));
}

#[tokio::test]
async fn every_copy_left_behind_by_a_rotation_is_useless() {
    let device = ephemeral();
    let (old, keys) = unit(&device, ALICE, 2).await;
    let gone = |result: Result<Vec<Vec<u8>>, DeviceError>| match result {
        Err(DeviceError::WrongGeneration { generation, root }) => {
            assert_eq!(generation, Generation(1));
            assert_eq!(root.current, Generation(2));
        }
        other => panic!("{other:?}"),
    };
    assert_eq!(
        device.destroy_keys(&ALICE, &old, &keys[1..]).await.unwrap(),
        Erasure::AtRotation(Generation(1))
    );

    device.begin_rotation().await.unwrap();
    let new = device.create_unit_key(&ALICE).await.unwrap();
    let moved = device.rewrap(&ALICE, &old, &new, &keys[..1]).await.unwrap();
    device
        .finish_rotation(device.root().await.unwrap().current)
        .await
        .unwrap();

    sign(&device, ALICE, &new, &moved[0]).await.unwrap();
    gone(sign(&device, ALICE, &old, &keys[1]).await);
    gone(sign(&device, ALICE, &new, &keys[1]).await);
    // The living key's old form is useless too.
    gone(sign(&device, ALICE, &new, &keys[0]).await);
    assert_eq!(
        device.destroy_keys(&ALICE, &old, &keys[1..]).await.unwrap(),
        Erasure::Complete
    );
}

#[tokio::test]
async fn a_rotation_survives_a_restart_at_every_step() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let device = stored(&path).unwrap();
    let (old, keys) = unit(&device, ALICE, 1).await;
    let begun = device.begin_rotation().await.unwrap();
    drop(device);

    let device = stored(&path).unwrap();
    assert_eq!(device.begin_rotation().await.unwrap(), begun);
    sign(&device, ALICE, &old, &keys[0]).await.unwrap();
    let new = device.create_unit_key(&ALICE).await.unwrap();
    let moved = device.rewrap(&ALICE, &old, &new, &keys).await.unwrap();
    drop(device);

    let device = stored(&path).unwrap();
    sign(&device, ALICE, &new, &moved[0]).await.unwrap();
    device
        .finish_rotation(device.root().await.unwrap().current)
        .await
        .unwrap();
    drop(device);

    let device = stored(&path).unwrap();
    sign(&device, ALICE, &new, &moved[0]).await.unwrap();
    assert!(matches!(
        sign(&device, ALICE, &old, &keys[0]).await,
        Err(DeviceError::WrongGeneration { .. })
    ));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn units_work_while_the_root_rotates() {
    let device: Arc<SoftwareDevice> = Arc::new(ephemeral());
    let workers: Vec<_> = (0..8u8)
        .map(|n| {
            let device = Arc::clone(&device);
            tokio::spawn(async move {
                let id = UnitBinding([n; 16]);
                let (mut unit_key, mut keys) = unit(&device, id, 4).await;
                for _ in 0..50 {
                    for key in &keys {
                        sign(&device, id, &unit_key, key).await.unwrap();
                    }
                    let new = device.create_unit_key(&id).await.unwrap();
                    keys = device.rewrap(&id, &unit_key, &new, &keys).await.unwrap();
                    unit_key = new;
                    tokio::task::yield_now().await;
                }
                (id, unit_key, keys)
            })
        })
        .collect();
    device.begin_rotation().await.unwrap();
    let mut units = Vec::new();
    for worker in workers {
        units.push(worker.await.unwrap());
    }
    for (id, unit_key, keys) in &mut units {
        let new = device.create_unit_key(id).await.unwrap();
        *keys = device.rewrap(id, unit_key, &new, keys).await.unwrap();
        *unit_key = new;
    }
    device
        .finish_rotation(device.root().await.unwrap().current)
        .await
        .unwrap();
    for (id, unit_key, keys) in &units {
        for key in keys {
            sign(&device, *id, unit_key, key).await.unwrap();
        }
    }
}

// ---- secrets, anchors, named keys ---------------------------------------------------

#[tokio::test]
async fn an_anchor_never_goes_back_even_over_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let device = stored(&path).unwrap();
    assert_eq!(device.read_anchor(3).await.unwrap(), None);
    device.write_anchor(3, &anchor(5)).await.unwrap();
    drop(device);

    let device = stored(&path).unwrap();
    assert_eq!(device.read_anchor(3).await.unwrap(), Some(anchor(5)));
    match device.write_anchor(3, &anchor(4)).await {
        Err(DeviceError::AnchorBehind {
            shard: 3,
            held,
            offered,
        }) => assert_eq!((held, offered), (anchor(5), anchor(4))),
        other => panic!("{other:?}"),
    }
    device.write_anchor(3, &anchor(5)).await.unwrap();
    assert_eq!(device.read_anchor(4).await.unwrap(), None);
    assert!(matches!(
        device.write_anchor(1024, &anchor(1)).await,
        Err(DeviceError::Exhausted { what: "shard" })
    ));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_writers_of_one_epoch_one_wins() {
    let device = Arc::new(ephemeral());
    let writers: Vec<_> = (0..32u8)
        .map(|n| {
            let device = Arc::clone(&device);
            let offered = Anchor {
                epoch: 1,
                hash: [n; 32],
            };
            tokio::spawn(async move { device.write_anchor(0, &offered).await.map(|()| offered) })
        })
        .collect();
    let mut won = Vec::new();
    for writer in writers {
        match writer.await.unwrap() {
            Ok(anchor) => won.push(anchor),
            Err(DeviceError::AnchorBehind { .. }) => {}
            Err(other) => panic!("{other}"),
        }
    }
    assert_eq!(won.len(), 1);
    assert_eq!(device.read_anchor(0).await.unwrap(), Some(won[0]));
}

#[tokio::test]
async fn a_full_store_is_written_and_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let device = stored(&path).unwrap();
    let longest = "n".repeat(62);
    for n in 0..20 {
        let name = KeyName::new(format!("{longest}{n:02}")).unwrap();
        device
            .named_key(&name, Curve::P521, KeyUse::Sign)
            .await
            .unwrap();
    }
    for shard in 0..20 {
        let anchor = Anchor {
            epoch: u64::MAX,
            hash: [0xff; 32],
        };
        device.write_anchor(1000 + shard, &anchor).await.unwrap();
    }
    let objects = device.health().await.unwrap().objects;
    drop(device);
    let device = stored(&path).unwrap();
    assert_eq!(device.health().await.unwrap().objects, objects);
}

#[rstest]
#[case(Curve::P256)]
#[case(Curve::P384)]
#[case(Curve::P521)]
#[tokio::test]
async fn a_named_key_is_a_signer_and_an_agreement(#[case] curve: Curve) {
    let device: Arc<dyn Wscd> = Arc::new(ephemeral());
    let signer = DeviceSigner::open(Arc::clone(&device), name("wia"), curve)
        .await
        .unwrap();
    let signature = signer.sign(b"message").await.unwrap();
    signer.public_key().verify(b"message", &signature).unwrap();
    assert_eq!(signer.algorithm(), curve.algorithm());

    let ours = DeviceAgreement::open(Arc::clone(&device), name("ours"), curve)
        .await
        .unwrap();
    let theirs = DeviceAgreement::open(Arc::clone(&device), name("theirs"), curve)
        .await
        .unwrap();
    let secret = ours.agree(theirs.public_key()).await.unwrap();
    assert_eq!(secret, theirs.agree(ours.public_key()).await.unwrap());
    assert_eq!(secret.len(), curve.field_len());

    let stranger = other_curve(&device, curve).await;
    assert!(matches!(
        ours.agree(&stranger).await,
        Err(SignError::CurveMismatch)
    ));
    device.destroy_named(&name("wia")).await.unwrap();
    assert!(matches!(
        signer.sign(b"message").await,
        Err(SignError::Refused(_))
    ));
}

#[rstest]
#[case("")]
#[case("Upper")]
#[case("a/b")]
#[case("ä")]
#[case("a b")]
#[case("nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn")]
fn a_name_that_is_no_label_is_refused(#[case] text: &str) {
    assert!(matches!(
        KeyName::new(text),
        Err(DeviceError::BadName { .. })
    ));
}

// ---- the store and its key ------------------------------------------------------------

#[test]
fn another_store_key_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    stored(&path).unwrap();
    let error = SoftwareDevice::open(&path, StoreKey::from_bytes(&[8; 32])).unwrap_err();
    assert!(matches!(error, OpenError::WrongStoreKey { path: named } if named == path));
}

#[rstest]
#[case::empty(b"", "it is too short")]
#[case::of_another_kind(&[0; 200], "does not begin as a store")]
fn what_is_no_store_is_refused_and_kept(#[case] bytes: &[u8], #[case] why: &str) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    std::fs::write(&path, bytes).unwrap();
    match stored(&path) {
        Err(OpenError::Corrupted { cause, .. }) => assert!(cause.contains(why), "{cause}"),
        other => panic!("{other:?}"),
    }
    assert_eq!(std::fs::read(&path).unwrap(), bytes);
}

#[test]
fn a_damaged_store_is_refused_with_its_cause() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    stored(&path).unwrap();
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x40;
    std::fs::write(&path, &bytes).unwrap();
    match stored(&path) {
        Err(OpenError::Corrupted { cause, .. }) => {
            assert_eq!(
                cause,
                "the store does not authenticate: its tag does not verify"
            );
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_store_of_any_length_beyond_reason_is_refused_unread() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let file = std::fs::File::create(&path).unwrap();
    file.set_len(1 << 40).unwrap();
    match stored(&path) {
        Err(OpenError::Corrupted { cause, .. }) => assert!(cause.contains("longer"), "{cause}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn two_opens_of_one_store_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let first = stored(&path).unwrap();
    assert!(matches!(
        stored(&path),
        Err(OpenError::Locked { path: named }) if named == path
    ));
    drop(first);
    stored(&path).unwrap();
}

#[cfg(unix)]
#[test]
fn the_store_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    stored(&path).unwrap();
    for file in [&path, &folder.path().join("store.lock")] {
        let mode = std::fs::metadata(file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{}", file.display());
    }
}

#[cfg(unix)]
#[rstest]
#[case(0o604)]
#[case(0o640)]
#[case(0o602)]
#[case(0o610)]
#[case(0o644)]
#[tokio::test]
async fn a_key_file_that_others_may_use_is_refused(#[case] mode: u32) {
    let folder = tempfile::tempdir().unwrap();
    let file = key_file(folder.path(), &"ab".repeat(32), mode);
    match wscd::open(&uri(folder.path(), &file)).await {
        Err(OpenError::KeyFilePermissions { mode: seen, path }) => {
            assert_eq!((seen, path), (mode, file));
        }
        other => panic!("{other:?}"),
    }
    assert!(!folder.path().join("store").exists());
}

#[cfg(unix)]
#[rstest]
#[case("")]
#[case("password")]
#[case("abababababababababababababababababababababababababababababababa")]
#[case("ababababababababababababababababababababababababababababababababab")]
#[case("zzababababababababababababababababababababababababababababababab")]
#[tokio::test]
async fn a_key_file_without_a_key_is_refused(#[case] text: &str) {
    let folder = tempfile::tempdir().unwrap();
    let file = key_file(folder.path(), text, 0o600);
    let error = wscd::open(&uri(folder.path(), &file)).await.unwrap_err();
    assert!(matches!(error, OpenError::KeyFile { .. }), "{error}");
    assert!(error.to_string().contains("64 hexadecimal digits"));
    assert!(text.is_empty() || !error.to_string().contains(text));
}

#[cfg(unix)]
#[tokio::test]
async fn a_key_file_of_its_owner_opens_the_same_store_again() {
    let folder = tempfile::tempdir().unwrap();
    let file = key_file(folder.path(), &format!("{}\n", "ab".repeat(32)), 0o400);
    let uri = uri(folder.path(), &file);
    let device = wscd::open(&uri).await.unwrap();
    let public = device
        .named_key(&name("a"), Curve::P256, KeyUse::Sign)
        .await
        .unwrap();
    drop(device);
    let device = wscd::open(&uri).await.unwrap();
    let again = device
        .named_key(&name("a"), Curve::P256, KeyUse::Sign)
        .await
        .unwrap();
    assert_eq!(public, again);
}

#[tokio::test]
async fn what_is_missing_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("store");
    let error = wscd::open(&format!(
        "software:{}?key-env=CLAVIGER_NOT_SET",
        store.display()
    ))
    .await
    .unwrap_err();
    assert_eq!(
        error.to_string(),
        "the environment variable CLAVIGER_NOT_SET is not set"
    );
    // PATH is set everywhere, and is no key.
    let error = wscd::open(&format!("software:{}?key-env=PATH", store.display()))
        .await
        .unwrap_err();
    assert!(matches!(error, OpenError::KeyEnv { .. }));
    let nowhere = folder.path().join("nowhere");
    let error = wscd::open(&uri(folder.path(), &nowhere)).await.unwrap_err();
    assert!(matches!(error, OpenError::Io { path, .. } if path == nowhere));
    let error = SoftwareDevice::open(&nowhere.join("store"), key()).unwrap_err();
    assert!(matches!(error, OpenError::Io { what: "open", .. }));
    let error = wscd::open(&uri(folder.path(), folder.path()))
        .await
        .unwrap_err();
    assert!(matches!(
        error,
        OpenError::KeyFile { .. } | OpenError::KeyFilePermissions { .. }
    ));
    assert!(matches!(
        wscd::open("kmip://host").await,
        Err(OpenError::UnknownScheme { .. })
    ));
}

// ---- another process ------------------------------------------------------------------

/// Writes anchors and says so, until it is killed; and only as the child of the
/// test below.
#[tokio::test]
async fn the_other_process() {
    let Ok(uri) = std::env::var("CLAVIGER_WSCD_TEST_CHILD") else {
        return;
    };
    let device = wscd::open(&uri).await.unwrap();
    let mut out = std::io::stdout();
    for epoch in 1.. {
        device.write_anchor(0, &anchor(epoch)).await.unwrap();
        writeln!(out, "\nacknowledged {epoch}").unwrap();
        out.flush().unwrap();
    }
}

#[tokio::test]
async fn killed_at_any_moment_it_lost_nothing_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("store");
    let uri = format!(
        "software:{}?key-env=CLAVIGER_WSCD_TEST_KEY",
        store.display()
    );
    let mut last = 0;
    for round in 0..5 {
        if round > 0 {
            // The child begins at epoch 1 again; a fresh store lets it.
            std::fs::remove_file(&store).unwrap();
        }
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "the_other_process", "--nocapture"])
            .env("CLAVIGER_WSCD_TEST_CHILD", &uri)
            .env("CLAVIGER_WSCD_TEST_KEY", "07".repeat(32))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut acknowledged = 0;
        for line in lines {
            let line = line.unwrap();
            if let Some(epoch) = line.strip_prefix("acknowledged ") {
                acknowledged = epoch.parse().unwrap();
            }
            if acknowledged == 1 {
                assert!(
                    matches!(stored(&store), Err(OpenError::Locked { .. })),
                    "another process has it"
                );
            }
            if acknowledged >= 3 + 2 * round {
                break;
            }
        }
        child.kill().unwrap();
        child.wait().unwrap();

        let device = stored(&store).unwrap();
        let held = device.read_anchor(0).await.unwrap().unwrap().epoch;
        assert!(held >= acknowledged, "{held} < {acknowledged}");
        last = held;
    }
    assert!(last > 0);
}

// ---- helpers --------------------------------------------------------------------------

fn ephemeral() -> SoftwareDevice {
    SoftwareDevice::ephemeral().unwrap()
}

fn key() -> StoreKey {
    StoreKey::from_bytes(&[7; 32])
}

fn stored(path: &Path) -> Result<SoftwareDevice, OpenError> {
    SoftwareDevice::open(path, key())
}

fn name(name: &str) -> KeyName {
    KeyName::new(name).unwrap()
}

fn anchor(epoch: u64) -> Anchor {
    Anchor {
        epoch,
        hash: [u8::try_from(epoch % 256).unwrap(); 32],
    }
}

async fn unit(
    device: &SoftwareDevice,
    unit: UnitBinding,
    count: usize,
) -> (WrappedUnitKey, Vec<UserKey>) {
    let unit_key = device.create_unit_key(&unit).await.unwrap();
    let keys = device
        .generate(&unit, &unit_key, Curve::P256, count)
        .await
        .unwrap();
    (unit_key, keys)
}

async fn sign(
    device: &SoftwareDevice,
    unit: UnitBinding,
    unit_key: &WrappedUnitKey,
    key: &UserKey,
) -> Result<Vec<Vec<u8>>, DeviceError> {
    let item = SignItem {
        key,
        digest: &DIGEST,
    };
    device.sign_digests(&unit, unit_key, &[item]).await
}

async fn other_curve(device: &Arc<dyn Wscd>, curve: Curve) -> PublicKey {
    let other = Curve::ALL.into_iter().find(|c| *c != curve).unwrap();
    device
        .named_key(&name("stranger"), other, KeyUse::Agree)
        .await
        .unwrap()
}

fn uri(folder: &Path, key_file: &Path) -> String {
    format!(
        "software:{}?key-file={}",
        folder.join("store").display(),
        key_file.display()
    )
}

#[cfg(unix)]
fn key_file(folder: &Path, text: &str, mode: u32) -> PathBuf {
    use std::os::unix::fs::PermissionsExt;
    let path = folder.join("key");
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
    path
}
