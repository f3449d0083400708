//! Bundles made: from the lists a service holds, or from lists in files.

use std::path::PathBuf;

use finding::Verdict;
use jiff::Timestamp;
use pki::Certificate;

use super::parts::{self, LedBy, List, Question, Revocation, Sealed};
use super::{Body, Bundle, MAX_BUNDLE};
use crate::check::Answer;
use crate::fetch::Limits;
use crate::offline::{OfflineError, answer_offline};
use crate::request::CheckRequest;
use crate::service::TrustService;
use crate::snapshot::{Held, Slot, Snapshot};
use crate::source::SignerPolicy;

/// A verdict with what it stood on.
#[derive(Debug, Clone, PartialEq)]
pub struct Recorded {
    /// The verdict.
    pub verdict: Verdict,
    /// What it stood on.
    pub bundle: Bundle,
}

/// Why there is a verdict and no bundle of it.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The lists could not be asked.
    #[error(transparent)]
    Offline(#[from] OfflineError),
    /// The list as it was sealed is not at hand any more.
    #[error("{uri}: the list as it was sealed is not at hand: {cause}")]
    Gone {
        /// Which.
        uri: String,
        /// Why.
        cause: String,
    },
    /// It would be larger than is read again.
    #[error("a bundle of more than {MAX_BUNDLE} bytes")]
    TooLarge,
}

impl TrustService {
    /// As [`TrustService::check`], with what the verdict stood on: the lists as they
    /// were sealed, CRLs, OCSP responses, the question and the time.
    ///
    /// # Errors
    /// [`RecordError`].
    pub async fn check_recorded(&self, request: &CheckRequest) -> Result<Recorded, RecordError> {
        let mut tries = 3;
        loop {
            let answer = self.answer(request).await;
            tries -= 1;
            match record(&answer, request, self.clock.now()) {
                // A refresh has put a newer list in the place of the one that was
                // asked, and swept its file: ask again, of the newer one.
                Err(RecordError::Gone { .. }) if tries > 0 => {}
                recorded => return recorded,
            }
        }
    }
}

/// As [`crate::check_offline`], with what the verdict stood on.
///
/// # Errors
/// [`RecordError`].
pub async fn record_offline(
    places: &[PathBuf],
    signers: Option<&[Certificate]>,
    limits: Limits,
    request: &CheckRequest,
    now: Timestamp,
) -> Result<Recorded, RecordError> {
    let answer = answer_offline(places, signers, limits, request).await?;
    record(&answer, request, now)
}

fn record(
    answer: &Answer,
    request: &CheckRequest,
    now: Timestamp,
) -> Result<Recorded, RecordError> {
    let snapshot = &answer.snapshot;
    let mut size = 0_usize;
    let mut lists = Vec::new();
    for slot in bearing(snapshot, request) {
        let list = list(slot)?;
        let sealed = [&list.held, &list.archived];
        size += sealed
            .into_iter()
            .flatten()
            .map(|s| s.text.len())
            .sum::<usize>();
        if size > MAX_BUNDLE / 2 {
            return Err(RecordError::TooLarge);
        }
        lists.push(list);
    }
    let bundle = Bundle {
        body: Body {
            made_by: made_by(),
            made_at: now,
            question: Question::of(request),
            grace_seconds: snapshot.grace.as_secs(),
            lists,
            revocation: Revocation::of(&answer.material),
            remarks: answer.remarks.clone(),
            verdict: answer.verdict.clone(),
        },
    };
    if bundle.to_json().len() > MAX_BUNDLE {
        return Err(RecordError::TooLarge);
    }
    Ok(Recorded {
        verdict: answer.verdict.clone(),
        bundle,
    })
}

pub(super) fn made_by() -> String {
    concat!("claviger ", env!("CARGO_PKG_VERSION")).to_owned()
}

/// The slots that bear on an answer, and those whose lists point to them.
fn bearing<'s>(snapshot: &'s Snapshot, request: &CheckRequest) -> Vec<&'s Slot> {
    let bears: Vec<&Slot> = snapshot
        .slots
        .iter()
        .filter(|slot| bears_on(slot, request))
        .collect();
    let points = |slot: &&Slot| {
        let led = bears.iter().filter_map(|to| to.led.as_ref());
        led.flat_map(|led| &led.by).any(|by| by == slot.name())
    };
    let wanted = |slot: &&Slot| bears_on(slot, request) || points(slot);
    snapshot.slots.iter().filter(wanted).collect()
}

/// The lists of the context, and those that a refusal may name because the leaf
/// stands on them.
fn bears_on(slot: &Slot, request: &CheckRequest) -> bool {
    let stands = |held: &Held| {
        let leaf = request.chain.first();
        leaf.is_some_and(|leaf| held.index.of_certificate(leaf).next().is_some())
    };
    slot.source.profile == request.context.list() || slot.held.as_deref().is_some_and(stands)
}

fn list(slot: &Slot) -> Result<List, RecordError> {
    let source = &slot.source;
    let (archived, no_archive) = match &slot.past {
        None => (None, None),
        Some(Ok(held)) => (Some(sealed(slot, held)?), None),
        Some(Err(finding)) => (None, Some(finding.clone())),
    };
    Ok(List {
        profile: source.profile.name().to_owned(),
        location: slot.name().to_owned(),
        mode: match source.mode {
            lote::Mode::Strict => "strict".to_owned(),
            lote::Mode::Interop => "interop".to_owned(),
        },
        pinned: match &source.signers {
            SignerPolicy::Pinned(pinned) => Some(pinned.iter().map(parts::encoded).collect()),
            SignerPolicy::Anyone => None,
        },
        held: slot.held.as_deref().map(|h| sealed(slot, h)).transpose()?,
        archived,
        no_archive,
        trouble: slot.trouble.clone(),
        led: slot.led.as_deref().map(|led| LedBy {
            by: led.by.clone(),
            until: led.until,
        }),
    })
}

fn sealed(slot: &Slot, held: &Held) -> Result<Sealed, RecordError> {
    let gone = |cause: String| RecordError::Gone {
        uri: held.uri.clone(),
        cause,
    };
    let bytes = held.sealed.read().map_err(|e| gone(e.to_string()))?;
    if jose::sha256(&bytes) != held.verified.sha256 {
        return Err(gone("its file holds another list by now".to_owned()));
    }
    let announced = held.verified.signer.as_ref().filter(|signer| {
        matches!(&slot.source.signers, SignerPolicy::Pinned(pinned) if !pinned.contains(signer))
    });
    Ok(Sealed {
        uri: held.uri.clone(),
        accepted: held.accepted,
        sha256: held.sha256_hex(),
        text: String::from_utf8(bytes).map_err(|e| gone(e.to_string()))?,
        announced: announced.map(parts::encoded),
        found: held.verified.findings.clone(),
    })
}
