//! WIAs and revocations over HTTP, from a process of `claviger serve` whose database
//! has very many units, beside one that has none but its clients'; and how large that
//! database is. On both databases. Exits with 1 when a goal is missed.
//!
//! `cargo bench -p claviger --bench million_units [-- sqlite|postgres]`;
//! `CLAVIGER_BENCH_UNITS` says how many units: 20,000 where it does not, for a look. The
//! goal is stated for 1,000,000, and only a run of so many measures it (half an hour, most
//! of it to make them); any other says so.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr
)]

#[path = "../tests/attested/mod.rs"]
mod attested;
#[path = "../../device-evidence/tests/support/mod.rs"]
mod devices;
#[path = "../../benches/benches/support/goals.rs"]
mod goals;
mod load;
#[path = "../tests/support/mod.rs"]
mod support;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use attested::AndroidPhone;
use devices::android::Bed;
use goals::Goals;
use load::{CLIENTS, at, rate};
use provider_api::RevocationReason;
use store::sql::query;
use store::{Database, Error, Kind};
use support::served::Served;
use support::{Phone, is_set};
use wallet_client::keystore::{DeviceKeystore, SoftwareKeystore};

/// As `claviger` has it: what the clients take is taken from what it could do.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Of how many units the goal speaks.
const GOAL: i64 = 1_000_000;
/// Entries of each unit: two WIAs, and a KA of two keys for each of its two storages.
const ENTRIES: i64 = 4;
/// How often the two nodes are measured in turn, and for how long each time.
const TURNS: usize = 6;
const DURING: Duration = Duration::from_secs(5);
/// How many units are revoked at each node in each turn.
const REVOKED: usize = 20;
/// WIAs a second that are asked for: half of what a node must be able to give.
const PACE: [f64; 2] = [750.0, 500.0];

fn main() -> ExitCode {
    let units = std::env::var("CLAVIGER_BENCH_UNITS").map_or(20_000, |n| n.parse().unwrap());
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let mut goals = Goals::default();
        let asked: Vec<String> = std::env::args().collect();
        let without = |kind: &str| !asked.iter().any(|word| word == kind);
        for (kind, pace, other) in [
            (Kind::Sqlite, PACE[0], "postgres"),
            (Kind::Postgres, PACE[1], "sqlite"),
        ] {
            if without(other) {
                on(kind, pace, units, &mut goals).await;
            }
        }
        if units < GOAL {
            println!(
                "NOT MEASURED  the goal is for {GOAL} units: what holds above holds for {units}. \
                 Set CLAVIGER_BENCH_UNITS={GOAL}"
            );
        }
        goals.report()
    })
}

async fn on(kind: Kind, pace: f64, units: i64, goals: &mut Goals) {
    let (Some(few), Some(many)) = (House::new(kind, 0).await, House::new(kind, units).await) else {
        println!("SKIPPED PostgreSQL: there is none");
        return;
    };
    let houses = [few, many];
    let mut wias = [const { Vec::new() }; 2];
    let mut revocations = [const { Vec::new() }; 2];
    for house in &houses {
        // Pages that nobody has read yet are read now.
        rate(&house.phones, DURING, Some(pace)).await;
    }
    for turn in 0..TURNS {
        for (which, house) in houses.iter().enumerate() {
            let (_, took) = rate(&house.phones, DURING, Some(pace)).await;
            wias[which].extend(took);
            for phone in &house.leaving[turn * REVOKED..][..REVOKED] {
                revocations[which].push(revoke(phone).await);
            }
        }
    }
    for (what, mut times) in [
        (format!("a WIA at {pace:.0} a second"), wias),
        (
            "a revocation, until it is published".to_owned(),
            revocations,
        ),
    ] {
        times.iter_mut().for_each(|times| times.sort_unstable());
        for (name, share) in [("p50", 0.5), ("p99", 0.99)] {
            goals.ratio(
                &format!("{kind:?}: {what}, {name}, {units} units / its clients' alone"),
                at(&times[1], share),
                at(&times[0], share),
                1.5,
            );
        }
    }
}

/// Revokes a unit, and sees that the list says so.
async fn revoke(phone: &Phone) -> Duration {
    let (_, uri, index) = phone.wia().await;
    let request = phone.revocation(RevocationReason::LostOrStolen);
    let begun = Instant::now();
    phone.provider.revoke(&request).await.unwrap();
    let token = reqwest::get(&uri).await.unwrap().bytes().await.unwrap();
    let took = begun.elapsed();
    assert!(is_set(&token, &uri, index));
    took
}

