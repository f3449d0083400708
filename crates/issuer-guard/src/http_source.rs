use std::net::IpAddr;
use std::time::Duration;

use async_trait::async_trait;
use reqwest::header::{ACCEPT, CONTENT_TYPE};
use reqwest::redirect;
use status_list::TokenFormat;
use url::{Host, Url};

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

/// Why nothing was fetched.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// The URI is not one that is asked: not https, or a private host.
    #[error("{uri} is not fetched: {why}")]
    NotAllowed {
        /// The URI.
        uri: String,
        /// Why not.
        why: &'static str,
    },
    /// The answer is longer than accepted.
    #[error("the answer is longer than {max_bytes} bytes")]
    TooLarge {
        /// The bytes accepted.
        max_bytes: usize,
    },
    /// The server answered, and not with a list.
    #[error("the server answered {0}")]
    Status(u16),
    /// The server did not answer in time, or not at all.
    #[error("out of reach: {0}")]
    Unreachable(String),
}

/// A [`StatusSource`] over HTTP: https only, a time limit on the whole exchange,
/// a limit on the body while it arrives, and few redirects, each held to the
/// same rules.
#[derive(Debug, Clone)]
pub struct HttpStatusSource {
    client: reqwest::Client,
    private_hosts: bool,
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
    pub fn new(settings: &HttpSettings) -> Result<Self, FetchError> {
        let private_hosts = settings.private_hosts;
        let redirects = settings.redirects;
        let policy = redirect::Policy::custom(move |attempt| {
            if attempt.previous().len() > redirects {
                return attempt.error("too many redirects");
            }
            match allowed(attempt.url(), private_hosts) {
                Ok(()) => attempt.follow(),
                Err(why) => attempt.error(why),
            }
        });
        let mut client = reqwest::Client::builder()
            .timeout(settings.timeout)
            .connect_timeout(settings.timeout)
            .https_only(!private_hosts)
            .redirect(policy)
            .user_agent("claviger-issuer-guard");
        if private_hosts {
            client = client.no_proxy();
        }
        let client = client
            .build()
            .map_err(|e| FetchError::Unreachable(e.to_string()))?;
        Ok(Self {
            client,
            private_hosts,
        })
    }
}

#[async_trait]
impl StatusSource for HttpStatusSource {
    async fn fetch(&self, uri: &str, max_bytes: usize) -> Result<Fetched, FetchError> {
        let not_allowed = |why| FetchError::NotAllowed {
            uri: uri.to_owned(),
            why,
        };
        let url = Url::parse(uri).map_err(|_| not_allowed("not a URL"))?;
        allowed(&url, self.private_hosts).map_err(not_allowed)?;
        let mut response = self
            .client
            .get(url)
            .header(ACCEPT, TokenFormat::Jwt.media_type())
            .send()
            .await
            .map_err(unreachable)?;
        let status = response.status();
        if !status.is_success() {
            return Err(FetchError::Status(status.as_u16()));
        }
        let content_type = response
            .headers()
            .get(CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .map(str::to_owned);
        let too_large = FetchError::TooLarge { max_bytes };
        // A length that is announced is refused before a byte is read; one that is
        // not, or is a lie, is refused when it is passed.
        let announced = response.content_length().unwrap_or(0);
        if usize::try_from(announced).map_or(true, |length| length > max_bytes) {
            return Err(too_large);
        }
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
            if bytes.len().saturating_add(chunk.len()) > max_bytes {
                return Err(too_large);
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(Fetched {
            bytes,
            content_type,
        })
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

/// A host given by its address is judged by it; a name that leads to a private
/// address is not seen here, which a network policy has to cover.
fn allowed(url: &Url, private_hosts: bool) -> Result<(), &'static str> {
    if private_hosts {
        return match url.scheme() {
            "http" | "https" => Ok(()),
            _ => Err("neither http nor https"),
        };
    }
    if url.scheme() != "https" {
        return Err("not https");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("it carries a name or password");
    }
    let address: IpAddr = match url.host() {
        None => return Err("it has no host"),
        Some(Host::Domain(name)) => {
            let name = name.trim_end_matches('.').to_ascii_lowercase();
            return match name == "localhost" || name.ends_with(".localhost") {
                true => Err("a host of this machine"),
                false => Ok(()),
            };
        }
        Some(Host::Ipv4(v4)) => v4.into(),
        Some(Host::Ipv6(v6)) => v6.to_ipv4_mapped().map_or(v6.into(), IpAddr::from),
    };
    match is_public(address) {
        true => Ok(()),
        false => Err("a private or reserved address"),
    }
}

fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, ..] = v4.octets();
            let shared = a == 100 && (64..128).contains(&b);
            !(v4.is_private()
                || v4.is_loopback()
                || v4.is_link_local()
                || v4.is_broadcast()
                || v4.is_documentation()
                || v4.is_multicast()
                || a == 0
                || a >= 240
                || shared)
        }
        IpAddr::V6(v6) => {
            !(v6.is_loopback()
                || v6.is_unspecified()
                || v6.is_multicast()
                || v6.is_unique_local()
                || v6.is_unicast_link_local())
        }
    }
}

fn unreachable(error: reqwest::Error) -> FetchError {
    // The outermost message hides the cause, which is what an operator needs.
    let mut text = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    FetchError::Unreachable(text)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    #[test]
    fn only_public_https_is_asked_unless_configured() {
        let public = ["https://provider.example/status/1", "https://8.8.8.8/1"];
        let private = [
            "http://provider.example/1",
            "https://localhost/1",
            "https://a.LOCALHOST./1",
            "https://127.0.0.1/1",
            "https://10.1.2.3/1",
            "https://192.168.0.1/1",
            "https://169.254.169.254/latest",
            "https://100.64.0.1/1",
            "https://0.0.0.0/1",
            "https://[::1]/1",
            "https://[fd00::1]/1",
            "https://[fe80::1]/1",
            "https://[::ffff:127.0.0.1]/1",
            "https://user:word@provider.example/1",
            "ftp://provider.example/1",
            "file:///etc/passwd",
        ];
        for uri in public {
            assert_eq!(allowed(&Url::parse(uri).unwrap(), false), Ok(()), "{uri}");
        }
        for uri in private {
            assert!(allowed(&Url::parse(uri).unwrap(), false).is_err(), "{uri}");
        }
        let here = Url::parse("http://127.0.0.1:8080/1").unwrap();
        assert_eq!(allowed(&here, true), Ok(()));
        assert!(allowed(&Url::parse("file:///etc/passwd").unwrap(), true).is_err());
    }
}
