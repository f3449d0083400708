//! The port to the database: rows as they are stored, and one atomic commit.
//!
//! A row is what came from the database and is believed by nobody; `record` and
//! `session` check it. A [`Batch`] is applied whole or not at all, after all its
//! guards have held, in one transaction that is on disk when the call returns.

use async_trait::async_trait;
use jiff::Timestamp;
use sci::{KeyId, UnitId};

use crate::audit::Entry;

/// Where a WSCA keeps its state.
#[async_trait]
pub trait WscaStore: std::fmt::Debug + Send + Sync {
    /// A unit with all it holds and its shard's row, as of one moment.
    async fn holdings(&self, unit: UnitId) -> Result<Option<Holdings>, StoreError>;

    /// A unit's record and its shard's, as of one moment.
    async fn record(&self, unit: UnitId) -> Result<Option<(UnitRow, ShardRow)>, StoreError>;

    /// A session.
    async fn session(&self, id: &str) -> Result<Option<SessionRow>, StoreError>;

    /// An exchange under way.
    async fn exchange(&self, id: &str) -> Result<Option<ExchangeRow>, StoreError>;

    /// The exchange of a unit that this first message began.
    async fn exchange_of(
        &self,
        unit: UnitId,
        message: &[u8; 32],
    ) -> Result<Option<ExchangeRow>, StoreError>;

    /// A shard.
    async fn shard(&self, shard: u16) -> Result<Option<ShardRow>, StoreError>;

    /// A shard with all its members, as of one moment: `each` is given every member,
    /// in any order.
    async fn whole_shard(
        &self,
        shard: u16,
        each: &mut (dyn FnMut(Member) + Send),
    ) -> Result<Option<ShardRow>, StoreError>;

    /// Up to `limit` members of a shard, after `after` in the order of their ids.
    async fn members(
        &self,
        shard: u16,
        after: Option<UnitId>,
        limit: u32,
    ) -> Result<Vec<Member>, StoreError>;

    /// A sealed secret of the service.
    async fn secret(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError>;

    /// Up to `limit` entries of the audit log after `after`.
    async fn audit(&self, after: u64, limit: u32) -> Result<Vec<AuditRow>, StoreError>;

    /// The end of the audit log: the last entry's number and hash; none where it
    /// is empty.
    async fn audit_end(&self) -> Result<Option<Appended>, StoreError>;

    /// The first checkpoint that covers the entry `sequence`, if one does.
    async fn checkpoint_over(&self, sequence: u64) -> Result<Option<CheckpointRow>, StoreError>;

    /// The newest checkpoint.
    async fn last_checkpoint(&self) -> Result<Option<CheckpointRow>, StoreError>;

    /// How many units there are, the destroyed ones among them.
    async fn unit_count(&self) -> Result<u64, StoreError>;

    /// How far the rotation of the root is.
    async fn rotation(&self) -> Result<Option<RotationRow>, StoreError>;

    /// Checks the guards, and does all the writes or none. On disk when it
    /// returns. It gives the audit entries' places in the log, in the order of
    /// the batch.
    async fn commit(&self, batch: Batch) -> Result<Vec<Appended>, CommitError>;
}

/// What is to be done at once.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    /// What must hold before.
    pub guards: Vec<Guard>,
    /// What is written then, in this order.
    pub writes: Vec<Write>,
}

/// What must hold when a batch is applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Guard {
    /// The unit is not there.
    NoUnit(UnitId),
    /// The unit is at this version.
    UnitVersion(UnitId, u64),
    /// The shard is at this epoch; 0 where it has no row yet.
    ShardEpoch(u16, u64),
    /// The session is there and neither idle nor over at this time.
    SessionLive(String, Timestamp),
    /// The exchange is there.
    Exchange(String),
    /// The nonce of this unit was not used.
    NonceUnused(UnitId, Vec<u8>),
    /// The service's secret is not there.
    NoSecret(String),
    /// A unit key made under this root may still be written: no rotation to a
    /// later one has begun.
    Generation(u64),
    /// The rotation's row is at this version; 0 where there is none yet.
    RotationVersion(u64),
    /// The newest checkpoint ends with this entry; 0 where there is none yet.
    LastCheckpoint(u64),
}

