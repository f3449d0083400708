//! What the configuration says of operators: who they are, where they come in, and
//! how often anybody may ask.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use server::{KnownOperator, Network, Proxies, ProxyHeader, Rate, Rates};
use wallet_provider::operators::OperatorRole;

/// `[admin]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AdminSettings {
    /// Where `/metrics` and `/operator` are served, and no more at `listen`.
    #[serde(deserialize_with = "super::address")]
    pub(crate) listen: SocketAddr,
    /// TLS there: the certificate with its chain (PEM).
    pub(crate) certificate: Option<PathBuf>,
    /// Its private key (PEM).
    pub(crate) key: Option<PathBuf>,
    /// The CA that operators' certificates chain to (PEM); without it there are tokens
    /// alone.
    pub(crate) client_ca: Option<PathBuf>,
}

/// `[[operators]]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct OperatorSettings {
    /// What the trail calls them.
    pub(crate) name: String,
    /// What they may do: read, support, revoke, admin.
    #[serde(deserialize_with = "role")]
    pub(crate) role: OperatorRole,
    /// The SHA-256 of their token, in hexadecimal digits.
    #[serde(default, deserialize_with = "sha256")]
    pub(crate) token_sha256: Option<[u8; 32]>,
    /// The SHA-256 of their client certificate in DER, in hexadecimal digits.
    #[serde(default, deserialize_with = "sha256")]
    pub(crate) certificate_sha256: Option<[u8; 32]>,
}

fn role<'de, D: Deserializer<'de>>(name: D) -> Result<OperatorRole, D::Error> {
    let name = String::deserialize(name)?;
    OperatorRole::from_name(&name).ok_or_else(|| {
        let what = "read, support, revoke or admin is expected";
        D::Error::custom(format!("{name}: {what}"))
    })
}

/// Colons between the digits, as tools print a certificate's hash, do not matter.
fn sha256<'de, D: Deserializer<'de>>(text: D) -> Result<Option<[u8; 32]>, D::Error> {
    let text = String::deserialize(text)?.replace(':', "");
    let mut hash = [0; 32];
    hex::decode_to_slice(&text, &mut hash)
        .map_err(|_| D::Error::custom("64 hexadecimal digits are expected"))?;
    Ok(Some(hash))
}

impl OperatorSettings {
    /// As the edge knows them; `None` where it is not one credential.
    pub(crate) fn known(&self) -> Option<KnownOperator> {
        match (self.token_sha256, self.certificate_sha256) {
            (Some(hash), None) => Some(KnownOperator::by_token(&self.name, self.role, hash)),
            (None, Some(hash)) => Some(KnownOperator::by_certificate(&self.name, self.role, hash)),
            _ => None,
        }
    }
}

/// How often may be asked: part of `[limits]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RateSettings {
    /// How many a minute in the long run; 0 is no limit.
    pub(crate) per_minute: u32,
    /// How many at once.
    pub(crate) burst: u32,
}

impl RateSettings {
    pub(crate) const fn new(per_minute: u32, burst: u32) -> Self {
        Self { per_minute, burst }
    }

    fn rate(self) -> Option<Rate> {
        (self.per_minute > 0).then_some(Rate {
            per_minute: self.per_minute,
            burst: self.burst,
        })
    }
}

/// `limits.proxy_header`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ProxyHeaderSetting {
    /// `X-Forwarded-For`.
    XForwardedFor,
    /// `Forwarded`, of RFC 7239.
    Forwarded,
}

/// Addresses and networks.
pub(super) fn networks<'de, D: Deserializer<'de>>(list: D) -> Result<Vec<Network>, D::Error> {
    let texts = Vec::<String>::deserialize(list)?;
    let read = |text: &String| text.parse().map_err(D::Error::custom);
    texts.iter().map(read).collect()
}

impl super::LimitSettings {
    /// How often may be asked.
    pub(crate) fn rates(&self) -> Rates {
        Rates {
            general: self.per_address.rate(),
            tight: self.per_address_tight.rate(),
            account: self.per_account.rate(),
            credential: self.wrong_credentials.rate(),
        }
    }

    /// The proxies in front.
    pub(crate) fn proxies(&self) -> Proxies {
        Proxies {
            trusted: self.trusted_proxies.clone(),
            header: match self.proxy_header {
                ProxyHeaderSetting::XForwardedFor => ProxyHeader::XForwardedFor,
                ProxyHeaderSetting::Forwarded => ProxyHeader::Forwarded,
            },
        }
    }
}
