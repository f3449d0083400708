use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::format::{Line, Manifest, Reader, Step, TableHead};
use super::tables::{self, Table};
use super::{BackupError, verify};
use crate::migrations::MIGRATIONS;
use crate::sql::{Connection, Value, built, query};
use crate::{Database, Error, outdated, sqlite};

/// What a backup may be restored onto.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Onto {
    /// A database without a row.
    Empty,
    /// Whatever is there: its rows are taken away.
    Anything,
}

/// Most values in one statement; SQLite takes 32,766.
const VALUES: usize = 30_000;
/// Most rows in one statement.
const ROWS: usize = 500;

/// A database that a backup was put into.
#[derive(Debug)]
pub struct Loaded {
    /// The database.
    pub database: Database,
    /// What the backup holds.
    pub manifest: Manifest,
    /// How many status lists were open in it, and are closed.
    pub closed: u64,
}

/// Reads the backup to its end, and then puts all of it into the database at
/// `address`, in one transaction. `told` hears how many rows were put in, and of how
/// many.
///
/// The same transaction closes, as of `at`, every list that was open, and takes away
/// what was good for minutes or hours: whoever opens the database from then on, after
/// a crash or unasked, uses no index twice.
///
/// A backup of an older schema is put into a database of that schema, which then
/// takes the steps it lacks, as an older database does when it is opened. The file
/// is read twice: nothing is begun on one that is not whole.
pub async fn restore(
    address: &Path,
    backup: &Path,
    onto: Onto,
    at: Timestamp,
    told: impl Fn(u64, u64) + Send + 'static,
) -> Result<Loaded, BackupError> {
    let manifest = verify(File::open(backup)?)?;
    let all = manifest.rows.values().sum();
    let told = move |put| told(put, all);
    let what = What {
        backup,
        onto,
        at,
        manifest: &manifest,
    };
    let closed = match sqlite::file_at(address)? {
        Some(file) if onto == Onto::Anything && file.exists() => {
            let fresh = Fresh::beside(&file)?;
            let closed = fill(&fresh.file, what, told).await?;
            fresh.into_place()?;
            closed
        }
        _ => fill(address, what, told).await?,
    };
    Ok(Loaded {
        database: Database::open(address).await?,
        manifest,
        closed,
    })
}

/// What is put in, onto what, and when.
struct What<'a> {
    backup: &'a Path,
    onto: Onto,
    at: Timestamp,
    manifest: &'a Manifest,
}

/// Puts the backup into the database, whose schema becomes the backup's; how many
/// lists it closed.
async fn fill(
    address: &Path,
    what: What<'_>,
    told: impl Fn(u64) + Send + 'static,
) -> Result<u64, BackupError> {
    let What {
        backup,
        onto,
        at,
        manifest,
    } = what;
    let steps = known(&manifest.schema)?;
    let opened = Database::open_at(address, &steps).await;
    // It has taken steps that the backup's database had not.
    let database = opened.map_err(|error| match error {
        Error::Migrate { .. } => BackupError::Schema,
        error => error.into(),
    })?;
    let mut reader = Reader::open(BufReader::new(File::open(backup)?))?;
    let expected = manifest.clone();
    let place = database.place();
    let closed = database
        .write_in_turn::<_, BackupError, _>(move |tx| {
            Box::pin(async move {
                alone(tx).await?;
                if tables::steps(tx).await? != expected.schema {
                    return Err(BackupError::Schema);
                }
                let tables = load(tx, &mut reader, (onto, place.as_str()), told).await?;
                if reader.manifest()? != expected {
                    return Err(BackupError::Changed);
                }
                let tables: Vec<&str> = tables.iter().map(Table::name).collect();
                Ok(outdated::retire(tx, Some(&tables), at).await?)
            })
        })
        .await?;
    database.close().await;
    Ok(closed)
}

/// A new file that takes the place of an old one, which may be damaged.
struct Fresh {
    file: PathBuf,
    place: PathBuf,
}

impl Fresh {
    fn beside(place: &Path) -> Result<Self, BackupError> {
        let fresh = Self {
            file: with(place, ".restoring"),
            place: place.to_owned(),
        };
        // What a restore left that was interrupted.
        fresh.clear()?;
        Ok(fresh)
    }

