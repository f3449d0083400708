//! The configuration of `claviger serve`: a TOML file, overridden by environment
//! variables `CLAVIGER_*`. An error names the key it is about.

mod accounts;
mod issuance;
mod notices;
mod operators;
mod revocation;
mod wsca;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use config::{Config, Environment, File, FileFormat};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use wscd::{Assurance, AttackPotential};
use wscd_pkcs11::Assured;

use crate::exit::Failure;
use crate::input;

pub(crate) use self::accounts::{AccountSettings, origin as account_origin};
pub(crate) use self::issuance::{CompatibilitySettings, IssuanceSettings};
pub(crate) use self::notices::{NoticeSettings, SecuritySetting, SmtpSettings};
pub(crate) use self::operators::{
    AdminSettings, OperatorSettings, ProxyHeaderSetting, RateSettings,
};
pub(crate) use self::revocation::RevocationSettings;
pub(crate) use self::wsca::{LinkListenSettings, RemoteWscaSettings, TlsSettings, WscaSettings};

/// The database of a folder of data.
pub(crate) const DATABASE_FILE: &str = "claviger.db";

/// Everything `claviger serve` has to know.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    /// Takes what only development may: the software device, activations without
    /// device evidence, sample certificates and lists.
    #[serde(default)]
    pub(crate) development: bool,
    /// Where to listen.
    #[serde(deserialize_with = "address")]
    pub(crate) listen: SocketAddr,
    /// The address that clients use, without a slash at its end; `http://` and
    /// `listen` in development, if absent.
    pub(crate) public_url: Option<String>,
    /// Where the data is.
    pub(crate) data: PathBuf,
    /// The database, where that is not a file among the data: `postgres://…`.
    pub(crate) database: Option<String>,
    /// What this process does.
    pub(crate) roles: Vec<Role>,
    /// The device that holds the keys.
    pub(crate) device: Device,
    /// The wallet solution; needed by the role `wallet-provider`.
    pub(crate) wallet_provider: Option<WalletProviderSettings>,
    /// Users' accounts, their pages, and the text that users agree to. Without it there
    /// are no pages and nobody is asked, which development alone may do.
    pub(crate) accounts: Option<AccountSettings>,
    /// TLS at `listen`; without it, TLS ends in front.
    pub(crate) tls: Option<TlsSettings>,
    /// A listener of their own for operators.
    pub(crate) admin: Option<AdminSettings>,
    /// How the WSCA behaves.
    #[serde(default)]
    pub(crate) wsca: WscaSettings,
    /// Where a wallet provider in another process comes in.
    pub(crate) wsca_link: Option<LinkListenSettings>,
    /// The WSCA, where it runs in another process.
    pub(crate) remote_wsca: Option<RemoteWscaSettings>,
    /// What is accepted of a request.
    #[serde(default)]
    pub(crate) limits: LimitSettings,
    /// The file with the token of an admin named "operator".
    pub(crate) operator_token_file: Option<PathBuf>,
    /// Who may see and revoke units over HTTP.
    #[serde(default)]
    pub(crate) operators: Vec<OperatorSettings>,
    /// For how many days the trail of what operators did is kept.
    #[serde(default = "operator_trail_days")]
    pub(crate) operator_trail_days: u32,
    /// The lists that questions of trust are answered by; without one there are no
    /// such routes.
    #[serde(default)]
    pub(crate) trusted_lists: Vec<ListSettings>,
    /// How these lists are kept.
    #[serde(default)]
    pub(crate) trust: TrustSettings,
    /// What users are told, and how it gets to them.
    #[serde(default)]
    pub(crate) notices: NoticeSettings,
    /// The `CLAVIGER_*` variables that are no setting.
    #[serde(skip)]
    pub(crate) ignored: Vec<String>,
}

/// `[[trusted_lists]]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListSettings {
    /// What kind of list: pid, wallet, access, registration, pub-eaa, registrars, mdl.
    pub(crate) profile: String,
    /// Where it is: an https address, or a file.
    pub(crate) location: String,
    /// The certificates that must have sealed it (PEM).
    pub(crate) signer: PathBuf,
    /// How its seal is taken: strict, or interop (as it is found in the wild, each
    /// deviation reported).
    #[serde(default = "strict", deserialize_with = "mode")]
    pub(crate) mode: lote::Mode,
    /// The longest pause between two requests for it, in seconds.
    #[serde(default = "refresh_seconds")]
    pub(crate) refresh_seconds: u64,
    /// Whether the lists that it points to are followed.
    #[serde(default)]
    pub(crate) follow_pointers: bool,
    /// The folder of its earlier instances, as `claviger list publish` lays it out:
    /// an https address, or a folder.
    pub(crate) archive: Option<String>,
}

