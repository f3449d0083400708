#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

use std::time::Duration;

use rstest::rstest;

use super::Kind::{Postgres, Sqlite};
use super::*;
use crate::sql::{Together, built};

async fn scratch() -> (tempfile::TempDir, Database) {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::open(folder.path().join("data/claviger.db"))
        .await
        .unwrap();
    add_table(&database).await;
    (folder, database)
}

/// A database of this kind, and what keeps it there.
async fn scratch_of(kind: Kind) -> Option<(Place, Database)> {
    let place = match kind {
        Sqlite => Place::Folder(tempfile::tempdir().unwrap()),
        Postgres => Place::Server(claviger_fixtures::postgres::database()?),
    };
    let database = place.open().await;
    add_table(&database).await;
    Some((place, database))
}

enum Place {
    Folder(tempfile::TempDir),
    Server(claviger_fixtures::postgres::Database),
}

impl Place {
    /// The database, opened by one node more.
    async fn open(&self) -> Database {
        match self {
            Self::Folder(folder) => Database::open(folder.path().join("data/claviger.db")).await,
            Self::Server(server) => Database::open(server.url()).await,
        }
        .unwrap()
    }
}

async fn add_table(database: &Database) {
    database
        .write::<_, Error, _>(|tx| {
            Box::pin(async move {
                query("CREATE TABLE note (id BIGINT PRIMARY KEY, text TEXT NOT NULL)")
                    .execute(tx)
                    .await?;
                Ok(())
            })
        })
        .await
        .unwrap();
}

async fn add(database: &Database, id: i64) -> Result<(), Error> {
    database
        .write(move |tx| {
            Box::pin(async move {
                query("INSERT INTO note VALUES (?, 'x')")
                    .bind(id)
                    .execute(tx)
                    .await?;
                Ok(())
            })
        })
        .await
}

async fn count(database: &Database) -> i64 {
    query("SELECT count(*) FROM note")
        .one(&mut database.reader().await.unwrap())
        .await
        .unwrap()
}

#[rstest]
#[tokio::test]
async fn every_connection_syncs_its_commits(#[values(Sqlite, Postgres)] kind: Kind) {
    let Some((_place, database)) = scratch_of(kind).await else {
        return;
    };
    assert!(database.synced().await.unwrap().is_durable());
    database.health().await.unwrap();
}

#[tokio::test]
async fn a_connection_that_does_not_sync_is_found_out() {
    let (_folder, database) = scratch().await;
    query("PRAGMA synchronous=NORMAL")
        .execute(&mut database.sqlite_writing().await.unwrap())
        .await
        .unwrap();
    match database.synced().await {
        Err(Error::NotDurable {
            connection: "writing",
            found,
        }) => assert_eq!(found.get("synchronous"), Some("1")),
        other => panic!("{other:?}"),
    }
}

#[cfg(unix)]
#[tokio::test]
async fn the_files_are_for_their_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let (folder, database) = scratch().await;
    add(&database, 1).await.unwrap();
    let data = folder.path().join("data");
    assert_eq!(data.metadata().unwrap().permissions().mode() & 0o777, 0o700);
    let mut seen = 0;
    for entry in std::fs::read_dir(&data).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(
            entry.metadata().unwrap().permissions().mode() & 0o777,
            0o600,
            "{entry:?}"
        );
        seen += 1;
    }
    assert_eq!(seen, 3, "the database, its log and the log's index");
}

#[rstest]
#[tokio::test]
async fn a_reader_cannot_write(#[values(Sqlite, Postgres)] kind: Kind) {
    let Some((_place, database)) = scratch_of(kind).await else {
        return;
    };
    let refused = query("INSERT INTO note VALUES (1, 'x')")
        .execute(&mut database.reader().await.unwrap())
        .await;
    let told = refused.unwrap_err().to_string();
    assert!(
        told.contains("readonly") || told.contains("read-only"),
        "{told}"
    );
}

