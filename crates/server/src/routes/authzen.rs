//! The OpenID AuthZEN evaluation API in its profile for trust registries
//! (draft-johansson-authzen-trust-01): is this key bound to this name, in this role?
//!
//! The role (`action.name`) is a context of ours (`pid`, `wallet`,
//! `access-certificate` …) or the service type URI of a list of trusted entities
//! (ETSI TS 119 602). The name has to stand in the leaf certificate: a key that is
//! trusted for somebody else is bound to no name but theirs. What is undecided is
//! no.

use std::collections::BTreeMap;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use finding::{Rule, Trusted, Verdict};
use jose::PublicKey;
use lote::ServiceKind;
use pki::{AltName, Certificate};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use trust::Context;
use url::Url;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::provider::read;
use super::trust::{Trust, certificates};
use crate::problem::Problem;
use crate::rules;

pub(crate) fn routes(trust: Trust) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(evaluation))
        .routes(routes!(configuration))
        .with_state(trust)
}

/// Is this key bound to this name, in this role
#[derive(Debug, Deserialize, ToSchema)]
struct Evaluation {
    subject: Subject,
    resource: Resource,
    /// The role; without one there is no list to ask
    action: Option<Action>,
    /// Not looked at: the profile puts nothing in it that the answer depends on
    #[serde(rename = "context")]
    #[schema(value_type = Option<Object>)]
    _context: Option<Value>,
}

/// The name
#[derive(Debug, Deserialize, ToSchema)]
struct Subject {
    /// `key`
    #[serde(rename = "type")]
    kind: String,
    /// The name that the key is to be bound to
    id: String,
}

/// The key
#[derive(Debug, Deserialize, ToSchema)]
struct Resource {
    /// `x5c`, or `jwk` with an `x5c` of its own
    #[serde(rename = "type")]
    kind: Option<String>,
    /// The same name as the subject's
    id: Option<String>,
    /// A chain (base64 of DER, the leaf first), or a JWK
    #[schema(value_type = Option<Object>)]
    key: Option<Value>,
}

/// The role
#[derive(Debug, Deserialize, ToSchema)]
struct Action {
    /// `pid`, `wallet`, `access-certificate` …, or a service type URI of TS 119 602
    name: String,
}

/// The decision
#[derive(Debug, Serialize, ToSchema)]
struct Decision {
    /// Bound, and trusted in the role
    decision: bool,
    context: Why,
}

/// Why
#[derive(Debug, Default, Serialize, ToSchema)]
struct Why {
    /// By rule, what stands in the way
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    reason: BTreeMap<String, String>,
    /// The whole verdict, where one was reached
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    trust_metadata: Option<Verdict>,
}

impl Decision {
    fn no(rule: &Rule, evidence: impl Into<String>) -> Self {
        Self {
            decision: false,
            context: Why {
                reason: BTreeMap::from([(rule.id.to_owned(), evidence.into())]),
                trust_metadata: None,
            },
        }
    }
}

/// Is this key bound to this name, in this role: AuthZEN for trust registries
#[utoipa::path(post, path = "/evaluation", tag = "trust", request_body = Evaluation,
    responses((status = 200, body = Decision), (status = 400, body = Problem)))]
async fn evaluation(State(trust): State<Trust>, body: Bytes) -> Result<Json<Decision>, Problem> {
    let question: Evaluation = read(&body)?;
    if question.subject.kind != "key" {
        return Err(Problem::malformed("subject.type: key"));
    }
    let name = question.subject.id.as_str();
    if question.resource.id.as_deref().is_some_and(|id| id != name) {
        return Err(Problem::malformed("resource.id: the same as subject.id"));
    }
    let Some(role) = question.action else {
        return Ok(Json(Decision::no(
            &rules::AUTHZEN_ACTION,
            "action.name is needed: a key is trusted for a role, never for all of them",
        )));
    };
    let Some(context) = context(&role.name) else {
        return Ok(Json(Decision::no(
            &rules::AUTHZEN_ACTION,
            "action.name is no role that a list of trusted entities decides",
        )));
    };
    let chain = match (question.resource.kind.as_deref(), &question.resource.key) {
        (Some("x5c"), Some(key)) => chain(key)?,
        (Some("jwk"), Some(key)) => match chain_of_jwk(key)? {
            Some(chain) => chain,
            None => {
                return Ok(Json(Decision::no(
                    &rules::AUTHZEN_KEY,
                    "lists hold certificates: a JWK is decided by the chain in its x5c",
                )));
            }
        },
        (None, None) => {
            return Ok(Json(Decision::no(
                &rules::AUTHZEN_KEY,
                "names are not resolved here: the question has to bring the key",
            )));
        }
        _ => {
            return Err(Problem::malformed(
                "resource.type: x5c or jwk, with resource.key",
            ));
        }
    };
    let bound = chain.first().is_some_and(|leaf| names(leaf, name));
    let verdict = trust.answer(chain, context).await;
    let mut reason: BTreeMap<String, String> = match verdict.trusted {
        Trusted::Yes => BTreeMap::new(),
        Trusted::No => told(verdict.errors()),
        Trusted::Undecided => told(&verdict.findings),
    };
    if !bound {
        reason.insert(
            rules::AUTHZEN_NAME.id.into(),
            "the leaf certificate does not bear the subject's name".into(),
        );
    }
    Ok(Json(Decision {
        decision: reason.is_empty() && verdict.trusted == Trusted::Yes,
        context: Why {
            reason,
            trust_metadata: Some(verdict),
        },
    }))
}

