//! Signed checkpoints of the audit log.
//!
//! The log is a chain of hashes, which whoever writes the whole database could chain
//! anew. So now and then the chain's end is signed by a key of the device, together
//! with the root of a tree over the entries since the checkpoint before, and the
//! device itself remembers how far the log had come (an anchor of its own). A log
//! that ends before that, or has other entries, is found out by
//! [`crate::audit_check`] and by the next checkpoint, which is then not signed.
//!
//! What was written after the newest checkpoint can still be cut off unnoticed, but
//! by whoever holds a receipt of it: that is the price of not writing to the device at
//! each signature, and [`crate::Config::checkpoint_every`] bounds it.

use std::sync::PoisonError;

use jose::Signer;
use sci::UnitId;
use sci::audit::{
    CHECKPOINT_SPAN, Checkpoint, CheckpointClaims, EntryHash, InclusionProof, Receipt,
};
use sci::merkle;
use wscd::{Anchor, DeviceError};

use crate::audit::{self, GENESIS};
use crate::shard::audit_anchor;
use crate::{Appended, AuditRow, Batch, CheckpointRow, Guard, Write, Wsca, WscaError};

/// How many entries are read at a time.
const PAGE: u32 = 2000;

impl Wsca {
    /// The key that checkpoints verify under.
    pub fn audit_key(&self) -> &jose::PublicKey {
        self.checkpoints.public_key()
    }

    /// Signs a checkpoint of the audit log, if it has grown since the last one. It is
    /// in the database and anchored in the device when this returns.
    ///
    /// A log that is not what the last checkpoint said is an alarm
    /// ([`crate::Alarm::AuditAltered`]) and gets none.
    pub async fn checkpoint(&self) -> Result<Option<String>, WscaError> {
        let mut newest = None;
        loop {
            let last = self.newest_checkpoint().await?;
            let end = self.store.audit_end().await?;
            let end = end.map_or(0, |end| end.sequence);
            let number = audit_anchor(&*self.device);
            if let Some(held) = self.device.read_anchor(number).await?
                && (last.sequence < held.epoch
                    || (last.sequence == held.epoch && last.hash != held.hash))
            {
                return Err(self.audit_alarm(format!(
                    "its newest checkpoint is over {} entries, the device remembers one over {}",
                    last.sequence, held.epoch
                )));
            }
            // A crash may have come between the last checkpoint and its anchor.
            if last.sequence > 0 {
                self.anchor_log(number, last).await?;
            }
            if end <= last.sequence {
                return Ok(newest);
            }
            newest = Some(self.sign_checkpoint(last, end).await?);
        }
    }

    async fn sign_checkpoint(&self, last: Appended, end: u64) -> Result<String, WscaError> {
        let to = end.min(last.sequence.saturating_add(CHECKPOINT_SPAN));
        let rows = self.entries(last.sequence, to).await?;
        // What is signed is what was written.
        let (sequence, hash) = match audit::verify((last.sequence, last.hash), &rows) {
            Ok(end) if end.0 == to => end,
            Ok(_) => return Err(self.audit_alarm("entries are missing at its end".into())),
            Err(broken) => return Err(self.audit_alarm(broken.to_string())),
        };
        let leaves: Vec<[u8; 32]> = rows.iter().map(|row| row.hash).collect();
        let claims = CheckpointClaims {
            iss: self.identity.context.clone(),
            iat: self.now().as_second(),
            after: last.sequence,
            after_hash: EntryHash(last.hash),
            sequence,
            hash: EntryHash(hash),
            tree: EntryHash(merkle::root(&leaves)),
        };
        let token = claims.sign(&self.checkpoints).await?;
        let batch = Batch {
            guards: vec![Guard::LastCheckpoint(last.sequence)],
            writes: vec![Write::Checkpoint(CheckpointRow {
                sequence,
                token: token.clone(),
            })],
        };
        match self.commit(batch).await {
            // Another process was quicker; its checkpoint is looked at next.
            Ok(_) | Err(WscaError::Conflict) => {}
            Err(error) => return Err(error),
        }
        Ok(token)
    }

    /// The end of what the newest checkpoint covers.
    async fn newest_checkpoint(&self) -> Result<Appended, WscaError> {
        let Some(row) = self.store.last_checkpoint().await? else {
            return Ok(Appended {
                sequence: 0,
                hash: GENESIS,
            });
        };
        match Checkpoint::verify(&row.token, self.audit_key()) {
            Ok(found) if found.claims().sequence == row.sequence => Ok(Appended {
                sequence: row.sequence,
                hash: found.claims().hash.0,
            }),
            Ok(_) => Err(self.audit_alarm("a checkpoint stands in another's place".into())),
            Err(error) => Err(self.audit_alarm(format!("its newest checkpoint: {error}"))),
        }
    }

    async fn anchor_log(&self, number: u16, last: Appended) -> Result<(), WscaError> {
        let anchor = Anchor {
            epoch: last.sequence,
            hash: last.hash,
        };
        match self.device.write_anchor(number, &anchor).await {
            // Another process has come further.
            Err(DeviceError::AnchorBehind { held, .. }) if held.epoch > anchor.epoch => Ok(()),
            other => Ok(other?),
        }
    }

    /// Leads from a receipt of `unit` to the checkpoint that covers it; none where
    /// none does yet, or where the log holds no such entry of this unit.
    pub(crate) async fn prove_receipt(
        &self,
        unit: UnitId,
        receipt: &Receipt,
    ) -> Result<Option<InclusionProof>, WscaError> {
        let Some(row) = self.store.checkpoint_over(receipt.sequence).await? else {
            return Ok(None);
        };
        let Ok(checkpoint) = Checkpoint::verify(&row.token, self.audit_key()) else {
            return Err(self.audit_alarm("a checkpoint does not verify".into()));
        };
        let claims = checkpoint.claims();
        if !checkpoint.covers(receipt.sequence) {
            return Ok(None);
        }
        let rows = self.entries(claims.after, claims.sequence).await?;
        let index = rows
            .iter()
            .position(|row| row.sequence == receipt.sequence && row.entry.unit == Some(unit));
        let leaves: Vec<[u8; 32]> = rows.iter().map(|row| row.hash).collect();
        // A proof of an altered log leads nowhere, and whoever asked for it sees that.
        Ok(index
            .and_then(|index| merkle::path(&leaves, index))
            .map(|path| InclusionProof {
                checkpoint: row.token,
                path: path.into_iter().map(EntryHash).collect(),
            }))
    }

    /// The entries after `after` up to `to`.
    async fn entries(&self, after: u64, to: u64) -> Result<Vec<AuditRow>, WscaError> {
        let mut rows: Vec<AuditRow> = Vec::new();
        let mut at = after;
        while at < to {
            let page = self.store.audit(at, PAGE).await?;
            let Some(last) = page.last() else {
                break;
            };
            at = last.sequence;
            rows.extend(page.into_iter().filter(|row| row.sequence <= to));
        }
        Ok(rows)
    }

    fn audit_alarm(&self, what: String) -> WscaError {
        let mut alarm = self
            .audit_alarm
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if alarm.is_none() {
            tracing::error!(
                target: "claviger::alarm",
                event = "wsca_audit_altered",
                what,
                "the audit log is not the one that checkpoints were signed over"
            );
            *alarm = Some(what.clone());
        }
        WscaError::Internal(format!("the audit log was altered: {what}"))
    }
}
