//! PostgreSQL: one database of a server, shared by any number of nodes.

use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use deadpool::managed::{self, Metrics, Object, RecycleError, RecycleResult};
use sqlx::postgres::{
    PgArguments, PgConnectOptions, PgConnection, PgDatabaseError, PgPoolOptions, PgRow, PgSeverity,
    PgSslMode,
};
use sqlx::{ConnectOptions, Connection as _, PgPool, Postgres};

use crate::Error;
use crate::db::{self, Steps};

/// How many connections read at once.
const READERS: usize = 8;
/// How many write at once, besides the one that writes in turn.
const WRITERS: usize = 16;
/// How many locks one node holds, or waits for, at once.
const SESSIONS: u32 = 12;
/// How long a lock is waited for.
const LOCK_TIMEOUT: &str = "30s";
/// What is set in a session that holds a lock, so that the server gives it up soon:
/// while others wait, and half a minute after its node's host has lost its power or its
/// network, which no system tells the server of (its own patience is two hours).
const SESSION: [(&str, &str); 4] = [
    ("lock_timeout", LOCK_TIMEOUT),
    ("tcp_keepalives_idle", "10"),
    ("tcp_keepalives_interval", "5"),
    ("tcp_keepalives_count", "3"),
];
/// What every other session has. A plan is kept, and one that was made while a table was
/// all but empty would read it whole from then on, however it grew, until the server looks
/// at the table the next time. Whoever means to read a whole table says so
/// ([`crate::sql::Query::whole_tables`]). A table of one row, which has no index to be
/// found by, seems so dear then that the server would compile the statement each time.
const BY_INDEX: [(&str, &str); 2] = [("enable_seqscan", "off"), ("jit", "off")];
/// How long a request waits for a connection: a server that is away is told soon.
const PATIENCE: Duration = Duration::from_secs(5);

/// What every connection must show: a commit is acknowledged once the log is synced
/// here, whatever it waits for besides.
pub(crate) const DURABLE: &[(&str, &[&str])] = &[
    (
        "synchronous_commit",
        &["on", "local", "remote_write", "remote_apply"],
    ),
    ("fsync", &["on"]),
];

/// How long a connection that nobody used is taken to stand: a longer one is asked.
const FRESH: Duration = Duration::from_secs(1);
/// How old a connection grows: a server that is no longer the first one is left.
const OLDEST: Duration = Duration::from_mins(30);
/// How long to wait before a server that is starting is tried again.
const AGAIN: Duration = Duration::from_millis(50);

/// Connections to one database.
pub(crate) type Pool = managed::Pool<Opener>;

/// An open database.
pub(crate) struct Opened {
    pub(crate) readers: Pool,
    pub(crate) writers: Pool,
    pub(crate) in_turn: Pool,
    /// For locks of a session: see [`crate::alone`].
    pub(crate) sessions: PgPool,
    /// Without secrets.
    pub(crate) address: String,
}

/// Whether an address is a server's.
pub(crate) fn is_address(text: &str) -> bool {
    text.starts_with("postgres:") || text.starts_with("postgresql:")
}

/// Opens the database and brings its schema up to date.
pub(crate) async fn open(text: &str, steps: Steps<'_>) -> Result<Opened, Error> {
    let options = options(text)?;
    let address = shown(&options);
    if let Some(migrator) = db::migrator(steps, |step| step.postgres) {
        let mut connection = connect(&options)
            .await
            .map_err(|source| not_opened(&address, source))?;
        // Under a lock of its own: two nodes that start at once do not meet half-way.
        migrator
            .run_direct(None, &mut connection, false)
            .await
            .map_err(|source| Error::Migrate {
                database: address.clone(),
                source,
            })?;
        // What was to be done is done, whether the server hears the goodbye or not.
        let _ = connection.close().await;
    }
    let pool = |options: &PgConnectOptions, connections| {
        let opener = Opener {
            options: options.clone(),
            address: address.clone(),
            broken: Arc::default(),
        };
        db::pool(opener, connections, PATIENCE)
    };
    let writing = options.clone().options(BY_INDEX);
    let reading = writing
        .clone()
        .options([("default_transaction_read_only", "on")]);
    let (in_turn, writers) = (pool(&writing, 1)?, pool(&writing, WRITERS)?);
    let readers = pool(&reading, READERS)?;
    // One of each at once: the server can be reached, and lets us in.
    for pool in [&in_turn, &writers, &readers] {
        drop(db::acquire(pool).await?);
    }
    // Opened when the first lock is taken. A node that hangs is not waited for.
    let sessions = PgPoolOptions::new()
        .max_connections(SESSIONS)
        .acquire_timeout(PATIENCE)
        .connect_lazy_with(options.options(SESSION));
    Ok(Opened {
        readers,
        writers,
        in_turn,
        sessions,
        address,
    })
}

