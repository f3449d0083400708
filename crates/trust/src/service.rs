//! Lists kept fresh, and asked.

use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use clock::Clock;
use finding::{Finding, Refusal, Severity, Verdict};
use jiff::Timestamp;
use lote::{Index, Signers, VerifiedList, Verifier};
use pki::{Certificate, Certval};
use serde::Serialize;

use crate::check::{CheckRequest, decide};
use crate::copies::{Copies, CopyError, Memory, Pivot};
use crate::fetch::{FetchError, Fetched, Fetcher, Limits, Schemes};
use crate::revocation::Revocations;
use crate::rules;
use crate::source::{Location, SignerPolicy, Source};

/// What a service is made of.
#[derive(Debug, Clone, Default)]
pub struct Config {
    /// Where the lists come from.
    pub sources: Vec<Source>,
    /// Within which limits.
    pub limits: Limits,
    /// Where the last good copies are kept; nowhere, and a restart has to fetch.
    pub copies: Option<PathBuf>,
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
    fetcher: Fetcher,
    revocations: Revocations,
    validator: Certval,
    copies: Option<Copies>,
    clock: Arc<dyn Clock>,
    current: RwLock<Arc<Snapshot>>,
    /// One refresh at a time.
    refreshing: tokio::sync::Mutex<()>,
}

/// What is held at one moment.
#[derive(Debug, Clone, Default)]
pub(crate) struct Snapshot {
    pub(crate) slots: Vec<Slot>,
}

/// One source and what is held of it.
#[derive(Debug, Clone)]
pub(crate) struct Slot {
    pub(crate) source: Source,
    pub(crate) held: Option<Arc<Held>>,
    /// What went wrong at the last refresh.
    pub(crate) trouble: Vec<Finding>,
    pub(crate) memory: Memory,
}

/// A list that was accepted.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) uri: String,
    pub(crate) verified: VerifiedList,
    pub(crate) index: Index,
    pub(crate) accepted: Timestamp,
}

impl Held {
    pub(crate) fn new(uri: String, verified: VerifiedList, accepted: Timestamp) -> Self {
        let index = Index::of(&verified.list);
        Self {
            uri,
            verified,
            index,
            accepted,
        }
    }

    pub(crate) fn sha256_hex(&self) -> String {
        self.verified
            .sha256
            .iter()
            .map(|b| format!("{b:02x}"))
            .collect()
    }
}

/// What a refresh did.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// When.
    pub at: Timestamp,
    /// For each source, in the order of the configuration.
    pub sources: Vec<SourceReport>,
}

/// What a refresh did for one source.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SourceReport {
    /// The source.
    pub source: String,
    /// The kind of list it gives.
    pub profile: String,
    /// What happened.
    pub outcome: Outcome,
    /// The sequence number of the list that is held now.
    pub sequence: Option<u64>,
    /// What was found.
    pub findings: Vec<Finding>,
}

/// What happened to a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// A new list was accepted.
    Updated,
    /// It gave the list that is held.
    Unchanged,
    /// It gave something that was refused; what is held stays.
    Refused,
    /// It gave nothing; what is held stays.
    Unavailable,
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
            slots.push(Slot::restore(source, copies.as_ref(), now)?);
        }
        Ok(Self {
            revocations: Revocations::new(fetcher.clone()),
            fetcher,
            validator: Certval::new(),
            copies,
            clock,
            current: RwLock::new(Arc::new(Snapshot { slots })),
            refreshing: tokio::sync::Mutex::new(()),
        })
    }

    /// Whether a chain is trusted, by the lists that are held.
    pub async fn check(&self, request: &CheckRequest) -> Verdict {
        let snapshot = self.snapshot();
        let decision = decide(&snapshot, request, &self.validator);
        self.revocations
            .complete(decision, request, &self.validator)
            .await
    }

    /// Fetches every source, and takes over what is good.
    pub async fn refresh(&self) -> Report {
        let _one = self.refreshing.lock().await;
        let now = self.clock.now();
        let before = self.snapshot();
        let fetched = self.fetch_all(&before).await;
        let copies = self.copies.clone();
        let held = Arc::clone(&before);
        // Signatures, thousands of certificates and synced files: not for a thread
        // that serves others.
        let work = move || take_over_all(&held, fetched, copies.as_ref(), now);
        let Ok((snapshot, report)) = tokio::task::spawn_blocking(work).await else {
            tracing::error!("a refresh of the lists broke off; what is held stays");
            return Report {
                at: now,
                sources: Vec::new(),
            };
        };
        for source in &report.sources {
            for finding in source
                .findings
                .iter()
                .filter(|f| f.severity == Severity::Error)
            {
                tracing::warn!(source = %source.source, rule = %finding.rule, "{finding}");
            }
        }
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(snapshot);
        report
    }

    /// Refreshes again and again, with a pause in between, until it is dropped.
    pub async fn keep_fresh(&self, pause: Duration) {
        loop {
            tokio::time::sleep(pause).await;
            self.refresh().await;
        }
    }

    pub(crate) fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// All at once, so that a slow source holds up none of the others.
    async fn fetch_all(&self, snapshot: &Snapshot) -> Vec<Result<Fetched, Finding>> {
        let mut tasks = tokio::task::JoinSet::new();
        for (place, slot) in snapshot.slots.iter().enumerate() {
            let fetcher = self.fetcher.clone();
            let location = slot.source.location.clone();
            let etag = slot.held.as_ref().and(slot.memory.etag.clone());
            tasks.spawn(async move { (place, fetch(&fetcher, &location, etag.as_deref()).await) });
        }
        let mut results: Vec<Result<Fetched, Finding>> = snapshot
            .slots
            .iter()
            .map(|slot| {
                Err(rules::LIST_FETCH
                    .finding(slot.source.location.to_string(), "the fetch broke off"))
            })
            .collect();
        while let Some(done) = tasks.join_next().await {
            if let Ok((place, result)) = done
                && let Some(slot) = results.get_mut(place)
            {
                *slot = result;
            }
        }
        results
    }
}

