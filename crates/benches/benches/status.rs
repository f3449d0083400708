//! The speed goals of status lists: ratios of things measured in turn in this one
//! run, or bounds, each printed beside its goal. Exits with 1 when one is missed.
//!
//! `cargo bench -p claviger-benches --bench status`
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr
)]

#[path = "support/goals.rs"]
mod goals;
#[path = "support/provider_house.rs"]
mod house;
#[path = "support/timing.rs"]
mod timing;

use std::collections::HashSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::time::{Duration, Instant};

use claviger_fixtures::TestKey;
use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use goals::Goals;
use house::{House, SET, SIZE};
use jose::Curve;
use provider_api::RevocationReason;
use sci::UnitId;
use status_list::{Bits, CompressionEffort, Status, StatusList, StatusListToken};
use tokio::runtime::Runtime;
use wallet_provider::{ListKind, WalletProvider};

const LISTS: u64 = 10;

/// The first argument of the process whose memory is measured.
const ROLE: &str = "measure-memory-of-publishing";

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    if arguments.next().as_deref() == Some(ROLE) {
        return measure(&arguments.next().unwrap());
    }
    let runtime = Runtime::new().unwrap();
    let mut goals = Goals::default();
    signing(&runtime, &mut goals);
    for (name, place) in places() {
        println!("on {name}:");
        runtime.block_on(publishing(&place, &mut goals));
        keeping(name, &mut goals);
        runtime.block_on(allocating(&place, &mut goals));
    }
    goals.report()
}

/// Where databases are made: beside a file, and on the server, if there is one.
enum Place {
    Sqlite,
    Postgres,
}

fn places() -> Vec<(&'static str, Place)> {
    vec![("SQLite", Place::Sqlite), ("PostgreSQL", Place::Postgres)]
}

/// A database's address, and what keeps it there.
struct Fresh {
    folder: tempfile::TempDir,
    address: PathBuf,
    _server: Option<claviger_fixtures::postgres::Database>,
}

impl Place {
    fn fresh(&self) -> Option<Fresh> {
        let folder = tempfile::tempdir().unwrap();
        let (address, server) = match self {
            Self::Sqlite => (folder.path().join("bench.db"), None),
            Self::Postgres => {
                let server = claviger_fixtures::postgres::database()?;
                (PathBuf::from(server.url()), Some(server))
            }
        };
        Some(Fresh {
            folder,
            address,
            _server: server,
        })
    }
}

/// Both tokens of a list beside the one compression that they stand on.
fn signing(runtime: &Runtime, goals: &mut Goals) {
    const TIMES: u32 = 20;
    let mut list = StatusList::new(Bits::One, SIZE).unwrap();
    let mut random = 1u64;
    while list.not_valid() < SET {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        list.set((random >> 33) % SIZE, Status::INVALID).unwrap();
    }
    let bytes = list.as_bytes().to_vec();
    for level in [1, 4, 5, 6, 7, 8, 9] {
        let mut size = 0;
        let (time, _) = timing::few(|| size = zlib(&bytes, level).len(), || ());
        println!("    (zlib, level {level}: {time:.1?}, {size} bytes)");
    }
    let key = TestKey::generate(Curve::P256);
    let chain = [vec![0x30; 600]];
    let now = "2026-11-22T12:00:00Z".parse().unwrap();
    let mut token = StatusListToken::new("https://provider.example/status/1", now, list);
    token.effort = CompressionEffort::Quick;
    let sign = || {
        runtime.block_on(async {
            let packed = token.pack().unwrap();
            let jwt = packed.sign(&chain, &key).await.unwrap();
            let cwt = packed.sign_cwt(&chain, &key).await.unwrap();
            (jwt, cwt)
        })
    };
    for (level, what) in [(5, "at the same level"), (6, "at its usual level")] {
        let (both, raw) = timing::few(
            || (0..TIMES).for_each(|_| drop(sign())),
            || (0..TIMES).for_each(|_| drop(zlib(&bytes, level))),
        );
        goals.ratio(
            &format!("both tokens of 1,000,000 entries, 1 % set / zlib {what}"),
            both / TIMES,
            raw / TIMES,
            1.2,
        );
    }
    let (jwt, cwt) = sign();
    for (form, token) in [("JWT", jwt.as_bytes()), ("CWT", &cwt)] {
        let mut gzipped = GzEncoder::new(Vec::new(), Compression::default());
        gzipped.write_all(token).unwrap();
        let gzipped = gzipped.finish().unwrap().len();
        println!("    ({form}: {} bytes, {gzipped} by gzip)", token.len());
    }
}

fn zlib(bytes: &[u8], level: u32) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::new(level));
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// From the revocation to the answer, which comes when every list is published.
async fn publishing(place: &Place, goals: &mut Goals) {
    const EACH: usize = 200;
    for (lists_a_unit, what) in [(2, "two of them"), (LISTS, "all of them")] {
        let Some(fresh) = place.fresh() else { return };
        let house = House::open(fresh.folder.path(), &fresh.address).await;
        let units = house.seed(LISTS, EACH, lists_a_unit).await;
        let provider = Arc::new(house.node().await);
        provider.publish_changed().await.unwrap();
        let again = Instant::now();
        let times = revoke_all(&provider, units).await;
        let seconds = again.elapsed().as_secs_f64();
        let p99 = percentile(&times, 99);
        goals.at_most(
            &format!("revoked to published, ten lists, entries in {what}: p99"),
            p99,
            Duration::from_millis(300),
        );
        let p50 = percentile(&times, 50);
        println!(
            "    (p50 {p50:.1?}, {:.0} revocations a second)",
            EACH as f64 / seconds
        );
        all_published(&house, fresh.folder.path()).await;
    }
}

