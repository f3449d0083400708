//! A WSCA on a real database and the software device, and phones that speak to it.
#![allow(dead_code, unreachable_pub)]

pub mod device;
pub mod forged;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use clock::ManualClock;
use jiff::{SignedDuration, Timestamp};
use r2ps::Nonce;
use r2ps::envelope::{self, Expected, Protection};
use r2ps::hardening::HardenedPin;
use r2ps::opaque::{Client, SessionKey, Stretching, Transcript};
use r2ps::service::ServiceType;
use sci::{Code, Error, Pin, Sci, Task, UnitId};
use store::Database;
use store::wsca::SqlWscaStore;
use tempfile::TempDir;
use wallet_client::keystore::{DeviceKeystore, SoftwareKeystore};
use wallet_client::sci_remote::{RemoteSci, Transport, TransportError};
use wsca::{Config, DeviceKeys, Reply, Wsca, WscaAdmin, WscaStore};
use wscd::Wscd;
use wscd::software::SoftwareDevice;

pub struct World {
    pub folder: TempDir,
    pub device: Arc<dyn Wscd>,
    pub clock: Arc<ManualClock>,
    pub config: Config,
    pub database: Database,
    pub store: Arc<SqlWscaStore>,
    pub wsca: Arc<Wsca>,
    /// The databases of further nodes, to be closed before files are replaced.
    others: Mutex<Vec<Database>>,
}

impl World {
    pub async fn new() -> Self {
        Self::with(Config::default()).await
    }

    pub async fn with(config: Config) -> Self {
        let device = Arc::new(SoftwareDevice::ephemeral().unwrap());
        Self::on(device, config).await
    }

