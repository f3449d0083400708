use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use finding::Refusal;
use wallet_provider::operators::{Credential, Errand, Operator, OperatorRole};
use wallet_provider::rules;

use super::Door;
use super::known::Stranger;
use crate::client;
use crate::problem::{Problem, ProblemCode};
use crate::rates::Met;
use crate::routes::provider::problem;
use crate::tls::PeerCertificate;

/// A route, and what it asks of an operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OperatorRoute {
    /// Its method.
    pub method: &'static str,
    /// Its pattern.
    pub path: &'static str,
    /// The least role that may take it.
    pub needs: OperatorRole,
    /// What the trail calls it.
    pub action: &'static str,
}

/// Every route for operators. One that is not here is open to nobody.
pub const OPERATOR_ROUTES: &[OperatorRoute] = &[
    route("GET", "/operator/units", OperatorRole::Read, "unit.list"),
    route(
        "GET",
        "/operator/units/{unit}",
        OperatorRole::Support,
        "unit.show",
    ),
    route(
        "POST",
        "/operator/units/{unit}/revocation",
        OperatorRole::Revoke,
        "unit.revoke",
    ),
    route(
        "POST",
        "/operator/units/{unit}/storages/{storage}/revocation",
        OperatorRole::Revoke,
        "storage.revoke",
    ),
    route(
        "POST",
        "/operator/entries/revocation",
        OperatorRole::Revoke,
        "entry.revoke",
    ),
    route(
        "POST",
        "/operator/revocations",
        OperatorRole::Admin,
        "units.revoke",
    ),
    route(
        "GET",
        "/operator/revocations",
        OperatorRole::Read,
        "revocation.list",
    ),
    route(
        "GET",
        "/operator/revocations/{job}",
        OperatorRole::Read,
        "revocation.show",
    ),
    route("GET", "/operator/audit", OperatorRole::Admin, "audit.read"),
];

const fn route(
    method: &'static str,
    path: &'static str,
    needs: OperatorRole,
    action: &'static str,
) -> OperatorRoute {
    OperatorRoute {
        method,
        path,
        needs,
        action,
    }
}

/// The act stands in the trail already: an extension of an answer, set by a route
/// whose act and row were one transaction.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Noted;

/// Why the operator does it, in the operator's words: goes into the trail.
const REASON: &str = "operator-reason";
/// How much of an address the trail keeps, in bytes.
const MAX_OBJECT: usize = 256;

/// Lets an operator through whose role suffices, and writes down what came of it. The
/// route finds an [`Operator`] and an [`Errand`] among the request's extensions. What
/// cannot be written down is not answered.
pub(crate) async fn admit(State(door): State<Door>, mut request: Request, next: Next) -> Response {
    let operator = match recognise(&door, &request) {
        Ok(operator) => operator,
        Err(refused) => return *refused,
    };
    let (route, errand) = match errand(&request) {
        Ok(found) => found,
        Err(refusal) => return refused("malformed", StatusCode::BAD_REQUEST, refusal),
    };
    let desk = &door.operators.desk;
    let refusal = match route {
        Some(route) => operator.may(route.needs, route.action).err(),
        None => Some(nobody(&errand)),
    };
    let (response, outcome) = match refusal {
        Some(refusal) => {
            let response = refused("forbidden", StatusCode::FORBIDDEN, refusal);
            (response, "forbidden")
        }
        None => {
            let extensions = request.extensions_mut();
            extensions.insert(operator.clone());
            extensions.insert(errand.clone());
            let response = next.run(request).await;
            if response.extensions().get::<Noted>().is_some() {
                return response;
            }
            let outcome = outcome(&response);
            (response, outcome)
        }
    };
    match desk.note(&operator, &errand, outcome).await {
        Ok(_) => response,
        Err(error) => problem(error).into_response(),
    }
}

fn recognise(door: &Door, request: &Request) -> Result<Operator, Box<Response>> {
    let address = client::address(request).map(client::network);
    let limiter = door.gates.credential.as_ref().zip(address);
    let certificate = request.extensions().get::<PeerCertificate>();
    let now = door.operators.desk.now();
    let known = &door.operators.known;
    let recognised = known.recognise(certificate, request.headers(), now);
    if let Some((limiter, address)) = limiter
        && let Some(wait) = limiter.closed(address)
        && !matches!(&recognised, Ok(operator) if operator.by == Credential::Certificate)
    {
        return Err(Box::new(Met::Credential.problem(wait).into_response()));
    }
    recognised.map_err(|stranger| {
        if let Some((limiter, address)) = limiter
            && stranger != Stranger::Nothing
        {
            limiter.fail(address);
        }
        let evidence = match stranger {
            Stranger::Nothing => "nothing was shown",
            Stranger::Token => "the token is no operator's",
            Stranger::Certificate => "the certificate is no operator's, or has ended",
        };
        tracing::warn!(event = "operator.stranger", evidence);
        let refusal = Refusal::because(&rules::OPERATOR_CREDENTIAL, "authorization", evidence);
        let mut response = refused("unauthorized", StatusCode::UNAUTHORIZED, refusal);
        let challenge = HeaderValue::from_static("Bearer");
        response
            .headers_mut()
            .insert(header::WWW_AUTHENTICATE, challenge);
        Box::new(response)
    })
}

/// The route that is asked for, and what is about to be done.
fn errand(request: &Request) -> Result<(Option<&'static OperatorRoute>, Errand), Refusal> {
    let pattern = request.extensions().get::<MatchedPath>();
    let pattern = pattern.map_or("", MatchedPath::as_str);
    let method = match request.method() {
        // A GET whose answer is not wanted.
        method if method == Method::HEAD => Method::GET.as_str(),
        method => method.as_str(),
    };
    let route = OPERATOR_ROUTES
        .iter()
        .find(|route| route.method == method && route.path == pattern);
    let action = route.map_or("unknown", |route| route.action);
    let reason =
        match request.headers().get(REASON) {
            None => None,
            Some(value) => Some(std::str::from_utf8(value.as_bytes()).map_err(|_| {
                Refusal::because(&rules::OPERATOR_REASON, REASON, "it is not UTF-8")
            })?),
        };
    let errand = Errand::new(action, object(request), reason)?;
    Ok((route, errand))
}

/// The address below `/operator`, with its query: what was looked for.
fn object(request: &Request) -> String {
    let uri = request
        .extensions()
        .get::<axum::extract::OriginalUri>()
        .map_or(request.uri(), |original| &original.0);
    let asked = uri.path_and_query().map_or("", |asked| asked.as_str());
    let asked = asked.strip_prefix("/operator/").unwrap_or(asked);
    asked.chars().take(MAX_OBJECT).collect()
}

fn nobody(errand: &Errand) -> Refusal {
    Refusal::because(
        &rules::OPERATOR_ROLE,
        errand.object.clone(),
        "no role may take this route",
    )
}

fn outcome(response: &Response) -> &'static str {
    match response.extensions().get::<ProblemCode>() {
        Some(code) => code.0,
        None if response.status().is_success() => "ok",
        None => "failed",
    }
}

fn refused(code: &'static str, status: StatusCode, refusal: Refusal) -> Response {
    let findings = refusal.into_findings();
    let detail = findings.first().map(|finding| finding.evidence.clone());
    let title = match code {
        "unauthorized" => "This is for operators",
        "forbidden" => "This operator may not do this",
        _ => "The request could not be read",
    };
    Problem::new(status, code, title)
        .detail(detail.unwrap_or_default())
        .findings(findings)
        .into_response()
}