/// Connects; a server that is just starting is waited for.
async fn connect(options: &PgConnectOptions) -> Result<PgConnection, sqlx::Error> {
    let begun = Instant::now();
    loop {
        let tried = tokio::time::timeout(PATIENCE, options.connect()).await;
        let error = match tried.unwrap_or(Err(sqlx::Error::PoolTimedOut)) {
            Ok(connection) => return Ok(connection),
            Err(error) => error,
        };
        let starting = match &error {
            sqlx::Error::Io(why) => why.kind() == std::io::ErrorKind::ConnectionRefused,
            sqlx::Error::Database(why) => why.is_transient_in_connect_phase(),
            _ => false,
        };
        if !starting || begun.elapsed() >= PATIENCE {
            return Err(error);
        }
        tokio::time::sleep(AGAIN).await;
    }
}

/// What opens connections.
#[derive(Debug)]
pub struct Opener {
    options: PgConnectOptions,
    address: String,
    /// How many of its connections broke: where one did, the others may have too.
    broken: Arc<AtomicU64>,
}

impl managed::Manager for Opener {
    type Type = Link;
    type Error = Error;

    async fn create(&self) -> Result<Link, Error> {
        let connection = connect(&self.options)
            .await
            .map_err(|source| not_opened(&self.address, source))?;
        Ok(Link {
            connection: Some(connection),
            asked: false,
            seen: self.broken.load(Ordering::Relaxed),
            broken: Arc::clone(&self.broken),
        })
    }

    async fn recycle(&self, link: &mut Link, used: &Metrics) -> RecycleResult<Error> {
        let broken = self.broken.load(Ordering::Relaxed);
        let fresh = used.last_used() <= FRESH && link.seen == broken;
        let stands = match &mut link.connection {
            Some(_) if link.asked || used.age() > OLDEST => false,
            Some(connection) => fresh || connection.ping().await.is_ok(),
            None => false,
        };
        if stands {
            link.seen = broken;
            return Ok(());
        }
        link.close();
        Err(RecycleError::message("it broke, or was closed"))
    }
}

/// A connection, until it is closed.
#[derive(Debug)]
pub struct Link {
    connection: Option<PgConnection>,
    /// Whether it is in the middle of a statement, or broke in one.
    asked: bool,
    /// How many had broken when it was last known to stand.
    seen: u64,
    broken: Arc<AtomicU64>,
}

impl Link {
    fn close(&mut self) {
        let Some(connection) = self.connection.take() else {
            return;
        };
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            // Whether the server hears the goodbye or not.
            runtime.spawn(connection.close());
        }
    }
}

/// A connection on loan.
#[derive(Debug)]
pub struct Loan(Object<Opener>);

impl From<Object<Opener>> for Loan {
    fn from(object: Object<Opener>) -> Self {
        Self(object)
    }
}

pub(crate) type Statement = sqlx::query::Query<'static, Postgres, PgArguments>;

impl Loan {
    /// Closes the connection, which undoes whatever it had not committed.
    pub(crate) fn spoil(&mut self) {
        self.0.close();
    }

    /// Runs a statement; how many rows it changed.
    pub(crate) async fn execute(&mut self, statement: Statement) -> Result<u64, Error> {
        let done = statement.execute(self.ask()?).await;
        Ok(self.answered(done)?.rows_affected())
    }

    /// Runs a statement; all its rows.
    pub(crate) async fn fetch_all(&mut self, statement: Statement) -> Result<Vec<PgRow>, Error> {
        let done = statement.fetch_all(self.ask()?).await;
        self.answered(done)
    }

    /// Runs a statement; its first row.
    pub(crate) async fn fetch_optional(
        &mut self,
        statement: Statement,
    ) -> Result<Option<PgRow>, Error> {
        let done = statement.fetch_optional(self.ask()?).await;
        self.answered(done)
    }

