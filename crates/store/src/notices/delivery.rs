//! From the outbox to a channel and back.

use jiff::Timestamp;
use notices::{
    Channel, Claim, Due, Fact, Language, MailAtHand, Notice, NoticeId, OutboxError, Outcome, Place,
    Settled, Still,
};
use sci::UnitId;

use super::damaged;
use crate::sql::{Connection, Row, query};

/// What goes to the address alone: it holds a code.
const BY_MAIL_ALONE: &str = "address-to-confirm";

pub(super) async fn any_new(connection: &mut Connection) -> Result<bool, OutboxError> {
    let any = query("SELECT 1 FROM notice WHERE spread = 0 LIMIT 1");
    Ok(any.fetch_optional(connection).await?.is_some())
}

pub(super) async fn spread(
    tx: &mut Connection,
    mail: MailAtHand,
    webhooks: Vec<Channel>,
    at: Timestamp,
    limit: u32,
) -> Result<u64, OutboxError> {
    let found: Vec<(Vec<u8>, String)> =
        query("SELECT id, kind FROM notice WHERE spread = 0 ORDER BY id LIMIT ?")
            .bind(limit)
            .locking()
            .all(tx)
            .await?;
    for (notice, kind) in &found {
        let mail = match mail {
            MailAtHand::Yes => Still::Waiting,
            MailAtHand::No => Still::NoChannel,
        };
        let webhooks = webhooks.iter().filter(|_| kind != BY_MAIL_ALONE);
        let webhooks = webhooks.map(|channel| (channel, Still::Waiting));
        for (channel, still) in std::iter::once((&Channel::Mail, mail)).chain(webhooks) {
            query(
                "INSERT INTO notice_delivery (notice, channel, state, due_at, last_at)
                 VALUES (?, ?, ?, 0, ?) ON CONFLICT DO NOTHING",
            )
            .bind(notice)
            .bind(channel.to_string())
            .bind(still.name())
            .bind(at.as_second())
            .execute(tx)
            .await?;
        }
        query("UPDATE notice SET spread = 1 WHERE id = ?")
            .bind(notice)
            .execute(tx)
            .await?;
        if mail != Still::Waiting {
            forget_personal(tx, notice).await?;
        }
    }
    Ok(u64::try_from(found.len()).unwrap_or(u64::MAX))
}

/// The deliveries that are due, and those that were put off before the clock went
/// back: two ranges of one index.
const DUE: [&str; 2] = [
    "SELECT notice FROM notice_delivery
     WHERE channel = ? AND state = 'waiting' AND due_at <= ? ORDER BY due_at, notice LIMIT ?",
    "SELECT notice FROM notice_delivery
     WHERE channel = ? AND state = 'waiting' AND due_at > ? ORDER BY due_at, notice LIMIT ?",
];

