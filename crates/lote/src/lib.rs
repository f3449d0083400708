//! Lists of trusted entities (ETSI TS 119 602 v1.1.1, JSON binding): read, judged,
//! sealed, verified, written and looked up.
//!
//! A list comes in as [`UncheckedList`] (whatever stood there) and is used as
//! [`List`] (what can be relied on). [`lint_bytes`] says everything that is wrong
//! with it; [`Verifier`] says whether its seal holds; [`Index`] finds the
//! certificates of its services; [`Draft`] and [`seal()`] make one.
//!
//! No network, clock or file is used here: bytes and a time come in.

mod author;
mod cert;
mod critical;
mod diff;
mod index;
mod lint;
mod list;
pub mod model;
mod profile;
pub mod publish;
mod report;
pub mod rules;
mod seal;
mod shape;
mod stream;
mod values;

/// The header of a JAdES baseline B signature, for what is signed as lists are.
pub mod jades {
    pub use crate::seal::header::{Header, UNDERSTOOD, judge};
}

pub use author::{
    Draft, DraftError, NewEntity, NewService, Operator, Postal, Publication, next_update_after,
};
pub use diff::{Change, ChangeKind, diff, succession, succession_of_sealed};
pub use index::{Anchor, Index, ListedEntity, Status};
pub use lint::{LintReport, lint, lint_bytes, lint_draft};
pub use list::List;
pub use model::UncheckedList;
pub use profile::{BASE, Profile, STATUS_NOTIFIED, STATUS_WITHDRAWN, ServiceKind};
pub use rules::RULES;
pub use seal::{MAX_BYTES, Mode, SealError, Signers, VerifiedList, Verifier, seal};
pub use values::write_date_time;
