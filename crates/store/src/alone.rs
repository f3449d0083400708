//! One process at a time, over all nodes of a database: a lock that the system frees
//! when whoever holds it dies, by whatever signal.
//!
//! Beside a file it is a lock of the operating system on another file. On PostgreSQL
//! it is an advisory lock of a session, on a connection of its own.

use std::fs::File;
use std::path::{Path, PathBuf};

use sqlx::pool::PoolConnection;
use sqlx::{PgPool, Postgres};

use crate::Error;

/// What is done alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lock {
    /// Work on one status list.
    StatusList(i64),
    /// Forgetting what is past its time.
    Purge,
}

/// A lock that is held until it is dropped.
#[derive(Debug)]
#[must_use = "the lock is free as soon as this is dropped"]
pub enum Held {
    /// An open file: closing it frees the lock.
    File(File),
    /// A session.
    Session(Session),
}

/// How many files there are for all lists. Two lists that share one wait for each
/// other now and then; a file for each would have to be taken away again, which
/// cannot be done safely while somebody waits for its lock.
const FILES: i64 = 64;

/// Locks a file beside the database.
pub(crate) async fn by_file(database: &Path, lock: Lock) -> Result<Held, Error> {
    let path = file_of(database, lock);
    let failed = {
        let path = path.clone();
        move |source| Error::File { path, source }
    };
    let locked = tokio::task::spawn_blocking(move || {
        let mut open = std::fs::OpenOptions::new();
        open.write(true).create(true).truncate(false);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut open, 0o600);
        let file = open.open(&path)?;
        file.lock()?;
        Ok(file)
    })
    .await;
    locked
        .unwrap_or_else(|error| Err(std::io::Error::other(error)))
        .map(Held::File)
        .map_err(failed)
}

fn file_of(database: &Path, lock: Lock) -> PathBuf {
    let mut path = database.to_owned().into_os_string();
    path.push(match lock {
        Lock::StatusList(list) => format!("-lock-{:02}", list.rem_euclid(FILES)),
        Lock::Purge => "-lock-purge".to_owned(),
    });
    path.into()
}

/// Locks in a session.
pub(crate) async fn by_session(sessions: &PgPool, lock: Lock) -> Result<Held, Error> {
    let (of, which) = match lock {
        // Lists are numbered from one on; beyond 2^31 two could share a lock.
        Lock::StatusList(list) => (LISTS, i32::try_from(list % (1 << 31)).unwrap_or(0)),
        Lock::Purge => (PURGE, 0),
    };
    // Held from the beginning: a caller that goes while it waits frees it too.
    let mut session = Session(Some(sessions.acquire().await?));
    if let Some(connection) = &mut session.0 {
        sqlx::query("SELECT pg_advisory_lock($1, $2)")
            .bind(of)
            .bind(which)
            .execute(&mut **connection)
            .await?;
    }
    Ok(Held::Session(session))
}

/// The first halves of PostgreSQL's lock numbers.
const LISTS: i32 = 7311;
const PURGE: i32 = 7312;

/// A session that holds a lock.
#[derive(Debug)]
pub struct Session(Option<PoolConnection<Postgres>>);

impl Drop for Session {
    fn drop(&mut self) {
        let Some(mut connection) = self.0.take() else {
            return;
        };
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            connection.close_on_drop();
            return;
        };
        runtime.spawn(async move {
            let freed = sqlx::query("SELECT pg_advisory_unlock_all()")
                .execute(&mut *connection)
                .await;
            if freed.is_err() {
                connection.close_on_drop();
            }
        });
    }
}
