use jiff::Timestamp;
use jose::{PublicKey, b64};
use pki::Certificate;
use serde::{Deserialize, Serialize};
use wallet_provider::KeyPurpose;

use crate::exit::{Doing, Failure};

/// What is known of one generation of a key. Nothing in it is secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct KeyFile {
    /// What the key is for.
    pub(crate) purpose: KeyPurpose,
    /// Its number among those of its purpose, from 1.
    pub(crate) generation: u32,
    /// Its name in the device.
    pub(crate) key: String,
    /// Its public key, as the device gave it.
    pub(crate) public_key: PublicKey,
    /// When it was made.
    pub(crate) made: Timestamp,
    /// Its certificates, DER in base64, its own first; none before it is installed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) chain: Vec<String>,
    /// When it takes over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) starts: Option<Timestamp>,
    /// That it signs no more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) retired: Option<Retired>,
    /// Of an answer key: the handover by the one before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) handover: Option<String>,
}

/// That a key signs no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Retired {
    /// Since when.
    pub(crate) at: Timestamp,
    /// Whether somebody else may have it: then what it signed is worth nothing, and
    /// it is published no more.
    #[serde(default)]
    pub(crate) compromised: bool,
}

impl KeyFile {
    /// The name of its file.
    pub(crate) fn name(&self) -> String {
        format!("{}-{}.json", self.purpose, self.generation)
    }

    /// Its certificates in DER.
    pub(crate) fn ders(&self) -> Result<Vec<Vec<u8>>, Failure> {
        self.chain
            .iter()
            .map(|text| b64::decode_std(text).doing(self.name()))
            .collect()
    }

    /// Its certificates.
    pub(crate) fn certificates(&self) -> Result<Vec<Certificate>, Failure> {
        pki::chain::from_ders(self.ders()?).doing(self.name())
    }

    /// Takes these certificates for its own.
    pub(crate) fn install(&mut self, chain: &[Certificate], starts: Timestamp) {
        self.chain = chain.iter().map(|c| b64::encode_std(c.der())).collect();
        self.starts = Some(starts);
    }

    /// Whether it can sign, sooner or later, as far as its file says.
    pub(crate) fn is_installed(&self) -> bool {
        !self.chain.is_empty() && self.starts.is_some()
    }

    pub(crate) fn is_compromised(&self) -> bool {
        self.retired.is_some_and(|retired| retired.compromised)
    }
}

impl std::fmt::Display for KeyFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} generation {}", self.purpose, self.generation)
    }
}
