//! The PIN's tries over two processes of the WSCA on one database and one token, one
//! of them killed in the middle: no evaluation goes uncounted, none is counted that
//! its user did not cause.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr
)]

mod support;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clock::{Clock, SystemClock};
use r2ps::ServiceIdentity;
use r2ps::envelope::{self, Expected, Nonce, Protection};
use r2ps::opaque::{Client, Stretching, Transcript};
use r2ps::service::ServiceType;
use sci::{Code, Error, Pin, Sci, Task, UnitId};
use serde_json::{Value, json};
use support::ca::Ca;
use support::served::{Served, free_address};
use tokio::task::JoinSet;
use wallet_client::keystore::{DeviceKeystore, SoftwareKeystore};
use wallet_client::sci_remote::{HttpTransport, RemoteSci, Transport, TransportError};
use wsca::{DeviceKeys, WscaAdmin, WscaStore};
use wsca_link::{LinkSettings, RemoteWsca};

/// One round of eight tries, and then the end: so the block is reached in a test.
const TRIES: u32 = 8;
const RIGHT: &str = "493827";
const WRONG: &str = "493828";
const PARALLEL: usize = 200;

/// Two processes of the WSCA, on one database and one SoftHSM token.
struct House {
    nodes: [Served; 2],
    urls: [String; 2],
    admin: RemoteWsca,
    folder: tempfile::TempDir,
}

impl House {
    async fn start(test: &str) -> Option<Self> {
        let module = [
            "/usr/lib/softhsm/libsofthsm2.so",
            "/usr/local/lib/softhsm/libsofthsm2.so",
        ]
        .map(PathBuf::from)
        .into_iter()
        .chain(std::env::var_os("CLAVIGER_SOFTHSM").map(PathBuf::from))
        .find(|module| module.exists());
        let Some(module) = module else {
            claviger_fixtures::skip(test, "no SoftHSM2 module here (CLAVIGER_SOFTHSM names one)");
            return None;
        };
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path();
        let device = token(place, &module);
        let ca = Ca::new(place, "ca").await;
        let (server, client) = (ca.issue("wsca").await, ca.issue("provider").await);
        let link = free_address();
        let environment = vec![("SOFTHSM2_CONF".to_owned(), place.join("softhsm2.conf"))];
        let listen = [free_address(), free_address()];
        let config = |which: usize| {
            let mut text = format!(
                r#"
development = true
listen = "{listen}"
data = "{place}/data"
roles = ["wsca"]
[device]
uri = "{device}"
[limits]
per_address = {{ per_minute = 0, burst = 1 }}
[wsca]
pin_tries_per_round = {TRIES}
pin_pauses = []
"#,
                listen = listen[which],
                place = place.display(),
            );
            if which == 0 {
                text.push_str(&format!(
                    "[wsca_link]\nlisten = \"{link}\"\ncertificate = \"{}\"\nkey = \"{}\"\nclient_ca = \"{}\"\n",
                    server.certificate.display(),
                    server.key.display(),
                    ca.certificate().display(),
                ));
            }
            let path = place.join(format!("node{which}.toml"));
            std::fs::write(&path, text).unwrap();
            path
        };
        let start =
            |which: usize| Served::start_with(&config(which), &listen[which], environment.clone());
        // One after the other: the first makes the database and the keys.
        let first = start(0);
        let nodes = [first, start(1)];
        let admin = RemoteWsca::connect(&LinkSettings {
            url: format!("https://{link}").parse().unwrap(),
            ca: std::fs::read(ca.certificate()).unwrap(),
            certificate: std::fs::read(&client.certificate).unwrap(),
            key: std::fs::read(&client.key).unwrap(),
        })
        .await
        .unwrap();
        Some(Self {
            nodes,
            urls: listen.map(|listen| format!("http://{listen}")),
            admin,
            folder,
        })
    }

