//! Questions about the past, answered by the instance that was current then: from
//! the lists that were accepted, and from the archive that a publisher offers.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod common;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clock::ManualClock;
use common::*;
use finding::{Trusted, Verdict};
use jiff::Timestamp;
use lote::publish::Instance;
use lote::{Mode, Profile, ServiceKind, Signers, Verifier};
use rstest::rstest;
use trust::{ArchiveLimits, Config, Context, Location, Outcome, TrustService, Upkeep, rules};

const PATH: &str = "/wallet";
const ARCHIVE: &str = "/archive/";

/// Versions 1 to 3 of a list: the first provider stands on the first one alone, the
/// second on the others.
struct World {
    server: Server,
    operator: Party,
    first: Party,
    second: Party,
    versions: Vec<String>,
    folder: tempfile::TempDir,
}

/// When each version was issued.
fn issue(version: u64) -> Timestamp {
    at(["2026-06-01", "2026-08-01", "2026-10-01"][index(version)])
}

/// In the middle of its time.
fn during(version: u64) -> Timestamp {
    at(["2026-07-01", "2026-09-01", "2026-11-01"][index(version)])
}

fn index(version: u64) -> usize {
    usize::try_from(version).unwrap() - 1
}

fn at(day: &str) -> Timestamp {
    common::at(&format!("{day}T00:00:00Z"))
}

async fn world() -> World {
    let operator = operator().await;
    let ca = ca().await;
    let first = ca.leaf(pki::Profile::Wallet, provider()).await;
    let second = ca.leaf(pki::Profile::Wallet, provider()).await;
    let mut versions = Vec::new();
    for version in 1..=3 {
        let listed = if version == 1 { &first } else { &second };
        versions.push(sealed(version, listed, &operator, &[]).await);
    }
    World {
        server: Server::start().await,
        operator,
        first,
        second,
        versions,
        folder: tempfile::tempdir().unwrap(),
    }
}

async fn sealed(version: u64, listed: &Party, by: &Party, announced: &[&Party]) -> String {
    let issue = issue(version);
    sealed_as(Profile::Wallet, version, issue, listed, by, announced).await
}

async fn sealed_as(
    profile: Profile,
    version: u64,
    issue: Timestamp,
    listed: &Party,
    by: &Party,
    announced: &[&Party],
) -> String {
    let mut signers = vec![by.certificate.clone()];
    signers.extend(announced.iter().map(|party| party.certificate.clone()));
    let services = [(ServiceKind::Issuance, &listed.certificate)];
    let mut draft = draft(profile, &signers, &services);
    let six_months = issue + std::time::Duration::from_secs(180 * 24 * 3600);
    draft.issue(issue, six_months).unwrap();
    let mut list = draft.list().clone();
    list.lote.scheme.sequence = Some(i64::try_from(version).unwrap());
    let chain = std::slice::from_ref(&by.certificate);
    lote::seal(&list, chain, &by.key, issue).await.unwrap()
}

impl World {
    fn config(&self) -> Config {
        let url = self.server.url(PATH);
        Config {
            sources: vec![source(Profile::Wallet, &url, &self.operator)],
            limits: limits(),
            copies: Some(self.folder.path().into()),
            ..Config::default()
        }
    }

    fn with_archive(&self) -> Config {
        let mut config = self.config();
        config.sources[0].upkeep = Upkeep {
            archive: Some(Location::Url(self.server.url(ARCHIVE).parse().unwrap())),
            ..Upkeep::default()
        };
        config
    }

    /// A service that accepted these versions, each in its time.
    async fn accepted(&self, config: Config, versions: &[u64]) -> TrustService {
        let clock = Arc::new(ManualClock::at(now()));
        let service = TrustService::new(config, clock.clone()).unwrap();
        for version in versions {
            clock.set(during(*version));
            self.publish(*version);
            let report = service.refresh().await;
            assert_eq!(report.sources[0].outcome, Outcome::Updated, "{report:#?}");
        }
        clock.set(now());
        service
    }

    fn restarted(&self) -> TrustService {
        TrustService::new(self.config(), Arc::new(ManualClock::at(now()))).unwrap()
    }

    fn publish(&self, version: u64) {
        let text = &self.versions[index(version)];
        let etag = ["\"1\"", "\"2\"", "\"3\""][index(version)];
        let body = text.clone().into_bytes();
        self.server.set(PATH, Route::Body(body, etag));
    }

    /// Publishes an archive as `claviger list publish` does.
    fn offer(&self, instances: &[Instance], files: &[(u64, &str)]) {
        let index = serde_json::to_vec(instances).unwrap();
        self.server.give(&format!("{ARCHIVE}index.json"), index);
        for (version, text) in files {
            self.server.give(&format!("{ARCHIVE}{version}.jws"), text);
        }
    }

