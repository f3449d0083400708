//! Two versions of a list beside each other: what changed, in words, and whether
//! the one may follow the other.

use std::collections::BTreeMap;

use finding::Finding;
use serde::Serialize;
use serde_json::Value;

use crate::cert::{self, Read};
use crate::model::{Entity, Pointer, SchemeInformation, Service};
use crate::report::{Report, show};
use crate::{List, UncheckedList, VerifiedList, rules};

/// One thing that changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// What kind of change.
    pub kind: ChangeKind,
    /// Where: the scheme, an entity, or an entity and its service.
    pub subject: String,
    /// What, in words.
    pub words: String,
}

/// What kind of change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ChangeKind {
    /// It was not there before.
    Added,
    /// It is not there any more.
    Removed,
    /// It is something else.
    Changed,
}

impl std::fmt::Display for Change {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.subject, self.words)
    }
}

/// What changed from `old` to `new`.
pub fn diff(old: &UncheckedList, new: &UncheckedList) -> Vec<Change> {
    let mut changes = Vec::new();
    scheme(old, new, &mut changes);
    let before = by_name(old.entities(), Entity::name);
    let after = by_name(new.entities(), Entity::name);
    for (name, entity) in &before {
        if !after.contains_key(name) {
            let count = entity.services.len();
            let words = format!("the entity was removed, with {count} services");
            push(&mut changes, ChangeKind::Removed, show(name), words);
        }
    }
    for (name, entity) in &after {
        match before.get(name) {
            None => {
                let count = entity.services.len();
                let words = format!("the entity was added, with {count} services");
                push(&mut changes, ChangeKind::Added, show(name), words);
            }
            Some(old) => self::entity(name, old, entity, &mut changes),
        }
    }
    changes
}

/// Whether `new` may follow `old` (6.3.2, 6.3.14, 6.6.5): of the same type, with
/// a higher sequence number, not issued before it, and without a status that
/// starts before the list that announces it.
pub fn succession(old: &List, new: &List) -> Vec<Finding> {
    let mut report = Report::default();
    if old.lote_type() != new.lote_type() {
        let evidence = format!(
            "{}, and it was {}",
            show(new.lote_type()),
            show(old.lote_type())
        );
        report.add(rules::TYPE.finding("LoTEType", evidence));
    }
    if new.sequence() <= old.sequence() && !old.is_same_version(new) {
        let evidence = format!("{} after {}", new.sequence(), old.sequence());
        report.add(rules::SEQUENCE_BACK.finding("LoTESequenceNumber", evidence));
    }
    if new.issued() < old.issued() {
        let evidence = format!("{} after {}", new.issued(), old.issued());
        report.add(rules::ISSUE_TIME.finding("ListIssueDateTime", evidence));
    }
    let before = by_name(old.content().entities(), Entity::name);
    for entity in new.content().entities() {
        let known = before.get(entity.name()).map(|e| e.services.as_slice());
        for service in &entity.services {
            retroactive(entity, service, known.unwrap_or_default(), new, &mut report);
        }
    }
    report.into_findings()
}

/// Whether a sealed `new` may follow a sealed `old`: as [`succession`], and with
/// the signer of `old` or one whom its pointer to itself announces (6.3.13). A
/// list without such a pointer announces nobody, and its signer is not judged here.
pub fn succession_of_sealed(old: &VerifiedList, new: &VerifiedList) -> Vec<Finding> {
    let mut findings = succession(&old.list, &new.list);
    let announced = old.list.announced_signers();
    if let Some(signer) = &new.signer
        && !announced.is_empty()
        && !announced
            .iter()
            .chain(&old.signer)
            .any(|known| known.der() == signer.der())
    {
        let evidence = format!(
            "SHA-256 {}: it did not seal no. {}, which did not announce it either",
            signer.sha256_hex(),
            old.list.sequence()
        );
        findings.push(rules::SEAL_SUCCESSOR.finding(signer.subject(), evidence));
    }
    findings
}

fn retroactive(
    entity: &Entity,
    service: &Service,
    known: &[Service],
    new: &List,
    report: &mut Report,
) {
    let information = &service.information;
    let starts = information
        .status_starting_time
        .as_deref()
        .and_then(crate::values::date_time_tolerant);
    let same_as_before = known.iter().any(|old| {
        old.information.service_status == information.service_status
            && old.information.status_starting_time == information.status_starting_time
    });
    if let Some(starts) = starts.filter(|s| *s < new.issued() && !same_as_before) {
        let evidence = format!("a new status from {starts}, announced on {}", new.issued());
        report.add(rules::SVC_STATUS_TIME.finding(show(entity.name()), evidence));
    }
}

fn scheme(old: &UncheckedList, new: &UncheckedList, changes: &mut Vec<Change>) {
    signers(old.scheme(), new.scheme(), changes);
    // The signers are told of; what else there is of the pointers is compared.
    let without_signers = |scheme: &SchemeInformation| {
        let mut scheme = scheme.clone();
        for pointer in scheme.own_pointers_mut() {
            pointer.identities.clear();
        }
        serde_json::to_value(scheme)
    };
    if let (Ok(Value::Object(before)), Ok(Value::Object(after))) =
        (without_signers(old.scheme()), without_signers(new.scheme()))
    {
        members("the scheme", &before, &after, changes);
    }
}

