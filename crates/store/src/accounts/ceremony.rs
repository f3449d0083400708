//! Ceremonies under way.

use accounts::{NewCeremony, StoreError};
use jiff::Timestamp;

use super::seconds;
use crate::sql::{Connection, query};

pub(super) async fn add(tx: &mut Connection, ceremony: NewCeremony) -> Result<(), StoreError> {
    query("INSERT INTO ceremony (hash, state, expires_at) VALUES (?, ?, ?)")
        .bind(ceremony.hash)
        .bind(ceremony.state)
        .bind(seconds(ceremony.expires_at))
        .execute(tx)
        .await?;
    Ok(())
}

/// Of two that take it at once, the second finds none.
pub(super) async fn take(
    tx: &mut Connection,
    hash: [u8; 32],
    now: Timestamp,
) -> Result<Option<String>, StoreError> {
    let taken: Option<(String, i64)> =
        query("DELETE FROM ceremony WHERE hash = ? RETURNING state, expires_at")
            .bind(hash)
            .optional(tx)
            .await?;
    let taken = taken.filter(|(_, expires_at)| *expires_at > seconds(now));
    Ok(taken.map(|(state, _)| state))
}