#[tokio::test]
async fn a_write_that_fails_undoes_itself_and_not_its_neighbours() {
    let (_folder, database) = scratch().await;
    // Hold the writing connection, so that all of them queue up for one group.
    let held = database.sqlite_writing().await.unwrap();
    let tasks: Vec<_> = (0..50)
        .map(|n| {
            let database = database.clone();
            tokio::spawn(async move {
                database
                    .write::<_, Error, _>(move |tx| {
                        Box::pin(async move {
                            query("INSERT INTO note VALUES (?, 'x')")
                                .bind(n)
                                .execute(tx)
                                .await?;
                            if n % 5 == 0 {
                                Err(Error::Closed)
                            } else {
                                Ok(())
                            }
                        })
                    })
                    .await
            })
        })
        .collect();
    tokio::task::yield_now().await;
    drop(held);
    let mut failed = 0;
    for task in tasks {
        failed += usize::from(task.await.unwrap().is_err());
    }
    assert_eq!((failed, count(&database).await), (10, 40));
}

#[rstest]
#[tokio::test]
async fn a_write_that_panics_leaves_the_queue_running(#[values(Sqlite, Postgres)] kind: Kind) {
    let Some((_place, database)) = scratch_of(kind).await else {
        return;
    };
    let broken = database
        .write::<(), Error, _>(|tx| {
            Box::pin(async move {
                query("INSERT INTO note VALUES (7, 'x')")
                    .execute(tx)
                    .await?;
                panic!("on purpose")
            })
        })
        .await;
    assert!(matches!(broken, Err(Error::Abandoned)), "{broken:?}");
    add(&database, 8).await.unwrap();
    assert_eq!(count(&database).await, 1);
}

async fn limit_pages(database: &Database, pages: i64) {
    built(format!("PRAGMA max_page_count = {pages}"))
        .execute(&mut database.sqlite_writing().await.unwrap())
        .await
        .unwrap();
}

/// SQLite ends the transaction by itself when the disk is full.
#[tokio::test]
async fn a_full_disk_fails_the_writes_that_met_it_and_none_after_it() {
    let (_folder, database) = scratch().await;
    add(&database, 1).await.unwrap();
    for round in 0..3 {
        // No fewer pages than there are.
        limit_pages(&database, 1).await;
        let text = "x".repeat(1 << 20);
        let full = database
            .write::<(), Error, _>(move |tx| {
                Box::pin(async move {
                    query("INSERT INTO note VALUES (99, ?)")
                        .bind(text)
                        .execute(tx)
                        .await?;
                    Ok(())
                })
            })
            .await
            .unwrap_err();
        assert!(full.to_string().contains("full"), "{full}");
        limit_pages(&database, 1_000_000).await;
        add(&database, 10 + round).await.unwrap();
        database.health().await.unwrap();
    }
    assert!(database.synced().await.unwrap().is_durable());
    assert_eq!(count(&database).await, 4);
}

#[tokio::test]
async fn a_caller_that_leaves_does_not_undo_its_write() {
    let (_folder, database) = scratch().await;
    let held = database.sqlite_writing().await.unwrap();
    let gone = tokio::time::timeout(Duration::from_millis(20), add(&database, 1)).await;
    assert!(gone.is_err());
    drop(held);
    add(&database, 2).await.unwrap();
    assert_eq!(count(&database).await, 2);
}

#[rstest]
#[tokio::test]
async fn a_duplicate_is_told_apart_from_other_errors(#[values(Sqlite, Postgres)] kind: Kind) {
    let Some((_place, database)) = scratch_of(kind).await else {
        return;
    };
    add(&database, 1).await.unwrap();
    assert!(add(&database, 1).await.unwrap_err().is_unique_violation());
}

/// What the log holds after an acknowledged write is the write: a copy of the
/// files, taken with the database still open, has it.
#[tokio::test]
async fn an_acknowledged_write_is_in_the_files() {
    let (folder, database) = scratch().await;
    add(&database, 1).await.unwrap();
    let copy = folder.path().join("copy.db");
    std::fs::copy(database.path().unwrap(), &copy).unwrap();
    std::fs::copy(
        folder.path().join("data/claviger.db-wal"),
        folder.path().join("copy.db-wal"),
    )
    .unwrap();
    let reopened = Database::open(format!("sqlite:{}", copy.display()))
        .await
        .unwrap();
    assert_eq!(count(&reopened).await, 1);
}

#[rstest]
#[tokio::test]
async fn a_closed_store_says_so(#[values(Sqlite, Postgres)] kind: Kind) {
    let Some((_place, database)) = scratch_of(kind).await else {
        return;
    };
    database.close().await;
    let refused = add(&database, 1).await;
    assert!(
        matches!(refused, Err(Error::Commit(_) | Error::Closed)),
        "{refused:?}"
    );
    assert!(database.health().await.is_err());
}

