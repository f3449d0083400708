//! What the provider needs of the rooms and machines around it.

pub(crate) mod folder;
pub(crate) mod operator_trail;
pub(crate) mod pid_providers;
pub(crate) mod publisher;
pub(crate) mod revocation;
pub(crate) mod store;
pub(crate) mod tally;
pub(crate) mod turn;
pub(crate) mod unit_search;
pub(crate) mod upkeep;
