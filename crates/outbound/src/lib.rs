//! Fetching from addresses that others name.
//!
//! Where a list, a CRL, an OCSP responder or a status list lies is said by a
//! certificate, a token or a redirect that nobody may have vouched for. One
//! [`Client`] serves them all, and holds every hop to the same rules:
//!
//! - https, unless the [`Request`] or the [`Limits`] allow http;
//! - no address inside this machine or network, also where a host *name* leads to
//!   one: the addresses that were judged are the very ones connected to, so a name
//!   that resolves differently a moment later gains nothing;
//! - no names and passwords in the URL, few redirects, each judged anew;
//! - a time limit on the whole, and a size limit on the body while it arrives.
//!
//! An answer comes back with what is needed to ask again cheaply ([`Validators`])
//! and to know when ([`Freshness`]). A failure says which of the [`RULES`] it
//! falls under ([`FetchError::rule`]).

mod address;
mod client;
mod error;
mod freshness;
mod names;
mod request;
pub mod rules;

pub use address::{Reach, reach};
pub use client::{Client, Limits};
pub use error::FetchError;
pub use freshness::Freshness;
pub use names::{Names, Resolved, SystemNames};
pub use request::{Fetched, Request, Response, Schemes, Validators};
pub use rules::RULES;
