//! KAs over keys of the device's own keystore (TS3 v1.5.2, 2.3.2; ARF `WIAM_08a`): judged
//! by the evidence policy, which alone says what level they earn.

use device_evidence::UserAuthentication;
use device_evidence::android::SecurityLevel;
use jiff::Timestamp;
use jose::PublicKey;
use provider_api::{KeystoreKaRequest, KeystoreKeys, MAX_PROOFS, NoncePurpose, Problem, Storage};

use crate::check::{Looked, Shown, Wrong};
use crate::device_facts::DeviceFacts;
use crate::evidence::refused;
use crate::ka::{Found, FoundKey, Wanted, address};
use crate::ports::issuance_store::{KeyStorage, SpentCheck};
use crate::watch::certificates_above;
use crate::{Caller, DeviceRecord, Error, Issuance, WalletProvider, secrets};

/// What was looked at: the keys, and the counter of the assertion over them.
type Judged = (Found, Option<u32>);

impl WalletProvider {
    /// Issues KAs over keys of the caller's device keystore. The levels are what the
    /// evidence earns. The answer is signed.
    pub async fn issue_keystore_ka(
        &self,
        caller: &Caller,
        request: &KeystoreKaRequest,
    ) -> Result<String, Error> {
        caller.operational()?;
        let wanted = Wanted {
            count: request.count,
            proof_type: request.proof_type,
            c_nonce: request.c_nonce.as_deref(),
            preferred: request.preferred_key_storage_status_period,
            issuer_scope: request.issuer_scope.as_deref(),
        };
        self.check_wanted(&wanted)?;
        let now = self.clock.now();
        let record = DeviceRecord::read(&caller.unit.evidence, caller.unit.created_at);
        let shown = |nonce| Shown {
            record: &record,
            nonce,
            purpose: NoncePurpose::Keystore,
            now,
        };
        let (nonce, looked) = match &request.keys {
            KeystoreKeys::None { proofs } if self.goes_without_evidence(&record) => {
                let judged = self.prove_unattested(caller, proofs, now)?;
                (None, Looked::Sound(judged))
            }
            KeystoreKeys::Android { challenge, chains } if record.kind == "android" => {
                let looked = self.judge_chains(caller, &shown(challenge), chains)?;
                (Some(challenge), looked)
            }
            KeystoreKeys::Apple {
                challenge,
                keys,
                assertion,
            } if record.kind == "apple" => {
                let judged = self
                    .judge_bound(caller, &shown(challenge), keys, assertion)
                    .await?;
                (Some(challenge), Looked::Sound(judged))
            }
            _ => {
                let what = format!(
                    "the unit was activated with evidence of kind {}",
                    record.kind
                );
                return Err(refused(what));
            }
        };
        let nonce = nonce.map(|nonce| secrets::nonce_hash(NoncePurpose::Keystore, nonce));
        let (found, counter) = match looked {
            Looked::Sound(judged) => judged,
            Looked::Worse(findings) => {
                let spent = SpentCheck {
                    unit: caller.unit(),
                    request: caller.spent(),
                    nonce,
                    at: now,
                };
                return Err(self.note_worse(spent, findings).await);
            }
        };
        check_keys(caller, &record, &found.keys)?;
        let mut issuance = Issuance::new(caller.unit(), caller.spent(), now);
        issuance.nonce = nonce;
        issuance.counter = counter;
        if let KeystoreKeys::Android { chains, .. } = &request.keys {
            issuance.certificates = certificates_above(chains);
        }
        self.attest_keys(caller, issuance, found, &wanted).await
    }

    /// Keys that prove themselves and that nothing vouches for.
    fn prove_unattested(
        &self,
        caller: &Caller,
        proofs: &[String],
        now: Timestamp,
    ) -> Result<Judged, Error> {
        let keys = self.prove_keys(caller, proofs, now)?;
        let storage = self.storage("unattested".into(), None);
        Ok((self.found(keys, storage, |_| (None, None)), None))
    }

