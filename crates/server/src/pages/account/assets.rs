//! The style and the script, under names that change with their content, so that a
//! browser may keep them for good.

use std::sync::LazyLock;

use axum::extract::Path;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::trouble::{Trouble, What};

/// A file that is part of the program.
pub(crate) struct Asset {
    /// Its address.
    pub(crate) address: String,
    name: String,
    media_type: &'static str,
    content: &'static str,
}

pub(crate) static STYLE: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("css", "text/css; charset=utf-8", include_str!("style.css")));
pub(super) static SCRIPT: LazyLock<Asset> = LazyLock::new(|| {
    let kind = "text/javascript; charset=utf-8";
    Asset::new("js", kind, include_str!("script.js"))
});

pub(super) static ICON: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("svg", "image/svg+xml", include_str!("icon.svg")));

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
    let Some(asset) = [&*STYLE, &*SCRIPT, &*ICON]
        .into_iter()
        .find(|a| a.name == name)
    else {
        return Trouble::from(What::NotFound).into_response();
    };
    let headers = [
        (header::CONTENT_TYPE, asset.media_type),
        (header::CACHE_CONTROL, "public, max-age=31536000, immutable"),
    ];
    (StatusCode::OK, headers, asset.content).into_response()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]
    use super::*;

    /// The colours of texts on what they stand on, by WCAG 2.2, 1.4.3: 4.5 to 1; and of
    /// a field's edge, by 1.4.11: 3 to 1.
    #[test]
    fn every_text_and_edge_has_contrast_in_both_schemes() {
        let (light, dark) = STYLE
            .content
            .split_once("prefers-color-scheme: dark")
            .unwrap();
        for (scheme, text) in [("light", light), ("dark", dark)] {
            let luminance = |name: &str| {
                let after = text.split_once(&format!("{name}: #")).expect(name).1;
                let digits = u32::from_str_radix(&after[..6], 16).unwrap();
                let part = |shift: u32| {
                    let c = f64::from(digits >> shift & 0xff) / 255.0;
                    match c <= 0.040_45 {
                        true => c / 12.92,
                        false => ((c + 0.055) / 1.055).powf(2.4),
                    }
                };
                0.2126 * part(16) + 0.7152 * part(8) + 0.0722 * part(0)
            };
            for (ink, on, least) in [
                ("--ink", "--paper", 4.5),
                ("--ink", "--card", 4.5),
                ("--ink", "--tint", 4.5),
                ("--ink", "--good-tint", 4.5),
                ("--soft", "--paper", 4.5),
                ("--soft", "--card", 4.5),
                ("--soft", "--tint", 4.5),
                ("--mark", "--paper", 4.5),
                ("--mark", "--card", 4.5),
                ("--mark", "--tint", 4.5),
                ("--on-mark", "--mark", 4.5),
                ("--on-bad", "--bad", 4.5),
                ("--good", "--good-tint", 4.5),
                ("--bad", "--bad-tint", 4.5),
                ("--edge", "--card", 3.0),
                ("--edge", "--paper", 3.0),
            ] {
                let (one, other) = (luminance(ink), luminance(on));
                let contrast = (one.max(other) + 0.05) / (one.min(other) + 0.05);
                assert!(
                    contrast >= least,
                    "{scheme}: {ink} on {on} is {contrast:.2}"
                );
            }
        }
    }

    #[test]
    fn nothing_comes_from_elsewhere() {
        for asset in [&*STYLE, &*SCRIPT] {
            for word in [
                "http:",
                "https:",
                "//cdn",
                "@import",
                "url(",
                "eval(",
                "innerHTML",
            ] {
                assert!(!asset.content.contains(word), "{word}");
            }
        }
    }
}
