//! A WSCA on a device, phones that speak to it, and the parts that an answer is made
//! of, done by hand.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use clock::{Clock, SystemClock};
use r2ps::Nonce;
use r2ps::envelope::{self, Protection, SealedRequest};
use r2ps::opaque::{Client, SessionKey, Stretching, Transcript};
use r2ps::service::ServiceType;
use sci::{KeyId, KeyInfo, Pin, Sci, Task, UnitId};
use serde_json::json;
use store::Database;
use store::wsca::SqlWscaStore;
use wallet_client::keystore::{DeviceKeystore, SoftwareKeystore};
use wallet_client::sci_remote::{RemoteSci, Transport, TransportError};
use wsca::audit::Entry;
use wsca::{Batch, Config, DeviceKeys, KeyRow, NonceRow, Reply, Write, Wsca, WscaAdmin, WscaStore};
use wscd::{DeviceSigner, KeyName, SignItem, UnitBinding, Wscd};

#[derive(Debug)]
pub(crate) struct House {
    pub(crate) wsca: Arc<Wsca>,
    pub(crate) device: Arc<dyn Wscd>,
    store: Arc<SqlWscaStore>,
    answers: DeviceSigner,
    clock: Arc<SystemClock>,
}

pub(crate) fn pin() -> Pin {
    Pin::choose("493827").unwrap()
}

impl House {
    pub(crate) async fn open(device: Arc<dyn Wscd>, folder: &Path) -> Self {
        let database = Database::open(folder.join("bench.db")).await.unwrap();
        let store = Arc::new(SqlWscaStore::new(database));
        let clock = Arc::new(SystemClock);
        let config = Config::default();
        let wsca = Wsca::open(device.clone(), store.clone(), clock.clone(), config);
        let wsca = Arc::new(wsca.await.unwrap());
        let name = KeyName::new("bench-answers").unwrap();
        let answers = DeviceSigner::open(device.clone(), name, jose::Curve::P256);
        Self {
            wsca,
            answers: answers.await.unwrap(),
            device,
            store,
            clock,
        }
    }

    pub(crate) async fn phone(&self) -> Phone {
        let keystore = Arc::new(SoftwareKeystore::generate().unwrap());
        let unit = UnitId::random();
        let keys = DeviceKeys {
            sign: keystore.signing().public_key().clone(),
            agree: keystore.agreement().public_key().clone(),
        };
        self.wsca.enroll(unit, keys).await.unwrap();
        let sci = RemoteSci::new(
            Wire(self.wsca.clone()),
            self.wsca.service().clone(),
            unit,
            keystore.clone(),
            self.clock.clone(),
        )
        .with_opaque(Client::with_stretching(Stretching::weak_for_tests()));
        sci.register_pin(&pin()).await.unwrap();
        Phone {
            sci,
            unit,
            keystore,
        }
    }

    pub(crate) async fn handle(&self, request: &str) {
        match self.wsca.handle(request.as_bytes()).await {
            Reply::Answer(_) => {}
            Reply::Refused(problem) => panic!("{problem}"),
        }
    }

    /// The parts of an answer to `key_sign`.
    pub(crate) async fn parts(
        &self,
        phone: &Phone,
        session: &(String, SessionKey),
        request: &str,
        keys: &[KeyInfo],
    ) -> Duration {
        let holdings = self.store.holdings(phone.unit).await.unwrap().unwrap();
        let (unit, wrapping, all) = super::as_the_device_takes(&holdings);
        let digest = [7; 32];
        let items: Vec<SignItem<'_>> = keys
            .iter()
            .map(|key| SignItem {
                key: all
                    .iter()
                    .find(|held| held.public == key.public_key)
                    .unwrap(),
                digest: &digest,
            })
            .collect();
        let begun = Instant::now();
        let nonce = self.opened(phone, session, request);
        let unit = UnitBinding(unit);
        let signed = self.device.sign_digests(&unit, &wrapping, &items);
        let signed = signed.await.unwrap();
        let signatures: Vec<String> = signed.iter().map(jose::b64::encode_std).collect();
        let data = json!({"success": true, "signatures": signatures});
        self.written(phone.unit, &nonce, keys.len(), vec![]).await;
        self.sealed(session, data, &nonce).await;
        begun.elapsed()
    }

