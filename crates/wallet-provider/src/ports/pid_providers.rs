use async_trait::async_trait;
use finding::Verdict;
use jiff::Timestamp;

/// Who decides which chains are PID providers': in production the list of PID
/// providers (ARF `WURevocation_12`).
#[async_trait]
pub trait PidProviderCheck: Send + Sync + std::fmt::Debug {
    /// Whether `chain` (DER, leaf first) is a PID provider's at `at`, and whose.
    async fn check(&self, chain: &[Vec<u8>], at: Timestamp) -> ListedPidProvider;
}

/// What the lists say of a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedPidProvider {
    /// Whether it is trusted as a PID provider's, and why.
    pub verdict: Verdict,
    /// The entity that the list names for it: whose requests are counted together,
    /// and what the unit's history says.
    pub name: Option<String>,
}
