//! The WSCA over real PKCS#11 tokens: rotation, and what it leaves of what was
//! destroyed. Each test runs once with each module that is at hand, in a process of
//! its own: a module is initialised once per process.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod common;

use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use claviger_fixtures::tokens::{Module, Tokens};
use common::device::Watched;
use common::{RIGHT, World, pin};
use jose::Curve;
use sci::{Digest, ItemName, KeyState, Sci, Task};
use wsca::{Config, WscaAdmin, WscaStore};
use wscd::{SignItem, UnitBinding, UserKey, WrappedKey, WrappedUnitKey, Wscd};

const FOLDER: &str = "CLAVIGER_WSCA_TEST_FOLDER";
const MODULE: &str = "CLAVIGER_WSCA_TEST_MODULE";
const LABEL: &str = "claviger wsca";

/// Runs `body` with a fresh token of each module.
fn with_tokens<F: Future<Output = ()>>(test: &str, body: impl FnOnce(Arc<dyn Wscd>) -> F) {
    if let (Some(folder), Ok(module)) = (std::env::var_os(FOLDER), std::env::var(MODULE)) {
        let kind = Module::ALL
            .into_iter()
            .find(|kind| format!("{kind:?}") == module)
            .unwrap();
        let tokens = Tokens::at(kind, kind.path().unwrap(), &PathBuf::from(folder));
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let uri = tokens.uri(LABEL);
            let so_pin = wscd_pkcs11::PinSource::File(tokens.folder.join("so-pin"));
            wscd_pkcs11::init(&uri, Some(so_pin)).await.unwrap();
            body(wscd_pkcs11::open(&uri).await.unwrap()).await;
        });
        return;
    }
    for kind in Module::ALL {
        let Some(module) = kind.path() else {
            claviger_fixtures::skip(&format!("{test} ({kind:?})"), kind.missing());
            continue;
        };
        let folder = tempfile::tempdir().unwrap();
        let tokens = Tokens::prepare(kind, module, folder.path()).unwrap();
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", test, "--nocapture", "--test-threads=1"])
            .envs(tokens.environment())
            .env(MODULE, format!("{kind:?}"))
            .env(FOLDER, folder.path())
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(
            output.status.success() && text.contains("1 passed"),
            "with {kind:?}: {text}\n{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
}

fn small() -> Config {
    Config {
        shards: 1,
        ..Config::default()
    }
}

#[test]
fn a_rotated_token_opens_nothing_that_was_destroyed() {
    with_tokens(
        "a_rotated_token_opens_nothing_that_was_destroyed",
        async |device| {
            let world = World::on(device, small()).await;
            let phone = world.opened(Task::Issuance).await;
            let keys = phone.generate_keys(3, Curve::P256).await.unwrap();
            let name = ItemName::new("pseudonym").unwrap();
            phone.store_item(&name, b"credential").await.unwrap();
            let gone = world.opened(Task::Issuance).await;
            gone.generate_keys(1, Curve::P256).await.unwrap();
            // A full older copy of the database, with the device at hand.
            let older = [
                world.store.holdings(phone.unit).await.unwrap().unwrap(),
                world.store.holdings(gone.unit).await.unwrap().unwrap(),
            ];
            assert_eq!(recovered(&world, &older).await, 4, "before, it can be done");
            phone.destroy_keys(&[keys[0].id]).await.unwrap();
            world.wsca.destroy_unit(gone.unit).await.unwrap();
            let before = world.device.root().await.unwrap().current;
            let rotated = world.wsca.rotate(|_| {}).await.unwrap();
            assert!(rotated.root > before);
            assert_eq!(recovered(&world, &older).await, 0);

            let digest = Digest::of(b"m", Curve::P256);
            phone.sign(&[(keys[1].id, digest)]).await.unwrap();
            assert_eq!(*phone.read_item(&name).await.unwrap(), b"credential");
            let listed = phone.list_keys().await.unwrap();
            let erased = listed.iter().find(|key| key.id == keys[0].id).unwrap();
            assert_eq!(erased.state, KeyState::Erased);
            // The log has its checkpoint and the device its anchor.
            world.wsca.checkpoint().await.unwrap().unwrap();
            let held = wsca::audit_check::anchor(&*world.device).await.unwrap();
            let end = world.store.audit_end().await.unwrap().unwrap();
            assert_eq!(held.unwrap().epoch, end.sequence);
        },
    );
}

/// The same token, lost at each call of a rotation in turn.
#[test]
fn a_rotation_that_was_cut_short_on_a_token_is_resumed() {
    with_tokens(
        "a_rotation_that_was_cut_short_on_a_token_is_resumed",
        async |device| {
            let device = Watched::new(device);
            let mut world = World::on(device.clone(), small()).await;
            let phone = world.opened(Task::Issuance).await;
            let keys = phone.generate_keys(2, Curve::P256).await.unwrap();
            let (unit, keystore) = (phone.unit, phone.keystore.clone());
            drop(phone);
            let mut whole = false;
            for calls in 0..60 {
                device.dies_after(calls);
                let first = world.wsca.rotate(|_| {}).await;
                device.lives();
                world = world.restart().await;
                assert_eq!(world.wsca.alarms(), [], "after {calls} calls");
                world.pass(130);
                if first.is_err() {
                    world.wsca.rotate(|_| {}).await.unwrap();
                }
                assert_eq!(world.device.root().await.unwrap().retiring, None);
                let phone = world.phone(unit, keystore.clone());
                phone
                    .open_session(&pin(RIGHT), Task::Issuance)
                    .await
                    .unwrap();
                for key in &keys {
                    let digest = Digest::of(b"m", Curve::P256);
                    phone.sign(&[(key.id, digest)]).await.unwrap();
                }
                if first.is_ok() {
                    whole = true;
                    break;
                }
            }
            assert!(whole, "the rotation never came to its end");
        },
    );
}

/// How many keys of earlier rows the device still signs with.
async fn recovered(world: &World, copies: &[wsca::Holdings]) -> usize {
    let mut found = 0;
    for copy in copies {
        let unit = UnitBinding(*copy.unit.unit.as_bytes());
        let wrapping = WrappedUnitKey {
            generation: wscd::Generation(copy.unit.wrapping_generation),
            bytes: copy.unit.wrapping_key.clone(),
        };
        for row in &copy.keys {
            let key = UserKey {
                public: jose::PublicKey::from_spki_der(&row.public_key).unwrap(),
                wrapped: WrappedKey(row.wrapped.clone().unwrap()),
            };
            let item = SignItem {
                key: &key,
                digest: &[7; 32],
            };
            match world.device.sign_digests(&unit, &wrapping, &[item]).await {
                Ok(_) => found += 1,
                Err(error) => assert!(error.refuses_form(), "{error}"),
            }
        }
    }
    found
}
