//! What an account's owner may do with its units, and what a user agreed to before
//! there were any.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod house;

use house::{Device, House, Phone, Running};
use provider_api::{AccountId, ConsentView, Problem, RevocationReason, UnitState};
use store::sql;
use wallet_provider::{Config, Error};

async fn account(running: &Running, alias: &str) -> AccountId {
    let mut reader = running.database.reader().await.unwrap();
    let found = sql::query("SELECT id FROM account WHERE alias = ?").bind(alias);
    AccountId(found.one(&mut reader).await.unwrap())
}

fn problem<T: std::fmt::Debug>(result: Result<T, Error>) -> Option<Problem> {
    result.unwrap_err().problem()
}

#[tokio::test]
async fn an_owner_who_is_signed_in_sees_and_revokes_units_of_the_account_alone() {
    let house = House::new();
    let running = house.start().await;
    let mine = Device::operational(&house, &running, "mine").await;
    let theirs = Device::operational(&house, &running, "theirs").await;
    let wia = mine.fresh_wia(&house, &running, 2).await.unwrap();
    let account = account(&running, "mine").await;
    let provider = &running.provider;
    let units = provider.units_of(account).await.unwrap();
    assert_eq!(
        units.iter().map(|u| u.unit).collect::<Vec<_>>(),
        [mine.unit]
    );
    assert_eq!(units[0].history.len(), 2);

    let lost = RevocationReason::LostOrStolen;
    let revoke = |unit, reason| provider.revoke_by_account(account, unit, reason);
    let others = revoke(theirs.unit, lost).await;
    assert_eq!(problem(others), Some(Problem::UnknownUnit));
    let death = revoke(mine.unit, RevocationReason::Death).await;
    assert_eq!(problem(death), Some(Problem::NotOffered));
    let view = revoke(mine.unit, lost).await.unwrap();
    assert_eq!(view.state, UnitState::Revoked);
    for wia in wia {
        assert!(house.revoked(&wia.status.reference));
    }
    let other = provider.unit_view(theirs.unit).await.unwrap();
    assert_eq!(other.state, UnitState::Operational);
}

#[tokio::test]
async fn all_units_of_an_account_are_revoked_at_once_and_once() {
    let house = House::new();
    let running = house.start().await;
    let first = Device::operational(&house, &running, "mine").await;
    let phone = Phone::new();
    let mut claims = phone.claims(&house, &running, "mine").await;
    claims.account_code.clone_from(&first.code);
    let second = phone.begin(&house, &running, &claims).await.unwrap().unit;
    let account = account(&running, "mine").await;
    let revoke = || running.provider.revoke_account(account);
    assert_eq!(revoke().await.unwrap(), 2);
    assert_eq!(revoke().await.unwrap(), 0);
    for unit in [first.unit, second] {
        let view = running.provider.unit_view(unit).await.unwrap();
        assert_eq!(view.state, UnitState::Revoked);
    }
}

fn with_consent(config: &mut Config) {
    config.consent = Some(ConsentView {
        version: "2026-11".into(),
        sha256: jose::b64::encode([3; 32]),
        url: "https://provider.example/account/consent".into(),
    });
}

#[tokio::test]
async fn a_unit_is_activated_once_its_user_agreed_to_the_text_that_stands() {
    let house = House::tuned(with_consent);
    let running = house.start().await;
    let text = running.provider.view().consent.unwrap();
    let phone = Phone::new();
    for consent in [None, Some(jose::b64::encode([4; 32])), Some(String::new())] {
        let mut claims = phone.claims(&house, &running, "mine").await;
        claims.consent = consent;
        let begun = phone.begin(&house, &running, &claims).await;
        assert_eq!(problem(begun.map(|_| ())), Some(Problem::Consent));
    }
    let mut claims = phone.claims(&house, &running, "mine").await;
    claims.consent = Some(text.sha256);
    phone.begin(&house, &running, &claims).await.unwrap();
    let mut reader = running.database.reader().await.unwrap();
    let kept: Vec<(i64, String, Vec<u8>, i64)> =
        sql::query("SELECT account, version, sha256, given_at FROM consent")
            .all(&mut reader)
            .await
            .unwrap();
    let account = account(&running, "mine").await;
    let at = clock::Clock::now_seconds(house.clock.as_ref());
    let expected = (account.0, "2026-11".to_owned(), vec![3; 32], at);
    assert_eq!(kept, [expected]);
}

#[tokio::test]
async fn development_goes_without_consent_and_takes_none_to_another_text() {
    let house = House::tuned(|config| {
        with_consent(config);
        config.accept_no_consent = true;
    });
    let running = house.start().await;
    let phone = Phone::new();
    let mut claims = phone.claims(&house, &running, "mine").await;
    claims.consent = Some("another".into());
    let begun = phone.begin(&house, &running, &claims).await;
    assert_eq!(problem(begun.map(|_| ())), Some(Problem::Consent));
    let claims = phone.claims(&house, &running, "mine").await;
    phone.begin(&house, &running, &claims).await.unwrap();
}
