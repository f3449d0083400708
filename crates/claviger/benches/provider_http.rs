//! WIAs a second over HTTP, from a process of `claviger serve`, on SQLite and on
//! PostgreSQL, the load coming from this process on the same cores; beside it the
//! raw commit rate of the same run, and where the time goes. Exits with 1 when a goal
//! is missed.
//!
//! `cargo bench -p claviger --bench provider_http`
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr
)]

#[path = "../../benches/benches/support/goals.rs"]
mod goals;
mod load;
#[path = "../tests/support/mod.rs"]
mod support;

use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use goals::Goals;
use load::{CLIENTS, at, rate};
use store::sql::query;
use store::{Database, Error};
use wallet_client::keystore::DeviceKeystore;

/// As `claviger` has it: what the clients take is taken from what it could do.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// How long each rate is measured.
const DURING: Duration = Duration::from_secs(10);

fn main() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let mut goals = Goals::default();
        signatures();
        let place = tempfile::tempdir().unwrap();
        let raw = place.path().join("raw.db");
        on("SQLite", place.path(), None, &raw, 1500.0, &mut goals).await;
        match claviger_fixtures::postgres::database() {
            None => println!("SKIPPED PostgreSQL: there is none"),
            Some(database) => {
                let raw = claviger_fixtures::postgres::database().unwrap();
                let place = tempfile::tempdir().unwrap();
                let url = database.url();
                let raw = raw.url();
                let raw = Path::new(&raw);
                on(
                    "PostgreSQL",
                    place.path(),
                    Some(&url),
                    raw,
                    1000.0,
                    &mut goals,
                )
                .await;
            }
        }
        goals.report()
    })
}

async fn on(
    name: &str,
    place: &Path,
    database: Option<&str>,
    raw: &Path,
    goal: f64,
    goals: &mut Goals,
) {
    println!("{name}");
    let commits = commits(raw).await;
    println!("    {commits:.0} commits a second of one row, {CLIENTS} at once: the raw rate");
    let (node, url) = support::nodes::alone(place, database);
    let phones = load::phones(&url, "client", CLIENTS).await;
    let (warm, _) = rate(&phones, Duration::from_secs(2), None).await;
    assert!(warm > 0.0);
    let before = [cpu(node.id()), cpu(std::process::id())];
    let (most, latencies) = rate(&phones, DURING, None).await;
    let after = [cpu(node.id()), cpu(std::process::id())];
    let count = most * DURING.as_secs_f64();
    let each = |which: usize| (after[which] - before[which]) / count * 1e6;
    println!(
        "    at the most: p50 {:.1?}, p99 {:.1?}; a WIA takes {:.0} µs of the node's processor time \
         and {:.0} µs of the clients', {:.2} of a raw commit's time",
        at(&latencies, 0.5),
        at(&latencies, 0.99),
        each(0),
        each(1),
        commits / most,
    );
    goals.at_least(format!("{name}: WIAs a second"), most, goal);
    let half = rate(&phones, DURING, Some(most / 2.0)).await;
    goals.at_most(
        &format!("{name}: p99 at {:.0} WIAs a second, half of that", half.0),
        at(&half.1, 0.99),
        Duration::from_millis(100),
    );
}

/// Commits a second of one row each, as many writers at once as there are clients.
async fn commits(at: &Path) -> f64 {
    let database = Database::open(at).await.unwrap();
    database.synced().await.unwrap();
    let begun = Instant::now();
    let writers = (0..CLIENTS as i64).map(|writer| {
        let database = database.clone();
        tokio::spawn(async move {
            let mut done = 0;
            while begun.elapsed() < DURING / 2 {
                let jti = format!("{writer}-{done}");
                database
                    .write::<_, Error, _>(move |tx| {
                        Box::pin(async move {
                            query(
                                "INSERT INTO spent_request (unit, jti, forget_at) VALUES (?, ?, 0)",
                            )
                            .bind([7u8; 16])
                            .bind(jti)
                            .execute(tx)
                            .await
                        })
                    })
                    .await
                    .unwrap();
                done += 1;
            }
            done
        })
    });
    let mut all = 0;
    for writer in writers.collect::<Vec<_>>() {
        all += writer.await.unwrap();
    }
    let rate = f64::from(all) / begun.elapsed().as_secs_f64();
    database.close().await;
    rate
}

/// What the cryptography of a WIA costs: the clients sign the request and the key's
/// proof and verify the answer, the node verifies both and signs WIA and answer.
fn signatures() {
    let key = wallet_client::keystore::SoftwareKeystore::generate().unwrap();
    let signing = key.signing();
    let runs = 300;
    let time = |run: &mut dyn FnMut()| {
        let begun = Instant::now();
        (0..runs).for_each(|_| run());
        begun.elapsed() / runs
    };
    let runtime = tokio::runtime::Handle::current();
    let sign =
        || tokio::task::block_in_place(|| runtime.block_on(signing.sign(&[7; 600])).unwrap());
    let signature = sign();
    let signed = time(&mut || drop(sign()));
    let public = signing.public_key();
    let verified = time(&mut || public.verify(&[7; 600], &signature).unwrap());
    println!(
        "one ES256 signature {signed:.1?}, one verification {verified:.1?}: {:.0?} of them for a WIA, \
         both sides together",
        signed * 4 + verified * 3
    );
}

/// The processor time that a process has taken, in seconds.
fn cpu(process: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    // After the name, which may hold spaces: the state, and eleven more fields.
    let fields = stat.rsplit(')').next().unwrap_or_default();
    let ticks = fields.split_whitespace().skip(11).take(2);
    ticks
        .filter_map(|ticks| ticks.parse::<f64>().ok())
        .sum::<f64>()
        / 100.0
}
