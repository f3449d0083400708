//! Setting a token up, its PIN, and a token that goes away or is shared.
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

use common::{LABEL, PIN, Place, SO_PIN, as_other, finish, with_tokens};
use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, KeyType, ObjectClass};
use cryptoki::session::{Session, UserType};
use cryptoki::types::AuthPin;
use jose::Curve;
use wscd::{
    Anchor, DeviceError, Generation, KeyName, KeyUse, MacPurpose, SignItem, UnitBinding, UserKey,
    WrappedUnitKey, Wscd,
};
use wscd_pkcs11::{OpenError, PinSource};

const ALICE: UnitBinding = UnitBinding([0xa1; 16]);
const DIGEST: [u8; 32] = [0x5a; 32];

// ---- setting up -----------------------------------------------------------------------

#[test]
fn init_sets_up_once_and_changes_nothing_after() {
    with_tokens("init_sets_up_once_and_changes_nothing_after", async |place| {
        let uri = place.uri();
        let so_pin = || Some(PinSource::File(place.folder.join("so-pin")));
        let missing = wscd_pkcs11::open(&uri).await.unwrap_err();
        assert!(matches!(missing, OpenError::NoToken { token } if token == LABEL));
        let unarmed = wscd_pkcs11::init(&uri, None).await.unwrap_err();
        assert!(matches!(unarmed, OpenError::NoSecurityOfficer));

        let done = wscd_pkcs11::init(&uri, so_pin()).await.unwrap();
        assert!(done.token_made);
        assert_eq!(done.objects_made.len(), 1 + 5 + 2 + 2, "{done:?}");
        let device = wscd_pkcs11::open(&uri).await.unwrap();
        let mac = device.mac(MacPurpose::OprfSeed, b"x").await.unwrap();
        let (alice, keys) = unit(&device).await;

        // While it is open, and after; with the security officer and without.
        for so_pin in [so_pin(), None] {
            let again = wscd_pkcs11::init(&uri, so_pin).await.unwrap();
            assert!(!again.token_made && again.objects_made.is_empty(), "{again:?}");
        }
        assert_eq!(device.mac(MacPurpose::OprfSeed, b"x").await.unwrap(), mac);
        sign(&device, &alice, &keys[0]).await.unwrap();
        assert_eq!(device.root().await.unwrap().current, Generation(1));
    });
}

#[test]
fn a_token_that_is_not_set_up_says_what_is_missing() {
    with_tokens("a_token_that_is_not_set_up_says_what_is_missing", async |place| {
        bare_token(&place);
        let error = wscd_pkcs11::open(&place.uri()).await.unwrap_err();
        assert!(matches!(error, OpenError::NotSetUp { object } if object == "claviger/bind"));
    });
}

#[test]
fn a_set_up_that_was_cut_short_is_finished() {
    with_tokens("a_set_up_that_was_cut_short_is_finished", async |place| {
        made(&place).await;
        // As a crash before the last object leaves it.
        raw(&place, |session| {
            destroy(session, &[Attribute::Application(b"claviger/roots".to_vec())]);
            destroy(session, &[Attribute::Label(b"claviger/seal/service-secret".to_vec())]);
        });
        let done = wscd_pkcs11::init(&place.uri(), None).await.unwrap();
        assert_eq!(
            done.objects_made,
            ["claviger/seal/service-secret", "claviger/roots"]
        );
        wscd_pkcs11::open(&place.uri()).await.unwrap();
    });
}

#[test]
fn a_token_that_lost_what_all_depends_on_is_not_mended() {
    with_tokens("a_token_that_lost_what_all_depends_on_is_not_mended", async |place| {
        made(&place).await;
        raw(&place, |session| {
            destroy(session, &[Attribute::Label(b"claviger/bind".to_vec())]);
        });
        let error = wscd_pkcs11::init(&place.uri(), None).await.unwrap_err();
        assert!(matches!(error, OpenError::Untrusted { object, .. } if object == "claviger/bind"));
    });
}

