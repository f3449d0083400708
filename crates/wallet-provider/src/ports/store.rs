use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use jose::PublicKey;
use provider_api::{AccountId, RevocationReason, Revoker, Storage, UnitState};
use sci::UnitId;

use super::issuance_store::{Holder, IssuanceStore, KeyStorage};
use super::reference_store::ReferenceStore;
use super::tally::Tally;
use super::turn::{Turn, Work};

/// The provider's memory. Every method that writes is one transaction: all of it
/// is on disk when it returns `Ok`, and none of it was done when it returns `Err`.
#[async_trait]
pub trait ProviderStore: IssuanceStore + ReferenceStore {
    /// Whether the store can be read and written.
    async fn health(&self) -> Result<(), StoreError>;

    /// Remembers a challenge by its hash until it is answered or expires.
    async fn add_challenge(
        &self,
        hash: [u8; 32],
        purpose: Purpose,
        expires_at: Timestamp,
    ) -> Result<(), StoreError>;

    /// How many challenges for an activation wait for their answer and have not
    /// expired.
    async fn waiting_activations(&self, now: Timestamp) -> Result<u64, StoreError>;

    /// Forgets the challenges that expired by `now`; how many.
    async fn forget_challenges(&self, now: Timestamp) -> Result<u64, StoreError>;

    /// Refuses a challenge of an activation that does not wait for its answer, and
    /// changes nothing: asked before anything is spent on it. The answer is what was
    /// found of the device when the installed unit of the same alias and of the same
    /// two keys (the thumbprints of the signing and the agreement key) was begun last.
    async fn begun_activation(
        &self,
        challenge: [u8; 32],
        device: [[u8; 32]; 2],
        alias: &str,
        at: Timestamp,
    ) -> Result<Option<String>, StoreError>;

    /// Answers the challenge and makes the unit and, where it is new, its account;
    /// or finds the installed unit of the same device and account again, and keeps
    /// what was found of the device now.
    async fn begin_activation(&self, unit: NewUnit) -> Result<Activated, StoreError>;

    /// Makes an installed unit operational. One that is operational stays so.
    async fn complete_activation(
        &self,
        unit: UnitId,
        request: SpentRequest,
        at: Timestamp,
    ) -> Result<(), StoreError>;

    /// The unit; `None` where there is none.
    async fn unit(&self, unit: UnitId) -> Result<Option<UnitRecord>, StoreError>;

    /// The unit that makes a request of this `jti`; `None` where there is none.
    async fn caller(&self, unit: UnitId, jti: &str) -> Result<Option<CallerRecord>, StoreError>;

    /// The unit's history, the oldest event first.
    async fn history(&self, unit: UnitId) -> Result<Vec<Event>, StoreError>;

    /// The account of an alias, with its units, the oldest first.
    async fn account(&self, alias: &str) -> Result<Option<AccountRecord>, StoreError>;

    /// The units of an account, the oldest first.
    async fn units_of(&self, account: AccountId) -> Result<Vec<UnitRecord>, StoreError>;

    /// Units in the order of their identifiers, after `after`, at most `limit`.
    async fn units(&self, after: Option<UnitId>, limit: u32)
    -> Result<Vec<UnitRecord>, StoreError>;

    /// Takes note of a request that changes nothing else, and remembers a
    /// challenge for its unit where there is one.
    async fn spend(
        &self,
        unit: UnitId,
        request: SpentRequest,
        challenge: Option<([u8; 32], Timestamp)>,
    ) -> Result<(), StoreError>;

    /// Refuses what [`ProviderStore::issue`] would refuse of the issuance's request,
    /// unit, nonce and keys, and changes nothing. Its entries are not looked at.
    async fn check_issuance(&self, issuance: &Issuance) -> Result<(), StoreError>;

