//! Earlier instances of a list, for questions about the past.
//!
//! A list of Annexes D to G says nothing of the time before its issue; the instance
//! that was current then does. Instance `n` was current at T when it was issued by
//! then, its NextUpdate had not passed, and instance `n + 1` was issued later. Where
//! a number is missing in between, nobody knows which was, and the question stays
//! open. An instance is verified as it would have been at T: under the signers of
//! its list, with their certificates' validity then.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use finding::{Finding, Refusal};
use jiff::Timestamp;
use lote::{Mode, Profile, VerifiedList};
use pki::Certificate;

use crate::accept::read_copy;
use crate::copies::{Copies, Instance};
use crate::rules;
use crate::snapshot::{Held, Loaded, Sealed, Slot, Snapshot};

/// How many instances are held in memory, since a check looked them up.
const LOADED: usize = 4;
/// How many issue times of instances are remembered as verified.
const DATED: usize = 1_000;

/// Looks instances up in the folder of copies.
#[derive(Debug)]
pub(crate) struct Archive {
    copies: Copies,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    /// By file and digest, the least recently used first.
    instances: Vec<(String, Arc<Held>)>,
    /// When instances were issued, as far as it was verified, by file and digest.
    issued: HashMap<String, Timestamp>,
}

impl Archive {
    pub(crate) fn new(copies: Copies) -> Self {
        Self {
            copies,
            kept: Mutex::default(),
        }
    }

    /// Whether a question about `at` needs an earlier instance of a list of this
    /// profile.
    pub(crate) fn is_needed(snapshot: &Snapshot, profile: Profile, at: Timestamp) -> bool {
        let slots = snapshot.slots.iter();
        slots
            .filter(|slot| slot.source.profile == profile)
            .any(|slot| asks_the_past(slot, at))
    }

    /// The snapshot with the instances that were current at `at`, or why there is
    /// none, in the places of lists of this profile that were issued later. Reads
    /// files and verifies seals.
    pub(crate) fn complete(
        &self,
        snapshot: &Snapshot,
        profile: Profile,
        at: Timestamp,
        now: Timestamp,
    ) -> Snapshot {
        let mut snapshot = snapshot.clone();
        for slot in &mut snapshot.slots {
            if slot.source.profile == profile && asks_the_past(slot, at) {
                slot.past = Some(self.instance_at(slot, at, now));
            }
        }
        snapshot
    }

    /// The instance of a source's list that was current at `at`.
    ///
    /// # Errors
    /// What leaves the question open: [`rules::LIST_LATER`], [`rules::LIST_STALE`] or
    /// [`rules::ARCHIVE_INSTANCE`].
    fn instance_at(
        &self,
        slot: &Slot,
        at: Timestamp,
        now: Timestamp,
    ) -> Result<Arc<Held>, Finding> {
        let later = |evidence: String| rules::LIST_LATER.finding(slot.name(), evidence);
        let instances = &slot.memory.instances;
        let found = instances.iter().rposition(|i| i.issued <= at);
        let Some(instance) = found.and_then(|place| instances.get(place)) else {
            let evidence = format!("the archive holds no instance issued by {at}");
            return Err(later(evidence));
        };
        let next = found.and_then(|place| instances.get(place + 1));
        let current = slot.held.as_deref().map(|h| &h.verified.list);
        let next_sequence = next
            .map(|i| i.sequence)
            .or(current.map(lote::List::sequence))
            .unwrap_or_default();
        if next_sequence != instance.sequence + 1 {
            let evidence = format!(
                "no. {} was issued by {at} and no. {next_sequence} later; which of those between was current then is not known, since they are not in the archive",
                instance.sequence
            );
            return Err(later(evidence));
        }
        let wrong = |why: String| {
            let evidence = format!("no. {}: {why}", instance.sequence);
            rules::ARCHIVE_INSTANCE.finding(slot.name(), evidence)
        };
        let signers = self.signers(slot);
        // The folder might say of the next one that it was issued later than it was.
        let next_issued = match (next, current) {
            (Some(next), Some(current)) if next.sequence == current.sequence() => current.issued(),
            (Some(next), _) => self.issued(slot, next, &signers, now).map_err(wrong)?,
            (None, current) => current.map_or(Timestamp::MIN, lote::List::issued),
        };
        if next_issued <= at {
            return Err(wrong("the next one was issued by then".to_owned()));
        }
        let held = self.load(slot, instance, &signers, at).map_err(wrong)?;
        stood_at(&held.verified, slot.source.mode, at).map_err(|f| {
            let about = |what: &str| format!("no. {}: {what}{}", instance.sequence, f.evidence);
            if f.is(&lote::rules::NEXT_UPDATE) {
                rules::LIST_STALE.finding(slot.name(), about("NextUpdate "))
            } else {
                rules::LIST_LATER.finding(slot.name(), about(""))
            }
        })?;
        Ok(held)
    }

