//! Mail, by SMTP.

use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use lettre::message::header::{ContentTransferEncoding, ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox, SinglePart};
use lettre::transport::smtp::authentication::Mechanism;
use lettre::transport::smtp::client::{
    AsyncSmtpConnection, Certificate, TlsParameters, TlsVersion,
};
use lettre::transport::smtp::commands::{Data, Mail, Quit, Rcpt};
use lettre::transport::smtp::extension::ClientId;
use zeroize::Zeroizing;

use crate::courier::LONGEST_DELIVERY;
use crate::{ConfigError, Failed, MailAddress, MailStep, Notice, Sender};

/// Sends mail through one server, over TLS.
pub struct Mailer {
    config: MailerConfig,
    tls: Option<TlsParameters>,
    from: Mailbox,
    hello: ClientId,
}

/// Through which server, and in whose name.
#[derive(Debug, Clone)]
pub struct MailerConfig {
    /// The server's name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the way there is secured.
    pub security: Security,
    /// A CA beside the system's that the server's certificate may chain to (PEM).
    pub ca: Option<Vec<u8>>,
    /// Who signs in there, if anybody has to.
    pub credentials: Option<Credentials>,
    /// The address that mail comes from.
    pub from: String,
    /// How long one mail may take, from the connection to the server's last word; two
    /// minutes at most.
    pub timeout: Duration,
}

/// How the way to a mail server is secured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Security {
    /// STARTTLS, which the server must offer (RFC 3207).
    StartTls,
    /// TLS from the first byte (RFC 8314).
    Implicit,
    /// None: for development, and to this machine alone.
    Plain,
}

/// A name and a password.
#[derive(Clone)]
pub struct Credentials {
    /// The name.
    pub user: String,
    /// The password.
    pub password: Zeroizing<String>,
}

/// How a certificate begins.
const PEM: &[u8] = b"-----BEGIN CERTIFICATE-----";
/// How long a server has to say goodbye, which changes nothing any more.
const GOODBYE: Duration = Duration::from_secs(2);

impl Mailer {
    /// A mailer for this configuration. Without TLS it goes to this machine alone.
    pub fn new(config: MailerConfig, sender: &Sender) -> Result<Self, ConfigError> {
        let address: MailAddress = config.from.parse().map_err(ConfigError::From)?;
        let tls = match config.security {
            Security::StartTls | Security::Implicit => Some(tls(&config)?),
            Security::Plain if is_loopback(&config.host) => None,
            Security::Plain => return Err(ConfigError::Plain),
        };
        let timeout = config.timeout.min(LONGEST_DELIVERY);
        Ok(Self {
            hello: ClientId::Domain(address.domain().to_owned()),
            from: Mailbox::new(Some(sender.solution().to_owned()), address.inner().clone()),
            tls,
            config: MailerConfig { timeout, ..config },
        })
    }

    /// Sends a notice. When this returns `Ok`, the server has taken it over.
    pub(crate) async fn send(
        &self,
        notice: &Notice,
        sender: &Sender,
        to: &MailAddress,
        now: Timestamp,
    ) -> Result<(), Failed> {
        let message = self.message(notice, sender, to, now)?;
        let mut connection =
            tokio::time::timeout(self.config.timeout, self.hand_over(to, &message))
                .await
                .map_err(|_| Failed::MailTimeout)??;
        let _ = tokio::time::timeout(GOODBYE, connection.command(Quit)).await;
        Ok(())
    }

    fn message(
        &self,
        notice: &Notice,
        sender: &Sender,
        to: &MailAddress,
        now: Timestamp,
    ) -> Result<Vec<u8>, Failed> {
        let text = sender.text(notice);
        // Lines in mail end with CR and LF.
        let body = text.body.replace('\n', "\r\n");
        let message = lettre::Message::builder()
            .message_id(Some(format!(
                "<{}@{}>",
                notice.id,
                self.from.email.domain()
            )))
            .date(SystemTime::from(now))
            .from(self.from.clone())
            .to(Mailbox::new(None, to.inner().clone()))
            .subject(text.subject)
            // Nobody's absence notice answers to this (RFC 3834).
            .raw_header(fixed("Auto-Submitted", "auto-generated"))
            .raw_header(fixed("Content-Language", notice.language.tag()))
            .singlepart(
                SinglePart::builder()
                    .header(ContentType::TEXT_PLAIN)
                    .header(ContentTransferEncoding::QuotedPrintable)
                    .body(body),
            )
            .map_err(|_| Failed::Message)?;
        Ok(message.formatted())
    }