/// Three years, and a day for each leap year among them.
fn operator_trail_days() -> u32 {
    1096
}

fn strict() -> lote::Mode {
    lote::Mode::Strict
}

fn mode<'de, D: Deserializer<'de>>(name: D) -> Result<lote::Mode, D::Error> {
    match String::deserialize(name)?.as_str() {
        "strict" => Ok(lote::Mode::Strict),
        "interop" => Ok(lote::Mode::Interop),
        _ => Err(D::Error::custom("strict or interop is expected")),
    }
}

fn refresh_seconds() -> u64 {
    trust::Upkeep::default().interval.as_secs()
}

/// `[trust]`
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct TrustSettings {
    /// How a chain may be tied to an anchor, unless a question says otherwise:
    /// direct-only or direct-or-pkix.
    #[serde(deserialize_with = "policy")]
    pub(crate) policy: trust::Policy,
    /// How revocation is taken, unless a question says otherwise: hard, soft or skip.
    #[serde(deserialize_with = "revocation")]
    pub(crate) revocation: trust::Revocation,
    /// For how long past its NextUpdate a list is still used, in seconds.
    pub(crate) grace_seconds: u64,
    /// How long before its NextUpdate a list is asked for more often, in seconds.
    pub(crate) margin_seconds: u64,
    /// How many instances of each list are kept for questions about the past.
    pub(crate) archive_instances: usize,
    /// How many bytes these may have, of each list.
    pub(crate) archive_bytes: u64,
    /// How long one fetch of a list may take, in seconds.
    pub(crate) fetch_seconds: u64,
    /// How long all that one check fetches may take, in seconds.
    pub(crate) check_seconds: u64,
    /// The size of a list, in bytes.
    pub(crate) max_list_bytes: usize,
    /// The size of a CRL, in bytes.
    pub(crate) max_crl_bytes: usize,
    /// How many redirects are followed.
    pub(crate) max_redirects: usize,
    /// Whether private addresses may be asked.
    pub(crate) allow_private_addresses: bool,
    /// How many pointers may lie between a list above and one they lead to.
    pub(crate) pointer_depth: usize,
    /// How many lists pointers may lead to in all.
    pub(crate) pointer_lists: usize,
}

impl Default for TrustSettings {
    fn default() -> Self {
        let trust::Config {
            grace,
            rhythm,
            archive,
            pointers,
            limits,
            ..
        } = trust::Config::default();
        Self {
            policy: trust::Policy::default(),
            revocation: trust::Revocation::Hard,
            grace_seconds: grace.as_secs(),
            margin_seconds: rhythm.margin.as_secs(),
            archive_instances: archive.instances,
            archive_bytes: archive.bytes,
            fetch_seconds: limits.timeout.as_secs(),
            check_seconds: limits.check_timeout.as_secs(),
            max_list_bytes: limits.max_list_bytes,
            max_crl_bytes: limits.max_crl_bytes,
            max_redirects: limits.max_redirects,
            allow_private_addresses: limits.allow_private_addresses,
            pointer_depth: pointers.depth,
            pointer_lists: pointers.lists,
        }
    }
}

fn policy<'de, D: Deserializer<'de>>(name: D) -> Result<trust::Policy, D::Error> {
    trust::Policy::from_name(&String::deserialize(name)?)
        .ok_or_else(|| D::Error::custom("direct-only or direct-or-pkix is expected"))
}

fn revocation<'de, D: Deserializer<'de>>(name: D) -> Result<trust::Revocation, D::Error> {
    let name = String::deserialize(name)?;
    name.parse().map_err(D::Error::custom)
}

