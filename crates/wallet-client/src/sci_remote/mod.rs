//! A remote WSCA as a [`Sci`]: R2PS over a [`Transport`].
//!
//! The PIN is hardened with the phone's agreement key, blinded, and never leaves;
//! every request is signed by the phone's signing key; what a session carries is
//! encrypted under a key that only the right PIN gives.

mod receipts;
mod transport;

use std::sync::{Arc, PoisonError, RwLock};

use async_trait::async_trait;
use clock::Clock;
use jose::{Curve, Map, PublicKey};
use r2ps::envelope::{self, EnvelopeError, Expected, Nonce, Protection, read_data, write_data};
use r2ps::hardening::{self, HardenedPin, HardeningError};
use r2ps::opaque::{Client, OpaqueError, SessionKey, Transcript};
use r2ps::service::{
    AUTHORIZED_BY_ENROLMENT, AgreeAnswer, AgreeRequest, DestroyRequest, EvaluateAnswer,
    FactorRequest, Failure, GenerateRequest, InformationAnswer, KeysAnswer, ListRequest, Nothing,
    OPAQUE, ReadAnswer, ReadRequest, ServiceType, SessionAnswer, SessionOpened, SignAnswer,
    SignItem, SignRequest, State, StateAnswer, StateRequest, StoreRequest,
};
use r2ps::{Binary, ServiceIdentity};
use sci::{
    ActivationInfo, Code, Digest, Error, ItemName, KeyId, KeyInfo, MAX_BATCH, MAX_ITEM_BYTES, Pin,
    PinError, Sci, SessionInfo, Task, UnitId,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use zeroize::Zeroizing;

use crate::keystore::DeviceKeystore;

use receipts::Receipts;
pub use transport::{HttpTransport, Transport, TransportError};

/// The WSCA behind `T`, for one wallet unit.
#[derive(Debug)]
pub struct RemoteSci<T> {
    transport: T,
    service: ServiceIdentity,
    unit: UnitId,
    client_id: String,
    device: Arc<dyn DeviceKeystore>,
    clock: Arc<dyn Clock>,
    opaque: Client,
    session: RwLock<Option<OpenSession>>,
    receipts: Receipts,
}

/// A session that is open here.
#[derive(Clone)]
struct OpenSession {
    info: SessionInfo,
    key: SessionKey,
}

impl std::fmt::Debug for OpenSession {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "OpenSession({})", self.info.id)
    }
}

