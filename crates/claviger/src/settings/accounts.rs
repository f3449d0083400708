//! `[accounts]`: the pages on which users look after their wallets.

use std::path::{Path, PathBuf};

use accounts::{Config, ConsentText};
use serde::Deserialize;
use url::{Host, Url};

use crate::exit::{Doing, Failure};
use crate::input;

/// `[accounts]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AccountSettings {
    /// Whom an authenticator says a passkey is for; the wallet solution's name, if absent.
    pub(crate) name: Option<String>,
    /// What a passkey is bound to, if not to the host of `public_url`: a domain that
    /// the host is in. Changing it makes every passkey useless.
    pub(crate) rp_id: Option<String>,
    /// The text that users agree to: its first line is its title.
    pub(crate) consent: PathBuf,
    /// The name of its version.
    pub(crate) consent_version: String,
}

/// The size of the text, in bytes.
const MAX_TEXT: u64 = 64 * 1024;

/// Where the pages are, for clients that find us at `url`. No browser has passkeys for
/// an address of numbers; this machine's own has a name.
pub(crate) fn origin(url: &str) -> Result<Url, Failure> {
    let mut origin: Url = url.parse().doing("public_url")?;
    let numbers = match origin.host() {
        Some(Host::Ipv4(address)) => address.is_loopback() || address.is_unspecified(),
        Some(Host::Ipv6(address)) => address.is_loopback() || address.is_unspecified(),
        _ => false,
    };
    if numbers && origin.scheme() == "http" {
        origin.set_host(Some("localhost")).doing("public_url")?;
    }
    Ok(origin)
}

impl AccountSettings {
    /// How accounts behave at `public_url`.
    pub(crate) fn config(&self, public_url: &str, solution: &str) -> Result<Config, Failure> {
        let origin = origin(public_url)?;
        let text = input::read_text(Path::new(&self.consent), MAX_TEXT)?;
        let consent = ConsentText::new(&self.consent_version, text);
        let name = self.name.as_deref().unwrap_or(solution);
        let mut config = Config::new(origin, name, consent).doing("accounts")?;
        if let Some(rp_id) = &self.rp_id {
            config.rp_id.clone_from(rp_id);
        }
        Ok(config)
    }
}
