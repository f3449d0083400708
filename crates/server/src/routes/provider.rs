//! The wallet provider's interface to its wallet instances
//! (docs/protocols/wallet-provider.md).

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use jose::SignError;
use jose::json::{self, Limits};
use provider_api::{
    AccountRequest, AccountView, ActivationRequest, AssociationRequest, Challenge, CheckRequest,
    Empty, KaRequest, KeystoreKaRequest, NonceRequest, PidRevocationAnswer, PidRevocationRequest,
    ProviderView, REQUEST_HEADER, RevocationRequest, UnitView, WiaRequest,
};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use wallet_provider::{Caller, Error, WalletProvider};

use crate::problem::Problem;
use crate::rates::AccountGate;
use crate::routes::folder::cached;

pub(crate) type Provider = Arc<WalletProvider>;

pub(crate) fn routes(provider: Provider) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(view))
        .routes(routes!(certification))
        .routes(routes!(keystore_certification))
        .routes(routes!(jwks))
        .routes(routes!(challenge))
        .routes(routes!(activations))
        .routes(routes!(complete_activation))
        .routes(routes!(unit))
        .routes(routes!(nonce))
        .routes(routes!(check))
        .routes(routes!(wia))
        .routes(routes!(ka))
        .routes(routes!(keystore_ka))
        .routes(routes!(associate))
        .routes(routes!(account))
        .routes(routes!(revocation))
        .routes(routes!(pid_revocation))
        .with_state(provider)
}

/// An answer that the provider signed.
struct Signed(String);

impl IntoResponse for Signed {
    fn into_response(self) -> Response {
        let kind = HeaderValue::from_static("application/jose");
        ([(header::CONTENT_TYPE, kind)], self.0).into_response()
    }
}

type Answer = Result<Signed, Problem>;

#[derive(Deserialize)]
struct ViewQuery {
    challenge: Option<String>,
}

/// What a wallet instance has to know of its provider
#[utoipa::path(get, path = "/provider", tag = "wallet provider",
    params(("challenge" = Option<String>, Query,
        description = "22 to 86 characters of base64url, chosen at random: the view is signed in reply to it")),
    responses(
        (status = 200, content((ProviderView = "application/json"), (String = "application/jose")),
            description = "The view; with a challenge, signed"),
        (status = 400, body = Problem, description = "That is no challenge")))]
async fn view(
    State(provider): State<Provider>,
    Query(asked): Query<ViewQuery>,
) -> Result<Response, Problem> {
    match asked.challenge {
        None => Ok(Json(provider.view()).into_response()),
        Some(challenge) => {
            let view = provider.signed_view(&challenge).await;
            view.map(|view| Signed(view).into_response())
                .map_err(problem)
        }
    }
}

/// What the solution and its key storage are certified for: where a KA's
/// `certification` leads
#[utoipa::path(get, path = "/certification", tag = "wallet provider",
    responses((status = 200, body = Object)))]
async fn certification(State(provider): State<Provider>) -> Json<serde_json::Value> {
    Json(provider.certification())
}

/// What devices' own keystores are certified for: where the `certification` of a KA over
/// keystore keys leads, if nothing else is known of them
#[utoipa::path(get, path = "/certification/keystore", tag = "wallet provider",
    responses((status = 200, body = Object)))]
async fn keystore_certification(State(provider): State<Provider>) -> Json<serde_json::Value> {
    Json(provider.keystore_certification())
}

/// How long a cache may keep the key set: a next key stands in it long before it signs.
const JWKS_MAX_AGE: u32 = 300;

/// The keys that WIA, KA and status lists are verified under
#[utoipa::path(get, path = "/jwks", tag = "wallet provider",
    responses(
        (status = 200, content_type = "application/jwk-set+json", body = Object,
            description = "A JWK set (RFC 7517): each key with `kid` (its thumbprint), `use`, `alg` and `x5c`"),
        (status = 304, description = "It is the one that `If-None-Match` names")))]
async fn jwks(State(provider): State<Provider>, request: HeaderMap) -> Response {
    let content = provider.jwks().to_string().into_bytes();
    cached(&request, content, "application/jwk-set+json", JWKS_MAX_AGE)
}

