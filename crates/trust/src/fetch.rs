//! Fetching from the network, within limits.
//!
//! Where a list or a CRL lies may be said by a certificate or a redirect that
//! nobody vouches for. So each hop is judged again: its scheme, and the addresses
//! its name resolves to, which are the very addresses that are connected to.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{ETAG, IF_NONE_MATCH, LOCATION};
use reqwest::{Client, Response, StatusCode, redirect};
use url::{Host, Url};

/// The limits within which things are fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// For one fetch with all its redirects and its whole body.
    pub timeout: Duration,
    /// For one connection.
    pub connect_timeout: Duration,
    /// The size of a list.
    pub max_list_bytes: usize,
    /// The size of a CRL.
    pub max_crl_bytes: usize,
    /// How many redirects are followed.
    pub max_redirects: usize,
    /// Whether http, and loopback addresses, may be used for this machine itself:
    /// for development and tests.
    pub allow_insecure_loopback: bool,
    /// Whether private addresses may be used: for a network of one's own.
    pub allow_private_addresses: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(30),
            connect_timeout: Duration::from_secs(5),
            max_list_bytes: lote::MAX_BYTES,
            max_crl_bytes: pki::crl::MAX_CRL,
            max_redirects: 3,
            allow_insecure_loopback: false,
            allow_private_addresses: false,
        }
    }
}

/// Why something was not fetched.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// Not an address of the web.
    #[error("{0} is not an http or https URL with a host")]
    NotWeb(String),
    /// http where https is needed.
    #[error("{0} is not https")]
    NotHttps(String),
    /// An address inside this machine or network.
    #[error("{0} leads to the address {1}, which is not public")]
    PrivateAddress(String, IpAddr),
    /// Redirected too often.
    #[error("more than {0} redirects")]
    TooManyRedirects(usize),
    /// A redirect that does not say where to.
    #[error("a redirect without a usable Location")]
    BadRedirect,
    /// An answer other than 200 and 304.
    #[error("the answer is {0}")]
    Status(u16),
    /// More bytes than are accepted.
    #[error("more than {0} bytes")]
    TooLarge(usize),
    /// It took too long.
    #[error("no whole answer within {0:?}")]
    Timeout(Duration),
    /// No connection, no TLS, or a broken answer.
    #[error("{0}")]
    Transport(String),
}

/// What was fetched.
#[derive(Debug)]
pub(crate) enum Fetched {
    /// What we have is still current (304).
    NotModified,
    /// A body, and what it is called (ETag).
    Body {
        bytes: Vec<u8>,
        etag: Option<String>,
    },
}

/// Which schemes may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Schemes {
    /// https, and http to loopback where that is allowed.
    Https,
    /// http as well, for what is signed and meant to be fetched so (RFC 5280, 8).
    HttpToo,
}

/// Fetches within [`Limits`].
#[derive(Debug, Clone)]
pub(crate) struct Fetcher {
    client: Client,
    limits: Limits,
}

