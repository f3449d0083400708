//! What the provider needs of the rooms and machines around it.

pub(crate) mod folder;
pub(crate) mod publisher;
pub(crate) mod store;
pub(crate) mod tally;
pub(crate) mod turn;
