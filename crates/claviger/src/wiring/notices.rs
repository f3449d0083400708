//! What users are told, from the configuration to the courier that tells it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ::notices::{
    Courier, CourierParts, Credentials, Mailer, MailerConfig, Security, Sender, Webhook,
    WebhookConfig,
};
use clock::Clock;
use jiff::SignedDuration;
use jose::Signer;
use store::Database;
use store::notices::SqlOutbox;
use wscd::{DeviceSigner, KeyName, Wscd};
use zeroize::Zeroizing;

use crate::exit::{Doing, Failure};
use crate::input;
use crate::settings::{NoticeSettings, SecuritySetting, SmtpSettings};

/// The key that signs what goes to webhooks.
pub(crate) const KEY: &str = "provider-notices";

/// How users are told, as a configuration says it.
#[derive(Debug, Default)]
pub(crate) struct NoticeParts {
    pub(crate) settings: NoticeSettings,
    /// Takes webhooks without TLS on this machine.
    pub(crate) development: bool,
}

/// What a courier stands on besides.
pub(crate) struct Beside<'a> {
    pub(crate) database: &'a Database,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) device: &'a Arc<dyn Wscd>,
    pub(crate) public_url: &'a str,
    /// The wallet solution's name.
    pub(crate) solution: &'a str,
}

/// The courier of this configuration. Without mail and webhooks it reaches nobody, and
/// writes down that it does not.
pub(crate) async fn courier(parts: &NoticeParts, beside: Beside<'_>) -> Result<Courier, Failure> {
    let settings = &parts.settings;
    let page = match &settings.account_page {
        Some(page) => page.clone(),
        None => format!("{}/account", beside.public_url),
    };
    let page = page.parse().doing("notices.account_page")?;
    let sender =
        Sender::new(beside.solution, page, settings.contact.as_deref()).doing("notices")?;
    let mailer = match &settings.smtp {
        Some(smtp) => Some(Mailer::new(mailer(smtp)?, &sender).doing("notices.smtp")?),
        None => None,
    };
    let webhooks = webhooks(parts, &beside).await?;
    if mailer.is_none() && webhooks.is_empty() {
        tracing::warn!(
            "neither [notices.smtp] nor [[notices.webhooks]]: users are told of nothing"
        );
    }
    Courier::new(CourierParts {
        outbox: Arc::new(SqlOutbox::new(beside.database.clone())),
        sender,
        mailer,
        webhooks,
        clock: beside.clock,
        bell: beside.database.bell(),
        keep: SignedDuration::from_hours(24 * i64::from(settings.keep_days)),
    })
    .doing("notices")
}

fn mailer(smtp: &SmtpSettings) -> Result<MailerConfig, Failure> {
    let security = match smtp.security {
        SecuritySetting::Starttls => Security::StartTls,
        SecuritySetting::Implicit => Security::Implicit,
        SecuritySetting::Plain => Security::Plain,
    };
    let credentials = match (&smtp.user, &smtp.password_file) {
        (Some(user), Some(file)) => Some(Credentials {
            user: user.clone(),
            password: password(file)?,
        }),
        _ => None,
    };
    Ok(MailerConfig {
        host: smtp.host.clone(),
        port: smtp.port.unwrap_or(match security {
            Security::StartTls => 587,
            Security::Implicit => 465,
            Security::Plain => 25,
        }),
        security,
        ca: match &smtp.ca {
            Some(ca) => Some(input::read(ca, 1 << 20)?),
            None => None,
        },
        credentials,
        from: smtp.from.clone(),
        timeout: Duration::from_secs(smtp.timeout_seconds.into()),
    })
}

fn password(file: &Path) -> Result<Zeroizing<String>, Failure> {
    Ok(Zeroizing::new(input::read_text(file, 4096)?))
}

async fn webhooks(parts: &NoticeParts, beside: &Beside<'_>) -> Result<Vec<Webhook>, Failure> {
    let configured = &parts.settings.webhooks;
    if configured.is_empty() {
        return Ok(Vec::new());
    }
    let name = KeyName::new(KEY).doing("a key's name")?;
    let signer = DeviceSigner::open(Arc::clone(beside.device), name, jose::Curve::P256)
        .await
        .doing("the device")?;
    let signer: Arc<dyn Signer> = Arc::new(signer);
    tracing::info!(
        event = "notices.key",
        jwk = %signer.public_key().to_jwk(),
        kid = signer.public_key().thumbprint_b64(),
        "notices to webhooks are signed by this key"
    );
    configured
        .iter()
        .map(|webhook| {
            let config = WebhookConfig {
                name: webhook.name.clone(),
                url: webhook.url.parse().doing("notices.webhooks.url")?,
                timeout: Duration::from_secs(webhook.timeout_seconds.into()),
                allow_private_addresses: webhook.allow_private_addresses,
                allow_insecure_loopback: parts.development,
            };
            let issuer = format!("{}/wallet-provider", beside.public_url);
            Webhook::new(config, issuer, Arc::clone(&signer)).doing("notices.webhooks")
        })
        .collect()
}