impl<T: Transport> RemoteSci<T> {
    /// The WSCA that is known as `service`, for `unit` on this device.
    pub fn new(
        transport: T,
        service: ServiceIdentity,
        unit: UnitId,
        device: Arc<dyn DeviceKeystore>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            transport,
            client_id: unit.to_string(),
            service,
            unit,
            device,
            clock,
            opaque: Client::default(),
            session: RwLock::new(None),
            receipts: Receipts::default(),
        }
    }

    /// The same with another OPAQUE client: tests that prove many PINs stretch less
    /// ([`r2ps::opaque::Stretching::weak_for_tests`]).
    #[must_use]
    pub fn with_opaque(mut self, opaque: Client) -> Self {
        self.opaque = opaque;
        self
    }

    /// The wallet unit.
    pub fn unit(&self) -> UnitId {
        self.unit
    }

    /// The transport.
    pub fn transport(&self) -> &T {
        &self.transport
    }

    fn open_session_here(&self) -> Option<OpenSession> {
        let session = self.session.read().unwrap_or_else(PoisonError::into_inner);
        session.clone()
    }

    fn set_session(&self, session: Option<OpenSession>) {
        *self.session.write().unwrap_or_else(PoisonError::into_inner) = session;
    }

    /// A request protected by possession alone.
    async fn ask<A: DeserializeOwned>(
        &self,
        kind: ServiceType,
        data: &impl Serialize,
    ) -> Result<A, Error> {
        let nonce = Nonce::random().map_err(local)?;
        let protection = Protection::OneFactor {
            recipient: &self.service.agreement,
            from: &self.client_id,
            to: &self.service.context,
        };
        let request = self.seal(protection, kind, data, &nonce).await?;
        let answer = self.transport.post(request).await?;
        let data = self
            .expected(&nonce)
            .open_with(&answer, self.device.agreement())
            .await
            .map_err(untrusted)?;
        read(data)
    }

    /// What the WSCA states of keys, in a statement of this kind.
    async fn statement(
        &self,
        kind: ServiceType,
        keys: &[KeyId],
        nonce: &str,
        audience: &str,
    ) -> Result<String, Error> {
        must_fit_a_batch(keys.len())?;
        let request = StateRequest {
            keys: keys.to_vec(),
            nonce: nonce.into(),
            audience: audience.into(),
        };
        let answer: StateAnswer = self.ask_in_session(kind, &request).await?;
        Ok(answer.statement)
    }

    /// A request in the session that is open here.
    async fn ask_in_session<A: DeserializeOwned>(
        &self,
        kind: ServiceType,
        data: &impl Serialize,
    ) -> Result<A, Error> {
        let session = self.open_session_here().ok_or(Error::NoSession)?;
        self.ask_in(&session, kind, data).await
    }

    async fn ask_in<A: DeserializeOwned>(
        &self,
        session: &OpenSession,
        kind: ServiceType,
        data: &impl Serialize,
    ) -> Result<A, Error> {
        let nonce = Nonce::random().map_err(local)?;
        let protection = Protection::TwoFactor {
            session_id: &session.info.id,
            key: &session.key,
        };
        let request = self.seal(protection, kind, data, &nonce).await?;
        let answer = self.transport.post(request).await?;
        let data = self
            .expected(&nonce)
            .open_in_session(&answer, &session.info.id, &session.key)
            .map_err(untrusted)?;
        self.receipts.keep(&data);
        read(data)
    }

    async fn seal(
        &self,
        protection: Protection<'_>,
        kind: ServiceType,
        data: &impl Serialize,
        nonce: &Nonce,
    ) -> Result<String, Error> {
        let data = write_data(data).map_err(local)?;
        let signer = self.device.signing();
        envelope::seal_request(protection, kind, data, nonce, self.clock.now(), signer)
            .await
            .map_err(local)
    }

    fn expected<'a>(&'a self, nonce: &'a Nonce) -> Expected<'a> {
        Expected {
            service: &self.service,
            client_id: &self.client_id,
            nonce,
            now: self.clock.now(),
        }
    }

    async fn harden(&self, pin: &Pin) -> Result<HardenedPin, Error> {
        let device = self.device.agreement();
        hardening::harden(pin, self.unit, &self.service.context, device)
            .await
            .map_err(|error| match error {
                HardeningError::Key(error) => Error::DeviceKey(error),
                other => Error::Invalid(other.to_string()),
            })
    }

    /// Proves the PIN; what comes back is not yet the session that is open here.
    async fn prove(&self, pin: &Pin, task: Task) -> Result<OpenSession, Error> {
        let hardened = self.harden(pin).await?;
        let started = self.opaque.start_login(&hardened).map_err(opaque)?;
        let request = FactorRequest {
            task: Some(task.name().into()),
            ..factor(State::Evaluate, started.message.clone())
        };
        let evaluated: EvaluateAnswer = self.ask(ServiceType::CreateSession, &request).await?;

        let (client, context, unit) =
            (self.opaque.clone(), self.service.context.clone(), self.unit);
        let signing_key = self.device.signing().public_key().thumbprint();
        let EvaluateAnswer {
            p_data,
            session_id,
            tries_left,
            retry_at,
            ..
        } = evaluated;
        let named = session_id.clone();
        let proven = stretching(move || {
            let transcript = Transcript {
                unit,
                context: &context,
                signing_key,
                task,
                session_id: &named,
            };
            client.finish_login(started, &hardened, p_data.as_bytes(), transcript)
        })
        .await?;
        let (proof, key) = proven.map_err(|error| match error {
            OpaqueError::WrongPin => Error::WrongPin {
                tries_left,
                retry_at,
            },
            other => opaque(other),
        })?;

        let request = FactorRequest {
            session_id: Some(session_id.clone()),
            ..factor(State::Finalize, proof)
        };
        let opened: SessionOpened = self.ask(ServiceType::CreateSession, &request).await?;
        if opened.session_id != session_id || opened.session.id != session_id {
            return Err(Error::Answer("it opened another session".into()));
        }
        Ok(OpenSession {
            info: opened.session,
            key,
        })
    }

    /// Both halves of setting a PIN; `ask` sends one.
    async fn finish_setting(
        &self,
        evaluated: EvaluateAnswer,
        started: r2ps::opaque::RegistrationStarted,
        hardened: HardenedPin,
    ) -> Result<FactorRequest, Error> {
        let (client, context, unit) =
            (self.opaque.clone(), self.service.context.clone(), self.unit);
        let EvaluateAnswer {
            p_data, session_id, ..
        } = evaluated;
        let record = stretching(move || {
            client.finish_registration(started, &hardened, p_data.as_bytes(), unit, &context)
        })
        .await?
        .map_err(opaque)?;
        Ok(FactorRequest {
            session_id: Some(session_id),
            ..factor(State::Finalize, record)
        })
    }
}

