//! A unit's life: PIN, session, keys, destruction.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod common;

use std::sync::Arc;

use common::{RIGHT, World, code, pin};
use jose::{Curve, KeyAgreement, Signer};
use rstest::rstest;
use sci::{Code, Digest, ItemName, KeySigner, KeyState, KeyStatement, Sci, StatementError, Task};
use wsca::{UnitState, WscaAdmin};

#[rstest]
#[case(Curve::P256)]
#[case(Curve::P384)]
#[case(Curve::P521)]
#[tokio::test]
async fn keys_are_made_sign_agree_and_prove_themselves(#[case] curve: Curve) {
    let world = World::new().await;
    let phone = world.opened(Task::Issuance).await;
    let keys = phone.generate_keys(3, curve).await.unwrap();
    assert!(
        keys.iter()
            .all(|key| key.state == KeyState::Active && !key.exportable)
    );
    // The software device earns no level.
    assert!(
        keys.iter()
            .all(|key| key.key_storage.is_none() && key.certification.is_none())
    );

    let items: Vec<_> = keys
        .iter()
        .map(|key| (key.id, Digest::of(b"message", curve)))
        .collect();
    let signatures = phone.sign(&items).await.unwrap();
    for (key, signature) in keys.iter().zip(&signatures) {
        key.public_key.verify(b"message", signature).unwrap();
    }

    let proof = phone
        .prove_possession(&keys[0], b"challenge")
        .await
        .unwrap();
    sci::verify_possession(&proof, &keys[0].public_key, b"challenge").unwrap();
    assert!(sci::verify_possession(&proof, &keys[0].public_key, b"another").is_err());
    assert!(sci::verify_possession(&proof, &keys[1].public_key, b"challenge").is_err());

    let mut listed = phone.list_keys().await.unwrap();
    listed.sort_by_key(|key| key.id);
    let mut made = keys.clone();
    made.sort_by_key(|key| key.id);
    assert_eq!(listed, made);

    phone
        .open_session(&pin(RIGHT), Task::Presentation)
        .await
        .unwrap();
    let peer = claviger_fixtures::TestKey::generate(curve);
    let theirs = peer.agree(&keys[0].public_key).await.unwrap();
    let ours = phone
        .agree(&keys[0].id, KeyAgreement::public_key(&peer))
        .await
        .unwrap();
    assert_eq!(ours, theirs);
}

#[tokio::test]
async fn a_key_behind_the_wsca_is_a_signer() {
    let world = World::new().await;
    let phone = world.opened(Task::Issuance).await;
    let key = phone.generate_keys(1, Curve::P256).await.unwrap().remove(0);
    let signer = KeySigner::new(Arc::new(phone.sci), &key);
    let signature = signer.sign(b"m").await.unwrap();
    key.public_key.verify(b"m", &signature).unwrap();
}

#[tokio::test]
async fn a_statement_names_the_unit_and_its_keys_and_nobody_elses() {
    let world = World::new().await;
    let phone = world.opened(Task::Issuance).await;
    let other = world.opened(Task::Issuance).await;
    let keys = phone.generate_keys(2, Curve::P256).await.unwrap();
    let ids: Vec<_> = keys.iter().map(|key| key.id).collect();
    let text = phone.state_keys(&ids, "nonce", "provider").await.unwrap();
    let key = world.wsca.statement_key();
    let now = clock::Clock::now(&*world.clock);
    let statement = KeyStatement::verify(&text, key, "nonce", "provider", now).unwrap();
    assert_eq!(statement.unit(), phone.unit);
    let stated: Vec<_> = statement.keys().iter().map(|key| &key.jwk).collect();
    assert_eq!(
        stated,
        keys.iter().map(|key| &key.public_key).collect::<Vec<_>>()
    );

    let verify = |nonce, audience, at| KeyStatement::verify(&text, key, nonce, audience, at);
    assert_eq!(verify("n", "provider", now), Err(StatementError::Nonce));
    assert_eq!(verify("nonce", "p", now), Err(StatementError::Audience));
    let late = now + sci::STATEMENT_LIFETIME;
    assert_eq!(
        verify("nonce", "provider", late),
        Err(StatementError::Expired(late))
    );
    let early = now - jiff::SignedDuration::from_mins(10);
    assert_eq!(
        verify("nonce", "provider", early),
        Err(StatementError::Times)
    );
    let service = &world.wsca.service().signing;
    assert!(matches!(
        KeyStatement::verify(&text, service, "nonce", "provider", now),
        Err(StatementError::Jws(_))
    ));

    assert_eq!(
        code(other.state_keys(&ids, "n", "p").await),
        Code::NoSuchKey
    );
}

