//! How the lists stand: their ages and deadlines.

use finding::{Finding, Severity};
use jiff::Timestamp;
use serde::Serialize;

use crate::answering::Answering;
use crate::report::Outcome;
use crate::rules;
use crate::service::TrustService;
use crate::snapshot::Slot;

/// How all lists stand at one moment.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Watch {
    /// When.
    pub at: Timestamp,
    /// The lists of the configured sources in their order, then those that pointers
    /// led to.
    pub lists: Vec<WatchedList>,
}

/// How one list stands.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct WatchedList {
    /// The source it comes from.
    pub source: String,
    /// The source whose pointer led to it.
    pub led_by: Option<String>,
    /// The kind of list.
    pub profile: String,
    /// The territory it says it is of.
    pub territory: Option<String>,
    /// Whether it decides.
    pub state: ListState,
    /// Its sequence number.
    pub sequence: Option<u64>,
    /// When it was issued.
    pub issued: Option<Timestamp>,
    /// Its NextUpdate; none for a closed list too.
    pub next_update: Option<Timestamp>,
    /// Seconds since it was issued.
    pub age_seconds: Option<i64>,
    /// Seconds until its NextUpdate; below zero when that has passed.
    pub left_seconds: Option<i64>,
    /// When it was accepted.
    pub accepted: Option<Timestamp>,
    /// When the source last said that it is the current one.
    pub confirmed: Option<Timestamp>,
    /// When the source was asked last, in this process.
    pub last_attempt: Option<Timestamp>,
    /// What happened then.
    pub last_outcome: Option<Outcome>,
    /// How often it has failed since it last gave a good list.
    pub failures: u32,
    /// When it is asked next.
    pub next_attempt: Option<Timestamp>,
    /// How many instances are kept on disk.
    pub instances: usize,
    /// What went wrong when it was asked last.
    pub trouble: Vec<Finding>,
    /// What was found of its pointers and its archive.
    pub remarks: Vec<Finding>,
}

/// Whether a list decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ListState {
    /// It does.
    Fresh,
    /// It is past its NextUpdate, and used within the grace period.
    Grace,
    /// It is past its NextUpdate, or the list that points to it is.
    Stale,
    /// Nothing good was ever had.
    Missing,
}

impl Watch {
    /// Whether every list decides and is not past its NextUpdate.
    pub fn is_fresh(&self) -> bool {
        let mut lists = self.lists.iter();
        lists.all(|list| list.state == ListState::Fresh)
    }

    /// Whether a source last gave something that was refused.
    pub fn has_refusals(&self) -> bool {
        self.lists.iter().any(WatchedList::is_refused)
    }
}

impl WatchedList {
    /// Whether the source last gave something that was refused, and not only for its
    /// age: a publisher who is late is no impostor.
    pub fn is_refused(&self) -> bool {
        let mut errors = self
            .trouble
            .iter()
            .filter(|f| f.severity == Severity::Error);
        self.last_outcome == Some(Outcome::Refused)
            && errors.any(|f| !f.is(&lote::rules::NEXT_UPDATE))
    }
}

impl TrustService {
    /// How the lists stand now.
    pub fn watch(&self) -> Watch {
        let at = self.clock.now();
        let snapshot = self.snapshot();
        let watched = |slot: &Slot| watched(slot, slot.answering(at, snapshot.grace), at);
        Watch {
            at,
            lists: snapshot.slots.iter().map(watched).collect(),
        }
    }
}

fn watched(slot: &Slot, answering: Result<Answering<'_>, Finding>, at: Timestamp) -> WatchedList {
    let held = slot.held.as_deref();
    let list = held.map(|held| &held.verified.list);
    let issued = list.map(lote::List::issued);
    let next_update = list.and_then(lote::List::next_update);
    WatchedList {
        source: slot.name().to_owned(),
        led_by: slot.led.as_ref().and_then(|led| led.by.last().cloned()),
        profile: slot.source.profile.name().to_owned(),
        territory: list.and_then(|list| list.content().scheme().scheme_territory.clone()),
        state: state(slot, &answering),
        sequence: list.map(lote::List::sequence),
        issued,
        next_update,
        age_seconds: issued.map(|issued| at.duration_since(issued).as_secs()),
        left_seconds: next_update.map(|next| next.duration_since(at).as_secs()),
        accepted: held.map(|held| held.accepted),
        confirmed: slot.pace.confirmed,
        last_attempt: slot.pace.attempted,
        last_outcome: slot.outcome,
        failures: slot.pace.failures,
        next_attempt: slot.pace.due,
        instances: slot.memory.instances.len(),
        trouble: slot.trouble.clone(),
        remarks: slot.remarks.clone(),
    }
}

fn state(slot: &Slot, answering: &Result<Answering<'_>, Finding>) -> ListState {
    match answering {
        _ if slot.held.is_none() => {
            let late = |f: &Finding| f.is(&lote::rules::NEXT_UPDATE);
            if slot.trouble.iter().any(late) {
                ListState::Stale
            } else {
                ListState::Missing
            }
        }
        Err(_) => ListState::Stale,
        Ok(answering) => match &answering.remark {
            Some(remark) if remark.is(&rules::LIST_GRACE) => ListState::Grace,
            _ => ListState::Fresh,
        },
    }
}
