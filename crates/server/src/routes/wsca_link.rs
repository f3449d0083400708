//! The WSCA's side of the link to a wallet provider in another process: one
//! address, which takes orders. It stands on a listener of its own, which admits
//! nobody without the right certificate (`docs/protocols/wsca-link.md`).

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use jose::json::{self, Limits};
use wsca::WscaAdmin;
use wsca_link::{MAX_ORDER, Order, PATH, RefusalCode, carry_out};

use crate::problem::Problem;

pub(crate) fn routes(wsca: Arc<dyn WscaAdmin>) -> Router {
    Router::new().route(PATH, post(order)).with_state(wsca)
}

async fn order(State(wsca): State<Arc<dyn WscaAdmin>>, body: Bytes) -> Response {
    let order: Order = match json::parse_as(&body, Limits::bytes(MAX_ORDER)) {
        Ok(order) => order,
        Err(error) => {
            return problem(RefusalCode::Malformed)
                .detail(error)
                .into_response();
        }
    };
    match carry_out(wsca.as_ref(), order).await {
        Ok(answer) => axum::Json(answer).into_response(),
        Err(error) => {
            // The other side is ours: it may know why.
            let problem = problem(RefusalCode::from(&error)).detail(&error);
            match StatusCode::from_u16(problem.status) {
                Ok(status) if status.is_server_error() => problem.because(&error).into_response(),
                _ => problem.into_response(),
            }
        }
    }
}

fn problem(code: RefusalCode) -> Problem {
    let status = match code {
        RefusalCode::Malformed | RefusalCode::DeviceKeys => StatusCode::BAD_REQUEST,
        RefusalCode::UnknownUnit => StatusCode::NOT_FOUND,
        RefusalCode::AlreadyEnrolled | RefusalCode::Frozen => StatusCode::CONFLICT,
        RefusalCode::RecoveryForbidden => StatusCode::FORBIDDEN,
        RefusalCode::Destroyed => StatusCode::GONE,
        RefusalCode::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        RefusalCode::RecordAltered | RefusalCode::StateRolledBack | RefusalCode::Internal => {
            StatusCode::INTERNAL_SERVER_ERROR
        }
    };
    let problem = Problem::new(status, code.name(), "The WSCA did not carry this order out");
    match code {
        RefusalCode::Unavailable => problem.retry_after(1),
        _ => problem,
    }
}
