//! One run of the lint over one list.

use std::collections::HashMap;

use finding::Rule;
use jiff::Timestamp;

use crate::profile::Table;
use crate::report::{Report, show};
use crate::{Profile, rules, values};

/// One run over one list.
pub(super) struct Linter {
    pub(super) profile: Option<Profile>,
    pub(super) table: Option<&'static Table>,
    pub(super) at: Timestamp,
    pub(super) issued: Option<Timestamp>,
    pub(super) history_kept: bool,
    /// The services by their unique identifiers.
    pub(super) ids: HashMap<String, Vec<Identified>>,
    pub(super) report: Report,
}

/// A service that has a unique identifier.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Identified {
    pub(super) entity: String,
    pub(super) service_type: String,
    pub(super) name: String,
}

impl Linter {
    /// A run by a profile, at a time.
    pub(super) fn new(profile: Option<Profile>, at: Timestamp) -> Self {
        Self {
            profile,
            table: profile.map(Profile::table),
            at,
            issued: None,
            history_kept: false,
            ids: HashMap::new(),
            report: Report::default(),
        }
    }

    /// Adds a finding under a rule of the annexes, naming the table of this one.
    /// `table` is 1 for the scheme, 2 for entities, 3 for services.
    pub(super) fn by_annex(
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
    pub(super) fn date(&mut self, path: &str, text: &str) -> Option<Timestamp> {
        let strict = values::date_time(text);
        self.report
            .demand(strict.is_some(), &rules::DATE, path, || {
                format!("{} is not of the form 2026-05-06T00:00:00Z", show(text))
            });
        strict.or_else(|| values::date_time_tolerant(text))
    }

    /// A URI (6.1.2).
    pub(super) fn uri(&mut self, path: &str, uri: &str) {
        self.report
            .demand(values::is_uri(uri), &rules::URI, path, || {
                format!("{} is not an absolute URI", show(uri))
            });
    }

    pub(super) fn country(&mut self, path: &str, code: &str) {
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
