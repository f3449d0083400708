//! The steps of the schema, in the order of their numbers: those of the wallet provider
//! and what stands on it below 100, those of the WSCA from 100.

/// One step of the schema.
#[derive(Debug, Clone, Copy)]
pub struct Migration {
    /// Its number; a step is applied once, in the order of the numbers.
    pub version: i64,
    /// Its name.
    pub name: &'static str,
    /// What it does on SQLite.
    pub sqlite: &'static str,
    /// What it does on PostgreSQL.
    pub postgres: &'static str,
}

/// A step whose files stand in `migrations/sqlite` and `migrations/postgres` under
/// one name.
macro_rules! migration {
    ($version:literal, $name:literal, $file:literal) => {
        Migration {
            version: $version,
            name: $name,
            sqlite: include_str!(concat!(
                env!("CARGO_MANIFEST_DIR"),
                "/migrations/sqlite/",
                $file
            )),
            postgres: include_str!(concat!(
                env!("CARGO_MANIFEST_DIR"),
                "/migrations/postgres/",
                $file
            )),
        }
    };
}

/// All of them.
pub(crate) const MIGRATIONS: &[Migration] = &[
    migration!(1, "wallet provider", "0001_wallet_provider.sql"),
    migration!(2, "lifecycle", "0002_lifecycle.sql"),
    migration!(3, "accounts", "0003_accounts.sql"),
    migration!(4, "notices", "0004_notices.sql"),
    migration!(5, "operators", "0005_operators.sql"),
    migration!(6, "issuance", "0006_issuance.sql"),
    migration!(7, "revocation", "0007_revocation.sql"),
    migration!(8, "status", "0008_status.sql"),
    migration!(9, "promised", "0009_promised.sql"),
    migration!(100, "wsca", "0100_wsca.sql"),
    migration!(
        101,
        "wsca_rotation_and_checkpoints",
        "0101_wsca_rotation_and_checkpoints.sql"
    ),
];
