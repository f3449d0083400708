use jiff::SignedDuration;
use provider_api::ConsentView;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use url::Url;
use wua::{ClientAttestationDraft, MAX_WIA_LIFETIME, Rounding};

/// How the provider does what the texts leave open. [`Config::new`] has the
/// defaults; [`Config::check`] is asked before anything runs.
#[derive(Debug, Clone)]
pub struct Config {
    /// The provider's identifier and the address of its interface, without a
    /// slash at its end.
    pub base_url: String,
    /// The address under which status lists are served, without a slash at its
    /// end: list `name` is at `{status_url}/{name}`.
    pub status_url: String,
    /// The wallet solution.
    pub solution: WalletSolution,
    /// Where it is told what the key storage is certified for; a statement that
    /// carries an address of its own goes first. In development that page says
    /// that there is no certification.
    pub storage_certification: String,
    /// Takes activations without device evidence: for development only.
    pub accept_no_evidence: bool,
    /// What users are asked to agree to, through the instance, before a unit is
    /// activated (ARF `WIAM_05`).
    pub consent: Option<ConsentView>,
    /// Activates units of users who were not asked: for development only.
    pub accept_no_consent: bool,
    /// What is required of device evidence. The default names no app, and so
    /// accepts none.
    pub evidence: device_evidence::Policy,
    /// Activates units whose WSCA is not certified for level high (ARF `WIAM_08`):
    /// for development only. Its KAs claim no level.
    pub accept_uncertified_wsca: bool,
    /// Which draft a WIA follows.
    pub wia_draft: ClientAttestationDraft,
    /// How KAs share status indices. A recorded choice (TS3 v1.5.2, 2.5.2).
    pub ka_index: KaIndex,
    /// Where the risk analysis stands that lets a unit go on without its keystore (ARF
    /// `WURevocation_09c`). Without one, a keystore is revoked with its unit.
    pub keystore_risk_analysis: Option<String>,
    /// How many requests of one PID provider are taken within six minutes, over all
    /// nodes.
    pub pid_provider_requests: u64,
    /// How long a unit may be installed without becoming operational; then it is
    /// forgotten, its account with it.
    pub installed_lifetime: SignedDuration,
    /// How long a challenge or nonce waits for its answer.
    pub challenge_lifetime: SignedDuration,
    /// How many challenges for an activation wait for their answer at once, at
    /// most: anybody may ask for one.
    pub max_challenges: u64,
    /// How long a WIA lasts, under 24 hours.
    pub wia_lifetime: SignedDuration,
    /// How long a KA lasts.
    pub ka_lifetime: SignedDuration,
    /// The longest status maintenance that an issuer's preference is given.
    pub max_status_period: SignedDuration,
    /// How coarse the times in attestations are.
    pub rounding: Rounding,
    /// How many attestations an instance is told to ask for at once, and the most
    /// it gets.
    pub batch_size: u32,
    /// At how many unused ones it is told to ask again.
    pub lower_limit: u32,
    /// The entries of a new status list: at least 10,000, a multiple of 8.
    pub list_size: u64,
    /// How many indices a node takes at a time.
    pub block_size: u64,
    /// How long a status list token lasts.
    pub list_lifetime: SignedDuration,
    /// How long a copy of it is used before it is fetched again.
    pub list_ttl: SignedDuration,
}

/// The wallet solution, as its attestations name it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WalletSolution {
    /// One value for all its instances: the WIA's `sub`.
    pub client_id: String,
    /// Its name on the list of wallet providers.
    pub name: String,
    /// Where more is told of it.
    pub link: Option<String>,
    /// Its certification. Development says that there is none.
    pub certification: Value,
}

/// How KAs share status indices (TS3 v1.5.2, 2.5.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KaIndex {
    /// Option 2: each KA has its own.
    #[default]
    PerKa,
    /// Option 1: one for all units with the same type of WSCD or keystore. Not
    /// built yet.
    TypeShared,
}

/// Why a configuration cannot be run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("wallet provider, {key}: {what}")]
pub struct ConfigError {
    /// The key.
    pub key: &'static str,
    /// What is wrong with its value.
    pub what: String,
}

