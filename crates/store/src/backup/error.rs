use crate::Error;

/// Why a backup was not made, read or restored.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackupError {
    /// The database failed.
    #[error(transparent)]
    Database(#[from] Error),
    /// The file could not be read or written.
    #[error("the backup: {0}")]
    File(#[from] std::io::Error),
    /// The file is not a backup, or was changed or cut short.
    #[error("the backup, line {line}: {what}")]
    Damaged {
        /// The line.
        line: u64,
        /// What is wrong with it.
        what: String,
    },
    /// A column is of a type that backups do not carry.
    #[error("{table}.{column} is of the type {found}, which no backup carries")]
    Type {
        /// The table.
        table: String,
        /// The column.
        column: String,
        /// Its type.
        found: String,
    },
    /// A table cannot be read row by row, or its rows cannot be put back in order.
    #[error("{table}: {what}")]
    Table {
        /// The table.
        table: String,
        /// Why.
        what: &'static str,
    },
    /// The backup is of a schema that this version does not know.
    #[error("the backup's schema has step {version} ({name}), which this version does not know")]
    Newer {
        /// The step's number.
        version: i64,
        /// Its name.
        name: String,
    },
    /// The database has another schema than the backup.
    #[error(
        "the database's schema is not the backup's: restore into one that no version has opened yet"
    )]
    Schema,
    /// The file is not what it was when it was looked at first.
    #[error("the backup was changed while it was read")]
    Changed,
    /// Something is in the database already.
    #[error("{database} is not empty ({table} has rows)")]
    NotEmpty {
        /// The database, without secrets.
        database: String,
        /// A table with rows.
        table: String,
    },
    /// Somebody is connected to the database.
    #[error("{connections} other connections to the database are open: stop every node first")]
    InUse {
        /// How many.
        connections: i64,
    },
}
