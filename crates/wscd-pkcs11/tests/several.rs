//! Several tokens that hold the same keys, as one device.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod common;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use common::{Place, as_other, finish, with_softhsm, with_tokens};
use cryptoki::object::{Attribute, AttributeType};
use cryptoki::session::UserType;
use cryptoki::slot::Slot;
use jose::Curve;
use wscd::conformance::{self, Marks, Outcome, Scope};
use wscd::{
    Anchor, DeviceError, Generation, KeyName, KeyUse, SignItem, UnitBinding, UserKey,
    WrappedUnitKey, Wscd,
};
use wscd_pkcs11::{Ceremony, OpenError, PinSource};

const ALICE: UnitBinding = UnitBinding([0xa1; 16]);
const MESSAGE: &[u8] = b"several tokens";

#[test]
fn two_tokens_pass_the_kit_as_one_device_and_again_after_a_restart() {
    with_tokens(
        "two_tokens_pass_the_kit_as_one_device_and_again_after_a_restart",
        async |place| {
            let device = made(&place, &["a", "b"]).await;
            assert!(device.descriptor().model.ends_with("(2 tokens)"));
            let report = conformance::run(device.as_ref(), Scope::Empty).await;
            assert!(report.passed(), "{report:#?}");
            assert!(report.checks.iter().all(|c| c.result == Outcome::Passed));
            let marks = Marks::leave(device.as_ref()).await.unwrap();
            drop(device);
            let device = open(&place, &["a", "b"]).await;
            assert_eq!(marks.check(device.as_ref()).await.result, Outcome::Passed);
        },
    );
}

#[test]
fn what_one_token_makes_every_other_opens() {
    with_tokens("what_one_token_makes_every_other_opens", async |place| {
        let device = made(&place, &["a", "b", "c"]).await;
        let name = KeyName::new("service").unwrap();
        let public = device
            .named_key(&name, Curve::P256, KeyUse::Sign)
            .await
            .unwrap();
        let (alice, keys) = unit(&device).await;
        drop(device);
        for token in ["a", "b", "c"] {
            let alone = open(&place, &[token]).await;
            sign(&alone, &alice, &keys[0]).await.unwrap();
            let signature = alone.sign_named(&name, &jose::sha256(b"m")).await.unwrap();
            public.verify(b"m", &signature).unwrap();
            // Its keys leave it no more than those of a token that made its own.
            let tried = alone
                .attempt_exports(&ALICE, &alice, &keys[0])
                .await
                .unwrap();
            assert!(tried.iter().all(|attempt| !attempt.exported), "{tried:#?}");
        }
    });
}

#[test]
fn carried_keys_are_not_trusted_unless_it_is_said() {
    with_tokens(
        "carried_keys_are_not_trusted_unless_it_is_said",
        async |place| {
            drop(made(&place, &["a", "b"]).await);
            let uri = uri(&place, &["a"]).replace("&keys=replicated", "");
            let error = wscd_pkcs11::open(&uri).await.unwrap_err();
            assert!(
                matches!(&error, OpenError::Untrusted { object, .. } if object == "claviger/bind"),
                "{error:?}"
            );
        },
    );
}

#[test]
fn tokens_with_other_keys_are_no_replicas() {
    with_tokens("tokens_with_other_keys_are_no_replicas", async |place| {
        for token in ["a", "b"] {
            let uri = uri(&place, &[token]).replace("&keys=replicated", "");
            wscd_pkcs11::init(&uri, so_pin(&place)).await.unwrap();
        }
        let strict = uri(&place, &["a", "b"]).replace("&keys=replicated", "");
        let error = wscd_pkcs11::open(&strict).await.unwrap_err();
        let text = format!("{error:?}");
        assert!(text.contains("their MAC keys differ"), "{text}");
        // And one without keys is told how to get them.
        let strict = uri(&place, &["a", "c"]).replace("&keys=replicated", "");
        let error = wscd_pkcs11::init(&strict, so_pin(&place))
            .await
            .unwrap_err();
        assert!(
            matches!(&error, OpenError::NotReplicated { token, .. } if token == "c"),
            "{error:?}"
        );
    });
}