#[tokio::test]
async fn bad_addresses_are_refused_in_words() {
    let folder = tempfile::tempdir().unwrap();
    let unreachable = Database::open("postgres://me:hidden@127.0.0.1:9/x").await;
    let told = unreachable.unwrap_err().to_string();
    assert!(
        told.contains("127.0.0.1:9") && !told.contains("hidden"),
        "{told}"
    );
    for address in [":memory:", "sqlite::memory:", "", "mysql://x"] {
        assert!(
            matches!(Database::open(address).await, Err(Error::Address(_))),
            "{address}"
        );
    }
    assert!(matches!(
        Database::open(folder.path()).await,
        Err(Error::File { .. })
    ));
    let noise = folder.path().join("noise.db");
    std::fs::write(&noise, vec![0x55; 8192]).unwrap();
    assert!(matches!(
        Database::open(&noise).await,
        Err(Error::Open { .. })
    ));
}

#[tokio::test]
async fn many_openers_of_a_new_database_all_succeed() {
    let folder = tempfile::tempdir().unwrap();
    for round in 0..5 {
        let path = folder.path().join(format!("{round}.db"));
        let open = |_| tokio::spawn(Database::open(path.clone()));
        let opening: Vec<_> = (0..8).map(open).collect();
        for task in opening {
            task.await.unwrap().unwrap();
        }
    }
}

#[test]
fn every_migration_file_is_listed_once_and_in_its_range() {
    let mut listed: Vec<i64> = MIGRATIONS.iter().map(|step| step.version).collect();
    listed.sort_unstable();
    for database in ["sqlite", "postgres"] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations");
        let mut files: Vec<i64> = std::fs::read_dir(folder.join(database))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .map(|name| name.split('_').next().unwrap().parse().unwrap())
            .collect();
        files.sort_unstable();
        assert_eq!(files, listed, "{database}");
    }
}

/// Whoever writes in turn, from however many nodes, finds what the one before wrote.
#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writers_in_turn_do_not_overtake_each_other(#[values(Sqlite, Postgres)] kind: Kind) {
    let Some((place, database)) = scratch_of(kind).await else {
        return;
    };
    let nodes = [database.clone(), place.open().await];
    let mut tasks = Vec::new();
    for n in 0..60 {
        let node = nodes[n % 2].clone();
        tasks.push(tokio::spawn(async move {
            node.write_in_turn::<_, Error, _>(|tx| {
                Box::pin(async move {
                    let next: i64 = query("SELECT coalesce(max(id), 0) + 1 FROM note")
                        .one(tx)
                        .await?;
                    query("INSERT INTO note VALUES (?, 'x')")
                        .bind(next)
                        .execute(tx)
                        .await?;
                    Ok(())
                })
            })
            .await
        }));
    }
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    assert_eq!(count(&database).await, 60);
}

/// Each with what it must come to; the first that does not is the answer.
#[rstest]
#[tokio::test]
async fn statements_together_are_refused_by_the_first_that_does_not_hold(
    #[values(Sqlite, Postgres)] kind: Kind,
) {
    let Some((_place, database)) = scratch_of(kind).await else {
        return;
    };
    let put = async |ids: [i64; 2], there: i64, absent: i64| {
        database
            .write::<_, Error, _>(move |tx| {
                Box::pin(async move {
                    let note = |id: i64| query("SELECT 1 FROM note WHERE id = ?").bind(id);
                    let mut all = Together::default();
                    for id in ids {
                        let add = query("INSERT INTO note VALUES (?1, 'x') ON CONFLICT DO NOTHING");
                        all.changes(add.bind(id), Error::Busy);
                    }
                    all.finds(note(1).locking(), Error::Closed);
                    all.finds(note(there), Error::Closed);
                    all.finds_none(note(absent), Error::Abandoned);
                    all.put(tx).await
                })
            })
            .await
    };
    add(&database, 1).await.unwrap();
    put([2, 3], 1, 9).await.unwrap();
    assert!(matches!(put([4, 2], 9, 1).await, Err(Error::Busy)));
    assert!(matches!(put([4, 5], 9, 1).await, Err(Error::Closed)));
    assert!(matches!(put([4, 5], 1, 1).await, Err(Error::Abandoned)));
    let nothing = Together::<Error>::default();
    nothing
        .put(&mut database.reader().await.unwrap())
        .await
        .unwrap();
    assert_eq!(count(&database).await, 3);
}

