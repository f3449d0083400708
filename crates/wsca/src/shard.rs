//! A database from yesterday gives nothing back.
//!
//! Units are spread over shards. A shard's row holds an epoch, counted up at each
//! commit that changes a unit's record, and a set hash over the MACs of all its
//! records, which the record's version, PIN state and keys go into; the device
//! vouches for the row by a MAC. The device itself remembers the last epoch and hash
//! (the *anchor*). A row older than the anchor, or another at the same epoch, locks
//! the shard and raises an alarm.
//!
//! # When the anchor is written
//!
//! *After* the commit and *before* anything follows from it: before a PIN is
//! evaluated that the commit counted, before a destruction is acknowledged. So a
//! crash leaves one of these:
//!
//! - before the commit: nothing happened;
//! - between commit and anchor: the row is ahead of the anchor. The device has
//!   vouched for the row, so it is taken, and the anchor is written at the next start
//!   or commit. Whoever puts the earlier row back in this window takes back a count
//!   whose PIN was not evaluated, or a destruction that nobody was told of: nothing;
//! - after the anchor: the row is the anchor's.
//!
//! Changes that arrive while a commit is under way wait and share the next one, and
//! its anchor. A request that finds its change made already (a second freeze, a
//! second destruction, a second enrolment) commits nothing, and is told of success
//! only once the state it found is anchored.
//!
//! # Several processes
//!
//! The device is the memory that they share. Whoever is told by it of a later epoch
//! than the database shows has an older database before it, and locks the shard: so
//! nothing follows from a commit on one, whichever process had seen the later state.
//! Between commits, [`Shards::look`] asks the same every few seconds.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use jose::sha256;
use sci::{Code, UnitId};
use tokio::sync::oneshot;
use wscd::{Anchor, DeviceError, MacPurpose, Wscd};

use crate::lthash::LtHash;
use crate::record::member;
use crate::{
    Appended, Batch, CommitError, Guard, Member, OpenError, ShardRow, StoreError, UnitRow, Write,
    WscaError, WscaStore,
};

/// A change of one unit's record, with all that goes with it.
#[derive(Debug)]
pub(crate) struct Change {
    /// What the shard's hash holds for the unit now; none for a new one.
    pub(crate) old: Option<Member>,
    /// The record's next version.
    pub(crate) new: UnitRow,
    /// What else must hold and is written. The record itself is added here.
    pub(crate) batch: Batch,
}

/// What this process last knew of a shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seen(Option<Anchor>);

/// All shards.
#[derive(Debug)]
pub(crate) struct Shards {
    device: Arc<dyn Wscd>,
    store: Arc<dyn WscaStore>,
    shards: Vec<Shard>,
}

#[derive(Debug)]
struct Shard {
    number: u16,
    /// One commit at a time; holds how far the device's anchor has come.
    committing: tokio::sync::Mutex<Option<Anchor>>,
    waiting: Mutex<Vec<Waiting>>,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    /// The newest state that this process has seen.
    state: Option<Anchor>,
    locked: Option<String>,
}

#[derive(Debug)]
struct Waiting {
    change: Change,
    answer: oneshot::Sender<Result<Vec<Appended>, WscaError>>,
}

/// The number of the anchor that the audit log has in a device: the last one.
pub(crate) fn audit_anchor(device: &dyn Wscd) -> u16 {
    device.descriptor().limits.max_shards.saturating_sub(1)
}

/// How many changes share a commit at most.
const GROUP: usize = 64;
/// How often what other processes commit meanwhile is anchored for them: they do it
/// themselves, too.
const CATCH_UP: usize = 16;
/// How often a commit is begun again because another process was quicker.
const ATTEMPTS: usize = 64;

impl Shards {
    /// Checks every shard against the device, whole. A shard that is behind is
    /// locked; the others work.
    pub(crate) async fn open(
        device: Arc<dyn Wscd>,
        store: Arc<dyn WscaStore>,
        count: u16,
    ) -> Result<Self, OpenError> {
        // The last anchor is the audit log's.
        let most = audit_anchor(&*device);
        if count == 0 || count > most {
            return Err(OpenError::Config(format!(
                "{count} shards are configured; the device anchors 1 to {most}"
            )));
        }
        if count < most && device.read_anchor(count).await?.is_some() {
            return Err(OpenError::Shards {
                found: count,
                configured: count,
            });
        }
        let shards = Self {
            device,
            store,
            shards: (0..count)
                .map(|number| Shard {
                    number,
                    committing: tokio::sync::Mutex::new(None),
                    waiting: Mutex::default(),
                    known: Mutex::default(),
                })
                .collect(),
        };
        for shard in &shards.shards {
            shards.check_whole(shard).await?;
        }
        Ok(shards)
    }

