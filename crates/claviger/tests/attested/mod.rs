//! A node that judges the evidence of phones, and an Android phone that it believes.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing
)]

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use claviger_fixtures::TestKey;
use clock::SystemClock;
use jose::{Curve, PublicKey, SignError, Signer, b64};
use provider_api::{CheckEvidence, Evidence};
use sci::Pin;
use wallet_client::keystore::SoftwareKeystore;
use wallet_client::sci_remote::HttpTransport;
use wallet_client::{FreshKeys, OperationalUnit, Platform, ProviderClient, SetUp, Vouching};

use crate::devices::android::{Bed, Description, PACKAGE, SIGNER};
use crate::devices::{der, public, signing_usage};
use crate::support::served::{Served, free_address};

/// A phone whose Android the bed's maker attests.
#[derive(Default)]
pub struct AndroidPhone {
    pub bed: Option<Bed>,
    pub checks: AtomicUsize,
}

impl std::fmt::Debug for AndroidPhone {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AndroidPhone")
    }
}

impl AndroidPhone {
    fn chain(&self, key: PublicKey, challenge: &str, purpose: u64) -> Vec<String> {
        let bed = self.bed.as_ref().unwrap();
        let made = Description {
            challenge: challenge.as_bytes().to_vec(),
            ..Description::sound()
        };
        let made = made.with(1, der::set(&[der::integer(purpose)]));
        let leaf = bed.leaf_for(key, vec![signing_usage(), made.to_extension()]);
        bed.chain_of(&leaf).iter().map(b64::encode).collect()
    }
}

const SIGN: u64 = 2;
const AGREE: u64 = 6;

#[async_trait]
impl Platform for AndroidPhone {
    async fn activation(
        &self,
        challenge: &str,
        signing: &PublicKey,
        agreement: &PublicKey,
    ) -> Result<Evidence, SignError> {
        Ok(Evidence::Android {
            signing: self.chain(signing.clone(), challenge, SIGN),
            agreement: self.chain(agreement.clone(), challenge, AGREE),
            play: None,
        })
    }

    async fn check(&self, nonce: &str, bound: &str) -> Result<CheckEvidence, SignError> {
        self.checks.fetch_add(1, Ordering::SeqCst);
        Ok(CheckEvidence::Android {
            challenge: nonce.to_owned(),
            chain: self.chain(public(&TestKey::generate(Curve::P256)), bound, SIGN),
            play: None,
        })
    }

    async fn fresh_keys(&self, count: usize, bound: &str) -> Result<Option<FreshKeys>, SignError> {
        let keys: Vec<_> = (0..count).map(|_| TestKey::generate(Curve::P256)).collect();
        let chains = keys.iter().map(|key| self.chain(public(key), bound, SIGN));
        Ok(Some(FreshKeys {
            vouching: Vouching::Chains(chains.collect()),
            keys: keys
                .into_iter()
                .map(|key| Arc::new(key) as Arc<dyn Signer>)
                .collect(),
        }))
    }
}

/// A unit set up at the node, as an app does it.
pub async fn set_up(
    url: &str,
    platform: &dyn Platform,
    device: &Arc<SoftwareKeystore>,
) -> (ProviderClient, OperationalUnit<HttpTransport>) {
    let base = format!("{url}/wallet-provider");
    let provider = ProviderClient::discover(&base, Arc::new(SystemClock))
        .await
        .unwrap();
    let pin = Pin::choose("493827").unwrap();
    let address = format!("{url}/wsca/r2ps").parse().unwrap();
    let certification = provider.certification();
    let consent = provider.view().consent.as_ref();
    let consent = consent.map(|text| text.sha256.clone());
    let unit = provider
        .set_up(
            certification.shown(),
            SetUp {
                alias: "mine",
                account_code: None,
                consent: consent.as_deref(),
                device: device.clone(),
                platform,
                wallet_version: "1",
                pin: &pin,
                transport: HttpTransport::new(reqwest::Client::new(), address),
                keys: 2,
            },
        )
        .await
        .unwrap();
    (provider, unit)
}

/// What the node's configuration is called in its folder.
pub const CONFIG: &str = "claviger.toml";

/// A development node that judges evidence, with its settings.
pub fn serve(folder: &Path, bed: &Bed, issuance: &str) -> (Served, String) {
    serve_on(folder, bed, None, issuance)
}

/// As [`serve`], on this database.
pub fn serve_on(
    folder: &Path,
    bed: &Bed,
    database: Option<&str>,
    issuance: &str,
) -> (Served, String) {
    use std::os::unix::fs::PermissionsExt;
    let listen = free_address();
    let key = folder.join("key");
    std::fs::write(&key, "7".repeat(64)).unwrap();
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
    let policy = folder.join("policy.toml");
    let root = STANDARD.encode(bed.root.spki_der());
    let signer = hex::encode(SIGNER);
    std::fs::write(
        &policy,
        format!(
            "[android]\ngoogle_roots = false\nrevocation = \"record\"\n\
             [[android.apps]]\npackage = \"{PACKAGE}\"\nsigners = [\"{signer}\"]\n\
             [[android.roots]]\nname = \"test bed\"\nkey = \"{root}\"\n\
             [android.levels]\ntrusted_environment = \"iso_18045_enhanced-basic\"\n"
        ),
    )
    .unwrap();
    let (folder_shown, policy) = (folder.display(), policy.display());
    let database = database.map_or(String::new(), |url| format!("database = \"{url}\""));
    let config = folder.join(CONFIG);
    std::fs::write(
        &config,
        format!(
            r#"
development = true
listen = "{listen}"
data = "{folder_shown}/data"
{database}
roles = ["wallet-provider", "wsca"]
[device]
uri = "software:{folder_shown}/store?key-file={folder_shown}/key"
[wallet_provider]
solution = "Sample Wallet"
client_id = "https://wallet.example"
certification = "none"
evidence_policy = "{policy}"
[wallet_provider.issuance]
{issuance}
[wallet_provider.compatibility]
reference = true
wallet_version = "3.2.1"
"#
        ),
    )
    .unwrap();
    let url = format!("http://{listen}");
    let served = Served::start(&config, &format!("{url}/ready"));
    (served, url)
}