    async fn asked_at(&self, service: &TrustService, who: &Party, when: Timestamp) -> Verdict {
        let mut question = ask(Context::Wallet, &[&who.certificate]);
        question.at = when;
        service.check(&question).await
    }
}

fn entry(sealed: &str) -> Instance {
    let verifier = Verifier {
        signers: Signers::Anyone,
        mode: Mode::Interop,
    };
    Instance::of(&verifier.authenticate(sealed.as_bytes(), now()).unwrap())
}

fn told(verdict: &Verdict) -> (Trusted, Vec<String>) {
    (verdict.trusted, why(verdict))
}

fn undecided(rule: &finding::Rule) -> (Trusted, Vec<String>) {
    (Trusted::Undecided, vec![rule.id.into()])
}

#[tokio::test]
async fn the_instance_that_was_current_then_answers() {
    let world = world().await;
    let service = world.accepted(world.config(), &[1, 2, 3]).await;
    for service in [&service, &world.restarted()] {
        for version in 1..=3 {
            let (listed, other) = match version {
                1 => (&world.first, &world.second),
                _ => (&world.second, &world.first),
            };
            let yes = world.asked_at(service, listed, during(version)).await;
            assert_eq!(told(&yes), (Trusted::Yes, vec![]));
            assert_eq!(yes.lists[0].sequence, version);
            assert_eq!(has(&yes, &rules::LIST_ARCHIVED), version != 3);
            let no = world.asked_at(service, other, during(version)).await;
            assert_eq!(no.trusted, Trusted::No);
        }
        // The very moment of the next issue is the next one's.
        let yes = world.asked_at(service, &world.second, issue(2)).await;
        assert_eq!((yes.trusted, yes.lists[0].sequence), (Trusted::Yes, 2));
    }
    assert_eq!(service.watch().lists[0].instances, 3);
}

#[tokio::test]
async fn what_the_archive_does_not_hold_stays_undecided() {
    let world = world().await;
    // Version 2 was never seen: nobody knows when it took the place of the first.
    let service = world.accepted(world.config(), &[1, 3]).await;
    let open = undecided(&rules::LIST_LATER);
    for when in [during(1), during(2), at("2026-05-01")] {
        let verdict = world.asked_at(&service, &world.first, when).await;
        assert_eq!(told(&verdict), open, "{when}");
    }
    // Nothing is kept without a folder.
    let mut config = world.config();
    config.copies = None;
    let service = world.accepted(config, &[1, 2, 3]).await;
    let verdict = world.asked_at(&service, &world.first, during(1)).await;
    assert_eq!(told(&verdict), open);
}

#[tokio::test]
async fn no_more_is_kept_than_is_wanted() {
    let world = world().await;
    let mut config = world.config();
    config.archive = ArchiveLimits {
        instances: 2,
        ..ArchiveLimits::default()
    };
    let service = world.accepted(config, &[1, 2, 3]).await;
    let gone = world.asked_at(&service, &world.first, during(1)).await;
    assert_eq!(told(&gone), undecided(&rules::LIST_LATER));
    let kept = world.asked_at(&service, &world.second, during(2)).await;
    assert_eq!(kept.trusted, Trusted::Yes);
    assert_eq!(files_in(world.folder.path(), "jose").len(), 2);
}

#[tokio::test]
async fn an_instance_past_its_next_update_then_decides_nothing() {
    let mut world = world().await;
    // Half a year and more before the second: stale for the rest.
    let early = at("2026-01-05");
    let (first, by) = (&world.first, &world.operator);
    let text = sealed_as(Profile::Wallet, 1, early, first, by, &[]).await;
    world.versions[0] = text;
    let clock = Arc::new(ManualClock::at(at("2026-02-01")));
    let mut config = world.config();
    // Grace is for the present.
    config.grace = std::time::Duration::from_secs(365 * 24 * 3600);
    let service = TrustService::new(config, clock.clone()).unwrap();
    for version in [1, 2] {
        world.publish(version);
        let report = service.refresh().await;
        assert_eq!(report.sources[0].outcome, Outcome::Updated);
        clock.set(during(2));
    }
    let when = at("2026-03-01");
    let good = world.asked_at(&service, &world.first, when).await;
    assert_eq!(good.trusted, Trusted::Yes);
    let when = at("2026-07-20");
    let stale = world.asked_at(&service, &world.first, when).await;
    assert_eq!(told(&stale), undecided(&rules::LIST_STALE));
}