fn take_over_all(
    before: &Snapshot,
    fetched: Vec<Result<Fetched, Finding>>,
    copies: Option<&Copies>,
    now: Timestamp,
) -> (Snapshot, Report) {
    let mut slots = Vec::with_capacity(before.slots.len());
    let mut sources = Vec::with_capacity(before.slots.len());
    for (slot, fetched) in before.slots.iter().zip(fetched) {
        let (slot, outcome, findings) = take_over(slot, fetched, copies, now);
        sources.push(SourceReport {
            source: slot.source.location.to_string(),
            profile: slot.source.profile.name().to_owned(),
            outcome,
            sequence: slot.held.as_ref().map(|held| held.verified.list.sequence()),
            findings,
        });
        slots.push(slot);
    }
    (Snapshot { slots }, Report { at: now, sources })
}

fn take_over(
    slot: &Slot,
    fetched: Result<Fetched, Finding>,
    copies: Option<&Copies>,
    now: Timestamp,
) -> (Slot, Outcome, Vec<Finding>) {
    let mut slot = slot.clone();
    let (bytes, etag) = match fetched {
        Ok(Fetched::Body { bytes, etag }) => (bytes, etag),
        Ok(Fetched::NotModified) => {
            slot.trouble.clear();
            return (slot, Outcome::Unchanged, Vec::new());
        }
        Err(finding) => {
            slot.trouble = vec![finding.clone()];
            return (slot, Outcome::Unavailable, vec![finding]);
        }
    };
    if let Some(held) = slot.held.as_deref()
        && held.verified.sha256 == jose::sha256(&bytes)
    {
        slot.trouble.clear();
        slot.memory.etag = etag;
        return (slot, Outcome::Unchanged, Vec::new());
    }
    match slot.accept(&bytes, now) {
        Err(refusal) => {
            slot.trouble = refusal.findings().to_vec();
            (slot, Outcome::Refused, refusal.into_findings())
        }
        Ok((held, mut findings)) => {
            let pivot = slot.pivot(&held);
            slot.memory.pivots.extend(pivot);
            slot.memory.sequence = held.verified.list.sequence();
            slot.memory.etag = etag;
            slot.memory.accepted = Some(now);
            slot.held = Some(Arc::new(held));
            slot.trouble.clear();
            if let Some(copies) = copies {
                match copies.keep(&slot.memory, &bytes) {
                    Ok(memory) => slot.memory = memory,
                    Err(e) => findings.push(
                        rules::LIST_COPY.finding(slot.source.location.to_string(), e.to_string()),
                    ),
                }
            }
            (slot, Outcome::Updated, findings)
        }
    }
}

impl Slot {
    /// A source as its folder of copies remembers it.
    fn restore(
        source: Source,
        copies: Option<&Copies>,
        now: Timestamp,
    ) -> Result<Self, SetupError> {
        let name = source.location.to_string();
        let mut slot = Self {
            source,
            held: None,
            trouble: Vec::new(),
            memory: Memory {
                source: name.clone(),
                ..Memory::default()
            },
        };
        let Some(copies) = copies else {
            return Ok(slot);
        };
        slot.memory = copies.memory(&name)?;
        let Some(copy) = slot.memory.copy.clone() else {
            return Ok(slot);
        };
        let restored = slot.announced_on_the_way(copies).and_then(|announced| {
            let bytes = read_copy(copies, &copy)?;
            slot.authenticate(&bytes, &announced, now)
        });
        match restored {
            Ok(verified) => {
                let accepted = slot.memory.accepted.unwrap_or(now);
                slot.held = Some(Arc::new(Held::new(name, verified, accepted)));
            }
            Err(refusal) => slot.trouble = refusal.into_findings(),
        }
        Ok(slot)
    }

