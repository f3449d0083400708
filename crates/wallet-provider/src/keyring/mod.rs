//! The provider's own signing keys: several generations of each, one of which signs.
//!
//! A generation begins to sign at its start and stops when a later one takes over or
//! its certificate ends, without a restart: whoever signs asks the [`Keyring`] once an
//! operation. What an earlier generation signed stays acceptable, and its key
//! published, until all of it has ended.

mod answers;
mod chain;
mod generation;
mod generations;
mod published;
pub mod rules;

use std::sync::{Arc, PoisonError, RwLock};

use jiff::Timestamp;
use jose::PublicKey;
use provider_api::Problem;

pub use answers::{AnswerKeys, LaterAnswerKey};
pub use chain::check_chain;
pub use generation::{Generation, KeyPurpose, NotAGeneration, Seal, Seals};
pub use generations::{CertificateState, Generations, Standing, Succession};

use crate::{ConfigError, Error};

/// All signing keys of a provider. It can be given others while it is in use.
#[derive(Debug)]
pub struct Keyring {
    set: RwLock<Arc<KeySet>>,
}

/// What a [`Keyring`] holds.
#[derive(Debug, Clone)]
pub struct KeySet {
    /// The keys with certificates. A key that is compromised is not among them.
    pub generations: Generations,
    /// The keys of the answers.
    pub answers: AnswerKeys,
}

impl Keyring {
    /// A keyring; each kind of seal needs one generation at least.
    pub fn new(set: KeySet) -> Result<Self, ConfigError> {
        match set.lacks() {
            Some(what) => Err(ConfigError {
                key: what.name(),
                what: "a signing key with its certificate is needed".into(),
            }),
            None => Ok(Self::lacking(set)),
        }
    }

    /// A keyring of a provider that may have lost all its keys of a kind, because they
    /// were given up as compromised: what they would seal is refused.
    pub fn lacking(set: KeySet) -> Self {
        let set = RwLock::new(Arc::new(set));
        Self { set }
    }

    /// Takes another set in place of the one it holds, also one that lacks a kind:
    /// then nothing is sealed of that kind. Operations that are under way end with the
    /// key that they began with.
    pub fn replace(&self, set: KeySet) {
        *self.set.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(set);
    }

    /// Gives up every generation that `lost` says of, and leaves the others.
    pub fn give_up(&self, lost: impl Fn(&Generation) -> bool) {
        let mut set = self.set.write().unwrap_or_else(PoisonError::into_inner);
        let kept = set
            .generations
            .iter()
            .filter(|generation| !lost(generation));
        let generations = kept.cloned().collect();
        *set = Arc::new(KeySet {
            generations,
            answers: set.answers.clone(),
        });
    }

    /// The generation that seals at `now`: of those that have started and whose
    /// certificate is valid, the one that started last. Refused where there is none.
    pub fn seal(&self, what: Seals, now: Timestamp) -> Result<Arc<Generation>, Error> {
        let set = self.set();
        match set.generations.signing(what, now) {
            Some(generation) => Ok(Arc::clone(generation)),
            None => {
                let why = set.generations.why_none(what, now);
                Err(Error::refused(Problem::NoCertificate, what.name(), why))
            }
        }
    }

    /// The keys with certificates that it holds now.
    pub fn generations(&self) -> Generations {
        self.set().generations.clone()
    }

    /// The keys under which what was sealed before is still the provider's own.
    pub(crate) fn own_keys(&self, what: Seals) -> Vec<PublicKey> {
        let set = self.set();
        let of_kind = set.generations.of_kind(what);
        of_kind
            .map(|g| g.seal().signer.public_key().clone())
            .collect()
    }

    pub(crate) fn set(&self) -> Arc<KeySet> {
        Arc::clone(&self.set.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl KeySet {
    /// A kind of seal of which it has no generation.
    fn lacks(&self) -> Option<Seals> {
        let mut kinds = Seals::ALL.into_iter();
        kinds.find(|what| self.generations.of_kind(*what).next().is_none())
    }
}

#[cfg(test)]
mod tests;
