//! A database from yesterday gives no try, no key and no unit back.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod common;

use std::sync::Arc;

use common::device::Watched;
use common::{RIGHT, WRONG, World, code, pin};
use jose::Curve;
use rstest::rstest;
use sci::{Code, Digest, Sci, Task};
use wsca::{Alarm, Batch, Config, Holdings, ShardRow, Write, WscaAdmin, WscaStore};
use wscd::software::{SoftwareDevice, StoreKey};

fn one_shard() -> Config {
    Config {
        shards: 1,
        ..Config::default()
    }
}

fn digest() -> Digest {
    Digest::of(b"m", Curve::P256)
}

fn is_locked(world: &World) -> bool {
    matches!(
        world.wsca.alarms().as_slice(),
        [Alarm::StateRolledBack(locked)] if locked.shard == 0
    )
}

#[tokio::test]
async fn an_older_database_gives_no_try_back() {
    let world = World::with(one_shard()).await;
    let phone = world.registered().await;
    let (unit, keystore) = (phone.unit, phone.keystore.clone());
    let copy = world.copy_database().await;
    for _ in 0..4 {
        let _ = phone
            .open_session(&pin(WRONG), Task::Issuance)
            .await
            .unwrap_err();
    }
    drop(phone);
    let world = world.restore_and_restart(&copy).await;
    assert!(is_locked(&world), "{:?}", world.wsca.alarms());
    let phone = world.phone(unit, keystore);
    for digits in [WRONG, RIGHT] {
        assert_eq!(
            code(phone.open_session(&pin(digits), Task::Issuance).await),
            Code::StateRolledBack
        );
    }
    // Nothing new begins on a locked shard either.
    let keys = common::keys(&*phone.keystore);
    let enrolled = world.wsca.enroll(sci::UnitId::random(), keys).await;
    assert!(matches!(enrolled, Err(wsca::AdminError::StateRolledBack)));
}

#[tokio::test]
async fn an_older_database_brings_no_destroyed_key_and_no_destroyed_unit_back() {
    let world = World::with(one_shard()).await;
    let phone = world.opened(Task::Issuance).await;
    let key = phone.generate_keys(1, Curve::P256).await.unwrap().remove(0);
    let (unit, keystore) = (phone.unit, phone.keystore.clone());
    let before = world.copy_database().await;
    phone.destroy_keys(&[key.id]).await.unwrap();
    let destroyed_key = world.copy_database().await;
    world.wsca.destroy_unit(unit).await.unwrap();
    drop(phone);
    let mut world = world;
    for copy in [before, destroyed_key] {
        world = world.restore_and_restart(&copy).await;
        assert!(is_locked(&world));
        let phone = world.phone(unit, keystore.clone());
        assert_eq!(
            code(phone.open_session(&pin(RIGHT), Task::Issuance).await),
            Code::StateRolledBack
        );
        assert!(matches!(
            world.wsca.unit_state(unit).await,
            Err(wsca::AdminError::StateRolledBack)
        ));
    }
}

#[tokio::test]
async fn the_true_database_works_again_after_a_false_one() {
    let world = World::with(one_shard()).await;
    let phone = world.registered().await;
    let (unit, keystore) = (phone.unit, phone.keystore.clone());
    let older = world.copy_database().await;
    phone
        .open_session(&pin(RIGHT), Task::Issuance)
        .await
        .unwrap();
    drop(phone);
    let newest = world.copy_database().await;
    let world = world.restore_and_restart(&older).await;
    assert!(is_locked(&world));
    let world = world.restore_and_restart(&newest).await;
    assert_eq!(world.wsca.alarms(), []);
    let phone = world.phone(unit, keystore);
    phone
        .open_session(&pin(RIGHT), Task::Issuance)
        .await
        .unwrap();
}

#[tokio::test]
async fn an_empty_database_is_an_older_one() {
    let world = World::with(one_shard()).await;
    world.registered().await;
    let device = world.device.clone();
    let world = World::on(device, one_shard()).await;
    assert!(is_locked(&world));
}

