//! What the configuration says of notices: what users are told, and how it gets to
//! them.

use std::path::PathBuf;

use serde::Deserialize;

/// `[notices]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct NoticeSettings {
    /// The page where users find their account; `public_url` and `/account` if absent.
    pub(crate) account_page: Option<String>,
    /// How users reach a person: one line without addresses of the web.
    pub(crate) contact: Option<String>,
    /// For how many days a notice is kept after its last delivery was over.
    pub(crate) keep_days: u16,
    /// The server of mail.
    pub(crate) smtp: Option<SmtpSettings>,
    /// The operator's own ways to users.
    pub(crate) webhooks: Vec<WebhookSettings>,
}

impl Default for NoticeSettings {
    fn default() -> Self {
        Self {
            account_page: None,
            contact: None,
            keep_days: 30,
            smtp: None,
            webhooks: Vec::new(),
        }
    }
}

/// `[notices.smtp]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SmtpSettings {
    /// The server's name.
    pub(crate) host: String,
    /// Its port; that of `security` if absent: 587, 465 or 25.
    pub(crate) port: Option<u16>,
    /// How the way there is secured.
    #[serde(default)]
    pub(crate) security: SecuritySetting,
    /// A CA beside the system's that its certificate may chain to (PEM).
    pub(crate) ca: Option<PathBuf>,
    /// Who signs in there.
    pub(crate) user: Option<String>,
    /// The file with that one's password.
    pub(crate) password_file: Option<PathBuf>,
    /// The address that mail comes from.
    pub(crate) from: String,
    /// How long one mail may take, in seconds.
    #[serde(default = "seconds")]
    pub(crate) timeout_seconds: u16,
}

/// How the way to a server of mail is secured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum SecuritySetting {
    /// STARTTLS, which the server must offer.
    #[default]
    Starttls,
    /// TLS from the first byte.
    Implicit,
    /// None: in development, and to this machine.
    Plain,
}

/// `[[notices.webhooks]]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct WebhookSettings {
    /// Its name.
    pub(crate) name: String,
    /// Its address.
    pub(crate) url: String,
    /// How long one post may take, in seconds.
    #[serde(default = "seconds")]
    pub(crate) timeout_seconds: u16,
    /// Whether it may be in a private network.
    #[serde(default)]
    pub(crate) allow_private_addresses: bool,
}

fn seconds() -> u16 {
    30
}

/// The longest that one delivery may take: a claim outlives it.
const LONGEST: u16 = 120;

impl NoticeSettings {
    /// The first key that does not hold, and why.
    pub(crate) fn wrong(&self, development: bool) -> Option<(&'static str, &'static str)> {
        let timely = |seconds| (1..=LONGEST).contains(&seconds);
        if let Some(smtp) = &self.smtp {
            if smtp.security == SecuritySetting::Plain && !development {
                return Some((
                    "notices.smtp.security",
                    "plain is for development only (development = true)",
                ));
            }
            if smtp.user.is_some() != smtp.password_file.is_some() {
                return Some(("notices.smtp.password_file", "with user, or neither"));
            }
            if !timely(smtp.timeout_seconds) {
                return Some(("notices.smtp.timeout_seconds", "1 to 120"));
            }
        }
        for webhook in &self.webhooks {
            if !timely(webhook.timeout_seconds) {
                return Some(("notices.webhooks.timeout_seconds", "1 to 120"));
            }
            if !development && !webhook.url.starts_with("https://") {
                return Some(("notices.webhooks.url", "https outside development"));
            }
        }
        // WURevocation_14: users are told how to learn more of a breach, by a person.
        if !development && self.reaches_somebody() && self.contact.is_none() {
            return Some(("notices.contact", "needed where users are written to"));
        }
        (self.keep_days == 0).then_some(("notices.keep_days", "at least one day"))
    }

    pub(crate) fn reaches_somebody(&self) -> bool {
        self.smtp.is_some() || !self.webhooks.is_empty()
    }
}
