//! Where notices wait until they are delivered.

use std::str::FromStr;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

use crate::{AddressError, FactError, Failed, MailAddress, NewNotice, Notice, NoticeId};

/// The outbox. Every method that writes is one transaction: all of it is on disk
/// when it returns `Ok`, and none of it was done when it returns `Err`.
///
/// A notice has one delivery for each channel that was configured when a node
/// first looked at it ([`Outbox::spread`]).
#[async_trait]
pub trait Outbox: Send + Sync + std::fmt::Debug {
    /// Writes a notice that nothing else has to hold with. What tells of a change
    /// is written in the change's own transaction, by the store.
    async fn add(&self, notice: NewNotice) -> Result<(), OutboxError>;

    /// Gives each notice that no node has looked at its deliveries: one for mail,
    /// and one for each of these webhooks unless it is for mail alone. Without
    /// `mail`, mail is written down as [`Still::NoChannel`]. How many notices, at
    /// most `limit`.
    async fn spread(
        &self,
        mail: MailAtHand,
        webhooks: &[Channel],
        at: Timestamp,
        limit: u32,
    ) -> Result<u64, OutboxError>;

    /// Takes deliveries that are due, for this claim alone until it ends. No two
    /// claims that have not ended hold the same delivery.
    async fn claim(&self, claim: Claim) -> Result<Vec<Due>, OutboxError>;

    /// Writes down how a delivery went. With [`Outcome::Again`] it is due again
    /// then; otherwise it is over, and what is personal in it goes. Nothing is
    /// written where the claim has ended and another one holds the delivery.
    async fn settle(&self, settled: Settled) -> Result<Place, OutboxError>;

    /// Ends deliveries of notices older than `before` that wait for other channels than
    /// these: nobody would ever take them. How many.
    async fn end_without_channel(
        &self,
        channels: &[Channel],
        before: Timestamp,
        at: Timestamp,
    ) -> Result<u64, OutboxError>;

    /// How much waits, and since when.
    async fn standing(&self) -> Result<Standing, OutboxError>;

    /// Deliveries that have not reached anybody though they were tried, the one that
    /// was looked at last first.
    async fn troubles(&self, limit: u32) -> Result<Vec<Trouble>, OutboxError>;

    /// Forgets notices whose deliveries were all over before `before`; how many.
    async fn forget(&self, before: Timestamp) -> Result<u64, OutboxError>;
}

/// Whether this node sends mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MailAtHand {
    /// It does.
    Yes,
    /// No mail server is configured.
    No,
}

/// A way to a user: `mail`, or `webhook:` and a name.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Channel {
    /// The account's confirmed address.
    Mail,
    /// The operator's webhook of this name.
    Webhook(String),
}

/// The text is not a channel's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "not a channel's name: mail, or webhook: and 1 to 32 small letters, digits and hyphens is expected"
)]
pub struct ChannelError;

/// What a node wants to deliver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// Marks what is taken as this claim's.
    pub id: [u8; 16],
    /// Through which channel.
    pub channel: Channel,
    /// The time now.
    pub at: Timestamp,
    /// When the claim ends by itself.
    pub until: Timestamp,
    /// What is due later than this was put off before the clock went back, and is
    /// due now: nothing is ever put off so far.
    pub horizon: Timestamp,
    /// The most that is taken.
    pub limit: u32,
}

/// A delivery that is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// Which notice.
    pub id: NoticeId,
    /// What is told; or why what stands there cannot be.
    pub notice: Result<Notice, FactError>,
    /// Where mail goes: the address that the notice names, or the one that its
    /// account has confirmed. `None` where there is none.
    pub to: Option<Result<MailAddress, AddressError>>,
    /// Whether the account is there, and may confirm an address where it has none.
    pub account_is_there: bool,
    /// Whether another channel took the notice.
    pub taken_elsewhere: bool,
    /// How often it was tried before.
    pub tries: u32,
    /// When the notice was written.
    pub since: Timestamp,
}