/// Where to listen.
fn address<'de, D: Deserializer<'de>>(text: D) -> Result<SocketAddr, D::Error> {
    let text = String::deserialize(text)?;
    text.parse::<SocketAddr>().map_err(|_| {
        let what = "an address and a port are expected, such as 127.0.0.1:8080";
        D::Error::custom(format!("{text}: {what}"))
    })
}

/// A part of the house that a process can run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// The wallet provider's interface to its wallet instances.
    WalletProvider,
    /// The remote WSCA.
    Wsca,
    /// Published lists of trusted entities.
    Lists,
}

impl Role {
    pub(crate) const ALL: [Role; 3] = [Role::WalletProvider, Role::Wsca, Role::Lists];
}

impl<'de> Deserialize<'de> for Role {
    fn deserialize<D: Deserializer<'de>>(name: D) -> Result<Self, D::Error> {
        match String::deserialize(name)?.as_str() {
            "wallet-provider" => Ok(Role::WalletProvider),
            "wsca" => Ok(Role::Wsca),
            "lists" => Ok(Role::Lists),
            name => Err(D::Error::custom(format!(
                "{name}: wallet-provider, wsca or lists is expected"
            ))),
        }
    }
}

/// `[device]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Device {
    /// Its URI: `software:PATH?key-file=FILE`.
    pub(crate) uri: String,
    /// What it is certified for, by the operator's word.
    pub(crate) assurance: Option<AssuranceSettings>,
}

/// `[device.assurance]`: a device cannot say how it was certified.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AssuranceSettings {
    /// The scheme: `EUCC`, `Common Criteria`.
    scheme: String,
    /// The certificate's number or address.
    certificate: String,
    /// What attacks the device's keys withstand, by that certificate.
    key_storage: AttackPotential,
    /// What attacks the user authentication of the WSCA over this device withstands.
    user_authentication: AttackPotential,
}

impl AssuranceSettings {
    pub(crate) fn assured(&self) -> Assured {
        Assured {
            assurance: Assurance::Certified {
                scheme: self.scheme.clone(),
                certificate: self.certificate.clone(),
            },
            key_storage: Some(self.key_storage),
            user_authentication: Some(self.user_authentication),
        }
    }
}

/// `[wallet_provider]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct WalletProviderSettings {
    /// The solution's name, as on the list of wallet providers.
    pub(crate) solution: String,
    /// One value for all instances: `sub` of the WIA.
    pub(crate) client_id: String,
    /// Where more is told of the solution.
    pub(crate) link: Option<String>,
    /// The solution's certification, as the user is shown it (ARF WIAM_10a).
    pub(crate) certification: String,
    /// The certificate of the key `wallet-attestations`, which signs WIA and KA, with
    /// its chain (PEM). Absent where keys are installed (`claviger keys`); in
    /// development a sample is made.
    pub(crate) certificate: Option<PathBuf>,
    /// The certificate of the key `wallet-status`, which signs status lists, with its
    /// chain (PEM). Absent where keys are installed.
    pub(crate) status_certificate: Option<PathBuf>,
    /// The folder that status lists are published into, which several nodes may share;
    /// `public/status` in the data, if absent.
    pub(crate) status_folder: Option<PathBuf>,
    /// What is required of device evidence (TOML). Without it no device is accepted.
    pub(crate) evidence_policy: Option<PathBuf>,
    /// A copy of Google's list of revoked attestation keys; its time of change is when
    /// it was fetched. `android-status.json` in the data where the node fetches it.
    pub(crate) android_revocation_list: Option<PathBuf>,
    /// Where the node fetches that list from, each hour. Absent where somebody else keeps
    /// the copy fresh.
    pub(crate) android_revocation_list_url: Option<String>,
    /// How revocation is done.
    #[serde(default)]
    pub(crate) revocation: RevocationSettings,
    /// What the texts leave the provider to choose.
    #[serde(default)]
    pub(crate) issuance: IssuanceSettings,
    /// Which interfaces of others it serves too.
    #[serde(default)]
    pub(crate) compatibility: CompatibilitySettings,
}