#[test]
fn setting_a_set_up_again_changes_nothing_and_a_ceremony_cut_short_is_done_anew() {
    with_tokens(
        "setting_a_set_up_again_changes_nothing_and_a_ceremony_cut_short_is_done_anew",
        async |place| {
            // As a crash before the registers leaves it: keys in one, and not the same.
            let alone = uri(&place, &["a"]).replace("&keys=replicated", "");
            wscd_pkcs11::init(&alone, so_pin(&place)).await.unwrap();
            common::raw::raw(&place, |session| {
                for slot in ["claviger/roots/a", "claviger/roots/b"] {
                    let slot = Attribute::Application(slot.as_bytes().to_vec());
                    common::raw::destroy(session, &[slot]);
                }
            });
            let device = made(&place, &["a", "b"]).await;
            let (alice, keys) = unit(&device).await;
            let uri = uri(&place, &["a", "b"]);
            let again = wscd_pkcs11::init(&uri, None).await.unwrap();
            assert!(
                again.objects_made.is_empty() && !again.set_made && !again.token_made,
                "{again:?}"
            );
            sign(&device, &alice, &keys[0]).await.unwrap();
        },
    );
}

#[test]
fn a_rotation_reaches_every_token_or_none_is_finished() {
    with_softhsm(
        "a_rotation_reaches_every_token_or_none_is_finished",
        async |place| {
            let device = made(&place, &["a", "b"]).await;
            let (old, keys) = unit(&device).await;
            let root = device.begin_rotation().await.unwrap();
            assert_eq!(
                (root.current, root.retiring),
                (Generation(2), Some(Generation(1)))
            );
            assert_eq!(device.begin_rotation().await.unwrap(), root);
            let new = device.create_unit_key(&ALICE).await.unwrap();
            assert_eq!(new.generation, Generation(2));
            let moved = device.rewrap(&ALICE, &old, &new, &keys[..1]).await.unwrap();

            // A token that is away still holds the old root.
            let away = take_away(&place, "b");
            let lost = device.finish_rotation(Generation(2)).await.unwrap_err();
            assert!(matches!(lost, DeviceError::Lost { .. }), "{lost:?}");
            sign(&device, &new, &moved[0]).await.unwrap();
            let state = device.root().await.unwrap();
            assert_eq!(state.current, Generation(2));
            bring_back(&place, away);
            let done = eventually(async || device.finish_rotation(Generation(2)).await).await;
            assert_eq!(done, Generation(2));
            drop(device);
            for token in ["a", "b"] {
                let alone = open(&place, &[token]).await;
                sign(&alone, &new, &moved[0]).await.unwrap();
                for key in &keys {
                    let gone = sign(&alone, &old, key).await.unwrap_err();
                    assert!(
                        matches!(gone, DeviceError::WrongGeneration { .. }),
                        "{gone:?}"
                    );
                }
            }
        },
    );
}

#[test]
fn one_token_away_under_load_is_not_noticed_and_comes_back_by_itself() {
    with_softhsm(
        "one_token_away_under_load_is_not_noticed_and_comes_back_by_itself",
        async |place| {
            let device = made(&place, &["a", "b"]).await;
            let (alice, keys) = unit(&device).await;
            let stop = Arc::new(AtomicBool::new(false));
            let worked = Arc::new(AtomicU32::new(0));
            let tasks: Vec<_> = (0..4_u16)
                .map(|n| {
                    let (device, alice) = (Arc::clone(&device), alice.clone());
                    let (key, stop) = (keys[0].clone(), Arc::clone(&stop));
                    let worked = Arc::clone(&worked);
                    tokio::spawn(async move {
                        let mut epoch = 0;
                        while !stop.load(Ordering::Relaxed) {
                            sign(&device, &alice, &key).await.unwrap();
                            let made = device.generate(&ALICE, &alice, Curve::P256, 2).await;
                            sign(&device, &alice, &made.unwrap()[1]).await.unwrap();
                            epoch += 1;
                            let anchor = anchor(epoch);
                            device.write_anchor(n, &anchor).await.unwrap();
                            worked.fetch_add(1, Ordering::Relaxed);
                        }
                        epoch
                    })
                })
                .collect();
            for token in ["a", "b", "a"] {
                tokio::time::sleep(Duration::from_millis(400)).await;
                let before = worked.load(Ordering::Relaxed);
                let away = take_away(&place, token);
                tokio::time::sleep(Duration::from_millis(1200)).await;
                assert!(worked.load(Ordering::Relaxed) > before + 10);
                bring_back(&place, away);
                // Both count again, for anchors too, before the other one goes.
                let started = Instant::now();
                loop {
                    let views = [view_of(&place, "a"), view_of(&place, "b")];
                    if views[0] == views[1] && views[0].matches(',').count() == 1 {
                        break;
                    }
                    assert!(started.elapsed() < Duration::from_secs(20), "{views:?}");
                    tokio::time::sleep(Duration::from_millis(200)).await;
                }
            }
            stop.store(true, Ordering::Relaxed);
            let mut epochs = Vec::new();
            for task in tasks {
                epochs.push(task.await.unwrap());
            }
            drop(device);
            // Each of them remembers every anchor.
            for token in ["a", "b"] {
                let held = anchors_in(&place, token);
                let expected: Vec<u64> = epochs.clone();
                assert_eq!(held, expected, "{token}");
            }
        },
    );
}