#[rstest]
#[tokio::test]
async fn what_is_read_at_length_is_read_like_anything_else(#[values(Sqlite, Postgres)] kind: Kind) {
    let Some((_place, database)) = scratch_of(kind).await else {
        return;
    };
    add(&database, 1).await.unwrap();
    let mut reader = database.reader().await.unwrap();
    for _ in 0..2 {
        let all = query("SELECT id FROM note").at_length();
        assert_eq!(all.all::<i64>(&mut reader).await.unwrap(), [1]);
    }
    let broken = query("SELECT nothing FROM note").at_length();
    assert!(broken.fetch_all(&mut reader).await.is_err());
    let again = query("SELECT id FROM note").one::<i64>(&mut reader).await;
    assert_eq!(again.unwrap(), 1);
}

/// Its answer would be taken for the next one's.
#[tokio::test]
async fn a_connection_left_in_the_middle_of_a_statement_is_not_used_again() {
    let Some((_place, database)) = scratch_of(Postgres).await else {
        return;
    };
    add(&database, 1).await.unwrap();
    for _ in 0..20 {
        let left = async {
            let mut reader = database.reader().await.unwrap();
            query("SELECT CAST(7 AS BIGINT) FROM pg_sleep(5)")
                .one::<i64>(&mut reader)
                .await
        };
        let left = tokio::time::timeout(Duration::from_millis(5), left).await;
        assert!(left.is_err());
        assert_eq!(count(&database).await, 1);
    }
}

/// The file alone, without its log, has what was committed a moment ago.
#[tokio::test]
async fn what_is_committed_moves_into_the_file_by_itself() {
    let (folder, database) = scratch().await;
    add(&database, 1).await.unwrap();
    let copy = folder.path().join("copy.db");
    for _ in 0..100 {
        std::fs::copy(database.path().unwrap(), &copy).unwrap();
        let alone = rusqlite::Connection::open(&copy).unwrap();
        let found = alone.query_row("SELECT count(*) FROM note", [], |row| row.get::<_, i64>(0));
        if found.is_ok_and(|found| found == 1) {
            return;
        }
        drop(alone);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("it is still in the log alone");
}

/// A plan is kept: one that was made while a table was all but empty must hold when it is
/// not. Only who says that it reads whole tables may.
#[tokio::test]
async fn on_postgresql_a_row_is_found_by_its_index_however_small_its_table_is() {
    let Some((_place, database)) = scratch_of(Postgres).await else {
        return;
    };
    let counted: Result<(), Error> = database
        .write(|tx| {
            Box::pin(async move {
                for sql in [
                    "INSERT INTO note (id, text) VALUES (1, 'a')",
                    "ANALYZE note",
                ] {
                    query(sql).execute(tx).await?;
                }
                Ok(())
            })
        })
        .await;
    counted.unwrap();
    let mut reader = database.reader().await.unwrap();
    for (whole, how) in [(false, "Index"), (true, "Seq Scan"), (false, "Index")] {
        let plan = plan(&mut reader, whole).await.unwrap();
        assert!(plan.contains(how), "{plan}");
    }
    // Written in turn, by the one connection that does.
    let refused: Result<(), Error> = database
        .write_in_turn(|tx| {
            Box::pin(async move {
                let missing = query("SELECT * FROM nowhere").whole_tables();
                missing.execute(tx).await.map(drop)
            })
        })
        .await;
    // What failed is what is told, and what was set goes with its transaction.
    assert!(matches!(refused, Err(Error::Sql(sqlx::Error::Database(_)))));
    for whole in [true, false] {
        let writer: Result<String, Error> = database
            .write_in_turn(move |tx| Box::pin(plan(tx, whole)))
            .await;
        let plan = writer.unwrap();
        assert_eq!(plan.contains("Index"), !whole, "{plan}");
    }
    let jit: String = query("SHOW jit").one(&mut reader).await.unwrap();
    assert_eq!(jit, "off");
}

/// How PostgreSQL would look at rows of the table.
async fn plan(connection: &mut Connection, whole: bool) -> Result<String, Error> {
    let look = query("EXPLAIN SELECT text FROM note WHERE id >= 0");
    let look = if whole { look.whole_tables() } else { look };
    let lines: Vec<String> = look.all(connection).await?;
    Ok(lines.join("\n"))
}
