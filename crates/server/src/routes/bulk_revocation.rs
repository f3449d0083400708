//! Revocations of many units, of one storage of a unit, and of an entry that belongs to
//! no unit, by an operator.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use provider_api::{
    BulkRevocation, EntryRevocation, EntryRevoked, RevocationJob, RevocationJobs, RevocationReason,
    Selected, Storage, UnitView,
};
use sci::UnitId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use wallet_provider::operators::{Errand, Operator, OperatorDesk, RevokedUnit};

use super::provider::{problem, read};
use crate::operators::Noted;
use crate::problem::Problem;

type Desk = Arc<OperatorDesk>;

/// An answer, or a refusal, with the word that the act stands in the trail.
type Written<T> = Result<(Extension<Noted>, T), (Option<Extension<Noted>>, Problem)>;

pub(super) fn routes() -> OpenApiRouter<Desk> {
    OpenApiRouter::new()
        .routes(routes!(begin, jobs))
        .routes(routes!(job))
        .routes(routes!(storage))
        .routes(routes!(entry))
}

/// Revoke all units that a selector means, or count them. Role: admin
#[utoipa::path(post, path = "/revocations", tag = "operator", request_body = BulkRevocation,
    responses(
        (status = 200, body = Selected, description = "A dry run: how many units are meant"),
        (status = 202, body = RevocationJob, description = "It began, and goes on by itself"),
        (status = 400, body = Problem),
        (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 409, body = Problem, description = "More units are selected than are meant")))]
async fn begin(
    State(desk): State<Desk>,
    Extension(operator): Extension<Operator>,
    Extension(errand): Extension<Errand>,
    body: Bytes,
) -> Result<Response, (Option<Extension<Noted>>, Problem)> {
    let asked: BulkRevocation = read(&body).map_err(|refused| (None, refused))?;
    if asked.dry_run {
        let counted = desk.count_bulk_revocation(&operator, &errand, &asked).await;
        return match counted {
            Ok(selected) => Ok((Extension(Noted), Json(selected)).into_response()),
            Err(error) => Err((Some(Extension(Noted)), problem(error))),
        };
    }
    match desk.begin_bulk_revocation(&operator, &errand, asked).await {
        Ok(job) => Ok((StatusCode::ACCEPTED, Extension(Noted), Json(job)).into_response()),
        Err(error) => Err((Some(Extension(Noted)), problem(error))),
    }
}

/// Revocations of many units, the newest first. Role: read
#[utoipa::path(get, path = "/revocations", tag = "operator",
    responses((status = 200, body = RevocationJobs), (status = 401, body = Problem),
        (status = 403, body = Problem)))]
async fn jobs(State(desk): State<Desk>) -> Result<Json<RevocationJobs>, Problem> {
    let jobs = desk.provider().revocation_jobs().await;
    Ok(Json(jobs.map_err(problem)?))
}

/// How far a revocation of many units is. Role: read
#[utoipa::path(get, path = "/revocations/{job}", tag = "operator",
    params(("job" = String, Path)),
    responses((status = 200, body = RevocationJob), (status = 401, body = Problem),
        (status = 403, body = Problem), (status = 404, body = Problem)))]
async fn job(
    State(desk): State<Desk>,
    Path(job): Path<String>,
) -> Result<Json<RevocationJob>, Problem> {
    let job = desk.provider().revocation_job(&job).await;
    Ok(Json(job.map_err(problem)?))
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
    /// The name of an advisory that tells the technical details of a breach, such as
    /// `EUVD-2026-0001`: letters, digits, dots, hyphens and colons, at most 64.
    #[serde(default)]
    advisory: Option<String>,
}

/// A unit after its revocation, or after that of one of its storages.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct UnitRevoked {
    #[serde(flatten)]
    view: UnitView,
    /// Whether it was revoked before.
    already: bool,
}

impl From<RevokedUnit> for UnitRevoked {
    fn from(revoked: RevokedUnit) -> Self {
        Self {
            view: revoked.view,
            already: revoked.already,
        }
    }
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

/// Revoke a unit's WSCD or keystore. It is final. Role: revoke
#[utoipa::path(post, path = "/units/{unit}/storages/{storage}/revocation", tag = "operator",
    params(("unit" = String, Path, format = "uuid"), ("storage" = Storage, Path)),
    request_body = StorageRevocationRequest,
    responses((status = 200, body = UnitRevoked), (status = 400, body = Problem),
        (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem), (status = 501, body = Problem)))]
async fn storage(
    State(desk): State<Desk>,
    Extension(operator): Extension<Operator>,
    Extension(errand): Extension<Errand>,
    Path((unit, storage)): Path<(UnitId, Storage)>,
    body: Bytes,
) -> Written<Json<UnitRevoked>> {
    let asked: StorageRevocationRequest = read(&body).map_err(|refused| (None, refused))?;
    let (operator, errand) = (&operator, &errand);
    let (reason, advisory) = (asked.reason, asked.advisory);
    let revoked = match asked.unit {
        UnitBeside::Revoked => desk.revoke(operator, errand, unit, reason, advisory).await,
        UnitBeside::Kept => {
            desk.revoke_storage(operator, errand, unit, storage, reason, advisory)
                .await
        }
    };
    match revoked {
        Ok(revoked) => Ok((Extension(Noted), Json(revoked.into()))),
        Err(error) => Err((Some(Extension(Noted)), problem(error))),
    }
}

/// Revoke an entry that belongs to no unit. It is final. Role: revoke
#[utoipa::path(post, path = "/entries/revocation", tag = "operator",
    request_body = EntryRevocation,
    responses((status = 200, body = EntryRevoked), (status = 400, body = Problem),
        (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem)))]
async fn entry(
    State(desk): State<Desk>,
    Extension(operator): Extension<Operator>,
    Extension(errand): Extension<Errand>,
    body: Bytes,
) -> Written<Json<EntryRevoked>> {
    let asked: EntryRevocation = read(&body).map_err(|refused| (None, refused))?;
    match desk.revoke_entry(&operator, &errand, asked).await {
        Ok(revoked) => Ok((Extension(Noted), Json(revoked))),
        Err(error) => Err((Some(Extension(Noted)), problem(error))),
    }
}
