//! What nothing may come of in a database that is older than the world: restored from a
//! backup, or put back by other means.

use jiff::Timestamp;

use crate::Error;
use crate::sql::{Connection, query};

/// What is good for minutes or hours, each with how it is taken away. Since the copy
/// was made it may have been spent or ended, and whoever wants it asks for it again.
const PASSING: [(&str, &str); 5] = [
    ("challenge", "DELETE FROM challenge"),
    ("sign_in", "DELETE FROM sign_in"),
    ("ceremony", "DELETE FROM ceremony"),
    ("link_code", "DELETE FROM link_code"),
    ("address_code", "DELETE FROM address_code"),
];

/// Closes every open list, whose later counters were handed out, and takes away what
/// is passing; how many lists. `tables` are those of an older schema, which has not
/// all of them.
pub(crate) async fn retire(
    tx: &mut Connection,
    tables: Option<&[&str]>,
    at: Timestamp,
) -> Result<u64, Error> {
    for (table, forget) in PASSING {
        if tables.is_none_or(|tables| tables.contains(&table)) {
            query(forget).execute(tx).await?;
        }
    }
    query("UPDATE status_list SET closed_at = ? WHERE closed_at IS NULL")
        .bind(at.as_second())
        .execute(tx)
        .await
}
