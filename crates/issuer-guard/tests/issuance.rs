//! What an issuer accepts and refuses, over real HTTP on loopback.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod common;

use std::sync::Arc;

use claviger_fixtures::TestKey;
use common::*;
use finding::{Severity, Trusted, Verdict};
use issuer_guard::{
    AttestationKind, ChainTrust, GuardSettings, IssuerGuard, KeyProofs, MemoryReplayStore,
    TrustContext, TrustProfile, rules,
};
use jiff::{SignedDuration, Timestamp};
use jose::Curve;
use pki::Profile;
use status_list::Status;

use TrustProfile::{Development, Production};

#[tokio::test]
async fn a_sound_wia_and_ka_are_accepted_and_give_what_to_watch() {
    let world = World::new().await;
    let mut ka = world.ka();
    ka.status.maintained_until = world.now() + hours(24 * 35);
    let wia = world.sealed_wia(&world.wia(), &world.provider).await;
    let proof = world.wia_proof("j-1").await;
    let proofs = world.key_proof(&ka, &world.provider, "n-1").await;
    let verdict = world
        .guard(Production)
        .verify_issuance(shown(&wia, &proof), Some((KeyProofs::Jwt(&proofs), "n-1")))
        .await;
    let found: Vec<_> = verdict.findings().collect();
    assert!(found.is_empty(), "{found:?}");
    assert_eq!(verdict.decision, Trusted::Yes);
    let (wia, ka) = (
        verdict.wia.accepted().unwrap(),
        verdict.ka.as_ref().unwrap(),
    );
    assert_eq!(wia.claims().client_id, WALLET);
    assert_eq!(ka.accepted().unwrap().claims().keys.len(), 3);
    let references: Vec<_> = verdict
        .references
        .iter()
        .map(|r| (r.kind, r.reference.idx))
        .collect();
    assert_eq!(
        references,
        [
            (AttestationKind::Wia, WIA_INDEX),
            (AttestationKind::Ka, KA_INDEX)
        ]
    );
    assert_eq!(
        verdict.wia.status.as_ref().unwrap().status,
        Some(Status::VALID)
    );
    assert_eq!(verdict.wia.signer.as_ref().unwrap().trusted, Trusted::Yes);
    // The verdict is one JSON document, and holds no token.
    let json = serde_json::to_value(&verdict).unwrap();
    assert_eq!(json["decision"], "yes");
    assert_eq!(json["wia"]["status"]["reference"]["idx"], WIA_INDEX);
    assert_eq!(json["ka"]["signer"]["context"], "wallet");
}

#[tokio::test]
async fn an_attestation_proof_is_accepted_once_and_only_with_its_nonce() {
    let world = World::new().await;
    let guard = world.guard(Production);
    let mut ka = world.ka();
    ka.nonce = Some("n-1".into());
    let proofs = [ka
        .sign(&world.provider.x5c(), &world.provider.key)
        .await
        .unwrap()];
    let other = guard.verify_ka_attestation(&proofs, "n-2").await;
    assert_no(&other, &wua::rules::KA_NONCE);
    let verdict = guard.verify_ka_attestation(&proofs, "n-1").await;
    assert_eq!(verdict.decision, Trusted::Yes);
    let again = guard.verify_ka_attestation(&proofs, "n-1").await;
    assert_eq!(
        errors(&again.findings),
        [rules::REPLAY_NONCE.id, rules::REPLAY_KA.id]
    );
    let two = [proofs[0].clone(), proofs[0].clone()];
    let verdict = guard.verify_ka_attestation(&two, "n-1").await;
    assert_no(&verdict, &wua::rules::PROOF_ONE);
}

#[tokio::test]
async fn a_signer_that_is_not_on_the_list_is_refused() {
    let world = World::new().await;
    let unlisted = Party::new(Profile::Wallet, "Nobody", 7).await;
    // Same subject and serial number as the listed certificate, another key.
    let lookalike = Party::new(Profile::Wallet, "Wallet Provider", 7).await;
    assert_eq!(
        lookalike.certificate.subject(),
        world.provider.certificate.subject()
    );
    assert_eq!(
        lookalike.certificate.serial(),
        world.provider.certificate.serial()
    );
    // A PID provider, trusted for PIDs and not for wallets; the signer of the
    // provider's own status lists, trusted for those alone.
    let pid_provider = Party::new(Profile::Pid, "PID Provider", 9).await;
    for party in [&unlisted, &lookalike, &pid_provider, &world.status_signer] {
        assert_no(
            &world.judge_ka(&world.ka(), party).await,
            &rules::WALLET_CHAIN,
        );
        assert_no(
            &world.judge_wia(&world.wia(), party).await,
            &rules::WALLET_CHAIN,
        );
    }
    assert_eq!(
        world.server.asked(KA_LIST),
        0,
        "nothing is fetched for a stranger"
    );
}

