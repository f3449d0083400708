//! The rooms put together into a node: one process that serves some roles.

mod node;
mod readiness;

pub(crate) use node::{Node, NodeParts, ProviderParts};
