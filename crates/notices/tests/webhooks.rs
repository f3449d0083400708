//! Webhooks, to a real server of HTTP.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod common;

use common::*;
use jose::Signer;
use notices::{ConfigError, Fact, Language, NewNotice, Outbox, Round, Still};
use rstest::rstest;
use serde_json::{Value, json};

/// What a receiver does: verify, and look at what it says.
fn open(scene: &Scene, post: &Post) -> (Value, Value) {
    let token = jose::jws::parse(&post.body, 64 * 1024).unwrap();
    let verified = token.verify(scene.key.public_key()).unwrap();
    let header = Value::Object(verified.header().clone());
    (header, Value::Object(verified.claims().unwrap()))
}

#[tokio::test]
async fn a_notice_is_posted_signed_to_the_webhook_it_names() {
    for scene in scenes().await {
        let server = WebServer::start(204).await;
        let id = scene.revoked().await;
        let courier = scene.courier(None, vec![scene.webhook("letters", &server.url())]);
        assert_eq!(scene.round(&courier).await, DELIVERED);

        let post = server.posts().remove(0);
        assert!(post.head.starts_with("post /notices http/1.1"));
        assert!(post.head.contains("content-type: application/jwt"));
        let (header, claims) = open(&scene, &post);
        let kid = scene.key.public_key().thumbprint_b64();
        assert_eq!(
            header,
            json!({"alg": "ES256", "typ": "wallet-provider-notice+jwt", "kid": kid})
        );
        let text = claims["text"].as_str().unwrap();
        assert!(text.contains("gestohlen") && !text.contains("maria"));
        assert_eq!(
            claims,
            json!({
                "iss": "https://wallet.example/wallet-provider",
                "aud": server.url(),
                "iat": scene.now().as_second(),
                "jti": id.to_string(),
                "notice": {
                    "kind": "unit-revoked",
                    "by": "user",
                    "reason": "lost-or-stolen",
                    "keys": "frozen",
                },
                "at": "2026-11-22T12:00:00Z",
                "account": "1",
                "unit": scene.unit.to_string(),
                "language": "de",
                "subject": claims["subject"],
                "text": text,
            })
        );
        // The address is the provider's alone.
        assert!(!claims.to_string().contains("example.org"));
    }
}

#[rstest]
#[case(200, Still::Delivered)]
#[case(202, Still::Delivered)]
#[case(301, Still::Waiting)]
#[case(307, Still::Waiting)]
#[case(400, Still::Refused)]
#[case(410, Still::Refused)]
#[case(413, Still::Refused)]
#[case(415, Still::Refused)]
#[case(422, Still::Refused)]
#[case(401, Still::Waiting)]
#[case(403, Still::Waiting)]
#[case(404, Still::Waiting)]
#[case(405, Still::Waiting)]
#[case(408, Still::Waiting)]
#[case(429, Still::Waiting)]
#[case(500, Still::Waiting)]
#[case(503, Still::Waiting)]
#[tokio::test]
async fn what_a_webhook_answers(#[case] status: u16, #[case] still: Still) {
    let scene = scene().await;
    let server = WebServer::start(status).await;
    let elsewhere = WebServer::start(200).await;
    let head = format!(
        "HTTP/1.1 {status} x\r\nlocation: {}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
        elsewhere.url()
    );
    server.set(Says::Bytes(head.into()));
    scene.revoked().await;
    let courier = scene.courier(None, vec![scene.webhook("a", &server.url())]);
    let expected = match still {
        Still::Delivered => DELIVERED,
        Still::Waiting => PUT_OFF,
        _ => ENDED,
    };
    assert_eq!(scene.round(&courier).await, expected);
    // Mail has no channel here; the webhook's line comes with it or not at all.
    let stands = scene.troubles().await;
    let stands = stands.iter().find(|trouble| trouble.tries == 1);
    assert_eq!(stands.map_or(Still::Delivered, |line| line.still), still);
    assert_eq!(elsewhere.posts().len(), 0, "a redirect was followed");

    server.says(200);
    scene.minutes(2);
    let again = scene.round(&courier).await;
    assert_eq!(again == DELIVERED, still == Still::Waiting);
}

