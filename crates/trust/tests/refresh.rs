//! When sources are asked, and that no check waits for it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod common;

use std::sync::Arc;
use std::time::{Duration, Instant};

use clock::{Clock, ManualClock, SystemClock};
use common::*;
use finding::Trusted;
use jiff::ToSpan;
use lote::{Profile, ServiceKind};
use rstest::rstest;
use tokio::sync::Notify;
use trust::{
    Config, Context, Jitter, ListState, Outcome, Rhythm, Source, TrustService, Upkeep, rules,
};

const PATH: &str = "/wallet";
const HOUR: u64 = 3600;

/// Draws the same number each time.
#[derive(Debug)]
struct Always(f64);

impl Jitter for Always {
    fn draw(&self) -> f64 {
        self.0
    }
}

struct World {
    server: Server,
    operator: Party,
    provider: Party,
    draft: lote::Draft,
    list: String,
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
    let list = seal(&mut draft, &operator).await;
    let server = Server::start().await;
    server.give(PATH, &list);
    World {
        server,
        operator,
        provider,
        draft,
        list,
    }
}

impl World {
    fn source(&self, hours: u64) -> Source {
        let url = self.server.url(PATH);
        Source {
            upkeep: Upkeep {
                interval: Duration::from_secs(hours * HOUR),
                ..Upkeep::default()
            },
            ..source(Profile::Wallet, &url, &self.operator)
        }
    }

    fn config(&self, hours: u64, drawn: f64) -> Config {
        Config {
            sources: vec![self.source(hours)],
            limits: limits(),
            jitter: Arc::new(Always(drawn)),
            ..Config::default()
        }
    }

    fn asked(&self) -> usize {
        self.server.asked().len()
    }
}

fn next_attempt(service: &TrustService) -> jiff::Timestamp {
    service.watch().lists[0].next_attempt.unwrap()
}

#[rstest]
#[case::interval(None, 0.0, 6 * HOUR)]
#[case::jitter(None, 0.5, 6 * HOUR * 19 / 20)]
#[case::fresh_for_less(Some(HOUR), 0.0, HOUR)]
#[tokio::test]
async fn a_source_is_asked_when_it_is_due(
    #[case] max_age: Option<u64>,
    #[case] drawn: f64,
    #[case] pause: u64,
) {
    let world = world().await;
    if let Some(seconds) = max_age {
        let body = world.list.clone().into_bytes();
        world.server.set(PATH, Route::Fresh(body, seconds));
    }
    let clock = Arc::new(ManualClock::at(now()));
    let service = TrustService::new(world.config(6, drawn), clock.clone()).unwrap();
    let first = service.refresh_due().await;
    assert_eq!(first.sources[0].outcome, Outcome::Updated);
    let due = now() + Duration::from_secs(pause);
    assert_eq!(next_attempt(&service), due);

    clock.set(due - 1.second());
    assert_eq!(service.refresh_due().await.sources, []);
    assert_eq!(world.asked(), 1);
    clock.set(due);
    let again = service.refresh_due().await;
    assert_eq!(again.sources[0].outcome, Outcome::Unchanged);
    assert_eq!(world.asked(), 2);
}

#[tokio::test]
async fn a_list_is_asked_for_ahead_of_its_next_update() {
    let world = world().await;
    let clock = Arc::new(ManualClock::at(next() - 30.hours()));
    let service = TrustService::new(world.config(24, 0.0), clock.clone()).unwrap();
    service.refresh().await;
    // A day before, and not after a whole interval.
    let margin = next() - 24.hours();
    assert_eq!(next_attempt(&service), margin);
    // From then on more and more often, for as long as the next one is not there.
    for (at, expected) in [
        (margin, margin + 15.minutes()),
        (next() - 10.minutes(), next() - 5.minutes()),
    ] {
        clock.set(at);
        service.refresh().await;
        assert_eq!(next_attempt(&service), expected);
    }
}

