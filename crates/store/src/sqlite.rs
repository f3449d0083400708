//! SQLite: one file, written ahead and synced at each commit.

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use deadpool::managed::{self, Metrics, Object, RecycleError, RecycleResult};
use rusqlite::types::{FromSql, ToSqlOutput, ValueRef};
use rusqlite::{OpenFlags, ToSql};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection as _, SqliteConnection};

use crate::Error;
use crate::db::{self, Steps};
use crate::sql::{Connection, Value, query};

/// How long a connection waits for another process's write.
const BUSY: Duration = Duration::from_secs(10);
/// How long it waits before it looks again.
const LOOK_AGAIN: Duration = Duration::from_micros(500);
/// How many connections read at once.
const READERS: usize = 4;
/// How long a connection is waited for.
const PATIENCE: Duration = Duration::from_secs(30);
/// How much of the file the writing connection keeps in memory, in KiB.
const WRITER_CACHE: i64 = 16 * 1024;
/// How often what was committed is moved from the log into the file.
const CHECKPOINT_EVERY: Duration = Duration::from_millis(250);
/// From how many pages of a log on the writer moves them itself, so that it begins anew.
const LONGEST_LOG: i64 = 8192;
/// How many statements a connection keeps prepared.
const PREPARED: usize = 256;

/// What every connection must show: the log is synced before a commit is
/// acknowledged, rows that others refer to cannot go away, and what is deleted is
/// overwritten with zeros.
pub(crate) const DURABLE: &[(&str, &[&str])] = &[
    ("journal_mode", &["wal"]),
    ("synchronous", &["2"]),
    ("foreign_keys", &["1"]),
    ("secure_delete", &["1"]),
];

/// Connections to one file.
pub(crate) type Pool = managed::Pool<Opener>;

/// An open file.
pub(crate) struct Opened {
    pub(crate) readers: Pool,
    pub(crate) writing: Pool,
    pub(crate) checkpoints: Pool,
    pub(crate) path: PathBuf,
}

/// Opens the file at a path, or at `sqlite:PATH`, making it (mode 0600, its folder
/// 0700) and its schema where they are missing.
pub(crate) async fn open(address: &Path, steps: Steps<'_>) -> Result<Opened, Error> {
    let path = path_of(address)?;
    secure_file(&path)?;
    migrate(&path, steps).await?;
    let pool = |connections, reads| {
        let path = path.clone();
        let open = Arc::default();
        db::pool(Opener { path, reads, open }, connections, PATIENCE)
    };
    let writing = pool(1, false)?;
    let checkpoints = pool(1, false)?;
    let readers = pool(READERS, true)?;
    // One of each at once: the file is what it should be.
    for pool in [&writing, &checkpoints, &readers] {
        drop(db::acquire(pool).await?);
    }
    for suffix in ["-wal", "-shm"] {
        let mut beside = path.clone().into_os_string();
        beside.push(suffix);
        restrict(Path::new(&beside))?;
    }
    tokio::spawn(move_on(checkpoints.weak()));
    Ok(Opened {
        readers,
        writing,
        checkpoints,
        path,
    })
}

/// Moves what was committed from the log into the file, again and again, beside the
/// connection that writes: where a commit has that to do, all who wait for it wait
/// for that too. Ends with the pool.
async fn move_on(pool: managed::WeakPool<Opener>) {
    let mut failing = false;
    loop {
        tokio::time::sleep(CHECKPOINT_EVERY).await;
        let Some(pool) = pool.upgrade() else { return };
        let mut connection = match db::acquire(&pool).await {
            Ok(loan) => Connection::Sqlite(loan.into()),
            Err(Error::Closed) => return,
            // It is tried again, and after so much of a log the writer does it itself.
            Err(_) => continue,
        };
        let checkpoint = query("PRAGMA wal_checkpoint(PASSIVE)").at_length();
        let done = checkpoint.execute(&mut connection).await;
        if let Err(error) = &done
            && !failing
        {
            tracing::warn!(%error, "the log could not be moved into the database");
        }
        failing = done.is_err();
    }
}

/// Applies what is missing, all of it in one transaction, so that two processes
/// that open a new database at once do not meet half-way.
async fn migrate(path: &Path, steps: Steps<'_>) -> Result<(), Error> {
    let Some(migrator) = db::migrator(steps, |step| step.sqlite) else {
        return Ok(());
    };
    let unusable = |source| not_usable(path, source);
    let options = SqliteConnectOptions::new()
        .filename(path)
        .journal_mode(sqlx::sqlite::SqliteJournalMode::Wal)
        .synchronous(sqlx::sqlite::SqliteSynchronous::Full)
        .busy_timeout(BUSY)
        .pragma("secure_delete", "ON")
        .pragma("fullfsync", "ON")
        .pragma("checkpoint_fullfsync", "ON");
    let mut connection = connect(&options).await.map_err(unusable)?;
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    // `run` needs an `Acquire` for any lifetime, which no transaction has.
    migrator
        .run_direct(None, &mut *transaction, false)
        .await
        .map_err(|source| Error::Migrate {
            database: path.display().to_string(),
            source,
        })?;
    transaction.commit().await?;
    Ok(connection.close().await?)
}

