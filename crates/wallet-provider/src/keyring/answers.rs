use std::sync::Arc;

use jiff::Timestamp;
use jose::Signer;

/// The keys that sign answers: the first, and those that it was handed over to.
#[derive(Debug, Clone)]
pub struct AnswerKeys {
    first: Arc<dyn Signer>,
    /// In the order of their starts.
    later: Vec<LaterAnswerKey>,
}

/// An answer key that another one handed over to.
#[derive(Debug, Clone)]
pub struct LaterAnswerKey {
    /// The key.
    pub signer: Arc<dyn Signer>,
    /// When it takes over.
    pub starts: Timestamp,
    /// The [`provider_api::Handover`] by the key before it.
    pub handover: String,
}

impl AnswerKeys {
    /// The first key, and none after it.
    pub fn first(signer: Arc<dyn Signer>) -> Self {
        Self {
            first: signer,
            later: Vec::new(),
        }
    }

    /// With those that it was handed over to.
    #[must_use]
    pub fn then(mut self, later: impl IntoIterator<Item = LaterAnswerKey>) -> Self {
        self.later.extend(later);
        self.later.sort_by_key(|key| key.starts);
        self
    }

    /// The key that signs at `now`.
    pub fn at(&self, now: Timestamp) -> &Arc<dyn Signer> {
        let started = self.later.iter().rev().find(|key| key.starts <= now);
        started.map_or(&self.first, |key| &key.signer)
    }

    /// The newest key, whether its start has come or not.
    pub fn newest(&self) -> &Arc<dyn Signer> {
        self.later.last().map_or(&self.first, |key| &key.signer)
    }

    /// The handovers, the earliest first.
    pub fn handovers(&self) -> Vec<String> {
        self.later.iter().map(|key| key.handover.clone()).collect()
    }
}
