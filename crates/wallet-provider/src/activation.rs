//! From a device to an operational unit.

use jiff::Timestamp;
use jose::{Curve, PublicKey};
use provider_api::{
    ActivationAnswer, ActivationClaims, ActivationRequest, Problem, UnitState,
    UnverifiedActivation, WscaView, account_code_hash, verify_agreement_proof,
};
use sci::UnitId;

use wsca::DeviceKeys;

use crate::device_facts::DeviceFacts;
use crate::watch::certificates_of;
use crate::{AgreedText, Caller, DeviceRecord, Error, NewUnit, WalletProvider, secrets};

impl WalletProvider {
    /// Begins an activation: both device keys prove themselves over a challenge,
    /// the evidence is looked at, the account found or made, and the unit, now
    /// installed, is made known to the WSCA. The answer is signed.
    ///
    /// A device whose answer was lost may begin again with a new challenge: it
    /// gets the same unit, as long as that is not yet operational. What its new
    /// evidence says then stands in place of what was kept.
    #[tracing::instrument(name = "provider.activate", skip_all)]
    pub async fn begin_activation(&self, request: &ActivationRequest) -> Result<String, Error> {
        let now = self.clock.now();
        let provider = &self.config.base_url;
        let activation = UnverifiedActivation::parse(request, provider, now)?;
        let consent = self.check_consent(&activation.claims)?;
        let challenge = secrets::challenge_hash(&activation.claims.challenge);
        let kept = self.begun_before(&activation, challenge, now).await?;
        let device = self.judge_evidence(&activation, kept.as_ref(), now)?;
        let UnverifiedActivation {
            signing_key,
            claims,
        } = activation;
        let curves = [signing_key.curve(), claims.agreement_key.curve()];
        if claims.agreement_key == signing_key || curves != [Curve::P256; 2] {
            return Err(Error::refused(
                Problem::DeviceProof,
                "device keys",
                "two keys on P-256 are expected, one to sign and one to agree",
            ));
        }
        let agreed = verify_agreement_proof(
            self.agreement_key.as_ref(),
            &claims.agreement_key,
            &claims.challenge,
            &signing_key,
            &claims.agreement_proof,
        )
        .await;
        match agreed {
            Ok(true) => {}
            Ok(false) => {
                return Err(Error::refused(
                    Problem::DeviceProof,
                    "agreement_proof",
                    "it is not this key's proof over the challenge and the signing key",
                ));
            }
            Err(error) => return Err(error.into()),
        }
        let code = secrets::account_code()?;
        let keys = DeviceKeys {
            sign: signing_key.clone(),
            agree: claims.agreement_key.clone(),
        };
        let activated = self
            .store
            .begin_activation(NewUnit {
                unit: UnitId::random(),
                challenge,
                alias: claims.alias,
                shown_code: claims.account_code.as_deref().map(account_code_hash),
                new_code: code.hash(),
                consent,
                signing_key,
                agreement_key: claims.agreement_key,
                evidence: device.to_kept(),
                certificates: certificates_of(&claims.evidence),
                device_model: device.facts.as_ref().and_then(|facts| facts.model.clone()),
                patch_level: device.facts.as_ref().and_then(DeviceFacts::patch_month),
                wallet_version: claims.wallet_version,
                checked_at: device.at,
                at: now,
            })
            .await?;
        self.wsca.enroll(activated.unit, keys).await?;
        tracing::info!(
            event = "unit.installed",
            evidence = device.kind,
            key_storage = device.key_storage,
            new_account = activated.new_code
        );
        self.answer(
            &claims.challenge,
            ActivationAnswer {
                unit: activated.unit,
                state: UnitState::Installed,
                account_code: activated.new_code.then(|| code.text().to_owned()),
                wsca: self.wsca_view(),
            },
        )
        .await
    }

    /// Completes an activation: the unit becomes operational once its user has a
    /// PIN at the WSCA. The answer, signed, is the unit's view.
    #[tracing::instrument(name = "provider.complete", skip_all)]
    pub async fn complete_activation(&self, caller: &Caller) -> Result<String, Error> {
        if caller.unit.state == UnitState::Revoked {
            caller.operational()?;
        }
        if !self.wsca.unit_state(caller.unit()).await?.has_factor {
            return Err(Error::refused(
                Problem::NoFactor,
                "unit",
                "the user has not registered a PIN at the WSCA",
            ));
        }
        self.store
            .complete_activation(caller.unit(), caller.spent(), self.clock.now())
            .await?;
        tracing::info!(event = "unit.operational");
        let view = self.unit_view(caller.unit()).await?;
        self.answer(caller.request.jti(), view).await
    }

    /// What was found of the device when the same activation was begun before. A
    /// challenge that does not wait is refused here, before anything is spent on it.
    async fn begun_before(
        &self,
        activation: &UnverifiedActivation,
        challenge: [u8; 32],
        now: Timestamp,
    ) -> Result<Option<DeviceRecord>, Error> {
        let claims = &activation.claims;
        let device = [&activation.signing_key, &claims.agreement_key].map(PublicKey::thumbprint);
        let kept = self
            .store
            .begun_activation(challenge, device, &claims.alias, now)
            .await?;
        Ok(kept.map(|kept| DeviceRecord::read(&kept, now)))
    }

    /// The text that the user agreed to, as it is kept.
    fn check_consent(&self, claims: &ActivationClaims) -> Result<Option<AgreedText>, Error> {
        let refuse = |what| Err(Error::refused(Problem::Consent, "consent", what));
        match (&self.config.consent, &claims.consent) {
            (Some(text), Some(agreed)) if text.sha256 == *agreed => Ok(Some(AgreedText {
                version: text.version.clone(),
                sha256: agreed.clone(),
            })),
            (_, Some(_)) => refuse("it was given to another text than the provider's"),
            (Some(_), None) if !self.config.accept_no_consent => refuse("it was not given"),
            (_, None) => Ok(None),
        }
    }

    fn wsca_view(&self) -> WscaView {
        let service = self.wsca.service();
        WscaView {
            context: service.context.clone(),
            agreement: service.agreement.clone(),
            signing: service.signing.clone(),
            information: self.wsca.information().clone(),
        }
    }
}
