//! Takes notices from the outbox to the channels.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use clock::Clock;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::outbox::MailAtHand;
use crate::retry::{self, Next};
use crate::{
    Channel, Claim, ConfigError, Due, Failed, Mailer, Notice, Outbox, OutboxError, Outcome, Place,
    Sender, Settled, Standing, Still, Webhook,
};

/// Delivers what is due. Several of them, in one process or many, share an outbox
/// and deliver each notice once while they live.
#[derive(Debug)]
pub struct Courier {
    parts: CourierParts,
    ways: Vec<Arc<Way>>,
}

/// What a courier is made of.
#[derive(Debug)]
pub struct CourierParts {
    /// Where notices wait.
    pub outbox: Arc<dyn Outbox>,
    /// Who writes to users.
    pub sender: Sender,
    /// Sends mail; `None` where no mail server is configured.
    pub mailer: Option<Mailer>,
    /// The operator's webhooks.
    pub webhooks: Vec<Webhook>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Rings when something was put into the outbox on this node.
    pub bell: Arc<Notify>,
    /// How long a notice is kept after its last delivery was over.
    pub keep: SignedDuration,
}

/// What a round came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Round {
    /// Deliveries that were taken.
    pub delivered: u64,
    /// Deliveries that failed and are tried again.
    pub put_off: u64,
    /// Deliveries that are over without having been taken.
    pub ended: u64,
    /// Deliveries that were somebody else's before they were settled.
    pub lost: u64,
}

/// A channel and what serves it.
#[derive(Debug)]
enum Way {
    Mail(Mailer),
    Webhook(Webhook),
}

/// How many deliveries of a channel are under way at once.
const AT_ONCE: u32 = 16;
/// How long a claim lasts: longer than any delivery may take.
const CLAIM: SignedDuration = SignedDuration::from_mins(5);
/// No channel may take longer, so that a claim outlives its delivery.
pub(crate) const LONGEST_DELIVERY: Duration = Duration::from_secs(120);
/// How often the outbox is looked at when no bell rings: for what other nodes put
/// there, and what is due again.
const LOOK: Duration = Duration::from_secs(5);
/// How many new notices are given their deliveries at once.
const SPREAD: u32 = 200;
/// How often it is told how much waits.
const MEASURE: Duration = Duration::from_secs(60);
/// After about an hour of that, what is old is forgotten.
const ROUNDS_A_TIDYING: u64 = 60;
/// What operators are woken by.
const ALARM: &str = "claviger::alarm";

impl Courier {
    /// A courier of these parts.
    pub fn new(parts: CourierParts) -> Result<Self, ConfigError> {
        let mut parts = parts;
        let mut names = HashSet::new();
        for webhook in &parts.webhooks {
            if !names.insert(webhook.channel().clone()) {
                let name = webhook.channel().to_string();
                return Err(ConfigError::Webhook(name, "two webhooks have this name"));
            }
        }
        let mail = parts.mailer.take().map(Way::Mail);
        let webhooks = std::mem::take(&mut parts.webhooks);
        let ways = mail
            .into_iter()
            .chain(webhooks.into_iter().map(Way::Webhook))
            .map(Arc::new)
            .collect();
        Ok(Self { parts, ways })
    }

    /// Delivers, until it is dropped. Each channel goes at its own pace: one that
    /// hangs keeps no other waiting.
    pub async fn run(self: Arc<Self>) {
        let mut loops = JoinSet::new();
        for way in &self.ways {
            let (courier, way) = (Arc::clone(&self), Arc::clone(way));
            loops.spawn(async move { courier.serve(&way).await });
        }
        for round in 0u64.. {
            let now = self.parts.clock.now();
            let tidied = async {
                // Where no channel serves the outbox, nobody else looks at it.
                self.spread(now).await?;
                if round % ROUNDS_A_TIDYING == 0 {
                    self.tidy(now).await?;
                }
                self.measure(now).await
            };
            if let Err(error) = tidied.await {
                tracing::error!(%error, "the outbox was not tidied; trying again");
            }
            tokio::time::sleep(retry::spread(MEASURE)).await;
        }
    }

    /// Delivers what is due at `now`, at most `AT_ONCE` of each channel.
    pub async fn round(&self, now: Timestamp) -> Result<Round, OutboxError> {
        let mut round = Round::default();
        self.spread(now).await?;
        for way in &self.ways {
            round.add(self.round_of(way, now).await?);
        }
        Ok(round)
    }