/// A challenge for an activation
#[utoipa::path(post, path = "/challenge", tag = "wallet provider", request_body = Empty,
    responses((status = 200, body = Challenge)))]
async fn challenge(
    State(provider): State<Provider>,
    body: Bytes,
) -> Result<Json<Challenge>, Problem> {
    let Empty {} = read(&body)?;
    Ok(Json(provider.challenge().await.map_err(problem)?))
}

/// Begin an activation: both device keys, the evidence, the account
#[utoipa::path(post, path = "/activations", tag = "wallet provider",
    request_body = ActivationRequest,
    responses(
        (status = 200, content_type = "application/jose", body = String,
            description = "ActivationAnswer, signed, in reply to the challenge"),
        (status = 400, body = Problem), (status = 403, body = Problem)))]
async fn activations(State(provider): State<Provider>, body: Bytes) -> Answer {
    let request: ActivationRequest = read(&body)?;
    let answer = provider.begin_activation(&request).await;
    answer.map(Signed).map_err(problem)
}

/// Complete an activation, once the PIN is registered at the WSCA
#[utoipa::path(post, path = "/unit/activation", tag = "wallet unit", request_body = Empty,
    params(("wallet-unit-request" = String, Header, description = "The request, signed by the unit's device key")),
    responses(
        (status = 200, content_type = "application/jose", body = String,
            description = "UnitView, signed"),
        (status = 409, body = Problem)))]
async fn complete_activation(
    State(provider): State<Provider>,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    let caller = caller(&provider, &headers, "/unit/activation", &body).await?;
    let Empty {} = read(&body)?;
    let answer = provider.complete_activation(&caller).await;
    answer.map(Signed).map_err(problem)
}

/// The unit as the provider sees it
#[utoipa::path(post, path = "/unit", tag = "wallet unit", request_body = Empty,
    params(("wallet-unit-request" = String, Header, description = "The request, signed by the unit's device key")),
    responses(
        (status = 200, content_type = "application/jose", body = String,
            description = "UnitView, signed")))]
async fn unit(State(provider): State<Provider>, headers: HeaderMap, body: Bytes) -> Answer {
    let caller = caller(&provider, &headers, "/unit", &body).await?;
    let Empty {} = read(&body)?;
    let answer = provider.own_view(&caller).await;
    answer.map(Signed).map_err(problem)
}

/// A nonce for a statement of keys by the WSCA, or for evidence of the device
#[utoipa::path(post, path = "/unit/nonce", tag = "wallet unit", request_body = NonceRequest,
    params(("wallet-unit-request" = String, Header, description = "The request, signed by the unit's device key")),
    responses(
        (status = 200, content_type = "application/jose", body = String,
            description = "Challenge, signed")))]
async fn nonce(State(provider): State<Provider>, headers: HeaderMap, body: Bytes) -> Answer {
    let caller = caller(&provider, &headers, "/unit/nonce", &body).await?;
    let NonceRequest { purpose } = read(&body)?;
    let answer = provider.nonce(&caller, purpose).await;
    answer.map(Signed).map_err(problem)
}

/// Check the wallet instance again, by fresh evidence of its device
#[utoipa::path(post, path = "/unit/check", tag = "wallet unit", request_body = CheckRequest,
    params(("wallet-unit-request" = String, Header, description = "The request, signed by the unit's device key")),
    responses(
        (status = 200, content_type = "application/jose", body = String,
            description = "CheckAnswer, signed"),
        (status = 400, body = Problem), (status = 403, body = Problem)))]
async fn check(State(provider): State<Provider>, headers: HeaderMap, body: Bytes) -> Answer {
    let caller = caller(&provider, &headers, "/unit/check", &body).await?;
    let request: CheckRequest = read(&body)?;
    let answer = provider.check_instance(&caller, &request).await;
    answer.map(Signed).map_err(problem)
}

