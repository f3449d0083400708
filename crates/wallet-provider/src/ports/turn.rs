//! One node at a time.

/// What one node does while no other does it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Work {
    /// Publishing one list, or taking it away.
    List(i64),
    /// Forgetting what is past its time.
    Purge,
}

/// A node's turn at some [`Work`], until the last copy of it is dropped. Should the
/// node die, by whatever signal, the system gives its turn to the next.
pub trait Turn: Send + Sync + std::fmt::Debug {}
