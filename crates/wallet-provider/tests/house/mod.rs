//! A wallet provider on a real database and a real folder, beside a WSCA that
//! signs real statements and obeys the test.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

use std::collections::HashSet;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use async_trait::async_trait;
use claviger_fixtures::TestKey;
use clock::{Clock, ManualClock};
use jiff::SignedDuration;
use jose::{Curve, PublicKey, Signer};
use provider_api::*;
use sci::{
    ActivationInfo, Architecture, Assurance, AttackPotential, Descriptor, KeyId, PinRules,
    StatedKey, StatementClaims, UnitId, WscaProvider,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use status_list::{Reference, StatusListCheck, UnverifiedStatusList};
use store::Database;
use store::provider::SqlProviderStore;
use wallet_provider::*;
use wsca::{AdminError, DeviceKeys, ServiceIdentity, WscaAdmin};
use zeroize::Zeroizing;

pub const BASE: &str = "https://provider.example/wallet/v1";
pub const STATUS: &str = "https://provider.example/status";

/// What outlives a crash: the folder, the keys, the WSCA, the time.
pub struct House {
    pub folder: PathBuf,
    temporary: Option<tempfile::TempDir>,
    pub clock: Arc<ManualClock>,
    pub wsca: Arc<TestWsca>,
    pub lists: Arc<TestLists>,
    /// A database on a server, where the house has one there.
    pub server: Option<claviger_fixtures::postgres::Database>,
    /// Where the database is, if that is told to the house from outside.
    pub address: Option<String>,
    pub seal: Arc<TestKey>,
    pub keys: Arc<Keyring>,
    pub answers: Arc<TestKey>,
    pub agreement: Arc<TestKey>,
    pub index_secret: u8,
    pub tune: fn(&mut Config),
    /// How many nodes a start starts.
    pub nodes: usize,
}

/// A process: it can be dropped at any moment.
#[derive(Debug)]
pub struct Running {
    pub provider: Nodes,
    pub database: Database,
}

/// The provider; or several on one database, each of which is asked in its turn.
#[derive(Debug)]
pub struct Nodes {
    nodes: Vec<WalletProvider>,
    turn: AtomicUsize,
}

impl std::ops::Deref for Nodes {
    type Target = WalletProvider;

    fn deref(&self) -> &WalletProvider {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        &self.nodes[turn % self.nodes.len()]
    }
}

impl Nodes {
    /// All of them: what a process keeps in its own memory is told to each.
    pub fn each(&self) -> &[WalletProvider] {
        &self.nodes
    }

    /// Each has read this list of revoked attestation keys.
    pub fn read_revocation_list(&self, text: &str, at: jiff::Timestamp) {
        for node in &self.nodes {
            let list = device_evidence::android::RevocationList::from_json(text.as_bytes(), at);
            node.set_revocation_list(list.unwrap());
        }
    }

    /// The only one.
    pub fn into_one(mut self) -> WalletProvider {
        assert_eq!(self.nodes.len(), 1);
        self.nodes.remove(0)
    }
}

/// With `two-nodes` in this variable every house is on PostgreSQL and has two nodes;
/// but for those of which a test looks into the memory of a process ([`House::alone`]).
const VARIABLE: &str = "CLAVIGER_HOUSE";

fn two_nodes() -> bool {
    std::env::var(VARIABLE).is_ok_and(|value| value == "two-nodes")
}

impl House {
    pub fn new() -> Self {
        Self::tuned(|_| {})
    }

    pub fn tuned(tune: fn(&mut Config)) -> Self {
        let mut house = Self::alone(tune);
        if two_nodes() {
            house.server = Some(claviger_fixtures::postgres::database().unwrap());
            house.nodes = 2;
        }
        house
    }

    /// A house of one process, whatever the variable says.
    pub fn alone(tune: fn(&mut Config)) -> Self {
        let temporary = tempfile::tempdir().unwrap();
        let mut house = Self::at(temporary.path(), tune);
        house.temporary = Some(temporary);
        house
    }

    /// A house in a folder that somebody else looks after.
    pub fn at(folder: &Path, tune: fn(&mut Config)) -> Self {
        let key = || Arc::new(TestKey::generate(Curve::P256));
        let (seal, answers) = (key(), key());
        Self {
            folder: folder.to_owned(),
            temporary: None,
            clock: Arc::new(ManualClock::at("2026-11-22T12:34:56Z".parse().unwrap())),
            wsca: Arc::new(TestWsca::new()),
            keys: Arc::new(keyring(&seal, &answers)),
            seal,
            answers,
            lists: Arc::default(),
            server: None,
            address: None,
            agreement: key(),
            index_secret: 7,
            tune,
            nodes: 1,
        }
    }

    pub async fn start(&self) -> Running {
        let lists = FolderPublisher::new(self.folder.join("lists")).unwrap();
        self.start_with(Arc::new(lists)).await
    }

    pub async fn start_with(&self, publisher: Arc<dyn Publisher>) -> Running {
        self.try_start(publisher).await.unwrap()
    }

    /// As [`House::start`], with a configuration that no plain function makes.
    pub async fn start_configured(&self, more: impl FnOnce(&mut Config)) -> Running {
        let lists = FolderPublisher::new(self.folder.join("lists")).unwrap();
        self.try_start_configured(Arc::new(lists), more)
            .await
            .unwrap()
    }

    pub async fn try_start(&self, publisher: Arc<dyn Publisher>) -> Result<Running, ConfigError> {
        self.try_start_configured(publisher, |_| {}).await
    }

    /// As [`House::start_configured`], of what may be refused.
    pub async fn try_start_configured_with(
        &self,
        more: impl FnOnce(&mut Config),
    ) -> Result<Running, ConfigError> {
        let lists = FolderPublisher::new(self.folder.join("lists")).unwrap();
        self.try_start_configured(Arc::new(lists), more).await
    }

    async fn try_start_configured(
        &self,
        publisher: Arc<dyn Publisher>,
        more: impl FnOnce(&mut Config),
    ) -> Result<Running, ConfigError> {
        let solution = WalletSolution {
            client_id: "https://wallet.example".into(),
            name: "Example Wallet".into(),
            link: Some("https://wallet.example/about".into()),
            certification: json!({ "certified": false }),
        };
        let mut config = Config::new(BASE, solution);
        config.status_url = STATUS.into();
        config.accept_no_evidence = true;
        config.accept_uncertified_wsca = true;
        config.list_size = 10_000;
        config.block_size = 50;
        (self.tune)(&mut config);
        more(&mut config);
        let mut running = Vec::new();
        for _ in 0..self.nodes {
            let database = self.open_database().await;
            let node = self.node(config.clone(), database.clone(), publisher.clone())?;
            running.push((node, database));
        }
        let database = running[0].1.clone();
        let provider = Nodes {
            nodes: running.into_iter().map(|(node, _)| node).collect(),
            turn: AtomicUsize::new(0),
        };
        Ok(Running { provider, database })
    }

    fn node(
        &self,
        config: Config,
        database: Database,
        publisher: Arc<dyn Publisher>,
    ) -> Result<WalletProvider, ConfigError> {
        WalletProvider::new(Parts {
            config,
            store: Arc::new(SqlProviderStore::new(database.clone())),
            revocations: Arc::new(SqlProviderStore::new(database.clone())),
            pid_providers: Some(self.lists.clone()),
            wsca: self.wsca.clone(),
            publisher,
            clock: self.clock.clone(),
            keys: self.keys.clone(),
            agreement_key: self.agreement.clone(),
            index_secret: IndexSecret::new(Zeroizing::new([self.index_secret; 32])),
        })
    }

    /// The provider's memory, to be looked into.
    pub fn store(&self, running: &Running) -> SqlProviderStore {
        SqlProviderStore::new(running.database.clone())
    }

    pub async fn open_database(&self) -> Database {
        let address = match (&self.address, &self.server) {
            (Some(address), _) => PathBuf::from(address),
            (None, Some(server)) => PathBuf::from(server.url()),
            (None, None) => self.folder.join("claviger.db"),
        };
        Database::open(address).await.unwrap()
    }

    /// A house on each kind of database that is here. Where there is no PostgreSQL, it
    /// says so.
    pub fn on_each() -> Vec<Self> {
        Self::on_each_tuned(|_| {})
    }

    pub fn on_each_tuned(tune: fn(&mut Config)) -> Vec<Self> {
        let mut houses = vec![Self::tuned(tune)];
        if two_nodes() {
            return houses;
        }
        if let Some(server) = claviger_fixtures::postgres::database() {
            let mut house = Self::tuned(tune);
            house.server = Some(server);
            houses.push(house);
        }
        houses
    }

    /// The answer in `text`, as the app that pinned the provider's key reads it.
    pub fn read<T: DeserializeOwned>(&self, text: &str, in_reply_to: &str) -> T {
        let pinned = Signer::public_key(self.answers.as_ref());
        SignedAnswer::verify(text, pinned, BASE, in_reply_to, self.clock.now()).unwrap()
    }

    pub fn pass(&self, seconds: i64) {
        self.clock.advance(SignedDuration::from_secs(seconds));
    }

    /// Whether the published list says that the entry is revoked.
    pub fn revoked(&self, reference: &Reference) -> bool {
        !self
            .published(reference)
            .status(reference)
            .unwrap()
            .is_valid()
    }

    /// The published list that the reference is into. Its two forms say the same.
    pub fn published(&self, reference: &Reference) -> status_list::VerifiedStatusList {
        let [jwt, cwt] = [TokenFormat::Jwt, TokenFormat::Cwt].map(|format| {
            let token = std::fs::read(self.file(&reference.uri, format)).unwrap();
            let key = Signer::public_key(self.seal.as_ref());
            UnverifiedStatusList::parse_as(format, &token, &status_list::Limits::default())
                .unwrap()
                .verify(&StatusListCheck::new(&reference.uri, key, self.clock.now()))
                .unwrap()
        });
        assert_eq!(jwt.list(), cwt.list());
        assert_eq!(
            (jwt.issued(), jwt.expires(), jwt.ttl()),
            (cwt.issued(), cwt.expires(), cwt.ttl())
        );
        for token in [&jwt, &cwt] {
            assert_eq!(token.aggregation_uri(), Some(STATUS));
        }
        jwt
    }

    /// Whether the published list says so in this form, whatever the other form says.
    pub fn tells(&self, reference: &Reference, format: TokenFormat) -> bool {
        let token = std::fs::read(self.file(&reference.uri, format)).unwrap();
        let key = Signer::public_key(self.seal.as_ref());
        let list = UnverifiedStatusList::parse(&token, &status_list::Limits::default())
            .unwrap()
            .verify(&StatusListCheck::new(&reference.uri, key, self.clock.now()))
            .unwrap();
        !list.status(reference).unwrap().is_valid()
    }

    /// The file of the list at this address.
    pub fn file(&self, uri: &str, format: TokenFormat) -> PathBuf {
        let name = uri.strip_prefix(STATUS).unwrap().trim_start_matches('/');
        let lists = FolderPublisher::new(self.folder.join("lists")).unwrap();
        lists.path(name, format)
    }

    pub fn lists(&self) -> usize {
        let files = files(&self.folder.join("lists"));
        files.iter().filter(|name| name.ends_with(".jwt")).count()
    }
}

/// One key for attestations and status lists, which outlasts every test.
fn keyring(seal: &Arc<TestKey>, answers: &Arc<TestKey>) -> Keyring {
    let of = |purpose| {
        let seal = self::seal(seal, "2020-01-01T00:00:00Z", "2049-01-01T00:00:00Z");
        Generation::new(purpose, 0, seal).unwrap()
    };
    Keyring::new(KeySet {
        generations: [of(KeyPurpose::Attestations), of(KeyPurpose::Status)]
            .into_iter()
            .collect(),
        answers: AnswerKeys::first(answers.clone()),
    })
    .unwrap()
}

/// A key with a certificate of its own making, which lasts from `from` to `to`.
pub fn seal(key: &Arc<TestKey>, from: &str, to: &str) -> Seal {
    let subject = pki::Subject::legal("BE", "Example", "NTRBE-0123456789", "Example Wallet");
    let public = Signer::public_key(key.as_ref()).clone();
    let (from, to) = (from.parse().unwrap(), to.parse().unwrap());
    let request = pki::Request::new(pki::Profile::Wallet, subject, public, from, to);
    // A test key signs at once, so that one look at the future is enough.
    let mut issuing = pin!(pki::issue(&request, pki::Issuer::Itself(key.as_ref())));
    let mut context = Context::from_waker(Waker::noop());
    let Poll::Ready(certificate) = issuing.as_mut().poll(&mut context) else {
        panic!("the test key made somebody wait");
    };
    Seal {
        signer: key.clone(),
        chain: vec![certificate.unwrap().der().to_vec()],
    }
}

impl Running {
    /// Puts a statement to the database, past the provider.
    pub async fn sql(&self, statement: &'static str) {
        self.write(vec![store::sql::query(statement)]).await;
    }

    /// Puts statements to the database, in one transaction.
    pub async fn write(&self, statements: Vec<store::sql::Query>) {
        let done: Result<(), store::Error> = self
            .database
            .write(move |tx| {
                Box::pin(async move {
                    for statement in statements {
                        statement.execute(tx).await?;
                    }
                    Ok(())
                })
            })
            .await;
        done.unwrap();
    }

    /// Operational units without phones: rows, of this model and version.
    pub async fn seed(&self, count: usize, model: &'static str, version: &'static str) {
        let key = Signer::public_key(&TestKey::generate(Curve::P256)).to_spki_der();
        let mut statements = vec![store::sql::query(
            "INSERT INTO account (alias, created_at) VALUES ('seeded', 0)
                 ON CONFLICT DO NOTHING",
        )];
        for _ in 0..count {
            let unit = UnitId::random();
            let thumbprint = |which: &[u8]| jose::sha256(&[unit.as_bytes(), which].concat());
            statements.push(
                store::sql::query(
                    "INSERT INTO unit (id, account, state, signing_key, signing_thumbprint,
                         agreement_key, agreement_thumbprint, evidence, wallet_version,
                         created_at, device_model)
                     SELECT ?1, id, 'operational', ?2, ?3, ?2, ?4, 'none', ?5, 1, ?6
                     FROM account WHERE alias = 'seeded'",
                )
                .bind(unit.as_bytes())
                .bind(key.clone())
                .bind(thumbprint(b"sign"))
                .bind(thumbprint(b"agree"))
                .bind(version)
                .bind(model),
            );
        }
        self.write(statements).await;
    }

    /// What a statement counts.
    pub async fn count(&self, statement: &'static str) -> i64 {
        let mut reader = self.database.reader().await.unwrap();
        store::sql::query(statement).one(&mut reader).await.unwrap()
    }
}

