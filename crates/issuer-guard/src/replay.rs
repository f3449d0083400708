use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use jiff::Timestamp;
use jose::sha256;

/// Remembers what was used, so that nothing is used twice. Nodes of one issuer
/// share one store.
#[async_trait]
pub trait ReplayStore: std::fmt::Debug + Send + Sync {
    /// Takes all marks at once, or none: [`Claim::Seen`] when any of them was
    /// taken before. Two callers that claim one mark at the same time never both
    /// get [`Claim::Fresh`].
    async fn claim(&self, marks: &[Mark], at: Timestamp) -> Result<Claim, ReplayError>;
}

/// Something that is used once: 32 bytes that stand for it, and how long they
/// have to be remembered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    digest: [u8; 32],
    until: Timestamp,
}

/// What became of a claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// All marks are taken now, for the first time.
    Fresh,
    /// The marks at these places were taken before; none is taken now.
    Seen(Vec<usize>),
}

/// Why it cannot be told whether something was used before.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReplayError {
    /// No room is left, and nothing remembered may be forgotten yet.
    #[error("the replay store is full ({capacity} marks)")]
    Full {
        /// How many marks it holds.
        capacity: usize,
    },
    /// The store is out of reach.
    #[error("the replay store is not available: {0}")]
    Unavailable(String),
}

impl Mark {
    /// The mark of `value`, among things of one `kind`, to be kept until `until`.
    pub fn of(kind: &str, value: &[u8], until: Timestamp) -> Self {
        // The hash of the value first, so that no kind and value run together.
        let input = [kind.as_bytes(), &[0], &sha256(value)].concat();
        Self {
            digest: sha256(&input),
            until,
        }
    }

    /// What stands for the thing.
    pub fn digest(&self) -> &[u8; 32] {
        &self.digest
    }

    /// How long it has to be remembered.
    pub fn until(&self) -> Timestamp {
        self.until
    }
}

/// A [`ReplayStore`] in memory, for one process.
///
/// It holds a bounded number of marks and forgets only those whose time has
/// passed: when it is full of others it says so, rather than forget one that
/// could still be replayed.
#[derive(Debug)]
pub struct MemoryReplayStore {
    capacity: usize,
    marks: Mutex<HashMap<[u8; 32], Timestamp>>,
}

impl MemoryReplayStore {
    /// A store of at most `capacity` marks, some 64 bytes each.
    pub fn new(capacity: usize) -> Self {
        Self {
            capacity,
            marks: Mutex::new(HashMap::new()),
        }
    }
}

impl Default for MemoryReplayStore {
    /// A million marks.
    fn default() -> Self {
        Self::new(1_000_000)
    }
}

#[async_trait]
impl ReplayStore for MemoryReplayStore {
    async fn claim(&self, claimed: &[Mark], at: Timestamp) -> Result<Claim, ReplayError> {
        let mut marks = self.marks.lock().unwrap_or_else(PoisonError::into_inner);
        let seen: Vec<usize> = claimed
            .iter()
            .enumerate()
            .filter(|(_, mark)| marks.get(&mark.digest).is_some_and(|until| *until >= at))
            .map(|(place, _)| place)
            .collect();
        if !seen.is_empty() {
            return Ok(Claim::Seen(seen));
        }
        if marks.len().saturating_add(claimed.len()) > self.capacity {
            marks.retain(|_, until| *until >= at);
            if marks.len().saturating_add(claimed.len()) > self.capacity {
                return Err(ReplayError::Full {
                    capacity: self.capacity,
                });
            }
        }
        marks.extend(claimed.iter().map(|mark| (mark.digest, mark.until)));
        Ok(Claim::Fresh)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use jiff::SignedDuration;
    use std::sync::Arc;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_secs(seconds)
    }

    fn mark(value: &str, until: i64) -> Mark {
        Mark::of("test", value.as_bytes(), at(until))
    }

    #[tokio::test]
    async fn a_mark_is_taken_once_and_all_or_none_are() {
        let store = MemoryReplayStore::new(10);
        let both = [mark("a", 100), mark("b", 100)];
        assert_eq!(store.claim(&both, at(0)).await, Ok(Claim::Fresh));
        let mixed = [mark("c", 100), mark("b", 100)];
        assert_eq!(store.claim(&mixed, at(0)).await, Ok(Claim::Seen(vec![1])));
        assert_eq!(
            store.claim(&[mark("c", 100)], at(0)).await,
            Ok(Claim::Fresh)
        );
        // The same bytes of another kind are another thing.
        let other = Mark::of("other", b"a", at(100));
        assert_eq!(store.claim(&[other], at(0)).await, Ok(Claim::Fresh));
    }

    #[tokio::test]
    async fn a_full_store_forgets_what_has_passed_and_nothing_else() {
        let store = MemoryReplayStore::new(2);
        assert_eq!(
            store.claim(&[mark("a", 10), mark("b", 20)], at(0)).await,
            Ok(Claim::Fresh)
        );
        let full = Err(ReplayError::Full { capacity: 2 });
        assert_eq!(store.claim(&[mark("c", 30)], at(10)).await, full);
        assert_eq!(
            store.claim(&[mark("a", 10)], at(10)).await,
            Ok(Claim::Seen(vec![0]))
        );
        assert_eq!(
            store.claim(&[mark("c", 30)], at(11)).await,
            Ok(Claim::Fresh)
        );
        assert_eq!(
            store.claim(&[mark("b", 20)], at(11)).await,
            Ok(Claim::Seen(vec![0]))
        );
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn of_many_claims_at_once_one_wins() {
        let store = Arc::new(MemoryReplayStore::default());
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..50 {
            let store = store.clone();
            tasks.spawn(async move { store.claim(&[mark("a", 100)], at(0)).await.unwrap() });
        }
        let claims = tasks.join_all().await;
        assert_eq!(claims.iter().filter(|c| **c == Claim::Fresh).count(), 1);
    }
}
