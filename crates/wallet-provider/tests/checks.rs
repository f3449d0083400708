//! The check of a wallet instance that stands behind its WIAs.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod attested;
#[path = "../../device-evidence/tests/support/mod.rs"]
mod devices;
mod house;

use attested::{
    DAY, HOUR, android_unit, app_attested, apple_unit, chain, fresh_list, made_with, operational,
    problem, refused, start,
};
use claviger_fixtures::TestKey;
use clock::Clock;
use devices::{android, apple, der, public};
use house::{Device, House, Phone, Running};
use jiff::SignedDuration;
use jose::{Curve, b64};
use provider_api::{CheckAnswer, CheckEvidence, NoncePurpose, Problem, UnitState, bound_challenge};
use wallet_provider::{CheckBy, Config, Error, IssuanceStore, OnWorse};

#[tokio::test]
async fn a_wia_ends_within_24_hours_of_the_check_and_not_of_its_issuance() {
    let (house, bed) = (House::new(), android::Bed::new());
    let running = start(&house, &bed, &apple::Bed::new(), |_| {}).await;
    let device = android_unit(&house, &running, &bed, "mine").await;
    let checked = house.clock.now();
    house.pass(11 * HOUR);
    let wia = device.fresh_wia(&house, &running, 1).await.unwrap()[0].clone();
    let life = wia.expires.duration_since(checked);
    assert!(life < SignedDuration::from_hours(24), "{life}");
    assert!(wia.expires.duration_since(house.clock.now()) <= SignedDuration::from_hours(12));

    house.pass(HOUR);
    let late = device.fresh_wia(&house, &running, 1).await;
    assert_eq!(problem(late), Problem::CheckDue);
    let answer = device
        .check_android(&house, &running, &bed, |says| says)
        .await
        .unwrap();
    assert_eq!(answer.checked_at, house.clock.now());
    let wia = device.fresh_wia(&house, &running, 1).await.unwrap()[0].clone();
    let life = wia.expires.duration_since(answer.checked_at);
    assert!(life < SignedDuration::from_hours(24), "{life}");
    assert!(life > SignedDuration::from_hours(21), "{life}");
}

#[tokio::test]
async fn a_check_is_answered_by_this_device_now_and_once() {
    let (house, bed) = (House::new(), android::Bed::new());
    let running = start(&house, &bed, &apple::Bed::new(), |_| {}).await;
    let device = android_unit(&house, &running, &bed, "mine").await;
    let other = android_unit(&house, &running, &bed, "other").await;
    let evidence = |challenge: &str, carried: &str| CheckEvidence::Android {
        challenge: challenge.into(),
        chain: chain(&bed, &TestKey::generate(Curve::P256), &made_with(carried)),
        play: None,
    };
    let (nonce, bound) = device.bound(&house, &running, NoncePurpose::Check).await;

    // Carries the nonce itself, another device's binding, or another purpose's.
    let theirs = bound_challenge(NoncePurpose::Check, &nonce, &public(&other.phone.sign));
    let keystore = bound_challenge(NoncePurpose::Keystore, &nonce, &public(&device.phone.sign));
    for carried in [&nonce, &theirs, &keystore] {
        let result = device
            .check(&house, &running, evidence(&nonce, carried))
            .await;
        refused(result, Problem::Evidence, "EVIDENCE-CHALLENGE");
    }
    // Another unit's nonce, and nobody's; a nonce that was given for something else.
    let (other_nonce, _) = other.bound(&house, &running, NoncePurpose::Check).await;
    let (statement, _) = device
        .bound(&house, &running, NoncePurpose::Statement)
        .await;
    for wrong in [other_nonce, "made up".into(), statement] {
        let bound = bound_challenge(NoncePurpose::Check, &wrong, &public(&device.phone.sign));
        let result = device
            .check(&house, &running, evidence(&wrong, &bound))
            .await;
        assert_eq!(problem(result), Problem::ChallengeUnknown);
    }
    // A fake leaf under an app's key, another maker's device, no chain, nothing.
    let fake = {
        let app_key = TestKey::generate(Curve::P256);
        let mut fake = chain(&bed, &app_key, &made_with(&bound));
        let real = bed.leaf_for(public(&app_key), vec![made_with(&bound).to_extension()]);
        fake.insert(1, b64::encode(real.der()));
        CheckEvidence::Android {
            challenge: nonce.clone(),
            chain: fake,
            play: None,
        }
    };
    assert_eq!(
        problem(device.check(&house, &running, fake).await),
        Problem::Evidence
    );
    let foreign = CheckEvidence::Android {
        challenge: nonce.clone(),
        chain: chain(
            &android::Bed::new(),
            &TestKey::generate(Curve::P256),
            &made_with(&bound),
        ),
        play: None,
    };
    refused(
        device.check(&house, &running, foreign).await,
        Problem::Evidence,
        "EVIDENCE-ANDROID-ROOT",
    );
    let bare = CheckEvidence::Android {
        challenge: nonce.clone(),
        chain: vec![],
        play: None,
    };
    for evidence in [bare, CheckEvidence::None {}] {
        let result = device.check(&house, &running, evidence).await;
        assert_eq!(problem(result), Problem::Evidence);
    }
    // None of that spent the nonce, nor says anything of the device. The next does.
    assert_eq!(running.provider.failed_checks(9).await.unwrap(), []);
    let sound = evidence(&nonce, &bound);
    device.check(&house, &running, sound.clone()).await.unwrap();
    let again = device.check(&house, &running, sound).await;
    assert_eq!(problem(again), Problem::ChallengeUnknown);

    let (nonce, bound) = device.bound(&house, &running, NoncePurpose::Check).await;
    house.pass(300);
    let late = device
        .check(&house, &running, evidence(&nonce, &bound))
        .await;
    assert_eq!(problem(late), Problem::ChallengeExpired);
}

