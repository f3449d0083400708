//! Lists over real HTTP: fetched, refused, kept.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod common;

use common::*;
use finding::Trusted;
use lote::{Profile, ServiceKind};
use rstest::rstest;
use trust::{Config, Context, Outcome, Report, SetupError, TrustService, rules};

const PATH: &str = "/wallet";

/// An operator, a provider on its list, and the list on a server.
struct World {
    server: Server,
    operator: Party,
    provider: Party,
    draft: lote::Draft,
}

async fn world() -> World {
    let operator = operator().await;
    let provider = ca().await.leaf(pki::Profile::Wallet, provider()).await;
    let services = [(ServiceKind::Issuance, &provider.certificate)];
    let mut draft = draft(
        Profile::Wallet,
        std::slice::from_ref(&operator.certificate),
        &services,
    );
    let server = Server::start().await;
    server.give(PATH, seal(&mut draft, &operator).await);
    World {
        server,
        operator,
        provider,
        draft,
    }
}

impl World {
    fn source(&self) -> trust::Source {
        source(Profile::Wallet, &self.server.url(PATH), &self.operator)
    }

    async fn verdict(&self, service: &TrustService) -> finding::Verdict {
        service
            .check(&ask(Context::Wallet, &[&self.provider.certificate]))
            .await
    }
}

fn outcome(report: &Report) -> (Outcome, Vec<String>) {
    (
        report.sources[0].outcome,
        errors(&report.sources[0].findings),
    )
}

#[tokio::test]
async fn a_list_is_fetched_and_decides() {
    let world = world().await;
    let (service, clock) = service(vec![world.source()], None);
    let before = world.verdict(&service).await;
    assert_eq!(
        (before.trusted, why(&before)),
        (Trusted::Undecided, vec![rules::LIST_UNAVAILABLE.id.into()])
    );

    let report = service.refresh().await;
    assert_eq!(outcome(&report), (Outcome::Updated, vec![]));
    assert_eq!(report.sources[0].sequence, Some(1));
    let yes = world.verdict(&service).await;
    assert_eq!((yes.trusted, why(&yes)), (Trusted::Yes, vec![]));
    assert_eq!(yes.method, Some(finding::Method::Direct));
    assert_eq!(
        yes.anchor.as_ref().unwrap().sha256,
        world.provider.certificate.sha256_hex()
    );
    assert_eq!(yes.lists.len(), 1);
    assert_eq!(
        (yes.lists[0].sequence, yes.lists[0].next_update),
        (1, Some(next()))
    );
    assert_eq!(yes.lists[0].uri, world.server.url(PATH));

    // Past its NextUpdate it decides nothing, though it is still held.
    clock.set(next());
    let mut late = ask(Context::Wallet, &[&world.provider.certificate]);
    late.at = next();
    let stale = service.check(&late).await;
    assert_eq!(
        (stale.trusted, why(&stale)),
        (Trusted::Undecided, vec![rules::LIST_STALE.id.into()])
    );
}

#[tokio::test]
async fn what_is_still_current_is_not_sent_again() {
    let world = world().await;
    let (service, _) = service(vec![world.source()], None);
    service.refresh().await;
    assert_eq!(
        outcome(&service.refresh().await),
        (Outcome::Unchanged, vec![])
    );
    assert_eq!(world.server.asked(), ["/wallet", "/wallet \"one\""]);
    assert_eq!(world.verdict(&service).await.trusted, Trusted::Yes);
}