    /// The parts of an answer to `key_generate`.
    pub(crate) async fn parts_of_making(
        &self,
        phone: &Phone,
        session: &(String, SessionKey),
        request: &str,
        count: usize,
    ) -> Duration {
        let holdings = self.store.holdings(phone.unit).await.unwrap().unwrap();
        let (unit, wrapping, _) = super::as_the_device_takes(&holdings);
        let begun = Instant::now();
        let nonce = self.opened(phone, session, request);
        let unit = UnitBinding(unit);
        let made = self
            .device
            .generate(&unit, &wrapping, jose::Curve::P256, count);
        let made = made.await.unwrap();
        let rows = made.iter().map(|key| {
            Write::Key(KeyRow {
                unit: phone.unit,
                id: KeyId::random(),
                public_key: key.public.to_spki_der(),
                wrapped: Some(key.wrapped.0.clone()),
                created: self.clock.now(),
                erased_with: None,
            })
        });
        self.written(phone.unit, &nonce, count, rows.collect())
            .await;
        // As long as what is told of the keys.
        let keys: Vec<_> = made
            .iter()
            .map(|key| json!({"id": phone.unit, "public_key": key.public.to_jwk(), "state": "active", "created": "2026-11-22T12:00:00Z"}))
            .collect();
        self.sealed(session, json!({"success": true, "keys": keys}), &nonce)
            .await;
        begun.elapsed()
    }

    fn opened(&self, phone: &Phone, session: &(String, SessionKey), request: &str) -> Nonce {
        let sealed = SealedRequest::parse(request.as_bytes()).unwrap();
        let public = phone.keystore.signing().public_key();
        let opened = sealed.open_in_session(&session.1).unwrap();
        opened.verify(public, self.clock.now()).unwrap().nonce
    }

    /// One durable write: the nonce, the audit entries, and what there is besides.
    async fn written(&self, unit: UnitId, nonce: &Nonce, entries: usize, others: Vec<Write>) {
        let now = self.clock.now();
        let entry = Entry {
            at: now,
            unit: Some(unit),
            operation: "key_sign".into(),
            key: Some("NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs".into()),
            outcome: "ok".into(),
        };
        let mut writes = vec![Write::Nonce(NonceRow {
            unit,
            nonce: nonce.as_bytes().to_vec(),
            until: now,
            now,
        })];
        writes.extend(std::iter::repeat_n(entry, entries).map(Write::Audit));
        writes.extend(others);
        let batch = Batch {
            guards: vec![],
            writes,
        };
        self.store.commit(batch).await.unwrap();
    }

    async fn sealed(&self, session: &(String, SessionKey), data: serde_json::Value, nonce: &Nonce) {
        let protection = Protection::TwoFactor {
            session_id: &session.0,
            key: &session.1,
        };
        let data = data.as_object().unwrap().clone();
        envelope::seal_response(protection, data, nonce, self.clock.now(), &self.answers)
            .await
            .unwrap();
    }

    /// Every unit with its keys, as the device takes them.
    pub(crate) async fn everything(
        &self,
    ) -> Vec<([u8; 16], wscd::WrappedUnitKey, Vec<wscd::UserKey>)> {
        let mut found = vec![];
        for shard in 0..Config::default().shards {
            for member in self.store.members(shard, None, 10_000).await.unwrap() {
                let holdings = self.store.holdings(member.unit).await.unwrap().unwrap();
                found.push(super::as_the_device_takes(&holdings));
            }
        }
        found
    }
}

/// A phone, its unit and its keys.
pub(crate) struct Phone {
    pub(crate) sci: RemoteSci<Wire>,
    unit: UnitId,
    keystore: Arc<SoftwareKeystore>,
}

impl Phone {
    pub(crate) async fn sign_request(
        &self,
        house: &House,
        session: &(String, SessionKey),
        keys: &[KeyInfo],
    ) -> String {
        let digest = jose::b64::encode_std([7; 32]);
        let items: Vec<_> = keys
            .iter()
            .map(|key| json!({"key": key.id, "digest": digest}))
            .collect();
        self.request(
            house,
            session,
            ServiceType::KeySign,
            json!({"items": items}),
        )
        .await
    }