    /// The shard that a new unit goes into.
    pub(crate) fn of(&self, unit: UnitId) -> u16 {
        let [high, low, ..] = unit.as_bytes();
        let count = u16::try_from(self.shards.len()).unwrap_or(1).max(1);
        u16::from_be_bytes([*high, *low]) % count
    }

    /// What is known of a shard now: taken before a read, so that the read can be
    /// measured against it.
    pub(crate) fn seen(&self, shard: u16) -> Seen {
        Seen(self.get(shard).ok().and_then(|shard| shard.known().state))
    }

    /// Measures a row that was read against what was known before the read. A newer
    /// one, of another process, must be one that the device has vouched for.
    pub(crate) async fn observe(&self, before: Seen, row: &ShardRow) -> Result<(), WscaError> {
        let shard = self.get(row.shard)?;
        shard.must_be_open()?;
        let read = anchor_of(row);
        if let Some(known) = before.0
            && (read.epoch < known.epoch || (read.epoch == known.epoch && read != known))
        {
            shard.lock(format!(
                "the database shows epoch {}, this process has seen epoch {}",
                read.epoch, known.epoch
            ));
            return Err(Code::StateRolledBack.into());
        }
        if before.0 != Some(read) {
            self.vouch(shard, row).await?;
            shard.saw(read);
        }
        Ok(())
    }

    /// Locks the shard of a unit whose record is older than one that was seen.
    pub(crate) fn lock_for(&self, shard: u16, unit: UnitId) -> WscaError {
        if let Ok(shard) = self.get(shard) {
            shard.lock(format!(
                "the record of unit {unit} is older than one that was seen"
            ));
        }
        Code::StateRolledBack.into()
    }

    /// The shards that are locked, with the reasons.
    pub(crate) fn locked(&self) -> Vec<(u16, String)> {
        self.shards
            .iter()
            .filter_map(|shard| Some((shard.number, shard.known().locked.clone()?)))
            .collect()
    }

    /// Compares every shard's row with the device's memory. It costs a read of each,
    /// and finds a database that was put back whole, whoever had written the later one.
    pub(crate) async fn look(&self) -> Result<(), WscaError> {
        for shard in &self.shards {
            if shard.must_be_open().is_err() {
                continue;
            }
            // The anchor first: what it tells of was committed before.
            let held = self.device.read_anchor(shard.number).await?;
            let seen = self.seen(shard.number);
            let row = self.row(shard).await?;
            if let Some(held) = held {
                shard.must_not_be_behind(&row, held)?;
            }
            self.observe(seen, &row).await?;
        }
        Ok(())
    }

    /// Checks every shard whole, again.
    pub(crate) async fn check_all(&self) -> Result<(), OpenError> {
        for shard in &self.shards {
            let mut anchored = shard.committing.lock().await;
            *anchored = None;
            drop(anchored);
            self.check_whole(shard).await?;
        }
        Ok(())
    }

    /// Commits a change. When this returns, it is on disk and anchored. It is done
    /// in a task of its own: a caller that goes away takes nobody's commit along.
    pub(crate) async fn commit(
        self: &Arc<Self>,
        change: Change,
    ) -> Result<Vec<Appended>, WscaError> {
        let number = change.new.shard;
        let (answer, answered) = oneshot::channel();
        self.get(number)?.waiting().push(Waiting { change, answer });
        let this = Arc::clone(self);
        tokio::spawn(async move { this.commit_waiting(number).await });
        answered
            .await
            .unwrap_or_else(|_| Err(WscaError::Internal("a commit was abandoned".into())))
    }

    /// Makes sure that the newest state seen of a shard is anchored: what is answered
    /// well without a commit of its own rests on an earlier one, whose anchor may
    /// have failed.
    pub(crate) async fn settle(&self, number: u16) -> Result<(), WscaError> {
        let shard = self.get(number)?;
        let mut anchored = shard.committing.lock().await;
        shard.must_be_open()?;
        let Some(state) = shard.known().state else {
            return Ok(());
        };
        if anchored.is_some_and(|anchor| anchor.epoch >= state.epoch) {
            return Ok(());
        }
        self.anchor(shard, state, &mut anchored).await
    }

