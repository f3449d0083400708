//! What users are told, over a channel that does not depend on their unit (ARF
//! `WURevocation_14`, `WURevocation_16`): the outbox, e-mail and webhooks.
//!
//! A [`Notice`] is a typed fact: this unit was revoked, then, by them, for that
//! reason. It is written into the [`Outbox`] in the same transaction as what it
//! tells, so that neither happens without the other. A [`Courier`] takes it from
//! there, to each channel there is: a [`Mailer`] for the account's confirmed
//! address, a [`Webhook`] for each of the operator's own ways to reach a user.
//!
//! A notice reaches each channel at least once. A node claims what it delivers,
//! and the claim ends by itself, so that a node that dies keeps nothing back; what
//! is delivered a second time is known by its `jti` and its `Message-ID`. What
//! fails is tried again, sooner first and then less often, for a day and a quarter
//! of an hour at the least. Only then is it given up, and an alarm says so.
//!
//! Texts are made when they are sent and kept nowhere. No log line holds an
//! address, a text, or what a server said of either.

mod address;
mod courier;
mod error;
mod fact;
mod notice;
mod outbox;
mod retry;
pub mod rules;
mod smtp;
mod texts;
mod webhook;

pub use address::{AddressError, MailAddress};
pub use courier::{Courier, CourierParts, Round};
pub use error::{ConfigError, Failed, MailStep};
pub use fact::{Advisory, AdvisoryError, Code, CodeError, Fact, FactError, Keys, Part};
pub use notice::{Language, NewNotice, Notice, NoticeId, To};
pub use outbox::{
    Channel, ChannelError, Claim, Due, MailAtHand, Outbox, OutboxError, Outcome, Place, Settled,
    Standing, Still, Trouble,
};
pub use rules::RULES;
pub use smtp::{Credentials, Mailer, MailerConfig, Security};
pub use texts::{Sender, Text};
pub use webhook::{TYP, Webhook, WebhookConfig};
