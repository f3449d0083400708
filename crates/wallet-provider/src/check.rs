//! The check of a wallet instance that stands behind its WIAs (TS3 v1.5.2, 2.2.1.1).
//!
//! A unit is checked when it is activated, and again whenever it asks: by fresh
//! evidence, over a nonce of this provider's, bound to the unit's device key. A WIA ends
//! less than 24 hours after the last check, and none is issued once that check is older
//! than [`crate::Config::max_check_age`].

use device_evidence::apple::{self, AssertionCheck, Environment};
use device_evidence::rules as evidence_rules;
use finding::{Finding, Refusal, Rule, Severity, Trusted};
use jiff::Timestamp;
use provider_api::{
    CheckAnswer, CheckEvidence, CheckRequest, NoncePurpose, Problem, RevocationReason, Revoker,
    bound_challenge,
};

use crate::device_facts::DeviceFacts;
use crate::evidence::{accepted, decode, refused};
use crate::ports::issuance_store::{FailedCheck, InstanceCheck, SpentCheck};
use crate::watch::certificates_above;
use crate::{AppAttestRecord, Caller, DeviceRecord, Error, WalletProvider, secrets};

/// With what an Android device is checked again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CheckBy {
    /// By the attestation of a fresh key, which tells lock, system and patch levels; a
    /// Play Integrity token beside it where the evidence policy wants one.
    #[default]
    Key,
    /// By that, or by a Play Integrity token alone: cheaper for the device, and Google's
    /// word on it instead of the hardware's.
    KeyOrPlay,
}

/// What becomes of a unit whose device turned out worse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnWorse {
    /// It gets nothing until a check is passed, and an operator decides whether to
    /// revoke it.
    #[default]
    Refuse,
    /// It is revoked, for security (ARF `WURevocation_09`). That is final.
    Revoke,
}

/// How many failed checks are looked at in one round.
const ROUND: u32 = 100;

/// What a device that is known already shows again.
pub(crate) struct Shown<'a> {
    /// What was kept of it.
    pub(crate) record: &'a DeviceRecord,
    /// The nonce.
    pub(crate) nonce: &'a str,
    /// What the nonce was given for.
    pub(crate) purpose: NoncePurpose,
    pub(crate) now: Timestamp,
}

/// What came of looking at it.
pub(crate) enum Looked<T> {
    /// Nothing is wrong.
    Sound(T),
    /// The evidence is this device's, of this moment, and says that the device is no
    /// longer what it was.
    Worse(Vec<Finding>),
}

/// What was learnt of a sound device.
#[derive(Debug, Default)]
struct Learnt {
    facts: Option<DeviceFacts>,
    counter: Option<u32>,
}

impl WalletProvider {
    /// Checks the caller's instance again. The answer, signed, says until when that
    /// lasts. A device that turned out worse is refused, and remembered for
    /// [`WalletProvider::failed_checks`].
    pub async fn check_instance(
        &self,
        caller: &Caller,
        request: &CheckRequest,
    ) -> Result<String, Error> {
        caller.operational()?;
        let now = self.clock.now();
        let record = DeviceRecord::read(&caller.unit.evidence, caller.unit.created_at);
        let shown = |nonce| Shown {
            record: &record,
            nonce,
            purpose: NoncePurpose::Check,
            now,
        };
        let (nonce, looked) = match &request.evidence {
            CheckEvidence::None {} if self.goes_without_evidence(&record) => {
                (None, Looked::Sound(Learnt::default()))
            }
            CheckEvidence::Android {
                challenge,
                chain,
                play,
            } if record.kind == "android" => {
                let looked = self.check_android(caller, &shown(challenge), chain, play.as_deref());
                (Some(challenge), looked?)
            }
            CheckEvidence::Apple {
                challenge,
                assertion,
            } if record.kind == "apple" => {
                let checked = self
                    .check_apple(caller, &shown(challenge), assertion)
                    .await?;
                let counter = Some(checked);
                (
                    Some(challenge),
                    Looked::Sound(Learnt {
                        counter,
                        facts: None,
                    }),
                )
            }
            _ => {
                let what = format!(
                    "the unit was activated with evidence of kind {}",
                    record.kind
                );
                return Err(refused(what));
            }
        };
        let spent = SpentCheck {
            unit: caller.unit(),
            request: caller.spent(),
            nonce: nonce.map(|nonce| secrets::nonce_hash(NoncePurpose::Check, nonce)),
            at: now,
        };
        let learnt = match looked {
            Looked::Sound(learnt) => learnt,
            Looked::Worse(findings) => return Err(self.note_worse(spent, findings).await),
        };
        let certificates = match &request.evidence {
            CheckEvidence::Android { chain, .. } => certificates_above([chain]),
            _ => Vec::new(),
        };
        let patch_level = learnt.facts.as_ref().and_then(DeviceFacts::patch_month);
        let evidence = learnt.facts.map(|facts| {
            let facts = Some(facts);
            let newer = DeviceRecord { facts, ..record };
            (caller.unit.evidence.clone(), newer.to_kept())
        });
        self.store
            .record_check(InstanceCheck {
                spent,
                evidence,
                certificates,
                patch_level,
                counter: learnt.counter,
            })
            .await?;
        tracing::info!(event = "unit.checked");
        let due_at = now.checked_add(self.config.max_check_age).unwrap_or(now);
        let answer = CheckAnswer {
            checked_at: now,
            due_at,
        };
        self.answer(caller.request.jti(), answer).await
    }