    /// Records an issuance to an operational unit: its request and nonce are spent, its
    /// keys are in no other attestation, whether KA or WIA, its storage is not revoked,
    /// the counter of its assertion has grown, what its evidence rests on is kept, and its
    /// entries are free, or are the one that is kept for their holder, whose maintenance
    /// then lasts as long as this one's.
    async fn issue(&self, issuance: Issuance) -> Result<(), StoreError>;

    /// Revokes a unit for good: its state, its history, every status entry that is
    /// its own, its lists' need to be published, its WSCA's need to be told, and the
    /// notice to its user. A unit that is revoked stays as it was, unless the new
    /// reason freezes keys that the earlier one left usable: then that is added to
    /// its history, and the WSCA is to be told.
    async fn revoke(&self, revocation: Revocation) -> Result<Revoked, StoreError>;

    /// Moves the open list of `new.kind` on by `count` indices, or opens `new`
    /// where none is open.
    async fn take_block(
        &self,
        new: NewList,
        count: u64,
        at: Timestamp,
    ) -> Result<Block, StoreError>;

    /// Hands out no further block of the list.
    async fn close_list(&self, list: i64, at: Timestamp) -> Result<(), StoreError>;

    /// Waits for this node's turn at some work that one node does at a time.
    async fn turn(&self, work: Work) -> Result<Arc<dyn Turn>, StoreError>;

    /// The lists that changed since they were published, or whose published token
    /// is to be renewed by `renew_before`.
    async fn lists_to_publish(&self, renew_before: Timestamp)
    -> Result<Vec<ListState>, StoreError>;

    /// The list as it stands now.
    async fn list_state(&self, list: i64) -> Result<Option<ListState>, StoreError>;

    /// The list as it stands now, what its revoked entries come to, and those of them
    /// that were revoked after revision `since` (all of them without), of one moment.
    async fn list(&self, list: i64, since: Option<i64>) -> Result<Option<ListContent>, StoreError>;

    /// Sets entries of a list that were published as revoked, and that the store
    /// does not know of: it was restored from an older copy. The list is marked as
    /// restored and closed, and this is a change of it.
    async fn set_again(
        &self,
        list: i64,
        indices: Vec<u64>,
        at: Timestamp,
    ) -> Result<(), StoreError>;

    /// Notes until when a token of the list will last, before it is put. What is
    /// published for longer than was ever noted shows that the store is an older copy.
    async fn promise(&self, list: i64, until: Timestamp) -> Result<(), StoreError>;

    /// The list was published as it stood at `revision`; the token lasts until
    /// `expires_at`. Where a newer one is known to be published, this one may have
    /// been put over it, and the list is due again.
    async fn published(
        &self,
        list: i64,
        revision: i64,
        expires_at: Timestamp,
    ) -> Result<Noted, StoreError>;

    /// The addresses of all lists that were published.
    async fn list_uris(&self) -> Result<Vec<String>, StoreError>;

    /// Forgets what ended by `now`: challenges, requests, and references past their
    /// maintenance. It names the lists that were closed before `closed_before` and to
    /// which no reference is left; they stay until [`ProviderStore::forget_list`].
    async fn purge(&self, now: Timestamp, closed_before: Timestamp) -> Result<Purged, StoreError>;

    /// Forgets a list that [`ProviderStore::purge`] named, once it is published no
    /// more; one to which a reference was added meanwhile stays, and is to be published
    /// again.
    async fn forget_list(&self, list: i64) -> Result<(), StoreError>;
}

