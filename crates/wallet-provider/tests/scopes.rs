//! Entries that are used again: for one issuer, and for a type of storage; and keys
//! that are not.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod house;

use std::collections::HashSet;
use std::sync::Arc;

use claviger_fixtures::TestKey;
use clock::Clock;
use house::{Device, House, Running, fresh_keys, read_ka, read_wia};
use jiff::SignedDuration;
use jose::{Curve, b64};
use provider_api::*;
use status_list::Reference;
use wallet_provider::{Error, IssuanceStore, KaIndex};

const DAY: i64 = 86_400;

fn with_scopes() -> House {
    House::tuned(|config| config.issuer_scopes = 3)
}

fn shared() -> House {
    House::tuned(|config| config.ka_index = KaIndex::TypeShared)
}

fn scope(n: u8) -> Option<String> {
    Some(b64::encode([n; 32]))
}

#[track_caller]
fn problem<T: std::fmt::Debug>(result: Result<T, Error>) -> Problem {
    let error = result.unwrap_err();
    error.problem().unwrap_or_else(|| panic!("{error:?}"))
}

async fn wia(
    device: &Device,
    house: &House,
    running: &Running,
    scope: Option<String>,
) -> Result<wua::Wia, Error> {
    let key = TestKey::generate(Curve::P256);
    let answer = device
        .wia_with(house, running, &[&key], |request| {
            request.issuer_scope = scope
        })
        .await?;
    Ok(read_wia(house, &answer.attestations[0]))
}

async fn ka(
    device: &Device,
    house: &House,
    running: &Running,
    scope: Option<String>,
) -> Result<wua::Ka, Error> {
    let nonce = device.nonce(house, running).await?;
    let statement = device.statement(house, &nonce, &fresh_keys(1)).await;
    let request = KaRequest {
        statement,
        issuer_scope: scope,
        ..KaRequest::default()
    };
    let answer = device.ka(house, running, &request).await?;
    Ok(read_ka(house, &answer.attestations[0], None))
}

#[tokio::test]
async fn one_issuer_sees_one_entry_and_no_other_issuer_sees_it() {
    let house = with_scopes();
    let running = house.start().await;
    let (mine, other) = (
        Device::operational(&house, &running, "mine").await,
        Device::operational(&house, &running, "other").await,
    );
    let place = async |device: &Device, scope| {
        let wia = wia(device, &house, &running, scope).await.unwrap();
        wia.status.reference
    };
    let first = place(&mine, scope(1)).await;
    house.pass(5 * DAY);
    assert_eq!(place(&mine, scope(1)).await, first);
    let mut others = HashSet::from([first.clone()]);
    // Another issuer, no issuer, another unit's same scope, and KAs for this issuer.
    for found in [
        place(&mine, scope(2)).await,
        place(&mine, None).await,
        place(&mine, None).await,
        place(&other, scope(1)).await,
    ] {
        assert!(others.insert(found));
    }
    let first_ka = ka(&mine, &house, &running, scope(1)).await.unwrap();
    let next_ka = ka(&mine, &house, &running, scope(1)).await.unwrap();
    assert_eq!(first_ka.status.reference, next_ka.status.reference);
    assert!(others.insert(first_ka.status.reference));

    // One revocation of the unit reaches all that it has, and nothing of the other's.
    let theirs = place(&other, scope(1)).await;
    running
        .provider
        .revoke_by_operator(mine.unit, RevocationReason::Security)
        .await
        .unwrap();
    assert!(house.revoked(&first) && house.revoked(&next_ka.status.reference));
    assert!(!house.revoked(&theirs));
    let late = wia(&mine, &house, &running, scope(1)).await;
    assert_eq!(problem(late), Problem::UnitRevoked);
}

#[tokio::test]
async fn the_maintenance_of_an_entry_that_is_used_again_moves_on() {
    let house = with_scopes();
    let running = house.start().await;
    let device = Device::operational(&house, &running, "mine").await;
    let first = wia(&device, &house, &running, scope(1)).await.unwrap();
    for _ in 0..3 {
        house.pass(20 * DAY);
        running.provider.purge().await.unwrap();
        let next = wia(&device, &house, &running, scope(1)).await.unwrap();
        assert_eq!(next.status.reference, first.status.reference);
        let left = next.status.maintained_until.duration_since(next.expires);
        assert!(left >= wua::MIN_MAINTENANCE);
    }
    // 60 days after the first WIA promised 31, the entry still tells.
    running
        .provider
        .revoke_by_operator(device.unit, RevocationReason::Security)
        .await
        .unwrap();
    assert!(house.revoked(&first.status.reference));
}