#[async_trait]
impl<T: Transport> Sci for RemoteSci<T> {
    async fn activation_info(&self) -> Result<ActivationInfo, Error> {
        let answer: InformationAnswer = self.ask(ServiceType::Information, &Nothing {}).await?;
        Ok(answer.information)
    }

    async fn register_pin(&self, pin: &Pin) -> Result<(), Error> {
        must_be_fit(pin)?;
        let hardened = self.harden(pin).await?;
        let started = self.opaque.start_registration(&hardened).map_err(opaque)?;
        let first = factor(State::Evaluate, started.message.clone());
        let evaluated = self.ask(ServiceType::Registration, &first).await?;
        let last = FactorRequest {
            authorization: Some(Binary::default()),
            authorization_type: Some(AUTHORIZED_BY_ENROLMENT.into()),
            ..self.finish_setting(evaluated, started, hardened).await?
        };
        self.ask::<Value>(ServiceType::Registration, &last).await?;
        Ok(())
    }

    async fn change_pin(&self, old: &Pin, new: &Pin) -> Result<(), Error> {
        must_be_fit(new)?;
        let session = self.prove(old, Task::PinChange).await?;
        let hardened = self.harden(new).await?;
        let started = self.opaque.start_registration(&hardened).map_err(opaque)?;
        let first = factor(State::Evaluate, started.message.clone());
        let evaluated = self.ask_in(&session, ServiceType::Update, &first).await?;
        let last = self.finish_setting(evaluated, started, hardened).await?;
        self.ask_in::<Value>(&session, ServiceType::Update, &last)
            .await?;
        // With the old PIN went every session that it opened.
        self.set_session(None);
        Ok(())
    }

    async fn open_session(&self, pin: &Pin, task: Task) -> Result<SessionInfo, Error> {
        let session = self.prove(pin, task).await?;
        let info = session.info.clone();
        self.set_session(Some(session));
        Ok(info)
    }