/// Why the store did not do it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// No such challenge is waiting for an answer: never given, given for another
    /// use or unit, or answered.
    #[error("the challenge is not one that waits for this answer")]
    ChallengeUnknown,
    /// The challenge is past its time.
    #[error("the challenge has expired")]
    ChallengeExpired,
    /// The request was made before.
    #[error("the request was made before")]
    Replayed,
    /// There is no such unit.
    #[error("there is no such unit")]
    UnitUnknown,
    /// The unit is in another state than the change needs.
    #[error("the unit is {0}")]
    UnitState(UnitState),
    /// The device's key belongs to another unit.
    #[error("the device's key belongs to another unit")]
    DeviceKnown,
    /// The account exists, and its code was not shown.
    #[error("the account exists and its code was not shown")]
    AccountCode,
    /// A key is in a KA already: its place among the issuance's keys.
    #[error("the key at {0} is in a key attestation already")]
    KeyAttested(usize),
    /// A key is in a WIA already: its place among the issuance's keys.
    #[error("the key at {0} is in a wallet instance attestation already")]
    KeyUsed(usize),
    /// Another issuance took note of another entry for the same holder meanwhile, or
    /// the entry's maintenance ended: it is to be looked up again.
    #[error("the entry that was to be used again is another one by now")]
    EntryMoved,
    /// The unit has entries for as many issuers as are offered.
    #[error("the unit has entries for {0} issuers, and that is all that is offered")]
    TooManyScopes(u32),
    /// The WSCD or keystore, or its type, is revoked.
    #[error("the WSCD or keystore, or its type, is revoked")]
    StorageRevoked,
    /// The unit has its keys in a keystore of another type.
    #[error("the unit's keystore is of another type")]
    OtherStorage,
    /// The counter of an App Attest key does not grow.
    #[error("an assertion with this counter or a later one was accepted already")]
    CounterBack,
    /// The unit's device turned out worse at a check, and was not found sound since.
    #[error("the unit's device turned out worse, and no check was passed since")]
    DeviceWorse,
    /// What is known of the unit changed while it was looked at.
    #[error("the unit changed meanwhile; the same can be tried again")]
    UnitChanged,
    /// An index is in use already.
    #[error("index {index} of list {list} is in use")]
    IndexInUse {
        /// The list.
        list: i64,
        /// The index.
        index: u64,
    },
    /// The unit keeps no keys there.
    #[error("the unit has no such storage")]
    StorageUnknown,
    /// There is no such job.
    #[error("there is no such job")]
    JobUnknown,
    /// No entry at this place is one that belongs to no unit.
    #[error("there is no such entry that belongs to no unit")]
    EntryUnknown,
    /// A PID provider asks more often than is taken.
    #[error("too many requests of this PID provider; try again later")]
    TooManyRequests,
    /// As many activations are under way as are taken at once.
    #[error("too many activations wait for an answer; try again later")]
    TooManyChallenges,
    /// The store itself failed.
    #[error("the store failed: {0}")]
    Failed(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// What a challenge may be answered with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// An activation.
    Activation,
    /// A WSCA's statement over a unit's keys.
    Statement(UnitId),
}

/// A signed request that is taken once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpentRequest {
    /// Its identifier.
    pub jti: String,
    /// When it can be forgotten.
    pub forget_at: Timestamp,
}

/// A unit to be activated.
#[derive(Clone)]
pub struct NewUnit {
    /// The identifier it gets, unless its device has an installed unit already.
    pub unit: UnitId,
    /// The hash of the challenge that is answered.
    pub challenge: [u8; 32],
    /// The account's alias.
    pub alias: String,
    /// The hash of the code that was shown for an existing account: an unused
    /// recovery code, which stays unused, or a link code, which is used up.
    pub shown_code: Option<[u8; 32]>,
    /// The hash of the first recovery code of a new account.
    pub new_code: [u8; 32],
    /// The text that its user agreed to.
    pub consent: Option<AgreedText>,
    /// The device's signing key.
    pub signing_key: PublicKey,
    /// The device's agreement key.
    pub agreement_key: PublicKey,
    /// What was found of the device ([`crate::DeviceRecord`]), as text.
    pub evidence: String,
    /// What hardware says the device is, where it does.
    pub device_model: Option<String>,
    /// The month of the device's last patch, YYYYMM, where hardware says it.
    pub patch_level: Option<u32>,
    /// What the evidence rests on: hashes of the serial numbers of its certificates,
    /// by which a list of revoked ones finds the unit again.
    pub certificates: Vec<[u8; 32]>,
    /// The version of the wallet solution.
    pub wallet_version: String,
    /// When its evidence was judged: the wallet instance was checked then.
    pub checked_at: Timestamp,
    /// When.
    pub at: Timestamp,
}