    pub async fn on(device: Arc<dyn Wscd>, config: Config) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = ManualClock::at("2026-11-22T12:00:00Z".parse().unwrap());
        Self::at(folder, device, Arc::new(clock), config).await
    }

    async fn at(
        folder: TempDir,
        device: Arc<dyn Wscd>,
        clock: Arc<ManualClock>,
        config: Config,
    ) -> Self {
        let database = Database::open(folder.path().join("wsca.db")).await.unwrap();
        let store = Arc::new(SqlWscaStore::new(database.clone()));
        let wsca = Wsca::open(device.clone(), store.clone(), clock.clone(), config.clone())
            .await
            .unwrap();
        Self {
            folder,
            device,
            clock,
            config,
            database,
            store,
            wsca: Arc::new(wsca),
            others: Mutex::default(),
        }
    }

    /// Closes every database, so that nothing is at work on the files any more.
    async fn close(&self) {
        let others = std::mem::take(&mut *self.others.lock().unwrap());
        for other in others {
            other.close().await;
        }
        self.database.close().await;
    }

    /// The same database and clock, and this device.
    pub async fn reopened(
        folder: TempDir,
        device: Arc<dyn Wscd>,
        clock: Arc<ManualClock>,
        config: Config,
    ) -> Self {
        Self::at(folder, device, clock, config).await
    }

    /// The process stops and starts again on the same database and device.
    pub async fn restart(self) -> Self {
        self.close().await;
        Self::at(self.folder, self.device, self.clock, self.config).await
    }

    /// Another process on the same database, device and clock.
    pub async fn second_node(&self) -> Arc<Wsca> {
        let database = Database::open(self.folder.path().join("wsca.db"))
            .await
            .unwrap();
        self.others.lock().unwrap().push(database.clone());
        let store = Arc::new(SqlWscaStore::new(database));
        let node = Wsca::open(
            self.device.clone(),
            store,
            self.clock.clone(),
            self.config.clone(),
        );
        Arc::new(node.await.unwrap())
    }

    pub fn pass(&self, seconds: i64) {
        self.clock.advance(SignedDuration::from_secs(seconds));
    }

    /// A unit that was enrolled and has no PIN yet.
    pub async fn enrolled(&self) -> Phone {
        let keystore = Arc::new(SoftwareKeystore::generate().unwrap());
        let unit = UnitId::random();
        self.wsca.enroll(unit, keys(&*keystore)).await.unwrap();
        self.phone(unit, keystore)
    }

    /// A unit with a PIN.
    pub async fn registered(&self) -> Phone {
        let phone = self.enrolled().await;
        phone.register_pin(&pin(RIGHT)).await.unwrap();
        phone
    }

    /// A unit with a PIN and an open session.
    pub async fn opened(&self, task: Task) -> Phone {
        let phone = self.registered().await;
        phone.open_session(&pin(RIGHT), task).await.unwrap();
        phone
    }

    pub fn phone(&self, unit: UnitId, keystore: Arc<dyn DeviceKeystore>) -> Phone {
        self.phone_at(self.wsca.clone(), unit, keystore)
    }

    pub fn phone_at(
        &self,
        wsca: Arc<Wsca>,
        unit: UnitId,
        keystore: Arc<dyn DeviceKeystore>,
    ) -> Phone {
        let service = wsca.service().clone();
        let wire = Wire {
            wsca,
            sent: Arc::default(),
        };
        let sci = RemoteSci::new(
            wire.clone(),
            service,
            unit,
            keystore.clone(),
            self.clock.clone(),
        )
        .with_opaque(Client::with_stretching(Stretching::weak_for_tests()));
        Phone {
            sci,
            wire,
            unit,
            keystore,
        }
    }

    /// Copies the database's files as they are now.
    pub async fn copy_database(&self) -> Copy {
        Copy::of(self.folder.path())
    }

    /// Puts an earlier copy back, with the process stopped, and starts again.
    pub async fn restore_and_restart(self, copy: &Copy) -> Self {
        self.close().await;
        copy.put_back(self.folder.path());
        Self::at(self.folder, self.device, self.clock, self.config).await
    }

    /// Puts an earlier copy of the tables in place of what is there, as a restored
    /// backup does while the nodes run.
    pub async fn put_back_while_running(&self, copy: &Copy) {
        let folder = tempfile::tempdir().unwrap();
        for (path, content) in &copy.0 {
            std::fs::write(folder.path().join(path.file_name().unwrap()), content).unwrap();
        }
        let database = Database::open(folder.path().join("wsca.db")).await.unwrap();
        let earlier = SqlWscaStore::new(database.clone());
        let mut writes = vec![];
        for shard in 0..self.config.shards {
            writes.extend(earlier.shard(shard).await.unwrap().map(wsca::Write::Shard));
            for member in earlier.members(shard, None, 10_000).await.unwrap() {
                let then = earlier.holdings(member.unit).await.unwrap().unwrap();
                let now = self.store.holdings(member.unit).await.unwrap().unwrap();
                let gone = now
                    .keys
                    .iter()
                    .filter(|key| then.keys.iter().all(|earlier| earlier.id != key.id));
                writes.extend(gone.map(|key| wsca::Write::RemoveKey(key.unit, key.id)));
                writes.push(wsca::Write::Unit(Box::new(then.unit)));
                writes.extend(then.keys.into_iter().map(wsca::Write::Key));
                writes.push(wsca::Write::RemoveItems(member.unit));
                writes.extend(then.items.into_iter().map(wsca::Write::Item));
            }
        }
        database.close().await;
        let batch = wsca::Batch {
            guards: vec![],
            writes,
        };
        self.store.commit(batch).await.unwrap();
    }

    /// Writes a unit's row as someone who can write the database does.
    pub async fn tamper(&self, row: wsca::UnitRow) {
        let batch = wsca::Batch {
            guards: vec![],
            writes: vec![wsca::Write::Unit(Box::new(row))],
        };
        self.store.commit(batch).await.unwrap();
    }

    pub async fn row(&self, unit: UnitId) -> wsca::UnitRow {
        self.store.holdings(unit).await.unwrap().unwrap().unit
    }

    /// How many evaluations of this unit were counted, by the audit log.
    pub async fn evaluations(&self, unit: UnitId) -> usize {
        let rows = self.store.audit(0, 100_000).await.unwrap();
        rows.iter()
            .filter(|row| {
                row.entry.unit == Some(unit) && row.entry.operation.ends_with(" evaluate")
            })
            .count()
    }
}

/// The database's files at one moment.
pub struct Copy(Vec<(PathBuf, Vec<u8>)>);

impl Copy {
    fn of(folder: &Path) -> Self {
        let files = std::fs::read_dir(folder).unwrap().map(|entry| {
            let path = entry.unwrap().path();
            let content = std::fs::read(&path).unwrap();
            (path, content)
        });
        Self(files.collect())
    }

    fn put_back(&self, folder: &Path) {
        for entry in std::fs::read_dir(folder).unwrap() {
            std::fs::remove_file(entry.unwrap().path()).unwrap();
        }
        for (path, content) in &self.0 {
            std::fs::write(path, content).unwrap();
        }
    }
}

/// A phone: what speaks [`Sci`], and what an attacker would see of it.
pub struct Phone {
    pub sci: RemoteSci<Wire>,
    pub wire: Wire,
    pub unit: UnitId,
    pub keystore: Arc<dyn DeviceKeystore>,
}

