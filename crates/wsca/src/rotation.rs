//! Erasure at any scale: a new root, and what lives moved under it.
//!
//! Destroying a key removes its wrapped form from the database; an earlier copy of
//! the database still has it. So now and then the root of the key tree is replaced:
//! every unit that lives gets a *new* wrapping key under the new root, its keys and
//! items are moved to it, and the old root is destroyed. From then on every earlier
//! copy of the database is useless, with the device at hand and in our own hands too.
//! (Were a unit's old wrapping key only wrapped again, a key destroyed before would
//! still open under it.)
//!
//! # In what order, and what a crash leaves
//!
//! 1. A lease in the database, so that one process rotates at a time.
//! 2. The device makes the next root. The same again where a crash came after it.
//! 3. The database notes the target, and that no unit key under an older root is
//!    written from here on: whoever enrols a unit at this moment under the old root
//!    does it again under the new one ([`crate::Guard::Generation`]).
//! 4. Unit by unit: new wrapping key, all keys, all items, record, audit entry in one
//!    commit. A crash leaves a unit whole under the one root or the other, and the
//!    device opens both. Requests go on meanwhile: one that was overtaken by its
//!    unit's move is done again.
//! 5. Every shard is checked whole. Where one is locked or a unit could not be moved,
//!    the rotation stops here and can be resumed: nothing that lives is lost.
//! 6. The device destroys the old root, durably.
//! 7. The database notes the end. A crash between 6 and 7 is seen by the device
//!    holding the target alone.

use std::collections::VecDeque;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use sci::UnitId;
use tokio::task::JoinSet;
use wscd::{DeviceError, Generation, UserKey};

use crate::audit::Entry;
use crate::record::{Status, Unit, public_key};
use crate::service::ATTEMPTS;
use crate::session::{fresh_id, later};
use crate::{
    Batch, Guard, ItemRow, KeyRow, LockedShard, OpenError, RotationRow, Write, Wsca, WscaError,
};

/// How far a rotation has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Units looked at.
    pub done: u64,
    /// Units there are, as far as was known at the start.
    pub of: u64,
}

/// A rotation that is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rotated {
    /// The root that wraps now. All older ones are destroyed.
    pub root: Generation,
    /// Units that were moved in this run.
    pub units: u64,
    /// Keys that were moved in this run.
    pub keys: u64,
    /// Whether it took up what an earlier run had left.
    pub resumed: bool,
}

