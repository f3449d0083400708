//! A store restored from an older copy, a clock that ran ahead, a part that fails
//! for good: what was told to the world stays told, and the rest goes on.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod house;

use std::sync::Arc;

use house::{Device, House, Running, Stuck, files, fresh_keys, jti};
use provider_api::*;
use store::provider::SqlProviderStore;
use wallet_provider::{
    Error, FolderPublisher, ListKind, NewList, ProviderStore, StoreError, TokenFormat,
};

const DAY: i64 = 86_400;

fn problem<T: std::fmt::Debug>(result: Result<T, Error>) -> Problem {
    let error = result.unwrap_err();
    error.problem().unwrap_or_else(|| panic!("{error:?}"))
}

async fn revoke(running: &Running, device: &Device) {
    let reason = RevocationReason::Security;
    let revoked = running.provider.revoke_by_operator(device.unit, reason);
    assert_eq!(revoked.await.unwrap().state, UnitState::Revoked);
}

/// Closes the database and keeps a copy of it, or puts the copy back.
async fn close(running: Running) {
    running.database.close().await;
}

fn copy(house: &House, from: &str, to: &str) {
    let folder = &house.folder;
    for suffix in ["-wal", "-shm"] {
        let _ = std::fs::remove_file(folder.join(format!("{to}{suffix}")));
        assert!(!folder.join(format!("{from}{suffix}")).exists());
    }
    std::fs::copy(folder.join(from), folder.join(to)).unwrap();
}

#[tokio::test]
async fn what_was_published_as_revoked_stays_so_after_an_older_store_is_restored() {
    let house = House::alone(|_| {});
    let running = house.start().await;
    let device = Device::operational(&house, &running, "mine").await;
    let other = Device::operational(&house, &running, "other").await;
    let mine = device.fresh_wia(&house, &running, 3).await.unwrap();
    let theirs = other.fresh_wia(&house, &running, 1).await.unwrap();
    close(running).await;
    copy(&house, "claviger.db", "old.db");

    let running = house.start().await;
    revoke(&running, &device).await;
    close(running).await;
    assert!(mine.iter().all(|wia| house.revoked(&wia.status.reference)));
    copy(&house, "old.db", "claviger.db");

    // The provider has forgotten the revocation; the WSCA has not.
    let running = house.start().await;
    let view = running.provider.unit_view(device.unit).await.unwrap();
    assert_eq!(view.state, UnitState::Operational);
    let wia = device.fresh_wia(&house, &running, 1).await;
    assert_eq!(problem(wia), Problem::UnitRevoked);
    let ka = device.fresh_ka(&house, &running, 1, 1).await;
    assert_eq!(problem(ka), Problem::UnitRevoked);

    // Renewed, and made anew because somebody else is revoked: both keep the bits.
    house.pass(DAY * 2 / 3);
    assert_eq!(running.provider.publish_changed().await.unwrap(), 1);
    assert!(mine.iter().all(|wia| house.revoked(&wia.status.reference)));
    assert!(!house.revoked(&theirs[0].status.reference));
    revoke(&running, &other).await;
    assert!(mine.iter().all(|wia| house.revoked(&wia.status.reference)));
    assert!(house.revoked(&theirs[0].status.reference));

    // The store knows again, without the published copy; and the list, whose
    // counters went back, hands out no more.
    for name in files(&house.folder.join("lists")) {
        std::fs::remove_file(house.folder.join("lists").join(name)).unwrap();
    }
    house.pass(DAY);
    running.provider.publish_changed().await.unwrap();
    assert!(mine.iter().all(|wia| house.revoked(&wia.status.reference)));
    let third = Device::operational(&house, &running, "third").await;
    let new = third.fresh_wia(&house, &running, 1).await.unwrap();
    assert_ne!(new[0].status.reference.uri, mine[0].status.reference.uri);
}

/// What was handed out since the copy was made was handed out, though nothing that is
/// published says of which index.
#[tokio::test]
async fn an_older_store_hands_out_no_index_again_though_nothing_was_revoked() {
    for (due, noted) in [(false, true), (true, true), (true, false)] {
        let house = House::alone(|config| config.block_size = 1);
        let draw = async |running: &Running| {
            let drawn = running.provider.draw(ListKind::Wia, 1).await.unwrap();
            drawn[0].clone()
        };
        let running = house.start().await;
        let before = draw(&running).await;
        close(running).await;
        copy(&house, "claviger.db", "old.db");

        house.pass(60);
        let running = house.start().await;
        running
            .sql("UPDATE status_list SET revision = revision + 1")
            .await;
        assert_eq!(running.provider.publish_changed().await.unwrap(), 1);
        let since = draw(&running).await;
        assert_eq!(
            since.uri, before.uri,
            "a node's own publication is no restore"
        );
        if !noted {
            // A node that was killed when it had put them, and not noted that.
            running
                .sql("UPDATE status_list SET published = published - 1, published_until = 0")
                .await;
        }
        close(running).await;
        if noted {
            copy(&house, "old.db", "claviger.db");
        }

        // Found when the first block is taken, and when the list is renewed before.
        let running = house.start().await;
        if due {
            house.pass(DAY);
            assert_eq!(running.provider.publish_changed().await.unwrap(), 1);
        }
        let again = draw(&running).await;
        assert_eq!(again.uri != before.uri, noted, "due: {due}");
        assert_ne!(again, since);
        let closed = "SELECT count(*) FROM status_list WHERE restored = 1";
        assert_eq!(running.count(closed).await, i64::from(noted));
    }
}

