use std::time::Duration;

use async_trait::async_trait;
use jose::PublicKey;
use jose::json::{self, Limits};
use reqwest::header::{ACCEPT, CONTENT_TYPE};
use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, Identity, Response, tls};
use sci::{ActivationInfo, UnitId};
use url::Url;
use wsca::{AdminError, DeviceKeys, ServiceIdentity, UnitState, WscaAdmin};

use crate::{Answer, Description, MAX_ORDER, Order, PATH, Refusal};

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(3);
/// How long an order may take.
const ORDER: Duration = Duration::from_secs(10);
/// How long an unused connection is kept: less than the other side waits for a
/// request on it, so that a connection is not used as it is closed.
const IDLE: Duration = Duration::from_secs(8);

/// What a link needs: where to, whom to believe, and who we are. All PEM.
#[derive(Clone)]
pub struct LinkSettings {
    /// The link's listener, `https://host:port`.
    pub url: Url,
    /// The CA, or the certificate itself, that the WSCA's must chain to. No other
    /// anchor is believed, none of the system's.
    pub ca: Vec<u8>,
    /// Our certificate with its chain.
    pub certificate: Vec<u8>,
    /// Its private key.
    pub key: Vec<u8>,
}

impl std::fmt::Debug for LinkSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "LinkSettings({})", self.url)
    }
}

/// Why there is no link.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// Something else than an https address.
    #[error("the WSCA's address: https is expected")]
    NotHttps,
    /// The certificates or the key cannot be used.
    #[error("the link's certificates or key cannot be used")]
    Credentials(#[source] reqwest::Error),
    /// The WSCA cannot be reached, or does not believe us, or we not it.
    #[error("the WSCA cannot be reached: {0}")]
    Unreachable(String),
    /// It answers what no WSCA answers.
    #[error("the WSCA's answer: {0}")]
    Answer(String),
}

/// A WSCA in another process, as its administrator has it.
#[derive(Debug)]
pub struct RemoteWsca {
    http: Client,
    address: Url,
    description: Description,
}

impl RemoteWsca {
    /// Opens the link and asks the WSCA what it is. What it says holds for as long
    /// as this process runs: the keys of a WSCA do not change.
    pub async fn connect(settings: &LinkSettings) -> Result<Self, LinkError> {
        if settings.url.scheme() != "https" {
            return Err(LinkError::NotHttps);
        }
        let http = client(settings).map_err(LinkError::Credentials)?;
        let address = settings.url.join(PATH).map_err(|_| LinkError::NotHttps)?;
        let described = send(&http, &address, &Order::Describe {}).await;
        match described {
            Ok(Answer::Description(description)) => Ok(Self {
                http,
                address,
                description: *description,
            }),
            Ok(_) => Err(LinkError::Answer("it is no description".into())),
            Err(AdminError::Unavailable(why)) => Err(LinkError::Unreachable(why)),
            Err(error) => Err(LinkError::Answer(error.to_string())),
        }
    }

    /// Whether the WSCA answers now, and is the one it was.
    pub async fn check(&self) -> Result<(), AdminError> {
        match self.order(Order::Describe {}).await? {
            Answer::Description(description) if *description == self.description => Ok(()),
            Answer::Description(_) => Err(AdminError::Internal(
                "the WSCA is not the one it was when this process started".into(),
            )),
            other => Err(unexpected(&other)),
        }
    }

    async fn order(&self, order: Order) -> Result<Answer, AdminError> {
        send(&self.http, &self.address, &order).await
    }

    async fn done(&self, order: Order) -> Result<(), AdminError> {
        match self.order(order).await? {
            Answer::Done => Ok(()),
            other => Err(unexpected(&other)),
        }
    }
}

#[async_trait]
impl WscaAdmin for RemoteWsca {
    async fn enroll(&self, unit: UnitId, keys: DeviceKeys) -> Result<(), AdminError> {
        self.done(Order::Enroll { unit, keys }).await
    }

