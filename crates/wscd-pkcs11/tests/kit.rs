//! A SoftHSM2 token passes the conformance kit, and does its work.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod common;

use std::sync::Arc;

use common::{Place, with_tokens};
use jose::Curve;
use wscd::conformance::{self, Marks, Outcome, Scope};
use wscd::{
    Anchor, Assurance, DeviceError, KeyName, KeyUse, SealPurpose, SignItem, UnitBinding, UserKey,
    WrappedUnitKey, Wscd,
};
use wscd_pkcs11::{PinSource, SetUp};

const ALICE: UnitBinding = UnitBinding([0xa1; 16]);
const BOB: UnitBinding = UnitBinding([0xb0; 16]);
const DIGEST: [u8; 32] = [0x5a; 32];

#[test]
fn it_passes_the_kit_and_again_after_a_restart() {
    with_tokens(
        "it_passes_the_kit_and_again_after_a_restart",
        async |place| {
            let device = made(&place).await;
            let report = conformance::run(device.as_ref(), Scope::Empty).await;
            assert!(report.passed(), "{report:#?}");
            assert_eq!(report.checks.len(), conformance::checks().count());
            assert!(report.checks.iter().all(|c| c.result == Outcome::Passed));

            let marks = Marks::leave(device.as_ref()).await.unwrap();
            drop(device);
            let device = wscd_pkcs11::open(&place.uri()).await.unwrap();
            assert_eq!(marks.check(device.as_ref()).await.result, Outcome::Passed);
            let report = conformance::run(device.as_ref(), Scope::Empty).await;
            assert!(report.passed(), "{:?}", report.failures());
        },
    );
}

#[test]
fn every_way_out_is_tried_and_closed() {
    with_tokens("every_way_out_is_tried_and_closed", async |place| {
        let device = made(&place).await;
        let (alice, keys) = unit(&device, ALICE, 1).await;
        let tried = device
            .attempt_exports(&ALICE, &alice, &keys[0])
            .await
            .unwrap();
        assert!(tried.iter().all(|attempt| !attempt.exported), "{tried:#?}");
        for means in [
            "C_GetAttributeValue of a signing key's CKA_VALUE",
            "C_GetAttributeValue of the root's CKA_VALUE",
            "C_WrapKey of a signing key by an attacker's key",
            "C_WrapKey of a signing key by its unit's key",
            "C_WrapKey of the root by an attacker's key",
            "C_SetAttributeValue of CKA_EXTRACTABLE true on a signing key",
            "C_CopyObject of a signing key with CKA_EXTRACTABLE true",
            "C_CopyObject of the unit's key with CKA_SENSITIVE false",
            "C_Decrypt with the unit's key",
            "C_WrapKey of a signing key by an attacker's key with CKM_AES_CBC_PAD",
            "C_SetAttributeValue of CKA_DECRYPT true on the root",
            "C_CopyObject of the root with CKA_DECRYPT true",
        ] {
            assert!(
                tried.iter().any(|a| a.means == means),
                "{means}: {tried:#?}"
            );
        }
    });
}

#[test]
fn it_says_what_it_is_and_claims_no_level() {
    with_tokens("it_says_what_it_is_and_claims_no_level", async |place| {
        let device = made(&place).await;
        let said = device.descriptor();
        assert_eq!(said.backend, "pkcs11");
        let maker = if place.is_softhsm() {
            "SoftHSM"
        } else {
            "Kryoptic"
        };
        assert!(said.model.contains(maker), "{}", said.model);
        assert_eq!(said.assurance, Assurance::None);
        assert_eq!((said.key_storage, said.user_authentication), (None, None));
        assert_eq!(said.curves, Curve::ALL);
        assert!(said.agreement && !said.exportable);
        assert_eq!(
            (said.limits.max_units, said.limits.objects_per_unit),
            (None, 0)
        );
    });
}

