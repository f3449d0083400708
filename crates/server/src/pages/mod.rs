//! Pages for people.

pub(crate) mod data;