    /// The units whose devices turned out worse, and which have passed no check since:
    /// to be revoked, by whoever decides that (ARF `WURevocation_09`).
    pub async fn failed_checks(&self, limit: u32) -> Result<Vec<FailedCheck>, Error> {
        Ok(self.store.failed_checks(limit).await?)
    }

    /// Revokes the units whose devices turned out worse, where that is chosen; how many
    /// were looked at. One that cannot be revoked keeps none of the others waiting.
    pub(crate) async fn revoke_worse(&self) -> Result<usize, Error> {
        if self.config.on_worse == OnWorse::Refuse {
            return Ok(0);
        }
        let failed = self.store.failed_checks(ROUND).await?;
        let mut first = None;
        for FailedCheck { unit, .. } in &failed {
            let reason = RevocationReason::Security;
            let revocation = self.revocation(*unit, Revoker::Provider, reason);
            if let Err(error) = self.revoke(revocation).await {
                tracing::error!(event = "unit.worse-not-revoked", %error);
                first.get_or_insert(error);
            }
        }
        first.map_or(Ok(failed.len()), Err)
    }

    /// When the caller's instance was checked last, if that is not too long ago. Where
    /// nothing vouches for the device, its signed request is the check.
    pub(crate) fn last_check(&self, caller: &Caller, now: Timestamp) -> Result<Timestamp, Error> {
        let record = DeviceRecord::read(&caller.unit.evidence, caller.unit.created_at);
        if self.goes_without_evidence(&record) {
            return Ok(now);
        }
        let checked = caller.unit.checked_at.min(now);
        let age = now.duration_since(checked);
        if age >= self.config.max_check_age {
            let what = format!(
                "checked {} s ago, at most {} s are accepted",
                age.as_secs(),
                self.config.max_check_age.as_secs()
            );
            return Err(Error::refused(Problem::CheckDue, "unit", what));
        }
        Ok(checked)
    }

    pub(crate) fn goes_without_evidence(&self, record: &DeviceRecord) -> bool {
        record.is_none() && self.config.accept_no_evidence
    }

    /// Remembers that a device turned out worse; the refusal.
    pub(crate) async fn note_worse(&self, spent: SpentCheck, findings: Vec<Finding>) -> Error {
        let refusal = match Refusal::unless_clean(findings) {
            Err(refusal) => refusal,
            Ok(_) => Problem::DeviceWorse.refusal("device", "it is not as it was"),
        };
        let why = refusal.to_string();
        if let Err(error) = self.store.record_failed_check(spent, why).await {
            return error.into();
        }
        tracing::warn!(event = "unit.worse", %refusal);
        Error::Refused {
            problem: Problem::DeviceWorse,
            refusal,
        }
    }

    fn check_android(
        &self,
        caller: &Caller,
        shown: &Shown<'_>,
        chain: &[String],
        play: Option<&str>,
    ) -> Result<Looked<Learnt>, Error> {
        let bound = shown.challenge(caller);
        let played = self.judge_play(bound.as_bytes(), play, shown.now)?;
        let play_is_enough = self.config.check_by == CheckBy::KeyOrPlay && played.is_some();
        let mut wrong = Wrong::default();
        if let Some(played) = played {
            wrong.sort_out(played.accepted, played.findings)?;
        }
        let mut facts = None;
        if !(chain.is_empty() && play_is_enough) {
            let policy = &self.config.evidence.android;
            let key = self.assess_chain(chain, bound.as_bytes(), None, policy, shown.now)?;
            wrong.sort_out(key.accepted, key.findings)?;
            facts = key.says.as_ref().map(DeviceFacts::of);
        }
        if let (Some(now), Some(before)) = (&facts, &shown.record.facts) {
            wrong.worse.extend(now.worse_than(before));
        }
        wrong.or_sound(|| {
            Ok(Learnt {
                facts,
                counter: None,
            })
        })
    }

