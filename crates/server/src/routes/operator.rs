//! What an operator of the wallet provider may do: see units, revoke one. Behind
//! a bearer token, of which only the hash is known here.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, Query, Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use provider_api::{RevocationReason, UnitView};
use sci::UnitId;
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use wallet_provider::WalletProvider;

use super::bulk_revocation;
use super::provider::{problem, read};
use crate::problem::Problem;

/// The SHA-256 of the operators' bearer token.
#[derive(Clone)]
pub struct OperatorToken([u8; 32]);

impl OperatorToken {
    /// Of the token's text.
    pub fn of(token: &str) -> Self {
        Self(jose::sha256(token.as_bytes()))
    }

    fn admits(&self, request: &Request) -> bool {
        request
            .headers()
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.strip_prefix("Bearer "))
            .is_some_and(|token| {
                let given = jose::sha256(token.trim().as_bytes());
                bool::from(given.ct_eq(&self.0))
            })
    }
}

impl std::fmt::Debug for OperatorToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("OperatorToken")
    }
}

pub(crate) fn routes(provider: Arc<WalletProvider>, token: OperatorToken) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(units))
        .routes(routes!(unit))
        .routes(routes!(revoke))
        .merge(bulk_revocation::routes())
        .with_state(provider)
        .layer(middleware::from_fn_with_state(token, admit))
}

async fn admit(State(token): State<OperatorToken>, request: Request, next: Next) -> Response {
    if token.admits(&request) {
        return next.run(request).await;
    }
    let mut refused = Problem::new(
        StatusCode::UNAUTHORIZED,
        "unauthorized",
        "This needs the operators' token",
    )
    .into_response();
    refused.headers_mut().insert(
        header::WWW_AUTHENTICATE,
        header::HeaderValue::from_static("Bearer"),
    );
    refused
}

/// Which units to show.
#[derive(Debug, Deserialize, IntoParams)]
struct Page {
    /// Those after this one, in the order of their identifiers
    #[param(value_type = Option<String>, format = "uuid")]
    after: Option<UnitId>,
    /// How many, at most 1000
    limit: Option<u32>,
}

/// Units.
#[derive(Debug, Serialize, ToSchema)]
struct Units {
    /// In the order of their identifiers.
    units: Vec<UnitView>,
}

/// Why a unit is to be revoked.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct OperatorRevocation {
    /// The reason.
    reason: RevocationReason,
}

/// Units in the order of their identifiers
#[utoipa::path(get, path = "/units", tag = "operator", params(Page),
    responses((status = 200, body = Units), (status = 401, body = Problem)))]
async fn units(
    State(provider): State<Arc<WalletProvider>>,
    Query(page): Query<Page>,
) -> Result<Json<Units>, Problem> {
    let limit = page.limit.unwrap_or(100).clamp(1, 1000);
    let units = provider.units(page.after, limit).await.map_err(problem)?;
    Ok(Json(Units { units }))
}

/// One unit with its history
#[utoipa::path(get, path = "/units/{unit}", tag = "operator",
    params(("unit" = String, Path, format = "uuid")),
    responses((status = 200, body = UnitView), (status = 404, body = Problem)))]
async fn unit(
    State(provider): State<Arc<WalletProvider>>,
    Path(unit): Path<UnitId>,
) -> Result<Json<UnitView>, Problem> {
    Ok(Json(provider.unit_view(unit).await.map_err(problem)?))
}

/// Revoke a unit. It is final
#[utoipa::path(post, path = "/units/{unit}/revocation", tag = "operator",
    params(("unit" = String, Path, format = "uuid")),
    request_body = OperatorRevocation,
    responses((status = 200, body = UnitView), (status = 404, body = Problem)))]
async fn revoke(
    State(provider): State<Arc<WalletProvider>>,
    Path(unit): Path<UnitId>,
    body: Bytes,
) -> Result<Json<UnitView>, Problem> {
    let request: OperatorRevocation = read(&body)?;
    let view = provider.revoke_by_operator(unit, request.reason).await;
    view.map(Json).map_err(problem)
}
