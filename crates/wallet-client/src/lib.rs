//! A wallet instance's side: the core of the SDK.
//!
//! [`ProviderClient`] activates a unit, has it checked, and fetches its attestations,
//! [`Platform`] is what the phone's system vouches for,
//! [`sci_remote`] speaks the Secure Cryptographic Interface to a remote WSCA over
//! R2PS, and [`keystore`] is where the phone's two device-bound keys live.

mod clean_up;
pub mod keystore;
pub mod sci_remote;

mod attestations;
mod http;
mod issuer_scope;
mod platform;
mod provider;
mod set_up;
mod stock;

pub use attestations::{KaOptions, KeystoreKas, WiaOptions};
pub use http::{HttpError, ProblemDetails, ProblemFinding};
pub use issuer_scope::IssuerSecret;
pub use platform::{FreshKeys, Platform, Unattested, Vouching};
pub use provider::{Activation, ProviderClient, ProviderError};
pub use set_up::{
    Certification, CertificationShown, FirstAttestations, FirstKa, FirstWia, OperationalUnit,
    SetUp, SetUpError,
};
pub use stock::{NotABatch, RefillError, Stock, Stocked};

pub use clean_up::clean_up;
