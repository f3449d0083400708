//! The outbox's port, and how others put notices there with what they tell.

mod delivery;
mod upkeep;

use async_trait::async_trait;
use jiff::Timestamp;
use notices::{
    Channel, Claim, Due, Fact, MailAtHand, NewNotice, Outbox, OutboxError, Place, Settled,
    Standing, To, Trouble,
};

use crate::sql::{Connection, query};
use crate::{Database, Error};

/// Writes a notice in the transaction of what it tells. Who does so runs the
/// transaction by [`Database::write_and_tell`], so that the notice leaves at once.
///
/// One about a unit that is not there is written for nobody's account.
pub async fn add(tx: &mut Connection, notice: &NewNotice) -> Result<(), Error> {
    let (account, address, language) = match &notice.to {
        To::OwnerOf(unit) => {
            let owner = query("SELECT account FROM unit WHERE id = ?").bind(unit.as_bytes());
            (owner.optional::<i64>(tx).await?, None, None)
        }
        To::Account(account) => (Some(*account), None, None),
        To::Address {
            account,
            address,
            language,
        } => (*account, Some(address.as_str()), Some(language.tag())),
    };
    let fact = notice.fact.to_json().map_err(|_| Error::Damaged {
        table: "notice",
        column: "fact",
        what: "cannot be written".into(),
    })?;
    query(
        "INSERT INTO notice (id, kind, fact, account, unit, at_ms, named, recipient, secret, language)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(notice.id.as_bytes())
    .bind(notice.fact.kind())
    .bind(fact)
    .bind(account)
    .bind(notice.unit.map(|unit| unit.as_bytes().to_vec()))
    .bind(notice.at.as_millisecond())
    .bind(address.is_some())
    .bind(address)
    .bind(notice.fact.secret())
    .bind(language)
    .execute(tx)
    .await?;
    Ok(())
}

/// Before an account loses its address, or gets another: what waits for it goes where
/// it would have gone, and this is told there too. Who took the account over does not
/// get what was meant for its owner.
pub async fn address_ends(tx: &mut Connection, account: i64, at: Timestamp) -> Result<(), Error> {
    leave_address(tx, account, Fact::AddressReplaced, at).await
}

/// Before an account ends: as [`address_ends`].
pub async fn account_ends(tx: &mut Connection, account: i64, at: Timestamp) -> Result<(), Error> {
    leave_address(tx, account, Fact::AccountDeleted, at).await
}

async fn leave_address(
    tx: &mut Connection,
    account: i64,
    fact: Fact,
    at: Timestamp,
) -> Result<(), Error> {
    let found: Option<(String, String)> = query(
        "SELECT email, language FROM account
         WHERE id = ? AND email IS NOT NULL AND email_confirmed_at IS NOT NULL",
    )
    .bind(account)
    .optional(tx)
    .await?;
    let Some((address, language)) = found else {
        return Ok(());
    };
    query(
        "UPDATE notice SET named = 1, recipient = ?, language = ?
         WHERE account = ? AND named = 0
           AND (spread = 0 OR id IN (SELECT notice FROM notice_delivery
                                     WHERE channel = 'mail' AND state = 'waiting'))",
    )
    .bind(&address)
    .bind(&language)
    .bind(account)
    .execute(tx)
    .await?;
    // What is no address now never was one that mail reached.
    let Ok(address) = address.parse() else {
        return Ok(());
    };
    let language = notices::Language::of_tag(&language);
    let notice = NewNotice::to_address(Some(account), address, language, fact, at);
    add(tx, &notice).await
}

/// The outbox in a [`Database`].
#[derive(Debug, Clone)]
pub struct SqlOutbox {
    database: Database,
}

impl SqlOutbox {
    /// The outbox in `database`.
    pub fn new(database: Database) -> Self {
        Self { database }
    }
}

impl From<Error> for OutboxError {
    fn from(error: Error) -> Self {
        Self(Box::new(error))
    }
}

#[async_trait]
impl Outbox for SqlOutbox {
    async fn add(&self, notice: NewNotice) -> Result<(), OutboxError> {
        self.database
            .write_and_tell(move |tx| Box::pin(async move { Ok(add(tx, &notice).await?) }))
            .await
    }

    async fn spread(
        &self,
        mail: MailAtHand,
        webhooks: &[Channel],
        at: Timestamp,
        limit: u32,
    ) -> Result<u64, OutboxError> {
        if !delivery::any_new(&mut self.database.reader().await?).await? {
            return Ok(0);
        }
        let webhooks = webhooks.to_vec();
        self.database
            .write(move |tx| Box::pin(delivery::spread(tx, mail, webhooks, at, limit)))
            .await
    }

    async fn claim(&self, claim: Claim) -> Result<Vec<Due>, OutboxError> {
        // Most looks find nothing, and write nothing.
        if !delivery::any_due(&mut self.database.reader().await?, &claim).await? {
            return Ok(Vec::new());
        }
        self.database
            .write(move |tx| Box::pin(delivery::claim(tx, claim)))
            .await
    }

    async fn settle(&self, settled: Settled) -> Result<Place, OutboxError> {
        self.database
            .write(move |tx| Box::pin(delivery::settle(tx, settled)))
            .await
    }

    async fn end_without_channel(
        &self,
        channels: &[Channel],
        before: Timestamp,
        at: Timestamp,
    ) -> Result<u64, OutboxError> {
        let channels = channels.to_vec();
        self.database
            .write(move |tx| Box::pin(upkeep::end_without_channel(tx, channels, before, at)))
            .await
    }

    async fn standing(&self) -> Result<Standing, OutboxError> {
        upkeep::standing(&mut self.database.reader().await?).await
    }

    async fn troubles(&self, limit: u32) -> Result<Vec<Trouble>, OutboxError> {
        upkeep::troubles(&mut self.database.reader().await?, limit).await
    }

    async fn forget(&self, before: Timestamp) -> Result<u64, OutboxError> {
        self.database
            .write(move |tx| Box::pin(upkeep::forget(tx, before)))
            .await
    }
}

/// A row holds what this version cannot read.
fn damaged(table: &'static str, column: &'static str, what: &'static str) -> OutboxError {
    Error::Damaged {
        table,
        column,
        what: what.into(),
    }
    .into()
}
