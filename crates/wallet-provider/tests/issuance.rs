//! WIAs and KAs, and what gets none.
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
use house::{BASE, Device, House, fresh_keys, jti, read_ka, read_wia};
use jiff::SignedDuration;
use jose::{Curve, Signer};
use provider_api::*;
use sci::AttackPotential;
use wallet_provider::Error;
use wua::ClientAttestationDraft;

const DAY: i64 = 86_400;

fn problem<T: std::fmt::Debug>(result: Result<T, Error>) -> Problem {
    let error = result.unwrap_err();
    error.problem().unwrap_or_else(|| panic!("{error:?}"))
}

async fn request(
    device: &Device,
    house: &House,
    running: &house::Running,
    keys: usize,
) -> KaRequest {
    let nonce = device.nonce(house, running).await.unwrap();
    let statement = device.statement(house, &nonce, &fresh_keys(keys)).await;
    KaRequest {
        statement,
        ..KaRequest::default()
    }
}

#[tokio::test]
async fn a_wia_says_what_ts3_asks_for_in_coarse_times() {
    let house = House::new();
    let running = house.start().await;
    let device = Device::operational(&house, &running, "mine").await;
    let key = TestKey::generate(Curve::P256);
    let answer = device
        .wia_with(&house, &running, &[&key], |_| {})
        .await
        .unwrap();
    assert_eq!((answer.batch_size, answer.lower_limit), (10, 3));
    let wia = read_wia(&house, &answer.attestations[0]);
    assert_eq!(wia.client_id, "https://wallet.example");
    assert_eq!(wia.wallet_name, "Example Wallet");
    assert_eq!(wia.wallet_version, "1.0.0");
    assert_eq!(&wia.key, Signer::public_key(&key));
    assert_eq!(wia.issued.unwrap().to_string(), "2026-11-22T12:00:00Z");
    assert_eq!(wia.expires.to_string(), "2026-11-23T11:00:00Z");
    let maintained = wia.status.maintained_until.duration_since(wia.expires);
    assert!(maintained >= SignedDuration::from_hours(31 * 24));
    assert!(
        !house.revoked(&wia.status.reference),
        "the list is published before it is used"
    );
}

/// Draft 07 has `iss` where TS3 v1.5.2 has none.
#[tokio::test]
async fn a_wia_follows_the_draft_that_is_chosen() {
    for (draft, names_issuer) in [
        (ClientAttestationDraft::Draft07, true),
        (ClientAttestationDraft::Draft10, false),
    ] {
        let house = House::new();
        let running = house
            .start_configured(|config| config.wia_draft = draft)
            .await;
        let device = Device::operational(&house, &running, "mine").await;
        let key = TestKey::generate(Curve::P256);
        let answer = device.wia_with(&house, &running, &[&key], |_| {}).await;
        let wia = answer.unwrap().attestations.remove(0);
        let claims = jose::jws::parse(&wia, 1 << 20).unwrap().claims().unwrap();
        assert_eq!(claims.contains_key("iss"), names_issuer, "{draft:?}");
    }
}

#[tokio::test]
async fn a_ka_says_what_the_wsca_states_and_no_more() {
    for level in [None, Some(AttackPotential::High)] {
        let mut house = House::new();
        Arc::get_mut(&mut house.wsca).unwrap().level = level;
        let running = house.start().await;
        let device = Device::operational(&house, &running, "mine").await;
        let nonce = device.nonce(&house, &running).await.unwrap();
        let keys = fresh_keys(3);
        let statement = device.statement(&house, &nonce, &keys).await;
        let request = KaRequest {
            statement,
            c_nonce: Some("issuer's".into()),
            ..KaRequest::default()
        };
        let answer = device.ka(&house, &running, &request).await.unwrap();
        let ka = read_ka(&house, &answer.attestations[0], Some("issuer's"));
        assert_eq!(ka.keys, keys);
        let expected: Vec<wua::Level> = level.iter().map(|level| level.name().into()).collect();
        assert_eq!(ka.key_storage, expected);
        assert_eq!(ka.user_authentication, expected);
        assert_eq!(ka.certification, format!("{BASE}/certification"));
        let maintained = ka.status.maintained_until.duration_since(ka.expires);
        assert!(maintained >= SignedDuration::from_hours(31 * 24));
    }
}

