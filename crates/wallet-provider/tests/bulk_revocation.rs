//! Many units at once: counted first, done in pages, by any node, to the end.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod house;

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use house::{Device, House, Running};
use provider_api::*;
use wallet_provider::{Error, FolderPublisher, PublishError, Publisher, TokenFormat, Tokens, Turn};

fn problem<T: std::fmt::Debug>(result: Result<T, Error>) -> Problem {
    let error = result.unwrap_err();
    error.problem().unwrap_or_else(|| panic!("{error:?}"))
}

fn asked(selector: Selector) -> BulkRevocation {
    BulkRevocation {
        selector,
        reason: RevocationReason::Security,
        extent: Extent::Unit,
        advisory: Some("EUVD-2026-0001".into()),
        dry_run: false,
        at_most: None,
    }
}

async fn selected(running: &Running, selector: Selector) -> u64 {
    let counted = running.provider.count_selected(&asked(selector)).await;
    counted.unwrap().selected
}

async fn revoke(running: &Running, selector: Selector) -> RevocationJob {
    let begun = running
        .provider
        .begin_bulk_revocation(asked(selector), Some("ann".into()));
    let job = begun.await.unwrap();
    assert_eq!(job.state, JobState::Running);
    running.provider.do_jobs().await.unwrap();
    let job = running.provider.revocation_job(&job.job).await.unwrap();
    assert_eq!(job.state, JobState::Done);
    job
}

/// Every selector takes what it says and nothing else.
#[tokio::test]
async fn a_selector_takes_what_it_says() {
    for house in House::on_each() {
        let running = house.start().await;
        running.seed(3, "Old One", "1.9.0").await;
        running.seed(2, "New One", "1.10.0").await;
        let device = Device::operational(&house, &running, "mine").await;
        running
            .sql("UPDATE unit SET patch_level = 202601 WHERE device_model = 'Old One'")
            .await;
        running
            .sql("UPDATE unit SET patch_level = 202611 WHERE device_model = 'New One'")
            .await;
        running
            .sql(
                "INSERT INTO unit_storage (unit, storage, type, added_at)
                 SELECT id, 'wscd', 'hsm-a', 1 FROM unit WHERE device_model = 'Old One'",
            )
            .await;
        running
            .sql(
                "INSERT INTO unit_storage (unit, storage, type, added_at)
                 SELECT id, 'keystore', 'strongbox', 1 FROM unit WHERE device_model = 'New One'",
            )
            .await;
        let cases: Vec<(u64, Selector)> = vec![
            (6, Selector::everything()),
            (1, with(|s| s.unit = Some(device.unit))),
            (3, with(|s| s.model = Some("Old One".into()))),
            (0, with(|s| s.model = Some("old one".into()))),
            (3, with(|s| s.patch_below = Some(202_602))),
            (3, with(|s| s.patch_below = Some(202_611))),
            (5, with(|s| s.patch_below = Some(202_612))),
            (3, with(|s| s.wscd_type = Some("hsm-a".into()))),
            (0, with(|s| s.wscd_type = Some("strongbox".into()))),
            (2, with(|s| s.keystore_type = Some("strongbox".into()))),
            (2, with(|s| s.version = Some("1.10.0".into()))),
            (3 + 1, with(|s| s.version_below = Some("1.10".into()))),
            (1, with(|s| s.version_below = Some("1.9".into()))),
            (
                0,
                with(|s| {
                    s.model = Some("New One".into());
                    s.version = Some("1.9.0".into());
                }),
            ),
        ];
        for (expected, selector) in cases {
            let found = selected(&running, selector.clone()).await;
            assert_eq!(found, expected, "{selector:?}");
        }
        let model = with(|s| s.model = Some("Old One".into()));
        assert_eq!(revoke(&running, model.clone()).await.revoked, 3);
        assert_eq!(selected(&running, model.clone()).await, 0);
        assert_eq!(
            revoke(&running, model).await.revoked,
            0,
            "there are none left"
        );
        let below = with(|s| s.version_below = Some("1.9.9".into()));
        assert_eq!(revoke(&running, below).await.revoked, 1);
        assert_eq!(revoke(&running, Selector::everything()).await.revoked, 2);
        assert_eq!(
            running
                .count("SELECT count(*) FROM unit WHERE state <> 'revoked'")
                .await,
            0
        );
        assert_eq!(
            running
                .count("SELECT count(*) FROM unit_event WHERE name = 'ann'")
                .await,
            6,
            "one line each"
        );
        let jobs = running.provider.revocation_jobs().await.unwrap().jobs;
        assert_eq!(jobs.len(), 4);
        assert!(jobs.iter().all(|job| job.finished.is_some()));
    }
}

fn with(change: impl FnOnce(&mut Selector)) -> Selector {
    let mut selector = Selector::default();
    change(&mut selector);
    selector
}

