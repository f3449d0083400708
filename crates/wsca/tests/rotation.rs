//! Rotation of the root: what lives goes on, and what was destroyed is beyond anyone's
//! reach, our own code with the device at hand and a full older copy of the database
//! among them (CIR (EU) 2024/2979, Article 5(1)(d)).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use common::device::Watched;
use common::{RIGHT, World, code, pin};
use jose::Curve;
use rstest::rstest;
use sci::{Code, Digest, ItemName, KeyInfo, KeyState, Sci, Task};
use wsca::{Config, Holdings, RotationError, Unlock, WscaAdmin, WscaStore};
use wscd::software::SoftwareDevice;
use wscd::{DeviceError, Generation, SignItem, UnitBinding, UserKey, WrappedKey, WrappedUnitKey};

fn digest() -> Digest {
    Digest::of(b"m", Curve::P256)
}

fn name() -> ItemName {
    ItemName::new("pseudonym").unwrap()
}

#[tokio::test]
async fn what_lives_goes_on_and_what_was_destroyed_is_erased() {
    let world = World::new().await;
    let phone = world.opened(Task::Issuance).await;
    let keys = phone.generate_keys(3, Curve::P256).await.unwrap();
    phone.generate_keys(1, Curve::P521).await.unwrap();
    phone.store_item(&name(), b"credential").await.unwrap();
    phone.destroy_keys(&[keys[0].id]).await.unwrap();
    assert_eq!(state_of(&phone, &keys[0]).await, Some(KeyState::Destroyed));
    let before = world.device.root().await.unwrap().current;

    let rotated = world.wsca.rotate(|_| {}).await.unwrap();
    assert_eq!(rotated.root, Generation(before.0 + 1));
    assert_eq!((rotated.units, rotated.keys), (1, 3));
    assert!(!rotated.resumed);
    let root = world.device.root().await.unwrap();
    assert_eq!((root.current, root.retiring), (rotated.root, None));

    // The session that was open goes on, with the same keys.
    phone.sign(&[(keys[1].id, digest())]).await.unwrap();
    assert_eq!(*phone.read_item(&name()).await.unwrap(), b"credential");
    assert_eq!(state_of(&phone, &keys[0]).await, Some(KeyState::Erased));
    assert_eq!(
        code(phone.sign(&[(keys[0].id, digest())]).await),
        Code::KeyDestroyed
    );
    // What was told of as erased is forgotten at the next rotation.
    world.wsca.rotate(|_| {}).await.unwrap();
    assert_eq!(state_of(&phone, &keys[0]).await, None);
    assert_eq!(phone.list_keys().await.unwrap().len(), 3);
    phone
        .open_session(&pin(RIGHT), Task::Issuance)
        .await
        .unwrap();
    phone.sign(&[(keys[2].id, digest())]).await.unwrap();
    assert_eq!(world.wsca.check_state().await.unwrap(), []);
}

/// Our own code, the device at hand, and everything that ever stood in the database.
#[tokio::test]
async fn no_older_copy_of_the_database_gives_a_destroyed_key_or_unit_back() {
    let world = World::new().await;
    let lives = world.opened(Task::Issuance).await;
    let keys = lives.generate_keys(2, Curve::P256).await.unwrap();
    let gone = world.opened(Task::Issuance).await;
    gone.generate_keys(1, Curve::P256).await.unwrap();
    gone.store_item(&name(), b"secret").await.unwrap();
    let older = [
        world.store.holdings(lives.unit).await.unwrap().unwrap(),
        world.store.holdings(gone.unit).await.unwrap().unwrap(),
    ];
    // Before the rotation they can be recovered: the test can fail.
    for copy in &older {
        assert_eq!(recoverable(&world, copy, None).await, copy.keys.len());
    }
    lives.destroy_keys(&[keys[0].id]).await.unwrap();
    world.wsca.destroy_unit(gone.unit).await.unwrap();
    assert_eq!(
        recoverable(&world, &older[0], None).await,
        2,
        "not erased yet"
    );

    world.wsca.rotate(|_| {}).await.unwrap();
    let newest = world.store.holdings(lives.unit).await.unwrap().unwrap();
    for copy in &older {
        assert_eq!(recoverable(&world, copy, None).await, 0);
        assert_eq!(recoverable(&world, copy, Some(&newest)).await, 0);
    }
    // And through the WSCA itself, started on a full older copy: the shard is locked,
    // and unlocked by force the keys still do not open.
    lives.sign(&[(keys[1].id, digest())]).await.unwrap();
}