#[test]
fn a_batch_of_64_on_each_curve() {
    with_tokens("a_batch_of_64_on_each_curve", async |place| {
        let device = made(&place).await;
        let unit_key = device.create_unit_key(&ALICE).await.unwrap();
        for curve in Curve::ALL {
            let keys = device.generate(&ALICE, &unit_key, curve, 64).await.unwrap();
            let hash = curve.algorithm().hash();
            let digests: Vec<_> = (0..64_u8).map(|n| hash.digest(&[n])).collect();
            let items: Vec<_> = keys
                .iter()
                .zip(&digests)
                .map(|(key, digest)| SignItem { key, digest })
                .collect();
            let signatures = device
                .sign_digests(&ALICE, &unit_key, &items)
                .await
                .unwrap();
            for (n, (key, signature)) in (0..64_u8).zip(keys.iter().zip(&signatures)) {
                key.public.verify(&[n], signature).unwrap();
            }
        }
    });
}

#[test]
fn nothing_is_left_in_the_token_after_use() {
    with_tokens("nothing_is_left_in_the_token_after_use", async |place| {
        let device = made(&place).await;
        let (alice, keys) = unit(&device, ALICE, 2).await;
        let before = everything(&place);
        for _ in 0..5 {
            sign(&device, ALICE, &alice, &keys[0]).await.unwrap();
            device
                .generate(&ALICE, &alice, Curve::P384, 3)
                .await
                .unwrap();
            let peer = &keys[1].public;
            device.agree(&ALICE, &alice, &keys[0], peer).await.unwrap();
            let sealed = device.seal_item(&ALICE, &alice, b"", b"x").await.unwrap();
            device
                .open_item(&ALICE, &alice, b"", &sealed)
                .await
                .unwrap();
            let second = device.create_unit_key(&ALICE).await.unwrap();
            device.rewrap(&ALICE, &alice, &second, &keys).await.unwrap();
            device
                .attempt_exports(&ALICE, &alice, &keys[0])
                .await
                .unwrap();
            // And on the way out of a refusal.
            sign(&device, BOB, &alice, &keys[0]).await.unwrap_err();
            let mut broken = keys[0].clone();
            broken.wrapped.0.reverse();
            sign(&device, ALICE, &alice, &broken).await.unwrap_err();
        }
        assert_eq!(everything(&place), before);
    });
}

#[test]
fn a_head_rewritten_to_fit_is_still_refused() {
    with_tokens("a_head_rewritten_to_fit_is_still_refused", async |place| {
        let device = made(&place).await;
        let (alice, keys) = unit(&device, ALICE, 2).await;
        let (bob, bobs) = unit(&device, BOB, 1).await;
        // Everything in the clear of Bob's forms is made to read as Alice's.
        let mut forged_unit = bob.clone();
        forged_unit.bytes[..51].copy_from_slice(&alice.bytes[..51]);
        let mut forged_key = bobs[0].clone();
        forged_key.wrapped.0[..51].copy_from_slice(&keys[0].wrapped.0[..51]);
        // One of Alice's keys is said to be her other one.
        let mut dressed = keys[0].clone();
        dressed.public = keys[1].public.clone();
        dressed.wrapped.0[51..83].copy_from_slice(&keys[1].wrapped.0[51..83]);

        for (what, unit_key, key) in [
            ("unit key", &forged_unit, &keys[0]),
            ("user key", &alice, &forged_key),
            ("user key", &alice, &dressed),
        ] {
            let refused = sign(&device, ALICE, unit_key, key).await;
            match refused {
                Err(DeviceError::Tampered { what: form, cause }) => {
                    assert_eq!((form, cause), (what, "its MAC does not verify"));
                }
                other => panic!("{other:?}"),
            }
        }
    });
}

#[test]
fn what_belongs_elsewhere_is_refused_by_its_cause() {
    with_tokens(
        "what_belongs_elsewhere_is_refused_by_its_cause",
        async |place| {
            let device = made(&place).await;
            let (alice, keys) = unit(&device, ALICE, 2).await;
            let (bob, bobs) = unit(&device, BOB, 1).await;
            let second = device.create_unit_key(&ALICE).await.unwrap();
            let swapped = UserKey {
                public: keys[0].public.clone(),
                wrapped: keys[1].wrapped.clone(),
            };
            let sign = async |unit_key, key| sign(&device, ALICE, unit_key, key).await.unwrap_err();
            assert!(matches!(
                sign(&bob, &bobs[0]).await,
                DeviceError::WrongUnit { what: "unit key" }
            ));
            assert!(matches!(
                sign(&alice, &bobs[0]).await,
                DeviceError::WrongUnit { what: "user key" }
            ));
            assert!(matches!(
                sign(&second, &keys[0]).await,
                DeviceError::WrongUnitKey { what: "user key" }
            ));
            assert!(matches!(
                sign(&alice, &swapped).await,
                DeviceError::WrongKey
            ));
        },
    );
}