    fn judge_chains(
        &self,
        caller: &Caller,
        shown: &Shown<'_>,
        chains: &[Vec<String>],
    ) -> Result<Looked<Judged>, Error> {
        bounded(chains.len())?;
        let bound = shown.challenge(caller);
        let policy = &self.config.evidence.android;
        let (mut wrong, mut keys, mut storages) = (Wrong::default(), Vec::new(), Vec::new());
        for chain in chains {
            let key = self.assess_chain(chain, bound.as_bytes(), None, policy, shown.now)?;
            wrong.sort_out(key.accepted, key.findings)?;
            let (Some(public), Some(said)) = (key.key, key.says) else {
                return Err(refused("a chain does not say whose it is".into()));
            };
            let facts = DeviceFacts::of(&said);
            if let Some(before) = &shown.record.facts {
                wrong.worse.extend(facts.worse_than(before));
            }
            let place = said
                .description
                .attestation_security_level
                .min(said.description.keymint_security_level);
            storages.push(self.storage(android_type(place, &facts), key.basis.as_deref()));
            let user_authentication = match said.user_authentication {
                UserAuthentication::None => None,
                _ => key.user_authentication,
            };
            keys.push(FoundKey {
                key: public,
                key_storage: key.key_storage,
                user_authentication,
            });
        }
        wrong.or_sound(|| {
            let mut storages = storages.into_iter();
            let Some(storage) = storages.next() else {
                return Err(refused("there is no key".into()));
            };
            if storages.any(|other| other.type_name != storage.type_name) {
                return Err(refused("the keys are in several keystores".into()));
            }
            let certification = self.certification_address(&storage);
            let found = Found {
                keys,
                certification,
                storage,
            };
            Ok((found, None))
        })
    }

    async fn judge_bound(
        &self,
        caller: &Caller,
        shown: &Shown<'_>,
        keys: &[PublicKey],
        assertion: &str,
    ) -> Result<Judged, Error> {
        bounded(keys.len())?;
        let (level, counter) = self.judge_assertion(caller, shown, keys, assertion).await?;
        let storage = self.storage("apple app".into(), None);
        let found = self.found(keys.to_vec(), storage, |_| (level, None));
        Ok((found, Some(counter)))
    }

    fn found(
        &self,
        keys: Vec<PublicKey>,
        storage: KeyStorage,
        levels: impl Fn(&PublicKey) -> Levels,
    ) -> Found {
        Found {
            keys: keys
                .into_iter()
                .map(|key| {
                    let (key_storage, user_authentication) = levels(&key);
                    FoundKey {
                        key,
                        key_storage,
                        user_authentication,
                    }
                })
                .collect(),
            certification: self.certification_address(&storage),
            storage,
        }
    }

    fn storage(&self, type_name: String, basis: Option<&str>) -> KeyStorage {
        KeyStorage {
            kind: Storage::Keystore,
            type_name,
            certification: address(basis),
        }
    }

    /// The certificate that the level rests on, where the policy names its address; the
    /// provider's own page on keystores otherwise.
    fn certification_address(&self, storage: &KeyStorage) -> String {
        let own = || self.config.keystore_certification.clone();
        storage.certification.clone().unwrap_or_else(own)
    }
}

/// What the storage and the user's authentication resist.
type Levels = (Option<wua::AttackPotential>, Option<wua::AttackPotential>);

fn bounded(keys: usize) -> Result<(), Error> {
    if keys == 0 || keys > MAX_PROOFS {
        let what = format!("{keys} keys, 1 to {MAX_PROOFS} are looked at");
        return Err(Error::refused(Problem::Batch, "keys", what));
    }
    Ok(())
}

/// Refuses keys that stand twice, and those that everything else of the unit rests on.
fn check_keys(caller: &Caller, record: &DeviceRecord, keys: &[FoundKey]) -> Result<(), Error> {
    for (place, found) in keys.iter().enumerate() {
        let key = &found.key;
        if caller.rests_on(record, key) {
            return Err(refused(format!(
                "the key at {place} is one of the device's own"
            )));
        }
        let twice = keys.iter().take(place).any(|other| other.key == *key);
        if twice {
            return Err(refused(format!("the key at {place} stands twice")));
        }
    }
    Ok(())
}

/// What units share which have keys in the same place of the same model; where hardware
/// does not name the model, all that are in the same kind of place.
fn android_type(place: SecurityLevel, facts: &DeviceFacts) -> String {
    let place = match place {
        SecurityLevel::Software => "software",
        SecurityLevel::TrustedEnvironment => "trusted environment",
        SecurityLevel::StrongBox => "strongbox",
    };
    match &facts.model {
        Some(model) => format!("android {place}, {model}"),
        None => format!("android {place}"),
    }
}