#[tokio::test]
async fn an_older_database_taken_by_force_still_gives_nothing_back() {
    let config = Config {
        shards: 1,
        ..Config::default()
    };
    let world = World::with(config).await;
    let phone = world.opened(Task::Issuance).await;
    let key = phone.generate_keys(1, Curve::P256).await.unwrap().remove(0);
    let (unit, keystore) = (phone.unit, phone.keystore.clone());
    let copy = world.copy_database().await;
    phone.destroy_keys(&[key.id]).await.unwrap();
    world.wsca.rotate(|_| {}).await.unwrap();
    drop(phone);
    let world = world.restore_and_restart(&copy).await;
    let locked = world.wsca.rotate(|_| {}).await;
    assert!(
        matches!(locked, Err(RotationError::Locked(_))),
        "{locked:?}"
    );
    world.wsca.unlock(0, Unlock::Accept, "test").await.unwrap();
    let phone = world.phone(unit, keystore);
    phone
        .open_session(&pin(RIGHT), Task::Issuance)
        .await
        .unwrap();
    let signed = code(phone.sign(&[(key.id, digest())]).await);
    assert_eq!(signed, Code::RecordAltered, "its root is gone");
}

/// A process that is killed at any of its steps leaves what the next one finishes:
/// the device answers `n` calls of the rotation, for every `n`.
#[tokio::test]
async fn a_crash_at_any_step_is_resumed() {
    let mut finished = false;
    for calls in 0..400 {
        let device = Watched::new(Arc::new(SoftwareDevice::ephemeral().unwrap()));
        let config = Config {
            shards: 1,
            ..Config::default()
        };
        let world = World::on(device.clone(), config).await;
        let phone = world.opened(Task::Issuance).await;
        let keys = phone.generate_keys(2, Curve::P256).await.unwrap();
        phone.store_item(&name(), b"credential").await.unwrap();
        phone.destroy_keys(&[keys[0].id]).await.unwrap();
        let other = world.opened(Task::Issuance).await;
        let others = other.generate_keys(1, Curve::P256).await.unwrap();
        let older = world.store.holdings(phone.unit).await.unwrap().unwrap();
        let parts = [
            (phone.unit, phone.keystore.clone(), keys[1].id),
            (other.unit, other.keystore.clone(), others[0].id),
        ];
        device.dies_after(calls);
        let first = world.wsca.rotate(|_| {}).await;
        device.lives();
        drop((phone, other));
        let world = world.restart().await;
        assert_eq!(world.wsca.alarms(), [], "after {calls} calls");
        if first.is_ok() {
            finished = true;
        }
        // A killed process leaves its lease behind, too: it runs out.
        world.pass(130);
        let before = world.device.root().await.unwrap();
        let again = world.wsca.rotate(|_| {}).await.unwrap();
        if first.is_err() && (before.retiring.is_some() || again.resumed) {
            let most = before.current.0.max(2);
            assert_eq!(again.root.0, most, "resumed, not begun anew: {calls} calls");
        }
        assert_eq!(world.device.root().await.unwrap().retiring, None);
        assert_eq!(recoverable(&world, &older, None).await, 0);
        for (unit, keystore, key) in parts {
            let phone = world.phone(unit, keystore);
            phone
                .open_session(&pin(RIGHT), Task::Issuance)
                .await
                .unwrap();
            phone.sign(&[(key, digest())]).await.unwrap();
        }
        if finished {
            assert!(
                calls > 12,
                "a rotation of two units is more than {calls} calls"
            );
            return;
        }
    }
    panic!("the rotation never came to its end");
}

/// The process dies after the old root was destroyed and before it could say so.
#[tokio::test]
async fn an_end_that_was_not_noted_is_noted_and_not_rotated_again() {
    let world = World::new().await;
    let phone = world.opened(Task::Issuance).await;
    let key = phone.generate_keys(1, Curve::P256).await.unwrap().remove(0);
    let row = world.wsca.rotate(|_| {}).await.unwrap();
    let mut noted = world.store.rotation().await.unwrap().unwrap();
    noted.target = Some(row.root.0);
    noted.version += 1;
    let batch = wsca::Batch {
        guards: vec![],
        writes: vec![wsca::Write::Rotation(noted)],
    };
    world.store.commit(batch).await.unwrap();
    let again = world.wsca.rotate(|_| {}).await.unwrap();
    assert_eq!(again.root, row.root);
    assert!(again.resumed);
    assert_eq!(world.store.rotation().await.unwrap().unwrap().target, None);
    phone.sign(&[(key.id, digest())]).await.unwrap();
}

