//! The lists that questions of trust are answered by, as a configuration names them.

use std::path::PathBuf;
use std::time::Duration;

use trust::{
    ArchiveLimits, Config, Limits, Location, PointerLimits, Rhythm, SignerPolicy, Source, Upkeep,
};
use url::Url;

use crate::exit::Failure;
use crate::input;
use crate::settings::{ListSettings, Settings};

/// What the trust service of this configuration is made of, but for the folder of its
/// copies.
pub(crate) fn trust_config(settings: &Settings) -> Result<Config, Failure> {
    let trust = &settings.trust;
    Ok(Config {
        sources: settings
            .trusted_lists
            .iter()
            .map(source)
            .collect::<Result<_, _>>()?,
        archive: ArchiveLimits {
            instances: trust.archive_instances,
            bytes: trust.archive_bytes,
        },
        rhythm: Rhythm {
            margin: Duration::from_secs(trust.margin_seconds),
            ..Rhythm::default()
        },
        limits: Limits {
            timeout: Duration::from_secs(trust.fetch_seconds),
            check_timeout: Duration::from_secs(trust.check_seconds),
            max_list_bytes: trust.max_list_bytes,
            max_crl_bytes: trust.max_crl_bytes,
            max_redirects: trust.max_redirects,
            allow_private_addresses: trust.allow_private_addresses,
            ..Limits::default()
        },
        pointers: PointerLimits {
            depth: trust.pointer_depth,
            lists: trust.pointer_lists,
        },
        grace: Duration::from_secs(trust.grace_seconds),
        ..Config::default()
    })
}

fn source(list: &ListSettings) -> Result<Source, Failure> {
    let profile = lote::Profile::from_name(&list.profile)
        .ok_or_else(|| Failure::new("trusted_lists.profile: no list has this profile"))?;
    Ok(Source {
        profile,
        location: location(&list.location),
        signers: SignerPolicy::Pinned(input::certificates(&list.signer)?),
        mode: list.mode,
        upkeep: Upkeep {
            interval: Duration::from_secs(list.refresh_seconds),
            follow_pointers: list.follow_pointers,
            archive: list.archive.as_deref().map(location),
        },
    })
}

/// An address, or a path.
pub(crate) fn location(text: &str) -> Location {
    match Url::parse(text) {
        Ok(url) if text.contains("://") => Location::Url(url),
        _ => Location::File(PathBuf::from(text)),
    }
}
