//! The lint: every "shall" of clause 6 and of the annexes that can be checked
//! on the list alone.

mod entity;
mod linter;
mod scheme;
mod service;
mod text;

use finding::Finding;
use jiff::Timestamp;
use pki::Certificate;
use serde_json::Value;

use crate::model::read_json;
use crate::report::Report;
use crate::{Profile, UncheckedList, rules, seal, shape};
use linter::Linter;

/// Judges a list at a time. Without a profile, the LoTEType says which it is.
pub fn lint(list: &UncheckedList, profile: Option<Profile>, at: Timestamp) -> Vec<Finding> {
    let announced = list
        .scheme()
        .lote_type
        .as_deref()
        .and_then(Profile::of_type);
    let profile = profile.or(announced);
    let mut linter = Linter::new(profile, at);
    let period = list.scheme().historical_information_period;
    linter.history_kept = period.is_some_and(|days| days != 0);
    linter.scheme(list.scheme());
    for (i, entity) in list.entities().iter().enumerate() {
        linter.entity(&format!("/LoTE/TrustedEntitiesList/{i}"), entity);
    }
    linter.report.into_findings()
}

/// What [`lint_bytes`] found, and in what.
#[derive(Debug, Clone, PartialEq)]
pub struct LintReport {
    /// The profile it was judged by, where there was one.
    pub profile: Option<Profile>,
    /// The list, where one could be read.
    pub list: Option<UncheckedList>,
    /// The certificate that its seal carries, whether or not the seal verifies.
    pub signer: Option<Certificate>,
    /// Everything found, errors and others.
    pub findings: Vec<Finding>,
}

/// Judges whatever these bytes are: a sealed list (compact JAdES), a list as
/// plain JSON, or anything else. A plain list lacks its seal, which is a finding;
/// use [`lint_draft`] for one that is yet to be sealed.
pub fn lint_bytes(bytes: &[u8], profile: Option<Profile>, at: Timestamp) -> LintReport {
    let mut report = Report::default();
    let Some(text) = readable(bytes, &mut report) else {
        return LintReport {
            profile,
            list: None,
            signer: None,
            findings: report.into_findings(),
        };
    };
    if seal::looks_compact(text) {
        let (payload, signer, findings) = seal::lint(text, at);
        report.extend(findings);
        return match payload {
            Some(payload) => LintReport {
                signer,
                ..finish(&payload, profile, at, report)
            },
            None => LintReport {
                profile,
                list: None,
                signer,
                findings: report.into_findings(),
            },
        };
    }
    let mut linted = lint_draft(text.as_bytes(), profile, at);
    if let Some(list) = &linted.list {
        linted.findings.insert(0, unsealed(list));
    }
    linted
}

/// Judges a list that is yet to be sealed: plain JSON.
pub fn lint_draft(bytes: &[u8], profile: Option<Profile>, at: Timestamp) -> LintReport {
    finish(bytes, profile, at, Report::default())
}

fn finish(bytes: &[u8], profile: Option<Profile>, at: Timestamp, mut report: Report) -> LintReport {
    let mut list = None;
    match read_json(bytes) {
        Err(refusal) => report.extend(refusal.into_findings()),
        Ok(value) => {
            report.extend(shape::judge(&value));
            if let Ok(read) = UncheckedList::from_value(value) {
                report.extend(lint(&read, profile, at));
                report.extend(seal::lint_dn_of_embedded(&read));
                list = Some(read);
            }
        }
    }
    let announced = list
        .as_ref()
        .and_then(|l| l.scheme().lote_type.as_deref())
        .and_then(Profile::of_type);
    LintReport {
        profile: profile.or(announced),
        list,
        signer: None,
        findings: report.into_findings(),
    }
}

/// The bytes as text, when they are within the limits and are text at all.
fn readable<'b>(bytes: &'b [u8], report: &mut Report) -> Option<&'b str> {
    // A compact seal is the list in base64, a third longer, and its header.
    let most = seal::MAX_BYTES;
    if bytes.len() > most {
        report.add(rules::JSON.finding(
            "list",
            format!("{} bytes, at most {most} are read", bytes.len()),
        ));
        return None;
    }
    match std::str::from_utf8(bytes) {
        Ok(text) if text.trim().is_empty() => {
            report.add(rules::JSON.finding("list", "there is nothing in it"));
            None
        }
        Ok(text) => Some(text.trim()),
        Err(e) => {
            report.add(rules::JSON.finding("list", format!("not UTF-8: {e}")));
            None
        }
    }
}

fn unsealed(list: &UncheckedList) -> Finding {
    let evidence = match list.other.get("signature") {
        Some(Value::Object(_)) => {
            "the list is plain JSON with a member `signature` beside it, not a compact JAdES seal"
        }
        Some(_) => "the list is plain JSON with a member `signature` that is not even an object",
        None => "the list is plain JSON without any seal",
    };
    rules::SEAL_FORM.finding("/", evidence)
}
