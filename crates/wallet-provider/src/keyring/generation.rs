use std::sync::Arc;

use jiff::Timestamp;
use jose::Signer;
use pki::{Certificate, CertificateError, Profile};
use provider_api::Problem;
use serde::{Deserialize, Serialize};
use wua::Rounding;

use crate::Error;

/// A signing key and its certificates.
#[derive(Debug, Clone)]
pub struct Seal {
    /// The key.
    pub signer: Arc<dyn Signer>,
    /// The certificates, in DER, the key's own first.
    pub chain: Vec<Vec<u8>>,
}

/// What a seal is put on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Seals {
    /// Wallet Instance Attestations.
    Wia,
    /// Key attestations, and associations.
    Ka,
    /// Status lists.
    Status,
}

impl Seals {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Wia, Self::Ka, Self::Status];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Wia => "wia",
            Self::Ka => "ka",
            Self::Status => "status",
        }
    }
}

/// What a key is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyPurpose {
    /// WIA and KA, both under one certificate.
    Attestations,
    /// WIA.
    Wia,
    /// KA.
    Ka,
    /// Status lists.
    Status,
    /// The answers that the app pins the key of. It has no certificate.
    Answers,
}

impl KeyPurpose {
    /// Every purpose.
    pub const ALL: [Self; 5] = [
        Self::Attestations,
        Self::Wia,
        Self::Ka,
        Self::Status,
        Self::Answers,
    ];

    /// Its name on the command line and in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Attestations => "attestations",
            Self::Wia => "wia",
            Self::Ka => "ka",
            Self::Status => "status",
            Self::Answers => "answers",
        }
    }

    /// The purpose of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|purpose| purpose.name() == name)
    }

    /// What its certificate is held against.
    pub fn profile(self) -> Option<Profile> {
        match self {
            Self::Attestations | Self::Wia | Self::Ka => Some(Profile::Wallet),
            Self::Status => Some(Profile::StatusList),
            Self::Answers => None,
        }
    }

    /// Whether its keys may seal this.
    pub fn seals(self, what: Seals) -> bool {
        match what {
            Seals::Wia => matches!(self, Self::Attestations | Self::Wia),
            Seals::Ka => matches!(self, Self::Attestations | Self::Ka),
            Seals::Status => self == Self::Status,
        }
    }
}

impl std::fmt::Display for KeyPurpose {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}

/// One key of its purpose, with its certificates and its time.
#[derive(Debug)]
pub struct Generation {
    purpose: KeyPurpose,
    number: u32,
    seal: Seal,
    certificate: Certificate,
    starts: Timestamp,
    retired: Option<Timestamp>,
}

/// Why a key and a chain are no generation.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotAGeneration {
    /// There is no certificate.
    #[error("a certificate is needed")]
    NoCertificate,
    /// The first certificate cannot be read.
    #[error("the certificate cannot be read: {0}")]
    Certificate(#[from] CertificateError),
    /// The first certificate is of another key.
    #[error("the certificate is not of the key that signs")]
    AnotherKey,
}

impl Generation {
    /// A generation that signs from its certificate's first moment on.
    pub fn new(purpose: KeyPurpose, number: u32, seal: Seal) -> Result<Self, NotAGeneration> {
        let own = seal.chain.first().ok_or(NotAGeneration::NoCertificate)?;
        let certificate = Certificate::from_der(own)?;
        if certificate.public_key().as_ref() != Ok(seal.signer.public_key()) {
            return Err(NotAGeneration::AnotherKey);
        }
        let starts = certificate.not_before();
        Ok(Self {
            purpose,
            number,
            seal,
            certificate,
            starts,
            retired: None,
        })
    }

    /// Has it sign from `starts` on, and not earlier.
    #[must_use]
    pub fn starting(mut self, starts: Timestamp) -> Self {
        self.starts = starts;
        self
    }

    /// Has it sign no more from `retired` on, whatever comes after it.
    #[must_use]
    pub fn retired(mut self, retired: Option<Timestamp>) -> Self {
        self.retired = retired;
        self
    }

    /// What it is for.
    pub fn purpose(&self) -> KeyPurpose {
        self.purpose
    }

    /// Its number among those of its purpose; the one that the configuration names
    /// is 0.
    pub fn number(&self) -> u32 {
        self.number
    }

    /// Key and certificates.
    pub fn seal(&self) -> &Seal {
        &self.seal
    }

    /// The key's own certificate.
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// When it takes over.
    pub fn starts(&self) -> Timestamp {
        self.starts
    }

    /// From when on it can sign: its start, within its certificate.
    pub fn begins(&self) -> Timestamp {
        self.starts.max(self.certificate.not_before())
    }

    /// When it can sign no more: the end of its certificate, or its retirement.
    pub fn ends(&self) -> Timestamp {
        let end = self.certificate.not_after();
        self.retired.map_or(end, |retired| end.min(retired))
    }

    /// Whether it can sign, as long as no later one does.
    pub fn may_sign(&self, now: Timestamp) -> bool {
        self.begins() <= now && now < self.ends()
    }

    /// The end of what it seals at `now` and is to last until `wanted`: nothing
    /// outlives the certificate that it is verified under. Refused where that leaves
    /// no time at all.
    pub(crate) fn expiry(
        &self,
        now: Timestamp,
        wanted: Timestamp,
        rounding: &Rounding,
    ) -> Result<Timestamp, Error> {
        let end = self.certificate.not_after();
        if wanted <= end {
            return Ok(wanted);
        }
        match rounding.down(end) {
            left if left > now => Ok(left),
            _ => {
                let what = format!("{self} ends at {end}, too soon for anything to be sealed");
                let subject = self.purpose.name();
                Err(Error::refused(Problem::NoCertificate, subject, what))
            }
        }
    }
}

impl std::fmt::Display for Generation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} generation {}", self.purpose, self.number)
    }
}
