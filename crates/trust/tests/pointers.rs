//! Pointers to other lists, followed over real HTTP: to lists that are what the
//! pointers say, and no further.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod common;

use std::sync::Arc;

use clock::ManualClock;
use common::*;
use finding::Trusted;
use jiff::ToSpan;
use lote::model::{PkiObject, Pointer, Qualifier, ServiceIdentity, Text};
use lote::{Profile, ServiceKind};
use rstest::rstest;
use trust::{
    Config, Context, ListState, Outcome, PointerLimits, Report, SourceReport, TrustService, Upkeep,
    rules,
};

/// A list of wallet providers whose pointers are followed, and what they lead to: by
/// default a list of PID providers, sealed by someone else.
struct World {
    server: Server,
    operator: Party,
    other: Party,
    provider: Party,
    parent: lote::Draft,
    child: lote::Draft,
}

const PARENT: &str = "/wallet";
const CHILD: &str = "/pid";

async fn world() -> World {
    let operator = operator().await;
    let other = common::operator().await;
    let provider = ca().await.leaf(pki::Profile::Pid, provider()).await;
    let parent = draft(
        Profile::Wallet,
        std::slice::from_ref(&operator.certificate),
        &[],
    );
    let services = [(ServiceKind::Issuance, &provider.certificate)];
    let child = draft(
        Profile::Pid,
        std::slice::from_ref(&other.certificate),
        &services,
    );
    let mut world = World {
        server: Server::start().await,
        operator,
        other,
        provider,
        parent,
        child,
    };
    let child = seal(&mut world.child, &world.other).await;
    world.server.give(CHILD, child);
    world
}

impl World {
    fn pointer(&self, to: &str) -> Pointer {
        pointer(&self.server.url(to), Profile::Pid, &[&self.other])
    }

    /// Publishes the parent with these pointers besides the one to itself.
    async fn points(&mut self, pointers: Vec<Pointer>) {
        let text = pointing(&mut self.parent, &self.operator, pointers).await;
        self.server
            .set(PARENT, Route::Body(text.into_bytes(), etag()));
    }

    fn config(&self) -> Config {
        let source = source(Profile::Wallet, &self.server.url(PARENT), &self.operator);
        Config {
            sources: vec![trust::Source {
                upkeep: Upkeep {
                    follow_pointers: true,
                    ..Upkeep::default()
                },
                ..source
            }],
            limits: limits(),
            ..Config::default()
        }
    }

    fn service(&self) -> TrustService {
        service_of(self.config())
    }

    async fn trusted(&self, service: &TrustService) -> Trusted {
        let question = ask(Context::Pid, &[&self.provider.certificate]);
        service.check(&question).await.trusted
    }
}

fn service_of(config: Config) -> TrustService {
    TrustService::new(config, Arc::new(ManualClock::at(now()))).unwrap()
}

/// Each answer another one: nothing is taken for what it was before.
fn etag() -> &'static str {
    use std::sync::atomic::{AtomicUsize, Ordering};
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let text = format!("\"{}\"", COUNT.fetch_add(1, Ordering::Relaxed));
    Box::leak(text.into_boxed_str())
}

fn pointer(to: &str, profile: Profile, signers: &[&Party]) -> Pointer {
    let objects = signers.iter().map(|signer| PkiObject {
        val: Some(jose::b64::encode_std(signer.certificate.der())),
        ..PkiObject::default()
    });
    Pointer {
        location: Some(to.to_owned()),
        identities: vec![ServiceIdentity {
            certificates: objects.collect(),
            ..ServiceIdentity::default()
        }],
        qualifiers: vec![Qualifier {
            lote_type: Some(profile.lote_type().to_owned()),
            scheme_territory: Some("EU".into()),
            scheme_operator_name: vec![Text::en(OPERATOR)],
            ..Qualifier::default()
        }],
        ..Pointer::default()
    }
}