    /// Forgets what is long over, and ends what no channel is left for.
    pub async fn tidy(&self, now: Timestamp) -> Result<(), OutboxError> {
        let channels: Vec<Channel> = self.ways.iter().map(|way| way.channel()).collect();
        let too_old = earlier(now, retry::LAST_TRY + CLAIM);
        let outbox = &self.parts.outbox;
        let ended = outbox.end_without_channel(&channels, too_old, now).await?;
        if ended > 0 {
            metrics::counter!("claviger_notices_total",
                "channel" => "none", "outcome" => Still::Undelivered.name())
            .increment(ended);
            tracing::error!(target: ALARM, ended, "users were not told: the channels of these notices are no more");
        }
        let forgotten = outbox.forget(earlier(now, self.parts.keep)).await?;
        if forgotten > 0 {
            tracing::info!(event = "notice.forgotten", count = forgotten);
        }
        Ok(())
    }

    /// How much waits, told to the metrics too.
    pub async fn measure(&self, now: Timestamp) -> Result<Standing, OutboxError> {
        let standing = self.parts.outbox.standing().await?;
        #[allow(clippy::cast_precision_loss)] // a gauge is a float
        metrics::gauge!("claviger_notices_waiting").set(standing.waiting as f64);
        metrics::gauge!("claviger_notices_oldest_seconds").set(standing.age(now).as_secs_f64());
        Ok(standing)
    }

    /// Serves one channel, until it is dropped.
    async fn serve(&self, way: &Arc<Way>) {
        loop {
            let now = self.parts.clock.now();
            // Before the outbox is looked at: what is put there while it is looked
            // at rings for the next look.
            let bell = self.parts.bell.notified();
            let delivered = async {
                self.spread(now).await?;
                self.round_of(way, now).await
            };
            match delivered.await {
                Ok(round) if round.is_full() => continue,
                Ok(_) => {}
                Err(error) => tracing::error!(%error, "the outbox failed; trying again"),
            }
            tokio::select! {
                () = bell => {}
                () = tokio::time::sleep(retry::spread(LOOK)) => {}
            }
        }
    }

    /// Gives new notices their deliveries.
    async fn spread(&self, now: Timestamp) -> Result<(), OutboxError> {
        let mail = match self.ways.iter().any(|way| matches!(**way, Way::Mail(_))) {
            true => MailAtHand::Yes,
            false => MailAtHand::No,
        };
        let webhooks = self.webhooks();
        let outbox = &self.parts.outbox;
        loop {
            let spread = outbox.spread(mail, &webhooks, now, SPREAD).await?;
            if mail == MailAtHand::No && spread > 0 {
                count(&Channel::Mail, Still::NoChannel, spread);
            }
            if spread < u64::from(SPREAD) {
                return Ok(());
            }
        }
    }

    fn webhooks(&self) -> Vec<Channel> {
        let channels = self.ways.iter().map(|way| way.channel());
        channels
            .filter(|channel| *channel != Channel::Mail)
            .collect()
    }

    async fn round_of(&self, way: &Arc<Way>, now: Timestamp) -> Result<Round, OutboxError> {
        let claim = Claim {
            id: *Uuid::new_v4().as_bytes(),
            channel: way.channel(),
            at: now,
            until: retry::later(now, CLAIM),
            horizon: retry::later(now, retry::LONGEST),
            limit: AT_ONCE,
        };
        let mut under_way = JoinSet::new();
        for due in self.parts.outbox.claim(claim.clone()).await? {
            let job = Job {
                outbox: Arc::clone(&self.parts.outbox),
                way: Arc::clone(way),
                sender: self.parts.sender.clone(),
                claim: claim.id,
                now,
            };
            under_way.spawn(job.run(due));
        }
        let mut round = Round::default();
        let mut failed = None;
        while let Some(ended) = under_way.join_next().await {
            match ended {
                Ok(Ok(outcome)) => round.count(outcome),
                Ok(Err(error)) => {
                    failed.get_or_insert(error);
                }
                Err(broken) => {
                    failed.get_or_insert(OutboxError(Box::new(broken)));
                }
            }
        }
        failed.map_or(Ok(round), Err)
    }
}

/// One delivery on its way.
struct Job {
    outbox: Arc<dyn Outbox>,
    way: Arc<Way>,
    sender: Sender,
    claim: [u8; 16],
    now: Timestamp,
}

