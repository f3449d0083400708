//! What a source gave is taken over in the place of what is held, or refused.

use std::sync::Arc;
use std::time::Duration;

use finding::{Finding, Refusal, Severity};
use jiff::Timestamp;
use lote::{Mode, Signers, VerifiedList, Verifier};
use outbound::Validators;
use pki::Certificate;

use crate::copies::{ArchiveLimits, Copies, CopyError, Instance, Pivot};
use crate::fetch::{Failed, Fetched};
use crate::report::Outcome;
use crate::rules;
use crate::schedule::{Good, Rhythm};
use crate::snapshot::{Held, Loaded, Sealed, Slot};
use crate::source::SignerPolicy;

/// What taking over needs besides a source and what it gave.
#[derive(Debug, Clone)]
pub(crate) struct Terms {
    pub(crate) now: Timestamp,
    pub(crate) copies: Option<Copies>,
    pub(crate) archive: ArchiveLimits,
    pub(crate) rhythm: Rhythm,
    /// A number drawn for the next pause.
    pub(crate) drawn: f64,
}

/// The source as it stands after it gave this, what happened, and what was found.
pub(crate) fn take_over(
    slot: &Slot,
    fetched: Result<Fetched, Failed>,
    terms: &Terms,
) -> (Slot, Outcome, Vec<Finding>) {
    let mut slot = slot.clone();
    let (outcome, findings, fresh_for) = match fetched {
        Err(failed) => {
            let findings = failed.findings(&rules::LIST_FETCH, slot.name());
            (Outcome::Unavailable, findings, None)
        }
        Ok(Fetched::NotModified { fresh_for }) => (Outcome::Unchanged, Vec::new(), fresh_for),
        Ok(Fetched::Body {
            bytes,
            validators,
            fresh_for,
        }) => {
            let (outcome, findings) = slot.given(bytes, validators, terms);
            (outcome, findings, fresh_for)
        }
    };
    slot.outcome = Some(outcome);
    match outcome {
        Outcome::Updated | Outcome::Unchanged => {
            slot.trouble.clear();
            slot.good(fresh_for, terms);
        }
        Outcome::Refused | Outcome::Unavailable => {
            slot.trouble.clone_from(&findings);
            let interval = slot.source.upkeep.interval;
            slot.pace
                .failed(terms.now, interval, &terms.rhythm, terms.drawn);
        }
    }
    (slot, outcome, findings)
}

/// A source, from the folder of copies where it is there.
pub(crate) fn restored(slot: Slot, copies: Option<&Copies>, now: Timestamp) -> Slot {
    let fresh = slot.clone();
    slot.restore(copies, now).unwrap_or_else(|error| Slot {
        trouble: vec![rules::LIST_COPY.finding(fresh.name(), error.to_string())],
        ..fresh
    })
}

impl Slot {
    /// A source as its folder of copies remembers it.
    pub(crate) fn restore(
        mut self,
        copies: Option<&Copies>,
        now: Timestamp,
    ) -> Result<Self, CopyError> {
        let Some(copies) = copies else {
            return Ok(self);
        };
        self.memory = copies.memory(self.name())?;
        let Some(copy) = self.memory.copy.clone() else {
            return Ok(self);
        };
        let (announced, broken) = self.announced_on_the_way(copies);
        let restored = read_copy(copies, &copy).and_then(|bytes| {
            self.authenticate(&bytes, &announced, now)
                .map_err(|refusal| broken.unwrap_or(refusal))
                .and_then(|loaded| self.no_earlier(loaded))
        });
        match restored {
            Ok(loaded) => {
                let accepted = self.memory.accepted.unwrap_or(now);
                let sealed = Sealed::File(copies.path(&copy));
                let name = self.name().to_owned();
                self.held = Some(Arc::new(Held::new(name, loaded, accepted, sealed)));
            }
            Err(refusal) => self.trouble = refusal.into_findings(),
        }
        Ok(self)
    }

    /// A copy, unless an earlier version was put in its place.
    fn no_earlier(&self, copy: Loaded) -> Result<Loaded, Refusal> {
        let sequence = copy.0.list.sequence();
        if sequence >= self.memory.sequence {
            return Ok(copy);
        }
        let evidence = format!("the copy is no. {sequence}, after {}", self.memory.sequence);
        Err(Refusal::because(
            &rules::LIST_ROLLBACK,
            self.name(),
            evidence,
        ))
    }

    /// The signers that earlier lists announced, from the pinned one on, and where
    /// that way is broken.
    pub(crate) fn announced_on_the_way(
        &self,
        copies: &Copies,
    ) -> (Vec<Certificate>, Option<Refusal>) {
        let mut announced = Vec::new();
        for pivot in &self.memory.pivots {
            let step = read_copy(copies, &pivot.file)
                .and_then(|bytes| self.authenticate(&bytes, &announced, pivot.accepted));
            match step {
                Ok((verified, _)) => announced.extend(verified.list.announced_signers()),
                Err(refusal) => return (announced, Some(refusal)),
            }
        }
        (announced, None)
    }

    /// Verifies a list under the pinned signers and those announced, and that it is
    /// the kind of list that the source, or the pointer to it, says.
    pub(crate) fn authenticate(
        &self,
        bytes: &[u8],
        announced: &[Certificate],
        at: Timestamp,
    ) -> Result<Loaded, Refusal> {
        self.authenticate_as(bytes, announced, at, self.source.mode)
    }

