//! Is this chain trusted for this context, at this time, and why?
//!
//! [`TrustService`] keeps the lists of trusted entities fresh: fetched within
//! limits, their seals verified under pinned or announced signers, never rolled
//! back, and kept on disk so that a restart works offline. [`TrustService::check`]
//! answers with a [`finding::Verdict`]; [`check_offline`] answers from a folder.

mod accept;
mod answering;
mod archive;
mod bundle;
mod check;
mod context;
mod copies;
pub mod counterpart;
mod decision;
mod explain;
mod fetch;
mod fitness;
mod gather;
mod history;
mod listed;
mod offline;
mod pointers;
mod read;
mod refresh;
mod report;
mod request;
mod revocation;
pub mod rules;
mod schedule;
mod service;
mod snapshot;
mod source;
mod tie;
mod told;
mod watch;

pub use bundle::{Bundle, MAX_BUNDLE, Pins, RecordError, Recorded, record_offline};
pub use context::{Context, UnknownContext};
pub use copies::{ArchiveLimits, CopyError};
pub use fetch::{FetchError, Limits};
pub use listed::Listed;
pub use offline::{OfflineError, check_offline};
pub use pointers::PointerLimits;
pub use report::{Outcome, Report, SourceReport};
pub use request::{CheckRequest, Policy, Revocation};
pub use rules::RULES;
pub use schedule::{Jitter, RandomJitter, Rhythm};
pub use service::{Config, SetupError, TrustService};
pub use source::{Location, SignerPolicy, Source, Upkeep};
pub use watch::{ListState, Watch, WatchedList};