#[tokio::test]
async fn an_entry_whose_maintenance_ended_is_not_used_again() {
    let house = with_scopes();
    let running = house.start().await;
    let device = Device::operational(&house, &running, "mine").await;
    let first = wia(&device, &house, &running, scope(1)).await.unwrap();
    house.pass(40 * DAY);
    running.provider.purge().await.unwrap();
    let next = wia(&device, &house, &running, scope(1)).await.unwrap();
    assert_ne!(next.status.reference, first.status.reference);
}

#[tokio::test]
async fn a_scope_is_well_formed_offered_and_one_of_a_few() {
    let house = with_scopes();
    let running = house.start().await;
    let device = Device::operational(&house, &running, "mine").await;
    for wrong in [
        String::new(),
        "not base64url!".into(),
        b64::encode([1; 31]),
        b64::encode([1; 33]),
        "x".repeat(10_000),
    ] {
        let result = wia(&device, &house, &running, Some(wrong)).await;
        assert_eq!(problem(result), Problem::Scope);
    }
    for n in 1..=3 {
        wia(&device, &house, &running, scope(n)).await.unwrap();
    }
    let many = wia(&device, &house, &running, scope(4)).await;
    assert_eq!(problem(many), Problem::Scope);
    wia(&device, &house, &running, scope(3)).await.unwrap();
    ka(&device, &house, &running, scope(4)).await.unwrap();

    let house = House::new();
    let running = house.start().await;
    assert_eq!(running.provider.view().offers.issuer_scopes, 0);
    let device = Device::operational(&house, &running, "mine").await;
    let result = wia(&device, &house, &running, scope(1)).await;
    assert_eq!(problem(result), Problem::NotOffered);
    let result = ka(&device, &house, &running, scope(1)).await;
    assert_eq!(problem(result), Problem::NotOffered);
}

#[tokio::test]
async fn two_nodes_that_first_meet_an_issuer_at_once_agree_on_one_entry() {
    let house = Arc::new(with_scopes());
    let nodes = [Arc::new(house.start().await), Arc::new(house.start().await)];
    let device = Arc::new(Device::operational(&house, &nodes[0], "mine").await);
    for n in 1..=3 {
        let mut tasks = Vec::new();
        for place in 0..6 {
            let (house, node) = (house.clone(), nodes[place % 2].clone());
            let device = device.clone();
            tasks.push(tokio::spawn(async move {
                let wia = wia(&device, &house, &node, scope(n)).await.unwrap();
                wia.status.reference
            }));
        }
        let mut seen = HashSet::new();
        for task in tasks {
            seen.insert(task.await.unwrap());
        }
        assert_eq!(seen.len(), 1, "{seen:?}");
    }
}

#[tokio::test]
async fn a_wias_key_is_in_no_other_wia() {
    let house = House::new();
    let running = house.start().await;
    let (mine, other) = (
        Device::operational(&house, &running, "mine").await,
        Device::operational(&house, &running, "other").await,
    );
    let (key, fresh) = (
        TestKey::generate(Curve::P256),
        TestKey::generate(Curve::P256),
    );
    mine.wia_with(&house, &running, &[&key], |_| {})
        .await
        .unwrap();
    house.pass(DAY);
    for device in [&mine, &other] {
        let result = device
            .wia_with(&house, &running, &[&fresh, &key], |_| {})
            .await;
        assert_eq!(problem(result), Problem::KeyUsed);
    }
    // What was refused took nothing.
    other
        .wia_with(&house, &running, &[&fresh], |_| {})
        .await
        .unwrap();
    // It is forgotten with the status of its WIA, a day later at most.
    house.pass(32 * DAY);
    running.provider.purge().await.unwrap();
    let result = mine.wia_with(&house, &running, &[&key], |_| {}).await;
    assert_eq!(problem(result), Problem::KeyUsed);
    house.pass(2 * DAY);
    running.provider.purge().await.unwrap();
    mine.wia_with(&house, &running, &[&key], |_| {})
        .await
        .unwrap();
}

