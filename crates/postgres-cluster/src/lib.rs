//! A real PostgreSQL for tests: made in the target folder, started on a free port
//! of loopback, as durable as in production, stopped when its last user is gone.
//!
//! [`shared`] is the one that all tests of a target folder use together, each in a
//! database of its own ([`Server::create`]). A test that stops, starts or kills a
//! server makes a [`Cluster`] for itself.
//!
//! Only the standard library is used: `cargo xtask`, which is built before all
//! else, starts the shared one.

mod cluster;
mod programs;
mod server;
mod shared;
mod watch;

pub use cluster::{Cluster, Stop};
pub use programs::Programs;
pub use server::{Database, Server};
pub use shared::{Lease, shared};

use std::fmt;

/// Names the server that is running already: `postgres://USER:PASSWORD@HOST:PORT`.
pub const VARIABLE: &str = "CLAVIGER_POSTGRES";

/// Why there is no PostgreSQL, in one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Absent(String);

impl Absent {
    fn new(why: impl Into<String>) -> Self {
        Self(why.into())
    }
}

impl fmt::Display for Absent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Absent {}

/// Says what was being done when it failed.
trait Doing<T> {
    fn doing(self, what: impl fmt::Display) -> Result<T, Absent>;
}

impl<T> Doing<T> for std::io::Result<T> {
    fn doing(self, what: impl fmt::Display) -> Result<T, Absent> {
        self.map_err(|cause| Absent(format!("{what}: {cause}")))
    }
}