    async fn unit_state(&self, unit: UnitId) -> Result<UnitState, AdminError> {
        match self.order(Order::UnitState { unit }).await? {
            Answer::UnitState(state) => Ok(state),
            other => Err(unexpected(&other)),
        }
    }

    async fn end_sessions(&self, unit: UnitId) -> Result<(), AdminError> {
        self.done(Order::EndSessions { unit }).await
    }

    async fn retire(&self, unit: UnitId, reason: &str) -> Result<(), AdminError> {
        let reason = reason.to_owned();
        self.done(Order::Retire { unit, reason }).await
    }

    async fn freeze(&self, unit: UnitId, reason: &str) -> Result<(), AdminError> {
        let reason = reason.to_owned();
        self.done(Order::Freeze { unit, reason }).await
    }

    async fn destroy_unit(&self, unit: UnitId) -> Result<(), AdminError> {
        self.done(Order::DestroyUnit { unit }).await
    }

    async fn reset_factor(&self, unit: UnitId) -> Result<(), AdminError> {
        self.done(Order::ResetFactor { unit }).await
    }

    fn statement_key(&self) -> &PublicKey {
        &self.description.statement_key
    }

    fn service(&self) -> &ServiceIdentity {
        &self.description.service
    }

    fn information(&self) -> &ActivationInfo {
        &self.description.information
    }
}

fn client(settings: &LinkSettings) -> Result<Client, reqwest::Error> {
    let mut identity = settings.certificate.clone();
    identity.push(b'\n');
    identity.extend_from_slice(&settings.key);
    Client::builder()
        .https_only(true)
        .tls_version_min(tls::Version::TLS_1_3)
        .tls_certs_only(Certificate::from_pem_bundle(&settings.ca)?)
        .identity(Identity::from_pem(&identity)?)
        .no_proxy()
        .redirect(Policy::none())
        .connect_timeout(CONNECT)
        .timeout(ORDER)
        .pool_idle_timeout(IDLE)
        .build()
}

/// Sends an order, and once more where the connection broke: an order that is
/// carried out twice is carried out once. A new PIN alone is not asked for twice: what
/// its user made since the first time would go with it.
async fn send(http: &Client, address: &Url, order: &Order) -> Result<Answer, AdminError> {
    let body = serde_json::to_vec(order).map_err(|e| AdminError::Internal(e.to_string()))?;
    let post = || {
        http.post(address.clone())
            .header(CONTENT_TYPE, "application/json")
            .header(ACCEPT, "application/json")
            .body(body.clone())
            .send()
    };
    let sent = match post().await {
        Err(error)
            if error.is_request()
                && !error.is_timeout()
                && !matches!(order, Order::ResetFactor { .. }) =>
        {
            post().await
        }
        sent => sent,
    };
    let response = sent.map_err(unreachable)?;
    let status = response.status();
    let bytes = read(response).await?;
    let limits = Limits::bytes(MAX_ORDER);
    if status.is_success() {
        return json::parse_as(&bytes, limits)
            .map_err(|error| AdminError::Internal(format!("the WSCA's answer: {error}")));
    }
    match json::parse_as::<Refusal>(&bytes, limits) {
        Ok(refusal) => Err(refusal.into()),
        // Something on the way, or a process that is not up yet.
        Err(_) => Err(AdminError::Unavailable(format!("HTTP status {status}"))),
    }
}

async fn read(mut response: Response) -> Result<Vec<u8>, AdminError> {
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
        if bytes.len().saturating_add(chunk.len()) > MAX_ORDER {
            return Err(AdminError::Internal(
                "the WSCA's answer is too large".into(),
            ));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

fn unexpected(answer: &Answer) -> AdminError {
    AdminError::Internal(format!("the WSCA answered something else: {answer:?}"))
}

fn unreachable(error: reqwest::Error) -> AdminError {
    let error = error.without_url();
    let mut why = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(cause) = source {
        why = format!("{why}: {cause}");
        source = cause.source();
    }
    AdminError::Unavailable(why)
}
