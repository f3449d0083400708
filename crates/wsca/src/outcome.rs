//! What an operation in a session comes to.

use jose::Map;

use crate::store::{ItemRow, KeyRow, Write};

/// What an operation in a session comes to. The answer's data may be secret: no `Debug`.
#[derive(Default)]
pub(crate) struct Outcome {
    /// The answer's data.
    pub(crate) data: Map,
    /// The unit's keys and items as they are to be; none where they stay.
    pub(crate) holdings: Option<(Vec<KeyRow>, Vec<ItemRow>)>,
    /// What is written besides.
    pub(crate) writes: Vec<Write>,
    /// The thumbprints of the keys concerned.
    pub(crate) keys: Vec<String>,
    /// What becomes of the session, or of the unit.
    pub(crate) then: Then,
}

/// What becomes of the session.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Then {
    /// It goes on.
    #[default]
    GoOn,
    /// It ends.
    EndSession,
    /// It ends with its unit.
    DestroyUnit,
}