/// What a node keeps in memory of ten lists, in a process that does nothing else: in
/// this one, what was freed before would be used again and not counted.
fn keeping(name: &str, goals: &mut Goals) {
    let output = Command::new(std::env::current_exe().unwrap())
        .args([ROLE, name])
        // What is freed goes back, so that what is counted is what is held.
        .env("MALLOC_ARENA_MAX", "1")
        .env("MALLOC_TRIM_THRESHOLD_", "0")
        .env("MALLOC_TOP_PAD_", "0")
        .env("MALLOC_MMAP_THRESHOLD_", "65536")
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
    let kept = String::from_utf8_lossy(&output.stdout);
    match kept.trim().parse::<u64>() {
        Ok(kept) => {
            let entries = (LISTS * SIZE) as f64;
            goals.bound("memory, in bytes an entry", kept as f64 / entries, 2.0);
        }
        Err(_) => println!("NOT MEASURED  memory on {name}: {told}"),
    }
}

/// The measured process: prints what a node keeps, in bytes.
fn measure(name: &str) -> ExitCode {
    let (_, place) = places()
        .into_iter()
        .find(|(known, _)| *known == name)
        .unwrap();
    let kept = Runtime::new().unwrap().block_on(async {
        let fresh = place.fresh()?;
        let house = House::open(fresh.folder.path(), &fresh.address).await;
        let units = house.seed(LISTS, 40, LISTS).await;
        let provider = Arc::new(house.node().await);
        let before = memory()?;
        provider.publish_changed().await.unwrap();
        revoke_all(&provider, units).await;
        Some(memory()?.saturating_sub(before))
    });
    match kept {
        Some(kept) => println!("{kept}"),
        None => eprintln!("there is no such database, or no /proc"),
    }
    ExitCode::SUCCESS
}

/// One every 50 ms, whether or not those before it are answered.
async fn revoke_all(provider: &Arc<WalletProvider>, units: Vec<UnitId>) -> Vec<Duration> {
    let mut pace = tokio::time::interval(Duration::from_millis(50));
    let mut tasks = Vec::new();
    for unit in units {
        pace.tick().await;
        let provider = Arc::clone(provider);
        tasks.push(tokio::spawn(async move {
            let begun = Instant::now();
            let reason = RevocationReason::Security;
            provider.revoke_by_operator(unit, reason).await.unwrap();
            begun.elapsed()
        }));
    }
    let mut times = Vec::new();
    for task in tasks {
        times.push(task.await.unwrap());
    }
    times.sort_unstable();
    times
}

/// What was timed is what is there: every entry that is set is in its file.
async fn all_published(house: &House, folder: &Path) {
    let mut reader = house.database.reader().await.unwrap();
    let set: Vec<(i64, i64)> = store::sql::query("SELECT list, idx FROM status_set")
        .all(&mut reader)
        .await
        .unwrap();
    let mut lists = std::collections::HashMap::new();
    for (list, idx) in set {
        let list = lists.entry(list).or_insert_with(|| {
            let file = folder.join(format!("lists/list{list}.jwt"));
            let token = std::fs::read_to_string(file).unwrap();
            let claims = jose::jws::parse(&token, 1 << 24).unwrap().claims().unwrap();
            let list = claims.get("status_list").unwrap();
            StatusList::from_json(list, &status_list::Limits::default()).unwrap()
        });
        assert!(!list.get(idx as u64).unwrap().is_valid());
    }
}

/// Indices drawn by two nodes at once, as each issuance draws them.
async fn allocating(place: &Place, goals: &mut Goals) {
    const TIME: Duration = Duration::from_secs(4);
    let Some(fresh) = place.fresh() else { return };
    let house = House::open(fresh.folder.path(), &fresh.address).await;
    let begun = Instant::now();
    let mut tasks = Vec::new();
    for _ in 0..2 {
        let node = house.node().await;
        tasks.push(tokio::spawn(async move {
            let mut drawn = Vec::new();
            while begun.elapsed() < TIME {
                drawn.extend(node.draw(ListKind::Wia, 10).await.unwrap());
            }
            drawn
        }));
    }
    let mut all = Vec::new();
    for task in tasks {
        all.extend(task.await.unwrap());
    }
    let rate = all.len() as f64 / begun.elapsed().as_secs_f64();
    goals.at_least("indices a second over two nodes".to_owned(), rate, 50_000.0);
    let unique: HashSet<_> = all.iter().collect();
    goals.bound(
        &format!("indices twice, of {}", all.len()),
        (all.len() - unique.len()) as f64,
        0.0,
    );
}

fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    let place = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
    sorted.get(place).copied().unwrap_or_default()
}

/// What the kernel counts for this process, in bytes.
fn memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    let kibibytes: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kibibytes * 1024)
}
