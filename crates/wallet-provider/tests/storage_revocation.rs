//! A WSCD or a keystore of a unit, revoked with it or alone.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod house;

use house::{Device, House, Running};
use provider_api::*;
use status_list::Reference;
use wallet_provider::{Config, Error, UnitGoes};

fn with_analysis(config: &mut Config) {
    config.keystore_risk_analysis = Some("https://provider.example/risk".into());
}

fn problem<T: std::fmt::Debug>(result: Result<T, Error>) -> Problem {
    let error = result.unwrap_err();
    error.problem().unwrap_or_else(|| panic!("{error:?}"))
}

/// A unit with a WIA, and one KA of each of its storages.
struct Held {
    device: Device,
    wia: Reference,
    wscd: Reference,
    keystore: Reference,
}

async fn held(house: &House, running: &Running, alias: &str) -> Held {
    let device = Device::operational(house, running, alias).await;
    let wia = device.fresh_wia(house, running, 1).await.unwrap().remove(0);
    let mut kas = device.fresh_ka(house, running, 2, 2).await.unwrap();
    let mut reference = || kas.remove(0).status.reference;
    let (wscd, keystore) = (reference(), reference());
    let unit = device.unit;
    let mut statements = Vec::new();
    for (storage, of) in [("wscd", &wscd), ("keystore", &keystore)] {
        statements.push(
            store::sql::query(
                "INSERT INTO unit_storage (unit, storage, type, added_at) VALUES (?, ?, 'a', 1)
                 ON CONFLICT DO NOTHING",
            )
            .bind(unit.as_bytes())
            .bind(storage),
        );
        statements.push(
            store::sql::query(
                "UPDATE status_entry SET storage = ? WHERE unit = ? AND idx = ?
                               AND list = (SELECT id FROM status_list WHERE uri = ?)",
            )
            .bind(storage)
            .bind(unit.as_bytes())
            .bind(i64::try_from(of.idx).unwrap())
            .bind(&of.uri),
        );
    }
    running.write(statements).await;
    Held {
        device,
        wia: wia.status.reference,
        wscd,
        keystore,
    }
}

async fn revoke(
    running: &Running,
    held: &Held,
    storage: Storage,
    goes: UnitGoes,
) -> Result<UnitView, Error> {
    let reason = RevocationReason::Security;
    let unit = held.device.unit;
    running
        .provider
        .revoke_storage(unit, storage, Revoker::Operator, reason, goes)
        .await
}

#[tokio::test]
async fn a_keystore_alone_takes_its_own_entries_and_leaves_the_unit() {
    for house in House::on_each_tuned(with_analysis) {
        let running = house.start().await;
        let mine = held(&house, &running, "mine").await;
        let other = held(&house, &running, "other").await;
        let view = revoke(&running, &mine, Storage::Keystore, UnitGoes::On)
            .await
            .unwrap();
        assert_eq!(view.state, UnitState::Operational);
        let last = view.history.last().unwrap();
        assert_eq!(
            (last.state, last.storage, last.by, last.reason),
            (
                UnitState::Operational,
                Some(Storage::Keystore),
                Some(Revoker::Operator),
                Some(RevocationReason::Security)
            )
        );
        assert!(house.revoked(&mine.keystore));
        for entry in [&mine.wia, &mine.wscd, &other.wia, &other.keystore] {
            assert!(!house.revoked(entry));
        }
        assert!(house.wsca.state.lock().unwrap().frozen.is_empty());
        mine.device.fresh_wia(&house, &running, 1).await.unwrap();

        // Again changes nothing; then the unit itself can go, for good.
        let again = revoke(&running, &mine, Storage::Keystore, UnitGoes::On)
            .await
            .unwrap();
        assert_eq!(again, view);
        running
            .provider
            .revoke_by_operator(mine.device.unit, RevocationReason::Superseded)
            .await
            .unwrap();
        assert!(house.revoked(&mine.wia) && house.revoked(&mine.wscd));
    }
}

#[tokio::test]
async fn a_wscd_takes_its_unit_along_and_a_keystore_does_without_an_analysis() {
    let house = House::new();
    let running = house.start().await;
    let mine = held(&house, &running, "mine").await;
    let refused = revoke(&running, &mine, Storage::Keystore, UnitGoes::On).await;
    assert_eq!(problem(refused), Problem::NotOffered);
    let refused = revoke(&running, &mine, Storage::Wscd, UnitGoes::On).await;
    assert_eq!(problem(refused), Problem::NotOffered);
    assert!(!house.revoked(&mine.keystore));
    let view = revoke(&running, &mine, Storage::Keystore, UnitGoes::Too)
        .await
        .unwrap();
    assert_eq!(view.state, UnitState::Revoked);
    let other = held(&house, &running, "other").await;
    let view = revoke(&running, &other, Storage::Wscd, UnitGoes::Too)
        .await
        .unwrap();
    assert_eq!(view.state, UnitState::Revoked);
    for entry in [&other.wia, &other.wscd, &other.keystore, &mine.wia] {
        assert!(house.revoked(entry));
    }
}

#[tokio::test]
async fn a_storage_that_the_unit_does_not_have_is_not_revoked() {
    for house in House::on_each_tuned(with_analysis) {
        let running = house.start().await;
        let device = Device::operational(&house, &running, "mine").await;
        let refused = running
            .provider
            .revoke_storage(
                device.unit,
                Storage::Keystore,
                Revoker::User,
                RevocationReason::LostOrStolen,
                UnitGoes::On,
            )
            .await;
        assert_eq!(problem(refused), Problem::UnknownObject);
    }
}

/// A type of keystore, for all units that have it, and the units go on.
#[tokio::test]
async fn a_type_of_keystore_alone() {
    for house in House::on_each_tuned(with_analysis) {
        let running = house.start().await;
        let mine = held(&house, &running, "mine").await;
        running.seed(70, "One", "1").await;
        running
            .sql(
                "INSERT INTO unit_storage (unit, storage, type, added_at)
                 SELECT id, 'keystore', 'a', 1 FROM unit WHERE device_model = 'One'",
            )
            .await;
        let asked = BulkRevocation {
            selector: Selector {
                keystore_type: Some("a".into()),
                ..Selector::default()
            },
            reason: RevocationReason::Security,
            extent: Extent::Keystore,
            advisory: None,
            dry_run: false,
            at_most: Some(71),
        };
        let job = running
            .provider
            .begin_bulk_revocation(asked.clone(), None)
            .await
            .unwrap();
        running.provider.do_jobs().await.unwrap();
        let job = running.provider.revocation_job(&job.job).await.unwrap();
        assert_eq!((job.selected, job.revoked), (71, 71));
        assert!(house.revoked(&mine.keystore) && !house.revoked(&mine.wia));
        assert_eq!(
            running
                .count("SELECT count(*) FROM unit WHERE state = 'revoked'")
                .await,
            0
        );
        assert_eq!(
            running
                .provider
                .count_selected(&asked)
                .await
                .unwrap()
                .selected,
            0
        );
    }
}
