//! Attestations, and the check of the instance that WIAs stand on.

use std::sync::Arc;

use jose::{Curve, Signer};
use provider_api::{
    Attestations, Challenge, CheckAnswer, CheckRequest, KaRequest, KeyProof, KeystoreKaRequest,
    KeystoreKeys, NoncePurpose, NonceRequest, Problem, ProofType, WiaRequest, bound_challenge,
};
use sci::{KeyInfo, Sci, UnitId};

use crate::provider::fresh_id;
use crate::{Platform, ProviderClient, ProviderError, Vouching};

/// What an issuer makes a difference to in its WIAs.
#[derive(Debug, Clone, Default)]
pub struct WiaOptions {
    /// Its `preferred_client_status_period`, in seconds (TS3 v1.5.2, 2.4).
    pub preferred_client_status_period: Option<u64>,
    /// Its scope ([`crate::IssuerSecret::scope`]), where the provider offers reuse. The
    /// WIAs are for this issuer alone.
    pub issuer_scope: Option<String>,
}

/// What an issuer makes a difference to in KAs over keystore keys.
#[derive(Debug, Clone, Default)]
pub struct KaOptions {
    /// How many KAs the keys are dealt out to; one when absent.
    pub count: Option<u32>,
    /// The proof that they are for.
    pub proof_type: Option<ProofType>,
    /// Its `c_nonce`, where the KA carries it.
    pub c_nonce: Option<String>,
    /// Its `preferred_key_storage_status_period`, in seconds.
    pub preferred_key_storage_status_period: Option<u64>,
    /// Its scope, as for WIAs.
    pub issuer_scope: Option<String>,
}

/// KAs over keys of the platform's keystore.
#[derive(Debug)]
pub struct KeystoreKas {
    /// The KAs.
    pub attestations: Attestations,
    /// Their keys, in the order of the KAs.
    pub keys: Vec<Arc<dyn Signer>>,
}

impl ProviderClient {
    /// A nonce for a statement of keys by the WSCA.
    pub async fn statement_nonce(
        &self,
        unit: UnitId,
        device: &dyn Signer,
    ) -> Result<Challenge, ProviderError> {
        self.nonce(unit, device, NoncePurpose::Statement).await
    }

    /// WIAs, one for each of `keys`, which become their `cnf` keys. Each key is fresh:
    /// the provider refuses one that was in a WIA before.
    pub async fn wias(
        &self,
        unit: UnitId,
        device: &dyn Signer,
        keys: &[&dyn Signer],
        options: &WiaOptions,
    ) -> Result<Attestations, ProviderError> {
        let jti = fresh_id()?;
        let request = WiaRequest {
            proofs: self.proofs(unit, keys, &jti).await?,
            preferred_client_status_period: options.preferred_client_status_period,
            issuer_scope: options.issuer_scope.clone(),
        };
        self.signed_as(unit, device, "unit/wia", &request, jti)
            .await
    }

    /// As [`ProviderClient::wias`]; where the provider wants the instance checked first,
    /// that is done.
    pub async fn checked_wias(
        &self,
        unit: UnitId,
        device: &dyn Signer,
        platform: &dyn Platform,
        keys: &[&dyn Signer],
        options: &WiaOptions,
    ) -> Result<Attestations, ProviderError> {
        match self.wias(unit, device, keys, options).await {
            Err(error) if error.code() == Some(Problem::CheckDue.code()) => {
                self.check(unit, device, platform).await?;
                self.wias(unit, device, keys, options).await
            }
            done => done,
        }
    }

    /// Has the instance checked again, by fresh evidence of its device.
    pub async fn check(
        &self,
        unit: UnitId,
        device: &dyn Signer,
        platform: &dyn Platform,
    ) -> Result<CheckAnswer, ProviderError> {
        let (nonce, bound) = self.bound(unit, device, NoncePurpose::Check).await?;
        let evidence = platform.check(&nonce, &bound).await?;
        let request = CheckRequest { evidence };
        self.signed(unit, device, "unit/check", |_| request).await
    }