#[tokio::test]
async fn a_destroyed_key_is_used_no_more_and_says_so() {
    let world = World::new().await;
    let phone = world.opened(Task::Issuance).await;
    let keys = phone.generate_keys(2, Curve::P256).await.unwrap();
    phone.destroy_keys(&[keys[0].id]).await.unwrap();
    phone.destroy_keys(&[keys[0].id]).await.unwrap();
    let digest = || Digest::of(b"m", Curve::P256);
    assert_eq!(
        code(
            phone
                .sign(&[(keys[1].id, digest()), (keys[0].id, digest())])
                .await
        ),
        Code::KeyDestroyed
    );
    phone.sign(&[(keys[1].id, digest())]).await.unwrap();
    assert_eq!(
        code(phone.state_keys(&[keys[0].id], "n", "a").await),
        Code::KeyDestroyed
    );
    let state = |id| {
        let listed = phone.list_keys();
        async move {
            listed
                .await
                .unwrap()
                .into_iter()
                .find(|key| key.id == id)
                .unwrap()
                .state
        }
    };
    assert_eq!(state(keys[0].id).await, KeyState::Destroyed);
    assert_eq!(state(keys[1].id).await, KeyState::Active);
    let row = world.store_key(phone.unit, keys[0].id).await;
    assert_eq!(row.wrapped, None, "the wrapped form is gone");
}

#[tokio::test]
async fn a_destroyed_unit_is_gone_for_good() {
    let world = World::new().await;
    let phone = world.opened(Task::Issuance).await;
    let key = phone.generate_keys(1, Curve::P256).await.unwrap().remove(0);
    let name = ItemName::new("pseudonym.1").unwrap();
    phone.store_item(&name, b"secret").await.unwrap();
    phone
        .open_session(&pin(RIGHT), Task::Maintenance)
        .await
        .unwrap();
    phone.destroy_unit().await.unwrap();
    assert_eq!(
        code(phone.open_session(&pin(RIGHT), Task::Issuance).await),
        Code::UnitDestroyed
    );
    assert_eq!(
        code(phone.register_pin(&pin(RIGHT)).await),
        Code::UnitDestroyed
    );
    let state = world.wsca.unit_state(phone.unit).await.unwrap();
    assert_eq!(
        state,
        UnitState {
            has_factor: false,
            pin_blocked: false,
            retired: false,
            frozen: false,
            destroyed: true
        }
    );
    let enrolled = world
        .wsca
        .enroll(phone.unit, common::keys(&*phone.keystore))
        .await;
    assert!(matches!(enrolled, Err(wsca::AdminError::Destroyed)));
    assert_eq!(world.store_key(phone.unit, key.id).await.wrapped, None);
    assert!(world.row(phone.unit).await.wrapping_key.is_empty());
}

#[tokio::test]
async fn a_retired_unit_uses_what_it_has_and_adds_nothing() {
    let world = World::new().await;
    let phone = world.opened(Task::Issuance).await;
    let key = phone.generate_keys(1, Curve::P256).await.unwrap().remove(0);
    let signed = [(key.id, Digest::of(b"message", Curve::P256))];
    for _ in 0..2 {
        world.wsca.retire(phone.unit, "superseded").await.unwrap();
    }
    assert_eq!(
        code(phone.sign(&signed).await),
        Code::NoSession,
        "its sessions end at once"
    );

    // Its user signs in again, and has what was there.
    phone
        .open_session(&pin(RIGHT), Task::Issuance)
        .await
        .unwrap();
    phone.sign(&signed).await.unwrap();
    assert_eq!(
        code(phone.generate_keys(1, Curve::P256).await),
        Code::UnitRetired
    );
    let stated = phone.state_keys(&[key.id], "nonce", "provider").await;
    assert_eq!(code(stated), Code::UnitRetired);
    let state = world.wsca.unit_state(phone.unit).await.unwrap();
    assert!(state.retired && !state.frozen && !state.destroyed);

    // What comes after it can only take away.
    world.wsca.freeze(phone.unit, "stolen").await.unwrap();
    world.wsca.retire(phone.unit, "superseded").await.unwrap();
    let opened = phone.open_session(&pin(RIGHT), Task::Presentation).await;
    assert_eq!(code(opened), Code::UnitFrozen);
}