#[tokio::test]
async fn only_the_shards_that_are_behind_are_locked() {
    let world = World::with(Config::default()).await;
    let mut phones = vec![];
    for _ in 0..12 {
        phones.push(world.registered().await);
    }
    let copy = world.copy_database().await;
    let victim = phones.remove(0);
    let _ = victim
        .open_session(&pin(WRONG), Task::Issuance)
        .await
        .unwrap_err();
    let shard = world.row(victim.unit).await.shard;
    let mut others = vec![];
    for phone in phones {
        if world.row(phone.unit).await.shard != shard {
            others.push((phone.unit, phone.keystore.clone()));
        }
    }
    drop(victim);
    let world = world.restore_and_restart(&copy).await;
    let alarms = world.wsca.alarms();
    assert!(
        matches!(alarms.as_slice(), [Alarm::StateRolledBack(locked)] if locked.shard == shard),
        "{alarms:?}"
    );
    assert!(!others.is_empty());
    for (unit, keystore) in others {
        let phone = world.phone(unit, keystore);
        phone
            .open_session(&pin(RIGHT), Task::Issuance)
            .await
            .unwrap();
    }
}

/// While the process runs: every row of an earlier day put back by a database writer.
#[tokio::test]
async fn rows_put_back_under_a_running_process_lock_the_shard() {
    let world = World::with(one_shard()).await;
    let phone = world.opened(Task::Issuance).await;
    let key = phone.generate_keys(1, Curve::P256).await.unwrap().remove(0);
    let earlier = holdings(&world, &phone).await;
    phone.destroy_keys(&[key.id]).await.unwrap();
    put_back(&world, &earlier, true).await;
    assert_eq!(
        code(phone.sign(&[(key.id, digest())]).await),
        Code::StateRolledBack
    );
    assert!(is_locked(&world));
}

/// The cleverer writer leaves the shard's row as it is.
#[tokio::test]
async fn one_units_rows_put_back_are_noticed_at_once_and_at_the_next_start() {
    let world = World::with(one_shard()).await;
    let phone = world.opened(Task::Issuance).await;
    let key = phone.generate_keys(1, Curve::P256).await.unwrap().remove(0);
    let earlier = holdings(&world, &phone).await;
    phone.destroy_keys(&[key.id]).await.unwrap();
    put_back(&world, &earlier, false).await;
    assert_eq!(
        code(phone.sign(&[(key.id, digest())]).await),
        Code::StateRolledBack
    );
    drop(phone);
    let world = world.restart().await;
    assert!(is_locked(&world), "the shard's hash shows it");
}

