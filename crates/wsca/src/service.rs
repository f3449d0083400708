use std::sync::{Arc, Mutex, PoisonError};

use clock::Clock;
use jiff::Timestamp;
use jose::{Curve, PublicKey, Signer};
use sci::{ActivationInfo, UnitId};
use wscd::{DeviceAgreement, DeviceSigner, KeyName, Wscd};

use crate::admin::{AdminError, DeviceKeys, UnitState, WscaAdmin};
use crate::audit::Entry;
use crate::audit::word;
use crate::information::information;
use crate::record::{self, Status, Unit, Vouched, standing};
use crate::secrets::Secrets;
use crate::shard::{Change, Seen, Shards};
use crate::{
    Appended, Batch, CommitError, Config, Decision, Guard, KeyRow, Member, OpenError, Recovery,
    ServiceIdentity, ShardRow, UnitRow, Write, WscaError, WscaStore,
};

/// The remote WSCA.
#[derive(Debug)]
pub struct Wsca {
    pub(crate) device: Arc<dyn Wscd>,
    pub(crate) store: Arc<dyn WscaStore>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) config: Config,
    pub(crate) secrets: Secrets,
    pub(crate) shards: Arc<Shards>,
    pub(crate) agreement: DeviceAgreement,
    pub(crate) answers: DeviceSigner,
    pub(crate) statements: DeviceSigner,
    pub(crate) checkpoints: DeviceSigner,
    pub(crate) audit_alarm: Mutex<Option<String>>,
    pub(crate) identity: ServiceIdentity,
    pub(crate) information: ActivationInfo,
    pub(crate) vouched: Vouched,
    turns: Vec<tokio::sync::Mutex<()>>,
}

/// A shard that works no more, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockedShard {
    /// Which.
    pub shard: u16,
    /// Why.
    pub reason: String,
}

/// What someone has to look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Alarm {
    /// The database is older than the device remembers, or was altered.
    StateRolledBack(LockedShard),
    /// The audit log is not the one that checkpoints were signed over. No further
    /// checkpoint is signed.
    AuditAltered(String),
}

/// How many units take turns at most: how many PINs are counted at once.
const TURNS: usize = 256;

/// How often a request is done again because its unit changed meanwhile.
pub(crate) const ATTEMPTS: usize = 32;

impl Wsca {
    /// Starts the WSCA: opens its keys and secrets in the device, making them the
    /// first time, and checks every shard against its anchor. A shard that is behind
    /// is locked and reported by [`Wsca::alarms`]; the others work.
    pub async fn open(
        device: Arc<dyn Wscd>,
        store: Arc<dyn WscaStore>,
        clock: Arc<dyn Clock>,
        config: Config,
    ) -> Result<Self, OpenError> {
        if config.context.is_empty() || config.context.len() > 128 {
            return Err(OpenError::Config(
                "the WSCA's context is 1 to 128 bytes long".into(),
            ));
        }
        let agreement =
            DeviceAgreement::open(device.clone(), name("wsca-agreement")?, Curve::P256).await?;
        let answers =
            DeviceSigner::open(device.clone(), name("wsca-answers")?, Curve::P256).await?;
        let statements =
            DeviceSigner::open(device.clone(), name("wsca-statements")?, Curve::P256).await?;
        let checkpoints =
            DeviceSigner::open(device.clone(), name("wsca-audit")?, Curve::P256).await?;
        let secrets = Secrets::open(&*device, &*store, &config.context).await?;
        let shards = Shards::open(device.clone(), store.clone(), config.shards).await?;
        let identity = ServiceIdentity {
            context: config.context.clone(),
            agreement: jose::KeyAgreement::public_key(&agreement).clone(),
            signing: answers.public_key().clone(),
        };
        let information = information(&*device, &config, statements.public_key());
        Ok(Self {
            shards: Arc::new(shards),
            vouched: Vouched::default(),
            turns: std::iter::repeat_with(tokio::sync::Mutex::default)
                .take(TURNS)
                .collect(),
            device,
            store,
            clock,
            config,
            secrets,
            agreement,
            answers,
            statements,
            checkpoints,
            audit_alarm: Mutex::default(),
            identity,
            information,
        })
    }

    /// What someone has to look at now.
    pub fn alarms(&self) -> Vec<Alarm> {
        let audit = self
            .audit_alarm
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        self.locked_shards()
            .into_iter()
            .map(Alarm::StateRolledBack)
            .chain(audit.map(Alarm::AuditAltered))
            .collect()
    }

    /// The shards that work no more.
    pub fn locked_shards(&self) -> Vec<LockedShard> {
        self.shards
            .locked()
            .into_iter()
            .map(|(shard, reason)| LockedShard { shard, reason })
            .collect()
    }