#[test]
fn a_planted_key_is_not_trusted() {
    with_tokens("a_planted_key_is_not_trusted", async |place| {
        made(&place).await;
        let value = || Attribute::Value(vec![7; 32]);
        let planted: [(&str, Vec<Attribute>); 3] = [
            // Known to whoever brought it.
            ("it was not made in the token", vec![value()]),
            ("it is, or was, extractable", vec![value(), Attribute::Extractable(true)]),
            (
                "it is not, or was not always, sensitive",
                vec![value(), Attribute::Sensitive(false)],
            ),
        ];
        for (_, more) in planted {
            let label = Attribute::Label(b"claviger/mac/oprf-seed".to_vec());
            raw(&place, |session| {
                destroy(session, std::slice::from_ref(&label));
                let mut template = vec![
                    Attribute::Class(ObjectClass::SECRET_KEY),
                    Attribute::KeyType(KeyType::GENERIC_SECRET),
                    Attribute::Token(true),
                    Attribute::Private(true),
                    Attribute::Sign(true),
                    label.clone(),
                ];
                let says = |kind: fn(&Attribute) -> bool| more.iter().any(kind);
                if !says(|a| matches!(a, Attribute::Sensitive(_))) {
                    template.push(Attribute::Sensitive(true));
                }
                if !says(|a| matches!(a, Attribute::Extractable(_))) {
                    template.push(Attribute::Extractable(false));
                }
                template.extend(more.iter().cloned());
                session.create_object(&template).unwrap();
            });
            for error in [
                wscd_pkcs11::open(&place.uri()).await.unwrap_err(),
                wscd_pkcs11::init(&place.uri(), None).await.unwrap_err(),
            ] {
                match error {
                    OpenError::Untrusted { object, .. } => {
                        assert_eq!(object, "claviger/mac/oprf-seed");
                    }
                    other => panic!("{other:?}"),
                }
            }
        }
        // A second key of that name is no better.
        raw(&place, |session| {
            for _ in 0..2 {
                hmac_key(session, "claviger/mac/oprf-seed");
            }
        });
        assert!(matches!(
            wscd_pkcs11::open(&place.uri()).await.unwrap_err(),
            OpenError::Answered { what: "find its objects", .. }
        ));
    });
}

#[test]
fn two_tokens_of_one_label_need_a_serial_number() {
    with_tokens("two_tokens_of_one_label_need_a_serial_number", async |place| {
        bare_token(&place);
        bare_token(&place);
        let error = wscd_pkcs11::open(&place.uri()).await.unwrap_err();
        assert!(matches!(error, OpenError::AmbiguousToken { .. }));
        let module = Pkcs11::new(&place.module).unwrap();
        let slot = module.get_slots_with_initialized_token().unwrap()[0];
        let serial = module.get_token_info(slot).unwrap();
        let uri = place
            .uri()
            .replace('?', &format!(";serial={}?", serial.serial_number()));
        wscd_pkcs11::init(&uri, None).await.unwrap();
        wscd_pkcs11::open(&uri).await.unwrap();
    });
}

#[test]
fn what_is_no_module_is_refused() {
    with_tokens("what_is_no_module_is_refused", async |place| {
        for module in ["/nowhere/module.so", "/etc/passwd", "/"] {
            let uri = format!("pkcs11:token=a?module-path={module}&pin-env=PATH");
            let error = wscd_pkcs11::open(&uri).await.unwrap_err();
            // PATH is too long for no PIN, and the module comes after it.
            assert!(matches!(error, OpenError::Module { .. }), "{error:?}");
        }
        drop(place);
    });
}

// ---- the PIN --------------------------------------------------------------------------

#[test]
fn a_pin_file_that_others_can_read_is_refused() {
    with_tokens("a_pin_file_that_others_can_read_is_refused", async |place| {
        use std::os::unix::fs::PermissionsExt;
        made(&place).await;
        let pin = place.pin_file("loose", PIN);
        std::fs::set_permissions(&pin, std::fs::Permissions::from_mode(0o644)).unwrap();
        let error = wscd_pkcs11::open(&place.uri_with(&pin)).await.unwrap_err();
        assert!(matches!(error, OpenError::PinFilePermissions { mode: 0o644, .. }));
    });
}

