use reqwest::header::{CONTENT_TYPE, ETAG, HeaderMap, LAST_MODIFIED};
use url::Url;

use crate::Freshness;

/// What is asked for.
#[derive(Debug, Clone)]
pub struct Request<'a> {
    pub(crate) url: &'a Url,
    pub(crate) schemes: Schemes,
    pub(crate) accept: Option<&'a str>,
    pub(crate) known: Option<&'a Validators>,
    pub(crate) body: Option<(&'a str, &'a [u8])>,
    pub(crate) max_bytes: usize,
}

/// Which schemes may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Schemes {
    /// https, and http to loopback where that is allowed.
    #[default]
    Https,
    /// http as well, for what is signed and meant to be fetched so, such as CRLs
    /// (RFC 5280, 8).
    HttpToo,
}

impl<'a> Request<'a> {
    /// Asks for what is at a URL, of at most `max_bytes`.
    pub fn get(url: &'a Url, max_bytes: usize) -> Self {
        Self {
            url,
            schemes: Schemes::Https,
            accept: None,
            known: None,
            body: None,
            max_bytes,
        }
    }

    /// Posts a body of this media type, and takes an answer of at most `max_bytes`.
    pub fn post(url: &'a Url, media_type: &'a str, body: &'a [u8], max_bytes: usize) -> Self {
        Self {
            body: Some((media_type, body)),
            ..Self::get(url, max_bytes)
        }
    }

    /// Which schemes may be used; [`Schemes::Https`] unless said.
    pub fn schemes(self, schemes: Schemes) -> Self {
        Self { schemes, ..self }
    }

    /// The media types wanted (`Accept`).
    pub fn accept(self, media_types: &'a str) -> Self {
        Self {
            accept: Some(media_types),
            ..self
        }
    }

    /// Only what differs from what is known: [`Fetched::NotModified`] otherwise.
    pub fn unless(self, known: &'a Validators) -> Self {
        Self {
            known: (!known.is_empty()).then_some(known),
            ..self
        }
    }
}

/// By what a server recognises a copy that we have.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Validators {
    /// `ETag`.
    pub etag: Option<String>,
    /// `Last-Modified`, as it was written.
    pub last_modified: Option<String>,
}

impl Validators {
    /// Whether there is nothing to recognise a copy by.
    pub fn is_empty(&self) -> bool {
        self.etag.is_none() && self.last_modified.is_none()
    }
}

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fetched {
    /// What we have is still current (304), and for how long again.
    NotModified(Freshness),
    /// Something new.
    Body(Response),
}

/// An answer with a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// The body.
    pub bytes: Vec<u8>,
    /// `Content-Type`.
    pub content_type: Option<String>,
    /// By what the server will recognise it.
    pub validators: Validators,
    /// How long the server calls it fresh.
    pub freshness: Freshness,
    /// Where it was found in the end, after the redirects.
    pub url: Url,
}

impl Response {
    pub(crate) fn of(headers: &HeaderMap, url: Url, bytes: Vec<u8>) -> Self {
        Self {
            bytes,
            content_type: text(headers, CONTENT_TYPE.as_str()),
            validators: Validators {
                etag: text(headers, ETAG.as_str()),
                last_modified: text(headers, LAST_MODIFIED.as_str()),
            },
            freshness: Freshness::of(headers),
            url,
        }
    }
}

/// A header's text; one that is longer than any we use counts as absent.
pub(crate) fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    let text = headers.get(name)?.to_str().ok()?;
    (text.len() <= MAX_HEADER).then(|| text.to_owned())
}

const MAX_HEADER: usize = 256;