#[test]
fn an_anchor_is_never_read_from_a_token_that_missed_the_last_one() {
    with_softhsm(
        "an_anchor_is_never_read_from_a_token_that_missed_the_last_one",
        async |place| {
            let device = made(&place, &["a", "b"]).await;
            device.write_anchor(3, &anchor(1)).await.unwrap();
            let away = take_away(&place, "a");
            // It goes on without the one that is away, and says so in the other.
            for epoch in 2..=4 {
                device.write_anchor(3, &anchor(epoch)).await.unwrap();
            }
            assert_eq!(device.read_anchor(3).await.unwrap(), Some(anchor(4)));
            drop(device);

            // The one that missed it is all that is left: an older database would fit it.
            let other = take_away(&place, "b");
            bring_back(&place, away);
            let device = open(&place, &["a", "b"]).await;
            let refused = device.read_anchor(3).await.unwrap_err();
            assert!(matches!(refused, DeviceError::Lost { .. }), "{refused:?}");
            drop(device);
            let alone = open(&place, &["a"]).await;
            let refused = alone.read_anchor(3).await.unwrap_err();
            assert!(matches!(refused, DeviceError::Lost { .. }), "{refused:?}");
            let refused = alone.write_anchor(3, &anchor(9)).await.unwrap_err();
            assert!(
                matches!(
                    &refused,
                    DeviceError::Failed {
                        what: "write an anchor",
                        ..
                    }
                ),
                "{refused:?}"
            );
            drop(alone);

            // With the other one back, the later anchor counts, and the first learns it.
            bring_back(&place, other);
            let device = open(&place, &["a", "b"]).await;
            let held = eventually(async || device.read_anchor(3).await).await;
            assert_eq!(held, Some(anchor(4)));
            let behind = device.write_anchor(3, &anchor(3)).await.unwrap_err();
            assert!(matches!(behind, DeviceError::AnchorBehind { .. }));
            eventually(async || match anchors_in(&place, "a") {
                held if held == [0, 0, 0, 4] => Ok(()),
                held => Err(held),
            })
            .await;
        },
    );
}

#[test]
fn a_restart_without_a_token_waits_for_it_until_the_operator_gives_it_up() {
    with_softhsm(
        "a_restart_without_a_token_waits_for_it_until_the_operator_gives_it_up",
        async |place| {
            let device = made(&place, &["a", "b"]).await;
            device.write_anchor(0, &anchor(5)).await.unwrap();
            drop(device);
            take_away(&place, "b");
            let device = open(&place, &["a", "b"]).await;
            let (alice, keys) = unit(&device).await;
            sign(&device, &alice, &keys[0]).await.unwrap();
            let refused = device.read_anchor(0).await.unwrap_err();
            assert!(matches!(refused, DeviceError::Lost { .. }), "{refused:?}");
            drop(device);
            let alone = uri(&place, &["a"]);
            let done = wscd_pkcs11::init_as(
                &alone,
                Ceremony {
                    without_missing: true,
                    ..Ceremony::default()
                },
            )
            .await
            .unwrap();
            assert!(done.set_made && done.objects_made.is_empty(), "{done:?}");
            let device = open(&place, &["a"]).await;
            assert_eq!(device.read_anchor(0).await.unwrap(), Some(anchor(5)));
            device.write_anchor(0, &anchor(6)).await.unwrap();
            device.begin_rotation().await.unwrap();
            device.finish_rotation(Generation(2)).await.unwrap();
        },
    );
}

