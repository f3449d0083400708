//! Status lists (Token Status List, draft-20, sections 8 and 9), as the wallet
//! provider published them into its folder.

mod prints;

use std::collections::HashMap;
use std::io::{ErrorKind, Write};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use axum::Json;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use tower_http::cors::{Any, CorsLayer};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use wallet_provider::{TokenFormat, WalletProvider};

use self::prints::{Prints, Stamp, Token};
use crate::problem::Problem;
use crate::routes::accept::wanted;
use crate::routes::folder::is_plain;

/// Where the status lists are.
#[derive(Debug, Clone)]
pub struct StatusLists {
    /// The folder that they are published into.
    pub folder: PathBuf,
    /// How long a copy is used before it is fetched again: their `ttl`, in seconds.
    pub ttl: u32,
}

/// `GET /` tells all lists, `GET /{name}` is one of them.
pub(crate) fn routes(provider: Arc<WalletProvider>, lists: StatusLists) -> OpenApiRouter {
    let state = Served {
        provider,
        lists: Arc::new(lists),
        prints: Arc::default(),
        gzipped: Arc::default(),
    };
    let methods = [Method::GET, Method::HEAD];
    let cors = CorsLayer::new()
        .allow_origin(Any)
        .allow_methods(methods)
        .allow_headers([header::ACCEPT, header::IF_NONE_MATCH, header::CACHE_CONTROL])
        .expose_headers([header::ETAG])
        .max_age(DAY);
    OpenApiRouter::new()
        .routes(routes!(status_lists))
        .routes(routes!(status_list))
        .with_state(state)
        .layer(cors)
}

/// How long a browser remembers that it may ask.
const DAY: std::time::Duration = std::time::Duration::from_secs(24 * 60 * 60);

#[derive(Debug, Clone)]
struct Served {
    provider: Arc<WalletProvider>,
    lists: Arc<StatusLists>,
    prints: Arc<Prints>,
    gzipped: Arc<Mutex<HashMap<String, Gzipped>>>,
}

/// A list's token as gzip makes it, beside the hash of the token.
#[derive(Debug, Clone)]
struct Gzipped {
    hash: [u8; 32],
    /// `None` where it is not worth it.
    content: Option<Vec<u8>>,
}

/// All status lists of one provider.
#[derive(Debug, Serialize, ToSchema)]
struct Aggregation {
    /// Their addresses.
    status_lists: Vec<String>,
}

/// The addresses of all status lists (Token Status List, 9.3)
#[utoipa::path(get, path = "/", tag = "status lists",
    responses((status = 200, body = Aggregation)))]
async fn status_lists(State(served): State<Served>) -> Result<Response, Problem> {
    let lists = served.provider.status_lists().await;
    let status_lists = lists.map_err(|error| Problem::internal(&error))?;
    let mut headers = HeaderMap::new();
    headers.insert(header::CACHE_CONTROL, served.caching());
    Ok((headers, Json(Aggregation { status_lists })).into_response())
}

/// A status list token, as JWT or CWT by `Accept`; without that header, as JWT
#[utoipa::path(get, path = "/{name}", tag = "status lists",
    params(
        ("name" = String, Path, description = "The list"),
        ("time" = Option<u64>, Query, description = "Historical resolution (8.4): not supported"),
        ("accept" = Option<String>, Header,
            description = "application/statuslist+jwt or application/statuslist+cwt")),
    responses(
        (status = 200, body = String, content_type = "application/statuslist+jwt",
            description = "The token. With application/statuslist+cwt, a COSE_Sign1 in binary"),
        (status = 304, description = "The client has it already"),
        (status = 404, body = Problem),
        (status = 406, body = Problem, description = "Neither form is accepted"),
        (status = 501, body = Problem, description = "Earlier states are not kept")))]
async fn status_list(
    State(served): State<Served>,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
    method: Method,
    request: HeaderMap,
) -> Response {
    let list = served.list(&name, query.as_deref(), &method, &request);
    let mut response = match list.await {
        Ok(response) => response,
        Err(problem) => problem.into_response(),
    };
    // Also of a refusal: another client is answered otherwise.
    response.headers_mut().append(
        header::VARY,
        HeaderValue::from_static("accept, accept-encoding"),
    );
    response
}