#[tokio::test]
async fn an_instance_is_verified_with_its_signer_of_then() {
    let mut world = world().await;
    // The first signer announces its successor, seals no more, and runs out.
    let successor = operator().await;
    let brief = operator_until(at("2026-09-01")).await;
    world.versions[0] = sealed(1, &world.first, &brief, &[&successor]).await;
    for version in [2, 3] {
        let text = sealed(version, &world.second, &successor, &[]).await;
        world.versions[index(version)] = text;
    }
    world.operator = brief;
    let service = world.accepted(world.config(), &[1, 2, 3]).await;
    for service in [&service, &world.restarted()] {
        for (who, version) in [(&world.first, 1), (&world.second, 2), (&world.second, 3)] {
            let yes = world.asked_at(service, who, during(version)).await;
            assert_eq!(told(&yes), (Trusted::Yes, vec![]), "{version}");
            assert_eq!(yes.lists[0].sequence, version);
        }
    }
}

#[tokio::test]
async fn a_signer_that_was_not_valid_then_is_refused() {
    let mut world = world().await;
    let brief = operator_until(at("2026-07-15")).await;
    // The first is sealed by a pinned signer, who runs out while it is current.
    world.versions[0] = sealed(1, &world.first, &brief, &[&world.operator]).await;
    let mut config = world.config();
    config.sources[0].signers =
        trust::SignerPolicy::Pinned(vec![brief.certificate, world.operator.certificate.clone()]);
    let service = world.accepted(config, &[1, 2, 3]).await;
    for (when, rule) in [
        ("2026-07-01", None),
        ("2026-07-20", Some(&rules::LIST_LATER)),
    ] {
        let verdict = world.asked_at(&service, &world.first, at(when)).await;
        match rule {
            None => assert_eq!(told(&verdict), (Trusted::Yes, vec![])),
            Some(rule) => assert_eq!(told(&verdict), undecided(rule)),
        }
    }
}

async fn operator_until(until: Timestamp) -> Party {
    let key = claviger_fixtures::TestKey::generate(jose::Curve::P256);
    let subject = pki::Subject::legal("EU", OPERATOR, "NTRDE-HRB7", "List signer");
    let mut request = request(pki::Profile::ListOperator, subject, &key);
    request.not_after = until;
    request.crl_urls.clear();
    request.ca_issuers_urls.clear();
    let issuer = || pki::Issuer::Itself(&key);
    let certificate = pki::Draft::new(&request, issuer()).unwrap();
    let certificate = certificate.sign(issuer()).await.unwrap();
    Party { key, certificate }
}

#[tokio::test]
async fn what_was_changed_on_disk_decides_nothing() {
    let world = world().await;
    drop(world.accepted(world.config(), &[1, 2, 3]).await);
    let folder = world.folder.path();
    let changed = undecided(&rules::ARCHIVE_INSTANCE);
    let memory = files_in(folder, "json").remove(0);
    let good = std::fs::read_to_string(&memory).unwrap();
    let thief = operator().await;
    let first = version_in(folder, 1);
    let kept = std::fs::read(&first).unwrap();

    // Somebody else's list in the place of the first; then none; then the second.
    let forged = sealed(1, &world.second, &thief, &[]).await;
    std::fs::write(&first, forged).unwrap();
    let (second, when) = (&world.second, during(1));
    let verdict = world.asked_at(&world.restarted(), second, when).await;
    assert_eq!(told(&verdict), changed);
    std::fs::remove_file(&first).unwrap();
    let verdict = world.asked_at(&world.restarted(), second, when).await;
    assert_eq!(told(&verdict), changed);
    std::fs::copy(version_in(folder, 2), &first).unwrap();
    let verdict = world.asked_at(&world.restarted(), second, when).await;
    assert_eq!(told(&verdict), changed);
    std::fs::write(&first, kept).unwrap();

    // A memory by which the first was current for longer than it was.
    for later in ["2026-08-20T00:00:00Z", "2026-09-20T00:00:00Z"] {
        let moved = good.replace("2026-08-01T00:00:00Z", later);
        assert_ne!(moved, good);
        std::fs::write(&memory, moved).unwrap();
        let when = at("2026-08-15");
        let verdict = world.asked_at(&world.restarted(), &world.first, when).await;
        assert_eq!(told(&verdict), changed);
    }
    std::fs::write(&memory, good).unwrap();
    let verdict = world.asked_at(&world.restarted(), &world.first, when).await;
    assert_eq!(verdict.trusted, Trusted::Yes);
}

fn version_in(folder: &Path, version: u64) -> PathBuf {
    let end = format!("-{version}.jose");
    let mut lists = files_in(folder, "jose").into_iter();
    let is_it = |path: &PathBuf| path.to_string_lossy().ends_with(&end);
    lists.find(is_it).unwrap()
}

fn files_in(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    paths
        .filter(|path| path.extension().is_some_and(|e| e == extension))
        .collect()
}

