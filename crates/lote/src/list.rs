//! A checked list: what can be relied on once a list is used, rather than judged.

use finding::{Finding, Refusal, Severity};
use jiff::Timestamp;

use pki::Certificate;

use crate::lint::{KNOWN_ENTITY_EXTENSIONS, KNOWN_SERVICE_EXTENSIONS, SKEW, is_unknown_critical};
use crate::model::Pointer;
use crate::report::{Report, show};
use crate::{Profile, UncheckedList, rules, values};

/// A list that can be used: its version is known, its sequence and times can be
/// read, and it has no critical extension that is not understood.
///
/// What else may be wrong with it is for the [lint](crate::lint()) to say; it does
/// not keep the list from being used.
#[derive(Debug, Clone, PartialEq)]
pub struct List {
    content: UncheckedList,
    profile: Option<Profile>,
    lote_type: String,
    sequence: u64,
    issued: Timestamp,
    next_update: Option<Timestamp>,
}

impl List {
    /// Checks a list. Comes back with what was found and does not stand in the way.
    ///
    /// # Errors
    /// Refused when the list cannot be used: under [`rules::VERSION`],
    /// [`rules::SEQUENCE`], [`rules::TYPE`], [`rules::ISSUE_TIME`],
    /// [`rules::NEXT_UPDATE_FORM`], [`rules::DATE`] or
    /// [`rules::CRITICAL_EXTENSION`].
    pub fn check(content: UncheckedList) -> Result<(Self, Vec<Finding>), Refusal> {
        let scheme = content.scheme();
        let mut report = Report::default();
        if scheme.version != Some(1) {
            let evidence = format!("{:?}, and only 1 is read here", scheme.version);
            report.add(rules::VERSION.finding("LoTEVersionIdentifier", evidence));
        }
        let sequence = scheme.sequence.and_then(|n| u64::try_from(n).ok());
        if sequence.is_none_or(|n| n == 0) {
            let evidence = format!("{:?}", scheme.sequence);
            report.add(rules::SEQUENCE.finding("LoTESequenceNumber", evidence));
        }
        if scheme.lote_type.is_none() {
            report.add(rules::TYPE.finding("LoTEType", "missing"));
        }
        let issued = match scheme.list_issue_date_time.as_deref() {
            Some(text) => date("ListIssueDateTime", text, &mut report),
            None => {
                report.add(rules::ISSUE_TIME.finding("ListIssueDateTime", "missing"));
                None
            }
        };
        let next_update = match &scheme.next_update {
            Some(Some(text)) => date("NextUpdate", text, &mut report),
            Some(None) => {
                report.add(rules::CLOSED.finding("NextUpdate", "null: the list is closed"));
                None
            }
            None => {
                report.add(rules::NEXT_UPDATE_FORM.finding("NextUpdate", "missing"));
                None
            }
        };
        critical_extensions(&content, &mut report);
        let findings = Refusal::unless_clean(report.into_findings())?;
        let list = Self {
            profile: scheme.lote_type.as_deref().and_then(Profile::of_type),
            lote_type: scheme.lote_type.clone().unwrap_or_default(),
            sequence: sequence.unwrap_or_default(),
            issued: issued.unwrap_or_default(),
            next_update,
            content,
        };
        Ok((list, findings))
    }

    /// Whether the list may be used at this time (6.3.14, 6.3.15).
    ///
    /// # Errors
    /// A finding under [`rules::NEXT_UPDATE`] when it is past its NextUpdate, or
    /// under [`rules::ISSUE_TIME`] when it is not issued yet.
    pub fn current(&self, at: Timestamp) -> Result<(), Finding> {
        if self.issued.duration_since(at) > SKEW {
            let evidence = format!("issued {}, which lies after {at}", self.issued);
            return Err(rules::ISSUE_TIME.finding("ListIssueDateTime", evidence));
        }
        match self.next_update {
            Some(next) if next <= at => Err(rules::NEXT_UPDATE
                .finding("NextUpdate", format!("passed on {next}; judged at {at}"))),
            _ => Ok(()),
        }
    }

    /// The certificates that its pointers to itself announce as its sealers
    /// (6.3.13): the way a signer changes.
    pub fn announced_signers(&self) -> Vec<Certificate> {
        let own = self.content.scheme().own_pointers();
        own.flat_map(Pointer::certificates).collect()
    }

    /// What stands in it.
    pub fn content(&self) -> &UncheckedList {
        &self.content
    }

    /// The profile its type announces, where it is a known one.
    pub fn profile(&self) -> Option<Profile> {
        self.profile
    }

    /// Its LoTEType.
    pub fn lote_type(&self) -> &str {
        &self.lote_type
    }

    /// Its LoTESequenceNumber.
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// Its ListIssueDateTime.
    pub fn issued(&self) -> Timestamp {
        self.issued
    }

    /// Its NextUpdate; `None` for a closed list.
    pub fn next_update(&self) -> Option<Timestamp> {
        self.next_update
    }
}

fn date(member: &str, text: &str, report: &mut Report) -> Option<Timestamp> {
    let strict = values::date_time(text);
    let read = strict.or_else(|| values::date_time_tolerant(text));
    let evidence = || format!("{} is not of the form 2026-05-06T00:00:00Z", show(text));
    match (strict, read) {
        (Some(_), _) => {}
        (None, Some(_)) => {
            report.add(rules::DATE.finding_as(Severity::Warning, member, evidence()));
        }
        (None, None) => report.add(rules::DATE.finding(member, evidence())),
    }
    read
}

fn critical_extensions(content: &UncheckedList, report: &mut Report) {
    let scheme = content.scheme().scheme_extensions.iter();
    let mut found: Vec<String> = scheme
        .filter(|e| is_unknown_critical(e, &[]))
        .map(|_| "SchemeExtensions".to_owned())
        .collect();
    for entity in content.entities() {
        let extensions = entity.information.extensions.iter();
        let entity_extensions = extensions
            .filter(|e| is_unknown_critical(e, &KNOWN_ENTITY_EXTENSIONS))
            .map(|_| format!("TEInformationExtensions of {}", show(entity.name())));
        found.extend(entity_extensions);
        for service in &entity.services {
            let extensions = service.information.service_information_extensions.iter();
            let service_extensions = extensions
                .filter(|e| is_unknown_critical(e, &KNOWN_SERVICE_EXTENSIONS))
                .map(|_| format!("ServiceInformationExtensions of {}", show(entity.name())));
            found.extend(service_extensions);
        }
    }
    for subject in found {
        report.add(rules::CRITICAL_EXTENSION.finding(subject, "critical, and not recognized here"));
    }
}
