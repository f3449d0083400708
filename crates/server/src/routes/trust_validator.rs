//! `POST /trust` as the EU reference trust validator has it, in both of its
//! generations, so that whoever calls that service can call this one instead.
//!
//! The answer is a bare "trusted" with a line of why; the whole verdict is at
//! `/v1/trust/check`. What is undecided is not trusted.

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use finding::{Trusted, Verdict};
use jose::b64;
use jose::json::{self, Limits};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use trust::Context;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::trust::{Trust, certificates, why};

pub(crate) fn routes(trust: Trust) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(trusted))
        .with_state(trust)
}

/// A question of either generation; told apart by their members
#[derive(Debug, Deserialize, ToSchema)]
#[serde(untagged)]
#[expect(
    dead_code,
    reason = "it describes the body; read as one, a wrong member would not be named"
)]
enum Question {
    /// The current one
    Current(Current),
    /// The older one (`API-Version: 1.0.0`)
    Older(Older),
}

/// A chain and the context it is to be trusted for
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Current {
    /// The certificates, base64 of DER, the leaf first
    #[schema(min_items = 1)]
    chain: Vec<String>,
    /// `PID`, `PIDStatus`, `WalletProviderAttestation`, `WalletOrKeyStorageStatus`, `PubEAA` …
    verification_context: String,
    /// Required for `EAA`, `EAAStatus` and `Custom`; `mDL` is known
    use_case: Option<String>,
}

/// A chain and the provider it is to belong to
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Older {
    /// The certificates, base64 of DER, the leaf first
    #[schema(min_items = 1)]
    x5c: Vec<String>,
    /// `PIDProvider`, `WalletProvider`, `PubEAAProvider`, `QEAAProvider`, `EAAProvider`
    service_type: String,
}

/// Whether it is trusted
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Answer {
    /// Trusted, beyond doubt
    trusted: bool,
    /// The anchor, base64 of DER; where it is trusted, and the question is of the current form
    #[serde(skip_serializing_if = "Option::is_none")]
    trust_anchor: Option<String>,
    /// Why it is not trusted; in the current form
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// What was wrong with the question, or with this service
#[derive(Debug, Serialize, ToSchema)]
struct Refused {
    #[serde(skip)]
    status: u16,
    /// In the older form
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'static str>,
    /// What was wrong
    description: String,
}

impl Refused {
    fn question(description: impl ToString) -> Self {
        Self {
            status: 400,
            error: None,
            description: description.to_string(),
        }
    }

    /// No list is there to decide it by.
    fn no_list() -> Self {
        Self {
            status: 500,
            error: None,
            description: "No configuration found for VerificationContext".into(),
        }
    }

    /// As the older form has it.
    fn older(mut self) -> Self {
        self.error = Some("InvalidRequest");
        self
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::BAD_REQUEST);
        (status, Json(self)).into_response()
    }
}

/// Is this chain trusted: drop-in for the EU reference trust validator
#[utoipa::path(post, path = "/trust", tag = "trust", request_body = Question,
    responses(
        (status = 200, body = Answer),
        (status = 400, body = Refused, description = "The question cannot be read"),
        (status = 500, body = Refused, description = "No list is configured for the context")))]
async fn trusted(State(trust): State<Trust>, body: Bytes) -> Result<Json<Answer>, Refused> {
    // The reference ignores members it does not know; duplicate ones are refused.
    let question: Value = json::parse(&body, Limits::bytes(provider_api::MAX_BODY))
        .map_err(|error| Refused::question(format!("Unparsable request body: {error}")))?;
    if question.get("x5c").is_some() {
        older(&trust, question).await.map_err(Refused::older)
    } else {
        current(&trust, question).await
    }
}

async fn current(trust: &Trust, question: Value) -> Result<Json<Answer>, Refused> {
    let question: Current = read(question)?;
    let name = question.verification_context.as_str();
    let context = Asked::of(name, question.use_case.as_deref())?.context()?;
    let chain = certificates(&question.chain).map_err(Refused::question)?;
    let verdict = trust.answer(chain, context).await;
    let trusted = decided(&verdict)?;
    Ok(Json(Answer {
        trusted,
        trust_anchor: trusted
            .then(|| trust.anchor(context, &verdict))
            .flatten()
            .map(|der| b64::encode_std(&der)),
        error: (!trusted).then(|| why(&verdict)),
    }))
}

async fn older(trust: &Trust, question: Value) -> Result<Json<Answer>, Refused> {
    let question: Older = read(question)?;
    let context = match question.service_type.as_str() {
        "PIDProvider" => Context::Pid,
        "WalletProvider" => Context::Wallet,
        "PubEAAProvider" => Context::PubEaa,
        "QEAAProvider" | "EAAProvider" => return Err(Refused::no_list()),
        other => return Err(unknown("serviceType", other)),
    };
    let chain = certificates(&question.x5c).map_err(Refused::question)?;
    let verdict = trust.answer(chain, context).await;
    Ok(Json(Answer {
        trusted: decided(&verdict)?,
        trust_anchor: None,
        error: None,
    }))
}

fn read<T: serde::de::DeserializeOwned>(question: Value) -> Result<T, Refused> {
    serde_path_to_error::deserialize(question)
        .map_err(|error| Refused::question(format!("Unparsable request body: {error}")))
}

fn decided(verdict: &Verdict) -> Result<bool, Refused> {
    let no_list = trust::rules::NO_LIST.id;
    if verdict.findings.iter().any(|found| found.rule == no_list) {
        return Err(Refused::no_list());
    }
    Ok(verdict.trusted == Trusted::Yes)
}

fn unknown(member: &str, value: &str) -> Refused {
    let value: String = value.chars().take(60).collect();
    Refused::question(format!("{member}: {value:?} is not known"))
}

/// A verification context of the reference.
enum Asked {
    /// One that a list of trusted entities decides.
    Known(Context),
    /// One that the reference knows and no list of TS 119 602 decides.
    WithoutList,
}

impl Asked {
    fn of(name: &str, use_case: Option<&str>) -> Result<Self, Refused> {
        let context = match name {
            "PID" => Context::Pid,
            "PIDStatus" => Context::PidStatus,
            "WalletProviderAttestation" | "WalletInstanceAttestation" | "WalletUnitAttestation" => {
                Context::Wallet
            }
            "WalletOrKeyStorageStatus" | "WalletUnitAttestationStatus" => Context::WalletStatus,
            "PubEAA" => Context::PubEaa,
            "PubEAAStatus" => Context::PubEaaStatus,
            "WalletRelyingPartyAccessCertificate" => Context::AccessCertificate,
            "WalletRelyingPartyRegistrationCertificate" => Context::RegistrationCertificate,
            "WalletRelyingPartyRegistrationCertificateStatus" => {
                Context::RegistrationCertificateStatus
            }
            "QEAA" | "QEAAStatus" => return Ok(Asked::WithoutList),
            "EAA" | "EAAStatus" | "Custom" => match (name, use_case) {
                (_, None | Some("")) => return Err(Refused::question("Missing useCase")),
                ("EAA", Some(case)) if case.eq_ignore_ascii_case("mdl") => Context::Mdl,
                ("EAAStatus", Some(case)) if case.eq_ignore_ascii_case("mdl") => Context::MdlStatus,
                _ => return Ok(Asked::WithoutList),
            },
            other => return Err(unknown("verificationContext", other)),
        };
        Ok(Asked::Known(context))
    }

    fn context(self) -> Result<Context, Refused> {
        match self {
            Asked::Known(context) => Ok(context),
            Asked::WithoutList => Err(Refused::no_list()),
        }
    }
}
