use async_trait::async_trait;
use finding::Verdict;
use jiff::Timestamp;

/// Who decides which chains are trusted: in production `trust`, which holds the
/// lists.
#[async_trait]
pub trait ChainTrust: std::fmt::Debug + Send + Sync {
    /// Whether `chain` (DER, leaf first, as it stood in `x5c`) is trusted for
    /// `context` at `at`, and why.
    async fn check(&self, context: TrustContext, chain: &[Vec<u8>], at: Timestamp) -> Verdict;

    /// The listed party behind a verdict that this trust gave; `None` where it
    /// does not know. Where it does not know who signs attestations, what depends on
    /// it is not checked; where it knows that and not who signs their status lists,
    /// their status is undecided.
    async fn listed(&self, _context: TrustContext, _verdict: &Verdict) -> Option<ListedParty> {
        None
    }
}

/// What a chain is to be trusted for here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TrustContext {
    /// To sign WIA and KA.
    Wallet,
    /// To sign their status lists.
    WalletStatus,
}

impl TrustContext {
    /// The context's name: `wallet` or `wallet-status`.
    pub fn name(self) -> &'static str {
        match self {
            TrustContext::Wallet => "wallet",
            TrustContext::WalletStatus => "wallet-status",
        }
    }
}

/// A party as a list names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedParty {
    /// What identifies the trusted entity within the list.
    pub entity: String,
    /// The names of its services: for a wallet provider, its wallet solutions.
    pub services: Vec<String>,
}
