//! After an alarm: what an operator can do, deliberately and on the record.
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
use sci::{Code, Digest, Sci, Task, UnitId};
use wallet_client::keystore::DeviceKeystore;
use wsca::{Alarm, Config, Unlock, Unlocked, WscaAdmin, WscaStore};
use wscd::Wscd;
use wscd::software::SoftwareDevice;

fn digest() -> Digest {
    Digest::of(b"m", Curve::P256)
}

type Someone = (UnitId, Arc<dyn DeviceKeystore>, sci::KeyId);

/// A world of two units whose database is older than its device remembers: of the
/// first unit, a try was made and a key destroyed since.
async fn rolled_back(device: Arc<dyn Wscd>) -> (World, [Someone; 2]) {
    let config = Config {
        shards: 1,
        ..Config::default()
    };
    let world = World::on(device, config).await;
    let mut units = vec![];
    let phone = world.opened(Task::Issuance).await;
    let other = world.opened(Task::Issuance).await;
    for phone in [&phone, &other] {
        let key = phone.generate_keys(1, Curve::P256).await.unwrap().remove(0);
        units.push((phone.unit, phone.keystore.clone(), key.id));
    }
    let copy = world.copy_database().await;
    phone.destroy_keys(&[units[0].2]).await.unwrap();
    let _ = phone
        .open_session(&pin(WRONG), Task::Issuance)
        .await
        .unwrap_err();
    drop((phone, other));
    let world = world.restore_and_restart(&copy).await;
    assert!(matches!(
        world.wsca.alarms()[..],
        [Alarm::StateRolledBack(_)]
    ));
    (world, units.try_into().map_err(|_| ()).unwrap())
}

fn software() -> Arc<dyn Wscd> {
    Arc::new(SoftwareDevice::ephemeral().unwrap())
}

#[tokio::test]
async fn destroying_what_is_in_doubt_leaves_nothing_to_be_used() {
    let (world, units) = rolled_back(software()).await;
    let done = world
        .wsca
        .unlock(0, Unlock::Destroy, "restored, in doubt")
        .await
        .unwrap();
    assert_eq!(
        done,
        Some(Unlocked {
            destroyed: 2,
            accepted: 0,
            refused: 0
        })
    );
    assert_eq!(world.wsca.alarms(), []);
    let world = world.restart().await;
    assert_eq!(world.wsca.alarms(), []);
    for (unit, keystore, _) in units {
        assert!(world.wsca.unit_state(unit).await.unwrap().destroyed);
        let phone = world.phone(unit, keystore);
        let opened = phone.open_session(&pin(RIGHT), Task::Issuance).await;
        assert_eq!(code(opened), Code::UnitDestroyed);
    }
    // The shard serves again.
    world.opened(Task::Issuance).await;
    let rows = world.store.audit(0, 1000).await.unwrap();
    let said = rows.iter().filter(|row| {
        row.entry.unit.is_none()
            && row.entry.operation == "unlock_shard 0 destroy restored in doubt"
    });
    assert_eq!(said.count(), 1);
}

/// A state that is taken is taken with its sessions ended and on the record; what had
/// been destroyed is there again, which is what the operator vouches for.
#[tokio::test]
async fn accepting_the_state_ends_sessions_and_says_so() {
    let (world, [first, second]) = rolled_back(software()).await;
    // One record that the device does not vouch for is not taken with the others.
    let mut row = world.row(second.0).await;
    row.tries = 7;
    world.tamper(row).await;
    let done = world.wsca.unlock(0, Unlock::Accept, "fire").await.unwrap();
    assert_eq!(
        done,
        Some(Unlocked {
            destroyed: 0,
            accepted: 1,
            refused: 1
        })
    );
    let world = world.restart().await;
    assert_eq!(world.wsca.alarms(), []);
    let phone = world.phone(first.0, first.1);
    phone
        .open_session(&pin(RIGHT), Task::Issuance)
        .await
        .unwrap();
    phone.sign(&[(first.2, digest())]).await.unwrap();
    let other = world.phone(second.0, second.1);
    let opened = other.open_session(&pin(RIGHT), Task::Issuance).await;
    assert_eq!(code(opened), Code::RecordAltered);
    // The older copy that was taken is now the state that nothing older passes for.
    let rows = world.store.audit(0, 1000).await.unwrap();
    let ended = rows
        .iter()
        .filter(|row| row.entry.operation == "unlock accept");
    assert_eq!(ended.count(), 1);
}

#[tokio::test]
async fn what_is_not_locked_is_left_alone() {
    let world = World::new().await;
    let phone = world.opened(Task::Issuance).await;
    let done = world
        .wsca
        .unlock(0, Unlock::Destroy, "by mistake")
        .await
        .unwrap();
    assert_eq!(done, None);
    phone.session().await.unwrap().unwrap();
}

/// Unlocked, the earlier copies are still earlier copies.
#[tokio::test]
async fn an_unlocked_shard_is_locked_again_by_the_next_older_database() {
    let (world, _) = rolled_back(software()).await;
    let copy = world.copy_database().await;
    world.wsca.unlock(0, Unlock::Accept, "fire").await.unwrap();
    let world = world.restore_and_restart(&copy).await;
    assert!(matches!(
        world.wsca.alarms()[..],
        [Alarm::StateRolledBack(_)]
    ));
}

/// Killed at any step, the shard is locked or unlocked, and never half-way in use.
#[tokio::test]
async fn an_unlocking_that_was_cut_short_can_be_done_again() {
    for calls in 0..60 {
        let device = Watched::new(software());
        let (world, units) = rolled_back(device.clone()).await;
        device.dies_after(calls);
        let first = world.wsca.unlock(0, Unlock::Destroy, "doubt").await;
        device.lives();
        let world = world.restart().await;
        if first.is_err() && world.wsca.alarms().is_empty() {
            // Committed, and the anchor written at the restart: it is done.
        } else if first.is_err() {
            let phone = world.phone(units[0].0, units[0].1.clone());
            let opened = phone.open_session(&pin(RIGHT), Task::Issuance).await;
            assert_eq!(code(opened), Code::StateRolledBack, "after {calls} calls");
            world
                .wsca
                .unlock(0, Unlock::Destroy, "doubt")
                .await
                .unwrap();
        }
        for (unit, ..) in units {
            assert!(world.wsca.unit_state(unit).await.unwrap().destroyed);
        }
        if first.is_ok() {
            assert!(calls > 3);
            return;
        }
    }
    panic!("it never came to its end");
}
