//! A wallet instance as the demo drives it: the SDK's parts, put together.

use std::sync::Arc;

use clock::Clock;
use jose::Signer;
use sci::{KeyInfo, Pin, UnitId};
use tokio::sync::Mutex;
use url::Url;
use wallet_client::keystore::{DeviceKeystore, SoftwareKeystore};
use wallet_client::sci_remote::{HttpTransport, RemoteSci};
use wallet_client::{ProviderClient, SetUp, Unattested};

use super::circle::Circle;
use crate::exit::{Doing, Failure};

/// One wallet instance on one phone.
#[derive(Debug)]
pub(super) struct Wallet {
    pub(super) unit: UnitId,
    pub(super) alias: String,
    pub(super) account_code: String,
    pub(super) pin: Pin,
    pub(super) device: Arc<SoftwareKeystore>,
    pub(super) provider: ProviderClient,
    pub(super) sci: Arc<RemoteSci<HttpTransport>>,
    /// The attestations that it began with: a WIA, and a KA for each storage.
    pub(super) first: Vec<String>,
    /// The keys that were made for it.
    pub(super) keys: Mutex<Vec<KeyInfo>>,
}

impl Wallet {
    /// Activates a unit wholly: the certification is shown, both device keys prove
    /// themselves, the PIN is registered, and the first attestations are fetched.
    pub(super) async fn activate(circle: &Circle, alias: &str, pin: &str) -> Result<Self, Failure> {
        let clock: Arc<dyn Clock> = circle.clock.clone();
        let device = Arc::new(SoftwareKeystore::generate().doing("the phone's keys")?);
        let base = format!("{}/wallet-provider", circle.url);
        let provider = ProviderClient::discover(&base, clock)
            .await
            .doing("the wallet provider")?;
        let address = Url::parse(&format!("{}/wsca/r2ps", circle.url)).doing("the WSCA")?;
        let pin = Pin::choose(pin).doing("the PIN")?;
        // The demo's record shows it: see the step.
        let shown = provider.certification().shown();
        let unit = provider
            .set_up(
                shown,
                SetUp {
                    alias,
                    account_code: None,
                    consent: None,
                    device: device.clone(),
                    platform: &Unattested,
                    wallet_version: env!("CARGO_PKG_VERSION"),
                    pin: &pin,
                    transport: HttpTransport::new(circle.http.clone(), address),
                    keys: 1,
                },
            )
            .await
            .doing("the activation")?;
        let mut first = vec![unit.wia.attestation, unit.wscd_ka.attestation];
        first.extend(unit.keystore_ka.map(|ka| ka.attestation));
        Ok(Self {
            unit: unit.unit,
            alias: alias.to_owned(),
            account_code: unit.account_code.unwrap_or_default(),
            pin,
            device,
            provider,
            sci: unit.sci,
            first,
            keys: Mutex::new(Vec::new()),
        })
    }

    /// Its key at WSCA of this place in the order they were made.
    pub(super) async fn key(&self, place: usize) -> Result<KeyInfo, Failure> {
        let keys = self.keys.lock().await;
        keys.get(place)
            .cloned()
            .ok_or_else(|| Failure::new("the unit has no such key"))
    }

    /// The device's signing key.
    pub(super) fn device_key(&self) -> &dyn Signer {
        self.device.signing()
    }
}
