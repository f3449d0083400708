//! Is this chain trusted for this context, at this time, and why?
//!
//! [`TrustService`] keeps the lists of trusted entities fresh: fetched within
//! limits, their seals verified under pinned or announced signers, never rolled
//! back, and kept on disk so that a restart works offline. [`TrustService::check`]
//! answers with a [`finding::Verdict`]; [`check_offline`] answers from a folder.

mod check;
mod context;
mod copies;
mod fetch;
mod listed;
mod offline;
mod revocation;
pub mod rules;
mod service;
mod source;

pub use check::{CheckRequest, Policy, Revocation};
pub use context::{Context, UnknownContext};
pub use copies::CopyError;
pub use fetch::{FetchError, Limits};
pub use listed::Listed;
pub use offline::{OfflineError, check_offline};
pub use rules::RULES;
pub use service::{Config, Outcome, Report, SetupError, SourceReport, TrustService};
pub use source::{Location, SignerPolicy, Source};
