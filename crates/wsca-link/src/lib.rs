//! The wallet provider's way to a WSCA that runs in another process.
//!
//! The wallet provider knows [`wsca::WscaAdmin`] alone. In one process the WSCA
//! itself is behind it; across two, [`RemoteWsca`] is, which sends each call as an
//! [`Order`] over mutually authenticated TLS. The process of the WSCA, which is the
//! one to be certified, then holds the WSCA and nothing else, and carries orders out
//! with [`carry_out`]. None of them uses a user's key.
//!
//! Orders can be repeated: whoever did not hear an answer asks again. The wire is in
//! `docs/protocols/wsca-link.md`.

mod client;
mod order;

pub use client::{LinkError, LinkSettings, RemoteWsca};
pub use order::{Answer, Description, MAX_ORDER, Order, PATH, Refusal, RefusalCode, carry_out};
