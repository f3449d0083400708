//! What an issuer makes of status lists, over real HTTP on loopback.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod common;

use claviger_fixtures::TestKey;
use common::*;
use finding::Trusted;
use issuer_guard::{
    FetchError, HttpSettings, HttpStatusSource, StatusSource, TrustContext, TrustProfile, rules,
};
use jose::Curve;
use pki::Profile;
use status_list::{Bits, Reference, Status, StatusList, StatusListToken};

use TrustProfile::Production;

#[tokio::test]
async fn revoked_suspended_and_unknown_statuses_are_refused() {
    let world = World::new().await;
    world
        .publish(WIA_LIST, &[(WIA_INDEX, Status::INVALID)])
        .await;
    let verdict = world.judge_wia(&world.wia(), &world.provider).await;
    assert_no(&verdict, &rules::REVOKED);
    assert_eq!(verdict.status.unwrap().status, Some(Status::INVALID));
    for status in [Status::SUSPENDED, Status(3)] {
        let world = World::new().await;
        world.publish(KA_LIST, &[(KA_INDEX, status)]).await;
        let verdict = world.judge_ka(&world.ka(), &world.provider).await;
        assert_no(&verdict, &rules::NOT_VALID);
    }
}

#[tokio::test]
async fn a_list_swapped_for_another_is_refused() {
    let world = World::new().await;
    // The KA's list, sound and signed, served where the WIA's belongs.
    let text = world
        .list(KA_LIST, &[])
        .await
        .sign(&world.status_signer.x5c(), &world.status_signer.key)
        .await
        .unwrap();
    world.server.serve(WIA_LIST, &text);
    let verdict = world.judge_wia(&world.wia(), &world.provider).await;
    assert_no(&verdict, &status_list::rules::SUB);
}

#[tokio::test]
async fn a_list_signed_by_a_stranger_or_another_provider_is_refused() {
    let world = World::new().await;
    let token = world.list(WIA_LIST, &[]).await;
    let serve = async |party: &Party| {
        let text = token.sign(&party.x5c(), &party.key).await.unwrap();
        world.server.serve(WIA_LIST, &text);
        world.judge_wia(&world.wia(), &world.provider).await
    };
    let stranger = Party::new(Profile::StatusList, "Wallet Provider Status", 8).await;
    assert_no(&serve(&stranger).await, &rules::STATUS_SIGNER);
    let forger = Party {
        key: TestKey::generate(Curve::P256),
        certificate: world.status_signer.certificate.clone(),
    };
    assert_no(&serve(&forger).await, &status_list::rules::SIGNATURE);
    let rival = Party::new(Profile::StatusList, "Rival", 3).await;
    world
        .listed
        .add(TrustContext::WalletStatus, &rival, Some("Rival"));
    assert_no(&serve(&rival).await, &rules::STATUS_PROVIDER);
    // Listed, and nobody says for whom.
    let nameless = Party::new(Profile::StatusList, "Wallet Provider Status", 9).await;
    world
        .listed
        .add(TrustContext::WalletStatus, &nameless, None);
    let verdict = serve(&nameless).await;
    assert_eq!(verdict.decision, Trusted::Undecided);
    assert!(verdict.names(&rules::STATUS_SIGNER_UNDECIDED));
    assert_eq!(
        world.server.asked(WIA_LIST),
        4,
        "a refused list is not kept"
    );
    let bare = token.sign(&[], &world.status_signer.key).await.unwrap();
    world.server.serve(WIA_LIST, &bare);
    let verdict = world.judge_wia(&world.wia(), &world.provider).await;
    assert_no(&verdict, &rules::STATUS_SIGNER);
}

#[tokio::test]
async fn a_list_signed_with_the_wallet_providers_own_key_is_noted() {
    let world = World::new().await;
    let token = world.list(WIA_LIST, &[]).await;
    let own = &world.provider;
    let text = token.sign(&own.x5c(), &own.key).await.unwrap();
    world.server.serve(WIA_LIST, &text);
    let verdict = world.judge_wia(&world.wia(), &world.provider).await;
    assert_eq!(verdict.decision, Trusted::Yes);
    assert!(verdict.names(&rules::STATUS_SIGNER_ISSUANCE));
}

#[tokio::test]
async fn an_index_out_of_bounds_is_refused() {
    let world = World::new().await;
    let mut ka = world.ka();
    ka.status.reference = Reference::new(world.server.uri(KA_LIST), 10_000);
    let verdict = world.judge_ka(&ka, &world.provider).await;
    assert_no(&verdict, &status_list::rules::INDEX);
}