/// One write.
#[derive(Debug, Clone)]
pub enum Write {
    /// Puts a unit's row, new or in place of the old one.
    Unit(Box<UnitRow>),
    /// Puts a shard's row.
    Shard(ShardRow),
    /// Remembers a nonce, and forgets those of the unit that are past their time.
    Nonce(NonceRow),
    /// Puts an exchange.
    Exchange(ExchangeRow),
    /// Gives an exchange its answer and its state.
    ExchangeAnswered {
        /// Which.
        id: String,
        /// The answer's data, as JSON.
        answer: Vec<u8>,
        /// What the second half needs, sealed.
        sealed: Vec<u8>,
    },
    /// Removes an exchange.
    EndExchange(String),
    /// Puts a session, and forgets those of the unit that are past their time.
    Session(SessionRow),
    /// Moves a session's idle limit, resealed.
    TouchSession {
        /// Which.
        id: String,
        /// The new limit.
        idle_until: Timestamp,
        /// The sealed key, bound to the new limit.
        sealed: Vec<u8>,
    },
    /// Removes a session.
    EndSession(String),
    /// Removes every session and exchange of a unit.
    EndSessions(UnitId),
    /// Puts a key, new or in place of the old row.
    Key(KeyRow),
    /// Removes the row of a key whose erasure is complete.
    RemoveKey(UnitId, KeyId),
    /// Puts an item, new or in place of the old one.
    Item(ItemRow),
    /// Removes an item of a unit.
    RemoveItem(UnitId, String),
    /// Removes all items of a unit.
    RemoveItems(UnitId),
    /// Puts a sealed secret of the service.
    Secret(String, Vec<u8>),
    /// Appends to the audit log: [`crate::audit::chain`] gives the hash.
    Audit(Entry),
    /// Puts a checkpoint of the audit log.
    Checkpoint(CheckpointRow),
    /// Puts the rotation's row.
    Rotation(RotationRow),
}

/// A unit and all it holds, as of one moment.
#[derive(Debug, Clone)]
pub struct Holdings {
    /// Its record.
    pub unit: UnitRow,
    /// Its shard.
    pub shard: ShardRow,
    /// Its keys in the order of their ids, the destroyed ones among them.
    pub keys: Vec<KeyRow>,
    /// Its items in the order of their names.
    pub items: Vec<ItemRow>,
}

/// The record of a unit, as stored. All columns but `mac` are bound together by
/// `mac`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnitRow {
    /// Which unit.
    pub unit: UnitId,
    /// Its shard.
    pub shard: u16,
    /// Counts its changes (the record's generation).
    pub version: u64,
    /// `active`, `frozen` or `destroyed`.
    pub state: String,
    /// The device's signing key, as a SubjectPublicKeyInfo.
    pub signing_key: Vec<u8>,
    /// The device's agreement key, as a SubjectPublicKeyInfo.
    pub agreement_key: Vec<u8>,
    /// The OPAQUE record.
    pub pin_record: Option<Vec<u8>>,
    /// The credential identifier that the record was made under.
    pub pin_credential: Option<Vec<u8>>,
    /// Evaluations since the PIN was last proven.
    pub tries: u32,
    /// When the last of them was.
    pub last_try: Option<Timestamp>,
    /// Counts the times that all sessions were ended.
    pub session_epoch: u64,
    /// The root generation that the wrapping key is under.
    pub wrapping_generation: u64,
    /// The unit's wrapping key, wrapped; empty once the unit is destroyed.
    pub wrapping_key: Vec<u8>,
    /// The retry policy, as JSON.
    pub policy: Vec<u8>,
    /// SHA-256 over its keys and items.
    pub holdings: Vec<u8>,
    /// The device's MAC over all of the above.
    pub mac: Vec<u8>,
}

/// What a shard's hash is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// The unit.
    pub unit: UnitId,
    /// Its version.
    pub version: u64,
    /// Its MAC.
    pub mac: Vec<u8>,
}

/// A shard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShardRow {
    /// Which.
    pub shard: u16,
    /// Counts its commits.
    pub epoch: u64,
    /// The set hash of its members.
    pub state: Vec<u8>,
    /// The device's MAC over shard, epoch and state.
    pub mac: Vec<u8>,
}

