//! Dates, countries, languages, texts and URIs as the standard writes them (6.1,
//! Annex B).

use jiff::{SignedDuration, Timestamp, ToSpan, tz::TimeZone};
use pki::Identifier;

/// How far a clock elsewhere may run ahead of ours.
pub(crate) const SKEW: SignedDuration = SignedDuration::from_mins(5);

/// A date and time in exactly the form of 6.1.3: `2026-05-06T00:00:00Z`.
pub(crate) fn date_time(text: &str) -> Option<Timestamp> {
    const FORM: &[u8; 20] = b"dddd-dd-ddTdd:dd:ddZ";
    let bytes = text.as_bytes();
    let fits = bytes.len() == FORM.len()
        && bytes.iter().zip(FORM).all(|(b, form)| match form {
            b'd' => b.is_ascii_digit(),
            _ => b == form,
        });
    if fits { text.parse().ok() } else { None }
}

/// A date and time as tolerant readers take it: any RFC 3339 instant.
pub(crate) fn date_time_tolerant(text: &str) -> Option<Timestamp> {
    if text.len() > 64 {
        return None;
    }
    date_time(text).or_else(|| text.parse().ok())
}

/// Writes a date and time in the form of 6.1.3; the fraction is cut off.
pub fn write_date_time(at: Timestamp) -> String {
    let whole = Timestamp::from_second(at.as_second()).unwrap_or(at);
    whole.to_string()
}

/// The latest NextUpdate of a list issued at this time: 6 calendar months later.
pub(crate) fn six_months_after(issued: Timestamp) -> Option<Timestamp> {
    let zoned = issued
        .to_zoned(TimeZone::UTC)
        .checked_add(6.months())
        .ok()?;
    Some(zoned.timestamp())
}

/// A country code of 6.1.5 (a): ISO 3166-1 with UK for GB and EL for GR, and EU.
pub(crate) fn is_country(code: &str) -> bool {
    matches!(code, "UK" | "EL" | "EU") || (is_iso_country(code) && !matches!(code, "GB" | "GR"))
}

/// A country code of ISO 3166-1 alpha-2.
pub(crate) fn is_iso_country(code: &str) -> bool {
    code.len() == 2
        && code.bytes().all(|b| b.is_ascii_uppercase())
        && ISO_3166
            .as_bytes()
            .chunks_exact(2)
            .any(|known| known == code.as_bytes())
}

/// A territory of 6.1.5: a country, or a name for a group of states (b and c).
pub(crate) fn is_territory(code: &str) -> bool {
    if code.len() == 2 {
        return is_country(code) || code == "AP";
    }
    (3..=8).contains(&code.len()) && code.bytes().all(|b| b.is_ascii_uppercase())
}

/// A language tag: RFC 5646 in its usual length, in lower case but for a script
/// subtag, which Annex B itself writes `bg-Latn`.
pub(crate) fn is_language(tag: &str) -> bool {
    let mut parts = tag.split('-');
    let primary = parts.next().unwrap_or_default();
    let primary_fits =
        (2..=3).contains(&primary.len()) && primary.bytes().all(|b| b.is_ascii_lowercase());
    primary_fits
        && tag.len() <= 35
        && parts.all(|part| {
            let script = part.len() == 4
                && part.bytes().all(|b| b.is_ascii_alphabetic())
                && part.bytes().skip(1).all(|b| b.is_ascii_lowercase());
            let lower = (1..=8).contains(&part.len())
                && part
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
            script || lower
        })
}

/// Why a text may not stand in a list (B.2), if it may not.
pub(crate) fn text_defect(text: &str) -> Option<&'static str> {
    if text.trim().is_empty() {
        return Some("it is empty");
    }
    for c in text.chars() {
        match c {
            '\u{feff}' => return Some("it has a byte order mark"),
            '\u{e0000}'..='\u{e007f}' => return Some("it has a tag character"),
            '\u{e000}'..='\u{f8ff}' | '\u{f0000}'..='\u{10ffff}' => {
                return Some("it has a private-use character");
            }
            c if c.is_control() => return Some("it has a control character"),
            _ => {}
        }
    }
    has_mark_up(text).then_some("it has mark-up")
}

