//! One certificate held against one profile.

use finding::{Finding, Rule, Severity};

use super::person::Person;
use super::purpose::Profile;
use crate::certificate::Certificate;
use crate::name::Name;
use crate::qc::{QcError, QcStatements};

/// A lint under way: what is looked at, and what was found.
pub(super) struct Lint<'c> {
    pub(super) certificate: &'c Certificate,
    pub(super) profile: Profile,
    pub(super) about: String,
    pub(super) subject: Name,
    pub(super) person: Person,
    pub(super) self_signed: bool,
    pub(super) statements: Result<Option<QcStatements>, QcError>,
    pub(super) findings: Vec<Finding>,
}

impl<'c> Lint<'c> {
    pub(super) fn new(certificate: &'c Certificate, profile: Profile) -> Self {
        let subject = certificate.subject_name();
        Self {
            certificate,
            profile,
            about: certificate.subject(),
            person: Person::of(&subject),
            subject,
            self_signed: certificate.is_self_signed(),
            statements: certificate.qc_statements(),
            findings: Vec::new(),
        }
    }

    pub(super) fn find(&mut self, rule: &Rule, evidence: impl Into<String>) {
        self.findings
            .push(rule.finding(self.about.as_str(), evidence));
    }

    pub(super) fn find_as(&mut self, severity: Severity, rule: &Rule, evidence: impl Into<String>) {
        self.findings
            .push(rule.finding_as(severity, self.about.as_str(), evidence));
    }

    /// A finding unless `holds`.
    pub(super) fn demand(&mut self, holds: bool, rule: &Rule, evidence: impl Into<String>) {
        if !holds {
            self.find(rule, evidence);
        }
    }
}
