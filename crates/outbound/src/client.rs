use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{
    ACCEPT, CONTENT_TYPE, HeaderMap, IF_MODIFIED_SINCE, IF_NONE_MATCH, LOCATION,
};
use reqwest::{Method, StatusCode, redirect};
use url::{Host, Url};

use crate::error::chain;
use crate::names::{Judged, NotPublic};
use crate::{
    FetchError, Fetched, Freshness, Names, Reach, Request, Response, Schemes, SystemNames, reach,
};

/// Fetches within [`Limits`].
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    limits: Limits,
}

/// The limits within which things are fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// For one fetch with all its redirects and its whole body.
    pub timeout: Duration,
    /// For one connection.
    pub connect_timeout: Duration,
    /// How many redirects are followed.
    pub max_redirects: usize,
    /// Whether http, and loopback addresses, may be used for this machine itself:
    /// for development and tests.
    pub allow_insecure_loopback: bool,
    /// Whether private addresses may be used: for a network of one's own.
    pub allow_private_addresses: bool,
}

impl Client {
    /// A client that finds hosts as this machine does.
    ///
    /// # Errors
    /// [`FetchError::Transport`] when TLS cannot be set up.
    pub fn new(limits: Limits) -> Result<Self, FetchError> {
        Self::with_names(limits, Arc::new(SystemNames))
    }

