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
        let set = RwLock::new(Arc::new(set.checked()?));
        Ok(Self { set })
    }

    /// Takes another set in place of the one it holds. Operations that are under way
    /// end with the key that they began with.
    pub fn replace(&self, set: KeySet) -> Result<(), ConfigError> {
        let set = Arc::new(set.checked()?);
        *self.set.write().unwrap_or_else(PoisonError::into_inner) = set;
        Ok(())
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
    fn checked(self) -> Result<Self, ConfigError> {
        for what in Seals::ALL {
            if self.generations.of_kind(what).next().is_none() {
                return Err(ConfigError {
                    key: what.name(),
                    what: "a signing key with its certificate is needed".into(),
                });
            }
        }
        Ok(self)
    }
}

#[cfg(test)]
mod tests;