/// `<b>`, `</b>` or `<!--`: what B.2 (7) calls mark-up elements or tags.
fn has_mark_up(text: &str) -> bool {
    text.split('<').skip(1).any(|after| {
        let opens = after
            .chars()
            .next()
            .is_some_and(|c| c.is_ascii_alphabetic() || c == '/' || c == '!' || c == '?');
        opens && after.contains('>')
    })
}

/// The general syntax of an absolute URI (RFC 3986): a scheme, and characters
/// that a URI may have.
pub(crate) fn is_uri(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once(':') else {
        return false;
    };
    let scheme_fits = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'));
    if !scheme_fits || rest.is_empty() || rest.matches('#').count() > 1 {
        return false;
    }
    let mut bytes = rest.bytes();
    while let Some(b) = bytes.next() {
        let fits = match b {
            b'%' => {
                let mut hex = || bytes.next().is_some_and(|b| b.is_ascii_hexdigit());
                hex() && hex()
            }
            b => b.is_ascii_alphanumeric() || b"-._~:/?#[]@!$&'()*+,;=".contains(&b),
        };
        if !fits {
            return false;
        }
    }
    true
}

/// A URI of the web that names a host.
pub(crate) fn is_web(uri: &str) -> bool {
    let lower = uri
        .get(..8.min(uri.len()))
        .unwrap_or_default()
        .to_ascii_lowercase();
    let host = if lower.starts_with("https://") {
        uri.get(8..)
    } else if lower.starts_with("http://") {
        uri.get(7..)
    } else {
        None
    };
    is_uri(uri)
        && host.is_some_and(|h| h.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '['))
}

/// A `mailto:` URI with an address.
pub(crate) fn is_email(uri: &str) -> bool {
    let address = uri.strip_prefix("mailto:").unwrap_or_default();
    is_uri(uri)
        && address
            .split_once('@')
            .is_some_and(|(local, domain)| !local.is_empty() && !domain.is_empty())
}

/// A `tel:` URI with a number.
pub(crate) fn is_phone(uri: &str) -> bool {
    let number = uri.strip_prefix("tel:").unwrap_or_default();
    is_uri(uri) && number.bytes().filter(u8::is_ascii_digit).count() >= 3
}

/// A registration identifier with the semantics of EN 319 412-1, LEG-5.1.4-02 to
/// -04 or NAT-5.1.3-02 to -04, of a country that there is (`NTRDE-HRB12345`,
/// `VATBE-0123456789`, `PNOBE-85073003328`, `NO:SE-…`).
pub(crate) fn is_registration_identifier(text: &str) -> bool {
    let Ok(read) = Identifier::legal(text).or_else(|_| Identifier::natural(text)) else {
        return false;
    };
    match read.country {
        // What LEI identifiers have for a country, and VAT numbers for Northern
        // Ireland.
        "XG" => read.kind == "LEI",
        "XI" => read.kind == "VAT",
        "EL" | "UK" | "EU" => true,
        country => is_iso_country(country),
    }
}