impl Fetcher {
    pub(crate) fn new(limits: Limits) -> Result<Self, FetchError> {
        let client = Client::builder()
            .redirect(redirect::Policy::none())
            // A proxy would resolve names itself, past the judgement of addresses.
            .no_proxy()
            .connect_timeout(limits.connect_timeout)
            .timeout(limits.timeout)
            .dns_resolver(Arc::new(Judging { limits }))
            .user_agent(concat!("claviger/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|e| FetchError::Transport(chain(&e)))?;
        Ok(Self { client, limits })
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Fetches what is at a URL, of at most `max_bytes`, unless it is still what
    /// `etag` names.
    pub(crate) async fn get(
        &self,
        url: &Url,
        schemes: Schemes,
        etag: Option<&str>,
        max_bytes: usize,
    ) -> Result<Fetched, FetchError> {
        let whole = self.follow(url, schemes, etag, max_bytes);
        match tokio::time::timeout(self.limits.timeout, whole).await {
            Ok(result) => result,
            Err(_) => Err(FetchError::Timeout(self.limits.timeout)),
        }
    }

    async fn follow(
        &self,
        url: &Url,
        schemes: Schemes,
        etag: Option<&str>,
        max_bytes: usize,
    ) -> Result<Fetched, FetchError> {
        let mut url = url.clone();
        for _ in 0..=self.limits.max_redirects {
            self.judge(&url, schemes)?;
            let mut request = self.client.get(url.clone());
            if let Some(etag) = etag {
                request = request.header(IF_NONE_MATCH, etag);
            }
            let response = request.send().await.map_err(|e| self.failed(&url, &e))?;
            match response.status() {
                StatusCode::OK => return self.body(response, &url, max_bytes).await,
                StatusCode::NOT_MODIFIED if etag.is_some() => return Ok(Fetched::NotModified),
                status if status.is_redirection() => url = next(&url, &response)?,
                status => return Err(FetchError::Status(status.as_u16())),
            }
        }
        Err(FetchError::TooManyRedirects(self.limits.max_redirects))
    }

    async fn body(
        &self,
        mut response: Response,
        url: &Url,
        max_bytes: usize,
    ) -> Result<Fetched, FetchError> {
        let too_large = FetchError::TooLarge(max_bytes);
        let announced = response.content_length().unwrap_or(0);
        if usize::try_from(announced).map_or(true, |n| n > max_bytes) {
            return Err(too_large);
        }
        let etag = response
            .headers()
            .get(ETAG)
            .and_then(|value| value.to_str().ok())
            .filter(|text| text.len() <= 256)
            .map(str::to_owned);
        let mut bytes = Vec::new();
        while let Some(part) = response.chunk().await.map_err(|e| self.failed(url, &e))? {
            if bytes.len().saturating_add(part.len()) > max_bytes {
                return Err(too_large);
            }
            bytes.extend_from_slice(&part);
        }
        Ok(Fetched::Body { bytes, etag })
    }

    /// Whether a URL may be asked at all. Names are judged once they resolve.
    fn judge(&self, url: &Url, schemes: Schemes) -> Result<(), FetchError> {
        let host = url
            .host()
            .ok_or_else(|| FetchError::NotWeb(url.to_string()))?;
        let address = match &host {
            Host::Ipv4(ip) => Some(IpAddr::V4(*ip)),
            Host::Ipv6(ip) => Some(IpAddr::V6(*ip)),
            Host::Domain(_) => None,
        };
        let loopback = match &host {
            Host::Domain(name) => *name == "localhost",
            _ => address.is_some_and(|ip| ip.is_loopback()),
        };
        match url.scheme() {
            "https" => {}
            "http" if schemes == Schemes::HttpToo => {}
            "http" if loopback && self.limits.allow_insecure_loopback => {}
            "http" => return Err(FetchError::NotHttps(url.to_string())),
            _ => return Err(FetchError::NotWeb(url.to_string())),
        }
        match address {
            Some(ip) if !may_reach(ip, &self.limits) => {
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

fn next(url: &Url, response: &Response) -> Result<Url, FetchError> {
    response
        .headers()
        .get(LOCATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|to| url.join(to).ok())
        .ok_or(FetchError::BadRedirect)
}

/// An error and its causes in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text.chars().filter(|c| !c.is_control()).take(400).collect()
}

/// Resolves names, and gives out no address that may not be reached.
#[derive(Debug)]
struct Judging {
    limits: Limits,
}

#[derive(Debug, thiserror::Error)]
#[error("the address {0} is not public")]
struct NotPublic(IpAddr);

impl Resolve for Judging {
    fn resolve(&self, name: Name) -> Resolving {
        let limits = self.limits;
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let mut refused = None;
            let mut public: Vec<SocketAddr> = Vec::new();
            for address in found {
                if may_reach(address.ip(), &limits) {
                    public.push(address);
                } else {
                    refused = Some(address.ip());
                }
            }
            match refused {
                Some(ip) if public.is_empty() => Err(NotPublic(ip).into()),
                _ => Ok(Box::new(public.into_iter()) as Addrs),
            }
        })
    }
}

fn may_reach(ip: IpAddr, limits: &Limits) -> bool {
    let ip = embedded(ip).map_or(ip, IpAddr::V4);
    if ip.is_loopback() {
        return limits.allow_insecure_loopback;
    }
    if never(ip) {
        return false;
    }
    limits.allow_private_addresses || !is_private(ip)
}

/// The IPv4 address inside an IPv6 one that leads to it: mapped, NAT64, 6to4.
fn embedded(ip: IpAddr) -> Option<Ipv4Addr> {
    let IpAddr::V6(v6) = ip else { return None };
    if let Some(v4) = v6.to_ipv4_mapped() {
        return Some(v4);
    }
    let [a, b, c, _, _, _, y, z] = v6.segments();
    let join = |high: u16, low: u16| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    match (a, b) {
        (0x64, 0xff9b) => Some(join(y, z)),
        (0x2002, _) => Some(join(b, c)),
        _ => None,
    }
}

/// Addresses that no server has.
fn never(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => {
            let [a, ..] = v4.octets();
            a == 0 || a >= 224
        }
        IpAddr::V6(v6) => v6.is_unspecified() || v6.is_multicast(),
    }
}

fn is_private(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => {
            let [a, b, c, _] = v4.octets();
            v4.is_private()
                || v4.is_link_local()
                || v4.is_documentation()
                || (a == 100 && (64..128).contains(&b))
                || (a == 192 && b == 0 && c == 0)
                || (a == 198 && (b == 18 || b == 19))
        }
        IpAddr::V6(v6) => is_private_v6(v6),
    }
}

fn is_private_v6(v6: Ipv6Addr) -> bool {
    let [a, b, ..] = v6.segments();
    (a & 0xfe00) == 0xfc00 || (a & 0xffc0) == 0xfe80 || (a == 0x2001 && b == 0xdb8)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("93.184.216.34", true)]
    #[case("2606:2800:220:1::1", true)]
    #[case("10.0.0.1", false)]
    #[case("172.16.0.1", false)]
    #[case("192.168.1.1", false)]
    #[case("169.254.169.254", false)]
    #[case("100.64.0.1", false)]
    #[case("127.0.0.1", false)]
    #[case("0.0.0.0", false)]
    #[case("224.0.0.1", false)]
    #[case("255.255.255.255", false)]
    #[case("::1", false)]
    #[case("fd00::1", false)]
    #[case("fe80::1", false)]
    #[case("::ffff:10.0.0.1", false)]
    #[case("64:ff9b::a00:1", false)]
    #[case("2002:a00:1::", false)]
    fn addresses(#[case] ip: IpAddr, #[case] public: bool) {
        assert_eq!(may_reach(ip, &Limits::default()), public, "{ip}");
    }

    #[test]
    fn what_is_allowed_is_allowed_alone() {
        let loopback = Limits {
            allow_insecure_loopback: true,
            ..Limits::default()
        };
        let private = Limits {
            allow_private_addresses: true,
            ..Limits::default()
        };
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        assert!(may_reach(ip("127.0.0.1"), &loopback));
        assert!(!may_reach(ip("10.0.0.1"), &loopback));
        assert!(may_reach(ip("10.0.0.1"), &private));
        assert!(!may_reach(ip("127.0.0.1"), &private));
        assert!(!may_reach(ip("::ffff:127.0.0.1"), &private));
        assert!(!may_reach(ip("224.0.0.1"), &private));
    }

    #[rstest]
    #[case("http://example.eu/list", FetchError::NotHttps("http://example.eu/list".into()))]
    #[case("http://127.0.0.1/list", FetchError::NotHttps("http://127.0.0.1/list".into()))]
    #[case("ftp://example.eu/list", FetchError::NotWeb("ftp://example.eu/list".into()))]
    #[case("file:///etc/passwd", FetchError::NotWeb("file:///etc/passwd".into()))]
    #[case("https://10.0.0.1/", FetchError::PrivateAddress("https://10.0.0.1/".into(), IpAddr::from([10, 0, 0, 1])))]
    #[case("https://localhost/", FetchError::PrivateAddress("https://localhost/".into(), IpAddr::from([127, 0, 0, 1])))]
    #[tokio::test]
    async fn refused_before_anything_is_sent(#[case] url: Url, #[case] expected: FetchError) {
        let fetcher = Fetcher::new(Limits::default()).unwrap();
        let error = fetcher
            .get(&url, Schemes::Https, None, 10)
            .await
            .unwrap_err();
        match (&error, &expected) {
            (FetchError::PrivateAddress(seen, ip), FetchError::PrivateAddress(url, _)) => {
                assert_eq!(seen, url);
                assert!(ip.is_loopback() || ip.to_string() == "10.0.0.1");
            }
            _ => assert_eq!(error, expected),
        }
    }
}
