//! What is seen of the outbox from outside, and how it stays small.

use jiff::Timestamp;
use notices::{Channel, Failed, NoticeId, OutboxError, Standing, Still, Trouble};

use super::{damaged, delivery};
use crate::sql::{Connection, query};

pub(super) async fn end_without_channel(
    tx: &mut Connection,
    channels: Vec<Channel>,
    before: Timestamp,
    at: Timestamp,
) -> Result<u64, OutboxError> {
    let waiting: Vec<(Vec<u8>, String)> = query(
        "SELECT notice.id, notice_delivery.channel FROM notice_delivery
         JOIN notice ON notice.id = notice_delivery.notice
         WHERE notice_delivery.state = 'waiting' AND notice.at_ms < ?
         ORDER BY notice.id, notice_delivery.channel",
    )
    .bind(before.as_millisecond())
    .all(tx)
    .await?;
    let mut ended = 0;
    for (notice, channel) in waiting {
        if channels.iter().any(|known| known.to_string() == channel) {
            continue;
        }
        ended += query(
            "UPDATE notice_delivery SET state = 'undelivered', claim = NULL, last_at = ?,
                    why = 'the channel is no more'
             WHERE notice = ? AND channel = ? AND state = 'waiting'",
        )
        .bind(at.as_second())
        .bind(&notice)
        .bind(&channel)
        .execute(tx)
        .await?;
        if channel == Channel::Mail.to_string() {
            delivery::forget_personal(tx, &notice).await?;
        }
    }
    Ok(ended)
}

pub(super) async fn standing(connection: &mut Connection) -> Result<Standing, OutboxError> {
    let mut standing = Standing::default();
    for counted in [
        query("SELECT count(*), min(at_ms) FROM notice WHERE spread = 0"),
        query(
            "SELECT count(*), min(notice.at_ms) FROM notice_delivery
             JOIN notice ON notice.id = notice_delivery.notice
             WHERE notice_delivery.state = 'waiting'
               AND (notice_delivery.why IS NULL OR notice_delivery.why <> ?)",
        )
        .bind(Failed::NoAddress.to_string()),
    ] {
        let (count, oldest): (i64, Option<i64>) = counted.at_length().one(connection).await?;
        let oldest = oldest
            .map(Timestamp::from_millisecond)
            .transpose()
            .map_err(|_| damaged("notice", "at_ms", "is no time"))?;
        standing.waiting += u64::try_from(count).unwrap_or(0);
        standing.oldest = match (standing.oldest, oldest) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
    }
    Ok(standing)
}

pub(super) async fn troubles(
    connection: &mut Connection,
    limit: u32,
) -> Result<Vec<Trouble>, OutboxError> {
    type Line = (
        Vec<u8>,
        String,
        String,
        String,
        i64,
        i64,
        i64,
        Option<String>,
    );
    let lines: Vec<Line> = query(
        "SELECT notice.id, notice.kind, notice_delivery.channel, notice_delivery.state,
                notice_delivery.tries, notice.at_ms, notice_delivery.last_at, notice_delivery.why
         FROM notice_delivery JOIN notice ON notice.id = notice_delivery.notice
         WHERE notice_delivery.state <> 'delivered'
           AND (notice_delivery.state <> 'waiting' OR notice_delivery.tries > 0)
         ORDER BY notice_delivery.last_at DESC, notice.id LIMIT ?",
    )
    .bind(limit)
    .all(connection)
    .await?;
    lines
        .into_iter()
        .map(|(id, kind, channel, state, tries, since, last, why)| {
            Ok(Trouble {
                notice: NoticeId::from_slice(&id)
                    .ok_or_else(|| damaged("notice", "id", "is no identifier"))?,
                kind,
                channel: channel
                    .parse()
                    .map_err(|_| damaged("notice_delivery", "channel", "is no channel"))?,
                still: Still::from_name(&state)
                    .ok_or_else(|| damaged("notice_delivery", "state", "is no state"))?,
                tries: u32::try_from(tries).unwrap_or(u32::MAX),
                since: Timestamp::from_millisecond(since)
                    .map_err(|_| damaged("notice", "at_ms", "is no time"))?,
                last: Timestamp::from_second(last)
                    .map_err(|_| damaged("notice_delivery", "last_at", "is no time"))?,
                why,
            })
        })
        .collect()
}

pub(super) async fn forget(tx: &mut Connection, before: Timestamp) -> Result<u64, OutboxError> {
    let forgotten = query(
        "DELETE FROM notice WHERE at_ms < ? AND spread = 1
           AND NOT EXISTS (SELECT 1 FROM notice_delivery
                           WHERE notice_delivery.notice = notice.id
                             AND (notice_delivery.state = 'waiting'
                                  OR notice_delivery.last_at >= ?))",
    )
    .bind(before.as_millisecond())
    .bind(before.as_second())
    .execute(tx)
    .await?;
    Ok(forgotten)
}
