//! The header of a JAdES baseline B seal.

use finding::{Finding, Severity};
use jiff::Timestamp;
use jose::jws::{JwsError, Unverified};
use jose::{HashAlg, Map, b64};
use pki::Certificate;
use serde_json::Value;

use crate::report::{Report, show};
use crate::{cert, model, rules};

/// The size of a sealed list that is read: the list in base64, and its header.
pub const MAX_BYTES: usize = model::LIMITS.max_bytes / 3 * 4 + 512 * 1024;

/// The header parameters of JAdES that are processed here when `crit` names them.
pub const UNDERSTOOD: [&str; 4] = ["sigT", "iat", "x5t#o", "sigX5ts"];

/// `sigT` was for seals made before this day (JAdES v1.2.1).
const SIG_T_UNTIL: i64 = 1_752_537_600; // 2025-07-15T00:00:00Z

/// What the header of a seal says.
#[derive(Debug)]
pub struct Header {
    /// The certificates it carries, the signer's first.
    pub chain: Vec<Certificate>,
    /// The claimed time of the seal.
    pub time: Option<Timestamp>,
    /// What is not as baseline B has it. What the wild is known for comes with
    /// its rule's own weight, and is for the mode to weigh.
    pub deviations: Vec<Finding>,
    /// What no mode accepts.
    pub defects: Vec<Finding>,
}

/// Judges the header of a signature whose form was read; what `crit` names has to be
/// accepted as [`UNDERSTOOD`] by then.
pub fn judge(jws: &Unverified) -> Header {
    let header = jws.header();
    let mut deviations = Report::default();
    let mut defects = Report::default();

    let chain = match chain(jws) {
        Ok(chain) => chain,
        Err(defect) => {
            defects.add(defect);
            Vec::new()
        }
    };
    if chain.is_empty() && header.get("x5c").is_none() {
        deviations.add(rules::SEAL_CERTIFICATE.finding("header", "no x5c"));
    }
    let time = signing_time(header, &mut deviations, &mut defects);
    certificate_digest(header, chain.first(), &mut deviations, &mut defects);
    for name in ["sigD", "b64"] {
        if header.contains_key(name) {
            // Neither is in UNDERSTOOD, so within crit the reader refused it.
            defects.add(rules::SEAL_CRIT.finding("header", format!("{name} stands outside crit")));
        }
    }
    match header.get("typ") {
        None => {}
        Some(Value::String(typ)) if typ.eq_ignore_ascii_case("JOSE") => {}
        Some(typ) => {
            let seen = typ.as_str().map_or_else(|| "not a string".to_owned(), show);
            deviations.add(rules::SEAL_TYP.finding("header", format!("typ is {seen}")));
        }
    }
    Header {
        chain,
        time,
        deviations: deviations.into_findings(),
        defects: defects.into_findings(),
    }
}

/// The certificate digests that the header has, to find the signer by.
pub(super) fn matches_digest(header: &Map, certificate: &Certificate) -> bool {
    header
        .get("x5t#S256")
        .and_then(Value::as_str)
        .and_then(|text| b64::decode(text).ok())
        .is_some_and(|digest| digest == certificate.sha256())
}

/// Why a text is no seal at all, under the rule that it breaks.
pub(super) fn refusal_of(error: &JwsError) -> Finding {
    let rule = match error {
        JwsError::TooLarge { .. } => &rules::JSON,
        JwsError::Algorithm(_) => &rules::SEAL_ALGORITHM,
        JwsError::MalformedCrit(_) | JwsError::UnknownCrit(_) => &rules::SEAL_CRIT,
        JwsError::X5c => &rules::SEAL_CERTIFICATE,
        JwsError::AlgorithmMismatch { .. } | JwsError::BadSignature => &rules::SEAL_SIGNATURE,
        _ => &rules::SEAL_FORM,
    };
    rule.finding_as(Severity::Error, "seal", error.to_string())
}

