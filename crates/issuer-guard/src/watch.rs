use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use clock::Clock;
use finding::{Finding, Severity};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use status_list::Status;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::judgement::Stop;
use crate::{CheckedList, StatusLists, StatusReference, rules};

/// Watches the status of attestations that something was issued on.
///
/// A PID provider polls at least every 24 hours for as long as the PID lives
/// (TS3 v1.5.2, 2.4.3). A poll always asks the server, each list once, whatever
/// is kept; what it learns serves the guards that share the lists. Revocation is
/// final, so an entry that was reported as revoked is not asked for again.
#[derive(Debug)]
pub struct StatusWatch {
    lists: Arc<StatusLists>,
    clock: Arc<dyn Clock>,
    entries: Mutex<HashMap<String, Watched>>,
}

/// An entry that is watched, as it can be stored and taken up again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watched {
    /// What the caller knows it by, such as the id of the PID issued on it.
    pub subject: String,
    /// Where its status stands.
    pub entry: StatusReference,
    /// What is known of it.
    pub state: WatchState,
    /// When its status was last learnt: at first, when it was accepted.
    pub learnt: Timestamp,
}

/// What is known of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WatchState {
    /// Valid when last asked.
    Valid,
    /// Revoked, for good.
    Revoked,
    /// A status that is neither valid nor invalid.
    NotValid,
    /// Not known: out of reach, stale, or a list that is refused.
    Undecided,
    /// The provider no longer tells: the maintenance has ended.
    Ended,
}

/// What a poll reports of an entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// What the caller knows it by.
    pub subject: String,
    /// Where its status stands.
    pub entry: StatusReference,
    /// What was known before.
    pub from: WatchState,
    /// What is known now.
    pub to: WatchState,
    /// When it was asked.
    pub at: Timestamp,
    /// Why, by rule.
    pub findings: Vec<Finding>,
}

impl StatusWatch {
    /// A watch over nothing yet.
    pub fn new(lists: Arc<StatusLists>, clock: Arc<dyn Clock>) -> Self {
        Self {
            lists,
            clock,
            entries: Mutex::new(HashMap::new()),
        }
    }

    /// Watches the references of an accepted issuance, under a name of the
    /// caller's.
    pub fn watch(&self, subject: &str, references: &[StatusReference]) {
        let learnt = self.clock.now();
        self.take_up(references.iter().map(|entry| Watched {
            subject: subject.to_owned(),
            entry: entry.clone(),
            state: WatchState::Valid,
            learnt,
        }));
    }

    /// Takes up what was watched before, such as after a restart.
    pub fn take_up(&self, watched: impl IntoIterator<Item = Watched>) {
        let mut entries = self.lock();
        for watched in watched {
            entries.insert(name(&watched.subject, &watched.entry), watched);
        }
    }

    /// Stops watching everything under a name: what was issued is gone.
    pub fn forget(&self, subject: &str) {
        self.lock().retain(|_, watched| watched.subject != subject);
    }

    /// What is watched now, to be stored.
    pub fn watched(&self) -> Vec<Watched> {
        self.lock().values().cloned().collect()
    }

    /// Asks every list again and reports what changed. What is undecided is
    /// reported by every poll until it is known again, and names
    /// [`rules::WATCH_OVERDUE`] once 24 hours have passed without an answer.
    pub async fn poll(&self) -> Vec<Change> {
        let at = self.clock.now();
        let asked: Vec<Watched> = self
            .watched()
            .into_iter()
            .filter(|w| !matches!(w.state, WatchState::Revoked | WatchState::Ended))
            .collect();
        let answers = self.ask(&asked, at).await;
        let mut changes = Vec::new();
        for watched in asked {
            let ended = watched.entry.maintained_until <= at;
            let (to, mut findings) = match answers.get(&source(&watched.entry)) {
                Some(Ok(list)) => read(list, &watched.entry),
                Some(Err(stop)) => (WatchState::Undecided, stop.findings.clone()),
                None => (WatchState::Undecided, Vec::new()),
            };
            // A list that is still there after the end may show a revocation;
            // that it shows none says nothing.
            let to = match to {
                WatchState::Revoked => to,
                _ if ended => {
                    let until = watched.entry.maintained_until;
                    let evidence = format!("maintained until {until}");
                    findings.push(
                        rules::WATCH_ENDED.finding(watched.entry.reference.to_string(), evidence),
                    );
                    WatchState::Ended
                }
                _ => to,
            };
            if to == WatchState::Undecided {
                findings.extend(overdue(&watched, at));
            }
            if self.update(&watched, to, at) && (to != watched.state || to == WatchState::Undecided)
            {
                changes.push(Change {
                    subject: watched.subject,
                    entry: watched.entry,
                    from: watched.state,
                    to,
                    at,
                    findings,
                });
            }
        }
        changes
    }