impl Served {
    async fn list(
        &self,
        name: &str,
        query: Option<&str>,
        method: &Method,
        request: &HeaderMap,
    ) -> Result<Response, Problem> {
        if asks_for_a_time(query) {
            return Err(Problem::new(
                StatusCode::NOT_IMPLEMENTED,
                "historical-resolution",
                "Earlier states of a status list are not kept",
            ));
        }
        let asked = Instant::now();
        let (format, file, stamp) = self.find(name, &formats(request)?).await?;
        // The draft asks for it (8.2): base64url leaves a quarter to be gained. What is
        // compressed already, in binary, gains nothing.
        let packed = format == TokenFormat::Jwt && takes_gzip(request);
        // Who has it already, or asks for the headers alone, is answered from memory.
        if let Some(hash) = self.prints.hash(&file, stamp)
            && let Some((length, packed)) = self.length(name, stamp, hash, packed)
        {
            let (tag, mut headers) = self.headers(hash, packed);
            if has_already(request, &tag) {
                return Ok((StatusCode::NOT_MODIFIED, headers).into_response());
            }
            if *method == Method::HEAD {
                describe(&mut headers, format, packed);
                headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
                return Ok(headers.into_response());
            }
        }
        let read = {
            let file = file.clone();
            tokio::task::spawn_blocking(move || Token::read(&file)).await
        };
        let token = match read.map_err(|error| Problem::internal(&error))? {
            Ok(token) => token,
            Err(error) if error.kind() == ErrorKind::NotFound => return Err(not_found()),
            Err(error) => return Err(Problem::internal(&error)),
        };
        self.prints.note(&file, &token, asked);
        let gzipped = match packed {
            true => self.gzipped(name, token.hash, &token.content).await,
            false => None,
        };
        let (tag, mut headers) = self.headers(token.hash, gzipped.is_some());
        if has_already(request, &tag) {
            return Ok((StatusCode::NOT_MODIFIED, headers).into_response());
        }
        describe(&mut headers, format, gzipped.is_some());
        Ok((headers, gzipped.unwrap_or(token.content)).into_response())
    }

    /// The representation's tag, and the headers that an answer has in any case.
    fn headers(&self, hash: [u8; 32], packed: bool) -> (String, HeaderMap) {
        let suffix = if packed { "-gz" } else { "" };
        let tag = format!("\"{}{suffix}\"", jose::b64::encode(hash));
        let mut headers = HeaderMap::new();
        if let Ok(tag) = HeaderValue::from_str(&tag) {
            headers.insert(header::ETAG, tag);
        }
        headers.insert(header::CACHE_CONTROL, self.caching());
        (tag, headers)
    }

    /// How long the representation is, and whether it is gzip, where that is known.
    fn length(&self, name: &str, stamp: Stamp, hash: [u8; 32], pack: bool) -> Option<(u64, bool)> {
        let plain = (stamp.length, false);
        if !pack {
            return Some(plain);
        }
        let memory = self.memory();
        let known = memory.get(name).filter(|known| known.hash == hash)?;
        Some(match &known.content {
            Some(content) => (u64::try_from(content.len()).unwrap_or(u64::MAX), true),
            None => plain,
        })
    }

    /// The first of these forms in which the list is there.
    async fn find(
        &self,
        name: &str,
        formats: &[TokenFormat],
    ) -> Result<(TokenFormat, PathBuf, Stamp), Problem> {
        for format in formats.iter().filter(|_| is_plain(name)) {
            let extension = match format {
                TokenFormat::Jwt => "jwt",
                TokenFormat::Cwt => "cwt",
            };
            let file = self.lists.folder.join(format!("{name}.{extension}"));
            match tokio::fs::metadata(&file).await {
                Ok(found) => return Ok((*format, file, Stamp::of(&found))),
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(Problem::internal(&error)),
            }
        }
        Err(not_found())
    }

