//! A checked list: what can be relied on once a list is used, rather than judged.

use finding::{Finding, Refusal, Severity};
use jiff::Timestamp;

use pki::Certificate;

use crate::critical::{KNOWN_ENTITY_EXTENSIONS, KNOWN_SERVICE_EXTENSIONS, is_unknown_critical};
use crate::model::{Entity, Pointer};
use crate::report::{Report, show};
use crate::values::SKEW;
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
    /// SHA-256 of its JSON, where it came with a seal.
    digest: Option<[u8; 32]>,
    /// Whether entities were let go of once they had been indexed.
    lean: bool,
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
        let mut report = Report::default();
        for entity in content.entities() {
            entity_extensions(entity, &mut report);
        }
        Self::check_scheme(content, report)
    }

    /// As [`List::check`], with what was found in the entities.
    pub(crate) fn check_scheme(
        content: UncheckedList,
        mut report: Report,
    ) -> Result<(Self, Vec<Finding>), Refusal> {
        let scheme = content.scheme();
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
        for extension in &scheme.scheme_extensions {
            if is_unknown_critical(extension, &[]) {
                report.add(unknown_critical("SchemeExtensions".to_owned()));
            }
        }
        let findings = Refusal::unless_clean(report.into_findings())?;
        let list = Self {
            profile: scheme.lote_type.as_deref().and_then(Profile::of_type),
            lote_type: scheme.lote_type.clone().unwrap_or_default(),
            sequence: sequence.unwrap_or_default(),
            issued: issued.unwrap_or_default(),
            next_update,
            content,
            digest: None,
            lean: false,
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
    /// (6.3.13): the way a signer changes. A pointer to the like list of another
    /// territory or operator announces nobody for this one.
    pub fn announced_signers(&self) -> Vec<Certificate> {
        let own = self.content.scheme().own_pointers();
        own.flat_map(Pointer::certificates).collect()
    }

    /// Whether the two are one version. Of a list whose entities were let go of,
    /// its bytes say.
    pub fn is_same_version(&self, other: &List) -> bool {
        match self.lean || other.lean {
            true => self.digest.is_some() && self.digest == other.digest,
            false => self.content == other.content,
        }
    }

    /// Remembers which bytes it was read from, and whether there is less in it.
    pub(crate) fn read_from(mut self, json: &[u8], lean: bool) -> Self {
        self.digest = Some(jose::sha256(json));
        self.lean = lean;
        self
    }

    /// Whether its entities were let go of, but for those with a status or a history
    /// ([`crate::Verifier::load`]).
    pub fn is_lean(&self) -> bool {
        self.lean
    }

    /// What stands in it; of a [lean](List::is_lean) list, less than was there.
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

/// The critical extensions of an entity and its services that are not understood.
pub(crate) fn entity_extensions(entity: &Entity, report: &mut Report) {
    let own = entity.information.extensions.iter();
    for _ in own.filter(|e| is_unknown_critical(e, &KNOWN_ENTITY_EXTENSIONS)) {
        let subject = format!("TEInformationExtensions of {}", show(entity.name()));
        report.add(unknown_critical(subject));
    }
    for service in &entity.services {
        let extensions = service.information.service_information_extensions.iter();
        for _ in extensions.filter(|e| is_unknown_critical(e, &KNOWN_SERVICE_EXTENSIONS)) {
            let subject = format!("ServiceInformationExtensions of {}", show(entity.name()));
            report.add(unknown_critical(subject));
        }
    }
}

fn unknown_critical(subject: String) -> Finding {
    rules::CRITICAL_EXTENSION.finding(subject, "critical, and not recognized here")
}
