//! No unit touches another's keys, not even with the help of someone who can write
//! the database (ARF `WIAM_09`).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod common;

use common::{RIGHT, World, code, pin};
use jose::Curve;
use sci::{Code, Digest, ItemName, Sci, Task};
use wsca::{AdminError, Batch, KeyRow, UnitRow, Write, WscaAdmin, WscaStore};

fn digest() -> Digest {
    Digest::of(b"m", Curve::P256)
}

#[tokio::test]
async fn another_units_key_is_none_of_ones_own() {
    let world = World::new().await;
    let phone = world.opened(Task::Issuance).await;
    let other = world.opened(Task::Issuance).await;
    let key = phone.generate_keys(1, Curve::P256).await.unwrap().remove(0);
    assert_eq!(
        code(other.sign(&[(key.id, digest())]).await),
        Code::NoSuchKey
    );
    assert_eq!(code(other.destroy_keys(&[key.id]).await), Code::NoSuchKey);
    assert_eq!(
        code(other.state_keys(&[key.id], "n", "a").await),
        Code::NoSuchKey
    );
    other
        .open_session(&pin(RIGHT), Task::Presentation)
        .await
        .unwrap();
    assert_eq!(
        code(other.agree(&key.id, &key.public_key).await),
        Code::NoSuchKey
    );
    assert_eq!(other.list_keys().await.unwrap(), []);
    phone.sign(&[(key.id, digest())]).await.unwrap();
}

type Change = fn(&mut UnitRow, &UnitRow);

/// Each column of one unit's record, moved to another's.
const CHANGES: &[(&str, Change)] = &[
    ("signing_key", |mine, theirs| {
        mine.signing_key = theirs.signing_key.clone()
    }),
    ("agreement_key", |mine, theirs| {
        mine.agreement_key = theirs.agreement_key.clone()
    }),
    ("device_keys", |mine, theirs| {
        mine.signing_key = theirs.signing_key.clone();
        mine.agreement_key = theirs.agreement_key.clone();
    }),
    ("pin_record", |mine, theirs| {
        mine.pin_record = theirs.pin_record.clone()
    }),
    ("pin_credential", |mine, theirs| {
        mine.pin_credential = theirs.pin_credential.clone()
    }),
    ("pin", |mine, theirs| {
        mine.pin_record = theirs.pin_record.clone();
        mine.pin_credential = theirs.pin_credential.clone();
    }),
    ("tries", |mine, theirs| mine.tries = theirs.tries),
    ("last_try", |mine, theirs| mine.last_try = theirs.last_try),
    ("wrapping_key", |mine, theirs| {
        mine.wrapping_key = theirs.wrapping_key.clone()
    }),
    ("wrapping_generation", |mine, _| {
        mine.wrapping_generation += 1
    }),
    ("policy", |mine, theirs| mine.policy = theirs.policy.clone()),
    ("version", |mine, theirs| mine.version = theirs.version),
    ("session_epoch", |mine, theirs| {
        mine.session_epoch = theirs.session_epoch
    }),
    ("state", |mine, _| mine.state = "frozen".into()),
    ("holdings", |mine, theirs| {
        mine.holdings = theirs.holdings.clone()
    }),
    ("mac", |mine, theirs| mine.mac = theirs.mac.clone()),
    ("all_together", |mine, theirs| {
        let unit = mine.unit;
        *mine = theirs.clone();
        mine.unit = unit;
    }),
];

#[tokio::test]
async fn a_column_of_another_units_record_is_refused() {
    // One shard, so that nothing but the record itself is out of place.
    let mut config = wsca::Config {
        shards: 1,
        ..wsca::Config::default()
    };
    let world = World::with(config.clone()).await;
    let phone = world.opened(Task::Issuance).await;
    let key = phone.generate_keys(1, Curve::P256).await.unwrap().remove(0);

    // The other unit differs in every column: another policy, counted tries, more keys.
    config.retry.tries_per_round = 9;
    let lax = wsca::Wsca::open(
        world.device.clone(),
        world.store.clone(),
        world.clock.clone(),
        config,
    );
    let lax = std::sync::Arc::new(lax.await.unwrap());
    let keystore =
        std::sync::Arc::new(wallet_client::keystore::SoftwareKeystore::generate().unwrap());
    let other = sci::UnitId::random();
    lax.enroll(other, common::keys(&*keystore)).await.unwrap();
    let other = world.phone_at(lax.clone(), other, keystore);
    other.register_pin(&pin("582047")).await.unwrap();
    other
        .open_session(&pin("582047"), Task::Issuance)
        .await
        .unwrap();
    other.generate_keys(2, Curve::P256).await.unwrap();
    other.generate_keys(1, Curve::P256).await.unwrap();
    lax.end_sessions(other.unit).await.unwrap();
    let _ = other
        .open_session(&pin(RIGHT), Task::Issuance)
        .await
        .unwrap_err();

    let mine = world.row(phone.unit).await;
    let theirs = world.row(other.unit).await;
    for (name, change) in CHANGES {
        let mut changed = mine.clone();
        change(&mut changed, &theirs);
        assert_ne!(changed, mine, "{name} changes something");
        world.tamper(changed).await;
        let refusals = [
            code(phone.sign(&[(key.id, digest())]).await),
            code(phone.open_session(&pin(RIGHT), Task::Issuance).await),
            code(phone.register_pin(&pin(RIGHT)).await),
        ];
        assert_eq!(refusals, [Code::RecordAltered; 3], "{name}");
        assert!(matches!(
            world.wsca.unit_state(phone.unit).await,
            Err(AdminError::RecordAltered)
        ));
        world.tamper(mine.clone()).await;
        phone.sign(&[(key.id, digest())]).await.unwrap();
    }
}

