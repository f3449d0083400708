//! The house's memory: SQLite or PostgreSQL behind the ports of the rooms above.
//!
//! [`Database`] is the one way in: it opens a file or a server's database, sees that
//! commits are on disk when they are acknowledged, brings the schema up to date, and
//! gives connections to read from and a way to write. Each room's port is implemented
//! in a module of its own: [`provider`] for the wallet provider, [`accounts`] for users'
//! accounts, [`notices`] for what users are told, [`operators`] for the trail of what
//! operators did, [`wsca`] for the WSCA; statements are written once for both databases,
//! in the terms of [`sql`].
//!
//! [`backup`] writes all of it into one file, and restores it into either database.
//!
//! Migrations are plain SQL files, one for each database under one name in
//! `migrations/sqlite` and `migrations/postgres`, listed by the module that owns their
//! tables (0001 to 0099 the wallet provider, 0100 to 0199 the WSCA), so that a file
//! that nobody lists fails a test instead of being forgotten.

pub mod accounts;
mod alone;
pub mod backup;
mod db;
mod group;
mod migrations;
pub mod notices;
pub mod operators;
mod outdated;
mod postgres;
pub mod provider;
pub mod sql;
mod sqlite;
pub mod wsca;

pub use alone::{Held, Lock};
pub use db::{Database, Durability, Error, Kind, SchemaState, Transaction};
pub use group::JobFuture;
pub use migrations::Migration;