/// A phone.
pub struct Phone {
    pub sign: TestKey,
    pub agree: TestKey,
}

/// A phone with a unit on it.
pub struct Device {
    pub phone: Phone,
    pub unit: UnitId,
    pub code: Option<String>,
}

impl Phone {
    pub fn new() -> Self {
        Self {
            sign: TestKey::generate(Curve::P256),
            agree: TestKey::generate(Curve::P256),
        }
    }

    pub async fn claims(&self, house: &House, running: &Running, alias: &str) -> ActivationClaims {
        let challenge = running.provider.challenge().await.unwrap().challenge;
        let view = running.provider.view();
        let signing = Signer::public_key(&self.sign);
        let proof = agreement_proof(&self.agree, &view.agreement_key, &challenge, signing)
            .await
            .unwrap();
        ActivationClaims {
            aud: view.issuer,
            challenge,
            iat: house.clock.now_seconds(),
            alias: alias.into(),
            account_code: None,
            consent: None,
            agreement_key: Signer::public_key(&self.agree).clone(),
            agreement_proof: proof,
            evidence: Evidence::None {},
            wallet_version: "1.0.0".into(),
        }
    }

    pub async fn begin(
        &self,
        house: &House,
        running: &Running,
        claims: &ActivationClaims,
    ) -> Result<ActivationAnswer, Error> {
        let request = claims.sign(&self.sign).await.unwrap();
        let answer = running.provider.begin_activation(&request).await?;
        Ok(house.read(&answer, &claims.challenge))
    }
}