#[tokio::test]
async fn a_key_that_earns_no_level_takes_it_from_its_whole_ka() {
    let mut house = House::new();
    Arc::get_mut(&mut house.wsca).unwrap().level = Some(AttackPotential::High);
    let running = house.start().await;
    let device = Device::operational(&house, &running, "mine").await;
    let nonce = device.nonce(&house, &running).await.unwrap();
    let mut claims = device.claims(&house, &nonce, &fresh_keys(2));
    claims.keys[1].key_storage = None;
    claims.keys[1].user_authentication = Some(AttackPotential::Basic);
    let statement = house.wsca.state(claims).await;
    let request = KaRequest {
        statement,
        ..KaRequest::default()
    };
    let answer = device.ka(&house, &running, &request).await.unwrap();
    let ka = read_ka(&house, &answer.attestations[0], None);
    assert_eq!(ka.key_storage, []);
    assert_eq!(
        ka.user_authentication,
        [wua::Level::from("iso_18045_basic")]
    );
}

#[tokio::test]
async fn keys_are_dealt_out_evenly_in_their_order() {
    let house = House::new();
    let running = house.start().await;
    let device = Device::operational(&house, &running, "mine").await;
    let kas = device.fresh_ka(&house, &running, 6, 3).await.unwrap();
    assert_eq!(
        kas.iter().map(|ka| ka.keys.len()).collect::<Vec<_>>(),
        [2, 2, 2]
    );
    let places: HashSet<_> = kas.iter().map(|ka| &ka.status.reference).collect();
    assert_eq!(places.len(), 3, "each KA has its own index");

    for (keys, count) in [(5, 2), (1, 2), (3, 0), (11, 11)] {
        let refused = device.fresh_ka(&house, &running, keys, count).await;
        assert_eq!(problem(refused), Problem::Batch, "{keys} to {count}");
    }
    let mut two = request(&device, &house, &running, 2).await;
    two.count = Some(2);
    two.c_nonce = Some("n".into());
    assert_eq!(
        problem(device.ka(&house, &running, &two).await),
        Problem::Batch
    );
}

#[tokio::test]
async fn a_statement_is_used_once() {
    let house = House::new();
    let running = house.start().await;
    let device = Device::operational(&house, &running, "mine").await;
    let request = request(&device, &house, &running, 1).await;
    device.ka(&house, &running, &request).await.unwrap();
    let again = device.ka(&house, &running, &request).await;
    assert_eq!(problem(again), Problem::ChallengeUnknown);
}

#[tokio::test]
async fn of_one_statement_used_twice_at_once_one_wins() {
    let house = House::new();
    let running = house.start().await;
    let device = Device::operational(&house, &running, "mine").await;
    let request = request(&device, &house, &running, 1).await;
    let both = tokio::join!(
        device.ka(&house, &running, &request),
        device.ka(&house, &running, &request)
    );
    let refused = match both {
        (Ok(_), refused) | (refused, Ok(_)) => refused,
        both => panic!("{both:?}"),
    };
    assert_eq!(problem(refused), Problem::ChallengeUnknown);
}

#[tokio::test]
async fn a_key_enters_one_ka_only() {
    let house = House::new();
    let running = house.start().await;
    let device = Device::operational(&house, &running, "mine").await;
    let keys = fresh_keys(2);
    for (with, expected) in [(&keys[..1], None), (&keys[..], Some(Problem::KeyAttested))] {
        let nonce = device.nonce(&house, &running).await.unwrap();
        let statement = device.statement(&house, &nonce, with).await;
        let request = KaRequest {
            statement,
            ..KaRequest::default()
        };
        let result = device.ka(&house, &running, &request).await;
        assert_eq!(result.err().and_then(|error| error.problem()), expected);
    }
    // What was refused took nothing: the second key is still free.
    let nonce = device.nonce(&house, &running).await.unwrap();
    let statement = device.statement(&house, &nonce, &keys[1..]).await;
    let request = KaRequest {
        statement,
        ..KaRequest::default()
    };
    device.ka(&house, &running, &request).await.unwrap();
}