#[test]
fn eight_tasks_at_once() {
    with_tokens("eight_tasks_at_once", async |place| {
        let device = made(&place).await;
        let tasks: Vec<_> = (0..8_u8)
            .map(|n| {
                let device = Arc::clone(&device);
                tokio::spawn(async move {
                    let binding = UnitBinding([n; 16]);
                    let (unit_key, keys) = unit(&device, binding, 4).await;
                    let name = KeyName::new(format!("task-{}", n % 2)).unwrap();
                    let named = device
                        .named_key(&name, Curve::P256, KeyUse::Sign)
                        .await
                        .unwrap();
                    for round in 1..=8_u64 {
                        for key in &keys {
                            let message = [n, u8::try_from(round).unwrap()];
                            let digest = jose::sha256(&message);
                            let item = SignItem {
                                key,
                                digest: &digest,
                            };
                            let signed = device.sign_digests(&binding, &unit_key, &[item]).await;
                            key.public.verify(&message, &signed.unwrap()[0]).unwrap();
                        }
                        let digest = jose::sha256(&[n]);
                        let signed = device.sign_named(&name, &digest).await.unwrap();
                        named.verify(&[n], &signed).unwrap();
                        let anchor = Anchor {
                            epoch: round,
                            hash: [n; 32],
                        };
                        let shard = u16::from(n);
                        device.write_anchor(shard, &anchor).await.unwrap();
                        assert_eq!(device.read_anchor(shard).await.unwrap(), Some(anchor));
                    }
                    named
                })
            })
            .collect();
        let mut named = Vec::new();
        for task in tasks {
            named.push(task.await.unwrap());
        }
        // Tasks that opened one name at once got one key.
        assert!(named.chunks(2).all(|pair| pair == &named[..2]));
    });
}

#[test]
fn a_shard_written_by_many_at_once_moves_forward_alone() {
    with_tokens(
        "a_shard_written_by_many_at_once_moves_forward_alone",
        async |place| {
            let device = made(&place).await;
            let tasks: Vec<_> = (1..=40_u64)
                .map(|epoch| {
                    let device = Arc::clone(&device);
                    tokio::spawn(async move {
                        let hash = [u8::try_from(epoch).unwrap(); 32];
                        device.write_anchor(7, &Anchor { epoch, hash }).await
                    })
                })
                .collect();
            for task in tasks {
                match task.await.unwrap() {
                    Ok(()) => {}
                    Err(DeviceError::AnchorBehind { held, offered, .. }) => {
                        assert!(held.epoch > offered.epoch);
                    }
                    Err(other) => panic!("{other:?}"),
                }
            }
            assert_eq!(device.read_anchor(7).await.unwrap().unwrap().epoch, 40);
            assert_eq!(device.read_anchor(8).await.unwrap(), None);
        },
    );
}

#[test]
fn rotation_makes_every_old_copy_useless_and_keeps_the_rest() {
    with_tokens(
        "rotation_makes_every_old_copy_useless_and_keeps_the_rest",
        async |place| {
            let device = made(&place).await;
            let (old, keys) = unit(&device, ALICE, 2).await;
            let item = device
                .seal_item(&ALICE, &old, b"", b"credential")
                .await
                .unwrap();
            let secret = device
                .seal(SealPurpose::ServiceSecret, b"", b"kept")
                .await
                .unwrap();
            device.begin_rotation().await.unwrap();
            let new = device.create_unit_key(&ALICE).await.unwrap();
            let moved = device.rewrap(&ALICE, &old, &new, &keys[..1]).await.unwrap();
            device.finish_rotation(wscd::Generation(2)).await.unwrap();

            sign(&device, ALICE, &new, &moved[0]).await.unwrap();
            let opened = device.open(SealPurpose::ServiceSecret, b"", &secret).await;
            assert_eq!(*opened.unwrap(), b"kept");
            // The full old copy, with the device at hand, and after a restart too.
            for _ in 0..2 {
                for key in &keys {
                    let refused = sign(&device, ALICE, &old, key).await.unwrap_err();
                    assert!(matches!(refused, DeviceError::WrongGeneration { .. }));
                    let refused = sign(&device, ALICE, &new, key).await.unwrap_err();
                    assert!(matches!(refused, DeviceError::WrongGeneration { .. }));
                }
                let refused = device.open_item(&ALICE, &old, b"", &item).await;
                assert!(matches!(refused, Err(DeviceError::WrongGeneration { .. })));
            }
            let roots = everything_labelled(&place, "claviger/root/");
            assert_eq!(roots, ["claviger/root/2"]);
        },
    );
}