impl Device {
    /// A unit that is installed, and has no PIN yet.
    pub async fn installed(house: &House, running: &Running, alias: &str) -> Self {
        let phone = Phone::new();
        let claims = phone.claims(house, running, alias).await;
        let answer = phone.begin(house, running, &claims).await.unwrap();
        Self {
            phone,
            unit: answer.unit,
            code: answer.account_code,
        }
    }

    pub async fn operational(house: &House, running: &Running, alias: &str) -> Self {
        let device = Self::installed(house, running, alias).await;
        house.wsca.register(device.unit);
        let caller = device
            .call(house, running, "/unit/activation", &Empty {})
            .await
            .unwrap();
        running.provider.complete_activation(&caller).await.unwrap();
        device
    }

    pub fn request(&self, house: &House, path: &str, body: &[u8], jti: &str) -> UnitRequest {
        let uri = format!("{BASE}{path}");
        UnitRequest::new(self.unit, BASE, "POST", uri, body, jti, house.clock.now())
    }

    pub async fn call(
        &self,
        house: &House,
        running: &Running,
        path: &str,
        body: &impl Serialize,
    ) -> Result<Caller, Error> {
        self.call_as(house, running, path, body, &jti()).await
    }

    pub async fn call_as(
        &self,
        house: &House,
        running: &Running,
        path: &str,
        body: &impl Serialize,
        jti: &str,
    ) -> Result<Caller, Error> {
        let body = serde_json::to_vec(body).unwrap();
        let header = self
            .request(house, path, &body, jti)
            .sign(&self.phone.sign)
            .await
            .unwrap();
        running
            .provider
            .authenticate(&header, "POST", path, &body)
            .await
    }

