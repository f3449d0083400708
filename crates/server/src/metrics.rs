//! Prometheus metrics: requests by route, and whatever the rooms count.

use std::time::Instant;

use axum::extract::{MatchedPath, Request};
use axum::middleware::Next;
use axum::response::Response;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};

use crate::problem::ProblemCode;

/// The process has a metrics recorder already, and it is not ours.
#[derive(Debug, thiserror::Error)]
#[error("another metrics recorder is installed in this process")]
pub struct RecorderTaken;

/// What `/metrics` is rendered from.
#[derive(Clone)]
pub struct Metrics {
    handle: PrometheusHandle,
}

impl Metrics {
    /// Installs the recorder that the `metrics` macros of every room write to.
    /// A process has one; a second call answers with the first one's handle.
    pub fn install() -> Result<Self, RecorderTaken> {
        use std::sync::OnceLock;
        static HANDLE: OnceLock<Option<PrometheusHandle>> = OnceLock::new();
        HANDLE
            .get_or_init(|| {
                PrometheusBuilder::new()
                    .set_buckets(&[0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0])
                    .ok()?
                    .install_recorder()
                    .ok()
            })
            .clone()
            .map(|handle| Self { handle })
            .ok_or(RecorderTaken)
    }

    /// The metrics in Prometheus' text format.
    pub fn render(&self) -> String {
        self.handle.run_upkeep();
        self.handle.render()
    }
}

impl std::fmt::Debug for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Metrics")
    }
}

/// Counts and times every request by route, method and status. The label is the
/// route's pattern, never the address itself, which may name a unit.
pub(crate) async fn count_requests(request: Request, next: Next) -> Response {
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or("none", MatchedPath::as_str)
        .to_owned();
    let method = match request.method().as_str() {
        // What a client makes up does not become a label.
        method @ ("GET" | "HEAD" | "POST" | "OPTIONS") => method.to_owned(),
        _ => "other".to_owned(),
    };
    let start = Instant::now();
    let response = next.run(request).await;
    let status = response.status().as_u16().to_string();
    if let Some(code) = response.extensions().get::<ProblemCode>() {
        metrics::counter!("claviger_refused_total", "route" => route.clone(), "code" => code.0)
            .increment(1);
    }
    metrics::counter!("claviger_http_requests_total",
        "route" => route.clone(), "method" => method, "status" => status)
    .increment(1);
    metrics::histogram!("claviger_http_request_seconds", "route" => route)
        .record(start.elapsed().as_secs_f64());
    response
}
