//! Refreshing: sources asked when they are due, what they give taken over, and
//! their pointers followed.
//!
//! Checks go on with the lists they have meanwhile. Each source's list is exchanged
//! as soon as it is accepted, so that a slow source holds up none of the others.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use finding::{Finding, Severity};
use jiff::Timestamp;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::accept::{Terms, restored, take_over};
use crate::fetch::Fetcher;
use crate::gather::{gather, is_lacking};
use crate::pointers::follow;
use crate::report::{Outcome, Report, SourceReport};
use crate::rules;
use crate::service::TrustService;
use crate::snapshot::{Slot, Snapshot};

/// How many sources are asked at once: with their size limit, the bound on memory.
const AT_ONCE: usize = 8;
const SHORTEST_SLEEP: Duration = Duration::from_secs(1);
/// The longest sleep: a clock that was set, or a machine that slept, is noticed.
const LONGEST_SLEEP: Duration = Duration::from_secs(60);

impl TrustService {
    /// Asks every source, and takes over what is good. Lists that their pointers lead
    /// to are asked as well.
    pub async fn refresh(&self) -> Report {
        self.round(|_, _| true).await
    }

    /// Asks the sources that are due.
    pub async fn refresh_due(&self) -> Report {
        self.round(|slot, now| slot.pace.is_due(now)).await
    }

    /// Refreshes each source when it is due, until `stop` is done. What is under way
    /// then is given up; the lists that are held, and those on disk, stay whole.
    pub async fn keep_fresh(&self, stop: impl Future<Output = ()>) {
        let mut stop = pin!(stop);
        let work = async {
            loop {
                tokio::time::sleep(self.pause()).await;
                self.refresh_due().await;
            }
        };
        tokio::select! {
            biased;
            () = &mut stop => {}
            () = work => {}
        }
    }

    /// How long until the next source is due: at most a minute, and never nothing, so
    /// that whatever goes wrong, nobody is asked without a pause.
    fn pause(&self) -> Duration {
        let now = self.clock.now();
        let snapshot = self.snapshot();
        let left = |slot: &Slot| match slot.pace.due {
            None => Duration::ZERO,
            Some(due) => Duration::try_from(due.duration_since(now)).unwrap_or(Duration::ZERO),
        };
        let next = snapshot.slots.iter().map(left).min();
        let shortest = self.keeping.rhythm.shortest.min(SHORTEST_SLEEP);
        next.unwrap_or(LONGEST_SLEEP).clamp(shortest, LONGEST_SLEEP)
    }

    async fn round(&self, is_wanted: impl Fn(&Slot, Timestamp) -> bool) -> Report {
        let _one = self.refreshing.lock().await;
        let now = self.clock.now();
        let mut report = Report {
            at: now,
            sources: Vec::new(),
            findings: Vec::new(),
        };
        // The configured sources first, then, pointer by pointer, what they lead to: a
        // list is asked for once it is settled whose it has to be.
        for away in 0.. {
            let snapshot = self.snapshot();
            let far = |slot: &Slot| slot.led.as_ref().map_or(0, |led| led.by.len());
            if snapshot.slots.iter().all(|slot| far(slot) < away) {
                break;
            }
            let wanted: Vec<usize> = (0..)
                .zip(&snapshot.slots)
                .filter(|(_, slot)| far(slot) == away && is_wanted(slot, now))
                .map(|(place, _)| place)
                .collect();
            let reports = self.ask(&snapshot, &wanted, now).await;
            report.sources.extend(reports);
            self.gather(&wanted, &mut report, now).await;
            self.follow(&mut report, now).await;
        }
        for source in &report.sources {
            for finding in source
                .findings
                .iter()
                .filter(|f| f.severity == Severity::Error)
            {
                tracing::warn!(source = %source.source, rule = %finding.rule, "{finding}");
            }
        }
        report
    }

    /// Asks sources of a snapshot, and exchanges each as it answers.
    async fn ask(
        &self,
        snapshot: &Snapshot,
        places: &[usize],
        now: Timestamp,
    ) -> Vec<SourceReport> {
        let few = Arc::new(Semaphore::new(AT_ONCE));
        let mut tasks = JoinSet::new();
        for place in places.iter().copied() {
            let Some(slot) = snapshot.slots.get(place).cloned() else {
                continue;
            };
            let (fetcher, few) = (self.fetcher.clone(), Arc::clone(&few));
            let terms = Terms {
                now,
                copies: self.copies.clone(),
                archive: self.keeping.archive,
                rhythm: self.keeping.rhythm,
                drawn: self.keeping.jitter.draw(),
            };
            tasks.spawn(async move {
                let _one_of_few = few.acquire().await;
                (place, ask(slot, &fetcher, terms).await)
            });
        }
        let mut reports: Vec<(usize, SourceReport)> = Vec::new();
        while let Some(done) = tasks.join_next().await {
            let Ok((place, (slot, outcome, findings))) = done else {
                tracing::error!("asking for a list broke off; what is held stays");
                continue;
            };
            reports.push((place, report_of(&slot, outcome, findings)));
            self.put_slot(place, slot);
        }
        reports.sort_by_key(|(place, _)| *place);
        reports.into_iter().map(|(_, report)| report).collect()
    }

