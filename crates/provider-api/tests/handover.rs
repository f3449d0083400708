//! An app that pinned an answer key follows its provider to the next, and nobody else.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use claviger_fixtures::TestKey;
use jiff::{SignedDuration, Timestamp};
use jose::{Curve, PublicKey, Signer};
use provider_api::{HANDOVER_OVERLAP, Handover, MAX_HANDOVERS, PinnedKeys};

const PROVIDER: &str = "https://provider.example";

fn start(number: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + number * 90 * 86_400).unwrap()
}

fn public(key: &TestKey) -> PublicKey {
    Signer::public_key(key).clone()
}

async fn handover(from: &TestKey, to: &TestKey, number: i64) -> String {
    signed(from, to, number, PROVIDER).await
}

async fn signed(from: &TestKey, to: &TestKey, number: i64, iss: &str) -> String {
    let handover = Handover {
        iss: iss.into(),
        iat: start(number).as_second() - 86_400,
        answer_key: public(to),
        starts: start(number).as_second(),
    };
    handover.sign(from).await.unwrap()
}

/// Four keys, of all curves, and the handovers between them.
async fn four() -> (Vec<TestKey>, Vec<String>) {
    let curves = [Curve::P256, Curve::P384, Curve::P521, Curve::P256];
    let keys: Vec<TestKey> = curves.into_iter().map(TestKey::generate).collect();
    let mut handovers = Vec::new();
    for (number, pair) in (1..).zip(keys.windows(2)) {
        let [from, to] = pair else { unreachable!() };
        handovers.push(handover(from, to, number).await);
    }
    (keys, handovers)
}

#[tokio::test]
async fn whichever_key_was_pinned_the_one_in_force_is_reached() {
    let (keys, handovers) = four().await;
    let now = start(3) + HANDOVER_OVERLAP + SignedDuration::from_secs(1);
    for pinned in &keys {
        let followed = PinnedKeys::follow(public(pinned), &handovers, PROVIDER).unwrap();
        assert_eq!(followed.to_pin(now), &public(&keys[3]));
        let kid = public(&keys[3]).thumbprint_b64();
        assert_eq!(followed.at(&kid, now), Some(&public(&keys[3])));
    }
}

/// Both keys are taken around the switch, for clocks that are an hour off, and one of
/// them alone before and after.
#[tokio::test]
async fn around_the_switch_both_keys_are_taken() {
    let (keys, handovers) = four().await;
    let followed = PinnedKeys::follow(public(&keys[0]), &handovers, PROVIDER).unwrap();
    let hour = SignedDuration::from_hours(1);
    let day = SignedDuration::from_hours(25);
    for (now, taken) in [
        (start(2) - day, [false, true, false, false]),
        (start(2) - hour, [false, true, true, false]),
        (start(2), [false, true, true, false]),
        (start(2) + hour, [false, true, true, false]),
        (start(2) + day, [false, false, true, false]),
    ] {
        for (key, taken) in keys.iter().zip(taken) {
            let kid = public(key).thumbprint_b64();
            assert_eq!(followed.at(&kid, now).is_some(), taken, "{now}");
        }
    }
}

/// Whoever has a key that was replaced can leave out what came after it, and sign that.
#[tokio::test]
async fn a_key_that_was_replaced_does_not_come_back() {
    let (keys, handovers) = four().await;
    let now = start(4);
    let known = PinnedKeys::follow(public(&keys[0]), &handovers[..2], PROVIDER).unwrap();
    let replaced = public(&keys[1]).thumbprint_b64();
    for left in [&handovers[..1], &handovers[..2], &[]] {
        let still = known.extended(left, PROVIDER).unwrap();
        assert_eq!(still, known);
        assert_eq!(still.at(&replaced, now), None);
    }
    // What came since is learnt, from all of them or from the last alone.
    for list in [&handovers[..], &handovers[2..]] {
        let further = known.extended(list, PROVIDER).unwrap();
        assert_eq!(further.to_pin(now), &public(&keys[3]));
        assert_eq!(further.pinned(), known.pinned());
    }
    // And nothing that would have begun before what is known.
    let early = vec![handover(&keys[2], &keys[3], 1).await];
    assert!(known.extended(&early, PROVIDER).is_err());
}

#[tokio::test]
async fn what_the_pinned_key_did_not_sign_leads_nowhere() {
    let (keys, handovers) = four().await;
    let thief = TestKey::generate(Curve::P256);
    let own = public(&thief);
    let now = start(9);
    let pinned = || public(&keys[0]);

    // A stranger's handover is passed over, and so is one that skips a key.
    let strange = vec![handover(&thief, &thief, 1).await];
    let skipping = vec![handovers[1].clone()];
    for list in [strange, skipping] {
        let followed = PinnedKeys::follow(pinned(), &list, PROVIDER).unwrap();
        assert_eq!(followed.to_pin(now), &pinned());
        assert!(!followed.hold(&own) && !followed.hold(&public(&keys[2])));
    }

    // One that names the pinned key and is not signed by it is refused.
    let (header, rest) = handovers[0].split_once('.').unwrap();
    let (_, signature) = rest.split_once('.').unwrap();
    let claims = Handover {
        iss: PROVIDER.into(),
        iat: 0,
        answer_key: own,
        starts: start(1).as_second(),
    };
    let claims = jose::b64::encode(serde_json::to_vec(&claims).unwrap());
    let forged = format!("{header}.{claims}.{signature}");
    let elsewhere = signed(&keys[0], &thief, 1, "https://other.example").await;
    let backwards = vec![
        handover(&keys[0], &keys[1], 2).await,
        handover(&keys[1], &keys[2], 1).await,
    ];
    let many = vec![handovers[0].clone(); MAX_HANDOVERS + 1];
    for list in [
        vec![forged],
        vec![elsewhere],
        backwards,
        many,
        vec!["x".into()],
    ] {
        let refused = PinnedKeys::follow(pinned(), &list, PROVIDER).unwrap_err();
        assert!(refused.names(&provider_api::rules::ANSWER_KEY), "{refused}");
    }
}
