use std::time::Duration;

use async_trait::async_trait;
use outbound::{Client, Limits, Request, Schemes};
use status_list::TokenFormat;
use url::Url;

pub use outbound::FetchError;

/// Gets the token that is served at a status list's URI.
#[async_trait]
pub trait StatusSource: std::fmt::Debug + Send + Sync {
    /// The token's bytes: at most `max_bytes`, in bounded time.
    async fn fetch(&self, uri: &str, max_bytes: usize) -> Result<Fetched, FetchError>;
}

/// What was served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// The body.
    pub bytes: Vec<u8>,
    /// Its `Content-Type`.
    pub content_type: Option<String>,
}

/// A [`StatusSource`] over HTTP, held to the rules of [`outbound`]: https and
/// public hosts alone, few redirects, bounded time and size.
#[derive(Debug, Clone)]
pub struct HttpStatusSource {
    client: Client,
    schemes: Schemes,
}

/// How an [`HttpStatusSource`] asks.
#[derive(Debug, Clone)]
pub struct HttpSettings {
    /// The time for one whole exchange.
    pub timeout: Duration,
    /// The most redirects followed.
    pub redirects: usize,
    /// Plain http, and hosts that are loopback or private addresses: for
    /// development and tests on one machine.
    pub private_hosts: bool,
}

impl HttpStatusSource {
    /// A source that asks as `settings` say.
    ///
    /// # Errors
    /// [`FetchError::Transport`] when there is no HTTP client.
    pub fn new(settings: &HttpSettings) -> Result<Self, FetchError> {
        let client = Client::new(Limits {
            timeout: settings.timeout,
            connect_timeout: settings.timeout,
            max_redirects: settings.redirects,
            allow_insecure_loopback: settings.private_hosts,
            allow_private_addresses: settings.private_hosts,
        })?;
        let schemes = match settings.private_hosts {
            true => Schemes::HttpToo,
            false => Schemes::Https,
        };
        Ok(Self { client, schemes })
    }
}

#[async_trait]
impl StatusSource for HttpStatusSource {
    async fn fetch(&self, uri: &str, max_bytes: usize) -> Result<Fetched, FetchError> {
        let url = Url::parse(uri).map_err(|_| FetchError::NotWeb(uri.to_owned()))?;
        let request = Request::get(&url, max_bytes)
            .schemes(self.schemes)
            .accept(ACCEPTED);
        match self.client.fetch(&request).await? {
            outbound::Fetched::Body(response) => Ok(Fetched {
                bytes: response.bytes,
                content_type: response.content_type,
            }),
            // Nothing was said to be known.
            outbound::Fetched::NotModified(_) => Err(FetchError::Status(304)),
        }
    }
}

impl Default for HttpSettings {
    /// Ten seconds, three redirects, public hosts only.
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(10),
            redirects: 3,
            private_hosts: false,
        }
    }
}

/// Both forms of a token (draft-ietf-oauth-status-list-20, 8.1); the one that
/// every server has comes first.
const ACCEPTED: &str = "application/statuslist+jwt, application/statuslist+cwt;q=0.9";

/// Reads a token in the form that it was served as; where the media type names
/// neither form, in the one it has.
pub(crate) fn declared_format(content_type: Option<&str>) -> Option<TokenFormat> {
    TokenFormat::from_media_type(content_type?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("http://provider.example/1")]
    #[case("https://127.0.0.1/1")]
    #[case("https://169.254.169.254/latest")]
    #[case("https://[::ffff:127.0.0.1]/1")]
    #[case("https://user:word@provider.example/1")]
    #[case("file:///etc/passwd")]
    #[case("no address")]
    #[tokio::test]
    async fn only_public_https_is_asked_unless_configured(#[case] uri: &str) {
        let source = HttpStatusSource::new(&HttpSettings::default()).unwrap();
        let error = source.fetch(uri, 1000).await.unwrap_err();
        assert!(error.is_refusal(), "{uri}: {error}");
    }

    #[rstest]
    #[case(Some("application/statuslist+jwt"), Some(TokenFormat::Jwt))]
    #[case(Some("application/statuslist+cwt; q=1"), Some(TokenFormat::Cwt))]
    #[case(Some("application/octet-stream"), None)]
    #[case(None, None)]
    fn the_form_is_the_one_served(
        #[case] content_type: Option<&str>,
        #[case] expected: Option<TokenFormat>,
    ) {
        assert_eq!(declared_format(content_type), expected);
    }
}
