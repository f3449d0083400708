//! Time passes over everything that a unit leaves behind, and what is told of each
//! table's end is what happens.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod house;

use std::collections::BTreeMap;
use std::sync::Arc;

use claviger_fixtures::TestKey;
use clock::Clock;
use house::*;
use jiff::SignedDuration;
use jose::{Curve, b64};
use notices::{MailAtHand, Outbox};
use provider_api::reference::JwkSet;
use provider_api::{RevocationReason, WiaRequest};
use store::notices::SqlOutbox;
use store::operators::SqlOperatorTrail;
use store::provider::SqlProviderStore;
use store::sql::query;
use wallet_provider::operators::{Credential, Errand, Operator, OperatorDesk, OperatorRole};
use wallet_provider::reference::{ReferenceProfile, Vouched};
use wallet_provider::retention::{HELD, Held, Until};
use wallet_provider::{InstanceCheck, IssuanceStore, ProviderStore, SpentCheck, SpentRequest};

const DAY: i64 = 24 * 3600;

async fn number(database: &store::Database, statement: String) -> i64 {
    let mut reader = database.reader().await.unwrap();
    let number: Option<i64> = query(statement.leak()).one(&mut reader).await.unwrap();
    number.unwrap_or_default()
}

async fn rows(database: &store::Database, table: &str) -> i64 {
    number(database, format!("SELECT COUNT(*) FROM {table}")).await
}

fn tables(wanted: fn(&Until) -> bool) -> impl Iterator<Item = &'static Held> {
    // What the key storage holds is looked at beside its own store, and what opens an
    // account in the accounts' own room.
    let accounts = [
        "passkey",
        "recovery_code",
        "consent",
        "sign_in",
        "ceremony",
        "link_code",
        "address_code",
    ];
    HELD.iter()
        .filter(move |held| wanted(&held.until) && !held.table.starts_with("wsca_"))
        .filter(move |held| !accounts.contains(&held.table))
}

/// A revocation of many units that was done at once.
async fn job(database: &store::Database, id: &'static str, began: jiff::Timestamp) {
    let job = query(
        "INSERT INTO revocation_job (id, selector, extent, reason, name, selected, began, state)
         VALUES (?, '{}', 'unit', 'security', 'bob', 0, ?, 'done')",
    )
    .bind(id)
    .bind(began.as_second());
    let done = database
        .write::<_, store::Error, _>(move |tx| Box::pin(async move { job.execute(tx).await }));
    done.await.unwrap();
}

/// Waits until this many seconds since 1970.
fn wait_until(house: &House, second: i64) {
    house
        .clock
        .set(jiff::Timestamp::from_second(second).unwrap());
}

