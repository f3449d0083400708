//! One answer from lists in files, without a service.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use finding::{Finding, Refusal, Verdict};
use jiff::Timestamp;
use lote::{Mode, Signers, Verifier};
use pki::{Certificate, Certval};

use crate::check::{Answer, answer};
use crate::fetch::{FetchError, Fetcher, Limits};
use crate::read::read_file;
use crate::request::CheckRequest;
use crate::revocation::Revocations;
use crate::rules;
use crate::snapshot::{Held, Loaded, Sealed, Slot, Snapshot};
use crate::source::{Location, SignerPolicy, Source, Upkeep};

/// How many files of a folder are looked at.
const MAX_FILES: usize = 1_000;

/// Why no answer could be looked for.
#[derive(Debug, thiserror::Error)]
pub enum OfflineError {
    /// A file or folder cannot be read.
    #[error("{path}: {cause}")]
    Unreadable {
        /// Which.
        path: String,
        /// Why.
        cause: String,
    },
    /// There is no HTTP client for CRLs.
    #[error("the HTTP client: {0}")]
    Client(#[from] FetchError),
}

/// Answers from lists in files and folders. With `signers`, lists sealed by anyone
/// else are passed over; without, seals are taken as they are, and the verdict
/// says so. Of several versions of one list the highest counts, and for a past time
/// the one that was current then. What the certificates name for revocation is
/// fetched within `limits` unless revocation is skipped.
///
/// # Errors
/// [`OfflineError`] when a place cannot be read at all. A file that is no list is
/// a finding of the verdict.
pub async fn check_offline(
    places: &[PathBuf],
    signers: Option<&[Certificate]>,
    limits: Limits,
    request: &CheckRequest,
) -> Result<Verdict, OfflineError> {
    let answer = answer_offline(places, signers, limits, request).await?;
    Ok(answer.verdict)
}

pub(crate) async fn answer_offline(
    places: &[PathBuf],
    signers: Option<&[Certificate]>,
    limits: Limits,
    request: &CheckRequest,
) -> Result<Answer, OfflineError> {
    let mut lists: Vec<Slot> = Vec::new();
    let mut remarks: Vec<Finding> = Vec::new();
    for path in files(places).await? {
        let name = path.display().to_string();
        let bytes = match read_file(&path, limits.max_list_bytes).await {
            Ok(bytes) => bytes,
            Err(why) => {
                remarks.push(rules::LIST_UNREADABLE.finding(name, why));
                continue;
            }
        };
        match slot(&path, bytes, signers, request.at) {
            Ok(slot) => lists.push(slot),
            Err(why) => remarks.push(rules::LIST_UNREADABLE.finding(name, why)),
        }
    }
    let snapshot = Snapshot {
        slots: versions(lists, request.at),
        ..Snapshot::default()
    };
    let revocations = Revocations::new(Fetcher::new(limits)?);
    let validator = Certval::new();
    let mut answer = answer(Arc::new(snapshot), request, &revocations, &validator).await;
    answer.verdict.findings.extend(remarks.iter().cloned());
    answer.remarks = remarks;
    Ok(answer)
}

async fn files(places: &[PathBuf]) -> Result<Vec<PathBuf>, OfflineError> {
    let mut files = Vec::new();
    for place in places {
        let unreadable = |cause: std::io::Error| OfflineError::Unreadable {
            path: place.display().to_string(),
            cause: cause.to_string(),
        };
        if !tokio::fs::metadata(place)
            .await
            .map_err(unreadable)?
            .is_dir()
        {
            files.push(place.clone());
            continue;
        }
        let mut entries = tokio::fs::read_dir(place).await.map_err(unreadable)?;
        let mut inside = Vec::new();
        while let Some(entry) = entries.next_entry().await.map_err(unreadable)? {
            let hidden = entry.file_name().to_string_lossy().starts_with('.');
            if !hidden && entry.file_type().await.map_err(unreadable)?.is_file() {
                inside.push(entry.path());
            }
            if files.len() + inside.len() > MAX_FILES {
                return Err(OfflineError::Unreadable {
                    path: place.display().to_string(),
                    cause: format!("more than {MAX_FILES} files"),
                });
            }
        }
        inside.sort();
        files.extend(inside);
    }
    Ok(files)
}

fn slot(
    path: &Path,
    bytes: Vec<u8>,
    signers: Option<&[Certificate]>,
    at: Timestamp,
) -> Result<Slot, String> {
    let verifier = Verifier {
        signers: signers.map_or(Signers::Anyone, Signers::Pinned),
        mode: Mode::Interop,
    };
    let (loaded, accepted) =
        authenticate(&verifier, &bytes, at).map_err(|refusal| refusal.to_string())?;
    let list = &loaded.0.list;
    let profile = list.profile().ok_or_else(|| {
        format!(
            "a list of the type {}, of no known profile",
            list.lote_type()
        )
    })?;
    let name = path.display().to_string();
    let policy = match signers {
        Some(signers) => SignerPolicy::Pinned(signers.to_vec()),
        None => SignerPolicy::Anyone,
    };
    let mut slot = Slot::of(Source {
        profile,
        location: Location::File(path.to_owned()),
        signers: policy,
        mode: Mode::Interop,
        upkeep: Upkeep::default(),
    });
    let sealed = Sealed::Here(bytes.into());
    slot.held = Some(Arc::new(Held::new(name, loaded, accepted, sealed)));
    Ok(slot)
}

/// Verifies a list as of a time, or as of its sealing where that came later: it does
/// not answer for the time before, but it says that it is there.
fn authenticate(
    verifier: &Verifier<'_>,
    bytes: &[u8],
    at: Timestamp,
) -> Result<(Loaded, Timestamp), Refusal> {
    let at = match verifier.load(bytes, at) {
        Ok(loaded) => return Ok((loaded, at)),
        Err(refusal) if refusal.names(&lote::rules::SEAL_TIME) => {
            let (later, _) = verifier.load(bytes, Timestamp::MAX)?;
            later.sealed_at.ok_or(refusal)?
        }
        Err(refusal) => return Err(refusal),
    };
    Ok((verifier.load(bytes, at)?, at))
}

/// Files with versions of one list are one list: the highest version, and beside it
/// the highest that had been issued by a past time that is asked for.
fn versions(lists: Vec<Slot>, at: Timestamp) -> Vec<Slot> {
    let mut slots: Vec<Slot> = Vec::new();
    for new in lists {
        let Some(held) = new.held.clone() else {
            continue;
        };
        let same = slots.iter_mut().find(|slot| is_same_list(slot, &held));
        let Some(slot) = same else {
            slots.push(new);
            continue;
        };
        let earlier = match slot.held.take() {
            Some(old) if sequence(&old) < sequence(&held) => {
                *slot = Slot {
                    past: slot.past.take(),
                    ..new
                };
                old
            }
            kept => {
                slot.held = kept;
                held
            }
        };
        let spoke_then = earlier.verified.list.current(at).is_ok();
        let before = slot.past.as_ref().and_then(|past| past.as_ref().ok());
        if spoke_then && before.is_none_or(|past| sequence(past) < sequence(&earlier)) {
            slot.past = Some(Ok(earlier));
        }
    }
    slots
}

fn sequence(held: &Held) -> u64 {
    held.verified.list.sequence()
}

fn is_same_list(slot: &Slot, held: &Held) -> bool {
    let scheme = |held: &Held| {
        let scheme = held.verified.list.content().scheme();
        (
            scheme.lote_type.clone(),
            scheme.scheme_operator_name.clone(),
            scheme.scheme_name.clone(),
        )
    };
    slot.held
        .as_deref()
        .is_some_and(|own| scheme(own) == scheme(held))
}