    /// KAs over the keys of a statement of the WSCA.
    pub async fn kas(
        &self,
        unit: UnitId,
        device: &dyn Signer,
        request: &KaRequest,
    ) -> Result<Attestations, ProviderError> {
        let request = request.clone();
        self.signed(unit, device, "unit/ka", |_| request).await
    }

    /// KAs over fresh keys of the WSCD, which are dealt out to `count` of them, or stand
    /// in one. The session for issuance is the caller's.
    pub(crate) async fn wscd_kas<E>(
        &self,
        unit: UnitId,
        device: &dyn Signer,
        sci: &dyn Sci,
        keys: usize,
        count: Option<u32>,
    ) -> Result<(Attestations, Vec<KeyInfo>), E>
    where
        E: From<ProviderError> + From<sci::Error>,
    {
        let keys = sci.generate_keys(keys, Curve::P256).await?;
        let nonce = self.statement_nonce(unit, device).await?;
        let ids: Vec<_> = keys.iter().map(|key| key.id).collect();
        let audience = &self.view().issuer;
        let statement = sci.state_keys(&ids, &nonce.challenge, audience).await?;
        let request = KaRequest {
            statement,
            count,
            ..KaRequest::default()
        };
        Ok((self.kas(unit, device, &request).await?, keys))
    }

    /// KAs over `count` fresh keys of the platform's keystore; `None` where that attests
    /// none.
    pub async fn keystore_kas(
        &self,
        unit: UnitId,
        device: &dyn Signer,
        platform: &dyn Platform,
        count: usize,
        options: &KaOptions,
    ) -> Result<Option<KeystoreKas>, ProviderError> {
        let (challenge, bound) = self.bound(unit, device, NoncePurpose::Keystore).await?;
        let Some(fresh) = platform.fresh_keys(count, &bound).await? else {
            return Ok(None);
        };
        let jti = fresh_id()?;
        let keys = match fresh.vouching {
            Vouching::Nothing => {
                let keys: Vec<&dyn Signer> = fresh.keys.iter().map(AsRef::as_ref).collect();
                let proofs = self.proofs(unit, &keys, &jti).await?;
                KeystoreKeys::None { proofs }
            }
            Vouching::Chains(chains) => KeystoreKeys::Android { challenge, chains },
            Vouching::Assertion(assertion) => KeystoreKeys::Apple {
                challenge,
                keys: fresh
                    .keys
                    .iter()
                    .map(|key| key.public_key().clone())
                    .collect(),
                assertion,
            },
        };
        let request = KeystoreKaRequest {
            keys,
            count: options.count,
            proof_type: options.proof_type,
            c_nonce: options.c_nonce.clone(),
            preferred_key_storage_status_period: options.preferred_key_storage_status_period,
            issuer_scope: options.issuer_scope.clone(),
        };
        let attestations = self
            .signed_as(unit, device, "unit/keystore-ka", &request, jti)
            .await?;
        Ok(Some(KeystoreKas {
            attestations,
            keys: fresh.keys,
        }))
    }

    /// A nonce for a purpose, and what evidence for it carries.
    async fn bound(
        &self,
        unit: UnitId,
        device: &dyn Signer,
        purpose: NoncePurpose,
    ) -> Result<(String, String), ProviderError> {
        let nonce = self.nonce(unit, device, purpose).await?.challenge;
        let bound = bound_challenge(purpose, &nonce, device.public_key());
        Ok((nonce, bound))
    }

    async fn nonce(
        &self,
        unit: UnitId,
        device: &dyn Signer,
        purpose: NoncePurpose,
    ) -> Result<Challenge, ProviderError> {
        self.signed(unit, device, "unit/nonce", |_| NonceRequest { purpose })
            .await
    }

    async fn proofs(
        &self,
        unit: UnitId,
        keys: &[&dyn Signer],
        jti: &str,
    ) -> Result<Vec<String>, ProviderError> {
        let mut proofs = Vec::with_capacity(keys.len());
        for key in keys {
            let proof = KeyProof {
                iss: unit,
                aud: self.view().issuer.clone(),
                request: jti.to_owned(),
                iat: self.clock().now_seconds(),
            };
            proofs.push(proof.sign(*key).await?);
        }
        Ok(proofs)
    }
}