    /// As [`Slot::authenticate`], by another mode than the source's.
    pub(crate) fn authenticate_as(
        &self,
        bytes: &[u8],
        announced: &[Certificate],
        at: Timestamp,
        mode: Mode,
    ) -> Result<Loaded, Refusal> {
        let (verified, index) = match &self.source.signers {
            SignerPolicy::Anyone => Verifier {
                signers: Signers::Anyone,
                mode,
            }
            .load(bytes, at)?,
            SignerPolicy::Pinned(pinned) => {
                let signers: Vec<Certificate> = pinned.iter().chain(announced).cloned().collect();
                Verifier {
                    signers: Signers::Pinned(&signers),
                    mode,
                }
                .load(bytes, at)?
            }
        };
        let wanted = self.source.profile;
        if verified.list.profile() != Some(wanted) {
            let evidence = format!(
                "{}, and {} was expected",
                verified.list.lote_type(),
                wanted.lote_type()
            );
            return Err(Refusal::because(&rules::LIST_TYPE, self.name(), evidence));
        }
        if let Some(led) = &self.led
            && let Err(evidence) = led.describes(&verified.list)
        {
            let rule = &rules::POINTER_QUALIFIER;
            return Err(Refusal::because(rule, self.name(), evidence));
        }
        Ok((verified, index))
    }

    fn good(&mut self, fresh_for: Option<Duration>, terms: &Terms) {
        let held = self.held.as_deref();
        let good = Good {
            interval: self.source.upkeep.interval,
            fresh_for,
            next_update: held.and_then(|h| h.verified.list.next_update()),
        };
        self.pace
            .succeeded(terms.now, good, &terms.rhythm, terms.drawn);
    }

    fn given(
        &mut self,
        bytes: Vec<u8>,
        validators: Validators,
        terms: &Terms,
    ) -> (Outcome, Vec<Finding>) {
        if let Some(held) = self.held.as_deref()
            && held.verified.sha256 == jose::sha256(&bytes)
        {
            self.memory.validators = validators;
            return (Outcome::Unchanged, Vec::new());
        }
        let ((verified, index), mut findings) = match self.judge(&bytes, terms.now) {
            Ok(accepted) => accepted,
            Err(refusal) => return (Outcome::Refused, refusal.into_findings()),
        };
        let pivot = self.pivot(&verified, terms.now);
        self.memory.pivots.extend(pivot);
        self.memory.sequence = verified.list.sequence();
        self.memory.validators = validators;
        self.memory.accepted = Some(terms.now);
        let mut kept = None;
        if let Some(copies) = &terms.copies {
            match copies.keep(&self.memory, &verified, &bytes, &terms.archive) {
                Ok(memory) => {
                    kept = memory.copy.as_deref().map(|file| copies.path(file));
                    self.memory = memory;
                }
                Err(e) => findings.push(rules::LIST_COPY.finding(self.name(), e.to_string())),
            }
        }
        let sealed = kept.map_or_else(|| Sealed::Here(bytes.into()), Sealed::File);
        let name = self.name().to_owned();
        let held = Held::new(name, (verified, index), terms.now, sealed);
        findings.extend(held.index.findings().iter().cloned().map(|mut f| {
            f.severity = f.severity.min(Severity::Warning);
            f
        }));
        self.held = Some(Arc::new(held));
        (Outcome::Updated, findings)
    }

    /// Whether a list may take the place of the one that is held.
    fn judge(&self, bytes: &[u8], now: Timestamp) -> Result<(Loaded, Vec<Finding>), Refusal> {
        let held = self.held.as_deref();
        let announced = held
            .map(|h| h.verified.list.announced_signers())
            .unwrap_or_default();
        let (verified, index) = self.authenticate(bytes, &announced, now)?;
        let list = &verified.list;
        list.current(now)?;
        let mut findings = Vec::new();
        if list.sequence() < self.memory.sequence {
            let evidence = format!("{} after {}", list.sequence(), self.memory.sequence);
            findings.push(rules::LIST_ROLLBACK.finding(self.name(), evidence));
        }
        // The copy is gone, and its digest remembered.
        let other = |i: &Instance| {
            i.sequence == list.sequence() && i.sha256 != hex::encode(verified.sha256)
        };
        if held.is_none() && self.memory.instances.iter().any(other) {
            let evidence = format!("another list with the number {}", list.sequence());
            findings.push(rules::LIST_ROLLBACK.finding(self.name(), evidence));
        }
        if let Some(held) = held {
            for mut finding in lote::succession(&held.verified.list, list) {
                if finding.is(&lote::rules::SEQUENCE_BACK) && findings.is_empty() {
                    let evidence = format!("another list with the number {}", list.sequence());
                    findings.push(rules::LIST_ROLLBACK.finding(self.name(), evidence));
                }
                if finding.is(&lote::rules::SVC_STATUS_TIME) {
                    finding.severity = Severity::Warning;
                }
                findings.push(finding);
            }
        }
        let mut findings = Refusal::unless_clean(findings)?;
        findings.extend(verified.findings.iter().cloned());
        Ok(((verified, index), findings))
    }

    /// The list that is held, when it alone announced the signer of the next.
    fn pivot(&self, next: &VerifiedList, now: Timestamp) -> Option<Pivot> {
        let SignerPolicy::Pinned(pinned) = &self.source.signers else {
            return None;
        };
        let signer = next.signer.as_ref()?;
        let file = self.memory.copy.clone()?;
        let known = pinned.contains(signer)
            || self
                .held
                .as_ref()
                .is_some_and(|h| h.verified.signer.as_ref() == Some(signer));
        let accepted = self.memory.accepted.unwrap_or(now);
        (!known).then_some(Pivot { file, accepted })
    }
}

pub(crate) fn read_copy(copies: &Copies, name: &str) -> Result<Vec<u8>, Refusal> {
    copies
        .read(name)
        .map_err(|e| Refusal::because(&rules::LIST_COPY, name, e.to_string()))
}