#[tokio::test]
async fn a_listed_certificate_does_not_vouch_for_another_key() {
    let world = World::new().await;
    let thief = Party {
        key: TestKey::generate(Curve::P256),
        certificate: world.provider.certificate.clone(),
    };
    let verdict = world.judge_ka(&world.ka(), &thief).await;
    assert_no(&verdict, &wua::rules::KA_SIGNATURE);
    let verdict = world.judge_wia(&world.wia(), &thief).await;
    assert_no(&verdict, &wua::rules::WIA_SIGNATURE);
}

/// Answers about the first certificate it was taught, whatever it is asked.
#[derive(Debug)]
struct Confused(Arc<Listed>, Vec<Vec<u8>>);

#[async_trait::async_trait]
impl ChainTrust for Confused {
    async fn check(&self, context: TrustContext, _: &[Vec<u8>], at: Timestamp) -> Verdict {
        self.0.check(context, &self.1, at).await
    }
}

#[tokio::test]
async fn a_verdict_about_another_certificate_vouches_for_nothing() {
    let world = World::new().await;
    let stranger = Party::new(Profile::Wallet, "Nobody", 7).await;
    let trust = Arc::new(Confused(world.listed.clone(), world.provider.x5c()));
    let guard = IssuerGuard::new(
        trust,
        world.lists.clone(),
        world.replay.clone(),
        world.clock.clone(),
        GuardSettings::new(ISSUER),
    );
    let proofs = world.key_proof(&world.ka(), &stranger, "n-1").await;
    let verdict = guard.verify_ka_jwt_proof(&proofs, "n-1").await;
    assert_no(&verdict, &rules::WALLET_CHAIN);
}

#[tokio::test]
async fn a_stale_wallet_list_leaves_it_undecided() {
    let world = World::new().await;
    *world.listed.stale.lock().unwrap() = true;
    let verdict = world.judge_ka(&world.ka(), &world.provider).await;
    assert_undecided(&verdict, &rules::WALLET_UNDECIDED);
}

#[tokio::test]
async fn a_ka_or_wia_past_its_time_is_refused() {
    let world = World::new().await;
    let (wia, ka) = (world.wia(), world.ka());
    world.clock.advance(hours(13));
    world.publish(WIA_LIST, &[]).await;
    let verdict = world.judge_wia(&wia, &world.provider).await;
    assert_no(&verdict, &wua::rules::WIA_EXPIRED);
    world.clock.advance(hours(24 * 7));
    let verdict = world.judge_ka(&ka, &world.provider).await;
    assert_no(&verdict, &wua::rules::KA_EXPIRED);
}

#[tokio::test]
async fn a_wallet_solution_that_is_not_the_listed_one_is_refused() {
    let world = World::new().await;
    let mut wia = world.wia();
    wia.wallet_name = "Other Wallet".into();
    let verdict = world.judge_wia(&wia, &world.provider).await;
    assert_no(&verdict, &wua::rules::WIA_WALLET_NAME);
}

#[tokio::test]
async fn a_replayed_wia_proof_is_refused_and_a_fresh_one_is_not() {
    let world = World::new().await;
    let guard = world.guard(Production);
    let wia = world.sealed_wia(&world.wia(), &world.provider).await;
    let proof = world.wia_proof("j-1").await;
    let first = guard.verify_wia(shown(&wia, &proof)).await;
    assert_eq!(first.decision, Trusted::Yes);
    let replayed = guard.verify_wia(shown(&wia, &proof)).await;
    assert_no(&replayed, &rules::REPLAY_PROOF);
    // Another node that shares the store sees it too.
    let other = world
        .guard(Production)
        .verify_wia(shown(&wia, &proof))
        .await;
    assert_no(&other, &rules::REPLAY_PROOF);
    let fresh = world.wia_proof("j-2").await;
    let fresh = guard.verify_wia(shown(&wia, &fresh)).await;
    assert_eq!(fresh.decision, Trusted::Yes);
    // When the mark is forgotten, the proof is refused for its age.
    world.clock.advance(SignedDuration::from_secs(301));
    let late = guard.verify_wia(shown(&wia, &proof)).await;
    assert_no(&late, &wua::rules::POP_WINDOW);
}

