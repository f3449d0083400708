//! Activation with evidence: the device's keys are those that its hardware
//! attests, and what was found is kept with the unit.
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
use device_evidence::apple::{AppId, ApplePolicy};
use devices::android::{Bed, Description};
use devices::{der, public, signing_usage};
use house::{House, Phone, Running};
use jose::{Curve, b64};
use provider_api::{ActivationAnswer, Evidence, Problem};
use wallet_provider::{DeviceRecord, Error, ProviderStore};

async fn start(house: &House, policy: Policy, with_list: bool) -> Running {
    let running = house.start_configured(|config| {
        config.accept_no_evidence = false;
        config.evidence = policy;
    });
    let running = running.await;
    if with_list {
        let now = clock::Clock::now(house.clock.as_ref());
        running
            .provider
            .read_revocation_list(r#"{"entries":{}}"#, now);
    }
    running
}

fn android_policy(bed: &Bed) -> Policy {
    Policy {
        android: bed.policy(),
        ..Policy::default()
    }
}

/// The chain of one of the device's keys.
fn chain(bed: &Bed, key: &TestKey, description: &Description) -> Vec<String> {
    let extensions = vec![signing_usage(), description.to_extension()];
    let leaf = bed.leaf_for(public(key), extensions);
    bed.chain_of(&leaf).iter().map(b64::encode).collect()
}

fn signing(challenge: &str) -> Description {
    Description {
        challenge: challenge.as_bytes().to_vec(),
        ..Description::sound()
    }
}

fn agreeing(challenge: &str) -> Description {
    signing(challenge).with(1, der::set(&[der::integer(6)]))
}

async fn record(running: &Running, answer: &ActivationAnswer) -> DeviceRecord {
    let store = store::provider::SqlProviderStore::new(running.database.clone());
    let unit = store.unit(answer.unit).await.unwrap().unwrap();
    DeviceRecord::read(&unit.evidence, unit.created_at)
}

async fn begin(
    house: &House,
    running: &Running,
    phone: &Phone,
    evidence: impl FnOnce(&str) -> Evidence,
) -> Result<ActivationAnswer, Error> {
    let mut claims = phone.claims(house, running, "mine").await;
    claims.evidence = evidence(&claims.challenge);
    phone.begin(house, running, &claims).await
}

#[track_caller]
fn refused(result: Result<ActivationAnswer, Error>, rule: &str) {
    let error = result.unwrap_err();
    assert_eq!(error.problem(), Some(Problem::Evidence), "{error}");
    assert!(error.to_string().contains(rule), "{rule} in {error}");
}

#[tokio::test]
async fn a_unit_on_an_attested_android_device_keeps_what_was_found() {
    let (house, bed) = (House::new(), Bed::new());
    let running = start(&house, android_policy(&bed), true).await;
    let phone = Phone::new();
    let answer = begin(&house, &running, &phone, |challenge| Evidence::Android {
        signing: chain(&bed, &phone.sign, &signing(challenge)),
        agreement: chain(&bed, &phone.agree, &agreeing(challenge)),
        play: None,
    });
    let answer = answer.await.unwrap();
    let found = record(&running, &answer).await;
    assert_eq!(found.kind, "android");
    assert_eq!(
        found.key_storage.as_deref(),
        Some("iso_18045_enhanced-basic")
    );
    assert_eq!(found.at, clock::Clock::now(house.clock.as_ref()));
    assert!(found.findings.is_empty(), "{:?}", found.findings);
}

#[tokio::test]
async fn an_agreement_key_that_is_not_attested_is_told() {
    let (house, bed) = (House::new(), Bed::new());
    let running = start(&house, android_policy(&bed), true).await;
    let phone = Phone::new();
    let answer = begin(&house, &running, &phone, |challenge| Evidence::Android {
        signing: chain(&bed, &phone.sign, &signing(challenge)),
        agreement: vec![],
        play: None,
    });
    let found = record(&running, &answer.await.unwrap()).await;
    assert_eq!(found.findings, ["EVIDENCE-AGREEMENT-KEY"]);
}

#[tokio::test]
async fn what_is_not_this_devices_of_this_moment_is_refused() {
    let (house, bed) = (House::new(), Bed::new());
    let running = start(&house, android_policy(&bed), true).await;
    let (phone, other) = (Phone::new(), Phone::new());
    let android = |signing, agreement| Evidence::Android {
        signing,
        agreement,
        play: None,
    };
    // Another device's chain.
    refused(
        begin(&house, &running, &phone, |challenge| {
            android(chain(&bed, &other.sign, &signing(challenge)), vec![])
        })
        .await,
        "EVIDENCE-KEY",
    );
    // Another device's agreement key, and a signing key in its place.
    refused(
        begin(&house, &running, &phone, |challenge| {
            let own = chain(&bed, &phone.sign, &signing(challenge));
            android(own, chain(&bed, &other.agree, &agreeing(challenge)))
        })
        .await,
        "EVIDENCE-KEY",
    );
    refused(
        begin(&house, &running, &phone, |challenge| {
            let own = chain(&bed, &phone.sign, &signing(challenge));
            android(own, chain(&bed, &phone.agree, &signing(challenge)))
        })
        .await,
        "EVIDENCE-ANDROID-PURPOSE",
    );
    // Evidence that was made for an earlier challenge.
    let earlier = running.provider.challenge().await.unwrap().challenge;
    refused(
        begin(&house, &running, &phone, |_| {
            android(chain(&bed, &phone.sign, &signing(&earlier)), vec![])
        })
        .await,
        "EVIDENCE-CHALLENGE",
    );
    // An unlocked device, a device of nobody's, and none.
    refused(
        begin(&house, &running, &phone, |challenge| {
            let orange = devices::android::boot(&[0; 32], false, 2);
            android(
                chain(&bed, &phone.sign, &signing(challenge).with(704, orange)),
                vec![],
            )
        })
        .await,
        "EVIDENCE-ANDROID-BOOT",
    );
    refused(
        begin(&house, &running, &phone, |challenge| {
            android(chain(&Bed::new(), &phone.sign, &signing(challenge)), vec![])
        })
        .await,
        "EVIDENCE-ANDROID-ROOT",
    );
    refused(
        begin(&house, &running, &phone, |_| android(vec![], vec![])).await,
        "EVIDENCE-ANDROID-CHAIN",
    );
    // Nothing of all that left a unit: the same phone is activated now.
    begin(&house, &running, &phone, |challenge| {
        android(chain(&bed, &phone.sign, &signing(challenge)), vec![])
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn a_lost_answer_is_asked_for_again_with_the_chains_that_the_keys_have() {
    let (house, bed) = (House::new(), Bed::new());
    let running = start(&house, android_policy(&bed), true).await;
    let (phone, other) = (Phone::new(), Phone::new());
    let mut claims = phone.claims(&house, &running, "mine").await;
    let shown = Evidence::Android {
        signing: chain(&bed, &phone.sign, &signing(&claims.challenge)),
        agreement: chain(&bed, &phone.agree, &agreeing(&claims.challenge)),
        play: None,
    };
    claims.evidence = shown.clone();
    let first = phone.begin(&house, &running, &claims).await.unwrap();
    let found = record(&running, &first).await;

    house.pass(60);
    let again = begin(&house, &running, &phone, |_| shown.clone()).await;
    let again = again.unwrap();
    assert_eq!(again.unit, first.unit);
    assert_eq!(record(&running, &again).await, found);
    // It was looked at when it was fresh, and at no other time.
    let store = house.store(&running);
    let unit = store.unit(first.unit).await.unwrap().unwrap();
    assert_eq!(unit.checked_at, found.at);
    assert!(found.at < clock::Clock::now(house.clock.as_ref()));

    // Beside other keys, other chains, and another account it is of an earlier challenge.
    let rule = "EVIDENCE-CHALLENGE";
    refused(
        begin(&house, &running, &other, |_| shown.clone()).await,
        rule,
    );
    let Evidence::Android { signing, .. } = &shown else {
        panic!("it is Android's")
    };
    let alone = Evidence::Android {
        signing: signing.clone(),
        agreement: vec![],
        play: None,
    };
    refused(begin(&house, &running, &phone, |_| alone).await, rule);
    let mut elsewhere = phone.claims(&house, &running, "other").await;
    elsewhere.evidence = shown.clone();
    refused(phone.begin(&house, &running, &elsewhere).await, rule);

    // And so it is once the unit is operational.
    house.wsca.register(first.unit);
    let device = house::Device {
        phone,
        unit: first.unit,
        code: None,
    };
    let caller = device
        .call(
            &house,
            &running,
            "/unit/activation",
            &provider_api::Empty {},
        )
        .await
        .unwrap();
    running.provider.complete_activation(&caller).await.unwrap();
    refused(
        begin(&house, &running, &device.phone, |_| shown).await,
        rule,
    );
}

#[tokio::test]
async fn without_a_revocation_list_nobody_is_activated() {
    let (house, bed) = (House::new(), Bed::new());
    let running = start(&house, android_policy(&bed), false).await;
    let phone = Phone::new();
    let evidence = |challenge: &str| Evidence::Android {
        signing: chain(&bed, &phone.sign, &signing(challenge)),
        agreement: vec![],
        play: None,
    };
    let rule = "EVIDENCE-ANDROID-REVOCATION-UNKNOWN";
    refused(begin(&house, &running, &phone, evidence).await, rule);
    let now = clock::Clock::now(house.clock.as_ref());
    let revoked = r#"{"entries":{"def01":{"status":"REVOKED"}}}"#;
    running.provider.read_revocation_list(revoked, now);
    let rule = "EVIDENCE-ANDROID-REVOKED";
    refused(begin(&house, &running, &phone, evidence).await, rule);
}

#[tokio::test]
async fn a_play_token_is_asked_for_by_policy() {
    let (house, bed) = (House::new(), Bed::new());
    let google = devices::play::Bed::new();
    let policy = Policy {
        play: Some(device_evidence::play::PlayPolicy {
            required: true,
            ..google.policy()
        }),
        ..android_policy(&bed)
    };
    let running = start(&house, policy, true).await;
    let phone = Phone::new();
    let now = clock::Clock::now(house.clock.as_ref());
    let token = |nonce: &str| {
        let mut payload = devices::play::Bed::sound();
        payload["requestDetails"]["nonce"] = b64::encode(nonce).into();
        payload["requestDetails"]["timestampMillis"] = now.as_millisecond().into();
        google.token(&payload)
    };
    let android = |challenge: &str, play| Evidence::Android {
        signing: chain(&bed, &phone.sign, &signing(challenge)),
        agreement: vec![],
        play,
    };
    let without = begin(&house, &running, &phone, |challenge| {
        android(challenge, None)
    });
    refused(without.await, "Play Integrity token");
    let stale = begin(&house, &running, &phone, |challenge| {
        android(challenge, Some(token("another")))
    });
    refused(stale.await, "EVIDENCE-PLAY-NONCE");
    begin(&house, &running, &phone, |challenge| {
        android(challenge, Some(token(challenge)))
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn an_apple_device_binds_both_keys_through_its_attestation() {
    let (house, bed) = (House::new(), devices::apple::Bed::new());
    let policy = Policy {
        apple: bed.policy(),
        ..Policy::default()
    };
    let running = start(&house, policy, true).await;
    let phone = Phone::new();
    let keys = [public(&phone.sign), public(&phone.agree)];
    let attest = |challenge: &str, keys: &[jose::PublicKey]| {
        let data = device_evidence::apple::client_data(challenge.as_bytes(), keys);
        let made = devices::apple::Attestation::sound(jose::sha256(&data));
        Evidence::Apple {
            attestation: b64::encode(bed.attest(&made)),
            client_data: b64::encode(data),
        }
    };
    // Of another challenge, of other keys, of keys in another order; and client
    // data that is right beside an attestation that is not.
    let other = [public(&TestKey::generate(Curve::P256)), keys[1].clone()];
    let turned = [keys[1].clone(), keys[0].clone()];
    for keys in [other, turned] {
        let result = begin(&house, &running, &phone, |challenge| {
            attest(challenge, &keys)
        });
        refused(result.await, "client_data");
    }
    let result = begin(&house, &running, &phone, |_| attest("another", &keys));
    refused(result.await, "client_data");
    let result = begin(&house, &running, &phone, |challenge| {
        let data = device_evidence::apple::client_data(challenge.as_bytes(), &keys);
        match attest("another", &keys) {
            Evidence::Apple { attestation, .. } => Evidence::Apple {
                attestation,
                client_data: b64::encode(data),
            },
            other => other,
        }
    });
    refused(result.await, "EVIDENCE-APPLE-NONCE");

    let answer = begin(&house, &running, &phone, |challenge| {
        attest(challenge, &keys)
    });
    let found = record(&running, &answer.await.unwrap()).await;
    assert_eq!(found.kind, "apple");
    assert_eq!(
        found.key_storage.as_deref(),
        Some("iso_18045_enhanced-basic")
    );
    let kept = found.app_attest.unwrap();
    assert_eq!((kept.key, kept.counter), (public(&bed.key), 0));
    assert_eq!(b64::decode(kept.receipt).unwrap(), [0x30, 0x80]);
}

#[tokio::test]
async fn without_a_policy_of_its_own_a_provider_accepts_no_device() {
    let (house, bed) = (House::new(), Bed::new());
    let roots = Policy {
        android: device_evidence::android::AndroidPolicy {
            roots: bed.policy().roots,
            ..device_evidence::android::AndroidPolicy::default()
        },
        apple: ApplePolicy {
            apps: vec![AppId::try_from("TEAM999999.other".to_owned()).unwrap()],
            ..ApplePolicy::default()
        },
        play: None,
    };
    let running = start(&house, roots, true).await;
    let phone = Phone::new();
    let result = begin(&house, &running, &phone, |challenge| Evidence::Android {
        signing: chain(&bed, &phone.sign, &signing(challenge)),
        agreement: vec![],
        play: None,
    });
    refused(result.await, "EVIDENCE-ANDROID-APPLICATION-UNKNOWN");
}

#[test]
fn what_was_kept_before_there_were_records_reads_as_its_kind() {
    let at = jiff::Timestamp::UNIX_EPOCH;
    let found = DeviceRecord::read("none", at);
    assert_eq!((found.kind.as_str(), found.key_storage), ("none", None));
}
