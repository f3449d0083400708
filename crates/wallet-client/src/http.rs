//! HTTP as the client speaks it: bounded, timed, no redirects.

use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Client, Response, StatusCode};
use serde::Deserialize;

/// The largest answer that is read, in bytes.
pub(crate) const MAX_ANSWER: usize = 4 * 1024 * 1024;

/// How long a connection that is not used is kept: less than a node keeps it (15 s), so
/// that no request is sent on one that the node is closing.
const IDLE: Duration = Duration::from_secs(10);

/// Why a request brought no usable answer.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// The server could not be reached, or did not answer in time.
    #[error("the server could not be reached")]
    Unreachable(#[source] reqwest::Error),
    /// The answer is larger than is accepted.
    #[error("the answer is larger than {MAX_ANSWER} bytes")]
    TooLarge,
    /// The server refused, and said why (RFC 9457).
    #[error("refused with {status}: {}", .problem.shown())]
    Refused {
        /// The HTTP status.
        status: u16,
        /// In how many seconds the same request may work, where the server says so.
        retry_after: Option<u64>,
        /// What the server said.
        problem: Box<ProblemDetails>,
    },
    /// The server refused without a reason that could be read.
    #[error("refused with {0}, without a reason")]
    Status(u16),
}

/// The problem details (RFC 9457) that our servers answer with.
#[derive(Debug, Clone, Deserialize)]
pub struct ProblemDetails {
    /// The stable code.
    pub code: String,
    /// What the code means.
    #[serde(default)]
    pub title: String,
    /// What was wrong with this request.
    #[serde(default)]
    pub detail: Option<String>,
    /// The rules that were broken.
    #[serde(default)]
    pub findings: Vec<ProblemFinding>,
}

/// A finding as it stands in a problem.
#[derive(Debug, Clone, Deserialize)]
pub struct ProblemFinding {
    /// The rule's stable id.
    pub rule: String,
    /// Where the rule comes from.
    #[serde(default)]
    pub clause: String,
    /// What was seen.
    #[serde(default)]
    pub evidence: String,
}

impl ProblemDetails {
    fn shown(&self) -> String {
        match &self.detail {
            Some(detail) => format!("{}: {detail}", self.code),
            None => format!("{}: {}", self.code, self.title),
        }
    }
}

impl HttpError {
    /// The HTTP status of a refusal; 0 where nobody answered.
    pub fn status(&self) -> u16 {
        match self {
            HttpError::Refused { status, .. } | HttpError::Status(status) => *status,
            HttpError::Unreachable(_) | HttpError::TooLarge => 0,
        }
    }

    /// In how many seconds the same request may work, where the server says so.
    pub fn retry_after(&self) -> Option<u64> {
        match self {
            HttpError::Refused { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    /// The problem that the server answered with, if it did.
    pub fn problem(&self) -> Option<&ProblemDetails> {
        match self {
            HttpError::Refused { problem, .. } => Some(problem),
            _ => None,
        }
    }
}

/// A client that follows no redirects and gives up after a while.
pub(crate) fn client() -> Result<Client, HttpError> {
    Client::builder()
        .redirect(Policy::none())
        .connect_timeout(Duration::from_secs(5))
        .timeout(Duration::from_secs(30))
        .pool_idle_timeout(IDLE)
        .build()
        .map_err(HttpError::Unreachable)
}

/// The body of a successful answer.
pub(crate) async fn body(mut response: Response) -> Result<Vec<u8>, HttpError> {
    let status = response.status();
    let is_problem = response
        .headers()
        .get(CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"application/problem+json"));
    let retry_after = response
        .headers()
        .get(RETRY_AFTER)
        .and_then(|seconds| seconds.to_str().ok()?.parse().ok());
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(HttpError::Unreachable)? {
        if bytes.len() + chunk.len() > MAX_ANSWER {
            return Err(HttpError::TooLarge);
        }
        bytes.extend_from_slice(&chunk);
    }
    if status == StatusCode::OK {
        return Ok(bytes);
    }
    let limits = jose::json::Limits::TOKEN;
    match jose::json::parse_as::<ProblemDetails>(&bytes, limits) {
        Ok(problem) if is_problem => Err(HttpError::Refused {
            status: status.as_u16(),
            retry_after,
            problem: Box::new(problem),
        }),
        _ => Err(HttpError::Status(status.as_u16())),
    }
}
