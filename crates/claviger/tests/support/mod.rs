//! A running `claviger up`, and a wallet instance that talks to it.
#![allow(
    dead_code,
    unreachable_pub,
    missing_debug_implementations,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]

pub mod ca;
pub mod front;
pub mod nodes;
pub mod served;
pub mod twins;

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;

use clock::SystemClock;
use provider_api::{ActivationAnswer, RevocationReason, RevocationRequest};
use r2ps::ServiceIdentity;
use r2ps::opaque::{Client, Stretching};
use sci::{Pin, Sci};
use serde_json::Value;
use served::Served;
use wallet_client::keystore::{DeviceKeystore, SoftwareKeystore};
use wallet_client::sci_remote::{HttpTransport, RemoteSci};
use wallet_client::{Activation, ProviderClient, ProviderError, Unattested};

/// Runs the command to its end.
pub fn claviger<S: AsRef<std::ffi::OsStr>>(arguments: &[S]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_claviger"))
        .args(arguments)
        .output()
        .unwrap()
}

/// Runs the command and reads its one JSON document.
pub fn claviger_json(arguments: &[&str]) -> (i32, Value) {
    let output = claviger(&[arguments, &["--json"]].concat());
    let document = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
        panic!(
            "{arguments:?}: {error}: {}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        )
    });
    (output.status.code().unwrap(), document)
}