    pub async fn view(&self, house: &House, running: &Running) -> UnitView {
        let jti = jti();
        let caller = self
            .call_as(house, running, "/unit", &Empty {}, &jti)
            .await
            .unwrap();
        house.read(&running.provider.own_view(&caller).await.unwrap(), &jti)
    }

    pub async fn nonce(&self, house: &House, running: &Running) -> Result<String, Error> {
        self.nonce_for(house, running, NoncePurpose::Statement)
            .await
    }

    pub async fn nonce_for(
        &self,
        house: &House,
        running: &Running,
        purpose: NoncePurpose,
    ) -> Result<String, Error> {
        let jti = jti();
        let request = NonceRequest { purpose };
        let caller = self
            .call_as(house, running, "/unit/nonce", &request, &jti)
            .await?;
        let answer = running.provider.nonce(&caller, purpose).await?;
        Ok(house.read::<Challenge>(&answer, &jti).challenge)
    }

    /// The WSCA's statement over `keys`, on `nonce`.
    pub async fn statement(&self, house: &House, nonce: &str, keys: &[PublicKey]) -> String {
        house.wsca.state(self.claims(house, nonce, keys)).await
    }

    pub fn claims(&self, house: &House, nonce: &str, keys: &[PublicKey]) -> StatementClaims {
        let now = house.clock.now_seconds();
        StatementClaims {
            iss: "wsca".into(),
            sub: self.unit,
            aud: BASE.into(),
            nonce: nonce.into(),
            iat: now,
            exp: now + 300,
            auth_time: now,
            device: Signer::public_key(&self.phone.sign).thumbprint_b64(),
            keys: keys
                .iter()
                .map(|key| StatedKey {
                    id: KeyId::random(),
                    jwk: key.clone(),
                    key_storage: house.wsca.level,
                    user_authentication: house.wsca.level,
                    certification: None,
                    exportable: false,
                })
                .collect(),
        }
    }

