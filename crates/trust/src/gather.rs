//! The earlier instances that a publisher offers, fetched into our own archive.
//!
//! Its index is not sealed and is believed in nothing: it says what may be asked
//! for, and each instance has to be sealed by a signer of the list.

use finding::Finding;
use jiff::Timestamp;
use lote::Mode;
use lote::publish;
use outbound::Validators;

use crate::archive::is_instance;
use crate::copies::{ArchiveLimits, Copies, CopyError, Instance};
use crate::fetch::{Failed, Fetched, Fetcher};
use crate::rules;
use crate::snapshot::Slot;
use crate::source::Location;

/// How many bytes of an index are read: some ten thousand instances.
const INDEX_BYTES: usize = 4 << 20;
/// How many instances are fetched in one go; the rest follow with the next refresh.
const AT_ONCE: usize = 16;

/// Whether an archive could offer anything that is not held.
pub(crate) fn is_lacking(slot: &Slot, limits: &ArchiveLimits) -> bool {
    let Some(held) = slot.held.as_deref() else {
        return false;
    };
    let memory = &slot.memory;
    let wanted = held
        .verified
        .list
        .sequence()
        .saturating_sub(memory.pruned_to);
    let count = memory.instances.len();
    count < limits.instances && u64::try_from(count).is_ok_and(|count| count < wanted)
}

/// Fetches what the archive of a source offers and we do not hold, the newest
/// first, within the limits. Gives the source with these instances, and what was
/// found.
pub(crate) async fn gather(
    slot: &Slot,
    archive: &Location,
    fetcher: &Fetcher,
    copies: &Copies,
    limits: ArchiveLimits,
    now: Timestamp,
) -> (Slot, Vec<Finding>) {
    let mut slot = slot.clone();
    let offered = match index(archive, fetcher).await {
        Ok(offered) => offered,
        Err(finding) => return (slot, vec![finding]),
    };
    let wanted = wanted(&slot, offered, &limits);
    let mut findings = Vec::new();
    let mut instances = Vec::new();
    for offer in wanted {
        let name = format!("{}.jws", offer.sequence);
        let max = fetcher.limits().max_list_bytes;
        let bytes = match body(archive, &name, fetcher, max).await {
            Ok(bytes) => bytes,
            Err(finding) => {
                findings.push(finding);
                continue;
            }
        };
        let (of, copies) = (slot.clone(), copies.clone());
        let work = move || keep(&of, &offer, &bytes, &copies, now);
        match tokio::task::spawn_blocking(work).await {
            Ok(Ok(instance)) => instances.push(instance),
            Ok(Err(finding)) => findings.push(finding),
            Err(_) => {
                let evidence = format!("{name}: it broke off");
                findings.push(rules::ARCHIVE_INSTANCE.finding(slot.name(), evidence));
            }
        }
    }
    if !instances.is_empty() {
        match copies.keep_earlier(&slot.memory, instances, &limits) {
            Ok(memory) => slot.memory = memory,
            Err(error) => findings.push(not_kept(&slot, &error)),
        }
    }
    (slot, findings)
}

async fn index(archive: &Location, fetcher: &Fetcher) -> Result<Vec<publish::Instance>, Finding> {
    let bytes = body(archive, "index.json", fetcher, INDEX_BYTES).await?;
    let wrong = |why: String| rules::ARCHIVE_FETCH.finding(archive.to_string(), why);
    let limits = jose::json::Limits::bytes(INDEX_BYTES);
    jose::json::parse_as(&bytes, limits).map_err(|e| wrong(e.to_string()))
}

fn wanted(
    slot: &Slot,
    mut offered: Vec<publish::Instance>,
    limits: &ArchiveLimits,
) -> Vec<publish::Instance> {
    let held = slot.held.as_deref();
    let current = held.map_or(0, |h| h.verified.list.sequence());
    let known = &slot.memory.instances;
    offered.sort_by_key(|offer| std::cmp::Reverse(offer.sequence));
    offered.dedup_by_key(|offer| offer.sequence);
    let newer = |sequence: u64| known.iter().filter(|i| i.sequence > sequence).count();
    offered
        .into_iter()
        .filter(|offer| offer.sequence < current && offer.sequence > slot.memory.pruned_to)
        .filter(|offer| known.iter().all(|i| i.sequence != offer.sequence))
        .enumerate()
        .filter(|(place, offer)| newer(offer.sequence) + place < limits.instances)
        .map(|(_, offer)| offer)
        .take(AT_ONCE)
        .collect()
}

fn keep(
    slot: &Slot,
    offer: &publish::Instance,
    bytes: &[u8],
    copies: &Copies,
    now: Timestamp,
) -> Result<Instance, Finding> {
    let wrong = |why: String| {
        let evidence = format!("no. {}: {why}", offer.sequence);
        rules::ARCHIVE_INSTANCE.finding(slot.name(), evidence)
    };
    let (mut signers, _) = slot.announced_on_the_way(copies);
    if let Some(held) = &slot.held {
        signers.extend(held.verified.list.announced_signers());
    }
    // Whether its signer was valid is judged when it is used, as of then.
    let (verified, _) = slot
        .authenticate_as(bytes, &signers, now, Mode::Interop)
        .map_err(|refusal| wrong(refusal.to_string()))?;
    is_instance(&verified, offer.sequence, offer.issued).map_err(wrong)?;
    if !offer
        .sha256
        .eq_ignore_ascii_case(&hex::encode(verified.sha256))
    {
        return Err(wrong("its SHA-256 is not the one in the index".to_owned()));
    }
    copies
        .write_instance(slot.name(), &verified, bytes)
        .map_err(|error| not_kept(slot, &error))
}

async fn body(
    archive: &Location,
    name: &str,
    fetcher: &Fetcher,
    max: usize,
) -> Result<Vec<u8>, Finding> {
    let failed = |why: String| {
        let evidence = format!("{name}: {why}");
        rules::ARCHIVE_FETCH.finding(archive.to_string(), evidence)
    };
    let Some(place) = archive.join(name) else {
        return Err(failed("not a folder".to_owned()));
    };
    match fetcher.place(&place, &Validators::default(), max).await {
        Ok(Fetched::Body { bytes, .. }) => Ok(bytes),
        Ok(Fetched::NotModified { .. }) => Err(failed("no body".to_owned())),
        Err(Failed { evidence, .. }) => Err(failed(evidence)),
    }
}

fn not_kept(slot: &Slot, error: &CopyError) -> Finding {
    rules::LIST_COPY.finding(slot.name(), error.to_string())
}
