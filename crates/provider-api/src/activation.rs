use aws_lc_rs::{hkdf, hmac};
use finding::Refusal;
use jiff::Timestamp;
use jose::{KeyAgreement, PublicKey, SignError, Signer, b64};
use sci::{ActivationInfo, UnitId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{Problem, UnitState, check_alias, token};

/// The typ of an activation.
pub const ACTIVATION_TYP: &str = "wallet-activation+jwt";

/// Begins an activation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ActivationRequest {
    /// [`ActivationClaims`], signed by the device's signing key, which stands in
    /// its header as `jwk`.
    pub activation: String,
}

/// What a device signs to become a wallet unit.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ActivationClaims {
    /// The provider.
    pub aud: String,
    /// The provider's challenge.
    pub challenge: String,
    /// When it was made, in seconds since 1970.
    pub iat: i64,
    /// The user's account: an alias is enough (ARF `WIAM_06`).
    pub alias: String,
    /// The account's code, where the account exists already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account_code: Option<String>,
    /// The text that the user agreed to: [`crate::ConsentView::sha256`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consent: Option<String>,
    /// The device's agreement key.
    pub agreement_key: PublicKey,
    /// What [`agreement_proof`] gives for it.
    pub agreement_proof: String,
    /// What vouches for the device.
    pub evidence: Evidence,
    /// The version of the wallet solution.
    pub wallet_version: String,
}

/// What vouches for a device and for the app on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Evidence {
    /// Nothing. Only a development policy takes it.
    None {},
    /// Android key attestation: the chains of both keys, the leaf first. Both keys
    /// were made with the challenge's text as their attestation challenge.
    Android {
        /// The signing key's chain: each certificate in DER, base64url.
        signing: Vec<String>,
        /// The agreement key's chain, where the platform attests one.
        #[serde(default)]
        agreement: Vec<String>,
        /// A Play Integrity token whose nonce is the base64url of the challenge's text,
        /// where the provider asks for one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        play: Option<String>,
    },
    /// Apple App Attest.
    Apple {
        /// The attestation object, base64url.
        attestation: String,
        /// What its hash binds, base64url: the challenge's text, the signing key and
        /// the agreement key, as docs/device-evidence.md lays them out.
        client_data: String,
    },
}

impl Evidence {
    /// The kind on the wire and in the store.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::None {} => "none",
            Self::Android { .. } => "android",
            Self::Apple { .. } => "apple",
        }
    }
}

/// The answer to an activation that has begun. What is missing is the PIN, which
/// the instance registers at the WSCA under this unit's identifier; then it
/// completes the activation.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ActivationAnswer {
    /// The unit's identifier.
    #[schema(value_type = String, format = "uuid")]
    pub unit: UnitId,
    /// [`UnitState::Installed`].
    pub state: UnitState,
    /// The account's code, shown once, and only where the account is new. Whoever
    /// has it and the alias can revoke the account's units without the phone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account_code: Option<String>,
    /// Where the unit's keys will be.
    pub wsca: WscaView,
}

/// The WSCA, as a wallet instance must know and pin it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WscaView {
    /// The name of its security context.
    pub context: String,
    /// The static key that first requests are encrypted to.
    #[schema(value_type = Object)]
    pub agreement: PublicKey,
    /// The key that signs its answers.
    #[schema(value_type = Object)]
    pub signing: PublicKey,
    /// What it is, what it wants of a PIN, and its limits (ARF `WIAM_05`).
    #[schema(value_type = Object)]
    pub information: ActivationInfo,
}

impl ActivationClaims {
    /// Signs the activation with the device's signing key.
    pub async fn sign(&self, device: &dyn Signer) -> Result<ActivationRequest, SignError> {
        let activation = token::sign(ACTIVATION_TYP, self, true, device).await?;
        Ok(ActivationRequest { activation })
    }
}

/// An activation whose signing key has proved itself. The challenge, the
/// agreement proof and the evidence are still to be checked.
#[derive(Debug, Clone)]
pub struct UnverifiedActivation {
    /// The device's signing key.
    pub signing_key: PublicKey,
    /// What it signed.
    pub claims: ActivationClaims,
}

