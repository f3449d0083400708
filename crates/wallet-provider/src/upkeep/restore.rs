//! After a restore: the database is older than the world.
//!
//! Since the copy was made, units were activated, attested and revoked, and indices
//! were handed out. Of all that, the published lists alone have outlived the loss.
//! So every open list is closed, for its later counters were handed out; whatever is
//! published as revoked is revoked; and a list that was opened later is kept and
//! goes on being published. The rest cannot be known, and the report says so.

use std::collections::{BTreeSet, HashSet};

use finding::Finding;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::published::{Found, Published, set};
use super::rules::{self, NAME_IT};
use crate::{Adopted, Error, ListState, TakenOver, UpkeepStore};

/// What a restore came to.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Restored {
    /// Lists that were open in the copy and are closed now.
    pub closed: u64,
    /// The lists that were looked at.
    pub lists: Vec<RestoredList>,
    /// Entries that were set, since they are published as revoked.
    pub entries: u64,
    /// Units that were revoked for it.
    pub units: u64,
    /// WSCDs and keystores that were revoked for it, of units that were not.
    pub storages: u64,
    /// Entries among those that belong to no unit the database knows: the unit is
    /// younger than the copy, or the entry is.
    pub of_nobody: u64,
    /// Lists that the copy did not know, and that are kept.
    pub adopted: u64,
    /// What could not be done, and why.
    pub findings: Vec<Finding>,
}

/// One list in the report.
#[derive(Debug, Clone, Serialize)]
pub struct RestoredList {
    /// Its address.
    pub uri: String,
    /// Entries of it that were set.
    pub entries: u64,
    /// Whether the copy knew it.
    pub known: bool,
}

/// How long a list is kept whose entries are not known: as long as the status of any
/// attestation is maintained.
const KEEP_UNKNOWN: SignedDuration = SignedDuration::from_hours(2 * 366 * 24);

/// Brings a restored database up to what is published. It can be done again: what is
/// done already is left alone.
pub async fn after_restore(
    store: &dyn UpkeepStore,
    published: &Published,
    at: Timestamp,
    told: impl Fn(u64) + Send,
) -> Result<Restored, Error> {
    let mut report = Restored {
        closed: store.retire(at).await?,
        ..Restored::default()
    };
    if !published.has_keys() {
        let evidence = format!("no revocation could be taken over: {NAME_IT}");
        report
            .findings
            .push(rules::NO_KEY.finding("status key", evidence));
    }
    let known = store.known_lists().await?;
    for (done, list) in (1..).zip(&known) {
        take_over(store, published, list, at, &mut report).await?;
        told(done);
    }
    let known: HashSet<&str> = known.iter().map(|list| list.name.as_str()).collect();
    for name in published.names() {
        if !known.contains(name.as_str()) {
            adopt(store, published, name, at, &mut report).await?;
        }
    }
    Ok(report)
}

async fn take_over(
    store: &dyn UpkeepStore,
    published: &Published,
    list: &ListState,
    at: Timestamp,
    report: &mut Restored,
) -> Result<(), Error> {
    let own: HashSet<u64> = store.set_entries(list.list).await?.into_iter().collect();
    let mut lost = BTreeSet::new();
    let (mut seen, mut absent) = (false, true);
    for (form, found) in published.read(&list.name, Some(&list.uri))? {
        absent &= matches!(found, Found::Nothing);
        match found {
            Found::List(found) => {
                seen = true;
                lost.extend(set(&found).filter(|index| *index < list.size));
            }
            Found::Nothing => {}
            Found::NotOurs(why) => report.not_ours(&list.uri, form, why),
        }
    }
    if absent && list.published > 0 {
        let evidence = "it has no file: revocations since the backup could not be taken over";
        report
            .findings
            .push(rules::MISSING.finding(&list.uri, evidence));
    }
    if !seen {
        return Ok(());
    }
    lost.retain(|index| !own.contains(index));
    let taken = match lost.is_empty() {
        true => TakenOver::default(),
        false => {
            let lost = lost.into_iter().collect();
            store.take_over(list.list, lost, at).await?
        }
    };
    report.entries += taken.entries;
    report.units += taken.units;
    report.storages += taken.storages;
    report.of_nobody += taken.of_nobody;
    report.lists.push(RestoredList {
        uri: list.uri.clone(),
        entries: taken.entries,
        known: true,
    });
    Ok(())
}

async fn adopt(
    store: &dyn UpkeepStore,
    published: &Published,
    name: &str,
    at: Timestamp,
    report: &mut Restored,
) -> Result<(), Error> {
    let mut adopted: Option<Adopted> = None;
    let mut entries = BTreeSet::new();
    for (form, found) in published.read(name, None)? {
        let found = match found {
            Found::List(found) => found,
            Found::Nothing => continue,
            Found::NotOurs(why) => {
                report.not_ours(name, form, why);
                continue;
            }
        };
        // A token under another one's name is not put anywhere.
        if found.uri().rsplit('/').next() != Some(name) {
            report.not_ours(name, form, format!("it says it is {}", found.uri()));
            continue;
        }
        entries.extend(set(&found));
        adopted = Some(Adopted {
            name: name.to_owned(),
            uri: found.uri().to_owned(),
            size: found.list().len(),
            set: Vec::new(),
        });
    }
    let Some(mut list) = adopted else {
        return Ok(());
    };
    entries.retain(|index| *index < list.size);
    list.set = entries.into_iter().collect();
    let count = u64::try_from(list.set.len()).unwrap_or(u64::MAX);
    let uri = list.uri.clone();
    let until = at.checked_add(KEEP_UNKNOWN).unwrap_or(at);
    store.adopt(list, until).await?;
    report.adopted += 1;
    report.entries += count;
    report.of_nobody += count;
    report.lists.push(RestoredList {
        uri,
        entries: count,
        known: false,
    });
    Ok(())
}

impl Restored {
    fn not_ours(&mut self, list: &str, form: &str, why: impl std::fmt::Display) {
        let evidence = format!("as {form}: {why}");
        self.findings.push(rules::OURS.finding(list, evidence));
    }
}