#[tokio::test]
async fn the_publishers_archive_fills_what_was_missed() {
    let world = world().await;
    let [first, second, third] = &world.versions[..] else {
        panic!()
    };
    let instances: Vec<Instance> = world.versions.iter().map(|v| entry(v)).collect();
    world.offer(&instances, &[(1, first), (2, second), (3, third)]);
    // Only the newest was ever seen.
    let service = world.accepted(world.with_archive(), &[3]).await;
    for (who, version) in [(&world.first, 1), (&world.second, 2)] {
        let yes = world.asked_at(&service, who, during(version)).await;
        assert_eq!(told(&yes), (Trusted::Yes, vec![]));
        assert_eq!(yes.lists[0].sequence, version);
    }
    // They are asked for once.
    let before = world.server.asked().len();
    service.refresh().await;
    assert_eq!(world.server.asked()[before..], ["/wallet \"3\""]);
    // And are there after a restart, whatever becomes of the publisher.
    let again = world.restarted();
    let yes = world.asked_at(&again, &world.first, during(1)).await;
    assert_eq!(yes.trusted, Trusted::Yes);
}

#[rstest]
#[case::forged("LOTE-SEAL-SIGNER")]
#[case::of_another_kind("TRUST-LIST-TYPE")]
#[case::another_number("the index says no. 2")]
#[case::another_digest("SHA-256")]
#[case::garbage("LOTE-")]
#[tokio::test]
async fn an_archive_is_believed_in_nothing(#[case] evidence: &str) {
    let world = world().await;
    let thief = operator().await;
    let (first, by) = (&world.first, &world.operator);
    let mut instance = entry(&world.versions[1]);
    let text = match evidence {
        "LOTE-SEAL-SIGNER" => sealed(2, first, &thief, &[]).await,
        "TRUST-LIST-TYPE" => sealed_as(Profile::Pid, 2, issue(2), first, by, &[]).await,
        "SHA-256" => sealed(2, first, by, &[]).await,
        "LOTE-" => "no list".to_owned(),
        _ => world.versions[0].clone(),
    };
    if evidence == "LOTE-SEAL-SIGNER" {
        instance = entry(&text);
    }
    world.offer(&[instance, entry(&world.versions[2])], &[(2, &text)]);
    let service = world.accepted(world.with_archive(), &[1, 3]).await;
    let report = service.refresh().await;
    let found = &report.sources[0].findings;
    assert_eq!(found.len(), 1, "{found:#?}");
    assert!(found[0].is(&rules::ARCHIVE_INSTANCE));
    let said = &found[0].evidence;
    assert!(said.contains(evidence), "{said}");
    // What was refused fills no gap, and harms nothing else.
    let open = world.asked_at(&service, &world.first, during(1)).await;
    assert_eq!(told(&open), undecided(&rules::LIST_LATER));
    let yes = world.asked_at(&service, &world.second, during(3)).await;
    assert_eq!(told(&yes), (Trusted::Yes, vec![]));
}

#[rstest]
#[case::missing(Route::Status(404), "the answer is 404")]
#[case::gigabyte(Route::Gigabyte, "more than 4194304 bytes")]
#[case::slow(Route::Slow, "no whole answer within 2s")]
#[case::elsewhere(Route::Redirect("https://10.0.0.1/".into()), "not public")]
#[case::no_json(Route::Body(b"<html>".to_vec(), "\"i\""), "expected")]
#[case::twice(Route::Body(br#"[{"sequence":1,"sequence":2}]"#.to_vec(), "\"i\""), "sequence")]
#[tokio::test]
async fn an_archive_that_misbehaves_harms_nothing(#[case] route: Route, #[case] evidence: &str) {
    let world = world().await;
    world.server.set(&format!("{ARCHIVE}index.json"), route);
    let service = world.accepted(world.with_archive(), &[3]).await;
    let report = service.refresh().await;
    let found = &report.sources[0].findings;
    assert!(found[0].is(&rules::ARCHIVE_FETCH));
    let said = &found[0].evidence;
    assert!(said.contains(evidence), "{said}");
    let yes = world.asked_at(&service, &world.second, during(3)).await;
    assert_eq!(told(&yes), (Trusted::Yes, vec![]));
    assert!(service.watch().is_fresh());
}

#[tokio::test]
async fn a_long_archive_is_fetched_little_by_little() {
    let world = world().await;
    let third = entry(&world.versions[2]);
    let many = (1..=1000).map(|n| Instance {
        sequence: n,
        ..third.clone()
    });
    world.offer(&many.collect::<Vec<_>>(), &[]);
    let (second, by) = (&world.second, &world.operator);
    let highest = sealed_as(Profile::Wallet, 1001, issue(3), second, by, &[]).await;
    world.server.give(PATH, highest);
    let clock = Arc::new(ManualClock::at(now()));
    let service = TrustService::new(world.with_archive(), clock).unwrap();
    service.refresh().await;
    let asked = world.server.asked();
    assert_eq!(asked.len(), 2 + 16, "{asked:?}");
    assert_eq!(asked[2], "/archive/1000.jws");
}
