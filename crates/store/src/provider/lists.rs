//! Status lists: blocks of indices, publication, and the end of a list.

use jiff::Timestamp;
use sqlx::sqlite::{SqliteConnection, SqlitePool};
use wallet_provider::{Block, ListState, NewList, Purged, StoreError};

use super::{rows, seconds, signed, sql};

pub(super) async fn take_block(
    tx: &mut SqliteConnection,
    new: NewList,
    count: u64,
    at: Timestamp,
) -> Result<Block, StoreError> {
    sqlx::query(
        "INSERT INTO status_list (kind, name, uri, size, key_check)
         SELECT ?1, ?2, ?3, ?4, ?5
         WHERE NOT EXISTS (SELECT 1 FROM status_list WHERE kind = ?1 AND closed_at IS NULL)",
    )
    .bind(new.kind.name())
    .bind(&new.name)
    .bind(&new.uri)
    .bind(signed(new.size))
    .bind(new.key_check.as_slice())
    .execute(&mut *tx)
    .await
    .map_err(sql)?;
    let (list, uri, size, check, next, published): (i64, String, i64, Vec<u8>, i64, i64) =
        sqlx::query_as(
            "SELECT id, uri, size, key_check, next_counter, published FROM status_list
             WHERE kind = ? AND closed_at IS NULL",
        )
        .bind(new.kind.name())
        .fetch_one(&mut *tx)
        .await
        .map_err(sql)?;
    let size = rows::unsigned("status_list", "size", size)?;
    let start = rows::unsigned("status_list", "next_counter", next)?;
    let end = start.saturating_add(count).min(size);
    // The list that is used up is closed with its last block, so that an open list
    // always has a counter left.
    sqlx::query(
        "UPDATE status_list SET next_counter = ?2, closed_at = CASE WHEN ?2 = size THEN ?3 END
         WHERE id = ?1",
    )
    .bind(list)
    .bind(signed(end))
    .bind(seconds(at))
    .execute(tx)
    .await
    .map_err(sql)?;
    Ok(Block {
        list,
        uri,
        size,
        key_check: rows::hash("status_list", "key_check", &check)?,
        published: published > 0,
        counters: start..end,
    })
}

pub(super) async fn close(
    tx: &mut SqliteConnection,
    list: i64,
    at: Timestamp,
) -> Result<(), StoreError> {
    sqlx::query("UPDATE status_list SET closed_at = ? WHERE id = ? AND closed_at IS NULL")
        .bind(seconds(at))
        .bind(list)
        .execute(tx)
        .await
        .map_err(sql)?;
    Ok(())
}

pub(super) async fn to_publish(
    pool: &SqlitePool,
    renew_before: Timestamp,
) -> Result<Vec<ListState>, StoreError> {
    let lists: Vec<ListRow> = sqlx::query_as(
        "SELECT id, name, uri, size, revision FROM status_list
         WHERE revision > published OR published_until <= ? ORDER BY id",
    )
    .bind(seconds(renew_before))
    .fetch_all(pool)
    .await
    .map_err(sql)?;
    lists.into_iter().map(read).collect()
}

pub(super) async fn list(
    pool: &SqlitePool,
    list: i64,
) -> Result<Option<(ListState, Vec<u64>)>, StoreError> {
    // One snapshot: a revision must not be told with the entries of another.
    let mut snapshot = pool.begin().await.map_err(sql)?;
    let found: Option<ListRow> =
        sqlx::query_as("SELECT id, name, uri, size, revision FROM status_list WHERE id = ?")
            .bind(list)
            .fetch_optional(&mut *snapshot)
            .await
            .map_err(sql)?;
    let Some(state) = found.map(read).transpose()? else {
        return Ok(None);
    };
    let set: Vec<i64> = sqlx::query_scalar("SELECT idx FROM status_set WHERE list = ?")
        .bind(list)
        .fetch_all(&mut *snapshot)
        .await
        .map_err(sql)?;
    let set = set
        .into_iter()
        .map(|idx| rows::unsigned("status_set", "idx", idx));
    Ok(Some((state, set.collect::<Result<_, _>>()?)))
}

/// Sets entries that the world was told are revoked.
pub(super) async fn set_again(
    tx: &mut SqliteConnection,
    list: i64,
    indices: &[u64],
) -> Result<(), StoreError> {
    for index in indices {
        sqlx::query("INSERT INTO status_set (list, idx) VALUES (?, ?) ON CONFLICT DO NOTHING")
            .bind(list)
            .bind(signed(*index))
            .execute(&mut *tx)
            .await
            .map_err(sql)?;
    }
    Ok(())
}

pub(super) async fn published(
    tx: &mut SqliteConnection,
    list: i64,
    revision: i64,
    expires_at: Timestamp,
) -> Result<(), StoreError> {
    // What is known to be published never goes back.
    sqlx::query(
        "UPDATE status_list SET published = ?2, published_until = ?3
         WHERE id = ?1 AND published <= ?2",
    )
    .bind(list)
    .bind(revision)
    .bind(seconds(expires_at))
    .execute(tx)
    .await
    .map_err(sql)?;
    Ok(())
}

pub(super) async fn uris(pool: &SqlitePool) -> Result<Vec<String>, StoreError> {
    sqlx::query_scalar("SELECT uri FROM status_list ORDER BY uri")
        .fetch_all(pool)
        .await
        .map_err(sql)
}

pub(super) async fn purge(
    tx: &mut SqliteConnection,
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
        let done = sqlx::query(statement)
            .bind(now)
            .execute(&mut *tx)
            .await
            .map_err(sql)?;
        *count = done.rows_affected();
    }
    let ended: Vec<(i64, String)> = sqlx::query_as(
        "SELECT id, name FROM status_list WHERE closed_at < ?
         AND NOT EXISTS (SELECT 1 FROM status_entry WHERE list = status_list.id)",
    )
    .bind(seconds(closed_before))
    .fetch_all(&mut *tx)
    .await
    .map_err(sql)?;
    let mut lists = Vec::with_capacity(ended.len());
    for (list, name) in ended {
        for statement in [
            "DELETE FROM status_set WHERE list = ?",
            "DELETE FROM status_list WHERE id = ?",
        ] {
            sqlx::query(statement)
                .bind(list)
                .execute(&mut *tx)
                .await
                .map_err(sql)?;
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
