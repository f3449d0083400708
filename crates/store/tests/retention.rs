//! What users are told is held is what a database holds: its own schema is asked. And
//! what the key storage forgets at a unit's next visit is gone after it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

use std::collections::BTreeSet;

use claviger_fixtures::postgres;
use jiff::{SignedDuration, Timestamp};
use sci::UnitId;
use store::sql::query;
use store::wsca::SqlWscaStore;
use store::{Database, Kind};
use wallet_provider::retention::{HELD, Until};
use wsca::{
    Batch, ExchangeKind, ExchangeRow, NonceRow, SessionRow, ShardRow, UnitRow, Write, WscaStore,
};

/// The databases, and what must outlive them.
type Opened = (Database, Option<postgres::Database>);

/// SQLite, and PostgreSQL where it can be run.
async fn databases(folder: &std::path::Path) -> Vec<Opened> {
    let sqlite = Database::open(folder.join("claviger.db")).await.unwrap();
    let mut databases = vec![(sqlite, None)];
    if let Some(postgres) = postgres::database() {
        let database = Database::open(postgres.url()).await.unwrap();
        databases.push((database, Some(postgres)));
    }
    databases
}

const SCHEMA_OF_SQLITE: &str = "SELECT tables.name, columns.name
    FROM sqlite_master AS tables JOIN pragma_table_info(tables.name) AS columns
    WHERE tables.type IN ('table', 'view') AND tables.name NOT LIKE 'sqlite_%'";
const SCHEMA_OF_POSTGRES: &str = "SELECT table_name::text, column_name::text
    FROM information_schema.columns WHERE table_schema = current_schema()";

#[tokio::test]
async fn every_column_of_the_database_is_told_and_none_beside() {
    let folder = tempfile::tempdir().unwrap();
    let told: BTreeSet<(String, String)> = HELD
        .iter()
        .flat_map(|held| {
            let of = |column: &str| (held.table.to_owned(), column.to_owned());
            held.columns.iter().map(move |column| of(column.name))
        })
        .collect();
    for (database, _postgres) in databases(folder.path()).await {
        let schema = match database.kind() {
            Kind::Sqlite => SCHEMA_OF_SQLITE,
            Kind::Postgres => SCHEMA_OF_POSTGRES,
        };
        let there: Vec<(String, String)> = query(schema)
            .all(&mut database.reader().await.unwrap())
            .await
            .unwrap();
        let there: BTreeSet<_> = there.into_iter().collect();
        assert!(there.len() > 50, "the schema was read: {}", there.len());
        let untold: Vec<_> = there.difference(&told).collect();
        let invented: Vec<_> = told.difference(&there).collect();
        assert!(
            untold.is_empty() && invented.is_empty(),
            "{:?}: held and not told: {untold:?}; told and not held: {invented:?}",
            database.kind()
        );
    }
}

#[test]
fn each_column_is_told_once_and_its_end_is_one_of_them() {
    let mut seen = BTreeSet::new();
    for held in HELD {
        for column in held.columns {
            assert!(
                seen.insert((held.table, column.name)),
                "{}.{}",
                held.table,
                column.name
            );
            assert!(!column.holds.is_empty());
        }
        if let Until::Past { column } | Until::Soon { column } | Until::NextVisit { column } =
            held.until
        {
            assert!(
                held.columns.iter().any(|held| held.name == column),
                "{}.{column}",
                held.table
            );
        }
    }
}

fn at(second: i64) -> Timestamp {
    let begin: Timestamp = "2026-11-30T12:00:00Z".parse().unwrap();
    begin + SignedDuration::from_secs(second)
}

/// What one visit of a unit leaves in the tables whose rows go at its next.
fn visit(unit: UnitId, number: u8, begins: i64) -> Vec<Write> {
    let ends = at(begins + 600);
    vec![
        Write::Nonce(NonceRow {
            unit,
            nonce: vec![number; 16],
            until: ends,
            now: at(begins),
        }),
        Write::Session(SessionRow {
            id: format!("session {number}"),
            unit,
            task: "issuance".into(),
            opened: at(begins),
            idle_until: ends,
            expires: ends,
            sealed: vec![0],
        }),
        Write::Exchange(ExchangeRow {
            id: format!("exchange {number}"),
            unit,
            kind: ExchangeKind::from_name("login").unwrap(),
            message: [number; 32],
            session: None,
            task: None,
            duration: None,
            expires: ends,
            answer: None,
            sealed: None,
        }),
    ]
}

#[tokio::test]
async fn what_ends_with_a_visit_is_gone_after_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let tables: Vec<_> = HELD
        .iter()
        .filter(|held| matches!(held.until, Until::NextVisit { .. }))
        .map(|held| held.table)
        .collect();
    assert_eq!(tables, ["wsca_exchange", "wsca_session", "wsca_nonce"]);
    for (database, _postgres) in databases(folder.path()).await {
        let store = SqlWscaStore::new(database.clone());
        let unit = UnitId::random();
        let mut first = vec![
            Write::Shard(ShardRow {
                shard: 0,
                epoch: 1,
                state: vec![0],
                mac: vec![0],
            }),
            Write::Unit(Box::new(UnitRow {
                unit,
                shard: 0,
                version: 1,
                state: "active".into(),
                signing_key: vec![0],
                agreement_key: vec![0],
                pin_record: None,
                pin_credential: None,
                tries: 0,
                last_try: None,
                session_epoch: 0,
                wrapping_generation: 0,
                wrapping_key: vec![0],
                policy: vec![0],
                holdings: vec![0],
                mac: vec![0],
            })),
        ];
        first.extend(visit(unit, 1, 0));
        let commit = |writes| {
            let guards = vec![];
            store.commit(Batch { guards, writes })
        };
        commit(first).await.unwrap();
        assert_eq!(counts(&database, &tables).await, [1, 1, 1]);
        commit(visit(unit, 2, 300)).await.unwrap();
        assert_eq!(counts(&database, &tables).await, [2, 2, 2], "both go on");
        commit(visit(unit, 3, 10_000)).await.unwrap();
        assert_eq!(counts(&database, &tables).await, [1, 1, 1]);
    }
}

async fn counts(database: &Database, tables: &[&'static str]) -> Vec<i64> {
    let mut counts = Vec::new();
    for table in tables {
        let count = format!("SELECT COUNT(*) FROM {table}");
        let mut reader = database.reader().await.unwrap();
        counts.push(query(count.leak()).one(&mut reader).await.unwrap());
    }
    counts
}