    /// The old file's log goes first: it must not be read beside the new one.
    fn into_place(self) -> Result<(), BackupError> {
        if with(&self.file, "-wal").exists() {
            let what = "the new database could not be closed";
            return Err(std::io::Error::other(what).into());
        }
        File::open(&self.file)?.sync_all()?;
        for suffix in ["-wal", "-shm"] {
            remove(&with(&self.place, suffix))?;
        }
        std::fs::rename(&self.file, &self.place)?;
        let folder = self.place.parent().filter(|f| !f.as_os_str().is_empty());
        Ok(File::open(folder.unwrap_or(Path::new(".")))?.sync_all()?)
    }

    fn clear(&self) -> Result<(), BackupError> {
        for suffix in ["", "-wal", "-shm"] {
            remove(&with(&self.file, suffix))?;
        }
        Ok(())
    }
}

/// Does nothing once the file is in its place.
impl Drop for Fresh {
    fn drop(&mut self) {
        let _ = self.clear();
    }
}

fn with(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.to_owned().into_os_string();
    name.push(suffix);
    name.into()
}

fn remove(path: &Path) -> std::io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}

/// The tables that there are.
async fn load<R: std::io::BufRead>(
    tx: &mut Connection,
    reader: &mut Reader<R>,
    (onto, place): (Onto, &str),
    told: impl Fn(u64),
) -> Result<Vec<Table>, BackupError> {
    let tables = tables::tables(tx).await?;
    if onto == Onto::Anything && tx.is_postgres() {
        tables::clear(&tables, tx).await?;
    }
    for table in &tables {
        if table.has_rows(tx).await? {
            return Err(BackupError::NotEmpty {
                database: place.to_owned(),
                table: table.name().to_owned(),
            });
        }
    }
    let mut filling: Option<Filling> = None;
    let mut put = 0;
    while let Some(line) = reader.next()? {
        match line {
            Line::Table(head) => {
                if let Some(mut filling) = filling.take() {
                    put += filling.flush(tx).await?;
                }
                filling = Some(Filling::of(&tables, head)?);
            }
            Line::Row(row) => {
                let Some(filling) = &mut filling else {
                    continue;
                };
                filling.rows.push(row);
                if filling.rows.len() >= filling.most {
                    put += filling.flush(tx).await?;
                    told(put);
                }
            }
        }
    }
    if let Some(mut filling) = filling {
        put += filling.flush(tx).await?;
    }
    told(put);
    for table in &tables {
        table.count_on(tx).await?;
    }
    Ok(tables)
}

/// A table whose rows come in, its columns in the backup's order.
struct Filling {
    table: Table,
    most: usize,
    rows: Vec<Vec<Value>>,
}

impl Filling {
    fn of(tables: &[Table], head: TableHead) -> Result<Self, BackupError> {
        let same = |table: &&Table| {
            let sorted = |head: &TableHead| {
                let mut columns = head.columns.clone();
                columns.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
                columns
            };
            table.name() == head.table && sorted(&table.head) == sorted(&head)
        };
        let table = tables.iter().find(same).ok_or(BackupError::Schema)?;
        Ok(Self {
            most: (VALUES / head.columns.len().max(1)).clamp(1, ROWS),
            table: table.with_columns_of(head),
            rows: Vec::new(),
        })
    }

    async fn flush(&mut self, tx: &mut Connection) -> Result<u64, BackupError> {
        let rows = std::mem::take(&mut self.rows);
        if rows.is_empty() {
            return Ok(0);
        }
        let statement = built(self.table.insert(rows.len()));
        let statement = rows.into_iter().flatten().fold(statement, |s, v| s.bind(v));
        Ok(statement.execute(tx).await?)
    }
}

/// The steps of this version that the backup's database had taken.
fn known(schema: &[Step]) -> Result<Vec<i64>, BackupError> {
    for Step(version, name) in schema {
        let ours = MIGRATIONS
            .iter()
            .any(|step| step.version == *version && step.name == name);
        if !ours {
            return Err(BackupError::Newer {
                version: *version,
                name: name.clone(),
            });
        }
    }
    Ok(schema.iter().map(|Step(version, _)| *version).collect())
}

/// Refuses where a node runs: on PostgreSQL, where a connection is older than ours.
/// SQLite does not tell.
async fn alone(tx: &mut Connection) -> Result<(), BackupError> {
    if !tx.is_postgres() {
        return Ok(());
    }
    let connections: i64 = query(
        "SELECT count(*) FROM pg_stat_activity AS other, pg_stat_activity AS own
         WHERE own.pid = pg_backend_pid() AND other.datname = current_database()
           AND other.backend_type = 'client backend'
           AND other.backend_start < own.backend_start",
    )
    .one(tx)
    .await?;
    match connections {
        0 => Ok(()),
        connections => Err(BackupError::InUse { connections }),
    }
}