    /// A client that finds hosts through `names`, for a test bed or a name service
    /// of one's own. Its answers are judged all the same.
    ///
    /// # Errors
    /// As [`Client::new`].
    pub fn with_names(limits: Limits, names: Arc<dyn Names>) -> Result<Self, FetchError> {
        let http = reqwest::Client::builder()
            .redirect(redirect::Policy::none())
            // A proxy would resolve names itself, past the judgement of addresses.
            .no_proxy()
            .connect_timeout(limits.connect_timeout)
            .timeout(limits.timeout)
            .dns_resolver(Arc::new(Judged { names, limits }))
            .user_agent(concat!("claviger/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|e| FetchError::Transport(chain(&e)))?;
        Ok(Self { http, limits })
    }

    /// The limits it works within.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Fetches what is asked for.
    ///
    /// # Errors
    /// One of [`FetchError`], after at most the time that the limits give.
    pub async fn fetch(&self, request: &Request<'_>) -> Result<Fetched, FetchError> {
        match tokio::time::timeout(self.limits.timeout, self.follow(request)).await {
            Ok(result) => result,
            Err(_) => Err(FetchError::Timeout(self.limits.timeout)),
        }
    }

    async fn follow(&self, request: &Request<'_>) -> Result<Fetched, FetchError> {
        let mut url = request.url.clone();
        for _ in 0..=self.limits.max_redirects {
            self.judge(&url, request.schemes)?;
            let response = self.send(request, &url).await?;
            match response.status() {
                StatusCode::OK => return self.body(response, url, request.max_bytes).await,
                StatusCode::NOT_MODIFIED if request.known.is_some() => {
                    return Ok(Fetched::NotModified(Freshness::of(response.headers())));
                }
                // A 301, 302 or 303 would turn the post into a get.
                status if request.body.is_some() && !keeps_method(status) => {
                    return Err(match status.is_redirection() {
                        true => FetchError::BadRedirect,
                        false => FetchError::Status(status.as_u16()),
                    });
                }
                status if status.is_redirection() => url = next(&url, response.headers())?,
                status => return Err(FetchError::Status(status.as_u16())),
            }
        }
        Err(FetchError::TooManyRedirects(self.limits.max_redirects))
    }

    async fn send(&self, asked: &Request<'_>, url: &Url) -> Result<reqwest::Response, FetchError> {
        let method = match asked.body {
            Some(_) => Method::POST,
            None => Method::GET,
        };
        let mut request = self.http.request(method, url.clone());
        if let Some((media_type, body)) = asked.body {
            request = request.header(CONTENT_TYPE, media_type).body(body.to_vec());
        }
        let known = asked.known;
        for (name, value) in [
            (ACCEPT, asked.accept),
            (IF_NONE_MATCH, known.and_then(|k| k.etag.as_deref())),
            (
                IF_MODIFIED_SINCE,
                known.and_then(|k| k.last_modified.as_deref()),
            ),
        ] {
            if let Some(value) = value {
                request = request.header(name, value);
            }
        }
        request.send().await.map_err(|e| self.failed(url, &e))
    }

    async fn body(
        &self,
        mut response: reqwest::Response,
        url: Url,
        max_bytes: usize,
    ) -> Result<Fetched, FetchError> {
        let too_large = FetchError::TooLarge(max_bytes);
        // A length that is announced is refused before a byte is read; one that is
        // not, or is a lie, is refused when it is passed.
        let announced = response.content_length().unwrap_or(0);
        if usize::try_from(announced).map_or(true, |n| n > max_bytes) {
            return Err(too_large);
        }
        let mut bytes = Vec::new();
        while let Some(part) = response.chunk().await.map_err(|e| self.failed(&url, &e))? {
            if bytes.len().saturating_add(part.len()) > max_bytes {
                return Err(too_large);
            }
            bytes.extend_from_slice(&part);
        }
        Ok(Fetched::Body(Response::of(response.headers(), url, bytes)))
    }

    /// Whether a URL may be asked at all. Names are judged once they resolve.
    fn judge(&self, url: &Url, schemes: Schemes) -> Result<(), FetchError> {
        let not_web = || FetchError::NotWeb(url.to_string());
        let host = url.host().ok_or_else(not_web)?;
        let address = match &host {
            Host::Ipv4(ip) => Some(IpAddr::V4(*ip)),
            Host::Ipv6(ip) => Some(IpAddr::V6(*ip)),
            Host::Domain(_) => None,
        };
        let loopback = match &host {
            Host::Domain(name) => *name == "localhost",
            _ => address.is_some_and(|ip| reach(ip) == Reach::Loopback),
        };
        match url.scheme() {
            "https" => {}
            "http" if schemes == Schemes::HttpToo => {}
            "http" if loopback && self.limits.allow_insecure_loopback => {}
            "http" => return Err(FetchError::NotHttps(url.to_string())),
            _ => return Err(not_web()),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(FetchError::Credentials(host.to_string()));
        }
        match address {
            Some(ip) if !self.limits.allow(ip) => {
                Err(FetchError::PrivateAddress(url.to_string(), ip))
            }
            _ => Ok(()),
        }
    }

    fn failed(&self, url: &Url, error: &reqwest::Error) -> FetchError {
        if error.is_timeout() {
            return FetchError::Timeout(self.limits.timeout);
        }
        let mut cause: Option<&dyn std::error::Error> = Some(error);
        while let Some(error) = cause {
            if let Some(NotPublic(ip)) = error.downcast_ref() {
                return FetchError::PrivateAddress(url.to_string(), *ip);
            }
            cause = error.source();
        }
        FetchError::Transport(chain(error))
    }
}

impl Limits {
    /// Whether an address may be connected to.
    pub fn allow(&self, ip: IpAddr) -> bool {
        match reach(ip) {
            Reach::Public => true,
            Reach::Private => self.allow_private_addresses,
            Reach::Loopback => self.allow_insecure_loopback,
            Reach::Never => false,
        }
    }
}

impl Default for Limits {
    /// 30 seconds, 5 for a connection, 3 redirects, public hosts alone.
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(30),
            connect_timeout: Duration::from_secs(5),
            max_redirects: 3,
            allow_insecure_loopback: false,
            allow_private_addresses: false,
        }
    }
}

fn keeps_method(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT
    )
}

fn next(url: &Url, headers: &HeaderMap) -> Result<Url, FetchError> {
    headers
        .get(LOCATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|to| url.join(to).ok())
        .ok_or(FetchError::BadRedirect)
}