#[tokio::test]
async fn a_source_that_fails_is_asked_again_after_pauses_that_grow() {
    let world = world().await;
    let clock = Arc::new(ManualClock::at(now()));
    let service = TrustService::new(world.config(6, 0.0), clock.clone()).unwrap();
    service.refresh().await;
    world.server.set(PATH, Route::Status(503));
    let mut at = now() + 6.hours();
    for (failures, pause) in [(1, 30), (2, 60), (3, 120)] {
        clock.set(at);
        service.refresh_due().await;
        at += Duration::from_secs(pause);
        let list = &service.watch().lists[0];
        assert_eq!((list.failures, list.next_attempt), (failures, Some(at)));
        assert_eq!(list.confirmed, Some(now()));
        assert_eq!(list.last_outcome, Some(Outcome::Unavailable));
    }
    // What is refused is no success either.
    let garbage = Route::Body(b"no list".to_vec(), "\"garbage\"");
    world.server.set(PATH, garbage);
    clock.set(at);
    service.refresh_due().await;
    assert_eq!(service.watch().lists[0].failures, 4);
    // A good answer ends it.
    world.server.give(PATH, &world.list);
    service.refresh().await;
    let list = &service.watch().lists[0];
    assert_eq!((list.failures, list.confirmed), (0, Some(at)));
    assert_eq!(list.next_attempt, Some(at + 6.hours()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_check_waits_for_a_refresh_under_way() {
    let mut world = world().await;
    world.server.set("/slow", Route::Slow);
    let mut config = world.config(6, 0.0);
    let slow = source(Profile::Pid, &world.server.url("/slow"), &world.operator);
    config.sources.push(slow);
    let service = Arc::new(TrustService::new(config, Arc::new(ManualClock::at(now()))).unwrap());
    service.refresh().await;

    let second = seal(&mut world.draft, &world.operator).await;
    let let_go = Arc::new(Notify::new());
    let route = Route::Held(second.into_bytes(), Arc::clone(&let_go));
    world.server.set(PATH, route);
    let refreshing = tokio::spawn({
        let service = Arc::clone(&service);
        async move { service.refresh().await }
    });
    while world.asked() < 3 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let question = ask(Context::Wallet, &[&world.provider.certificate]);
    // The old list answers, again and again, at once.
    let mut longest = Duration::ZERO;
    for _ in 0..200 {
        let started = Instant::now();
        let verdict = service.check(&question).await;
        longest = longest.max(started.elapsed());
        assert_eq!(verdict.trusted, Trusted::Yes);
        assert_eq!(verdict.lists[0].sequence, 1);
    }
    assert!(longest < Duration::from_millis(500), "{longest:?}");
    assert!(!refreshing.is_finished());
    // The new one takes its place while the slow source is still waited for.
    let_go.notify_one();
    let mut sequences = Vec::new();
    while sequences.last() != Some(&2) {
        let verdict = service.check(&question).await;
        assert_eq!(verdict.trusted, Trusted::Yes);
        sequences.push(verdict.lists[0].sequence);
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert!(!refreshing.is_finished());
    let report = refreshing.await.unwrap();
    assert_eq!(report.sources[0].outcome, Outcome::Updated);
    assert_eq!(report.sources[1].outcome, Outcome::Unavailable);
}

/// The next version of a list brings its anchors, and takes away those it no longer
/// holds (ARF ISSU_10a).
#[tokio::test]
async fn anchors_come_and_go_with_their_list() {
    let mut world = world().await;
    let service =
        TrustService::new(world.config(6, 0.0), Arc::new(ManualClock::at(now()))).unwrap();
    let newcomer = ca().await.leaf(pki::Profile::Wallet, provider()).await;
    let before = ask(Context::Wallet, &[&world.provider.certificate]);
    let after = ask(Context::Wallet, &[&newcomer.certificate]);
    let answers = async || {
        let (before, after) = (service.check(&before).await, service.check(&after).await);
        [before.trusted, after.trusted]
    };
    service.refresh().await;
    assert_eq!(answers().await, [Trusted::Yes, Trusted::No]);

    let kind = ServiceKind::Issuance;
    let service_of_newcomer = lote::NewService {
        kind,
        name: "Next".into(),
        certificates: vec![newcomer.certificate.clone()],
        unique_id: Some("urn:example:2".into()),
        supply_point: None,
    };
    let draft = &mut world.draft;
    let day_two = issued() + 24.hours();
    draft
        .add_service(PROVIDER, &service_of_newcomer, day_two)
        .unwrap();
    draft.issue(day_two, next()).unwrap();
    let signers = std::slice::from_ref(&world.operator.certificate);
    let second = lote::seal(draft.list(), signers, &world.operator.key, day_two).await;
    let second = Route::Body(second.unwrap().into_bytes(), "\"two\"");
    world.server.set(PATH, second);
    service.refresh().await;
    assert_eq!(answers().await, [Trusted::Yes, Trusted::Yes]);

    let draft = &mut world.draft;
    let name = format!("Example {kind:?}");
    draft
        .withdraw_service(PROVIDER, kind, &name, now())
        .unwrap();
    let third = seal(draft, &world.operator).await;
    let third = Route::Body(third.into_bytes(), "\"three\"");
    world.server.set(PATH, third);
    service.refresh().await;
    assert_eq!(answers().await, [Trusted::No, Trusted::Yes]);
}

#[tokio::test]
async fn it_is_kept_fresh_until_it_is_stopped() {
    let mut world = world().await;
    let folder = tempfile::tempdir().unwrap();
    let mut config = world.config(6, 0.0);
    config.copies = Some(folder.path().into());
    config.sources[0].upkeep.interval = Duration::from_millis(20);
    config.rhythm = Rhythm {
        shortest: Duration::from_millis(20),
        ..Rhythm::default()
    };
    let current = Arc::new(ManualClock::at(now()));
    let service = Arc::new(TrustService::new(config, Arc::new(Ticking::from(now()))).unwrap());
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let keeping = tokio::spawn({
        let service = Arc::clone(&service);
        async move {
            service
                .keep_fresh(async {
                    let _ = stopped.await;
                })
                .await;
        }
    });
    until(|| service.watch().lists[0].sequence == Some(1)).await;
    let second = seal(&mut world.draft, &world.operator).await;
    let second = Route::Body(second.into_bytes(), "\"two\"");
    world.server.set(PATH, second);
    until(|| service.watch().lists[0].sequence == Some(2)).await;

    // In the middle of a fetch that would take ten minutes.
    world.server.set(PATH, Route::Slow);
    let asked = world.asked();
    until(|| world.asked() > asked).await;
    stop.send(()).unwrap();
    let ended = tokio::time::timeout(Duration::from_secs(1), keeping).await;
    ended.expect("it ends at once").unwrap();
    let asked = world.asked();
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(world.asked(), asked);
    drop(service);
    // What is on disk is whole.
    let mut config = world.config(6, 0.0);
    config.copies = Some(folder.path().into());
    let again = TrustService::new(config, current).unwrap();
    assert_eq!(again.watch().lists[0].sequence, Some(2));
}

/// A clock that starts somewhere and goes as the system's does.
#[derive(Debug)]
struct Ticking {
    from: jiff::Timestamp,
    since: jiff::Timestamp,
}

impl Ticking {
    fn from(from: jiff::Timestamp) -> Self {
        let since = SystemClock.now();
        Self { from, since }
    }
}

impl Clock for Ticking {
    fn now(&self) -> jiff::Timestamp {
        self.from + SystemClock.now().duration_since(self.since)
    }
}

async fn until(is_so: impl Fn() -> bool) {
    let waiting = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(10), waiting).await;
    waited.expect("it is so within ten seconds");
}

#[tokio::test]
async fn the_watch_tells_ages_and_deadlines() {
    let world = world().await;
    let folder = tempfile::tempdir().unwrap();
    let mut config = world.config(6, 0.0);
    config.copies = Some(folder.path().into());
    config.grace = Duration::from_secs(2 * HOUR);
    let clock = Arc::new(ManualClock::at(now()));
    let service = TrustService::new(config, clock.clone()).unwrap();
    let list = &service.watch().lists[0];
    assert_eq!((list.state, list.sequence), (ListState::Missing, None));
    assert_eq!((list.last_attempt, list.next_attempt), (None, None));

    service.refresh().await;
    let watch = service.watch();
    let list = &watch.lists[0];
    assert!(watch.is_fresh() && !watch.has_refusals());
    assert_eq!(list.source, world.server.url(PATH));
    assert_eq!((list.profile.as_str(), list.sequence), ("wallet", Some(1)));
    assert_eq!(list.territory.as_deref(), Some("EU"));
    assert_eq!(
        (list.issued, list.next_update),
        (Some(issued()), Some(next()))
    );
    let age = now().duration_since(issued()).as_secs();
    let left = next().duration_since(now()).as_secs();
    assert_eq!(
        (list.age_seconds, list.left_seconds),
        (Some(age), Some(left))
    );
    assert_eq!(
        (list.last_attempt, list.accepted, list.instances),
        (Some(now()), Some(now()), 1)
    );

    let garbage = Route::Body(b"no list".to_vec(), "\"garbage\"");
    world.server.set(PATH, garbage);
    service.refresh().await;
    let watch = service.watch();
    assert!(watch.is_fresh() && watch.has_refusals());
    assert!(!watch.lists[0].trouble.is_empty());

    for (at, state, left) in [
        (next(), ListState::Grace, 0),
        (next() + 2.hours(), ListState::Stale, -7200),
    ] {
        clock.set(at);
        let watch = service.watch();
        let list = &watch.lists[0];
        assert!(!watch.is_fresh());
        assert_eq!((list.state, list.left_seconds), (state, Some(left)));
    }
}

#[rstest]
#[case::at_next_update(0, true)]
#[case::just_within(2 * HOUR - 1, true)]
#[case::just_past(2 * HOUR, false)]
#[tokio::test]
async fn a_grace_period_is_used_and_told(#[case] seconds: u64, #[case] within: bool) {
    let world = world().await;
    let mut config = world.config(6, 0.0);
    config.grace = Duration::from_secs(2 * HOUR);
    let clock = Arc::new(ManualClock::at(now()));
    let service = TrustService::new(config, clock.clone()).unwrap();
    service.refresh().await;
    let late = next() + Duration::from_secs(seconds);
    clock.set(late);
    let mut question = ask(Context::Wallet, &[&world.provider.certificate]);
    question.at = late;
    let verdict = service.check(&question).await;
    let grace = verdict.findings.iter().find(|f| f.is(&rules::LIST_GRACE));
    if within {
        assert_eq!(verdict.trusted, Trusted::Yes);
        let left = format!("lasts {} s more", 2 * HOUR - seconds);
        let told = &grace.unwrap().evidence;
        assert!(told.contains(&left), "{told}");
        assert_eq!(grace.unwrap().severity, finding::Severity::Warning);
    } else {
        assert_eq!(verdict.trusted, Trusted::Undecided);
        assert!(has(&verdict, &rules::LIST_STALE) && grace.is_none());
    }
}