    /// Checks every shard whole against its anchor, as at the start. Worth doing now
    /// and then: it finds what no request has touched.
    pub async fn check_state(&self) -> Result<Vec<Alarm>, OpenError> {
        self.shards.check_all().await?;
        Ok(self.alarms())
    }

    /// The clock's time, in whole milliseconds, as the database keeps them.
    pub(crate) fn now(&self) -> Timestamp {
        crate::session::millis(self.clock.now())
    }

    /// Reads a unit and checks it. `None` where there is none.
    pub(crate) async fn load(&self, id: UnitId) -> Result<Option<Unit>, WscaError> {
        let before = self.before(id);
        let Some(holdings) = self.store.holdings(id).await? else {
            return self.missing(before, id).map(|()| None);
        };
        let shard = holdings.shard.clone();
        let unit = Unit::check(holdings, id, &*self.device, &self.vouched).await?;
        self.observe(before, unit.row(), &shard).await?;
        Ok(Some(unit))
    }

    /// Reads a unit's record and checks it, without what the unit holds.
    async fn record(&self, id: UnitId) -> Result<Option<UnitRow>, WscaError> {
        let before = self.before(id);
        let Some((row, shard)) = self.store.record(id).await? else {
            return self.missing(before, id).map(|()| None);
        };
        self.vouched.vouch(&row, id, &*self.device).await?;
        self.observe(before, &row, &shard).await?;
        Ok(Some(row))
    }

    /// How far a unit and its shard had come: taken before a read, so that the read can
    /// be measured against it.
    fn before(&self, id: UnitId) -> Before {
        Before {
            shard: self.shards.seen(self.shards.of(id)),
            version: self.vouched.version(id),
        }
    }

    /// Refuses that a unit which was seen is not there.
    fn missing(&self, before: Before, id: UnitId) -> Result<(), WscaError> {
        match before.version {
            0 => Ok(()),
            _ => Err(self.shards.lock_for(self.shards.of(id), id)),
        }
    }

    /// Refuses a read that is older than what was seen before it.
    async fn observe(
        &self,
        before: Before,
        row: &UnitRow,
        shard: &ShardRow,
    ) -> Result<(), WscaError> {
        let id = row.unit;
        // The device vouches for the row: so the configuration has changed.
        if shard.shard != self.shards.of(id) {
            return Err(WscaError::Internal(format!(
                "unit {id} is in shard {}: the number of shards is not what it was",
                shard.shard
            )));
        }
        self.shards.observe(before.shard, shard).await?;
        if row.version < before.version {
            return Err(self.shards.lock_for(row.shard, id));
        }
        Ok(())
    }

