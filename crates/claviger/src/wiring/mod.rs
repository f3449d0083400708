//! The rooms put together into a node: one process that serves some roles.

mod evidence;
mod keys;
mod listeners;
mod lists;
mod node;
mod notices;
mod readiness;

pub(crate) use evidence::EvidenceParts;
pub(crate) use listeners::{Listeners, pem};
pub(crate) use lists::{location, trust_config};
pub(crate) use node::{Node, NodeParts, OperatorParts, ProviderParts, WscaParts, provider_url};
pub(crate) use notices::NoticeParts;