/// Issues the next version of a list, with these pointers besides its own.
async fn pointing(draft: &mut lote::Draft, by: &Party, pointers: Vec<Pointer>) -> String {
    let when = match draft.list().scheme().sequence {
        Some(0) => issued(),
        _ => now(),
    };
    draft.issue(when, next()).unwrap();
    let mut list = draft.list().clone();
    list.lote.scheme.pointers_to_other_lote.extend(pointers);
    let chain = std::slice::from_ref(&by.certificate);
    lote::seal(&list, chain, &by.key, when).await.unwrap()
}

fn of<'r>(report: &'r Report, place: &str) -> &'r SourceReport {
    let found = report.sources.iter().find(|s| s.source.ends_with(place));
    found.unwrap_or_else(|| panic!("{place} in {report:#?}"))
}

fn found(report: &Report, place: &str) -> Vec<String> {
    let findings = of(report, place).findings.iter();
    let pointers = findings.filter(|f| f.rule.starts_with("TRUST-POINTER-"));
    pointers.map(|f| f.rule.to_string()).collect()
}

#[tokio::test]
async fn a_pointer_is_followed_where_that_is_wanted() {
    let mut world = world().await;
    world.points(vec![world.pointer(CHILD)]).await;
    let service = world.service();
    let report = service.refresh().await;
    assert_eq!(of(&report, CHILD).outcome, Outcome::Updated);
    assert_eq!(found(&report, PARENT), [""; 0]);
    assert_eq!(world.trusted(&service).await, Trusted::Yes);
    let watch = service.watch();
    let led = &watch.lists[1];
    assert_eq!(
        (led.profile.as_str(), led.led_by.clone()),
        ("pid", Some(world.server.url(PARENT)))
    );

    let mut config = world.config();
    config.sources[0].upkeep.follow_pointers = false;
    let service = service_of(config);
    assert_eq!(service.refresh().await.sources.len(), 1);
    assert_eq!(world.trusted(&service).await, Trusted::Undecided);
}

#[tokio::test]
async fn a_list_goes_with_the_pointer_that_led_to_it() {
    let mut world = world().await;
    let folder = tempfile::tempdir().unwrap();
    world.points(vec![world.pointer(CHILD)]).await;
    let mut config = world.config();
    config.copies = Some(folder.path().into());
    let service = service_of(config.clone());
    service.refresh().await;
    assert_eq!(world.trusted(&service).await, Trusted::Yes);

    // A restart finds it offline.
    world.server.set(PARENT, Route::Status(503));
    world.server.set(CHILD, Route::Status(503));
    let again = service_of(config.clone());
    assert_eq!(world.trusted(&again).await, Trusted::Yes);
    // An outage takes nothing away.
    again.refresh().await;
    assert_eq!(world.trusted(&again).await, Trusted::Yes);

    world.points(vec![]).await;
    let report = service.refresh().await;
    let gone: Vec<_> = report.findings.iter().map(|f| f.rule.as_ref()).collect();
    assert_eq!(gone, [rules::POINTER_GONE.id]);
    assert_eq!(service.watch().lists.len(), 1);
    assert_eq!(world.trusted(&service).await, Trusted::Undecided);
    assert_eq!(world.trusted(&service_of(config)).await, Trusted::Undecided);
}

#[tokio::test]
async fn what_a_pointer_leads_to_is_not_rolled_back_either() {
    let mut world = world().await;
    let folder = tempfile::tempdir().unwrap();
    world.points(vec![world.pointer(CHILD)]).await;
    let mut config = world.config();
    config.copies = Some(folder.path().into());
    let service = service_of(config.clone());
    let first = seal(&mut world.child, &world.other).await;
    let second = seal(&mut world.child, &world.other).await;
    let give = |text: &str| {
        let body = Route::Body(text.as_bytes().to_vec(), etag());
        world.server.set(CHILD, body);
    };
    give(&second);
    service.refresh().await;
    give(&first);
    let report = service.refresh().await;
    assert_eq!(of(&report, CHILD).outcome, Outcome::Refused);
    // Nor when the pointer was gone for a while, and after a restart.
    let with = vec![world.pointer(CHILD)];
    world.points(vec![]).await;
    service.refresh().await;
    world.points(with).await;
    let report = service_of(config).refresh().await;
    let refused = of(&report, CHILD);
    assert_eq!(refused.outcome, Outcome::Refused);
    assert_eq!(errors(&refused.findings), [rules::LIST_ROLLBACK.id]);
}

