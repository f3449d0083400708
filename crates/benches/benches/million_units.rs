//! Issuance and revocation in a database of very many units, beside one of few; and
//! how large it is. On both databases. Exits with 1 when a goal is missed.
//!
//! `cargo bench -p claviger-benches --bench million_units`; `CLAVIGER_BENCH_UNITS`
//! says how many units: 20,000 where it does not, for a look. The goal is stated for
//! 1,000,000, and only a run of so many measures it; any other says so.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr
)]

#[path = "support/goals.rs"]
mod goals;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use goals::Goals;
use jiff::{SignedDuration, Timestamp};
use sci::UnitId;
use store::provider::SqlProviderStore;
use store::sql::query;
use store::{Database, Error, Kind};
use wallet_provider::{
    Issuance, ListKind, NewEntry, NewList, ProviderStore, Revocation, RevocationReason, Revoker,
    SpentRequest,
};

/// Of how many units the goal speaks.
const GOAL: i64 = 1_000_000;
/// How many entries the list has that is drawn from.
const SIZE: u64 = 1_000_000;
/// Entries of each unit.
const ENTRIES: i64 = 4;
/// Units of the small database: enough to work on, and no more.
const FEW: i64 = 1_000;
/// How many of each are timed.
const ISSUED: usize = 400;
const REVOKED: usize = 200;

#[tokio::main]
async fn main() -> ExitCode {
    let units = std::env::var("CLAVIGER_BENCH_UNITS").map_or(20_000, |n| n.parse().unwrap());
    let mut goals = Goals::default();
    for kind in [Kind::Sqlite, Kind::Postgres] {
        let (Some(many), Some(few)) =
            (Seeded::new(kind, units).await, Seeded::new(kind, FEW).await)
        else {
            println!("SKIPPED PostgreSQL: there is none");
            continue;
        };
        println!(
            "{kind:?}: {units} units of {ENTRIES} entries each take {:.0} bytes a unit",
            many.bytes().await / units as f64
        );
        let mut times = [const { Vec::new() }; 4];
        for turn in 0..ISSUED {
            times[0].push(many.issue(turn).await);
            times[1].push(few.issue(turn).await);
        }
        for turn in 0..REVOKED {
            times[2].push(many.revoke(turn).await);
            times[3].push(few.revoke(turn).await);
        }
        let [issued, issued_few, revoked, revoked_few] = times.map(median);
        let name = |what| format!("{kind:?}: {what} among {units} units / among {FEW}");
        goals.ratio(&name("an issuance"), issued, issued_few, 1.5);
        goals.ratio(&name("a revocation"), revoked, revoked_few, 1.5);
    }
    if units < GOAL {
        println!(
            "NOT MEASURED  the goal is for {GOAL} units: what holds above holds for {units}. \
             Set CLAVIGER_BENCH_UNITS={GOAL}"
        );
    }
    goals.report()
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

/// A database of so many units, and what keeps it there.
struct Seeded {
    database: Database,
    store: SqlProviderStore,
    units: i64,
    list: i64,
    _folder: tempfile::TempDir,
    _server: Option<claviger_fixtures::postgres::Database>,
}

impl Seeded {
    async fn new(kind: Kind, units: i64) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let server = match kind {
            Kind::Sqlite => None,
            Kind::Postgres => Some(claviger_fixtures::postgres::database()?),
        };
        let address: PathBuf = match &server {
            Some(server) => server.url().into(),
            None => folder.path().join("claviger.db"),
        };
        let database = Database::open(address).await.unwrap();
        let begun = Instant::now();
        let seeds = match kind {
            Kind::Sqlite => SQLITE,
            Kind::Postgres => POSTGRES,
        };
        for sql in seeds {
            put(&database, sql, units).await;
        }
        println!("{kind:?}: {units} units seeded in {:.1?}", begun.elapsed());
        let store = SqlProviderStore::new(database.clone());
        let new = NewList {
            kind: ListKind::Wia,
            name: "measured".into(),
            uri: "https://provider.example/status/measured".into(),
            size: SIZE,
            key_check: [0; 8],
        };
        let list = store.take_block(new, 100_000, now()).await.unwrap().list;
        Some(Self {
            database,
            store,
            units,
            list,
            _folder: folder,
            _server: server,
        })
    }

    /// A unit somewhere among them, another one each turn.
    fn unit(&self, turn: usize) -> UnitId {
        let place = (turn as i64 * 7919) % self.units + 1;
        let number = (place * 2_654_435_761_987) % 10_000_000_000_000_000;
        UnitId::from_slice(format!("{number:016}").as_bytes()).unwrap()
    }

    async fn issue(&self, turn: usize) -> Duration {
        let request = SpentRequest {
            jti: format!("turn {turn}"),
            forget_at: now(),
        };
        let mut issuance = Issuance::new(self.unit(turn), request, now());
        issuance.entries = vec![NewEntry {
            list: self.list,
            // Another one each turn: the two numbers have no factor in common.
            index: turn as u64 * 7919 % SIZE,
            maintained_until: now() + SignedDuration::from_hours(60 * 24),
        }];
        let begun = Instant::now();
        self.store.issue(issuance).await.unwrap();
        begun.elapsed()
    }

    async fn revoke(&self, turn: usize) -> Duration {
        let revocation = Revocation {
            unit: self.unit(turn),
            by: Revoker::Operator,
            reason: RevocationReason::Security,
            name: None,
            advisory: None,
            at: now(),
        };
        let begun = Instant::now();
        let revoked = self.store.revoke(revocation).await.unwrap();
        let took = begun.elapsed();
        assert!(!revoked.already && revoked.entries >= ENTRIES as u64);
        took
    }

    /// All of it, tables and indexes.
    async fn bytes(&self) -> f64 {
        let sql = match self.database.kind() {
            Kind::Sqlite => {
                "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size"
            }
            Kind::Postgres => "SELECT pg_database_size(current_database())",
        };
        let bytes: i64 = query(sql)
            .one(&mut self.database.reader().await.unwrap())
            .await
            .unwrap();
        bytes as f64
    }
}

