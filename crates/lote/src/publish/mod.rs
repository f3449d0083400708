//! A list as it is published: the page that a person can read (TLPub_05), and
//! the index of its earlier instances.
//!
//! Every page is one self-contained file: no script, nothing loaded from
//! elsewhere, and a content security policy that allows neither. What a list
//! says is text from outside, and is escaped by the one writer of mark-up.

mod archive;
mod entity;
mod html;
mod page;
mod parts;
mod service;

pub use archive::{Instance, archive};
pub use page::{Links, page};
pub use parts::title;