#[rstest]
#[case::impostor("LOTE-SEAL-SIGNER", |world: &World| {
    pointer(&world.server.url(CHILD), Profile::Pid, &[&world.operator])
})]
#[case::another_type(rules::LIST_TYPE.id, |world: &World| {
    pointer(&world.server.url(CHILD), Profile::Access, &[&world.other])
})]
#[case::another_territory(rules::POINTER_QUALIFIER.id, |world: &World| {
    let mut pointer = world.pointer(CHILD);
    pointer.qualifiers[0].scheme_territory = Some("DE".into());
    pointer
})]
#[case::another_operator(rules::POINTER_QUALIFIER.id, |world: &World| {
    let mut pointer = world.pointer(CHILD);
    pointer.qualifiers[0].scheme_operator_name = vec![Text::en("Somebody Else")];
    pointer
})]
#[tokio::test]
async fn a_list_that_is_not_what_the_pointer_says_is_refused(
    #[case] rule: &str,
    #[case] pointer: fn(&World) -> Pointer,
) {
    let mut world = world().await;
    world.points(vec![pointer(&world)]).await;
    let service = world.service();
    let report = service.refresh().await;
    let refused = of(&report, CHILD);
    assert_eq!(refused.outcome, Outcome::Refused);
    assert_eq!(errors(&refused.findings), [rule]);
    assert_eq!(world.trusted(&service).await, Trusted::Undecided);
    assert_eq!(service.watch().lists[1].state, ListState::Missing);
}

#[rstest]
#[case::private("https://10.0.0.1/list", "OUT-ADDRESS")]
#[case::metadata("https://169.254.169.254/list", "OUT-ADDRESS")]
#[case::mapped("https://[::ffff:192.168.0.1]/list", "OUT-ADDRESS")]
#[case::plain_http("http://lists.example/list", "OUT-HTTPS")]
#[case::file("file:///etc/passwd", "OUT-URL")]
#[case::password("https://user:secret@lists.example/list", "OUT-URL")]
#[tokio::test]
async fn a_pointer_to_where_nothing_may_be_asked_is_refused(#[case] to: &str, #[case] rule: &str) {
    let mut world = world().await;
    let astray = pointer(to, Profile::Pid, &[&world.other]);
    world.points(vec![astray, world.pointer(CHILD)]).await;
    let service = world.service();
    let report = service.refresh().await;
    let refused = &report.sources[1];
    assert_eq!(refused.outcome, Outcome::Unavailable);
    assert_eq!(refused.findings[1].rule, rule);
    // It holds up no other.
    assert_eq!(of(&report, CHILD).outcome, Outcome::Updated);
    assert_eq!(world.trusted(&service).await, Trusted::Yes);
}

