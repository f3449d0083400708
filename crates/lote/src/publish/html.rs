//! The one place where mark-up is written.
//!
//! Mark-up is `&'static str`, so nothing from outside can be any; everything else
//! goes through [`Html::text`] or [`Html::attribute`], which escape it.

use jiff::Timestamp;
use jose::b64;

use crate::model::Text;
use crate::values;

const STYLE: &str = include_str!("style.css");

/// A page in the making.
#[derive(Debug, Default)]
pub(super) struct Html(String);

impl Html {
    /// Begins a page: its head, and the link that leads past its header.
    pub(super) fn begin(title: &str) -> Self {
        let mut html = Self::default();
        html.raw("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n");
        html.raw("<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'sha256-");
        html.0
            .push_str(&b64::encode_std(jose::sha256(STYLE.as_bytes())));
        html.raw("'; base-uri 'none'; form-action 'none'\"/>\n");
        html.raw("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n");
        html.raw("<meta name=\"referrer\" content=\"no-referrer\"/>\n");
        html.raw("<meta name=\"color-scheme\" content=\"light dark\"/>\n<title>");
        html.text(title).raw("</title>\n<style>");
        html.raw(STYLE);
        html.raw("</style>\n</head>\n<body>\n<a class=\"skip\" href=\"#content\">Skip to the content</a>\n");
        html
    }

    /// Ends it.
    pub(super) fn end(mut self) -> String {
        self.raw("</body>\n</html>\n");
        self.0
    }

    /// Mark-up.
    pub(super) fn raw(&mut self, markup: &'static str) -> &mut Self {
        self.0.push_str(markup);
        self
    }

    /// Text, escaped.
    pub(super) fn text(&mut self, text: &str) -> &mut Self {
        escape(text, &mut self.0);
        self
    }

    /// An attribute, escaped and in quotes, with a space before it.
    pub(super) fn attribute(&mut self, name: &'static str, value: &str) -> &mut Self {
        self.raw(" ").raw(name).raw("=\"");
        escape(value, &mut self.0);
        self.raw("\"")
    }

    /// Text from outside, which may run from right to left without turning
    /// around what stands beside it.
    pub(super) fn bdi(&mut self, text: &str) -> &mut Self {
        self.raw("<bdi>").text(text).raw("</bdi>")
    }

    /// Text from outside in the language that it says it is in.
    pub(super) fn spoken(&mut self, text: &Text) -> &mut Self {
        self.raw("<bdi");
        if let Some(lang) = text.lang.as_deref().filter(|l| values::is_language(l)) {
            self.attribute("lang", lang);
        }
        self.raw(">").text(text.text()).raw("</bdi>")
    }

    /// A URI from outside: a link where it leads to the web, to a mailbox or to
    /// a telephone, and text otherwise.
    pub(super) fn uri(&mut self, uri: &str) -> &mut Self {
        let shown = uri
            .strip_prefix("mailto:")
            .or_else(|| uri.strip_prefix("tel:"))
            .unwrap_or(uri);
        if values::is_web(uri) || values::is_email(uri) || values::is_phone(uri) {
            self.raw("<a rel=\"external noopener noreferrer nofollow\"")
                .attribute("href", uri)
                .raw(">")
                .text(shown)
                .raw("</a>")
        } else {
            self.raw("<bdi>").text(uri).raw("</bdi>")
        }
    }

    /// A moment, in words and for machines.
    pub(super) fn time(&mut self, at: Timestamp) -> &mut Self {
        let words = at.strftime("%-d %B %Y, %H:%M:%S UTC").to_string();
        self.moment(at, &words)
    }

    /// A moment, its day alone in words.
    pub(super) fn day(&mut self, at: Timestamp) -> &mut Self {
        let words = at.strftime("%-d %B %Y").to_string();
        self.moment(at, &words)
    }

    fn moment(&mut self, at: Timestamp, words: &str) -> &mut Self {
        let exact = values::write_date_time(at);
        self.raw("<time")
            .attribute("datetime", &exact)
            .attribute("title", &exact)
            .raw(">")
            .text(words)
            .raw("</time>")
    }

    /// A moment as text from outside.
    pub(super) fn claimed_time(&mut self, text: &str) -> &mut Self {
        match values::date_time_tolerant(text) {
            Some(at) => self.time(at),
            None => self.bdi(text),
        }
    }

