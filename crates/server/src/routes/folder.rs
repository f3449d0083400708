//! Published files: lists of trusted entities and certificates, as any web server
//! or object store would serve them.

use std::path::PathBuf;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tower_http::compression::CompressionLayer;
use tower_http::cors::CorsLayer;

use crate::problem::Problem;

/// A folder whose files are public.
#[derive(Debug, Clone)]
pub struct PublicFolder {
    /// Where the files are.
    pub folder: PathBuf,
    /// Their media type; a CRL (`.crl`) has its own.
    pub media_type: &'static str,
    /// How long a cache may keep a file without asking again, in seconds.
    pub max_age: u32,
}

/// `GET /{name}` for every file of the folder; not its subfolders, not what
/// begins with a dot.
pub(crate) fn routes(folder: PublicFolder) -> Router {
    Router::new()
        .route("/{name}", get(file))
        .with_state(Arc::new(folder))
        .layer(CompressionLayer::new())
        .layer(CorsLayer::new().allow_origin(tower_http::cors::Any))
}

async fn file(
    State(folder): State<Arc<PublicFolder>>,
    Path(name): Path<String>,
    request: HeaderMap,
) -> Response {
    let not_found = || {
        Problem::new(
            StatusCode::NOT_FOUND,
            "not-found",
            "There is nothing at this address",
        )
        .into_response()
    };
    if !is_plain(&name) {
        return not_found();
    }
    let file = folder.folder.join(&name);
    let content = match tokio::fs::read(file).await {
        Ok(content) => content,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return not_found(),
        Err(error) => return Problem::internal(&error).into_response(),
    };
    let media_type = match name.rsplit_once('.') {
        Some((_, "crl")) => "application/pkix-crl",
        _ => folder.media_type,
    };
    cached(&request, content, media_type, folder.max_age)
}

/// Content that caches may keep for `max_age` seconds, and ask after by its tag.
pub(crate) fn cached(
    request: &HeaderMap,
    content: Vec<u8>,
    media_type: &'static str,
    max_age: u32,
) -> Response {
    let tag = format!("\"{}\"", jose::b64::encode(jose::sha256(&content)));
    let unchanged = request
        .get(header::IF_NONE_MATCH)
        .and_then(|tags| tags.to_str().ok())
        .is_some_and(|tags| {
            tags.split(',')
                .any(|t| t.trim().trim_start_matches("W/") == tag)
        });
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        headers.insert(header::ETAG, tag);
    }
    if let Ok(caching) = HeaderValue::from_str(&format!("public, max-age={max_age}")) {
        headers.insert(header::CACHE_CONTROL, caching);
    }
    if unchanged {
        return (StatusCode::NOT_MODIFIED, headers).into_response();
    }
    (headers, content).into_response()
}

/// A file name that cannot lead anywhere else.
pub(crate) fn is_plain(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 128
        && !name.starts_with('.')
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'))
}

#[cfg(test)]
mod tests {
    use super::is_plain;

    #[test]
    fn only_plain_names_are_served() {
        for name in ["wallet.jws", "0192-a_b.jwt"] {
            assert!(is_plain(name), "{name}");
        }
        for name in [
            "",
            ".",
            "..",
            ".hidden",
            "a/b",
            "..%2f",
            "a\\b",
            "a\0",
            &"x".repeat(129),
        ] {
            assert!(!is_plain(name), "{name:?}");
        }
    }
}
