use async_trait::async_trait;
use jiff::Timestamp;
use sci::UnitId;

use crate::{ListState, StoreError};

/// What a check and a restore ask of the provider's memory, beside what it does day
/// by day. Every method that writes is one transaction.
#[async_trait]
pub trait UpkeepStore: Send + Sync + std::fmt::Debug {
    /// Every list, in the order they were opened.
    async fn known_lists(&self) -> Result<Vec<ListState>, StoreError>;

    /// The entries of a list that are set.
    async fn set_entries(&self, list: i64) -> Result<Vec<u64>, StoreError>;

    /// Closes every open list, with the blocks of indices that nodes had taken of
    /// them: no index of them is handed out again. How many. What was good for minutes
    /// or hours (challenges, codes, who is signed in) goes too.
    async fn retire(&self, at: Timestamp) -> Result<u64, StoreError>;

    /// Sets entries that are published as revoked, and revokes what they are of: the
    /// unit of a WIA's entry, the WSCD or keystore of a KA's.
    async fn take_over(
        &self,
        list: i64,
        indices: Vec<u64>,
        at: Timestamp,
    ) -> Result<TakenOver, StoreError>;

    /// Makes a list known that was published after the database's time: closed, with
    /// these entries set, and kept until `until`. A list of that name stays as it is.
    async fn adopt(&self, list: Adopted, until: Timestamp) -> Result<(), StoreError>;

    /// What does not fit together, of each kind the first few.
    async fn faults(&self) -> Result<Vec<Fault>, StoreError>;

    /// How many units there are, and how many of them the WSCA is still to be told of.
    async fn unit_counts(&self) -> Result<UnitCounts, StoreError>;
}

/// A published list that the store does not know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adopted {
    /// Its name.
    pub name: String,
    /// Its address.
    pub uri: String,
    /// How many entries it has.
    pub size: u64,
    /// Those that are set.
    pub set: Vec<u64>,
}

/// What was taken over from one list.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TakenOver {
    /// Entries that were set.
    pub entries: u64,
    /// Those of them that belong to no unit that the store knows.
    pub of_nobody: u64,
    /// Units that were revoked.
    pub units: u64,
    /// WSCDs and keystores that were revoked, of units that were not.
    pub storages: u64,
}

/// Units, counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct UnitCounts {
    /// All of them.
    pub units: u64,
    /// Those that are revoked.
    pub revoked: u64,
    /// Those whose revocation the WSCA is still to be told of.
    pub freeze_due: u64,
}

/// Something that does not fit together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The database's own check of itself found this.
    Integrity(String),
    /// A row names one that is not there.
    Reference {
        /// The row's table.
        table: &'static str,
        /// What it names, of which table.
        names: &'static str,
        /// How many such rows there are.
        rows: u64,
    },
    /// An entry of what is revoked is not set.
    NotSet {
        /// The unit.
        unit: UnitId,
        /// The list.
        list: i64,
        /// The index.
        index: u64,
    },
    /// The entry that units of a revoked type share is not set.
    SharedNotSet {
        /// The list.
        list: i64,
        /// The index.
        index: u64,
    },
    /// An entry is past its list's end.
    Index {
        /// The list.
        list: i64,
        /// The index.
        index: i64,
    },
    /// An index stands for two entries.
    Twice {
        /// The list.
        list: i64,
        /// The index.
        index: i64,
    },
    /// A list's counters or revisions cannot be.
    Counters {
        /// The list.
        list: i64,
    },
    /// A unit's state is not that of its last event.
    History {
        /// The unit.
        unit: UnitId,
    },
}
