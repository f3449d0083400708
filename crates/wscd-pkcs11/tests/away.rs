//! A token that goes away, and one that two processes share.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod common;

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use common::raw::{auth, destroy, module, raw, root_template};
use common::{LABEL, PIN, Place, SO_PIN, as_other, finish, with_softhsm, with_tokens};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, ObjectClass};
use cryptoki::session::UserType;
use jose::Curve;
use wscd::{
    Anchor, DeviceError, Generation, KeyName, KeyUse, SignItem, UnitBinding, UserKey,
    WrappedUnitKey, Wscd,
};
use wscd_pkcs11::PinSource;

const ALICE: UnitBinding = UnitBinding([0xa1; 16]);
const DIGEST: [u8; 32] = [0x5a; 32];

// ---- away and back ----------------------------------------------------------------------

#[test]
fn a_token_taken_away_is_lost_and_comes_back_by_itself() {
    with_softhsm(
        "a_token_taken_away_is_lost_and_comes_back_by_itself",
        async |place| {
            let device = made(&place).await;
            let (alice, keys) = unit(&device).await;
            for _ in 0..2 {
                take_away(&place);
                let lost = sign(&device, &alice, &keys[0]).await.unwrap_err();
                assert!(matches!(lost, DeviceError::Lost { .. }), "{lost:?}");
                // While it is away, the answer comes at once.
                let started = Instant::now();
                for _ in 0..50 {
                    let lost = device.health().await.unwrap_err();
                    assert!(lost.is_transient(), "{lost:?}");
                }
                assert!(started.elapsed() < Duration::from_secs(5));
                bring_back(&place);
                until(&device, |answer| answer.is_ok()).await.unwrap();
                sign(&device, &alice, &keys[0]).await.unwrap();
            }
        },
    );
}

