//! What accounts need of the rooms around them.

use async_trait::async_trait;
use jiff::Timestamp;
use provider_api::AccountId;
use uuid::Uuid;

/// An error whose kind is nobody's business here.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The memory of accounts. Every method that writes is one transaction: all of it is
/// on disk when it returns `Ok`, and none of it was done when it returns `Err`.
///
/// A deleted account is in none of its answers.
#[async_trait]
pub trait AccountStore: Send + Sync + std::fmt::Debug {
    /// Remembers a ceremony until it is finished or ends.
    async fn add_ceremony(&self, ceremony: NewCeremony) -> Result<(), StoreError>;

    /// Takes a ceremony away for good, and gives its state, unless it ended by `now`.
    async fn take_ceremony(
        &self,
        hash: [u8; 32],
        now: Timestamp,
    ) -> Result<Option<String>, StoreError>;

    /// Makes an account with its first passkey, what its user agreed to, and the
    /// sign-in that follows.
    async fn sign_up(&self, account: NewAccount) -> Result<AccountId, StoreError>;

    /// The account of an alias.
    async fn by_alias(&self, alias: &str) -> Result<Option<AccountId>, StoreError>;

    /// The passkeys of an account, the oldest first.
    async fn passkeys(&self, account: AccountId) -> Result<Vec<PasskeyRecord>, StoreError>;

    /// Adds a passkey, unless the account has `most` of them.
    async fn add_passkey(
        &self,
        account: AccountId,
        passkey: NewPasskey,
        most: u32,
    ) -> Result<(), StoreError>;

    /// Removes a passkey, unless nothing would be left to sign in with. All sign-ins
    /// end but the one of this hash.
    async fn remove_passkey(
        &self,
        account: AccountId,
        id: Vec<u8>,
        sign_in: [u8; 32],
    ) -> Result<(), StoreError>;

    /// What authenticators know the account by; `handle` is it from now on, where it
    /// has none.
    async fn handle(&self, account: AccountId, handle: Uuid) -> Result<Uuid, StoreError>;

    /// Signs in by a passkey whose counter went on: past the last one, or zero as ever.
    async fn sign_in_by_passkey(
        &self,
        used: PasskeyUse,
        sign_in: NewSignIn,
    ) -> Result<(), StoreError>;

    /// Signs in by a recovery code, which is used up, unless nothing else opens the
    /// account.
    async fn sign_in_by_code(
        &self,
        alias: String,
        code: [u8; 32],
        sign_in: NewSignIn,
    ) -> Result<AccountId, StoreError>;

    /// The sign-in of this token's hash.
    async fn signed_in(&self, hash: [u8; 32]) -> Result<Option<SignInRecord>, StoreError>;

    /// The user was here.
    async fn seen(&self, hash: [u8; 32], at: Timestamp) -> Result<(), StoreError>;

    /// Ends a sign-in.
    async fn sign_out(&self, hash: [u8; 32]) -> Result<(), StoreError>;

    /// Puts a set of recovery codes in place of the one before. All sign-ins end but
    /// the one of this hash.
    async fn replace_codes(
        &self,
        account: AccountId,
        codes: Vec<[u8; 32]>,
        sign_in: [u8; 32],
        at: Timestamp,
    ) -> Result<(), StoreError>;

    /// How many unused recovery codes there are.
    async fn codes_left(&self, account: AccountId) -> Result<u64, StoreError>;

    /// Puts a link code in place of the one before.
    async fn replace_link_code(
        &self,
        account: AccountId,
        code: [u8; 32],
        expires_at: Timestamp,
    ) -> Result<(), StoreError>;

    /// Records what the user agreed to.
    async fn agree(&self, account: AccountId, consent: Consent) -> Result<(), StoreError>;

    /// Remembers an address that is to be confirmed, in place of one before that is
    /// not; refuses it while the one before is younger than `not_before`.
    async fn begin_address(
        &self,
        account: AccountId,
        code: AddressCode,
        not_before: Timestamp,
    ) -> Result<(), StoreError>;

    /// The address is the account's, if this is the code; the consent to being
    /// written to is recorded with it. A wrong code uses up one of `tries`, and the
    /// last of them ends the code.
    async fn confirm_address(
        &self,
        account: AccountId,
        code: [u8; 32],
        tries: u32,
        consent: Consent,
    ) -> Result<(), StoreError>;

    /// The address that waits for its code.
    async fn waiting_address(
        &self,
        account: AccountId,
        now: Timestamp,
    ) -> Result<Option<String>, StoreError>;

    /// Forgets the account's address, and one that waits.
    async fn remove_address(&self, account: AccountId, at: Timestamp) -> Result<(), StoreError>;

    /// Deletes an account of which nothing lives any more. All that is its user's
    /// goes at once; a shell without a name stays until nothing refers to it.
    async fn delete(
        &self,
        account: AccountId,
        tombstone: String,
        at: Timestamp,
    ) -> Result<(), StoreError>;

    /// Forgets what ended by `now`, and the shells that nothing refers to.
    /// Sign-ins end at their end, or once they were last seen before `idle`.
    async fn purge(&self, now: Timestamp, idle: Timestamp) -> Result<Purged, StoreError>;
}

/// What sends letters to users.
#[async_trait]
pub trait Letters: Send + Sync + std::fmt::Debug {
    /// The address as letters go to it; an error where none can.
    fn read(&self, address: &str) -> Result<String, BoxError>;

    /// Sends the code that confirms an address to that address. When this returns
    /// `Ok`, the letter is on its way, whatever happens.
    async fn confirm_address(
        &self,
        account: AccountId,
        address: &str,
        language: &str,
        code: &str,
    ) -> Result<(), BoxError>;
}

