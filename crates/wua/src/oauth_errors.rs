//! The error codes that the protocols have for what is refused here.

use finding::Refusal;

use crate::rules;

/// The OAuth error for a refused WIA or proof of possession (draft 10, 7.4).
/// `use_attestation_challenge` asks for an `OAuth-Client-Attestation-Challenge`
/// header beside it.
pub fn client_attestation_error(refusal: &Refusal) -> &'static str {
    if refusal.names(&rules::POP_CHALLENGE) {
        "use_attestation_challenge"
    } else if refusal.names(&rules::WIA_EXPIRED)
        || refusal.names(&rules::WIA_STATUS_PERIOD)
        || refusal.names(&rules::POP_WINDOW)
    {
        "use_fresh_attestation"
    } else {
        "invalid_client_attestation"
    }
}

/// The credential error for a refused key proof (OpenID4VCI 1.0, 8.3.1.2).
pub fn credential_error(refusal: &Refusal) -> &'static str {
    let nonce = [
        &rules::PROOF_NONCE,
        &rules::PROOF_KA_NONCE,
        &rules::KA_NONCE,
    ];
    if nonce.into_iter().any(|rule| refusal.names(rule)) {
        "invalid_nonce"
    } else {
        "invalid_proof"
    }
}