#[test]
fn a_third_token_takes_over_where_two_are_left_and_one_alone_does_not() {
    with_softhsm(
        "a_third_token_takes_over_where_two_are_left_and_one_alone_does_not",
        async |place| {
            let device = made(&place, &["a", "b", "c"]).await;
            device.write_anchor(0, &anchor(1)).await.unwrap();
            let a = take_away(&place, "a");
            let b = take_away(&place, "b");
            // One of three may be the smaller part of a divided set.
            let refused = device.write_anchor(0, &anchor(2)).await.unwrap_err();
            assert!(refused.is_transient(), "{refused:?}");
            bring_back(&place, b);
            eventually(async || device.write_anchor(0, &anchor(2)).await).await;
            bring_back(&place, a);
            eventually(async || match device.read_anchor(0).await {
                Ok(Some(held)) if held == anchor(2) => Ok(()),
                other => Err(format!("{other:?}")),
            })
            .await;
        },
    );
}

#[test]
fn a_named_key_is_in_every_token_or_is_not_made() {
    with_softhsm(
        "a_named_key_is_in_every_token_or_is_not_made",
        async |place| {
            let device = made(&place, &["a", "b"]).await;
            let name = KeyName::new("late").unwrap();
            let away = take_away(&place, "a");
            let open = async || device.named_key(&name, Curve::P384, KeyUse::Agree).await;
            let lost = open().await.unwrap_err();
            assert!(matches!(lost, DeviceError::Lost { .. }), "{lost:?}");
            bring_back(&place, away);
            let public = eventually(open).await;
            for _ in 0..4 {
                assert_eq!(open().await.unwrap(), public);
            }
            let away = take_away(&place, "b");
            let peer = device.agree_named(&name, &public).await.unwrap();
            assert_eq!(peer.len(), 48);
            let lost = device.destroy_named(&name).await.unwrap_err();
            assert!(matches!(lost, DeviceError::Lost { .. }), "{lost:?}");
            bring_back(&place, away);
            eventually(async || device.destroy_named(&name).await).await;
            let gone = device.agree_named(&name, &public).await.unwrap_err();
            assert!(matches!(gone, DeviceError::NotFound { .. }), "{gone:?}");
        },
    );
}

// ---- helpers ----------------------------------------------------------------------------

/// `a` with the others as its replicas.
fn uri(place: &Place, tokens: &[&str]) -> String {
    let mut uri = place.tokens.uri(tokens[0]);
    for token in &tokens[1..] {
        uri.push_str(&format!("&replica=pkcs11:token={token}"));
    }
    format!("{uri}&keys=replicated")
}

fn so_pin(place: &Place) -> Option<PinSource> {
    Some(PinSource::File(place.folder.join("so-pin")))
}

async fn made(place: &Place, tokens: &[&str]) -> Arc<dyn Wscd> {
    let done = wscd_pkcs11::init(&uri(place, tokens), so_pin(place))
        .await
        .unwrap();
    assert!(done.set_made && done.token_made, "{done:?}");
    open(place, tokens).await
}

async fn open(place: &Place, tokens: &[&str]) -> Arc<dyn Wscd> {
    wscd_pkcs11::open(&uri(place, tokens)).await.unwrap()
}