/// `[limits]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct LimitSettings {
    /// The size of a request's body, in bytes.
    pub(crate) body_bytes: usize,
    /// How long a request may take, in seconds.
    pub(crate) request_seconds: u64,
    /// How many requests the WSCA works on at once.
    pub(crate) wsca_in_flight: usize,
    /// How many of them for one address; 0 is no limit.
    pub(crate) wsca_in_flight_per_address: usize,
    /// How often one address may ask for anything.
    pub(crate) per_address: RateSettings,
    /// How often one address may ask for a challenge or an activation, or show an
    /// account's code.
    pub(crate) per_address_tight: RateSettings,
    /// How often one address may show a code of one account; all addresses together
    /// have twenty times as much.
    pub(crate) per_account: RateSettings,
    /// How often one address may show a credential that is no operator's.
    pub(crate) wrong_credentials: RateSettings,
    /// The proxies whose word on their clients is taken.
    #[serde(deserialize_with = "operators::networks")]
    pub(crate) trusted_proxies: Vec<server::Network>,
    /// The header that they write.
    pub(crate) proxy_header: ProxyHeaderSetting,
}

impl Default for LimitSettings {
    fn default() -> Self {
        Self {
            body_bytes: 256 * 1024,
            request_seconds: 30,
            wsca_in_flight: server::InFlight::default().total,
            wsca_in_flight_per_address: server::InFlight::default().per_address,
            per_address: RateSettings::new(3000, 1000),
            per_address_tight: RateSettings::new(120, 240),
            per_account: RateSettings::new(10, 10),
            wrong_credentials: RateSettings::new(5, 10),
            trusted_proxies: Vec::new(),
            proxy_header: ProxyHeaderSetting::XForwardedFor,
        }
    }
}

/// The settings, as the first part of a variable's name has them. Tests and tools
/// have variables of the same prefix; whatever is no setting is left alone, and told.
const NAMES: [&str; 21] = [
    "accounts",
    "admin",
    "data",
    "database",
    "development",
    "device",
    "limits",
    "listen",
    "notices",
    "operator_token_file",
    "operator_trail_days",
    "operators",
    "public_url",
    "remote_wsca",
    "roles",
    "tls",
    "trust",
    "trusted_lists",
    "wallet_provider",
    "wsca",
    "wsca_link",
];

/// Whether a variable's name is that of a setting; `None` without the prefix.
fn is_setting(variable: &str) -> Option<bool> {
    let name = variable.strip_prefix("CLAVIGER_")?;
    let first = name.split("__").next().unwrap_or(name);
    Some(NAMES.contains(&first.to_ascii_lowercase().as_str()))
}

impl Settings {
    /// The database's address: a path among the data, unless another is named.
    pub(crate) fn database(&self) -> PathBuf {
        match &self.database {
            Some(address) => PathBuf::from(address),
            None => self.data.join(DATABASE_FILE),
        }
    }

    /// Reads the file and the environment, and checks that they fit together.
    pub(crate) fn read(path: &Path) -> Result<Self, Failure> {
        let text = input::read_text(path, 1 << 20)?;
        let environment = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        Self::of(&text, environment).map_err(|error| Failure::of(path.display(), &error))
    }

    fn of(text: &str, mut environment: HashMap<String, String>) -> Result<Self, SettingsError> {
        let mut ignored: Vec<String> = environment
            .keys()
            .filter(|name| is_setting(name) == Some(false))
            .cloned()
            .collect();
        ignored.sort();
        environment.retain(|name, _| is_setting(name) == Some(true));
        let overrides = Environment::with_prefix("CLAVIGER")
            .prefix_separator("_")
            .separator("__")
            .list_separator(",")
            .with_list_parse_key("roles")
            .try_parsing(true)
            .source(Some(environment));
        let merged = Config::builder()
            .add_source(File::from_str(text, FileFormat::Toml))
            .add_source(overrides)
            .build()?;
        let mut settings: Self = serde_path_to_error::deserialize(merged).map_err(|error| {
            let key = error.path().to_string();
            match key.as_str() {
                "." => SettingsError::Read(error.into_inner()),
                _ => SettingsError::Key {
                    key,
                    what: error.into_inner().to_string(),
                },
            }
        })?;
        settings.check()?;
        settings.ignored = ignored;
        Ok(settings)
    }