#[tokio::test]
async fn what_cannot_be_fetched_is_undecided() {
    let world = World::new().await;
    let length = "HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\nshort";
    let cases = [
        b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n".to_vec(),
        b"HTTP/1.1 204 No Content\r\n\r\n".to_vec(),
        b"no HTTP at all\r\n\r\n".to_vec(),
        length.as_bytes().to_vec(),
        Vec::new(), // an open line, and silence
    ];
    for answer in cases {
        world.server.raw(WIA_LIST, answer);
        let verdict = world.judge_wia(&world.wia(), &world.provider).await;
        assert_undecided(&verdict, &rules::STATUS_UNREACHABLE);
    }
    // An empty answer is an answer: it is no token.
    world.server.serve(WIA_LIST, "");
    let verdict = world.judge_wia(&world.wia(), &world.provider).await;
    assert_no(&verdict, &status_list::rules::FORMAT);
    world.server.take_away(WIA_LIST);
    let verdict = world.judge_wia(&world.wia(), &world.provider).await;
    assert_undecided(&verdict, &rules::STATUS_UNREACHABLE);
}

#[tokio::test]
async fn redirects_are_followed_a_few_times_and_never_off_the_web() {
    let world = World::new().await;
    let text = world
        .list(WIA_LIST, &[])
        .await
        .sign(&world.status_signer.x5c(), &world.status_signer.key)
        .await
        .unwrap();
    world.server.serve("/moved", &text);
    world.server.redirect(WIA_LIST, "/moved");
    let verdict = world.judge_wia(&world.wia(), &world.provider).await;
    assert_eq!(verdict.decision, Trusted::Yes);
    let world = World::new().await;
    world.server.redirect(WIA_LIST, WIA_LIST);
    let verdict = world.judge_wia(&world.wia(), &world.provider).await;
    assert_undecided(&verdict, &rules::STATUS_UNREACHABLE);
    assert!(world.server.asked(WIA_LIST) <= 5);
    world.server.redirect(WIA_LIST, "file:///etc/passwd");
    let verdict = world.judge_wia(&world.wia(), &world.provider).await;
    assert_no(&verdict, &rules::STATUS_URI);
}

#[tokio::test]
async fn too_large_a_list_is_refused_before_and_while_it_arrives() {
    let world = World::new().await;
    let announced = "HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n";
    let mut flood = b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n".to_vec();
    flood.resize(9 * 1024 * 1024, b'a');
    for answer in [announced.as_bytes().to_vec(), flood] {
        world.server.raw(WIA_LIST, answer);
        let verdict = world.judge_wia(&world.wia(), &world.provider).await;
        assert_no(&verdict, &status_list::rules::SIZE);
    }
    // A few kilobytes that would fill 64 MiB.
    let mut bomb = world.list(WIA_LIST, &[]).await;
    bomb.list = StatusList::new(Bits::Eight, 64 * 1024 * 1024).unwrap();
    let text = bomb
        .sign(&world.status_signer.x5c(), &world.status_signer.key)
        .await
        .unwrap();
    world.server.serve(WIA_LIST, &text);
    let verdict = world.judge_wia(&world.wia(), &world.provider).await;
    assert_no(&verdict, &status_list::rules::LIST_SIZE);
}

#[tokio::test]
async fn the_source_itself_stops_at_the_limit() {
    let server = Server::start().await;
    let http = HttpSettings {
        private_hosts: true,
        ..HttpSettings::default()
    };
    let source = HttpStatusSource::new(&http).unwrap();
    let body = "a".repeat(1000);
    server.serve("/announced", &body);
    server.raw(
        "/unannounced",
        format!("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{body}").into_bytes(),
    );
    for path in ["/announced", "/unannounced"] {
        let whole = source.fetch(&server.uri(path), 1000).await.unwrap();
        assert_eq!(whole.bytes.len(), 1000);
        let refused = source.fetch(&server.uri(path), 999).await;
        assert_eq!(refused, Err(FetchError::TooLarge(999)), "{path}");
    }
}

#[tokio::test]
async fn an_old_list_says_nothing_of_now() {
    let world = World::new().await;
    world.clock.advance(hours(49));
    let verdict = world.judge_ka(&world.ka(), &world.provider).await;
    assert_undecided(&verdict, &rules::STATUS_STALE);
    // Without exp, its age decides.
    let old = StatusListToken {
        expires: None,
        issued: world.now() - hours(25),
        ..world.list(KA_LIST, &[]).await
    };
    let text = old
        .sign(&world.status_signer.x5c(), &world.status_signer.key)
        .await
        .unwrap();
    world.server.serve(KA_LIST, &text);
    let verdict = world.judge_ka(&world.ka(), &world.provider).await;
    assert_undecided(&verdict, &rules::STATUS_STALE);
}

