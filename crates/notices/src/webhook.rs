//! Webhooks: signed notices, posted to addresses of the operator's own.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use jose::{Map, Signer};
use outbound::{Client, FetchError, Limits, Request};
use serde::Serialize;
use serde_json::Value;
use url::Url;

use crate::courier::LONGEST_DELIVERY;
use crate::{Channel, ConfigError, Failed, Notice, Sender};

/// The type of the token.
pub const TYP: &str = "wallet-provider-notice+jwt";
/// The media type of the body.
const MEDIA_TYPE: &str = "application/jwt";
/// What is taken of an answer, in bytes; nothing is done with it.
const MAX_ANSWER: usize = 16 * 1024;

/// Posts notices to one address.
#[derive(Debug)]
pub struct Webhook {
    channel: Channel,
    url: Url,
    issuer: String,
    client: Client,
    signer: Arc<dyn Signer>,
}

/// Where notices are posted.
#[derive(Debug, Clone)]
pub struct WebhookConfig {
    /// Its name: small letters, digits and hyphens.
    pub name: String,
    /// Its address: https, or http on this machine in development.
    pub url: Url,
    /// How long one post may take, to the end of the answer; two minutes at most.
    pub timeout: Duration,
    /// Whether it may be in a network of one's own.
    pub allow_private_addresses: bool,
    /// Whether it may be on this machine, without TLS: for development.
    pub allow_insecure_loopback: bool,
}

/// What the token says (docs/protocols/notices.md).
#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    aud: &'a str,
    iat: i64,
    jti: String,
    notice: &'a crate::Fact,
    at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    account: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unit: Option<String>,
    language: &'static str,
    subject: String,
    text: String,
}

impl Webhook {
    /// A webhook whose notices the provider `issuer` signs with `signer`.
    pub fn new(
        config: WebhookConfig,
        issuer: String,
        signer: Arc<dyn Signer>,
    ) -> Result<Self, ConfigError> {
        let channel = format!("webhook:{}", config.name).parse().map_err(|_| {
            let what = "1 to 32 small letters, digits and hyphens are a name";
            ConfigError::Webhook(config.name.clone(), what)
        })?;
        let timeout = config.timeout.min(LONGEST_DELIVERY);
        let client = Client::new(Limits {
            timeout,
            connect_timeout: timeout.min(Duration::from_secs(5)),
            max_redirects: 0,
            allow_insecure_loopback: config.allow_insecure_loopback,
            allow_private_addresses: config.allow_private_addresses,
        })?;
        Ok(Self {
            channel,
            url: config.url,
            issuer,
            client,
            signer,
        })
    }

    /// Its channel.
    pub fn channel(&self) -> &Channel {
        &self.channel
    }

    /// Posts a notice. When this returns `Ok`, the other side has taken it.
    pub(crate) async fn post(
        &self,
        notice: &Notice,
        sender: &Sender,
        now: Timestamp,
    ) -> Result<(), Failed> {
        let token = self.token(notice, sender, now).await?;
        let request = Request::post(&self.url, MEDIA_TYPE, token.as_bytes(), MAX_ANSWER);
        match self.client.fetch(&request).await {
            Ok(_) => Ok(()),
            Err(error) => outcome(&error),
        }
    }

    async fn token(
        &self,
        notice: &Notice,
        sender: &Sender,
        now: Timestamp,
    ) -> Result<String, Failed> {
        let text = sender.text(notice);
        let claims = Claims {
            iss: &self.issuer,
            aud: self.url.as_str(),
            iat: now.as_second(),
            jti: notice.id.to_string(),
            notice: &notice.fact,
            at: notice.at.to_string(),
            account: notice.account.map(|account| account.to_string()),
            unit: notice.unit.map(|unit| unit.to_string()),
            language: notice.language.tag(),
            subject: text.subject,
            text: text.body,
        };
        let payload = serde_json::to_vec(&claims).map_err(|_| Failed::Message)?;
        let mut header = Map::new();
        header.insert("typ".into(), Value::from(TYP));
        let kid = self.signer.public_key().thumbprint_b64();
        header.insert("kid".into(), Value::from(kid));
        jose::jws::sign(header, &payload, self.signer.as_ref())
            .await
            .map_err(|_| Failed::Signing)
    }
}

/// What an answer that is not 200 means.
fn outcome(error: &FetchError) -> Result<(), Failed> {
    Err(match error {
        FetchError::Status(200..=299) => return Ok(()),
        // What it says of this notice. The rest is about us, or where we ask: a
        // credential, an address. An operator can put that right within the day.
        FetchError::Status(status @ (400 | 410 | 413 | 415 | 422)) => {
            Failed::WebhookRefused(*status)
        }
        FetchError::Status(status) => Failed::WebhookLater(*status),
        FetchError::TooManyRedirects(_) | FetchError::BadRedirect => Failed::WebhookRedirects,
        FetchError::TooLarge(_) => Failed::WebhookTooLarge,
        FetchError::Timeout(_) => Failed::WebhookTimeout,
        FetchError::Transport(_) => Failed::WebhookBroken,
        FetchError::NotWeb(_)
        | FetchError::Credentials(_)
        | FetchError::NotHttps(_)
        | FetchError::PrivateAddress(..) => Failed::WebhookAddress,
    })
}
