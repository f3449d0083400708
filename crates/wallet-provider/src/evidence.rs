//! Whether a device is what it says: the evidence of an activation against the
//! provider's policy, and what is kept of the answer. Later evidence of the same
//! device is looked at by [`crate::check`] and [`crate::keystore`].

use std::sync::Arc;

use device_evidence::android::{self, AndroidPolicy, Purpose, RevocationList, Said};
use device_evidence::apple::{self, AttestationCheck, Environment};
use device_evidence::play::{self, Bound};
use device_evidence::{Assessment, AttackPotential};
use finding::{Finding, Severity, Trusted};
use jiff::{SignedDuration, Timestamp};
use jose::{PublicKey, b64};
use provider_api::{Evidence, Problem, UnverifiedActivation};
use serde::{Deserialize, Serialize};

use crate::device_facts::DeviceFacts;
use crate::{Error, WalletProvider};

/// What was found of a unit's device when its evidence was looked at. It is kept
/// with the unit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeviceRecord {
    /// The kind of evidence: `none`, `android`, `apple`.
    pub kind: String,
    /// When it was looked at.
    pub at: Timestamp,
    /// What the storage of the device's keys resists, as `key_storage` names it;
    /// absent where nothing is earned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_storage: Option<String>,
    /// What the device's authentication of its user resists, likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_authentication: Option<String>,
    /// What the level rests on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub basis: Option<String>,
    /// The rules of what was found and was no reason to refuse.
    #[serde(default)]
    pub findings: Vec<String>,
    /// The App Attest key, for its later assertions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app_attest: Option<AppAttestRecord>,
    /// A hash of the chains, or of the attestation, that were looked at, base64url: by
    /// it they are known again when a device whose answer was lost shows them once more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub print: Option<String>,
    /// What hardware says of the device, as of the last check.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub facts: Option<DeviceFacts>,
}

/// What is kept of an App Attest key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AppAttestRecord {
    /// The key.
    pub key: PublicKey,
    /// The counter of its attestation. That of its last assertion is kept apart
    /// ([`crate::IssuanceStore::assertion_counter`]).
    pub counter: u32,
    /// Apple's receipt, base64url.
    pub receipt: String,
    /// Where the key was made. Before this was kept, only keys of the production
    /// environment earned a level.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<Environment>,
}

impl DeviceRecord {
    fn new(kind: &str, at: Timestamp) -> Self {
        Self {
            kind: kind.to_owned(),
            at,
            key_storage: None,
            user_authentication: None,
            basis: None,
            findings: Vec::new(),
            app_attest: None,
            print: None,
            facts: None,
        }
    }

    /// Reads what the store keeps; before there were records it kept the kind.
    pub fn read(kept: &str, created_at: Timestamp) -> Self {
        serde_json::from_str(kept).unwrap_or_else(|_| Self::new(kept, created_at))
    }

    /// What the store keeps.
    pub(crate) fn to_kept(&self) -> String {
        serde_json::json!(self).to_string()
    }

    fn earn(&mut self, key_storage: Option<AttackPotential>, user: Option<AttackPotential>) {
        let name = |level: Option<AttackPotential>| level.map(|level| level.name().to_owned());
        self.key_storage = name(key_storage);
        self.user_authentication = name(user);
    }

    /// Whether nothing vouches for the device.
    pub(crate) fn is_none(&self) -> bool {
        self.kind == "none"
    }

    fn note(&mut self, findings: &[Finding]) {
        for finding in findings {
            if !self.findings.iter().any(|rule| *rule == finding.rule) {
                self.findings.push(finding.rule.to_string());
            }
        }
    }
}

impl WalletProvider {
    /// Judges by this copy of Google's list of revoked attestation keys from now on.
    /// Without one, the policy says what becomes of Android evidence. A list that is
    /// fresh goes to [`WalletProvider::take_revocation_list`].
    pub fn set_revocation_list(&self, list: RevocationList) {
        let mut kept = self
            .revocation_list
            .write()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        *kept = Some(Arc::new(list));
    }

