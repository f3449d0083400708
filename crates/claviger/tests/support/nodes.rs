//! Nodes of `claviger serve` that share one database, one folder and one device,
//! behind one address.

use std::path::{Path, PathBuf};
use std::process::Command;

use claviger_fixtures::tokens::{Module, Tokens};

use super::front::Front;
use super::served::{Served, free_address};

pub struct Nodes {
    pub nodes: Vec<Served>,
    pub front: Front,
    /// What a command is run with to look at the same data.
    pub config: PathBuf,
    pub data: PathBuf,
    pub environment: Vec<(String, PathBuf)>,
    /// Where each node itself is.
    pub addresses: Vec<String>,
}

/// What the operators show.
pub const OPERATOR_TOKEN: &str = "an operators' token, of a test";

/// All the clients of a test have one address. A table's beginning, for a configuration.
pub const NO_LIMITS: &str = "[limits]\n\
     per_address = { per_minute = 0, burst = 1 }\n\
     per_address_tight = { per_minute = 0, burst = 1 }\n";

/// The device of a house.
pub enum Device {
    /// The software device, which one process opens at a time.
    Software,
    /// A SoftHSM token, which several open.
    Token(PathBuf),
}

impl Device {
    /// A token; or `None`, said as a skip.
    pub fn token(test: &str) -> Option<Self> {
        let module = Module::SoftHsm.path();
        if module.is_none() {
            claviger_fixtures::skip(test, Module::SoftHsm.missing());
        }
        module.map(Self::Token)
    }
}

impl Nodes {
    /// Starts `count` nodes in `place`, one after the other: the first makes what is
    /// missing.
    pub async fn start(
        place: &Path,
        count: usize,
        database: Option<&str>,
        device: &Device,
    ) -> Self {
        let device = open(place, device);
        let addresses: Vec<String> = (0..count).map(|_| free_address()).collect();
        let front = Front::start(addresses.clone());
        let configs: Vec<PathBuf> = (0..count)
            .map(|which| {
                let path = place.join(format!("node{which}.toml"));
                let text = config(place, &addresses[which], &front.url, database, &device.uri);
                std::fs::write(&path, text).unwrap();
                path
            })
            .collect();
        let (data, environment) = (place.join("data"), device.environment);
        let mut nodes = Vec::new();
        for (config, address) in configs.iter().zip(&addresses) {
            nodes.push(Served::start_with(config, address, environment.clone()));
        }
        Self {
            nodes,
            front,
            config: configs[0].clone(),
            data,
            environment,
            addresses,
        }
    }

    /// Runs a command on the same data, with `--json`.
    pub fn command(&self, arguments: &[&str]) -> (i32, serde_json::Value) {
        let output = Command::new(env!("CARGO_BIN_EXE_claviger"))
            .envs(self.environment.iter().cloned())
            .args(arguments)
            .arg("--config")
            .arg(&self.config)
            .arg("--json")
            .output()
            .unwrap();
        let document = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
            let said = String::from_utf8_lossy(&output.stderr);
            panic!("{arguments:?}: {error}: {said}")
        });
        (output.status.code().unwrap(), document)
    }
}

/// One node, without anything in front of it.
pub fn alone(place: &Path, database: Option<&str>) -> (Served, String) {
    let device = open(place, &Device::Software);
    let address = free_address();
    let url = format!("http://{address}");
    let path = place.join("node.toml");
    std::fs::write(&path, config(place, &address, &url, database, &device.uri)).unwrap();
    let served = Served::start_with(&path, &address, device.environment);
    (served, url)
}

fn config(place: &Path, listen: &str, url: &str, database: Option<&str>, device: &str) -> String {
    let token = place.join("operator.token");
    std::fs::write(&token, OPERATOR_TOKEN).unwrap();
    let database = database.map_or(String::new(), |url| format!("database = \"{url}\"\n"));
    format!(
        r#"
development = true
listen = "{listen}"
public_url = "{url}"
data = "{place}/data"
{database}operator_token_file = "{token}"
roles = ["wallet-provider", "wsca"]
{NO_LIMITS}[device]
uri = "{device}"
[wallet_provider]
solution = "Sample Wallet"
client_id = "https://wallet.example"
certification = "none"
"#,
        place = place.display(),
        token = token.display(),
    )
}

/// A device that is set up: its URI, and the environment in which it is found.
pub(super) struct Opened {
    pub(super) uri: String,
    environment: Vec<(String, PathBuf)>,
}

pub(super) fn open(place: &Path, device: &Device) -> Opened {
    let Device::Token(module) = device else {
        use std::os::unix::fs::PermissionsExt;
        let key = place.join("device.key");
        std::fs::write(&key, "5a".repeat(32)).unwrap();
        std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
        let store = place.join("device.store");
        return Opened {
            uri: format!("software:{}?key-file={}", store.display(), key.display()),
            environment: vec![],
        };
    };
    let tokens = Tokens::prepare(Module::SoftHsm, module.clone(), place).unwrap();
    let uri = tokens.uri("nodes");
    let environment = tokens
        .environment()
        .map(|(name, path)| (name.to_owned(), path))
        .to_vec();
    init_token(&tokens, "nodes");
    Opened { uri, environment }
}

/// Makes the token of that label one that nodes can use.
pub(super) fn init_token(tokens: &Tokens, label: &str) {
    let output = Command::new(env!("CARGO_BIN_EXE_claviger"))
        .envs(tokens.environment())
        .args(["wscd", "init", "--device", &tokens.uri(label)])
        .arg("--so-pin-source")
        .arg(tokens.folder.join("so-pin"))
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}
