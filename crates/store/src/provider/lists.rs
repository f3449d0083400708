//! Status lists: blocks of indices, publication, and the end of a list.

use crate::sql::{Connection, query};
use jiff::Timestamp;
use wallet_provider::{
    Block, EndedList, ListContent, ListState, NewList, Noted, Purged, StoreError, Tally,
};

use super::{held, rows, seconds, signed};

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
        "SELECT id, name, uri, size, revision, published, published_until, restored,
                CASE WHEN closed_at IS NULL THEN promised_until END
         FROM status_list WHERE revision > published OR published_until <= ? ORDER BY id",
    )
    .bind(seconds(renew_before))
    .all(connection)
    .await?;
    lists.into_iter().map(read).collect()
}

/// All of them, in the order they were opened.
pub(super) async fn all(connection: &mut Connection) -> Result<Vec<ListState>, StoreError> {
    let lists: Vec<ListRow> = query(
        "SELECT id, name, uri, size, revision, published, published_until, restored,
                CASE WHEN closed_at IS NULL THEN promised_until END
         FROM status_list ORDER BY id",
    )
    .all(connection)
    .await?;
    lists.into_iter().map(read).collect()
}

pub(super) async fn state(
    connection: &mut Connection,
    list: i64,
) -> Result<Option<ListState>, StoreError> {
    let found: Option<ListRow> = query(
        "SELECT id, name, uri, size, revision, published, published_until, restored,
                CASE WHEN closed_at IS NULL THEN promised_until END
         FROM status_list WHERE id = ?",
    )
    .bind(list)
    .optional(connection)
    .await?;
    found.map(read).transpose()
}

/// In one snapshot: a revision must not be told with the entries of another.
pub(super) async fn content(
    connection: &mut Connection,
    list: i64,
    since: Option<i64>,
) -> Result<Option<ListContent>, StoreError> {
    let Some(state) = state(connection, list).await? else {
        return Ok(None);
    };
    // As `Tally` counts them.
    let (count, sum, squares): (i64, i64, i64) = query(
        "SELECT count(*), CAST(coalesce(sum(idx), 0) AS BIGINT),
                CAST(coalesce(sum(idx * idx % 2147483647), 0) AS BIGINT)
         FROM status_set WHERE list = ?",
    )
    .bind(list)
    .at_length()
    .one(connection)
    .await?;
    // No entry was set with a revision below zero.
    let revoked: Vec<i64> = query("SELECT idx FROM status_set WHERE list = ? AND revision > ?")
        .bind(list)
        .bind(since.unwrap_or(-1))
        .at_length()
        .all(connection)
        .await?;
    let unsigned = |number| rows::unsigned("status_set", "idx", number);
    Ok(Some(ListContent {
        state,
        tally: Tally {
            count: unsigned(count)?,
            sum: unsigned(sum)?,
            squares: unsigned(squares)?,
        },
        revoked: revoked
            .into_iter()
            .map(unsigned)
            .collect::<Result<_, _>>()?,
    }))
}

/// Sets entries that the world was told are revoked, and closes their list.
pub(super) async fn set_again(
    tx: &mut Connection,
    list: i64,
    indices: &[u64],
    at: Timestamp,
) -> Result<(), StoreError> {
    query(
        "UPDATE status_list SET revision = revision + 1, restored = 1,
                                closed_at = coalesce(closed_at, ?2)
         WHERE id = ?1",
    )
    .bind(list)
    .bind(seconds(at))
    .execute(tx)
    .await?;
    for index in indices {
        query(
            "INSERT INTO status_set (list, idx, revision)
             SELECT id, ?2, revision FROM status_list WHERE id = ?1
             ON CONFLICT DO NOTHING",
        )
        .bind(list)
        .bind(signed(*index))
        .execute(tx)
        .await?;
    }
    Ok(())
}

/// Told before it is published: it never goes back.
pub(super) async fn promise(
    tx: &mut Connection,
    list: i64,
    until: Timestamp,
) -> Result<(), StoreError> {
    query("UPDATE status_list SET promised_until = ?2 WHERE id = ?1 AND promised_until < ?2")
        .bind(list)
        .bind(seconds(until))
        .execute(tx)
        .await?;
    Ok(())
}

pub(super) async fn published(
    tx: &mut Connection,
    list: i64,
    revision: i64,
    expires_at: Timestamp,
) -> Result<Noted, StoreError> {
    // What is known to be published never goes back.
    let noted = query(
        "UPDATE status_list SET published = ?2, published_until = ?3
         WHERE id = ?1 AND published <= ?2",
    )
    .bind(list)
    .bind(revision)
    .bind(seconds(expires_at))
    .execute(tx)
    .await?;
    if noted > 0 {
        return Ok(Noted::Newest);
    }
    let overtaken = query("UPDATE status_list SET revision = revision + 1 WHERE id = ?")
        .bind(list)
        .execute(tx)
        .await?;
    Ok(match overtaken {
        0 => Noted::Newest,
        _ => Noted::Overtaken,
    })
}

pub(super) async fn uris(connection: &mut Connection) -> Result<Vec<String>, StoreError> {
    let published = query("SELECT uri FROM status_list WHERE published > 0 ORDER BY uri");
    Ok(published.all(connection).await?)
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
    held::forget(tx, now).await?;
    let ended: Vec<(i64, String)> = query(
        "SELECT id, name FROM status_list WHERE closed_at < ?
         AND NOT EXISTS (SELECT 1 FROM status_entry WHERE list = status_list.id)
         AND NOT EXISTS (SELECT 1 FROM storage_type WHERE list = status_list.id)
         AND NOT EXISTS (SELECT 1 FROM loose_entry WHERE list = status_list.id)",
    )
    .bind(seconds(closed_before))
    .all(tx)
    .await?;
    let [challenges, requests, entries] = counts;
    Ok(Purged {
        challenges,
        requests,
        entries,
        lists: ended
            .into_iter()
            .map(|(list, name)| EndedList { list, name })
            .collect(),
    })
}

/// Forgets a list to which no reference is left.
pub(super) async fn forget(tx: &mut Connection, list: i64) -> Result<(), StoreError> {
    let ended: Option<i64> = query(
        "SELECT id FROM status_list WHERE id = ? AND closed_at IS NOT NULL
         AND NOT EXISTS (SELECT 1 FROM status_entry WHERE list = status_list.id)
         AND NOT EXISTS (SELECT 1 FROM storage_type WHERE list = status_list.id)
         AND NOT EXISTS (SELECT 1 FROM loose_entry WHERE list = status_list.id)",
    )
    .bind(list)
    .locking()
    .optional(tx)
    .await?;
    if ended.is_none() {
        // Its files are gone by now: it is due to be published.
        query("UPDATE status_list SET published = 0 WHERE id = ?")
            .bind(list)
            .execute(tx)
            .await?;
        return Ok(());
    }
    for statement in [
        "DELETE FROM status_set WHERE list = ?",
        "DELETE FROM status_list WHERE id = ?",
    ] {
        query(statement).bind(list).execute(tx).await?;
    }
    Ok(())
}

type ListRow = (i64, String, String, i64, i64, i64, i64, i64, Option<i64>);

fn read(row: ListRow) -> Result<ListState, StoreError> {
    let (list, name, uri, size, revision, published, until, restored, promised) = row;
    let time = |seconds| rows::time("status_list", "published_until", seconds);
    let size = rows::unsigned("status_list", "size", size)?;
    Ok(ListState {
        list,
        name,
        uri,
        size,
        revision,
        published,
        published_until: time(until)?,
        promised_until: promised.map(time).transpose()?,
        restored: restored != 0,
    })
}
