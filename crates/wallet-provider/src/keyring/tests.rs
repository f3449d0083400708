#![allow(clippy::unwrap_used, clippy::indexing_slicing)]
use claviger_fixtures::TestKey;
use jiff::SignedDuration;
use jose::{Curve, Signer};
use pki::{Issuer, Profile, Request, Subject};
use wua::Rounding;

use super::*;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn day(day: &str) -> Timestamp {
    at(&format!("{day}T00:00:00Z"))
}

async fn certified(key: Arc<TestKey>, from: &str, to: &str) -> Seal {
    let subject = Subject::legal("BE", "Example", "NTRBE-0123456789", "Example");
    let public = Signer::public_key(key.as_ref()).clone();
    let request = Request::new(Profile::Wallet, subject, public, day(from), day(to));
    let made = pki::issue(&request, Issuer::Itself(key.as_ref())).await;
    Seal {
        signer: key,
        chain: vec![made.unwrap().der().to_vec()],
    }
}

async fn key(purpose: KeyPurpose, number: u32, from: &str, to: &str) -> Generation {
    let key = Arc::new(TestKey::generate(Curve::P256));
    Generation::new(purpose, number, certified(key, from, to).await).unwrap()
}

/// Three WIA keys, each for a year or so; the second is short, and falls back to the
/// first.
async fn three() -> Generations {
    [
        key(KeyPurpose::Wia, 1, "2026-01-01", "2027-02-01").await,
        key(KeyPurpose::Wia, 2, "2026-06-01", "2026-07-01").await,
        key(KeyPurpose::Wia, 3, "2026-09-01", "2028-01-01")
            .await
            .starting(at("2026-10-01T12:00:00Z")),
    ]
    .into_iter()
    .collect()
}

#[tokio::test]
async fn the_newest_that_has_started_and_is_valid_signs() {
    let keys = three().await;
    for (when, signs) in [
        ("2025-12-31T23:59:59Z", None),
        ("2026-01-01T00:00:00Z", Some(1)),
        ("2026-06-01T00:00:00Z", Some(2)),
        ("2026-06-30T23:59:59Z", Some(2)),
        // Its certificate has ended; the one before it is still valid.
        ("2026-07-01T00:00:00Z", Some(1)),
        // Valid, and its start has not come.
        ("2026-10-01T11:59:59Z", Some(1)),
        ("2026-10-01T12:00:00Z", Some(3)),
        ("2028-01-01T00:00:00Z", None),
    ] {
        let signing = keys.signing(Seals::Wia, at(when));
        assert_eq!(signing.map(|g| g.number()), signs, "{when}");
        assert!(keys.signing(Seals::Ka, at(when)).is_none(), "{when}");
    }
}

#[tokio::test]
async fn a_key_is_published_until_all_it_signed_has_ended() {
    let keys = three().await;
    let lasts = SignedDuration::from_hours(24);
    let live = |when: &str| -> Vec<u32> {
        let now = at(when);
        let live = |g: &&Arc<Generation>| {
            let last = keys.last_use(g, now, |_| lasts);
            last.is_some_and(|last| now <= last)
        };
        let mut numbers: Vec<u32> = keys.iter().filter(live).map(|g| g.number()).collect();
        numbers.sort_unstable();
        numbers
    };
    for (when, expected) in [
        ("2026-05-01T00:00:00Z", vec![1, 2, 3]),
        ("2026-06-01T20:00:00Z", vec![1, 2, 3]),
        // The first signed nothing for more than a day.
        ("2026-06-03T00:00:00Z", vec![2, 3]),
        // It signs again; what the second signed has not ended.
        ("2026-07-01T10:00:00Z", vec![1, 2, 3]),
        ("2026-07-03T00:00:00Z", vec![1, 3]),
        ("2026-10-02T11:00:00Z", vec![1, 3]),
        ("2026-10-02T13:00:00Z", vec![3]),
        ("2028-01-01T23:00:00Z", vec![3]),
        ("2028-01-02T01:00:00Z", vec![]),
    ] {
        assert_eq!(live(when), expected, "{when}");
    }
}

