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

use crate::list_gauges::ListGauges;
use crate::metrics::Metrics;

/// Something the service cannot work without: a database, a device, a list.
#[async_trait]
pub trait Readiness: std::fmt::Debug + Send + Sync {
    /// What it is, in a word or two.
    fn name(&self) -> &'static str;

    /// Whether it can do its work now; why not, in words for the operator.
    async fn check(&self) -> Result<(), String>;
}

#[derive(Clone)]
pub(crate) struct HealthState {
    pub(crate) parts: Arc<Vec<Arc<dyn Readiness>>>,
    pub(crate) metrics: Option<Metrics>,
    /// Whose ages `/metrics` tells.
    pub(crate) lists: Option<Arc<TrustService>>,
    pub(crate) list_gauges: Arc<ListGauges>,
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
}

/// The process lives
#[utoipa::path(get, path = "/health", tag = "operation",
    responses((status = 200, body = Health)))]
async fn health() -> Json<Health> {
    Json(Health {
        status: "ok",
        unavailable: Vec::new(),
    })
}

/// The service can do its work
#[utoipa::path(get, path = "/ready", tag = "operation",
    responses((status = 200, body = Health), (status = 503, body = Health)))]
async fn ready(State(state): State<HealthState>) -> Response {
    let mut unavailable = Vec::new();
    for part in state.parts.iter() {
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
    let text = state.metrics.map(|m| m.render()).unwrap_or_default();
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response()
}