    /// Whoever gets the lock commits for all who wait.
    async fn commit_waiting(&self, number: u16) {
        let Ok(shard) = self.get(number) else {
            return;
        };
        let mut anchored = shard.committing.lock().await;
        // One group, and the lock passes on: who waits is in this group, or its own turn is
        // still to come, and whoever else wants the lock is not kept out by ever more of
        // them.
        let group: Vec<Waiting> = {
            let mut waiting = shard.waiting();
            let most = waiting.len().min(GROUP);
            waiting.drain(..most).collect()
        };
        if !group.is_empty() {
            self.commit_group(shard, group, &mut anchored).await;
        }
    }

    async fn commit_group(
        &self,
        shard: &Shard,
        mut group: Vec<Waiting>,
        anchored: &mut Option<Anchor>,
    ) {
        // One change per unit and commit: the second was made over the record that
        // the first replaces.
        let mut units = HashSet::new();
        group = refuse_some(group, |waiting| {
            (!units.insert(waiting.change.new.unit)).then_some(WscaError::Conflict)
        });
        for _ in 0..ATTEMPTS {
            if group.is_empty() {
                return;
            }
            match self.try_commit(shard, &group, anchored).await {
                Ok(appended) => {
                    // Entries were appended in the order of the group.
                    let mut appended = appended.into_iter();
                    for waiting in group {
                        let own = waiting.change.batch.writes.iter();
                        let own = own.filter(|write| matches!(write, Write::Audit(_))).count();
                        let own = appended.by_ref().take(own).collect();
                        let _ = waiting.answer.send(Ok(own));
                    }
                    return;
                }
                Err(Failed::Again) => {}
                Err(Failed::One(index, error)) => {
                    let waiting = group.remove(index);
                    let _ = waiting.answer.send(Err(error));
                }
                Err(Failed::All(error)) => {
                    let told = error.to_string();
                    let problem = error.problem();
                    tracing::error!(shard = shard.number, error = told, "a commit failed");
                    for waiting in group {
                        let _ = waiting.answer.send(Err(problem.clone().into()));
                    }
                    return;
                }
            }
        }
        for waiting in group {
            let _ = waiting.answer.send(Err(WscaError::Conflict));
        }
    }

    async fn try_commit(
        &self,
        shard: &Shard,
        group: &[Waiting],
        anchored: &mut Option<Anchor>,
    ) -> Result<Vec<Appended>, Failed> {
        shard.must_be_open()?;
        let before = self.seen(shard.number);
        let row = self.row(shard).await?;
        self.observe(before, &row).await?;
        let mut state = LtHash::from_bytes(&row.state)
            .ok_or_else(|| WscaError::Internal("a shard's state has another length".into()))?;
        for Waiting { change, .. } in group {
            if let Some(old) = &change.old {
                state.remove(&element(old));
            }
            state.add(&element(&member(&change.new)));
        }
        let next = self
            .sealed_row(shard.number, row.epoch.saturating_add(1), &state)
            .await?;
        let target = anchor_of(&next);

        let mut batch = Batch::default();
        let mut owners = vec![None];
        batch
            .guards
            .push(Guard::ShardEpoch(shard.number, row.epoch));
        batch.writes.push(Write::Shard(next));
        for (index, Waiting { change, .. }) in group.iter().enumerate() {
            batch.guards.push(match &change.old {
                Some(old) => Guard::UnitVersion(old.unit, old.version),
                None => Guard::NoUnit(change.new.unit),
            });
            batch.guards.extend(change.batch.guards.iter().cloned());
            owners.resize(batch.guards.len(), Some(index));
            batch.writes.push(Write::Unit(Box::new(change.new.clone())));
            batch.writes.extend(change.batch.writes.iter().cloned());
        }
        let guards = batch.guards.clone();
        let appended = match self.store.commit(batch).await {
            Ok(appended) => appended,
            Err(CommitError::Guard { index }) => {
                let Some(owner) = owners.get(index).copied().flatten() else {
                    return Err(Failed::Again);
                };
                let error = WscaError::of_commit(CommitError::Guard { index }, &guards);
                return Err(Failed::One(owner, error));
            }
            Err(CommitError::Store(error)) => return Err(Failed::All(error.into())),
        };
        shard.saw(target);
        self.anchor(shard, target, anchored).await?;
        Ok(appended)
    }

