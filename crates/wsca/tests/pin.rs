//! No PIN is tried uncounted, and none more often than the policy says.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod common;

use std::sync::Arc;

use common::{RIGHT, WRONG, World, code, evaluate, pin, refused};
use jiff::SignedDuration;
use r2ps::Nonce;
use r2ps::service::ServiceType;
use rstest::rstest;
use sci::{Code, Error, PinError, Sci, Task};
use serde_json::json;
use tokio::task::JoinSet;
use wallet_client::keystore::SoftwareKeystore;
use wsca::{Config, RetryPolicy, WscaAdmin};

fn one_round(tries: u32) -> Config {
    Config {
        retry: RetryPolicy {
            tries_per_round: tries,
            pauses: vec![],
        },
        ..Config::default()
    }
}

#[tokio::test]
async fn rounds_pauses_and_the_lock_out_are_exactly_the_policys() {
    let world = World::new().await;
    let phone = world.registered().await;
    let registering = world.evaluations(phone.unit).await;
    let mut left = 16;
    for pause in [Some(60), Some(300), Some(3600), None] {
        for step in 1..=4 {
            left -= 1;
            let now = clock::Clock::now(&*world.clock);
            let begins = (step == 4)
                .then_some(pause)
                .flatten()
                .map(|seconds| now + SignedDuration::from_secs(seconds));
            match phone.open_session(&pin(WRONG), Task::Issuance).await {
                Err(Error::WrongPin {
                    tries_left,
                    retry_at,
                }) => {
                    assert_eq!((tries_left, retry_at), (left, begins));
                }
                other => panic!("not a wrong PIN: {other:?}"),
            }
        }
        let Some(pause) = pause else { break };
        let until = clock::Clock::now(&*world.clock) + SignedDuration::from_secs(pause);
        for passed in [0, pause - 1] {
            world.pass(passed);
            // Not even the right one is evaluated during a pause.
            match phone.open_session(&pin(RIGHT), Task::Issuance).await {
                Err(Error::Refused {
                    code: Code::PinPaused,
                    retry_at,
                }) => {
                    assert_eq!(retry_at, Some(until));
                }
                other => panic!("not paused: {other:?}"),
            }
        }
        world.pass(1);
    }
    world.pass(1_000_000);
    let blocked = phone.open_session(&pin(RIGHT), Task::Issuance).await;
    assert_eq!(code(blocked), Code::PinBlocked);
    assert_eq!(world.evaluations(phone.unit).await - registering, 16);
    assert!(world.wsca.unit_state(phone.unit).await.unwrap().pin_blocked);
}

#[tokio::test]
async fn the_right_pin_starts_the_count_again() {
    let world = World::new().await;
    let phone = world.registered().await;
    for _ in 0..3 {
        for expected in [15, 14, 13] {
            match phone.open_session(&pin(WRONG), Task::Issuance).await {
                Err(Error::WrongPin { tries_left, .. }) => assert_eq!(tries_left, expected),
                other => panic!("{other:?}"),
            }
        }
        phone
            .open_session(&pin(RIGHT), Task::Issuance)
            .await
            .unwrap();
    }
}