    pub async fn ka(
        &self,
        house: &House,
        running: &Running,
        request: &KaRequest,
    ) -> Result<Attestations, Error> {
        let jti = jti();
        let caller = self
            .call_as(house, running, "/unit/ka", request, &jti)
            .await?;
        let answer = running.provider.issue_ka(&caller, request).await?;
        Ok(house.read(&answer, &jti))
    }

    /// KAs over fresh keys.
    pub async fn fresh_ka(
        &self,
        house: &House,
        running: &Running,
        keys: usize,
        count: u32,
    ) -> Result<Vec<wua::Ka>, Error> {
        let nonce = self.nonce(house, running).await?;
        let statement = self.statement(house, &nonce, &fresh_keys(keys)).await;
        let request = KaRequest {
            statement,
            count: Some(count),
            ..KaRequest::default()
        };
        let answer = self.ka(house, running, &request).await?;
        Ok(answer
            .attestations
            .iter()
            .map(|text| read_ka(house, text, None))
            .collect())
    }

    pub async fn wia_with(
        &self,
        house: &House,
        running: &Running,
        keys: &[&TestKey],
        change: impl FnOnce(&mut WiaRequest),
    ) -> Result<Attestations, Error> {
        let jti = jti();
        let mut request = WiaRequest::default();
        for key in keys {
            let iat = house.clock.now_seconds();
            let proof = KeyProof {
                iss: self.unit,
                aud: BASE.into(),
                request: jti.clone(),
                iat,
            };
            request.proofs.push(proof.sign(*key).await.unwrap());
        }
        change(&mut request);
        let caller = self
            .call_as(house, running, "/unit/wia", &request, &jti)
            .await?;
        let answer = running.provider.issue_wia(&caller, &request).await?;
        Ok(house.read(&answer, &jti))
    }

