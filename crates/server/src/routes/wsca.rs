//! The remote WSCA: one address, which takes R2PS requests.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware;
use axum::response::{IntoResponse, Response};
use sci::Code;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use wsca::{Reply, Wsca};

use crate::in_flight::{Places, admit};
use crate::problem::Problem;

pub(crate) fn routes(wsca: Arc<Wsca>, places: Places) -> OpenApiRouter {
    let requests = OpenApiRouter::new()
        .routes(routes!(request))
        .route_layer(middleware::from_fn_with_state(places, admit));
    OpenApiRouter::new()
        .routes(routes!(identity))
        .merge(requests)
        .with_state(wsca)
}

/// What a wallet instance must know of the WSCA, and pin
#[utoipa::path(get, path = "/identity", tag = "wsca",
    responses((status = 200, body = Object,
        description = "The security context and the service's two public keys")))]
async fn identity(State(wsca): State<Arc<Wsca>>) -> Response {
    axum::Json(wsca::WscaAdmin::service(wsca.as_ref())).into_response()
}

/// One R2PS request (docs/protocols/wsca.md)
#[utoipa::path(post, path = "/r2ps", tag = "wsca",
    request_body(content = String, content_type = "application/jose"),
    responses(
        (status = 200, content_type = "application/jose", body = String,
            description = "A sealed and signed answer. It may say no"),
        (status = 400, body = Problem, description = "The request cannot be opened"),
        (status = 503, body = Problem,
            description = "The device is away, or too many requests are under way")))]
async fn request(State(wsca): State<Arc<Wsca>>, body: Bytes) -> Response {
    match wsca.handle(&body).await {
        Reply::Answer(answer) => (
            [(
                header::CONTENT_TYPE,
                HeaderValue::from_static(r2ps::MEDIA_TYPE),
            )],
            answer,
        )
            .into_response(),
        Reply::Refused(refusal) => {
            let status = status(refusal.code);
            let problem = Problem::new(
                status,
                refusal.code.name(),
                "The WSCA does not take this request",
            );
            if status == StatusCode::SERVICE_UNAVAILABLE {
                return problem.retry_after(1).into_response();
            }
            problem.into_response()
        }
    }
}

/// The status that goes with each code.
fn status(code: Code) -> StatusCode {
    match code {
        Code::IllegalRequestData => StatusCode::BAD_REQUEST,
        Code::Unauthorized | Code::Stale | Code::NoSession => StatusCode::UNAUTHORIZED,
        Code::UnsupportedRequestType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        Code::TryLater => StatusCode::SERVICE_UNAVAILABLE,
        Code::StateRolledBack | Code::RecordAltered | Code::ServerError => {
            StatusCode::INTERNAL_SERVER_ERROR
        }
        _ => StatusCode::CONFLICT,
    }
}
