//! The database itself: how it is opened, written, read and checked.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use deadpool::managed::{self, PoolError};
use sqlx::migrate::{MigrateError, MigrationType, Migrator};
use sqlx::{PgPool, SqlSafeStr};
use tokio::sync::Notify;
use tracing::Instrument;

use crate::alone::{self, Held, Lock};
use crate::group::{JobFuture, Writer};
use crate::migrations::{MIGRATIONS, Migration};
use crate::sql::{Connection, Query, query};
use crate::{postgres, sqlite};

/// An open database. Cheap to clone.
///
/// Everything acknowledged is on disk, and [`Database::synced`] shows it. SQLite has
/// many readers and one writer, whose commits serve many writes each. PostgreSQL has
/// many writers, whose commits it groups itself; what can only be written by one at a
/// time ([`Database::write_in_turn`]) is grouped here as on SQLite.
#[derive(Debug, Clone)]
pub struct Database {
    pools: Pools,
    writer: Writer,
    bell: Arc<Notify>,
}

#[derive(Debug, Clone)]
enum Pools {
    Sqlite {
        readers: sqlite::Pool,
        writing: sqlite::Pool,
        checkpoints: sqlite::Pool,
        path: Arc<Path>,
        /// Which file it was when it was opened.
        file: Option<(u64, u64)>,
    },
    Postgres {
        readers: postgres::Pool,
        writers: postgres::Pool,
        in_turn: postgres::Pool,
        sessions: PgPool,
        address: Arc<str>,
    },
}

/// Which of the two a database is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A file.
    Sqlite,
    /// A server.
    Postgres,
}

/// How a database's schema stands to this version's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SchemaState {
    /// It has taken every step, and no other.
    Ours,
    /// It has not.
    Other,
}

/// What a connection was found to do with a commit: its settings by their names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Durability(BTreeMap<&'static str, String>);