/// Requests go on while the root is rotated, over two nodes, and new units come.
#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn requests_go_on_while_the_root_is_rotated(#[values(1, 4)] shards: u16) {
    let config = Config {
        shards,
        ..Config::default()
    };
    let world = Arc::new(World::with(config).await);
    let node = world.second_node().await;
    let mut phones = vec![];
    for _ in 0..6 {
        let phone = world.opened(Task::Issuance).await;
        let keys = phone.generate_keys(4, Curve::P256).await.unwrap();
        phones.push((phone, keys));
    }
    let stop = Arc::new(AtomicBool::new(false));
    let work = Arc::new(AtomicU64::new(0));
    let mut tasks = tokio::task::JoinSet::new();
    for (phone, keys) in phones {
        let (stop, work) = (stop.clone(), work.clone());
        tasks.spawn(async move {
            let mut mine = keys;
            while !stop.load(Ordering::SeqCst) {
                phone.sign(&[(mine[0].id, digest())]).await.unwrap();
                let made = phone.generate_keys(1, Curve::P256).await.unwrap().remove(0);
                phone.store_item(&name(), b"c").await.unwrap();
                phone.destroy_keys(&[mine.remove(0).id]).await.unwrap();
                mine.push(made);
                work.fetch_add(1, Ordering::SeqCst);
            }
            for key in &mine {
                phone.sign(&[(key.id, digest())]).await.unwrap();
            }
            assert_eq!(*phone.read_item(&name()).await.unwrap(), b"c");
        });
    }
    let enrolling = {
        let (world, stop) = (world.clone(), stop.clone());
        tokio::spawn(async move {
            let mut made = vec![];
            while !stop.load(Ordering::SeqCst) {
                made.push(world.opened(Task::Issuance).await);
            }
            for phone in &made {
                phone.generate_keys(1, Curve::P256).await.unwrap();
            }
            made.len()
        })
    };
    let mut heard = vec![];
    for round in 0..3 {
        let before = work.load(Ordering::SeqCst);
        let node = if round % 2 == 0 { &world.wsca } else { &node };
        let told = std::sync::Mutex::new(vec![]);
        node.rotate(|progress| told.lock().unwrap().push(progress.done))
            .await
            .unwrap();
        heard.extend(told.into_inner().unwrap());
        while work.load(Ordering::SeqCst) < before + 3 {
            tokio::task::yield_now().await;
        }
    }
    stop.store(true, Ordering::SeqCst);
    tasks.join_all().await;
    assert!(enrolling.await.unwrap() > 0);
    assert!(heard.len() >= 18, "progress is told unit by unit");
    assert_eq!(world.wsca.check_state().await.unwrap(), []);
}

#[tokio::test]
async fn one_process_rotates_at_a_time() {
    let world = World::new().await;
    world.opened(Task::Issuance).await;
    let node = world.second_node().await;
    let (one, other) = tokio::join!(world.wsca.rotate(|_| {}), node.rotate(|_| {}));
    let held = |r: &Result<_, _>| matches!(r, Err(RotationError::Held(_)));
    assert!(
        (one.is_ok() && held(&other)) || (held(&one) && other.is_ok()),
        "{one:?} {other:?}"
    );
}

/// A unit whose record was altered would be lost with the old root: nothing is
/// destroyed until somebody has decided what becomes of it.
#[tokio::test]
async fn a_unit_that_cannot_be_moved_keeps_the_old_root() {
    let world = World::new().await;
    let phone = world.opened(Task::Issuance).await;
    let other = world.opened(Task::Issuance).await;
    let key = other.generate_keys(1, Curve::P256).await.unwrap().remove(0);
    // Who writes the database says that the unit was moved already.
    let mut row = world.row(phone.unit).await;
    row.wrapping_generation += 1;
    world.tamper(row).await;
    let stopped = world.wsca.rotate(|_| {}).await;
    assert!(
        matches!(&stopped, Err(RotationError::Unmoved { unit, .. }) if *unit == phone.unit),
        "{stopped:?}"
    );
    assert!(world.device.root().await.unwrap().retiring.is_some());
    other.sign(&[(key.id, digest())]).await.unwrap();
    assert!(!world.wsca.condemn(other.unit, "in order").await.unwrap());
    assert!(world.wsca.condemn(phone.unit, "altered").await.unwrap());
    let rotated = world.wsca.rotate(|_| {}).await.unwrap();
    assert!(rotated.resumed);
    assert!(world.wsca.unit_state(phone.unit).await.unwrap().destroyed);
    other.sign(&[(key.id, digest())]).await.unwrap();
}