impl std::ops::Deref for Phone {
    type Target = RemoteSci<Wire>;

    fn deref(&self) -> &Self::Target {
        &self.sci
    }
}

impl Phone {
    /// Another phone's hands on this unit: requests for it, signed by `keystore`.
    pub fn impersonated(&self, world: &World, keystore: Arc<dyn DeviceKeystore>) -> Phone {
        world.phone_at(self.wire.wsca.clone(), self.unit, keystore)
    }

    async fn hardened(&self, digits: &str) -> HardenedPin {
        let context = &self.wire.wsca.service().context;
        let device = self.keystore.agreement();
        r2ps::hardening::harden(&pin(digits), self.unit, context, device)
            .await
            .unwrap()
    }

    /// The first message of a login with this PIN.
    pub async fn login_message(&self, digits: &str) -> Vec<u8> {
        let hardened = self.hardened(digits).await;
        Client::default().start_login(&hardened).unwrap().message
    }

    /// The first message of a registration or a change to this PIN.
    pub async fn registration_message(&self, digits: &str) -> Vec<u8> {
        let hardened = self.hardened(digits).await;
        Client::default()
            .start_registration(&hardened)
            .unwrap()
            .message
    }

    /// A request that possession alone protects, made by hand.
    pub async fn seal(&self, kind: ServiceType, data: serde_json::Value, now: Timestamp) -> String {
        self.seal_with(kind, data, now, &Nonce::random().unwrap())
            .await
    }

    pub async fn seal_with(
        &self,
        kind: ServiceType,
        data: serde_json::Value,
        now: Timestamp,
        nonce: &Nonce,
    ) -> String {
        let service = self.wire.wsca.service();
        let client = self.unit.to_string();
        let protection = Protection::OneFactor {
            recipient: &service.agreement,
            from: &client,
            to: &service.context,
        };
        let data = data.as_object().unwrap().clone();
        let signer = self.keystore.signing();
        envelope::seal_request(protection, kind, data, nonce, now, signer)
            .await
            .unwrap()
    }

    /// Sends a request made by hand, and reads the data of its answer.
    pub async fn send(
        &self,
        world: &World,
        kind: ServiceType,
        data: serde_json::Value,
    ) -> Result<jose::Map, Code> {
        let now = clock::Clock::now(&*world.clock);
        let nonce = Nonce::random().unwrap();
        let request = self.seal_with(kind, data, now, &nonce).await;
        self.answer_to(world, &request, &nonce).await
    }

    pub async fn answer_to(
        &self,
        world: &World,
        request: &str,
        nonce: &Nonce,
    ) -> Result<jose::Map, Code> {
        let answer = match self.wire.wsca.handle(request.as_bytes()).await {
            Reply::Answer(text) => text,
            Reply::Refused(problem) => return Err(problem.code),
        };
        let expected = Expected {
            service: self.wire.wsca.service(),
            client_id: &self.unit.to_string(),
            nonce,
            now: clock::Clock::now(&*world.clock),
        };
        let data = expected
            .open_with(answer.as_bytes(), self.keystore.agreement())
            .await
            .unwrap();
        said(data)
    }

    /// Sends a request made by hand in a session, and reads the data of its answer.
    pub async fn send_in(
        &self,
        world: &World,
        session_id: &str,
        key: &SessionKey,
        kind: ServiceType,
        data: serde_json::Value,
    ) -> Result<jose::Map, Code> {
        let now = clock::Clock::now(&*world.clock);
        let nonce = Nonce::random().unwrap();
        let data = data.as_object().unwrap().clone();
        let signer = self.keystore.signing();
        let protection = Protection::TwoFactor { session_id, key };
        let request = envelope::seal_request(protection, kind, data, &nonce, now, signer)
            .await
            .unwrap();
        let answer = match self.wire.wsca.handle(request.as_bytes()).await {
            Reply::Answer(text) => text,
            Reply::Refused(problem) => return Err(problem.code),
        };
        let expected = Expected {
            service: self.wire.wsca.service(),
            client_id: &self.unit.to_string(),
            nonce: &nonce,
            now,
        };
        said(
            expected
                .open_in_session(answer.as_bytes(), session_id, key)
                .unwrap(),
        )
    }

    /// The first half of a login with this PIN, and no second.
    pub async fn evaluate_login(&self, world: &World, digits: &str) -> Result<jose::Map, Code> {
        let message = self.login_message(digits).await;
        self.send(
            world,
            ServiceType::CreateSession,
            evaluate(&message, Some("issuance")),
        )
        .await
    }

