//! The interface of the EU reference wallet provider (`provider_api::reference`), as a
//! profile of compatibility that is off unless it is switched on.
//!
//! Each call stands alone: there is no account, no unit, no WSCA, no PIN. So what it
//! issues belongs to nobody whom the provider knows. Its entries are kept without a unit,
//! with what evidence said of the device, and can be revoked one by one, by model, by
//! patch level, or all at once; not by a user (docs/decisions/0085).

use device_evidence::Assessment;
use device_evidence::apple::{self, AttestationCheck, Environment};
use finding::{Severity, Trusted};
use jiff::{SignedDuration, Timestamp};
use jose::{PublicKey, Signer, b64};
use provider_api::reference::{
    AndroidKeyAttestation, IosKeyAttestation, JwkSet, ReferenceChallenge, ReferenceError,
    ReferenceKaOptions, ReferenceWiaOptions,
};
use serde::Deserialize;
use serde_json::Value;

use crate::device_facts::DeviceFacts;
use crate::entries::{Order, Share};
use crate::ka::{FoundKey, address, common_level};
use crate::ports::reference_store::{LooseIssuance, LooseSelection};
use crate::{Error, NewEntry, Seals, StoreError, WalletProvider, counts, secrets};

/// The profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReferenceProfile {
    /// The version of the wallet solution, which no request tells.
    pub wallet_version: String,
}

/// Why a call brought nothing.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// By the reference's codes, each once; `what` is for the log.
    #[error("{errors:?}: {what}")]
    ByCode {
        /// The codes.
        errors: Vec<ReferenceError>,
        /// What was wrong.
        what: String,
    },
    /// The profile, or this part of it, is switched off.
    #[error("the profile, or this part of it, is switched off")]
    Off,
    /// The provider failed.
    #[error(transparent)]
    Failed(#[from] Error),
}

impl From<StoreError> for Refused {
    fn from(error: StoreError) -> Self {
        Self::Failed(error.into())
    }
}

/// What vouches for keys.
#[derive(Debug, Clone, Copy)]
pub enum Vouched<'a> {
    /// Android's keystore, and the challenge.
    Android(&'a [AndroidKeyAttestation], &'a str),
    /// App Attest, and the challenge.
    Ios(&'a [IosKeyAttestation], &'a str),
    /// Nothing: for development.
    Nothing(&'a JwkSet),
}

/// A key that a call attests.
struct Key {
    found: FoundKey,
    certification: Option<String>,
    facts: Option<DeviceFacts>,
}

type Answer<T> = Result<T, Refused>;

impl WalletProvider {
    /// A challenge, as the reference gives it.
    pub async fn reference_challenge(&self) -> Answer<ReferenceChallenge> {
        self.reference()?;
        self.admit_challenge().await?;
        let challenge = secrets::challenge()?;
        let now = self.clock.now();
        let expires_at = now
            .checked_add(self.config.challenge_lifetime)
            .unwrap_or(now);
        let hash = secrets::reference_hash(&challenge);
        self.store
            .add_challenge(hash, crate::Purpose::Activation, expires_at)
            .await?;
        Ok(ReferenceChallenge { challenge })
    }

    /// A WIA over one key.
    pub async fn reference_wia(
        &self,
        vouched: Vouched<'_>,
        options: &ReferenceWiaOptions,
    ) -> Answer<String> {
        let profile = self.reference()?;
        let now = self.clock.now();
        let generation = self.keys.seal(Seals::Wia, now)?;
        let asked = options.supported_signing_algorithms.as_deref();
        check_algorithm(asked, generation.seal().signer.as_ref())?;
        let (mut keys, challenge) = self.look_at(vouched, now)?;
        let (Some(key), true) = (keys.pop(), keys.is_empty()) else {
            return Err(refused(
                ReferenceError::InvalidPlatformKeyAttestation,
                "one key is expected",
            ));
        };
        let rounding = &self.config.rounding;
        let expires = rounding.wia_expiry(now, self.config.wia_lifetime);
        let expires = generation.expiry(now, expires, rounding)?;
        let preferred = self.most(options.preferred_client_status_period);
        let until = rounding.maintenance_end(now, expires, preferred);
        let order = Order::Wias {
            version: profile.wallet_version.clone(),
            keys: vec![key.found.key.clone()],
            issued: rounding.down(now),
            expires,
            generation,
        };
        let vouched_for = !matches!(vouched, Vouched::Nothing(_));
        let mut issuance = LooseIssuance::new(challenge, &key.facts, now);
        // In development an app comes again with the key that it has.
        if vouched_for {
            issuance.instance_keys = vec![key.found.key.thumbprint()];
        }
        self.issue_loose(issuance, &order, until).await
    }

