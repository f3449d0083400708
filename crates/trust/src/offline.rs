//! One answer from lists in files, without a service.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use finding::{Finding, Verdict};
use jiff::Timestamp;
use lote::{Mode, Signers, Verifier};
use pki::{Certificate, Certval};
use tokio::io::AsyncReadExt;

use crate::check::{CheckRequest, decide};
use crate::copies::Memory;
use crate::fetch::{FetchError, Fetcher, Limits};
use crate::revocation::Revocations;
use crate::rules;
use crate::service::{Held, Slot, Snapshot};
use crate::source::{Location, SignerPolicy, Source};

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
/// says so. Of several versions of one list the highest counts. CRLs are fetched
/// within `limits` unless revocation is skipped.
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
    let mut slots: Vec<Slot> = Vec::new();
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
        match slot(&path, &bytes, signers, request.at) {
            Ok(slot) => keep_highest(&mut slots, slot),
            Err(why) => remarks.push(rules::LIST_UNREADABLE.finding(name, why)),
        }
    }
    let revocations = Revocations::new(Fetcher::new(limits)?);
    let validator = Certval::new();
    let decision = decide(&Snapshot { slots }, request, &validator);
    let mut verdict = revocations.complete(decision, request, &validator).await;
    verdict.findings.extend(remarks);
    Ok(verdict)
}

/// Reads a regular file of at most `max` bytes.
pub(crate) async fn read_file(path: &Path, max: usize) -> Result<Vec<u8>, String> {
    let told = |e: std::io::Error| e.to_string();
    let file = tokio::fs::File::open(path).await.map_err(told)?;
    if !file.metadata().await.map_err(told)?.is_file() {
        return Err("not a file".to_owned());
    }
    let one_more = u64::try_from(max).unwrap_or(u64::MAX).saturating_add(1);
    let mut bytes = Vec::new();
    file.take(one_more)
        .read_to_end(&mut bytes)
        .await
        .map_err(told)?;
    if bytes.len() > max {
        return Err(format!("more than {max} bytes"));
    }
    Ok(bytes)
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
    bytes: &[u8],
    signers: Option<&[Certificate]>,
    at: Timestamp,
) -> Result<Slot, String> {
    let accepted = signers.map_or(Signers::Anyone, Signers::Pinned);
    let verifier = Verifier {
        signers: accepted,
        mode: Mode::Interop,
    };
    let verified = verifier
        .authenticate(bytes, at)
        .map_err(|refusal| refusal.to_string())?;
    let profile = verified.list.profile().ok_or_else(|| {
        format!(
            "a list of the type {}, of no known profile",
            verified.list.lote_type()
        )
    })?;
    let name = path.display().to_string();
    let policy = match signers {
        Some(signers) => SignerPolicy::Pinned(signers.to_vec()),
        None => SignerPolicy::Anyone,
    };
    Ok(Slot {
        source: Source {
            profile,
            location: Location::File(path.to_owned()),
            signers: policy,
            mode: Mode::Interop,
        },
        held: Some(Arc::new(Held::new(name, verified, at))),
        trouble: Vec::new(),
        memory: Memory::default(),
    })
}

/// Two files with versions of one list are one list, in its latest version.
fn keep_highest(slots: &mut Vec<Slot>, new: Slot) {
    let key = |slot: &Slot| {
        let scheme = slot
            .held
            .as_ref()
            .map(|h| h.verified.list.content().scheme());
        let names = scheme.map(|s| {
            (
                s.lote_type.clone(),
                s.scheme_operator_name.clone(),
                s.scheme_name.clone(),
            )
        });
        let sequence = slot.held.as_ref().map_or(0, |h| h.verified.list.sequence());
        (names, sequence)
    };
    let (name, sequence) = key(&new);
    match slots.iter_mut().find(|slot| key(slot).0 == name) {
        Some(old) if key(old).1 < sequence => *old = new,
        Some(_) => {}
        None => slots.push(new),
    }
}
