//! The database itself: how it is opened, written, read and checked.

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sqlx::SqlSafeStr;
use sqlx::migrate::{MigrateError, MigrationType, Migrator};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool, SqlitePoolOptions,
    SqliteSynchronous,
};

use crate::group::{JobFuture, Writer};

/// An open database: many readers, one writer. Cheap to clone.
///
/// Everything acknowledged is on disk: the log is written ahead (WAL) and synced
/// at each commit (`synchronous=FULL`), and [`Database::synced`] shows it.
#[derive(Debug, Clone)]
pub struct Database {
    readers: SqlitePool,
    writing: SqlitePool,
    writer: Writer,
    path: Arc<Path>,
}

/// How long a connection waits for another process's write.
const BUSY: Duration = Duration::from_secs(10);
/// How many connections read at once.
const READERS: u32 = 4;

/// One step of the schema, from the module that owns its tables.
#[derive(Debug, Clone, Copy)]
pub struct Migration {
    /// Its number; a step is applied once, in the order of the numbers.
    pub version: i64,
    /// Its name.
    pub name: &'static str,
    /// What it does.
    pub sql: &'static str,
}

/// What the connections were found to do with a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Durability {
    /// `wal`.
    pub journal_mode: String,
    /// 2 is FULL: the log is synced before a commit is acknowledged.
    pub synchronous: i64,
    /// 1: rows that others refer to cannot go away.
    pub foreign_keys: i64,
    /// 1: what is deleted is overwritten with zeros.
    pub secure_delete: i64,
}

impl Durability {
    /// What every connection must show.
    pub fn required() -> Self {
        Self {
            journal_mode: "wal".to_owned(),
            synchronous: 2,
            foreign_keys: 1,
            secure_delete: 1,
        }
    }
}

/// Why the store did not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The address is not one this store can open.
    #[error("{0}: not a database address (a path, or sqlite: and a path)")]
    Address(String),
    /// PostgreSQL was asked for.
    #[error("PostgreSQL is not built into this version: use a path or sqlite: and a path")]
    Postgres,
    /// The file or its folder could not be made or secured.
    #[error("{}: cannot be opened: {source}", path.display())]
    File {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is there and SQLite does not open it.
    #[error("{}: is not a usable database: {source}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Why.
        source: sqlx::Error,
    },
    /// The schema could not be brought up to date.
    #[error("{}: the schema cannot be brought up to date: {source}", path.display())]
    Migrate {
        /// The file.
        path: PathBuf,
        /// Why.
        source: MigrateError,
    },
    /// A statement failed.
    #[error("the database refused a statement: {0}")]
    Sql(#[from] sqlx::Error),
    /// The commit that held this write failed; nothing of it is kept.
    #[error("the commit failed: {0}")]
    Commit(Arc<sqlx::Error>),
    /// Another write of the same group broke down; nothing of this one is kept.
    #[error("the write was abandoned")]
    Abandoned,
    /// The store was closed.
    #[error("the store is closed")]
    Closed,
    /// A connection does not sync as it must.
    #[error("the {connection} connection is not durable: {found:?}")]
    NotDurable {
        /// `reading` or `writing`.
        connection: &'static str,
        /// What it does.
        found: Durability,
    },
    /// A row holds what this version cannot read.
    #[error("{table}.{column}: {what}")]
    Damaged {
        /// The table.
        table: &'static str,
        /// The column.
        column: &'static str,
        /// What is wrong with the value, which itself is not shown.
        what: Cow<'static, str>,
    },
}

impl Error {
    /// Whether a row was refused because one like it is there already.
    pub fn is_unique_violation(&self) -> bool {
        matches!(self, Self::Sql(sqlx::Error::Database(error)) if error.is_unique_violation())
    }
}

impl Database {
    /// Opens the database at a path, or at `sqlite:PATH`, making it (mode 0600,
    /// its folder 0700) and its schema where they are missing.
    pub async fn open(address: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path_of(address.as_ref())?;
        secure_file(&path)?;
        let options = options(&path);
        let failed = |source| Error::Open {
            path: path.clone(),
            source,
        };
        let writing = SqlitePoolOptions::new()
            .max_connections(1)
            .idle_timeout(None)
            .max_lifetime(None)
            .connect_with(options.clone())
            .await
            .map_err(failed)?;
        migrate(&writing, &path).await?;
        let readers = SqlitePoolOptions::new()
            .max_connections(READERS)
            // A reader never writes: writes go through the queue.
            .connect_with(options.pragma("query_only", "ON"))
            .await
            .map_err(failed)?;
        for suffix in ["-wal", "-shm"] {
            let mut beside = path.clone().into_os_string();
            beside.push(suffix);
            restrict(Path::new(&beside))?;
        }
        let writer = Writer::start(writing.clone());
        Ok(Self {
            readers,
            writing,
            writer,
            path: path.into(),
        })
    }

    /// Where the database is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The pool to read from. It refuses to write.
    pub fn reader(&self) -> &SqlitePool {
        &self.readers
    }

    /// Runs `job` inside a transaction that holds the write lock from its start
    /// (`BEGIN IMMEDIATE`), and answers once its commit is on disk.
    ///
    /// An `Err` from the job undoes all it did and reaches the caller as it is.
    /// Jobs share commits, so a job does its reads and writes and nothing slow: it
    /// must not wait for anything but its own statements. Dropping the returned
    /// future does not undo the job.
    ///
    /// ```text
    /// database.write(move |tx| Box::pin(async move {
    ///     sqlx::query("UPDATE …").bind(id).execute(&mut *tx).await.map_err(store::Error::from)?;
    ///     Ok::<_, MyError>(())
    /// })).await?;
    /// ```
    pub async fn write<T, E, F>(&self, job: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
        F: for<'c> FnOnce(&'c mut SqliteConnection) -> JobFuture<'c, T, E> + Send + 'static,
    {
        self.writer.run(job).await
    }

