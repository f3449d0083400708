use jose::PublicKey;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::ProofType;

/// Asks for KAs over keys of the device's own keystore.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct KeystoreKaRequest {
    /// The keys, and what vouches for where they are.
    pub keys: KeystoreKeys,
    /// How many KAs to make: the keys are dealt out to them evenly, in their order.
    /// 1 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u32>,
    /// The proof that the KAs are for. Absent: `attestation` with a `c_nonce`, `jwt`
    /// without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof_type: Option<ProofType>,
    /// The issuer's `c_nonce`, as in [`crate::KaRequest`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub c_nonce: Option<String>,
    /// The issuer's `preferred_key_storage_status_period`, in seconds (TS3 2.4).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preferred_key_storage_status_period: Option<u64>,
    /// For per-issuer reuse, as in [`crate::WiaRequest`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer_scope: Option<String>,
}

/// Keys of a device's keystore. The kind is that of the unit's activation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
#[non_exhaustive]
pub enum KeystoreKeys {
    /// Keys that nothing vouches for. Only a development policy takes them; they earn
    /// no level.
    None {
        /// One [`crate::KeyProof`] for each key.
        proofs: Vec<String>,
    },
    /// Keys that the Android keystore attests.
    Android {
        /// The nonce that was given for keystore keys.
        challenge: String,
        /// One chain for each key, in their order: DER, base64url, the leaf first. Each
        /// key was made with the text of the bound challenge ([`crate::bound_challenge`])
        /// as its attestation challenge.
        chains: Vec<Vec<String>>,
    },
    /// Keys that the app binds: iOS attests none of an app's own choice.
    Apple {
        /// The nonce that was given for keystore keys.
        challenge: String,
        /// The keys.
        #[schema(value_type = Vec<Object>)]
        keys: Vec<PublicKey>,
        /// An assertion, base64url, of the App Attest key that was attested at the
        /// activation, over the client data of the bound challenge and these keys
        /// (docs/device-evidence.md).
        assertion: String,
    },
}