#[tokio::test]
async fn a_device_that_got_worse_is_refused_and_remembered() {
    type Says = fn(android::Description) -> android::Description;
    let cases: [(&str, Says); 4] = [
        ("EVIDENCE-ANDROID-BOOT", |says| {
            says.with(704, android::boot(&[0; 32], false, 2))
        }),
        ("WP-DEVICE-WORSE: rootOfTrust", |says| {
            says.with(704, android::boot(&[8; 32], true, 0))
        }),
        ("WP-DEVICE-WORSE: osPatchLevel", |says| {
            says.with(706, der::integer(202_609))
        }),
        ("WP-DEVICE-WORSE: vendorPatchLevel", |says| {
            says.with(718, der::integer(20_261_004))
        }),
    ];
    let (house, bed) = (House::new(), android::Bed::new());
    let running = start(&house, &bed, &apple::Bed::new(), |_| {}).await;
    for (place, (rule, says)) in cases.into_iter().enumerate() {
        let device = android_unit(&house, &running, &bed, &format!("user {place}")).await;
        let result = device.check_android(&house, &running, &bed, says).await;
        refused(result, Problem::DeviceWorse, rule);
        let failed = running.provider.failed_checks(9).await.unwrap();
        assert_eq!((failed.len(), failed[0].unit), (1, device.unit));
        assert!(failed[0].why.contains(rule), "{}", failed[0].why);
        // Nothing is issued to it now, however late its last sound check was.
        let wia = device.fresh_wia(&house, &running, 1).await;
        assert_eq!(problem(wia), Problem::DeviceWorse);
        let ka = device.fresh_ka(&house, &running, 1, 1).await;
        assert_eq!(problem(ka), Problem::DeviceWorse);
        // Until it is sound again.
        let sound = device.check_android(&house, &running, &bed, |says| says);
        sound.await.unwrap();
        assert_eq!(running.provider.failed_checks(9).await.unwrap(), []);
        device.fresh_wia(&house, &running, 1).await.unwrap();
        device.fresh_ka(&house, &running, 1, 1).await.unwrap();
    }
}