#[rstest]
#[case::not_there(Route::Status(404), "OUT-STATUS", "the answer is 404")]
#[case::broken(Route::Status(500), "OUT-STATUS", "the answer is 500")]
#[case::slow(Route::Slow, "OUT-TIME", "no whole answer within 2s")]
#[case::a_byte_now_and_then(Route::Trickle, "OUT-TIME", "no whole answer within 2s")]
#[case::truncated(Route::Truncated, "OUT-TRANSPORT", "")]
#[case::gigabyte(Route::Gigabyte, "OUT-SIZE", "more than 1000000 bytes")]
#[case::says_gigabyte(Route::SaysGigabyte, "OUT-SIZE", "more than 1000000 bytes")]
#[case::circle(Route::Redirect(PATH.into()), "OUT-REDIRECTS", "more than 3 redirects")]
#[case::to_private(Route::Redirect("https://10.0.0.1/".into()), "OUT-ADDRESS", "https://10.0.0.1/ leads to the address 10.0.0.1, which is not public")]
#[case::to_metadata(Route::Redirect("https://169.254.169.254/".into()), "OUT-ADDRESS", "https://169.254.169.254/ leads to the address 169.254.169.254, which is not public")]
#[case::to_http(Route::Redirect("http://example.eu/".into()), "OUT-HTTPS", "http://example.eu/ is not https")]
#[case::to_file(Route::Redirect("file:///etc/passwd".into()), "OUT-URL", "file:///etc/passwd is not an http or https URL with a host")]
#[tokio::test]
async fn a_server_that_misbehaves_gives_nothing_and_takes_nothing_away(
    #[case] route: Route,
    #[case] rule: &str,
    #[case] told: &str,
) {
    let world = world().await;
    let config = Config {
        sources: vec![world.source()],
        limits: trust::Limits {
            max_list_bytes: 1_000_000,
            ..limits()
        },
        ..Config::default()
    };
    let service =
        TrustService::new(config, std::sync::Arc::new(clock::ManualClock::at(now()))).unwrap();
    service.refresh().await;
    world.server.set(PATH, route);
    let started = std::time::Instant::now();
    let report = service.refresh().await;
    assert!(started.elapsed().as_secs() < 5, "{:?}", started.elapsed());
    let [fetch, cause] = &report.sources[0].findings[..] else {
        panic!("{report:?}");
    };
    assert_eq!(report.sources[0].outcome, Outcome::Unavailable);
    assert!(fetch.is(&rules::LIST_FETCH));
    assert_eq!(cause.rule, rule);
    assert_eq!(fetch.evidence, cause.evidence);
    assert!(fetch.evidence.contains(told), "{}", fetch.evidence);
    // The list before is held, and says so.
    let verdict = world.verdict(&service).await;
    assert_eq!(verdict.trusted, Trusted::Yes);
    assert!(has(&verdict, &rules::LIST_KEPT));
}

#[tokio::test]
async fn a_few_redirects_are_followed() {
    let world = world().await;
    world.server.set("/a", Route::Redirect("/b".into()));
    world
        .server
        .set("/b", Route::Redirect(world.server.url("/c")));
    world.server.set("/c", Route::Redirect(PATH.into()));
    let source = source(Profile::Wallet, &world.server.url("/a"), &world.operator);
    let (service, _) = service(vec![source], None);
    assert_eq!(
        outcome(&service.refresh().await),
        (Outcome::Updated, vec![])
    );
}

#[tokio::test]
async fn loopback_is_refused_unless_it_is_allowed() {
    let world = world().await;
    let config = Config {
        sources: vec![world.source()],
        ..Config::default()
    };
    let service =
        TrustService::new(config, std::sync::Arc::new(clock::ManualClock::at(now()))).unwrap();
    let report = service.refresh().await;
    assert_eq!(
        outcome(&report),
        (
            Outcome::Unavailable,
            vec!["OUT-HTTPS".into(), rules::LIST_FETCH.id.into()]
        )
    );
    assert_eq!(world.server.asked(), [""; 0]);
}

#[rstest]
#[case::garbage(b"<html>".to_vec(), "LOTE-JSON")]
#[case::nothing(vec![], "LOTE-JSON")]
#[case::plain(br#"{"LoTE":{}}"#.to_vec(), "LOTE-SEAL-FORM")]
#[tokio::test]
async fn what_is_no_list_is_refused(#[case] body: Vec<u8>, #[case] rule: &str) {
    let world = world().await;
    let (service, _) = service(vec![world.source()], None);
    service.refresh().await;
    world.server.set(PATH, Route::Body(body, "\"two\""));
    let (outcome, found) = outcome(&service.refresh().await);
    assert_eq!(outcome, Outcome::Refused);
    assert!(found == [rule] || found == ["LOTE-SEAL-FORM"], "{found:?}");
    assert_eq!(world.verdict(&service).await.trusted, Trusted::Yes);
}

