//! The certificate profiles of the field, and the lint that holds a certificate
//! against them: TS 119 412-6, EN 319 412-2 and -3, TS 119 411-8.

mod access;
mod common;
mod statements;
mod subject;

use finding::{Finding, Rule, Severity};
use jiff::Timestamp;

use crate::certificate::Certificate;
use crate::name::Name;
use crate::oid::{self, Oid};
use crate::qc::{QcError, QcStatements};
use crate::rules;

pub(crate) use common::usage_text;
pub use subject::Person;

/// What a certificate is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Profile {
    /// A PID provider signs PIDs with it (TS 119 412-6, 4).
    Pid,
    /// A wallet provider signs attestations with it (TS 119 412-6, 5).
    Wallet,
    /// A provider of attestations (TS 119 412-6, 6).
    Eaa,
    /// A qualified provider of attestations (TS 119 412-6, 7).
    Qeaa,
    /// A public sector body's provider of attestations (TS 119 412-6, 8).
    PubEaa,
    /// A wallet-relying party's access certificate (TS 119 411-8).
    Access,
    /// A CA that issues any of these.
    Ca,
    /// The signer of a list of trusted entities (TS 119 602, 6.8).
    ListOperator,
    /// The signer of status lists.
    StatusList,
}

impl Profile {
    /// Every profile.
    pub const ALL: [Profile; 9] = [
        Profile::Pid,
        Profile::Wallet,
        Profile::Eaa,
        Profile::Qeaa,
        Profile::PubEaa,
        Profile::Access,
        Profile::Ca,
        Profile::ListOperator,
        Profile::StatusList,
    ];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Profile::Pid => "pid",
            Profile::Wallet => "wallet",
            Profile::Eaa => "eaa",
            Profile::Qeaa => "qeaa",
            Profile::PubEaa => "pub-eaa",
            Profile::Access => "access",
            Profile::Ca => "ca",
            Profile::ListOperator => "list-operator",
            Profile::StatusList => "status-list",
        }
    }

    /// The value its QcType statement holds.
    pub fn qc_type(self) -> Option<Oid> {
        match self {
            Profile::Pid => Some(oid::QCT_PID),
            Profile::Wallet => Some(oid::QCT_WAL),
            _ => None,
        }
    }
}

impl std::fmt::Display for Profile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}

/// There is no profile of that name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "no certificate profile {0:?}: pid, wallet, eaa, qeaa, pub-eaa, access, ca, list-operator or status-list is expected"
)]
pub struct UnknownProfile(pub String);

impl std::str::FromStr for Profile {
    type Err = UnknownProfile;

    fn from_str(name: &str) -> Result<Self, UnknownProfile> {
        Self::ALL
            .into_iter()
            .find(|profile| profile.name() == name)
            .ok_or_else(|| UnknownProfile(name.chars().take(40).collect()))
    }
}

/// Holds a certificate against a profile, as of `at`. Each rule it breaks is a
/// finding; a certificate without an error among them conforms.
pub fn lint(certificate: &Certificate, profile: Profile, at: Timestamp) -> Vec<Finding> {
    let mut lint = Lint::new(certificate, profile, at);
    common::every_certificate(&mut lint);
    match profile {
        Profile::Pid | Profile::Wallet => {
            subject::person(&mut lint);
            common::leaf(&mut lint);
            common::content_key_usage(&mut lint, true);
            common::criticality(&mut lint);
            common::provider_extensions(&mut lint);
            statements::provider_qc_type(&mut lint);
        }
        Profile::Eaa => {
            subject::person(&mut lint);
            common::leaf(&mut lint);
            common::content_key_usage(&mut lint, false);
            common::authority_information(&mut lint);
        }
        Profile::Qeaa | Profile::PubEaa => {
            subject::person(&mut lint);
            common::leaf(&mut lint);
            common::content_key_usage(&mut lint, false);
            common::attestation_authority_information(&mut lint);
            if profile == Profile::PubEaa {
                statements::public_body(&mut lint);
            }
        }
        Profile::Access => {
            subject::person(&mut lint);
            common::leaf(&mut lint);
            common::authority_information(&mut lint);
            access::check(&mut lint);
        }
        Profile::Ca => common::ca(&mut lint),
        Profile::ListOperator => common::list_operator(&mut lint),
        Profile::StatusList => common::status_list(&mut lint),
    }
    lint.findings
}

/// A lint under way: what is looked at, and what was found.
struct Lint<'c> {
    certificate: &'c Certificate,
    profile: Profile,
    at: Timestamp,
    about: String,
    subject: Name,
    person: Person,
    self_signed: bool,
    statements: Result<Option<QcStatements>, QcError>,
    findings: Vec<Finding>,
}

impl<'c> Lint<'c> {
    fn new(certificate: &'c Certificate, profile: Profile, at: Timestamp) -> Self {
        let subject = certificate.subject_name();
        Self {
            certificate,
            profile,
            at,
            about: certificate.subject(),
            person: Person::of(&subject),
            subject,
            self_signed: certificate.is_self_signed(),
            statements: certificate.qc_statements(),
            findings: Vec::new(),
        }
    }

    fn find(&mut self, rule: &Rule, evidence: impl Into<String>) {
        self.findings
            .push(rule.finding(self.about.as_str(), evidence));
    }

    fn find_as(&mut self, severity: Severity, rule: &Rule, evidence: impl Into<String>) {
        self.findings
            .push(rule.finding_as(severity, self.about.as_str(), evidence));
    }

    /// A finding unless `holds`.
    fn demand(&mut self, holds: bool, rule: &Rule, evidence: impl Into<String>) {
        if !holds {
            self.find(rule, evidence);
        }
    }
}

/// Findings about a validity period, as of a time.
pub(crate) fn validity(certificate: &Certificate, about: &str, at: Timestamp) -> Option<Finding> {
    if at < certificate.not_before() {
        let evidence = format!("notBefore is {}, the time {at}", certificate.not_before());
        return Some(rules::NOT_YET_VALID.finding(about, evidence));
    }
    if at > certificate.not_after() {
        let evidence = format!("notAfter is {}, the time {at}", certificate.not_after());
        return Some(rules::EXPIRED.finding(about, evidence));
    }
    None
}