#[tokio::test]
async fn a_wias_key_is_none_of_the_devices_own_and_in_no_ka() {
    let house = House::new();
    let running = house.start().await;
    let device = Device::operational(&house, &running, "mine").await;
    for own in [&device.phone.sign, &device.phone.agree] {
        let result = device.wia_with(&house, &running, &[own], |_| {}).await;
        assert_eq!(problem(result), Problem::KeyProof);
    }
    let key = TestKey::generate(Curve::P256);
    let public = jose::Signer::public_key(&key).clone();
    let attest = async |device: &Device| {
        let nonce = device.nonce(&house, &running).await.unwrap();
        let keys = std::slice::from_ref(&public);
        let statement = device.statement(&house, &nonce, keys).await;
        let request = KaRequest {
            statement,
            ..KaRequest::default()
        };
        device.ka(&house, &running, &request).await
    };
    attest(&device).await.unwrap();
    let other = Device::operational(&house, &running, "other").await;
    for device in [&device, &other] {
        let result = device.wia_with(&house, &running, &[&key], |_| {}).await;
        assert_eq!(problem(result), Problem::KeyAttested);
    }
    // And the other way round.
    let house = House::new();
    let running = house.start().await;
    let device = Device::operational(&house, &running, "mine").await;
    device
        .wia_with(&house, &running, &[&key], |_| {})
        .await
        .unwrap();
    let nonce = device.nonce(&house, &running).await.unwrap();
    let keys = std::slice::from_ref(&public);
    let statement = device.statement(&house, &nonce, keys).await;
    let request = KaRequest {
        statement,
        ..KaRequest::default()
    };
    let result = device.ka(&house, &running, &request).await;
    assert_eq!(problem(result), Problem::KeyUsed);
}

#[tokio::test]
async fn all_units_of_a_type_share_an_entry_where_that_is_chosen() {
    let house = shared();
    let running = house.start().await;
    let (mine, other) = (
        Device::operational(&house, &running, "mine").await,
        Device::operational(&house, &running, "other").await,
    );
    let place = async |device: &Device| -> Reference {
        let ka = ka(device, &house, &running, None).await.unwrap();
        ka.status.reference
    };
    let first = place(&mine).await;
    assert_eq!(place(&mine).await, first);
    assert_eq!(place(&other).await, first);
    let wias = mine.fresh_wia(&house, &running, 2).await.unwrap();
    assert_ne!(wias[0].status.reference, wias[1].status.reference);
    let scoped = ka(&mine, &house, &running, scope(1)).await;
    assert_eq!(problem(scoped), Problem::NotOffered);

    // A unit that is revoked takes the others' entry with it in no case.
    running
        .provider
        .revoke_by_operator(mine.unit, RevocationReason::LostOrStolen)
        .await
        .unwrap();
    assert!(house.revoked(&wias[0].status.reference));
    assert!(!house.revoked(&first));

    // The entry's maintenance moves on with each KA.
    for _ in 0..4 {
        house.pass(25 * DAY);
        running.provider.purge().await.unwrap();
        assert_eq!(place(&other).await, first);
    }

    // The type's revocation is everybody's, and final.
    let revoked = revoke_type(&running, "test").await;
    assert_eq!(revoked, 1, "mine is revoked already");
    assert!(house.revoked(&first));
    let fresh = Device::operational(&house, &running, "fresh").await;
    let late = ka(&fresh, &house, &running, None).await;
    assert_eq!(problem(late), Problem::StorageRevoked);
    // An instance is not revoked for that: a new one still gets WIAs.
    fresh.fresh_wia(&house, &running, 1).await.unwrap();
}

/// Everything is also what units share.
#[tokio::test]
async fn everything_takes_the_entries_of_types_along() {
    let house = shared();
    let running = house.start().await;
    let device = Device::operational(&house, &running, "mine").await;
    let shared = ka(&device, &house, &running, None).await.unwrap();
    assert!(!house.revoked(&shared.status.reference));
    let of_type = Selector {
        wscd_type: Some("test".into()),
        ..Selector::default()
    };
    for (selector, entries) in [
        (Selector::everything(), 1),
        (of_type, 1),
        (Selector::default(), 0),
    ] {
        let asked = BulkRevocation {
            selector,
            reason: RevocationReason::Security,
            extent: Extent::Unit,
            advisory: None,
            dry_run: true,
            at_most: None,
        };
        let counted = running.provider.count_selected(&asked).await;
        assert_eq!(counted.map_or(0, |counted| counted.entries), entries);
    }
    assert_eq!(revoke_selected(&running, Selector::everything()).await, 1);
    assert!(house.revoked(&shared.status.reference));
}

/// Keystores that share an entry are revoked by their type, or not without their units.
#[tokio::test]
async fn keystores_that_share_an_entry_are_revoked_as_a_type() {
    let house = House::tuned(|config| {
        config.ka_index = KaIndex::TypeShared;
        config.keystore_risk_analysis = Some("https://provider.example/risks".into());
    });
    let running = house.start().await;
    let asked = |selector| BulkRevocation {
        selector,
        reason: RevocationReason::Security,
        extent: Extent::Keystore,
        advisory: None,
        dry_run: true,
        at_most: None,
    };
    let of_type = Selector {
        keystore_type: Some("strongbox".into()),
        ..Selector::default()
    };
    let narrower = Selector {
        model: Some("Example One".into()),
        ..of_type.clone()
    };
    let of_model = Selector {
        keystore_type: None,
        ..narrower.clone()
    };
    for selector in [Selector::everything(), narrower, of_model] {
        let begun = running
            .provider
            .begin_bulk_revocation(asked(selector), None)
            .await;
        assert_eq!(problem(begun), Problem::NotOffered);
    }
    let counted = running.provider.count_selected(&asked(of_type)).await;
    assert_eq!(counted.unwrap().selected, 0);
}