    /// Opens a session as a phone does, and hands its key out.
    pub async fn open_by_hand(&self, world: &World, task: Task) -> (String, SessionKey) {
        let client = Client::with_stretching(Stretching::weak_for_tests());
        let hardened = self.hardened(RIGHT).await;
        let started = client.start_login(&hardened).unwrap();
        let data = evaluate(&started.message, Some(task.name()));
        let answer = self
            .send(world, ServiceType::CreateSession, data)
            .await
            .unwrap();
        let session_id = answer["session_id"].as_str().unwrap().to_owned();
        let transcript = Transcript {
            unit: self.unit,
            context: &self.wire.wsca.service().context,
            signing_key: self.keystore.signing().public_key().thumbprint(),
            task,
            session_id: &session_id,
        };
        let p_data = jose::b64::decode_std(answer["p_data"].as_str().unwrap()).unwrap();
        let (proof, key) = client
            .finish_login(started, &hardened, &p_data, transcript)
            .unwrap();
        let data = serde_json::json!({
            "protocol": "opaque",
            "state": "finalize",
            "session_id": session_id,
            "p_data": jose::b64::encode_std(proof),
        });
        self.send(world, ServiceType::CreateSession, data)
            .await
            .unwrap();
        (session_id, key)
    }

    /// The first half of a registration, and no second.
    pub async fn evaluate_registration(&self, world: &World) -> Result<jose::Map, Code> {
        let message = self.registration_message(WRONG).await;
        self.send(world, ServiceType::Registration, evaluate(&message, None))
            .await
    }
}

/// An answer's data, or the code it refuses with.
fn said(data: jose::Map) -> Result<jose::Map, Code> {
    match data["success"].as_bool().unwrap() {
        true => Ok(data),
        false => Err(serde_json::from_value(data["error"]["code"].clone()).unwrap()),
    }
}

/// The data of a first half.
pub fn evaluate(message: &[u8], task: Option<&str>) -> serde_json::Value {
    let mut data = serde_json::json!({
        "protocol": "opaque",
        "state": "evaluate",
        "p_data": jose::b64::encode_std(message),
    });
    if let Some(task) = task {
        data["task"] = task.into();
    }
    data
}

/// The way to the WSCA; it remembers what passed.
#[derive(Debug, Clone)]
pub struct Wire {
    pub wsca: Arc<Wsca>,
    pub sent: Arc<Mutex<Vec<String>>>,
}

impl Wire {
    pub fn last(&self) -> String {
        self.sent.lock().unwrap().last().unwrap().clone()
    }
}

#[async_trait]
impl Transport for Wire {
    async fn post(&self, request: String) -> Result<Vec<u8>, TransportError> {
        self.sent.lock().unwrap().push(request.clone());
        match self.wsca.handle(request.as_bytes()).await {
            Reply::Answer(text) => Ok(text.into_bytes()),
            Reply::Refused(problem) => Err(TransportError::Refused(problem)),
        }
    }
}

pub const RIGHT: &str = "493827";
pub const WRONG: &str = "493828";

pub fn pin(digits: &str) -> Pin {
    Pin::new(digits).unwrap()
}

pub fn keys(keystore: &dyn DeviceKeystore) -> DeviceKeys {
    DeviceKeys {
        sign: keystore.signing().public_key().clone(),
        agree: keystore.agreement().public_key().clone(),
    }
}

/// The code of a refusal; anything else fails the test.
#[track_caller]
pub fn code<T: std::fmt::Debug>(result: Result<T, Error>) -> Code {
    match result {
        Err(Error::Refused { code, .. }) => code,
        other => panic!("not a refusal: {other:?}"),
    }
}

/// The plain refusal of bytes that are no answerable request.
#[track_caller]
pub fn refused(reply: Reply) -> Code {
    match reply {
        Reply::Refused(problem) => problem.code,
        Reply::Answer(_) => panic!("it was answered"),
    }
}

impl World {
    pub async fn store_key(&self, unit: UnitId, id: sci::KeyId) -> wsca::KeyRow {
        let holdings = self.store.holdings(unit).await.unwrap().unwrap();
        holdings.keys.into_iter().find(|key| key.id == id).unwrap()
    }
}

impl World {
    pub async fn store_exchange(&self, id: &str) -> Option<wsca::ExchangeRow> {
        self.store.exchange(id).await.unwrap()
    }
}
