//! What an operator can do after an alarm, deliberately and on the record.
//!
//! A shard is locked when the database is not the one that the device remembers. The
//! best that can be done is to bring the true database back: then a restart is all it
//! takes. Where it is lost, someone has to decide what the one that is there is worth,
//! and the WSCA cannot: so it asks for a decision and a reason, and writes both into
//! the audit log.

use sci::UnitId;

use crate::audit::{Entry, word};
use crate::record::{self, Status, holdings_hash};
use crate::service::forget_secrets;
use crate::{Batch, Holdings, KeyRow, UnitRow, Write, Wsca, WscaError};

/// What becomes of a locked shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unlock {
    /// Every unit in it is destroyed: nothing in doubt is used again. Its users
    /// activate anew.
    Destroy,
    /// The state is taken as it is. Whoever decides so vouches that nothing that was
    /// taken back matters: tries at PINs, destroyed keys and units that are not yet
    /// erased come back. Every session ends.
    Accept,
}

/// What an unlocking did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unlocked {
    /// Units that were destroyed.
    pub destroyed: u64,
    /// Units whose state was taken.
    pub accepted: u64,
    /// Units whose record the device does not vouch for: left as they are, refused
    /// as before.
    pub refused: u64,
}

/// How many members are read at a time.
const PAGE: u32 = 200;

impl Unlock {
    /// Its name in the audit log.
    pub fn name(self) -> &'static str {
        match self {
            Self::Destroy => "destroy",
            Self::Accept => "accept",
        }
    }
}

impl Wsca {
    /// Unlocks a shard. No other process may serve it meanwhile; those that run have
    /// it locked too, and open it at their next start.
    ///
    /// A crash leaves the shard locked; the same again goes on from there. A shard
    /// that is not locked is left alone (`None`).
    pub async fn unlock(
        &self,
        shard: u16,
        how: Unlock,
        reason: &str,
    ) -> Result<Option<Unlocked>, WscaError> {
        if !self
            .locked_shards()
            .iter()
            .any(|locked| locked.shard == shard)
        {
            return Ok(None);
        }
        let mut done = Unlocked {
            destroyed: 0,
            accepted: 0,
            refused: 0,
        };
        let mut after = None;
        loop {
            let page = self.store.members(shard, after, PAGE).await?;
            let Some(last) = page.last() else {
                break;
            };
            after = Some(last.unit);
            for member in page {
                let Some(holdings) = self.store.holdings(member.unit).await? else {
                    continue;
                };
                let (row, mut writes) = match how {
                    Unlock::Destroy => {
                        done.destroyed = done.destroyed.saturating_add(1);
                        self.condemned(holdings).await?
                    }
                    Unlock::Accept => {
                        if !record::vouched_for(&holdings, &*self.device).await? {
                            done.refused = done.refused.saturating_add(1);
                            continue;
                        }
                        done.accepted = done.accepted.saturating_add(1);
                        self.accepted(holdings).await?
                    }
                };
                let operation = format!("unlock {}", how.name());
                writes.push(Write::EndSessions(row.unit));
                writes.push(Write::Audit(Entry::done(self.now(), row.unit, operation)));
                writes.push(Write::Unit(Box::new(row)));
                self.commit(Batch {
                    guards: vec![],
                    writes,
                })
                .await?;
            }
        }
        let what = format!("unlock_shard {shard} {} {}", how.name(), word(reason));
        let entry = Entry::of_service(self.now(), what.trim_end());
        self.shards.begin_again(shard, Write::Audit(entry)).await?;
        self.vouched.forget_versions();
        Ok(Some(done))
    }

    /// Destroys a unit whose record was altered, which nothing else can be done with:
    /// it is refused, and it keeps the root from being rotated. A unit that is in
    /// order is left alone (`false`): its administrator can destroy it.
    pub async fn condemn(&self, unit: UnitId, reason: &str) -> Result<bool, WscaError> {
        let Some(holdings) = self.store.holdings(unit).await? else {
            return Ok(false);
        };
        if record::vouched_for(&holdings, &*self.device).await? {
            return Ok(false);
        }
        let old = record::member(&holdings.unit);
        let (row, mut writes) = self.condemned(holdings).await?;
        let operation = format!("condemn {}", word(reason));
        writes.push(Write::EndSessions(unit));
        writes.push(Write::Audit(Entry::done(
            self.now(),
            unit,
            operation.trim_end(),
        )));
        let batch = Batch {
            guards: vec![],
            writes,
        };
        self.commit_over(old, row, batch).await?;
        Ok(true)
    }

    /// A unit's record as that of a destroyed unit, with its keys.
    async fn condemned(&self, holdings: Holdings) -> Result<(UnitRow, Vec<Write>), WscaError> {
        let Holdings {
            unit: mut row,
            keys,
            ..
        } = holdings;
        // Of an altered record not even the generation is known: they are erased with
        // the root that is in force now.
        let root = self.device.root().await?.current.0;
        let keys: Vec<KeyRow> = keys
            .into_iter()
            .map(|key| KeyRow {
                wrapped: None,
                erased_with: Some(root),
                ..key
            })
            .collect();
        forget_secrets(&mut row);
        row.state = Status::Destroyed.name().into();
        row.version = row.version.saturating_add(1);
        row.session_epoch = row.session_epoch.saturating_add(1);
        row.holdings = holdings_hash(&keys, &[]).to_vec();
        record::seal(&mut row, &*self.device).await?;
        let mut writes: Vec<Write> = keys.into_iter().map(Write::Key).collect();
        writes.push(Write::RemoveItems(row.unit));
        Ok((row, writes))
    }

    /// A unit's record with all its sessions ended.
    async fn accepted(&self, holdings: Holdings) -> Result<(UnitRow, Vec<Write>), WscaError> {
        let mut row = holdings.unit;
        row.version = row.version.saturating_add(1);
        row.session_epoch = row.session_epoch.saturating_add(1);
        record::seal(&mut row, &*self.device).await?;
        Ok((row, vec![]))
    }
}
