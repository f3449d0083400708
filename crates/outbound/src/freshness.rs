use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use reqwest::header::{AGE, CACHE_CONTROL, DATE, EXPIRES, HeaderMap};

use crate::request::text;

/// How long an answer is fresh, as the server says (RFC 9111, 4.2). It is about
/// fetching again; what is signed says itself how long it is valid.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Freshness {
    /// For how long from now on; zero for what is not to be kept, `None` where the
    /// server says nothing.
    pub remaining: Option<Duration>,
    /// Whether the server asks that nothing be kept (`no-store`).
    pub no_store: bool,
}

impl Freshness {
    /// Until when, for an answer that came at `now`; `None` where the server says
    /// nothing.
    pub fn until(&self, now: Timestamp) -> Option<Timestamp> {
        let remaining = SignedDuration::try_from(self.remaining?).ok()?;
        Some(now.checked_add(remaining).unwrap_or(Timestamp::MAX))
    }

    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let control = Control::of(headers);
        if control.no_cache || control.no_store {
            return Self {
                remaining: Some(Duration::ZERO),
                no_store: control.no_store,
            };
        }
        let lifetime = control.max_age.or_else(|| expires_in(headers));
        let age = text(headers, AGE.as_str())
            .and_then(|age| age.trim().parse().ok())
            .map_or(Duration::ZERO, Duration::from_secs);
        Self {
            remaining: lifetime.map(|lifetime| lifetime.saturating_sub(age).min(MAX)),
            no_store: false,
        }
    }
}

#[derive(Default)]
struct Control {
    max_age: Option<Duration>,
    no_cache: bool,
    no_store: bool,
}

impl Control {
    fn of(headers: &HeaderMap) -> Self {
        let mut control = Self::default();
        let lines = headers.get_all(CACHE_CONTROL);
        let directives = lines.iter().filter_map(|line| line.to_str().ok());
        for directive in directives.flat_map(|line| line.split(',')).take(32) {
            let (name, value) = directive.split_once('=').unwrap_or((directive, ""));
            match name.trim().to_ascii_lowercase().as_str() {
                "no-cache" => control.no_cache = true,
                "no-store" => control.no_store = true,
                "max-age" => {
                    // One that cannot be read is stale (RFC 9111, 4.2.1); of two,
                    // the shorter holds.
                    let value = value.trim().trim_matches('"');
                    let age = Duration::from_secs(value.parse().unwrap_or(0));
                    control.max_age = Some(control.max_age.map_or(age, |known| known.min(age)));
                }
                _ => {}
            }
        }
        control
    }
}

/// `Expires` less `Date`, so that neither clock has to be right. A date that
/// cannot be read lies in the past (RFC 9111, 5.3).
fn expires_in(headers: &HeaderMap) -> Option<Duration> {
    let expires = text(headers, EXPIRES.as_str())?;
    let date = text(headers, DATE.as_str()).and_then(|date| http_date(&date))?;
    let lifetime = http_date(&expires).map_or(SignedDuration::ZERO, |e| e.duration_since(date));
    Some(Duration::try_from(lifetime).unwrap_or(Duration::ZERO))
}

fn http_date(text: &str) -> Option<Timestamp> {
    let zoned = jiff::fmt::rfc2822::parse(text).ok()?;
    Some(zoned.timestamp())
}

/// A year: what is called fresh for longer means "for ever" (RFC 9111, 1.2.2).
const MAX: Duration = Duration::from_secs(365 * 24 * 3600);

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use reqwest::header::{HeaderName, HeaderValue};
    use rstest::rstest;

    const DAY: &str = "Date: Sun, 06 Nov 1994 08:49:37 GMT";

    #[rstest]
    #[case::nothing(&[], None)]
    #[case::max_age(&["Cache-Control: max-age=60"], Some(60))]
    #[case::among_others(&["Cache-Control: public, Max-Age=\"60\" , immutable"], Some(60))]
    #[case::two(&["Cache-Control: max-age=60", "Cache-Control: max-age=30"], Some(30))]
    #[case::aged(&["Cache-Control: max-age=60", "Age: 45"], Some(15))]
    #[case::over_aged(&["Cache-Control: max-age=60", "Age: 90"], Some(0))]
    #[case::no_cache(&["Cache-Control: no-cache, max-age=60"], Some(0))]
    #[case::no_store(&["Cache-Control: no-store"], Some(0))]
    #[case::unreadable(&["Cache-Control: max-age=soon"], Some(0))]
    #[case::endless(&["Cache-Control: max-age=18446744073709551615"], Some(365 * 24 * 3600))]
    #[case::expires(&[DAY, "Expires: Sun, 06 Nov 1994 08:50:37 GMT"], Some(60))]
    #[case::past(&[DAY, "Expires: Sun, 06 Nov 1994 08:48:37 GMT"], Some(0))]
    #[case::zero(&[DAY, "Expires: 0"], Some(0))]
    #[case::max_age_wins(&[DAY, "Expires: Sun, 06 Nov 1994 08:50:37 GMT", "Cache-Control: max-age=5"], Some(5))]
    #[case::no_date(&["Expires: Sun, 06 Nov 1994 08:50:37 GMT"], None)]
    fn what_a_server_says(#[case] lines: &[&str], #[case] seconds: Option<u64>) {
        let mut headers = HeaderMap::new();
        for line in lines {
            let (name, value) = line.split_once(": ").unwrap();
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            headers.append(name, HeaderValue::from_str(value).unwrap());
        }
        let freshness = Freshness::of(&headers);
        assert_eq!(freshness.remaining, seconds.map(Duration::from_secs));
        let now = Timestamp::UNIX_EPOCH;
        let until = seconds.map(|s| Timestamp::from_second(s as i64).unwrap());
        assert_eq!(freshness.until(now), until);
    }
}
