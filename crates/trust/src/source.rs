//! Where lists come from, and whose seals they bear.

use std::path::PathBuf;

use pki::Certificate;
use url::Url;

/// A place that one list comes from.
#[derive(Debug, Clone)]
pub struct Source {
    /// What kind of list it gives. Another kind is refused.
    pub profile: lote::Profile,
    /// The place.
    pub location: Location,
    /// Whose seals are accepted.
    pub signers: SignerPolicy,
    /// How exactly the seals have to follow the standard.
    pub mode: lote::Mode,
}

/// A place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// Over the network: https, or http to loopback where that is allowed.
    Url(Url),
    /// A file.
    File(PathBuf),
}

/// Whose seals are accepted from a source.
#[derive(Debug, Clone)]
pub enum SignerPolicy {
    /// These certificates, and those that the last accepted list announces for
    /// itself (TS 119 602, 6.3.13): a signer changes only as announced.
    Pinned(Vec<Certificate>),
    /// Anyone's: the place itself is trusted, which each verdict says.
    Anyone,
}

impl Source {
    /// A source over the network, sealed by one of these signers, read strictly.
    pub fn pinned(profile: lote::Profile, url: Url, signers: Vec<Certificate>) -> Self {
        Self {
            profile,
            location: Location::Url(url),
            signers: SignerPolicy::Pinned(signers),
            mode: lote::Mode::Strict,
        }
    }
}

impl std::fmt::Display for Location {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Location::Url(url) => url.fmt(f),
            Location::File(path) => write!(f, "{}", path.display()),
        }
    }
}