    /// A KA over keys that are all vouched for alike.
    pub async fn reference_ka(
        &self,
        vouched: Vouched<'_>,
        options: &ReferenceKaOptions,
    ) -> Answer<String> {
        self.reference()?;
        let now = self.clock.now();
        let generation = self.keys.seal(Seals::Ka, now)?;
        let asked = options.supported_signing_algorithms.as_deref();
        check_algorithm(asked, generation.seal().signer.as_ref())?;
        let (keys, challenge) = self.look_at(vouched, now)?;
        let nonce = options.nonce.clone().filter(|nonce| nonce.len() <= 1024);
        if nonce != options.nonce {
            let what = "the nonce is too long";
            return Err(refused(ReferenceError::InvalidChallenge, what));
        }
        let rounding = &self.config.rounding;
        let expires = rounding.down(now.checked_add(self.config.ka_lifetime).unwrap_or(now));
        let expires = generation.expiry(now, expires, rounding)?;
        let preferred = self.most(options.preferred_key_storage_status_period);
        let until = rounding.maintenance_end(now, expires, preferred);
        let certification = keys
            .first()
            .and_then(|key| key.certification.clone())
            .filter(|first| {
                keys.iter()
                    .all(|key| key.certification.as_ref() == Some(first))
            })
            .unwrap_or_else(|| self.config.keystore_certification.clone());
        let facts = keys.first().and_then(|key| key.facts.clone());
        let found: Vec<FoundKey> = keys.into_iter().map(|key| key.found).collect();
        let order = Order::Kas {
            shares: vec![Share {
                keys: found.iter().map(|found| found.key.clone()).collect(),
                key_storage: common_level(&found, |key| key.key_storage),
                user_authentication: common_level(&found, |key| key.user_authentication),
                certification,
            }],
            nonce,
            issued: rounding.down(now),
            expires,
            generation,
        };
        let mut issuance = LooseIssuance::new(challenge, &facts, now);
        issuance.keys = found.iter().map(|found| found.key.thumbprint()).collect();
        self.issue_loose(issuance, &order, until).await
    }

    /// The keys that sign WIAs, KAs and status lists.
    pub fn reference_jwks(&self) -> Answer<Value> {
        self.reference()?;
        Ok(self.jwks())
    }

    /// The protected resource metadata (RFC 9728), for the address the profile is at.
    pub fn reference_metadata(&self, resource: &str) -> Answer<Value> {
        self.reference()?;
        let generation = self.keys.seal(Seals::Ka, self.clock.now())?;
        let algorithm = generation.seal().signer.public_key().algorithm().name();
        Ok(serde_json::json!({
            "resource": resource,
            "jwks_uri": format!("{resource}/jwks"),
            "resource_name": self.config.solution.name,
            "resource_signing_alg_values_supported": [algorithm],
            "client_attestation_signing_alg_values_supported": [algorithm],
            "proof_signing_alg_values_supported": [algorithm],
        }))
    }

    /// Revokes entries that belong to no unit; how many. It is final.
    pub async fn revoke_loose(&self, selection: LooseSelection) -> Result<u64, Error> {
        let entries = self.store.revoke_loose(selection).await?;
        self.follow_loose(entries).await;
        Ok(entries)
    }

    /// What follows the revocation of entries of no unit that is on disk.
    pub(crate) async fn follow_loose(&self, entries: u64) {
        tracing::info!(event = "loose-entries.revoked", entries);
        // Those that fail are told of one by one, and stay due.
        let _ = self.publish_changed().await;
    }

    fn reference(&self) -> Answer<&ReferenceProfile> {
        self.config.reference.as_ref().ok_or(Refused::Off)
    }

    /// As long as is preferred, and no longer than is given to anybody.
    fn most(&self, preferred: Option<u64>) -> Option<SignedDuration> {
        let seconds = i64::try_from(preferred?).unwrap_or(i64::MAX);
        Some(SignedDuration::from_secs(seconds).min(self.config.max_status_period))
    }