    /// A WIA over a fresh key, as the instance shows it.
    pub async fn shown_wia(&self, house: &House, running: &Running) -> String {
        let key = TestKey::generate(Curve::P256);
        let answer = self.wia_with(house, running, &[&key], |_| {}).await;
        answer.unwrap().attestations.remove(0)
    }

    /// WIAs over fresh keys.
    pub async fn fresh_wia(
        &self,
        house: &House,
        running: &Running,
        count: usize,
    ) -> Result<Vec<wua::Wia>, Error> {
        let keys: Vec<_> = (0..count).map(|_| TestKey::generate(Curve::P256)).collect();
        let keys: Vec<_> = keys.iter().collect();
        let answer = self.wia_with(house, running, &keys, |_| {}).await?;
        Ok(answer
            .attestations
            .iter()
            .map(|text| read_wia(house, text))
            .collect())
    }
}

pub fn read_wia(house: &House, text: &str) -> wua::Wia {
    let key = Signer::public_key(house.seal.as_ref());
    let wia = wua::UnverifiedWia::parse(text, &wua::Limits::default()).unwrap();
    wia.verify(&wua::WiaCheck::new(key, house.clock.now()))
        .unwrap()
        .claims()
        .clone()
}

pub fn read_ka(house: &House, text: &str, nonce: Option<&str>) -> wua::Ka {
    let key = Signer::public_key(house.seal.as_ref());
    let ka = wua::UnverifiedKa::parse(text, &wua::Limits::default()).unwrap();
    let mut check = wua::KaCheck::new(key, house.clock.now());
    check.nonce = nonce;
    ka.verify(&check).unwrap().claims().clone()
}

pub fn fresh_keys(count: usize) -> Vec<PublicKey> {
    (0..count)
        .map(|_| Signer::public_key(&TestKey::generate(Curve::P256)).clone())
        .collect()
}

/// A fresh request identifier.
pub fn jti() -> String {
    UnitId::random().to_string()
}

pub fn files(folder: &Path) -> Vec<String> {
    std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

/// A WSCA that knows its units, signs statements with a real key, and fails when
/// told to.
#[derive(Debug)]
pub struct TestWsca {
    pub statements: TestKey,
    pub level: Option<AttackPotential>,
    pub state: Mutex<WscaState>,
    identity: ServiceIdentity,
    information: ActivationInfo,
}

#[derive(Debug, Default)]
pub struct WscaState {
    pub units: Vec<(UnitId, DeviceKeys)>,
    pub factors: HashSet<UnitId>,
    pub frozen: HashSet<UnitId>,
    pub retired: HashSet<UnitId>,
    pub destroyed: HashSet<UnitId>,
    /// Units that cannot be frozen.
    pub stuck: HashSet<UnitId>,
    pub away: bool,
    /// How often it was asked for something.
    pub asked: usize,
    /// Whether the next freeze waits until it is let go.
    pub hangs: Option<Arc<tokio::sync::Notify>>,
}

impl TestWsca {
    fn new() -> Self {
        let statements = TestKey::generate(Curve::P256);
        let public = || Signer::public_key(&TestKey::generate(Curve::P256)).clone();
        Self {
            identity: ServiceIdentity {
                context: "wsca".into(),
                agreement: public(),
                signing: public(),
            },
            information: ActivationInfo {
                descriptor: Descriptor {
                    model: "test".into(),
                    architecture: Architecture::Remote,
                    wsca_provided_by: WscaProvider::WalletProvider,
                    assurance: Assurance::None,
                    key_storage: None,
                    user_authentication: None,
                    exportable: false,
                    algorithms: vec![jose::Algorithm::Es256],
                    agreement: true,
                },
                pin: PinRules {
                    min_digits: 6,
                    max_digits: 12,
                    tries: 4,
                    pauses: vec![],
                    tries_per_round: 4,
                },
                max_batch: 64,
                max_keys: 1000,
                statement_key: Signer::public_key(&statements).clone(),
            },
            statements,
            level: None,
            state: Mutex::default(),
        }
    }

    pub fn register(&self, unit: UnitId) {
        self.state.lock().unwrap().factors.insert(unit);
    }

    pub async fn state(&self, claims: StatementClaims) -> String {
        claims.sign(&self.statements).await.unwrap()
    }

    pub async fn state_for_association(&self, claims: StatementClaims) -> String {
        claims.sign_for_association(&self.statements).await.unwrap()
    }

    fn reach(&self) -> Result<std::sync::MutexGuard<'_, WscaState>, AdminError> {
        let mut state = self.state.lock().unwrap();
        state.asked += 1;
        if state.away {
            return Err(AdminError::Unavailable("on purpose".into()));
        }
        Ok(state)
    }
}

