#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::bufread::GzDecoder;
use flate2::write::GzEncoder;
use jiff::Timestamp;
use rstest::rstest;
use wallet_provider::{ListKind, NewList, ProviderStore};

use super::*;
use crate::Kind::{self, Postgres, Sqlite};
use crate::migrations::{MIGRATIONS, Migration};
use crate::provider::SqlProviderStore;
use crate::sql::{built, query};
use crate::{Database, Error};

/// An empty place for a database, and files beside it.
struct Place {
    folder: tempfile::TempDir,
    server: Option<claviger_fixtures::postgres::Database>,
}

impl Place {
    fn of(kind: Kind) -> Option<Self> {
        Some(Self {
            folder: tempfile::tempdir().unwrap(),
            server: match kind {
                Sqlite => None,
                Postgres => Some(claviger_fixtures::postgres::database()?),
            },
        })
    }

    fn address(&self) -> PathBuf {
        match &self.server {
            Some(server) => server.url().into(),
            None => self.folder.path().join("claviger.db"),
        }
    }

    async fn open(&self) -> Database {
        Database::open(self.address()).await.unwrap()
    }

    /// A backup of what is in `database`, as a file here.
    async fn backup(&self, database: &Database) -> (PathBuf, Manifest) {
        let (bytes, manifest) = save(database, now(), Vec::new(), |_| {}).await.unwrap();
        (self.keep(&bytes), manifest)
    }

    fn keep(&self, bytes: &[u8]) -> PathBuf {
        let path = self.folder.path().join("backup");
        std::fs::write(&path, bytes).unwrap();
        path
    }
}

fn now() -> Timestamp {
    "2026-11-30T12:00:00Z".parse().unwrap()
}

async fn put(database: &Database, statements: &[&str]) {
    for sql in statements {
        let sql = (*sql).to_owned();
        database
            .write::<_, Error, _>(|tx| Box::pin(async move { built(sql).execute(tx).await }))
            .await
            .unwrap();
    }
}

/// A row of most kinds: null, empty, larger than a page, not in ASCII.
async fn fill(database: &Database) {
    let account = "INSERT INTO account (alias, created_at) VALUES ('Zoë \"q\" \\n', -1)";
    put(database, &[account]).await;
    fill_around(database).await;
}

/// As [`fill`], in the first schema.
async fn fill_old(database: &Database) {
    let account = "INSERT INTO account (alias, code_hash, created_at)
                   VALUES ('Zoë', randomblob(32), -1)";
    put(database, &[account]).await;
    fill_around(database).await;
}

async fn fill_around(database: &Database) {
    let bytes = |hex: &str| match database.kind() {
        Sqlite => format!("x'{hex}'"),
        Postgres => format!("'\\x{hex}'::bytea"),
    };
    let (hash, id, other) = (
        bytes(&"a5".repeat(32)),
        bytes(&"01".repeat(16)),
        bytes(&"ff".repeat(16)),
    );
    let (empty, check) = (bytes(""), bytes("0011223344556677"));
    put(
        database,
        &[
            &format!("INSERT INTO unit (id, account, state, signing_key, signing_thumbprint, agreement_key, agreement_thumbprint, evidence, wallet_version, created_at)
              VALUES ({id}, 1, 'operational', {empty}, {hash}, {empty}, {hash}, '', '1', 9007199254740993)"),
            &format!("INSERT INTO unit_event (unit, at_ms, state) VALUES ({id}, 1, 'operational')"),
            &format!("INSERT INTO status_list (kind, name, uri, size, key_check, next_counter, revision) VALUES ('wia', 'n', 'u', 10000, {check}, 5000, 7)"),
            "INSERT INTO wsca_audit (sequence, at, unit, operation, outcome, hash)
             WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2500)
             SELECT i, i, CAST('x' AS BYTES), 'op', 'ok', CAST('h' AS BYTES) FROM n"
                .replace("BYTES", if database.kind() == Sqlite { "BLOB" } else { "BYTEA" })
                .as_str(),
            &format!("INSERT INTO status_entry (list, idx, unit, maintained_until)
             WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 1999)
             SELECT 1, i, {id}, 5 FROM n"),
            "INSERT INTO status_set (list, idx) VALUES (1, 3)",
            &format!("INSERT INTO spent_request (unit, jti, forget_at) VALUES ({other}, 'b', 2), ({id}, 'é', 1), ({other}, 'a', 3)"),
        ],
    )
    .await;
}