const ISO_3166: &str = "ADAEAFAGAIALAMAOAQARASATAUAWAXAZBABBBDBEBFBGBHBIBJBLBMBNBOBQBRBSBTBVBWBYBZ\
CACCCDCFCGCHCICKCLCMCNCOCRCUCVCWCXCYCZDEDJDKDMDODZECEEEGEHERESETFIFJFKFMFOFRGAGBGDGEGFGGGHGIGLGMGN\
GPGQGRGSGTGUGWGYHKHMHNHRHTHUIDIEILIMINIOIQIRISITJEJMJOJPKEKGKHKIKMKNKPKRKWKYKZLALBLCLILKLRLSLTLULV\
LYMAMCMDMEMFMGMHMKMLMMMNMOMPMQMRMSMTMUMVMWMXMYMZNANCNENFNGNINLNONPNRNUNZOMPAPEPFPGPHPKPLPMPNPRPSPT\
PWPYQARERORSRURWSASBSCSDSESGSHSISJSKSLSMSNSOSRSSSTSVSXSYSZTCTDTFTGTHTJTKTLTMTNTOTRTTTVTWTZUAUGUMUS\
UYUZVAVCVEVGVIVNVUWFWSYEYTZAZMZW";

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("2026-05-06T00:00:00Z", true)]
    #[case("2026-05-06T00:00:00.0Z", false)]
    #[case("2026-05-06T00:00:00+00:00", false)]
    #[case("2026-05-06t00:00:00z", false)]
    #[case("2026-05-06 00:00:00Z", false)]
    #[case("2026-02-30T00:00:00Z", false)]
    #[case("26-05-06T00:00:00Z", false)]
    #[case("", false)]
    fn date_times_have_one_form(#[case] text: &str, #[case] expected: bool) {
        assert_eq!(date_time(text).is_some(), expected, "{text}");
    }

    #[test]
    fn a_written_date_time_has_no_fraction() {
        let at: Timestamp = "2026-05-06T01:02:03.999Z".parse().unwrap();
        assert_eq!(write_date_time(at), "2026-05-06T01:02:03Z");
    }

    #[rstest]
    #[case("2026-05-06T00:00:00Z", "2026-11-06T00:00:00Z")]
    #[case("2026-08-31T00:00:00Z", "2027-02-28T00:00:00Z")]
    fn six_months_are_calendar_months(#[case] issued: &str, #[case] latest: &str) {
        let issued = date_time(issued).unwrap();
        assert_eq!(six_months_after(issued), date_time(latest));
    }

    #[rstest]
    #[case("DE", true)]
    #[case("EU", true)]
    #[case("UK", true)]
    #[case("EL", true)]
    #[case("GB", false)]
    #[case("GR", false)]
    #[case("de", false)]
    #[case("XX", false)]
    #[case("DEU", false)]
    #[case("É", false)]
    fn countries(#[case] code: &str, #[case] expected: bool) {
        assert_eq!(is_country(code), expected, "{code}");
    }

    #[rstest]
    #[case("en", true)]
    #[case("bg-Latn", true)]
    #[case("pt-br", true)]
    #[case("EN", false)]
    #[case("english", false)]
    #[case("", false)]
    #[case("en-", false)]
    fn languages(#[case] tag: &str, #[case] expected: bool) {
        assert_eq!(is_language(tag), expected, "{tag}");
    }

    #[rstest]
    #[case("https://example.eu/a?b=c#d", true)]
    #[case("mailto:a@example.eu", true)]
    #[case("urn:x:y", true)]
    #[case("example.eu", false)]
    #[case("https://exa mple.eu", false)]
    #[case("https://example.eu/%zz", false)]
    #[case("https://example.eu/é", false)]
    #[case(":x", false)]
    fn uris(#[case] text: &str, #[case] expected: bool) {
        assert_eq!(is_uri(text), expected, "{text}");
    }

    #[rstest]
    #[case("NTRGB-10742851", true)]
    #[case("VATBE-0123456789", true)]
    #[case("LEIXG-5493001KJTIIGC8Y1R12", true)]
    #[case("NO:SE-1", true)]
    #[case("NTREU-1", true)]
    #[case("VATXI-123456789", true)]
    #[case("NTRXI-123456789", false)]
    #[case("PNOBE-85073003328", true)]
    #[case("XYZDE-1", false)]
    #[case("LEIDE-5493001KJTIIGC8Y1R12", false)]
    #[case("Example Ltd", false)]
    #[case("NTRXX-1", false)]
    #[case("NTRDE-", false)]
    #[case("NTRDE", false)]
    fn registration_identifiers(#[case] text: &str, #[case] expected: bool) {
        assert_eq!(is_registration_identifier(text), expected, "{text}");
    }

    #[rstest]
    #[case("A < B and B > C", None)]
    #[case("Müller & Söhne", None)]
    #[case("a\tb", Some("it has a control character"))]
    #[case("\u{feff}a", Some("it has a byte order mark"))]
    #[case("\u{e000}", Some("it has a private-use character"))]
    #[case("\u{e0041}", Some("it has a tag character"))]
    #[case("<b>a</b>", Some("it has mark-up"))]
    #[case(" ", Some("it is empty"))]
    fn texts(#[case] text: &str, #[case] expected: Option<&str>) {
        assert_eq!(text_defect(text), expected);
    }
}
