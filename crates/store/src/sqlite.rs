//! SQLite: one file, written ahead and synced at each commit.

use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::SqlitePool;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous,
};

use crate::db::{self, Steps};
use crate::{Durability, Error};

/// How long a connection waits for another process's write.
const BUSY: Duration = Duration::from_secs(10);
/// How many connections read at once.
const READERS: u32 = 4;

/// What every connection must show: the log is synced before a commit is
/// acknowledged, rows that others refer to cannot go away, and what is deleted is
/// overwritten with zeros.
pub(crate) const DURABLE: &[(&str, &[&str])] = &[
    ("journal_mode", &["wal"]),
    ("synchronous", &["2"]),
    ("foreign_keys", &["1"]),
    ("secure_delete", &["1"]),
];

/// An open file.
pub(crate) struct Opened {
    pub(crate) readers: SqlitePool,
    pub(crate) writing: SqlitePool,
    pub(crate) path: PathBuf,
}

/// Opens the file at a path, or at `sqlite:PATH`, making it (mode 0600, its folder
/// 0700) and its schema where they are missing.
pub(crate) async fn open(address: &Path, steps: Steps<'_>) -> Result<Opened, Error> {
    let path = path_of(address)?;
    secure_file(&path)?;
    let options = options(&path);
    let failed = |source| Error::Open {
        database: path.display().to_string(),
        source,
    };
    let writing = SqlitePoolOptions::new()
        .max_connections(1)
        .idle_timeout(None)
        .max_lifetime(None)
        .connect_with(options.clone())
        .await
        .map_err(failed)?;
    migrate(&writing, &path, steps).await?;
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
    Ok(Opened {
        readers,
        writing,
        path,
    })
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
async fn migrate(pool: &SqlitePool, path: &Path, steps: Steps<'_>) -> Result<(), Error> {
    let Some(migrator) = db::migrator(steps, |step| step.sqlite) else {
        return Ok(());
    };
    let failed = |source| Error::Migrate {
        database: path.display().to_string(),
        source,
    };
    let mut transaction = pool.begin_with("BEGIN IMMEDIATE").await?;
    // `run` needs an `Acquire` for any lifetime, which no transaction has.
    migrator
        .run_direct(None, &mut *transaction, false)
        .await
        .map_err(failed)?;
    Ok(transaction.commit().await?)
}

pub(crate) async fn durability(connection: &mut SqliteConnection) -> Result<Durability, Error> {
    let mode: String = sqlx::query_scalar("PRAGMA journal_mode")
        .fetch_one(&mut *connection)
        .await?;
    let mut found = vec![("journal_mode", mode)];
    for (name, pragma) in [
        ("synchronous", "PRAGMA synchronous"),
        ("foreign_keys", "PRAGMA foreign_keys"),
        ("secure_delete", "PRAGMA secure_delete"),
    ] {
        let value: i64 = sqlx::query_scalar(pragma)
            .fetch_one(&mut *connection)
            .await?;
        found.push((name, value.to_string()));
    }
    Ok(Durability::of(found))
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
