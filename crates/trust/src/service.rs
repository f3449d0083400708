//! Lists kept fresh, and asked.

use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use clock::Clock;
use finding::Verdict;
use jiff::Timestamp;
use pki::Certval;

use crate::accept::restored;
use crate::archive::Archive;
use crate::check::{Answer, answer};
use crate::copies::{ArchiveLimits, Copies, CopyError};
use crate::fetch::{FetchError, Fetcher, Limits};
use crate::pointers::{PointerLimits, follow};
use crate::request::CheckRequest;
use crate::revocation::Revocations;
use crate::schedule::{Jitter, RandomJitter, Rhythm};
use crate::snapshot::{Slot, Snapshot};
use crate::source::{SignerPolicy, Source};

/// What a service is made of.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where the lists come from.
    pub sources: Vec<Source>,
    /// Within which limits.
    pub limits: Limits,
    /// Where the last good copies and the archive are kept; nowhere, and a restart
    /// has to fetch, and the past is not known.
    pub copies: Option<PathBuf>,
    /// How many earlier instances of each list are kept there.
    pub archive: ArchiveLimits,
    /// How often sources are asked.
    pub rhythm: Rhythm,
    /// Draws what makes the pauses uneven.
    pub jitter: Arc<dyn Jitter>,
    /// How far pointers are followed, for the sources whose pointers are.
    pub pointers: PointerLimits,
    /// For how long past its NextUpdate a list is still used, with a warning in each
    /// verdict. Zero, and a stale list decides nothing.
    pub grace: Duration,
}

impl Default for Config {
    /// No sources, nothing on disk, and no grace.
    fn default() -> Self {
        Self {
            sources: Vec::new(),
            limits: Limits::default(),
            copies: None,
            archive: ArchiveLimits::default(),
            rhythm: Rhythm::default(),
            jitter: Arc::new(RandomJitter),
            pointers: PointerLimits::default(),
            grace: Duration::ZERO,
        }
    }
}

/// Why there is no service.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// A source whose seals nobody could make.
    #[error("the source {0} has no pinned signer")]
    NoSigner(String),
    /// The folder of copies cannot be used.
    #[error("the folder of lists: {0}")]
    Copies(#[from] CopyError),
    /// There is no HTTP client.
    #[error("the HTTP client: {0}")]
    Client(#[from] FetchError),
}

/// The lists of trusted entities, kept fresh; answers from what it holds.
#[derive(Debug)]
pub struct TrustService {
    pub(crate) fetcher: Fetcher,
    revocations: Revocations,
    validator: Certval,
    pub(crate) copies: Option<Copies>,
    archive: Option<Arc<Archive>>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) keeping: Keeping,
    current: RwLock<Arc<Snapshot>>,
    /// One refresh at a time.
    pub(crate) refreshing: tokio::sync::Mutex<()>,
}

/// How lists are kept.
#[derive(Debug, Clone)]
pub(crate) struct Keeping {
    pub(crate) archive: ArchiveLimits,
    pub(crate) rhythm: Rhythm,
    pub(crate) jitter: Arc<dyn Jitter>,
    pub(crate) pointers: PointerLimits,
}

impl TrustService {
    /// A service that holds what its folder of copies gives; nothing is fetched
    /// yet, so it starts without a network.
    ///
    /// # Errors
    /// [`SetupError`].
    pub fn new(config: Config, clock: Arc<dyn Clock>) -> Result<Self, SetupError> {
        let fetcher = Fetcher::new(config.limits)?;
        let copies = config.copies.as_deref().map(Copies::open).transpose()?;
        let now = clock.now();
        let mut slots = Vec::with_capacity(config.sources.len());
        for source in config.sources {
            if matches!(&source.signers, SignerPolicy::Pinned(pinned) if pinned.is_empty()) {
                return Err(SetupError::NoSigner(source.location.to_string()));
            }
            slots.push(Slot::of(source).restore(copies.as_ref(), now)?);
        }
        let service = Self {
            revocations: Revocations::new(fetcher.clone()),
            fetcher,
            validator: Certval::new(),
            archive: copies.clone().map(|copies| Arc::new(Archive::new(copies))),
            copies,
            clock,
            keeping: Keeping {
                archive: config.archive,
                rhythm: config.rhythm,
                jitter: config.jitter,
                pointers: config.pointers,
            },
            current: RwLock::default(),
            refreshing: tokio::sync::Mutex::new(()),
        };
        let restore = |slot| restored(slot, service.copies.as_ref(), now);
        let followed = follow(slots, &service.keeping.pointers, restore);
        service.put(Snapshot {
            slots: followed.slots,
            grace: config.grace,
        });
        Ok(service)
    }

    /// Whether a chain is trusted, by the lists that are held.
    pub async fn check(&self, request: &CheckRequest) -> Verdict {
        self.answer(request).await.verdict
    }

    /// As [`TrustService::check`], with what the verdict stands on.
    pub(crate) async fn answer(&self, request: &CheckRequest) -> Answer {
        let snapshot = self.snapshot_for(request).await;
        answer(snapshot, request, &self.revocations, &self.validator).await
    }

    pub(crate) fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts a snapshot in the place of the one that is held. Whoever has the old one
    /// goes on with it; nobody waits but for the exchange of a pointer.
    pub(crate) fn put(&self, snapshot: Snapshot) {
        let snapshot = Arc::new(snapshot);
        let old = {
            let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut *current, snapshot)
        };
        // Freeing thousands of certificates is no work to do under the lock.
        drop(old);
    }

    /// What is held, and the earlier instances that a question about the past needs.
    async fn snapshot_for(&self, request: &CheckRequest) -> Arc<Snapshot> {
        let snapshot = self.snapshot();
        let (profile, at) = (request.context.list(), request.at);
        let Some(archive) = self.archive.clone() else {
            return snapshot;
        };
        if !Archive::is_needed(&snapshot, profile, at) {
            return snapshot;
        }
        let now: Timestamp = self.clock.now();
        let held = Arc::clone(&snapshot);
        let work = move || archive.complete(&held, profile, at, now);
        match tokio::task::spawn_blocking(work).await {
            Ok(completed) => Arc::new(completed),
            Err(_) => snapshot,
        }
    }
}