    /// The keys, if they are vouched for, and the hash of the challenge that was.
    fn look_at(
        &self,
        vouched: Vouched<'_>,
        now: Timestamp,
    ) -> Answer<(Vec<Key>, Option<[u8; 32]>)> {
        let most = provider_api::MAX_PROOFS;
        let (keys, challenge) = match vouched {
            Vouched::Nothing(_) if !self.config.accept_no_evidence => return Err(Refused::Off),
            Vouched::Nothing(set) => {
                bounded(set.keys.len(), most)?;
                let keys = set.keys.iter().map(plain_key).collect::<Answer<Vec<_>>>()?;
                (keys, None)
            }
            Vouched::Android(attestations, challenge) => {
                bounded(attestations.len(), most)?;
                let bytes = challenge_bytes(challenge)?;
                let look = |one| self.look_at_android(one, &bytes, now);
                (gather(attestations.iter().map(look))?, Some(bytes))
            }
            Vouched::Ios(attestations, challenge) => {
                bounded(attestations.len(), most)?;
                let bytes = challenge_bytes(challenge)?;
                let look = |one| self.look_at_ios(one, &bytes, now);
                (gather(attestations.iter().map(look))?, Some(bytes))
            }
        };
        for (place, key) in keys.iter().enumerate() {
            let before = keys.iter().take(place);
            if before
                .into_iter()
                .any(|other| other.found.key == key.found.key)
            {
                return Err(refused(
                    ReferenceError::NonUniquePlatformAttestedKeys,
                    "a key stands twice",
                ));
            }
        }
        let hash = challenge.map(|bytes| secrets::reference_hash(&b64::encode(bytes)));
        Ok((keys, hash))
    }

    fn look_at_android(
        &self,
        attestation: &AndroidKeyAttestation,
        challenge: &[u8],
        now: Timestamp,
    ) -> Answer<Key> {
        let policy = &self.config.evidence.android;
        let assessed = self.assess_chain(&attestation.x5c, challenge, None, policy, now);
        let assessed = assessed.map_err(|error| invalid(error.to_string()))?;
        if assessed.key.is_none() && !assessed.path.is_empty() {
            let what = "the attested key is not EC on a curve that is used";
            return Err(refused(
                ReferenceError::UnsupportedPlatformAttestedKey,
                what,
            ));
        }
        accepted(&assessed)?;
        let facts = assessed.says.as_ref().map(DeviceFacts::of);
        let Some(key) = assessed.key else {
            return Err(invalid("it does not say whose it is".into()));
        };
        Ok(Key {
            found: FoundKey {
                key,
                key_storage: assessed.key_storage,
                user_authentication: assessed.user_authentication,
            },
            certification: address(assessed.basis.as_deref()),
            facts,
        })
    }

    /// The attested key is App Attest's own; the key that the attestation is for stands
    /// in the client data, and is bound by it.
    fn look_at_ios(
        &self,
        attestation: &IosKeyAttestation,
        challenge: &[u8],
        now: Timestamp,
    ) -> Answer<Key> {
        let decode =
            |text: &str| b64::decode(text).map_err(|_| invalid("it is not base64url".into()));
        let client_data = decode(&attestation.client_data_json)?;
        let limits = jose::json::Limits::bytes(MAX_CLIENT_DATA);
        let said: ClientData = jose::json::parse_as(&client_data, limits)
            .map_err(|error| invalid(error.to_string()))?;
        if said.purpose != PURPOSE {
            return Err(invalid("the client data has another purpose".into()));
        }
        if decode(&said.challenge)? != challenge {
            return Err(invalid("the client data carries another challenge".into()));
        }
        let key = point(&decode(&said.public_key)?)?;
        let policy = &self.config.evidence.apple;
        let hash = jose::sha256(&client_data);
        let assessed = apple::assess_attestation(
            &decode(&attestation.attestation)?,
            &AttestationCheck {
                policy,
                client_data_hash: Some(&hash),
                key_id: None,
                at: now,
            },
        );
        accepted(&assessed)?;
        let environment = assessed.says.as_ref().and_then(|said| said.environment);
        let production = environment == Some(Environment::Production);
        let level = policy.levels.bound_keys.min(assessed.key_storage);
        Ok(Key {
            found: FoundKey {
                key,
                key_storage: level.filter(|_| production),
                user_authentication: None,
            },
            certification: None,
            facts: None,
        })
    }

    async fn issue_loose(
        &self,
        mut issuance: LooseIssuance,
        order: &Order,
        until: Timestamp,
    ) -> Answer<String> {
        // Evidence that was shown before costs no index and no signature.
        if let Some(challenge) = issuance.challenge {
            self.store
                .challenge_waits(challenge, issuance.at)
                .await
                .map_err(of_challenge)?;
        }
        let entries = self.allocate(order.list(), 1).await?;
        let sealed = self.seal(order, &entries, until).await?;
        let (Some(entry), Some(attestation)) = (entries.first(), sealed.into_iter().next()) else {
            return Err(StoreError::Failed("no entry could be had".into()).into());
        };
        issuance.entry = Some(NewEntry {
            list: entry.list,
            index: entry.reference.idx,
            maintained_until: until,
        });
        match self.store.issue_loose(issuance).await {
            Ok(()) => {}
            Err(error @ (StoreError::KeyAttested(_) | StoreError::KeyUsed(_))) => {
                let code = ReferenceError::NonUniquePlatformAttestedKeys;
                return Err(refused(code, error.to_string()));
            }
            Err(error) => {
                // The same request works, then: nothing was recorded.
                if matches!(error, StoreError::Failed(_)) {
                    let _ = self.give_up_purged(&entries).await;
                }
                return Err(of_challenge(error));
            }
        }
        counts::issued(order.list(), 1);
        tracing::info!(event = "reference.issued", kind = order.list().name());
        Ok(attestation)
    }
}