    /// A unit whose phone reaches both processes.
    async fn phone(&self) -> Phone {
        let keystore = Arc::new(SoftwareKeystore::generate().unwrap());
        let unit = UnitId::random();
        let keys = DeviceKeys {
            sign: keystore.signing().public_key().clone(),
            agree: keystore.agreement().public_key().clone(),
        };
        self.admin.enroll(unit, keys).await.unwrap();
        self.hands(unit, keystore)
    }

    fn hands(&self, unit: UnitId, keystore: Arc<SoftwareKeystore>) -> Phone {
        let http = reqwest::Client::new();
        let service = self.admin.service().clone();
        let ways = self.urls.clone().map(|url| {
            let address = format!("{url}/wsca/r2ps").parse().unwrap();
            HttpTransport::new(http.clone(), address)
        });
        let sci = ways.clone().map(|way| {
            let sci = RemoteSci::new(
                way,
                service.clone(),
                unit,
                keystore.clone(),
                Arc::new(SystemClock),
            );
            // What is stretched less is tried no less.
            Arc::new(sci.with_opaque(Client::with_stretching(Stretching::weak_for_tests())))
        });
        Phone {
            unit,
            service,
            keystore,
            ways,
            sci,
        }
    }

    /// How many evaluations of this unit's PIN were counted, by the audit log. Both
    /// processes have ended.
    async fn counted(&mut self, unit: UnitId) -> usize {
        for node in &mut self.nodes {
            node.kill();
        }
        let path = self.folder.path().join("data").join("claviger.db");
        let database = store::Database::open(&path).await.unwrap();
        let log = store::wsca::SqlWscaStore::new(database.clone());
        let rows = log.audit(0, 1_000_000).await.unwrap();
        let count = rows
            .iter()
            .filter(|row| {
                row.entry.unit == Some(unit) && row.entry.operation.ends_with(" evaluate")
            })
            .count();
        database.close().await;
        count
    }
}

/// A token of its own, set up by the command.
fn token(place: &Path, module: &Path) -> String {
    use std::os::unix::fs::PermissionsExt;
    std::fs::create_dir(place.join("tokens")).unwrap();
    let conf = place.join("softhsm2.conf");
    let tokens = format!(
        "directories.tokendir = {}\n",
        place.join("tokens").display()
    );
    std::fs::write(&conf, tokens).unwrap();
    for (name, pin) in [("pin", "471100"), ("so-pin", "08154711")] {
        let path = place.join(name);
        std::fs::write(&path, pin).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    }
    let uri = format!(
        "pkcs11:token=two-processes?module-path={}&pin-source={}",
        module.display(),
        place.join("pin").display()
    );
    let output = Command::new(env!("CARGO_BIN_EXE_claviger"))
        .env("SOFTHSM2_CONF", &conf)
        .args(["wscd", "init", "--device", &uri, "--so-pin-source"])
        .arg(place.join("so-pin"))
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    uri
}

#[derive(Clone)]
struct Phone {
    unit: UnitId,
    service: ServiceIdentity,
    keystore: Arc<SoftwareKeystore>,
    ways: [HttpTransport; 2],
    sci: [Arc<RemoteSci<HttpTransport>>; 2],
}

/// What one try came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Came {
    /// The PIN was evaluated.
    Evaluated,
    /// It was refused, and how.
    Refused(Code),
}

impl Phone {
    async fn register(&self) {
        self.sci[0].register_pin(&pin(RIGHT)).await.unwrap();
    }