/// Wallet Instance Attestations, one for each proof
#[utoipa::path(post, path = "/unit/wia", tag = "wallet unit", request_body = WiaRequest,
    params(("wallet-unit-request" = String, Header, description = "The request, signed by the unit's device key")),
    responses(
        (status = 200, content_type = "application/jose", body = String,
            description = "Attestations, signed"),
        (status = 400, body = Problem), (status = 403, body = Problem)))]
async fn wia(State(provider): State<Provider>, headers: HeaderMap, body: Bytes) -> Answer {
    let caller = caller(&provider, &headers, "/unit/wia", &body).await?;
    let request: WiaRequest = read(&body)?;
    let answer = provider.issue_wia(&caller, &request).await;
    answer.map(Signed).map_err(problem)
}

/// Key Attestations over the keys of a statement of the WSCA
#[utoipa::path(post, path = "/unit/ka", tag = "wallet unit", request_body = KaRequest,
    params(("wallet-unit-request" = String, Header, description = "The request, signed by the unit's device key")),
    responses(
        (status = 200, content_type = "application/jose", body = String,
            description = "Attestations, signed"),
        (status = 400, body = Problem), (status = 403, body = Problem)))]
async fn ka(State(provider): State<Provider>, headers: HeaderMap, body: Bytes) -> Answer {
    let caller = caller(&provider, &headers, "/unit/ka", &body).await?;
    let request: KaRequest = read(&body)?;
    let answer = provider.issue_ka(&caller, &request).await;
    answer.map(Signed).map_err(problem)
}

/// Key Attestations over keys of the device's own keystore
#[utoipa::path(post, path = "/unit/keystore-ka", tag = "wallet unit",
    request_body = KeystoreKaRequest,
    params(("wallet-unit-request" = String, Header, description = "The request, signed by the unit's device key")),
    responses(
        (status = 200, content_type = "application/jose", body = String,
            description = "Attestations, signed"),
        (status = 400, body = Problem), (status = 403, body = Problem)))]
async fn keystore_ka(State(provider): State<Provider>, headers: HeaderMap, body: Bytes) -> Answer {
    let caller = caller(&provider, &headers, "/unit/keystore-ka", &body).await?;
    let request: KeystoreKaRequest = read(&body)?;
    let answer = provider.issue_keystore_ka(&caller, &request).await;
    answer.map(Signed).map_err(problem)
}

/// A statement that keys of one WSCA belong together (ARF ACP_05)
#[utoipa::path(post, path = "/unit/association", tag = "wallet unit",
    request_body = AssociationRequest,
    params(("wallet-unit-request" = String, Header, description = "The request, signed by the unit's device key")),
    responses(
        (status = 200, content_type = "application/jose", body = String,
            description = "The association, signed"),
        (status = 400, body = Problem), (status = 403, body = Problem)))]
async fn associate(State(provider): State<Provider>, headers: HeaderMap, body: Bytes) -> Answer {
    let caller = caller(&provider, &headers, "/unit/association", &body).await?;
    let request: AssociationRequest = read(&body)?;
    let answer = provider.associate(&caller, &request).await;
    answer.map(Signed).map_err(problem)
}

/// The units of an account, asked for without a phone
#[utoipa::path(post, path = "/account", tag = "account", request_body = AccountRequest,
    responses((status = 200, body = AccountView), (status = 400, body = Problem), (status = 403, body = Problem)))]
async fn account(
    State(provider): State<Provider>,
    gate: AccountGate,
    body: Bytes,
) -> Result<Json<AccountView>, Problem> {
    let request: AccountRequest = read(&body)?;
    gate.pass(&request.alias)?;
    let view = provider.account_view(&request).await;
    view.map(Json).map_err(problem)
}

/// Revoke a unit for its user, without a phone. It is final
#[utoipa::path(post, path = "/account/revocation", tag = "account",
    request_body = RevocationRequest,
    responses(
        (status = 200, body = UnitView,
            description = "The revocation is on disk, and is published whatever happens"),
        (status = 400, body = Problem), (status = 403, body = Problem)))]
async fn revocation(
    State(provider): State<Provider>,
    gate: AccountGate,
    body: Bytes,
) -> Result<Json<UnitView>, Problem> {
    let request: RevocationRequest = read(&body)?;
    gate.pass(&request.alias)?;
    let view = provider.revoke_by_user(&request).await;
    view.map(Json).map_err(problem)
}

