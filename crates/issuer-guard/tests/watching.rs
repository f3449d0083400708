//! Watching statuses over real HTTP on loopback.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod common;

use common::*;
use issuer_guard::{
    AttestationKind, StatusReference, StatusWatch, TrustProfile, WatchState, Watched, rules,
};
use status_list::{Reference, Status};

use WatchState::{Ended, NotValid, Revoked, Undecided, Valid};

fn entry(world: &World, kind: AttestationKind) -> StatusReference {
    let (path, idx) = match kind {
        AttestationKind::Wia => (WIA_LIST, WIA_INDEX),
        AttestationKind::Ka => (KA_LIST, KA_INDEX),
    };
    StatusReference {
        kind,
        reference: Reference::new(world.server.uri(path), idx),
        maintained_until: world.now() + hours(24 * 40),
        provider: Some("Wallet Provider".into()),
    }
}

fn both(world: &World) -> [StatusReference; 2] {
    [AttestationKind::Wia, AttestationKind::Ka].map(|kind| entry(world, kind))
}

/// What one poll reports, as (subject, from, to).
async fn poll(watch: &StatusWatch) -> Vec<(String, WatchState, WatchState)> {
    let changes = watch.poll().await;
    changes
        .into_iter()
        .map(|c| (c.subject, c.from, c.to))
        .collect()
}

#[tokio::test]
async fn a_revocation_is_reported_once_and_is_final() {
    let world = World::new().await;
    let watch = world.watch();
    watch.watch("pid-1", &both(&world));
    assert_eq!(poll(&watch).await, []);
    world.clock.advance(hours(1));
    world
        .publish(WIA_LIST, &[(WIA_INDEX, Status::INVALID)])
        .await;
    let changes = watch.poll().await;
    let [change] = changes.as_slice() else {
        panic!("{changes:?}")
    };
    assert_eq!((change.from, change.to), (Valid, Revoked));
    assert_eq!(change.entry, entry_of(&watch, AttestationKind::Wia).entry);
    assert!(change.findings.iter().any(|f| f.is(&rules::REVOKED)));
    // A list that takes it back is not asked any more.
    world.clock.advance(hours(1));
    world.publish(WIA_LIST, &[]).await;
    let asked = world.server.asked(WIA_LIST);
    assert_eq!(poll(&watch).await, []);
    assert_eq!(world.server.asked(WIA_LIST), asked);
    assert_eq!(entry_of(&watch, AttestationKind::Wia).state, Revoked);
}

fn entry_of(watch: &StatusWatch, kind: AttestationKind) -> Watched {
    let mut watched = watch.watched().into_iter();
    watched.find(|w| w.entry.kind == kind).unwrap()
}

#[tokio::test]
async fn a_poll_asks_again_though_the_list_is_still_fresh() {
    let world = World::new().await;
    let watch = world.watch();
    watch.watch("pid-1", &[entry(&world, AttestationKind::Ka)]);
    poll(&watch).await;
    world.publish(KA_LIST, &[(KA_INDEX, Status::INVALID)]).await;
    assert_eq!(poll(&watch).await, [("pid-1".into(), Valid, Revoked)]);
    // And the guard beside it knows at once.
    let verdict = world.judge_ka(&world.ka(), &world.provider).await;
    assert_no(&verdict, &rules::REVOKED);
    assert_eq!(world.server.asked(KA_LIST), 2);
}

#[tokio::test]
async fn out_of_reach_is_reported_by_every_poll_until_it_is_back() {
    let world = World::new().await;
    let watch = world.watch();
    watch.watch("pid-1", &[entry(&world, AttestationKind::Wia)]);
    world.server.take_away(WIA_LIST);
    assert_eq!(poll(&watch).await, [("pid-1".into(), Valid, Undecided)]);
    let changes = watch.poll().await;
    assert_eq!((changes[0].from, changes[0].to), (Undecided, Undecided));
    let names = |rule| changes[0].findings.iter().any(|f| f.is(rule));
    assert!(names(&rules::STATUS_UNREACHABLE) && !names(&rules::WATCH_OVERDUE));
    world
        .clock
        .advance(hours(24) + jiff::SignedDuration::from_secs(1));
    let changes = watch.poll().await;
    assert!(
        changes[0]
            .findings
            .iter()
            .any(|f| f.is(&rules::WATCH_OVERDUE))
    );
    world.publish(WIA_LIST, &[]).await;
    assert_eq!(poll(&watch).await, [("pid-1".into(), Undecided, Valid)]);
    assert_eq!(poll(&watch).await, []);
}