/// The lines of a backup, without the first and the last.
fn body(file: &Path) -> Vec<String> {
    let mut text = String::new();
    let bytes = std::fs::read(file).unwrap();
    GzDecoder::new(&bytes[..])
        .read_to_string(&mut text)
        .unwrap();
    let lines: Vec<String> = text.lines().map(str::to_owned).collect();
    lines[1..lines.len() - 1].to_vec()
}

#[rstest]
#[case(Sqlite, Sqlite)]
#[case(Sqlite, Postgres)]
#[case(Postgres, Sqlite)]
#[case(Postgres, Postgres)]
#[tokio::test]
async fn a_backup_of_either_is_restored_to_either(#[case] from: Kind, #[case] to: Kind) {
    let (Some(from), Some(to)) = (Place::of(from), Place::of(to)) else {
        return;
    };
    let database = from.open().await;
    fill(&database).await;
    let (file, made) = from.backup(&database).await;
    assert_eq!(verify(std::fs::File::open(&file).unwrap()).unwrap(), made);
    assert_eq!(
        (made.rows["wsca_audit"], made.rows["status_entry"]),
        (2500, 2000)
    );
    let mark = ListMark {
        name: "n".into(),
        revision: 7,
        next_counter: 5000,
    };
    assert_eq!(made.lists, [mark]);

    let loaded = load_to(&to, &file, Onto::Empty).await.unwrap();
    let restored = loaded.database;
    assert_eq!((loaded.manifest, loaded.closed), (made.clone(), 1));
    // The same but for the list, which is closed.
    put(&restored, &["UPDATE status_list SET closed_at = NULL"]).await;
    let (again, remade) = to.backup(&restored).await;
    assert_eq!(body(&again), body(&file));
    assert_eq!((remade.rows, remade.lists), (made.rows, made.lists));
    // What counts by itself goes on after what was put in.
    put(
        &restored,
        &["INSERT INTO account (alias, created_at) SELECT alias || 'x', 1 FROM account"],
    )
    .await;
    restored.synced().await.unwrap();
}

#[rstest]
#[case(Sqlite)]
#[case(Postgres)]
#[tokio::test]
async fn what_is_there_stays_unless_it_is_to_be_replaced(#[case] kind: Kind) {
    let Some(place) = Place::of(kind) else {
        return;
    };
    let database = place.open().await;
    fill(&database).await;
    let (file, made) = place.backup(&database).await;
    let later = "INSERT INTO status_set (list, idx) VALUES (1, 4)";
    put(&database, &[later]).await;
    database.close().await;
    let onto = |onto| restore_to(&place, &file, onto);
    let refused = onto(Onto::Empty).await.unwrap_err();
    assert!(matches!(refused, BackupError::NotEmpty { .. }), "{refused}");
    let database = place.open().await;
    let set: i64 = query("SELECT count(*) FROM status_set")
        .one(&mut database.reader().await.unwrap())
        .await
        .unwrap();
    assert_eq!(set, 2);
    database.close().await;
    onto(Onto::Anything).await.unwrap();
    let (_, again) = place.backup(&place.open().await).await;
    assert_eq!(again.rows, made.rows);
}

async fn load_to(place: &Place, file: &Path, onto: Onto) -> Result<Loaded, BackupError> {
    restore(&place.address(), file, onto, now(), |_, _| {}).await
}

async fn restore_to(place: &Place, file: &Path, onto: Onto) -> Result<Manifest, BackupError> {
    let loaded = load_to(place, file, onto).await?;
    loaded.database.close().await;
    Ok(loaded.manifest)
}

