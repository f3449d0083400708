use std::sync::atomic::AtomicBool;
use std::sync::{Arc, RwLock};

use clock::Clock;
use device_evidence::android::RevocationList;
use jiff::Timestamp;
use jose::{KeyAgreement, PublicKey};
use provider_api::{
    Challenge, Expected, HistoryEntry, NoncePurpose, Problem, ProviderView, Revoker, SignedAnswer,
    Storage, UnitState, UnitView, UnverifiedUnitRequest, VerifiedUnitRequest,
};
use sci::{AttackPotential, UnitId};
use serde::Serialize;
use wsca::WscaAdmin;

use crate::allocation::Allocation;
use crate::publication::KnownLists;
use crate::{
    CallerRecord, Config, ConfigError, DeviceRecord, Error, Event, IndexSecret, Keyring,
    PidProviderCheck, ProviderStore, Publisher, Purpose, RevocationStore, SpentRequest, StoreError,
    UnitRecord, secrets,
};

/// The wallet provider. One instance serves any number of requests at once.
#[derive(Debug)]
pub struct WalletProvider {
    pub(crate) config: Config,
    pub(crate) store: Arc<dyn ProviderStore>,
    pub(crate) revocations: Arc<dyn RevocationStore>,
    pub(crate) pid_providers: Option<Arc<dyn PidProviderCheck>>,
    pub(crate) wsca: Arc<dyn WscaAdmin>,
    pub(crate) publisher: Arc<dyn Publisher>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) keys: Arc<Keyring>,
    pub(crate) agreement_key: Arc<dyn KeyAgreement>,
    pub(crate) allocation: Allocation,
    /// One node's share of the jobs is done by one task.
    pub(crate) doing_jobs: tokio::sync::Mutex<()>,
    /// Rings when there is a new job.
    pub(crate) job_bell: tokio::sync::Notify,
    /// The lists as this node published them.
    pub(crate) lists: KnownLists,
    pub(crate) challenge_room: tokio::sync::Mutex<ChallengeRoom>,
    /// The newest copy of Google's list of revoked attestation keys.
    pub(crate) revocation_list: RwLock<Option<Arc<RevocationList>>>,
    /// Whether the store has taken note of this configuration's choices.
    pub(crate) choices_recorded: AtomicBool,
}

/// How many more challenges are given before they are counted again.
#[derive(Debug, Default)]
pub(crate) struct ChallengeRoom {
    left: u64,
    /// The second in which they were counted last and there was no room.
    full_at: Option<i64>,
}

/// What a provider is made of.
#[derive(Debug)]
pub struct Parts {
    /// How it does what the texts leave open.
    pub config: Config,
    /// Its memory.
    pub store: Arc<dyn ProviderStore>,
    /// Its memory of revocations.
    pub revocations: Arc<dyn RevocationStore>,
    /// Who decides which chains are PID providers'; without one, none can ask for a
    /// revocation.
    pub pid_providers: Option<Arc<dyn PidProviderCheck>>,
    /// The WSCA.
    pub wsca: Arc<dyn WscaAdmin>,
    /// Where its status lists go.
    pub publisher: Arc<dyn Publisher>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// What it signs with. Who puts a provider together can give the keyring other
    /// keys later.
    pub keys: Arc<Keyring>,
    /// What the devices' agreement keys prove themselves towards.
    pub agreement_key: Arc<dyn KeyAgreement>,
    /// What the order of status indices is drawn from.
    pub index_secret: IndexSecret,
}

/// A unit that has proved itself for one request.
#[derive(Debug)]
pub struct Caller {
    pub(crate) unit: UnitRecord,
    pub(crate) request: VerifiedUnitRequest,
    worse: bool,
}

impl Caller {
    /// The unit.
    pub fn unit(&self) -> UnitId {
        self.unit.unit
    }