async fn caller(
    provider: &WalletProvider,
    headers: &HeaderMap,
    path: &str,
    body: &[u8],
) -> Result<Caller, Problem> {
    let header = headers
        .get(REQUEST_HEADER)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    provider
        .authenticate(header, "POST", path, body)
        .await
        .map_err(problem)
}

/// Reads a body strictly; the edge has bounded its size.
pub(crate) fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    json::parse_as(body, Limits::bytes(provider_api::MAX_BODY)).map_err(Problem::malformed)
}

/// Revoke the unit of a user who died, for a PID provider on the list of them
#[utoipa::path(post, path = "/revocation-requests", tag = "PID provider",
    request_body = PidRevocationRequest,
    responses(
        (status = 200, body = PidRevocationAnswer),
        (status = 400, body = Problem),
        (status = 401, body = Problem, description = "It is for another, or not of now"),
        (status = 403, body = Problem, description = "Not a listed PID provider's, or the WIA is none of this provider"),
        (status = 409, body = Problem, description = "It was taken before"),
        (status = 429, body = Problem),
        (status = 501, body = Problem, description = "Another reason; or there is no list of PID providers"),
        (status = 503, body = Problem, description = "The lists cannot decide now")))]
async fn pid_revocation(
    State(provider): State<Provider>,
    body: Bytes,
) -> Result<Json<PidRevocationAnswer>, Problem> {
    let request: PidRevocationRequest = read(&body)?;
    let answer = provider.revoke_by_pid_provider(&request).await;
    answer.map(Json).map_err(problem)
}

/// The provider's answer as HTTP has it.
pub(crate) fn problem(error: Error) -> Problem {
    use provider_api::Problem as Code;
    if let Error::Undecided(verdict) = &error {
        return Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "undecided",
            "The lists cannot decide this now; the same request may be taken later",
        )
        .retry_after(60)
        .findings(verdict.findings.clone())
        .because(&error);
    }
    let Error::Refused { problem, refusal } = &error else {
        // Too many challenges wait, or the store, the WSCA or the device is away.
        let passing = matches!(
            &error,
            Error::Store(_)
                | Error::Publish(_)
                // Of a state that went back, an operator judges.
                | Error::Wsca(
                    wsca::AdminError::Unavailable(_)
                        | wsca::AdminError::Store(_)
                        | wsca::AdminError::StateRolledBack
                )
                | Error::Sign(SignError::Unavailable(_))
                | Error::Build(wua::BuildError::Sign(SignError::Unavailable(_)))
        );
        if passing {
            return Problem::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "unavailable",
                "The service cannot do this now; the same request may work later",
            )
            .retry_after(5)
            .because(&error);
        }
        return Problem::internal(&error);
    };
    let status = match problem {
        Code::Malformed | Code::Alias | Code::Batch | Code::Period | Code::Scope => {
            StatusCode::BAD_REQUEST
        }
        Code::WrongDeviceKey
        | Code::WrongBinding
        | Code::NotOfNow
        | Code::ChallengeUnknown
        | Code::ChallengeExpired => StatusCode::UNAUTHORIZED,
        Code::UnknownUnit | Code::UnknownObject => StatusCode::NOT_FOUND,
        Code::Replayed | Code::WrongState | Code::DeviceKnown | Code::NoFactor | Code::CheckDue => {
            StatusCode::CONFLICT
        }
        Code::NotOffered => StatusCode::NOT_IMPLEMENTED,
        Code::NoCertificate => StatusCode::SERVICE_UNAVAILABLE,
        Code::TooMany => StatusCode::TOO_MANY_REQUESTS,
        _ => StatusCode::FORBIDDEN,
    };
    let detail = refusal
        .findings()
        .first()
        .map_or_else(String::new, |finding| finding.evidence.clone());
    let told = Problem::new(status, problem.code(), problem.rule().says)
        .detail(detail)
        .findings(refusal.findings().to_vec());
    match problem {
        Code::TooMany => told.retry_after(60),
        _ => told,
    }
}