    /// Fetches earlier instances for those of the sources that were asked whose
    /// publisher offers them.
    async fn gather(&self, places: &[usize], report: &mut Report, now: Timestamp) {
        let Some(copies) = &self.copies else { return };
        let snapshot = self.snapshot();
        for place in places.iter().copied() {
            let Some(slot) = snapshot.slots.get(place) else {
                continue;
            };
            let Some(archive) = slot.source.upkeep.archive.clone() else {
                continue;
            };
            let limits = self.keeping.archive;
            if !is_lacking(slot, &limits) {
                continue;
            }
            let (mut slot, findings) =
                gather(slot, &archive, &self.fetcher, copies, limits, now).await;
            add(&mut report.sources, slot.name(), &findings);
            slot.remarks = findings;
            self.put_slot(place, slot);
        }
    }

    /// Follows the pointers of what is held now.
    async fn follow(&self, report: &mut Report, now: Timestamp) {
        let (snapshot, keeping) = (self.snapshot(), self.keeping.clone());
        if snapshot
            .slots
            .iter()
            .all(|s| !s.source.upkeep.follow_pointers)
        {
            return;
        }
        let copies = self.copies.clone();
        let slots = snapshot.slots.clone();
        let work = move || {
            follow(slots, &keeping.pointers, |slot| {
                restored(slot, copies.as_ref(), now)
            })
        };
        let Ok(followed) = tokio::task::spawn_blocking(work).await else {
            tracing::error!("following pointers broke off; what is held stays");
            return;
        };
        for (name, finding) in &followed.findings {
            add(&mut report.sources, name, std::slice::from_ref(finding));
        }
        for slot in &followed.gone {
            let evidence = "its lists are not used any more";
            let finding = rules::POINTER_GONE.finding(slot.name(), evidence);
            tracing::info!(rule = %finding.rule, "{finding}");
            report.findings.push(finding);
            if let Some(copies) = &self.copies
                && let Err(error) = copies.let_go(&slot.memory)
            {
                let finding = rules::LIST_COPY.finding(slot.name(), error.to_string());
                report.findings.push(finding);
            }
        }
        self.put(Snapshot {
            slots: followed.slots,
            grace: snapshot.grace,
        });
    }

    fn put_slot(&self, place: usize, slot: Slot) {
        let mut snapshot = Snapshot::clone(&self.snapshot());
        if let Some(old) = snapshot.slots.get_mut(place) {
            *old = slot;
        }
        self.put(snapshot);
    }
}

async fn ask(slot: Slot, fetcher: &Fetcher, terms: Terms) -> (Slot, Outcome, Vec<Finding>) {
    // What is not held is asked for whole, whatever was held once.
    let known = slot.held.as_ref().map(|_| slot.memory.validators.clone());
    let max = fetcher.limits().max_list_bytes;
    let location = &slot.source.location;
    let fetched = fetcher
        .place(location, &known.unwrap_or_default(), max)
        .await;
    // Signatures, thousands of certificates and synced files: not for a thread that
    // serves others.
    let mut before = slot.clone();
    let (now, rhythm, drawn) = (terms.now, terms.rhythm, terms.drawn);
    let work = move || take_over(&slot, fetched, &terms);
    match tokio::task::spawn_blocking(work).await {
        Ok(taken) => taken,
        Err(_) => {
            let finding = rules::LIST_FETCH.finding(before.name(), "taking it over broke off");
            before.trouble = vec![finding.clone()];
            before.outcome = Some(Outcome::Unavailable);
            let interval = before.source.upkeep.interval;
            before.pace.failed(now, interval, &rhythm, drawn);
            (before, Outcome::Unavailable, vec![finding])
        }
    }
}

fn report_of(slot: &Slot, outcome: Outcome, findings: Vec<Finding>) -> SourceReport {
    SourceReport {
        source: slot.name().to_owned(),
        profile: slot.source.profile.name().to_owned(),
        outcome,
        sequence: slot.held.as_ref().map(|held| held.verified.list.sequence()),
        findings,
    }
}

fn add(reports: &mut [SourceReport], name: &str, findings: &[Finding]) {
    if let Some(report) = reports.iter_mut().find(|r| r.source == name) {
        for finding in findings {
            if !report.findings.contains(finding) {
                report.findings.push(finding.clone());
            }
        }
    }
}