#[tokio::test]
async fn what_is_told_of_each_tables_end_is_what_happens() {
    let house = House::alone(|config| {
        config.issuer_scopes = 1;
        let wallet_version = "1".into();
        config.reference = Some(ReferenceProfile { wallet_version });
    });
    let Running { provider, database } = house.start().await;
    let running = Running {
        provider,
        database: database.clone(),
    };
    let phone = Device::operational(&house, &running, "ada").await;
    phone.fresh_wia(&house, &running, 2).await.unwrap();
    phone.fresh_ka(&house, &running, 1, 1).await.unwrap();
    running.provider.challenge().await.unwrap();
    // Each table ends at a second of its own.
    house.pass(1);
    let other = Device::operational(&house, &running, "ben").await;
    let wia = other.shown_wia(&house, &running).await;
    let asker = PidDesk::new("PID Provider", pki::Profile::Pid).await;
    house.lists.add(&asker, "PID Provider");
    let request = asker.sign(&asker.claims(&house, &wia)).await;
    running
        .provider
        .revoke_by_pid_provider(&request)
        .await
        .unwrap();
    let key = TestKey::generate(Curve::P256);
    let scoped = |request: &mut WiaRequest| request.issuer_scope = Some(b64::encode([1; 32]));
    phone
        .wia_with(&house, &running, &[&key], scoped)
        .await
        .unwrap();
    let keys = JwkSet {
        keys: vec![fresh_keys(1)[0].to_jwk()],
    };
    let options = <_>::default();
    let loose = running
        .provider
        .reference_wia(Vouched::Nothing(&keys), &options);
    loose.await.unwrap();
    running.provider.recover().await.unwrap();

    let provider = Arc::new(running.provider.into_one());
    let store = SqlProviderStore::new(database.clone());
    let spent = || SpentCheck {
        unit: phone.unit,
        request: SpentRequest {
            jti: jti(),
            forget_at: house.clock.now(),
        },
        nonce: None,
        at: house.clock.now(),
    };
    // A check that failed is held until one is passed, or the unit is revoked.
    let failed = async || {
        let failed = store.record_failed_check(spent(), "unlocked".into());
        failed.await.unwrap();
        assert_eq!(rows(&database, "failed_check").await, 1);
    };
    failed().await;
    let check = InstanceCheck {
        spent: spent(),
        evidence: None,
        certificates: vec![],
        patch_level: None,
        counter: Some(1),
    };
    store.record_check(check).await.unwrap();
    assert_eq!(rows(&database, "failed_check").await, 0);
    failed().await;
    let desk = OperatorDesk::new(
        Arc::clone(&provider),
        Arc::new(SqlOperatorTrail::new(database.clone())),
        Arc::new(store.clone()),
    );
    let operator = Operator {
        name: "bob".into(),
        role: OperatorRole::Admin,
        by: Credential::Token,
    };
    let errand = Errand::new("unit.revoke", "units/1", Some("ticket 12")).unwrap();
    let reason = RevocationReason::Security;
    let revoking = desk.revoke(&operator, &errand, phone.unit, reason, None);
    revoking.await.unwrap();
    assert_eq!(rows(&database, "failed_check").await, 0);
    job(&database, "old", house.clock.now()).await;
    for list in [1, 2] {
        store.close_list(list, house.clock.now()).await.unwrap();
    }

    // What its user is told: there is no mail server, so it is over at once.
    let outbox = SqlOutbox::new(database.clone());
    let told_at = house.clock.now();
    outbox
        .spread(MailAtHand::No, &[], told_at, 9)
        .await
        .unwrap();

    // Every table that is told to end has something in it that can end.
    for held in tables(|until| !matches!(until, Until::Always | Until::Check)) {
        // Those have tests of their own (storage_revocation.rs, watch.rs).
        let optional = ["unit_certificate", "forgotten_unit"].contains(&held.table);
        assert!(
            optional || rows(&database, held.table).await > 0,
            "{}",
            held.table
        );
    }

    let mut ends: BTreeMap<i64, Vec<&str>> = BTreeMap::new();
    for held in tables(|until| matches!(until, Until::Past { .. })) {
        let Until::Past { column } = held.until else {
            unreachable!()
        };
        let last = format!("SELECT MAX({column}) FROM {}", held.table);
        let end = number(&database, last).await + DAY;
        ends.entry(end).or_default().push(held.table);
    }
    for (end, tables) in ends {
        wait_until(&house, end - 1);
        provider.purge().await.unwrap();
        for table in &tables {
            assert!(rows(&database, table).await > 0, "{table} ends too soon");
        }
        wait_until(&house, end);
        provider.purge().await.unwrap();
        for table in &tables {
            assert_eq!(rows(&database, table).await, 0, "{table} does not end");
        }
    }

    // The lists' entries are maintained for no more than some weeks: what is left is
    // how long a closed list stays.
    let closed = "SELECT MAX(closed_at) FROM status_list".to_owned();
    let end = number(&database, closed).await + 40 * DAY;
    wait_until(&house, end.max(house.clock.now_seconds()) + 1);
    provider.purge().await.unwrap();
    for held in tables(|until| matches!(until, Until::List)) {
        assert_eq!(rows(&database, held.table).await, 0, "{}", held.table);
    }

    // A trail keeps its newest row, whatever its age.
    desk.note(&operator, &errand, "ok").await.unwrap();
    job(&database, "new", house.clock.now()).await;
    house.clock.advance(SignedDuration::from_hours(24 * 1095));
    assert_eq!(
        desk.forget_older(1096).await.unwrap(),
        1,
        "the revocation's"
    );
    assert_eq!(desk.forget_older(0).await.unwrap(), 0);
    assert_eq!(rows(&database, "operator_trail").await, 1);
    // As long as the trail, so long a job says who asked for it.
    for (name, of) in [("old", 0), ("new", 1)] {
        let told = format!("SELECT COUNT(name) FROM revocation_job WHERE id = '{name}'");
        assert_eq!(number(&database, told).await, of, "{name}");
    }

    // What was told stays until it is forgotten, and no longer. How long that is, is the
    // courier's to say (crates/notices).
    assert_eq!(outbox.forget(told_at).await.unwrap(), 0);
    let later = told_at + SignedDuration::from_secs(1);
    assert!(outbox.forget(later).await.unwrap() > 0);
    for held in tables(|until| matches!(until, Until::Notices)) {
        assert_eq!(rows(&database, held.table).await, 0, "{}", held.table);
    }

    // What is kept for longer is still there.
    for held in tables(|until| matches!(until, Until::Account | Until::Unit)) {
        // Those have tests of their own (storage_revocation.rs, watch.rs).
        let optional = ["unit_certificate", "forgotten_unit"].contains(&held.table);
        assert!(
            optional || rows(&database, held.table).await > 0,
            "{}",
            held.table
        );
    }
    assert!(rows(&database, "attested_key").await > 0, "for good");
}
