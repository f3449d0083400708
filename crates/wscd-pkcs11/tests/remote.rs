//! A token in another process, killed and started again under load, as a network
//! HSM or its daemon may be; and what is asked of it, call by call.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod common;

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use claviger_fixtures::tokens::{NO_REMOTE_TOKEN, Tokens, remote_token};
use common::{Place, with_tokens};
use cryptoki::context::Pkcs11;
use cryptoki::object::{Attribute, ObjectClass};
use cryptoki::session::Session;
use jose::Curve;
use wscd::{
    Anchor, DeviceError, KeyName, KeyUse, MacPurpose, SealPurpose, SignItem, UnitBinding, UserKey,
    WrappedUnitKey, Wscd,
};
use wscd_pkcs11::PinSource;

const ALICE: UnitBinding = UnitBinding([0xa1; 16]);
const MESSAGE: &[u8] = b"a token elsewhere";

#[test]
fn killed_and_started_again_under_load_it_loses_and_doubles_nothing() {
    with_server(
        "killed_and_started_again_under_load_it_loses_and_doubles_nothing",
        async |place, client| {
            let mut server = Server::start(&place);
            let device = made(&place, &remote(&place, &client)).await;
            let load = Load::on(&device).await;
            for _ in 0..3 {
                tokio::time::sleep(Duration::from_millis(300)).await;
                server.kill();
                tokio::time::sleep(Duration::from_millis(400)).await;
                server = Server::start(&place);
                load.goes_on().await;
            }
            let refused = load.end(&device).await;
            assert!(refused > 0, "it was never noticed to be away");
        },
    );
}

