//! Checks an audit log against all that is known of it: its own chain, the
//! checkpoints that were signed over it, those kept elsewhere, receipts, and what the
//! device remembers.

use finding::Finding;
use jose::PublicKey;
use sci::audit::{Checkpoint, EntryHash, Receipt};
use sci::merkle;
use serde::Serialize;
use wscd::{Anchor, DeviceError, Wscd};

use crate::audit::{GENESIS, chain};
use crate::rules::{
    AUDIT_CHAIN, AUDIT_CHECKPOINT, AUDIT_KEY, AUDIT_RECEIPT, AUDIT_TAIL, AUDIT_TRUNCATED,
};
use crate::shard::audit_anchor;
use crate::{AuditRow, CheckpointRow, StoreError, WscaStore};

/// What a log is checked against, beside itself.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// The key that checkpoints verify under. Without one nothing that is signed can
    /// be relied on.
    pub key: Option<PublicKey>,
    /// Checkpoints that were kept elsewhere.
    pub checkpoints: Vec<String>,
    /// Receipts that clients hold.
    pub receipts: Vec<Receipt>,
    /// How far the log had come when the device was last told.
    pub anchor: Option<Anchor>,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AuditReport {
    /// Entries that were read.
    pub entries: u64,
    /// The number of the last one.
    pub last: u64,
    /// The chain's hash up to it.
    pub head: EntryHash,
    /// Checkpoints in the database.
    pub checkpoints: u64,
    /// The last entry that a checkpoint covers.
    pub covered: u64,
    /// The thumbprint of the key that they were verified with.
    pub key: Option<String>,
    /// What is wrong, the first [`MOST`] of it.
    pub findings: Vec<Finding>,
}

/// Most findings that are reported: a log that is wholly wrong is wrong enough.
pub const MOST: usize = 50;

/// How many entries are read at a time.
const PAGE: u32 = 2000;

/// What a device knows of its log: the anchor, and nothing else is asked of it.
pub async fn anchor(device: &dyn Wscd) -> Result<Option<Anchor>, DeviceError> {
    device.read_anchor(audit_anchor(device)).await
}

/// Reads the whole log and checks it. `told` hears how many entries were read.
pub async fn check(
    store: &dyn WscaStore,
    known: &Known,
    told: impl Fn(u64) + Send + Sync,
) -> Result<AuditReport, StoreError> {
    let mut check = Check::new(known);
    let mut checkpoint = store.checkpoint_over(1).await?;
    loop {
        let page = store.audit(check.sequence, PAGE).await?;
        if page.is_empty() {
            break;
        }
        for row in &page {
            check.entry(row);
            while let Some(row) = checkpoint.take_if(|row| row.sequence <= check.sequence) {
                check.checkpoint(&row);
                let next = row.sequence.saturating_add(1);
                checkpoint = store.checkpoint_over(next).await?;
            }
        }
        told(check.entries);
    }
    // Checkpoints over entries that are no longer there.
    while let Some(row) = checkpoint {
        check.checkpoint(&row);
        checkpoint = store
            .checkpoint_over(row.sequence.saturating_add(1))
            .await?;
    }
    Ok(check.report())
}

/// A check under way: how far it has come, and what it has found.
#[derive(Debug)]
struct Check<'a> {
    known: &'a Known,
    kept: Vec<Checkpoint>,
    entries: u64,
    sequence: u64,
    hash: [u8; 32],
    checkpoints: u64,
    covered: u64,
    covered_hash: [u8; 32],
    /// Hashes of the entries since the last checkpoint.
    leaves: Vec<[u8; 32]>,
    findings: Vec<Finding>,
}

impl<'a> Check<'a> {
    fn new(known: &'a Known) -> Self {
        let mut check = Self {
            known,
            kept: Vec::new(),
            entries: 0,
            sequence: 0,
            hash: GENESIS,
            checkpoints: 0,
            covered: 0,
            covered_hash: GENESIS,
            leaves: Vec::new(),
            findings: Vec::new(),
        };
        if let Some(key) = &known.key {
            for (index, token) in known.checkpoints.iter().enumerate() {
                match Checkpoint::verify(token, key) {
                    Ok(kept) => check.kept.push(kept),
                    Err(error) => check.found(AUDIT_CHECKPOINT.finding(
                        format!("the kept checkpoint {}", index.saturating_add(1)),
                        error.to_string(),
                    )),
                }
            }
        }
        check
    }