#[rstest]
#[case::nobody(rules::POINTER_SIGNER.id, |p: &mut Pointer| p.identities.clear())]
#[case::no_certificate(rules::POINTER_SIGNER.id, |p: &mut Pointer| {
    p.identities[0].certificates[0].val = Some("AAAA".into());
})]
#[case::no_type(rules::POINTER_TYPE.id, |p: &mut Pointer| p.qualifiers.clear())]
#[case::unknown_type(rules::POINTER_TYPE.id, |p: &mut Pointer| {
    p.qualifiers[0].lote_type = Some("http://lists.example/type".into());
})]
#[case::nowhere(rules::POINTER_LOCATION.id, |p: &mut Pointer| p.location = None)]
#[case::no_url(rules::POINTER_LOCATION.id, |p: &mut Pointer| p.location = Some("over there".into()))]
#[tokio::test]
async fn a_pointer_that_says_too_little_is_not_followed(
    #[case] rule: &str,
    #[case] spoil: fn(&mut Pointer),
) {
    let mut world = world().await;
    let mut pointer = world.pointer(CHILD);
    spoil(&mut pointer);
    world.points(vec![pointer]).await;
    let report = world.service().refresh().await;
    assert_eq!(report.sources.len(), 1);
    assert_eq!(found(&report, PARENT), [rule]);
    assert!(!world.server.asked().contains(&CHILD.to_owned()));
}

#[tokio::test]
async fn a_list_that_may_be_anyones_pins_nobody() {
    let mut world = world().await;
    world.points(vec![world.pointer(CHILD)]).await;
    let mut config = world.config();
    config.sources[0].signers = trust::SignerPolicy::Anyone;
    let report = service_of(config).refresh().await;
    assert_eq!(report.sources.len(), 1);
    assert_eq!(found(&report, PARENT), [rules::POINTER_SIGNER.id]);
}

#[tokio::test]
async fn a_pointer_back_ends_there() {
    let mut world = world().await;
    let back = pointer(
        &world.server.url(PARENT),
        Profile::Wallet,
        &[&world.operator],
    );
    // To a list on the way, and from there once more to one that is known.
    let again = pointer(
        &world.server.url(CHILD),
        Profile::Registration,
        &[&world.other],
    );
    let child = pointing(&mut world.child, &world.other, vec![back, again]).await;
    world
        .server
        .set(CHILD, Route::Body(child.into_bytes(), etag()));
    let twice = vec![world.pointer(CHILD), world.pointer(CHILD)];
    world.points(twice).await;
    let service = world.service();
    let report = service.refresh().await;
    assert_eq!(report.sources.len(), 2);
    assert_eq!(found(&report, PARENT), [rules::POINTER_LOOP.id]);
    assert_eq!(found(&report, CHILD), [rules::POINTER_LOOP.id; 2]);
    assert_eq!(world.trusted(&service).await, Trusted::Yes);
    let asked = world.server.asked();
    assert_eq!(asked, [PARENT, CHILD]);
}

/// A chain of lists, `/0` to `/4`, each of another type and pointing to the next.
async fn chain() -> (Server, Party) {
    let server = Server::start().await;
    let by = operator().await;
    let profiles = [
        Profile::Wallet,
        Profile::Pid,
        Profile::Access,
        Profile::Registration,
        Profile::Wallet,
    ];
    for (place, profile) in profiles.iter().enumerate() {
        let mut list = draft(*profile, std::slice::from_ref(&by.certificate), &[]);
        let next = profiles.get(place + 1).map(|profile| {
            let mut next = pointer(&server.url(&format!("/{}", place + 1)), *profile, &[&by]);
            next.qualifiers[0].scheme_operator_name.clear();
            next
        });
        let text = pointing(&mut list, &by, next.into_iter().collect()).await;
        server.give(&format!("/{place}"), text);
    }
    (server, by)
}

#[rstest]
#[case(0, 64, 1, rules::POINTER_DEPTH.id)]
#[case(1, 64, 2, rules::POINTER_DEPTH.id)]
#[case(3, 64, 4, rules::POINTER_DEPTH.id)]
#[case(9, 64, 5, "")]
#[case(9, 2, 3, rules::POINTER_COUNT.id)]
#[case(9, 0, 1, rules::POINTER_COUNT.id)]
#[tokio::test]
async fn pointers_are_followed_within_limits(
    #[case] depth: usize,
    #[case] lists: usize,
    #[case] reached: usize,
    #[case] rule: &str,
) {
    let (server, by) = chain().await;
    let config = Config {
        sources: vec![trust::Source {
            upkeep: Upkeep {
                follow_pointers: true,
                ..Upkeep::default()
            },
            ..source(Profile::Wallet, &server.url("/0"), &by)
        }],
        limits: limits(),
        pointers: PointerLimits { depth, lists },
        ..Config::default()
    };
    let report = service_of(config).refresh().await;
    assert_eq!(report.sources.len(), reached, "{report:#?}");
    assert_eq!(server.asked().len(), reached);
    let last = found(&report, &format!("/{}", reached - 1));
    assert_eq!(last.join(" "), rule);
}

