//! The house's memory: SQLite behind the ports of the rooms above.
//!
//! [`Database`] is the one way in: it opens the file with full synchronous
//! commits, brings the schema up to date, and gives a pool to read from and one
//! queue to write through. Each room's port is implemented in a module of its
//! own: [`provider`] for the wallet provider, [`wsca`] for the WSCA.
//!
//! Migrations are plain SQL files in `migrations/sqlite`, listed by the module
//! that owns their tables (0001 to 0099 the wallet provider, 0100 to 0199 the
//! WSCA), so that a file that nobody lists fails a test instead of being
//! forgotten.

mod db;
mod group;
pub mod provider;
pub mod wsca;

pub use db::{Database, Durability, Error, Migration};
pub use group::JobFuture;