    pub(crate) async fn generate_request(
        &self,
        house: &House,
        session: &(String, SessionKey),
        count: usize,
    ) -> String {
        let data = json!({"count": count, "crv": "P-256"});
        self.request(house, session, ServiceType::KeyGenerate, data)
            .await
    }

    async fn request(
        &self,
        house: &House,
        session: &(String, SessionKey),
        kind: ServiceType,
        data: serde_json::Value,
    ) -> String {
        let protection = Protection::TwoFactor {
            session_id: &session.0,
            key: &session.1,
        };
        let data = data.as_object().unwrap().clone();
        let nonce = Nonce::random().unwrap();
        let signer = self.keystore.signing();
        envelope::seal_request(protection, kind, data, &nonce, house.clock.now(), signer)
            .await
            .unwrap()
    }

    /// Opens a session whose key is in our hands.
    pub(crate) async fn open_by_hand(&self, house: &House) -> (String, SessionKey) {
        let service = house.wsca.service().clone();
        let client = Client::with_stretching(Stretching::weak_for_tests());
        let device = self.keystore.agreement();
        let hardened = r2ps::hardening::harden(&pin(), self.unit, &service.context, device)
            .await
            .unwrap();
        let started = client.start_login(&hardened).unwrap();
        let first = json!({
            "protocol": "opaque", "state": "evaluate", "task": "issuance",
            "p_data": jose::b64::encode_std(&started.message),
        });
        let answer = self.ask(house, first).await;
        let session_id = answer["session_id"].as_str().unwrap().to_owned();
        let transcript = Transcript {
            unit: self.unit,
            context: &service.context,
            signing_key: self.keystore.signing().public_key().thumbprint(),
            task: Task::Issuance,
            session_id: &session_id,
        };
        let p_data = jose::b64::decode_std(answer["p_data"].as_str().unwrap()).unwrap();
        let (proof, key) = client
            .finish_login(started, &hardened, &p_data, transcript)
            .unwrap();
        let last = json!({
            "protocol": "opaque", "state": "finalize", "session_id": session_id,
            "p_data": jose::b64::encode_std(proof),
        });
        self.ask(house, last).await;
        (session_id, key)
    }

    async fn ask(&self, house: &House, data: serde_json::Value) -> jose::Map {
        let service = house.wsca.service().clone();
        let client = self.unit.to_string();
        let protection = Protection::OneFactor {
            recipient: &service.agreement,
            from: &client,
            to: &service.context,
        };
        let data = data.as_object().unwrap().clone();
        let (nonce, now) = (Nonce::random().unwrap(), house.clock.now());
        let signer = self.keystore.signing();
        let kind = ServiceType::CreateSession;
        let request = envelope::seal_request(protection, kind, data, &nonce, now, signer)
            .await
            .unwrap();
        let Reply::Answer(answer) = house.wsca.handle(request.as_bytes()).await else {
            panic!("it was refused");
        };
        let expected = envelope::Expected {
            service: &service,
            client_id: &client,
            nonce: &nonce,
            now: house.clock.now(),
        };
        let agreement = self.keystore.agreement();
        expected
            .open_with(answer.as_bytes(), agreement)
            .await
            .unwrap()
    }
}

#[derive(Debug)]
pub(crate) struct Wire(Arc<Wsca>);

#[async_trait]
impl Transport for Wire {
    async fn post(&self, request: String) -> Result<Vec<u8>, TransportError> {
        match self.0.handle(request.as_bytes()).await {
            Reply::Answer(text) => Ok(text.into_bytes()),
            Reply::Refused(problem) => Err(TransportError::Refused(problem)),
        }
    }
}

/// Times of the same thing.
pub(crate) struct Measured {
    pub(crate) median: Duration,
}

impl Measured {
    pub(crate) fn of(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        Self {
            median: times[times.len() / 2],
        }
    }
}

impl std::fmt::Debug for Measured {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.median.fmt(f)
    }
}
