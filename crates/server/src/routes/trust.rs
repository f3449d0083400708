//! Is this chain trusted for this purpose, and why.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use clock::Clock;
use jose::b64;
use serde::Deserialize;
use trust::{CheckRequest, Context, Policy, Revocation, TrustService};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::provider::read;
use crate::problem::Problem;

/// The lists, and the time that questions are about.
#[derive(Debug, Clone)]
pub struct Trust {
    /// The lists.
    pub service: Arc<TrustService>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

pub(crate) fn routes(trust: Trust) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(check))
        .with_state(trust)
}

/// A chain that is to be judged.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct TrustQuestion {
    /// The certificates, base64 of DER, the leaf first
    chain: Vec<String>,
    /// What it is to be trusted for: `pid`, `wallet`, `access-certificate` …
    context: String,
    /// `direct-only`, or `direct-or-pkix`
    policy: Option<String>,
    /// `hard`, `soft` or `skip`
    revocation: Option<String>,
}

/// Is this chain trusted for this purpose, and why
#[utoipa::path(post, path = "/check", tag = "trust", request_body = TrustQuestion,
    responses(
        (status = 200, body = Object, description = "A verdict: trusted yes, no or undecided"),
        (status = 400, body = Problem)))]
async fn check(State(trust): State<Trust>, body: Bytes) -> Result<Json<finding::Verdict>, Problem> {
    let question: TrustQuestion = read(&body)?;
    let request = CheckRequest {
        chain: chain(&question.chain)?,
        context: question.context.parse::<Context>().map_err(malformed)?,
        policy: match question.policy {
            Some(name) => Policy::from_name(&name)
                .ok_or_else(|| malformed("policy: direct-only or direct-or-pkix"))?,
            None => Policy::default(),
        },
        revocation: match question.revocation {
            Some(name) => name.parse::<Revocation>().map_err(malformed)?,
            None => Revocation::Hard,
        },
        at: trust.clock.now(),
    };
    Ok(Json(trust.service.check(&request).await))
}

fn chain(texts: &[String]) -> Result<Vec<pki::Certificate>, Problem> {
    if texts.is_empty() || texts.len() > pki::MAX_CHAIN {
        return Err(malformed(format!(
            "chain: 1 to {} certificates",
            pki::MAX_CHAIN
        )));
    }
    texts
        .iter()
        .map(|text| {
            let der = b64::decode_std(text).map_err(malformed)?;
            pki::Certificate::from_der(&der).map_err(malformed)
        })
        .collect()
}

fn malformed(what: impl ToString) -> Problem {
    Problem::new(
        StatusCode::BAD_REQUEST,
        "malformed",
        "The request could not be read",
    )
    .detail(what)
}