impl Durability {
    pub(crate) fn of(settings: impl IntoIterator<Item = (&'static str, String)>) -> Self {
        Self(settings.into_iter().collect())
    }

    /// What a setting was found to be.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Whether a commit is on disk when it is acknowledged.
    pub fn is_durable(&self) -> bool {
        let required: &[(&str, &[&str])] = match self.get("journal_mode") {
            Some(_) => sqlite::DURABLE,
            None => postgres::DURABLE,
        };
        required
            .iter()
            .all(|(name, values)| self.get(name).is_some_and(|found| values.contains(&found)))
    }
}

/// Why the store did not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The address is not one this store can open.
    #[error("{0}: not a database address (a path, sqlite: and a path, or postgres://…)")]
    Address(String),
    /// The file or its folder could not be made or secured.
    #[error("{}: cannot be opened: {source}", path.display())]
    File {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file was put aside under a running node: what is written goes nowhere.
    #[error("{}: is another file than the one that was opened; start the node again", .0.display())]
    Replaced(PathBuf),
    /// The database is there and cannot be opened, or is not there.
    #[error("{database}: is not a usable database: {source}")]
    Open {
        /// The file, or the address without its secrets.
        database: String,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The server does not answer.
    #[error("{database}: cannot be reached: {why}")]
    Away {
        /// The address without its secrets.
        database: String,
        /// What was seen.
        why: String,
    },
    /// The schema could not be brought up to date.
    #[error("{database}: the schema cannot be brought up to date: {source}")]
    Migrate {
        /// The file, or the address without its secrets.
        database: String,
        /// Why.
        source: MigrateError,
    },
    /// A statement failed.
    #[error("the database refused a statement: {0}")]
    Sql(#[from] sqlx::Error),
    /// A statement failed in SQLite.
    #[error("the database refused a statement: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// All connections are in use, and stay so.
    #[error("no connection to the database came free in time")]
    Busy,
    /// The commit that held this write failed; nothing of it is kept.
    #[error("the commit failed: {0}")]
    Commit(Arc<Error>),
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
        use rusqlite::ffi::{SQLITE_CONSTRAINT_PRIMARYKEY, SQLITE_CONSTRAINT_UNIQUE};
        match self {
            Self::Sql(sqlx::Error::Database(error)) => error.is_unique_violation(),
            Self::Sqlite(rusqlite::Error::SqliteFailure(error, _)) => matches!(
                error.extended_code,
                SQLITE_CONSTRAINT_PRIMARYKEY | SQLITE_CONSTRAINT_UNIQUE
            ),
            _ => false,
        }
    }
}

impl Database {
    /// Opens the database at an address: a path, `sqlite:` and a path, or
    /// `postgres://USER@HOST/NAME`, and brings its schema up to date. A file is made
    /// where it is missing (mode 0600, its folder 0700); a server's database must be
    /// there.
    pub async fn open(address: impl AsRef<Path>) -> Result<Self, Error> {
        Self::open_with(address.as_ref(), Steps::All).await
    }

    /// Opens a database and leaves its schema as it is: for a look at one that
    /// another version may be working with.
    pub async fn open_as_it_is(address: impl AsRef<Path>) -> Result<Self, Error> {
        Self::open_with(address.as_ref(), Steps::None).await
    }

    /// Opens a database with these steps of the schema and no others.
    pub(crate) async fn open_at(address: &Path, steps: &[i64]) -> Result<Self, Error> {
        Self::open_with(address, Steps::Only(steps)).await
    }

    async fn open_with(address: &Path, steps: Steps<'_>) -> Result<Self, Error> {
        let pools = match address.to_str().filter(|text| postgres::is_address(text)) {
            Some(text) => {
                let opened = postgres::open(text, steps).await?;
                Pools::Postgres {
                    readers: opened.readers,
                    writers: opened.writers,
                    in_turn: opened.in_turn,
                    sessions: opened.sessions,
                    address: opened.address.into(),
                }
            }
            None => {
                let opened = sqlite::open(address, steps).await?;
                Pools::Sqlite {
                    readers: opened.readers,
                    writing: opened.writing,
                    checkpoints: opened.checkpoints,
                    file: sqlite::identity(&opened.path),
                    path: opened.path.into(),
                }
            }
        };
        let writer = Writer::start(match &pools {
            Pools::Sqlite { writing, .. } => Turns::Sqlite(writing.clone()),
            Pools::Postgres { in_turn, .. } => Turns::Postgres(in_turn.clone()),
        });
        Ok(Self {
            pools,
            writer,
            bell: Arc::default(),
        })
    }

    /// How its schema stands to this version's.
    pub async fn schema(&self) -> Result<SchemaState, Error> {
        let applied: Vec<i64> = query("SELECT version FROM _sqlx_migrations ORDER BY version")
            .all(&mut self.reader().await?)
            .await?;
        let mut ours: Vec<i64> = MIGRATIONS.iter().map(|step| step.version).collect();
        ours.sort_unstable();
        Ok(if applied == ours {
            SchemaState::Ours
        } else {
            SchemaState::Other
        })
    }

    /// Which of the two it is.
    pub fn kind(&self) -> Kind {
        match self.pools {
            Pools::Sqlite { .. } => Kind::Sqlite,
            Pools::Postgres { .. } => Kind::Postgres,
        }
    }

    /// Where the database is: its file, or its address without secrets.
    pub fn place(&self) -> String {
        match &self.pools {
            Pools::Sqlite { path, .. } => path.display().to_string(),
            Pools::Postgres { address, .. } => address.to_string(),
        }
    }

    /// The file, where there is one.
    pub fn path(&self) -> Option<&Path> {
        match &self.pools {
            Pools::Sqlite { path, .. } => Some(path),
            Pools::Postgres { .. } => None,
        }
    }

    /// A connection to read from. It refuses to write.
    pub async fn reader(&self) -> Result<Connection, Error> {
        Ok(match &self.pools {
            Pools::Sqlite { readers, .. } => Connection::Sqlite(acquire(readers).await?.into()),
            Pools::Postgres { readers, .. } => Connection::Postgres(acquire(readers).await?.into()),
        })
    }

    /// A transaction that reads everything as of one moment. [`Transaction::end`] gives
    /// its connection back.
    pub async fn snapshot(&self) -> Result<Transaction, Error> {
        let begin = match &self.pools {
            Pools::Sqlite { .. } => "BEGIN",
            Pools::Postgres { .. } => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
        };
        Transaction::begin(self.reader().await?, begin).await
    }

    /// Runs `job` inside a transaction, and answers once its commit is on disk.
    ///
    /// On SQLite the transaction holds the write lock from its start and shares its
    /// commit with others, so a job does its reads and writes and nothing slow. On
    /// PostgreSQL it is one of many: what a job reads and then stands on, it locks
    /// ([`crate::sql::Query::locking`]), rows of one table in the order of their keys.
    ///
    /// An `Err` from the job undoes all it did and reaches the caller as it is.
    /// Dropping the returned future does not undo the job.
    ///
    /// ```text
    /// database.write(move |tx| Box::pin(async move {
    ///     sql::query("UPDATE … = ?").bind(id).execute(tx).await?;
    ///     Ok::<_, MyError>(())
    /// })).await?;
    /// ```
    pub async fn write<T, E, F>(&self, job: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
        F: for<'c> FnOnce(&'c mut Connection) -> JobFuture<'c, T, E> + Send + 'static,
    {
        let _measured = Measured::begin();
        self.write_unmeasured(job).await
    }

    /// As [`Database::write`], for writes whose callers measure how long each of them took.
    pub(crate) async fn write_unmeasured<T, E, F>(&self, job: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
        F: for<'c> FnOnce(&'c mut Connection) -> JobFuture<'c, T, E> + Send + 'static,
    {
        let Pools::Postgres { writers, .. } = &self.pools else {
            return self.writer.run(job).await;
        };
        let writers = writers.clone();
        let work = async move {
            let connection = Connection::Postgres(acquire(&writers).await?.into());
            let mut transaction = Transaction::begin(connection, "BEGIN").await?;
            match job(transaction.connection()).await {
                Ok(done) => {
                    let committed = transaction.commit().await;
                    committed.map_err(|error| Error::Commit(Arc::new(error)))?;
                    Ok(done)
                }
                Err(error) => {
                    transaction.roll_back().await;
                    Err(error)
                }
            }
        };
        let running = tokio::spawn(work.in_current_span());
        running.await.map_err(|_| Error::Abandoned)?
    }

    /// As [`Database::write`], for what only one may write at a time, over all nodes:
    /// what a job reads stays as it is until its commit.
    pub async fn write_in_turn<T, E, F>(&self, job: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
        F: for<'c> FnOnce(&'c mut Connection) -> JobFuture<'c, T, E> + Send + 'static,
    {
        let _measured = Measured::begin();
        self.writer.run(job).await
    }

    /// As [`Database::write`], for a job that may put a notice into the outbox
    /// ([`crate::notices::add`]): rings for those on this node who deliver it.
    pub async fn write_and_tell<T, E, F>(&self, job: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
        F: for<'c> FnOnce(&'c mut Connection) -> JobFuture<'c, T, E> + Send + 'static,
    {
        let done = self.write(job).await?;
        self.bell.notify_waiters();
        Ok(done)
    }

    /// What rings when this node has put something into the outbox.
    pub fn bell(&self) -> Arc<Notify> {
        Arc::clone(&self.bell)
    }

    /// Waits until this is what `lock` says is done alone, over all nodes. Nobody else
    /// does it until what is returned is dropped, or this process dies.
    pub async fn alone(&self, lock: Lock) -> Result<Held, Error> {
        match &self.pools {
            Pools::Sqlite { path, .. } => alone::by_file(path, lock).await,
            Pools::Postgres { sessions, .. } => alone::by_session(sessions, lock).await,
        }
    }

    /// Whether the store can be read and written.
    pub async fn health(&self) -> Result<(), Error> {
        const ANY: &str = "SELECT version FROM _sqlx_migrations ORDER BY version LIMIT 1";
        query(ANY).fetch_optional(&mut self.reader().await?).await?;
        if let Pools::Sqlite { path, file, .. } = &self.pools
            && file.is_some()
            && *file != sqlite::identity(path)
        {
            return Err(Error::Replaced(path.to_path_buf()));
        }
        // A row that comes and goes: a full disk takes no transaction that changes
        // nothing for a reason.
        let seed = format!("health {} {:?}", std::process::id(), Instant::now());
        let hash = jose::sha256(seed.as_bytes());
        self.write(move |tx| {
            Box::pin(async move {
                query("INSERT INTO challenge (hash, unit, expires_at) VALUES (?, NULL, 0)")
                    .bind(hash)
                    .execute(tx)
                    .await?;
                query("DELETE FROM challenge WHERE hash = ?")
                    .bind(hash)
                    .execute(tx)
                    .await?;
                Ok(())
            })
        })
        .await
    }

    /// Asserts, on a writing and a reading connection, that what is acknowledged
    /// is on disk.
    pub async fn synced(&self) -> Result<Durability, Error> {
        let found = self
            .write::<_, Error, _>(|tx| Box::pin(durability(tx)))
            .await?;
        let read = durability(&mut self.reader().await?).await?;
        for (connection, found) in [("writing", &found), ("reading", &read)] {
            if !found.is_durable() {
                return Err(Error::NotDurable {
                    connection,
                    found: found.clone(),
                });
            }
        }
        Ok(found)
    }

    /// Waits for the open connections and closes them. Writes after it fail.
    pub async fn close(&self) {
        match &self.pools {
            Pools::Sqlite {
                readers,
                writing,
                checkpoints,
                ..
            } => {
                for pool in [checkpoints, readers, writing] {
                    pool.close();
                    pool.manager().all_closed().await;
                }
            }
            Pools::Postgres {
                readers,
                writers,
                in_turn,
                sessions,
                ..
            } => {
                close(readers).await;
                close(writers).await;
                close(in_turn).await;
                sessions.close().await;
            }
        }
    }

    #[cfg(test)]
    pub(crate) async fn sqlite_writing(&self) -> Result<Connection, Error> {
        match &self.pools {
            Pools::Sqlite { writing, .. } => Ok(Connection::Sqlite(acquire(writing).await?.into())),
            Pools::Postgres { .. } => unreachable!("a test of SQLite"),
        }
    }
}

/// An open transaction. What is neither committed nor ended is undone when it is
/// dropped: the connection is closed.
///
/// On some errors (a full disk is one) SQLite ends the transaction by itself, and
/// then it is not known what a connection is in the middle of.
#[derive(Debug)]
pub struct Transaction {
    connection: Connection,
    over: bool,
}

impl Transaction {
    pub(crate) async fn begin(connection: Connection, begin: &'static str) -> Result<Self, Error> {
        let mut transaction = Self {
            connection,
            over: false,
        };
        query(begin).execute(&mut transaction.connection).await?;
        Ok(transaction)
    }

    /// What to put statements to.
    pub fn connection(&mut self) -> &mut Connection {
        &mut self.connection
    }

    pub(crate) async fn commit(mut self) -> Result<(), Error> {
        query("COMMIT").execute(&mut self.connection).await?;
        self.over = true;
        Ok(())
    }

    /// Ends a transaction that only read.
    pub async fn end(self) -> Result<(), Error> {
        self.commit().await
    }

    async fn roll_back(mut self) {
        self.over = query("ROLLBACK")
            .execute(&mut self.connection)
            .await
            .is_ok();
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        if !self.over {
            self.connection.spoil();
        }
    }
}

/// Where groups of writes get their transactions.
#[derive(Debug, Clone)]
pub(crate) enum Turns {
    Sqlite(sqlite::Pool),
    Postgres(postgres::Pool),
}

impl Turns {
    pub(crate) async fn connection(&self) -> Result<Connection, Error> {
        Ok(match self {
            Self::Sqlite(pool) => Connection::Sqlite(acquire(pool).await?.into()),
            Self::Postgres(pool) => Connection::Postgres(acquire(pool).await?.into()),
        })
    }

    pub(crate) fn begin(&self) -> &'static str {
        match self {
            Self::Sqlite(_) => "BEGIN IMMEDIATE",
            Self::Postgres(_) => "BEGIN",
        }
    }

    /// Whether a statement blocks its thread.
    pub(crate) fn blocks(&self) -> bool {
        matches!(self, Self::Sqlite(_))
    }

    /// What makes this transaction the only one in turn, until it ends.
    pub(crate) fn lock(&self) -> Option<Query> {
        match self {
            Self::Sqlite(_) => None,
            Self::Postgres(_) => Some(query("SELECT 1 FROM pg_advisory_xact_lock(7310, 1)")),
        }
    }
}

async fn durability(connection: &mut Connection) -> Result<Durability, Error> {
    if connection.is_postgres() {
        let mut found = Vec::new();
        for (name, show) in [
            ("synchronous_commit", "SHOW synchronous_commit"),
            ("fsync", "SHOW fsync"),
        ] {
            found.push((name, query(show).one::<String>(connection).await?));
        }
        return Ok(Durability::of(found));
    }
    let mode = query("PRAGMA journal_mode").one(connection).await?;
    let mut found = vec![("journal_mode", mode)];
    for (name, pragma) in [
        ("synchronous", "PRAGMA synchronous"),
        ("foreign_keys", "PRAGMA foreign_keys"),
        ("secure_delete", "PRAGMA secure_delete"),
    ] {
        let value: i64 = query(pragma).one(connection).await?;
        found.push((name, value.to_string()));
    }
    Ok(Durability::of(found))
}

/// A pool of so many connections; whoever needs one waits so long.
pub(crate) fn pool<M>(
    opener: M,
    connections: usize,
    patience: Duration,
) -> Result<managed::Pool<M>, Error>
where
    M: managed::Manager<Error = Error>,
{
    managed::Pool::builder(opener)
        .max_size(connections)
        .queue_mode(managed::QueueMode::Lifo)
        .wait_timeout(Some(patience))
        .runtime(deadpool::Runtime::Tokio1)
        .build()
        .map_err(|_| Error::Closed)
}

/// A connection of a pool.
pub(crate) async fn acquire<M>(pool: &managed::Pool<M>) -> Result<managed::Object<M>, Error>
where
    M: managed::Manager<Error = Error>,
{
    // All of it within one limit: of a server that has vanished, each connection that is
    // asked after would take as long.
    let patience = pool.timeouts().wait.unwrap_or_default() + Duration::from_secs(1);
    match tokio::time::timeout(patience, pool.get()).await {
        Ok(Ok(connection)) => Ok(connection),
        Ok(Err(PoolError::Backend(error))) => Err(error),
        Err(_) | Ok(Err(PoolError::Timeout(_))) => Err(Error::Busy),
        Ok(Err(
            PoolError::Closed | PoolError::NoRuntimeSpecified | PoolError::PostCreateHook(_),
        )) => Err(Error::Closed),
    }
}

/// Closes a pool, and waits for the connections that are on loan to come back.
async fn close<M>(pool: &managed::Pool<M>)
where
    M: managed::Manager<Error = Error>,
{
    pool.close();
    while pool.status().size > 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// Which steps of the schema a database is given when it is opened.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Steps<'a> {
    /// Those it lacks.
    All,
    /// Those of these that it lacks.
    Only(&'a [i64]),
    /// None.
    None,
}

impl Steps<'_> {
    fn take(self, step: &Migration) -> bool {
        match self {
            Self::All => true,
            Self::Only(versions) => versions.contains(&step.version),
            Self::None => false,
        }
    }
}

/// The steps, as sqlx takes them; `None` where there is nothing to be done.
pub(crate) fn migrator(
    steps: Steps<'_>,
    of: impl Fn(&Migration) -> &'static str,
) -> Option<Migrator> {
    if matches!(steps, Steps::None) {
        return None;
    }
    let steps = MIGRATIONS
        .iter()
        .filter(|step| steps.take(step))
        .map(|step| {
            sqlx::migrate::Migration::new(
                step.version,
                step.name.into(),
                MigrationType::Simple,
                of(step).into_sql_str(),
                false,
            )
        });
    Some(Migrator::with_migrations(steps.collect()))
}

/// How long a write takes, from being asked for until it is on disk or undone.
pub(crate) struct Measured(Instant);

impl Measured {
    pub(crate) fn begin() -> Self {
        Self(Instant::now())
    }
}

impl Drop for Measured {
    fn drop(&mut self) {
        metrics::histogram!("claviger_store_write_seconds").record(self.0.elapsed().as_secs_f64());
    }
}

#[cfg(test)]
#[path = "db_tests.rs"]
mod tests;