impl Job {
    /// Delivers and writes down how it went; `None` where somebody else has it now.
    async fn run(self, due: Due) -> Result<Option<Outcome>, OutboxError> {
        let outcome = self.deliver(&due).await;
        let channel = self.way.channel();
        let settled = Settled {
            claim: self.claim,
            notice: due.id,
            channel: channel.clone(),
            outcome,
            at: self.now,
        };
        // It was delivered and is not written down: it will be delivered again,
        // under the same identifier.
        let place = self.outbox.settle(settled).await?;
        if place == Place::Lost {
            tracing::warn!(event = "notice.lost", notice = %due.id, %channel, "a claim ended before its delivery did");
            return Ok(None);
        }
        tell(&due, &channel, outcome);
        Ok(Some(outcome))
    }

    async fn deliver(&self, due: &Due) -> Outcome {
        let notice = match &due.notice {
            Ok(notice) => notice,
            Err(error) => return Outcome::Refused(Failed::Fact(*error)),
        };
        match self.attempt(notice, due).await {
            Ok(outcome) => outcome,
            Err(why) if why.is_final() => Outcome::Refused(why),
            Err(why) => {
                let tries = due.tries.saturating_add(1);
                match retry::next(tries, due.since, self.now, retry::chance()) {
                    Next::Again(at) => Outcome::Again(why, at),
                    Next::GiveUp if why == Failed::NoAddress => Outcome::NoChannel,
                    Next::GiveUp => Outcome::GivenUp(why),
                }
            }
        }
    }

    async fn attempt(&self, notice: &Notice, due: &Due) -> Result<Outcome, Failed> {
        match &*self.way {
            Way::Mail(mailer) => match &due.to {
                // Its user may confirm one while the day lasts.
                None if must_be_told(due) => return Err(Failed::NoAddress),
                None => return Ok(Outcome::NoChannel),
                Some(Err(error)) => return Err(Failed::Address(*error)),
                Some(Ok(to)) => mailer.send(notice, &self.sender, to, self.now).await?,
            },
            Way::Webhook(webhook) => webhook.post(notice, &self.sender, self.now).await?,
        }
        Ok(Outcome::Delivered)
    }
}

/// Counts deliveries by what became of them.
fn count(channel: &Channel, still: Still, deliveries: u64) {
    metrics::counter!("claviger_notices_total",
        "channel" => channel.to_string(), "outcome" => still.name())
    .increment(deliveries);
}

/// Whether there is somebody who must be told.
fn must_be_told(due: &Due) -> bool {
    let told = |notice: &Notice| notice.fact.must_be_told();
    due.account_is_there && due.notice.as_ref().is_ok_and(told)
}

/// Tells the log and the metrics, and nobody anything personal.
fn tell(due: &Due, channel: &Channel, outcome: Outcome) {
    let (notice, still) = (due.id, outcome.still().name());
    let kind = due.notice.as_ref().map_or("unknown", |n| n.fact.kind());
    let tries = due.tries.saturating_add(1);
    count(channel, outcome.still(), 1);
    match outcome {
        Outcome::Delivered => {
            tracing::info!(event = "notice.delivered", %notice, kind, %channel, tries);
        }
        Outcome::NoChannel if must_be_told(due) && !due.taken_elsewhere => {
            tracing::error!(target: ALARM, event = "notice.no-channel", %notice, kind, tries, "a user was not told: the account has no confirmed address");
        }
        Outcome::NoChannel => {
            tracing::warn!(event = "notice.no-channel", %notice, kind, "the account has no confirmed address");
        }
        Outcome::Again(why, at) => {
            tracing::warn!(event = "notice.put-off", %notice, kind, %channel, tries, rule = why.rule().id, %why, %at);
        }
        Outcome::Refused(why) | Outcome::GivenUp(why) => {
            tracing::error!(target: ALARM, event = "notice.undelivered", %notice, kind, %channel, tries, still, rule = why.rule().id, %why, "a user was not told");
        }
    }
}

impl Way {
    fn channel(&self) -> Channel {
        match self {
            Self::Mail(_) => Channel::Mail,
            Self::Webhook(webhook) => webhook.channel().clone(),
        }
    }
}

impl Round {
    fn count(&mut self, outcome: Option<Outcome>) {
        let counter = match outcome {
            None => &mut self.lost,
            Some(Outcome::Delivered) => &mut self.delivered,
            Some(Outcome::Again(..)) => &mut self.put_off,
            Some(_) => &mut self.ended,
        };
        *counter += 1;
    }

    fn add(&mut self, other: Self) {
        self.delivered += other.delivered;
        self.put_off += other.put_off;
        self.ended += other.ended;
        self.lost += other.lost;
    }

    /// Whether there may be more where this came from.
    fn is_full(self) -> bool {
        self.delivered + self.put_off + self.ended + self.lost >= u64::from(AT_ONCE)
    }
}

fn earlier(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.checked_sub(by).unwrap_or(Timestamp::MIN)
}