/// The rules that a document's findings name.
pub fn rules(document: &Value) -> Vec<&str> {
    document["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|finding| finding["rule"].as_str().unwrap())
        .collect()
}

/// A node that runs until it is dropped or killed.
pub struct Up {
    runs: Runs,
    pub url: String,
    pub data: PathBuf,
    /// Where its account pages are.
    pub account: String,
}

/// `claviger up`; or, where each node is wanted twice, `claviger serve` on what `up`
/// would have set.
enum Runs {
    Once(Child),
    Twice(Served),
}

impl Up {
    /// Starts on a free port, the same one each time it is restarted on this data.
    pub fn start(data: &Path, listen: &str) -> Self {
        match twins::wanted() {
            true => Self::twice(data, listen),
            false => Self::start_alone(data, listen),
        }
    }

    /// One `claviger up`, also where each node is wanted twice: what is looked at is its
    /// own, or what it says of itself.
    pub fn start_alone(data: &Path, listen: &str) -> Self {
        Self::start_with(data, listen, &[])
    }

    /// As [`Up::start_alone`], with these variables in its environment.
    pub fn start_with(data: &Path, listen: &str, environment: &[(&str, &Path)]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_claviger"))
            .envs(environment.iter().copied())
            .args(["up", "--json", "--listen", listen, "--data"])
            .arg(data)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut text = String::new();
        for line in lines.by_ref() {
            let line = line.unwrap();
            text.push_str(&line);
            if line == "}" {
                break;
            }
        }
        let Ok(running) = serde_json::from_str::<Value>(&text) else {
            let output = child.wait_with_output().unwrap();
            panic!(
                "up did not start: {}",
                String::from_utf8_lossy(&output.stderr)
            );
        };
        // Nobody reads on: what it logs must not fill the pipe.
        let stderr = child.stderr.take().unwrap();
        std::thread::spawn(move || BufReader::new(stderr).lines().for_each(drop));
        Self {
            url: running["url"].as_str().unwrap().to_owned(),
            data: data.to_owned(),
            account: running["account"].as_str().unwrap().to_owned(),
            runs: Runs::Once(child),
        }
    }

    fn twice(data: &Path, listen: &str) -> Self {
        let listen = match listen.ends_with(":0") {
            true => served::free_address(),
            false => listen.to_owned(),
        };
        std::fs::create_dir_all(data).unwrap();
        let consent = data.join("consent.txt");
        std::fs::write(&consent, "What the test keeps\n\nNothing for long.\n").unwrap();
        let token = data.join("operator.token");
        std::fs::write(&token, nodes::OPERATOR_TOKEN).unwrap();
        let device = nodes::open(data, &nodes::Device::Software).uri;
        let text = format!(
            r#"
development = true
listen = "{listen}"
data = "{data}"
operator_token_file = "{token}"
roles = ["wallet-provider", "wsca", "lists"]
{limits}per_account = {{ per_minute = 0, burst = 1 }}
[device]
uri = "{device}"
[wallet_provider]
solution = "Sample Wallet"
client_id = "https://wallet.example"
certification = "none"
[accounts]
consent = "{consent}"
consent_version = "1"
"#,
            data = data.display(),
            token = token.display(),
            consent = consent.display(),
            limits = nodes::NO_LIMITS,
        );
        let config = data.join("up.toml");
        std::fs::write(&config, text).unwrap();
        let (_, port) = listen.rsplit_once(':').unwrap();
        Self {
            runs: Runs::Twice(Served::start(&config, &listen)),
            url: format!("http://{listen}"),
            data: data.to_owned(),
            account: format!("http://localhost:{port}/account"),
        }
    }

    /// `kill -9`.
    pub fn kill(mut self) {
        match &mut self.runs {
            Runs::Once(child) => {
                child.kill().unwrap();
                child.wait().unwrap();
            }
            Runs::Twice(served) => served.kill(),
        }
    }

    /// Asks it to stop, and asks once more; whether it stopped within `limit`.
    pub fn interrupt_twice(mut self, limit: std::time::Duration) -> bool {
        let Runs::Once(child) = &mut self.runs else {
            panic!("it is one process that is asked");
        };
        let pid = child.id().to_string();
        for _ in 0..2 {
            let sent = Command::new("kill").args(["-INT", &pid]).status().unwrap();
            assert!(sent.success());
            std::thread::sleep(std::time::Duration::from_millis(300));
        }
        let begun = std::time::Instant::now();
        while begun.elapsed() < limit {
            if child.try_wait().unwrap().is_some() {
                return true;
            }
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        false
    }

    /// The address it listens on.
    pub fn listen(&self) -> String {
        self.url.trim_start_matches("http://").to_owned()
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        if let Runs::Once(child) = &mut self.runs {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// An operational unit on a phone.
pub struct Phone {
    pub device: Arc<SoftwareKeystore>,
    pub provider: ProviderClient,
    pub answer: ActivationAnswer,
    pub sci: RemoteSci<HttpTransport>,
    pub alias: String,
}

/// How an activation differs from the plain one.
struct Extra<'a> {
    account_code: Option<&'a str>,
    agrees: bool,
    opaque: Client,
}

impl Default for Extra<'_> {
    fn default() -> Self {
        Self {
            account_code: None,
            agrees: true,
            opaque: Client::default(),
        }
    }
}

impl Phone {
    pub async fn activate(up: &Up, alias: &str) -> Self {
        Self::activate_at(&up.url, &up.url, alias).await
    }

    /// At a provider, over a WSCA that may stand elsewhere.
    pub async fn activate_at(provider: &str, wsca: &str, alias: &str) -> Self {
        let phone = Self::begin(provider, wsca, alias, Extra::default()).await;
        phone.unwrap()
    }

    /// Into an account that is there, by one of its codes.
    pub async fn join(url: &str, alias: &str, code: &str) -> Result<Self, ProviderError> {
        let extra = Extra {
            account_code: Some(code),
            ..Extra::default()
        };
        match Self::begin(url, url, alias, extra).await {
            Ok(phone) => Ok(phone),
            Err(error) => Err(*error.downcast::<ProviderError>().unwrap()),
        }
    }

    /// Without asking its user, as development lets it.
    pub async fn without_consent(up: &Up, alias: &str) -> Self {
        let extra = Extra {
            agrees: false,
            ..Extra::default()
        };
        let phone = Self::begin(&up.url, &up.url, alias, extra).await;
        phone.unwrap()
    }

    /// At nodes that may be killed meanwhile; `None` where a request was not answered.
    pub async fn try_activate(url: &str, alias: &str) -> Option<Self> {
        Self::activate_quickly(url, alias).await.ok()
    }

    /// With a PIN that is stretched little: it is the nodes that are looked at.
    pub async fn activate_quickly(
        url: &str,
        alias: &str,
    ) -> Result<Self, Box<dyn std::error::Error>> {
        let extra = Extra {
            opaque: Client::with_stretching(Stretching::weak_for_tests()),
            ..Extra::default()
        };
        Self::begin(url, url, alias, extra).await
    }

    async fn begin(
        provider: &str,
        wsca: &str,
        alias: &str,
        extra: Extra<'_>,
    ) -> Result<Self, Box<dyn std::error::Error>> {
        let clock = Arc::new(SystemClock);
        let device = Arc::new(SoftwareKeystore::generate()?);
        let base = format!("{provider}/wallet-provider");
        let provider = ProviderClient::discover(&base, clock.clone()).await?;
        let consent = provider.view().consent.as_ref().filter(|_| extra.agrees);
        let consent = consent.map(|text| text.sha256.clone());
        let answer = provider
            .activate(&Activation {
                alias,
                account_code: extra.account_code,
                // Its user was shown the text and agreed.
                consent: consent.as_deref(),
                signing: device.signing(),
                agreement: device.agreement(),
                platform: &Unattested,
                wallet_version: "1",
            })
            .await?;
        let service = ServiceIdentity {
            context: answer.wsca.context.clone(),
            agreement: answer.wsca.agreement.clone(),
            signing: answer.wsca.signing.clone(),
        };
        let address = format!("{wsca}/wsca/r2ps").parse()?;
        let transport = HttpTransport::new(reqwest::Client::new(), address);
        let sci = RemoteSci::new(transport, service, answer.unit, device.clone(), clock)
            .with_opaque(extra.opaque);
        sci.register_pin(&Pin::choose("493827").unwrap()).await?;
        provider
            .complete_activation(answer.unit, device.signing())
            .await?;
        Ok(Self {
            device,
            provider,
            answer,
            sci,
            alias: alias.to_owned(),
        })
    }

    /// What its user revokes it with, by the account's code.
    pub fn revocation(&self, reason: RevocationReason) -> RevocationRequest {
        RevocationRequest {
            alias: self.alias.clone(),
            code: self.answer.account_code.clone().unwrap(),
            unit: Some(self.answer.unit),
            reason,
        }
    }

    /// A WIA, and the place of its status: list and index.
    pub async fn wia(&self) -> (String, String, u64) {
        self.try_wia().await.unwrap()
    }

    pub async fn try_wia(&self) -> Result<(String, String, u64), ProviderError> {
        let key = self.device.fresh_signing_key().unwrap();
        let (unit, signing) = (self.answer.unit, self.device.signing());
        let answer = self
            .provider
            .wias(unit, signing, &[key.as_ref()], &<_>::default())
            .await?;
        let wia = answer.attestations[0].clone();
        let claims = jose::jws::parse(&wia, 1 << 20).unwrap().claims().unwrap();
        let entry = &claims["client_status"]["status"]["status_list"];
        let uri = entry["uri"].as_str().unwrap().to_owned();
        let index = entry["idx"].as_u64().unwrap();
        Ok((wia, uri, index))
    }
}

/// Whether an entry of a status list token is set.
pub fn is_set(token: &[u8], uri: &str, index: u64) -> bool {
    use status_list::{Limits, Reference, StatusListCheck, UnverifiedStatusList};
    let unverified = UnverifiedStatusList::parse(token, &Limits::default()).unwrap();
    let leaf = pki::Certificate::from_der(&unverified.x5c()[0]).unwrap();
    let key = leaf.public_key().unwrap();
    let at = clock::Clock::now(&SystemClock);
    let list = unverified
        .verify(&StatusListCheck::new(uri, &key, at))
        .unwrap();
    !list.status(&Reference::new(uri, index)).unwrap().is_valid()
}