#[tokio::test]
async fn a_check_while_running_finds_what_no_request_has_touched() {
    let world = World::with(one_shard()).await;
    let phone = world.registered().await;
    let earlier = holdings(&world, &phone).await;
    let _ = phone
        .open_session(&pin(WRONG), Task::Issuance)
        .await
        .unwrap_err();
    assert_eq!(world.wsca.check_state().await.unwrap(), []);
    // Another node, which has never seen the unit, checks.
    let node = world.second_node().await;
    put_back(&world, &earlier, false).await;
    assert_eq!(node.check_state().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_key_put_back_alone_is_an_altered_record() {
    let world = World::with(one_shard()).await;
    let phone = world.opened(Task::Issuance).await;
    let key = phone.generate_keys(1, Curve::P256).await.unwrap().remove(0);
    let row = world.store_key(phone.unit, key.id).await;
    phone.destroy_keys(&[key.id]).await.unwrap();
    commit(&world, vec![Write::Key(row)]).await;
    assert_eq!(
        code(phone.sign(&[(key.id, digest())]).await),
        Code::RecordAltered
    );
}

#[tokio::test]
async fn an_epoch_that_the_device_has_not_vouched_for_is_refused() {
    let world = World::with(one_shard()).await;
    let phone = world.registered().await;
    let earlier = holdings(&world, &phone).await;
    let _ = phone
        .open_session(&pin(WRONG), Task::Issuance)
        .await
        .unwrap_err();
    // The old state under a number that is higher than any.
    let forged = ShardRow {
        epoch: 1_000_000,
        ..earlier.shard.clone()
    };
    commit(
        &world,
        vec![
            Write::Shard(forged),
            Write::Unit(Box::new(earlier.unit.clone())),
        ],
    )
    .await;
    assert_eq!(
        code(phone.open_session(&pin(RIGHT), Task::Issuance).await),
        Code::StateRolledBack
    );
    drop(phone);
    let world = world.restart().await;
    assert!(is_locked(&world));
}

/// A crash between commit and anchor: the database is one step ahead of the device.
#[tokio::test]
async fn a_database_that_is_ahead_of_its_anchor_is_taken_and_anchored() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("device");
    let open = || {
        let key = StoreKey::from_bytes(&[7; 32]);
        Arc::new(SoftwareDevice::open(&path, key).unwrap())
    };
    let world = World::on(open(), one_shard()).await;
    let phone = world.registered().await;
    let (unit, keystore) = (phone.unit, phone.keystore.clone());
    let device_before = std::fs::read(&path).unwrap();
    let _ = phone
        .open_session(&pin(WRONG), Task::Issuance)
        .await
        .unwrap_err();
    let ahead = world.copy_database().await;
    drop(phone);
    world.database.close().await;
    let World {
        folder: database,
        clock,
        config,
        wsca,
        device,
        store,
        ..
    } = world;
    drop((wsca, device, store));
    std::fs::write(&path, device_before).unwrap();

    let world = World::reopened(database, open(), clock, config).await;
    assert_eq!(world.wsca.alarms(), []);
    assert_eq!(world.row(unit).await.tries, 1, "the count stands");
    let phone = world.phone(unit, keystore);
    phone
        .open_session(&pin(RIGHT), Task::Issuance)
        .await
        .unwrap();
    drop(phone);
    // And from then on the step that was ahead is behind.
    let world = world.restore_and_restart(&ahead).await;
    assert!(is_locked(&world));
}

/// What is asked again after its anchor failed commits nothing the second time. It
/// must not be answered well before the device remembers it: whoever then puts the
/// rows from before back must be noticed.
#[rstest]
#[tokio::test]
async fn what_is_asked_again_is_answered_well_only_once_it_is_anchored(
    #[values("enroll", "freeze", "destroy")] asked: &str,
    #[values(false, true)] at_another_node: bool,
) {
    let device = Watched::new(Arc::new(SoftwareDevice::ephemeral().unwrap()));
    let world = World::on(device.clone(), one_shard()).await;
    let other = world.second_node().await;
    let phone = world.registered().await;
    let stranger = sci::UnitId::random();
    let keys = common::keys(&*phone.keystore);
    let ask = async |wsca: &wsca::Wsca| match asked {
        "enroll" => wsca.enroll(stranger, keys.clone()).await,
        "freeze" => wsca.freeze(phone.unit, "stolen").await,
        _ => wsca.destroy_unit(phone.unit).await,
    };
    let earlier = world.copy_database().await;
    device.refuse_anchors(true);
    let again = if at_another_node { &other } else { &world.wsca };
    for wsca in [&world.wsca, again] {
        let answer = ask(wsca).await;
        assert!(
            matches!(answer, Err(wsca::AdminError::Unavailable(_))),
            "{answer:?}"
        );
    }
    device.refuse_anchors(false);
    let anchors = device.anchors();
    ask(again).await.unwrap();
    assert_eq!(device.anchors(), anchors + 1);
    ask(again).await.unwrap();
    assert_eq!(device.anchors(), anchors + 1, "it is anchored once");
    drop((phone, other));
    let world = world.restore_and_restart(&earlier).await;
    assert!(is_locked(&world), "{asked}: {:?}", world.wsca.alarms());
}

async fn holdings(world: &World, phone: &common::Phone) -> Holdings {
    world.store.holdings(phone.unit).await.unwrap().unwrap()
}

async fn put_back(world: &World, earlier: &Holdings, with_shard: bool) {
    let mut writes = vec![Write::Unit(Box::new(earlier.unit.clone()))];
    writes.extend(earlier.keys.iter().cloned().map(Write::Key));
    if with_shard {
        writes.push(Write::Shard(earlier.shard.clone()));
    }
    commit(world, writes).await;
}

async fn commit(world: &World, writes: Vec<Write>) {
    let batch = Batch {
        guards: vec![],
        writes,
    };
    world.store.commit(batch).await.unwrap();
}

/// Two nodes run; somebody puts an older database in place of the newest. What was
/// destroyed, and what was tried, does not come back on either, and both raise the
/// alarm.
#[rstest]
#[tokio::test]
async fn a_database_put_back_under_two_running_nodes_gives_nothing_back(
    #[values("try", "key", "unit")] what: &str,
    #[values(false, true)] at_the_other_node: bool,
) {
    let world = World::with(one_shard()).await;
    let node = world.second_node().await;
    let phone = world.opened(Task::Issuance).await;
    let key = phone.generate_keys(1, Curve::P256).await.unwrap().remove(0);
    let there = world.phone_at(node.clone(), phone.unit, phone.keystore.clone());
    there
        .open_session(&pin(RIGHT), Task::Issuance)
        .await
        .unwrap();
    let older = world.copy_database().await;
    // What happens happens on one node; the other has to learn of it.
    let at = if at_the_other_node { &there } else { &phone };
    let mut tries = 0;
    match what {
        "try" => {
            for _ in 0..3 {
                let _ = at
                    .open_session(&pin(WRONG), Task::Issuance)
                    .await
                    .unwrap_err();
                tries += 1;
            }
        }
        "key" => at.destroy_keys(&[key.id]).await.unwrap(),
        _ => at.wire.wsca.destroy_unit(phone.unit).await.unwrap(),
    }
    let evaluations = world.evaluations(phone.unit).await;
    world.put_back_while_running(&older).await;
    for phone in [&phone, &there] {
        // The node that did it refuses by itself. The other one, which has not seen
        // it, finds it at its next look at the whole state.
        phone.wire.wsca.check_state().await.unwrap();
        for _ in 0..2 {
            assert_eq!(
                code(phone.open_session(&pin(RIGHT), Task::Issuance).await),
                Code::StateRolledBack
            );
        }
        let signed = code(phone.sign(&[(key.id, digest())]).await);
        assert!(
            matches!(signed, Code::StateRolledBack | Code::NoSession),
            "{signed}"
        );
        assert!(matches!(
            phone.wire.wsca.unit_state(phone.unit).await,
            Err(wsca::AdminError::StateRolledBack)
        ));
        assert!(matches!(
            phone.wire.wsca.alarms().first(),
            Some(Alarm::StateRolledBack(_))
        ));
    }
    assert_eq!(
        world.evaluations(phone.unit).await,
        evaluations,
        "{tries} tries, none more"
    );
    // A third one that starts now does not serve it either.
    let third = world.second_node().await;
    assert!(matches!(
        third.alarms().first(),
        Some(Alarm::StateRolledBack(_))
    ));
}

/// The node that did something needs no look at the whole state to see it undone.
#[tokio::test]
async fn the_node_that_did_it_sees_at_once_that_it_was_undone() {
    let world = World::with(one_shard()).await;
    let _node = world.second_node().await;
    let phone = world.opened(Task::Issuance).await;
    let older = world.copy_database().await;
    let _ = phone
        .open_session(&pin(WRONG), Task::Issuance)
        .await
        .unwrap_err();
    world.put_back_while_running(&older).await;
    assert_eq!(
        code(phone.open_session(&pin(RIGHT), Task::Issuance).await),
        Code::StateRolledBack
    );
    assert!(is_locked(&world));
}

/// The other node has not seen what was counted, and the device has: whatever that
/// node commits on the older database, it evaluates nothing.
#[tokio::test]
async fn a_node_that_had_not_seen_it_evaluates_nothing_on_an_older_database() {
    let device = Watched::new(Arc::new(SoftwareDevice::ephemeral().unwrap()));
    let world = World::on(device.clone(), one_shard()).await;
    let node = world.second_node().await;
    let phone = world.registered().await;
    let there = world.phone_at(node.clone(), phone.unit, phone.keystore.clone());
    there
        .open_session(&pin(RIGHT), Task::Issuance)
        .await
        .unwrap();
    let older = world.copy_database().await;
    for _ in 0..3 {
        let _ = phone
            .open_session(&pin(WRONG), Task::Issuance)
            .await
            .unwrap_err();
    }
    world.put_back_while_running(&older).await;
    let evaluations = device.evaluations();
    for _ in 0..3 {
        assert_eq!(
            code(there.open_session(&pin(WRONG), Task::Issuance).await),
            Code::StateRolledBack
        );
    }
    assert_eq!(device.evaluations(), evaluations);
    assert!(matches!(
        node.alarms().as_slice(),
        [Alarm::StateRolledBack(_)]
    ));
}

/// Nobody asks it anything, and nobody tells it to check.
#[tokio::test]
async fn a_node_finds_an_older_database_by_itself() {
    let world = World::with(one_shard()).await;
    let node = world.second_node().await;
    let phone = world.opened(Task::Issuance).await;
    let key = phone.generate_keys(1, Curve::P256).await.unwrap().remove(0);
    let there = world.phone_at(node.clone(), phone.unit, phone.keystore.clone());
    there
        .open_session(&pin(RIGHT), Task::Issuance)
        .await
        .unwrap();
    let older = world.copy_database().await;
    phone.destroy_keys(&[key.id]).await.unwrap();
    world.put_back_while_running(&older).await;
    let kept_up = tokio::spawn(node.clone().keep_up());
    for _ in 0..200 {
        if !node.alarms().is_empty() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    kept_up.abort();
    assert!(matches!(
        node.alarms().as_slice(),
        [Alarm::StateRolledBack(_)]
    ));
    assert_eq!(
        code(there.sign(&[(key.id, digest())]).await),
        Code::StateRolledBack
    );
}

/// A shard that never rests is checked all the same.
#[tokio::test(flavor = "multi_thread")]
async fn a_check_is_conclusive_while_others_commit() {
    let world = Arc::new(World::with(one_shard()).await);
    // Enough of them that others commit while they are read.
    let mut enrolled = tokio::task::JoinSet::new();
    for _ in 0..400 {
        let world = world.clone();
        enrolled.spawn(async move { drop(world.enrolled().await) });
    }
    enrolled.join_all().await;
    let phone = world.registered().await;
    let earlier = holdings(&world, &phone).await;
    let _ = phone
        .open_session(&pin(WRONG), Task::Issuance)
        .await
        .unwrap_err();
    let node = world.second_node().await;
    let busy = {
        let world = world.clone();
        tokio::spawn(async move {
            loop {
                world.enrolled().await;
            }
        })
    };
    for _ in 0..5 {
        assert_eq!(
            node.check_state().await.unwrap(),
            [],
            "nothing is wrong yet"
        );
    }
    put_back(&world, &earlier, false).await;
    let found = node.check_state().await.unwrap();
    busy.abort();
    assert!(
        matches!(found.as_slice(), [Alarm::StateRolledBack(_)]),
        "{found:?}"
    );
}

/// Two processes at once may leave the earlier of their anchors in a device that does
/// not compare and write in one step. The later one is what must stay.
#[tokio::test(flavor = "multi_thread")]
async fn an_anchor_that_another_process_wrote_over_is_written_again() {
    let device = Watched::new(Arc::new(SoftwareDevice::ephemeral().unwrap()));
    let world = World::on(device.clone(), one_shard()).await;
    let node = world.second_node().await;
    let mut phones = vec![];
    for n in 0..16 {
        let phone = world.registered().await;
        let wsca = if n % 2 == 0 { &world.wsca } else { &node };
        phones.push(world.phone_at(wsca.clone(), phone.unit, phone.keystore.clone()));
    }
    device.compares_no_anchors();
    for _ in 0..6 {
        let mut tries = tokio::task::JoinSet::new();
        for phone in phones {
            tries.spawn(async move {
                let _ = phone
                    .open_session(&pin(WRONG), Task::Issuance)
                    .await
                    .unwrap_err();
                phone
                    .open_session(&pin(RIGHT), Task::Issuance)
                    .await
                    .unwrap();
                phone
            });
        }
        phones = tries.join_all().await;
        let held = wscd::Wscd::read_anchor(&*device, 0).await.unwrap().unwrap();
        let row = world.store.shard(0).await.unwrap().unwrap();
        assert_eq!(held.epoch, row.epoch, "what was acknowledged is remembered");
    }
}
