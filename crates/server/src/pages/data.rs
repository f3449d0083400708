//! What is held, and for how long: for people as a page, for programs as JSON, both
//! from the one table of [`wallet_provider::retention`].

use askama::Template;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use wallet_provider::retention::{HELD, Held, NEVER, Personal};

use super::account::STYLE;
use crate::problem::Problem;

pub(crate) fn routes() -> OpenApiRouter {
    OpenApiRouter::new().routes(routes!(data))
}

/// Nothing from anywhere: the page has no script, no picture and no form.
const POLICY: &str = "default-src 'none'; style-src 'self'; base-uri 'none'; \
     form-action 'none'; frame-ancestors 'none'";

/// What is held.
#[derive(Debug, Serialize, ToSchema)]
struct Data {
    /// Each table of the database, with what it is for, its columns, and its end.
    #[schema(value_type = Vec<Object>)]
    held: Vec<Told>,
    /// What is never held.
    never: Vec<&'static str>,
}

/// A table as programs are told of it.
#[derive(Debug, Serialize)]
struct Told {
    #[serde(flatten)]
    held: &'static Held,
    /// Whether it leads to a person: the most that a column of it does.
    personal: &'static str,
    /// Until when, in words.
    until_in_words: String,
}

#[derive(Template)]
#[template(path = "data.html")]
struct Page {
    style: &'static str,
    groups: [Group; 3],
    never: &'static [&'static str],
}

/// Tables that say as much of a person as each other.
struct Group {
    title: &'static str,
    says: &'static str,
    tables: Vec<&'static Held>,
}

/// What the service holds, what for, and until when
#[utoipa::path(get, path = "/account/data", tag = "account",
    responses((status = 200, content(
        (Data = "application/json"), (String = "text/html")))))]
async fn data(headers: HeaderMap) -> Result<Response, Problem> {
    let accepted = headers.get(header::ACCEPT).and_then(|it| it.to_str().ok());
    let wants_json = accepted.is_some_and(|accepted| {
        let first = accepted.split(',').next().unwrap_or_default();
        first.trim().starts_with("application/json")
    });
    let mut response = if wants_json {
        axum::Json(told()).into_response()
    } else {
        let page = page().render();
        let html = page.map_err(|error| Problem::internal(&error))?;
        let kind = HeaderValue::from_static("text/html; charset=utf-8");
        ([(header::CONTENT_TYPE, kind)], html).into_response()
    };
    let answer = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "public, max-age=3600"),
        (header::VARY, "accept"),
    ] {
        answer.insert(name, HeaderValue::from_static(value));
    }
    Ok(response)
}

fn told() -> Data {
    let tell = |held: &'static Held| Told {
        held,
        personal: held.personal().says(),
        until_in_words: held.until.says(),
    };
    Data {
        held: HELD.iter().map(tell).collect(),
        never: NEVER.to_vec(),
    }
}

fn page() -> Page {
    let group = |title, says, personal| Group {
        title,
        says,
        tables: HELD
            .iter()
            .filter(|held| held.personal() == personal)
            .collect(),
    };
    Page {
        style: &STYLE.address,
        groups: [
            group(
                "What says something of a person",
                "At least one part of it is yours in clear, or names someone who works for us.",
                Personal::Personal,
            ),
            group(
                "What is of one wallet",
                "It has no name in it, and leads to you only together with your account.",
                Personal::Pseudonymous,
            ),
            group(
                "What is of nobody",
                "Nothing leads from it to a person or a wallet.",
                Personal::No,
            ),
        ],
        never: NEVER,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use axum::body::{Body, to_bytes};
    use axum::extract::Request;
    use tower::ServiceExt;

    use super::*;

    async fn get(accept: &str) -> (HeaderMap, String) {
        let (router, _) = routes().split_for_parts();
        let request = Request::get("/account/data").header("accept", accept);
        let request = request.body(Body::empty()).unwrap();
        let response = router.oneshot(request).await.unwrap();
        let headers = response.headers().clone();
        let body = to_bytes(response.into_body(), 1 << 20).await.unwrap();
        (headers, String::from_utf8(body.to_vec()).unwrap())
    }

    /// Both forms tell every column, and its purpose.
    #[tokio::test]
    async fn the_page_and_the_json_tell_everything() {
        let (headers, page) = get("text/html,application/xhtml+xml").await;
        assert_eq!(headers["content-type"], "text/html; charset=utf-8");
        let policy = headers["content-security-policy"].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'"));
        let (headers, json) = get("application/json").await;
        assert_eq!(headers["content-type"], "application/json");
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        let escaped = |text: &str| text.replace('\'', "&#39;");
        assert_eq!(json["held"].as_array().unwrap().len(), HELD.len());
        for (told, held) in json["held"].as_array().unwrap().iter().zip(HELD) {
            assert_eq!(told["table"], held.table);
            assert_eq!(told["until_in_words"], held.until.says());
            let columns = told["columns"].as_array().unwrap();
            for (told, column) in columns.iter().zip(held.columns) {
                assert_eq!(told["name"], column.name);
                let shown = page.contains(&escaped(column.holds));
                assert!(shown, "{}.{}", held.table, column.name);
            }
        }
        for never in NEVER {
            assert!(page.contains(&escaped(never)), "{never}");
        }
    }

    #[tokio::test]
    async fn the_page_needs_nothing_from_elsewhere() {
        let (_, page) = get("*/*").await;
        for tag in [
            "<script", "<img", "<iframe", "http://", "https://", " style=", "onclick",
        ] {
            assert!(!page.contains(tag), "{tag}");
        }
        assert!(page.contains("<html lang=\"en\">"));
    }
}
