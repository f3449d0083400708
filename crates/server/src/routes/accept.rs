//! `Accept` and `Accept-Encoding` (RFC 9110, 12.4 and 12.5), as far as something is
//! to be chosen by them.

use axum::http::{HeaderMap, HeaderName};

/// How many ranges of a header are looked at. Whoever sends more is served by the
/// first ones.
const MOST: usize = 64;

/// How much a client wants each of `offers`, from 0 (not at all) to 1000; `None`
/// without the header. `*` stands for any offer, `type/*` for any of the type.
///
/// What is no range is passed over, as if it were not there: a header of nothing else
/// accepts nothing.
pub(crate) fn wanted<const N: usize>(
    headers: &HeaderMap,
    name: &HeaderName,
    offers: [&str; N],
) -> Option<[u16; N]> {
    let mut lines = headers.get_all(name).into_iter().peekable();
    lines.peek()?;
    let ranges: Vec<Range> = lines
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','))
        .take(MOST)
        .filter_map(Range::read)
        .collect();
    Some(offers.map(|offer| {
        let best = ranges
            .iter()
            .filter_map(|range| Some((range.fit(offer)?, range.quality)))
            // The narrowest range decides, and of several the kindest.
            .max();
        best.map_or(0, |(_, quality)| quality)
    }))
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Range {
    name: String,
    quality: u16,
}

impl Range {
    fn read(text: &str) -> Option<Self> {
        let mut parts = text.split(';').map(str::trim);
        let name = parts.next().filter(|name| !name.is_empty())?;
        let mut quality = 1000;
        for parameter in parts {
            if let Some((key, value)) = parameter.split_once('=')
                && key.trim().eq_ignore_ascii_case("q")
            {
                quality = thousandths(value.trim())?;
            }
        }
        Some(Self {
            name: name.to_ascii_lowercase(),
            quality,
        })
    }

    /// How narrowly the range names the offer; `None` where it does not.
    fn fit(&self, offer: &str) -> Option<u8> {
        if self.name == offer {
            return Some(2);
        }
        if self.name == "*" || self.name == "*/*" {
            return Some(0);
        }
        let kind = self.name.strip_suffix("/*")?;
        let (of, _) = offer.split_once('/')?;
        (kind == of).then_some(1)
    }
}

/// `0`, `1`, `0.x` to three digits.
fn thousandths(text: &str) -> Option<u16> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = fraction.bytes().all(|b| b.is_ascii_digit()) && fraction.len() <= 3;
    let fraction: u16 = format!("{fraction:0<3}").parse().ok().filter(|_| digits)?;
    match whole {
        "0" => Some(fraction),
        "1" if fraction == 0 => Some(1000),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use axum::http::HeaderValue;
    use axum::http::header::ACCEPT;

    use super::*;

    fn of(lines: &[&[u8]]) -> Option<[u16; 2]> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(ACCEPT, HeaderValue::from_bytes(line).unwrap());
        }
        wanted(&headers, &ACCEPT, ["a/one", "a/two"])
    }

    #[test]
    fn the_narrowest_range_decides() {
        let cases: [(&str, [u16; 2]); 19] = [
            ("a/one", [1000, 0]),
            ("A/Two", [0, 1000]),
            ("a/one, a/two", [1000, 1000]),
            ("a/one;q=0.5, a/two;q=0.501", [500, 501]),
            ("a/*", [1000, 1000]),
            ("*/*;q=0.1", [100, 100]),
            ("*/*, a/one;q=0", [0, 1000]),
            ("a/*;q=0.2, a/two", [200, 1000]),
            ("a/one;version=1;Q=0.3", [300, 0]),
            ("b/*, text/html", [0, 0]),
            ("", [0, 0]),
            (",,;,", [0, 0]),
            // Not a quality: the range is passed over.
            ("a/one;q=2, a/two", [0, 1000]),
            ("a/one;q=0.1234, a/two", [0, 1000]),
            ("a/one;q=-1, a/two", [0, 1000]),
            ("a/one;q=1e9, a/two", [0, 1000]),
            ("a/one;q=, a/two", [0, 1000]),
            ("a/one;q=0.5;q=0.7", [700, 0]),
            ("a/*/*, */a, /*", [0, 0]),
        ];
        for (header, expected) in cases {
            assert_eq!(of(&[header.as_bytes()]), Some(expected), "{header}");
        }
        assert_eq!(of(&[]), None);
    }

    #[test]
    fn lines_are_one_header_and_what_is_no_text_is_passed_over() {
        assert_eq!(of(&[b"a/one;q=0.5", b"a/two"]), Some([500, 1000]));
        assert_eq!(of(&[b"\xff\xfe", b"a/two"]), Some([0, 1000]));
    }

    #[test]
    fn many_ranges_cost_little_and_give_nothing() {
        let many = "b/c,".repeat(10_000) + "a/one";
        assert_eq!(of(&[many.as_bytes()]), Some([0, 0]));
    }
}
