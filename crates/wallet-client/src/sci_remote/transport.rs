use async_trait::async_trait;
use r2ps::{MAX_MESSAGE, MEDIA_TYPE, Problem};
use reqwest::header::{ACCEPT, CONTENT_TYPE};
use serde::Deserialize;
use url::Url;

/// How requests reach the WSCA.
#[async_trait]
pub trait Transport: std::fmt::Debug + Send + Sync {
    /// Sends one request and brings its answer.
    async fn post(&self, request: String) -> Result<Vec<u8>, TransportError>;
}

#[async_trait]
impl<T: Transport + ?Sized> Transport for std::sync::Arc<T> {
    async fn post(&self, request: String) -> Result<Vec<u8>, TransportError> {
        (**self).post(request).await
    }
}

/// No answer came.
#[derive(Debug, thiserror::Error)]
pub enum TransportError {
    /// The service refused without a sealed answer. Nothing vouches for this: it may
    /// as well be someone on the way.
    #[error("refused: {0}")]
    Refused(Problem),
    /// It could not be reached, or answered what is no answer.
    #[error("{0}")]
    Unreachable(String),
}

impl From<TransportError> for sci::Error {
    fn from(error: TransportError) -> Self {
        match error {
            TransportError::Refused(problem) => problem.into(),
            TransportError::Unreachable(why) => sci::Error::Unreachable(why),
        }
    }
}

/// R2PS over HTTP: `POST` of `application/jose` to one address.
#[derive(Debug, Clone)]
pub struct HttpTransport {
    client: reqwest::Client,
    url: Url,
}

impl HttpTransport {
    /// Requests go to `url`, by `client`, whose time limits hold.
    pub fn new(client: reqwest::Client, url: Url) -> Self {
        Self { client, url }
    }

    /// Sends bytes that need not be a request: for who tries what a service takes.
    pub async fn post_bytes(&self, request: Vec<u8>) -> Result<Vec<u8>, TransportError> {
        let unreachable =
            |error: reqwest::Error| TransportError::Unreachable(error.without_url().to_string());
        let mut response = self
            .client
            .post(self.url.clone())
            .header(CONTENT_TYPE, MEDIA_TYPE)
            .header(ACCEPT, MEDIA_TYPE)
            .body(request)
            .send()
            .await
            .map_err(unreachable)?;
        let status = response.status();
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
            if body.len().saturating_add(chunk.len()) > MAX_MESSAGE {
                return Err(TransportError::Unreachable(
                    "the answer is too large".into(),
                ));
            }
            body.extend_from_slice(&chunk);
        }
        if status.is_success() {
            return Ok(body);
        }
        /// The members that matter of a problem document (RFC 9457).
        #[derive(Deserialize)]
        struct Document {
            #[serde(flatten)]
            problem: Problem,
        }
        match serde_json::from_slice::<Document>(&body) {
            Ok(document) => Err(TransportError::Refused(document.problem)),
            Err(_) => Err(TransportError::Unreachable(format!("HTTP status {status}"))),
        }
    }
}

#[async_trait]
impl Transport for HttpTransport {
    async fn post(&self, request: String) -> Result<Vec<u8>, TransportError> {
        self.post_bytes(request.into_bytes()).await
    }
}
