//! The answer to: what does this device say, and what is it worth?

use finding::{CertificateRef, Finding, Severity, Trusted};
use jiff::Timestamp;
use jose::PublicKey;
use serde::{Serialize, Serializer};
use wua::AttackPotential;

use crate::rules;

/// Where evidence comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Platform {
    /// An Android key attestation.
    Android,
    /// An App Attest attestation: the first message of a key.
    AppleAttestation,
    /// An App Attest assertion: every later message of it.
    AppleAssertion,
    /// A Play Integrity token.
    Play,
}

impl std::fmt::Display for Platform {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Platform::Android => "Android key attestation",
            Platform::AppleAttestation => "App Attest attestation",
            Platform::AppleAssertion => "App Attest assertion",
            Platform::Play => "Play Integrity token",
        })
    }
}

/// Who the device lets use the key, as its hardware states it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum UserAuthentication {
    /// Nobody is asked.
    None,
    /// The device asks for a PIN, pattern or password.
    Password,
    /// The device asks for a biometric trait.
    Biometric,
    /// The device asks for either.
    PasswordOrBiometric,
}

/// What a piece of evidence says, what was found, and what it earns. `Said` is
/// what the platform's evidence states.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Assessment<Said> {
    /// Whether the policy accepts it. `Undecided` where something needed was not
    /// known (a challenge, a fresh revocation list, the app's name).
    pub accepted: Trusted,
    /// What kind of evidence it is.
    pub platform: Platform,
    /// The time the answer holds for.
    pub at: Timestamp,
    /// What the attested key's storage resists; `None` where nothing is earned.
    #[serde(serialize_with = "level")]
    pub key_storage: Option<AttackPotential>,
    /// What the authentication of the key's user resists.
    #[serde(serialize_with = "level")]
    pub user_authentication: Option<AttackPotential>,
    /// What the level rests on: a certification that the policy names, or the
    /// security level alone.
    pub basis: Option<String>,
    /// The attested key, where it is EC on one of our curves.
    #[serde(serialize_with = "key")]
    pub key: Option<PublicKey>,
    /// What the device says. `None` where it could not be read.
    pub says: Option<Said>,
    /// The certificates, the attested key's first.
    pub path: Vec<CertificateRef>,
    /// The name of the root key that the chain leads to.
    pub root: Option<String>,
    /// Everything found on the way.
    pub findings: Vec<Finding>,
}

impl<Said> Assessment<Said> {
    pub(crate) fn new(platform: Platform, at: Timestamp) -> Self {
        Self {
            accepted: Trusted::No,
            platform,
            at,
            key_storage: None,
            user_authentication: None,
            basis: None,
            key: None,
            says: None,
            path: Vec::new(),
            root: None,
            findings: Vec::new(),
        }
    }

    /// Decides from the findings. What was earned is kept by accepted evidence
    /// alone.
    pub(crate) fn decided(mut self) -> Self {
        let errors = || {
            self.findings
                .iter()
                .filter(|finding| finding.severity == Severity::Error)
        };
        self.accepted = if errors().next().is_none() {
            Trusted::Yes
        } else if errors().all(|finding| rules::NOT_KNOWN.iter().any(|rule| finding.is(rule))) {
            Trusted::Undecided
        } else {
            Trusted::No
        };
        if self.accepted != Trusted::Yes {
            self.key_storage = None;
            self.user_authentication = None;
            self.basis = None;
        }
        self
    }

    /// Whether one of the errors falls under `rule`.
    pub fn refused_for(&self, rule: &finding::Rule) -> bool {
        self.findings
            .iter()
            .any(|f| f.severity == Severity::Error && f.is(rule))
    }
}

/// A level as it stands in `key_storage`, or `none`.
fn level<S: Serializer>(level: &Option<AttackPotential>, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(level.map_or("none", AttackPotential::name))
}

fn key<S: Serializer>(key: &Option<PublicKey>, to: S) -> Result<S::Ok, S::Error> {
    key.as_ref().map(PublicKey::to_jwk).serialize(to)
}
