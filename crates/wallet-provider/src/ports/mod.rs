//! What the provider needs of the rooms and machines around it.

pub(crate) mod issuance_store;
pub(crate) mod operator_trail;
pub(crate) mod publisher;
pub(crate) mod reference_store;
pub(crate) mod store;
pub(crate) mod unit_search;
