//! Where lists come from, and whose seals they bear.

use std::path::PathBuf;
use std::time::Duration;

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
    /// How it is looked after.
    pub upkeep: Upkeep,
}

/// How a source is looked after.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upkeep {
    /// The longest pause between two requests. It is asked sooner where it calls its
    /// answer fresh for less, or where the list's NextUpdate draws near.
    pub interval: Duration,
    /// Whether the lists that it points to are followed (TS 119 602, 6.3.13); only
    /// where its own signers are pinned.
    pub follow_pointers: bool,
    /// The folder of its earlier instances, as `claviger list publish` lays it out:
    /// `index.json`, and `<sequence>.jws` for each.
    pub archive: Option<Location>,
}

impl Default for Upkeep {
    /// Every five minutes; no pointers, no archive but of one's own.
    fn default() -> Self {
        Self {
            interval: Duration::from_mins(5),
            follow_pointers: false,
            archive: None,
        }
    }
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
            upkeep: Upkeep::default(),
        }
    }
}

impl Location {
    /// What lies under it by this name, as in a folder.
    pub(crate) fn join(&self, name: &str) -> Option<Location> {
        match self {
            Location::File(folder) => Some(Location::File(folder.join(name))),
            Location::Url(folder) => {
                let mut folder = folder.clone();
                if !folder.path().ends_with('/') {
                    let path = format!("{}/", folder.path());
                    folder.set_path(&path);
                }
                folder.join(name).ok().map(Location::Url)
            }
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
