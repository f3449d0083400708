//! What went wrong, as a page for a person or as a problem for our script.

use accounts::Problem as Code;
use axum::extract::Request;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};

use super::view::{self, TroublePage};
use crate::problem::Problem;

/// What kept a page from doing what it was asked.
#[derive(Debug)]
pub(super) struct Trouble(What);

/// The same for our script, which reads problems.
#[derive(Debug)]
pub(super) struct JsonTrouble(Trouble);

/// The causes.
#[derive(Debug)]
pub(super) enum What {
    /// The account refused, or failed.
    Account(accounts::Error),
    /// The wallet provider refused, or failed.
    Provider(wallet_provider::Error),
    /// The text on the processing of data has changed, or was never agreed to.
    NotAgreed,
    /// There is no such page.
    NotFound,
    /// The page takes another method.
    Method,
    /// More was sent than any of our pages sends.
    TooLarge,
    /// What was sent cannot be read.
    Unreadable,
    /// It was asked too often.
    TooOften,
    /// It was asked too often of one account.
    Limited(Problem),
    /// A page could not be made.
    Template(askama::Error),
}

impl From<What> for Trouble {
    fn from(what: What) -> Self {
        Self(what)
    }
}

impl From<accounts::Error> for Trouble {
    fn from(error: accounts::Error) -> Self {
        Self(What::Account(error))
    }
}

impl From<wallet_provider::Error> for Trouble {
    fn from(error: wallet_provider::Error) -> Self {
        Self(What::Provider(error))
    }
}

impl From<Problem> for Trouble {
    fn from(problem: Problem) -> Self {
        Self(What::Limited(problem))
    }
}

impl<T: Into<Trouble>> From<T> for JsonTrouble {
    fn from(trouble: T) -> Self {
        Self(trouble.into())
    }
}

impl IntoResponse for Trouble {
    fn into_response(self) -> Response {
        match &self.0 {
            What::Account(error) if error.problem() == Some(Code::NotSignedIn) => {
                Redirect::to("/account/sign-in").into_response()
            }
            What::NotAgreed => Redirect::to("/account/consent").into_response(),
            _ => {
                let problem = self.problem();
                let status = StatusCode::from_u16(problem.status)
                    .unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
                let again = matches!(&self.0, What::Account(error)
                    if error.problem() == Some(Code::NotFresh));
                view::answer(
                    status,
                    TroublePage::new(problem.title, problem.detail.as_deref(), again),
                )
            }
        }
    }
}

impl IntoResponse for JsonTrouble {
    fn into_response(self) -> Response {
        self.0.problem().into_response()
    }
}

impl Trouble {
    /// The account's code, where that is what refused.
    pub(super) fn code(&self) -> Option<Code> {
        match &self.0 {
            What::Account(error) => error.problem(),
            _ => None,
        }
    }

    /// A revocation that was acknowledged stands, whatever failed after it.
    fn half_done(&self) -> Problem {
        Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "unavailable",
            "This does not work right now",
        )
        .detail("Part of it may have been done: please look at your wallets, and try again.")
        .retry_after(5)
    }

    /// As a person reads it. The inside of it goes to the log.
    pub(super) fn problem(&self) -> Problem {
        let plain =
            |status, code, title, detail: &str| Problem::new(status, code, title).detail(detail);
        match &self.0 {
            What::Account(error) => match error.problem() {
                Some(code) => {
                    tracing::info!(event = "account.refused", code = code.code(), %error);
                    let (status, title, detail) = words(code);
                    let mut problem = plain(status, code.code(), title, detail);
                    if let accounts::Error::Refused { refusal, .. } = error {
                        problem = problem.findings(refusal.findings().to_vec());
                    }
                    problem
                }
                None if matches!(error, accounts::Error::Belongings(_)) => {
                    self.half_done().because(error)
                }
                None => plain(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "unavailable",
                    "This does not work right now",
                    "Nothing was changed. Please try again in a moment.",
                )
                .retry_after(5)
                .because(error),
            },
            What::Provider(wallet_provider::Error::Refused { problem, .. }) => plain(
                StatusCode::NOT_FOUND,
                problem.code(),
                "There is no such wallet",
                "Your account has no wallet of this name.",
            ),
            What::Provider(error) => self.half_done().because(error),
            What::NotAgreed => plain(
                StatusCode::FORBIDDEN,
                "consent",
                "Please read and agree first",
                "The text on how your data is used has changed.",
            ),
            What::NotFound => plain(
                StatusCode::NOT_FOUND,
                "not-found",
                "There is no such page",
                "The address may have been typed wrong, or the page is gone.",
            ),
            What::Method => plain(
                StatusCode::METHOD_NOT_ALLOWED,
                "method",
                "This page works in another way",
                "If you came from a form that asks for a passkey, it needs JavaScript, which your browser did not run.",
            ),
            What::TooLarge => plain(
                StatusCode::PAYLOAD_TOO_LARGE,
                "too-large",
                "That is too much",
                "More was sent than any of our pages sends.",
            ),
            What::Unreadable => plain(
                StatusCode::BAD_REQUEST,
                "malformed",
                "That could not be read",
                "Please go back and try again.",
            ),
            What::TooOften => plain(
                StatusCode::TOO_MANY_REQUESTS,
                "too-many-requests",
                TOO_OFTEN,
                "Please wait a minute, and try again.",
            ),
            What::Limited(problem) => {
                let mut problem = problem
                    .clone()
                    .detail("Please wait a minute, and try again.");
                problem.title = TOO_OFTEN;
                problem
            }
            What::Template(error) => Problem::internal(error),
        }
    }
}