/// Of several that make a new file one that is written ahead, SQLite turns all but one
/// away at once, however long they would wait.
async fn connect(options: &SqliteConnectOptions) -> sqlx::Result<SqliteConnection> {
    let begun = Instant::now();
    loop {
        match options.connect().await {
            Err(error) if is_busy(&error) && begun.elapsed() < BUSY => {
                tokio::time::sleep(10 * LOOK_AGAIN).await;
            }
            done => return done,
        }
    }
}

/// Whether another connection holds the file.
fn is_busy(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|error| error.code());
    // The low byte; what is above tells more of it.
    code.and_then(|code| code.parse::<i32>().ok())
        .is_some_and(|code| code & 0xff == rusqlite::ffi::SQLITE_BUSY)
}

/// SQLite itself would look again ever more rarely, after up to a tenth of a second: a
/// process that writes without a pause would keep the others from writing at all.
fn wait_again(times: i32) -> bool {
    let waited = LOOK_AGAIN.saturating_mul(u32::try_from(times).unwrap_or(u32::MAX));
    if waited >= BUSY {
        return false;
    }
    std::thread::sleep(LOOK_AGAIN);
    true
}

fn not_usable(path: &Path, source: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::Open {
        database: path.display().to_string(),
        source: Box::new(source),
    }
}

/// What opens connections.
#[derive(Debug)]
pub struct Opener {
    path: PathBuf,
    reads: bool,
    /// Each connection holds it, in whichever thread it is, until it is closed.
    open: Arc<()>,
}

impl Opener {
    /// Waits until the last of its connections is closed.
    pub(crate) async fn all_closed(&self) {
        while Arc::strong_count(&self.open) > 1 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    fn open(path: &Path, reads: bool) -> rusqlite::Result<rusqlite::Connection> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = rusqlite::Connection::open_with_flags(path, flags)?;
        connection.busy_handler(Some(wait_again))?;
        connection.set_prepared_statement_cache_capacity(PREPARED);
        connection.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(()))?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "foreign_keys", true)?;
        connection.pragma_update_and_check(None, "secure_delete", true, |_| Ok(()))?;
        // Where the system's fsync does not reach the platter (macOS), ask for the one
        // that does.
        connection.pragma_update(None, "fullfsync", true)?;
        connection.pragma_update(None, "checkpoint_fullfsync", true)?;
        if reads {
            // A reader never writes: writes go through the queue.
            connection.pragma_update(None, "query_only", true)?;
        } else {
            // In KiB, negative. What a reader kept is void with the next commit.
            connection.pragma_update(None, "cache_size", -WRITER_CACHE)?;
            connection
                .pragma_update_and_check(None, "wal_autocheckpoint", LONGEST_LOG, |_| Ok(()))?;
        }
        Ok(connection)
    }
}

impl managed::Manager for Opener {
    type Type = Link;
    type Error = Error;

    async fn create(&self) -> Result<Link, Error> {
        let (path, reads, open) = (self.path.clone(), self.reads, Arc::clone(&self.open));
        let opened = tokio::task::spawn_blocking(move || {
            Ok(Open {
                connection: Self::open(&path, reads)?,
                _open: open,
            })
        })
        .await
        .map_err(|_| Error::Abandoned)?;
        let connection =
            opened.map_err(|source: rusqlite::Error| not_usable(&self.path, source))?;
        Ok(Link(Some(connection)))
    }

    async fn recycle(&self, link: &mut Link, _: &Metrics) -> RecycleResult<Error> {
        match link.0 {
            Some(_) => Ok(()),
            None => Err(RecycleError::message("it was closed")),
        }
    }
}

/// A connection, until it is closed.
#[derive(Debug)]
pub struct Link(Option<Open>);

/// An open connection, which is closed before it is no longer counted.
#[derive(Debug)]
struct Open {
    connection: rusqlite::Connection,
    _open: Arc<()>,
}

/// A connection on loan.
#[derive(Debug)]
pub struct Loan(Object<Opener>);

impl From<Object<Opener>> for Loan {
    fn from(object: Object<Opener>) -> Self {
        Self(object)
    }
}

impl Loan {
    /// Closes the connection, which undoes whatever it had not committed.
    pub(crate) fn spoil(&mut self) {
        self.0.0 = None;
    }

    /// Runs a statement; how many rows it changed.
    pub(crate) async fn execute(&mut self, asked: Asked) -> Result<u64, Error> {
        self.call(asked.at_length, move |connection| {
            let mut statement = asked.prepared(connection)?;
            let mut rows = statement.raw_query();
            while rows.next()?.is_some() {}
            Ok(connection.changes())
        })
        .await
    }

