//! Status lists: blocks of indices, publication, and the end of a list.

use crate::sql::{Connection, query};
use jiff::Timestamp;
use wallet_provider::{Block, ListState, NewList, Purged, StoreError};

use super::{rows, seconds, signed};

pub(super) async fn take_block(
    tx: &mut Connection,
    new: NewList,
    count: u64,
    at: Timestamp,
) -> Result<Block, StoreError> {
    let (list, uri, size, check, next, published) = open_list(tx, &new).await?;
    let size = rows::unsigned("status_list", "size", size)?;
    let start = rows::unsigned("status_list", "next_counter", next)?;
    let end = start.saturating_add(count).min(size);
    // The list that is used up is closed with its last block, so that an open list
    // always has a counter left.
    query(
        "UPDATE status_list SET next_counter = ?2, closed_at = CASE WHEN ?2 = size THEN ?3 END
         WHERE id = ?1",
    )
    .bind(list)
    .bind(signed(end))
    .bind(seconds(at))
    .execute(tx)
    .await?;
    Ok(Block {
        list,
        uri,
        size,
        key_check: rows::hash("status_list", "key_check", &check)?,
        published: published > 0,
        counters: start..end,
    })
}

type OpenList = (i64, String, i64, Vec<u8>, i64, i64);

/// The open list of the kind, locked; it is opened where there is none. Another node
/// may close the one that was found while this one waits for its lock, and then there
/// is another to be found or opened.
async fn open_list(tx: &mut Connection, new: &NewList) -> Result<OpenList, StoreError> {
    const TRIES: u32 = 8;
    for _ in 0..TRIES {
        let open = query(
            "SELECT id, uri, size, key_check, next_counter, published FROM status_list
             WHERE kind = ? AND closed_at IS NULL",
        )
        .bind(new.kind.name())
        .locking()
        .optional(tx)
        .await?;
        if let Some(open) = open {
            return Ok(open);
        }
        // Of two that open one at once, the second finds the first one's.
        query(
            "INSERT INTO status_list (kind, name, uri, size, key_check) VALUES (?, ?, ?, ?, ?)
             ON CONFLICT DO NOTHING",
        )
        .bind(new.kind.name())
        .bind(&new.name)
        .bind(&new.uri)
        .bind(signed(new.size))
        .bind(new.key_check)
        .execute(tx)
        .await?;
    }
    Err(StoreError::Failed("no open list could be had".into()))
}

pub(super) async fn close(tx: &mut Connection, list: i64, at: Timestamp) -> Result<(), StoreError> {
    query("UPDATE status_list SET closed_at = ? WHERE id = ? AND closed_at IS NULL")
        .bind(seconds(at))
        .bind(list)
        .execute(tx)
        .await?;
    Ok(())
}

pub(super) async fn to_publish(
    connection: &mut Connection,
    renew_before: Timestamp,
) -> Result<Vec<ListState>, StoreError> {
    let lists: Vec<ListRow> = query(
        "SELECT id, name, uri, size, revision FROM status_list
         WHERE revision > published OR published_until <= ? ORDER BY id",
    )
    .bind(seconds(renew_before))
    .all(connection)
    .await?;
    lists.into_iter().map(read).collect()
}

/// In one snapshot: a revision must not be told with the entries of another.
pub(super) async fn list(
    connection: &mut Connection,
    list: i64,
) -> Result<Option<(ListState, Vec<u64>)>, StoreError> {
    let found: Option<ListRow> =
        query("SELECT id, name, uri, size, revision FROM status_list WHERE id = ?")
            .bind(list)
            .optional(connection)
            .await?;
    let Some(state) = found.map(read).transpose()? else {
        return Ok(None);
    };
    let set: Vec<i64> = query("SELECT idx FROM status_set WHERE list = ?")
        .bind(list)
        .all(connection)
        .await?;
    let set = set
        .into_iter()
        .map(|idx| rows::unsigned("status_set", "idx", idx));
    Ok(Some((state, set.collect::<Result<_, _>>()?)))
}

/// Sets entries that the world was told are revoked.
pub(super) async fn set_again(
    tx: &mut Connection,
    list: i64,
    indices: &[u64],
) -> Result<(), StoreError> {
    for index in indices {
        query("INSERT INTO status_set (list, idx) VALUES (?, ?) ON CONFLICT DO NOTHING")
            .bind(list)
            .bind(signed(*index))
            .execute(tx)
            .await?;
    }
    Ok(())
}

pub(super) async fn published(
    tx: &mut Connection,
    list: i64,
    revision: i64,
    expires_at: Timestamp,
) -> Result<(), StoreError> {
    // What is known to be published never goes back.
    query(
        "UPDATE status_list SET published = ?2, published_until = ?3
         WHERE id = ?1 AND published <= ?2",
    )
    .bind(list)
    .bind(revision)
    .bind(seconds(expires_at))
    .execute(tx)
    .await?;
    Ok(())
}

pub(super) async fn uris(connection: &mut Connection) -> Result<Vec<String>, StoreError> {
    Ok(query("SELECT uri FROM status_list ORDER BY uri")
        .all(connection)
        .await?)
}

pub(super) async fn purge(
    tx: &mut Connection,
    now: Timestamp,
    closed_before: Timestamp,
) -> Result<Purged, StoreError> {
    let now = seconds(now);
    let mut counts = [0; 3];
    let statements = [
        "DELETE FROM challenge WHERE expires_at <= ?",
        "DELETE FROM spent_request WHERE forget_at <= ?",
        "DELETE FROM status_entry WHERE maintained_until <= ?",
    ];
    for (count, statement) in counts.iter_mut().zip(statements) {
        let done = query(statement).bind(now).execute(tx).await?;
        *count = done;
    }
    let ended: Vec<(i64, String)> = query(
        "SELECT id, name FROM status_list WHERE closed_at < ?
         AND NOT EXISTS (SELECT 1 FROM status_entry WHERE list = status_list.id)",
    )
    .bind(seconds(closed_before))
    .all(tx)
    .await?;
    let mut lists = Vec::with_capacity(ended.len());
    for (list, name) in ended {
        for statement in [
            "DELETE FROM status_set WHERE list = ?",
            "DELETE FROM status_list WHERE id = ?",
        ] {
            query(statement).bind(list).execute(tx).await?;
        }
        lists.push(name);
    }
    let [challenges, requests, entries] = counts;
    Ok(Purged {
        challenges,
        requests,
        entries,
        lists,
    })
}

type ListRow = (i64, String, String, i64, i64);

fn read((list, name, uri, size, revision): ListRow) -> Result<ListState, StoreError> {
    let size = rows::unsigned("status_list", "size", size)?;
    Ok(ListState {
        list,
        name,
        uri,
        size,
        revision,
    })
}