#[tokio::test]
async fn every_entry_is_published_and_every_session_ends() {
    for house in House::on_each() {
        let running = house.start().await;
        let mut entries = Vec::new();
        let mut devices = Vec::new();
        for n in 0..5 {
            let device = Device::operational(&house, &running, &format!("user {n}")).await;
            let wias = device.fresh_wia(&house, &running, 2).await.unwrap();
            entries.extend(wias.into_iter().map(|wia| wia.status.reference));
            devices.push(device);
        }
        revoke(&running, Selector::everything()).await;
        assert!(entries.iter().all(|entry| house.revoked(entry)));
        let frozen = house.wsca.state.lock().unwrap().frozen.clone();
        assert!(devices.iter().all(|device| frozen.contains(&device.unit)));
    }
}

#[tokio::test]
async fn what_cannot_be_meant_is_refused() {
    let house = House::new();
    let running = house.start().await;
    running.seed(3, "One", "1").await;
    let begin = |asked| running.provider.begin_bulk_revocation(asked, None);
    assert_eq!(
        problem(begin(asked(Selector::default())).await),
        Problem::Malformed
    );
    let mut alone = asked(Selector::everything());
    alone.extent = Extent::Keystore;
    assert_eq!(problem(begin(alone).await), Problem::NotOffered);
    let mut few = asked(Selector::everything());
    few.at_most = Some(2);
    assert_eq!(problem(begin(few).await), Problem::WrongState);
    let mut advised = asked(Selector::everything());
    advised.advisory = Some("see http://x".into());
    assert_eq!(problem(begin(advised).await), Problem::Malformed);
    assert_eq!(
        problem(running.provider.revocation_job("no such job").await),
        Problem::UnknownObject
    );
    assert_eq!(running.provider.do_jobs().await.unwrap(), 0);
    assert_eq!(
        running
            .count("SELECT count(*) FROM unit WHERE state = 'revoked'")
            .await,
        0
    );
}

/// Whoever was activated after the job began is not among those it means.
#[tokio::test]
async fn a_job_ends_though_units_keep_coming() {
    let house = House::new();
    let running = house.start().await;
    running.seed(10, "One", "1").await;
    let begun = running
        .provider
        .begin_bulk_revocation(asked(Selector::everything()), None);
    let job = begun.await.unwrap().job;
    house.pass(1);
    let late = Device::operational(&house, &running, "late").await;
    running.provider.do_jobs().await.unwrap();
    let job = running.provider.revocation_job(&job).await.unwrap();
    assert_eq!(
        (job.selected, job.revoked, job.state),
        (10, 10, JobState::Done)
    );
    assert_eq!(
        late.view(&house, &running).await.state,
        UnitState::Operational
    );
}

/// Two nodes at one job, and the same job asked for twice: each unit is revoked once.
#[tokio::test]
async fn nodes_share_the_pages_of_a_job() {
    for house in House::on_each() {
        let (one, two) = (house.start().await, house.start().await);
        one.seed(300, "One", "1").await;
        let mut jobs = Vec::new();
        for node in [&one, &two] {
            let begun = node
                .provider
                .begin_bulk_revocation(asked(Selector::everything()), None);
            jobs.push(begun.await.unwrap().job);
        }
        let (first, second) = tokio::join!(one.provider.do_jobs(), two.provider.do_jobs());
        first.unwrap();
        second.unwrap();
        let mut revoked = 0;
        for job in &jobs {
            let job = two.provider.revocation_job(job).await.unwrap();
            assert_eq!(job.state, JobState::Done);
            revoked += job.revoked;
        }
        assert_eq!(revoked, 300);
        assert_eq!(
            one.count("SELECT count(*) FROM unit_event WHERE reason = 'security'")
                .await,
            300
        );
    }
}

/// Counts what is published.
#[derive(Debug)]
struct Counting {
    lists: FolderPublisher,
    put: AtomicUsize,
}

#[async_trait]
impl Publisher for Counting {
    async fn put(
        &self,
        name: &str,
        tokens: Tokens,
        turn: Arc<dyn Turn>,
    ) -> Result<(), PublishError> {
        self.put.fetch_add(1, Ordering::SeqCst);
        self.lists.put(name, tokens, turn).await
    }

    async fn get(&self, name: &str, format: TokenFormat) -> Result<Option<Vec<u8>>, PublishError> {
        self.lists.get(name, format).await
    }

    async fn remove(&self, name: &str, turn: Arc<dyn Turn>) -> Result<(), PublishError> {
        self.lists.remove(name, turn).await
    }
}