async fn put(database: &Database, sql: &'static str, units: i64) {
    database
        .write::<_, Error, _>(move |tx| {
            Box::pin(async move {
                let statement = query(sql);
                let statement = match sql.contains("?1") {
                    true => statement.bind(units),
                    false => statement,
                };
                statement.execute(tx).await
            })
        })
        .await
        .unwrap();
}

fn now() -> Timestamp {
    Timestamp::from_second(1_796_000_000).unwrap()
}

/// Units with identifiers of no order, keys of the length of keys, a device's record
/// of a usual length, two events, and entries spread over lists of a million.
const SQLITE: &[&str] = &[
    "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)
     INSERT INTO account (id, alias, created_at)
     SELECT i, 'seeded ' || i, 1790000000 FROM n",
    "INSERT INTO unit (id, account, state, signing_key, signing_thumbprint, agreement_key,
                       agreement_thumbprint, evidence, wallet_version, created_at)
     SELECT CAST(printf('%016d', (id * 2654435761987) % 10000000000000000) AS BLOB), id,
            'operational', randomblob(91), randomblob(32), randomblob(91), randomblob(32),
            hex(randomblob(200)), '1.0.0', 1790000000 FROM account",
    "INSERT INTO unit_event (unit, at_ms, state) SELECT id, 1790000000000, 'installed' FROM unit",
    "INSERT INTO unit_event (unit, at_ms, state) SELECT id, 1790000001000, 'operational' FROM unit",
    "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1 + ?1 * 4 / 1000000)
     INSERT INTO status_list (id, kind, name, uri, size, key_check, next_counter, closed_at)
     SELECT i, 'wia', 'seeded ' || i, 'https://provider.example/status/' || i, 1000000,
            zeroblob(8), 1000000, 1790000000 FROM n",
    "WITH k (k) AS (VALUES (0), (1), (2), (3))
     INSERT INTO status_entry (list, idx, unit, maintained_until)
     SELECT 1 + (account * 4 - 4 + k) / 1000000, ((account * 4 - 4 + k) * 7919) % 1000000, id,
            1800000000 FROM unit, k",
];

const POSTGRES: &[&str] = &[
    "INSERT INTO account (id, alias, created_at) SELECT i, 'seeded ' || i, 1790000000
     FROM generate_series(1, ?1) AS n (i)",
    "INSERT INTO unit (id, account, state, signing_key, signing_thumbprint, agreement_key,
                       agreement_thumbprint, evidence, wallet_version, created_at)
     SELECT convert_to(lpad(((id * 2654435761987) % 10000000000000000)::text, 16, '0'), 'UTF8'), id,
            'operational',
            substr(made || sha256(made) || sha256(made || made), 1, 91),
            sha256(made || '1'),
            substr(sha256(made) || made || sha256(made || '2'), 1, 91),
            sha256(made || '3'),
            repeat(md5(id::text), 6) || repeat(md5(alias), 6), '1.0.0', 1790000000
     FROM (SELECT id, alias, sha256(id::text::bytea) AS made FROM account) AS account",
    "INSERT INTO unit_event (unit, at_ms, state) SELECT id, 1790000000000, 'installed' FROM unit",
    "INSERT INTO unit_event (unit, at_ms, state) SELECT id, 1790000001000, 'operational' FROM unit",
    "INSERT INTO status_list (id, kind, name, uri, size, key_check, next_counter, closed_at)
     SELECT i, 'wia', 'seeded ' || i, 'https://provider.example/status/' || i, 1000000,
            '12345678'::bytea, 1000000, 1790000000
     FROM generate_series(1, 1 + ?1 * 4 / 1000000) AS n (i)",
    "INSERT INTO status_entry (list, idx, unit, maintained_until)
     SELECT 1 + (account * 4 - 4 + k) / 1000000, ((account * 4 - 4 + k) * 7919) % 1000000, id,
            1800000000 FROM unit CROSS JOIN generate_series(0, 3) AS n (k)",
    "SELECT setval(pg_get_serial_sequence('status_list', 'id'), max(id)) FROM status_list",
    "ANALYZE",
];
