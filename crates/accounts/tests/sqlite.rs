//! Accounts on SQLite.

mod suite;

const DATABASE: store::Kind = store::Kind::Sqlite;