#[test]
fn what_another_token_made_is_refused() {
    with_tokens("what_another_token_made_is_refused", async |place| {
        let device = made(&place).await;
        let uri = place.uri().replace("claviger%20test", "another");
        let so_pin = PinSource::File(place.folder.join("so-pin"));
        wscd_pkcs11::init(&uri, Some(so_pin)).await.unwrap();
        let other = wscd_pkcs11::open(&uri).await.unwrap();
        let (alice, keys) = unit(&device, ALICE, 1).await;
        let refused = sign(&other, ALICE, &alice, &keys[0]).await.unwrap_err();
        assert!(matches!(
            refused,
            DeviceError::Tampered {
                what: "unit key",
                cause: "it was made by another device"
            }
        ));
        let sealed = device
            .seal(SealPurpose::ServiceSecret, b"", b"x")
            .await
            .unwrap();
        let refused = other.open(SealPurpose::ServiceSecret, b"", &sealed).await;
        assert!(matches!(refused, Err(DeviceError::Tampered { .. })));
        // Both work, side by side, through one module.
        sign(&device, ALICE, &alice, &keys[0]).await.unwrap();
        unit(&other, ALICE, 1).await;
    });
}

// ---- helpers --------------------------------------------------------------------------

async fn made(place: &Place) -> Arc<dyn Wscd> {
    let so_pin = PinSource::File(place.folder.join("so-pin"));
    let done = wscd_pkcs11::init(&place.uri(), Some(so_pin)).await.unwrap();
    assert!(matches!(
        done,
        SetUp {
            token_made: true,
            ..
        }
    ));
    wscd_pkcs11::open(&place.uri()).await.unwrap()
}

async fn unit(
    device: &Arc<dyn Wscd>,
    unit: UnitBinding,
    count: usize,
) -> (WrappedUnitKey, Vec<UserKey>) {
    let unit_key = device.create_unit_key(&unit).await.unwrap();
    let keys = device
        .generate(&unit, &unit_key, Curve::P256, count)
        .await
        .unwrap();
    (unit_key, keys)
}

async fn sign(
    device: &Arc<dyn Wscd>,
    unit: UnitBinding,
    unit_key: &WrappedUnitKey,
    key: &UserKey,
) -> Result<Vec<Vec<u8>>, DeviceError> {
    let item = SignItem {
        key,
        digest: &DIGEST,
    };
    device.sign_digests(&unit, unit_key, &[item]).await
}

/// How many objects there are, those that live as long as a connection among them.
fn everything(place: &Place) -> usize {
    use cryptoki::context::Pkcs11;
    let module = Pkcs11::new(&place.module).unwrap();
    let slot = module.get_slots_with_initialized_token().unwrap()[0];
    let session = module.open_rw_session(slot).unwrap();
    session.find_objects(&[]).unwrap().len()
}

fn everything_labelled(place: &Place, prefix: &str) -> Vec<String> {
    use cryptoki::context::Pkcs11;
    use cryptoki::object::{Attribute, AttributeType};
    let module = Pkcs11::new(&place.module).unwrap();
    let slot = module.get_slots_with_initialized_token().unwrap()[0];
    let session = module.open_rw_session(slot).unwrap();
    session
        .find_objects(&[])
        .unwrap()
        .into_iter()
        .flat_map(|object| {
            session
                .get_attributes(object, &[AttributeType::Label])
                .unwrap()
        })
        .filter_map(|attribute| match attribute {
            Attribute::Label(label) => String::from_utf8(label).ok(),
            _ => None,
        })
        .filter(|label| label.starts_with(prefix))
        .collect()
}