#[rstest]
#[case::in_the_payload(0.5)]
#[case::in_the_signature(0.999)]
#[tokio::test]
async fn a_list_that_was_cut_off_is_refused(#[case] share: f64) {
    let mut world = world().await;
    let (service, _) = service(vec![world.source()], None);
    service.refresh().await;
    let second = seal(&mut world.draft, &world.operator).await;
    let dots: Vec<usize> = second.match_indices('.').map(|(at, _)| at).collect();
    let end = match share {
        0.5 => dots[1] / 2,
        _ => second.len() - 4,
    };
    let body = second.as_bytes()[..end].to_vec();
    world.server.set(PATH, Route::Body(body, "\"two\""));
    let (outcome, found) = outcome(&service.refresh().await);
    assert_eq!(outcome, Outcome::Refused);
    let rule = found.first().map(String::as_str).unwrap_or_default();
    assert!(rule.starts_with("LOTE-SEAL-"), "{found:?}");
    assert_eq!(world.verdict(&service).await.trusted, Trusted::Yes);
}

#[tokio::test]
async fn a_number_stands_for_one_list_though_its_copy_is_damaged() {
    let mut world = world().await;
    let folder = tempfile::tempdir().unwrap();
    let (service, _) = service_at(&world, &folder);
    service.refresh().await;
    drop(service);
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|e| e == "jose") {
            std::fs::write(path, "damaged").unwrap();
        }
    }
    let first = seal_again(&world, 1).await;
    let mut other = world.draft.list().clone();
    other.lote.scheme.distribution_points.clear();
    let chain = std::slice::from_ref(&world.operator.certificate);
    let other = lote::seal(&other, chain, &world.operator.key, issued()).await;
    let other = other.unwrap().into_bytes();
    let (service, _) = service_at(&world, &folder);
    for text in [other, first.into_bytes()] {
        world.server.set(PATH, Route::Body(text, "\"two\""));
        assert_eq!(
            outcome(&service.refresh().await),
            (Outcome::Refused, vec![rules::LIST_ROLLBACK.id.into()])
        );
    }
    let next = seal(&mut world.draft, &world.operator).await;
    let next = Route::Body(next.into_bytes(), "\"three\"");
    world.server.set(PATH, next);
    assert_eq!(outcome(&service.refresh().await).0, Outcome::Updated);
}

#[tokio::test]
async fn a_list_is_not_rolled_back() {
    let mut world = world().await;
    let first = seal_again(&world, 1).await;
    let second = seal(&mut world.draft, &world.operator).await;
    let folder = tempfile::tempdir().unwrap();
    let (service, _) = service_at(&world, &folder);
    world
        .server
        .set(PATH, Route::Body(second.clone().into_bytes(), "\"two\""));
    assert_eq!(outcome(&service.refresh().await).0, Outcome::Updated);

    let refused = (
        Outcome::Refused,
        vec![
            "LOTE-ISSUE-TIME".into(),
            "LOTE-SEQUENCE-BACK".into(),
            rules::LIST_ROLLBACK.id.into(),
        ],
    );
    world
        .server
        .set(PATH, Route::Body(first.clone().into_bytes(), "\"three\""));
    assert_eq!(outcome(&service.refresh().await), refused);

    // The same number for another content.
    let mut other = world.draft.list().clone();
    other.lote.scheme.distribution_points.clear();
    let chain = std::slice::from_ref(&world.operator.certificate);
    let other = lote::seal(&other, chain, &world.operator.key, now())
        .await
        .unwrap();
    world
        .server
        .set(PATH, Route::Body(other.into_bytes(), "\"four\""));
    let refused = (
        Outcome::Refused,
        vec!["LOTE-SEQUENCE-BACK".into(), rules::LIST_ROLLBACK.id.into()],
    );
    assert_eq!(outcome(&service.refresh().await), refused);

    // And not after a restart, nor when the copy is gone.
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|e| e == "jose") {
            std::fs::remove_file(path).unwrap();
        }
    }
    let (service, _) = service_at(&world, &folder);
    world
        .server
        .set(PATH, Route::Body(first.into_bytes(), "\"five\""));
    assert_eq!(
        outcome(&service.refresh().await),
        (Outcome::Refused, vec![rules::LIST_ROLLBACK.id.into()])
    );
    world
        .server
        .set(PATH, Route::Body(second.into_bytes(), "\"six\""));
    assert_eq!(outcome(&service.refresh().await).0, Outcome::Updated);
}

async fn seal_again(world: &World, sequence: i64) -> String {
    let mut list = world.draft.list().clone();
    list.lote.scheme.sequence = Some(sequence);
    let chain = std::slice::from_ref(&world.operator.certificate);
    lote::seal(&list, chain, &world.operator.key, issued())
        .await
        .unwrap()
}

