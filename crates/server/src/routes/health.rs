//! `/health`: the process lives. `/ready`: it can do its work. `/metrics`: how it
//! is doing.

use std::sync::Arc;

use async_trait::async_trait;
use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use trust::TrustService;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use wallet_provider::WalletProvider;

use crate::certificate_gauges::CertificateGauges;
use crate::list_gauges::ListGauges;
use crate::metrics::Metrics;

/// Something the service cannot work without: a database, a device, a list.
#[async_trait]
pub trait Readiness: std::fmt::Debug + Send + Sync {
    /// What it is, in a word or two.
    fn name(&self) -> &'static str;

    /// Whether it can do its work now; why not, in words for the operator.
    async fn check(&self) -> Result<(), String>;

    /// What works and will not for long, in words for everybody.
    fn warnings(&self) -> Vec<String> {
        Vec::new()
    }
}

#[derive(Clone)]
pub(crate) struct HealthState {
    pub(crate) parts: Arc<Vec<Arc<dyn Readiness>>>,
    pub(crate) metrics: Option<Metrics>,
    /// Whose ages `/metrics` tells.
    pub(crate) lists: Option<Arc<TrustService>>,
    pub(crate) list_gauges: Arc<ListGauges>,
    /// Whose certificates `/metrics` tells the ends of.
    pub(crate) provider: Option<Arc<WalletProvider>>,
    pub(crate) certificate_gauges: Arc<CertificateGauges>,
}

pub(crate) fn routes(state: HealthState) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(health))
        .routes(routes!(ready))
        .with_state(state)
}

/// What tells outsiders more than they need to know.
pub(crate) fn metrics_routes(state: HealthState) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(metrics))
        .with_state(state)
}

/// What `/health` and `/ready` answer.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Health {
    /// `ok`, or `unavailable`.
    status: &'static str,
    /// The parts that cannot work now.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    unavailable: Vec<&'static str>,
    /// What works now and has to be seen to: a certificate or list that ends soon.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
}

/// The process lives
#[utoipa::path(get, path = "/health", tag = "operation",
    responses((status = 200, body = Health)))]
async fn health() -> Json<Health> {
    Json(Health {
        status: "ok",
        unavailable: Vec::new(),
        warnings: Vec::new(),
    })
}

/// The service can do its work
#[utoipa::path(get, path = "/ready", tag = "operation",
    responses((status = 200, body = Health), (status = 503, body = Health)))]
async fn ready(State(state): State<HealthState>) -> Response {
    let mut unavailable = Vec::new();
    let mut warnings = Vec::new();
    for part in state.parts.iter() {
        warnings.extend(part.warnings());
        if let Err(why) = part.check().await {
            tracing::warn!(part = part.name(), why, "not ready");
            unavailable.push(part.name());
        }
    }
    let (code, status) = if unavailable.is_empty() {
        (StatusCode::OK, "ok")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "unavailable")
    };
    (
        code,
        Json(Health {
            status,
            unavailable,
            warnings,
        }),
    )
        .into_response()
}

/// Metrics in Prometheus' text format
#[utoipa::path(get, path = "/metrics", tag = "operation",
    responses((status = 200, content_type = "text/plain", body = String)))]
async fn metrics(State(state): State<HealthState>) -> Response {
    if let Some(lists) = &state.lists {
        state.list_gauges.set(&lists.watch());
    }
    if let Some(provider) = &state.provider {
        state.certificate_gauges.set(&provider.certificates());
    }
    let text = state.metrics.map(|m| m.render()).unwrap_or_default();
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response()
}
