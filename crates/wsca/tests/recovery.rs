//! A forgotten PIN: another one, and nothing that the old one protected.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod common;

use common::{RIGHT, WRONG, World, code, pin};
use jose::Curve;
use rstest::rstest;
use sci::{Code, Digest, Error, ItemName, KeyState, Sci, Task};
use wsca::{AdminError, Config, Recovery, RetryPolicy, WscaAdmin};

const NEW: &str = "660271";

#[rstest]
#[tokio::test]
async fn a_new_pin_comes_with_no_old_key(#[values(false, true)] blocked: bool) {
    let config = Config {
        retry: RetryPolicy {
            tries_per_round: 2,
            pauses: vec![],
        },
        ..Config::default()
    };
    let world = World::with(config).await;
    let phone = world.opened(Task::Issuance).await;
    let key = phone.generate_keys(1, Curve::P256).await.unwrap().remove(0);
    let name = ItemName::new("pseudonym").unwrap();
    phone.store_item(&name, b"credential").await.unwrap();
    let digest = Digest::of(b"m", Curve::P256);
    if blocked {
        for _ in 0..2 {
            let _ = phone
                .open_session(&pin(WRONG), Task::Issuance)
                .await
                .unwrap_err();
        }
        let refused = phone.open_session(&pin(RIGHT), Task::Issuance).await;
        assert_eq!(code(refused), Code::PinBlocked);
    }
    // Nobody but the provider, which has identified the user anew, can do it.
    assert_eq!(code(phone.register_pin(&pin(NEW)).await), Code::PinExists);
    world.wsca.reset_factor(phone.unit).await.unwrap();
    world.wsca.reset_factor(phone.unit).await.unwrap();

    assert_eq!(
        code(phone.sign(&[(key.id, digest.clone())]).await),
        Code::NoSession
    );
    let refused = phone.open_session(&pin(RIGHT), Task::Issuance).await;
    assert_eq!(code(refused), Code::NoPin);
    phone.register_pin(&pin(NEW)).await.unwrap();
    let refused = phone.open_session(&pin(RIGHT), Task::Issuance).await;
    assert!(matches!(refused, Err(Error::WrongPin { .. })));
    phone.open_session(&pin(NEW), Task::Issuance).await.unwrap();
    assert_eq!(
        code(phone.sign(&[(key.id, digest.clone())]).await),
        Code::KeyDestroyed
    );
    assert_eq!(code(phone.read_item(&name).await), Code::NoSuchItem);
    assert_eq!(
        phone.list_keys().await.unwrap()[0].state,
        KeyState::Destroyed
    );
    let fresh = phone.generate_keys(1, Curve::P256).await.unwrap().remove(0);
    phone.sign(&[(fresh.id, digest)]).await.unwrap();
    world.wsca.rotate(|_| {}).await.unwrap();
    let keys = phone.list_keys().await.unwrap();
    let old = keys.iter().find(|k| k.id == key.id).unwrap();
    assert_eq!(old.state, KeyState::Erased);
}

#[tokio::test]
async fn a_policy_can_forbid_it() {
    let config = Config {
        recovery: Recovery::Forbidden,
        ..Config::default()
    };
    let world = World::with(config).await;
    let phone = world.registered().await;
    let refused = world.wsca.reset_factor(phone.unit).await;
    assert!(matches!(refused, Err(AdminError::RecoveryForbidden)));
    phone
        .open_session(&pin(RIGHT), Task::Issuance)
        .await
        .unwrap();
}

#[tokio::test]
async fn frozen_and_destroyed_units_do_not_recover() {
    let world = World::new().await;
    let phone = world.registered().await;
    world.wsca.freeze(phone.unit, "revoked").await.unwrap();
    let refused = world.wsca.reset_factor(phone.unit).await;
    assert!(matches!(refused, Err(AdminError::Frozen)));
    world.wsca.destroy_unit(phone.unit).await.unwrap();
    let refused = world.wsca.reset_factor(phone.unit).await;
    assert!(matches!(refused, Err(AdminError::Destroyed)));
    let nobody = world.wsca.reset_factor(sci::UnitId::random()).await;
    assert!(matches!(nobody, Err(AdminError::UnknownUnit)));
}