/// A nonce that was used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NonceRow {
    /// Whose.
    pub unit: UnitId,
    /// The nonce.
    pub nonce: Vec<u8>,
    /// Until when it must be remembered.
    pub until: Timestamp,
    /// Now: older ones of the unit are forgotten.
    pub now: Timestamp,
}

/// What an exchange is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExchangeKind {
    /// Opening a session.
    Login,
    /// Registering the PIN.
    Registration,
    /// Changing the PIN.
    Update,
}

impl ExchangeKind {
    /// Its name in the database.
    pub fn name(self) -> &'static str {
        match self {
            Self::Login => "login",
            Self::Registration => "registration",
            Self::Update => "update",
        }
    }

    /// The kind of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Login, Self::Registration, Self::Update]
            .into_iter()
            .find(|kind| kind.name() == name)
    }
}

/// An exchange whose first half was counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExchangeRow {
    /// Its identifier; of the session to be, for a login.
    pub id: String,
    /// Whose.
    pub unit: UnitId,
    /// What for.
    pub kind: ExchangeKind,
    /// SHA-256 over the first message and what it asks for.
    pub message: [u8; 32],
    /// The session it runs in, for an update.
    pub session: Option<String>,
    /// The session's task, for a login.
    pub task: Option<String>,
    /// How long the session may last, in seconds, for a login.
    pub duration: Option<u64>,
    /// When it is over.
    pub expires: Timestamp,
    /// The first half's answer, as JSON; none until it was made.
    pub answer: Option<Vec<u8>>,
    /// What the second half needs, sealed.
    pub sealed: Option<Vec<u8>>,
}

/// A session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionRow {
    /// Its identifier.
    pub id: String,
    /// Whose.
    pub unit: UnitId,
    /// What for.
    pub task: String,
    /// When the PIN was proven.
    pub opened: Timestamp,
    /// When it ends if nothing happens.
    pub idle_until: Timestamp,
    /// When it ends.
    pub expires: Timestamp,
    /// Its key, sealed; the seal binds all of the above.
    pub sealed: Vec<u8>,
}

/// A key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRow {
    /// Whose.
    pub unit: UnitId,
    /// Its name.
    pub id: KeyId,
    /// Its public key, as a SubjectPublicKeyInfo.
    pub public_key: Vec<u8>,
    /// Its private key, wrapped; none once it was destroyed.
    pub wrapped: Option<Vec<u8>>,
    /// When it was made.
    pub created: Timestamp,
    /// Once destroyed: the root generation with whose end every copy becomes
    /// useless; 0 where that is so already.
    pub erased_with: Option<u64>,
}

/// An item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ItemRow {
    /// Whose.
    pub unit: UnitId,
    /// Its name.
    pub name: String,
    /// What it holds, sealed by the device.
    pub sealed: Vec<u8>,
}

/// An entry of the audit log as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditRow {
    /// Its number, from 1, without a gap.
    pub sequence: u64,
    /// What it says.
    pub entry: Entry,
    /// The chain up to it.
    pub hash: [u8; 32],
}

/// An audit entry's place in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Appended {
    /// Its number.
    pub sequence: u64,
    /// The chain up to it.
    pub hash: [u8; 32],
}

/// A checkpoint of the audit log as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckpointRow {
    /// The last entry it covers.
    pub sequence: u64,
    /// The signed checkpoint ([`sci::audit::Checkpoint`]).
    pub token: String,
}

/// How far the rotation of the root is. One row for the whole database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RotationRow {
    /// Counts its changes.
    pub version: u64,
    /// No new unit key is written under an older root than this.
    pub minimum: u64,
    /// The root that units are being moved to; none where no rotation is under way.
    pub target: Option<u64>,
    /// Who rotates.
    pub holder: String,
    /// Until when nobody else may.
    pub until: Timestamp,
    /// When the last rotation ended, or, before the first, when the database began
    /// to count.
    pub finished: Timestamp,
}

/// The store failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// It is busy or away; the same call may work later.
    #[error("the WSCA's store is not available: {0}")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A row holds what cannot be.
    #[error("the WSCA's store is damaged: {0}")]
    Damaged(String),
}

/// A batch was not applied.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// A guard did not hold; nothing was written.
    #[error("guard {index} did not hold")]
    Guard {
        /// Which of the batch's guards.
        index: usize,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}
