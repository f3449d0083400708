//! Backups: everything in a database, in one file that either kind restores.
//!
//! A backup is JSON, one value a line, compressed with gzip:
//!
//! ```text
//! {"backup":1,"made_at":"…","made_from":"sqlite","schema":[[1,"wallet provider"],…]}
//! {"table":"account","columns":[["id","number"],["alias","text"],["code_hash","bytes"],…]}
//! [1,"somebody","bytes in base64url",1796000000]
//! …
//! {"end":{"rows":{"account":1,…},"lists":[…],"sha256":"of every line above"}}
//! ```
//!
//! It is read from one snapshot, so it is the database as of one moment, while nodes
//! go on working. What tables and columns there are is asked of the database itself:
//! a table that is added is in the next backup. They stand in an order in which each
//! row comes after those that it refers to.

mod error;
mod format;
mod load;
mod save;
mod tables;

pub use error::BackupError;
pub use format::{ListMark, Manifest, Step};
pub use load::{Loaded, Onto, restore};
pub use save::save;

#[cfg(test)]
mod tests;

use std::io::{BufReader, Read};

/// Reads a backup to its end and answers what it holds; or says why it is not whole.
pub fn verify(from: impl Read) -> Result<Manifest, BackupError> {
    let mut reader = format::Reader::open(BufReader::new(from))?;
    while reader.next()?.is_some() {}
    reader.manifest()
}