/// What belongs to an account elsewhere in the house, and ends before it does.
#[async_trait]
pub trait Belongings: Send + Sync + std::fmt::Debug {
    /// Ends all of it. When this returns `Ok`, what there was has ended, on disk.
    async fn end(&self, account: AccountId) -> Result<(), BoxError>;
}

/// Why the store did not do it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The alias belongs to an account.
    #[error("the alias belongs to an account")]
    AliasTaken,
    /// The passkey belongs to an account.
    #[error("the passkey belongs to an account")]
    PasskeyKnown,
    /// The account has no such passkey.
    #[error("the account has no such passkey")]
    PasskeyUnknown,
    /// The passkey's counter went back.
    #[error("the passkey's counter is not past the last one")]
    CounterBack,
    /// There is no account of this alias with this code unused.
    #[error("there is no account of this alias and code")]
    Code,
    /// There is no such account.
    #[error("there is no such account")]
    AccountUnknown,
    /// Nothing would be left to sign in with.
    #[error("it is the last way to sign in")]
    LastWay,
    /// The account has as many passkeys as it may have.
    #[error("the account has as many passkeys as it may have")]
    Full,
    /// The code does not confirm an address that waits.
    #[error("the code does not confirm an address that waits for it")]
    AddressCode,
    /// A code was made for an address a moment ago.
    #[error("a code was sent a moment ago")]
    TooSoon,
    /// Something that belongs to the account lives.
    #[error("something that belongs to the account lives")]
    InUse,
    /// The store itself failed.
    #[error("the store failed: {0}")]
    Failed(#[source] BoxError),
}

/// A ceremony that was begun.
#[derive(Clone)]
pub struct NewCeremony {
    /// The hash of its name.
    pub hash: [u8; 32],
    /// What is needed to finish it.
    pub state: String,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// An account to be made.
#[derive(Clone)]
pub struct NewAccount {
    /// Its alias.
    pub alias: String,
    /// What authenticators know it by.
    pub handle: Uuid,
    /// The user's language (BCP 47).
    pub language: String,
    /// Its first passkey.
    pub passkey: NewPasskey,
    /// What its user agreed to.
    pub consent: Consent,
    /// The sign-in that follows.
    pub sign_in: NewSignIn,
}

/// A passkey to be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewPasskey {
    /// The credential's identifier, unique over all accounts.
    pub id: Vec<u8>,
    /// What its user calls it.
    pub name: String,
    /// The library's record of it.
    pub data: String,
    /// When.
    pub at: Timestamp,
}

/// A passkey as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PasskeyRecord {
    /// The credential's identifier.
    pub id: Vec<u8>,
    /// What its user calls it.
    pub name: String,
    /// The library's record of it.
    pub data: String,
    /// When it was added.
    pub created_at: Timestamp,
    /// When it last signed somebody in.
    pub used_at: Option<Timestamp>,
}

/// A passkey that proved itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PasskeyUse {
    /// The account that it was asked for.
    pub account: AccountId,
    /// The credential's identifier.
    pub id: Vec<u8>,
    /// Its signature counter now.
    pub counter: u32,
    /// The library's record of it from now on.
    pub data: String,
}

/// A sign-in that begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewSignIn {
    /// The hash of its token.
    pub hash: [u8; 32],
    /// When it begins.
    pub at: Timestamp,
    /// When it ends at the latest.
    pub ends_at: Timestamp,
    /// The sign-in that it takes the place of, in the same browser.
    pub replaces: Option<[u8; 32]>,
}

/// A sign-in, and the account as far as every page needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignInRecord {
    /// The account.
    pub account: Account,
    /// When it began.
    pub since: Timestamp,
    /// When its user was last here.
    pub seen_at: Timestamp,
    /// When it ends at the latest.
    pub ends_at: Timestamp,
    /// The SHA-256 of the text on the processing of data that was agreed to last.
    pub agreed: Option<[u8; 32]>,
}

/// An account.
#[derive(Clone, PartialEq, Eq)]
pub struct Account {
    /// Which.
    pub id: AccountId,
    /// Its alias.
    pub alias: String,
    /// The user's language (BCP 47).
    pub language: String,
    /// The address that was confirmed.
    pub address: Option<String>,
}

/// What a consent is to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ConsentKind {
    /// The processing of data that a wallet needs.
    Processing,
    /// Being written to at the address.
    Letters,
}

impl ConsentKind {
    /// The name in the store.
    pub fn name(self) -> &'static str {
        match self {
            Self::Processing => "processing",
            Self::Letters => "letters",
        }
    }
}

/// What a user agreed to: which text, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consent {
    /// What it is to.
    pub kind: ConsentKind,
    /// The text's version.
    pub version: String,
    /// The SHA-256 of the text as it was shown.
    pub sha256: [u8; 32],
    /// When.
    pub at: Timestamp,
}

/// An address that waits for its code.
#[derive(Clone)]
pub struct AddressCode {
    /// The address.
    pub address: String,
    /// The hash of the code that was sent there.
    pub code: [u8; 32],
    /// When the code ends.
    pub expires_at: Timestamp,
    /// When it was made.
    pub at: Timestamp,
}

/// What was forgotten.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Purged {
    /// Ceremonies that nobody finished, codes that nobody typed.
    pub ended: u64,
    /// Sign-ins.
    pub sign_ins: u64,
    /// Shells of deleted accounts, with their units.
    pub shells: u64,
}

macro_rules! shown_without_content {
    ($($of:ident),*) => {$(
        impl std::fmt::Debug for $of {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_struct(stringify!($of)).finish_non_exhaustive()
            }
        }
    )*};
}

shown_without_content!(NewCeremony, NewAccount, Account, AddressCode);
