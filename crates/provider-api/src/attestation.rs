use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How many attestations one request may ask for, whatever the provider offers.
pub const MAX_PROOFS: usize = 64;

/// Asks for WIAs, one for each proof.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WiaRequest {
    /// One proof for each WIA: a [`crate::KeyProof`] by a fresh key, which becomes
    /// the WIA's `cnf` key.
    pub proofs: Vec<String>,
    /// The issuer's `preferred_client_status_period`, in seconds (TS3 2.4).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preferred_client_status_period: Option<u64>,
    /// For per-issuer reuse: an HMAC of the issuer under the instance's own
    /// secret. Not offered yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer_scope: Option<String>,
}

/// Asks for KAs over keys that the WSCA states.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct KaRequest {
    /// The WSCA's statement over the keys, for this provider, on a nonce that the
    /// provider gave this unit.
    pub statement: String,
    /// How many KAs to make: the stated keys are dealt out to them evenly, in
    /// their order. 1 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u32>,
    /// The issuer's `c_nonce`, for a KA that is itself the proof (`attestation`
    /// proof type). Only with one KA.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub c_nonce: Option<String>,
    /// The issuer's `preferred_key_storage_status_period`, in seconds (TS3 2.4).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preferred_key_storage_status_period: Option<u64>,
}

/// Attestations, and how to keep a stock of them (ARF `ISSU_38`, method A: each
/// is used once, and the stock is filled again).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Attestations {
    /// The attestations, each a compact JWS, in the order of the request.
    pub attestations: Vec<String>,
    /// How many the instance should ask for at a time.
    pub batch_size: u32,
    /// At how many unused ones the instance should ask again.
    pub lower_limit: u32,
}

/// Asks for a statement that keys belong together (ARF `ACP_05`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AssociationRequest {
    /// The WSCA's statement for an association of the keys, for this provider, on a
    /// nonce that the provider gave this unit.
    pub statement: String,
    /// The attestation provider that the association is for.
    pub audience: String,
    /// The nonce that it gave.
    pub nonce: String,
}

/// A statement that keys belong together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AssociationAnswer {
    /// The association, a compact JWS.
    pub association: String,
}
