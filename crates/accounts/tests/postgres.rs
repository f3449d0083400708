//! Accounts on PostgreSQL.

mod suite;

const DATABASE: store::Kind = store::Kind::Postgres;
