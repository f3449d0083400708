//! A status entry that belongs to no unit: what an operator revokes it by.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::RevocationReason;

/// The longest address of a list that is looked for, in bytes.
const MAX_URI: usize = 512;

/// The revocation of one entry that belongs to no unit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EntryRevocation {
    /// The list's address, as a token names it.
    pub uri: String,
    /// The index, likewise.
    pub index: u64,
    /// Why: for the trail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<RevocationReason>,
}

impl EntryRevocation {
    /// Whether the address can be one of a list.
    pub fn names_a_list(&self) -> bool {
        (1..=MAX_URI).contains(&self.uri.len()) && self.uri.bytes().all(|b| b.is_ascii_graphic())
    }
}

/// The entry is revoked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EntryRevoked {
    /// The list's address.
    pub uri: String,
    /// The index.
    pub index: u64,
    /// Whether it was revoked before.
    pub already: bool,
}