    /// The address that clients use, where it is served at this one.
    pub(crate) fn url_at(&self, address: SocketAddr) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        let served = || format!("{scheme}://{address}");
        self.public_url.clone().unwrap_or_else(served)
    }

    fn check(&self) -> Result<(), SettingsError> {
        let wrong = |key: &str, what: &str| {
            Err(SettingsError::Key {
                key: key.to_owned(),
                what: what.to_owned(),
            })
        };
        if self.roles.is_empty() {
            return wrong("roles", "at least one of wallet-provider, wsca, lists");
        }
        let scheme = self.device.uri.split(':').next().unwrap_or_default();
        match scheme.to_ascii_lowercase().as_str() {
            "pkcs11" => {}
            "software" if !self.development => {
                return wrong(
                    "device.uri",
                    "the software device is for development only (development = true)",
                );
            }
            "software" if self.device.uri.len() == "software:".len() => {
                return wrong(
                    "device.uri",
                    "a device in memory forgets its keys at each start: software:PATH?key-file=FILE",
                );
            }
            "software" if self.device.assurance.is_some() => {
                return wrong("device.assurance", "nobody certified the software device");
            }
            "software" => {}
            _ => return wrong("device.uri", "neither pkcs11: nor software:"),
        }
        for list in &self.trusted_lists {
            if lote::Profile::from_name(&list.profile).is_none() {
                return wrong("trusted_lists.profile", "no list has this profile");
            }
            if list.refresh_seconds == 0 {
                return wrong("trusted_lists.refresh_seconds", "at least one second");
            }
        }
        if self.roles.contains(&Role::WalletProvider) {
            if self.wallet_provider.is_none() {
                return wrong("wallet_provider", "needed by the role wallet-provider");
            }
            match (self.roles.contains(&Role::Wsca), &self.remote_wsca) {
                (false, None) => {
                    return wrong(
                        "remote_wsca",
                        "needed by the role wallet-provider without the role wsca",
                    );
                }
                (true, Some(_)) => {
                    return wrong("remote_wsca", "the role wsca is in this process already");
                }
                (false, Some(remote)) if !remote.url.starts_with("https://") => {
                    return wrong("remote_wsca.url", "https is expected");
                }
                _ => {}
            }
            let list = self.wallet_provider.as_ref();
            let list = list.and_then(|provider| provider.android_revocation_list_url.as_ref());
            if list.is_some_and(|url| !self.development && !url.starts_with("https://")) {
                let key = "wallet_provider.android_revocation_list_url";
                return wrong(key, "https outside development");
            }
            if self.accounts.is_none() && !self.development {
                return wrong(
                    "accounts",
                    "needed by the role wallet-provider outside development: users agree to \
                     its text before a unit is activated",
                );
            }
        }
        if self.accounts.is_some() && !self.roles.contains(&Role::WalletProvider) {
            return wrong(
                "accounts",
                "there is no role wallet-provider in this process",
            );
        }
        if self.wsca_link.is_some() && !self.roles.contains(&Role::Wsca) {
            return wrong("wsca_link", "there is no role wsca in this process");
        }
        if let Some((key, what)) = self.notices.wrong(self.development) {
            return wrong(key, what);
        }
        let tells = self.roles.contains(&Role::WalletProvider) && !self.development;
        if tells && !self.notices.reaches_somebody() {
            return wrong(
                "notices",
                "users are told of a revocation within a day (ARF WURevocation_14): \
                 [notices.smtp] or [[notices.webhooks]] is needed outside development",
            );
        }
        if let Some((key, what)) = self.wrong_of_operators() {
            return wrong(key, what);
        }
        if let Some((key, what)) = self.wsca.wrong() {
            return wrong(key, what);
        }
        match &self.public_url {
            None if !self.development => wrong("public_url", "needed outside development"),
            Some(url) if !self.development && !url.starts_with("https://") => {
                wrong("public_url", "https outside development")
            }
            Some(url) if url.ends_with('/') => wrong("public_url", "ends with a slash"),
            _ => Ok(()),
        }
    }
}

impl Settings {
    fn wrong_of_operators(&self) -> Option<(&'static str, &'static str)> {
        if self.operators.iter().any(|one| one.known().is_none()) {
            return Some((
                "operators",
                "each has either token_sha256 or certificate_sha256",
            ));
        }
        let by_certificate = |one: &OperatorSettings| one.certificate_sha256.is_some();
        let admin = self.admin.as_ref();
        if self.operators.iter().any(by_certificate)
            && admin.is_none_or(|admin| admin.client_ca.is_none())
        {
            return Some((
                "admin.client_ca",
                "needed where an operator has a certificate",
            ));
        }
        let admin = admin?;
        let tls = (&admin.certificate, &admin.key);
        if matches!(tls, (Some(_), None) | (None, Some(_))) {
            return Some(("admin.key", "certificate and key go together"));
        }
        (admin.client_ca.is_some() && admin.key.is_none())
            .then_some(("admin.certificate", "needed with admin.client_ca"))
    }
}