fn service_at(
    world: &World,
    folder: &tempfile::TempDir,
) -> (TrustService, std::sync::Arc<clock::ManualClock>) {
    service(vec![world.source()], Some(folder.path().into()))
}

#[tokio::test]
async fn a_stale_list_is_not_taken_over() {
    let world = world().await;
    let (service, clock) = service(vec![world.source()], None);
    clock.set(next());
    assert_eq!(
        outcome(&service.refresh().await),
        (Outcome::Refused, vec!["LOTE-NEXT-UPDATE".into()])
    );
}

#[tokio::test]
async fn a_list_of_another_kind_is_refused() {
    let world = world().await;
    let source = source(Profile::Pid, &world.server.url(PATH), &world.operator);
    let (service, _) = service(vec![source], None);
    assert_eq!(
        outcome(&service.refresh().await),
        (Outcome::Refused, vec![rules::LIST_TYPE.id.into()])
    );
}

#[tokio::test]
async fn an_unannounced_signer_is_refused() {
    let world = world().await;
    let (service, _) = service(vec![world.source()], None);
    service.refresh().await;
    let other = operator().await;
    // One who stands on the list is no more its operator than anybody else.
    let services = [(ServiceKind::Issuance, &other.certificate)];
    let operators = std::slice::from_ref(&world.operator.certificate);
    let listed = draft(Profile::Wallet, operators, &services);
    for mut draft in [world.draft.clone(), listed] {
        let list = seal(&mut draft, &other).await;
        world
            .server
            .set(PATH, Route::Body(list.into_bytes(), "\"two\""));
        assert_eq!(
            outcome(&service.refresh().await),
            (Outcome::Refused, vec!["LOTE-SEAL-SIGNER".into()])
        );
        assert_eq!(world.verdict(&service).await.trusted, Trusted::Yes);
    }
}

#[tokio::test]
async fn a_signer_changes_as_announced_and_a_restart_walks_the_same_way() {
    let world = world().await;
    let folder = tempfile::tempdir().unwrap();
    let (service, _) = service_at(&world, &folder);
    let mut signers = vec![world.operator.certificate.clone()];
    let mut party = operator().await;
    let mut version = 1;
    let mut sealer = &world.operator;
    let mut parties = Vec::new();
    // Twice: the pinned one announces a second, the second a third.
    for _ in 0..2 {
        signers.push(party.certificate.clone());
        parties.push(std::mem::replace(&mut party, operator().await));
    }
    for successor in &parties {
        let announced = [sealer.certificate.clone(), successor.certificate.clone()];
        let services = [(ServiceKind::Issuance, &world.provider.certificate)];
        let mut draft = draft(Profile::Wallet, &announced, &services);
        for (number, by) in [(version, sealer), (version + 1, successor)] {
            draft.issue(now(), next()).unwrap();
            let mut list = draft.list().clone();
            list.lote.scheme.sequence = Some(number);
            let chain = std::slice::from_ref(&by.certificate);
            let text = lote::seal(&list, chain, &by.key, now()).await.unwrap();
            world.server.set(
                PATH,
                Route::Body(
                    text.into_bytes(),
                    ["\"0\"", "\"1\"", "\"2\"", "\"3\"", "\"4\""][number as usize],
                ),
            );
            let report = service.refresh().await;
            assert_eq!(outcome(&report), (Outcome::Updated, vec![]), "{number}");
        }
        version += 2;
        sealer = successor;
    }
    world.server.set(PATH, Route::Status(500));
    let (again, _) = service_at(&world, &folder);
    let verdict = world.verdict(&again).await;
    assert_eq!(
        (verdict.trusted, verdict.lists[0].sequence),
        (Trusted::Yes, 4)
    );
}

#[tokio::test]
async fn a_restart_works_offline() {
    let world = world().await;
    let folder = tempfile::tempdir().unwrap();
    let (service, _) = service_at(&world, &folder);
    service.refresh().await;
    drop(service);
    world.server.set(PATH, Route::Status(503));
    let (service, _) = service_at(&world, &folder);
    assert_eq!(world.verdict(&service).await.trusted, Trusted::Yes);
    assert_eq!(outcome(&service.refresh().await).0, Outcome::Unavailable);
    assert_eq!(world.verdict(&service).await.trusted, Trusted::Yes);
}