async fn unit(device: &Arc<dyn Wscd>) -> (WrappedUnitKey, Vec<UserKey>) {
    let unit_key = device.create_unit_key(&ALICE).await.unwrap();
    let keys = device
        .generate(&ALICE, &unit_key, Curve::P256, 2)
        .await
        .unwrap();
    (unit_key, keys)
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

fn anchor(epoch: u64) -> Anchor {
    Anchor {
        epoch,
        hash: [u8::try_from(epoch % 256).unwrap(); 32],
    }
}

/// Tries until it is done, or twenty seconds.
async fn eventually<T, E: std::fmt::Debug>(call: impl AsyncFn() -> Result<T, E>) -> T {
    let started = Instant::now();
    loop {
        match call().await {
            Ok(done) => return done,
            Err(error) if started.elapsed() > Duration::from_secs(20) => panic!("{error:?}"),
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}

/// Moves one SoftHSM token's files aside; answers where they are to be.
fn take_away(place: &Place, token: &str) -> PathBuf {
    let there = folder_of(place, token);
    std::fs::rename(&there, aside(place, &there)).unwrap();
    there
}

fn bring_back(place: &Place, there: PathBuf) {
    std::fs::rename(aside(place, &there), there).unwrap();
}

fn aside(place: &Place, there: &std::path::Path) -> PathBuf {
    place.folder.join(there.file_name().unwrap())
}

/// The folder of a SoftHSM token, by the label in its description.
fn folder_of(place: &Place, token: &str) -> PathBuf {
    let label = format!("{token:32}");
    std::fs::read_dir(place.tokens())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| {
            let about = std::fs::read(path.join("token.object")).unwrap_or_default();
            about.windows(32).any(|bytes| bytes == label.as_bytes())
        })
        .unwrap_or_else(|| panic!("no token {token}"))
}

/// What a token remembers of the set.
fn view_of(place: &Place, token: &str) -> String {
    let number = |text: &String| -> u64 { text[5..].split(' ').next().unwrap().parse().unwrap() };
    let views = labels(place, token, "claviger/view/");
    views.into_iter().max_by_key(number).unwrap_or_default()
}

/// The epochs that a token holds for shards 0 to 3.
fn anchors_in(place: &Place, token: &str) -> Vec<u64> {
    let epoch = |label: &String| {
        let bytes = jose::b64::decode(label).unwrap();
        u64::from_be_bytes(*bytes.first_chunk().unwrap())
    };
    (0..4)
        .map(|shard| {
            let labels = labels(place, token, &format!("claviger/anchor/{shard}/"));
            labels.iter().map(epoch).max().unwrap_or(0)
        })
        .collect()
}

/// What begins a line with a label in the other process's output.
const FOUND: &str = "label: ";

/// The labels of a token's data objects of a name, asked past the crate under test, and
/// in another process: in this one the module may be started anew at any time, and
/// whoever is in a call then brings it down.
fn labels(place: &Place, token: &str, name: &str) -> Vec<String> {
    let text = finish(place.start_other(&format!("{token} {name}")));
    let found = text.lines().filter_map(|line| line.strip_prefix(FOUND));
    found.map(str::to_owned).collect()
}

#[test]
#[allow(clippy::print_stdout)]
fn the_other_process() {
    as_other(async |role, place| {
        let (token, name) = role.split_once(' ').unwrap();
        // On a line of its own, whatever the harness has begun to write.
        println!();
        for label in read_labels(&place, token, name).unwrap_or_default() {
            println!("{FOUND}{label}");
        }
    });
}

/// None where the token is not there, or is just being written to.
fn read_labels(place: &Place, token: &str, name: &str) -> Option<Vec<String>> {
    let module = common::raw::module(place);
    let slots = module.get_slots_with_initialized_token().ok()?;
    let named = |slot: &Slot| {
        module
            .get_token_info(*slot)
            .is_ok_and(|about| about.label() == token)
    };
    let session = module
        .open_ro_session(slots.into_iter().find(named)?)
        .ok()?;
    let _ = session.login(UserType::User, Some(&common::raw::auth(common::PIN)));
    let mut labels = Vec::new();
    for slot in ["a", "b"] {
        let name = Attribute::Application(format!("{name}{slot}").into_bytes());
        for object in session.find_objects(&[name]).ok()? {
            let found = session
                .get_attributes(object, &[AttributeType::Label])
                .ok()?;
            labels.extend(found.into_iter().filter_map(|attribute| match attribute {
                Attribute::Label(label) => String::from_utf8(label).ok(),
                _ => None,
            }));
        }
    }
    Some(labels)
}
