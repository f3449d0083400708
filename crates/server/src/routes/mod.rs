//! One file a role. A route reads the request, asks its room, and turns the
//! room's answer into HTTP; it decides nothing itself.

pub(crate) mod accept;
pub(crate) mod authzen;
mod bulk_revocation;
pub(crate) mod folder;
pub(crate) mod health;
pub(crate) mod operator;
pub(crate) mod provider;
pub(crate) mod status;
pub(crate) mod trust;
pub(crate) mod trust_validator;
pub(crate) mod wsca;
pub(crate) mod wsca_link;