    /// One request of a unit at a time, where it would only run into the others.
    pub(crate) async fn turn(&self, unit: UnitId) -> Option<tokio::sync::MutexGuard<'_, ()>> {
        let [.., last] = unit.as_bytes();
        match self.turns.get(usize::from(*last) % TURNS) {
            Some(turn) => Some(turn.lock().await),
            None => None,
        }
    }

    /// Commits a change of a unit's record, through its shard.
    pub(crate) async fn commit_change(
        &self,
        unit: &Unit,
        new: UnitRow,
        batch: Batch,
    ) -> Result<Vec<Appended>, WscaError> {
        let (old, version) = (Some(unit.member()), new.version);
        let appended = self.shards.commit(Change { old, new, batch }).await?;
        self.vouched.wrote(unit.id(), version);
        Ok(appended)
    }

    /// The same over a record that is not believed.
    pub(crate) async fn commit_over(
        &self,
        old: Member,
        new: UnitRow,
        batch: Batch,
    ) -> Result<(), WscaError> {
        let (unit, version) = (new.unit, new.version);
        let old = Some(old);
        self.shards.commit(Change { old, new, batch }).await?;
        self.vouched.wrote(unit, version);
        Ok(())
    }

    /// Commits what changes no unit's record.
    pub(crate) async fn commit(&self, batch: Batch) -> Result<Vec<Appended>, WscaError> {
        let guards = batch.guards.clone();
        self.store
            .commit(batch)
            .await
            .map_err(|error: CommitError| WscaError::of_commit(error, &guards))
    }

    /// Answers an enrolment of a unit that is there: with the same keys it is done.
    async fn enrolled_before(&self, unit: &Unit, keys: &DeviceKeys) -> Result<(), AdminError> {
        if unit.signing != keys.sign || unit.agreement != keys.agree {
            return Err(AdminError::AlreadyEnrolled);
        }
        Ok(self.shards.settle(unit.row().shard).await?)
    }

    /// Destroys what the device holds of a unit's keys, which goes on without them.
    async fn destroy_in_device(&self, unit: &Unit) -> Result<(), WscaError> {
        let keys = unit.user_keys()?;
        for batch in keys.chunks(self.most_at_once()) {
            self.device
                .destroy_keys(&unit.binding(), &unit.wrapping_key(), batch)
                .await?;
        }
        Ok(())
    }

    async fn try_enroll(
        &self,
        id: UnitId,
        keys: &DeviceKeys,
        policy: Vec<u8>,
    ) -> Result<(), WscaError> {
        let binding = wscd::UnitBinding(*id.as_bytes());
        let wrapping = self.device.create_unit_key(&binding).await?;
        let generation = wrapping.generation.0;
        let mut row = UnitRow {
            unit: id,
            shard: self.shards.of(id),
            version: 1,
            state: Status::Active.name().into(),
            signing_key: keys.sign.to_spki_der(),
            agreement_key: keys.agree.to_spki_der(),
            pin_record: None,
            pin_credential: None,
            tries: 0,
            last_try: None,
            session_epoch: 0,
            wrapping_generation: generation,
            wrapping_key: wrapping.bytes,
            policy,
            holdings: record::holdings_hash(&[], &[]).to_vec(),
            mac: vec![],
        };
        record::seal(&mut row, &*self.device).await?;
        let entry = Entry::done(self.now(), id, "enroll");
        let change = Change {
            old: None,
            new: row,
            batch: Batch {
                guards: vec![Guard::Generation(generation)],
                writes: vec![Write::Audit(entry)],
            },
        };
        self.shards.commit(change).await?;
        Ok(())
    }

    /// Changes a unit for the administrator, again where it changed meanwhile.
    async fn administer(
        &self,
        id: UnitId,
        operation: &str,
        change: impl Fn(&Unit) -> Administered + Send + Sync,
    ) -> Result<(), AdminError> {
        for _ in 0..ATTEMPTS {
            let unit = self.load(id).await?.ok_or(AdminError::UnknownUnit)?;
            let Administered::Change {
                keys,
                items,
                status,
                mut writes,
                forget_pin,
            } = change(&unit)
            else {
                return Ok(self.shards.settle(unit.row().shard).await?);
            };
            if status == Some(Status::Destroyed) {
                self.device
                    .destroy_unit(&unit.binding(), &unit.wrapping_key())
                    .await
                    .map_err(WscaError::from)?;
            }
            if forget_pin {
                self.destroy_in_device(&unit).await?;
            }
            let new = unit
                .next(&*self.device, &keys, &items, |row| {
                    row.session_epoch = row.session_epoch.saturating_add(1);
                    if let Some(status) = status {
                        row.state = status.name().into();
                    }
                    if status == Some(Status::Destroyed) {
                        forget_secrets(row);
                    }
                    if forget_pin {
                        row.pin_record = None;
                        row.pin_credential = None;
                        row.tries = 0;
                        row.last_try = None;
                    }
                })
                .await?;
            writes.push(Write::EndSessions(id));
            writes.push(Write::Audit(Entry::done(self.now(), id, operation)));
            let batch = Batch {
                guards: vec![],
                writes,
            };
            match self.commit_change(&unit, new, batch).await {
                Err(WscaError::Conflict) => {}
                Err(error) => return Err(error.into()),
                Ok(_) => return Ok(()),
            }
        }
        Err(AdminError::Unavailable("the unit keeps changing".into()))
    }
}

/// How far a unit and its shard had come.
struct Before {
    shard: Seen,
    version: u64,
}

/// What an administrator's request does.
enum Administered {
    Nothing,
    Change {
        keys: Vec<KeyRow>,
        items: Vec<crate::ItemRow>,
        status: Option<Status>,
        writes: Vec<Write>,
        /// The PIN goes, and with it the tries that were made at it.
        forget_pin: bool,
    },
}

#[async_trait::async_trait]
impl WscaAdmin for Wsca {
    async fn enroll(&self, id: UnitId, keys: DeviceKeys) -> Result<(), AdminError> {
        if !keys.fit() {
            return Err(AdminError::DeviceKeys);
        }
        if let Some(unit) = self.load(id).await? {
            return match unit.status() {
                Status::Destroyed => Err(AdminError::Destroyed),
                _ => self.enrolled_before(&unit, &keys).await,
            };
        }
        let policy = serde_json::to_vec(&self.config.retry)
            .map_err(|error| AdminError::Internal(error.to_string()))?;
        for _ in 0..ATTEMPTS {
            match self.try_enroll(id, &keys, policy.clone()).await {
                Err(WscaError::Conflict) => {}
                Err(error) => return Err(error.into()),
                Ok(()) => return Ok(()),
            }
            // Someone enrolled it meanwhile: with the same keys it is this one. Or a
            // rotation began: then the next unit key is made under the new root.
            if let Some(unit) = self.load(id).await? {
                return self.enrolled_before(&unit, &keys).await;
            }
            self.device.root().await.map_err(WscaError::from)?;
        }
        Err(AdminError::Unavailable("the root keeps rotating".into()))
    }

