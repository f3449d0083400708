//! The interface of the EU reference wallet provider: its addresses, shapes and codes,
//! for the wallet apps that speak it (docs/protocols/wallet-provider.md, 11).

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use jose::json::{self, Limits};
use provider_api::reference::{
    AndroidKeyAttestation, IosKeyAttestation, JwkSet, ReferenceChallenge, ReferenceError,
    ReferenceKa, ReferenceKaError, ReferenceKaJwkSetRequest, ReferenceKaRequest, ReferenceWia,
    ReferenceWiaError, ReferenceWiaJwkRequest, ReferenceWiaRequest, ReferenceWua,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use wallet_provider::reference::{Refused, Vouched};

use super::provider::{Provider, problem};
use crate::problem::Problem;

/// Where the profile is served: what an app is told as the provider's address.
pub(crate) const PATH: &str = "/reference-provider";

#[derive(Debug, Clone)]
pub(crate) struct Reference {
    pub(crate) provider: Provider,
    /// The profile's address.
    pub(crate) resource: String,
}

pub(crate) fn routes(reference: Reference) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(challenge))
        .routes(routes!(android_wia))
        .routes(routes!(ios_wia))
        .routes(routes!(jwk_wia))
        .routes(routes!(android_ka))
        .routes(routes!(ios_ka))
        .routes(routes!(jwk_set_ka))
        .routes(routes!(legacy_jwk_set))
        .routes(routes!(jwks))
        .routes(routes!(metadata))
        .with_state(reference)
}

/// A challenge, which the evidence is to carry
#[utoipa::path(post, path = "/challenge", tag = "reference wallet provider",
    responses((status = 200, body = ReferenceChallenge)))]
async fn challenge(State(reference): State<Reference>) -> Response {
    answer(reference.provider.reference_challenge().await, wia_error)
}

/// A WIA over a key that Android attests
#[utoipa::path(post, path = "/wallet-instance-attestation/platform-key-attestation/android",
    tag = "reference wallet provider", request_body = ReferenceWiaRequest<AndroidKeyAttestation>,
    responses((status = 200, body = ReferenceWia), (status = 400, body = ReferenceWiaError)))]
async fn android_wia(State(reference): State<Reference>, body: Bytes) -> Response {
    let request: ReferenceWiaRequest<AndroidKeyAttestation> = match read(&body) {
        Ok(request) => request,
        Err(problem) => return problem.into_response(),
    };
    let attestations = [request.platform_key_attestation];
    let vouched = Vouched::Android(&attestations, &request.challenge);
    let wia = reference.provider.reference_wia(vouched, &request.options);
    answer(wia.await.map(wia_answer), wia_error)
}

/// A WIA over a key that an iOS app binds by App Attest
#[utoipa::path(post, path = "/wallet-instance-attestation/platform-key-attestation/ios",
    tag = "reference wallet provider", request_body = ReferenceWiaRequest<IosKeyAttestation>,
    responses((status = 200, body = ReferenceWia), (status = 400, body = ReferenceWiaError)))]
async fn ios_wia(State(reference): State<Reference>, body: Bytes) -> Response {
    let request: ReferenceWiaRequest<IosKeyAttestation> = match read(&body) {
        Ok(request) => request,
        Err(problem) => return problem.into_response(),
    };
    let attestations = [request.platform_key_attestation];
    let vouched = Vouched::Ios(&attestations, &request.challenge);
    let wia = reference.provider.reference_wia(vouched, &request.options);
    answer(wia.await.map(wia_answer), wia_error)
}

/// A WIA over a key that nothing vouches for: in development
#[utoipa::path(post, path = "/wallet-instance-attestation/jwk",
    tag = "reference wallet provider", request_body = ReferenceWiaJwkRequest,
    responses((status = 200, body = ReferenceWia), (status = 400, body = ReferenceWiaError)))]
async fn jwk_wia(State(reference): State<Reference>, body: Bytes) -> Response {
    let request: ReferenceWiaJwkRequest = match read(&body) {
        Ok(request) => request,
        Err(problem) => return problem.into_response(),
    };
    let keys = JwkSet {
        keys: vec![request.jwk],
    };
    let vouched = Vouched::Nothing(&keys);
    let wia = reference.provider.reference_wia(vouched, &request.options);
    answer(wia.await.map(wia_answer), wia_error)
}

/// A KA over keys that Android attests
#[utoipa::path(post, path = "/key-attestation/platform-key-attestation/android",
    tag = "reference wallet provider", request_body = ReferenceKaRequest<AndroidKeyAttestation>,
    responses((status = 200, body = ReferenceKa), (status = 400, body = ReferenceKaError)))]
async fn android_ka(State(reference): State<Reference>, body: Bytes) -> Response {
    let request: ReferenceKaRequest<AndroidKeyAttestation> = match read(&body) {
        Ok(request) => request,
        Err(problem) => return problem.into_response(),
    };
    let vouched = Vouched::Android(&request.platform_key_attestations, &request.challenge);
    let ka = reference.provider.reference_ka(vouched, &request.options);
    answer(ka.await.map(ka_answer), ka_error)
}