/// Where the endpoints of AuthZEN are
#[utoipa::path(get, path = "/.well-known/authzen-configuration", tag = "trust",
    responses((status = 200, body = Object)))]
async fn configuration(State(trust): State<Trust>) -> Json<Value> {
    let base = trust.public_url.trim_end_matches('/');
    Json(serde_json::json!({
        "policy_decision_point": base,
        "access_evaluation_endpoint": format!("{base}/evaluation"),
    }))
}

fn told<'a>(findings: impl IntoIterator<Item = &'a finding::Finding>) -> BTreeMap<String, String> {
    findings
        .into_iter()
        .map(|found| (found.rule.to_string(), found.evidence.to_string()))
        .collect()
}

/// The context that a role names.
fn context(name: &str) -> Option<Context> {
    if let Ok(context) = name.parse() {
        return Some(context);
    }
    Context::ALL.into_iter().find(|context| {
        // A list of access certificates has no context for its revocation service.
        context.list().service_kind(name) == Some(context.service())
            && matches!(
                context.service(),
                ServiceKind::Issuance | ServiceKind::Revocation
            )
    })
}

fn chain(key: &Value) -> Result<Vec<Certificate>, Problem> {
    let texts: Vec<String> = key
        .as_array()
        .and_then(|texts| {
            texts
                .iter()
                .map(|t| t.as_str().map(str::to_owned))
                .collect()
        })
        .ok_or_else(|| Problem::malformed("resource.key: an array of base64 certificates"))?;
    certificates(&texts).map_err(Problem::malformed)
}

/// The chain inside a JWK, if its leaf is of the JWK's key.
fn chain_of_jwk(key: &Value) -> Result<Option<Vec<Certificate>>, Problem> {
    // Some clients send an array of one.
    let jwk = match key.as_array().map(Vec::as_slice) {
        Some([jwk]) => jwk,
        Some(_) => return Err(Problem::malformed("resource.key: one JWK")),
        None => key,
    };
    let public = PublicKey::from_jwk(jwk).map_err(Problem::malformed)?;
    let Some(x5c) = jwk.get("x5c") else {
        return Ok(None);
    };
    let chain = chain(x5c)?;
    let same = chain
        .first()
        .is_some_and(|leaf| leaf.public_key().is_ok_and(|key| key == public));
    if !same {
        return Err(Problem::malformed(
            "resource.key: its x5c is of another key",
        ));
    }
    Ok(Some(chain))
}

/// Whether the certificate bears this name: an alternative name (a URL's host
/// stands for it), the identifier or name of an organisation or person, or the
/// whole subject.
fn names(leaf: &Certificate, name: &str) -> bool {
    if name.is_empty() {
        return false;
    }
    let host = Url::parse(name)
        .ok()
        .filter(|url| url.scheme() == "https")
        .and_then(|url| url.host_str().map(str::to_owned));
    let subject = leaf.subject_name();
    let in_subject = [
        subject.organization_identifier(),
        subject.serial_number(),
        subject.organization(),
        subject.common_name(),
    ]
    .into_iter()
    .flatten()
    .any(|own| own == name);
    let in_alternatives = leaf
        .alt_names()
        .iter()
        .any(|alternative| match alternative {
            AltName::Dns(dns) => {
                dns.eq_ignore_ascii_case(name)
                    || host
                        .as_deref()
                        .is_some_and(|host| dns.eq_ignore_ascii_case(host))
            }
            AltName::Uri(uri) => uri == name,
            AltName::Email(email) => email == name,
            _ => false,
        });
    in_subject || in_alternatives || leaf.subject() == name
}