    async fn unit_state(&self, id: UnitId) -> Result<UnitState, AdminError> {
        let row = self.record(id).await?.ok_or(AdminError::UnknownUnit)?;
        let (status, policy) = standing(&row)?;
        Ok(UnitState {
            has_factor: row.pin_record.is_some(),
            pin_blocked: policy.decide(row.tries, row.last_try, self.now()) == Decision::Blocked,
            retired: status == Status::Retired,
            frozen: status == Status::Frozen,
            destroyed: status == Status::Destroyed,
        })
    }

    async fn end_sessions(&self, id: UnitId) -> Result<(), AdminError> {
        self.administer(id, "end_sessions", |unit| Administered::Change {
            keys: unit.keys.clone(),
            items: unit.items.clone(),
            status: None,
            writes: vec![],
            forget_pin: false,
        })
        .await
    }

    async fn retire(&self, id: UnitId, reason: &str) -> Result<(), AdminError> {
        let operation = format!("retire {}", word(reason));
        self.administer(id, operation.trim_end(), |unit| match unit.status() {
            Status::Active => turned(unit, Status::Retired),
            Status::Retired | Status::Frozen | Status::Destroyed => Administered::Nothing,
        })
        .await
    }

    async fn freeze(&self, id: UnitId, reason: &str) -> Result<(), AdminError> {
        let operation = format!("freeze {}", word(reason));
        self.administer(id, operation.trim_end(), |unit| match unit.status() {
            Status::Active | Status::Retired => turned(unit, Status::Frozen),
            Status::Frozen | Status::Destroyed => Administered::Nothing,
        })
        .await
    }

    async fn destroy_unit(&self, id: UnitId) -> Result<(), AdminError> {
        self.administer(id, "destroy_unit", |unit| {
            if unit.status() == Status::Destroyed {
                return Administered::Nothing;
            }
            let (keys, writes) = destroyed(unit);
            Administered::Change {
                keys,
                items: vec![],
                status: Some(Status::Destroyed),
                writes,
                forget_pin: false,
            }
        })
        .await
    }

    async fn reset_factor(&self, id: UnitId) -> Result<(), AdminError> {
        if self.config.recovery == Recovery::Forbidden {
            return Err(AdminError::RecoveryForbidden);
        }
        match self.load(id).await?.as_ref().map(Unit::status) {
            None => return Err(AdminError::UnknownUnit),
            Some(Status::Destroyed) => return Err(AdminError::Destroyed),
            Some(Status::Retired | Status::Frozen) => return Err(AdminError::Frozen),
            Some(Status::Active) => {}
        }
        self.administer(id, "reset_factor", |unit| {
            let empty = unit.active_keys() == 0 && unit.items.is_empty();
            if unit.status() != Status::Active || (unit.row().pin_record.is_none() && empty) {
                return Administered::Nothing;
            }
            let (keys, writes) = destroyed(unit);
            Administered::Change {
                keys,
                items: vec![],
                status: None,
                writes,
                forget_pin: true,
            }
        })
        .await
    }

    fn statement_key(&self) -> &PublicKey {
        self.statements.public_key()
    }

    fn service(&self) -> &ServiceIdentity {
        &self.identity
    }

    fn information(&self) -> &ActivationInfo {
        &self.information
    }
}

/// The unit with another status, its keys and items as they are.
fn turned(unit: &Unit, status: Status) -> Administered {
    Administered::Change {
        keys: unit.keys.clone(),
        items: unit.items.clone(),
        status: Some(status),
        writes: vec![],
        forget_pin: false,
    }
}

/// All keys of a unit, destroyed, and the writes that make it so. Copies become
/// useless with the root that the unit's wrapping key is under.
pub(crate) fn destroyed(unit: &Unit) -> (Vec<KeyRow>, Vec<Write>) {
    let generation = unit.row().wrapping_generation;
    let keys: Vec<KeyRow> = unit
        .keys
        .iter()
        .map(|key| KeyRow {
            wrapped: None,
            erased_with: key.erased_with.or(Some(generation)),
            ..key.clone()
        })
        .collect();
    let mut writes: Vec<Write> = keys.iter().cloned().map(Write::Key).collect();
    writes.push(Write::RemoveItems(unit.id()));
    (keys, writes)
}

/// Takes out of a record what a destroyed unit must not have.
pub(crate) fn forget_secrets(row: &mut UnitRow) {
    row.wrapping_key.clear();
    row.pin_record = None;
    row.pin_credential = None;
}

/// The guard that a unit has not changed since it was read.
pub(crate) fn unchanged(unit: &Unit) -> Guard {
    Guard::UnitVersion(unit.id(), unit.row().version)
}

fn name(text: &str) -> Result<KeyName, OpenError> {
    Ok(KeyName::new(text)?)
}