#[tokio::test]
async fn a_pointer_that_names_other_signers_lets_the_old_ones_list_go() {
    let mut world = world().await;
    let folder = tempfile::tempdir().unwrap();
    world.points(vec![world.pointer(CHILD)]).await;
    let mut config = world.config();
    config.copies = Some(folder.path().into());
    let service = service_of(config);
    service.refresh().await;
    assert_eq!(world.trusted(&service).await, Trusted::Yes);
    let successor = operator().await;
    let pointer = pointer(&world.server.url(CHILD), Profile::Pid, &[&successor]);
    world.points(vec![pointer]).await;
    // The list there is still the old signer's, whom nothing vouches for any more.
    let report = service.refresh().await;
    assert_eq!(world.trusted(&service).await, Trusted::Undecided);
    assert!(has_error(&report, CHILD, "LOTE-SEAL-SIGNER"));
    let renewed = seal(&mut world.child, &successor).await;
    let renewed = Route::Body(renewed.into_bytes(), etag());
    world.server.set(CHILD, renewed);
    service.refresh().await;
    assert_eq!(world.trusted(&service).await, Trusted::Yes);
}

fn has_error(report: &Report, place: &str, rule: &str) -> bool {
    errors(&of(report, place).findings)
        .iter()
        .any(|r| r == rule)
}

#[tokio::test]
async fn a_pointer_vouches_no_longer_than_its_list_holds() {
    let mut world = world().await;
    world.points(vec![world.pointer(CHILD)]).await;
    // The child is good for a month longer.
    let later = next() + 720.hours();
    world.child.issue(now(), later).unwrap();
    let chain = std::slice::from_ref(&world.other.certificate);
    let child = lote::seal(world.child.list(), chain, &world.other.key, now())
        .await
        .unwrap();
    world.server.give(CHILD, child);
    let service = world.service();
    service.refresh().await;
    let mut question = ask(Context::Pid, &[&world.provider.certificate]);
    question.at = next() - 1.second();
    assert_eq!(service.check(&question).await.trusted, Trusted::Yes);
    question.at = next();
    let verdict = service.check(&question).await;
    assert_eq!(
        (verdict.trusted, why(&verdict)),
        (Trusted::Undecided, vec![rules::LIST_STALE.id.into()])
    );
}

#[tokio::test]
async fn a_pointer_to_a_like_list_elsewhere_announces_no_signer_here() {
    let mut world = world().await;
    // A pointer to another territory's wallet list, sealed by another operator.
    let mut elsewhere = pointer(
        &world.server.url("/wallet-de"),
        Profile::Wallet,
        &[&world.other],
    );
    elsewhere.qualifiers[0].scheme_territory = Some("DE".into());
    world.points(vec![elsewhere]).await;
    let service = world.service();
    let report = service.refresh().await;
    assert_eq!(of(&report, "/wallet-de").outcome, Outcome::Unavailable);
    // That operator seals a list of this territory.
    let usurped = pointing(&mut world.parent, &world.other, vec![]).await;
    let usurped = Route::Body(usurped.into_bytes(), etag());
    world.server.set(PARENT, usurped);
    let report = service.refresh().await;
    assert_eq!(of(&report, PARENT).outcome, Outcome::Refused);
    assert!(has_error(&report, PARENT, "LOTE-SEAL-SIGNER"));
}