/// Half an answer, none in time, and too much of one say nothing: the notice comes
/// again, the same one, at a later time.
#[tokio::test]
async fn a_webhook_that_does_not_answer_whole_gets_the_same_notice_again() {
    let large = format!(
        "HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n{}",
        "x".repeat(100_000)
    );
    for (says, why) in [
        (
            Says::Bytes(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf".into()),
            "the webhook cannot be reached, or broke off",
        ),
        (
            Says::Bytes(b"HTTP/1.1 20".into()),
            "the webhook cannot be reached, or broke off",
        ),
        (Says::Nothing, "the webhook took too long"),
        (
            Says::Bytes(large.into()),
            "the webhook's answer is too large",
        ),
    ] {
        let scene = scene().await;
        let server = WebServer::start(200).await;
        server.set(says);
        scene.revoked().await;
        let courier = scene.courier(None, vec![scene.webhook("a", &server.url())]);
        assert_eq!(scene.round(&courier).await, PUT_OFF, "{why}");
        let waits = scene.troubles().await;
        let waits = waits.iter().find(|line| line.still == Still::Waiting);
        assert_eq!(waits.unwrap().why.as_deref(), Some(why));

        server.says(200);
        scene.minutes(2);
        assert_eq!(scene.round(&courier).await, DELIVERED);
        let posts: Vec<Value> = server.posts().iter().map(|p| open(&scene, p).1).collect();
        assert_eq!(posts[0]["jti"], posts[1]["jti"]);
        assert_eq!(
            posts[1]["iat"].as_i64().unwrap() - posts[0]["iat"].as_i64().unwrap(),
            120
        );
    }
}

#[tokio::test]
async fn a_code_is_for_mail_alone() {
    let scene = scene().await;
    let server = WebServer::start(200).await;
    let code = "1234-5678".parse().unwrap();
    let address = ADDRESS.parse().unwrap();
    let fact = Fact::AddressToConfirm { code };
    let notice = NewNotice::to_address(Some(1), address, Language::English, fact, scene.now());
    scene.outbox.add(notice).await.unwrap();
    let courier = scene.courier(None, vec![scene.webhook("a", &server.url())]);
    assert_eq!(scene.round(&courier).await, NOTHING);
    assert_eq!(server.posts().len(), 0);
    // No mail server: it went nowhere, and is not kept.
    assert_eq!(
        scene.texts("SELECT secret FROM notice").await,
        [None::<String>]
    );
}

#[tokio::test]
async fn every_webhook_gets_it_and_one_that_fails_keeps_none_waiting() {
    let scene = scene().await;
    let (one, two) = (WebServer::start(500).await, WebServer::start(200).await);
    scene.revoked().await;
    let webhooks = vec![
        scene.webhook("one", &one.url()),
        scene.webhook("two", &two.url()),
    ];
    let courier = scene.courier(None, webhooks);
    let both = Round {
        put_off: 1,
        ..DELIVERED
    };
    assert_eq!(scene.round(&courier).await, both);
    let audiences = [&one, &two].map(|server| {
        let (_, claims) = open(&scene, &server.posts()[0]);
        claims["aud"].as_str().unwrap().to_owned()
    });
    assert_eq!(audiences, [one.url(), two.url()]);
}

#[tokio::test]
async fn what_cannot_be_a_webhook_is_refused() {
    let scene = scene().await;
    for name in ["", "Letters", "a b", "mail:x", &"a".repeat(33)] {
        let made = scene.try_webhook(name, "https://hooks.example/");
        assert!(matches!(made, Err(ConfigError::Webhook(..))), "{name}");
    }
    let twice = vec![
        scene.webhook("a", "https://hooks.example/1"),
        scene.webhook("a", "https://hooks.example/2"),
    ];
    let parts = notices::CourierParts {
        outbox: scene.outbox.clone(),
        sender: sender(),
        mailer: None,
        webhooks: twice,
        clock: scene.clock.clone(),
        bell: scene.database.bell(),
        keep: jiff::SignedDuration::from_hours(1),
    };
    let made = notices::Courier::new(parts);
    assert!(matches!(made, Err(ConfigError::Webhook(..))));
}

/// A webhook at an address that is not asked (http beyond this machine, a cloud's own)
/// waits for the operator to put it right.
#[tokio::test]
async fn an_address_that_is_not_asked_is_not_asked() {
    let scene = scene().await;
    scene.revoked().await;
    let webhooks = vec![
        scene.webhook("plain", "http://hooks.example/"),
        scene.webhook("metadata", "https://169.254.169.254/"),
    ];
    let courier = scene.courier(None, webhooks);
    let round = scene.round(&courier).await;
    assert_eq!((round.put_off, round.delivered, round.ended), (2, 0, 0));
}
