//! A wallet instance's side: the core of the SDK.
//!
//! [`ProviderClient`] activates a unit and fetches its attestations,
//! [`sci_remote`] speaks the Secure Cryptographic Interface to a remote WSCA over
//! R2PS, and [`keystore`] is where the phone's two device-bound keys live.

mod clean_up;
pub mod keystore;
pub mod sci_remote;

mod http;
mod provider;

pub use http::{HttpError, ProblemDetails, ProblemFinding};
pub use provider::{Activation, ProviderClient, ProviderError};

pub use clean_up::clean_up;