    pub(crate) fn spent(&self) -> SpentRequest {
        SpentRequest {
            jti: self.request.jti().to_owned(),
            forget_at: self.request.forget_at(),
        }
    }

    /// Whether the key is one that everything else of the unit rests on: one of the
    /// device's two, or its App Attest key, of which `record` tells. They do one thing
    /// each, and are in no attestation: issuers would know the unit by them.
    pub(crate) fn rests_on(&self, record: &DeviceRecord, key: &PublicKey) -> bool {
        let unit = &self.unit;
        let app_attest = record.app_attest.as_ref().map(|kept| &kept.key);
        [&unit.signing_key, &unit.agreement_key].contains(&key) || app_attest == Some(key)
    }

    /// Refuses a unit whose device turned out worse. The store asks once more too.
    pub(crate) fn sound(&self) -> Result<(), Error> {
        if self.worse {
            return Err(StoreError::DeviceWorse.into());
        }
        Ok(())
    }

    /// Refuses a unit that is not operational. The store asks once more when it
    /// records, so that nothing slips through between the two.
    pub(crate) fn operational(&self) -> Result<(), Error> {
        match self.unit.state {
            UnitState::Operational => Ok(()),
            other => Err(StoreError::UnitState(other).into()),
        }
    }
}

impl WalletProvider {
    /// Puts a provider together. It does nothing yet: see
    /// [`WalletProvider::recover`].
    pub fn new(parts: Parts) -> Result<Self, ConfigError> {
        parts.config.check()?;
        check_wsca(&parts)?;
        Ok(Self {
            allocation: Allocation::new(parts.index_secret),
            config: parts.config,
            store: parts.store,
            revocations: parts.revocations,
            pid_providers: parts.pid_providers,
            wsca: parts.wsca,
            publisher: parts.publisher,
            clock: parts.clock,
            keys: parts.keys,
            agreement_key: parts.agreement_key,
            doing_jobs: tokio::sync::Mutex::default(),
            job_bell: tokio::sync::Notify::default(),
            lists: KnownLists::default(),
            challenge_room: tokio::sync::Mutex::default(),
            revocation_list: RwLock::default(),
            choices_recorded: AtomicBool::default(),
        })
    }

    /// What has to be done at each start, before the first request, and from time to
    /// time: what was chosen is taken note of, every list that changed since it was
    /// published is published, and so is every list that only a compromised key
    /// signed; the WSCA is told of revocations it was not told of, and challenges that
    /// nobody answered are forgotten.
    ///
    /// All of it is tried, whatever fails. The error is the first one, and the rest
    /// was logged; what failed is due still, and is made up for by the next call. A
    /// caller can serve requests all the same.
    pub async fn recover(&self) -> Result<(), Error> {
        let done = [
            self.record_choices().await.err(),
            self.publish_changed().await.err(),
            self.publish_disowned().await.err(),
            self.revoke_worse().await.err(),
            self.tell_wsca().await.err(),
            self.purge_challenges().await.err(),
        ];
        let mut errors = done.into_iter().flatten();
        let first = errors.next();
        for error in errors {
            tracing::error!(event = "recovery.failed", %error);
        }
        first.map_or(Ok(()), Err)
    }

    /// Forgets the challenges that expired; how many.
    pub async fn purge_challenges(&self) -> Result<u64, Error> {
        Ok(self.store.forget_challenges(self.clock.now()).await?)
    }

    /// Whether requests can be served.
    pub async fn health(&self) -> Result<(), Error> {
        Ok(self.store.health().await?)
    }

    /// What a wallet instance has to know.
    pub fn view(&self) -> ProviderView {
        let set = self.keys.set();
        ProviderView {
            issuer: self.config.base_url.clone(),
            answer_key: set.answers.at(self.clock.now()).public_key().clone(),
            answer_key_handovers: set.answers.handovers(),
            agreement_key: self.agreement_key.public_key().clone(),
            wallet_name: self.config.solution.name.clone(),
            certification: self.config.solution.certification.clone(),
            consent: self.config.consent.clone(),
            offers: self.config.offers(),
        }
    }