    /// What somebody must look at before it stops Android devices: the list of revoked
    /// attestation keys was not read though Android apps are accepted, or is past half
    /// of the age that the policy takes.
    pub fn revocation_list_trouble(&self) -> Option<String> {
        let policy = &self.config.evidence.android;
        let Some(list) = self.held_revocation_list() else {
            let what = "no list of revoked Android attestation keys was read";
            return (!policy.apps.is_empty()).then(|| what.to_owned());
        };
        let hours = policy.revocation_max_age_hours;
        let half = SignedDuration::from_mins(i64::from(hours) * 30);
        let fetched = list.fetched();
        let old = self.clock.now().duration_since(fetched) > half;
        old.then(|| {
            format!(
                "the list of revoked Android attestation keys was fetched at {fetched}, and is \
                 taken for {hours} hours"
            )
        })
    }

    pub(crate) fn held_revocation_list(&self) -> Option<Arc<RevocationList>> {
        self.revocation_list
            .read()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .clone()
    }

    /// Judges the evidence of an activation. Where it is what the installed unit of the
    /// same device and account was begun with, what was `kept` of it stands: the
    /// challenge in a key's attestation is that of the moment the key was made, and a
    /// device whose answer was lost has no other. That it is this device, now, is what
    /// both its keys prove over the new challenge.
    pub(crate) fn judge_evidence(
        &self,
        activation: &UnverifiedActivation,
        kept: Option<&DeviceRecord>,
        now: Timestamp,
    ) -> Result<DeviceRecord, Error> {
        let claims = &activation.claims;
        let print = print_of(&claims.evidence);
        if let Some(kept) = kept
            && print.is_some()
            && kept.print == print
        {
            if let Evidence::Android { play, .. } = &claims.evidence
                && let Some(play) =
                    self.judge_play(claims.challenge.as_bytes(), play.as_deref(), now)?
            {
                accepted(play)?;
            }
            return Ok(kept.clone());
        }
        let mut record = self.judge_fresh(activation, now)?;
        record.print = print;
        Ok(record)
    }

    /// Judges evidence that must be of this device's keys and of this challenge.
    fn judge_fresh(
        &self,
        activation: &UnverifiedActivation,
        now: Timestamp,
    ) -> Result<DeviceRecord, Error> {
        let claims = &activation.claims;
        let device = Device {
            challenge: claims.challenge.as_bytes(),
            signing_key: &activation.signing_key,
            agreement_key: &claims.agreement_key,
            now,
        };
        match &claims.evidence {
            Evidence::None {} if self.config.accept_no_evidence => {
                Ok(DeviceRecord::new("none", now))
            }
            Evidence::None {} => Err(refused(
                "there is none, and only development goes without".into(),
            )),
            Evidence::Android {
                signing,
                agreement,
                play,
            } => self.judge_android(&device, signing, agreement, play.as_deref()),
            Evidence::Apple {
                attestation,
                client_data,
            } => self.judge_apple(&device, attestation, client_data),
            other => Err(Error::refused(
                Problem::NotOffered,
                "evidence",
                format!("evidence of kind {} is not looked at", other.kind()),
            )),
        }
    }

    fn judge_android(
        &self,
        device: &Device<'_>,
        signing: &[String],
        agreement: &[String],
        play: Option<&str>,
    ) -> Result<DeviceRecord, Error> {
        let policy = &self.config.evidence.android;
        let assess = |chain: &[String], key: &PublicKey, policy: &AndroidPolicy| {
            let key = Some(key);
            let assessed = self.assess_chain(chain, device.challenge, key, policy, device.now);
            accepted(assessed?)
        };
        let mut record = DeviceRecord::new("android", device.now);
        let signing = assess(signing, device.signing_key, policy)?;
        record.note(&signing.findings);
        let (mut key_storage, mut user) = (signing.key_storage, signing.user_authentication);
        if agreement.is_empty() {
            let rule = &device_evidence::rules::AGREEMENT_KEY;
            record.note(&[rule.finding("agreement key", "it is not attested")]);
        } else {
            let agreeing = AndroidPolicy {
                required_purposes: vec![Purpose::AgreeKey],
                allowed_purposes: vec![Purpose::AgreeKey],
                ..policy.clone()
            };
            let agreement = assess(agreement, device.agreement_key, &agreeing)?;
            record.note(&agreement.findings);
            key_storage = key_storage.min(agreement.key_storage);
            user = user.min(agreement.user_authentication);
        }
        if let Some(play) = self.judge_play(device.challenge, play, device.now)? {
            record.note(&accepted(play)?.findings);
        }
        record.facts = signing.says.as_ref().map(DeviceFacts::of);
        record.basis = signing.basis;
        record.earn(key_storage, user);
        Ok(record)
    }