#[tokio::test]
async fn a_published_token_that_is_not_ones_own_adds_nothing_and_is_replaced() {
    let house = House::new();
    let running = house.start().await;
    let device = Device::operational(&house, &running, "mine").await;
    let mine = device.fresh_wia(&house, &running, 1).await.unwrap();
    let uri = &mine[0].status.reference.uri;
    let paths = [TokenFormat::Jwt, TokenFormat::Cwt].map(|format| house.file(uri, format));
    let mut list = status_list::StatusList::new(status_list::Bits::One, 10_000).unwrap();
    for index in 0..10_000 {
        list.set(index, status_list::Status::INVALID).unwrap();
    }
    let now = clock::Clock::now(&*house.clock);
    let token = status_list::StatusListToken::new(uri, now, list);
    let stranger = claviger_fixtures::TestKey::generate(jose::Curve::P256);
    let forged = token.sign(&[], &stranger).await.unwrap().into_bytes();
    let forged_cwt = token.sign_cwt(&[], &stranger).await.unwrap();
    for found in [&forged[..], &forged_cwt, b"", b"half a tok"] {
        for path in &paths {
            std::fs::write(path, found).unwrap();
        }
        house.pass(DAY);
        assert_eq!(running.provider.publish_changed().await.unwrap(), 1);
        assert!(!house.revoked(&mine[0].status.reference), "{found:.10?}");
    }
}

#[tokio::test]
async fn a_tokens_time_does_not_go_back_with_the_clock() {
    let house = House::new();
    let running = house.start().await;
    let device = Device::operational(&house, &running, "mine").await;
    let mine = device.fresh_wia(&house, &running, 1).await.unwrap();
    let reference = &mine[0].status.reference;
    let before = house.published(reference).issued();
    house.pass(-50);
    revoke(&running, &device).await;
    let list = house.published(reference);
    assert!(!list.status(reference).unwrap().is_valid());
    assert_eq!(list.issued(), before);
    assert!(list.expires().unwrap() > list.issued());
}

#[tokio::test]
async fn a_unit_that_cannot_be_frozen_stops_neither_lists_nor_other_units() {
    let house = House::new();
    let running = house.start().await;
    let device = Device::operational(&house, &running, "mine").await;
    let other = Device::operational(&house, &running, "other").await;
    let mine = device.fresh_wia(&house, &running, 1).await.unwrap();
    close(running).await;
    house.wsca.state.lock().unwrap().stuck.insert(device.unit);
    // It dies before it publishes.
    let running = house.start_with(Arc::new(house::DiskFull)).await;
    revoke(&running, &device).await;
    close(running).await;

    let running = house.start().await;
    let recovered = running.provider.recover().await;
    assert!(
        matches!(recovered, Err(Error::Wsca(wsca::AdminError::RecordAltered))),
        "{recovered:?}"
    );
    assert!(house.revoked(&mine[0].status.reference));
    revoke(&running, &other).await;
    assert!(
        house
            .wsca
            .state
            .lock()
            .unwrap()
            .frozen
            .contains(&other.unit)
    );
    // Still due, and made up for when it can be.
    house.wsca.state.lock().unwrap().stuck.clear();
    running.provider.recover().await.unwrap();
    assert!(
        house
            .wsca
            .state
            .lock()
            .unwrap()
            .frozen
            .contains(&device.unit)
    );
}