impl UnverifiedActivation {
    /// Reads an activation for `provider`, and checks what can be checked without
    /// a memory: the signature, the audience, the time, the alias.
    pub fn parse(
        request: &ActivationRequest,
        provider: &str,
        now: Timestamp,
    ) -> Result<Self, Refusal> {
        let subject = "activation";
        let malformed = |what: String| Problem::Malformed.refusal(subject, what);
        let parsed = token::parse(&request.activation, ACTIVATION_TYP, crate::MAX_BODY)
            .map_err(malformed)?;
        let jwk = parsed
            .header()
            .get("jwk")
            .ok_or_else(|| malformed("jwk is absent".into()))?;
        let signing_key = PublicKey::from_jwk(jwk).map_err(|error| malformed(error.to_string()))?;
        let verified = parsed
            .verify(&signing_key)
            .map_err(|error| Problem::DeviceProof.refusal(subject, error.to_string()))?;
        let mut claims: ActivationClaims = token::claims(&verified).map_err(malformed)?;
        if claims.aud != provider {
            return Err(Problem::WrongBinding.refusal(subject, "aud names another provider"));
        }
        token::check_time(claims.iat, now)
            .map_err(|what| Problem::NotOfNow.refusal(subject, what))?;
        claims.alias = check_alias(&claims.alias)?;
        check_version(&claims.wallet_version).map_err(malformed)?;
        Ok(Self {
            signing_key,
            claims,
        })
    }
}

/// Refuses a version that operators could not read, or tell apart.
fn check_version(version: &str) -> Result<(), String> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b".+-_".contains(&byte);
    if version.is_empty() || version.len() > 64 {
        return Err("wallet_version is empty or longer than 64 bytes".into());
    }
    if !version.bytes().all(fits) {
        return Err("wallet_version has other characters than letters, digits and .+-_".into());
    }
    Ok(())
}

/// Proves an agreement key, which cannot sign: a MAC, under a key that the two
/// sides agree on, over the challenge and the device's signing key. The device
/// calls it with its own key and the provider's public one, the provider the
/// other way round.
pub async fn agreement_proof(
    own: &dyn KeyAgreement,
    peer: &PublicKey,
    challenge: &str,
    signing_key: &PublicKey,
) -> Result<String, SignError> {
    let key = agreement_mac_key(own, peer).await?;
    let tag = hmac::sign(&key, &agreement_message(challenge, signing_key));
    Ok(b64::encode(tag.as_ref()))
}

/// Whether `proof` is the [`agreement_proof`] of `peer`, compared in constant time.
pub async fn verify_agreement_proof(
    own: &dyn KeyAgreement,
    peer: &PublicKey,
    challenge: &str,
    signing_key: &PublicKey,
    proof: &str,
) -> Result<bool, SignError> {
    let key = agreement_mac_key(own, peer).await?;
    let message = agreement_message(challenge, signing_key);
    Ok(b64::decode(proof).is_ok_and(|tag| hmac::verify(&key, &message, &tag).is_ok()))
}

async fn agreement_mac_key(
    own: &dyn KeyAgreement,
    peer: &PublicKey,
) -> Result<hmac::Key, SignError> {
    let shared = own.agree(peer).await?;
    let salt = hkdf::Salt::new(hkdf::HKDF_SHA256, b"claviger activation 1");
    let prk = salt.extract(&shared);
    let okm = prk
        .expand(&[b"agreement proof"], hmac::HMAC_SHA256)
        .map_err(|_| SignError::Refused("no MAC key could be derived".into()))?;
    Ok(hmac::Key::from(okm))
}

/// Both parts have a length that is told first, so that no two pairs give the
/// same message.
fn agreement_message(challenge: &str, signing_key: &PublicKey) -> Vec<u8> {
    let mut message = Vec::with_capacity(challenge.len() + 40);
    message.extend_from_slice(&(challenge.len() as u64).to_be_bytes());
    message.extend_from_slice(challenge.as_bytes());
    message.extend_from_slice(&signing_key.thumbprint());
    message
}

impl std::fmt::Debug for ActivationClaims {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ActivationClaims")
            .field("aud", &self.aud)
            .field("iat", &self.iat)
            .field("evidence", &self.evidence.kind())
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for ActivationAnswer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ActivationAnswer")
            .field("unit", &self.unit)
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}