    fn entry(&mut self, row: &AuditRow) {
        let expected = self.sequence.saturating_add(1);
        let subject = format!("entry {}", row.sequence);
        if row.sequence != expected {
            let gap = format!(
                "it follows on entry {}: what was between is gone",
                self.sequence
            );
            self.found(AUDIT_CHAIN.finding(&subject, gap));
        } else if chain(&self.hash, row.sequence, &row.entry) != row.hash {
            self.found(AUDIT_CHAIN.finding(
                &subject,
                "its hash is not over it and the entry before: one of the two was changed or moved",
            ));
        }
        self.entries = self.entries.saturating_add(1);
        self.sequence = row.sequence;
        self.hash = row.hash;
        self.leaves.push(row.hash);
        let hash = EntryHash(row.hash);
        let known = self.known;
        let receipts = known.receipts.iter();
        if receipts
            .clone()
            .any(|r| r.sequence == row.sequence && r.hash != hash)
        {
            self.found(AUDIT_RECEIPT.finding(&subject, "a receipt was given for another entry"));
        }
        let differs = |kept: &Checkpoint| {
            kept.claims().sequence == row.sequence && kept.claims().hash != hash
        };
        if self.kept.iter().any(differs) {
            self.found(
                AUDIT_CHECKPOINT
                    .finding(&subject, "a kept checkpoint was signed over another entry"),
            );
        }
        let anchor = known.anchor.as_ref();
        if anchor.is_some_and(|a| a.epoch == row.sequence && a.hash != row.hash) {
            self.found(AUDIT_CHECKPOINT.finding(&subject, "the device remembers another entry"));
        }
    }

    fn checkpoint(&mut self, row: &CheckpointRow) {
        self.checkpoints = self.checkpoints.saturating_add(1);
        let subject = format!("the checkpoint over entry {}", row.sequence);
        let leaves = std::mem::take(&mut self.leaves);
        let (after, after_hash) = (self.covered, self.covered_hash);
        self.covered = row.sequence;
        self.covered_hash = self.hash;
        let Some(key) = &self.known.key else {
            return;
        };
        let checkpoint = match Checkpoint::verify(&row.token, key) {
            Ok(checkpoint) => checkpoint,
            Err(error) => return self.found(AUDIT_CHECKPOINT.finding(subject, error.to_string())),
        };
        let claims = checkpoint.claims();
        self.covered_hash = claims.hash.0;
        if claims.sequence != row.sequence {
            return self.found(AUDIT_CHECKPOINT.finding(subject, "it stands in another's place"));
        }
        if self.sequence < claims.sequence {
            return self.found(AUDIT_TRUNCATED.finding(
                subject,
                format!("the log ends with entry {}", self.sequence),
            ));
        }
        if (claims.after, claims.after_hash.0) != (after, after_hash) {
            let evidence = format!(
                "it follows on a checkpoint over entry {}, and the one before is over entry {after}",
                claims.after
            );
            return self.found(AUDIT_CHECKPOINT.finding(subject, evidence));
        }
        if claims.hash.0 != self.hash || claims.tree.0 != merkle::root(&leaves) {
            self.found(AUDIT_CHECKPOINT.finding(subject, "it was signed over other entries"));
        }
    }

    fn report(mut self) -> AuditReport {
        let beyond = |what: &str, sequence: u64, last: u64| {
            (sequence > last).then(|| {
                AUDIT_TRUNCATED.finding(
                    "the log",
                    format!("it ends with entry {last}, and {what} entry {sequence}"),
                )
            })
        };
        let last = self.sequence;
        let known = self.known;
        let mut short: Vec<Finding> = Vec::new();
        for kept in &self.kept {
            short.extend(beyond(
                "a kept checkpoint is over",
                kept.claims().sequence,
                last,
            ));
        }
        for receipt in &known.receipts {
            short.extend(beyond("a receipt was given for", receipt.sequence, last));
        }
        if let Some(anchor) = &known.anchor {
            short.extend(beyond("the device remembers", anchor.epoch, last));
            // The checkpoints were cut away, and the log with its chain made anew.
            if self.covered < anchor.epoch && anchor.epoch <= last {
                short.push(AUDIT_CHECKPOINT.finding(
                    "the log",
                    format!(
                        "the device remembers a checkpoint over entry {}, the newest is over {}",
                        anchor.epoch, self.covered
                    ),
                ));
            }
        }
        short.into_iter().for_each(|finding| self.found(finding));
        if known.key.is_none() {
            self.found(AUDIT_KEY.finding(
                "the checkpoints",
                "no key is at hand to verify them with: only the chain was checked",
            ));
        }
        let tail = last.saturating_sub(self.covered);
        if tail > 0 {
            self.found(AUDIT_TAIL.finding(
                "the log",
                match tail {
                    1 => "no checkpoint covers its last entry yet".to_owned(),
                    _ => format!("no checkpoint covers its last {tail} entries yet"),
                },
            ));
        }
        AuditReport {
            entries: self.entries,
            last,
            head: EntryHash(self.hash),
            checkpoints: self.checkpoints,
            covered: self.covered,
            key: known.key.as_ref().map(PublicKey::thumbprint_b64),
            findings: self.findings,
        }
    }

    fn found(&mut self, finding: Finding) {
        if self.findings.len() < MOST {
            self.findings.push(finding);
        }
    }
}
