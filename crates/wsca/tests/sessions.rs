//! Sessions: short, of one unit, one device key and one task, and ended at once.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod common;

use common::{RIGHT, World, code, pin, refused};
use jose::{Curve, Signer};
use r2ps::Nonce;
use r2ps::envelope::{self, Protection};
use r2ps::service::ServiceType;
use sci::{Code, Digest, ItemName, KeyId, Sci, Task};
use wsca::{Batch, Write, WscaAdmin, WscaStore};
use zeroize::Zeroizing;

#[tokio::test]
async fn an_idle_session_ends_and_a_used_one_goes_on() {
    let world = World::new().await;
    let phone = world.opened(Task::Issuance).await;
    for _ in 0..4 {
        world.pass(119);
        phone.list_keys().await.unwrap();
    }
    world.pass(120);
    assert_eq!(code(phone.list_keys().await), Code::NoSession);
    assert_eq!(phone.session().await.unwrap(), None);
}

#[tokio::test]
async fn no_use_prolongs_a_session_past_its_end() {
    let world = World::new().await;
    let phone = world.opened(Task::Issuance).await;
    let told = phone.session().await.unwrap().unwrap();
    assert_eq!(told.task, Task::Issuance);
    for _ in 0..9 {
        world.pass(60);
        phone.list_keys().await.unwrap();
    }
    world.pass(59);
    phone.list_keys().await.unwrap();
    world.pass(1);
    assert_eq!(code(phone.list_keys().await), Code::NoSession);
}

#[tokio::test]
async fn a_session_ends_when_its_user_ends_it() {
    let world = World::new().await;
    let phone = world.opened(Task::Issuance).await;
    let row = session_row(&world, &phone).await;
    phone.end_session().await.unwrap();
    assert_eq!(world.store.session(&row.id).await.unwrap(), None);
    assert!(matches!(
        phone.list_keys().await,
        Err(sci::Error::NoSession)
    ));
    phone.end_session().await.unwrap();
}

#[tokio::test]
async fn a_revoked_session_does_nothing_even_when_its_row_is_put_back() {
    let world = World::new().await;
    let phone = world.opened(Task::Issuance).await;
    let row = session_row(&world, &phone).await;
    world.wsca.end_sessions(phone.unit).await.unwrap();
    assert_eq!(code(phone.list_keys().await), Code::NoSession);
    put(&world, row).await;
    assert_eq!(code(phone.list_keys().await), Code::NoSession);
}

#[tokio::test]
async fn a_session_that_was_changed_in_the_database_does_not_open() {
    let world = World::new().await;
    let other = world.registered().await;
    let hour = jiff::SignedDuration::from_hours(1);
    for change in [
        |row: &mut wsca::SessionRow, hour, _| row.expires += hour,
        |row: &mut wsca::SessionRow, hour, _| row.idle_until += hour,
        |row: &mut wsca::SessionRow, hour, _| row.opened += hour,
        |row: &mut wsca::SessionRow, _, _| row.task = Task::Maintenance.name().into(),
        |row: &mut wsca::SessionRow, _, other| row.unit = other,
    ] {
        let phone = world.opened(Task::Issuance).await;
        let mut row = session_row(&world, &phone).await;
        let end = Write::EndSession(row.id.clone());
        change(&mut row, hour, other.unit);
        let batch = Batch {
            guards: vec![],
            writes: vec![end, Write::Session(row.clone())],
        };
        world.store.commit(batch).await.unwrap();
        assert_eq!(code(phone.list_keys().await), Code::NoSession, "{row:?}");
    }
}

#[tokio::test]
async fn a_task_allows_what_it_needs_and_nothing_else() {
    let world = World::new().await;
    let phone = world.opened(Task::Issuance).await;
    let key = phone.generate_keys(1, Curve::P256).await.unwrap().remove(0);
    let item = ItemName::new("i").unwrap();
    phone.store_item(&item, b"x").await.unwrap();
    assert_eq!(code(phone.destroy_unit().await), Code::TaskForbids);
    assert_eq!(
        code(phone.agree(&key.id, &key.public_key).await),
        Code::TaskForbids
    );

    phone
        .open_session(&pin(RIGHT), Task::Presentation)
        .await
        .unwrap();
    phone.read_item(&item).await.unwrap();
    assert_eq!(
        code(phone.generate_keys(1, Curve::P256).await),
        Code::TaskForbids
    );
    assert_eq!(
        code(phone.state_keys(&[key.id], "n", "a").await),
        Code::TaskForbids
    );
    assert_eq!(code(phone.store_item(&item, b"y").await), Code::TaskForbids);

    phone
        .open_session(&pin(RIGHT), Task::Maintenance)
        .await
        .unwrap();
    let digest = Digest::of(b"m", Curve::P256);
    assert_eq!(
        code(phone.sign(&[(key.id, digest.clone())]).await),
        Code::TaskForbids
    );

    phone
        .open_session(&pin(RIGHT), Task::PinChange)
        .await
        .unwrap();
    assert_eq!(code(phone.list_keys().await), Code::TaskForbids);
    assert_eq!(
        code(phone.sign(&[(key.id, digest)]).await),
        Code::TaskForbids
    );
}