    /// Tries a wrong PIN until something comes of it: a process that is away, or busy,
    /// is asked again, each time with another message.
    async fn wrong_login(&self, way: usize) -> Came {
        for _ in 0..200 {
            match self.sci[way]
                .open_session(&pin(WRONG), Task::Issuance)
                .await
            {
                Err(Error::WrongPin { .. }) => return Came::Evaluated,
                Err(Error::Unreachable(_)) => {}
                Err(error) if error.code() == Some(Code::TryLater) => {}
                Err(error) => {
                    return Came::Refused(error.code().unwrap_or_else(|| panic!("{error}")));
                }
                Ok(_) => panic!("a wrong PIN opened a session"),
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("nothing came of it");
    }

    /// The first half of a registration, and no second.
    async fn half_registration(&self, way: usize) -> Came {
        for _ in 0..200 {
            let message = self.registration_message().await;
            let data = evaluate(&message, None);
            match self.one_factor(way, ServiceType::Registration, data).await {
                Ok(Ok(_)) => return Came::Evaluated,
                Ok(Err(Code::TryLater)) | Err(_) => {}
                Ok(Err(code)) => return Came::Refused(code),
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("nothing came of it");
    }

    async fn registration_message(&self) -> Vec<u8> {
        let device = self.keystore.agreement();
        let context = &self.service.context;
        let hardened = r2ps::hardening::harden(&pin(WRONG), self.unit, context, device)
            .await
            .unwrap();
        Client::default()
            .start_registration(&hardened)
            .unwrap()
            .message
    }

    /// A session for changing the PIN, opened by hand: its name and its key.
    async fn open_for_change(&self) -> (String, r2ps::opaque::SessionKey) {
        let client = Client::with_stretching(Stretching::weak_for_tests());
        let device = self.keystore.agreement();
        let context = &self.service.context;
        let hardened = r2ps::hardening::harden(&pin(RIGHT), self.unit, context, device)
            .await
            .unwrap();
        let started = client.start_login(&hardened).unwrap();
        let task = Task::PinChange;
        let first = evaluate(&started.message, Some(task.name()));
        let kind = ServiceType::CreateSession;
        let answer = self.one_factor(0, kind, first).await.unwrap().unwrap();
        let session_id = answer["session_id"].as_str().unwrap().to_owned();
        let transcript = Transcript {
            unit: self.unit,
            context,
            signing_key: self.keystore.signing().public_key().thumbprint(),
            task,
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
        self.one_factor(0, kind, last).await.unwrap().unwrap();
        (session_id, key)
    }

    /// The first half of a change in that session, and no second.
    async fn half_change(
        &self,
        way: usize,
        session: &(String, r2ps::opaque::SessionKey),
    ) -> Option<Came> {
        let message = self.registration_message().await;
        let (session_id, key) = session;
        let protection = Protection::TwoFactor { session_id, key };
        let nonce = Nonce::random().unwrap();
        let data = evaluate(&message, None);
        let request = self
            .seal(protection, ServiceType::Update, data, &nonce)
            .await;
        match self.ways[way].post(request).await {
            Ok(answer) => {
                let client_id = self.unit.to_string();
                let data = self
                    .expected(&nonce, &client_id)
                    .open_in_session(&answer, session_id, key)
                    .unwrap();
                Some(match said(&data) {
                    Ok(()) => Came::Evaluated,
                    Err(code) => Came::Refused(code),
                })
            }
            Err(TransportError::Refused(problem)) => Some(Came::Refused(problem.code)),
            Err(TransportError::Unreachable(_)) => None,
        }
    }

    async fn one_factor(
        &self,
        way: usize,
        kind: ServiceType,
        data: Value,
    ) -> Result<Result<jose::Map, Code>, String> {
        let client_id = self.unit.to_string();
        let protection = Protection::OneFactor {
            recipient: &self.service.agreement,
            from: &client_id,
            to: &self.service.context,
        };
        let nonce = Nonce::random().unwrap();
        let request = self.seal(protection, kind, data, &nonce).await;
        let answer = match self.ways[way].post(request).await {
            Ok(answer) => answer,
            Err(TransportError::Refused(problem)) => return Ok(Err(problem.code)),
            Err(TransportError::Unreachable(why)) => return Err(why),
        };
        let data = self
            .expected(&nonce, &client_id)
            .open_with(&answer, self.keystore.agreement())
            .await
            .unwrap();
        Ok(said(&data).map(|()| data))
    }

    async fn seal(
        &self,
        protection: Protection<'_>,
        kind: ServiceType,
        data: Value,
        nonce: &Nonce,
    ) -> String {
        let data = data.as_object().unwrap().clone();
        let signer = self.keystore.signing();
        envelope::seal_request(protection, kind, data, nonce, SystemClock.now(), signer)
            .await
            .unwrap()
    }

    fn expected<'a>(&'a self, nonce: &'a Nonce, client_id: &'a str) -> Expected<'a> {
        Expected {
            service: &self.service,
            client_id,
            nonce,
            now: SystemClock.now(),
        }
    }
}

fn pin(digits: &str) -> Pin {
    Pin::new(digits).unwrap()
}

fn evaluate(message: &[u8], task: Option<&str>) -> Value {
    let mut data = json!({
        "protocol": "opaque", "state": "evaluate", "p_data": jose::b64::encode_std(message),
    });
    if let Some(task) = task {
        data["task"] = task.into();
    }
    data
}

fn said(data: &jose::Map) -> Result<(), Code> {
    match data["success"].as_bool().unwrap() {
        true => Ok(()),
        false => Err(serde_json::from_value(data["error"]["code"].clone()).unwrap()),
    }
}

/// Lets everything run, and kills and restarts the second process once the first
/// outcomes are there.
async fn with_a_kill(house: &mut House, mut tries: JoinSet<Came>) -> Vec<Came> {
    let mut came = Vec::new();
    while let Some(outcome) = tries.join_next().await {
        came.push(outcome.unwrap());
        if came.len() == 2 {
            house.nodes[1].kill();
            house.nodes[1].restart();
        }
    }
    came
}

fn evaluated(came: &[Came]) -> usize {
    came.iter().filter(|came| **came == Came::Evaluated).count()
}

async fn blocked_everywhere(phone: &Phone) {
    for sci in &phone.sci {
        let opened = sci.open_session(&pin(RIGHT), Task::Issuance).await;
        assert_eq!(opened.unwrap_err().code(), Some(Code::PinBlocked));
    }
}

/// 200 wrong PINs over both, one killed in the middle: exactly the policy's number
/// of evaluations, then the block.
#[tokio::test(flavor = "multi_thread")]
async fn no_try_goes_uncounted_over_two_processes() {
    let name = "no_try_goes_uncounted_over_two_processes";
    let Some(mut house) = House::start(name).await else {
        return;
    };
    let phone = house.phone().await;
    phone.register().await;
    let mut tries = JoinSet::new();
    for n in 0..PARALLEL {
        let phone = phone.clone();
        tries.spawn(async move { phone.wrong_login(n % 2).await });
    }
    let came = with_a_kill(&mut house, tries).await;
    assert!(evaluated(&came) <= TRIES as usize, "{came:?}");
    let rest: Vec<_> = came
        .iter()
        .filter(|came| **came != Came::Evaluated)
        .collect();
    assert!(
        rest.iter()
            .all(|came| **came == Came::Refused(Code::PinBlocked)),
        "{rest:?}"
    );
    blocked_everywhere(&phone).await;
    // The registration was one; the tries are exactly the policy's.
    assert_eq!(house.counted(phone.unit).await, 1 + TRIES as usize);
}

/// The same where login, registration and change are mixed: they share one count.
#[tokio::test(flavor = "multi_thread")]
async fn mixed_messages_share_one_count_over_two_processes() {
    let name = "mixed_messages_share_one_count_over_two_processes";
    let Some(mut house) = House::start(name).await else {
        return;
    };
    let phone = house.phone().await;
    phone.register().await;
    let session = phone.open_for_change().await;
    let mut tries = JoinSet::new();
    for n in 0..PARALLEL {
        let (phone, session) = (phone.clone(), session.clone());
        tries.spawn(async move {
            match n % 4 {
                0 | 1 => phone.wrong_login(n % 2).await,
                2 => phone.half_registration(n / 4 % 2).await,
                _ => {
                    let way = n / 4 % 2;
                    let came = phone.half_change(way, &session).await;
                    came.unwrap_or(Came::Refused(Code::TryLater))
                }
            }
        });
    }
    let came = with_a_kill(&mut house, tries).await;
    assert!(evaluated(&came) <= TRIES as usize, "{came:?}");
    let expected = [
        Code::PinBlocked,
        // A registration where there is a PIN; a second change in one session.
        Code::PinExists,
        Code::TaskForbids,
        Code::TryLater,
    ];
    for came in &came {
        if let Came::Refused(code) = came {
            assert!(expected.contains(code), "{code}");
        }
    }
    blocked_everywhere(&phone).await;
    // A registration, a login with the right PIN, and the tries since.
    assert_eq!(house.counted(phone.unit).await, 2 + TRIES as usize);
}

/// Before there is a PIN, a registration is what could be tried without end.
#[tokio::test(flavor = "multi_thread")]
async fn registrations_are_counted_over_two_processes() {
    let name = "registrations_are_counted_over_two_processes";
    let Some(mut house) = House::start(name).await else {
        return;
    };
    let phone = house.phone().await;
    let mut tries = JoinSet::new();
    for n in 0..PARALLEL {
        let phone = phone.clone();
        tries.spawn(async move { phone.half_registration(n % 2).await });
    }
    let came = with_a_kill(&mut house, tries).await;
    assert!(evaluated(&came) <= TRIES as usize, "{came:?}");
    assert!(came.contains(&Came::Refused(Code::PinBlocked)), "{came:?}");
    let registered = phone.sci[0].register_pin(&pin(RIGHT)).await;
    assert_eq!(registered.unwrap_err().code(), Some(Code::PinBlocked));
    assert_eq!(house.counted(phone.unit).await, TRIES as usize);
}

/// 10,000 requests in the unit's name by someone without its phone, of every kind
/// that could be counted: the user has every try left.
#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_costs_the_user_no_try() {
    const REQUESTS: usize = 10_000;
    const AT_ONCE: usize = 32;
    let name = "a_stranger_costs_the_user_no_try";
    let Some(mut house) = House::start(name).await else {
        return;
    };
    let phone = house.phone().await;
    phone.register().await;
    // One with keys of its own, and one that knows the public keys at most: what it
    // records and changes does not verify.
    let stranger = house.hands(phone.unit, Arc::new(SoftwareKeystore::generate().unwrap()));
    let login = evaluate(&login_message(&stranger).await, Some("issuance"));
    let registration = evaluate(&stranger.registration_message().await, None);
    let begun = Instant::now();
    let mut workers = JoinSet::new();
    for worker in 0..AT_ONCE {
        let (stranger, login, registration) =
            (stranger.clone(), login.clone(), registration.clone());
        workers.spawn(async move {
            let mut refused = 0;
            for n in (worker..REQUESTS).step_by(AT_ONCE) {
                let (kind, data) = match n % 4 {
                    0 => (ServiceType::Registration, registration.clone()),
                    1 => (ServiceType::Information, json!({})),
                    _ => (ServiceType::CreateSession, login.clone()),
                };
                match stranger.one_factor(n % 2, kind, data).await {
                    Ok(Err(Code::Unauthorized)) => refused += 1,
                    other => panic!("request {n}: {other:?}"),
                }
            }
            refused
        });
    }
    let mut refused = 0;
    while let Some(count) = workers.join_next().await {
        refused += count.unwrap();
    }
    let took = begun.elapsed();
    assert_eq!(refused, REQUESTS);
    eprintln!("{REQUESTS} requests of a stranger were refused in {took:.1?}");
    match phone.sci[1].open_session(&pin(WRONG), Task::Issuance).await {
        Err(Error::WrongPin { tries_left, .. }) => assert_eq!(tries_left, TRIES - 1),
        other => panic!("{other:?}"),
    }
    phone.sci[0]
        .open_session(&pin(RIGHT), Task::Issuance)
        .await
        .unwrap();
    // The registration, the wrong one, the right one.
    assert_eq!(house.counted(phone.unit).await, 3);
}

async fn login_message(phone: &Phone) -> Vec<u8> {
    let device = phone.keystore.agreement();
    let context = &phone.service.context;
    let hardened = r2ps::hardening::harden(&pin(WRONG), phone.unit, context, device)
        .await
        .unwrap();
    Client::default().start_login(&hardened).unwrap().message
}
