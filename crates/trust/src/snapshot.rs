//! What is held at one moment: each source, and the list that was accepted from it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use finding::Finding;
use jiff::Timestamp;
use lote::VerifiedList;

use crate::copies::Memory;
use crate::report::Outcome;
use crate::schedule::Pace;
use crate::source::Source;

/// What is held at one moment. It never changes: a refresh puts another in its
/// place.
#[derive(Debug, Clone, Default)]
pub(crate) struct Snapshot {
    pub(crate) slots: Vec<Slot>,
    /// For how long past its NextUpdate a list is still used; zero, and it is not.
    pub(crate) grace: Duration,
}

/// One source and what is held of it.
#[derive(Debug, Clone)]
pub(crate) struct Slot {
    pub(crate) source: Source,
    pub(crate) held: Option<Arc<Held>>,
    /// What happened when it was asked last.
    pub(crate) outcome: Option<Outcome>,
    /// What went wrong then.
    pub(crate) trouble: Vec<Finding>,
    /// What was found of its pointers and its archive, which is no trouble of the
    /// list itself.
    pub(crate) remarks: Vec<Finding>,
    pub(crate) memory: Memory,
    /// When it was asked, and when it will be.
    pub(crate) pace: Pace,
    /// The pointer that led to it; none for a source of the configuration.
    pub(crate) led: Option<Arc<Led>>,
    /// The instance that was current at the time a question is about, looked up
    /// for that question where the list that is held was issued later; or why
    /// there is none.
    pub(crate) past: Option<Result<Arc<Held>, Finding>>,
}

/// How a pointer led to a source (TS 119 602, 6.3.13).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Led {
    /// The sources on the way, the configured one first.
    pub(crate) by: Vec<String>,
    /// Until when these vouch for it: the first NextUpdate among them.
    pub(crate) until: Option<Timestamp>,
    /// The territory that the pointer says the list is of.
    pub(crate) territory: Option<String>,
    /// The operator's names that the pointer says, in any language.
    pub(crate) operators: Vec<String>,
}

/// A list that was accepted.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) uri: String,
    /// Lean: of its entities only what the next version is held against.
    pub(crate) verified: VerifiedList,
    pub(crate) index: lote::Index,
    pub(crate) accepted: Timestamp,
    /// The list as it was sealed.
    pub(crate) sealed: Sealed,
}

/// A list whose seal verified, and its index.
pub(crate) type Loaded = (VerifiedList, lote::Index);

/// The bytes of a list as it was sealed, for evidence.
#[derive(Debug, Clone)]
pub(crate) enum Sealed {
    /// In this file, which pruning may remove.
    File(PathBuf),
    /// Here, where nothing is kept on disk.
    Here(Arc<[u8]>),
}

impl Slot {
    /// A source of which nothing is held yet.
    pub(crate) fn of(source: Source) -> Self {
        let memory = Memory {
            source: source.location.to_string(),
            ..Memory::default()
        };
        Self {
            source,
            held: None,
            outcome: None,
            trouble: Vec::new(),
            remarks: Vec::new(),
            memory,
            pace: Pace::default(),
            led: None,
            past: None,
        }
    }

    /// The source's name.
    pub(crate) fn name(&self) -> &str {
        &self.memory.source
    }
}

impl Held {
    pub(crate) fn new(
        uri: String,
        (verified, index): Loaded,
        accepted: Timestamp,
        sealed: Sealed,
    ) -> Self {
        Self {
            uri,
            verified,
            index,
            accepted,
            sealed,
        }
    }

    pub(crate) fn sha256_hex(&self) -> String {
        hex::encode(self.verified.sha256)
    }
}

impl Sealed {
    /// The bytes; from a file they may be other ones by now, which their digest shows.
    pub(crate) fn read(&self) -> std::io::Result<Vec<u8>> {
        match self {
            Sealed::File(path) => std::fs::read(path),
            Sealed::Here(bytes) => Ok(bytes.to_vec()),
        }
    }
}