#[tokio::test]
async fn a_statement_that_is_not_this_units_for_this_provider_now_is_refused() {
    let house = House::new();
    let running = house.start().await;
    let device = Device::operational(&house, &running, "mine").await;
    let other = Device::operational(&house, &running, "other").await;

    // Another unit's statement, on this unit's nonce and on its own.
    let nonce = device.nonce(&house, &running).await.unwrap();
    let statement = other.statement(&house, &nonce, &fresh_keys(1)).await;
    let stolen = KaRequest {
        statement,
        ..KaRequest::default()
    };
    assert_eq!(
        problem(device.ka(&house, &running, &stolen).await),
        Problem::Statement
    );
    let theirs = request(&other, &house, &running, 1).await;
    assert_eq!(
        problem(device.ka(&house, &running, &theirs).await),
        Problem::Statement
    );
    other.ka(&house, &running, &theirs).await.unwrap();

    // This unit's statement on a nonce that another unit, or nobody, was given.
    for nonce in [
        other.nonce(&house, &running).await.unwrap(),
        "made up".to_owned(),
    ] {
        let statement = device.statement(&house, &nonce, &fresh_keys(1)).await;
        let wrong = KaRequest {
            statement,
            ..KaRequest::default()
        };
        assert_eq!(
            problem(device.ka(&house, &running, &wrong).await),
            Problem::ChallengeUnknown
        );
    }

    type Change = fn(&mut sci::StatementClaims);
    let cases: [Change; 6] = [
        |claims| claims.sub = sci::UnitId::random(),
        |claims| claims.aud = "https://other.example".into(),
        |claims| claims.device = "another".into(),
        |claims| claims.keys.clear(),
        |claims| claims.keys[0].exportable = true,
        |claims| claims.exp = claims.iat + 301,
    ];
    for change in cases {
        let nonce = device.nonce(&house, &running).await.unwrap();
        let mut claims = device.claims(&house, &nonce, &fresh_keys(1));
        change(&mut claims);
        let statement = house.wsca.state(claims).await;
        let wrong = KaRequest {
            statement,
            ..KaRequest::default()
        };
        assert_eq!(
            problem(device.ka(&house, &running, &wrong).await),
            Problem::Statement
        );
    }

    // Signed by another key than the WSCA's.
    let nonce = device.nonce(&house, &running).await.unwrap();
    let claims = device.claims(&house, &nonce, &fresh_keys(1));
    let forged = claims.sign(&TestKey::generate(Curve::P256)).await.unwrap();
    for statement in [forged, String::new(), "x".repeat(MAX_BODY + 1)] {
        let wrong = KaRequest {
            statement,
            ..KaRequest::default()
        };
        assert_eq!(
            problem(device.ka(&house, &running, &wrong).await),
            Problem::Statement
        );
    }

    // On an expired nonce, in a statement of now.
    let nonce = device.nonce(&house, &running).await.unwrap();
    house.pass(300);
    let statement = device.statement(&house, &nonce, &fresh_keys(1)).await;
    let late = KaRequest {
        statement,
        ..KaRequest::default()
    };
    assert_eq!(
        problem(device.ka(&house, &running, &late).await),
        Problem::ChallengeExpired
    );
}

#[tokio::test]
async fn a_wia_needs_a_proof_by_its_own_fresh_key() {
    let house = House::new();
    let running = house.start().await;
    let device = Device::operational(&house, &running, "mine").await;
    let key = TestKey::generate(Curve::P256);
    let now = house.clock.now_seconds();
    let proof = |aud: &str, request: String, iat| KeyProof {
        iss: device.unit,
        aud: aud.into(),
        request,
        iat,
    };
    // One key for two WIAs, none, and too many.
    let twice = device
        .wia_with(&house, &running, &[&key, &key], |_| {})
        .await;
    assert_eq!(problem(twice), Problem::KeyProof);
    let none = device.wia_with(&house, &running, &[], |_| {}).await;
    assert_eq!(problem(none), Problem::Batch);
    assert_eq!(
        problem(device.fresh_wia(&house, &running, 11).await),
        Problem::Batch
    );

    // A proof from another request, for another provider.
    for wrong in [
        proof(BASE, jti(), now),
        proof("https://other.example", jti(), now),
    ] {
        let wrong = wrong.sign(&key).await.unwrap();
        let change = |request: &mut WiaRequest| request.proofs = vec![wrong];
        let refused = device.wia_with(&house, &running, &[], change).await;
        assert_eq!(problem(refused), Problem::KeyProof);
    }
}

#[tokio::test]
async fn an_issuers_preferred_status_period_is_kept_or_refused() {
    let house = House::new();
    let running = house.start().await;
    let device = Device::operational(&house, &running, "mine").await;
    let key = TestKey::generate(Curve::P256);
    let prefer = |days: u64| {
        move |request: &mut WiaRequest| {
            request.preferred_client_status_period = Some(days * DAY as u64);
        }
    };
    let answer = device
        .wia_with(&house, &running, &[&key], prefer(400))
        .await
        .unwrap();
    let wia = read_wia(&house, &answer.attestations[0]);
    let left = wia.status.maintained_until.duration_since(wia.expires);
    assert!(left >= SignedDuration::from_hours(400 * 24));
    for days in [2 * 366 + 1, u64::MAX / DAY as u64] {
        let refused = device
            .wia_with(&house, &running, &[&key], prefer(days))
            .await;
        assert_eq!(problem(refused), Problem::Period);
    }
}