#[tokio::test]
async fn a_session_works_with_its_own_key_and_its_own_phone_alone() {
    let world = World::new().await;
    let phone = world.opened(Task::Issuance).await;
    let row = session_row(&world, &phone).await;
    let other = world.registered().await;
    let key = Zeroizing::new([7; 32]);
    let request = in_session(&world, &row.id, &key, phone.keystore.signing()).await;
    assert_eq!(
        refused(world.wsca.handle(request.as_bytes()).await),
        Code::Unauthorized,
        "another session's key"
    );
    let (id, key) = phone.open_by_hand(&world, Task::Issuance).await;
    let request = in_session(&world, &id, &key, other.keystore.signing()).await;
    assert_eq!(
        refused(world.wsca.handle(request.as_bytes()).await),
        Code::Unauthorized,
        "another phone's signature"
    );
    let request = in_session(&world, &id, &key, phone.keystore.signing()).await;
    assert!(matches!(
        world.wsca.handle(request.as_bytes()).await,
        wsca::Reply::Answer(_)
    ));
    let request = in_session(&world, "nothing", &key, phone.keystore.signing()).await;
    assert_eq!(
        refused(world.wsca.handle(request.as_bytes()).await),
        Code::NoSession
    );
}

#[tokio::test]
async fn batches_are_bounded_and_whole() {
    let world = World::new().await;
    let phone = world.opened(Task::Issuance).await;
    let keys = phone.generate_keys(64, Curve::P256).await.unwrap();
    assert_eq!(
        code(phone.generate_keys(65, Curve::P256).await),
        Code::TooMany
    );
    assert_eq!(
        code(phone.generate_keys(0, Curve::P256).await),
        Code::IllegalRequestData
    );
    let digest = Digest::of(b"m", Curve::P256);
    let items: Vec<_> = keys.iter().map(|key| (key.id, digest.clone())).collect();
    assert_eq!(phone.sign(&items).await.unwrap().len(), 64);
    let short = Digest::new(vec![0; 48], Curve::P384).unwrap();
    assert_eq!(
        code(
            phone
                .sign(&[(keys[0].id, digest.clone()), (keys[1].id, short)])
                .await
        ),
        Code::IllegalRequestData
    );
    assert_eq!(
        code(phone.sign(&[(KeyId::random(), digest)]).await),
        Code::NoSuchKey
    );
    for _ in 0..7 {
        phone.generate_keys(64, Curve::P256).await.unwrap();
    }
    assert_eq!(
        code(phone.generate_keys(1, Curve::P256).await),
        Code::TooMany
    );
    assert_eq!(phone.list_keys().await.unwrap().len(), 512);
}

async fn in_session(
    world: &World,
    id: &str,
    key: &Zeroizing<[u8; 32]>,
    signer: &dyn Signer,
) -> String {
    let protection = Protection::TwoFactor {
        session_id: id,
        key,
    };
    let now = clock::Clock::now(&*world.clock);
    let nonce = Nonce::random().unwrap();
    let data = jose::Map::new();
    envelope::seal_request(
        protection,
        ServiceType::SessionInfo,
        data,
        &nonce,
        now,
        signer,
    )
    .await
    .unwrap()
}

async fn session_row(world: &World, phone: &common::Phone) -> wsca::SessionRow {
    let id = phone.session().await.unwrap().unwrap().id;
    world.store.session(&id).await.unwrap().unwrap()
}

async fn put(world: &World, row: wsca::SessionRow) {
    let batch = Batch {
        guards: vec![],
        writes: vec![Write::Session(row)],
    };
    world.store.commit(batch).await.unwrap();
}
