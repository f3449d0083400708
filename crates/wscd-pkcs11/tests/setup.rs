//! Setting a token up, and its PIN.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod common;

use std::sync::Arc;
use std::time::{Duration, Instant};

use common::raw::{auth, bare_token, destroy, hmac_key, raw, raw_as};
use common::{LABEL, PIN, Place, as_other, with_softhsm, with_tokens};
use cryptoki::context::Pkcs11;
use cryptoki::object::{Attribute, KeyType, ObjectClass};
use jose::Curve;
use wscd::{
    DeviceError, Generation, MacPurpose, SignItem, UnitBinding, UserKey, WrappedUnitKey, Wscd,
};
use wscd_pkcs11::{OpenError, PinSource};

const ALICE: UnitBinding = UnitBinding([0xa1; 16]);
const DIGEST: [u8; 32] = [0x5a; 32];

// ---- setting up -----------------------------------------------------------------------

#[test]
fn init_sets_up_once_and_changes_nothing_after() {
    with_tokens(
        "init_sets_up_once_and_changes_nothing_after",
        async |place| {
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
                assert!(
                    !again.token_made && again.objects_made.is_empty(),
                    "{again:?}"
                );
            }
            assert_eq!(device.mac(MacPurpose::OprfSeed, b"x").await.unwrap(), mac);
            sign(&device, &alice, &keys[0]).await.unwrap();
            assert_eq!(device.root().await.unwrap().current, Generation(1));
        },
    );
}

#[test]
fn a_token_that_is_not_set_up_says_what_is_missing() {
    with_tokens(
        "a_token_that_is_not_set_up_says_what_is_missing",
        async |place| {
            bare_token(&place);
            let error = wscd_pkcs11::open(&place.uri()).await.unwrap_err();
            assert!(matches!(error, OpenError::NotSetUp { object } if object == "claviger/bind"));
        },
    );
}

#[test]
fn a_set_up_that_was_cut_short_is_finished() {
    with_tokens("a_set_up_that_was_cut_short_is_finished", async |place| {
        made(&place).await;
        // As a crash before the last object leaves it.
        raw(&place, |session| {
            for slot in ["claviger/roots/a", "claviger/roots/b"] {
                destroy(session, &[Attribute::Application(slot.as_bytes().to_vec())]);
            }
            destroy(
                session,
                &[Attribute::Label(b"claviger/seal/service-secret".to_vec())],
            );
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
    with_tokens(
        "a_token_that_lost_what_all_depends_on_is_not_mended",
        async |place| {
            made(&place).await;
            raw(&place, |session| {
                destroy(session, &[Attribute::Label(b"claviger/bind".to_vec())]);
            });
            let error = wscd_pkcs11::init(&place.uri(), None).await.unwrap_err();
            assert!(
                matches!(error, OpenError::Untrusted { object, .. } if object == "claviger/bind")
            );
        },
    );
}

#[test]
fn a_planted_key_is_not_trusted() {
    with_tokens("a_planted_key_is_not_trusted", async |place| {
        made(&place).await;
        let value = || Attribute::Value(vec![7; 32]);
        // Brought from outside and made to look well, or open to be read.
        let planted = [
            vec![value()],
            vec![value(), Attribute::Extractable(true)],
            vec![value(), Attribute::Sensitive(false)],
        ];
        for more in planted {
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
            OpenError::Answered {
                what: "find its objects",
                ..
            }
        ));
    });
}

#[test]
fn two_tokens_of_one_label_need_a_serial_number() {
    with_tokens(
        "two_tokens_of_one_label_need_a_serial_number",
        async |place| {
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
        },
    );
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
    with_tokens(
        "a_pin_file_that_others_can_read_is_refused",
        async |place| {
            use std::os::unix::fs::PermissionsExt;
            made(&place).await;
            let pin = place.pin_file("loose", PIN);
            std::fs::set_permissions(&pin, std::fs::Permissions::from_mode(0o644)).unwrap();
            let error = wscd_pkcs11::open(&place.uri_with(&pin)).await.unwrap_err();
            assert!(matches!(
                error,
                OpenError::PinFilePermissions { mode: 0o644, .. }
            ));
        },
    );
}

#[test]
fn a_wrong_pin_is_refused_and_an_open_token_is_no_way_around() {
    with_tokens(
        "a_wrong_pin_is_refused_and_an_open_token_is_no_way_around",
        async |place| {
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
        },
    );
}

#[test]
fn a_pin_that_was_changed_under_us_is_tried_once_and_never_again() {
    with_softhsm(
        "a_pin_that_was_changed_under_us_is_tried_once_and_never_again",
        async |place| {
            let device = made(&place).await;
            place.run_other("change-pin");
            take_away(&place);
            assert!(matches!(
                device.health().await,
                Err(DeviceError::Lost { .. })
            ));
            bring_back(&place);
            let refused = until(&device, |answer| {
                !matches!(answer, Err(DeviceError::Lost { .. }))
            })
            .await
            .unwrap_err();
            assert!(
                matches!(refused, DeviceError::Failed { what: "log in", .. }),
                "{refused:?}"
            );
            // Even when the PIN is right again: nobody can know that without trying.
            raw_as(&place, "999999", |session| {
                session.set_pin(&auth("999999"), &auth(PIN)).unwrap();
            });
            tokio::time::sleep(Duration::from_millis(600)).await;
            for _ in 0..20 {
                let refused = device.mac(MacPurpose::OprfSeed, b"x").await.unwrap_err();
                assert!(matches!(
                    refused,
                    DeviceError::Failed { what: "log in", .. }
                ));
            }
            // Opened anew, it is tried again.
            drop(device);
            let device = wscd_pkcs11::open(&place.uri()).await.unwrap();
            device.health().await.unwrap();
        },
    );
}

/// What a second process does for the tests above, and nothing on its own.
#[test]
fn the_other_process() {
    as_other(async |role, place| match role.as_str() {
        "change-pin" => raw(&place, |session| {
            session.set_pin(&auth(PIN), &auth("999999")).unwrap();
        }),
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