/// The largest client data, in bytes.
const MAX_CLIENT_DATA: usize = 4 * 1024;

/// What the reference's apps write.
const PURPOSE: &str = "ios app-attest: secure enclave protected key";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ClientData {
    purpose: String,
    public_key: String,
    challenge: String,
}

fn of_challenge(error: StoreError) -> Refused {
    match error {
        StoreError::ChallengeUnknown | StoreError::ChallengeExpired => {
            refused(ReferenceError::InvalidChallenge, error.to_string())
        }
        other => other.into(),
    }
}

fn check_algorithm(asked: Option<&[String]>, signer: &dyn Signer) -> Answer<()> {
    let own = signer.public_key().algorithm().name();
    match asked {
        Some(asked) if !asked.iter().any(|name| name == own) => {
            let code = ReferenceError::UnsupportedSigningAlgorithms;
            Err(refused(code, format!("{own} is used")))
        }
        _ => Ok(()),
    }
}

fn bounded(count: usize, most: usize) -> Answer<()> {
    if count == 0 || count > most {
        return Err(invalid(format!("{count} keys, 1 to {most} are looked at")));
    }
    Ok(())
}

fn challenge_bytes(challenge: &str) -> Answer<Vec<u8>> {
    let bytes = b64::decode(challenge)
        .ok()
        .filter(|bytes| bytes.len() == 32);
    bytes.ok_or_else(|| refused(ReferenceError::InvalidChallenge, "it is none of ours"))
}

fn plain_key(jwk: &Value) -> Answer<Key> {
    let key = PublicKey::from_jwk(jwk).map_err(|error| {
        let on = jwk.get("crv").and_then(Value::as_str);
        let known = on.is_some_and(|name| ["P-256", "P-384", "P-521"].contains(&name));
        let code = match jwk.get("kty").and_then(Value::as_str) {
            Some("EC") if !known => ReferenceError::UnsupportedPlatformAttestedKeyCurve,
            _ => ReferenceError::UnsupportedPlatformAttestedKey,
        };
        refused(code, error.to_string())
    })?;
    Ok(Key {
        found: FoundKey {
            key,
            key_storage: None,
            user_authentication: None,
        },
        certification: None,
        facts: None,
    })
}

/// A point as iOS writes it: 04, x, y.
fn point(bytes: &[u8]) -> Answer<PublicKey> {
    use jose::Curve::{P256, P384, P521};
    let curve = match bytes.len() {
        65 => P256,
        97 => P384,
        133 => P521,
        _ => {
            let code = ReferenceError::UnsupportedPlatformAttestedKey;
            return Err(refused(code, "it is no point of a curve that is used"));
        }
    };
    PublicKey::from_point(curve, bytes).map_err(|error| {
        refused(
            ReferenceError::UnsupportedPlatformAttestedKey,
            error.to_string(),
        )
    })
}

/// All keys, or every code that was found.
fn gather(keys: impl Iterator<Item = Answer<Key>>) -> Answer<Vec<Key>> {
    let (mut good, mut codes, mut told) = (Vec::new(), Vec::new(), Vec::new());
    for key in keys {
        match key {
            Ok(key) => good.push(key),
            Err(Refused::ByCode { errors, what }) => {
                for code in errors {
                    if !codes.contains(&code) {
                        codes.push(code);
                    }
                }
                told.push(what);
            }
            Err(other) => return Err(other),
        }
    }
    if codes.is_empty() {
        return Ok(good);
    }
    Err(Refused::ByCode {
        errors: codes,
        what: told.join("; "),
    })
}

fn accepted<Said>(assessed: &Assessment<Said>) -> Answer<()> {
    if assessed.accepted == Trusted::Yes {
        return Ok(());
    }
    let errors = assessed
        .findings
        .iter()
        .filter(|f| f.severity == Severity::Error);
    Err(invalid(
        errors
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join("; "),
    ))
}

fn invalid(what: String) -> Refused {
    refused(ReferenceError::InvalidPlatformKeyAttestation, what)
}

fn refused(error: ReferenceError, what: impl Into<String>) -> Refused {
    Refused::ByCode {
        errors: vec![error],
        what: what.into(),
    }
}