#[tokio::test]
async fn a_list_that_cannot_be_published_stops_no_other() {
    let house = House::new();
    let running = house.start().await;
    let device = Device::operational(&house, &running, "mine").await;
    let wia = device.fresh_wia(&house, &running, 1).await.unwrap();
    let ka = device.fresh_ka(&house, &running, 1, 1).await.unwrap();
    let places = [&wia[0].status.reference, &ka[0].status.reference];
    close(running).await;
    // The first list is the one that is stuck.
    let lists = FolderPublisher::new(house.folder.join("lists")).unwrap();
    let stuck = vec![places[0].uri.rsplit('/').next().unwrap().to_owned()];
    let running = house.start_with(Arc::new(Stuck { lists, stuck })).await;
    revoke(&running, &device).await;
    assert_eq!(places.map(|place| house.revoked(place)), [false, true]);
    let recovered = running.provider.recover().await;
    assert!(matches!(recovered, Err(Error::Publish(_))), "{recovered:?}");
    close(running).await;
    let running = house.start().await;
    running.provider.recover().await.unwrap();
    assert_eq!(places.map(|place| house.revoked(place)), [true, true]);
}

#[tokio::test]
async fn a_unit_that_the_wsca_does_not_serve_gets_nothing() {
    let house = House::new();
    let running = house.start().await;
    let device = Device::operational(&house, &running, "mine").await;
    type Change = fn(&mut house::WscaState);
    let cases: [(Change, Option<Problem>); 3] = [
        (
            |wsca| wsca.frozen.extend(wsca.factors.clone()),
            Some(Problem::UnitRevoked),
        ),
        (|wsca| wsca.factors.clear(), Some(Problem::NoFactor)),
        (|wsca| wsca.units.clear(), None),
    ];
    for (change, expected) in cases {
        {
            let mut wsca = house.wsca.state.lock().unwrap();
            wsca.frozen.clear();
            change(&mut wsca);
        }
        let wia = device.fresh_wia(&house, &running, 1).await.unwrap_err();
        let ka = device.fresh_ka(&house, &running, 1, 1).await.unwrap_err();
        assert_eq!([wia.problem(), ka.problem()], [expected; 2]);
    }
    assert!(!house.folder.join("lists").read_dir().unwrap().any(|_| true));
}

/// The next counter of each open list.
async fn taken(running: &Running) -> [u64; 2] {
    let store = SqlProviderStore::new(running.database.clone());
    let mut next = [0; 2];
    for (next, kind) in next.iter_mut().zip(ListKind::ALL) {
        let new = NewList {
            kind,
            name: jti(),
            uri: jti(),
            size: 8,
            key_check: [0; 8],
        };
        let now = "2026-11-22T12:00:00Z".parse().unwrap();
        *next = store.take_block(new, 0, now).await.unwrap().counters.start;
    }
    next
}

#[tokio::test]
async fn a_refused_request_takes_no_index() {
    let house = House::tuned(|config| config.block_size = 1);
    let running = house.start().await;
    let device = Device::operational(&house, &running, "mine").await;
    device.fresh_wia(&house, &running, 2).await.unwrap();
    let (nonce, keys) = (device.nonce(&house, &running).await.unwrap(), fresh_keys(1));
    let statement = device.statement(&house, &nonce, &keys).await;
    let request = KaRequest {
        statement,
        ..KaRequest::default()
    };
    let jti = jti();
    let caller = device
        .call_as(&house, &running, "/unit/ka", &request, &jti)
        .await
        .unwrap();
    running.provider.issue_ka(&caller, &request).await.unwrap();
    let before = taken(&running).await;
    assert_eq!(before, [2, 1]);
    for _ in 0..5 {
        let replayed = running.provider.issue_ka(&caller, &request).await;
        assert_eq!(problem(replayed), Problem::Replayed);
        let again = device.ka(&house, &running, &request).await;
        assert_eq!(problem(again), Problem::ChallengeUnknown);
        let nonce = device.nonce(&house, &running).await.unwrap();
        let attested = KaRequest {
            statement: device.statement(&house, &nonce, &keys).await,
            ..KaRequest::default()
        };
        let attested = device.ka(&house, &running, &attested).await;
        assert_eq!(problem(attested), Problem::KeyAttested);
    }
    assert_eq!(taken(&running).await, before);
}

#[tokio::test]
async fn no_more_challenges_wait_than_may_and_the_expired_ones_go() {
    let house = House::tuned(|config| config.max_challenges = 3);
    let running = house.start().await;
    for _ in 0..2 {
        for _ in 0..3 {
            running.provider.challenge().await.unwrap();
        }
        for _ in 0..3 {
            let full = running.provider.challenge().await;
            assert!(
                matches!(full, Err(Error::Store(StoreError::TooManyChallenges))),
                "{full:?}"
            );
            house.pass(1);
        }
        house.pass(300);
        assert_eq!(running.provider.purge_challenges().await.unwrap(), 3);
    }
    // Expired ones that were not forgotten yet take no room.
    running.provider.challenge().await.unwrap();
    house.pass(300);
    for _ in 0..3 {
        running.provider.challenge().await.unwrap();
    }
    running.provider.recover().await.unwrap();
    assert_eq!(running.provider.purge_challenges().await.unwrap(), 0);
}