/// Whatever comes after it: nothing, a crash, a node that is started unasked.
#[rstest]
#[case(Sqlite)]
#[case(Postgres)]
#[tokio::test]
async fn a_restore_alone_leaves_nothing_to_be_used_twice(#[case] kind: Kind) {
    let (Some(from), Some(to)) = (Place::of(Sqlite), Place::of(kind)) else {
        return;
    };
    let database = from.open().await;
    fill(&database).await;
    const PASSING: [&str; 5] = [
        "INSERT INTO challenge (hash, expires_at) VALUES (zeroblob(32), 9)",
        "INSERT INTO sign_in (hash, account, since, seen_at, ends_at)
         VALUES (zeroblob(32), 1, 1, 1, 9)",
        "INSERT INTO ceremony (hash, state, expires_at) VALUES (zeroblob(32), '', 9)",
        "INSERT INTO link_code (account, hash, expires_at) VALUES (1, zeroblob(32), 9)",
        "INSERT INTO address_code (account, address, hash, made_at, expires_at)
         VALUES (1, 'zoe@example.org', zeroblob(32), 1, 9)",
    ];
    put(&database, &PASSING).await;
    let (file, made) = from.backup(&database).await;
    let passing = [
        "challenge",
        "sign_in",
        "ceremony",
        "link_code",
        "address_code",
    ];
    assert_eq!(passing.map(|table| made.rows[table]), [1; 5]);

    let restored = load_to(&to, &file, Onto::Empty).await.unwrap().database;
    let (_, remade) = to.backup(&restored).await;
    assert_eq!(passing.map(|table| remade.rows[table]), [0; 5]);
    let store = SqlProviderStore::new(restored);
    let new = NewList {
        kind: ListKind::Wia,
        name: "later".into(),
        uri: "later".into(),
        size: 10_000,
        key_check: [0; 8],
    };
    let block = store.take_block(new, 10, now()).await.unwrap();
    assert_eq!((block.uri.as_str(), block.counters), ("later", 0..10));
}

#[tokio::test]
async fn a_backup_that_is_not_whole_is_not_begun() {
    let place = Place::of(Sqlite).unwrap();
    let database = place.open().await;
    fill(&database).await;
    let (file, _) = place.backup(&database).await;
    let whole = std::fs::read(&file).unwrap();
    let mut text = Vec::new();
    GzDecoder::new(&whole[..]).read_to_end(&mut text).unwrap();
    let text = String::from_utf8(text).unwrap();
    let pack = |text: &str| {
        let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
        packer.write_all(text.as_bytes()).unwrap();
        packer.finish().unwrap()
    };
    let without_end = &text[..text.rfind("{\"end\"").unwrap()];
    let flipped = {
        let mut bytes = whole.clone();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        bytes
    };
    let row = text.lines().find(|line| line.starts_with("[1,3,"));
    let row = format!("{}\n", row.unwrap());
    let cases = [
        ("cut short", whole[..whole.len() / 2].to_vec()),
        ("a bit flipped", flipped),
        (
            "something behind it",
            [&whole[..], &pack("more\n")].concat(),
        ),
        ("no end", pack(without_end)),
        (
            "a value changed",
            pack(&text.replacen("\"operational\"", "\"revoked\"", 1)),
        ),
        ("a row left out", pack(&text.replacen(&row, "", 1))),
        (
            "a row twice",
            pack(&text.replacen(&row, &format!("{row}{row}"), 1)),
        ),
        (
            "another format",
            pack(&text.replacen("{\"backup\":1", "{\"backup\":2", 1)),
        ),
        ("no backup", b"SQLite format 3".to_vec()),
        ("nothing", vec![]),
        ("a line without end", pack(&"[".repeat(17 << 20))),
    ];
    let to = Place::of(Sqlite).unwrap();
    for (what, bytes) in cases {
        let refused = restore_to(&to, &place.keep(&bytes), Onto::Empty).await;
        assert!(
            matches!(refused, Err(BackupError::Damaged { .. })),
            "{what}: {refused:?}"
        );
        assert!(!to.address().exists(), "{what}");
    }
}

#[rstest]
#[case(Sqlite)]
#[case(Postgres)]
#[tokio::test]
async fn a_backup_of_an_older_schema_takes_the_steps_it_lacks(#[case] kind: Kind) {
    let (Some(from), Some(to)) = (Place::of(Sqlite), Place::of(kind)) else {
        return;
    };
    let old = [1, 100, 101];
    let database = Database::open_at(&from.address(), &old).await.unwrap();
    fill_old(&database).await;
    let (file, made) = from.backup(&database).await;
    assert_eq!(made.schema.len(), old.len());
    let restored = load_to(&to, &file, Onto::Empty).await.unwrap().database;
    assert_eq!(restored.schema().await.unwrap(), crate::SchemaState::Ours);
    let (_, remade) = to.backup(&restored).await;
    assert_eq!(remade.rows["status_entry"], made.rows["status_entry"]);
    restored.close().await;
    // Its schema is newer than the backup's now: a file can be made anew.
    let again = restore_to(&to, &file, Onto::Anything).await;
    match kind {
        Sqlite => assert_eq!(again.unwrap(), made),
        Postgres => assert!(matches!(again, Err(BackupError::Schema)), "{again:?}"),
    }
    let refused = restore_to(&to, &file, Onto::Empty).await;
    assert!(matches!(refused, Err(BackupError::Schema)), "{refused:?}");
}

