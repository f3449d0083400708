//! The house of accounts, and whoever is signed in.

use std::sync::Arc;

use clock::Clock;
use jiff::Timestamp;
use provider_api::AccountId;
use subtle::ConstantTimeEq;

use crate::relying_party::RelyingParty;
use crate::secrets::{Token, label};
use crate::{
    Account, AccountStore, Belongings, Config, ConfigError, Error, Letters, NewSignIn, Problem,
    Purged, SignInRecord,
};

/// Users' accounts.
#[derive(Debug)]
pub struct Accounts {
    pub(crate) config: Config,
    pub(crate) relying_party: RelyingParty,
    pub(crate) store: Arc<dyn AccountStore>,
    pub(crate) belongings: Arc<dyn Belongings>,
    pub(crate) letters: Option<Arc<dyn Letters>>,
    pub(crate) clock: Arc<dyn Clock>,
}

/// What accounts stand on.
#[derive(Debug)]
pub struct Parts {
    /// How they behave.
    pub config: Config,
    /// Their memory.
    pub store: Arc<dyn AccountStore>,
    /// What ends before an account does.
    pub belongings: Arc<dyn Belongings>,
    /// What sends letters; without it no address is asked for.
    pub letters: Option<Arc<dyn Letters>>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// A secret of the house, the same on all nodes and at each start.
    pub secret: [u8; 32],
}

/// Somebody who is signed in.
#[derive(Debug, Clone)]
pub struct SignedIn {
    account: Account,
    since: Timestamp,
    agreed: Option<[u8; 32]>,
    token: Token,
}

/// How long a visit goes without being written down. A sign-in may end so much
/// before its user was away for the whole time.
const SEEN_EVERY_SECONDS: i64 = 60;

impl Accounts {
    /// Puts accounts together.
    pub fn new(parts: Parts) -> Result<Self, ConfigError> {
        Ok(Self {
            relying_party: RelyingParty::new(&parts.config, &parts.secret)?,
            config: parts.config,
            store: parts.store,
            belongings: parts.belongings,
            letters: parts.letters,
            clock: parts.clock,
        })
    }

    /// How they behave.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Whether letters can be sent.
    pub fn sends_letters(&self) -> bool {
        self.letters.is_some()
    }

    /// Whom this token signs in.
    pub async fn signed_in(&self, token: &Token) -> Result<SignedIn, Error> {
        let nobody = |why: &str| Error::refused(Problem::NotSignedIn, "sign-in", why);
        let now = self.clock.now();
        let hash = token.hash(label::SIGN_IN);
        let Some(record) = self.store.signed_in(hash).await? else {
            return Err(nobody("there is no such sign-in"));
        };
        if now >= record.ends_at {
            return Err(nobody("it has ended"));
        }
        if now.duration_since(record.seen_at) > self.config.idle {
            return Err(nobody("its user was away for too long"));
        }
        if now.duration_since(record.seen_at).as_secs() >= SEEN_EVERY_SECONDS {
            self.store.seen(hash, now).await?;
        }
        Ok(SignedIn::of(record, token))
    }

    /// Ends a sign-in.
    pub async fn sign_out(&self, token: &Token) -> Result<(), Error> {
        Ok(self.store.sign_out(token.hash(label::SIGN_IN)).await?)
    }

    /// Refuses what cannot be taken back, unless the user signed in a moment ago.
    pub fn require_fresh(&self, who: &SignedIn) -> Result<(), Error> {
        if self.clock.now().duration_since(who.since) <= self.config.fresh {
            return Ok(());
        }
        let what = "signed in too long ago";
        Err(Error::refused(Problem::NotFresh, "sign-in", what))
    }

    /// Forgets what has ended.
    pub async fn purge(&self) -> Result<Purged, Error> {
        let now = self.clock.now();
        let idle = now.checked_sub(self.config.idle).unwrap_or(now);
        Ok(self.store.purge(now, idle).await?)
    }

    /// A sign-in that begins now, in place of the one before in the same browser.
    pub(crate) fn new_sign_in(&self, before: Option<&Token>) -> Result<(Token, NewSignIn), Error> {
        let token = Token::new()?;
        let at = self.clock.now();
        let sign_in = NewSignIn {
            hash: token.hash(label::SIGN_IN),
            at,
            ends_at: at.checked_add(self.config.longest).unwrap_or(at),
            replaces: before.map(|before| before.hash(label::SIGN_IN)),
        };
        Ok((token, sign_in))
    }
}

impl SignedIn {
    fn of(record: SignInRecord, token: &Token) -> Self {
        Self {
            account: record.account,
            since: record.since,
            agreed: record.agreed,
            token: token.clone(),
        }
    }

    /// To which account.
    pub fn account(&self) -> AccountId {
        self.account.id
    }

    /// Its alias.
    pub fn alias(&self) -> &str {
        &self.account.alias
    }

    /// The user's language.
    pub fn language(&self) -> &str {
        &self.account.language
    }

    /// The address that was confirmed.
    pub fn address(&self) -> Option<&str> {
        self.account.address.as_deref()
    }

    /// The SHA-256 of the text that was agreed to last.
    pub(crate) fn agreed(&self) -> Option<&[u8; 32]> {
        self.agreed.as_ref()
    }

    /// The hash that the sign-in is kept under.
    pub(crate) fn sign_in(&self) -> [u8; 32] {
        self.token.hash(label::SIGN_IN)
    }

    /// What each form of this sign-in carries, and no other site knows.
    pub fn form_token(&self) -> String {
        jose::b64::encode(self.token.hash(label::FORM))
    }

    /// Refuses a form that does not carry it.
    pub fn check_form(&self, shown: &str) -> Result<(), Error> {
        if self.form_token().as_bytes().ct_eq(shown.as_bytes()).into() {
            return Ok(());
        }
        let what = "its token is not that of this sign-in";
        Err(Error::refused(Problem::Form, "form", what))
    }
}