#[tokio::test]
async fn a_list_is_asked_for_once_while_it_is_fresh() {
    let world = World::new().await;
    let guard = world.guard(Production);
    let wia = world.sealed_wia(&world.wia(), &world.provider).await;
    let verify = async |jti: &str| {
        let proof = world.wia_proof(jti).await;
        guard.verify_wia(shown(&wia, &proof)).await
    };
    verify("1").await;
    verify("2").await;
    assert_eq!(world.server.asked(WIA_LIST), 1);
    world.clock.advance(hours(1));
    // Its time has passed and no fresh one can be had: the old one is not used.
    world.server.take_away(WIA_LIST);
    let verdict = verify("3").await;
    assert_undecided(&verdict, &rules::STATUS_UNREACHABLE);
    world.publish(WIA_LIST, &[]).await;
    assert_eq!(verify("4").await.decision, Trusted::Yes);
    assert_eq!(world.server.asked(WIA_LIST), 3);
}

#[tokio::test]
async fn a_list_rolled_back_to_before_a_revocation_is_refused() {
    let world = World::new().await;
    let before = world
        .list(WIA_LIST, &[])
        .await
        .sign(&world.status_signer.x5c(), &world.status_signer.key)
        .await
        .unwrap();
    world.clock.advance(hours(1));
    world
        .publish(WIA_LIST, &[(WIA_INDEX, Status::INVALID)])
        .await;
    let verdict = world.judge_wia(&world.wia(), &world.provider).await;
    assert_no(&verdict, &rules::REVOKED);
    world.clock.advance(hours(2));
    world.server.serve(WIA_LIST, &before);
    let verdict = world.judge_wia(&world.wia(), &world.provider).await;
    assert_no(&verdict, &rules::STATUS_ROLLBACK);
}

#[tokio::test]
async fn a_small_list_and_a_wrong_media_type_are_reported() {
    let world = World::new().await;
    let mut small = world.list(WIA_LIST, &[]).await;
    small.list = StatusList::new(Bits::One, 9_000).unwrap();
    let text = small
        .sign(&world.status_signer.x5c(), &world.status_signer.key)
        .await
        .unwrap();
    world.server.serve_as(WIA_LIST, &text, "text/plain");
    let verdict = world.judge_wia(&world.wia(), &world.provider).await;
    assert_eq!(verdict.decision, Trusted::Yes);
    assert!(verdict.names(&rules::STATUS_SMALL));
    assert!(verdict.names(&rules::STATUS_MEDIA_TYPE));
}

#[tokio::test]
async fn a_status_uri_off_the_public_web_is_refused_in_production() {
    let world = World::new().await;
    let mut wia = world.wia();
    wia.status.reference = Reference::new("file:///etc/passwd", 0);
    let verdict = world.judge_wia(&wia, &world.provider).await;
    assert_no(&verdict, &rules::STATUS_URI);
}

#[tokio::test]
async fn a_list_as_a_cwt_is_held_to_the_same_rules() {
    let world = World::new().await;
    let cwt = async |party: &Party, marked: &[(u64, Status)]| {
        let token = world.list(WIA_LIST, marked).await;
        token.sign_cwt(&party.x5c(), &party.key).await.unwrap()
    };
    let judge = async |bytes: &[u8], content_type: &str| {
        world.server.serve_bytes(WIA_LIST, bytes, content_type);
        world.clock.advance(hours(1));
        world.judge_wia(&world.wia(), &world.provider).await
    };
    let good = cwt(&world.status_signer, &[]).await;
    let verdict = judge(&good, "application/statuslist+cwt").await;
    assert_eq!(verdict.decision, Trusted::Yes, "{verdict:#?}");
    assert!(!verdict.names(&rules::STATUS_MEDIA_TYPE));
    // A server that does not say which form it serves.
    let verdict = judge(&good, "application/octet-stream").await;
    assert_eq!(verdict.decision, Trusted::Yes);
    assert!(verdict.names(&rules::STATUS_MEDIA_TYPE));
    // One that says the other.
    let verdict = judge(&good, "application/statuslist+jwt").await;
    assert_no(&verdict, &status_list::rules::FORMAT);
    let mut tampered = good.clone();
    *tampered.last_mut().unwrap() ^= 1;
    let verdict = judge(&tampered, "application/statuslist+cwt").await;
    assert_no(&verdict, &status_list::rules::SIGNATURE);
    let revoked = cwt(&world.status_signer, &[(WIA_INDEX, Status::INVALID)]).await;
    let verdict = judge(&revoked, "application/statuslist+cwt").await;
    assert_no(&verdict, &rules::REVOKED);
    let rival = Party::new(Profile::StatusList, "Rival", 3).await;
    let context = TrustContext::WalletStatus;
    world.listed.add(context, &rival, Some("Rival"));
    let foreign = cwt(&rival, &[]).await;
    let verdict = judge(&foreign, "application/statuslist+cwt").await;
    assert_no(&verdict, &rules::STATUS_PROVIDER);
}