    async fn check_apple(
        &self,
        caller: &Caller,
        shown: &Shown<'_>,
        assertion: &str,
    ) -> Result<u32, Error> {
        Ok(self.judge_assertion(caller, shown, &[], assertion).await?.1)
    }

    /// Judges an assertion of the kept App Attest key over the nonce and `keys`: what
    /// the keys earn, and the counter that is to be recorded.
    pub(crate) async fn judge_assertion(
        &self,
        caller: &Caller,
        shown: &Shown<'_>,
        keys: &[jose::PublicKey],
        assertion: &str,
    ) -> Result<(Option<wua::AttackPotential>, u32), Error> {
        let Some(kept) = &shown.record.app_attest else {
            return Err(refused("no App Attest key of the unit is known".into()));
        };
        let bound = shown.challenge(caller);
        let hash = apple::client_data_hash(bound.as_bytes(), keys);
        let last = self.store.assertion_counter(caller.unit()).await?;
        let assessment = accepted(apple::assess_assertion(
            &decode(assertion)?,
            &AssertionCheck {
                policy: &self.config.evidence.apple,
                key: &kept.key,
                environment: environment(kept, shown.record),
                counter: last.unwrap_or_default().max(kept.counter),
                client_data_hash: Some(&hash),
                at: shown.now,
            },
        ))?;
        match assessment.says {
            Some(said) => Ok((assessment.key_storage, said.counter)),
            None => Err(refused("the assertion says nothing".into())),
        }
    }
}

impl Shown<'_> {
    /// What the evidence carries.
    pub(crate) fn challenge(&self, caller: &Caller) -> String {
        bound_challenge(self.purpose, self.nonce, &caller.unit.signing_key)
    }
}

/// The rules that a device breaks which has got worse. Evidence that breaks others is
/// not known to be the device's, or of this moment, and says nothing of it.
static WORSE: &[&Rule] = &[
    &evidence_rules::ANDROID_BOOT,
    &evidence_rules::ANDROID_OS_VERSION,
    &evidence_rules::ANDROID_PATCH_LEVEL,
    &evidence_rules::ANDROID_REVOKED,
    &evidence_rules::PLAY_APP,
    &evidence_rules::PLAY_DEVICE,
];

/// The rules that a device breaks without having got worse: what time alone brings, and
/// what may be otherwise the next time. Such evidence is refused, and nothing is
/// remembered of it; beside it, what tells of a worse device still does.
static PASSING: &[&Rule] = &[
    &evidence_rules::ANDROID_PATCH_AGE,
    &evidence_rules::ANDROID_SUSPENDED,
    &evidence_rules::PLAY_UNEVALUATED,
];

/// What is wrong with evidence that is to be believed.
#[derive(Debug, Default)]
pub(crate) struct Wrong {
    /// What tells that the device got worse.
    pub(crate) worse: Vec<Finding>,
    passing: Vec<Finding>,
}

impl Wrong {
    /// Refuses evidence that is not to be believed; of what can be, notes what is wrong.
    pub(crate) fn sort_out(
        &mut self,
        accepted: Trusted,
        findings: Vec<Finding>,
    ) -> Result<(), Error> {
        if accepted == Trusted::Yes {
            return Ok(());
        }
        let errors: Vec<Finding> = findings
            .into_iter()
            .filter(|finding| finding.severity == Severity::Error)
            .collect();
        let among = |rules: &[&Rule], finding: &Finding| rules.iter().any(|rule| finding.is(rule));
        let (worse, others): (Vec<_>, Vec<_>) = errors
            .iter()
            .cloned()
            .partition(|finding| among(WORSE, finding));
        if errors.is_empty() || !others.iter().all(|finding| among(PASSING, finding)) {
            return Err(refused_for(&errors));
        }
        self.worse.extend(worse);
        self.passing.extend(others);
        Ok(())
    }

    /// What came of the look: what is `sound`, where nothing is wrong.
    pub(crate) fn or_sound<T>(
        self,
        sound: impl FnOnce() -> Result<T, Error>,
    ) -> Result<Looked<T>, Error> {
        if !self.worse.is_empty() {
            return Ok(Looked::Worse(self.worse));
        }
        if !self.passing.is_empty() {
            return Err(refused_for(&self.passing));
        }
        sound().map(Looked::Sound)
    }
}

fn refused_for(errors: &[Finding]) -> Error {
    let told: Vec<String> = errors.iter().map(ToString::to_string).collect();
    refused(told.join("; "))
}

fn environment(kept: &AppAttestRecord, record: &DeviceRecord) -> Environment {
    kept.environment.unwrap_or(match &record.key_storage {
        Some(_) => Environment::Production,
        None => Environment::Development,
    })
}