#[async_trait]
impl WscaAdmin for TestWsca {
    async fn enroll(&self, unit: UnitId, keys: DeviceKeys) -> Result<(), AdminError> {
        let mut state = self.reach()?;
        match state.units.iter().find(|(known, _)| *known == unit) {
            Some((_, known)) if *known == keys => Ok(()),
            Some(_) => Err(AdminError::AlreadyEnrolled),
            None => {
                state.units.push((unit, keys));
                Ok(())
            }
        }
    }

    async fn unit_state(&self, unit: UnitId) -> Result<wsca::UnitState, AdminError> {
        let state = self.reach()?;
        if !state.units.iter().any(|(known, _)| *known == unit) {
            return Err(AdminError::UnknownUnit);
        }
        Ok(wsca::UnitState {
            has_factor: state.factors.contains(&unit),
            pin_blocked: false,
            retired: state.retired.contains(&unit) && !state.frozen.contains(&unit),
            frozen: state.frozen.contains(&unit),
            destroyed: state.destroyed.contains(&unit),
        })
    }

    async fn end_sessions(&self, _: UnitId) -> Result<(), AdminError> {
        Ok(())
    }

    async fn retire(&self, unit: UnitId, _: &str) -> Result<(), AdminError> {
        let mut state = self.reach()?;
        if state.stuck.contains(&unit) {
            return Err(AdminError::RecordAltered);
        }
        state.retired.insert(unit);
        Ok(())
    }

    async fn freeze(&self, unit: UnitId, _: &str) -> Result<(), AdminError> {
        let hangs = self.state.lock().unwrap().hangs.take();
        if let Some(hangs) = hangs {
            hangs.notified().await;
        }
        let mut state = self.reach()?;
        if state.stuck.contains(&unit) {
            return Err(AdminError::RecordAltered);
        }
        state.frozen.insert(unit);
        Ok(())
    }

    async fn destroy_unit(&self, unit: UnitId) -> Result<(), AdminError> {
        self.reach()?.destroyed.insert(unit);
        Ok(())
    }

    fn statement_key(&self) -> &PublicKey {
        Signer::public_key(&self.statements)
    }

    fn service(&self) -> &ServiceIdentity {
        &self.identity
    }

    fn information(&self) -> &ActivationInfo {
        &self.information
    }
}

/// A PID provider: a key and a certificate of its own.
pub struct PidDesk {
    pub key: TestKey,
    pub certificate: pki::Certificate,
}

impl PidDesk {
    pub async fn new(name: &str, profile: pki::Profile) -> Self {
        let key = TestKey::generate(Curve::P256);
        let subject = pki::Subject::legal("BE", name, "VATBE-0876866142", name);
        let request = pki::Request::new(
            profile,
            subject,
            Signer::public_key(&key).clone(),
            "2026-01-01T00:00:00Z".parse().unwrap(),
            "2028-01-01T00:00:00Z".parse().unwrap(),
        );
        let certificate = pki::issue(&request, pki::Issuer::Itself(&key))
            .await
            .unwrap();
        Self { key, certificate }
    }

    /// What it asks for when the user of `wia` died.
    pub fn claims(&self, house: &House, wia: &str) -> PidRevocationClaims {
        PidRevocationClaims {
            aud: BASE.into(),
            iat: house.clock.now_seconds(),
            jti: jti(),
            reason: RevocationReason::Death,
            wia: wia.into(),
        }
    }

