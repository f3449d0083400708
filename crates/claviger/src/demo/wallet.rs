//! A wallet instance as the demo drives it: the SDK's parts, put together.

use std::sync::Arc;

use clock::Clock;
use jose::Signer;
use provider_api::{Evidence, UnitState};
use r2ps::ServiceIdentity;
use sci::{KeyInfo, Pin, Sci, UnitId};
use tokio::sync::Mutex;
use url::Url;
use wallet_client::keystore::{DeviceKeystore, SoftwareKeystore};
use wallet_client::sci_remote::{HttpTransport, RemoteSci};
use wallet_client::{Activation, ProviderClient};

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
    /// The keys that were made for it.
    pub(super) keys: Mutex<Vec<KeyInfo>>,
}

impl Wallet {
    /// Activates a unit: challenge, two device keys, account, PIN.
    pub(super) async fn activate(circle: &Circle, alias: &str, pin: &str) -> Result<Self, Failure> {
        let clock: Arc<dyn Clock> = circle.clock.clone();
        let device = Arc::new(SoftwareKeystore::generate().doing("the phone's keys")?);
        let base = format!("{}/wallet-provider", circle.url);
        let provider = ProviderClient::discover(&base, clock.clone())
            .await
            .doing("the wallet provider")?;
        let answer = provider
            .activate(&Activation {
                alias,
                account_code: None,
                consent: None,
                signing: device.signing(),
                agreement: device.agreement(),
                evidence: Evidence::None {},
                wallet_version: env!("CARGO_PKG_VERSION"),
            })
            .await
            .doing("the activation")?;
        // The answer is signed by the provider, so this is whom to believe.
        let service = ServiceIdentity {
            context: answer.wsca.context.clone(),
            agreement: answer.wsca.agreement.clone(),
            signing: answer.wsca.signing.clone(),
        };
        let address = Url::parse(&format!("{}/wsca/r2ps", circle.url)).doing("the WSCA")?;
        let transport = HttpTransport::new(circle.http.clone(), address);
        let sci = Arc::new(RemoteSci::new(
            transport,
            service,
            answer.unit,
            device.clone(),
            clock,
        ));
        let pin = Pin::choose(pin).doing("the PIN")?;
        sci.register_pin(&pin).await.doing("the PIN")?;
        let view = provider
            .complete_activation(answer.unit, device.signing())
            .await
            .doing("the activation")?;
        if view.state != UnitState::Operational {
            return Err(Failure::new(format!("the unit is {}", view.state)));
        }
        Ok(Self {
            unit: answer.unit,
            alias: alias.to_owned(),
            account_code: answer.account_code.unwrap_or_default(),
            pin,
            device,
            provider,
            sci,
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
