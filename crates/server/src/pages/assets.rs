//! The style and the script, under names that change with their content, so that a
//! browser may keep them for good.

use std::sync::LazyLock;

use axum::extract::Path;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::trouble::{Trouble, What};

/// A file that is part of the program.
pub(super) struct Asset {
    /// Its address.
    pub(super) address: String,
    name: String,
    media_type: &'static str,
    content: &'static str,
}

pub(super) static STYLE: LazyLock<Asset> = LazyLock::new(|| {
    Asset::new("css", "text/css; charset=utf-8", include_str!("style.css"))
});
pub(super) static SCRIPT: LazyLock<Asset> = LazyLock::new(|| {
    let kind = "text/javascript; charset=utf-8";
    Asset::new("js", kind, include_str!("script.js"))
});

impl Asset {
    fn new(extension: &str, media_type: &'static str, content: &'static str) -> Self {
        let hash = jose::b64::encode(jose::sha256(content.as_bytes()));
        let short: String = hash.chars().take(22).collect();
        let name = format!("{short}.{extension}");
        Self {
            address: format!("{}/assets/{name}", super::HOME),
            name,
            media_type,
            content,
        }
    }
}

pub(super) async fn asset(Path(name): Path<String>) -> Response {
    let Some(asset) = [&*STYLE, &*SCRIPT].into_iter().find(|a| a.name == name) else {
        return Trouble::from(What::NotFound).into_response();
    };
    let headers = [
        (header::CONTENT_TYPE, asset.media_type),
        (header::CACHE_CONTROL, "public, max-age=31536000, immutable"),
    ];
    (StatusCode::OK, headers, asset.content).into_response()
}