#[derive(Debug, thiserror::Error)]
enum SettingsError {
    #[error(transparent)]
    Read(#[from] config::ConfigError),
    #[error("{key}: {what}")]
    Key { key: String, what: String },
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use rstest::rstest;

    use super::*;

    const GOOD: &str = r#"
        development = true
        listen = "127.0.0.1:0"
        data = "/tmp/x"
        roles = ["wsca", "lists"]
        [device]
        uri = "software:/x?key-env=K"
    "#;

    fn with(environment: &[(&str, &str)]) -> Result<Settings, String> {
        let environment = environment
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        Settings::of(GOOD, environment).map_err(|error| error.to_string())
    }

    #[test]
    fn the_environment_overrides_the_file() {
        let settings = with(&[
            ("CLAVIGER_LISTEN", "127.0.0.1:81"),
            ("CLAVIGER_DEVICE__URI", "pkcs11:token=t"),
            ("CLAVIGER_LIMITS__BODY_BYTES", "1000"),
        ])
        .unwrap();
        assert_eq!(settings.listen.port(), 81);
        assert_eq!(settings.device.uri, "pkcs11:token=t");
        assert_eq!(settings.limits.body_bytes, 1000);
    }

    #[test]
    fn what_is_no_setting_is_left_alone_and_told() {
        let settings = with(&[("CLAVIGER_VECTORS", "/x"), ("CLAVIGER_TYPO", "1")]).unwrap();
        assert_eq!(settings.ignored, ["CLAVIGER_TYPO", "CLAVIGER_VECTORS"]);
    }

    #[rstest]
    #[case("role = \"king\"", "king: read, support, revoke or admin is expected")]
    #[case("role = \"read\"\ntoken_sha256 = \"12\"", "token_sha256")]
    #[case("role = \"read\"", "token_sha256")]
    #[case("role = \"read\"\ncertificate_sha256 = \"HASH\"", "admin.client_ca")]
    #[case(
        "role = \"read\"\ntoken_sha256 = \"HASH\"\ncertificate_sha256 = \"HASH\"",
        "operators"
    )]
    fn an_operator_has_a_role_and_one_credential(#[case] lines: &str, #[case] key: &str) {
        let operator = format!("{GOOD}\n[[operators]]\nname = \"ada\"\n{lines}");
        let operator = operator.replace("HASH", &"0a".repeat(32));
        let error = Settings::of(&operator, HashMap::new()).unwrap_err();
        assert!(error.to_string().contains(key), "{error}");
    }

    #[test]
    fn users_are_told_by_something_outside_development() {
        let text = r#"
            listen = "127.0.0.1:0"
            public_url = "https://wallet.example"
            data = "/tmp/x"
            roles = ["wsca", "wallet-provider"]
            [device]
            uri = "pkcs11:token=t"
            [wallet_provider]
            solution = "Sample"
            client_id = "https://wallet.example"
            certification = "none"
            [accounts]
            consent = "/x"
            consent_version = "1"
            [notices]
            contact = "+49 30 123456"
        "#;
        let error = Settings::of(text, HashMap::new()).unwrap_err();
        assert!(error.to_string().starts_with("notices:"), "{error}");
        for channel in [
            "[notices.smtp]\nhost = \"mail.example\"\nfrom = \"wallet@wallet.example\"\n",
            "[[notices.webhooks]]\nname = \"a\"\nurl = \"https://hooks.example/\"\n",
        ] {
            let told = format!("{text}\n{channel}");
            assert!(Settings::of(&told, HashMap::new()).is_ok(), "{channel}");
        }
        let developed = format!("development = true\n{text}");
        assert!(Settings::of(&developed, HashMap::new()).is_ok());
    }

    #[test]
    fn a_proxy_is_an_address_or_a_network() {
        let limits = |list: &str| {
            let text = format!("{GOOD}\n[limits]\ntrusted_proxies = {list}");
            Settings::of(&text, HashMap::new())
        };
        let settings = limits(r#"["192.0.2.1", "10.0.0.0/8"]"#).unwrap();
        assert_eq!(settings.limits.proxies().trusted.len(), 2);
        let error = limits(r#"["proxy.example"]"#).unwrap_err();
        assert!(error.to_string().contains("trusted_proxies"), "{error}");
    }

    #[test]
    fn outside_development_a_wallet_provider_has_a_text_to_agree_to() {
        let provider = |more: &str| {
            let text = format!(
                r#"
                public_url = "https://wallet.example"
                listen = "127.0.0.1:0"
                data = "/tmp/x"
                roles = ["wallet-provider", "wsca"]
                [device]
                uri = "pkcs11:token=t"
                [wallet_provider]
                solution = "Solution"
                client_id = "https://wallet.example"
                certification = "none"
                [notices]
                contact = "x"
                [[notices.webhooks]]
                name = "a"
                url = "https://hooks.example/"
                {more}
                "#
            );
            let read = Settings::of(&text, HashMap::new());
            read.map(drop).map_err(|error| error.to_string())
        };
        let error = provider("").unwrap_err();
        assert!(error.starts_with("accounts: "), "{error}");
        provider("[accounts]\nconsent = \"/x\"\nconsent_version = \"1\"").unwrap();
    }

    #[rstest]
    #[case(&[("CLAVIGER_ROLES", "wallet")], "wallet: wallet-provider, wsca or lists is expected")]
    #[case(&[("CLAVIGER_LISTEN", "8080")], "such as 127.0.0.1:8080")]
    #[case(&[("CLAVIGER_LISTEN", "nowhere")], "listen")]
    #[case(&[("CLAVIGER_ADMIN__LISTEN", "nowhere")], "such as 127.0.0.1:8080")]
    #[case(&[("CLAVIGER_DEVELOPMENT", "false")], "device.uri")]
    #[case(&[("CLAVIGER_LIMITS__BODY_BYTES", "many")], "limits.body_bytes")]
    #[case(&[("CLAVIGER_ROLES", "wallet-provider,wsca")], "wallet_provider")]
    #[case(&[("CLAVIGER_PUBLIC_URL", "http://x/")], "public_url")]
    #[case(&[("CLAVIGER_LIMITS__TYPO", "1")], "typo")]
    #[case(&[("CLAVIGER_DEVICE__URI", "software:")], "device.uri")]
    #[case(&[("CLAVIGER_DEVICE__URI", "abacus:")], "device.uri")]
    #[case(&[("CLAVIGER_WSCA__PIN_TRIES_PER_ROUND", "0")], "wsca.pin_tries_per_round")]
    #[case(&[("CLAVIGER_WSCA__SESSION_SECONDS", "5000")], "wsca.session_seconds")]
    #[case(&[("CLAVIGER_WSCA__CONTEXT", "")], "wsca.context")]
    #[case(&[("CLAVIGER_NOTICES__KEEP_DAYS", "0")], "notices.keep_days")]
    #[case(&[("CLAVIGER_NOTICES__SMTP__HOST", "mail")], "notices.smtp")]
    #[case(&[("CLAVIGER_REMOTE_WSCA__URL", "https://x")], "remote_wsca")]
    #[case(&[("CLAVIGER_ADMIN__LISTEN", "127.0.0.1:0"), ("CLAVIGER_ADMIN__KEY", "/x")], "admin.key")]
    #[case(&[("CLAVIGER_ADMIN__LISTEN", "127.0.0.1:0"), ("CLAVIGER_ADMIN__CLIENT_CA", "/x")], "admin.certificate")]
    #[case(&[("CLAVIGER_LIMITS__PROXY_HEADER", "via")], "limits.proxy_header")]
    #[case(&[("CLAVIGER_DEVELOPMENT", "false"), ("CLAVIGER_DEVICE__URI", "SOFTWARE:/x")], "device.uri")]
    fn an_error_names_the_key(#[case] environment: &[(&str, &str)], #[case] key: &str) {
        let error = with(environment).unwrap_err();
        assert!(error.contains(key), "{error}");
    }
}