    async fn session(&self) -> Result<Option<SessionInfo>, Error> {
        match self
            .ask_in_session::<SessionAnswer>(ServiceType::SessionInfo, &Nothing {})
            .await
        {
            Ok(answer) => Ok(Some(answer.session)),
            Err(Error::NoSession) => Ok(None),
            Err(error) if error.code() == Some(Code::NoSession) => {
                self.set_session(None);
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    async fn end_session(&self) -> Result<(), Error> {
        let ended = self
            .ask_in_session::<Value>(ServiceType::SessionEnd, &Nothing {})
            .await;
        match ended {
            Ok(_) => {}
            Err(Error::NoSession) => {}
            Err(error) if error.code() == Some(Code::NoSession) => {}
            Err(error) => return Err(error),
        }
        self.set_session(None);
        Ok(())
    }

    async fn generate_keys(&self, count: usize, curve: Curve) -> Result<Vec<KeyInfo>, Error> {
        let request = GenerateRequest {
            count,
            crv: curve.name().into(),
        };
        let answer: KeysAnswer = self
            .ask_in_session(ServiceType::KeyGenerate, &request)
            .await?;
        if answer.keys.len() != count || answer.keys.iter().any(|key| key.curve() != curve) {
            return Err(Error::Answer("not the keys that were asked for".into()));
        }
        Ok(answer.keys)
    }

    async fn list_keys(&self) -> Result<Vec<KeyInfo>, Error> {
        let mut keys = Vec::new();
        loop {
            let request = ListRequest { offset: keys.len() };
            let answer: KeysAnswer = self.ask_in_session(ServiceType::KeyList, &request).await?;
            if answer.keys.is_empty() {
                return Ok(keys);
            }
            keys.extend(answer.keys);
        }
    }

    async fn sign(&self, items: &[(KeyId, Digest)]) -> Result<Vec<Vec<u8>>, Error> {
        must_fit_a_batch(items.len())?;
        let request = SignRequest {
            items: items
                .iter()
                .map(|(key, digest)| SignItem {
                    key: *key,
                    digest: digest.as_bytes().into(),
                })
                .collect(),
        };
        let answer: SignAnswer = self.ask_in_session(ServiceType::KeySign, &request).await?;
        if answer.signatures.len() != items.len() {
            return Err(Error::Answer("not as many signatures as digests".into()));
        }
        Ok(answer
            .signatures
            .iter()
            .map(|signature| signature.as_bytes().to_vec())
            .collect())
    }

    async fn agree(&self, key: &KeyId, peer: &PublicKey) -> Result<Zeroizing<Vec<u8>>, Error> {
        let request = AgreeRequest {
            key: *key,
            peer: peer.clone(),
        };
        let answer: AgreeAnswer = self.ask_in_session(ServiceType::KeyAgree, &request).await?;
        Ok(answer.secret.into())
    }

    async fn prove_possession(&self, key: &KeyInfo, challenge: &[u8]) -> Result<String, Error> {
        sci::prove_possession(self, key, challenge).await
    }

    async fn state_keys(
        &self,
        keys: &[KeyId],
        nonce: &str,
        audience: &str,
    ) -> Result<String, Error> {
        self.statement(ServiceType::KeyState, keys, nonce, audience)
            .await
    }

    async fn associate_keys(
        &self,
        keys: &[KeyId],
        nonce: &str,
        audience: &str,
    ) -> Result<String, Error> {
        self.statement(ServiceType::KeyAssociate, keys, nonce, audience)
            .await
    }

    async fn store_item(&self, name: &ItemName, content: &[u8]) -> Result<(), Error> {
        if content.len() > MAX_ITEM_BYTES {
            return Err(Error::Invalid(format!(
                "an item holds at most {MAX_ITEM_BYTES} bytes"
            )));
        }
        let request = StoreRequest {
            name: name.clone(),
            content: content.into(),
        };
        self.ask_in_session::<Value>(ServiceType::ItemStore, &request)
            .await?;
        Ok(())
    }

    async fn read_item(&self, name: &ItemName) -> Result<Zeroizing<Vec<u8>>, Error> {
        let request = ReadRequest { name: name.clone() };
        let answer: ReadAnswer = self.ask_in_session(ServiceType::ItemRead, &request).await?;
        Ok(answer.content.into())
    }

    async fn remove_item(&self, name: &ItemName) -> Result<(), Error> {
        let request = ReadRequest { name: name.clone() };
        self.ask_in_session::<Value>(ServiceType::ItemRemove, &request)
            .await?;
        Ok(())
    }

    async fn destroy_keys(&self, keys: &[KeyId]) -> Result<(), Error> {
        for batch in keys.chunks(MAX_BATCH) {
            let request = DestroyRequest {
                keys: batch.to_vec(),
            };
            self.ask_in_session::<Value>(ServiceType::KeyDestroy, &request)
                .await?;
        }
        Ok(())
    }

    async fn destroy_unit(&self) -> Result<(), Error> {
        self.ask_in_session::<Value>(ServiceType::UnitDestroy, &Nothing {})
            .await?;
        self.set_session(None);
        Ok(())
    }
}

fn factor(state: State, message: Vec<u8>) -> FactorRequest {
    FactorRequest {
        protocol: OPAQUE.into(),
        state,
        p_data: message.into(),
        task: None,
        session_duration: None,
        session_id: None,
        authorization: None,
        authorization_type: None,
    }
}

/// Reads an answer's data; one that refuses becomes the error it names.
fn read<A: DeserializeOwned>(data: Map) -> Result<A, Error> {
    match data.get("success").and_then(Value::as_bool) {
        Some(true) => read_data(data).map_err(untrusted),
        Some(false) => {
            let failure: Failure = read_data(data).map_err(untrusted)?;
            Err(failure.error.into())
        }
        None => Err(Error::Answer("it does not say whether it succeeded".into())),
    }
}

/// Key stretching takes its time and must not hold up the runtime.
async fn stretching<R: Send + 'static>(
    work: impl FnOnce() -> R + Send + 'static,
) -> Result<R, Error> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| Error::Invalid(format!("key stretching was abandoned: {error}")))
}

fn must_be_fit(pin: &Pin) -> Result<(), Error> {
    if pin.is_trivial() {
        return Err(PinError::Trivial.into());
    }
    Ok(())
}

fn must_fit_a_batch(count: usize) -> Result<(), Error> {
    if count > MAX_BATCH {
        return Err(Error::Invalid(format!("at most {MAX_BATCH} at once")));
    }
    Ok(())
}

fn opaque(error: OpaqueError) -> Error {
    Error::Answer(error.to_string())
}

/// A message could not be made here.
fn local(error: EnvelopeError) -> Error {
    match error {
        EnvelopeError::Key(error) => Error::DeviceKey(error),
        other => Error::Invalid(other.to_string()),
    }
}

/// A message from there is not believed.
fn untrusted(error: EnvelopeError) -> Error {
    match error {
        EnvelopeError::Key(error) => Error::DeviceKey(error),
        other => Error::Answer(other.to_string()),
    }
}