    /// Whether the store can be read and can take the write lock.
    pub async fn health(&self) -> Result<(), Error> {
        sqlx::query("SELECT version FROM _sqlx_migrations LIMIT 1")
            .fetch_optional(&self.readers)
            .await?;
        self.write(|_| Box::pin(async { Ok(()) })).await
    }

    /// Asserts, on a writing and a reading connection, that what is acknowledged
    /// is on disk.
    pub async fn synced(&self) -> Result<Durability, Error> {
        let found = self
            .write::<_, Error, _>(|tx| Box::pin(durability(tx)))
            .await?;
        if found != Durability::required() {
            return Err(Error::NotDurable {
                connection: "writing",
                found,
            });
        }
        let mut reader = self.readers.acquire().await?;
        let read = durability(&mut reader).await?;
        if read != Durability::required() {
            return Err(Error::NotDurable {
                connection: "reading",
                found: read,
            });
        }
        Ok(found)
    }

    /// Waits for the open connections and closes them. Writes after it fail.
    pub async fn close(&self) {
        self.readers.close().await;
        self.writing.close().await;
    }
}

fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(BUSY)
        .pragma("secure_delete", "ON")
        // Where the system's fsync does not reach the platter (macOS), ask for the one that does.
        .pragma("fullfsync", "ON")
        .pragma("checkpoint_fullfsync", "ON")
}

/// Applies what is missing, all of it in one transaction, so that two processes
/// that open a new database at once do not meet half-way.
async fn migrate(pool: &SqlitePool, path: &Path) -> Result<(), Error> {
    let steps = migrations()
        .map(|step| {
            sqlx::migrate::Migration::new(
                step.version,
                step.name.into(),
                MigrationType::Simple,
                step.sql.into_sql_str(),
                false,
            )
        })
        .collect();
    let failed = |source| Error::Migrate {
        path: path.to_owned(),
        source,
    };
    let mut transaction = pool.begin_with("BEGIN IMMEDIATE").await?;
    // `run` needs an `Acquire` for any lifetime, which no transaction has.
    Migrator::with_migrations(steps)
        .run_direct(None, &mut *transaction, false)
        .await
        .map_err(failed)?;
    Ok(transaction.commit().await?)
}

fn migrations() -> impl Iterator<Item = &'static Migration> {
    crate::provider::MIGRATIONS
        .iter()
        .chain(crate::wsca::MIGRATIONS)
}

async fn durability(connection: &mut SqliteConnection) -> Result<Durability, Error> {
    Ok(Durability {
        journal_mode: sqlx::query_scalar("PRAGMA journal_mode")
            .fetch_one(&mut *connection)
            .await?,
        synchronous: sqlx::query_scalar("PRAGMA synchronous")
            .fetch_one(&mut *connection)
            .await?,
        foreign_keys: sqlx::query_scalar("PRAGMA foreign_keys")
            .fetch_one(&mut *connection)
            .await?,
        secure_delete: sqlx::query_scalar("PRAGMA secure_delete")
            .fetch_one(connection)
            .await?,
    })
}

fn path_of(address: &Path) -> Result<PathBuf, Error> {
    let Some(text) = address.to_str() else {
        return Ok(address.to_owned());
    };
    if text.starts_with("postgres:") || text.starts_with("postgresql:") {
        return Err(Error::Postgres);
    }
    let path = match text.strip_prefix("sqlite:") {
        Some(rest) => rest.strip_prefix("//").unwrap_or(rest),
        None => text,
    };
    // In memory, nothing is durable, and each connection would have its own.
    if path.is_empty() || path.contains(":memory:") || path.contains("://") {
        return Err(Error::Address(text.to_owned()));
    }
    Ok(PathBuf::from(path))
}

/// Makes the file for its owner alone before SQLite does: SQLite gives the files
/// beside it the same mode. The folder's entry is synced too.
fn secure_file(path: &Path) -> Result<(), Error> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let failed = |at: &Path| {
        let path = at.to_owned();
        move |source| Error::File { path, source }
    };
    let missing: Vec<&Path> = folder
        .ancestors()
        .take_while(|ancestor| !ancestor.as_os_str().is_empty() && !ancestor.is_dir())
        .collect();
    if !missing.is_empty() {
        let mut builder = std::fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(folder).map_err(failed(folder))?;
    }
    let mut open = std::fs::OpenOptions::new();
    open.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut open, 0o600);
    open.open(path)
        .and_then(|file| file.sync_all())
        .map_err(failed(path))?;
    restrict(path)?;
    // The file's entry in its folder, and that of each folder made just now.
    for made in std::iter::once(path).chain(missing) {
        sync_parent(made)?;
    }
    Ok(())
}

#[cfg(unix)]
fn sync_parent(path: &Path) -> Result<(), Error> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    std::fs::File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(|source| Error::File {
            path: folder.to_owned(),
            source,
        })
}

#[cfg(not(unix))]
fn sync_parent(_: &Path) -> Result<(), Error> {
    Ok(())
}

#[cfg(unix)]
fn restrict(path: &Path) -> Result<(), Error> {
    use std::os::unix::fs::PermissionsExt;
    match std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)) {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => Err(Error::File {
            path: path.to_owned(),
            source,
        }),
        _ => Ok(()),
    }
}

#[cfg(not(unix))]
fn restrict(_: &Path) -> Result<(), Error> {
    Ok(())
}

#[cfg(test)]
#[path = "db_tests.rs"]
mod tests;