#[test]
fn with_a_second_token_its_death_is_not_even_noticed() {
    with_server(
        "with_a_second_token_its_death_is_not_even_noticed",
        async |place, client| {
            let mut server = Server::start(&place);
            // The second token is this process's own.
            let uri = format!(
                "{}&replica=pkcs11:token=here?module-path={}&keys=replicated",
                remote(&place, &client),
                place.module.display()
            );
            let device = made(&place, &uri).await;
            let load = Load::on(&device).await;
            for _ in 0..3 {
                tokio::time::sleep(Duration::from_millis(300)).await;
                server.kill();
                load.goes_on().await;
                server = Server::start(&place);
                load.goes_on().await;
            }
            let refused = load.end(&device).await;
            assert_eq!(refused, 0);
            // It is back: what needs every token works again.
            let started = Instant::now();
            while let Err(error) = device.begin_rotation().await {
                assert!(error.is_transient(), "{error:?}");
                assert!(started.elapsed() < Duration::from_secs(20), "{error:?}");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            let root = device.root().await.unwrap().current;
            device.finish_rotation(root).await.unwrap();
        },
    );
}

/// Handles are found once, when the token is opened: no operation searches, however
/// many objects others keep in the token.
#[test]
fn among_five_thousand_objects_no_operation_searches() {
    with_server(
        "among_five_thousand_objects_no_operation_searches",
        async |place, client| {
            let _server = Server::start(&place);
            let device = made(&place, &remote(&place, &client)).await;
            let name = KeyName::new("service").unwrap();
            let make_named = async || device.named_key(&name, Curve::P256, KeyUse::Sign).await;
            make_named().await.unwrap();
            device.write_anchor(0, &at_epoch(1)).await.unwrap();
            device.write_anchor(0, &at_epoch(2)).await.unwrap();
            let _others = fill(&client, 5_000);
            let before = asked(&place);

            let unit_key = device.create_unit_key(&ALICE).await.unwrap();
            let keys = device
                .generate(&ALICE, &unit_key, Curve::P256, 2)
                .await
                .unwrap();
            for epoch in 3..13 {
                sign(&device, &unit_key, &keys[0]).await.unwrap();
                let peer = &keys[1].public;
                device
                    .agree(&ALICE, &unit_key, &keys[0], peer)
                    .await
                    .unwrap();
                let sealed = device
                    .seal_item(&ALICE, &unit_key, b"", b"x")
                    .await
                    .unwrap();
                device
                    .open_item(&ALICE, &unit_key, b"", &sealed)
                    .await
                    .unwrap();
                device.mac(MacPurpose::OprfSeed, b"x").await.unwrap();
                let sealed = device
                    .seal(SealPurpose::ServiceSecret, b"", b"x")
                    .await
                    .unwrap();
                device
                    .open(SealPurpose::ServiceSecret, b"", &sealed)
                    .await
                    .unwrap();
                device.sign_named(&name, &[1; 32]).await.unwrap();
                device.write_anchor(0, &at_epoch(epoch)).await.unwrap();
                device.read_anchor(0).await.unwrap();
                device.root().await.unwrap();
                let second = device.create_unit_key(&ALICE).await.unwrap();
                device
                    .rewrap(&ALICE, &unit_key, &second, &keys)
                    .await
                    .unwrap();
            }
            let work = asked(&place).split_off(before.len());
            let searches = work.iter().filter(|call| call.starts_with("Find")).count();
            assert!(work.len() > 500, "{}", work.len());
            assert_eq!(searches, 0);
            // That it would have been seen.
            make_named().await.unwrap();
            let after = asked(&place).split_off(before.len() + work.len());
            assert!(after.iter().any(|call| call == "FindObjectsInit"));
        },
    );
}

fn at_epoch(epoch: u64) -> Anchor {
    Anchor {
        epoch,
        hash: [7; 32],
    }
}

/// Every function that was called, in order.
fn asked(place: &Place) -> Vec<String> {
    let text = std::fs::read_to_string(calls(place)).unwrap();
    text.lines().map(str::to_owned).collect()
}

/// Puts other people's objects into the token, past the crate under test: objects of
/// a session, which every search goes through as well and which are quickly made.
fn fill(client: &Path, count: usize) -> Session {
    let module = Pkcs11::new(client).unwrap();
    let slot = module.get_slots_with_initialized_token().unwrap()[0];
    let session = module.open_rw_session(slot).unwrap();
    for number in 0..count {
        session
            .create_object(&[
                Attribute::Class(ObjectClass::DATA),
                Attribute::Token(false),
                Attribute::Private(false),
                Attribute::Label(format!("other/{number}").into_bytes()),
                Attribute::Value(vec![1; 16]),
            ])
            .unwrap();
    }
    session
}

// ---- the load ---------------------------------------------------------------------------

/// What callers do all the time, and what they were promised.
struct Load {
    stop: Arc<AtomicBool>,
    done: Arc<AtomicU32>,
    refused: Arc<AtomicU32>,
    acknowledged: Arc<AtomicU64>,
    publics: Arc<Mutex<HashSet<jose::PublicKey>>>,
    kept: Arc<Mutex<Vec<UserKey>>>,
    unit_key: WrappedUnitKey,
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

impl Load {
    async fn on(device: &Arc<dyn Wscd>) -> Self {
        let name = KeyName::new("under-load").unwrap();
        let named = device
            .named_key(&name, Curve::P256, KeyUse::Sign)
            .await
            .unwrap();
        let unit_key = device.create_unit_key(&ALICE).await.unwrap();
        let mut load = Self {
            stop: Arc::default(),
            done: Arc::default(),
            refused: Arc::default(),
            acknowledged: Arc::default(),
            publics: Arc::default(),
            kept: Arc::default(),
            unit_key,
            tasks: Vec::new(),
        };
        for task in 0..6 {
            let device = Arc::clone(device);
            let (stop, done, refused) = (
                Arc::clone(&load.stop),
                Arc::clone(&load.done),
                Arc::clone(&load.refused),
            );
            let (acknowledged, publics) =
                (Arc::clone(&load.acknowledged), Arc::clone(&load.publics));
            let (kept, unit_key) = (Arc::clone(&load.kept), load.unit_key.clone());
            let (name, named) = (name.clone(), named.clone());
            load.tasks.push(tokio::spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    let outcome = match task {
                        0 => anchor(&device, &acknowledged).await,
                        1 => match device.named_key(&name, Curve::P256, KeyUse::Sign).await {
                            Ok(public) => {
                                assert_eq!(public, named, "a second key of one name");
                                Ok(())
                            }
                            Err(error) => Err(error),
                        },
                        _ => make(&device, &unit_key, &publics, &kept).await,
                    };
                    match outcome {
                        Ok(()) => done.fetch_add(1, Ordering::Relaxed),
                        Err(error) => {
                            assert!(error.is_transient(), "{error:?}");
                            tokio::time::sleep(Duration::from_millis(5)).await;
                            refused.fetch_add(1, Ordering::Relaxed)
                        }
                    };
                }
            }));
        }
        load
    }

    /// Waits until twenty more requests were served.
    async fn goes_on(&self) {
        let before = self.done.load(Ordering::Relaxed);
        let started = Instant::now();
        while self.done.load(Ordering::Relaxed) < before + 20 {
            assert!(
                started.elapsed() < Duration::from_secs(20),
                "it did not recover"
            );
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Ends it and checks every promise; answers how many requests were refused.
    async fn end(self, device: &Arc<dyn Wscd>) -> u32 {
        self.stop.store(true, Ordering::Relaxed);
        for task in self.tasks {
            task.await.unwrap();
        }
        let kept = self.kept.lock().unwrap().clone();
        assert!(kept.len() > 20);
        let mut refused = 0;
        for key in &kept {
            while let Err(error) = sign(device, &self.unit_key, key).await {
                assert!(error.is_transient() && refused < 200, "{error:?}");
                refused += 1;
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
        let held = device.read_anchor(0).await.unwrap().unwrap();
        let acknowledged = self.acknowledged.load(Ordering::Relaxed);
        assert!(held.epoch >= acknowledged, "{held:?} < {acknowledged}");
        self.refused.load(Ordering::Relaxed)
    }
}

async fn anchor(device: &Arc<dyn Wscd>, acknowledged: &AtomicU64) -> Result<(), DeviceError> {
    let epoch = acknowledged.load(Ordering::Relaxed) + 1;
    device.write_anchor(0, &at_epoch(epoch)).await?;
    acknowledged.store(epoch, Ordering::Relaxed);
    Ok(())
}

async fn make(
    device: &Arc<dyn Wscd>,
    unit_key: &WrappedUnitKey,
    publics: &Mutex<HashSet<jose::PublicKey>>,
    kept: &Mutex<Vec<UserKey>>,
) -> Result<(), DeviceError> {
    let keys = device.generate(&ALICE, unit_key, Curve::P256, 2).await?;
    for key in keys {
        assert!(
            publics.lock().unwrap().insert(key.public.clone()),
            "a key came twice"
        );
        kept.lock().unwrap().push(key.clone());
        sign(device, unit_key, &key).await?;
    }
    Ok(())
}

async fn sign(
    device: &Arc<dyn Wscd>,
    unit_key: &WrappedUnitKey,
    key: &UserKey,
) -> Result<(), DeviceError> {
    let digest = jose::sha256(MESSAGE);
    let item = SignItem {
        key,
        digest: &digest,
    };
    let signed = device.sign_digests(&ALICE, unit_key, &[item]).await?;
    key.public.verify(MESSAGE, &signed[0]).unwrap();
    Ok(())
}

// ---- the other process ------------------------------------------------------------------

/// The process of `tools/remote-token` that has tokens of the module under test.
struct Server {
    child: Child,
}

impl Server {
    fn start(place: &Place) -> Self {
        let (_, server) = remote_token().unwrap();
        let elsewhere = place.folder.join("elsewhere");
        let (kind, module) = (place.tokens.kind, place.module.clone());
        let tokens = if elsewhere.exists() {
            Tokens::at(kind, module, &elsewhere)
        } else {
            std::fs::create_dir(&elsewhere).unwrap();
            Tokens::prepare(kind, module, &elsewhere).unwrap()
        };
        let socket = place.socket();
        let _ = std::fs::remove_file(&socket);
        let child = Command::new(server)
            .args([&place.module, &socket, &calls(place)])
            .envs(tokens.environment())
            .spawn()
            .unwrap();
        let started = Instant::now();
        while !socket.exists() {
            assert!(started.elapsed() < Duration::from_secs(10), "no server");
            std::thread::sleep(Duration::from_millis(5));
        }
        Self { child }
    }

    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            self.kill();
        }
    }
}

/// Where the server writes what is asked of it.
fn calls(place: &Place) -> PathBuf {
    place.folder.join("calls")
}

fn with_server<F: Future<Output = ()>>(test: &str, body: impl FnOnce(Place, PathBuf) -> F) {
    let Some((client, _)) = remote_token() else {
        claviger_fixtures::skip(test, NO_REMOTE_TOKEN);
        return;
    };
    with_tokens(test, |place| body(place, client));
}

fn remote(place: &Place, client: &Path) -> String {
    place.tokens.uri("elsewhere").replace(
        &place.module.display().to_string(),
        &client.display().to_string(),
    )
}

async fn made(place: &Place, uri: &str) -> Arc<dyn Wscd> {
    let so_pin = PinSource::File(place.folder.join("so-pin"));
    wscd_pkcs11::init(uri, Some(so_pin)).await.unwrap();
    wscd_pkcs11::open(uri).await.unwrap()
}
