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
    /// For per-issuer reuse (TS3 2.5.1): 32 bytes, base64url, an HMAC of the issuer
    /// under the instance's own secret. All WIAs of one scope share one status entry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer_scope: Option<String>,
}

/// Which proof a KA stands in (OpenID4VCI 1.0, Appendix F).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ProofType {
    /// In the header of a `jwt` proof, which carries the nonce.
    Jwt,
    /// The KA is itself the proof, and carries the nonce.
    Attestation,
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
    /// The proof that the KAs are for. Absent: `attestation` with a `c_nonce`, `jwt`
    /// without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof_type: Option<ProofType>,
    /// The issuer's `c_nonce`: for a KA that is itself the proof, and under the
    /// profile of OpenID4VCI for one that stands in a `jwt` proof. Only with one KA.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub c_nonce: Option<String>,
    /// The issuer's `preferred_key_storage_status_period`, in seconds (TS3 2.4).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preferred_key_storage_status_period: Option<u64>,
    /// For per-issuer reuse (TS3 2.5.2), as in [`WiaRequest`]. Not offered where all
    /// units of one type share an entry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer_scope: Option<String>,
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
