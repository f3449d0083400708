//! What the provider needs of the rooms and machines around it.

pub(crate) mod publisher;
pub(crate) mod store;
pub(crate) mod upkeep;