/// A change of signer is announced one version ahead (6.3.13).
fn signers(old: &SchemeInformation, new: &SchemeInformation, changes: &mut Vec<Change>) {
    let announced = |scheme: &SchemeInformation| -> BTreeMap<String, String> {
        let certificates = scheme.own_pointers().flat_map(Pointer::certificates);
        certificates
            .map(|c| (c.sha256_hex(), c.subject()))
            .collect()
    };
    let (before, after) = (announced(old), announced(new));
    for (digest, name) in &after {
        if !before.contains_key(digest) {
            let words =
                format!("{name} is announced: it may seal later versions (SHA-256 {digest})");
            push(changes, ChangeKind::Added, "the signers".to_owned(), words);
        }
    }
    for (digest, name) in &before {
        if !after.contains_key(digest) {
            let words = format!("{name} is announced no longer (SHA-256 {digest})");
            push(
                changes,
                ChangeKind::Removed,
                "the signers".to_owned(),
                words,
            );
        }
    }
}

fn entity(name: &str, old: &Entity, new: &Entity, changes: &mut Vec<Change>) {
    let (Ok(Value::Object(before)), Ok(Value::Object(after))) = (
        serde_json::to_value(&old.information),
        serde_json::to_value(&new.information),
    ) else {
        return;
    };
    members(&show(name), &before, &after, changes);
    let before = by_name(&old.services, service_key);
    let after = by_name(&new.services, service_key);
    for (key, service) in &before {
        if !after.contains_key(key) {
            let subject = format!("{}, {}", show(name), show(service_name(service)));
            let words = "the service was removed".to_owned();
            push(changes, ChangeKind::Removed, subject, words);
        }
    }
    for (key, service) in &after {
        let subject = format!("{}, {}", show(name), show(service_name(service)));
        match before.get(key) {
            None => {
                let words = "the service was added".to_owned();
                push(changes, ChangeKind::Added, subject, words);
            }
            Some(old) => self::service(&subject, old, service, changes),
        }
    }
}

fn service(subject: &str, old: &Service, new: &Service, changes: &mut Vec<Change>) {
    let (before, after) = (certificates(old), certificates(new));
    for (digest, name) in &before {
        if !after.contains_key(digest) {
            let words = format!("the certificate {name} was removed (SHA-256 {digest})");
            push(changes, ChangeKind::Removed, subject.to_owned(), words);
        }
    }
    for (digest, name) in &after {
        if !before.contains_key(digest) {
            let words = format!("the certificate {name} was added (SHA-256 {digest})");
            push(changes, ChangeKind::Added, subject.to_owned(), words);
        }
    }
    let without_certificates = |service: &Service| {
        let mut information = service.information.clone();
        if let Some(identity) = &mut information.service_digital_identity {
            identity.certificates.clear();
        }
        serde_json::to_value(&information)
    };
    if let (Ok(Value::Object(before)), Ok(Value::Object(after))) =
        (without_certificates(old), without_certificates(new))
    {
        members(subject, &before, &after, changes);
    }
}

/// The members of two objects beside each other.
fn members(subject: &str, old: &jose::Map, new: &jose::Map, changes: &mut Vec<Change>) {
    for (name, before) in old {
        match new.get(name) {
            None => {
                let words = format!("{name} was removed; it was {}", brief(before));
                push(changes, ChangeKind::Removed, subject.to_owned(), words);
            }
            Some(after) if after != before => {
                let words = format!("{name} is {}; it was {}", brief(after), brief(before));
                push(changes, ChangeKind::Changed, subject.to_owned(), words);
            }
            Some(_) => {}
        }
    }
    for (name, after) in new {
        if !old.contains_key(name) {
            let words = format!("{name} was added: {}", brief(after));
            push(changes, ChangeKind::Added, subject.to_owned(), words);
        }
    }
}

fn brief(value: &Value) -> String {
    match value {
        Value::String(text) => show(text),
        other => show(&other.to_string()),
    }
}

fn certificates(service: &Service) -> BTreeMap<String, String> {
    let identity = service.information.service_digital_identity.iter();
    identity
        .flat_map(|identity| &identity.certificates)
        .filter_map(|object| match cert::read(object) {
            Read::Good(c) | Read::Sloppy(c, _) => Some((c.sha256_hex(), c.subject())),
            Read::Bad(_) => None,
        })
        .collect()
}

fn service_key(service: &Service) -> &str {
    service
        .information
        .service_type_identifier
        .as_deref()
        .unwrap_or_default()
}

fn service_name(service: &Service) -> &str {
    service
        .information
        .service_name
        .first()
        .map_or("", |n| n.text())
}

/// By name; of several with one name, the n-th is compared with the n-th.
fn by_name<'t, T>(items: &'t [T], name: impl Fn(&'t T) -> &'t str) -> BTreeMap<String, &'t T> {
    let mut map = BTreeMap::new();
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    for item in items {
        let name = name(item);
        let count = seen.entry(name).or_default();
        *count = count.saturating_add(1);
        let key = match *count {
            1 => name.to_owned(),
            n => format!("{name} ({n})"),
        };
        map.insert(key, item);
    }
    map
}

fn push(changes: &mut Vec<Change>, kind: ChangeKind, subject: String, words: String) {
    changes.push(Change {
        kind,
        subject,
        words,
    });
}