/// A text on the processing of data that a user agreed to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgreedText {
    /// Its version.
    pub version: String,
    /// Its SHA-256, base64url.
    pub sha256: String,
}

/// What became of an activation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Activated {
    /// The unit.
    pub unit: UnitId,
    /// Whether the new code is the account's.
    pub new_code: bool,
}

/// A unit as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnitRecord {
    /// Its identifier.
    pub unit: UnitId,
    /// Where it stands.
    pub state: UnitState,
    /// The device's signing key.
    pub signing_key: PublicKey,
    /// The device's agreement key.
    pub agreement_key: PublicKey,
    /// What was found of the device when it was activated
    /// ([`crate::DeviceRecord`]), as text.
    pub evidence: String,
    /// The version of the wallet solution it was activated with.
    pub wallet_version: String,
    /// When its activation began.
    pub created_at: Timestamp,
    /// When its wallet instance was checked last.
    pub checked_at: Timestamp,
}

/// A unit that makes a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallerRecord {
    /// The unit.
    pub unit: UnitRecord,
    /// Whether it made the request before.
    pub spent: bool,
    /// Whether its device turned out worse, and was not found sound since.
    pub worse: bool,
}

/// A change of a unit's state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// When.
    pub at: Timestamp,
    /// The state it went to.
    pub state: UnitState,
    /// Who revoked it.
    pub by: Option<Revoker>,
    /// Why it was revoked.
    pub reason: Option<RevocationReason>,
    /// The storage that was revoked, where it was one alone.
    pub storage: Option<Storage>,
    /// The revoker's name, where it is known.
    pub name: Option<String>,
}

/// An account.
#[derive(Clone)]
pub struct AccountRecord {
    /// The hashes of its recovery codes that nobody has signed in with yet.
    pub codes: Vec<[u8; 32]>,
    /// Its units.
    pub units: Vec<UnitRecord>,
}

/// Attestations to be recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issuance {
    /// The unit that gets them.
    pub unit: UnitId,
    /// The request for them.
    pub request: SpentRequest,
    /// The hash of the nonce that the statement answers.
    pub nonce: Option<[u8; 32]>,
    /// The thumbprints of the keys that enter a KA.
    pub keys: Vec<[u8; 32]>,
    /// The thumbprints of the keys that enter a WIA.
    pub instance_keys: Vec<[u8; 32]>,
    /// The status entries. One that is used again is the only one.
    pub entries: Vec<NewEntry>,
    /// For whom the entry is kept, where it is to be used again.
    pub holder: Option<Holder>,
    /// Where the attested keys are; absent for WIAs.
    pub storage: Option<KeyStorage>,
    /// What the evidence of the keys rests on, as [`NewUnit::certificates`] has it.
    pub certificates: Vec<[u8; 32]>,
    /// The counter of the App Attest key's assertion over the keys.
    pub counter: Option<u32>,
    /// When.
    pub at: Timestamp,
}

impl Issuance {
    /// An issuance of nothing yet.
    pub fn new(unit: UnitId, request: SpentRequest, at: Timestamp) -> Self {
        Self {
            unit,
            request,
            nonce: None,
            keys: Vec::new(),
            instance_keys: Vec::new(),
            entries: Vec::new(),
            holder: None,
            storage: None,
            certificates: Vec::new(),
            counter: None,
            at,
        }
    }
}

/// A status entry of a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewEntry {
    /// The list.
    pub list: i64,
    /// The index in it.
    pub index: u64,
    /// The end of its maintenance.
    pub maintained_until: Timestamp,
}