#[tokio::test]
async fn it_is_rotated_when_it_is_due_and_not_before() {
    let world = World::new().await;
    world.opened(Task::Issuance).await;
    let due = async || world.wsca.rotate_if_due().await.unwrap().map(|r| r.root.0);
    assert_eq!(due().await, None, "the first look starts the clock");
    world.pass(24 * 3600 - 1);
    assert_eq!(due().await, None);
    world.pass(2);
    assert_eq!(due().await, Some(2));
    assert_eq!(due().await, None);
    let config = Config {
        rotate_every: None,
        ..Config::default()
    };
    let never = World::with(config).await;
    never.pass(1_000_000);
    assert_eq!(never.wsca.rotate_if_due().await.unwrap(), None);
}

/// A unit enrolled at the very moment must not come to stand under a root that goes.
#[tokio::test]
async fn no_unit_is_written_under_a_root_that_is_going() {
    let world = World::new().await;
    let phone = world.enrolled().await;
    let mut stale = world.row(phone.unit).await;
    world.wsca.rotate(|_| {}).await.unwrap();
    stale.unit = sci::UnitId::random();
    let batch = wsca::Batch {
        guards: vec![wsca::Guard::Generation(stale.wrapping_generation)],
        writes: vec![wsca::Write::Unit(Box::new(stale))],
    };
    let refused = world.store.commit(batch).await;
    assert!(matches!(
        refused,
        Err(wsca::CommitError::Guard { index: 0 })
    ));
}

/// How many keys of an older copy can be used with the device, by any means that our
/// own code has; `living` lends its wrapping key.
async fn recoverable(world: &World, copy: &Holdings, living: Option<&Holdings>) -> usize {
    let unit = UnitBinding(*copy.unit.unit.as_bytes());
    let root = world.device.root().await.unwrap().current;
    let old = WrappedUnitKey {
        generation: Generation(copy.unit.wrapping_generation),
        bytes: copy.unit.wrapping_key.clone(),
    };
    let mut wrappings = vec![
        WrappedUnitKey {
            generation: root,
            ..old.clone()
        },
        old.clone(),
    ];
    if let Some(living) = living {
        wrappings.push(WrappedUnitKey {
            generation: Generation(living.unit.wrapping_generation),
            bytes: living.unit.wrapping_key.clone(),
        });
    }
    let fresh = world.device.create_unit_key(&unit).await.unwrap();
    wrappings.push(fresh.clone());
    let digest = digest();
    let mut found = 0;
    for row in &copy.keys {
        let Some(wrapped) = &row.wrapped else {
            continue;
        };
        let key = UserKey {
            public: jose::PublicKey::from_spki_der(&row.public_key).unwrap(),
            wrapped: WrappedKey(wrapped.clone()),
        };
        let item = SignItem {
            key: &key,
            digest: digest.as_bytes(),
        };
        let mut opened = false;
        for wrapping in &wrappings {
            let signed = world.device.sign_digests(&unit, wrapping, &[item]).await;
            let moved = world
                .device
                .rewrap(&unit, wrapping, &fresh, std::slice::from_ref(&key))
                .await;
            for result in [signed.map(drop), moved.map(drop)] {
                match result {
                    Ok(()) => opened = true,
                    Err(error) => assert!(refuses(&error), "{error}"),
                }
            }
        }
        found += usize::from(opened);
    }
    for item in &copy.items {
        let name = item.name.as_bytes();
        let opened = world
            .device
            .open_item(&unit, &old, name, &item.sealed)
            .await;
        assert_eq!(opened.is_ok(), found > 0, "items go with keys");
    }
    found
}

fn refuses(error: &DeviceError) -> bool {
    error.refuses_form()
}

async fn state_of(phone: &common::Phone, key: &KeyInfo) -> Option<KeyState> {
    let keys = phone.list_keys().await.unwrap();
    keys.iter().find(|k| k.id == key.id).map(|k| k.state)
}