/// Others write between its pages, and a list is not published for each unit.
#[tokio::test]
async fn a_large_job_lets_others_write_and_publishes_seldom() {
    let house = House::alone(|_| {});
    let lists = Arc::new(Counting {
        lists: FolderPublisher::new(house.folder.join("lists")).unwrap(),
        put: AtomicUsize::new(0),
    });
    let running = house.start_with(lists.clone()).await;
    let device = Device::operational(&house, &running, "mine").await;
    device.fresh_wia(&house, &running, 1).await.unwrap();
    running.seed(1000, "One", "1").await;
    // Each seeded unit has an entry in the list, which is theirs alone.
    running.sql("DELETE FROM status_entry").await;
    running
        .sql(
            "INSERT INTO status_entry (list, idx, unit, maintained_until)
             SELECT (SELECT min(id) FROM status_list),
                    5000 + (SELECT count(*) FROM unit AS before WHERE before.id < unit.id),
                    id, 4000000000
             FROM unit WHERE device_model = 'One'",
        )
        .await;
    let before = lists.put.load(Ordering::SeqCst);
    let model = with(|s| s.model = Some("One".into()));
    let begun = running.provider.begin_bulk_revocation(asked(model), None);
    let job = begun.await.unwrap().job;
    let others = async {
        let mut seen = Vec::new();
        while seen.len() < 20 {
            device.nonce(&house, &running).await.unwrap();
            let job = running.provider.revocation_job(&job).await.unwrap();
            seen.push(job.revoked);
            if job.state == JobState::Done {
                break;
            }
        }
        seen
    };
    let (done, seen) = tokio::join!(running.provider.do_jobs(), others);
    assert_eq!(done.unwrap(), 1000);
    assert!(
        seen.iter().any(|revoked| (1..1000).contains(revoked)),
        "nobody came in between: {seen:?}"
    );
    let published = lists.put.load(Ordering::SeqCst) - before;
    assert!(published <= 2, "published {published} times");
}

const FOLDER: &str = "CLAVIGER_BULK_KILL_FOLDER";
const SERVER: &str = "CLAVIGER_BULK_KILL_SERVER";

#[test]
fn killed_in_the_middle_another_node_goes_on() {
    let runtime = || tokio::runtime::Runtime::new().unwrap();
    if let Some(folder) = std::env::var_os(FOLDER) {
        return runtime().block_on(work_until_killed(Path::new(&folder)));
    }
    for mut house in House::on_each() {
        let database = house.server.take();
        house.address = database.as_ref().map(|database| database.url());
        let job = runtime().block_on(async {
            let running = house.start().await;
            running.provider.recover().await.unwrap();
            running.seed(2000, "One", "1").await;
            let begun = running
                .provider
                .begin_bulk_revocation(asked(Selector::everything()), None);
            let job = begun.await.unwrap().job;
            running.database.close().await;
            job
        });
        let mut last = 0;
        for _ in 0..3 {
            let seen = run_and_kill(&house.folder, house.address.as_deref());
            assert!(seen >= last, "it went back from {last} to {seen}");
            last = seen;
        }
        runtime().block_on(async {
            let running = house.start().await;
            let before = running.provider.revocation_job(&job).await.unwrap();
            assert!(before.revoked >= last, "what was told is on disk");
            running.provider.do_jobs().await.unwrap();
            let after = running.provider.revocation_job(&job).await.unwrap();
            assert_eq!((after.revoked, after.state), (2000, JobState::Done));
            assert_eq!(
                running
                    .count("SELECT count(*) FROM unit_event WHERE by = 'operator'")
                    .await,
                2000
            );
            assert_eq!(
                running
                    .count("SELECT count(*) FROM unit WHERE state <> 'revoked'")
                    .await,
                0
            );
            assert_eq!(
                running
                    .count("SELECT count(*) FROM unit WHERE freeze_due <> 0")
                    .await,
                0
            );
            running.database.close().await;
        });
        drop(database);
    }
}

/// The child: goes on with what it finds, and tells how far it is.
async fn work_until_killed(folder: &Path) {
    let mut house = House::at(folder, |_| {});
    house.address = std::env::var(SERVER).ok();
    let running = house.start().await;
    let told = async {
        loop {
            let jobs = running.provider.revocation_jobs().await.unwrap().jobs;
            // Not `eprintln!`, which the harness keeps to itself.
            #[allow(clippy::explicit_write)]
            writeln!(std::io::stderr(), "revoked {}", jobs[0].revoked).unwrap();
        }
    };
    tokio::join!(running.provider.keep_jobs_going(), told);
}

/// How far the child said it was when it was killed, in the middle of its work.
fn run_and_kill(folder: &Path, address: Option<&str>) -> u64 {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "--nocapture", "--test-threads=1"])
        .arg("killed_in_the_middle_another_node_goes_on")
        .env(FOLDER, folder)
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    if let Some(address) = address {
        command.env(SERVER, address);
    }
    let mut child = command.spawn().unwrap();
    let lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let (mut first, mut last) = (None, 0);
    for line in lines.map_while(Result::ok) {
        let Some(count) = line.strip_prefix("revoked ").and_then(|n| n.parse().ok()) else {
            continue;
        };
        last = count;
        // Some pages further than it began.
        if last >= *first.get_or_insert(last) + 128 {
            // SIGKILL on Unix: no handler, no destructor, no flush.
            child.kill().ok();
        }
    }
    child.wait().unwrap();
    last
}