#[tokio::test]
async fn a_unit_whose_device_got_worse_is_revoked_where_that_is_chosen() {
    for (on_worse, state) in [
        (OnWorse::Refuse, UnitState::Operational),
        (OnWorse::Revoke, UnitState::Revoked),
    ] {
        let (house, bed) = (House::new(), android::Bed::new());
        let chosen = |config: &mut Config| config.on_worse = on_worse;
        let running = start(&house, &bed, &apple::Bed::new(), chosen).await;
        let device = android_unit(&house, &running, &bed, "mine").await;
        let unlocked =
            |says: android::Description| says.with(704, android::boot(&[0; 32], false, 2));
        let result = device.check_android(&house, &running, &bed, unlocked).await;
        assert_eq!(problem(result), Problem::DeviceWorse);
        running.provider.recover().await.unwrap();
        assert_eq!(device.view(&house, &running).await.state, state);
        let left = running.provider.failed_checks(9).await.unwrap().len();
        assert_eq!(left, usize::from(on_worse == OnWorse::Refuse));
    }
}

#[tokio::test]
async fn a_device_whose_attesting_key_is_revoked_is_refused_and_remembered() {
    let (house, bed) = (House::new(), android::Bed::new());
    let running = start(&house, &bed, &apple::Bed::new(), |_| {}).await;
    let device = android_unit(&house, &running, &bed, "mine").await;
    fresh_list(&house, &running, r#"{"def01":{"status":"REVOKED"}}"#);
    let result = device
        .check_android(&house, &running, &bed, |says| says)
        .await;
    refused(result, Problem::DeviceWorse, "EVIDENCE-ANDROID-REVOKED");
    assert_eq!(running.provider.failed_checks(9).await.unwrap().len(), 1);
}

/// Refused as evidence under this rule, and nothing comes of it where every device that
/// got worse has its unit revoked.
async fn only_refused(
    house: &House,
    running: &Running,
    device: &Device,
    result: Result<CheckAnswer, Error>,
    rule: &str,
) {
    refused(result, Problem::Evidence, rule);
    assert_eq!(running.provider.failed_checks(9).await.unwrap(), []);
    running.provider.recover().await.unwrap();
    assert_eq!(
        device.view(house, running).await.state,
        UnitState::Operational
    );
}

#[tokio::test]
async fn a_suspension_refuses_and_revokes_nothing() {
    let (house, bed) = (House::new(), android::Bed::new());
    let chosen = |config: &mut Config| config.on_worse = OnWorse::Revoke;
    let running = start(&house, &bed, &apple::Bed::new(), chosen).await;
    let device = android_unit(&house, &running, &bed, "mine").await;
    fresh_list(&house, &running, r#"{"def01":{"status":"SUSPENDED"}}"#);
    let result = device
        .check_android(&house, &running, &bed, |says| says)
        .await;
    let rule = "EVIDENCE-ANDROID-SUSPENDED";
    only_refused(&house, &running, &device, result, rule).await;
    // It ends.
    fresh_list(&house, &running, "{}");
    let sound = device.check_android(&house, &running, &bed, |says| says);
    sound.await.unwrap();

    // Beside it, a device that was opened is one.
    fresh_list(&house, &running, r#"{"def01":{"status":"SUSPENDED"}}"#);
    let unlocked = |says: android::Description| says.with(704, android::boot(&[0; 32], false, 2));
    let result = device.check_android(&house, &running, &bed, unlocked).await;
    refused(result, Problem::DeviceWorse, "EVIDENCE-ANDROID-BOOT");
}

#[tokio::test]
async fn a_patch_that_grew_old_refuses_and_revokes_nothing() {
    let (house, bed) = (House::new(), android::Bed::new());
    let running = start(&house, &bed, &apple::Bed::new(), |config| {
        config.on_worse = OnWorse::Revoke;
        config.evidence.android.max_os_patch_age_months = Some(1);
    })
    .await;
    let device = android_unit(&house, &running, &bed, "mine").await;
    house.pass(30 * DAY);
    fresh_list(&house, &running, "{}");
    let result = device
        .check_android(&house, &running, &bed, |says| says)
        .await;
    let rule = "EVIDENCE-ANDROID-PATCH-AGE";
    only_refused(&house, &running, &device, result, rule).await;
    let patched = |says: android::Description| says.with(706, der::integer(202_612));
    device
        .check_android(&house, &running, &bed, patched)
        .await
        .unwrap();
}

#[tokio::test]
async fn what_google_did_not_look_at_refuses_and_revokes_nothing() {
    let (house, bed) = (House::new(), android::Bed::new());
    let google = devices::play::Bed::new();
    let play = google.policy();
    let running = start(&house, &bed, &apple::Bed::new(), |config| {
        config.on_worse = OnWorse::Revoke;
        config.evidence.play = Some(play);
    })
    .await;
    let device = android_unit(&house, &running, &bed, "mine").await;
    let unevaluated = serde_json::json!({"appRecognitionVerdict": "UNEVALUATED"});
    let silent = [
        ("appIntegrity", unevaluated),
        ("deviceIntegrity", serde_json::json!({})),
    ];
    for (member, says_nothing) in silent {
        for (boot, worse) in [
            (android::boot(&[7; 32], true, 0), false),
            (android::boot(&[0; 32], false, 2), true),
        ] {
            let (challenge, bound) = device.bound(&house, &running, NoncePurpose::Check).await;
            let mut payload = devices::play::Bed::sound();
            payload["requestDetails"]["nonce"] = b64::encode(&bound).into();
            payload["requestDetails"]["timestampMillis"] =
                house.clock.now().as_millisecond().into();
            payload[member] = says_nothing.clone();
            let fresh = TestKey::generate(Curve::P256);
            let evidence = CheckEvidence::Android {
                challenge,
                chain: chain(&bed, &fresh, &made_with(&bound).with(704, boot)),
                play: Some(google.token(&payload)),
            };
            let result = device.check(&house, &running, evidence).await;
            if worse {
                // What hardware says of it counts all the same.
                refused(result, Problem::DeviceWorse, "EVIDENCE-ANDROID-BOOT");
                let sound = device.check_android(&house, &running, &bed, |says| says);
                sound.await.unwrap();
            } else {
                let rule = "EVIDENCE-PLAY-UNEVALUATED";
                only_refused(&house, &running, &device, result, rule).await;
            }
        }
    }
}

#[tokio::test]
async fn what_a_check_rests_on_is_watched_as_the_activation_is() {
    for house in House::on_each() {
        let mut bed = android::Bed::new();
        let running = start(&house, &bed, &apple::Bed::new(), |_| {}).await;
        let device = android_unit(&house, &running, &bed, "mine").await;
        bed.change_batch(&[0x0d, 0xef, 0x02]);
        let sound = device.check_android(&house, &running, &bed, |says| says);
        sound.await.unwrap();
        for (named, revoked) in [("def03", 0), ("def02", 1)] {
            let entry = format!(r#"{{"{named}":{{"status":"REVOKED"}}}}"#);
            fresh_list(&house, &running, &entry);
            let found = running.provider.revoke_listed().await.unwrap();
            assert_eq!(found, revoked, "{named}");
        }
        let view = device.view(&house, &running).await;
        assert_eq!(view.state, UnitState::Revoked);
    }
}

#[tokio::test]
async fn what_was_learnt_of_a_device_is_held_against_it_later() {
    let (house, bed) = (House::new(), android::Bed::new());
    let running = start(&house, &bed, &apple::Bed::new(), |_| {}).await;
    let device = android_unit(&house, &running, &bed, "mine").await;
    let patched = |says: android::Description| says.with(706, der::integer(202_611));
    device
        .check_android(&house, &running, &bed, patched)
        .await
        .unwrap();
    // What was good at the activation is a step back now.
    let result = device
        .check_android(&house, &running, &bed, |says| says)
        .await;
    refused(result, Problem::DeviceWorse, "osPatchLevel");
}

#[tokio::test]
async fn an_assertion_counter_only_grows() {
    let (house, bed) = (House::new(), apple::Bed::new());
    let running = start(&house, &android::Bed::new(), &bed, |_| {}).await;
    let device = apple_unit(&house, &running, &bed, "mine").await;
    let stale = device.check_apple(&house, &running, &bed, 0).await;
    refused(stale, Problem::Evidence, "EVIDENCE-APPLE-COUNTER");
    device.check_apple(&house, &running, &bed, 5).await.unwrap();
    for counter in [5, 4, 1] {
        let back = device.check_apple(&house, &running, &bed, counter).await;
        refused(back, Problem::Evidence, "EVIDENCE-APPLE-COUNTER");
    }
    device.check_apple(&house, &running, &bed, 6).await.unwrap();

    // Of another key, of another unit's, and over another nonce.
    let other = apple::Bed::new();
    let forged = device.assertion(&house, &running, &other, 7).await;
    refused(
        device.check(&house, &running, forged).await,
        Problem::Evidence,
        "EVIDENCE-APPLE-SIGNATURE",
    );
    let CheckEvidence::Apple { assertion, .. } = device.assertion(&house, &running, &bed, 7).await
    else {
        panic!("it is Apple's")
    };
    let (challenge, _) = device.bound(&house, &running, NoncePurpose::Check).await;
    let moved = CheckEvidence::Apple {
        challenge,
        assertion,
    };
    refused(
        device.check(&house, &running, moved).await,
        Problem::Evidence,
        "EVIDENCE-APPLE-SIGNATURE",
    );
    // Other evidence than the unit was activated with.
    let android = android::Bed::new();
    let result = device
        .check_android(&house, &running, &android, |says| says)
        .await;
    assert_eq!(problem(result), Problem::Evidence);
}

#[tokio::test]
async fn a_unit_that_was_begun_twice_is_checked_by_its_last_app_attest_key() {
    let (house, mut bed) = (House::new(), apple::Bed::new());
    let running = start(&house, &android::Bed::new(), &bed, |_| {}).await;
    let phone = Phone::new();
    let mut claims = phone.claims(&house, &running, "mine").await;
    claims.evidence = app_attested(&bed, &phone, &claims.challenge);
    let lost = phone.begin(&house, &running, &claims).await.unwrap();
    // Apple attests a key once: the app makes another one.
    let first = std::mem::replace(&mut bed.key, TestKey::generate(Curve::P256));
    let mut claims = phone.claims(&house, &running, "mine").await;
    claims.evidence = app_attested(&bed, &phone, &claims.challenge);
    let device = operational(&house, &running, phone, &claims).await;
    assert_eq!(device.unit, lost.unit);
    device.check_apple(&house, &running, &bed, 1).await.unwrap();
    bed.key = first;
    let stale = device.check_apple(&house, &running, &bed, 2).await;
    refused(stale, Problem::Evidence, "EVIDENCE-APPLE-SIGNATURE");
}

#[tokio::test]
async fn of_many_assertions_at_once_the_counter_never_goes_back() {
    let (house, bed) = (House::new(), apple::Bed::new());
    let android = android::Bed::new();
    let nodes = [
        start(&house, &android, &bed, |_| {}).await,
        start(&house, &android, &bed, |_| {}).await,
    ];
    let device = apple_unit(&house, &nodes[0], &bed, "mine").await;
    // All are made before any is sent: each is fresh by the counter that is kept.
    let mut made = Vec::new();
    for counter in 1..=8 {
        made.push(device.assertion(&house, &nodes[0], &bed, counter).await);
    }
    made.reverse();
    let sent = made
        .into_iter()
        .enumerate()
        .map(|(place, evidence)| device.check(&house, &nodes[place % 2], evidence));
    let (mut accepted, mut tasks) = (0, Vec::from_iter(sent.map(Box::pin)));
    while !tasks.is_empty() {
        let batch: Vec<_> = tasks.drain(..tasks.len().min(2)).collect();
        let mut batch = batch.into_iter();
        let results = match (batch.next(), batch.next()) {
            (Some(one), Some(two)) => {
                let (one, two) = tokio::join!(one, two);
                vec![one, two]
            }
            (Some(one), None) => vec![one.await],
            _ => vec![],
        };
        for result in results {
            match result {
                Ok(_) => accepted += 1,
                Err(error) => assert_eq!(error.problem(), Some(Problem::Evidence), "{error}"),
            }
        }
    }
    // The highest was sent first: at most its neighbour slipped in before it.
    assert!((1..=2).contains(&accepted), "{accepted} of 8");
    let store = house.store(&nodes[0]);
    assert_eq!(store.assertion_counter(device.unit).await.unwrap(), Some(8));
}

#[tokio::test]
async fn a_play_token_is_a_check_where_that_is_chosen() {
    let (house, bed) = (House::new(), android::Bed::new());
    let google = devices::play::Bed::new();
    for (by, accepted) in [(CheckBy::KeyOrPlay, true), (CheckBy::Key, false)] {
        let play = google.policy();
        let running = start(&house, &bed, &apple::Bed::new(), |config| {
            config.check_by = by;
            config.evidence.play = Some(play);
        })
        .await;
        let device = android_unit(&house, &running, &bed, &format!("{by:?}")).await;
        let (challenge, bound) = device.bound(&house, &running, NoncePurpose::Check).await;
        let token = |nonce: &str, label: &str| {
            let mut payload = devices::play::Bed::sound();
            payload["requestDetails"]["nonce"] = b64::encode(nonce).into();
            payload["requestDetails"]["timestampMillis"] =
                house.clock.now().as_millisecond().into();
            payload["deviceIntegrity"]["deviceRecognitionVerdict"] = vec![label].into();
            google.token(&payload)
        };
        let evidence = |play: String| CheckEvidence::Android {
            challenge: challenge.clone(),
            chain: vec![],
            play: Some(play),
        };
        let stale = evidence(token(&challenge, "MEETS_DEVICE_INTEGRITY"));
        refused(
            device.check(&house, &running, stale).await,
            Problem::Evidence,
            "EVIDENCE-PLAY-NONCE",
        );
        let sound = evidence(token(&bound, "MEETS_DEVICE_INTEGRITY"));
        let result = device.check(&house, &running, sound).await;
        assert_eq!(result.is_ok(), accepted, "{result:?}");
        if accepted {
            let (challenge, bound) = device.bound(&house, &running, NoncePurpose::Check).await;
            let opened = CheckEvidence::Android {
                challenge,
                chain: vec![],
                play: Some(token(&bound, "MEETS_BASIC_INTEGRITY")),
            };
            refused(
                device.check(&house, &running, opened).await,
                Problem::DeviceWorse,
                "EVIDENCE-PLAY-DEVICE",
            );
        }
    }
}

#[tokio::test]
async fn in_development_the_signed_request_is_the_check() {
    let house = House::new();
    let running = house.start().await;
    let device = Device::operational(&house, &running, "mine").await;
    house.pass(3 * DAY);
    let wia = device.fresh_wia(&house, &running, 1).await.unwrap()[0].clone();
    assert!(wia.expires > house.clock.now());
    let answer = device.check(&house, &running, CheckEvidence::None {}).await;
    assert_eq!(answer.unwrap().checked_at, house.clock.now());

    // Once evidence is asked for, such a unit gets nothing more.
    drop(running);
    let running = start(&house, &android::Bed::new(), &apple::Bed::new(), |_| {}).await;
    house.pass(DAY);
    let late = device.fresh_wia(&house, &running, 1).await;
    assert_eq!(problem(late), Problem::CheckDue);
    let bare = device.check(&house, &running, CheckEvidence::None {}).await;
    assert_eq!(problem(bare), Problem::Evidence);
}

#[tokio::test]
async fn a_revoked_unit_is_not_checked() {
    let (house, bed) = (House::new(), android::Bed::new());
    let running = start(&house, &bed, &apple::Bed::new(), |_| {}).await;
    let device = android_unit(&house, &running, &bed, "mine").await;
    let (challenge, bound) = device.bound(&house, &running, NoncePurpose::Check).await;
    let view = running
        .provider
        .revoke_by_operator(device.unit, provider_api::RevocationReason::Security)
        .await
        .unwrap();
    assert_eq!(view.state, UnitState::Revoked);
    let evidence = CheckEvidence::Android {
        challenge,
        chain: chain(&bed, &TestKey::generate(Curve::P256), &made_with(&bound)),
        play: None,
    };
    let result = device.check(&house, &running, evidence).await;
    assert_eq!(problem(result), Problem::UnitRevoked);
}

#[tokio::test]
async fn a_short_life_is_never_longer_than_what_is_left_of_the_check() {
    let house = House::tuned(|config| {
        config.wia_lifetime = SignedDuration::from_hours(2);
        config.max_check_age = SignedDuration::from_mins(119);
    });
    let bed = android::Bed::new();
    let running = start(&house, &bed, &apple::Bed::new(), |_| {}).await;
    let device = android_unit(&house, &running, &bed, "mine").await;
    // Rounded down to the hour, nothing is left: no WIA leaves that ended already.
    house.pass(100 * 60);
    let late = device.fresh_wia(&house, &running, 1).await;
    refused(late, Problem::CheckDue, "would have ended");
}
