//! Pages for people.

pub(crate) mod account;
pub(crate) mod data;