    pub async fn sign(&self, claims: &PidRevocationClaims) -> PidRevocationRequest {
        let chain = [self.certificate.der().to_vec()];
        PidRevocationRequest {
            request: claims.sign(&chain, &self.key).await.unwrap(),
        }
    }
}

/// Lists of PID providers that the test writes.
#[derive(Debug, Default)]
pub struct TestLists {
    /// The certificates, and whose they are.
    pub listed: Mutex<Vec<(Vec<u8>, String)>>,
    /// Whether they are too old to decide.
    pub stale: std::sync::atomic::AtomicBool,
}

impl TestLists {
    pub fn add(&self, desk: &PidDesk, name: &str) {
        let der = desk.certificate.der().to_vec();
        self.listed.lock().unwrap().push((der, name.into()));
    }
}

#[async_trait]
impl PidProviderCheck for TestLists {
    async fn check(&self, chain: &[Vec<u8>], at: jiff::Timestamp) -> ListedPidProvider {
        let listed = self.listed.lock().unwrap();
        let name = listed.iter().find(|(der, _)| *der == chain[0]);
        let stale = self.stale.load(std::sync::atomic::Ordering::SeqCst);
        let trusted = match (&name, stale) {
            (_, true) => finding::Trusted::Undecided,
            (Some(_), _) => finding::Trusted::Yes,
            (None, _) => finding::Trusted::No,
        };
        ListedPidProvider {
            verdict: finding::Verdict {
                trusted,
                context: "pid".into(),
                method: None,
                at,
                path: vec![],
                anchor: None,
                lists: vec![],
                findings: vec![],
            },
            name: name.map(|(_, name)| name.clone()),
        }
    }
}

/// A folder in which the lists that stand in it can be read and not written.
#[derive(Debug)]
pub struct Stuck {
    pub lists: FolderPublisher,
    pub stuck: Vec<String>,
}

#[async_trait]
impl Publisher for Stuck {
    async fn put(
        &self,
        name: &str,
        tokens: Tokens,
        turn: Arc<dyn Turn>,
    ) -> Result<(), PublishError> {
        if self.stuck.iter().any(|stuck| stuck == name) {
            return DiskFull.put(name, tokens, turn).await;
        }
        self.lists.put(name, tokens, turn).await
    }

    async fn get(&self, name: &str, format: TokenFormat) -> Result<Option<Vec<u8>>, PublishError> {
        self.lists.get(name, format).await
    }

    async fn remove(&self, name: &str, turn: Arc<dyn Turn>) -> Result<(), PublishError> {
        self.lists.remove(name, turn).await
    }
}

/// A folder that cannot be written.
#[derive(Debug)]
pub struct DiskFull;

#[async_trait]
impl Publisher for DiskFull {
    async fn put(&self, name: &str, _: Tokens, _: Arc<dyn Turn>) -> Result<(), PublishError> {
        let source = std::io::Error::from(std::io::ErrorKind::StorageFull);
        Err(PublishError {
            path: name.into(),
            what: "cannot be written",
            source,
        })
    }

    async fn get(&self, _: &str, _: TokenFormat) -> Result<Option<Vec<u8>>, PublishError> {
        Ok(None)
    }

    async fn remove(&self, _: &str, _: Arc<dyn Turn>) -> Result<(), PublishError> {
        Ok(())
    }
}

/// A folder that counts what is put into it.
#[derive(Debug)]
pub struct Counted {
    pub lists: FolderPublisher,
    pub puts: std::sync::atomic::AtomicUsize,
}

#[async_trait]
impl Publisher for Counted {
    async fn put(
        &self,
        name: &str,
        tokens: Tokens,
        turn: Arc<dyn Turn>,
    ) -> Result<(), PublishError> {
        self.puts.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        self.lists.put(name, tokens, turn).await
    }

    async fn get(&self, name: &str, format: TokenFormat) -> Result<Option<Vec<u8>>, PublishError> {
        self.lists.get(name, format).await
    }

    async fn remove(&self, name: &str, turn: Arc<dyn Turn>) -> Result<(), PublishError> {
        self.lists.remove(name, turn).await
    }
}
