use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use finding::Finding;
use serde::Serialize;
use utoipa::ToSchema;

/// A refusal as a client sees it: RFC 9457 problem details with a stable `code`.
///
/// What only the operator may know goes to the log, never in here: see
/// [`Problem::because`].
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Problem {
    /// `urn:claviger:problem:` and the code.
    #[serde(rename = "type")]
    pub kind: String,
    /// What the code means, the same for every occurrence.
    pub title: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// The stable code that programs go by.
    pub code: &'static str,
    /// What was wrong with this request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// The rules that the request broke, where a check refused it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<Object>)]
    pub findings: Vec<Finding>,
    #[serde(skip)]
    retry_after: Option<u32>,
}

impl Problem {
    /// A problem with a stable code.
    pub fn new(status: StatusCode, code: &'static str, title: &'static str) -> Self {
        Self {
            kind: format!("urn:claviger:problem:{code}"),
            title,
            status: status.as_u16(),
            code,
            detail: None,
            findings: Vec::new(),
            retry_after: None,
        }
    }

    /// Tells the client what was wrong with this request.
    pub fn detail(mut self, detail: impl ToString) -> Self {
        self.detail = Some(detail.to_string());
        self
    }

    /// Tells the client which rules its request broke.
    pub fn findings(mut self, findings: Vec<Finding>) -> Self {
        self.findings = findings;
        self
    }

    /// Tells the client when to come back, in seconds.
    pub fn retry_after(mut self, seconds: u32) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// Tells the operator's log, and nobody else, what lies behind it.
    pub fn because(self, cause: &dyn std::error::Error) -> Self {
        tracing::error!(code = %self.code, cause = %chain(cause), "request failed");
        self
    }

    /// The request could not be read; `what` says where.
    pub fn malformed(what: impl ToString) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "malformed",
            "The request could not be read",
        )
        .detail(what)
    }

    /// The service failed for a reason that is not the client's; the cause goes
    /// to the log.
    pub fn internal(cause: &dyn std::error::Error) -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "The service failed",
        )
        .because(cause)
    }
}

/// The code of the problem that an answer is: an extension of the answer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ProblemCode(pub(crate) &'static str);

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let (retry_after, code) = (self.retry_after, ProblemCode(self.code));
        let mut response = (status, axum::Json(self)).into_response();
        response.extensions_mut().insert(code);
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(seconds) = retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

/// An error and what caused it, in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

/// Turns the plain refusals of the framework (404, 405, 413, 415, 422 and so on)
/// into problems, so that a client meets one form only; and into a page for a browser
/// that wanted one of our pages.
pub(crate) async fn plain_errors_become_problems(request: Request, next: Next) -> Response {
    let page = crate::pages::account::page_of(&request);
    let response = next.run(request).await;
    let status = response.status();
    let already = response
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| {
            let kind = kind.as_bytes();
            kind.starts_with(b"application/") || kind.starts_with(b"text/html")
        });
    // A limit is met before any page is asked.
    let already = already && !(page.is_some() && status == StatusCode::TOO_MANY_REQUESTS);
    if already || !(status.is_client_error() || status.is_server_error()) {
        return response;
    }
    if let Some(page) = page {
        return page(response);
    }
    let (code, title) = match status {
        StatusCode::NOT_FOUND => ("not-found", "There is nothing at this address"),
        StatusCode::METHOD_NOT_ALLOWED => ("method", "This address takes another method"),
        StatusCode::PAYLOAD_TOO_LARGE => ("too-large", "The request is larger than is accepted"),
        StatusCode::UNSUPPORTED_MEDIA_TYPE => (
            "media-type",
            "The request's media type is not accepted here",
        ),
        StatusCode::REQUEST_TIMEOUT => ("timeout", "The request took longer than is accepted"),
        status if status.is_client_error() => ("malformed", "The request could not be read"),
        _ => ("internal", "The service failed"),
    };
    Problem::new(status, code, title).into_response()
}