#[tokio::test]
async fn only_an_operational_unit_gets_attestations() {
    let house = House::new();
    let running = house.start().await;
    let device = Device::installed(&house, &running, "mine").await;
    assert_eq!(
        problem(device.nonce(&house, &running).await),
        Problem::WrongState
    );
    assert_eq!(
        problem(device.fresh_wia(&house, &running, 1).await),
        Problem::WrongState
    );
    let statement = device.statement(&house, "n", &fresh_keys(1)).await;
    let request = KaRequest {
        statement,
        ..KaRequest::default()
    };
    assert_eq!(
        problem(device.ka(&house, &running, &request).await),
        Problem::WrongState
    );
}

#[tokio::test]
async fn indices_are_unique_across_nodes_and_lists_and_tell_no_order() {
    let house = Arc::new(House::new());
    // Two nodes on one database, each with blocks of its own.
    let nodes = [Arc::new(house.start().await), Arc::new(house.start().await)];
    let mut tasks = Vec::new();
    for n in 0..6 {
        let (house, running) = (house.clone(), nodes[n % 2].clone());
        let device = Device::operational(&house, &running, &format!("user {n}")).await;
        tasks.push(tokio::spawn(async move {
            let mut found = Vec::new();
            for _ in 0..5 {
                for wia in device.fresh_wia(&house, &running, 10).await.unwrap() {
                    found.push(wia.status.reference);
                }
            }
            found
        }));
    }
    let mut all = Vec::new();
    for task in tasks {
        all.extend(task.await.unwrap());
    }
    assert_eq!(all.len(), 300);
    assert_eq!(
        all.iter().collect::<HashSet<_>>().len(),
        300,
        "no index twice"
    );
    let next = all
        .windows(2)
        .filter(|pair| pair[0].idx.abs_diff(pair[1].idx) <= 1)
        .count();
    assert!(
        next <= 3,
        "{next} of 299 neighbours in time are neighbours in the list"
    );
    assert_eq!(house.lists(), 1);
}

#[tokio::test]
async fn a_full_list_is_followed_by_another() {
    let house = House::tuned(|config| config.block_size = 9_996);
    let running = house.start().await;
    let device = Device::operational(&house, &running, "mine").await;
    let first = device.fresh_wia(&house, &running, 1).await.unwrap()[0].clone();
    drop(running);
    // A new node takes the last four counters, and then a new list.
    let running = house.start().await;
    let next = device.fresh_wia(&house, &running, 6).await.unwrap();
    let uris: Vec<_> = next
        .iter()
        .map(|wia| wia.status.reference.uri.as_str())
        .collect();
    assert_eq!(
        uris.iter()
            .filter(|uri| **uri == first.status.reference.uri)
            .count(),
        4
    );
    assert_eq!(running.provider.status_lists().await.unwrap().len(), 2);
    assert!(!house.revoked(&next[5].status.reference));
}

#[tokio::test]
async fn a_list_opened_under_another_secret_is_closed_and_stays_published() {
    let mut house = House::new();
    let running = house.start().await;
    let device = Device::operational(&house, &running, "mine").await;
    let old = device.fresh_wia(&house, &running, 1).await.unwrap()[0].clone();
    drop(running);
    house.index_secret += 1;
    let running = house.start().await;
    let new = device.fresh_wia(&house, &running, 1).await.unwrap()[0].clone();
    assert_ne!(old.status.reference.uri, new.status.reference.uri);
    assert!(!house.revoked(&old.status.reference) && !house.revoked(&new.status.reference));
}

#[tokio::test]
async fn no_attestation_leaves_while_its_list_cannot_be_published() {
    let house = House::new();
    let running = house.start_with(Arc::new(house::DiskFull)).await;
    let device = Device::operational(&house, &running, "mine").await;
    let refused = device.fresh_wia(&house, &running, 1).await;
    assert!(matches!(refused, Err(Error::Publish(_))), "{refused:?}");
    // The next start makes up for it.
    drop(running);
    let running = house.start().await;
    running.provider.recover().await.unwrap();
    assert_eq!(house.lists(), 1);
    device.fresh_wia(&house, &running, 1).await.unwrap();
}
