//! Whatever the bytes are: refused for their true reason, and never a panic.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod common;

use common::{World, refused};
use jiff::SignedDuration;
use jose::Curve;
use r2ps::envelope::{self, Protection, WINDOW};
use r2ps::service::ServiceType;
use r2ps::{MAX_MESSAGE, Nonce};
use sci::{Code, Digest, Sci, Task};
use serde_json::json;
use wsca::{Reply, WscaStore, audit};

#[tokio::test]
async fn a_replayed_request_is_refused() {
    let world = World::new().await;
    let phone = world.opened(Task::Issuance).await;
    let key = phone.generate_keys(1, Curve::P256).await.unwrap().remove(0);
    phone
        .sign(&[(key.id, Digest::of(b"m", Curve::P256))])
        .await
        .unwrap();
    let sent = phone.wire.last();
    let before = world.store.audit(0, 1000).await.unwrap().len();
    // The answer says no to whoever has the session's key, and nothing to others.
    let Reply::Answer(_) = world.wsca.handle(sent.as_bytes()).await else {
        panic!("it is refused under the session's key");
    };
    let after = world.store.audit(0, 1000).await.unwrap().len();
    assert_eq!(before, after, "no signature was made");
    // And what it says, read with the session's own key.
    let (id, session_key) = phone.open_by_hand(&world, Task::Issuance).await;
    let nonce = Nonce::random().unwrap();
    let now = clock::Clock::now(&*world.clock);
    let protection = Protection::TwoFactor {
        session_id: &id,
        key: &session_key,
    };
    let request = envelope::seal_request(
        protection,
        ServiceType::KeyList,
        jose::Map::new(),
        &nonce,
        now,
        phone.keystore.signing(),
    )
    .await
    .unwrap();
    let expected = envelope::Expected {
        service: wsca::WscaAdmin::service(&*world.wsca),
        client_id: &phone.unit.to_string(),
        nonce: &nonce,
        now,
    };
    for outcome in [json!(null), json!("REPLAYED")] {
        let Reply::Answer(answer) = world.wsca.handle(request.as_bytes()).await else {
            panic!("answered");
        };
        let data = expected
            .open_in_session(answer.as_bytes(), &id, &session_key)
            .unwrap();
        let error = data.get("error").cloned().unwrap_or_default();
        assert_eq!(error.get("code").cloned().unwrap_or_default(), outcome);
    }
}

#[tokio::test]
async fn a_request_from_another_time_is_refused() {
    let world = World::new().await;
    let phone = world.enrolled().await;
    let now = clock::Clock::now(&*world.clock);
    let second = SignedDuration::from_secs(1);
    for (at, ok) in [
        (now - WINDOW - second, false),
        (now - WINDOW, true),
        (now + WINDOW, true),
        (now + WINDOW + second, false),
    ] {
        let request = phone.seal(ServiceType::Information, json!({}), at).await;
        let reply = world.wsca.handle(request.as_bytes()).await;
        match ok {
            true => assert!(matches!(reply, Reply::Answer(_))),
            false => assert_eq!(refused(reply), Code::Stale),
        }
    }
}

#[tokio::test]
async fn each_service_type_wants_its_own_mode() {
    let world = World::new().await;
    let phone = world.opened(Task::Issuance).await;
    for kind in ServiceType::ALL {
        if kind.mode() == r2ps::service::Mode::TwoFactor {
            let result = phone.send(&world, *kind, json!({})).await;
            assert_eq!(result, Err(Code::UnsupportedRequestType), "{kind}");
        }
    }
}

#[tokio::test]
async fn a_request_for_another_service_or_context_is_refused() {
    let world = World::new().await;
    let phone = world.enrolled().await;
    let other = World::new().await;
    let now = clock::Clock::now(&*world.clock);
    let request = phone.seal(ServiceType::Information, json!({}), now).await;
    assert_eq!(
        refused(other.wsca.handle(request.as_bytes()).await),
        Code::IllegalRequestData
    );
    let service = wsca::WscaAdmin::service(&*world.wsca);
    let client = phone.unit.to_string();
    let protection = Protection::OneFactor {
        recipient: &service.agreement,
        from: &client,
        to: "another-context",
    };
    let request = envelope::seal_request(
        protection,
        ServiceType::Information,
        jose::Map::new(),
        &Nonce::random().unwrap(),
        now,
        phone.keystore.signing(),
    )
    .await
    .unwrap();
    assert_eq!(
        refused(world.wsca.handle(request.as_bytes()).await),
        Code::IllegalRequestData
    );
}

#[tokio::test]
async fn an_answer_is_no_request() {
    let world = World::new().await;
    let phone = world.opened(Task::Issuance).await;
    phone.list_keys().await.unwrap();
    let sent = phone.wire.last();
    let Reply::Answer(answer) = world.wsca.handle(sent.as_bytes()).await else {
        panic!("answered");
    };
    assert_eq!(
        refused(world.wsca.handle(answer.as_bytes()).await),
        Code::IllegalRequestData
    );
}

#[tokio::test]
async fn what_is_too_large_is_not_read() {
    let world = World::new().await;
    assert_eq!(
        refused(world.wsca.handle(&vec![b'A'; MAX_MESSAGE + 1]).await),
        Code::IllegalRequestData
    );
    assert_eq!(
        refused(world.wsca.handle(&[]).await),
        Code::IllegalRequestData
    );
    assert_eq!(
        refused(world.wsca.handle(&[0xff; 64]).await),
        Code::IllegalRequestData
    );
}

#[tokio::test]
async fn every_cut_and_every_changed_byte_is_refused() {
    let world = World::new().await;
    let phone = world.opened(Task::Issuance).await;
    let now = clock::Clock::now(&*world.clock);
    let one = phone.seal(ServiceType::Information, json!({}), now).await;
    phone.list_keys().await.unwrap();
    let two = phone.wire.last();
    for request in [one, two] {
        for len in 0..request.len() {
            refused(world.wsca.handle(&request.as_bytes()[..len]).await);
        }
        for position in 0..request.len() {
            let mut changed = request.clone().into_bytes();
            changed[position] ^= 1;
            refused(world.wsca.handle(&changed).await);
        }
    }
}

#[tokio::test]
async fn the_audit_log_is_a_chain_and_says_nothing_of_pins_and_digests() {
    let world = World::new().await;
    let phone = world.opened(Task::Issuance).await;
    let key = phone.generate_keys(1, Curve::P256).await.unwrap().remove(0);
    let digest = Digest::of(b"m", Curve::P256);
    phone.sign(&[(key.id, digest.clone())]).await.unwrap();
    let mut rows = world.store.audit(0, 1000).await.unwrap();
    let end = audit::verify((0, audit::GENESIS), &rows).unwrap();
    assert_eq!(end.0, rows.len() as u64);
    let signed = rows.last().unwrap();
    assert_eq!(signed.entry.operation, "key_sign");
    assert_eq!(signed.entry.key, Some(key.public_key.thumbprint_b64()));
    assert_eq!(signed.entry.outcome, "ok");
    let shown = format!("{rows:?}");
    assert!(!shown.contains(common::RIGHT));
    assert!(!shown.contains(&jose::b64::encode(digest.as_bytes())));

    rows[2].entry.outcome = "changed".into();
    assert_eq!(
        audit::verify((0, audit::GENESIS), &rows),
        Err(audit::BrokenChain { sequence: 3 })
    );
    rows.remove(2);
    assert_eq!(
        audit::verify((0, audit::GENESIS), &rows),
        Err(audit::BrokenChain { sequence: 3 })
    );
}
