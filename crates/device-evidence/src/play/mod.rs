//! Play Integrity: what Google says of an app and the device it runs on, in a
//! token that the app's own keys open ("Decrypt and verify locally").
//!
//! It says nothing of a key, and so earns no level; a policy may ask for it
//! beside a key attestation, or not at all.

mod judge;
mod policy;
mod token;
mod verdict;

pub use policy::{DecryptionKey, PlayPolicy, VerificationKey};
pub use verdict::{AppIntegrity, DeviceIntegrity, RequestDetails, Said};

use jiff::Timestamp;

use crate::assessment::{Assessment, Platform};

/// What a token is held against.
#[derive(Debug, Clone, Copy)]
pub struct Check<'a> {
    /// What is required, and the app's keys.
    pub policy: &'a PlayPolicy,
    /// What the app was to ask with. A token without it to compare is undecided.
    pub bound: Option<Bound<'a>>,
    /// The time the answer holds for.
    pub at: Timestamp,
}

/// What ties a token to one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound<'a> {
    /// The nonce of a classic request, decoded.
    Nonce(&'a [u8]),
    /// The request hash of a standard request, as the app gave it.
    RequestHash(&'a str),
}

/// Judges a token as it arrives: a JWE in its compact form.
pub fn assess(token: &str, check: &Check<'_>) -> Assessment<Said> {
    let mut assessment = Assessment::new(Platform::Play, check.at);
    let mut findings = Vec::new();
    match token::open(token, check.policy).and_then(|payload| verdict::read(&payload)) {
        Ok(said) => {
            judge::judge(&said, check, &mut findings);
            assessment.says = Some(said);
        }
        Err(finding) => findings.push(*finding),
    }
    assessment.findings = findings;
    assessment.decided()
}