/// What somebody is told who met a limit.
const TOO_OFTEN: &str = "That was too often";

/// A refusal in words that help.
fn words(code: Code) -> (StatusCode, &'static str, &'static str) {
    use StatusCode as S;
    match code {
        Code::Alias => (
            S::BAD_REQUEST,
            "Please choose another name",
            "A name has 1 to 64 characters that can be seen, with no space at its ends.",
        ),
        Code::AliasTaken => (
            S::CONFLICT,
            "This name is taken",
            "Somebody has an account of this name. If it is you, sign in; otherwise choose another one.",
        ),
        Code::Ceremony => (
            S::CONFLICT,
            "That took too long, or was done already",
            "Please begin again.",
        ),
        Code::Passkey | Code::PasskeyUnknown => (
            S::FORBIDDEN,
            "The passkey was not accepted",
            "Check the name, and that the passkey is one of this account. A recovery code works too.",
        ),
        Code::PasskeyKnown => (
            S::CONFLICT,
            "This passkey is in use already",
            "It belongs to an account. Please make another one.",
        ),
        Code::Counter => (
            S::FORBIDDEN,
            "The passkey was not accepted",
            "There may be a copy of it. Please sign in with another passkey or a recovery code, and remove this one.",
        ),
        Code::Code => (
            S::FORBIDDEN,
            "That did not work",
            "The name or the code is wrong, or the code was used before.",
        ),
        Code::NotSignedIn => (
            S::UNAUTHORIZED,
            "Please sign in",
            "You were away for a while, or signed out.",
        ),
        Code::NotFresh => (
            S::FORBIDDEN,
            "Please sign in again",
            "You signed in more than five minutes ago. This cannot be undone, so we ask once more that it is you.",
        ),
        Code::Form => (
            S::FORBIDDEN,
            "We cannot tell that it was you",
            "This did not come from our own page, or that page is too old. Nothing was changed. Please open the page again and repeat it there.",
        ),
        Code::Consent => (
            S::BAD_REQUEST,
            "Please read and agree first",
            "An account needs your agreement to the text as it stands now. If it has changed, open the page again.",
        ),
        Code::Address => (
            S::BAD_REQUEST,
            "That is no e-mail address",
            "It has a name, one @, and a host, with no space in between.",
        ),
        Code::AddressCode => (
            S::FORBIDDEN,
            "The code was not accepted",
            "It is wrong, too old, or was typed wrong too often. You can have a new one sent.",
        ),
        Code::TooSoon => (
            S::TOO_MANY_REQUESTS,
            "A moment, please",
            "A code was sent less than a minute ago.",
        ),
        Code::LastWay => (
            S::CONFLICT,
            "You would lock yourself out",
            "This is the last way into your account. Add another passkey or make recovery codes first.",
        ),
        Code::Room => (
            S::BAD_REQUEST,
            "This passkey cannot be added",
            "A passkey needs a name of 1 to 64 characters, and an account has at most ten.",
        ),
        _ => (S::BAD_REQUEST, "That did not work", "Please try again."),
    }
}

pub(super) async fn no_such_method() -> Trouble {
    What::Method.into()
}

/// The page for a plain error of the framework, or for a limit that was met, where a
/// browser asked for a page.
pub(crate) fn page_of(request: &Request) -> Option<fn(Response) -> Response> {
    let path = request.uri().path();
    let ours = path == super::HOME || path.strip_prefix("/account/").is_some();
    let accepts = request.headers().get(header::ACCEPT);
    let page = accepts
        .and_then(|accepts| accepts.to_str().ok())
        .is_some_and(|accepts| accepts.contains("text/html"));
    if !(ours && page) {
        return None;
    }
    Some(|plain| {
        let what = match plain.status() {
            StatusCode::NOT_FOUND => What::NotFound,
            StatusCode::METHOD_NOT_ALLOWED => What::Method,
            StatusCode::PAYLOAD_TOO_LARGE => What::TooLarge,
            StatusCode::TOO_MANY_REQUESTS => What::TooOften,
            _ => What::Unreadable,
        };
        let mut response = Trouble(what).into_response();
        if let Some(after) = plain.headers().get(header::RETRY_AFTER) {
            let headers = response.headers_mut();
            headers.insert(header::RETRY_AFTER, after.clone());
        }
        super::add_policy(&mut response);
        response
    })
}
