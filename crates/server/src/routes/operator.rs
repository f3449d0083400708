//! What operators of the wallet provider may do: see units, revoke one, read the trail
//! of what they did. Who they are and what their role allows is the guard's
//! ([`crate::operators`]); each of these routes stands in its table.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::middleware;
use axum::{Extension, Json};
use jiff::Timestamp;
use provider_api::{RevocationReason, UnitState, UnitView};
use sci::UnitId;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use wallet_provider::operators::{Errand, Operator, OperatorDesk, SeenUnit, TrailRow, UnitFilter};

use super::bulk_revocation::{self, UnitRevoked};
use super::provider::{problem, read};
use crate::operators::{Door, Noted, admit};
use crate::problem::Problem;

type Desk = Arc<OperatorDesk>;

pub(crate) fn routes(door: Door) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(units))
        .routes(routes!(unit))
        .routes(routes!(revoke))
        .routes(routes!(audit))
        .merge(bulk_revocation::routes())
        .with_state(Arc::clone(&door.operators.desk))
        .layer(middleware::from_fn_with_state(door, admit))
}

/// Which units to show.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct Wanted {
    /// Those after this one, in the order of their identifiers
    #[param(value_type = Option<String>, format = "uuid")]
    after: Option<UnitId>,
    /// How many, at most 1000
    limit: Option<u32>,
    /// Those in this state
    state: Option<UnitState>,
    /// Those whose wallet solution had this version when they were activated
    version: Option<String>,
    /// Those on a device of this model, as its evidence says
    model: Option<String>,
    /// Those whose device is known to have this security patch level or an older one:
    /// year and month, 202611
    patch_level_up_to: Option<u32>,
    /// Only those whose device turned out worse at a check, and which get nothing
    /// until it is sound again
    #[serde(default)]
    device_worse: bool,
}

/// Units.
#[derive(Debug, Serialize, ToSchema)]
struct Units {
    /// In the order of their identifiers.
    units: Vec<OperatorUnit>,
    /// After which one to go on; absent where there is nothing more.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = "uuid")]
    next: Option<UnitId>,
}

/// A unit as an operator sees it: never what it holds, or for whom.
#[derive(Debug, Serialize, ToSchema)]
struct OperatorUnit {
    #[serde(flatten)]
    view: UnitView,
    /// The version of the wallet solution it was activated with.
    wallet_version: String,
    /// When its activation began.
    #[schema(value_type = String, format = "date-time")]
    activated_at: Timestamp,
    /// What was found of its device.
    device: Device,
}

/// What was found of a unit's device when its evidence was looked at.
#[derive(Debug, Serialize, ToSchema)]
struct Device {
    /// The kind of evidence: `none`, `android`, `apple`.
    kind: String,
    /// Its model; absent where its evidence says nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<String>,
    /// The security patch level of its system: year and month.
    #[serde(skip_serializing_if = "Option::is_none")]
    patch_level: Option<u32>,
    /// What the storage of its keys resists; absent where nothing was earned.
    #[serde(skip_serializing_if = "Option::is_none")]
    key_storage: Option<String>,
    /// What its authentication of the user resists, likewise.
    #[serde(skip_serializing_if = "Option::is_none")]
    user_authentication: Option<String>,
    /// The rules of what was found and was no reason to refuse.
    findings: Vec<String>,
    /// Absent unless it turned out worse at a check, and was not found sound since: the
    /// unit gets nothing until then.
    #[serde(skip_serializing_if = "Option::is_none")]
    worse: Option<Worse>,
}

/// How a device turned out worse.
#[derive(Debug, Serialize, ToSchema)]
struct Worse {
    /// When that was found first.
    #[schema(value_type = String, format = "date-time")]
    at: Timestamp,
    /// What was found: rule, subject and evidence.
    why: String,
}

impl From<SeenUnit> for OperatorUnit {
    fn from(seen: SeenUnit) -> Self {
        Self {
            view: seen.view,
            wallet_version: seen.wallet_version,
            activated_at: seen.activated_at,
            device: Device {
                kind: seen.device.kind,
                model: seen.model,
                patch_level: seen.patch_level,
                key_storage: seen.device.key_storage,
                user_authentication: seen.device.user_authentication,
                findings: seen.device.findings,
                worse: seen.worse.map(|check| Worse {
                    at: check.at,
                    why: check.why,
                }),
            },
        }
    }
}

