//! The rooms put together into a node: one process that serves some roles.

mod accounts;
mod evidence;
mod keys;
mod listeners;
mod lists;
mod node;
mod notices;
mod pid_providers;
mod readiness;

pub(crate) use accounts::sample as sample_accounts;
pub(crate) use evidence::EvidenceParts;
pub(crate) use listeners::{Listeners, pem};
pub(crate) use lists::{location, trust_config};
pub(crate) use node::{Node, NodeParts, OperatorParts, ProviderParts, WscaParts, provider_url};
pub(crate) use notices::NoticeParts;