/// Why a rotation did not come to its end. What was begun can be resumed.
#[derive(Debug, thiserror::Error)]
pub enum RotationError {
    /// Another process rotates.
    #[error("another process rotates the root, at least until {0}")]
    Held(Timestamp),
    /// A shard is locked: its units could not be moved, and would be lost.
    #[error(
        "{} locked: unlock what is locked first, or its units are lost with the old root",
        shards(.0)
    )]
    Locked(Vec<LockedShard>),
    /// Units that could not be moved. The old root stays.
    #[error("unit {unit} could not be moved, and {others} more: {cause}")]
    Unmoved {
        /// The first of them.
        unit: UnitId,
        /// How many more.
        others: usize,
        /// Why.
        #[source]
        cause: Box<WscaError>,
    },
    /// The device holds other roots than a rotation leaves.
    #[error("the device's roots are not those of a rotation under way: {0}")]
    Roots(String),
    /// The device, the store, or a check failed.
    #[error(transparent)]
    Wsca(#[from] WscaError),
    /// A check of all shards could not be made.
    #[error(transparent)]
    Check(#[from] OpenError),
}

/// How long a process may go without a word before another one may take over.
const LEASE: SignedDuration = SignedDuration::from_mins(2);
/// How many units are moved at a time: enough to keep a device with several sessions
/// busy and to share commits, few enough to leave room for requests.
const AT_ONCE: usize = 8;

/// How often a unit that changed meanwhile is moved again. A phone that signs without a
/// pause wins most of the time: what it does takes less than a move.
const MOVES: usize = 8 * ATTEMPTS;
/// How many members are read at a time.
const PAGE: u32 = 500;

impl Wsca {
    /// Rotates the root, or takes up a rotation that was interrupted. `told` hears
    /// how far it is.
    pub async fn rotate(
        self: &Arc<Self>,
        told: impl Fn(Progress) + Send + Sync,
    ) -> Result<Rotated, RotationError> {
        self.must_have_no_locked_shard()?;
        let mut lease = Lease::take(self).await?;
        let outcome = self.rotate_under(&mut lease, told).await;
        if outcome.is_err() {
            // So that nobody has to wait for the lease's end to take it up.
            let _ = lease.end(self, vec![]).await;
        }
        outcome
    }

    /// Rotates if the last rotation was so long ago that
    /// [`crate::Config::rotate_every`] wants another, or if one was interrupted.
    pub async fn rotate_if_due(self: &Arc<Self>) -> Result<Option<Rotated>, RotationError> {
        let Some(every) = self.config.rotate_every else {
            return Ok(None);
        };
        let row = self.store.rotation().await.map_err(WscaError::from)?;
        let Some(row) = row else {
            // The first look: from here on the time counts.
            Lease::take(self).await?.end(self, vec![]).await?;
            return Ok(None);
        };
        if row.target.is_none() && self.now() < later(row.finished, every) {
            return Ok(None);
        }
        self.rotate(|_| {}).await.map(Some)
    }

    async fn rotate_under(
        self: &Arc<Self>,
        lease: &mut Lease,
        told: impl Fn(Progress) + Send + Sync,
    ) -> Result<Rotated, RotationError> {
        let resumed = lease.row.target.is_some();
        let held = self.device.root().await.map_err(WscaError::from)?;
        if lease.row.target == Some(held.current.0) && held.retiring.is_none() {
            // The old root was destroyed, and the process with it before it said so.
            self.note_end(lease, held.current).await?;
            return Ok(Rotated {
                root: held.current,
                units: 0,
                keys: 0,
                resumed,
            });
        }
        let root = self
            .device
            .begin_rotation()
            .await
            .map_err(WscaError::from)?;
        let target = root.current;
        if root.retiring.is_none() {
            return Err(RotationError::Roots(format!("{root:?} after it began")));
        }
        if lease.row.target != Some(target.0) {
            let entry = Entry::of_service(self.now(), format!("rotation_begin {target}"));
            lease.row.target = Some(target.0);
            lease.row.minimum = target.0;
            lease.prolong(self, vec![Write::Audit(entry)]).await?;
        }

        let mut moved = Moved::default();
        let of = self.store.unit_count().await.map_err(WscaError::from)?;
        for shard in 0..self.config.shards {
            self.move_shard(shard, target, lease, &mut moved, |done| {
                told(Progress { done, of });
            })
            .await?;
        }
        if let Some((unit, cause)) = moved.failed.pop_front() {
            return Err(RotationError::Unmoved {
                unit,
                others: moved.failed.len(),
                cause: Box::new(cause),
            });
        }

        // What is not seen now would be lost in a moment.
        self.check_state().await?;
        self.must_have_no_locked_shard()?;
        lease.prolong(self, vec![]).await?;
        let held = self.device.root().await.map_err(WscaError::from)?;
        if held != root {
            return Err(RotationError::Roots(format!("{held:?} before it ended")));
        }
        self.device
            .finish_rotation(target)
            .await
            .map_err(WscaError::from)?;
        self.note_end(lease, target).await?;
        Ok(Rotated {
            root: target,
            units: moved.units,
            keys: moved.keys,
            resumed,
        })
    }

    async fn note_end(&self, lease: &mut Lease, root: Generation) -> Result<(), RotationError> {
        let now = self.now();
        lease.row.target = None;
        lease.row.finished = now;
        let entry = Entry::of_service(now, format!("rotation_finish {root}"));
        lease.end(self, vec![Write::Audit(entry)]).await?;
        Ok(())
    }

    /// Moves all units of a shard. Each is read and its record checked, whatever its
    /// row says of its root: who writes the database must not hide one.
    async fn move_shard(
        self: &Arc<Self>,
        shard: u16,
        target: Generation,
        lease: &mut Lease,
        moved: &mut Moved,
        told: impl Fn(u64),
    ) -> Result<(), RotationError> {
        let mut after = None;
        loop {
            let page = self.store.members(shard, after, PAGE).await;
            let page = page.map_err(WscaError::from)?;
            let Some(last) = page.last() else {
                return Ok(());
            };
            after = Some(last.unit);
            let mut units = page.iter().map(|member| member.unit);
            let mut moving: JoinSet<(UnitId, Result<Option<u64>, WscaError>)> = JoinSet::new();
            loop {
                while moving.len() < AT_ONCE
                    && let Some(unit) = units.next()
                {
                    let this = Arc::clone(self);
                    moving.spawn(async move { (unit, this.move_unit(unit, target).await) });
                }
                let Some(joined) = moving.join_next().await else {
                    break;
                };
                let (unit, result) = joined.map_err(|error| {
                    WscaError::Internal(format!("moving a unit was abandoned: {error}"))
                })?;
                moved.looked_at = moved.looked_at.saturating_add(1);
                told(moved.looked_at);
                match result {
                    Ok(None) => {}
                    Ok(Some(keys)) => {
                        moved.units = moved.units.saturating_add(1);
                        moved.keys = moved.keys.saturating_add(keys);
                    }
                    // One unit's trouble is its own; a device that is away is everyone's.
                    Err(error @ WscaError::Device(DeviceError::Lost { .. })) => {
                        return Err(error.into());
                    }
                    Err(error) => {
                        tracing::error!(%unit, %error, "a unit could not be moved to the new root");
                        moved.failed.push_back((unit, error));
                    }
                }
            }
            lease.prolong(self, vec![]).await?;
        }
    }

    /// Moves one unit, again where it changed meanwhile. `None` where there was
    /// nothing to move; else how many keys were.
    async fn move_unit(&self, id: UnitId, target: Generation) -> Result<Option<u64>, WscaError> {
        for _ in 0..MOVES {
            let Some(unit) = self.load(id).await? else {
                return Ok(None);
            };
            let under = Generation(unit.row().wrapping_generation);
            if unit.status() == Status::Destroyed || under >= target {
                return Ok(None);
            }
            match self.try_move(&unit, target).await {
                Err(WscaError::Conflict) => {}
                other => return other.map(Some),
            }
        }
        Err(WscaError::Conflict)
    }

    async fn try_move(&self, unit: &Unit, target: Generation) -> Result<u64, WscaError> {
        let (binding, from) = (unit.binding(), unit.wrapping_key());
        let to = self.device.create_unit_key(&binding).await?;
        if to.generation != target {
            return Err(WscaError::Internal(format!(
                "the device wraps under root {}, not under {target}",
                to.generation
            )));
        }
        let held = unit.user_keys()?;
        let mut fresh: Vec<UserKey> = Vec::with_capacity(held.len());
        for batch in held.chunks(self.most_at_once()) {
            fresh.extend(self.device.rewrap(&binding, &from, &to, batch).await?);
        }
        let same = held.len() == fresh.len()
            && held
                .iter()
                .zip(&fresh)
                .all(|(old, new)| old.public == new.public);
        if !same {
            return Err(WscaError::Internal(
                "the device gave other keys back than it was given".into(),
            ));
        }

        let mut writes = Vec::new();
        let mut fresh = fresh.into_iter();
        let mut keys: Vec<KeyRow> = Vec::with_capacity(unit.keys.len());
        for row in &unit.keys {
            let mut row = row.clone();
            if row.wrapped.is_some() {
                let key = fresh.next();
                let key = key.filter(|key| public_key(&row).is_ok_and(|own| own == key.public));
                let key = key.ok_or_else(|| WscaError::Internal("keys out of order".into()))?;
                row.wrapped = Some(key.wrapped.0);
                writes.push(Write::Key(row.clone()));
            } else if row.erased_with.is_none_or(|root| root < from.generation.0) {
                // Erased by an earlier rotation, and told of since: its row may go.
                writes.push(Write::RemoveKey(row.unit, row.id));
                continue;
            }
            keys.push(row);
        }
        let mut items: Vec<ItemRow> = Vec::with_capacity(unit.items.len());
        for item in &unit.items {
            let name = item.name.as_bytes();
            let content = self
                .device
                .open_item(&binding, &from, name, &item.sealed)
                .await?;
            let sealed = self.device.seal_item(&binding, &to, name, &content).await?;
            let item = ItemRow {
                sealed,
                ..item.clone()
            };
            writes.push(Write::Item(item.clone()));
            items.push(item);
        }
        let new = unit
            .next(&*self.device, &keys, &items, |row| {
                row.wrapping_generation = to.generation.0;
                row.wrapping_key = to.bytes;
            })
            .await?;
        writes.push(Write::Audit(Entry::done(
            self.now(),
            unit.id(),
            format!("rotate {target}"),
        )));
        let batch = Batch {
            guards: vec![Guard::Generation(target.0)],
            writes,
        };
        self.commit_change(unit, new, batch).await?;
        Ok(u64::try_from(held.len()).unwrap_or(u64::MAX))
    }

    fn must_have_no_locked_shard(&self) -> Result<(), RotationError> {
        match self.locked_shards() {
            locked if locked.is_empty() => Ok(()),
            locked => Err(RotationError::Locked(locked)),
        }
    }
}

/// What a run has moved.
#[derive(Debug, Default)]
struct Moved {
    looked_at: u64,
    units: u64,
    keys: u64,
    failed: VecDeque<(UnitId, WscaError)>,
}

/// The right to rotate, for a while.
#[derive(Debug)]
struct Lease {
    row: RotationRow,
}

impl Lease {
    async fn take(wsca: &Wsca) -> Result<Self, RotationError> {
        let held = wsca.store.rotation().await.map_err(WscaError::from)?;
        let now = wsca.now();
        let holder = fresh_id()?;
        let row = match held {
            Some(row) if now < row.until => return Err(RotationError::Held(row.until)),
            Some(row) => RotationRow { holder, ..row },
            None => RotationRow {
                version: 0,
                minimum: 0,
                target: None,
                holder,
                until: now,
                finished: now,
            },
        };
        let mut lease = Self { row };
        match lease.prolong(wsca, vec![]).await {
            Err(WscaError::Conflict) => Err(RotationError::Held(later(now, LEASE))),
            Err(error) => Err(error.into()),
            Ok(()) => Ok(lease),
        }
    }

    /// Writes the row and `writes`, if nobody took the lease over meanwhile; it is
    /// good for another while.
    async fn prolong(&mut self, wsca: &Wsca, writes: Vec<Write>) -> Result<(), WscaError> {
        self.put(wsca, writes, later(wsca.now(), LEASE)).await
    }

    /// The same, and the lease ends: for the next one to take.
    async fn end(&mut self, wsca: &Wsca, writes: Vec<Write>) -> Result<(), WscaError> {
        self.put(wsca, writes, wsca.now()).await
    }

    async fn put(
        &mut self,
        wsca: &Wsca,
        mut writes: Vec<Write>,
        until: Timestamp,
    ) -> Result<(), WscaError> {
        let guards = vec![Guard::RotationVersion(self.row.version)];
        let row = RotationRow {
            version: self.row.version.saturating_add(1),
            until,
            ..self.row.clone()
        };
        writes.push(Write::Rotation(row.clone()));
        wsca.commit(Batch { guards, writes }).await?;
        self.row = row;
        Ok(())
    }
}

fn shards(locked: &[LockedShard]) -> String {
    let numbers: Vec<String> = locked.iter().map(|l| l.shard.to_string()).collect();
    match numbers.as_slice() {
        [one] => format!("shard {one} is"),
        _ => format!("shards {} are", numbers.join(", ")),
    }
}
