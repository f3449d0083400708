//! KeyDescription: what the keystore says of a key ("Android key and ID
//! attestation, Schema").

use serde::Serialize;

use super::authorization::AuthorizationList;
use crate::asn1::{Asn1Error, Reader};

/// The largest KeyDescription that is read. Real ones are a few hundred bytes;
/// the application id alone may be 1 KiB.
const MAX_BYTES: usize = 16 * 1024;

/// The largest challenge (Android allows 128 bytes).
const MAX_CHALLENGE: usize = 128;

/// The attestation of one key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KeyDescription {
    /// The version of the attestation: 1 to 4 for Keymaster, 100 to 400 for
    /// KeyMint.
    pub attestation_version: u64,
    /// Where the attestation was made.
    pub attestation_security_level: SecurityLevel,
    /// The version of Keymaster (2 to 41) or KeyMint (100 to 400).
    pub keymint_version: u64,
    /// Where the key is.
    pub keymint_security_level: SecurityLevel,
    /// The challenge given when the key was made.
    #[serde(with = "super::bytes")]
    pub challenge: Vec<u8>,
    /// An id of the device for the app; mostly empty.
    #[serde(with = "super::bytes")]
    pub unique_id: Vec<u8>,
    /// What Android itself holds to.
    pub software_enforced: AuthorizationList,
    /// What the secure hardware holds to.
    pub hardware_enforced: AuthorizationList,
}

/// Where something is done, the weakest first.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, serde::Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum SecurityLevel {
    /// In Android itself.
    Software,
    /// In a trusted execution environment.
    TrustedEnvironment,
    /// In a secure element.
    StrongBox,
}

impl std::fmt::Display for SecurityLevel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            SecurityLevel::Software => "software",
            SecurityLevel::TrustedEnvironment => "trusted environment",
            SecurityLevel::StrongBox => "StrongBox",
        })
    }
}

impl KeyDescription {
    pub(crate) fn from_der(der: &[u8]) -> Result<Self, Asn1Error> {
        if der.len() > MAX_BYTES {
            return Err(Asn1Error::Length("KeyDescription".into()));
        }
        let mut outer = Reader::new(der);
        let mut fields = outer.sequence("KeyDescription")?;
        outer.finish("KeyDescription")?;
        let description = Self {
            attestation_version: fields.integer("attestationVersion")?,
            attestation_security_level: level(&mut fields, "attestationSecurityLevel")?,
            keymint_version: fields.integer("keyMintVersion")?,
            keymint_security_level: level(&mut fields, "keyMintSecurityLevel")?,
            challenge: fields.octets("attestationChallenge")?.to_vec(),
            unique_id: fields.octets("uniqueId")?.to_vec(),
            software_enforced: AuthorizationList::read(&mut fields, "softwareEnforced")?,
            hardware_enforced: AuthorizationList::read(&mut fields, "hardwareEnforced")?,
        };
        fields.finish("KeyDescription")?;
        if description.challenge.len() > MAX_CHALLENGE {
            return Err(Asn1Error::Length("attestationChallenge".into()));
        }
        Ok(description)
    }
}

fn level(fields: &mut Reader<'_>, what: &str) -> Result<SecurityLevel, Asn1Error> {
    match fields.enumerated(what)? {
        0 => Ok(SecurityLevel::Software),
        1 => Ok(SecurityLevel::TrustedEnvironment),
        2 => Ok(SecurityLevel::StrongBox),
        other => Err(Asn1Error::Value(what.into(), other)),
    }
}
