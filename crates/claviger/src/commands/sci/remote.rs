//! A WSCA elsewhere, and the wallet provider that enrols its units.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use clock::{Clock, SystemClock};
use jiff::Timestamp;
use provider_api::Evidence;
use r2ps::ServiceIdentity;
use reqwest::redirect::Policy;
use sci::conformance::{Harness, Wallet, Wire};
use sci::{Sci, UnitId};
use url::{Host, Url};
use wallet_client::keystore::{DeviceKeystore, SoftwareKeystore};
use wallet_client::sci_remote::{HttpTransport, RemoteSci, Transport, TransportError};
use wallet_client::{Activation, ProviderClient};

use crate::exit::{Doing, Failure};
use crate::wiring::pem;

/// A WSCA that is reached over the network.
#[derive(Debug)]
pub(super) struct Elsewhere {
    wsca: Url,
    provider: String,
    http: reqwest::Client,
    clock: Arc<dyn Clock>,
    known: Mutex<Option<ServiceIdentity>>,
}

impl Elsewhere {
    pub(super) fn new(wsca: &str, provider: &str, ca: Option<&Path>) -> Result<Self, Failure> {
        let base = wsca.trim_end_matches('/');
        let provider = format!("{}/wallet-provider", provider.trim_end_matches('/'));
        for address in [base, &provider] {
            must_be_safe(&Url::parse(address).doing(address)?)?;
        }
        let mut http = reqwest::Client::builder()
            .redirect(Policy::none())
            .connect_timeout(Duration::from_secs(5))
            .timeout(Duration::from_secs(30));
        if let Some(ca) = ca {
            let certificates = reqwest::Certificate::from_pem_bundle(&pem(ca)?);
            http = http.tls_certs_merge(certificates.doing(ca.display())?);
        }
        Ok(Self {
            wsca: Url::parse(&format!("{base}/wsca/r2ps")).doing("--wsca")?,
            provider,
            http: http.build().doing("the HTTP client")?,
            clock: Arc::new(SystemClock),
            known: Mutex::default(),
        })
    }

    /// The same for a node in this process, with its clock.
    pub(super) fn loopback(url: &str, clock: Arc<dyn Clock>) -> Result<Self, Failure> {
        Ok(Self {
            clock,
            ..Self::new(url, url, None)?
        })
    }

    async fn activate(&self) -> Result<Wallet, String> {
        let told = |what: &'static str| {
            move |error: &dyn std::error::Error| Failure::of(what, error).to_string()
        };
        let device = Arc::new(SoftwareKeystore::generate().map_err(|e| e.to_string())?);
        let provider =
            ProviderClient::discover_by(self.http.clone(), &self.provider, self.clock.clone())
                .await
                .map_err(|error| told("the wallet provider")(&error))?;
        let answer = provider
            .activate(&Activation {
                alias: &format!("conformance-{}", UnitId::random()),
                account_code: None,
                consent: None,
                signing: device.signing(),
                agreement: device.agreement(),
                evidence: Evidence::None {},
                wallet_version: env!("CARGO_PKG_VERSION"),
            })
            .await
            .map_err(|error| told("the activation")(&error))?;
        let service = ServiceIdentity {
            context: answer.wsca.context.clone(),
            agreement: answer.wsca.agreement.clone(),
            signing: answer.wsca.signing.clone(),
        };
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = Some(service.clone());
        let tapped = Arc::new(Tapped::new(self.http.clone(), self.wsca.clone()));
        let sci = RemoteSci::new(
            Arc::clone(&tapped),
            service,
            answer.unit,
            device,
            self.clock.clone(),
        );
        Ok(Wallet {
            unit: answer.unit,
            sci: Arc::new(sci),
            wire: Some(tapped),
        })
    }
}

#[async_trait]
impl Harness for Elsewhere {
    async fn wallet(&self) -> Result<Wallet, String> {
        self.activate().await
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    async fn impostor(&self, unit: &Wallet) -> Option<Arc<dyn Sci>> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let service = known.clone()?;
        let keys = Arc::new(SoftwareKeystore::generate().ok()?);
        let transport = HttpTransport::new(self.http.clone(), self.wsca.clone());
        let clock = self.clock.clone();
        Some(Arc::new(RemoteSci::new(
            transport, service, unit.unit, keys, clock,
        )))
    }
}

/// A transport that remembers what passed, and lets somebody else send too.
#[derive(Debug)]
struct Tapped {
    transport: HttpTransport,
    last: Mutex<Option<String>>,
}

impl Tapped {
    fn new(http: reqwest::Client, url: Url) -> Self {
        Self {
            transport: HttpTransport::new(http, url),
            last: Mutex::default(),
        }
    }
}

#[async_trait]
impl Transport for Tapped {
    async fn post(&self, request: String) -> Result<Vec<u8>, TransportError> {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(request.clone());
        self.transport.post(request).await
    }
}

#[async_trait]
impl Wire for Tapped {
    fn last(&self) -> Option<Vec<u8>> {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.clone().map(String::into_bytes)
    }

    async fn send(&self, request: Vec<u8>) {
        // What is answered matters to nobody: the kit looks at what came of it.
        let _ = self.transport.post_bytes(request).await;
    }
}

/// TLS everywhere but on this machine.
fn must_be_safe(url: &Url) -> Result<(), Failure> {
    let loopback = match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    };
    match url.scheme() {
        "https" => Ok(()),
        "http" if loopback => Ok(()),
        _ => Err(Failure::new(format!(
            "{url}: https is expected, or http on loopback"
        ))),
    }
}