    /// Whoever may have sealed an instance: those pinned are known anyway, here those
    /// whom verified instances announced.
    fn signers(&self, slot: &Slot) -> Vec<Certificate> {
        let (mut signers, _) = slot.announced_on_the_way(&self.copies);
        if let Some(held) = &slot.held {
            signers.extend(held.verified.list.announced_signers());
        }
        signers
    }

    fn load(
        &self,
        slot: &Slot,
        instance: &Instance,
        signers: &[Certificate],
        at: Timestamp,
    ) -> Result<Arc<Held>, String> {
        // Held while it loads: many questions about one time load one instance once.
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let key = key(instance);
        if let Some(place) = kept.instances.iter().position(|(k, _)| *k == key) {
            let entry = kept.instances.remove(place);
            let held = Arc::clone(&entry.1);
            kept.instances.push(entry);
            return Ok(held);
        }
        let loaded = self
            .verified(slot, instance, |bytes| {
                slot.authenticate(bytes, signers, at)
            })
            .map_err(|why| why.to_string())?;
        let sealed = Sealed::File(self.copies.path(&instance.file));
        let name = slot.name().to_owned();
        let held = Arc::new(Held::new(name, loaded, at, sealed));
        if kept.instances.len() >= LOADED {
            kept.instances.remove(0);
        }
        kept.instances.push((key, Arc::clone(&held)));
        Ok(held)
    }

    /// When an instance was issued, as its seal shows.
    fn issued(
        &self,
        slot: &Slot,
        instance: &Instance,
        signers: &[Certificate],
        now: Timestamp,
    ) -> Result<Timestamp, String> {
        let key = key(instance);
        let known = |kept: &Kept| kept.issued.get(&key).copied();
        let lock = || self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(issued) = known(&lock()) {
            return Ok(issued);
        }
        // Its signer may have run out since; only what was sealed matters here.
        let (verified, _) = self
            .verified(slot, instance, |bytes| {
                slot.authenticate_as(bytes, signers, now, Mode::Interop)
            })
            .map_err(|why| why.to_string())?;
        let mut kept = lock();
        if kept.issued.len() >= DATED {
            kept.issued.clear();
        }
        kept.issued.insert(key, verified.list.issued());
        Ok(verified.list.issued())
    }

    fn verified(
        &self,
        slot: &Slot,
        instance: &Instance,
        authenticate: impl FnOnce(&[u8]) -> Result<Loaded, Refusal>,
    ) -> Result<Loaded, Refusal> {
        let bytes = read_copy(&self.copies, &instance.file)?;
        let (verified, index) = authenticate(&bytes)?;
        is_instance(&verified, instance.sequence, instance.issued).map_err(|evidence| {
            Refusal::because(&rules::ARCHIVE_INSTANCE, slot.name(), evidence)
        })?;
        Ok((verified, index))
    }
}

/// Whether a list is the instance that an index says.
pub(crate) fn is_instance(
    verified: &VerifiedList,
    sequence: u64,
    issued: Timestamp,
) -> Result<(), String> {
    let list = &verified.list;
    if (list.sequence(), list.issued()) == (sequence, issued) {
        return Ok(());
    }
    Err(format!(
        "no. {}, issued {}, and the index says no. {sequence}, issued {issued}",
        list.sequence(),
        list.issued()
    ))
}

fn asks_the_past(slot: &Slot, at: Timestamp) -> bool {
    let Some(held) = &slot.held else { return false };
    let list = &held.verified.list;
    let later = list
        .current(at)
        .is_err_and(|f| f.is(&lote::rules::ISSUE_TIME));
    later && list.profile() != Some(Profile::PubEaa)
}

/// Whether a list could be used at a time, its seal made and its signer valid.
fn stood_at(verified: &VerifiedList, mode: Mode, at: Timestamp) -> Result<(), Finding> {
    verified.list.current(at)?;
    if let Some(sealed) = verified.sealed_at.filter(|sealed| *sealed > at) {
        let evidence = format!("sealed {sealed}, which lies after {at}");
        return Err(lote::rules::SEAL_TIME.finding("seal", evidence));
    }
    if mode == Mode::Strict
        && let Some(signer) = &verified.signer
        && !(signer.not_before() <= at && at <= signer.not_after())
    {
        let evidence = format!("its signer's certificate was not valid at {at}");
        return Err(lote::rules::SEAL_VALIDITY.finding(signer.subject(), evidence));
    }
    Ok(())
}

fn key(instance: &Instance) -> String {
    format!("{} {}", instance.file, instance.sha256)
}
