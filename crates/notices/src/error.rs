use finding::{Finding, Rule};

use crate::{AddressError, FactError, rules};

/// Why a notice was not delivered this time.
///
/// It holds classes and numbers only. What a server says in words may repeat the
/// address, so it is neither kept nor logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Failed {
    /// The address is not one that mail is sent to.
    #[error("{0}")]
    Address(AddressError),
    /// The account has no confirmed address, and may still get one.
    #[error("the account has no confirmed address")]
    NoAddress,
    /// The outbox holds what cannot be told.
    #[error("the notice in the outbox: {0}")]
    Fact(FactError),
    /// The mail could not be put together.
    #[error("the mail could not be put together")]
    Message,
    /// The mail server does not take this recipient or this message.
    #[error("the mail server said {0} to the {1}")]
    MailRefused(u16, MailStep),
    /// The mail server puts it off, or does not take this client.
    #[error("the mail server said {0} to the {1}")]
    MailLater(u16, MailStep),
    /// The mail server cannot be reached, or ends in the middle.
    #[error("the mail server's {0} failed")]
    MailBroken(MailStep),
    /// The mail server took too long.
    #[error("the mail server took too long")]
    MailTimeout,
    /// The webhook does not take it.
    #[error("the webhook said {0}")]
    WebhookRefused(u16),
    /// The webhook does not take it now, or not from us.
    #[error("the webhook said {0}")]
    WebhookLater(u16),
    /// The webhook's address is one that is not asked.
    #[error("the webhook's address is not one that may be asked")]
    WebhookAddress,
    /// The webhook sends elsewhere, where notices do not go.
    #[error("the webhook redirects")]
    WebhookRedirects,
    /// The webhook answers with more than is taken.
    #[error("the webhook's answer is too large")]
    WebhookTooLarge,
    /// The webhook took too long.
    #[error("the webhook took too long")]
    WebhookTimeout,
    /// The webhook cannot be reached, or breaks off.
    #[error("the webhook cannot be reached, or broke off")]
    WebhookBroken,
    /// The key that signs is away.
    #[error("the key that signs notices did not sign")]
    Signing,
}

/// Where a dialogue with a mail server stood (RFC 5321, 3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MailStep {
    /// Connection, greeting and EHLO.
    Opening,
    /// STARTTLS and the handshake.
    Tls,
    /// AUTH.
    Authentication,
    /// MAIL FROM.
    Sender,
    /// RCPT TO.
    Recipient,
    /// DATA and what follows.
    Message,
}

impl Failed {
    /// The rule it falls under.
    pub fn rule(self) -> &'static Rule {
        match self {
            Self::Address(_) => &rules::ADDRESS,
            Self::NoAddress => &rules::NO_ADDRESS,
            Self::Fact(_) | Self::Message => &rules::TEXT,
            Self::MailRefused(..) => &rules::MAIL_REFUSED,
            Self::MailLater(..) | Self::MailBroken(_) | Self::MailTimeout => &rules::MAIL_LATER,
            Self::WebhookRefused(_) => &rules::WEBHOOK_REFUSED,
            // An operator can put its address right while the notice waits.
            Self::WebhookAddress
            | Self::WebhookRedirects
            | Self::WebhookLater(_)
            | Self::WebhookTooLarge
            | Self::WebhookTimeout
            | Self::WebhookBroken => &rules::WEBHOOK_LATER,
            Self::Signing => &rules::SIGNED,
        }
    }

    /// The failure as a finding about `subject`, such as a channel's name.
    pub fn finding(self, subject: impl Into<String>) -> Finding {
        self.rule().finding(subject, self.to_string())
    }

    /// Whether another try would end the same.
    pub fn is_final(self) -> bool {
        self.rule().severity == finding::Severity::Error
    }
}

impl std::fmt::Display for MailStep {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Opening => "opening",
            Self::Tls => "TLS",
            Self::Authentication => "authentication",
            Self::Sender => "sender",
            Self::Recipient => "recipient",
            Self::Message => "message",
        })
    }
}

/// Why a channel cannot be set up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The sender's address.
    #[error("from: {0}")]
    From(AddressError),
    /// A name or line that has to be one line of text.
    #[error("{0}: one line of at most 200 characters, without control characters, is expected")]
    Line(&'static str),
    /// A line for users that holds an address of the web: mails have one, the account page's.
    #[error("{0}: no address of the web is expected")]
    Link(&'static str),
    /// Mail without TLS beyond this machine.
    #[error("mail without TLS goes to this machine alone, and in development")]
    Plain,
    /// The certificate of the mail server's CA.
    #[error("the mail server's CA is not usable: {0}")]
    Ca(String),
    /// TLS cannot be set up.
    #[error("TLS for mail cannot be set up: {0}")]
    Tls(String),
    /// A webhook's name, or two of one name.
    #[error("the webhook {0:?}: {1}")]
    Webhook(String, &'static str),
    /// The client for webhooks cannot be set up.
    #[error("the client for webhooks cannot be set up: {0}")]
    Client(#[from] outbound::FetchError),
}