/// A node on a database of so many units beside those of its clients.
struct House {
    /// Who ask for WIAs.
    phones: Vec<Arc<Phone>>,
    /// Who are revoked.
    leaving: Vec<Arc<Phone>>,
    _node: Served,
    _folder: tempfile::TempDir,
    _server: Option<claviger_fixtures::postgres::Database>,
}

impl House {
    async fn new(kind: Kind, units: i64) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let server = match kind {
            Kind::Sqlite => None,
            Kind::Postgres => Some(claviger_fixtures::postgres::database()?),
        };
        let url = server.as_ref().map(|server| server.url());
        let bed = Bed::new();
        let settings = format!(
            "{}per_account = {{ per_minute = 0, burst = 1 }}\n",
            support::nodes::NO_LIMITS
        );
        let (mut node, base) = attested::serve_on(folder.path(), &bed, url.as_deref(), &settings);
        if units > 0 {
            one_of_each(&base, bed).await;
            node.stop();
            let database: PathBuf = match &url {
                Some(url) => url.into(),
                None => folder.path().join("data/claviger.db"),
            };
            seed(&database, kind, units).await;
            let begun = Instant::now();
            let config = folder.path().join(attested::CONFIG);
            node = Served::start(&config, &format!("{base}/ready"));
            println!("{kind:?}: a node starts on it in {:.1?}", begun.elapsed());
        }
        Some(Self {
            phones: load::phones(&base, "client", CLIENTS).await,
            leaving: load::phones(&base, "leaving", TURNS * REVOKED).await,
            _node: node,
            _folder: folder,
            _server: server,
        })
    }
}

/// The unit of which the others are copies: set up by its SDK on a phone that is
/// attested, with all that a unit begins with and one WIA more.
async fn one_of_each(base: &str, bed: Bed) {
    let phone = AndroidPhone {
        bed: Some(bed),
        ..AndroidPhone::default()
    };
    let device = Arc::new(SoftwareKeystore::generate().unwrap());
    let (provider, unit) = attested::set_up(base, &phone, &device).await;
    let key = device.fresh_signing_key().unwrap();
    let (keys, options) = ([key.as_ref()], <_>::default());
    let more = provider.wias(unit.unit, device.signing(), &keys, &options);
    more.await.unwrap();
}

/// What a copy has of its own: a column, and its value on SQLite and on PostgreSQL.
/// `n` is the unit's number, `k` that of the template's row.
type Own = (&'static str, &'static str, &'static str);

const UNIT: [&str; 2] = [
    "CAST(printf('%016d', (n * 2654435761987) % 10000000000000000) AS BLOB)",
    "convert_to(lpad(((n * 2654435761987) % 10000000000000000)::text, 16, '0'), 'UTF8')",
];
const HASH: [&str; 2] = [
    "randomblob(32)",
    "sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()))",
];
const ID: [&str; 2] = ["randomblob(16)", "uuid_send(gen_random_uuid())"];
const ACCOUNT: [&str; 2] = ["1000000 + n"; 2];

const fn own(column: &'static str, [sqlite, postgres]: [&'static str; 2]) -> Own {
    (column, sqlite, postgres)
}

/// Every table in which a unit leaves rows that stay, its account and the WSCA's side
/// of it included. The WSCA's copies are in shards that no node looks at, because their
/// MACs are not over what they say.
const TABLES: &[(&str, &[Own])] = &[
    (
        "account",
        &[own("id", ACCOUNT), own("alias", ["'seeded ' || n"; 2])],
    ),
    (
        "recovery_code",
        &[own("account", ACCOUNT), own("hash", HASH)],
    ),
    (
        "unit",
        &[
            own("id", UNIT),
            own("account", ACCOUNT),
            own("signing_thumbprint", HASH),
            own("agreement_thumbprint", HASH),
        ],
    ),
    (
        "unit_event",
        &[own("id", ["1000000 + n * 100 + k"; 2]), own("unit", UNIT)],
    ),
    ("unit_storage", &[own("unit", UNIT)]),
    (
        "unit_certificate",
        &[own("unit", UNIT), own("certificate", HASH)],
    ),
    ("instance_key", &[own("hash", HASH)]),
    ("attested_key", &[own("hash", HASH)]),
    (
        "status_entry",
        &[
            own("unit", UNIT),
            own("list", ["1000 + (n * 4 - 4 + k) / 1000000"; 2]),
            own("idx", ["((n * 4 - 4 + k) * 7919) % 1000000"; 2]),
        ],
    ),
    (
        "wsca_unit",
        &[own("unit", UNIT), own("shard", ["1000 + shard"; 2])],
    ),
    ("wsca_key", &[own("unit", UNIT), own("id", ID)]),
    ("wsca_item", &[own("unit", UNIT)]),
];