/// A key's row of one unit, moved to another in several ways.
#[tokio::test]
async fn another_units_key_row_is_refused() {
    let world = World::new().await;
    let phone = world.opened(Task::Issuance).await;
    let other = world.opened(Task::Issuance).await;
    let mine = phone.generate_keys(1, Curve::P256).await.unwrap().remove(0);
    let theirs = other.generate_keys(1, Curve::P256).await.unwrap().remove(0);
    let mine = world.store_key(phone.unit, mine.id).await;
    let theirs = world.store_key(other.unit, theirs.id).await;

    let added = KeyRow {
        unit: phone.unit,
        ..theirs.clone()
    };
    let replaced = KeyRow {
        wrapped: theirs.wrapped.clone(),
        public_key: theirs.public_key.clone(),
        ..mine.clone()
    };
    let unwrapped = KeyRow {
        wrapped: theirs.wrapped.clone(),
        ..mine.clone()
    };
    for row in [replaced, unwrapped, added] {
        put(&world, Write::Key(row.clone())).await;
        assert_eq!(
            code(phone.sign(&[(row.id, digest())]).await),
            Code::RecordAltered
        );
        put(&world, Write::Key(mine.clone())).await;
    }
}

/// What the device itself says, should the WSCA's own checks ever be passed.
#[tokio::test]
async fn the_device_refuses_another_units_wrapped_forms_by_itself() {
    let world = World::new().await;
    let phone = world.opened(Task::Issuance).await;
    let other = world.opened(Task::Issuance).await;
    let key = phone.generate_keys(1, Curve::P256).await.unwrap().remove(0);
    let row = world.store_key(phone.unit, key.id).await;
    let key = wscd::UserKey {
        public: key.public_key,
        wrapped: wscd::WrappedKey(row.wrapped.unwrap()),
    };
    let theirs = world.row(other.unit).await;
    let unit_key = wscd::WrappedUnitKey {
        generation: wscd::Generation(theirs.wrapping_generation),
        bytes: theirs.wrapping_key,
    };
    let binding = wscd::UnitBinding(*other.unit.as_bytes());
    let item = wscd::SignItem {
        key: &key,
        digest: digest_bytes(),
    };
    let refused = world
        .device
        .sign_digests(&binding, &unit_key, &[item])
        .await;
    assert!(
        matches!(refused, Err(wscd::DeviceError::WrongUnit { .. })),
        "{refused:?}"
    );
}

#[tokio::test]
async fn another_units_item_is_refused() {
    let world = World::new().await;
    let phone = world.opened(Task::Issuance).await;
    let other = world.opened(Task::Issuance).await;
    let name = ItemName::new("i").unwrap();
    phone.store_item(&name, b"mine").await.unwrap();
    other.store_item(&name, b"theirs").await.unwrap();
    let theirs = world
        .store
        .holdings(other.unit)
        .await
        .unwrap()
        .unwrap()
        .items
        .remove(0);
    let moved = wsca::ItemRow {
        unit: phone.unit,
        ..theirs
    };
    put(&world, Write::Item(moved)).await;
    assert_eq!(code(phone.read_item(&name).await), Code::RecordAltered);
}

#[tokio::test]
async fn a_unit_is_enrolled_once_and_with_two_keys() {
    let world = World::new().await;
    let phone = world.enrolled().await;
    let keys = common::keys(&*phone.keystore);
    world.wsca.enroll(phone.unit, keys.clone()).await.unwrap();
    let other = world.enrolled().await;
    let again = world
        .wsca
        .enroll(phone.unit, common::keys(&*other.keystore))
        .await;
    assert!(matches!(again, Err(AdminError::AlreadyEnrolled)));
    let one = wsca::DeviceKeys {
        agree: keys.sign.clone(),
        ..keys
    };
    let refused = world.wsca.enroll(sci::UnitId::random(), one).await;
    assert!(matches!(refused, Err(AdminError::DeviceKeys)));
    let unknown = world.wsca.unit_state(sci::UnitId::random()).await;
    assert!(matches!(unknown, Err(AdminError::UnknownUnit)));
}

fn digest_bytes() -> &'static [u8] {
    &[7; 32]
}

async fn put(world: &World, write: Write) {
    let batch = Batch {
        guards: vec![],
        writes: vec![write],
    };
    world.store.commit(batch).await.unwrap();
}
