//! PostgreSQL: one database of a server, shared by any number of nodes.

use std::str::FromStr;
use std::time::Duration;

use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPoolOptions, PgSslMode};

use crate::db::{self, Steps};
use crate::{Durability, Error};

/// How many connections read at once.
const READERS: u32 = 8;
/// How many write at once, besides the one that writes in turn.
const WRITERS: u32 = 16;
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

/// An open database.
pub(crate) struct Opened {
    pub(crate) readers: PgPool,
    pub(crate) writers: PgPool,
    pub(crate) in_turn: PgPool,
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
    let failed = |source| not_opened(&address, source);
    let pool = |connections| {
        PgPoolOptions::new()
            .max_connections(connections)
            .acquire_timeout(PATIENCE)
    };
    let in_turn = pool(1)
        .connect_with(options.clone())
        .await
        .map_err(failed)?;
    if let Some(migrator) = db::migrator(steps, |step| step.postgres) {
        let mut connection = in_turn.acquire().await.map_err(failed)?;
        // Under a lock of its own: two nodes that start at once do not meet half-way.
        migrator
            .run_direct(None, &mut *connection, false)
            .await
            .map_err(|source| Error::Migrate {
                database: address.clone(),
                source,
            })?;
    }
    let writers = pool(WRITERS)
        .connect_with(options.clone())
        .await
        .map_err(failed)?;
    // Opened when the first lock is taken. A node that hangs is not waited for.
    let sessions = pool(SESSIONS).connect_lazy_with(options.clone().options(SESSION));
    let readers = pool(READERS)
        .connect_with(options.options([("default_transaction_read_only", "on")]))
        .await
        .map_err(failed)?;
    Ok(Opened {
        readers,
        writers,
        in_turn,
        sessions,
        address,
    })
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
                source,
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

pub(crate) async fn durability(connection: &mut PgConnection) -> Result<Durability, Error> {
    let mut found = Vec::new();
    for (name, show) in [
        ("synchronous_commit", "SHOW synchronous_commit"),
        ("fsync", "SHOW fsync"),
    ] {
        let value: String = sqlx::query_scalar(show).fetch_one(&mut *connection).await?;
        found.push((name, value));
    }
    Ok(Durability::of(found))
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