    /// The signers that earlier lists announced, from the pinned one on.
    fn announced_on_the_way(&self, copies: &Copies) -> Result<Vec<Certificate>, Refusal> {
        let mut announced = Vec::new();
        for pivot in &self.memory.pivots {
            let bytes = read_copy(copies, &pivot.file)?;
            let verified = self.authenticate(&bytes, &announced, pivot.accepted)?;
            announced.extend(verified.list.announced_signers());
        }
        Ok(announced)
    }

    /// Verifies a list under the pinned signers and those announced.
    fn authenticate(
        &self,
        bytes: &[u8],
        announced: &[Certificate],
        at: Timestamp,
    ) -> Result<VerifiedList, Refusal> {
        let mode = self.source.mode;
        let verified = match &self.source.signers {
            SignerPolicy::Anyone => Verifier {
                signers: Signers::Anyone,
                mode,
            }
            .authenticate(bytes, at)?,
            SignerPolicy::Pinned(pinned) => {
                let signers: Vec<Certificate> = pinned.iter().chain(announced).cloned().collect();
                Verifier {
                    signers: Signers::Pinned(&signers),
                    mode,
                }
                .authenticate(bytes, at)?
            }
        };
        let wanted = self.source.profile;
        if verified.list.profile() != Some(wanted) {
            let evidence = format!(
                "{}, and {} was expected",
                verified.list.lote_type(),
                wanted.lote_type()
            );
            return Err(Refusal::because(
                &rules::LIST_TYPE,
                &self.memory.source,
                evidence,
            ));
        }
        Ok(verified)
    }

    /// Accepts a list in the place of the one that is held, or refuses it.
    fn accept(&self, bytes: &[u8], now: Timestamp) -> Result<(Held, Vec<Finding>), Refusal> {
        let held = self.held.as_deref();
        let announced = held
            .map(|h| h.verified.list.announced_signers())
            .unwrap_or_default();
        let verified = self.authenticate(bytes, &announced, now)?;
        let list = &verified.list;
        list.current(now)?;
        let mut findings = Vec::new();
        if list.sequence() < self.memory.sequence {
            let evidence = format!("{} after {}", list.sequence(), self.memory.sequence);
            findings.push(rules::LIST_ROLLBACK.finding(&self.memory.source, evidence));
        }
        if let Some(held) = held {
            for mut finding in lote::succession(&held.verified.list, list) {
                if finding.is(&lote::rules::SEQUENCE_BACK) && findings.is_empty() {
                    let evidence = format!("another list with the number {}", list.sequence());
                    findings.push(rules::LIST_ROLLBACK.finding(&self.memory.source, evidence));
                }
                if finding.is(&lote::rules::SVC_STATUS_TIME) {
                    finding.severity = Severity::Warning;
                }
                findings.push(finding);
            }
        }
        let mut findings = Refusal::unless_clean(findings)?;
        findings.extend(verified.findings.iter().cloned());
        let held = Held::new(self.memory.source.clone(), verified, now);
        findings.extend(held.index.findings().iter().cloned().map(|mut f| {
            f.severity = f.severity.min(Severity::Warning);
            f
        }));
        Ok((held, findings))
    }

    /// The list that is held, when it alone announced the signer of the next.
    fn pivot(&self, next: &Held) -> Option<Pivot> {
        let SignerPolicy::Pinned(pinned) = &self.source.signers else {
            return None;
        };
        let signer = next.verified.signer.as_ref()?;
        let file = self.memory.copy.clone()?;
        let known = pinned.contains(signer)
            || self
                .held
                .as_ref()
                .is_some_and(|h| h.verified.signer.as_ref() == Some(signer));
        let accepted = self.memory.accepted.unwrap_or(next.accepted);
        (!known).then_some(Pivot { file, accepted })
    }
}

async fn fetch(
    fetcher: &Fetcher,
    location: &Location,
    etag: Option<&str>,
) -> Result<Fetched, Finding> {
    let max = fetcher.limits().max_list_bytes;
    let failed = |why: String| rules::LIST_FETCH.finding(location.to_string(), why);
    match location {
        Location::Url(url) => fetcher
            .get(url, Schemes::Https, etag, max)
            .await
            .map_err(|e| failed(e.to_string())),
        Location::File(path) => {
            let bytes = crate::offline::read_file(path, max).await.map_err(failed)?;
            Ok(Fetched::Body { bytes, etag: None })
        }
    }
}

fn read_copy(copies: &Copies, name: &str) -> Result<Vec<u8>, Refusal> {
    copies
        .read(name)
        .map_err(|e| Refusal::because(&rules::LIST_COPY, name, e.to_string()))
}