#[tokio::test]
async fn stale_swapped_forged_and_rolled_back_lists_are_undecided_never_valid() {
    let world = World::new().await;
    let watch = world.watch();
    watch.watch("pid-1", &[entry(&world, AttestationKind::Wia)]);
    let signer = &world.status_signer;
    let early = world
        .list(WIA_LIST, &[])
        .await
        .sign(&signer.x5c(), &signer.key)
        .await
        .unwrap();
    world.clock.advance(hours(2));
    world.publish(WIA_LIST, &[]).await;
    assert_eq!(poll(&watch).await, []);
    let expect = async |text: &str, rule: &finding::Rule| {
        world.server.serve(WIA_LIST, text);
        let changes = watch.poll().await;
        assert_eq!(changes[0].to, Undecided);
        assert!(
            changes[0].findings.iter().any(|f| f.is(rule)),
            "{changes:?}"
        );
    };
    expect(&early, &rules::STATUS_ROLLBACK).await;
    let swapped = world
        .list(KA_LIST, &[])
        .await
        .sign(&signer.x5c(), &signer.key)
        .await
        .unwrap();
    expect(&swapped, &status_list::rules::SUB).await;
    let list = world.list(WIA_LIST, &[]).await;
    let forged = list.sign(&signer.x5c(), &world.provider.key).await.unwrap();
    expect(&forged, &status_list::rules::SIGNATURE).await;
    let mut short = world.list(WIA_LIST, &[]).await;
    short.list = status_list::StatusList::new(status_list::Bits::Two, 100).unwrap();
    let short = short.sign(&signer.x5c(), &signer.key).await.unwrap();
    expect(&short, &status_list::rules::INDEX).await;
    world.clock.advance(hours(49));
    let sound = list.sign(&signer.x5c(), &signer.key).await.unwrap();
    expect(&sound, &rules::STATUS_STALE).await;
}

#[tokio::test]
async fn suspended_is_reported_and_may_come_back() {
    let world = World::new().await;
    let watch = world.watch();
    watch.watch("pid-1", &[entry(&world, AttestationKind::Ka)]);
    world
        .publish(KA_LIST, &[(KA_INDEX, Status::SUSPENDED)])
        .await;
    assert_eq!(poll(&watch).await, [("pid-1".into(), Valid, NotValid)]);
    assert_eq!(poll(&watch).await, []);
    world.publish(KA_LIST, &[]).await;
    assert_eq!(poll(&watch).await, [("pid-1".into(), NotValid, Valid)]);
}

#[tokio::test]
async fn one_list_is_asked_once_for_many_entries() {
    let world = World::new().await;
    let watch = world.watch();
    for n in 0..50 {
        let mut entry = entry(&world, AttestationKind::Wia);
        entry.reference.idx = n;
        watch.watch(&format!("pid-{n}"), &[entry]);
    }
    world
        .publish(WIA_LIST, &[(7, Status::INVALID), (9, Status::INVALID)])
        .await;
    let mut revoked: Vec<_> = poll(&watch).await.into_iter().map(|(s, ..)| s).collect();
    revoked.sort();
    assert_eq!(revoked, ["pid-7", "pid-9"]);
    assert_eq!(world.server.asked(WIA_LIST), 1);
}

#[tokio::test]
async fn a_slow_list_does_not_hold_up_the_others() {
    let world = World::new().await;
    let watch = world.watch();
    watch.watch("pid-1", &both(&world));
    world.server.raw(WIA_LIST, Vec::new());
    world.publish(KA_LIST, &[(KA_INDEX, Status::INVALID)]).await;
    let mut states: Vec<_> = watch
        .poll()
        .await
        .into_iter()
        .map(|c| (c.entry.kind, c.to))
        .collect();
    states.sort_by_key(|(kind, _)| *kind);
    assert_eq!(
        states,
        [
            (AttestationKind::Wia, Undecided),
            (AttestationKind::Ka, Revoked)
        ]
    );
}

#[tokio::test]
async fn after_the_maintenance_nothing_is_taken_for_valid() {
    let world = World::new().await;
    let watch = world.watch();
    watch.watch("pid-1", &both(&world));
    world.clock.advance(hours(24 * 40));
    world.publish(WIA_LIST, &[]).await;
    world.publish(KA_LIST, &[(KA_INDEX, Status::INVALID)]).await;
    let mut changes = watch.poll().await;
    changes.sort_by_key(|c| c.entry.kind);
    assert_eq!((changes[0].to, changes[1].to), (Ended, Revoked));
    assert!(
        changes[0]
            .findings
            .iter()
            .any(|f| f.is(&rules::WATCH_ENDED))
    );
    assert_eq!(poll(&watch).await, []);
}

#[tokio::test]
async fn what_is_watched_can_be_stored_taken_up_and_forgotten() {
    let world = World::new().await;
    let watch = world.watch();
    watch.watch("pid-1", &both(&world));
    let stored = serde_json::to_string(&watch.watched()).unwrap();
    let after_restart = world.watch();
    let read: Vec<Watched> = serde_json::from_str(&stored).unwrap();
    after_restart.take_up(read);
    world
        .publish(WIA_LIST, &[(WIA_INDEX, Status::INVALID)])
        .await;
    assert_eq!(
        poll(&after_restart).await,
        [("pid-1".into(), Valid, Revoked)]
    );
    watch.forget("pid-1");
    assert_eq!(poll(&watch).await, []);
    assert!(watch.watched().is_empty());
}

#[tokio::test]
async fn what_a_guard_accepted_is_what_is_watched() {
    let world = World::new().await;
    let wia = world.sealed_wia(&world.wia(), &world.provider).await;
    let proof = world.wia_proof("j-1").await;
    let verdict = world
        .guard(TrustProfile::Production)
        .verify_issuance(shown(&wia, &proof), None)
        .await;
    let watch = world.watch();
    watch.watch("eaa-1", &verdict.references);
    world
        .publish(WIA_LIST, &[(WIA_INDEX, Status::INVALID)])
        .await;
    assert_eq!(poll(&watch).await, [("eaa-1".into(), Valid, Revoked)]);
}