/// A revocation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revocation {
    /// The unit.
    pub unit: UnitId,
    /// Who revokes it.
    pub by: Revoker,
    /// The revoker's name, where it is known.
    pub name: Option<String>,
    /// Why.
    pub reason: RevocationReason,
    /// The advisory that tells the technical details of a breach.
    pub advisory: Option<String>,
    /// When.
    pub at: Timestamp,
}

/// What a revocation did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Revoked {
    /// Whether the unit was revoked before.
    pub already: bool,
    /// How many status entries were set.
    pub entries: u64,
}

/// What a list tells the status of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ListKind {
    /// Wallet instances.
    Wia,
    /// WSCDs and keystores.
    Ka,
}

impl ListKind {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Wia, Self::Ka];

    /// Its name in the store.
    pub fn name(self) -> &'static str {
        match self {
            Self::Wia => "wia",
            Self::Ka => "ka",
        }
    }

    /// The kind of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// A list to open where none is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewList {
    /// What it is for.
    pub kind: ListKind,
    /// Its name, which says nothing.
    pub name: String,
    /// Its address.
    pub uri: String,
    /// How many entries it has.
    pub size: u64,
    /// A check of the key that permutes it.
    pub key_check: [u8; 8],
}

/// Counters of one list, taken by one node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// The list.
    pub list: i64,
    /// Its address.
    pub uri: String,
    /// How many entries it has.
    pub size: u64,
    /// The check of the key that permutes it.
    pub key_check: [u8; 8],
    /// Whether the list was ever published.
    pub published: bool,
    /// The counters.
    pub counters: Range<u64>,
}

/// A list, as far as its publication goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListState {
    /// The list.
    pub list: i64,
    /// Its name.
    pub name: String,
    /// Its address.
    pub uri: String,
    /// How many entries it has.
    pub size: u64,
    /// Goes up with each change.
    pub revision: i64,
    /// The revision that was published last; 0 before the first.
    pub published: i64,
    /// When the token that was published last ends.
    pub published_until: Timestamp,
    /// Whether the store was found to be older than what it published.
    pub restored: bool,
    /// The latest end of a token of it that was ever to be put. `None` once it is
    /// closed: no index of it is handed out again, however old the store is.
    pub promised_until: Option<Timestamp>,
}

impl ListState {
    /// Whether the list has to be published: it changed since, or its token ends by
    /// `renew_before`.
    pub fn is_due(&self, renew_before: Timestamp) -> bool {
        self.revision > self.published || self.published_until <= renew_before
    }

    /// Whether the store is older than a token of the list that lasts until `told`: its
    /// counters are older too, and were handed out.
    pub fn is_older_than(&self, told: Timestamp) -> bool {
        self.promised_until
            .is_some_and(|promised| told.as_second() > promised.as_second())
    }
}

/// A list and the entries of it that are revoked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListContent {
    /// The list.
    pub state: ListState,
    /// What all its revoked entries come to.
    pub tally: Tally,
    /// Those that were asked for.
    pub revoked: Vec<u64>,
}

/// What became of a publication in the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Noted {
    /// It is the newest.
    Newest,
    /// A newer one is known: this one may have been put over it.
    Overtaken,
}

/// What was forgotten.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Purged {
    /// Challenges that nobody answered.
    pub challenges: u64,
    /// Requests.
    pub requests: u64,
    /// References past their maintenance.
    pub entries: u64,
    /// Lists that are no more.
    pub lists: Vec<EndedList>,
}

/// A list that nothing refers to any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndedList {
    /// The list.
    pub list: i64,
    /// Its name.
    pub name: String,
}

impl std::fmt::Debug for NewUnit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewUnit")
            .field("unit", &self.unit)
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for AccountRecord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AccountRecord")
            .field("units", &self.units)
            .finish_non_exhaustive()
    }
}
