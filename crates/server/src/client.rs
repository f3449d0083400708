//! Whose request it is, as an address: the other end of the connection, or, behind a
//! proxy that the configuration trusts, what the proxy says of its own other end.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use axum::extract::{Request, State};
use axum::http::{Extensions, HeaderMap, HeaderName, header};
use axum::middleware::Next;
use axum::response::Response;

use crate::run::Peer;

/// The proxies in front of this process. By default there are none, and what a header
/// says of a client is not believed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Proxies {
    /// Where they are.
    pub trusted: Vec<Network>,
    /// The header that they write. The other one is passed on by a proxy as its client
    /// sent it, so only one can be believed.
    pub header: ProxyHeader,
}

/// Where a proxy says whom it speaks for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ProxyHeader {
    /// `X-Forwarded-For`: addresses, each proxy's at the end.
    #[default]
    XForwardedFor,
    /// `Forwarded` (RFC 7239): elements with `for=`, each proxy's at the end.
    Forwarded,
}

/// An address, or all that begin with the same bits: `192.0.2.1`, `2001:db8::/32`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    bits: u8,
}

/// What is no network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an address is expected, or an address, a slash and a number of bits")]
pub struct NoNetwork;

/// How much of a header is looked at, in bytes, and how many addresses of it.
const MAX_HEADER: usize = 2048;
const MAX_HOPS: usize = 16;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Whose request it is: an extension of each request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Client(pub(crate) IpAddr);

/// Finds out whose request it is.
pub(crate) async fn identify(
    State(proxies): State<std::sync::Arc<Proxies>>,
    mut request: Request,
    next: Next,
) -> Response {
    if let Some(peer) = request.extensions().get::<Peer>() {
        let client = proxies.client(peer.0, request.headers());
        request.extensions_mut().insert(Client(client));
    }
    next.run(request).await
}

/// Whose request it is, as far as is known.
pub(crate) fn address(request: &Request) -> Option<IpAddr> {
    known(request.extensions())
}

/// The same, of a request's extensions.
pub(crate) fn known(extensions: &Extensions) -> Option<IpAddr> {
    extensions
        .get::<Client>()
        .map(|client| client.0)
        .or_else(|| extensions.get::<Peer>().map(|peer| peer.0.ip()))
}

/// What counts as one address: of IPv6, one network of 64 bits, which is what one
/// subscriber has.
pub(crate) fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        v4 => v4,
    }
}

impl Proxies {
    /// Reads the header from its end, where the nearest proxy wrote: the first address
    /// that is no trusted proxy's is the client's. Whatever stands before it may be
    /// made up by the client. An address that cannot be read ends the search at the
    /// proxy that passed it on.
    fn client(&self, peer: SocketAddr, headers: &HeaderMap) -> IpAddr {
        let mut nearest = peer.ip().to_canonical();
        if !self.trusts(nearest) {
            return nearest;
        }
        let name = match self.header {
            ProxyHeader::XForwardedFor => X_FORWARDED_FOR,
            ProxyHeader::Forwarded => header::FORWARDED,
        };
        // What is no text spoils the hop that it stands in, and no other.
        let lines: Vec<_> = headers
            .get_all(name)
            .iter()
            .map(|line| String::from_utf8_lossy(line.as_bytes()))
            .collect();
        let said = lines.join(",");
        // Too long, and it is not the proxy alone who wrote it: the end is what counts.
        let begin = said.len().saturating_sub(MAX_HEADER);
        let said = said.get(begin..).unwrap_or_default();
        for hop in said.rsplit(',').take(MAX_HOPS) {
            let hop = match self.header {
                ProxyHeader::XForwardedFor => node(hop),
                ProxyHeader::Forwarded => forwarded_for(hop),
            };
            let Some(hop) = hop else { break };
            nearest = hop;
            if !self.trusts(hop) {
                break;
            }
        }
        nearest
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.trusted.iter().any(|network| network.holds(address))
    }
}

/// The `for` of one element of `Forwarded`.
fn forwarded_for(element: &str) -> Option<IpAddr> {
    element
        .split(';')
        .find_map(|pair| {
            let (name, value) = pair.split_once('=')?;
            name.trim().eq_ignore_ascii_case("for").then_some(value)
        })
        .and_then(|value| node(value.trim().trim_matches('"')))
}

/// An address with or without a port, of IPv6 with or without brackets.
fn node(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let address = text
        .parse::<IpAddr>()
        .or_else(|_| text.parse::<SocketAddr>().map(|socket| socket.ip()))
        .or_else(|_| text.trim_start_matches('[').trim_end_matches(']').parse());
    address.ok().map(|address| address.to_canonical())
}

impl Network {
    fn holds(&self, address: IpAddr) -> bool {
        let same = |mine: u128, other: u128, width: u32| {
            let shift = width.saturating_sub(u32::from(self.bits));
            (mine ^ other).checked_shr(shift).unwrap_or(0) == 0
        };
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(mine), IpAddr::V4(other)) => {
                same(u128::from(mine.to_bits()), u128::from(other.to_bits()), 32)
            }
            (IpAddr::V6(mine), IpAddr::V6(other)) => same(mine.to_bits(), other.to_bits(), 128),
            _ => false,
        }
    }
}

impl FromStr for Network {
    type Err = NoNetwork;