    /// Each list once, several at a time.
    async fn ask(&self, asked: &[Watched], at: Timestamp) -> HashMap<Source, Answer> {
        let at_once = Arc::new(Semaphore::new(FETCHES_AT_ONCE));
        let mut answers = HashMap::new();
        let mut tasks = JoinSet::new();
        for watched in asked {
            let source = source(&watched.entry);
            if answers.contains_key(&source) {
                continue;
            }
            let uri = source.0.as_str();
            let unanswered =
                Stop::undecided(&rules::STATUS_UNREACHABLE, uri, "the fetch broke off");
            answers.insert(source.clone(), Err(unanswered));
            let (lists, at_once) = (self.lists.clone(), at_once.clone());
            tasks.spawn(async move {
                let _permit = at_once.acquire_owned().await;
                let (uri, provider) = &source;
                let list = lists.fetch(uri, provider.as_deref(), at).await;
                (source, list)
            });
        }
        while let Some(done) = tasks.join_next().await {
            match done {
                Ok((source, answer)) => {
                    answers.insert(source, answer);
                }
                Err(error) => tracing::warn!(%error, "a status list's fetch broke off"),
            }
        }
        answers
    }

    /// Notes what was learnt; false when the entry is watched no more.
    fn update(&self, watched: &Watched, to: WatchState, at: Timestamp) -> bool {
        let mut entries = self.lock();
        let Some(known) = entries.get_mut(&name(&watched.subject, &watched.entry)) else {
            return false;
        };
        known.state = to;
        if to != WatchState::Undecided {
            known.learnt = at;
        }
        true
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Watched>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A list's URI, and the provider it has to come from.
type Source = (String, Option<String>);

type Answer = Result<Arc<CheckedList>, Stop>;

fn read(list: &CheckedList, entry: &StatusReference) -> (WatchState, Vec<Finding>) {
    let subject = entry.reference.to_string();
    match list.status(entry) {
        Ok(Status::VALID) => (WatchState::Valid, Vec::new()),
        Ok(Status::INVALID) => {
            let finding = rules::REVOKED.finding(subject, "its status is invalid");
            (WatchState::Revoked, vec![finding])
        }
        Ok(other) => {
            let finding = rules::NOT_VALID.finding(subject, format!("its status is {other}"));
            (WatchState::NotValid, vec![finding])
        }
        Err(stop) => (WatchState::Undecided, stop.findings),
    }
}

fn overdue(watched: &Watched, at: Timestamp) -> Option<Finding> {
    let age = at.duration_since(watched.learnt);
    (age > CHECK_WITHIN).then(|| {
        let subject = watched.entry.reference.to_string();
        let evidence = format!("last learnt at {}", watched.learnt);
        rules::WATCH_OVERDUE.finding_as(Severity::Error, subject, evidence)
    })
}

fn source(entry: &StatusReference) -> Source {
    (entry.reference.uri.clone(), entry.provider.clone())
}

fn name(subject: &str, entry: &StatusReference) -> String {
    format!("{:?} {} {subject}", entry.kind, entry.reference)
}

/// TS3 v1.5.2, 2.4.3.
const CHECK_WITHIN: SignedDuration = SignedDuration::from_hours(24);

const FETCHES_AT_ONCE: usize = 8;