/// How a delivery went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settled {
    /// The claim it was done under.
    pub claim: [u8; 16],
    /// Which notice.
    pub notice: NoticeId,
    /// Through which channel.
    pub channel: Channel,
    /// How.
    pub outcome: Outcome,
    /// When.
    pub at: Timestamp,
}

/// How a delivery went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The other side took it.
    Delivered,
    /// The account has no address that mail could go to.
    NoChannel,
    /// It will never be taken.
    Refused(Failed),
    /// It is tried again, then.
    Again(Failed, Timestamp),
    /// It was tried for long enough.
    GivenUp(Failed),
}

/// Whether what was settled was the settler's to settle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// It was.
    Held,
    /// Its claim had ended, and another node has the delivery.
    Lost,
}

/// How much waits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Standing {
    /// Deliveries that are due or will be, and notices nobody has looked at; not what
    /// waits for an address that its account may never have.
    pub waiting: u64,
    /// Since when the oldest of them waits.
    pub oldest: Option<Timestamp>,
}

impl Standing {
    /// How long the oldest has waited.
    pub fn age(&self, now: Timestamp) -> Duration {
        let age = self.oldest.map(|oldest| now.duration_since(oldest));
        age.and_then(|age| age.try_into().ok()).unwrap_or_default()
    }
}

/// A delivery that has not reached anybody, as an operator sees it: with nothing
/// personal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// Which notice.
    pub notice: NoticeId,
    /// Its kind.
    pub kind: String,
    /// Through which channel.
    pub channel: Channel,
    /// Where it stands.
    pub still: Still,
    /// How often it was tried.
    pub tries: u32,
    /// Since when it waits.
    pub since: Timestamp,
    /// When it was last looked at.
    pub last: Timestamp,
    /// Why it failed last.
    pub why: Option<String>,
}

/// Where a delivery stands. The names are the store's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Still {
    /// It will be tried.
    Waiting,
    /// It was taken.
    Delivered,
    /// There was no address.
    NoChannel,
    /// It was refused for good.
    Refused,
    /// It was tried for long enough.
    Undelivered,
}

/// Why the outbox did not do it.
#[derive(Debug, thiserror::Error)]
#[error("the outbox failed: {0}")]
pub struct OutboxError(#[source] pub Box<dyn std::error::Error + Send + Sync>);

impl Outcome {
    /// Where the delivery stands then.
    pub fn still(self) -> Still {
        match self {
            Self::Delivered => Still::Delivered,
            Self::NoChannel => Still::NoChannel,
            Self::Refused(_) => Still::Refused,
            Self::Again(..) => Still::Waiting,
            Self::GivenUp(_) => Still::Undelivered,
        }
    }

    /// Why it was not delivered.
    pub fn why(self) -> Option<Failed> {
        match self {
            Self::Delivered | Self::NoChannel => None,
            Self::Refused(why) | Self::Again(why, _) | Self::GivenUp(why) => Some(why),
        }
    }
}

impl Still {
    /// Every one.
    pub const ALL: [Self; 5] = [
        Self::Waiting,
        Self::Delivered,
        Self::NoChannel,
        Self::Refused,
        Self::Undelivered,
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Delivered => "delivered",
            Self::NoChannel => "no-channel",
            Self::Refused => "refused",
            Self::Undelivered => "undelivered",
        }
    }

    /// The one of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|still| still.name() == name)
    }
}

impl FromStr for Channel {
    type Err = ChannelError;

    fn from_str(text: &str) -> Result<Self, ChannelError> {
        if text == "mail" {
            return Ok(Self::Mail);
        }
        let name = text.strip_prefix("webhook:").ok_or(ChannelError)?;
        let known = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if !(1..=32).contains(&name.len()) || !name.chars().all(known) {
            return Err(ChannelError);
        }
        Ok(Self::Webhook(name.to_owned()))
    }
}

impl std::fmt::Display for Channel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Mail => f.write_str("mail"),
            Self::Webhook(name) => write!(f, "webhook:{name}"),
        }
    }
}