    /// The same, signed in reply to a challenge that the instance chose: what it shows
    /// its user, the certification and the consent, comes from nobody else (ARF
    /// `WIAM_10a`, `WIAM_12`).
    pub async fn signed_view(&self, challenge: &str) -> Result<String, Error> {
        let asked = provider_api::view_asked(challenge)?;
        self.answer(&asked, self.view()).await
    }

    /// What the solution and its key storage are certified for, for whoever follows
    /// a KA's `certification`. Without a certification it says so.
    pub fn certification(&self) -> serde_json::Value {
        let device = &self.wsca.information().descriptor;
        serde_json::json!({
            "solution": self.config.solution.certification,
            "kind": Storage::Wscd.name(),
            "key_storage": device,
        })
    }

    /// The same of devices' own keystores. What one of them is certified for stands in
    /// the KA itself; whoever is led here reads that it is no WSCD, and that its levels
    /// are those that the device's evidence earned.
    pub fn keystore_certification(&self) -> serde_json::Value {
        serde_json::json!({
            "solution": self.config.solution.certification,
            "kind": Storage::Keystore.name(),
            "key_storage": "levels by device evidence; no certification is known for it",
        })
    }

    /// A challenge for an activation.
    pub async fn challenge(&self) -> Result<Challenge, Error> {
        self.admit_challenge().await?;
        let challenge = secrets::challenge()?;
        let expires_at = self.challenge_end();
        self.store
            .add_challenge(
                secrets::challenge_hash(&challenge),
                Purpose::Activation,
                expires_at,
            )
            .await?;
        Ok(Challenge {
            challenge,
            expires_at,
        })
    }

    /// Who makes a request: `header` is what [`provider_api::REQUEST_HEADER`]
    /// holds, `method` in capitals, `path` as the provider's interface has it
    /// (with a slash at its beginning), `body` as it came.
    ///
    /// It refuses a request that was made before, and does not spend it: the operation
    /// that follows does.
    #[tracing::instrument(name = "provider.authenticate", skip_all)]
    pub async fn authenticate(
        &self,
        header: &str,
        method: &str,
        path: &str,
        body: &[u8],
    ) -> Result<Caller, Error> {
        let request = UnverifiedUnitRequest::parse(header)?;
        let found = self.store.caller(request.unit(), request.jti()).await?;
        let CallerRecord { unit, spent, worse } = found.ok_or_else(unknown)?;
        let uri = format!("{}{path}", self.config.base_url);
        let request = request.verify(
            &unit.signing_key,
            Expected {
                provider: &self.config.base_url,
                method,
                uri: &uri,
                body,
                now: self.clock.now(),
            },
        )?;
        if spent {
            return Err(StoreError::Replayed.into());
        }
        Ok(Caller {
            unit,
            request,
            worse,
        })
    }

    /// The caller's unit as the provider sees it, signed. A revoked unit may ask
    /// too, to learn that it is.
    pub async fn own_view(&self, caller: &Caller) -> Result<String, Error> {
        self.store
            .spend(caller.unit(), caller.spent(), None)
            .await?;
        let view = self.unit_view(caller.unit()).await?;
        self.answer(caller.request.jti(), view).await
    }

    /// A nonce for the caller's unit and one purpose, signed.
    pub async fn nonce(&self, caller: &Caller, purpose: NoncePurpose) -> Result<String, Error> {
        caller.operational()?;
        let challenge = secrets::challenge()?;
        let expires_at = self.challenge_end();
        let kept = (secrets::nonce_hash(purpose, &challenge), expires_at);
        self.store
            .spend(caller.unit(), caller.spent(), Some(kept))
            .await?;
        self.answer(
            caller.request.jti(),
            Challenge {
                challenge,
                expires_at,
            },
        )
        .await
    }

