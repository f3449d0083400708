//! The end of a unit: final, complete, and published whatever happens.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod house;

use std::sync::Arc;

use house::{Device, DiskFull, House, files, fresh_keys};
use provider_api::*;
use status_list::Reference;
use wallet_provider::{Error, FolderPublisher, Keys, TokenFormat};

const DAY: i64 = 86_400;

fn problem<T: std::fmt::Debug>(result: Result<T, Error>) -> Problem {
    let error = result.unwrap_err();
    error.problem().unwrap_or_else(|| panic!("{error:?}"))
}

fn by_code(device: &Device, alias: &str) -> RevocationRequest {
    RevocationRequest {
        alias: alias.into(),
        code: device.code.clone().unwrap(),
        unit: None,
        reason: RevocationReason::LostOrStolen,
    }
}

/// Two WIAs and two KAs.
async fn entries(device: &Device, house: &House, running: &house::Running) -> Vec<Reference> {
    let wias = device.fresh_wia(house, running, 2).await.unwrap();
    let kas = device.fresh_ka(house, running, 2, 2).await.unwrap();
    let wias = wias.into_iter().map(|wia| wia.status.reference);
    wias.chain(kas.into_iter().map(|ka| ka.status.reference))
        .collect()
}

#[tokio::test]
async fn a_user_revokes_by_the_accounts_code_and_every_entry_is_set() {
    let house = House::new();
    let running = house.start().await;
    let device = Device::operational(&house, &running, "mine").await;
    let other = Device::operational(&house, &running, "other").await;
    let mine = entries(&device, &house, &running).await;
    let theirs = entries(&other, &house, &running).await;
    assert!(mine.iter().all(|entry| !house.revoked(entry)));

    let view = running
        .provider
        .revoke_by_user(&by_code(&device, "mine"))
        .await
        .unwrap();
    assert_eq!(view.state, UnitState::Revoked);
    let last = view.history.last().unwrap();
    assert_eq!(
        (last.by, last.reason),
        (Some(Revoker::User), Some(RevocationReason::LostOrStolen))
    );
    assert!(mine.iter().all(|entry| house.revoked(entry)));
    assert!(
        theirs.iter().all(|entry| !house.revoked(entry)),
        "and nobody else's"
    );
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
async fn revocation_is_final_and_a_revoked_unit_gets_nothing() {
    let house = House::new();
    let running = house.start().await;
    let device = Device::operational(&house, &running, "mine").await;
    let nonce = device.nonce(&house, &running).await.unwrap();
    let reason = RevocationReason::Security;
    running
        .provider
        .revoke_by_operator(device.unit, reason)
        .await
        .unwrap();

    // It may learn that it is revoked, and no more.
    assert_eq!(
        device.view(&house, &running).await.state,
        UnitState::Revoked
    );
    assert_eq!(
        problem(device.fresh_wia(&house, &running, 1).await),
        Problem::UnitRevoked
    );
    assert_eq!(
        problem(device.nonce(&house, &running).await),
        Problem::UnitRevoked
    );
    let statement = device.statement(&house, &nonce, &fresh_keys(1)).await;
    let request = KaRequest {
        statement,
        ..KaRequest::default()
    };
    assert_eq!(
        problem(device.ka(&house, &running, &request).await),
        Problem::UnitRevoked
    );
    let caller = device
        .call(&house, &running, "/unit/activation", &Empty {})
        .await
        .unwrap();
    let again = running.provider.complete_activation(&caller).await;
    assert_eq!(problem(again), Problem::UnitRevoked);
    let claims = device.phone.claims(&house, &running, "mine").await;
    let again = device.phone.begin(&house, &running, &claims).await;
    assert!(matches!(
        problem(again),
        Problem::AccountCode | Problem::DeviceKnown
    ));

    // A second revocation changes neither reason nor time.
    let before = running.provider.unit_view(device.unit).await.unwrap();
    house.pass(60);
    let after = running
        .provider
        .revoke_by_operator(device.unit, RevocationReason::Death)
        .await
        .unwrap();
    assert_eq!(before, after);
}

#[tokio::test]
async fn a_race_between_issuance_and_revocation_leaves_nothing_valid() {
    for _ in 0..5 {
        let house = House::new();
        let running = house.start().await;
        let device = Device::operational(&house, &running, "mine").await;
        let reason = RevocationReason::Security;
        let (issued, revoked) = tokio::join!(
            device.fresh_wia(&house, &running, 3),
            running.provider.revoke_by_operator(device.unit, reason)
        );
        revoked.unwrap();
        match issued {
            Ok(wias) => assert!(wias.iter().all(|wia| house.revoked(&wia.status.reference))),
            refused => assert_eq!(problem(refused), Problem::UnitRevoked),
        }
    }
}

#[tokio::test]
async fn a_wrong_code_alias_unit_or_reason_revokes_nothing() {
    let house = House::new();
    let running = house.start().await;
    let device = Device::operational(&house, &running, "mine").await;
    let other = Device::operational(&house, &running, "other").await;
    let good = by_code(&device, "mine");
    let cases = [
        (
            RevocationRequest {
                code: other.code.clone().unwrap(),
                ..good.clone()
            },
            Problem::AccountCode,
        ),
        (
            RevocationRequest {
                code: String::new(),
                ..good.clone()
            },
            Problem::AccountCode,
        ),
        (
            RevocationRequest {
                alias: "nobody".into(),
                ..good.clone()
            },
            Problem::AccountCode,
        ),
        (
            RevocationRequest {
                alias: "x".repeat(100_000),
                ..good.clone()
            },
            Problem::AccountCode,
        ),
        (
            RevocationRequest {
                unit: Some(other.unit),
                ..good.clone()
            },
            Problem::UnknownUnit,
        ),
        (
            RevocationRequest {
                reason: RevocationReason::Death,
                ..good.clone()
            },
            Problem::NotOffered,
        ),
    ];
    for (request, expected) in cases {
        assert_eq!(
            problem(running.provider.revoke_by_user(&request).await),
            expected
        );
    }
    let unknown = sci::UnitId::random();
    let refused = running
        .provider
        .revoke_by_operator(unknown, RevocationReason::Security)
        .await;
    assert_eq!(problem(refused), Problem::UnknownUnit);
    for device in [&device, &other] {
        assert_eq!(
            device.view(&house, &running).await.state,
            UnitState::Operational
        );
    }
    assert!(house.wsca.state.lock().unwrap().frozen.is_empty());
    running.provider.revoke_by_user(&good).await.unwrap();
    // Then there is none left to choose.
    assert_eq!(
        problem(running.provider.revoke_by_user(&good).await),
        Problem::UnknownUnit
    );
}

#[tokio::test]
async fn a_crash_between_revocation_and_publication_loses_nothing() {
    let house = House::new();
    let running = house.start().await;
    let device = Device::operational(&house, &running, "mine").await;
    let mine = entries(&device, &house, &running).await;
    drop(running);

    // A process whose disk takes no list and whose WSCA is away, and that then dies.
    let running = house.start_with(Arc::new(DiskFull)).await;
    house.wsca.state.lock().unwrap().away = true;
    let view = running
        .provider
        .revoke_by_user(&by_code(&device, "mine"))
        .await
        .unwrap();
    assert_eq!(view.state, UnitState::Revoked, "acknowledged");
    assert!(
        mine.iter().all(|entry| !house.revoked(entry)),
        "and not yet published"
    );
    drop(running);
    house.wsca.state.lock().unwrap().away = false;

    let running = house.start().await;
    running.provider.recover().await.unwrap();
    assert!(mine.iter().all(|entry| house.revoked(entry)));
    assert!(
        house
            .wsca
            .state
            .lock()
            .unwrap()
            .frozen
            .contains(&device.unit)
    );
    // Once only: nothing is due any more.
    assert_eq!(running.provider.publish_changed().await.unwrap(), 0);
    assert_eq!(running.provider.tell_wsca().await.unwrap(), 0);
}

/// One time limit a round, and not one for each unit.
#[tokio::test]
async fn a_wsca_that_is_away_is_asked_once_a_round() {
    let house = House::new();
    let running = house.start().await;
    let mut units = Vec::new();
    for n in 0..3 {
        let device = Device::operational(&house, &running, &format!("user {n}")).await;
        units.push(device.unit);
    }
    house.wsca.state.lock().unwrap().away = true;
    for unit in &units {
        let revoked = running
            .provider
            .revoke_by_operator(*unit, RevocationReason::Security);
        revoked.await.unwrap();
    }
    let before = house.wsca.state.lock().unwrap().asked;
    assert!(running.provider.tell_wsca().await.is_err());
    let asked = house.wsca.state.lock().unwrap().asked - before;
    assert_eq!(asked, 1);
    house.wsca.state.lock().unwrap().away = false;
    assert_eq!(running.provider.tell_wsca().await.unwrap(), 3);
    let state = house.wsca.state.lock().unwrap();
    assert!(units.iter().all(|unit| state.frozen.contains(unit)));
}

/// The world learns of a revocation though the WSCA does not answer.
#[tokio::test]
async fn a_wsca_that_hangs_holds_up_no_list() {
    let house = House::new();
    let running = house.start().await;
    let device = Device::operational(&house, &running, "mine").await;
    let mine = entries(&device, &house, &running).await;
    let hangs = Arc::new(tokio::sync::Notify::new());
    house.wsca.state.lock().unwrap().hangs = Some(hangs.clone());
    let request = by_code(&device, "mine");
    let revoking = running.provider.revoke_by_user(&request);
    let seen = async {
        while !mine
            .iter()
            .all(|entry| house.tells(entry, TokenFormat::Jwt))
        {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        let told = house.wsca.state.lock().unwrap().frozen.clone();
        hangs.notify_one();
        told
    };
    let waited = std::time::Duration::from_secs(60);
    let both = async { tokio::join!(revoking, seen) };
    let (revoked, told) = tokio::time::timeout(waited, both).await.unwrap();
    assert_eq!(revoked.unwrap().state, UnitState::Revoked);
    assert!(told.is_empty(), "the lists came first");
    let state = house.wsca.state.lock().unwrap();
    assert!(state.frozen.contains(&device.unit));
}

#[tokio::test]
async fn a_list_stays_due_until_it_is_on_disk() {
    let house = House::new();
    let running = house.start().await;
    let device = Device::operational(&house, &running, "mine").await;
    let mine = entries(&device, &house, &running).await;
    drop(running);
    let running = house.start_with(Arc::new(DiskFull)).await;
    running
        .provider
        .revoke_by_user(&by_code(&device, "mine"))
        .await
        .unwrap();
    for _ in 0..2 {
        assert!(matches!(
            running.provider.publish_changed().await,
            Err(Error::Publish(_))
        ));
    }
    drop(running);
    let running = house.start().await;
    assert_eq!(running.provider.publish_changed().await.unwrap(), 2);
    assert!(mine.iter().all(|entry| house.revoked(entry)));
}

#[tokio::test]
async fn a_lists_token_is_renewed_before_it_ends() {
    let house = House::new();
    let running = house.start().await;
    let device = Device::operational(&house, &running, "mine").await;
    let wia = device
        .fresh_wia(&house, &running, 1)
        .await
        .unwrap()
        .remove(0);
    assert_eq!(running.provider.publish_changed().await.unwrap(), 0);
    house.pass(DAY * 2 / 3);
    assert_eq!(running.provider.publish_changed().await.unwrap(), 1);
    house.pass(DAY / 2);
    assert!(
        !house.revoked(&wia.status.reference),
        "still a token that can be used"
    );
}

#[tokio::test]
async fn references_go_at_the_end_of_their_maintenance_and_lists_after_them() {
    let house = House::tuned(|config| {
        config.list_size = 10_000;
        config.block_size = 10_000;
    });
    let running = house.start().await;
    let device = Device::operational(&house, &running, "mine").await;
    let wia = device
        .fresh_wia(&house, &running, 1)
        .await
        .unwrap()
        .remove(0);
    running
        .provider
        .revoke_by_user(&by_code(&device, "mine"))
        .await
        .unwrap();
    let until = wia.status.maintained_until.as_second() - clock::Clock::now_seconds(&*house.clock);

    // A day more, for a clock that ran ahead.
    house.pass(until + DAY - 1);
    let purged = running.provider.purge().await.unwrap();
    assert_eq!((purged.entries, purged.lists.len()), (0, 0));
    running.provider.publish_changed().await.unwrap();
    assert!(
        house.revoked(&wia.status.reference),
        "to the end of the maintenance"
    );

    house.pass(1);
    let purged = running.provider.purge().await.unwrap();
    assert_eq!((purged.entries, purged.lists.len()), (1, 0));
    // The bit outlives the reference as long as the list does.
    house.pass(DAY);
    running.provider.publish_changed().await.unwrap();
    assert!(house.revoked(&wia.status.reference));

    house.pass(10 * DAY);
    let purged = running.provider.purge().await.unwrap();
    assert_eq!(purged.lists.len(), 1);
    assert_eq!(files(&house.folder.join("lists")), [] as [String; 0]);
    assert_eq!(
        running.provider.status_lists().await.unwrap(),
        [] as [String; 0]
    );
}

/// A list that is closed with its last block ends while a node that was idle holds it.
#[tokio::test]
async fn a_block_of_a_list_that_is_purged_is_given_up() {
    for house in House::on_each_tuned(|config| config.block_size = 10_000) {
        let (one, two) = (house.start().await, house.start().await);
        let device = Device::operational(&house, &one, "mine").await;
        // By the node itself, and by another that does not tell it.
        for purges in [&one, &two] {
            let first = device.fresh_ka(&house, &one, 1, 1).await.unwrap().remove(0);
            house.pass(100 * DAY);
            let purged = purges.provider.purge().await.unwrap();
            assert_eq!(purged.lists.len(), 1);
            let next = device.fresh_ka(&house, &one, 1, 1).await.unwrap().remove(0);
            assert_ne!(next.status.reference.uri, first.status.reference.uri);
            assert!(!house.revoked(&next.status.reference));
        }
    }
}

#[tokio::test]
async fn revocations_at_once_are_all_published() {
    let house = Arc::new(House::new());
    let running = Arc::new(house.start().await);
    let mut tasks = Vec::new();
    for n in 0..8 {
        let alias = format!("user {n}");
        let device = Device::operational(&house, &running, &alias).await;
        let wias = device.fresh_wia(&house, &running, 2).await.unwrap();
        let running = running.clone();
        tasks.push(tokio::spawn(async move {
            running
                .provider
                .revoke_by_user(&by_code(&device, &alias))
                .await
                .unwrap();
            wias
        }));
    }
    for task in tasks {
        // The others go on meanwhile: between the two forms there may be another list.
        for wia in task.await.unwrap() {
            for form in [TokenFormat::Jwt, TokenFormat::Cwt] {
                assert!(house.tells(&wia.status.reference, form), "{form:?}");
            }
        }
    }
}

#[tokio::test]
async fn nothing_of_the_alias_or_code_is_in_the_published_folder() {
    let house = House::new();
    let lists = FolderPublisher::new(house.folder.join("lists")).unwrap();
    let running = house.start_with(Arc::new(lists)).await;
    let device = Device::operational(&house, &running, "a personal alias").await;
    device.fresh_wia(&house, &running, 1).await.unwrap();
    for name in files(&house.folder.join("lists")) {
        let bytes = std::fs::read(house.folder.join("lists").join(&name)).unwrap();
        let text = String::from_utf8_lossy(&bytes);
        assert!(!text.contains("personal") && !name.contains(&device.unit.to_string()));
    }
}

/// What each reason leaves of the keys at the WSCA; sessions end in every case, for
/// that is what both orders do there.
#[tokio::test]
async fn keys_are_frozen_or_left_as_the_reason_says() {
    for reason in RevocationReason::ALL {
        let house = House::new();
        let running = house.start().await;
        let device = Device::operational(&house, &running, "mine").await;
        running
            .provider
            .revoke_by_operator(device.unit, reason)
            .await
            .unwrap();
        {
            let state = house.wsca.state.lock().unwrap();
            let told = (
                state.retired.contains(&device.unit),
                state.frozen.contains(&device.unit),
            );
            let expected = match Keys::after(reason) {
                Keys::Usable => (true, false),
                Keys::Frozen => (false, true),
            };
            assert_eq!(told, expected, "{}", reason.name());
        }
        assert_eq!(
            problem(device.fresh_wia(&house, &running, 1).await),
            Problem::UnitRevoked,
            "and nothing is issued"
        );
    }
}

/// A unit that was given up, and is stolen later.
#[tokio::test]
async fn a_worse_reason_later_freezes_what_was_left() {
    for house in House::on_each() {
        let running = house.start().await;
        let device = Device::operational(&house, &running, "mine").await;
        let revoke = |reason| running.provider.revoke_by_operator(device.unit, reason);
        revoke(RevocationReason::Superseded).await.unwrap();
        assert!(house.wsca.state.lock().unwrap().frozen.is_empty());
        let view = revoke(RevocationReason::LostOrStolen).await.unwrap();
        let reasons: Vec<_> = view
            .history
            .iter()
            .filter_map(|entry| entry.reason)
            .collect();
        assert_eq!(
            reasons,
            [RevocationReason::Superseded, RevocationReason::LostOrStolen]
        );
        assert!(
            house
                .wsca
                .state
                .lock()
                .unwrap()
                .frozen
                .contains(&device.unit)
        );
        // And nothing thaws them.
        let after = revoke(RevocationReason::UserRequest).await.unwrap();
        assert_eq!(after, view);
        assert_eq!(running.provider.tell_wsca().await.unwrap(), 0);
    }
}

/// The provider's database is older than the revocation; the WSCA's memory is not.
#[tokio::test]
async fn what_the_wsca_retired_gets_nothing_from_an_older_database() {
    let house = House::new();
    let running = house.start().await;
    let device = Device::operational(&house, &running, "mine").await;
    house.wsca.state.lock().unwrap().retired.insert(device.unit);
    assert_eq!(
        problem(device.fresh_wia(&house, &running, 1).await),
        Problem::UnitRevoked
    );
}

#[tokio::test]
async fn what_the_provider_revokes_itself_says_so() {
    let house = House::new();
    let running = house.start().await;
    let device = Device::operational(&house, &running, "mine").await;
    let reason = RevocationReason::Security;
    let view = running.provider.revoke_by_provider(device.unit, reason);
    let view = view.await.unwrap();
    let last = view.history.last().unwrap();
    assert_eq!(
        (last.by, last.reason),
        (Some(Revoker::Provider), Some(reason))
    );
}