    /// What a chain of the Android keystore is worth, whatever that is.
    pub(crate) fn assess_chain(
        &self,
        chain: &[String],
        challenge: &[u8],
        key: Option<&PublicKey>,
        policy: &AndroidPolicy,
        at: Timestamp,
    ) -> Result<Assessment<Said>, Error> {
        let list = self.held_revocation_list();
        let chain = chain
            .iter()
            .map(|text| decode(text))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(android::assess(
            &chain,
            &android::Check {
                policy,
                challenge: Some(challenge),
                key,
                revocation: list.as_deref(),
                at,
            },
        ))
    }

    /// What a Play Integrity token is worth, where the policy looks at one and there is
    /// one.
    pub(crate) fn judge_play(
        &self,
        challenge: &[u8],
        token: Option<&str>,
        at: Timestamp,
    ) -> Result<Option<Assessment<play::Said>>, Error> {
        let Some(policy) = &self.config.evidence.play else {
            return Ok(None);
        };
        let Some(token) = token else {
            if policy.required {
                return Err(refused("a Play Integrity token is needed with it".into()));
            }
            return Ok(None);
        };
        let check = play::Check {
            policy,
            bound: Some(Bound::Nonce(challenge)),
            at,
        };
        Ok(Some(play::assess(token, &check)))
    }

    /// Apple attests the app's own key, which binds both device keys.
    fn judge_apple(
        &self,
        device: &Device<'_>,
        attestation: &str,
        client_data: &str,
    ) -> Result<DeviceRecord, Error> {
        let policy = &self.config.evidence.apple;
        let keys = [device.signing_key.clone(), device.agreement_key.clone()];
        let expected = apple::client_data(device.challenge, &keys);
        if decode(client_data)? != expected {
            return Err(refused(
                "client_data does not bind this challenge and these device keys".into(),
            ));
        }
        let hash = jose::sha256(&expected);
        let assessment = accepted(apple::assess_attestation(
            &decode(attestation)?,
            &AttestationCheck {
                policy,
                client_data_hash: Some(&hash),
                key_id: None,
                at: device.now,
            },
        ))?;
        let mut record = DeviceRecord::new("apple", device.now);
        record.note(&assessment.findings);
        let said = assessment.says.as_ref();
        let production = said.is_some_and(|s| s.environment == Some(Environment::Production));
        if production {
            record.earn(policy.levels.bound_keys.min(assessment.key_storage), None);
            record.basis = Some("keys of a genuine app on an Apple device".into());
        }
        record.app_attest = match (assessment.key, assessment.says) {
            (Some(key), Some(said)) => Some(AppAttestRecord {
                key,
                counter: said.counter,
                receipt: b64::encode(&said.receipt),
                environment: said.environment,
            }),
            _ => None,
        };
        Ok(record)
    }
}

/// The device as it proved itself.
struct Device<'a> {
    challenge: &'a [u8],
    signing_key: &'a PublicKey,
    agreement_key: &'a PublicKey,
    now: Timestamp,
}

/// By what the evidence is known when it is shown again. A Play Integrity token is no
/// part of it: it is made anew for each challenge.
fn print_of(evidence: &Evidence) -> Option<String> {
    let shown = match evidence {
        Evidence::Android {
            signing, agreement, ..
        } => serde_json::json!(["android", signing, agreement]),
        Evidence::Apple {
            attestation,
            client_data,
        } => serde_json::json!(["apple", attestation, client_data]),
        _ => return None,
    };
    let text = format!("claviger evidence 1\0{shown}");
    Some(b64::encode(jose::sha256(text.as_bytes())))
}

/// Undecided evidence is not accepted: what is missing is told.
pub(crate) fn accepted<Said>(assessment: Assessment<Said>) -> Result<Assessment<Said>, Error> {
    if assessment.accepted == Trusted::Yes {
        return Ok(assessment);
    }
    let errors = assessment
        .findings
        .iter()
        .filter(|finding| finding.severity == Severity::Error);
    let told: Vec<String> = errors
        .map(|finding| {
            format!(
                "{}: {}: {}",
                finding.rule, finding.subject, finding.evidence
            )
        })
        .collect();
    Err(refused(told.join("; ")))
}

pub(crate) fn refused(what: String) -> Error {
    Error::refused(Problem::Evidence, "evidence", what)
}

pub(crate) fn decode(text: &str) -> Result<Vec<u8>, Error> {
    b64::decode(text)
        .map_err(|_| Error::refused(Problem::Malformed, "evidence", "it is not base64url"))
}