    /// A unit as its user and the provider's operators may see it.
    pub async fn unit_view(&self, unit: UnitId) -> Result<UnitView, Error> {
        let record = self.find(unit).await?;
        self.view_of(record).await
    }

    /// Units in the order of their identifiers, after `after`.
    pub async fn units(&self, after: Option<UnitId>, limit: u32) -> Result<Vec<UnitView>, Error> {
        let mut views = Vec::new();
        for record in self.store.units(after, limit).await? {
            views.push(self.view_of(record).await?);
        }
        Ok(views)
    }

    pub(crate) async fn view_of(&self, record: UnitRecord) -> Result<UnitView, Error> {
        let history = self.store.history(record.unit).await?;
        Ok(UnitView {
            unit: record.unit,
            state: record.state,
            history: history.into_iter().map(entry).collect(),
        })
    }

    pub(crate) async fn find(&self, unit: UnitId) -> Result<UnitRecord, Error> {
        self.store.unit(unit).await?.ok_or_else(unknown)
    }

    /// Signs an answer under the key that the app pins, or was handed over to.
    pub(crate) async fn answer<T: Serialize + Sync>(
        &self,
        in_reply_to: &str,
        body: T,
    ) -> Result<String, Error> {
        let now = self.clock.now();
        let set = self.keys.set();
        let answer = SignedAnswer {
            iss: self.config.base_url.clone(),
            in_reply_to: in_reply_to.to_owned(),
            iat: now.as_second(),
            body,
        };
        Ok(answer.sign(set.answers.at(now).as_ref()).await?)
    }

    /// Refuses a challenge where too many wait for their answer. They are counted
    /// once in a while, not each time: nodes that share a store may exceed the limit
    /// by what each of them took at its last count.
    pub(crate) async fn admit_challenge(&self) -> Result<(), Error> {
        let limit = self.config.max_challenges;
        let now = self.clock.now();
        let mut room = self.challenge_room.lock().await;
        if room.left == 0 {
            if room.full_at == Some(now.as_second()) {
                return Err(StoreError::TooManyChallenges.into());
            }
            let waiting = self.store.waiting_activations(now).await?;
            room.left = limit.saturating_sub(waiting).min(limit.div_ceil(100));
        }
        match room.left.checked_sub(1) {
            Some(left) => {
                *room = ChallengeRoom {
                    left,
                    full_at: None,
                };
                Ok(())
            }
            None => {
                room.full_at = Some(now.as_second());
                Err(StoreError::TooManyChallenges.into())
            }
        }
    }

    fn challenge_end(&self) -> Timestamp {
        let now = self.clock.now();
        now.checked_add(self.config.challenge_lifetime)
            .unwrap_or(now)
    }
}

fn unknown() -> Error {
    Error::refused(Problem::UnknownUnit, "unit", "there is no such unit")
}

/// ARF `WIAM_08`: a unit is activated only over a WSCA and device that are
/// certified for level high, which shows in what a key attestation may claim.
fn check_wsca(parts: &Parts) -> Result<(), ConfigError> {
    let descriptor = &parts.wsca.information().descriptor;
    let levels = [descriptor.key_storage, descriptor.user_authentication];
    if levels == [Some(AttackPotential::High); 2] || parts.config.accept_uncertified_wsca {
        return Ok(());
    }
    Err(ConfigError {
        key: "accept_uncertified_wsca",
        what: format!(
            "{} is not certified for level high, as far as its settings say (ARF WIAM_08): \
             only development takes it",
            descriptor.model
        ),
    })
}

fn entry(event: Event) -> HistoryEntry {
    HistoryEntry {
        at: event.at,
        state: event.state,
        by: event.by,
        reason: event.reason,
        storage: event.storage,
        // Which operator it was is for the operators alone.
        name: event
            .name
            .filter(|_| event.by == Some(Revoker::PidProvider)),
    }
}
