use std::collections::HashSet;

use finding::Finding;
use serde::Serialize;

use super::published::{Found, Published, set};
use super::rules::{self, NAME_IT};
use crate::{Error, Fault, ListState, UpkeepStore};

/// What a check came to.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Checked {
    /// Units.
    pub units: u64,
    /// Those of them that are revoked.
    pub revoked: u64,
    /// Status lists.
    pub lists: usize,
    /// Entries that are set, in all lists.
    pub set: u64,
    /// What is wrong.
    pub findings: Vec<Finding>,
}

/// Whether what the database holds fits together, and fits what is published.
///
/// On a database in use a list may change between the look at it and the look at its
/// token; what was found wrong there is looked at once more.
pub async fn check(
    store: &dyn UpkeepStore,
    published: &Published,
    told: impl Fn(u64) + Send,
) -> Result<Checked, Error> {
    let counts = store.unit_counts().await?;
    let lists = store.known_lists().await?;
    let mut report = Checked {
        units: counts.units,
        revoked: counts.revoked,
        lists: lists.len(),
        ..Checked::default()
    };
    if counts.freeze_due > 0 {
        let evidence = format!("{} units are due", counts.freeze_due);
        report
            .findings
            .push(rules::FREEZE.finding("unit", evidence));
    }
    report
        .findings
        .extend(store.faults().await?.into_iter().map(finding));
    if !published.has_keys() {
        let evidence = format!("what is published was not looked at: {NAME_IT}");
        report
            .findings
            .push(rules::NO_KEY.finding("status key", evidence));
        return Ok(report);
    }
    for (done, list) in (1..).zip(&lists) {
        let (mut entries, mut found) = compare(store, published, list).await?;
        if !found.is_empty() {
            let again = store.known_lists().await?;
            if let Some(list) = again.iter().find(|again| again.list == list.list) {
                (entries, found) = compare(store, published, list).await?;
            }
        }
        report.set += entries;
        report.findings.extend(found);
        told(done);
    }
    let known: HashSet<&str> = lists.iter().map(|list| list.name.as_str()).collect();
    for name in published.names() {
        if !known.contains(name.as_str()) {
            let evidence = "it is published, and the database has no such list";
            report.findings.push(rules::UNKNOWN.finding(name, evidence));
        }
    }
    Ok(report)
}

/// How many entries of a list are set, and what is wrong with its tokens.
async fn compare(
    store: &dyn UpkeepStore,
    published: &Published,
    list: &ListState,
) -> Result<(u64, Vec<Finding>), Error> {
    let own: HashSet<u64> = store.set_entries(list.list).await?.into_iter().collect();
    let mut findings = Vec::new();
    for (form, found) in published.read(&list.name, Some(&list.uri))? {
        let told: HashSet<u64> = match found {
            Found::List(found) => set(&found).collect(),
            Found::Nothing if list.published == 0 => continue,
            Found::Nothing => {
                let evidence = format!("there is no {form}");
                findings.push(rules::MISSING.finding(&list.uri, evidence));
                continue;
            }
            Found::NotOurs(why) => {
                let evidence = format!("as {form}: {why}");
                findings.push(rules::OURS.finding(&list.uri, evidence));
                continue;
            }
        };
        let lost = told.difference(&own).count();
        if lost > 0 {
            let evidence =
                format!("{lost} entries are published as revoked in the {form}, and not set here");
            findings.push(rules::LOST.finding(&list.uri, evidence));
        }
        let untold = own.difference(&told).count();
        if untold > 0 {
            let evidence = format!("{untold} entries that are set are not so in the {form}");
            // What changed since it was published is due, and not wrong.
            let rule = match list.published < list.revision {
                true => &rules::DUE,
                false => &rules::BEHIND,
            };
            findings.push(rule.finding(&list.uri, evidence));
        }
    }
    Ok((u64::try_from(own.len()).unwrap_or(u64::MAX), findings))
}

fn finding(fault: Fault) -> Finding {
    match fault {
        Fault::Integrity(said) => rules::INTEGRITY.finding("database", said),
        Fault::Reference { table, names, rows } => {
            let evidence = format!("{rows} rows name a {names} that is not there");
            rules::REFERENCE.finding(table, evidence)
        }
        Fault::NotSet { unit, list, index } => {
            let evidence = format!("entry {index} of list {list} is not set");
            rules::REVOKED.finding(format!("unit {unit}"), evidence)
        }
        Fault::SharedNotSet { list, index } => {
            let evidence = format!("entry {index}, which a revoked type shares, is not set");
            rules::REVOKED.finding(format!("list {list}"), evidence)
        }
        Fault::Index { list, index } => {
            rules::INDEX.finding(format!("list {list}"), format!("index {index}"))
        }
        Fault::Twice { list, index } => {
            rules::TWICE.finding(format!("list {list}"), format!("index {index}"))
        }
        Fault::Counters { list } => {
            let evidence = "its counter or its published revision is past what can be";
            rules::COUNTERS.finding(format!("list {list}"), evidence)
        }
        Fault::History { unit } => {
            let evidence = "its last event is of another state, or there is none";
            rules::HISTORY.finding(format!("unit {unit}"), evidence)
        }
    }
}
