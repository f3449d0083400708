//! What every request passes through before it reaches a route, and what every
//! answer passes through on its way out.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::header::{self, HeaderName};
use axum::http::{HeaderValue, Request, StatusCode};
use axum::middleware;
use axum::response::IntoResponse;
use tower::ServiceBuilder;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::limit::RequestBodyLimitLayer;
use tower_http::request_id::{MakeRequestUuid, PropagateRequestIdLayer, SetRequestIdLayer};
use tower_http::set_header::SetResponseHeaderLayer;
use tower_http::timeout::TimeoutLayer;
use tower_http::trace::TraceLayer;

use crate::client::{self, Proxies};
use crate::metrics::count_requests;
use crate::problem::{Problem, plain_errors_become_problems};
use crate::rates::{self, Gates};
use crate::trace::{self, Trace};

/// The bounds of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The size of a request's body, in bytes.
    pub max_body: usize,
    /// How long a request may take.
    pub timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_body: 256 * 1024,
            timeout: Duration::from_secs(30),
        }
    }
}

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What the edge of one listener is made of.
#[derive(Debug, Clone, Default)]
pub(crate) struct Edge {
    pub(crate) limits: Limits,
    /// Who may say for whom a request is.
    pub(crate) proxies: Arc<Proxies>,
    /// How often may be asked; not counted, if absent.
    pub(crate) gates: Option<Arc<Gates>>,
}

/// Puts the edge around `routes`.
pub(crate) fn around(routes: Router, edge: Edge) -> Router {
    let limits = edge.limits;
    let layers = ServiceBuilder::new()
        .map_request(without_request_id)
        .layer(middleware::from_fn_with_state(
            edge.proxies,
            client::identify,
        ))
        .layer(middleware::from_fn(trace::follow))
        .layer(SetRequestIdLayer::new(REQUEST_ID, MakeRequestUuid))
        .layer(TraceLayer::new_for_http().make_span_with(span))
        .layer(PropagateRequestIdLayer::new(REQUEST_ID))
        .layer(SetResponseHeaderLayer::if_not_present(
            header::X_CONTENT_TYPE_OPTIONS,
            HeaderValue::from_static("nosniff"),
        ))
        .layer(SetResponseHeaderLayer::if_not_present(
            header::CACHE_CONTROL,
            HeaderValue::from_static("no-store"),
        ))
        .layer(middleware::from_fn(plain_errors_become_problems))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(TimeoutLayer::with_status_code(
            StatusCode::REQUEST_TIMEOUT,
            limits.timeout,
        ))
        .layer(RequestBodyLimitLayer::new(limits.max_body));
    let routes = match edge.gates {
        Some(gates) => routes.route_layer(middleware::from_fn_with_state(gates, rates::admit)),
        None => routes,
    };
    routes
        .route_layer(middleware::from_fn(count_requests))
        .layer(layers)
}

/// A request's id is ours to give: what a client sends would stand in our log.
fn without_request_id<B>(mut request: Request<B>) -> Request<B> {
    request.headers_mut().remove(REQUEST_ID);
    request
}

/// One span a request: its id, its trace, method and path. Neither query nor headers nor
/// bodies are logged; they may hold what is personal or secret.
fn span<B>(request: &Request<B>) -> tracing::Span {
    let id = request
        .headers()
        .get(REQUEST_ID)
        .and_then(|id| id.to_str().ok())
        .unwrap_or("-");
    let trace = request.extensions().get::<Trace>();
    tracing::info_span!("http", id,
        trace = trace.map_or_else(String::new, Trace::id),
        parent = trace.map_or_else(String::new, Trace::parent),
        method = %request.method(), path = request.uri().path())
}

/// A panic is a defect of ours. The client learns that, and no more.
fn panicked(_: Box<dyn std::any::Any + Send>) -> axum::response::Response {
    tracing::error!("a request handler panicked");
    Problem::new(
        StatusCode::INTERNAL_SERVER_ERROR,
        "internal",
        "The service failed",
    )
    .into_response()
}
