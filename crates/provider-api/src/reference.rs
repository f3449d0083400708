//! The interface of the EU reference wallet provider, which its wallet apps call: the
//! shapes and error codes of `eudi-srv-wallet-provider` 0.2, and the two names that
//! earlier apps still use. What is not known is passed over, as there.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// A challenge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReferenceChallenge {
    /// 256 random bits, base64url. Evidence carries the bits.
    pub challenge: String,
}

/// What an Android app shows: the attestation chain of one key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AndroidKeyAttestation {
    /// DER, base64url, the leaf first.
    pub x5c: Vec<String>,
}

/// What an iOS app shows: an App Attest attestation that binds one key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct IosKeyAttestation {
    /// The attestation object, base64url.
    pub attestation: String,
    /// What its hash is over, base64url: JSON with `purpose`, `publicKey` (the point,
    /// base64url) and `challenge`.
    #[serde(rename = "clientDataJSON")]
    pub client_data_json: String,
}

/// Asks for a WIA over the key that `E` attests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReferenceWiaRequest<E> {
    /// What vouches for the key.
    pub platform_key_attestation: E,
    /// The challenge that it carries.
    pub challenge: String,
    /// The rest.
    #[serde(flatten)]
    pub options: ReferenceWiaOptions,
}

/// Asks for a WIA over a key that nothing vouches for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReferenceWiaJwkRequest {
    /// The key.
    #[schema(value_type = Object)]
    pub jwk: Value,
    /// The rest.
    #[serde(flatten)]
    pub options: ReferenceWiaOptions,
}

/// What a request for a WIA may say besides. `walletMetadata` is taken and put nowhere:
/// TS3 has no such claim.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ReferenceWiaOptions {
    /// The algorithms, of which the WIA's must be one.
    pub supported_signing_algorithms: Option<Vec<String>>,
    /// The issuer's preference, in seconds.
    pub preferred_client_status_period: Option<u64>,
}

/// Asks for a KA over the keys that `E` attests, each.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReferenceKaRequest<E> {
    /// What vouches for the keys.
    pub platform_key_attestations: Vec<E>,
    /// The challenge that each carries.
    pub challenge: String,
    /// The rest.
    #[serde(flatten)]
    pub options: ReferenceKaOptions,
}

/// Asks for a KA over keys that nothing vouches for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReferenceKaJwkSetRequest {
    /// The keys.
    pub jwk_set: JwkSet,
    /// The rest.
    #[serde(flatten)]
    pub options: ReferenceKaOptions,
}

/// A JWK Set (RFC 7517).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct JwkSet {
    /// The keys.
    #[schema(value_type = Vec<Object>)]
    pub keys: Vec<Value>,
}

/// What a request for a KA may say besides.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ReferenceKaOptions {
    /// The issuer's `c_nonce`.
    pub nonce: Option<String>,
    /// The algorithms, of which the KA's must be one.
    pub supported_signing_algorithms: Option<Vec<String>>,
    /// The issuer's preference, in seconds.
    pub preferred_key_storage_status_period: Option<u64>,
}

/// A WIA.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReferenceWia {
    /// The attestation.
    pub wallet_instance_attestation: String,
}

/// A KA.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReferenceKa {
    /// The attestation.
    pub key_attestation: String,
}

/// A KA under the name it had before TS3 v1.5.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReferenceWua {
    /// The attestation.
    pub wallet_unit_attestation: String,
}

/// Why there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReferenceError {
    /// None of the algorithms that were named is used.
    UnsupportedSigningAlgorithms,
    /// The challenge is not one that waits for an answer.
    InvalidChallenge,
    /// The evidence is not accepted.
    InvalidPlatformKeyAttestation,
    /// The key is none that can be attested.
    UnsupportedPlatformAttestedKey,
    /// The key is on a curve that is not used.
    UnsupportedPlatformAttestedKeyCurve,
    /// A key stands twice, or is in a KA already.
    NonUniquePlatformAttestedKeys,
}

/// The answer of status 400 to a request for a WIA.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReferenceWiaError {
    /// Why.
    pub error: ReferenceError,
}

/// The answer of status 400 to a request for a KA.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReferenceKaError {
    /// Why: each reason once.
    pub errors: Vec<ReferenceError>,
}
