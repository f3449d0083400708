//! Claviger's own WSCA over a device, started for the kit: over HTTP on loopback, on a
//! clock that the kit moves, and restarted as often as it likes.

use std::net::SocketAddr;
use std::sync::Arc;

use async_trait::async_trait;
use clock::{Clock, ShiftedClock};
use jiff::{SignedDuration, Timestamp};
use sci::Sci;
use sci::conformance::{Harness, Wallet};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::{Mutex, oneshot};
use tokio::task::JoinHandle;

use super::remote::Elsewhere;
use crate::commands::up::Development;
use crate::exit::{Doing, Failure};

/// A node in this process.
#[derive(Debug)]
pub(super) struct Here {
    clock: Arc<ShiftedClock>,
    device: Arc<dyn wscd::Wscd>,
    address: SocketAddr,
    network: Elsewhere,
    running: Mutex<Option<Running>>,
    folder: TempDir,
}

/// What runs until it is restarted.
#[derive(Debug)]
struct Running {
    node: crate::wiring::Node,
    stop: oneshot::Sender<()>,
    server: JoinHandle<std::io::Result<()>>,
}

impl Here {
    pub(super) async fn start(device: &str) -> Result<Self, Failure> {
        let device = crate::device::open(device).await?;
        let folder = tempfile::tempdir().doing("a temporary folder")?;
        let clock = Arc::new(ShiftedClock::new());
        let listener = listen("127.0.0.1:0".parse().doing("loopback")?).await?;
        let address = listener.local_addr().doing("the listening address")?;
        let here = Self {
            network: Elsewhere::loopback(&format!("http://{address}"), clock.clone())?,
            clock,
            device,
            address,
            running: Mutex::default(),
            folder,
        };
        let running = here.run(listener).await?;
        *here.running.lock().await = Some(running);
        Ok(here)
    }

    async fn run(&self, listener: TcpListener) -> Result<Running, Failure> {
        let development = Development::on_device(
            self.folder.path(),
            &format!("http://{}", self.address),
            Arc::clone(&self.device),
            self.clock.clone(),
        )
        .await?;
        let app = development.node.app()?.into_router();
        let (stop, stopped) = oneshot::channel::<()>();
        let server = tokio::spawn(server::serve(
            listener,
            app,
            async {
                let _ = stopped.await;
            },
            // Nobody is waited for: a process that dies does not wait either.
            std::future::ready(()),
        ));
        Ok(Running {
            node: development.node,
            stop,
            server,
        })
    }

    async fn end(running: Running) {
        let _ = running.stop.send(());
        let _ = running.server.await;
        running.node.close().await;
    }

    pub(super) async fn close(self) {
        if let Some(running) = self.running.lock().await.take() {
            Self::end(running).await;
        }
    }

    async fn start_again(&self) -> Result<(), Failure> {
        let mut place = self.running.lock().await;
        if let Some(running) = place.take() {
            Self::end(running).await;
        }
        *place = Some(self.run(listen(self.address).await?).await?);
        Ok(())
    }
}

#[async_trait]
impl Harness for Here {
    async fn wallet(&self) -> Result<Wallet, String> {
        self.network.wallet().await
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    async fn impostor(&self, unit: &Wallet) -> Option<Arc<dyn Sci>> {
        self.network.impostor(unit).await
    }

    async fn pass(&self, time: SignedDuration) -> bool {
        self.clock.advance(time);
        true
    }

    async fn restart(&self) -> Option<Result<(), String>> {
        let restarted = self.start_again().await;
        Some(restarted.map_err(|failure| failure.to_string()))
    }

    async fn revoke(&self, unit: &Wallet) -> Option<Result<(), String>> {
        let running = self.running.lock().await;
        let provider = running.as_ref()?.node.provider()?;
        let reason = provider_api::RevocationReason::Security;
        let revoked = provider.revoke_by_operator(unit.unit, reason).await;
        Some(revoked.map(drop).map_err(|error| error.to_string()))
    }
}

async fn listen(address: SocketAddr) -> Result<TcpListener, Failure> {
    TcpListener::bind(address)
        .await
        .doing(format_args!("cannot listen on {address}"))
}