#[tokio::test]
async fn retirement_outlives_a_restart() {
    let world = World::new().await;
    let phone = world.registered().await;
    world.wsca.retire(phone.unit, "superseded").await.unwrap();
    let (unit, keystore) = (phone.unit, phone.keystore.clone());
    drop(phone);
    let world = world.restart().await;
    let phone = world.phone(unit, keystore);
    phone
        .open_session(&pin(RIGHT), Task::Issuance)
        .await
        .unwrap();
    assert_eq!(
        code(phone.generate_keys(1, Curve::P256).await),
        Code::UnitRetired
    );
}

#[tokio::test]
async fn items_are_kept_and_read_by_their_unit_alone() {
    let world = World::new().await;
    let phone = world.opened(Task::Issuance).await;
    let other = world.opened(Task::Issuance).await;
    let name = ItemName::new("pseudonym.1").unwrap();
    phone.store_item(&name, b"one").await.unwrap();
    phone.store_item(&name, b"two").await.unwrap();
    assert_eq!(phone.read_item(&name).await.unwrap().as_slice(), b"two");
    assert_eq!(code(other.read_item(&name).await), Code::NoSuchItem);
}

#[tokio::test]
async fn everything_is_there_after_a_restart() {
    let world = World::new().await;
    let phone = world.opened(Task::Issuance).await;
    let key = phone.generate_keys(1, Curve::P256).await.unwrap().remove(0);
    let (unit, keystore) = (phone.unit, phone.keystore.clone());
    drop(phone);
    let world = world.restart().await;
    assert_eq!(world.wsca.alarms(), []);
    let phone = world.phone(unit, keystore);
    phone
        .open_session(&pin(RIGHT), Task::Presentation)
        .await
        .unwrap();
    phone
        .sign(&[(key.id, Digest::of(b"m", Curve::P256))])
        .await
        .unwrap();
}

#[tokio::test]
async fn activation_is_told_what_it_needs() {
    let world = World::new().await;
    let phone = world.enrolled().await;
    let told = phone.activation_info().await.unwrap();
    assert_eq!(&told, world.wsca.information());
    assert_eq!(told.pin.tries, 16);
    assert_eq!(told.descriptor.assurance, sci::Assurance::None);
    assert_eq!(told.descriptor.key_storage, None);
}

/// Used keys go when the user has been authenticated for something else, and the
/// others stay (ARF WIAM_21).
#[tokio::test]
async fn used_keys_are_cleaned_up_in_a_session_and_in_no_other_way() {
    let world = World::new().await;
    let phone = world.opened(Task::Issuance).await;
    let keys = phone.generate_keys(5, Curve::P256).await.unwrap();
    let used = [keys[0].id, keys[3].id];
    let needed = |key: &sci::KeyInfo| !used.contains(&key.id);
    phone.end_session().await.unwrap();
    let refused = wallet_client::clean_up(&phone.sci, needed).await;
    assert!(matches!(refused, Err(sci::Error::NoSession)));
    phone
        .open_session(&pin(RIGHT), Task::Presentation)
        .await
        .unwrap();
    let mut gone = wallet_client::clean_up(&phone.sci, needed).await.unwrap();
    gone.sort();
    let mut expected = used.to_vec();
    expected.sort();
    assert_eq!(gone, expected);
    assert_eq!(
        wallet_client::clean_up(&phone.sci, needed).await.unwrap(),
        []
    );
    let digest = |key: sci::KeyId| [(key, Digest::of(b"m", Curve::P256))];
    for key in &keys {
        let signed = phone.sign(&digest(key.id)).await;
        assert_eq!(signed.is_ok(), !used.contains(&key.id));
    }
}

