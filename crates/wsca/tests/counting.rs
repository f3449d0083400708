//! What the device itself sees: counted, on disk and anchored first; evaluated then.
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
use sci::{Code, Error, Sci, Task};
use tokio::task::JoinSet;
use wsca::{Config, RetryPolicy, WscaAdmin};
use wscd::software::SoftwareDevice;

async fn watched(config: Config) -> (World, Arc<Watched>) {
    let device = Watched::new(Arc::new(SoftwareDevice::ephemeral().unwrap()));
    (World::on(device.clone(), config).await, device)
}

/// A device that cannot be anchored evaluates nothing, and the count stands.
#[tokio::test]
async fn nothing_is_evaluated_before_its_count_is_anchored() {
    let (world, device) = watched(Config::default()).await;
    let phone = world.registered().await;
    let before = device.evaluations();
    device.refuse_anchors(true);
    for made in 1..=2 {
        let tried = phone.open_session(&pin(RIGHT), Task::Issuance).await;
        assert_eq!(code(tried), Code::TryLater);
        assert_eq!(world.row(phone.unit).await.tries, made);
    }
    assert_eq!(device.evaluations(), before);
    device.refuse_anchors(false);
    // What was counted stays counted: two tries are gone for nothing.
    match phone.open_session(&pin(WRONG), Task::Issuance).await {
        Err(Error::WrongPin { tries_left, .. }) => assert_eq!(tries_left, 13),
        other => panic!("{other:?}"),
    }
    phone
        .open_session(&pin(RIGHT), Task::Issuance)
        .await
        .unwrap();
    assert_eq!(world.wsca.alarms(), []);
}

/// Nor is a destruction told of before it is anchored, though it has happened.
#[tokio::test]
async fn no_destruction_is_acknowledged_before_it_is_anchored() {
    let (world, device) = watched(Config::default()).await;
    let phone = world.opened(Task::Issuance).await;
    let key = phone
        .generate_keys(1, jose::Curve::P256)
        .await
        .unwrap()
        .remove(0);
    device.refuse_anchors(true);
    assert_eq!(code(phone.destroy_keys(&[key.id]).await), Code::TryLater);
    assert!(matches!(
        world.wsca.destroy_unit(phone.unit).await,
        Err(wsca::AdminError::Unavailable(_))
    ));
    device.refuse_anchors(false);
    world.wsca.destroy_unit(phone.unit).await.unwrap();
    assert!(world.wsca.unit_state(phone.unit).await.unwrap().destroyed);
}

/// The device's own count, under load from two nodes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_device_evaluates_exactly_as_often_as_the_policy_allows() {
    let config = Config {
        retry: RetryPolicy {
            tries_per_round: 16,
            pauses: vec![],
        },
        ..Config::default()
    };
    let (world, device) = watched(config).await;
    let phone = world.registered().await;
    let second = world.second_node().await;
    let (evaluations, anchors) = (device.evaluations(), device.anchors());
    let mut tries = JoinSet::new();
    for number in 0..200 {
        let wsca = if number % 2 == 0 {
            world.wsca.clone()
        } else {
            second.clone()
        };
        let phone = world.phone_at(wsca, phone.unit, phone.keystore.clone());
        tries.spawn(async move { phone.open_session(&pin(WRONG), Task::Issuance).await });
    }
    tries.join_all().await;
    assert_eq!(device.evaluations() - evaluations, 16);
    assert!(device.anchors() - anchors <= 16);
}

/// Changes of different units that come together share a commit and an anchor.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_that_come_together_share_an_anchor() {
    let config = Config {
        shards: 1,
        ..Config::default()
    };
    let (world, device) = watched(config).await;
    let mut phones = vec![];
    for _ in 0..32 {
        phones.push(world.registered().await);
    }
    let before = device.anchors();
    let mut tries = JoinSet::new();
    for phone in phones {
        tries.spawn(async move {
            phone
                .open_session(&pin(RIGHT), Task::Issuance)
                .await
                .unwrap();
        });
    }
    tries.join_all().await;
    let written = device.anchors() - before;
    assert!(
        written < 64,
        "64 commits of 32 units took {written} anchors"
    );
    assert_eq!(world.wsca.check_state().await.unwrap(), []);
}
