//! Is this chain trusted for this purpose, and why.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use clock::Clock;
use finding::{Trusted, Verdict};
use jiff::Timestamp;
use jose::b64;
use pki::Certificate;
use serde::Deserialize;
use trust::{CheckRequest, Context, Policy, Revocation, TrustService};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::provider::read;
use crate::problem::Problem;

/// The lists, the time that questions are about, and how they are answered unless
/// a question says otherwise.
#[derive(Debug, Clone)]
pub struct Trust {
    /// The lists.
    pub service: Arc<TrustService>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// How a chain may be tied to an anchor.
    pub policy: Policy,
    /// How revocation is taken.
    pub revocation: Revocation,
    /// Where clients find this service, without a slash at its end.
    pub public_url: String,
}

impl Trust {
    /// The answer as of now, by the policies of this service.
    pub(crate) async fn answer(&self, chain: Vec<Certificate>, context: Context) -> Verdict {
        let request = CheckRequest {
            chain,
            context,
            policy: self.policy,
            revocation: self.revocation,
            at: self.clock.now(),
        };
        self.service.check(&request).await
    }

    /// The DER of the anchor that a verdict for this context stands on.
    pub(crate) fn anchor(&self, context: Context, verdict: &Verdict) -> Option<Vec<u8>> {
        let anchor = verdict.anchor.as_ref()?;
        let listed = self.service.listed(context, &anchor.sha256);
        Some(listed.first()?.certificate.der().to_vec())
    }
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
    #[schema(min_items = 1)]
    chain: Vec<String>,
    /// What it is to be trusted for: `pid`, `wallet`, `access-certificate` …
    context: String,
    /// `direct-only`, or `direct-or-pkix`; what the service is set to, if absent
    policy: Option<String>,
    /// `hard`, `soft` or `skip`; what the service is set to, if absent
    revocation: Option<String>,
    /// The time the answer is to hold for (RFC 3339); now, if absent
    #[schema(value_type = Option<String>)]
    at: Option<Timestamp>,
}

/// Is this chain trusted for this purpose, and why
#[utoipa::path(post, path = "/check", tag = "trust", request_body = TrustQuestion,
    responses(
        (status = 200, body = Object, description = "A verdict: trusted yes, no or undecided"),
        (status = 400, body = Problem)))]
async fn check(State(trust): State<Trust>, body: Bytes) -> Result<Json<Verdict>, Problem> {
    let question: TrustQuestion = read(&body)?;
    let request = CheckRequest {
        chain: certificates(&question.chain).map_err(Problem::malformed)?,
        context: question
            .context
            .parse::<Context>()
            .map_err(Problem::malformed)?,
        policy: match question.policy {
            Some(name) => Policy::from_name(&name)
                .ok_or_else(|| Problem::malformed("policy: direct-only or direct-or-pkix"))?,
            None => trust.policy,
        },
        revocation: match question.revocation {
            Some(name) => name.parse::<Revocation>().map_err(Problem::malformed)?,
            None => trust.revocation,
        },
        at: question.at.unwrap_or_else(|| trust.clock.now()),
    };
    Ok(Json(trust.service.check(&request).await))
}

/// The certificates of a question; what is wrong with them, otherwise.
pub(crate) fn certificates(texts: &[String]) -> Result<Vec<Certificate>, String> {
    if texts.is_empty() || texts.len() > pki::MAX_CHAIN {
        return Err(format!("chain: 1 to {} certificates", pki::MAX_CHAIN));
    }
    texts
        .iter()
        .map(|text| {
            let der = b64::decode_std(text).map_err(|error| format!("chain: {error}"))?;
            Certificate::from_der(&der).map_err(|error| format!("chain: {error}"))
        })
        .collect()
}

/// Why a verdict is not "yes", in one line: its errors, or what leaves it undecided.
pub(crate) fn why(verdict: &Verdict) -> String {
    let told: Vec<String> = match verdict.trusted {
        Trusted::No => verdict.errors().map(ToString::to_string).collect(),
        _ => verdict.findings.iter().map(ToString::to_string).collect(),
    };
    format!("{}: {}", verdict.trusted, told.join("; "))
}