/// Why a unit is to be revoked.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct OperatorRevocation {
    /// The reason.
    reason: RevocationReason,
    /// The name of an advisory that tells the technical details of a breach, such as
    /// `EUVD-2026-0001`: letters, digits, dots, hyphens and colons, at most 64.
    #[serde(default)]
    advisory: Option<String>,
}

/// Which rows of the trail to show.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct Rows {
    /// Those after this number
    after: Option<u64>,
    /// How many, at most 1000
    limit: Option<u32>,
}

/// The trail of what operators did, or some of it.
#[derive(Debug, Serialize, ToSchema)]
struct Trail {
    /// What the oldest row that is kept follows on: `SEQUENCE:HASH`.
    start: String,
    /// The newest row, likewise.
    end: String,
    /// The rows, the oldest first, each with the hash of the chain up to it.
    #[schema(value_type = Vec<Object>)]
    rows: Vec<TrailRow>,
}

/// Units in the order of their identifiers. Role: read
#[utoipa::path(get, path = "/units", tag = "operator", params(Wanted),
    responses((status = 200, body = Units), (status = 401, body = Problem),
        (status = 403, body = Problem)))]
async fn units(
    State(desk): State<Desk>,
    Query(wanted): Query<Wanted>,
) -> Result<Json<Units>, Problem> {
    let limit = wanted.limit.unwrap_or(100).clamp(1, 1000);
    let filter = UnitFilter {
        state: wanted.state,
        wallet_version: wanted.version,
        model: wanted.model,
        patch_level_up_to: wanted.patch_level_up_to,
        device_worse: wanted.device_worse,
    };
    let page = desk.units(&filter, wanted.after, limit).await;
    let page = page.map_err(problem)?;
    Ok(Json(Units {
        units: page.units.into_iter().map(OperatorUnit::from).collect(),
        next: page.next,
    }))
}

/// One unit with its history. Role: support
#[utoipa::path(get, path = "/units/{unit}", tag = "operator",
    params(("unit" = String, Path, format = "uuid"),
        ("operator-reason" = Option<String>, Header, description = "Why, in the operator's words; it goes into the trail")),
    responses((status = 200, body = OperatorUnit), (status = 401, body = Problem),
        (status = 403, body = Problem), (status = 404, body = Problem)))]
async fn unit(
    State(desk): State<Desk>,
    Path(unit): Path<UnitId>,
) -> Result<Json<OperatorUnit>, Problem> {
    let seen = desk.unit(unit).await.map_err(problem)?;
    Ok(Json(seen.into()))
}

/// Revoke a unit. It is final. Role: revoke
#[utoipa::path(post, path = "/units/{unit}/revocation", tag = "operator",
    params(("unit" = String, Path, format = "uuid"),
        ("operator-reason" = Option<String>, Header, description = "Why, in the operator's words; it goes into the trail")),
    request_body = OperatorRevocation,
    responses((status = 200, body = UnitRevoked), (status = 400, body = Problem),
        (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem)))]
async fn revoke(
    State(desk): State<Desk>,
    Extension(operator): Extension<Operator>,
    Extension(errand): Extension<Errand>,
    Path(unit): Path<UnitId>,
    body: Bytes,
) -> Result<(Extension<Noted>, Json<UnitRevoked>), (Option<Extension<Noted>>, Problem)> {
    let request: OperatorRevocation = read(&body).map_err(|refused| (None, refused))?;
    let OperatorRevocation { reason, advisory } = request;
    match desk
        .revoke(&operator, &errand, unit, reason, advisory)
        .await
    {
        Ok(revoked) => Ok((Extension(Noted), Json(revoked.into()))),
        Err(error) => Err((Some(Extension(Noted)), problem(error))),
    }
}

/// The trail of what operators did, the oldest first. Role: admin
#[utoipa::path(get, path = "/audit", tag = "operator", params(Rows),
    responses((status = 200, body = Trail), (status = 401, body = Problem),
        (status = 403, body = Problem)))]
async fn audit(
    State(desk): State<Desk>,
    Query(wanted): Query<Rows>,
) -> Result<Json<Trail>, Problem> {
    let limit = wanted.limit.unwrap_or(100).clamp(1, 1000);
    // The ends first: rows that come meanwhile are then more than is needed, not less.
    let ends = desk.trail_ends().await.map_err(problem)?;
    let rows = desk.trail(wanted.after.unwrap_or(0), limit).await;
    Ok(Json(Trail {
        start: ends.start.to_string(),
        end: ends.end.to_string(),
        rows: rows.map_err(problem)?,
    }))
}