    /// Writes the anchor, or sees that another process has written a later one.
    ///
    /// A device need not compare and write in one step (PKCS#11 does not): two
    /// processes at once may leave the earlier of their two anchors. So the database
    /// is looked at once more, and what another process has committed meanwhile is
    /// anchored too. The same look tells a later anchor from an older database.
    async fn anchor(
        &self,
        shard: &Shard,
        mut target: Anchor,
        anchored: &mut Option<Anchor>,
    ) -> Result<(), WscaError> {
        for _ in 0..CATCH_UP {
            let held = match self.device.write_anchor(shard.number, &target).await {
                Ok(()) => target,
                Err(DeviceError::AnchorBehind { held, .. }) if held.epoch > target.epoch => held,
                Err(DeviceError::AnchorBehind { held, .. }) => {
                    shard.lock(format!(
                        "the device holds another state at epoch {}",
                        held.epoch
                    ));
                    return Err(Code::StateRolledBack.into());
                }
                Err(error) => return Err(error.into()),
            };
            *anchored = Some(held);
            let row = self.row(shard).await?;
            shard.must_not_be_behind(&row, held)?;
            if row.epoch == held.epoch {
                break;
            }
            self.vouch(shard, &row).await?;
            target = anchor_of(&row);
        }
        Ok(())
    }

    async fn row(&self, shard: &Shard) -> Result<ShardRow, WscaError> {
        self.store.shard(shard.number).await?.ok_or_else(|| {
            shard.lock("the database has lost the shard".into());
            Code::StateRolledBack.into()
        })
    }

    /// Checks that the device has vouched for a row that this process did not write.
    async fn vouch(&self, shard: &Shard, row: &ShardRow) -> Result<(), WscaError> {
        let mac = self.row_mac(row.shard, row.epoch, &row.state).await?;
        if aws_lc_rs::constant_time::verify_slices_are_equal(&mac, &row.mac).is_err() {
            shard.lock("the shard's row was altered outside the WSCA".into());
            return Err(Code::StateRolledBack.into());
        }
        Ok(())
    }

    async fn check_whole(&self, shard: &Shard) -> Result<(), OpenError> {
        let number = shard.number;
        let held = self.device.read_anchor(number).await?;
        let (row, state) = self.recomputed(number).await?;
        let Some(row) = row else {
            return match held {
                None => self.begin(shard).await,
                Some(held) => {
                    shard.lock(format!(
                        "the database has nothing where the device remembers epoch {}",
                        held.epoch
                    ));
                    Ok(())
                }
            };
        };
        let found = anchor_of(&row);
        if held.is_some_and(|held| shard.must_not_be_behind(&row, held).is_err()) {
            return Ok(());
        }
        let mac = self.row_mac(number, row.epoch, &row.state).await?;
        if aws_lc_rs::constant_time::verify_slices_are_equal(&mac, &row.mac).is_err() {
            shard.lock("the shard's row was altered outside the WSCA".into());
            return Ok(());
        }
        // Both are of one moment, whatever is committed meanwhile.
        if state.to_bytes() != row.state {
            shard.lock("the units' records are not those of the shard's state".into());
            return Ok(());
        }
        shard.saw(found);
        // Where a crash came between commit and anchor, the anchor catches up.
        let mut anchored = shard.committing.lock().await;
        if held != Some(found) && self.anchor(shard, found, &mut anchored).await.is_err() {
            tracing::warn!(
                shard = number,
                "the anchor could not be brought up to date yet"
            );
        }
        Ok(())
    }