/// Copies the one unit of the database so many times.
async fn seed(address: &PathBuf, kind: Kind, units: i64) {
    let database = Database::open(address).await.unwrap();
    let begun = Instant::now();
    let before = bytes(&database).await;
    if kind == Kind::Sqlite {
        // Rows in no order, into tables that grow: in memory, in KiB, until it is closed.
        put(&database, "PRAGMA cache_size = -8000000".to_owned()).await;
    }
    // Lists of a million entries that are full.
    let lists = units * ENTRIES / 1_000_000 + 1;
    put(&database, format!(
        "INSERT INTO status_list (id, kind, name, uri, size, key_check, next_counter, closed_at) \
         SELECT 999 + n, kind, 'seeded-' || n, uri || '-' || n, 1000000, key_check, 1000000, 1790000000 \
         FROM (SELECT * FROM status_list WHERE kind = 'wia') AS list CROSS JOIN ({}) AS numbers",
        numbers(kind, lists),
    ))
    .await;
    for (table, own) in TABLES {
        let columns = columns(&database, table).await;
        let values: Vec<&str> = columns
            .iter()
            .map(|column| {
                let value = own.iter().find(|(name, _, _)| name == column);
                value.map_or(column.as_str(), |(_, sqlite, postgres)| match kind {
                    Kind::Sqlite => sqlite,
                    Kind::Postgres => postgres,
                })
            })
            .collect();
        let copied = put(
            &database,
            format!(
                "INSERT INTO {table} ({}) SELECT {} FROM \
             (SELECT *, row_number() OVER () - 1 AS k FROM {table}) AS template \
             CROSS JOIN ({}) AS numbers",
                columns.join(", "),
                values.join(", "),
                numbers(kind, units),
            ),
        )
        .await;
        println!(
            "{kind:?}: {table}: {} rows a unit",
            copied as f64 / units as f64
        );
    }
    put(
        &database,
        "INSERT INTO status_set (list, idx, revision) SELECT list, idx, 1 FROM status_entry \
         WHERE list >= 1000 AND idx % 100 = 7"
            .to_owned(),
    )
    .await;
    if kind == Kind::Postgres {
        // What the server would do by and by, while we measure.
        let mut connection = database.reader().await.unwrap();
        for sql in ["VACUUM ANALYZE", "CHECKPOINT"] {
            query(sql).execute(&mut connection).await.unwrap();
        }
    }
    println!(
        "{kind:?}: {units} units in {:.0?}, {:.0} bytes a unit",
        begun.elapsed(),
        (bytes(&database).await - before) / units as f64
    );
    database.close().await;
}

/// 1, 2, … in a column `n`.
fn numbers(kind: Kind, to: i64) -> String {
    match kind {
        Kind::Sqlite => format!(
            "WITH RECURSIVE numbers (n) AS \
             (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {to}) SELECT n FROM numbers"
        ),
        Kind::Postgres => format!("SELECT n FROM generate_series(1, {to}::bigint) AS numbers (n)"),
    }
}

async fn columns(database: &Database, table: &str) -> Vec<String> {
    let sql = match database.kind() {
        Kind::Sqlite => "SELECT name FROM pragma_table_info(?1)",
        Kind::Postgres => {
            "SELECT column_name::text FROM information_schema.columns
             WHERE table_schema = current_schema() AND table_name = ?1"
        }
    };
    let mut reader = database.reader().await.unwrap();
    query(sql).bind(table).all(&mut reader).await.unwrap()
}

async fn put(database: &Database, sql: String) -> u64 {
    // A statement is text that stays: there are a dozen of them.
    let sql: &'static str = sql.leak();
    database
        .write::<_, Error, _>(move |tx| Box::pin(query(sql).execute(tx)))
        .await
        .unwrap()
}

/// All of the database, tables and indexes.
async fn bytes(database: &Database) -> f64 {
    let sql = match database.kind() {
        Kind::Sqlite => "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size",
        Kind::Postgres => "SELECT pg_database_size(current_database())",
    };
    let mut reader = database.reader().await.unwrap();
    let bytes: i64 = query(sql).one(&mut reader).await.unwrap();
    bytes as f64
}