#[test]
fn a_wrong_pin_is_refused_and_an_open_token_is_no_way_around() {
    with_tokens("a_wrong_pin_is_refused_and_an_open_token_is_no_way_around", async |place| {
        drop(made(&place).await);
        let wrong = place.pin_file("wrong", "000000");
        let uri = place.uri_with(&wrong);
        let error = wscd_pkcs11::open(&uri).await.unwrap_err();
        assert!(matches!(error, OpenError::PinRefused { who: "user" }));
        assert!(!format!("{error} {error:?}").contains("000000"));
        // Where the token is logged in to already, the module would not ask.
        let device = wscd_pkcs11::open(&place.uri()).await.unwrap();
        let error = wscd_pkcs11::open(&uri).await.unwrap_err();
        assert!(matches!(error, OpenError::PinRefused { who: "user" }));
        device.health().await.unwrap();
        wscd_pkcs11::open(&place.uri()).await.unwrap();
    });
}

#[test]
fn a_pin_that_was_changed_under_us_is_tried_once_and_never_again() {
    with_tokens(
        "a_pin_that_was_changed_under_us_is_tried_once_and_never_again",
        async |place| {
            let device = made(&place).await;
            place.run_other("change-pin");
            take_away(&place);
            assert!(matches!(device.health().await, Err(DeviceError::Lost { .. })));
            bring_back(&place);
            let refused = until(&device, |answer| !matches!(answer, Err(DeviceError::Lost { .. })))
                .await
                .unwrap_err();
            assert!(
                matches!(refused, DeviceError::Failed { what: "log in", .. }),
                "{refused:?}"
            );
            // Even when the PIN is right again: nobody can know that without trying.
            place.run_other("change-pin-back");
            tokio::time::sleep(Duration::from_millis(600)).await;
            for _ in 0..20 {
                let refused = device.mac(MacPurpose::OprfSeed, b"x").await.unwrap_err();
                assert!(matches!(refused, DeviceError::Failed { what: "log in", .. }));
            }
            // Opened anew, it is tried again. (SoftHSM learns of another process's
            // change of PIN when it starts.)
            place.run_other("work");
        },
    );
}

// ---- away and back ----------------------------------------------------------------------

#[test]
fn a_token_taken_away_is_lost_and_comes_back_by_itself() {
    with_tokens("a_token_taken_away_is_lost_and_comes_back_by_itself", async |place| {
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
    });
}