    /// Whether the next statement may read a whole table where that is quicker.
    pub(crate) async fn whole_tables(&mut self, may: bool) -> Result<(), Error> {
        let how = match may {
            true => "SET enable_seqscan = on",
            false => "SET enable_seqscan = off",
        };
        self.execute(sqlx::query(how)).await.map(drop)
    }

    /// From here until the answer, whoever goes leaves a connection behind that nobody
    /// can go on with.
    fn ask(&mut self) -> Result<&mut PgConnection, Error> {
        let link = &mut *self.0;
        link.asked = true;
        link.connection.as_mut().ok_or(Error::Closed)
    }

    fn answered<T>(&mut self, done: Result<T, sqlx::Error>) -> Result<T, Error> {
        // A refusal is an answer. What ends the session breaks the connection, and so does
        // whatever else is no answer.
        self.0.asked = match &done {
            Ok(_) | Err(sqlx::Error::RowNotFound) => false,
            Err(sqlx::Error::Database(why)) => {
                let severity = why.try_downcast_ref::<PgDatabaseError>();
                severity.is_some_and(|why| {
                    matches!(why.severity(), PgSeverity::Fatal | PgSeverity::Panic)
                })
            }
            Err(_) => true,
        };
        if self.0.asked {
            self.0.broken.fetch_add(1, Ordering::Relaxed);
        }
        Ok(done?)
    }
}

/// A server that is away is not one that refuses.
fn not_opened(address: &str, source: sqlx::Error) -> Error {
    let why = match &source {
        sqlx::Error::PoolTimedOut => {
            format!("no connection within {} seconds", PATIENCE.as_secs())
        }
        sqlx::Error::Io(why) => why.to_string(),
        _ => {
            return Error::Open {
                database: address.to_owned(),
                source: Box::new(source),
            };
        }
    };
    Error::Away {
        database: address.to_owned(),
        why,
    }
}

/// A server elsewhere is spoken to over TLS, under a certificate of its name, unless
/// the address says otherwise.
fn options(text: &str) -> Result<PgConnectOptions, Error> {
    let unreadable = || {
        let shown = text.split('@').next_back().unwrap_or_default();
        Error::Address(shown.to_owned())
    };
    let options = PgConnectOptions::from_str(text).map_err(|_| unreadable())?;
    let options = options.application_name("claviger");
    let host = options.get_host();
    let here = options.get_socket().is_some()
        || host.starts_with('/')
        || matches!(host, "localhost" | "127.0.0.1" | "::1");
    if here || text.contains("sslmode=") || text.contains("ssl-mode=") {
        return Ok(options);
    }
    Ok(options.ssl_mode(PgSslMode::VerifyFull))
}

fn shown(options: &PgConnectOptions) -> String {
    let place = match options.get_socket() {
        Some(socket) => socket.display().to_string(),
        None => format!("{}:{}", options.get_host(), options.get_port()),
    };
    let name = options.get_database().unwrap_or_default();
    format!("postgres://{place}/{name}")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_server_elsewhere_is_spoken_to_over_tls() {
        let mode = |text| format!("{:?}", options(text).unwrap().get_ssl_mode());
        for (address, expected) in [
            ("postgres://db.example/claviger", "VerifyFull"),
            ("postgres://db.example/claviger?sslmode=require", "Require"),
            ("postgres://localhost/claviger", "Prefer"),
            ("postgresql:///claviger?host=/run/postgresql", "Prefer"),
        ] {
            assert_eq!(mode(address), expected, "{address}");
        }
    }

    #[test]
    fn a_server_that_is_away_is_told_from_one_that_refuses() {
        let away = not_opened("postgres://db.example/x", sqlx::Error::PoolTimedOut);
        assert_eq!(
            away.to_string(),
            "postgres://db.example/x: cannot be reached: no connection within 5 seconds"
        );
        let refused = not_opened("postgres://db.example/x", sqlx::Error::WorkerCrashed);
        assert!(matches!(refused, Error::Open { .. }), "{refused}");
    }

    #[test]
    fn a_password_is_not_shown() {
        let address = "postgres://me:hidden@db.example:5433/claviger";
        assert_eq!(
            shown(&options(address).unwrap()),
            "postgres://db.example:5433/claviger"
        );
        let broken = options("postgres://me:hidden@db.example:port/x").unwrap_err();
        assert!(!broken.to_string().contains("hidden"), "{broken}");
    }
}
