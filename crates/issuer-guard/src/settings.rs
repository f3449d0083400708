use jiff::SignedDuration;
use wua::{AttackPotential, ClientAttestationDraft, KeyProofProfile, Limits, MIN_MAINTENANCE};

/// How an issuer checks what it is shown.
#[derive(Debug, Clone)]
pub struct GuardSettings {
    /// The authorization server's issuer identifier: `aud` of a WIA's proof.
    pub authorization_server: String,
    /// The credential issuer's identifier: `aud` of a `jwt` proof.
    pub credential_issuer: String,
    /// Whether uncertified key storage is refused or only reported.
    pub trust_profile: TrustProfile,
    /// The level that key storage and user authentication both reach: high for a
    /// PID; an attestation provider may ask for less.
    pub required_level: AttackPotential,
    /// Which client attestation draft wallets follow.
    pub draft: ClientAttestationDraft,
    /// Which text `jwt` proofs follow.
    pub key_proof_profile: KeyProofProfile,
    /// How old a proof may be.
    pub proof_window: SignedDuration,
    /// How far a sender's clock may be off.
    pub skew: SignedDuration,
    /// How long a status is still maintained when shown, at least.
    pub min_maintenance: SignedDuration,
    /// How much of what is shown is read.
    pub limits: Limits,
}

/// What becomes of a KA that claims less than the required level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TrustProfile {
    /// It is refused. A software device earns no certified level, so its KA is
    /// always refused here.
    Production,
    /// It is accepted, and the verdict says what it lacks.
    Development,
}

impl GuardSettings {
    /// Production settings after TS3 v1.5.2 for an issuer that is its own
    /// authorization server.
    pub fn new(issuer: impl Into<String>) -> Self {
        let issuer = issuer.into();
        Self {
            authorization_server: issuer.clone(),
            credential_issuer: issuer,
            trust_profile: TrustProfile::Production,
            required_level: AttackPotential::High,
            draft: ClientAttestationDraft::default(),
            key_proof_profile: KeyProofProfile::default(),
            proof_window: SignedDuration::from_mins(5),
            skew: SignedDuration::from_secs(60),
            min_maintenance: MIN_MAINTENANCE,
            limits: Limits::default(),
        }
    }
}