const DAY: SignedDuration = SignedDuration::from_hours(24);

impl Config {
    /// The defaults, for an address and a solution.
    pub fn new(base_url: impl Into<String>, solution: WalletSolution) -> Self {
        let base_url = base_url.into();
        Self {
            status_url: format!("{base_url}/status"),
            storage_certification: format!("{base_url}/certification"),
            base_url,
            solution,
            accept_no_evidence: false,
            consent: None,
            accept_no_consent: false,
            evidence: device_evidence::Policy::default(),
            accept_uncertified_wsca: false,
            wia_draft: ClientAttestationDraft::default(),
            ka_index: KaIndex::default(),
            keystore_risk_analysis: None,
            pid_provider_requests: 600,
            installed_lifetime: DAY.saturating_mul(7),
            challenge_lifetime: SignedDuration::from_mins(5),
            max_challenges: 100_000,
            wia_lifetime: SignedDuration::from_hours(23),
            ka_lifetime: DAY.saturating_mul(30),
            max_status_period: DAY.saturating_mul(2 * 366),
            rounding: Rounding::default(),
            batch_size: 10,
            lower_limit: 3,
            list_size: 100_000,
            block_size: 1_000,
            list_lifetime: DAY,
            list_ttl: SignedDuration::from_mins(5),
        }
    }

    /// Refuses what cannot be run, by its key.
    pub fn check(&self) -> Result<(), ConfigError> {
        let fail = |key, what: &str| {
            Err(ConfigError {
                key,
                what: what.to_owned(),
            })
        };
        for (key, address) in [
            ("base_url", &self.base_url),
            ("status_url", &self.status_url),
            ("storage_certification", &self.storage_certification),
        ] {
            match Url::parse(address) {
                Err(error) => {
                    return Err(ConfigError {
                        key,
                        what: format!("not an address: {error}"),
                    });
                }
                Ok(url) if !matches!(url.scheme(), "http" | "https") => {
                    return fail(key, "neither http nor https");
                }
                Ok(_) if address.ends_with('/') => return fail(key, "ends with a slash"),
                Ok(_) => {}
            }
        }
        if self.solution.name.is_empty() || self.solution.client_id.is_empty() {
            return fail("solution", "name and client_id are needed");
        }
        if self.ka_index == KaIndex::TypeShared {
            return fail("ka_index", "type-shared is not built yet: per-ka");
        }
        if self.wia_lifetime <= SignedDuration::ZERO || self.wia_lifetime >= MAX_WIA_LIFETIME {
            return fail(
                "wia_lifetime",
                "more than nothing and less than 24 hours (TS3 2.2.1.1)",
            );
        }
        for (key, time) in [
            ("challenge_lifetime", self.challenge_lifetime),
            ("installed_lifetime", self.installed_lifetime),
            ("ka_lifetime", self.ka_lifetime),
            ("list_ttl", self.list_ttl),
            ("max_status_period", self.max_status_period),
        ] {
            if time <= SignedDuration::ZERO {
                return fail(key, "more than nothing");
            }
        }
        if self.pid_provider_requests == 0 {
            return fail("pid_provider_requests", "at least 1");
        }
        if self.max_challenges == 0 {
            return fail("max_challenges", "at least 1");
        }
        if self.list_lifetime <= self.list_ttl {
            return fail("list_lifetime", "longer than list_ttl");
        }
        if self.list_size < 10_000 || !self.list_size.is_multiple_of(8) || self.list_size > 1 << 27
        {
            return fail("list_size", "10,000 to 134,217,728, a multiple of 8");
        }
        if self.block_size == 0 || self.block_size > self.list_size {
            return fail("block_size", "at least 1 and at most list_size");
        }
        let most = u32::try_from(provider_api::MAX_PROOFS).unwrap_or(u32::MAX);
        if self.batch_size == 0 || self.batch_size > most {
            return fail("batch_size", "1 to 64");
        }
        if self.lower_limit >= self.batch_size {
            return fail("lower_limit", "less than batch_size");
        }
        Ok(())
    }
}
