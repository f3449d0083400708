//! The configuration of `claviger serve`: a TOML file, overridden by environment
//! variables `CLAVIGER_*`. An error names the key it is about.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use config::{Config, Environment, File, FileFormat};
use serde::Deserialize;

use crate::exit::Failure;
use crate::input;

/// Everything `claviger serve` has to know.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    /// Takes what only development may: the software device, activations without
    /// device evidence, sample certificates and lists.
    #[serde(default)]
    pub(crate) development: bool,
    /// Where to listen.
    pub(crate) listen: SocketAddr,
    /// The address that clients use, without a slash at its end; `http://` and
    /// `listen` in development, if absent.
    pub(crate) public_url: Option<String>,
    /// Where the data is.
    pub(crate) data: PathBuf,
    /// What this process does.
    pub(crate) roles: Vec<Role>,
    /// The device that holds the keys.
    pub(crate) device: Device,
    /// The wallet solution; needed by the role `wallet-provider`.
    pub(crate) wallet_provider: Option<WalletProviderSettings>,
    /// What is accepted of a request.
    #[serde(default)]
    pub(crate) limits: LimitSettings,
    /// The file with the operators' token; without it nobody sees or revokes units
    /// over HTTP.
    pub(crate) operator_token_file: Option<PathBuf>,
    /// The lists that questions of trust are answered by; without one there are no
    /// such routes.
    #[serde(default)]
    pub(crate) trusted_lists: Vec<ListSettings>,
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
}

/// A part of the house that a process can run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
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

/// `[device]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Device {
    /// Its URI: `software:PATH?key-file=FILE`.
    pub(crate) uri: String,
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
    /// The certificate of the key that signs WIA and KA, with its chain (PEM). In
    /// development a sample is made where it is absent.
    pub(crate) certificate: Option<PathBuf>,
    /// The certificate of the key that signs status lists, with its chain (PEM).
    pub(crate) status_certificate: Option<PathBuf>,
}

/// `[limits]`
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct LimitSettings {
    /// The size of a request's body, in bytes.
    pub(crate) body_bytes: usize,
    /// How long a request may take, in seconds.
    pub(crate) request_seconds: u64,
}

impl Default for LimitSettings {
    fn default() -> Self {
        Self {
            body_bytes: 256 * 1024,
            request_seconds: 30,
        }
    }
}

/// The settings, as the first part of a variable's name has them. Tests and tools
/// have variables of the same prefix; whatever is no setting is left alone, and told.
const NAMES: [&str; 10] = [
    "data",
    "development",
    "device",
    "limits",
    "listen",
    "operator_token_file",
    "public_url",
    "roles",
    "trusted_lists",
    "wallet_provider",
];

/// Whether a variable's name is that of a setting; `None` without the prefix.
fn is_setting(variable: &str) -> Option<bool> {
    let name = variable.strip_prefix("CLAVIGER_")?;
    let first = name.split("__").next().unwrap_or(name);
    Some(NAMES.contains(&first.to_ascii_lowercase().as_str()))
}

impl Settings {
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
            "software" => {}
            _ => return wrong("device.uri", "neither pkcs11: nor software:"),
        }
        for list in &self.trusted_lists {
            if lote::Profile::from_name(&list.profile).is_none() {
                return wrong("trusted_lists.profile", "no list has this profile");
            }
        }
        if self.roles.contains(&Role::WalletProvider) {
            let Some(provider) = &self.wallet_provider else {
                return wrong("wallet_provider", "needed by the role wallet-provider");
            };
            if !self.roles.contains(&Role::Wsca) {
                return wrong(
                    "roles",
                    "wallet-provider needs wsca in the same process in this version",
                );
            }
            if !self.development && provider.certificate.is_none() {
                return wrong("wallet_provider.certificate", "needed outside development");
            }
            if !self.development && provider.status_certificate.is_none() {
                return wrong(
                    "wallet_provider.status_certificate",
                    "needed outside development",
                );
            }
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
    #[case(&[("CLAVIGER_LISTEN", "nowhere")], "listen")]
    #[case(&[("CLAVIGER_DEVELOPMENT", "false")], "device.uri")]
    #[case(&[("CLAVIGER_LIMITS__BODY_BYTES", "many")], "limits.body_bytes")]
    #[case(&[("CLAVIGER_ROLES", "wallet-provider,wsca")], "wallet_provider")]
    #[case(&[("CLAVIGER_PUBLIC_URL", "http://x/")], "public_url")]
    #[case(&[("CLAVIGER_LIMITS__TYPO", "1")], "typo")]
    #[case(&[("CLAVIGER_DEVICE__URI", "software:")], "device.uri")]
    #[case(&[("CLAVIGER_DEVICE__URI", "abacus:")], "device.uri")]
    #[case(&[("CLAVIGER_DEVELOPMENT", "false"), ("CLAVIGER_DEVICE__URI", "SOFTWARE:/x")], "device.uri")]
    fn an_error_names_the_key(#[case] environment: &[(&str, &str)], #[case] key: &str) {
        let error = with(environment).unwrap_err();
        assert!(error.contains(key), "{error}");
    }
}