    /// The first row of a shard, and its first anchor.
    async fn begin(&self, shard: &Shard) -> Result<(), OpenError> {
        let row = self.sealed_row(shard.number, 1, &LtHash::empty()).await?;
        let batch = Batch {
            guards: vec![Guard::ShardEpoch(shard.number, 0)],
            writes: vec![Write::Shard(row.clone())],
        };
        match self.store.commit(batch).await {
            Ok(_) | Err(CommitError::Guard { .. }) => {}
            Err(CommitError::Store(error)) => return Err(error.into()),
        }
        let target = anchor_of(&row);
        match self.device.write_anchor(shard.number, &target).await {
            Ok(()) | Err(DeviceError::AnchorBehind { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        shard.saw(target);
        Ok(())
    }

    /// Takes a locked shard's members as they are for its state, at an epoch that is
    /// past everything the device remembers, and opens it.
    pub(crate) async fn begin_again(&self, number: u16, said: Write) -> Result<(), WscaError> {
        let shard = self.get(number)?;
        let mut anchored = shard.committing.lock().await;
        let held = self.device.read_anchor(number).await?;
        let (row, state) = self.recomputed(number).await?;
        let found = row.map_or(0, |row| row.epoch);
        let epoch = held.map_or(0, |held| held.epoch).max(found);
        let next = self
            .sealed_row(number, epoch.saturating_add(1), &state)
            .await?;
        let target = anchor_of(&next);
        let batch = Batch {
            guards: vec![Guard::ShardEpoch(number, found)],
            writes: vec![Write::Shard(next), said],
        };
        let guards = batch.guards.clone();
        self.store
            .commit(batch)
            .await
            .map_err(|error| WscaError::of_commit(error, &guards))?;
        self.anchor(shard, target, &mut anchored).await?;
        let mut known = shard.known();
        known.state = Some(target);
        known.locked = None;
        Ok(())
    }

    /// A shard's row, and the set hash of the members that stood beside it.
    async fn recomputed(&self, shard: u16) -> Result<(Option<ShardRow>, LtHash), StoreError> {
        let mut state = LtHash::empty();
        let mut add = |member: Member| state.add(&element(&member));
        let row = self.store.whole_shard(shard, &mut add).await?;
        Ok((row, state))
    }

    async fn sealed_row(
        &self,
        shard: u16,
        epoch: u64,
        state: &LtHash,
    ) -> Result<ShardRow, DeviceError> {
        let state = state.to_bytes();
        let mac = self.row_mac(shard, epoch, &state).await?.to_vec();
        Ok(ShardRow {
            shard,
            epoch,
            state,
            mac,
        })
    }

    async fn row_mac(&self, shard: u16, epoch: u64, state: &[u8]) -> Result<[u8; 32], DeviceError> {
        let message = [
            b"claviger-wsca-shard-v1".as_slice(),
            &shard.to_be_bytes(),
            &epoch.to_be_bytes(),
            &sha256(state),
        ]
        .concat();
        self.device.mac(MacPurpose::RecordBinding, &message).await
    }

    fn get(&self, shard: u16) -> Result<&Shard, WscaError> {
        self.shards
            .get(usize::from(shard))
            .ok_or_else(|| Code::RecordAltered.into())
    }
}

impl Shard {
    fn known(&self) -> std::sync::MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn waiting(&self) -> std::sync::MutexGuard<'_, Vec<Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn saw(&self, state: Anchor) {
        let mut known = self.known();
        if known.state.is_none_or(|old| old.epoch < state.epoch) {
            known.state = Some(state);
        }
    }

    fn must_be_open(&self) -> Result<(), WscaError> {
        match self.known().locked {
            None => Ok(()),
            Some(_) => Err(Code::StateRolledBack.into()),
        }
    }

    /// Locks the shard where a row is older than what the device remembers, or another
    /// at its epoch.
    fn must_not_be_behind(&self, row: &ShardRow, held: Anchor) -> Result<(), WscaError> {
        let found = anchor_of(row);
        if found.epoch > held.epoch || found == held {
            return Ok(());
        }
        self.lock(format!(
            "the database is at epoch {}, the device remembers epoch {}",
            found.epoch, held.epoch
        ));
        Err(Code::StateRolledBack.into())
    }

    /// Locks the shard, and says so loudly. Only a restart with a database that is
    /// not behind opens it again, or someone who decides what this one is worth.
    fn lock(&self, reason: String) {
        let mut known = self.known();
        if known.locked.is_none() {
            tracing::error!(
                target: "claviger::alarm",
                event = "wsca_state_rolled_back",
                shard = self.number,
                reason,
                "the database is not the one the device remembers: the shard is locked"
            );
            known.locked = Some(reason);
        }
    }
}

/// Why a group was not committed.
enum Failed {
    /// Another process was quicker.
    Again,
    /// One of the changes cannot be.
    One(usize, WscaError),
    /// None can.
    All(WscaError),
}

impl<E: Into<WscaError>> From<E> for Failed {
    fn from(error: E) -> Self {
        Self::All(error.into())
    }
}

fn refuse_some(
    group: Vec<Waiting>,
    mut refuse: impl FnMut(&Waiting) -> Option<WscaError>,
) -> Vec<Waiting> {
    let mut kept = Vec::with_capacity(group.len());
    for waiting in group {
        match refuse(&waiting) {
            None => kept.push(waiting),
            Some(error) => {
                let _ = waiting.answer.send(Err(error));
            }
        }
    }
    kept
}

fn anchor_of(row: &ShardRow) -> Anchor {
    Anchor {
        epoch: row.epoch,
        hash: sha256(&row.state),
    }
}

/// What goes into the set hash for a unit.
fn element(member: &Member) -> [u8; 32] {
    sha256(
        &[
            b"claviger-wsca-member-v1".as_slice(),
            member.unit.as_bytes(),
            &member.version.to_be_bytes(),
            &member.mac,
        ]
        .concat(),
    )
}