#[test]
fn a_token_away_under_load_loses_and_doubles_nothing() {
    with_tokens("a_token_away_under_load_loses_and_doubles_nothing", async |place| {
        let device = made(&place).await;
        let (alice, keys) = unit(&device).await;
        let (stop, losses, signed) = (
            Arc::new(AtomicBool::new(false)),
            Arc::new(AtomicU32::new(0)),
            Arc::new(AtomicU32::new(0)),
        );
        let tasks: Vec<_> = (0..6_u8)
            .map(|n| {
                let (device, alice, key) = (Arc::clone(&device), alice.clone(), keys[0].clone());
                let (stop, losses, signed) = (stop.clone(), losses.clone(), signed.clone());
                tokio::spawn(async move {
                    let name = KeyName::new("under-load").unwrap();
                    while !stop.load(Ordering::Relaxed) {
                        let outcome = match n % 3 {
                            0 => sign(&device, &alice, &key).await.map(|_| ()),
                            1 => device.generate(&ALICE, &alice, Curve::P256, 2).await.map(|_| ()),
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
                assert!(started.elapsed() < Duration::from_secs(20), "it did not recover");
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
            named = session.find_objects(&[label]).unwrap().len();
        });
        assert_eq!(named, 2, "one key pair");
    });
}

#[test]
fn a_token_initialised_anew_is_lost_until_the_right_one_is_back() {
    with_tokens(
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
    with_tokens("a_rotation_by_another_process_is_seen_here", async |place| {
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
    });
}

#[test]
fn a_rotation_that_a_crash_cut_short_goes_on() {
    with_tokens("a_rotation_that_a_crash_cut_short_goes_on", async |place| {
        drop(made(&place).await);
        // The next root is made, and not yet in force.
        raw(&place, |session| {
            let mut template = root_template(2);
            template.push(Attribute::Token(true));
            session.generate_key(&Mechanism::AesKeyGen, &template).unwrap();
        });
        let device = wscd_pkcs11::open(&place.uri()).await.unwrap();
        assert_eq!(device.root().await.unwrap().current, Generation(1));
        let (old, keys) = unit(&device).await;
        assert_eq!(old.generation, Generation(1));
        let root = device.begin_rotation().await.unwrap();
        assert_eq!((root.current, root.retiring), (Generation(2), Some(Generation(1))));
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
        assert_eq!(device.finish_rotation().await.unwrap(), Generation(2));
        assert_eq!(device.begin_rotation().await.unwrap().current, Generation(3));
    });
}

#[test]
fn killed_at_any_moment_it_lost_no_anchor_and_no_key() {
    with_tokens("killed_at_any_moment_it_lost_no_anchor_and_no_key", async |place| {
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
    });
}

/// What a second process does for the tests above, and nothing on its own.
#[test]
fn the_other_process() {
    as_other(async |role, place| match role.as_str() {
        "change-pin" => raw(&place, |session| {
            session.set_pin(&auth(PIN), &auth("999999")).unwrap();
        }),
        "change-pin-back" => raw_as(&place, "999999", |session| {
            session.set_pin(&auth("999999"), &auth(PIN)).unwrap();
        }),
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
                let anchor = Anchor { epoch, hash: [9; 32] };
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
            device.finish_rotation().await.unwrap();
        }
        "anchors" => {
            let device = wscd_pkcs11::open(&place.uri()).await.unwrap();
            let from = device.read_anchor(5).await.unwrap().map_or(0, |a| a.epoch);
            let mut out = std::io::stdout();
            for epoch in from + 1.. {
                let anchor = Anchor { epoch, hash: [5; 32] };
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
    let item = SignItem { key, digest: &DIGEST };
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

// ---- the module itself, without this crate --------------------------------------------------

fn auth(pin: &str) -> AuthPin {
    AuthPin::from(pin.to_owned())
}

fn module(place: &Place) -> Pkcs11 {
    let module = Pkcs11::new(&place.module).unwrap();
    // It may be initialised already, by what is tested.
    let _ = module.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK));
    module
}

/// A token with its PINs and no objects.
fn bare_token(place: &Place) {
    let module = module(place);
    let slots = module.get_slots_with_token().unwrap();
    let free = slots
        .into_iter()
        .find(|slot| !module.get_token_info(*slot).unwrap().token_initialized())
        .unwrap();
    module.init_token(free, &auth(SO_PIN), LABEL).unwrap();
    let slot = module
        .get_slots_with_initialized_token()
        .unwrap()
        .into_iter()
        .find(|slot| !module.get_token_info(*slot).unwrap().user_pin_initialized())
        .unwrap();
    let session = module.open_rw_session(slot).unwrap();
    session.login(UserType::So, Some(&auth(SO_PIN))).unwrap();
    session.init_pin(&auth(PIN)).unwrap();
    session.logout().unwrap();
}

fn raw(place: &Place, work: impl FnOnce(&Session)) {
    raw_as(place, PIN, work);
}

fn raw_as(place: &Place, pin: &str, work: impl FnOnce(&Session)) {
    let module = module(place);
    let slot = module.get_slots_with_initialized_token().unwrap()[0];
    let session = module.open_rw_session(slot).unwrap();
    let _ = session.login(UserType::User, Some(&auth(pin)));
    work(&session);
}

fn destroy(session: &Session, template: &[Attribute]) {
    let found = session.find_objects(template).unwrap();
    assert!(!found.is_empty());
    for object in found {
        session.destroy_object(object).unwrap();
    }
}

fn hmac_key(session: &Session, label: &str) {
    session
        .generate_key(
            &Mechanism::GenericSecretKeyGen,
            &[
                Attribute::ValueLen(32_usize.try_into().unwrap()),
                Attribute::Token(true),
                Attribute::Sensitive(true),
                Attribute::Extractable(false),
                Attribute::Sign(true),
                Attribute::Label(label.as_bytes().to_vec()),
            ],
        )
        .unwrap();
}

fn root_template(generation: u64) -> Vec<Attribute> {
    vec![
        Attribute::ValueLen(32_usize.try_into().unwrap()),
        Attribute::Private(true),
        Attribute::Sensitive(true),
        Attribute::Extractable(false),
        Attribute::Wrap(true),
        Attribute::Unwrap(true),
        Attribute::Encrypt(false),
        Attribute::Decrypt(false),
        Attribute::Sign(false),
        Attribute::Verify(false),
        Attribute::Id(b"claviger/root".to_vec()),
        Attribute::Label(format!("claviger/root/{generation}").into_bytes()),
    ]
}
