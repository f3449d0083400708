//! What is done to the provider's memory beside its daily work: it is checked, and it
//! is brought up to what the world knows after it was restored from an older copy.

mod check;
mod published;
mod restore;
pub mod rules;

pub use check::{Checked, check};
pub use published::Published;
pub use restore::{Restored, RestoredList, after_restore};