#[rstest]
#[case::one_round(one_round(16), 16, Code::PinBlocked)]
#[case::default(Config::default(), 4, Code::PinPaused)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_at_once_on_two_nodes_get_no_try_more(
    #[case] config: Config,
    #[case] allowed: usize,
    #[case] then: Code,
) {
    let world = Arc::new(World::with(config).await);
    let phone = world.registered().await;
    let second = world.second_node().await;
    let before = world.evaluations(phone.unit).await;
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
    let (mut wrong, mut stopped, mut later) = (0, 0, 0);
    for result in tries.join_all().await {
        match result {
            Err(Error::WrongPin { .. }) => wrong += 1,
            Err(Error::Refused { code, .. }) if code == then => stopped += 1,
            Err(Error::Refused {
                code: Code::TryLater,
                ..
            }) => later += 1,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(wrong + stopped + later, 200);
    assert_eq!(
        wrong, allowed,
        "{stopped} stopped, {later} told to come later"
    );
    assert_eq!(world.evaluations(phone.unit).await - before, allowed);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mixing_login_registration_and_update_adds_no_try() {
    let world = Arc::new(World::with(one_round(16)).await);
    let phone = Arc::new(world.registered().await);
    phone
        .open_session(&pin(RIGHT), Task::PinChange)
        .await
        .unwrap();
    let before = world.evaluations(phone.unit).await;
    let mut tries = JoinSet::new();
    for number in 0..120 {
        let (world, phone) = (world.clone(), phone.clone());
        tries.spawn(async move {
            match number % 3 {
                0 => phone.evaluate_login(&world, WRONG).await.map(|_| ()),
                1 => phone.evaluate_registration(&world).await.map(|_| ()),
                // A whole change begins with a login of its own.
                _ => match phone.change_pin(&pin(WRONG), &pin("582047")).await {
                    Err(Error::WrongPin { .. }) => Ok(()),
                    other => Err(code(other)),
                },
            }
        });
    }
    let results = tries.join_all().await;
    let counted = results.iter().filter(|result| result.is_ok()).count();
    assert_eq!(counted, 16);
    for result in results {
        assert!(
            matches!(result, Ok(()) | Err(Code::PinBlocked | Code::PinExists)),
            "{result:?}"
        );
    }
    assert_eq!(world.evaluations(phone.unit).await - before, 16);
}

#[tokio::test]
async fn a_registration_counts_too_and_evaluates_under_a_fresh_key_each_time() {
    let world = World::with(one_round(3)).await;
    let phone = world.enrolled().await;
    let message = phone.registration_message(WRONG).await;
    let mut seen = vec![];
    for _ in 0..2 {
        let answer = phone
            .send(&world, ServiceType::Registration, evaluate(&message, None))
            .await
            .unwrap();
        seen.push(answer["p_data"].clone());
        // The exchange runs out: the same message is a new one then.
        world.pass(61);
    }
    assert_ne!(
        seen[0], seen[1],
        "another credential identifier, another key"
    );
    phone.evaluate_registration(&world).await.unwrap();
    assert_eq!(
        phone.evaluate_registration(&world).await,
        Err(Code::PinBlocked)
    );
}

#[tokio::test]
async fn people_without_the_phone_cost_no_try() {
    let world = World::new().await;
    let phone = world.registered().await;
    let stranger = phone.impersonated(&world, Arc::new(SoftwareKeystore::generate().unwrap()));
    let before = world.row(phone.unit).await;
    for _ in 0..100 {
        let result = stranger.open_session(&pin(WRONG), Task::Issuance).await;
        assert_eq!(code(result), Code::Unauthorized);
        assert_eq!(
            code(stranger.register_pin(&pin(RIGHT)).await),
            Code::Unauthorized
        );
    }
    // Someone who only knows that the unit exists, and one who asks after no unit.
    let nobody = world.phone(sci::UnitId::random(), stranger.keystore.clone());
    assert_eq!(
        code(nobody.open_session(&pin(WRONG), Task::Issuance).await),
        Code::Unauthorized
    );
    assert_eq!(world.row(phone.unit).await, before, "nothing was counted");
    phone
        .open_session(&pin(RIGHT), Task::Issuance)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_repeated_first_message_is_answered_the_same_and_counted_once() {
    let world = World::new().await;
    let phone = world.registered().await;
    let before = world.evaluations(phone.unit).await;
    let message = phone.login_message(WRONG).await;
    let data = evaluate(&message, Some("issuance"));
    let now = clock::Clock::now(&*world.clock);
    let nonce = Nonce::random().unwrap();
    let request = phone
        .seal_with(ServiceType::CreateSession, data.clone(), now, &nonce)
        .await;
    let first = phone.answer_to(&world, &request, &nonce).await.unwrap();
    // The same bytes again, and the same message in another envelope.
    let again = phone.answer_to(&world, &request, &nonce).await.unwrap();
    let resent = phone
        .send(&world, ServiceType::CreateSession, data)
        .await
        .unwrap();
    assert_eq!(first, again);
    assert_eq!(first, resent);
    assert_eq!(world.evaluations(phone.unit).await - before, 1);
    assert_eq!(world.row(phone.unit).await.tries, 1);
    // For another task it is another message.
    let other = evaluate(&message, Some("presentation"));
    phone
        .send(&world, ServiceType::CreateSession, other)
        .await
        .unwrap();
    assert_eq!(world.row(phone.unit).await.tries, 2);
}

#[tokio::test]
async fn a_malformed_first_message_costs_nothing() {
    let world = World::new().await;
    let phone = world.registered().await;
    let good = phone.login_message(WRONG).await;
    for message in [&[][..], &good[..40], &[0xff; 97]] {
        let data = evaluate(message, Some("issuance"));
        assert_eq!(
            phone.send(&world, ServiceType::CreateSession, data).await,
            Err(Code::IllegalRequestData)
        );
    }
    for data in [
        json!({}),
        json!({"protocol": "fido2", "state": "evaluate", "p_data": ""}),
        evaluate(&good, None),
        evaluate(&good, Some("anything")),
    ] {
        assert_eq!(
            phone.send(&world, ServiceType::CreateSession, data).await,
            Err(Code::IllegalRequestData)
        );
    }
    assert_eq!(world.row(phone.unit).await.tries, 0);
}

#[tokio::test]
async fn a_proof_that_does_not_fit_ends_the_exchange() {
    let world = World::new().await;
    let phone = world.registered().await;
    let answer = phone.evaluate_login(&world, WRONG).await.unwrap();
    let finalize = |proof: &[u8]| {
        json!({
            "protocol": "opaque",
            "state": "finalize",
            "session_id": answer["session_id"],
            "p_data": jose::b64::encode_std(proof),
        })
    };
    for proof in [[7; 32], [8; 32]] {
        assert_eq!(
            phone
                .send(&world, ServiceType::CreateSession, finalize(&proof))
                .await,
            Err(Code::PinUnproven)
        );
    }
    assert!(
        world
            .store_exchange(answer["session_id"].as_str().unwrap())
            .await
            .is_none(),
        "there is no second guess at one evaluation"
    );
    assert_eq!(world.row(phone.unit).await.tries, 1);
}

#[tokio::test]
async fn a_pin_is_registered_once() {
    let world = World::new().await;
    let phone = world.registered().await;
    assert_eq!(
        code(phone.register_pin(&pin("582047")).await),
        Code::PinExists
    );
    phone
        .open_session(&pin(RIGHT), Task::Issuance)
        .await
        .unwrap();
}

#[tokio::test]
async fn without_a_pin_there_is_no_session() {
    let world = World::new().await;
    let phone = world.enrolled().await;
    assert_eq!(
        code(phone.open_session(&pin(RIGHT), Task::Issuance).await),
        Code::NoPin
    );
    assert_eq!(world.row(phone.unit).await.tries, 0);
}

#[tokio::test]
async fn pins_that_anyone_would_try_are_not_registered() {
    let world = World::new().await;
    let phone = world.enrolled().await;
    for weak in ["111111", "123456", "654321"] {
        assert!(matches!(
            phone.register_pin(&pin(weak)).await,
            Err(Error::Pin(PinError::Trivial))
        ));
    }
}

#[tokio::test]
async fn a_changed_pin_replaces_the_old_one_and_ends_every_session() {
    let world = World::new().await;
    let phone = world.opened(Task::Issuance).await;
    let elsewhere = world.phone(phone.unit, phone.keystore.clone());
    elsewhere
        .open_session(&pin(RIGHT), Task::Issuance)
        .await
        .unwrap();
    let credential = world.row(phone.unit).await.pin_credential;
    assert!(matches!(
        phone.change_pin(&pin(WRONG), &pin("582047")).await,
        Err(Error::WrongPin { .. })
    ));
    phone.change_pin(&pin(RIGHT), &pin("582047")).await.unwrap();
    assert_ne!(world.row(phone.unit).await.pin_credential, credential);
    assert_eq!(code(elsewhere.list_keys().await), Code::NoSession);
    assert!(matches!(
        phone.open_session(&pin(RIGHT), Task::Issuance).await,
        Err(Error::WrongPin { .. })
    ));
    phone
        .open_session(&pin("582047"), Task::Issuance)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_change_that_stops_half_way_leaves_the_old_pin() {
    let world = World::new().await;
    let phone = world.opened(Task::PinChange).await;
    let message = phone.registration_message("582047").await;
    // The first half of an update is a two-factor request: possession is not enough.
    assert_eq!(
        phone
            .send(&world, ServiceType::Update, evaluate(&message, None))
            .await,
        Err(Code::UnsupportedRequestType)
    );
    let phone = world.phone(phone.unit, phone.keystore.clone());
    phone
        .open_session(&pin(RIGHT), Task::Issuance)
        .await
        .unwrap();
}

#[tokio::test]
async fn one_session_changes_the_pin_once() {
    let world = World::new().await;
    let phone = world.registered().await;
    let (id, key) = phone.open_by_hand(&world, Task::PinChange).await;
    let first = phone.registration_message("582047").await;
    let other = phone.registration_message("582048").await;
    let mut answers = vec![];
    for message in [&first, &first, &other] {
        let data = evaluate(message, None);
        answers.push(
            phone
                .send_in(&world, &id, &key, ServiceType::Update, data)
                .await,
        );
    }
    assert_eq!(answers[0], answers[1]);
    assert!(answers[0].is_ok());
    assert_eq!(answers[2], Err(Code::TaskForbids));
    assert_eq!(world.row(phone.unit).await.tries, 1);
}

#[tokio::test]
async fn a_session_of_one_node_is_a_session_of_the_other() {
    let world = World::new().await;
    let phone = world.registered().await;
    let (id, key) = phone.open_by_hand(&world, Task::Issuance).await;
    let second = world.phone_at(
        world.second_node().await,
        phone.unit,
        phone.keystore.clone(),
    );
    let kind = ServiceType::KeyGenerate;
    let data = json!({"count": 1, "crv": "P-256"});
    second
        .send_in(&world, &id, &key, kind, data.clone())
        .await
        .unwrap();
    phone.send_in(&world, &id, &key, kind, data).await.unwrap();
    world.wsca.end_sessions(phone.unit).await.unwrap();
    assert_eq!(
        second
            .send_in(&world, &id, &key, ServiceType::KeyList, json!({}))
            .await,
        Err(Code::NoSession)
    );
}

#[tokio::test]
async fn a_revocation_overtakes_an_exchange_under_way() {
    let world = World::new().await;
    let phone = world.registered().await;
    let answer = phone.evaluate_login(&world, RIGHT).await.unwrap();
    world.wsca.end_sessions(phone.unit).await.unwrap();
    let finalize = json!({
        "protocol": "opaque",
        "state": "finalize",
        "session_id": answer["session_id"],
        "p_data": jose::b64::encode_std([7; 32]),
    });
    assert_eq!(
        phone
            .send(&world, ServiceType::CreateSession, finalize)
            .await,
        Err(Code::PinUnproven)
    );
}

#[tokio::test]
async fn production_stretches_and_weaker_does_not_prove() {
    let stretching = r2ps::opaque::Stretching::default();
    assert_eq!(stretching.parameters(), (19 * 1024, 2, 1));
    let world = World::new().await;
    let phone = world.enrolled().await;
    let service = world.wsca.service().clone();
    let production = wallet_client::sci_remote::RemoteSci::new(
        phone.wire.clone(),
        service,
        phone.unit,
        phone.keystore.clone(),
        world.clock.clone(),
    );
    production.register_pin(&pin(RIGHT)).await.unwrap();
    production
        .open_session(&pin(RIGHT), Task::Issuance)
        .await
        .unwrap();
    assert!(matches!(
        phone.open_session(&pin(RIGHT), Task::Issuance).await,
        Err(Error::WrongPin { .. })
    ));
}

#[tokio::test]
async fn a_frozen_unit_proves_no_pin() {
    let world = World::new().await;
    let phone = world.opened(Task::Issuance).await;
    world.wsca.freeze(phone.unit, "lost").await.unwrap();
    assert_eq!(code(phone.list_keys().await), Code::NoSession);
    assert_eq!(
        code(phone.open_session(&pin(RIGHT), Task::Issuance).await),
        Code::UnitFrozen
    );
    assert_eq!(world.row(phone.unit).await.tries, 0);
    let request = phone.wire.last();
    assert_eq!(
        refused(world.wsca.handle(&request.as_bytes()[..50]).await),
        Code::IllegalRequestData
    );
}

/// The process is killed at any step of a change: the old PIN holds or the new one
/// does, and never both or neither.
#[tokio::test]
async fn a_change_killed_at_any_step_leaves_one_of_the_two() {
    const NEW: &str = "660271";
    let (mut old_held, mut new_held) = (0, 0);
    for calls in 0..60 {
        let inner = Arc::new(wscd::software::SoftwareDevice::ephemeral().unwrap());
        let device = common::device::Watched::new(inner);
        let world = World::on(device.clone(), Config::default()).await;
        let phone = world.opened(Task::Issuance).await;
        let key = phone
            .generate_keys(1, jose::Curve::P256)
            .await
            .unwrap()
            .remove(0);
        let (unit, keystore) = (phone.unit, phone.keystore.clone());
        device.dies_after(calls);
        let changed = phone.change_pin(&pin(RIGHT), &pin(NEW)).await;
        device.lives();
        drop(phone);
        let world = world.restart().await;
        assert_eq!(world.wsca.alarms(), [], "after {calls} calls");
        let phone = world.phone(unit, keystore);
        let old = phone
            .open_session(&pin(RIGHT), Task::Issuance)
            .await
            .is_ok();
        let new = phone.open_session(&pin(NEW), Task::Issuance).await.is_ok();
        assert!(old != new, "after {calls} calls: old {old}, new {new}");
        if changed.is_ok() {
            assert!(new);
        }
        let held = if new { NEW } else { RIGHT };
        phone
            .open_session(&pin(held), Task::Issuance)
            .await
            .unwrap();
        phone
            .sign(&[(key.id, sci::Digest::of(b"m", jose::Curve::P256))])
            .await
            .unwrap();
        if new {
            new_held += 1;
        } else {
            old_held += 1;
        }
        if changed.is_ok() {
            assert!(old_held > 3, "the change had {calls} calls");
            // Committed before its answer was lost: the new one held then, too.
            assert!(new_held > 1, "{new_held}");
            return;
        }
    }
    panic!("the change never came to its end");
}