#[tokio::test]
async fn a_backup_of_a_newer_schema_is_refused_by_its_step() {
    let place = Place::of(Sqlite).unwrap();
    let database = place.open().await;
    put(
        &database,
        &["INSERT INTO _sqlx_migrations (version, description, installed_on, success, checksum, execution_time)
           VALUES (999, 'tomorrow', '', 1, x'00', 0)"],
    )
    .await;
    let (file, _) = place.backup(&database).await;
    let to = Place::of(Sqlite).unwrap();
    let refused = restore_to(&to, &file, Onto::Empty).await;
    assert!(matches!(
        refused,
        Err(BackupError::Newer { version: 999, .. })
    ));
    assert_eq!(database.schema().await.unwrap(), crate::SchemaState::Other);
}

/// Writes a row, through another connection, when it is first written to.
struct Meanwhile {
    address: PathBuf,
    done: bool,
}

impl Write for Meanwhile {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if !std::mem::replace(&mut self.done, true) {
            let address = self.address.clone();
            let insert = move || {
                let runtime = tokio::runtime::Runtime::new().unwrap();
                runtime.block_on(async {
                    let other = Database::open(address).await.unwrap();
                    put(
                        &other,
                        &["INSERT INTO status_set (list, idx) VALUES (1, 9)"],
                    )
                    .await;
                    other.close().await;
                });
            };
            std::thread::spawn(insert).join().unwrap();
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[rstest]
#[case(Sqlite)]
#[case(Postgres)]
#[tokio::test(flavor = "multi_thread")]
async fn what_is_written_meanwhile_is_not_in_it(#[case] kind: Kind) {
    let Some(place) = Place::of(kind) else {
        return;
    };
    let database = place.open().await;
    fill(&database).await;
    let out = Meanwhile {
        address: place.address(),
        done: false,
    };
    let (out, manifest) = save(&database, now(), out, |_| {}).await.unwrap();
    assert!(out.done);
    assert_eq!(manifest.rows["status_set"], 1);
    let (_, after) = place.backup(&database).await;
    assert_eq!(after.rows["status_set"], 2);
}

#[tokio::test]
async fn a_database_that_a_node_has_open_is_left_alone() {
    let Some(place) = Place::of(Postgres) else {
        return;
    };
    let node = place.open().await;
    let (file, _) = place.backup(&node).await;
    let refused = restore_to(&place, &file, Onto::Anything).await;
    assert!(
        matches!(refused, Err(BackupError::InUse { .. })),
        "{refused:?}"
    );
    node.close().await;
    restore_to(&place, &file, Onto::Anything).await.unwrap();
}

#[tokio::test]
async fn a_damaged_file_is_replaced_and_leaves_no_log_behind() {
    let place = Place::of(Sqlite).unwrap();
    let database = place.open().await;
    fill(&database).await;
    let (file, made) = place.backup(&database).await;
    database.close().await;
    std::fs::write(place.address(), "no database").unwrap();
    let log = place.folder.path().join("claviger.db-wal");
    std::fs::write(&log, "no log").unwrap();
    let refused = restore_to(&place, &file, Onto::Empty).await;
    assert!(
        matches!(refused, Err(BackupError::Database(_))),
        "{refused:?}"
    );
    assert_eq!(
        restore_to(&place, &file, Onto::Anything).await.unwrap(),
        made
    );
    let (_, again) = place.backup(&place.open().await).await;
    assert_eq!(again.rows, made.rows);
    let left: Vec<_> = std::fs::read_dir(place.folder.path()).unwrap().collect();
    let half = |name: &str| name.contains("restoring");
    assert!(
        left.iter()
            .all(|e| !half(e.as_ref().unwrap().file_name().to_str().unwrap()))
    );
}

/// Every table that a room has can be carried: of known types, with a key.
#[rstest]
#[case(Sqlite)]
#[case(Postgres)]
#[tokio::test]
async fn every_table_is_carried(#[case] kind: Kind) {
    let Some(place) = Place::of(kind) else {
        return;
    };
    let database = place.open().await;
    let (_, manifest) = place.backup(&database).await;
    let of = |step: &Migration| match kind {
        Sqlite => step.sqlite,
        Postgres => step.postgres,
    };
    let made = MIGRATIONS
        .iter()
        .map(|step| of(step).matches("CREATE TABLE ").count())
        .sum::<usize>();
    assert_eq!(manifest.rows.len(), made);
}
