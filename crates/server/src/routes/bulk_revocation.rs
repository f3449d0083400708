//! Revocations of many units, and of one storage of a unit, by an operator.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use provider_api::{
    BulkRevocation, RevocationJob, RevocationJobs, RevocationReason, Revoker, Selected, Storage,
    UnitView,
};
use sci::UnitId;
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use wallet_provider::{UnitGoes, WalletProvider};

use super::provider::{problem, read};
use crate::problem::Problem;

pub(super) fn routes() -> OpenApiRouter<Arc<WalletProvider>> {
    OpenApiRouter::new()
        .routes(routes!(begin, jobs))
        .routes(routes!(job))
        .routes(routes!(storage))
}

/// Revoke all units that a selector means, or count them
#[utoipa::path(post, path = "/revocations", tag = "operator", request_body = BulkRevocation,
    responses(
        (status = 200, body = Selected, description = "A dry run: how many units are meant"),
        (status = 202, body = RevocationJob, description = "It began, and goes on by itself"),
        (status = 400, body = Problem),
        (status = 409, body = Problem, description = "More units are selected than are meant")))]
async fn begin(
    State(provider): State<Arc<WalletProvider>>,
    body: Bytes,
) -> Result<Response, Problem> {
    let asked: BulkRevocation = read(&body)?;
    if asked.dry_run {
        let selected = provider.count_selected(&asked).await.map_err(problem)?;
        return Ok(Json(selected).into_response());
    }
    let job = provider.begin_bulk_revocation(asked, None).await;
    let job = job.map_err(problem)?;
    Ok((StatusCode::ACCEPTED, Json(job)).into_response())
}

/// Revocations of many units, the newest first
#[utoipa::path(get, path = "/revocations", tag = "operator",
    responses((status = 200, body = RevocationJobs)))]
async fn jobs(
    State(provider): State<Arc<WalletProvider>>,
) -> Result<Json<RevocationJobs>, Problem> {
    Ok(Json(provider.revocation_jobs().await.map_err(problem)?))
}

/// How far a revocation of many units is
#[utoipa::path(get, path = "/revocations/{job}", tag = "operator",
    params(("job" = String, Path)),
    responses((status = 200, body = RevocationJob), (status = 404, body = Problem)))]
async fn job(
    State(provider): State<Arc<WalletProvider>>,
    Path(job): Path<String>,
) -> Result<Json<RevocationJob>, Problem> {
    Ok(Json(provider.revocation_job(&job).await.map_err(problem)?))
}

/// Why a storage is to be revoked, and what of its unit.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct StorageRevocationRequest {
    /// The reason.
    reason: RevocationReason,
    /// What becomes of the unit.
    #[serde(default)]
    unit: UnitBeside,
}

/// What becomes of the unit of a storage that is revoked.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum UnitBeside {
    /// It is revoked too.
    #[default]
    Revoked,
    /// It goes on: for a keystore, where the provider has a risk analysis.
    Kept,
}

/// Revoke a unit's WSCD or keystore. It is final
#[utoipa::path(post, path = "/units/{unit}/storages/{storage}/revocation", tag = "operator",
    params(("unit" = String, Path, format = "uuid"), ("storage" = Storage, Path)),
    request_body = StorageRevocationRequest,
    responses((status = 200, body = UnitView), (status = 404, body = Problem)))]
async fn storage(
    State(provider): State<Arc<WalletProvider>>,
    Path((unit, storage)): Path<(UnitId, Storage)>,
    body: Bytes,
) -> Result<Json<UnitView>, Problem> {
    let asked: StorageRevocationRequest = read(&body)?;
    let goes = match asked.unit {
        UnitBeside::Revoked => UnitGoes::Too,
        UnitBeside::Kept => UnitGoes::On,
    };
    let view = provider
        .revoke_storage(unit, storage, Revoker::Operator, asked.reason, goes)
        .await;
    view.map(Json).map_err(problem)
}
