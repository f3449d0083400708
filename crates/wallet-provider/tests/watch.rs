//! What the provider does by itself: it revokes what a list of revoked keys names, and
//! forgets what was never completed.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

#[path = "../../device-evidence/tests/support/mod.rs"]
mod devices;
mod house;

use claviger_fixtures::TestKey;
use device_evidence::Policy;
use device_evidence::android::RevocationList;
use devices::android::{Bed, Description};
use devices::{der, public, signing_usage};
use house::{Device, House, Phone, Running};
use jose::b64;
use provider_api::*;
use sci::UnitId;

const DAY: i64 = 86_400;

/// A provider that takes Android evidence of this bed, and development's.
async fn start(house: &House, bed: &Bed) -> Running {
    let policy = Policy {
        android: bed.policy(),
        ..Policy::default()
    };
    let running = house
        .start_configured(|config| config.evidence = policy)
        .await;
    for node in running.provider.each() {
        node.take_revocation_list(list(house, &[])).await.unwrap();
    }
    running
}

/// A list that was fetched now, with entries of serial and status.
fn list(house: &House, entries: &[(&str, &str)]) -> RevocationList {
    let now = clock::Clock::now(house.clock.as_ref());
    let entries: serde_json::Map<String, serde_json::Value> = entries
        .iter()
        .map(|(serial, status)| {
            (
                (*serial).to_owned(),
                serde_json::json!({ "status": status }),
            )
        })
        .collect();
    let text = serde_json::json!({ "entries": entries }).to_string();
    RevocationList::from_json(text.as_bytes(), now).unwrap()
}

/// A unit on an attested device, operational.
async fn attested(house: &House, running: &Running, bed: &Bed, alias: &str) -> Device {
    let phone = Phone::new();
    let mut claims = phone.claims(house, running, alias).await;
    let chain = |key: &TestKey, description: Description| -> Vec<String> {
        let extensions = vec![signing_usage(), description.to_extension()];
        let leaf = bed.leaf_for(public(key), extensions);
        bed.chain_of(&leaf).iter().map(b64::encode).collect()
    };
    let signing = Description {
        challenge: claims.challenge.as_bytes().to_vec(),
        ..Description::sound()
    };
    let agreeing = signing.clone().with(1, der::set(&[der::integer(6)]));
    claims.evidence = Evidence::Android {
        signing: chain(&phone.sign, signing),
        agreement: chain(&phone.agree, agreeing),
        play: None,
    };
    let answer = phone.begin(house, running, &claims).await.unwrap();
    let device = Device {
        phone,
        unit: answer.unit,
        code: answer.account_code,
    };
    house.wsca.register(device.unit);
    let caller = device
        .call(house, running, "/unit/activation", &Empty {})
        .await
        .unwrap();
    running.provider.complete_activation(&caller).await.unwrap();
    device
}

/// The serial number of the certificate above the leaf.
fn batch_serial(bed: &Bed) -> String {
    let chain = bed.chain(&Description::sound());
    let batch = pki::Certificate::from_der(&chain[1]).unwrap();
    RevocationList::serial_of(&batch)
}

#[tokio::test]
async fn a_fresh_list_revokes_the_units_whose_devices_it_names() {
    for house in House::on_each() {
        let bed = Bed::new();
        let running = start(&house, &bed).await;
        let device = attested(&house, &running, &bed, "mine").await;
        let wia = device
            .fresh_wia(&house, &running, 1)
            .await
            .unwrap()
            .remove(0);
        let plain = Device::operational(&house, &running, "plain").await;

        // Another device's batch, and one that is only suspended.
        let serial = batch_serial(&bed);
        let harmless = list(&house, &[("beef", "REVOKED"), (&serial, "SUSPENDED")]);
        let revoked = running
            .provider
            .take_revocation_list(harmless)
            .await
            .unwrap();
        assert_eq!(revoked, 0);

        let named = list(
            &house,
            &[(&format!("00{}", serial.to_uppercase()), "REVOKED")],
        );
        assert_eq!(
            running
                .provider
                .take_revocation_list(named.clone())
                .await
                .unwrap(),
            1
        );
        let view = running.provider.unit_view(device.unit).await.unwrap();
        let last = view.history.last().unwrap();
        assert_eq!(
            (view.state, last.by, last.reason),
            (
                UnitState::Revoked,
                Some(Revoker::Provider),
                Some(RevocationReason::Security)
            )
        );
        assert!(house.revoked(&wia.status.reference));
        assert!(
            house
                .wsca
                .state
                .lock()
                .unwrap()
                .frozen
                .contains(&device.unit)
        );
        assert_eq!(
            plain.view(&house, &running).await.state,
            UnitState::Operational
        );
        // What the look-up needed is gone, and a second look finds nobody.
        assert_eq!(
            running.count("SELECT count(*) FROM unit_certificate").await,
            0
        );
        assert_eq!(
            running.provider.take_revocation_list(named).await.unwrap(),
            0
        );
        assert_eq!(running.provider.revoke_listed().await.unwrap(), 0);
    }
}

