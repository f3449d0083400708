//! What the configuration says of the WSCA: how it behaves, and how a wallet
//! provider in another process reaches it.

use std::net::SocketAddr;
use std::path::PathBuf;

use jiff::SignedDuration;
use serde::Deserialize;

/// `[tls]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TlsSettings {
    /// The certificate with its chain (PEM).
    pub(crate) certificate: PathBuf,
    /// Its private key (PEM).
    pub(crate) key: PathBuf,
}

/// `[wsca]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct WscaSettings {
    /// The security context's name. Changing it makes every registered PIN useless.
    pub(crate) context: String,
    /// How many wrong PINs make a round.
    pub(crate) pin_tries_per_round: u32,
    /// Seconds of pause after each round but the last; there is one round more.
    pub(crate) pin_pauses: Vec<u32>,
    /// How long a session lasts without a request, in seconds.
    pub(crate) session_idle_seconds: u32,
    /// How long a session lasts whatever happens, in seconds.
    pub(crate) session_seconds: u32,
    /// Most active keys of one unit.
    pub(crate) max_keys: usize,
    /// Most items of one unit.
    pub(crate) max_items: usize,
    /// Into how many shards units are spread. Fixed when the database is new.
    pub(crate) shards: u16,
    /// How many hours after the last rotation the device's root is rotated; 0, and
    /// it is rotated on demand alone.
    pub(crate) rotate_hours: u32,
    /// How often a checkpoint of the audit log is signed, where it has grown, in
    /// seconds.
    pub(crate) checkpoint_seconds: u32,
    /// Whether a forgotten PIN can be replaced, at the price of the unit's keys.
    pub(crate) recovery: RecoverySetting,
}

/// What becomes of a unit whose user has forgotten the PIN.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum RecoverySetting {
    /// Its keys are destroyed, and a new PIN registered.
    DestroyKeys,
    /// Nothing: it has to be destroyed.
    Forbidden,
}

impl Default for WscaSettings {
    fn default() -> Self {
        let config = wsca::Config::default();
        let seconds = |time: SignedDuration| u32::try_from(time.as_secs()).unwrap_or(u32::MAX);
        Self {
            context: config.context,
            pin_tries_per_round: config.retry.tries_per_round,
            pin_pauses: config.retry.pauses,
            session_idle_seconds: seconds(config.session.idle),
            session_seconds: seconds(config.session.absolute),
            max_keys: config.max_keys,
            max_items: config.max_items,
            shards: config.shards,
            rotate_hours: config
                .rotate_every
                .map_or(0, |time| u32::try_from(time.as_hours()).unwrap_or(u32::MAX)),
            checkpoint_seconds: seconds(config.checkpoint_every),
            recovery: RecoverySetting::DestroyKeys,
        }
    }
}

impl WscaSettings {
    /// What cannot be, and the key it stands under.
    pub(super) fn wrong(&self) -> Option<(&'static str, &'static str)> {
        let context = self.context.len();
        if context == 0 || context > 128 {
            return Some(("wsca.context", "1 to 128 bytes"));
        }
        if !(1..=16).contains(&self.pin_tries_per_round) {
            return Some(("wsca.pin_tries_per_round", "1 to 16"));
        }
        let rounds = u32::try_from(self.pin_pauses.len()).unwrap_or(u32::MAX);
        if self
            .pin_tries_per_round
            .saturating_mul(rounds.saturating_add(1))
            > 100
        {
            return Some(("wsca.pin_pauses", "more than 100 tries in all"));
        }
        if self
            .pin_pauses
            .iter()
            .zip(self.pin_pauses.iter().skip(1))
            .any(|(a, b)| a > b)
        {
            return Some(("wsca.pin_pauses", "a pause is shorter than the one before"));
        }
        if self.session_idle_seconds == 0 || self.session_idle_seconds > self.session_seconds {
            return Some((
                "wsca.session_idle_seconds",
                "at least 1, and no more than wsca.session_seconds",
            ));
        }
        if self.session_seconds > 3600 {
            return Some(("wsca.session_seconds", "at most an hour"));
        }
        if !(1..=86_400).contains(&self.checkpoint_seconds) {
            return Some(("wsca.checkpoint_seconds", "1 to 86400"));
        }
        if self.shards == 0 {
            return Some(("wsca.shards", "at least 1"));
        }
        None
    }

    /// As the WSCA has it.
    pub(crate) fn config(&self) -> wsca::Config {
        let seconds = |count: u32| SignedDuration::from_secs(i64::from(count));
        let defaults = wsca::Config::default();
        wsca::Config {
            context: self.context.clone(),
            retry: wsca::RetryPolicy {
                tries_per_round: self.pin_tries_per_round,
                pauses: self.pin_pauses.clone(),
            },
            session: wsca::SessionPolicy {
                idle: seconds(self.session_idle_seconds),
                absolute: seconds(self.session_seconds),
                ..defaults.session
            },
            max_keys: self.max_keys,
            max_items: self.max_items,
            shards: self.shards,
            rotate_every: (self.rotate_hours > 0)
                .then(|| SignedDuration::from_hours(i64::from(self.rotate_hours))),
            checkpoint_every: seconds(self.checkpoint_seconds),
            recovery: match self.recovery {
                RecoverySetting::DestroyKeys => wsca::Recovery::DestroyKeys,
                RecoverySetting::Forbidden => wsca::Recovery::Forbidden,
            },
        }
    }
}

/// `[wsca_link]`: where a wallet provider in another process comes in.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LinkListenSettings {
    /// Where to listen.
    #[serde(deserialize_with = "super::address")]
    pub(crate) listen: SocketAddr,
    /// The WSCA's certificate with its chain (PEM).
    pub(crate) certificate: PathBuf,
    /// Its private key (PEM).
    pub(crate) key: PathBuf,
    /// The CA that the wallet provider's certificate chains to (PEM).
    pub(crate) client_ca: PathBuf,
    /// The only certificates that may connect (PEM); any of that CA, if absent.
    pub(crate) clients: Option<PathBuf>,
}

/// `[remote_wsca]`: the WSCA in another process.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RemoteWscaSettings {
    /// Its link, `https://host:port`.
    pub(crate) url: String,
    /// The CA, or the certificate itself, that the WSCA's chains to (PEM).
    pub(crate) ca: PathBuf,
    /// The wallet provider's certificate with its chain (PEM).
    pub(crate) certificate: PathBuf,
    /// Its private key (PEM).
    pub(crate) key: PathBuf,
}