#[tokio::test]
async fn a_retired_key_signs_no_more_and_a_chain_of_another_key_is_none() {
    let retired = key(KeyPurpose::Status, 1, "2026-01-01", "2027-01-01").await;
    let retired = retired.retired(Some(day("2026-05-05")));
    assert!(retired.may_sign(day("2026-05-04")));
    assert!(!retired.may_sign(day("2026-05-05")));

    let seal = certified(
        Arc::new(TestKey::generate(Curve::P384)),
        "2026-01-01",
        "2027-01-01",
    );
    let stolen = Seal {
        signer: Arc::new(TestKey::generate(Curve::P384)),
        ..seal.await
    };
    let made = Generation::new(KeyPurpose::Wia, 1, stolen.clone());
    assert_eq!(made.unwrap_err(), NotAGeneration::AnotherKey);
    let bare = Seal {
        chain: Vec::new(),
        ..stolen.clone()
    };
    let made = Generation::new(KeyPurpose::Wia, 1, bare);
    assert_eq!(made.unwrap_err(), NotAGeneration::NoCertificate);
    let mut cut = stolen;
    cut.chain.iter_mut().for_each(|der| der.truncate(100));
    let made = Generation::new(KeyPurpose::Wia, 1, cut);
    assert!(matches!(made, Err(NotAGeneration::Certificate(_))));
}

#[tokio::test]
async fn nothing_outlives_the_certificate_it_is_verified_under() {
    let key = key(KeyPurpose::Wia, 1, "2026-01-01", "2027-01-01").await;
    let rounding = Rounding::default();
    let expiry = |now: &str, wanted: &str| key.expiry(at(now), at(wanted), &rounding);
    let within = expiry("2026-11-22T12:34:56Z", "2026-11-23T11:00:00Z");
    assert_eq!(within.unwrap(), at("2026-11-23T11:00:00Z"));
    let cut = expiry("2026-12-31T12:34:56Z", "2027-01-01T11:00:00Z");
    assert_eq!(cut.unwrap(), day("2027-01-01"));
    let late = expiry("2027-01-01T00:00:00Z", "2027-01-01T23:00:00Z").unwrap_err();
    assert_eq!(late.problem(), Some(Problem::NoCertificate));
}

#[tokio::test]
async fn a_keyring_lacks_no_kind_and_says_why_nothing_signs() {
    let answers = || AnswerKeys::first(Arc::new(TestKey::generate(Curve::P256)));
    let set = |generations| KeySet {
        generations,
        answers: answers(),
    };
    let wia = key(KeyPurpose::Wia, 1, "2026-01-01", "2027-01-01").await;
    let lacking = Keyring::new(set([wia].into_iter().collect())).unwrap_err();
    assert_eq!(lacking.key, "ka");
    let none = Keyring::lacking(set(Generations::default()));
    let refused = none.seal(Seals::Wia, day("2026-05-05")).unwrap_err();
    assert_eq!(refused.problem(), Some(Problem::NoCertificate));

    let of = |purpose| key(purpose, 1, "2026-01-01", "2027-01-01");
    let both = [
        of(KeyPurpose::Attestations).await,
        of(KeyPurpose::Status).await,
    ];
    let keyring = Keyring::new(set(both.into_iter().collect())).unwrap();
    assert_eq!(
        keyring.seal(Seals::Ka, day("2026-05-05")).unwrap().number(),
        1
    );
    for (when, why) in [
        (
            "2025-05-05",
            "no generation signs before 2026-01-01T00:00:00Z",
        ),
        (
            "2027-05-05",
            "attestations generation 1 ended at 2027-01-01T00:00:00Z",
        ),
    ] {
        let refused = keyring.seal(Seals::Wia, day(when)).unwrap_err();
        assert_eq!(refused.problem(), Some(Problem::NoCertificate));
        let found = &refused.refusal().unwrap().findings()[0];
        assert_eq!(
            (found.rule.as_ref(), found.evidence.as_str()),
            ("WP-CERTIFICATE", why)
        );
    }
}