    /// Digits and identifiers that are compared or copied.
    pub(super) fn code(&mut self, text: &str) -> &mut Self {
        self.raw("<code>").text(text).raw("</code>")
    }

    /// One row of a list of facts.
    pub(super) fn fact(&mut self, name: &'static str, value: impl FnOnce(&mut Self)) -> &mut Self {
        self.raw("<div><dt>").raw(name).raw("</dt><dd>");
        value(self);
        self.raw("</dd></div>\n")
    }

    /// Several values of one fact, each on its own line.
    pub(super) fn lines<T>(
        &mut self,
        items: impl IntoIterator<Item = T>,
        mut line: impl FnMut(&mut Self, T),
    ) -> &mut Self {
        for item in items {
            self.raw("<span class=\"line\">");
            line(self, item);
            self.raw("</span>");
        }
        self
    }
}

/// Escapes text for content and for quoted attributes. Characters that cannot be
/// seen, or that change the order of what stands around them, are named instead.
fn escape(text: &str, out: &mut String) {
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\n' | '\t' | '\r' => out.push(' '),
            c if is_unseen(c) => {
                out.push_str("\u{27e8}U+");
                out.push_str(&format!("{:04X}", u32::from(c)));
                out.push('\u{27e9}');
            }
            c => out.push(c),
        }
    }
}

/// Controls, marks of direction, fillers of no width and tags. The joiners
/// U+200C and U+200D are part of how some languages are written.
fn is_unseen(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{180e}' | '\u{200b}'
            | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{3164}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn written(write: impl FnOnce(&mut Html)) -> String {
        let mut html = Html::default();
        write(&mut html);
        html.0
    }

    #[rstest]
    #[case("<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;")]
    #[case("\" onclick='x'", "&quot; onclick=&#39;x&#39;")]
    #[case("a & b", "a &amp; b")]
    #[case("&lt;", "&amp;lt;")]
    #[case("\u{202e}gpj.exe", "\u{27e8}U+202E\u{27e9}gpj.exe")]
    #[case(
        "a\u{0}\u{1b}[31m",
        "a\u{27e8}U+0000\u{27e9}\u{27e8}U+001B\u{27e9}[31m"
    )]
    #[case("a\u{200b}b", "a\u{27e8}U+200B\u{27e9}b")]
    #[case("a\nb", "a b")]
    #[case("می\u{200c}خواهم", "می\u{200c}خواهم")]
    fn text_is_escaped(#[case] text: &str, #[case] expected: &str) {
        assert_eq!(
            written(|h| {
                h.text(text);
            }),
            expected
        );
        let quoted = format!(" title=\"{expected}\"");
        assert_eq!(
            written(|h| {
                h.attribute("title", text);
            }),
            quoted
        );
    }

    #[rstest]
    #[case("https://example.eu/?a=b&c=d", true)]
    #[case("mailto:a@example.eu", true)]
    #[case("tel:+49301234567", true)]
    #[case("javascript:alert(1)", false)]
    #[case("JAVASCRIPT://example.eu/%0aalert(1)", false)]
    #[case("data:text/html,<b>x</b>", false)]
    #[case("https://example.eu/\" onclick=\"x", false)]
    #[case("vbscript:x", false)]
    #[case("//example.eu", false)]
    #[case("", false)]
    fn only_harmless_uris_are_links(#[case] uri: &str, #[case] link: bool) {
        let html = written(|h| {
            h.uri(uri);
        });
        assert_eq!(html.contains(" href="), link, "{html}");
        assert_eq!(html.matches('"').count() % 2, 0, "{html}");
    }

    #[test]
    fn a_language_that_is_none_is_not_written() {
        let text = |lang: &str| Text {
            lang: Some(lang.into()),
            ..Text::en("x")
        };
        let with = written(|h| {
            h.spoken(&text("de"));
        });
        assert_eq!(with, "<bdi lang=\"de\">x</bdi>");
        let without = written(|h| {
            h.spoken(&text("\" onclick=\"x"));
        });
        assert_eq!(without, "<bdi>x</bdi>");
    }

    #[test]
    fn the_style_cannot_end_its_element() {
        assert!(!STYLE.contains('<') && !STYLE.contains("url(") && !STYLE.contains("@import"));
    }
}