/// Revokes all units with a WSCD of this type; how many.
async fn revoke_type(running: &Running, name: &str) -> u64 {
    let selector = Selector {
        wscd_type: Some(name.into()),
        ..Selector::default()
    };
    revoke_selected(running, selector).await
}

async fn revoke_selected(running: &Running, selector: Selector) -> u64 {
    let asked = BulkRevocation {
        selector,
        reason: RevocationReason::Security,
        extent: Extent::Unit,
        advisory: None,
        dry_run: false,
        at_most: None,
    };
    let job = running.provider.begin_bulk_revocation(asked, None).await;
    running.provider.do_jobs().await.unwrap();
    let job = running.provider.revocation_job(&job.unwrap().job).await;
    job.unwrap().revoked
}

#[tokio::test]
async fn under_per_ka_indices_a_type_is_revoked_entry_by_entry() {
    let house = House::new();
    let running = house.start().await;
    let device = Device::operational(&house, &running, "mine").await;
    let kas = device.fresh_ka(&house, &running, 3, 3).await.unwrap();
    let store = house.store(&running);
    let storages = store.storages(device.unit).await.unwrap();
    assert_eq!(storages[0].storage.kind, Storage::Wscd);
    assert_eq!(revoke_type(&running, "another").await, 0);
    assert!(!house.revoked(&kas[0].status.reference));
    assert_eq!(revoke_type(&running, "test").await, 1);
    for ka in &kas {
        assert!(house.revoked(&ka.status.reference));
    }
    let fresh = Device::operational(&house, &running, "fresh").await;
    let late = ka(&fresh, &house, &running, None).await;
    assert_eq!(problem(late), Problem::StorageRevoked);
}

#[tokio::test]
async fn two_nodes_that_first_meet_a_type_at_once_agree_on_one_entry() {
    let house = Arc::new(shared());
    let nodes = [Arc::new(house.start().await), Arc::new(house.start().await)];
    let mut tasks = Vec::new();
    for place in 0..6 {
        let (house, node) = (house.clone(), nodes[place % 2].clone());
        let device = Device::operational(&house, &node, &format!("user {place}")).await;
        tasks.push(tokio::spawn(async move {
            let ka = ka(&device, &house, &node, None).await.unwrap();
            ka.status.reference
        }));
    }
    let mut seen = HashSet::new();
    for task in tasks {
        seen.insert(task.await.unwrap());
    }
    assert_eq!(seen.len(), 1, "{seen:?}");
}

#[tokio::test]
async fn a_choice_is_taken_note_of_with_its_time() {
    let mut house = House::new();
    let running = house.start().await;
    running.provider.recover().await.unwrap();
    let store = house.store(&running);
    let now = house.clock.now();
    let before = store.record_choice("ka_index", "per-ka".into(), now).await;
    assert_eq!(before.unwrap(), None, "it is the choice already");
    drop(running);
    house.tune = |config| config.ka_index = KaIndex::TypeShared;
    let running = house.start().await;
    running.provider.recover().await.unwrap();
    let store = house.store(&running);
    let before = store.record_choice("ka_index", "x".into(), now).await;
    assert_eq!(before.unwrap().as_deref(), Some("type-shared"));
}

#[tokio::test]
async fn preferred_periods_and_scopes_go_together() {
    let house = with_scopes();
    let running = house.start().await;
    let device = Device::operational(&house, &running, "mine").await;
    let key = TestKey::generate(Curve::P256);
    let answer = device
        .wia_with(&house, &running, &[&key], |request| {
            request.issuer_scope = scope(1);
            request.preferred_client_status_period = Some(300 * DAY as u64);
        })
        .await
        .unwrap();
    let long = read_wia(&house, &answer.attestations[0]);
    // A later WIA promises what it needs; the entry keeps the longer promise.
    wia(&device, &house, &running, scope(1)).await.unwrap();
    house.pass(200 * DAY);
    running.provider.purge().await.unwrap();
    let next = wia(&device, &house, &running, scope(1)).await.unwrap();
    assert_eq!(next.status.reference, long.status.reference);
    let left = long
        .status
        .maintained_until
        .duration_since(house.clock.now());
    assert!(left > SignedDuration::from_hours(24 * 90));
}