    fn from_str(text: &str) -> Result<Self, NoNetwork> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits.parse().map_err(|_| NoNetwork)?)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| NoNetwork)?;
        let address = address.to_canonical();
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.unwrap_or(most);
        if bits > most {
            return Err(NoNetwork);
        }
        Ok(Self { address, bits })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn proxies(header: ProxyHeader) -> Proxies {
        Proxies {
            trusted: ["192.0.2.1", "10.0.0.0/8", "2001:db8::/32"]
                .map(|network| network.parse().unwrap())
                .to_vec(),
            header,
        }
    }

    fn client(header: ProxyHeader, peer: &str, lines: &[(&'static str, &str)]) -> String {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, value.parse().unwrap());
        }
        let peer = SocketAddr::new(peer.parse().unwrap(), 9);
        proxies(header).client(peer, &headers).to_string()
    }

    #[test]
    fn a_client_cannot_say_who_it_is() {
        use ProxyHeader::{Forwarded, XForwardedFor};
        let long = "198.51.100.9, ".repeat(1000);
        let long = format!("{long}203.0.113.7");
        type Case<'a> = (ProxyHeader, &'a str, &'a [(&'static str, &'a str)], &'a str);
        let cases: &[Case<'_>] = &[
            // Not from a proxy: what it says is not looked at.
            (
                XForwardedFor,
                "203.0.113.7",
                &[("x-forwarded-for", "198.51.100.9")],
                "203.0.113.7",
            ),
            (
                XForwardedFor,
                "203.0.113.7",
                &[("forwarded", "for=198.51.100.9")],
                "203.0.113.7",
            ),
            // From a proxy, which appends what it saw: the end counts.
            (
                XForwardedFor,
                "192.0.2.1",
                &[("x-forwarded-for", "203.0.113.7")],
                "203.0.113.7",
            ),
            (
                XForwardedFor,
                "192.0.2.1",
                &[("x-forwarded-for", "198.51.100.9, 203.0.113.7")],
                "203.0.113.7",
            ),
            (
                XForwardedFor,
                "192.0.2.1",
                &[
                    ("x-forwarded-for", "198.51.100.9"),
                    ("x-forwarded-for", "203.0.113.7"),
                ],
                "203.0.113.7",
            ),
            (
                XForwardedFor,
                "192.0.2.1",
                &[("x-forwarded-for", &long)],
                "203.0.113.7",
            ),
            // Over two proxies.
            (
                XForwardedFor,
                "192.0.2.1",
                &[("x-forwarded-for", "198.51.100.9, 203.0.113.7, 10.1.2.3")],
                "203.0.113.7",
            ),
            // A client that says it is a proxy is still behind the first stranger.
            (
                XForwardedFor,
                "192.0.2.1",
                &[("x-forwarded-for", "10.9.9.9, 203.0.113.7, 10.1.2.3")],
                "203.0.113.7",
            ),
            // The header that the proxy does not write comes from the client.
            (
                XForwardedFor,
                "192.0.2.1",
                &[("forwarded", "for=198.51.100.9")],
                "192.0.2.1",
            ),
            (
                Forwarded,
                "192.0.2.1",
                &[("x-forwarded-for", "198.51.100.9")],
                "192.0.2.1",
            ),
            // What cannot be read ends the search at who passed it on.
            (
                XForwardedFor,
                "192.0.2.1",
                &[("x-forwarded-for", "198.51.100.9, unknown")],
                "192.0.2.1",
            ),
            (
                XForwardedFor,
                "192.0.2.1",
                &[("x-forwarded-for", "198.51.100.9, unknown, 10.1.2.3")],
                "10.1.2.3",
            ),
            (
                XForwardedFor,
                "192.0.2.1",
                &[("x-forwarded-for", "")],
                "192.0.2.1",
            ),
            (XForwardedFor, "192.0.2.1", &[], "192.0.2.1"),
            // The other form, and addresses with ports.
            (
                Forwarded,
                "192.0.2.1",
                &[(
                    "forwarded",
                    "for=198.51.100.9, FOR=\"203.0.113.7:4711\";proto=https",
                )],
                "203.0.113.7",
            ),
            (
                Forwarded,
                "2001:db8::1",
                &[("forwarded", "for=\"[2a00::7]:4711\"")],
                "2a00::7",
            ),
            (
                Forwarded,
                "192.0.2.1",
                &[("forwarded", "for=_hidden")],
                "192.0.2.1",
            ),
            (
                XForwardedFor,
                "::ffff:192.0.2.1",
                &[("x-forwarded-for", "::ffff:203.0.113.7")],
                "203.0.113.7",
            ),
        ];
        for (header, peer, lines, expected) in cases {
            assert_eq!(client(*header, peer, lines), *expected, "{peer}: {lines:?}");
        }
    }

    #[test]
    fn a_network_holds_what_begins_as_it_does() {
        for (network, address, holds) in [
            ("192.0.2.1", "192.0.2.1", true),
            ("192.0.2.1", "192.0.2.2", false),
            ("10.0.0.0/8", "10.255.0.1", true),
            ("10.0.0.0/8", "11.0.0.1", false),
            ("10.0.0.0/8", "::ffff:10.0.0.1", true),
            ("2001:db8::/32", "2001:db8:ffff::1", true),
            ("2001:db8::/32", "2001:db9::1", false),
            ("0.0.0.0/0", "203.0.113.7", true),
            ("::/0", "203.0.113.7", false),
        ] {
            let network: Network = network.parse().unwrap();
            assert_eq!(
                network.holds(address.parse().unwrap()),
                holds,
                "{network:?} {address}"
            );
        }
        for wrong in [
            "",
            "localhost",
            "192.0.2.1/33",
            "192.0.2.1/x",
            "::/129",
            "192.0.2.1/-1",
        ] {
            assert_eq!(wrong.parse::<Network>(), Err(NoNetwork), "{wrong}");
        }
    }

    #[test]
    fn a_network_of_ipv6_is_one_address() {
        let of = |text: &str| network(text.parse().unwrap());
        assert_eq!(of("2001:db8:1:2::1"), of("2001:db8:1:2:ffff::9"));
        assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
        assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
    }
}