fn chain(jws: &Unverified) -> Result<Vec<Certificate>, Finding> {
    let x5c = jws.x5c().map_err(|e| refusal_of(&e))?.unwrap_or_default();
    x5c.iter()
        .map(|der| {
            cert::read_der(der).map_err(|why| {
                rules::SEAL_CERTIFICATE.finding("header", format!("a certificate in x5c: {why}"))
            })
        })
        .collect()
}

fn signing_time(header: &Map, deviations: &mut Report, defects: &mut Report) -> Option<Timestamp> {
    let iat = header.get("iat").map(|value| {
        let seconds = value.as_i64().and_then(|s| Timestamp::from_second(s).ok());
        seconds.ok_or("iat is not a time in whole seconds")
    });
    let sig_t = header.get("sigT").map(|value| {
        let time = value.as_str().and_then(crate::values::date_time);
        time.ok_or("sigT is not of the form 2026-05-06T00:00:00Z")
    });
    let rule = &rules::SEAL_TIME;
    match (iat, sig_t) {
        (Some(Ok(time)), None) => Some(time),
        (None, Some(Ok(time))) => {
            if time.as_second() >= SIG_T_UNTIL {
                let evidence = format!("sigT of {time}, and iat is used since 2025-07-15");
                deviations.add(rule.finding("header", evidence));
            }
            Some(time)
        }
        (None, None) => {
            deviations.add(rule.finding("header", "neither iat nor sigT"));
            None
        }
        (Some(Err(why)), _) | (_, Some(Err(why))) => {
            defects.add(rule.finding("header", why));
            None
        }
        (Some(Ok(iat)), Some(Ok(sig_t))) => {
            let evidence = format!("both iat ({iat}) and sigT ({sig_t})");
            deviations.add(rule.finding("header", evidence));
            // The earlier claim would let an expired certificate in.
            Some(iat.max(sig_t))
        }
    }
}

fn certificate_digest(
    header: &Map,
    leaf: Option<&Certificate>,
    deviations: &mut Report,
    defects: &mut Report,
) {
    let rule = &rules::SEAL_CERT_DIGEST;
    let present: Vec<&str> = ["x5t#S256", "x5t#o", "sigX5ts"]
        .into_iter()
        .filter(|name| header.contains_key(*name))
        .collect();
    match present.as_slice() {
        [] => deviations.add(rule.finding("header", "none of x5t#S256, x5t#o and sigX5ts")),
        [_] => {}
        more => deviations.add(rule.finding("header", format!("{} together", more.join(" and ")))),
    }
    // A digest that is there has to be of the signer's certificate, in any mode.
    let Some(leaf) = leaf else { return };
    for name in present {
        let value = header.get(name).unwrap_or(&Value::Null);
        let first = match name {
            "x5t#S256" => Some(("S256", value.as_str())),
            "x5t#o" => digest_of(value),
            _ => value.as_array().and_then(|a| a.first()).and_then(digest_of),
        };
        let holds = first.is_some_and(|(algorithm, digest)| {
            let hash = match algorithm {
                "S256" => HashAlg::Sha256,
                "S384" => HashAlg::Sha384,
                "S512" => HashAlg::Sha512,
                _ => return false,
            };
            let digest = digest.and_then(|text| b64::decode(text).ok());
            digest.is_some_and(|digest| digest == hash.digest(leaf.der()))
        });
        if !holds {
            let evidence = format!("{name} is not of the certificate in x5c");
            defects.add(rule.finding("header", evidence));
        }
    }
}

/// `{digAlg, digVal}` of `x5t#o` (JAdES), the algorithm by its short name.
fn digest_of(value: &Value) -> Option<(&str, Option<&str>)> {
    let algorithm = match value.get("digAlg")?.as_str()? {
        "S256" | "http://www.w3.org/2001/04/xmlenc#sha256" => "S256",
        "S384" | "http://www.w3.org/2001/04/xmldsig-more#sha384" => "S384",
        "S512" | "http://www.w3.org/2001/04/xmlenc#sha512" => "S512",
        other => other,
    };
    Some((algorithm, value.get("digVal").and_then(Value::as_str)))
}