#[tokio::test]
async fn a_copy_that_was_changed_on_disk_decides_nothing() {
    let world = world().await;
    let folder = tempfile::tempdir().unwrap();
    let (service, _) = service_at(&world, &folder);
    service.refresh().await;
    // Somebody puts their own list there.
    let thief = operator().await;
    let services = [(ServiceKind::Issuance, &world.provider.certificate)];
    let mut forged = draft(
        Profile::Wallet,
        std::slice::from_ref(&thief.certificate),
        &services,
    );
    let forged = seal(&mut forged, &thief).await;
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|e| e == "jose") {
            std::fs::write(path, &forged).unwrap();
        }
    }
    let (service, _) = service_at(&world, &folder);
    let verdict = world.verdict(&service).await;
    assert_eq!(verdict.trusted, Trusted::Undecided);
    assert!(why(&verdict).contains(&"LOTE-SEAL-SIGNER".into()));
    // The next refresh mends it.
    assert_eq!(outcome(&service.refresh().await).0, Outcome::Updated);
    assert_eq!(world.verdict(&service).await.trusted, Trusted::Yes);
}

#[tokio::test]
async fn an_earlier_version_put_back_on_disk_decides_nothing() {
    let mut world = world().await;
    let first = seal_again(&world, 1).await;
    let second = seal(&mut world.draft, &world.operator).await;
    world
        .server
        .set(PATH, Route::Body(second.into_bytes(), "\"two\""));
    let folder = tempfile::tempdir().unwrap();
    let (service, _) = service_at(&world, &folder);
    assert_eq!(outcome(&service.refresh().await).0, Outcome::Updated);
    drop(service);
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|e| e == "jose") {
            std::fs::write(path, &first).unwrap();
        }
    }
    let (service, _) = service_at(&world, &folder);
    let verdict = world.verdict(&service).await;
    assert_eq!(verdict.trusted, Trusted::Undecided);
    assert!(why(&verdict).contains(&rules::LIST_ROLLBACK.id.into()));
}

#[tokio::test]
async fn one_slow_source_holds_up_no_other() {
    let world = world().await;
    world.server.set("/slow", Route::Slow);
    let slow = source(Profile::Wallet, &world.server.url("/slow"), &world.operator);
    let (service, _) = service(vec![slow, world.source()], None);
    let started = std::time::Instant::now();
    let report = service.refresh().await;
    assert!(started.elapsed().as_secs() < 5);
    assert_eq!(report.sources[0].outcome, Outcome::Unavailable);
    assert_eq!(report.sources[1].outcome, Outcome::Updated);
    // The one list is enough for a yes, and not for a no.
    assert_eq!(world.verdict(&service).await.trusted, Trusted::Yes);
    let other = ca().await.leaf(pki::Profile::Wallet, provider()).await;
    let verdict = service
        .check(&ask(Context::Wallet, &[&other.certificate]))
        .await;
    assert_eq!(verdict.trusted, Trusted::Undecided);
}

#[tokio::test]
async fn a_source_in_a_file_is_read() {
    let world = world().await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("list.jose");
    std::fs::write(&path, seal_again(&world, 1).await).unwrap();
    let (service, _) = service(
        vec![file_source(Profile::Wallet, path.clone(), &world.operator)],
        None,
    );
    assert_eq!(
        outcome(&service.refresh().await),
        (Outcome::Updated, vec![])
    );
    assert_eq!(
        outcome(&service.refresh().await),
        (Outcome::Unchanged, vec![])
    );
    std::fs::remove_file(&path).unwrap();
    assert_eq!(outcome(&service.refresh().await).0, Outcome::Unavailable);
    std::fs::create_dir(&path).unwrap();
    assert_eq!(outcome(&service.refresh().await).0, Outcome::Unavailable);
}

#[tokio::test]
async fn a_source_without_a_signer_is_no_source() {
    let world = world().await;
    let mut source = world.source();
    source.signers = trust::SignerPolicy::Pinned(vec![]);
    let config = Config {
        sources: vec![source],
        ..Config::default()
    };
    let error =
        TrustService::new(config, std::sync::Arc::new(clock::ManualClock::at(now()))).unwrap_err();
    assert!(matches!(error, SetupError::NoSigner(_)));
}
