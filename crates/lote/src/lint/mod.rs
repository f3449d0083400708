//! The lint: every "shall" of clause 6 and of the annexes that can be checked
//! on the list alone.

mod entity;
mod scheme;
mod service;
mod text;

use finding::{Finding, Rule};
use jiff::{SignedDuration, Timestamp};
use pki::Certificate;
use serde_json::Value;

use crate::model::read_json;
use crate::profile::Table;
use crate::report::{Report, show};
use crate::{Profile, UncheckedList, rules, seal, shape, values};

/// How far a clock elsewhere may run ahead of ours.
pub(crate) const SKEW: SignedDuration = SignedDuration::from_mins(5);

/// Judges a list at a time. Without a profile, the LoTEType says which it is.
pub fn lint(list: &UncheckedList, profile: Option<Profile>, at: Timestamp) -> Vec<Finding> {
    let announced = list
        .scheme()
        .lote_type
        .as_deref()
        .and_then(Profile::of_type);
    let profile = profile.or(announced);
    let mut linter = Linter {
        profile,
        table: profile.map(Profile::table),
        at,
        issued: None,
        history_kept: list
            .scheme()
            .historical_information_period
            .is_some_and(|p| p != 0),
        report: Report::default(),
    };
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

/// One run over one list.
pub(crate) struct Linter {
    profile: Option<Profile>,
    table: Option<&'static Table>,
    at: Timestamp,
    issued: Option<Timestamp>,
    history_kept: bool,
    report: Report,
}

impl Linter {
    /// Adds a finding under a rule of the annexes, naming the table of this one.
    /// `table` is 1 for the scheme, 2 for entities, 3 for services.
    fn by_annex(
        &mut self,
        rule: &Rule,
        table: u8,
        clause: &str,
        subject: impl Into<String>,
        evidence: impl Into<String>,
    ) {
        let mut finding = rule.finding(subject, evidence);
        if let Some(annex) = self.table.and_then(|t| t.annex) {
            finding.clause =
                format!("ETSI TS 119 602 v1.1.1, Table {annex}.{table} ({clause})").into();
        }
        self.report.add(finding);
    }

    /// A date and time in the form of 6.1.3; a defect of form is a finding, and
    /// what can still be read is used.
    fn date(&mut self, path: &str, text: &str) -> Option<Timestamp> {
        let strict = values::date_time(text);
        self.report
            .demand(strict.is_some(), &rules::DATE, path, || {
                format!("{} is not of the form 2026-05-06T00:00:00Z", show(text))
            });
        strict.or_else(|| values::date_time_tolerant(text))
    }

    /// A URI (6.1.2).
    fn uri(&mut self, path: &str, uri: &str) {
        self.report
            .demand(values::is_uri(uri), &rules::URI, path, || {
                format!("{} is not an absolute URI", show(uri))
            });
    }

    fn country(&mut self, path: &str, code: &str) {
        self.report.demand(
            values::is_country(code),
            &rules::COUNTRY,
            path,
            || match code {
                "GB" => "GB is written UK".to_owned(),
                "GR" => "GR is written EL".to_owned(),
                _ => format!("{} is not a country code", show(code)),
            },
        );
    }
}

/// Whether an extension says that it is critical; `None` when it says neither.
pub(crate) fn criticality(extension: &Value) -> Option<bool> {
    let members = extension.as_object()?;
    members
        .iter()
        .find(|(name, _)| {
            ["critical", "iscritical", "criticality"].contains(&name.to_ascii_lowercase().as_str())
        })
        .and_then(|(_, value)| match value {
            Value::Bool(critical) => Some(*critical),
            Value::String(text) => text.parse().ok(),
            _ => None,
        })
}

/// The extensions of services that are recognized here.
pub(crate) const KNOWN_SERVICE_EXTENSIONS: [&str; 1] = ["ServiceUniqueIdentifier"];
/// The extensions of entities that are recognized here.
pub(crate) const KNOWN_ENTITY_EXTENSIONS: [&str; 1] = ["OtherAssociatedBodies"];

/// Whether an extension is critical and nothing in it is recognized.
pub(crate) fn is_unknown_critical(extension: &Value, known: &[&str]) -> bool {
    criticality(extension) == Some(true)
        && !extension
            .as_object()
            .is_some_and(|members| members.keys().any(|name| known.contains(&name.as_str())))
}