pub(super) async fn any_due(
    connection: &mut Connection,
    claim: &Claim,
) -> Result<bool, OutboxError> {
    for (due, time) in DUE.into_iter().zip([claim.at, claim.horizon]) {
        let any = query(due)
            .bind(claim.channel.to_string())
            .bind(time.as_second())
            .bind(1i64);
        if any.fetch_optional(connection).await?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

pub(super) async fn claim(tx: &mut Connection, claim: Claim) -> Result<Vec<Due>, OutboxError> {
    let channel = claim.channel.to_string();
    let mut found: Vec<Vec<u8>> = Vec::new();
    for (due, time) in DUE.into_iter().zip([claim.at, claim.horizon]) {
        let taken = i64::try_from(found.len()).unwrap_or(i64::MAX);
        let rows: Vec<Vec<u8>> = query(due)
            .bind(&channel)
            .bind(time.as_second())
            .bind(i64::from(claim.limit).saturating_sub(taken))
            // On PostgreSQL, another node's claim is waited for, and what it took is
            // not due any more.
            .locking()
            .all(tx)
            .await?;
        found.extend(rows);
    }
    let mut due = Vec::with_capacity(found.len());
    for notice in found {
        query("UPDATE notice_delivery SET due_at = ?, claim = ? WHERE notice = ? AND channel = ?")
            .bind(claim.until.as_second())
            .bind(claim.id)
            .bind(&notice)
            .bind(&channel)
            .execute(tx)
            .await?;
        let row = query(
            "SELECT notice.id, notice.fact, notice.secret, notice.account, notice.unit,
                    notice.at_ms, notice.named, notice.recipient,
                    notice.language AS named_language, account.language AS own_language,
                    CASE WHEN account.email_confirmed_at IS NULL THEN NULL
                         ELSE account.email END AS email,
                    account.id AS own_account,
                    (SELECT count(*) FROM notice_delivery AS other
                     WHERE other.notice = notice.id AND other.state = 'delivered') AS taken,
                    notice_delivery.tries
             FROM notice_delivery
             JOIN notice ON notice.id = notice_delivery.notice
             LEFT JOIN account ON account.id = notice.account
             WHERE notice_delivery.notice = ? AND notice_delivery.channel = ?",
        )
        .bind(&notice)
        .bind(&channel)
        .fetch_one(tx)
        .await?;
        due.push(read(&row)?);
    }
    Ok(due)
}

/// A delivery from its row. A fact that cannot be read is told with the delivery: it
/// must not keep the others waiting.
fn read(row: &Row) -> Result<Due, OutboxError> {
    let id: Vec<u8> = row.get("id")?;
    let id =
        NoticeId::from_slice(&id).ok_or_else(|| damaged("notice", "id", "is no identifier"))?;
    let unit: Option<Vec<u8>> = row.get("unit")?;
    let unit = unit
        .map(|unit| UnitId::from_slice(&unit))
        .transpose()
        .map_err(|_| damaged("notice", "unit", "is no unit's identifier"))?;
    let at = Timestamp::from_millisecond(row.get("at_ms")?)
        .map_err(|_| damaged("notice", "at_ms", "is no time"))?;
    let (named_language, own_language): (Option<String>, Option<String>) =
        (row.get("named_language")?, row.get("own_language")?);
    let language = named_language.or(own_language);
    let named: i64 = row.get("named")?;
    let to: Option<String> = match named {
        0 => row.get("email")?,
        _ => row.get("recipient")?,
    };
    let (fact, secret): (String, Option<String>) = (row.get("fact")?, row.get("secret")?);
    let account = row.get("account")?;
    let own_account: Option<i64> = row.get("own_account")?;
    let taken: i64 = row.get("taken")?;
    let tries: i64 = row.get("tries")?;
    Ok(Due {
        id,
        notice: Fact::from_parts(&fact, secret.as_deref()).map(|fact| Notice {
            id,
            fact,
            account,
            unit,
            at,
            language: language.map_or_else(Language::default, |tag| Language::of_tag(&tag)),
        }),
        to: to.map(|address| address.parse()),
        account_is_there: own_account.is_some(),
        taken_elsewhere: taken > 0,
        tries: u32::try_from(tries).unwrap_or(u32::MAX),
        since: at,
    })
}

pub(super) async fn settle(tx: &mut Connection, settled: Settled) -> Result<Place, OutboxError> {
    let still = settled.outcome.still();
    let due_at = match settled.outcome {
        Outcome::Again(_, at) => at,
        _ => settled.at,
    };
    let written = query(
        "UPDATE notice_delivery
         SET state = ?, due_at = ?, last_at = ?, why = ?, tries = tries + 1, claim = NULL
         WHERE notice = ? AND channel = ? AND claim = ? AND state = 'waiting'",
    )
    .bind(still.name())
    .bind(due_at.as_second())
    .bind(settled.at.as_second())
    .bind(settled.outcome.why().map(|why| why.to_string()))
    .bind(settled.notice.as_bytes())
    .bind(settled.channel.to_string())
    .bind(settled.claim)
    .execute(tx)
    .await?;
    if written == 0 {
        return Ok(Place::Lost);
    }
    if settled.channel == Channel::Mail && still != Still::Waiting {
        forget_personal(tx, settled.notice.as_bytes()).await?;
    }
    Ok(Place::Held)
}

/// Once the mail is over, nobody needs where it went.
pub(super) async fn forget_personal(tx: &mut Connection, notice: &[u8]) -> Result<(), OutboxError> {
    query("UPDATE notice SET recipient = NULL, secret = NULL WHERE id = ?")
        .bind(notice)
        .execute(tx)
        .await?;
    Ok(())
}