/// A KA over keys that an iOS app binds by App Attest
#[utoipa::path(post, path = "/key-attestation/platform-key-attestation/ios",
    tag = "reference wallet provider", request_body = ReferenceKaRequest<IosKeyAttestation>,
    responses((status = 200, body = ReferenceKa), (status = 400, body = ReferenceKaError)))]
async fn ios_ka(State(reference): State<Reference>, body: Bytes) -> Response {
    let request: ReferenceKaRequest<IosKeyAttestation> = match read(&body) {
        Ok(request) => request,
        Err(problem) => return problem.into_response(),
    };
    let vouched = Vouched::Ios(&request.platform_key_attestations, &request.challenge);
    let ka = reference.provider.reference_ka(vouched, &request.options);
    answer(ka.await.map(ka_answer), ka_error)
}

/// A KA over keys that nothing vouches for: in development
#[utoipa::path(post, path = "/key-attestation/jwk-set",
    tag = "reference wallet provider", request_body = ReferenceKaJwkSetRequest,
    responses((status = 200, body = ReferenceKa), (status = 400, body = ReferenceKaError)))]
async fn jwk_set_ka(State(reference): State<Reference>, body: Bytes) -> Response {
    let request: ReferenceKaJwkSetRequest = match read(&body) {
        Ok(request) => request,
        Err(problem) => return problem.into_response(),
    };
    let vouched = Vouched::Nothing(&request.jwk_set);
    let ka = reference.provider.reference_ka(vouched, &request.options);
    answer(ka.await.map(ka_answer), ka_error)
}

/// The same under the name that earlier apps call
#[utoipa::path(post, path = "/wallet-unit-attestation/jwk-set",
    tag = "reference wallet provider", request_body = ReferenceKaJwkSetRequest,
    responses((status = 200, body = ReferenceWua), (status = 400, body = ReferenceKaError)))]
async fn legacy_jwk_set(State(reference): State<Reference>, body: Bytes) -> Response {
    let request: ReferenceKaJwkSetRequest = match read(&body) {
        Ok(request) => request,
        Err(problem) => return problem.into_response(),
    };
    let vouched = Vouched::Nothing(&request.jwk_set);
    let ka = reference.provider.reference_ka(vouched, &request.options);
    let named = |wallet_unit_attestation| ReferenceWua {
        wallet_unit_attestation,
    };
    answer(ka.await.map(named), ka_error)
}

/// The keys that sign WIAs and KAs
#[utoipa::path(get, path = "/jwks", tag = "reference wallet provider",
    responses((status = 200, body = Object)))]
async fn jwks(State(reference): State<Reference>) -> Response {
    answer(reference.provider.reference_jwks(), wia_error)
}

/// What is signed with, and by which keys (RFC 9728)
#[utoipa::path(get, path = "/.well-known/oauth-protected-resource",
    tag = "reference wallet provider", responses((status = 200, body = Object)))]
async fn metadata(State(reference): State<Reference>) -> Response {
    let metadata = reference.provider.reference_metadata(&reference.resource);
    answer(metadata, wia_error)
}

fn wia_answer(wallet_instance_attestation: String) -> ReferenceWia {
    ReferenceWia {
        wallet_instance_attestation,
    }
}

fn ka_answer(key_attestation: String) -> ReferenceKa {
    ReferenceKa { key_attestation }
}

fn wia_error(errors: Vec<ReferenceError>) -> Response {
    let error = errors.into_iter().next();
    let error = error.unwrap_or(ReferenceError::InvalidPlatformKeyAttestation);
    Json(ReferenceWiaError { error }).into_response()
}

fn ka_error(errors: Vec<ReferenceError>) -> Response {
    Json(ReferenceKaError { errors }).into_response()
}

/// A refusal has the reference's shape; what is switched off or fails is a problem as
/// everywhere else.
fn answer<T: Serialize>(
    result: Result<T, Refused>,
    shape: impl Fn(Vec<ReferenceError>) -> Response,
) -> Response {
    match result {
        Ok(answer) => Json(answer).into_response(),
        Err(Refused::ByCode { errors, what }) => {
            tracing::info!(event = "reference.refused", ?errors, what);
            let mut response = shape(errors);
            *response.status_mut() = StatusCode::BAD_REQUEST;
            response
        }
        Err(Refused::Off) => Problem::new(
            StatusCode::NOT_FOUND,
            "not-found",
            "There is nothing at this address",
        )
        .into_response(),
        Err(Refused::Failed(error)) => problem(error).into_response(),
    }
}

/// What is not known is passed over, as in the reference; what stands twice is not.
fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    json::parse_as(body, Limits::bytes(provider_api::MAX_BODY)).map_err(Problem::malformed)
}