    /// Runs a statement; its first rows, so many at most.
    pub(crate) async fn fetch(&mut self, asked: Asked, most: usize) -> Result<Vec<Row>, Error> {
        self.call(asked.at_length, move |connection| {
            let mut statement = asked.prepared(connection)?;
            let mut found: Vec<Row> = Vec::new();
            let mut rows = statement.raw_query();
            while found.len() < most
                && let Some(row) = rows.next()?
            {
                // Not before the first row: only then are they this execution's, whatever
                // another process has done to a table.
                let names: Arc<[String]> = match found.first() {
                    Some(first) => Arc::clone(&first.names),
                    None => {
                        let names = row.as_ref().column_names();
                        names.into_iter().map(str::to_owned).collect()
                    }
                };
                let values = (0..names.len()).map(|place| row.get(place));
                found.push(Row {
                    values: values.collect::<Result<_, _>>()?,
                    names,
                });
            }
            Ok(found)
        })
        .await
    }

    async fn call<T: Send + 'static>(
        &mut self,
        at_length: bool,
        f: impl FnOnce(&rusqlite::Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, Error> {
        // Nothing here waits: whoever asks much lets others have their turn.
        tokio::task::consume_budget().await;
        let place = &mut self.0.0;
        if !at_length {
            let open = place.as_ref().ok_or(Error::Closed)?;
            return Ok(f(&open.connection)?);
        }
        let open = place.take().ok_or(Error::Closed)?;
        let (open, done) = tokio::task::spawn_blocking(move || {
            let done = f(&open.connection);
            (open, done)
        })
        .await
        .map_err(|_| Error::Abandoned)?;
        *place = Some(open);
        Ok(done?)
    }
}

/// A statement with its values.
pub(crate) struct Asked {
    pub(crate) sql: Cow<'static, str>,
    pub(crate) values: Vec<Value>,
    /// Whether it reads much.
    pub(crate) at_length: bool,
}

impl Asked {
    fn prepared<'c>(
        &self,
        connection: &'c rusqlite::Connection,
    ) -> rusqlite::Result<rusqlite::CachedStatement<'c>> {
        let mut statement = connection.prepare_cached(&self.sql)?;
        let (given, expected) = (self.values.len(), statement.parameter_count());
        if given != expected {
            return Err(rusqlite::Error::InvalidParameterCount(given, expected));
        }
        for (place, value) in (1..).zip(&self.values) {
            statement.raw_bind_parameter(place, value)?;
        }
        Ok(statement)
    }
}

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Int(Some(value)) => ValueRef::Integer(*value),
            Self::Text(Some(value)) => ValueRef::Text(value.as_bytes()),
            Self::Bytes(Some(value)) => ValueRef::Blob(value),
            Self::Int(None) | Self::Text(None) | Self::Bytes(None) => ValueRef::Null,
        }))
    }
}

/// A row, apart from its statement.
pub struct Row {
    names: Arc<[String]>,
    values: Vec<rusqlite::types::Value>,
}

impl std::fmt::Debug for Row {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Row")
    }
}

impl Row {
    /// The column of this name.
    pub(crate) fn get<T: FromSql>(&self, column: &str) -> rusqlite::Result<T> {
        match self.names.iter().position(|name| name == column) {
            Some(place) => self.at(place),
            None => Err(rusqlite::Error::InvalidColumnName(column.to_owned())),
        }
    }

    /// The column at this place.
    pub(crate) fn at<T: FromSql>(&self, place: usize) -> rusqlite::Result<T> {
        let value = self.values.get(place);
        let value = value.ok_or(rusqlite::Error::InvalidColumnIndex(place))?;
        let read = T::column_result(value.into());
        read.map_err(|error| {
            let kind = value.data_type();
            rusqlite::Error::FromSqlConversionFailure(place, kind, Box::new(error))
        })
    }
}

/// The file at an address; `None` for a server's database.
pub(crate) fn file_at(address: &Path) -> Result<Option<PathBuf>, Error> {
    let server = address.to_str().is_some_and(crate::postgres::is_address);
    if server {
        return Ok(None);
    }
    path_of(address).map(Some)
}

fn path_of(address: &Path) -> Result<PathBuf, Error> {
    let Some(text) = address.to_str() else {
        return Ok(address.to_owned());
    };
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
    // Not opened where it is there: to close it would free the locks that this process
    // has on it, and another one could take it for a file that nobody uses.
    let mut open = std::fs::OpenOptions::new();
    open.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut open, 0o600);
    match open.open(path).and_then(|file| file.sync_all()) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            if path.is_dir() {
                return Err(failed(path)(std::io::ErrorKind::IsADirectory.into()));
            }
        }
        made => made.map_err(failed(path))?,
    }
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

/// Which file a path names: its device and number there.
#[cfg(unix)]
pub(crate) fn identity(path: &Path) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    let found = std::fs::metadata(path).ok()?;
    Some((found.dev(), found.ino()))
}

/// Which file a path names cannot be told here.
#[cfg(not(unix))]
pub(crate) fn identity(_: &Path) -> Option<(u64, u64)> {
    None
}