#[test]
fn a_token_away_under_load_loses_and_doubles_nothing() {
    with_softhsm(
        "a_token_away_under_load_loses_and_doubles_nothing",
        async |place| {
            let device = made(&place).await;
            let (alice, keys) = unit(&device).await;
            let (stop, losses, signed) = (
                Arc::new(AtomicBool::new(false)),
                Arc::new(AtomicU32::new(0)),
                Arc::new(AtomicU32::new(0)),
            );
            let tasks: Vec<_> = (0..6_u8)
                .map(|n| {
                    let (device, alice, key) =
                        (Arc::clone(&device), alice.clone(), keys[0].clone());
                    let (stop, losses, signed) = (stop.clone(), losses.clone(), signed.clone());
                    tokio::spawn(async move {
                        let name = KeyName::new("under-load").unwrap();
                        while !stop.load(Ordering::Relaxed) {
                            let outcome = match n % 3 {
                                0 => sign(&device, &alice, &key).await.map(|_| ()),
                                1 => device
                                    .generate(&ALICE, &alice, Curve::P256, 2)
                                    .await
                                    .map(|_| ()),
                                _ => device
                                    .named_key(&name, Curve::P256, KeyUse::Sign)
                                    .await
                                    .map(|_| ()),
                            };
                            match outcome {
                                Ok(()) => signed.fetch_add(1, Ordering::Relaxed),
                                Err(error) => {
                                    assert!(error.is_transient(), "{error:?}");
                                    tokio::time::sleep(Duration::from_millis(5)).await;
                                    losses.fetch_add(1, Ordering::Relaxed)
                                }
                            };
                        }
                    })
                })
                .collect();
            for _ in 0..3 {
                tokio::time::sleep(Duration::from_millis(300)).await;
                take_away(&place);
                tokio::time::sleep(Duration::from_millis(200)).await;
                bring_back(&place);
                let before = signed.load(Ordering::Relaxed);
                let started = Instant::now();
                while signed.load(Ordering::Relaxed) < before + 10 {
                    assert!(
                        started.elapsed() < Duration::from_secs(20),
                        "it did not recover"
                    );
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            }
            stop.store(true, Ordering::Relaxed);
            for task in tasks {
                task.await.unwrap();
            }
            assert!(losses.load(Ordering::Relaxed) > 0);
            sign(&device, &alice, &keys[0]).await.unwrap();
            let mut named = 0;
            raw(&place, |session| {
                let label = Attribute::Label(b"claviger/named/under-load".to_vec());
                let private = Attribute::Class(ObjectClass::PRIVATE_KEY);
                named = session.find_objects(&[label, private]).unwrap().len();
            });
            assert_eq!(named, 1);
        },
    );
}

#[test]
fn a_token_initialised_anew_is_lost_until_the_right_one_is_back() {
    with_softhsm(
        "a_token_initialised_anew_is_lost_until_the_right_one_is_back",
        async |place| {
            let device = made(&place).await;
            let (alice, keys) = unit(&device).await;
            let backup = place.folder.join("backup");
            copy(&place.tokens(), &backup);
            place.run_other("initialise-anew");
            let lost = sign(&device, &alice, &keys[0]).await.unwrap_err();
            assert!(matches!(lost, DeviceError::Lost { .. }), "{lost:?}");
            let lost = device.health().await.unwrap_err();
            assert!(matches!(lost, DeviceError::Lost { .. }), "{lost:?}");

            std::fs::remove_dir_all(place.tokens()).unwrap();
            copy(&backup, &place.tokens());
            until(&device, |answer| answer.is_ok()).await.unwrap();
            sign(&device, &alice, &keys[0]).await.unwrap();
        },
    );
}

// ---- two processes ----------------------------------------------------------------------

#[test]
fn two_processes_work_on_one_token() {
    with_tokens("two_processes_work_on_one_token", async |place| {
        let device = made(&place).await;
        let name = KeyName::new("shared").unwrap();
        let other = place.start_other("work");
        let (alice, keys) = unit(&device).await;
        for _ in 0..100 {
            sign(&device, &alice, &keys[0]).await.unwrap();
            device
                .generate(&ALICE, &alice, Curve::P256, 1)
                .await
                .unwrap();
        }
        finish(other);
        // What the other made is ours too: a named key, an anchor.
        let public = opened(&device, &name).await;
        let signature = device.sign_named(&name, &jose::sha256(b"m")).await.unwrap();
        public.verify(b"m", &signature).unwrap();
        let anchor = device.read_anchor(3).await.unwrap().unwrap();
        assert_eq!(anchor.epoch, 50);
        // And what it destroys is gone here, though the handle was held.
        place.run_other("destroy-named");
        let gone = device.sign_named(&name, &DIGEST).await.unwrap_err();
        assert!(matches!(gone, DeviceError::NotFound { .. }), "{gone:?}");
    });
}

#[test]
fn a_rotation_by_another_process_is_seen_here() {
    with_tokens(
        "a_rotation_by_another_process_is_seen_here",
        async |place| {
            let device = made(&place).await;
            let (old, keys) = unit(&device).await;
            place.run_other("begin-rotation");
            let root = device.root().await.unwrap();
            assert_eq!(root.current, Generation(2));
            assert_eq!(root.retiring, Some(Generation(1)));
            // No new key hangs from a root that is about to go.
            let new = device.create_unit_key(&ALICE).await.unwrap();
            assert_eq!(new.generation, Generation(2));
            sign(&device, &old, &keys[0]).await.unwrap();
            let moved = device.rewrap(&ALICE, &old, &new, &keys).await.unwrap();
            place.run_other("finish-rotation");
            let gone = sign(&device, &old, &keys[0]).await.unwrap_err();
            assert!(
                matches!(gone, DeviceError::WrongGeneration { generation: Generation(1), root }
                if root.current == Generation(2) && root.retiring.is_none()),
                "{gone:?}"
            );
            sign(&device, &new, &moved[0]).await.unwrap();
        },
    );
}

#[test]
fn a_rotation_that_a_crash_cut_short_goes_on() {
    with_tokens("a_rotation_that_a_crash_cut_short_goes_on", async |place| {
        drop(made(&place).await);
        // The next root is made, and not yet in force.
        raw(&place, |session| {
            let mut template = root_template(2);
            template.push(Attribute::Token(true));
            session
                .generate_key(&Mechanism::AesKeyGen, &template)
                .unwrap();
        });
        let device = wscd_pkcs11::open(&place.uri()).await.unwrap();
        assert_eq!(device.root().await.unwrap().current, Generation(1));
        let (old, keys) = unit(&device).await;
        assert_eq!(old.generation, Generation(1));
        let root = device.begin_rotation().await.unwrap();
        assert_eq!(
            (root.current, root.retiring),
            (Generation(2), Some(Generation(1)))
        );
        assert_eq!(device.begin_rotation().await.unwrap(), root);
        // The old root is destroyed, and nothing says so yet.
        raw(&place, |session| {
            destroy(session, &[Attribute::Label(b"claviger/root/1".to_vec())]);
        });
        drop(device);
        let device = wscd_pkcs11::open(&place.uri()).await.unwrap();
        let root = device.root().await.unwrap();
        assert_eq!((root.current, root.retiring), (Generation(2), None));
        let gone = sign(&device, &old, &keys[0]).await.unwrap_err();
        assert!(matches!(gone, DeviceError::WrongGeneration { .. }));
        assert_eq!(
            device.finish_rotation(Generation(2)).await.unwrap(),
            Generation(2)
        );
        assert_eq!(
            device.begin_rotation().await.unwrap().current,
            Generation(3)
        );
    });
}

#[test]
fn killed_at_any_moment_it_lost_no_anchor_and_no_key() {
    with_tokens(
        "killed_at_any_moment_it_lost_no_anchor_and_no_key",
        async |place| {
            let device = made(&place).await;
            let (alice, keys) = unit(&device).await;
            for round in 0..6_u64 {
                let mut other = place.start_other("anchors");
                let lines = BufReader::new(other.stdout.take().unwrap()).lines();
                let mut acknowledged = 0;
                let mut seen = 0;
                for line in lines {
                    if let Some(epoch) = line.unwrap().strip_prefix("acknowledged ") {
                        acknowledged = epoch.parse::<u64>().unwrap();
                        seen += 1;
                    }
                    if seen >= 20 + 7 * round {
                        break;
                    }
                }
                other.kill().unwrap();
                other.wait().unwrap();
                assert!(acknowledged > 0);
                let held = device.read_anchor(5).await.unwrap().unwrap().epoch;
                assert!(held >= acknowledged, "{held} < {acknowledged}");
                sign(&device, &alice, &keys[0]).await.unwrap();
            }
        },
    );
}

#[test]
fn an_anchor_outlives_either_of_its_two_objects() {
    with_tokens(
        "an_anchor_outlives_either_of_its_two_objects",
        async |place| {
            let device = made(&place).await;
            let write = async |epoch| {
                let anchor = Anchor {
                    epoch,
                    hash: [1; 32],
                };
                device.write_anchor(9, &anchor).await
            };
            let held = async || device.read_anchor(9).await.unwrap().unwrap().epoch;
            let slot =
                |slot: &str| Attribute::Application(format!("claviger/anchor/9/{slot}").into());
            for epoch in 1..=3 {
                write(epoch).await.unwrap();
            }
            // As a crash leaves it that lost the object which was being written.
            raw(&place, |session| destroy(session, &[slot("a")]));
            assert_eq!(held().await, 2);
            let behind = write(1).await.unwrap_err();
            assert!(matches!(behind, DeviceError::AnchorBehind { .. }));
            write(3).await.unwrap();
            // And one that left something else in it.
            raw(&place, |session| {
                let object = session.find_objects(&[slot("b")]).unwrap()[0];
                let garbage = Attribute::Label(b"garbage".to_vec());
                session.update_attributes(object, &[garbage]).unwrap();
            });
            assert_eq!(held().await, 3);
            for epoch in 4..=6 {
                write(epoch).await.unwrap();
                assert_eq!(held().await, epoch);
            }
        },
    );
}

/// What a second process does for the tests above, and nothing on its own.
#[test]
fn the_other_process() {
    as_other(async |role, place| match role.as_str() {
        "initialise-anew" => {
            let module = module(&place);
            let slot = module.get_slots_with_initialized_token().unwrap()[0];
            module.init_token(slot, &auth(SO_PIN), LABEL).unwrap();
            let slot = module.get_slots_with_initialized_token().unwrap()[0];
            let session = module.open_rw_session(slot).unwrap();
            session.login(UserType::So, Some(&auth(SO_PIN))).unwrap();
            session.init_pin(&auth(PIN)).unwrap();
        }
        "work" => {
            let device = wscd_pkcs11::open(&place.uri()).await.unwrap();
            let (alice, keys) = unit(&device).await;
            opened(&device, &KeyName::new("shared").unwrap()).await;
            for epoch in 1..=50 {
                sign(&device, &alice, &keys[0]).await.unwrap();
                let anchor = Anchor {
                    epoch,
                    hash: [9; 32],
                };
                device.write_anchor(3, &anchor).await.unwrap();
            }
        }
        "destroy-named" => {
            let device = wscd_pkcs11::open(&place.uri()).await.unwrap();
            let name = KeyName::new("shared").unwrap();
            device.destroy_named(&name).await.unwrap();
        }
        "begin-rotation" => {
            let device = wscd_pkcs11::open(&place.uri()).await.unwrap();
            device.begin_rotation().await.unwrap();
        }
        "finish-rotation" => {
            let device = wscd_pkcs11::open(&place.uri()).await.unwrap();
            device.finish_rotation(Generation(2)).await.unwrap();
        }
        "anchors" => {
            let device = wscd_pkcs11::open(&place.uri()).await.unwrap();
            let from = device.read_anchor(5).await.unwrap().map_or(0, |a| a.epoch);
            let mut out = std::io::stdout();
            for epoch in from + 1.. {
                let anchor = Anchor {
                    epoch,
                    hash: [5; 32],
                };
                device.write_anchor(5, &anchor).await.unwrap();
                writeln!(out, "\nacknowledged {epoch}").unwrap();
                out.flush().unwrap();
            }
        }
        other => panic!("no role {other}"),
    });
}

// ---- helpers ----------------------------------------------------------------------------

async fn made(place: &Place) -> Arc<dyn Wscd> {
    let so_pin = PinSource::File(place.folder.join("so-pin"));
    wscd_pkcs11::init(&place.uri(), Some(so_pin)).await.unwrap();
    wscd_pkcs11::open(&place.uri()).await.unwrap()
}

async fn unit(device: &Arc<dyn Wscd>) -> (WrappedUnitKey, Vec<UserKey>) {
    let unit_key = device.create_unit_key(&ALICE).await.unwrap();
    let keys = device
        .generate(&ALICE, &unit_key, Curve::P256, 1)
        .await
        .unwrap();
    (unit_key, keys)
}

async fn sign(
    device: &Arc<dyn Wscd>,
    unit_key: &WrappedUnitKey,
    key: &UserKey,
) -> Result<Vec<Vec<u8>>, DeviceError> {
    let item = SignItem {
        key,
        digest: &DIGEST,
    };
    device.sign_digests(&ALICE, unit_key, &[item]).await
}

/// Opens a named key that another process may be making at this moment.
async fn opened(device: &Arc<dyn Wscd>, name: &KeyName) -> jose::PublicKey {
    loop {
        match device.named_key(name, Curve::P256, KeyUse::Sign).await {
            Err(DeviceError::Busy { .. }) => {}
            other => return other.unwrap(),
        }
    }
}

/// Asks after the device's health until the answer is right, or ten seconds.
async fn until(
    device: &Arc<dyn Wscd>,
    right: impl Fn(&Result<wscd::Health, DeviceError>) -> bool,
) -> Result<wscd::Health, DeviceError> {
    let started = Instant::now();
    loop {
        let answer = device.health().await;
        if right(&answer) || started.elapsed() > Duration::from_secs(10) {
            return answer;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn take_away(place: &Place) {
    let tokens = place.tokens();
    std::fs::rename(&tokens, place.folder.join("away")).unwrap();
    std::fs::create_dir(&tokens).unwrap();
}

fn bring_back(place: &Place) {
    std::fs::remove_dir_all(place.tokens()).unwrap();
    std::fs::rename(place.folder.join("away"), place.tokens()).unwrap();
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to);
        } else {
            std::fs::copy(entry.path(), to).unwrap();
        }
    }
}
