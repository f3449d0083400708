use jiff::Timestamp;
use jose::{PublicKey, b64, sha256};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Asks for a nonce. A nonce is answered by what it was asked for, and by nothing else.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NonceRequest {
    /// What is to answer it.
    #[serde(rename = "for", default)]
    pub purpose: NoncePurpose,
}

/// What a nonce is answered by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum NoncePurpose {
    /// A statement of the WSCA over the unit's keys.
    #[default]
    Statement,
    /// Fresh evidence of the device: [`CheckRequest`].
    Check,
    /// Evidence of keys in the device's keystore: [`crate::KeystoreKaRequest`].
    Keystore,
}

impl NoncePurpose {
    /// The name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::Statement => "statement",
            Self::Check => "check",
            Self::Keystore => "keystore",
        }
    }
}

/// Asks the provider to check the wallet instance again (TS3 v1.5.2, 2.2.1.1): a WIA
/// ends less than 24 hours after the last check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CheckRequest {
    /// What vouches for the device now.
    pub evidence: CheckEvidence,
}

/// What vouches for a device that is known already. Each kind binds the device's
/// signing key by [`bound_challenge`], and so does not fit any other device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
#[non_exhaustive]
pub enum CheckEvidence {
    /// Nothing but the signed request. Only a development policy takes it, of units
    /// that were activated so.
    None {},
    /// A fresh key of the Android keystore, or a Play Integrity token, or both, as the
    /// provider's policy has it.
    Android {
        /// The nonce that was given for a check.
        challenge: String,
        /// The fresh key's chain, each certificate in DER, base64url, the leaf first.
        /// Its attestation challenge is the text of the bound challenge.
        #[serde(default)]
        chain: Vec<String>,
        /// A Play Integrity token whose nonce is the base64url of the bound challenge's
        /// text.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        play: Option<String>,
    },
    /// An assertion of the App Attest key that was attested at the activation.
    Apple {
        /// The nonce that was given for a check.
        challenge: String,
        /// The assertion, base64url, over the client data of the bound challenge and
        /// no key (docs/device-evidence.md).
        assertion: String,
    },
}

/// The wallet instance was checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CheckAnswer {
    /// When. WIAs end less than 24 hours later.
    #[schema(value_type = String, format = "date-time")]
    pub checked_at: Timestamp,
    /// From when on no WIA is issued without another check.
    #[schema(value_type = String, format = "date-time")]
    pub due_at: Timestamp,
}

/// A nonce as a device's evidence carries it: bound to what it is for and to the
/// device's signing key, so that evidence of another device, or for another use, does
/// not answer it. The text is the base64url of
///
/// ```text
/// SHA-256("claviger bound challenge 1" 00 || purpose 00 ||
///         len(nonce) as 8 bytes, big endian || nonce || thumbprint(signing key))
/// ```
pub fn bound_challenge(purpose: NoncePurpose, nonce: &str, signing_key: &PublicKey) -> String {
    let mut message = b"claviger bound challenge 1\0".to_vec();
    message.extend_from_slice(purpose.name().as_bytes());
    message.push(0);
    message.extend_from_slice(&(nonce.len() as u64).to_be_bytes());
    message.extend_from_slice(nonce.as_bytes());
    message.extend_from_slice(&signing_key.thumbprint());
    b64::encode(sha256(&message))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn an_empty_request_is_for_a_statement() {
        let request: NonceRequest = serde_json::from_str("{}").unwrap();
        assert_eq!(request.purpose, NoncePurpose::Statement);
        let request: NonceRequest = serde_json::from_str(r#"{"for":"check"}"#).unwrap();
        assert_eq!(request.purpose, NoncePurpose::Check);
        assert!(serde_json::from_str::<NonceRequest>(r#"{"for":"tea"}"#).is_err());
        for purpose in [
            NoncePurpose::Statement,
            NoncePurpose::Check,
            NoncePurpose::Keystore,
        ] {
            assert_eq!(serde_json::to_value(purpose).unwrap(), purpose.name());
        }
    }
}