    /// The token as gzip makes it, made once for each token.
    async fn gzipped(&self, name: &str, hash: [u8; 32], token: &[u8]) -> Option<Vec<u8>> {
        let known = self.memory().get(name).cloned();
        if let Some(known) = known.filter(|known| known.hash == hash) {
            return known.content;
        }
        let plain = token.to_vec();
        let content = tokio::task::spawn_blocking(move || gzip(&plain)).await;
        let content = content.ok().flatten();
        let gzipped = Gzipped {
            hash,
            content: content.clone(),
        };
        let mut memory = self.memory();
        if memory.len() >= MOST_GZIPPED {
            memory.clear();
        }
        memory.insert(name.to_owned(), gzipped);
        content
    }

    fn memory(&self) -> std::sync::MutexGuard<'_, HashMap<String, Gzipped>> {
        self.gzipped.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// As long as the token itself says.
    fn caching(&self) -> HeaderValue {
        let caching = format!("public, max-age={}", self.lists.ttl);
        HeaderValue::from_str(&caching).unwrap_or(HeaderValue::from_static("no-cache"))
    }
}

fn not_found() -> Problem {
    Problem::new(
        StatusCode::NOT_FOUND,
        "not-found",
        "There is no such status list",
    )
}

/// What the content is.
fn describe(headers: &mut HeaderMap, format: TokenFormat, packed: bool) {
    let media_type = HeaderValue::from_static(format.media_type());
    headers.insert(header::CONTENT_TYPE, media_type);
    if packed {
        let gzip = HeaderValue::from_static("gzip");
        headers.insert(header::CONTENT_ENCODING, gzip);
    }
}

/// How many lists' gzip is remembered. Only lists that are there get so far.
const MOST_GZIPPED: usize = 1024;

/// The forms that the client takes, the best first.
fn formats(request: &HeaderMap) -> Result<Vec<TokenFormat>, Problem> {
    const OFFERS: [TokenFormat; 2] = [TokenFormat::Jwt, TokenFormat::Cwt];
    let Some(qualities) = wanted(
        request,
        &header::ACCEPT,
        OFFERS.map(TokenFormat::media_type),
    ) else {
        return Ok(OFFERS.to_vec());
    };
    let mut offers: Vec<_> = OFFERS.into_iter().zip(qualities).collect();
    offers.retain(|(_, quality)| *quality > 0);
    // Of equals the first offer stays first.
    offers.sort_by_key(|(_, quality)| std::cmp::Reverse(*quality));
    if offers.is_empty() {
        return Err(Problem::new(
            StatusCode::NOT_ACCEPTABLE,
            "not-acceptable",
            "A status list is application/statuslist+jwt or application/statuslist+cwt",
        ));
    }
    Ok(offers.into_iter().map(|(format, _)| format).collect())
}

fn takes_gzip(request: &HeaderMap) -> bool {
    matches!(wanted(request, &header::ACCEPT_ENCODING, ["gzip"]), Some([quality]) if quality > 0)
}

fn asks_for_a_time(query: Option<&str>) -> bool {
    let query = query.unwrap_or_default();
    url::form_urlencoded::parse(query.as_bytes()).any(|(key, _)| key == "time")
}

/// Whether one of the client's tags is this one (RFC 9110, 13.1.2: weakly compared).
fn has_already(request: &HeaderMap, tag: &str) -> bool {
    let name: HeaderName = header::IF_NONE_MATCH;
    request
        .get_all(name)
        .into_iter()
        .filter_map(|tags| tags.to_str().ok())
        .flat_map(|tags| tags.split(','))
        .map(str::trim)
        .any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known) == tag)
}

/// `None` where less than a tenth is gained.
fn gzip(plain: &[u8]) -> Option<Vec<u8>> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    let packed = encoder
        .write_all(plain)
        .and_then(|()| encoder.finish())
        .ok()?;
    (packed.len() < plain.len() / 10 * 9).then_some(packed)
}