#[tokio::test]
async fn a_replayed_key_proof_or_ka_is_refused() {
    let world = World::new().await;
    let guard = world.guard(Production);
    let ka = world.ka();
    let proofs = world.key_proof(&ka, &world.provider, "n-1").await;
    let first = guard.verify_ka_jwt_proof(&proofs, "n-1").await;
    assert_eq!(first.decision, Trusted::Yes);
    let replayed = guard.verify_ka_jwt_proof(&proofs, "n-1").await;
    assert_eq!(
        errors(&replayed.findings),
        [rules::REPLAY_NONCE.id, rules::REPLAY_KA.id]
    );
    assert_eq!(replayed.decision, Trusted::No);
    // The same KA under a new nonce; and one of its keys in another KA.
    let again = world.key_proof(&ka, &world.provider, "n-2").await;
    let again = guard.verify_ka_jwt_proof(&again, "n-2").await;
    assert_no(&again, &rules::REPLAY_KA);
    let mut other = ka.clone();
    other.keys.truncate(1);
    let other = world.key_proof(&other, &world.provider, "n-3").await;
    let other = guard.verify_ka_jwt_proof(&other, "n-3").await;
    assert_no(&other, &rules::REPLAY_KA);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_one_proof_shown_many_times_at_once_one_is_accepted() {
    let world = World::new().await;
    let guard = Arc::new(world.guard(Production));
    let proofs = Arc::new(world.key_proof(&world.ka(), &world.provider, "n-1").await);
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..16 {
        let (guard, proofs) = (guard.clone(), proofs.clone());
        tasks.spawn(async move { guard.verify_ka_jwt_proof(&proofs, "n-1").await.decision });
    }
    let decisions = tasks.join_all().await;
    let accepted = decisions.iter().filter(|d| **d == Trusted::Yes).count();
    assert_eq!(accepted, 1);
}

#[tokio::test]
async fn a_refused_presentation_uses_nothing_up() {
    let world = World::new().await;
    let proofs = world.key_proof(&world.ka(), &world.provider, "n-1").await;
    world.publish(KA_LIST, &[(KA_INDEX, Status::INVALID)]).await;
    let guard = world.guard(Production);
    let refused = guard.verify_ka_jwt_proof(&proofs, "n-1").await;
    assert_no(&refused, &rules::REVOKED);
    world.clock.advance(SignedDuration::from_secs(10));
    world.publish(KA_LIST, &[]).await;
    world.clock.advance(hours(1));
    let proofs = world.key_proof(&world.ka(), &world.provider, "n-1").await;
    let accepted = guard.verify_ka_jwt_proof(&proofs, "n-1").await;
    assert_eq!(accepted.decision, Trusted::Yes);
}

#[tokio::test]
async fn a_full_replay_store_leaves_it_undecided() {
    let mut world = World::new().await;
    world.replay = Arc::new(MemoryReplayStore::new(2));
    let verdict = world.judge_ka(&world.ka(), &world.provider).await;
    assert_undecided(&verdict, &rules::REPLAY_UNDECIDED);
}

#[tokio::test]
async fn production_refuses_a_software_device_and_development_says_what_it_lacks() {
    let world = World::new().await;
    let mut ka = world.ka();
    ka.key_storage = vec![];
    ka.user_authentication = vec![];
    let proofs = world.key_proof(&ka, &world.provider, "n-1").await;
    let refused = world
        .guard(Production)
        .verify_ka_jwt_proof(&proofs, "n-1")
        .await;
    assert_no(&refused, &rules::LEVEL);
    let accepted = world
        .guard(Development)
        .verify_ka_jwt_proof(&proofs, "n-1")
        .await;
    assert_eq!(accepted.decision, Trusted::Yes);
    let lacking: Vec<_> = accepted
        .findings
        .iter()
        .filter(|f| f.is(&rules::LEVEL))
        .map(|f| (f.subject.as_str(), f.severity))
        .collect();
    assert_eq!(
        lacking,
        [
            ("key_storage", Severity::Warning),
            ("user_authentication", Severity::Warning)
        ]
    );
}

#[tokio::test]
async fn both_levels_count_in_production() {
    let world = World::new().await;
    let moderate = || vec![wua::AttackPotential::Moderate.into()];
    let mut storage = world.ka();
    storage.key_storage = moderate();
    let mut user = world.ka();
    user.user_authentication = moderate();
    let mut foreign = world.ka();
    foreign.key_storage = vec![wua::Level::from("https://levels.example/high")];
    for ka in [storage, user, foreign] {
        assert_no(&world.judge_ka(&ka, &world.provider).await, &rules::LEVEL);
    }
}

#[tokio::test]
async fn one_refusal_refuses_the_issuance_and_gives_nothing_to_watch() {
    let world = World::new().await;
    world
        .publish(WIA_LIST, &[(WIA_INDEX, Status::INVALID)])
        .await;
    let wia = world.sealed_wia(&world.wia(), &world.provider).await;
    let proof = world.wia_proof("j-1").await;
    let proofs = world.key_proof(&world.ka(), &world.provider, "n-1").await;
    let verdict = world
        .guard(Production)
        .verify_issuance(shown(&wia, &proof), Some((KeyProofs::Jwt(&proofs), "n-1")))
        .await;
    assert_eq!(verdict.decision, Trusted::No);
    assert_eq!(verdict.ka.as_ref().unwrap().decision, Trusted::Yes);
    assert!(verdict.names(&rules::REVOKED));
    assert!(verdict.references.is_empty());
    assert_eq!(verdict.maintained_until(), None);
}

#[test]
fn every_rule_has_its_own_id() {
    let ids: std::collections::HashSet<_> = issuer_guard::RULES.iter().map(|r| r.id).collect();
    assert_eq!(ids.len(), issuer_guard::RULES.len());
}