/// An activation that was judged by the old list and recorded after the look.
#[tokio::test]
async fn a_unit_that_slipped_through_is_found_by_the_next_look() {
    let (house, bed) = (House::alone(|_| {}), Bed::new());
    let running = start(&house, &bed).await;
    let serial = batch_serial(&bed);
    // The node that takes the list is another one than that which activates.
    let other = start(&house, &bed).await;
    let named = list(&house, &[(&serial, "REVOKED")]);
    assert_eq!(other.provider.take_revocation_list(named).await.unwrap(), 0);
    let device = attested(&house, &running, &bed, "mine").await;
    assert_eq!(other.provider.revoke_listed().await.unwrap(), 1);
    let view = running.provider.unit_view(device.unit).await.unwrap();
    assert_eq!(view.state, UnitState::Revoked);
}

#[tokio::test]
async fn a_unit_that_was_never_completed_is_forgotten_with_its_account() {
    for house in House::on_each() {
        let running = house.start().await;
        let device = Device::installed(&house, &running, "a personal alias").await;
        let shared = Device::operational(&house, &running, "shared").await;
        // A second phone of the other account, never completed either.
        let second = Phone::new();
        let mut claims = second.claims(&house, &running, "shared").await;
        claims.account_code.clone_from(&shared.code);
        let second = second.begin(&house, &running, &claims).await.unwrap().unit;

        house.pass(7 * DAY);
        assert_eq!(
            running.provider.forget_installed().await.unwrap(),
            0,
            "not yet"
        );
        house.pass(1);
        house.wsca.state.lock().unwrap().away = true;
        assert!(
            running.provider.forget_installed().await.is_err(),
            "the WSCA is away"
        );
        house.wsca.state.lock().unwrap().away = false;
        running.provider.forget_installed().await.unwrap();

        let destroyed = house.wsca.state.lock().unwrap().destroyed.clone();
        assert_eq!(destroyed, [device.unit, second].into());
        for unit in [device.unit, second] {
            assert!(running.provider.unit_view(unit).await.is_err());
        }
        assert_eq!(
            running
                .count("SELECT count(*) FROM account WHERE alias <> 'shared'")
                .await,
            0,
            "the account went with its only unit"
        );
        assert_eq!(
            running.count("SELECT count(*) FROM forgotten_unit").await,
            0
        );
        assert_eq!(
            shared.view(&house, &running).await.state,
            UnitState::Operational
        );
        assert_eq!(running.provider.forget_installed().await.unwrap(), 0);

        // The phone begins anew, as a stranger.
        let claims = device
            .phone
            .claims(&house, &running, "a personal alias")
            .await;
        let again = device.phone.begin(&house, &running, &claims).await.unwrap();
        assert_ne!(again.unit, device.unit);
    }
}

/// Completion and forgetting at once: the unit is operational, or it is gone.
#[tokio::test]
async fn a_race_with_completion_has_one_end() {
    for house in House::on_each() {
        let running = house.start().await;
        let device = Device::installed(&house, &running, "mine").await;
        house.wsca.register(device.unit);
        house.pass(7 * DAY + 1);
        let caller = device
            .call(&house, &running, "/unit/activation", &Empty {})
            .await
            .unwrap();
        let (completed, forgotten) = tokio::join!(
            running.provider.complete_activation(&caller),
            running.provider.forget_installed()
        );
        let kept = running.provider.unit_view(device.unit).await.is_ok();
        assert_eq!(kept, forgotten.unwrap() == 0);
        assert_eq!(kept, completed.is_ok());
        let destroyed: Vec<UnitId> = {
            let state = house.wsca.state.lock().unwrap();
            state.destroyed.iter().copied().collect()
        };
        assert_eq!(destroyed.is_empty(), kept);
    }
}

/// A list that nobody fetches any more is told of before it stops Android devices.
#[tokio::test]
async fn an_old_list_is_told_of_before_it_is_too_old() {
    // Each node has its own copy.
    let house = House::alone(|_| ());
    let bed = Bed::new();
    let accepted = Policy {
        android: bed.policy(),
        ..Policy::default()
    };
    let without = house
        .start_configured(|config| config.evidence = accepted)
        .await;
    let told = without.provider.revocation_list_trouble().unwrap();
    assert!(told.contains("no list"), "{told}");
    // Nobody misses it where no Android app is accepted.
    let apple = house.start_configured(|_| ()).await;
    assert_eq!(apple.provider.revocation_list_trouble(), None);

    let running = start(&house, &bed).await;
    assert_eq!(running.provider.revocation_list_trouble(), None);
    house.pass(13 * 3600);
    let told = running.provider.revocation_list_trouble().unwrap();
    assert!(told.contains("taken for 24 hours"), "{told}");
    let fresh = list(&house, &[]);
    running.provider.take_revocation_list(fresh).await.unwrap();
    assert_eq!(running.provider.revocation_list_trouble(), None);
}