    /// The dialogue, step by step: a 5yz to the recipient or the message is about
    /// this mail, one before that is about us.
    async fn hand_over(
        &self,
        to: &MailAddress,
        message: &[u8],
    ) -> Result<AsyncSmtpConnection, Failed> {
        let server = (self.config.host.as_str(), self.config.port);
        let wrapped = match self.config.security {
            Security::Implicit => self.tls.clone(),
            Security::StartTls | Security::Plain => None,
        };
        let timeout = Some(self.config.timeout);
        let mut connection =
            AsyncSmtpConnection::connect_tokio1(server, timeout, &self.hello, wrapped, None)
                .await
                .map_err(|error| later(&error, MailStep::Opening))?;
        if let (Security::StartTls, Some(tls)) = (self.config.security, &self.tls) {
            connection
                .starttls(tls.clone(), &self.hello)
                .await
                .map_err(|error| later(&error, MailStep::Tls))?;
        }
        if let Some(Credentials { user, password }) = &self.config.credentials {
            let credentials = lettre::transport::smtp::authentication::Credentials::new(
                user.clone(),
                password.to_string(),
            );
            connection
                .auth(&[Mechanism::Plain, Mechanism::Login], &credentials)
                .await
                .map_err(|error| later(&error, MailStep::Authentication))?;
        }
        connection
            .command(Mail::new(Some(self.from.email.clone()), vec![]))
            .await
            .map_err(|error| later(&error, MailStep::Sender))?;
        connection
            .command(Rcpt::new(to.inner().clone(), vec![]))
            .await
            .map_err(|error| answered(&error, MailStep::Recipient))?;
        connection
            .command(Data)
            .await
            .map_err(|error| answered(&error, MailStep::Message))?;
        connection
            .message(message)
            .await
            .map_err(|error| answered(&error, MailStep::Message))?;
        Ok(connection)
    }
}

/// A header whose text is ours.
fn fixed(name: &'static str, value: &str) -> HeaderValue {
    HeaderValue::new(HeaderName::new_from_ascii_str(name), value.to_owned())
}

fn tls(config: &MailerConfig) -> Result<TlsParameters, ConfigError> {
    let mut builder =
        TlsParameters::builder(config.host.clone()).set_min_tls_version(TlsVersion::Tlsv12);
    if let Some(pem) = &config.ca {
        // A file without one would be read as none, and no CA added.
        if !pem.windows(PEM.len()).any(|window| window == PEM) {
            return Err(ConfigError::Ca("no certificate in PEM".to_owned()));
        }
        let ca = Certificate::from_pem(pem).map_err(|error| ConfigError::Ca(error.to_string()))?;
        builder = builder.add_root_certificate(ca);
    }
    builder
        .build()
        .map_err(|error| ConfigError::Tls(error.to_string()))
}

fn is_loopback(host: &str) -> bool {
    host == "localhost"
        || host
            .parse::<std::net::IpAddr>()
            .is_ok_and(|ip| ip.is_loopback())
}

/// What a server says about this mail.
fn answered(error: &lettre::transport::smtp::Error, step: MailStep) -> Failed {
    match error.status() {
        Some(code) if error.is_permanent() => Failed::MailRefused(code.into(), step),
        _ => later(error, step),
    }
}

/// What a server says about us, or does not say.
fn later(error: &lettre::transport::smtp::Error, step: MailStep) -> Failed {
    match error.status() {
        Some(code) => Failed::MailLater(code.into(), step),
        None if error.is_timeout() => Failed::MailTimeout,
        None => Failed::MailBroken(step),
    }
}

impl std::fmt::Debug for Mailer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mailer")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Credentials")
    }
}