#[tokio::test]
async fn a_statement_for_an_association_is_no_statement_for_an_attestation() {
    let world = World::new().await;
    let phone = world.opened(Task::Issuance).await;
    let keys = phone.generate_keys(2, Curve::P256).await.unwrap();
    let ids = [keys[0].id, keys[1].id];
    let now = clock::Clock::now(&*world.clock);
    let key = world.wsca.statement_key();
    let associated = phone.associate_keys(&ids, "n", "provider").await.unwrap();
    let read = sci::KeyStatement::verify_for_association(&associated, key, "n", "provider", now);
    assert_eq!(read.unwrap().keys().len(), 2);
    let wrong = sci::KeyStatement::verify(&associated, key, "n", "provider", now);
    assert_eq!(wrong, Err(sci::StatementError::Typ(sci::STATEMENT_TYP)));
    let stated = phone.state_keys(&ids, "n", "provider").await.unwrap();
    let wrong = sci::KeyStatement::verify_for_association(&stated, key, "n", "provider", now);
    assert_eq!(
        wrong,
        Err(sci::StatementError::Typ(sci::ASSOCIATION_STATEMENT_TYP))
    );
    // Another unit's key, and one that was destroyed, are not associated; nor is
    // anything in a session for something else.
    let other = world.opened(Task::Issuance).await;
    let refused = other.associate_keys(&ids, "n", "provider").await;
    assert_eq!(code(refused), Code::NoSuchKey);
    phone.destroy_keys(&ids[1..]).await.unwrap();
    let refused = phone.associate_keys(&ids, "n", "provider").await;
    assert_eq!(code(refused), Code::KeyDestroyed);
    phone
        .open_session(&pin(RIGHT), Task::Presentation)
        .await
        .unwrap();
    let refused = phone.associate_keys(&ids[..1], "n", "provider").await;
    assert_eq!(code(refused), Code::TaskForbids);
}

/// What one unit may hold is bounded, and what it no longer needs it can destroy
/// (ARF PA_14).
#[tokio::test]
async fn items_and_keys_are_bounded_and_items_can_be_destroyed() {
    let config = wsca::Config {
        max_items: 2,
        max_keys: 3,
        ..wsca::Config::default()
    };
    let world = World::with(config).await;
    let phone = world.registered().await;
    let (id, session) = phone.open_by_hand(&world, Task::Issuance).await;
    let stored = async |name: &str, len: usize| {
        let content = jose::b64::encode_std(vec![7; len]);
        let data = serde_json::json!({"name": name, "content": content});
        let kind = r2ps::service::ServiceType::ItemStore;
        phone
            .send_in(&world, &id, &session, kind, data)
            .await
            .map(drop)
    };
    assert_eq!(stored("a", sci::MAX_ITEM_BYTES).await, Ok(()));
    assert_eq!(
        stored("a", sci::MAX_ITEM_BYTES + 1).await,
        Err(Code::TooMany)
    );
    assert_eq!(stored("B", 1).await, Err(Code::IllegalRequestData));
    assert_eq!(stored("b", 0).await, Ok(()));
    assert_eq!(stored("c", 1).await, Err(Code::TooMany));
    assert_eq!(stored("b", 1).await, Ok(()), "in the place of the old one");

    phone
        .open_session(&pin(RIGHT), Task::Maintenance)
        .await
        .unwrap();
    let name = ItemName::new("a").unwrap();
    for _ in 0..2 {
        phone.remove_item(&name).await.unwrap();
    }
    assert_eq!(code(phone.read_item(&name).await), Code::NoSuchItem);
    assert_eq!(stored("c", 1).await, Ok(()));
    phone
        .open_session(&pin(RIGHT), Task::Presentation)
        .await
        .unwrap();
    assert_eq!(code(phone.remove_item(&name).await), Code::TaskForbids);

    phone
        .open_session(&pin(RIGHT), Task::Issuance)
        .await
        .unwrap();
    let keys = phone.generate_keys(3, Curve::P256).await.unwrap();
    assert_eq!(
        code(phone.generate_keys(1, Curve::P256).await),
        Code::TooMany
    );
    phone.destroy_keys(&[keys[0].id]).await.unwrap();
    phone.generate_keys(1, Curve::P256).await.unwrap();
}
