//! Steps 1 and 2, and the last: the parties, their lists, and the sum.

use std::sync::Arc;

use clock::{Clock, ShiftedClock};
use jiff::SignedDuration;
use status_list::TokenFormat;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use trust::{Config, Source, TrustService};
use url::Url;

use super::record::Recorder;
use crate::commands::up::Development;
use crate::exit::{Doing, Failure};
use crate::testbed::ListName;

/// The issuer's identifier.
pub(super) const ISSUER: &str = "https://pid.example";
/// The challenge it gave for the WIA's proof.
pub(super) const CHALLENGE: &str = "5c8d1b0e6f3a4d7f9b2e";
/// The c_nonce it gave for the key's proof.
pub(super) const C_NONCE: &str = "wKI4LT17ac15ES9bw8ac4";

/// Everything that runs behind the circle: the node with all its roles, served on
/// loopback, and the trust service that fetched its lists.
#[derive(Debug)]
pub(super) struct Circle {
    pub(super) development: Development,
    pub(super) url: String,
    pub(super) clock: Arc<ShiftedClock>,
    pub(super) trust: Arc<TrustService>,
    pub(super) http: reqwest::Client,
    /// Whether the device's keys earn a level.
    pub(super) device_certified: bool,
    stop: oneshot::Sender<()>,
    server: JoinHandle<std::io::Result<()>>,
    _folder: TempDir,
}

impl Circle {
    /// Steps 1 and 2.
    pub(super) async fn open(recorder: &mut Recorder, device: &str) -> Result<Self, Failure> {
        let mut step = recorder.step(
            "Keys and certificates",
            &[
                "ETSI-TS119412-6-PID-4.5-01",
                "ETSI-TS119412-6-WAL-5.2-01",
                "ETSI-TS119411-8-GEN-6.6.1-03",
            ],
        );
        let folder = tempfile::tempdir().doing("a temporary folder")?;
        // The pauses between wrong PINs move this clock by more than an hour. It
        // starts in the past, so that nothing that is kept is from the future.
        let clock = Arc::new(ShiftedClock::new());
        clock.advance(SignedDuration::from_hours(-2));
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .doing("cannot listen on loopback")?;
        let address = listener.local_addr().doing("the listening address")?;
        let url = format!("http://{address}");
        let device = crate::device::open(device).await?;
        let descriptor = device.descriptor().clone();
        let development =
            Development::on_device(folder.path(), &url, device, clock.clone()).await?;
        let at = clock.now();
        for (name, party, profile) in development.test_bed.parties() {
            let findings = pki::lint(&party.certificate, profile, at);
            step.demand(
                !finding::has_errors(&findings),
                format!("{name}: conforms to the profile {profile}"),
            )?;
        }
        step.proven(format!("every key is in {}", descriptor.model));
        recorder.close(step);

        let mut step = recorder.step(
            "Three sealed lists, fetched over HTTP",
            &[
                "ETSI-TS119602-D.3-END-ENTITY",
                "ETSI-TS119602-E.3-END-ENTITY",
            ],
        );
        let app = development.node.app()?.into_router();
        let (stop, stopped) = oneshot::channel::<()>();
        let server = tokio::spawn(server::serve(
            listener,
            app,
            async {
                let _ = stopped.await;
            },
            std::future::pending(),
        ));
        let operator = development.test_bed.operator.certificate.clone();
        let mut sources = Vec::new();
        for name in ListName::ALL {
            let bytes = std::fs::read(development.lists.path(name)).doing("a sample list")?;
            let findings = lote::lint_bytes(&bytes, Some(name.profile()), at).findings;
            step.demand(
                findings.is_empty(),
                format!("the {} list: lint finds nothing", name.profile().name()),
            )?;
            let list_url = Url::parse(&development.lists.url(name)).doing("a list's address")?;
            sources.push(Source::pinned(
                name.profile(),
                list_url,
                vec![operator.clone()],
            ));
        }
        let config = Config {
            sources,
            limits: loopback_limits(),
            copies: Some(folder.path().join("trust")),
            ..Config::default()
        };
        let trust = TrustService::new(config, clock.clone()).doing("the trust service")?;
        let report = trust.refresh().await;
        for source in &report.sources {
            step.demand(
                source.outcome == trust::Outcome::Updated,
                format!(
                    "the {} list: fetched, its seal verified under the pinned operator",
                    source.profile
                ),
            )?;
        }
        recorder.close(step);
        Ok(Self {
            development,
            url,
            clock,
            trust: Arc::new(trust),
            http: reqwest::Client::new(),
            device_certified: descriptor.key_storage.is_some(),
            stop,
            server,
            _folder: folder,
        })
    }

    /// A status list in both its forms.
    pub(super) async fn fetch_status(&self, uri: &str) -> Result<StatusForms, Failure> {
        let fetch = async |format: TokenFormat| {
            let request = self.http.get(uri).header("accept", format.media_type());
            let response = request.send().await.doing(uri)?;
            let response = response.error_for_status().doing(uri)?;
            let told = response.headers().get("content-type").cloned();
            if told.as_ref().map(|told| told.as_bytes()) != Some(format.media_type().as_bytes()) {
                return Err(Failure::new(format!("{uri}: served as {told:?}")));
            }
            Ok(response.bytes().await.doing(uri)?.to_vec())
        };
        Ok(StatusForms {
            jwt: fetch(TokenFormat::Jwt).await?,
            cwt: fetch(TokenFormat::Cwt).await?,
        })
    }

    /// Lets the server drain, and closes everything.
    pub(super) async fn close(self) {
        let _ = self.stop.send(());
        drop(self.http);
        let drained = tokio::time::timeout(std::time::Duration::from_secs(2), self.server).await;
        if drained.is_err() {
            tracing::warn!("a connection was still open");
        }
        self.development.node.close().await;
    }
}

/// The limits of a client that talks to this machine alone.
pub(super) fn loopback_limits() -> trust::Limits {
    trust::Limits {
        allow_insecure_loopback: true,
        ..trust::Limits::default()
    }
}

/// The last step: what all of it comes to.
pub(super) fn summarize(recorder: &mut Recorder) {
    let (steps, refusals) = recorder.so_far();
    let mut step = recorder.step("Summary", &[]);
    step.proven(format!(
        "{steps} steps, {refusals} attempts refused, each by its rule"
    ));
    step.proven("made in a device, attested, verified through the list, revoked, and seen");
    recorder.close(step);
}

/// A status list's token as JWT and as CWT.
#[derive(Debug)]
pub(super) struct StatusForms {
    pub(super) jwt: Vec<u8>,
    pub(super) cwt: Vec<u8>,
}
