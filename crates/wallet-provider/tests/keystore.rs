//! KAs over keys of devices' own keystores.
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
    android_unit, apple_unit, chain, fresh_list, made_with, over, problem, refused, start,
};
use claviger_fixtures::TestKey;
use clock::Clock;
use devices::android::Description;
use devices::{android, apple, der, public};
use house::{BASE, Device, House, Running, jti, read_ka};
use jose::{Curve, PublicKey, b64};
use provider_api::*;
use wallet_provider::{Error, IssuanceStore};

/// A request over keys that say this, each made with the bound challenge.
async fn chains(
    device: &Device,
    house: &House,
    running: &Running,
    bed: &android::Bed,
    keys: &[&TestKey],
    says: impl Fn(Description) -> Description,
) -> KeystoreKaRequest {
    let (challenge, bound) = device.bound(house, running, NoncePurpose::Keystore).await;
    let chains = keys
        .iter()
        .map(|key| chain(bed, key, &says(made_with(&bound))))
        .collect();
    over(KeystoreKeys::Android { challenge, chains })
}

fn keys(count: usize) -> Vec<TestKey> {
    (0..count).map(|_| TestKey::generate(Curve::P256)).collect()
}

fn each(keys: &[TestKey]) -> Vec<&TestKey> {
    keys.iter().collect()
}

fn levels(levels: &[wua::Level]) -> Vec<&str> {
    levels.iter().map(wua::Level::as_str).collect()
}

#[tokio::test]
async fn a_ka_over_android_keys_says_what_their_evidence_earns() {
    let (house, bed) = (House::new(), android::Bed::new());
    let running = start(&house, &bed, &apple::Bed::new(), |_| {}).await;
    let device = android_unit(&house, &running, &bed, "mine").await;
    let made = keys(4);
    let mut request = chains(&device, &house, &running, &bed, &each(&made), |says| says).await;
    request.count = Some(2);
    let answer = device
        .keystore_ka(&house, &running, &request)
        .await
        .unwrap();
    let kas: Vec<_> = answer
        .attestations
        .iter()
        .map(|ka| read_ka(&house, ka, None))
        .collect();
    let dealt: Vec<Vec<PublicKey>> = kas.iter().map(|ka| ka.keys.clone()).collect();
    let expected: Vec<PublicKey> = made.iter().map(public).collect();
    assert_eq!(dealt.concat(), expected);
    assert_ne!(kas[0].status.reference, kas[1].status.reference);
    for ka in &kas {
        assert_eq!(levels(&ka.key_storage), ["iso_18045_enhanced-basic"]);
        assert_eq!(ka.user_authentication, [], "anybody may use the key");
        assert_eq!(ka.certification, format!("{BASE}/certification/keystore"));
        let left = ka.status.maintained_until.duration_since(ka.expires);
        assert!(left >= wua::MIN_MAINTENANCE);
        assert!(!house.revoked(&ka.status.reference));
    }
    let store = house.store(&running);
    let storages = store.storages(device.unit).await.unwrap();
    assert_eq!(storages.len(), 1);
    assert_eq!(storages[0].storage.kind, Storage::Keystore);
    assert_eq!(
        storages[0].storage.type_name,
        "android trusted environment, examplebrand Example One"
    );
}

#[tokio::test]
async fn the_users_authentication_and_a_certification_count_where_hardware_and_policy_say_so() {
    let (house, bed) = (House::new(), android::Bed::new());
    let certificate = "https://certification.example/tee/7";
    let running = start(&house, &bed, &apple::Bed::new(), |config| {
        let certified = serde_json::json!({
            "model": "Example One",
            "security_level": "trusted_environment",
            "level": "iso_18045_moderate",
            "certificate": certificate,
        });
        let certified = serde_json::from_value(certified).unwrap();
        config.evidence.android.certified = vec![certified];
    })
    .await;
    let device = android_unit(&house, &running, &bed, "mine").await;
    let made = keys(2);
    let asks = |says: Description| says.without(503).with(504, der::integer(3));
    let request = chains(&device, &house, &running, &bed, &each(&made[..1]), asks).await;
    let answer = device
        .keystore_ka(&house, &running, &request)
        .await
        .unwrap();
    let ka = read_ka(&house, &answer.attestations[0], None);
    assert_eq!(levels(&ka.key_storage), ["iso_18045_moderate"]);
    assert_eq!(levels(&ka.user_authentication), ["iso_18045_basic"]);
    assert_eq!(ka.certification, certificate);
}

#[tokio::test]
async fn the_lowest_key_speaks_for_its_ka() {
    let (house, bed) = (House::new(), android::Bed::new());
    let running = start(&house, &bed, &apple::Bed::new(), |_| {}).await;
    let device = android_unit(&house, &running, &bed, "mine").await;
    let (challenge, bound) = device.bound(&house, &running, NoncePurpose::Keystore).await;
    let made = keys(2);
    let asks = made_with(&bound).without(503).with(504, der::integer(3));
    let chains = vec![
        chain(&bed, &made[0], &asks),
        chain(&bed, &made[1], &made_with(&bound)),
    ];
    let request = over(KeystoreKeys::Android { challenge, chains });
    let answer = device
        .keystore_ka(&house, &running, &request)
        .await
        .unwrap();
    let ka = read_ka(&house, &answer.attestations[0], None);
    assert_eq!(ka.user_authentication, []);
}

#[tokio::test]
async fn keys_that_are_not_this_devices_now_are_refused() {
    let (house, bed) = (House::new(), android::Bed::new());
    let running = start(&house, &bed, &apple::Bed::new(), |_| {}).await;
    let device = android_unit(&house, &running, &bed, "mine").await;
    let other = android_unit(&house, &running, &bed, "other").await;
    let made = keys(3);
    let send = async |challenge: &str, chains: Vec<Vec<String>>| {
        let challenge = challenge.to_owned();
        let request = over(KeystoreKeys::Android { challenge, chains });
        device.keystore_ka(&house, &running, &request).await
    };
    let (nonce, bound) = device.bound(&house, &running, NoncePurpose::Keystore).await;
    let one = |key: &TestKey, carried: &str| chain(&bed, key, &made_with(carried));

    // Made for another device, another use, or the bare nonce; one of two is enough.
    let theirs = bound_challenge(NoncePurpose::Keystore, &nonce, &public(&other.phone.sign));
    let check = bound_challenge(NoncePurpose::Check, &nonce, &public(&device.phone.sign));
    for carried in [&theirs, &check, &nonce] {
        let chains = vec![one(&made[0], &bound), one(&made[1], carried)];
        refused(
            send(&nonce, chains).await,
            Problem::Evidence,
            "EVIDENCE-CHALLENGE",
        );
    }
    // One key twice, the device's own key, none, and more than are looked at.
    let twice = vec![one(&made[0], &bound), one(&made[0], &bound)];
    refused(send(&nonce, twice).await, Problem::Evidence, "stands twice");
    let own = vec![one(&device.phone.sign, &bound)];
    refused(
        send(&nonce, own).await,
        Problem::Evidence,
        "the device's own",
    );
    let many = vec![vec![]; MAX_PROOFS + 1];
    for chains in [vec![], many] {
        assert_eq!(problem(send(&nonce, chains).await), Problem::Batch);
    }
    // A key that agrees, one that was imported, one in software.
    type Says = fn(Description) -> Description;
    let cases: [(&str, Says); 3] = [
        ("EVIDENCE-ANDROID-PURPOSE", |says| {
            says.with(1, der::set(&[der::integer(6)]))
        }),
        ("EVIDENCE-ANDROID-ORIGIN", |says| {
            says.with(702, der::integer(2))
        }),
        ("EVIDENCE-ANDROID-SECURITY-LEVEL", |says| Description {
            attestation_level: 0,
            keymint_level: 0,
            ..says
        }),
    ];
    for (rule, says) in cases {
        let chains = vec![chain(&bed, &made[0], &says(made_with(&bound)))];
        refused(send(&nonce, chains).await, Problem::Evidence, rule);
    }
    // Keys that nothing vouches for, and Apple's, from an Android device.
    let bare = over(KeystoreKeys::None { proofs: vec![] });
    let apples = over(KeystoreKeys::Apple {
        challenge: nonce.clone(),
        keys: vec![public(&made[0])],
        assertion: String::new(),
    });
    for request in [bare, apples] {
        let result = device.keystore_ka(&house, &running, &request).await;
        assert_eq!(problem(result), Problem::Evidence);
    }
    // Nothing of all that took the keys or the nonce.
    let chains = vec![one(&made[0], &bound)];
    send(&nonce, chains.clone()).await.unwrap();
    let again = send(&nonce, chains).await;
    assert!(
        matches!(
            problem(again),
            Problem::ChallengeUnknown | Problem::KeyAttested
        ),
        "the nonce is spent"
    );
}

#[tokio::test]
async fn a_device_that_got_worse_earns_no_ka_and_is_remembered() {
    let (house, bed) = (House::new(), android::Bed::new());
    let running = start(&house, &bed, &apple::Bed::new(), |_| {}).await;
    let device = android_unit(&house, &running, &bed, "mine").await;
    let made = keys(1);
    let unlocked = |says: Description| says.with(704, android::boot(&[0; 32], false, 2));
    let request = chains(&device, &house, &running, &bed, &each(&made), unlocked).await;
    let result = device.keystore_ka(&house, &running, &request).await;
    refused(result, Problem::DeviceWorse, "EVIDENCE-ANDROID-BOOT");
    assert_eq!(running.provider.failed_checks(9).await.unwrap().len(), 1);
}

#[tokio::test]
async fn keys_of_several_keystores_share_no_ka_and_a_unit_has_one_keystore() {
    let house = House::new();
    let (bed, strong) = (android::Bed::new(), android::Bed::strong_box());
    let policy = strong.policy().roots;
    let running = start(&house, &bed, &apple::Bed::new(), |config| {
        config.evidence.android.roots.extend(policy);
    })
    .await;
    let device = android_unit(&house, &running, &bed, "mine").await;
    let made = keys(3);
    let strongly = |says: Description| Description {
        attestation_level: 2,
        keymint_level: 2,
        ..says
    };
    let (challenge, bound) = device.bound(&house, &running, NoncePurpose::Keystore).await;
    let mixed = over(KeystoreKeys::Android {
        challenge,
        chains: vec![
            chain(&bed, &made[0], &made_with(&bound)),
            chain(&strong, &made[1], &strongly(made_with(&bound))),
        ],
    });
    let result = device.keystore_ka(&house, &running, &mixed).await;
    refused(result, Problem::Evidence, "several keystores");
    let request = chains(
        &device,
        &house,
        &running,
        &strong,
        &each(&made[1..2]),
        strongly,
    )
    .await;
    let answer = device
        .keystore_ka(&house, &running, &request)
        .await
        .unwrap();
    let ka = read_ka(&house, &answer.attestations[0], None);
    assert_eq!(levels(&ka.key_storage), ["iso_18045_moderate"]);
    let request = chains(&device, &house, &running, &bed, &each(&made[2..]), |says| {
        says
    })
    .await;
    let result = device.keystore_ka(&house, &running, &request).await;
    refused(result, Problem::Evidence, "another type");
}

async fn bound_by_apple(
    device: &Device,
    house: &House,
    running: &Running,
    bed: &apple::Bed,
    named: &[PublicKey],
    asserted: &[PublicKey],
    counter: u32,
) -> Result<Attestations, Error> {
    let (challenge, bound) = device.bound(house, running, NoncePurpose::Keystore).await;
    let hash = device_evidence::apple::client_data_hash(bound.as_bytes(), asserted);
    let request = over(KeystoreKeys::Apple {
        challenge,
        keys: named.to_vec(),
        assertion: b64::encode(bed.assert(&hash, apple::APP, counter)),
    });
    device.keystore_ka(house, running, &request).await
}

#[tokio::test]
async fn an_apple_app_binds_its_keys_by_an_assertion() {
    let (house, bed) = (House::new(), apple::Bed::new());
    let running = start(&house, &android::Bed::new(), &bed, |_| {}).await;
    let device = apple_unit(&house, &running, &bed, "mine").await;
    let named: Vec<PublicKey> = keys(3).iter().map(public).collect();
    let (two, turned) = (&named[..2], [named[1].clone(), named[0].clone()]);
    for asserted in [&named[..1], &named[1..], &turned[..], &[][..]] {
        let wrong = bound_by_apple(&device, &house, &running, &bed, two, asserted, 1).await;
        refused(wrong, Problem::Evidence, "EVIDENCE-APPLE-SIGNATURE");
    }
    let answer = bound_by_apple(&device, &house, &running, &bed, two, two, 3)
        .await
        .unwrap();
    let ka = read_ka(&house, &answer.attestations[0], None);
    assert_eq!(ka.keys, two);
    assert_eq!(levels(&ka.key_storage), ["iso_18045_enhanced-basic"]);
    assert_eq!(ka.user_authentication, []);
    // The counter is one, whatever the assertion was for.
    let third = &named[2..];
    let back = bound_by_apple(&device, &house, &running, &bed, third, third, 3).await;
    refused(back, Problem::Evidence, "EVIDENCE-APPLE-COUNTER");
    let back = device.check_apple(&house, &running, &bed, 2).await;
    refused(back, Problem::Evidence, "EVIDENCE-APPLE-COUNTER");
    bound_by_apple(&device, &house, &running, &bed, third, third, 4)
        .await
        .unwrap();
}

#[tokio::test]
async fn what_keystore_keys_rest_on_is_watched_as_the_activation_is() {
    for house in House::on_each() {
        let mut bed = android::Bed::new();
        let running = start(&house, &bed, &apple::Bed::new(), |_| {}).await;
        let device = android_unit(&house, &running, &bed, "mine").await;
        bed.change_batch(&[0x0d, 0xef, 0x02]);
        let made = keys(1);
        let request = chains(&device, &house, &running, &bed, &each(&made), |says| says).await;
        device
            .keystore_ka(&house, &running, &request)
            .await
            .unwrap();
        fresh_list(&house, &running, r#"{"def02":{"status":"REVOKED"}}"#);
        assert_eq!(running.provider.revoke_listed().await.unwrap(), 1);
        let view = device.view(&house, &running).await;
        assert_eq!(view.state, UnitState::Revoked);
    }
}

#[tokio::test]
async fn a_key_enters_one_ka_over_both_kinds_of_storage() {
    let (house, bed) = (House::new(), android::Bed::new());
    let running = start(&house, &bed, &apple::Bed::new(), |_| {}).await;
    let device = android_unit(&house, &running, &bed, "mine").await;
    let made = keys(2);
    let statement = async |key: &TestKey| {
        let nonce = device.nonce(&house, &running).await.unwrap();
        let statement = device.statement(&house, &nonce, &[public(key)]).await;
        let request = KaRequest {
            statement,
            ..KaRequest::default()
        };
        device.ka(&house, &running, &request).await
    };
    // First in the WSCA, then in the keystore.
    statement(&made[0]).await.unwrap();
    let request = chains(&device, &house, &running, &bed, &each(&made[..1]), |says| {
        says
    })
    .await;
    let result = device.keystore_ka(&house, &running, &request).await;
    assert_eq!(problem(result), Problem::KeyAttested);
    // And the other way round.
    let request = chains(&device, &house, &running, &bed, &each(&made[1..]), |says| {
        says
    })
    .await;
    device
        .keystore_ka(&house, &running, &request)
        .await
        .unwrap();
    assert_eq!(problem(statement(&made[1]).await), Problem::KeyAttested);
}

#[tokio::test]
async fn in_development_keys_prove_themselves_and_earn_nothing() {
    let house = House::new();
    let running = house.start().await;
    let device = Device::operational(&house, &running, "mine").await;
    let key = TestKey::generate(Curve::P256);
    let jti = jti();
    let proof = KeyProof {
        iss: device.unit,
        aud: BASE.into(),
        request: jti.clone(),
        iat: house.clock.now_seconds(),
    };
    let proofs = vec![proof.sign(&key).await.unwrap()];
    let request = over(KeystoreKeys::None { proofs });
    let answer = device
        .keystore_ka_as(&house, &running, &request, &jti)
        .await
        .unwrap();
    let ka = read_ka(&house, &answer.attestations[0], None);
    assert_eq!((ka.key_storage.len(), ka.user_authentication.len()), (0, 0));
    // The proof is for the one request it stands in.
    let result = device.keystore_ka(&house, &running, &request).await;
    assert_eq!(problem(result), Problem::KeyProof);
}

#[tokio::test]
async fn a_c_nonce_is_asked_for_as_its_proof_and_profile_have_it() {
    use wua::KeyProofProfile::{OpenId4VciFinal, Ts3};
    let jwt = Some(ProofType::Jwt);
    let attestation = Some(ProofType::Attestation);
    let cases = [
        (Ts3, None, None, Ok(())),
        (Ts3, None, Some("n"), Ok(())),
        (Ts3, attestation, Some("n"), Ok(())),
        (Ts3, attestation, None, Err(Problem::Malformed)),
        (Ts3, jwt, None, Ok(())),
        (Ts3, jwt, Some("n"), Err(Problem::NotOffered)),
        (OpenId4VciFinal, jwt, Some("n"), Ok(())),
        (OpenId4VciFinal, attestation, None, Err(Problem::Malformed)),
        (OpenId4VciFinal, None, Some(""), Err(Problem::Malformed)),
    ];
    for (profile, proof_type, c_nonce, expected) in cases {
        let (house, bed) = (House::new(), android::Bed::new());
        let running = start(&house, &bed, &apple::Bed::new(), |config| {
            config.ka_profile = profile;
        })
        .await;
        let device = android_unit(&house, &running, &bed, "mine").await;
        let made = keys(1);
        let mut request = chains(&device, &house, &running, &bed, &each(&made), |says| says).await;
        request.proof_type = proof_type;
        request.c_nonce = c_nonce.map(str::to_owned);
        let result = device.keystore_ka(&house, &running, &request).await;
        let told = result
            .as_ref()
            .map(|_| ())
            .map_err(|e| e.problem().unwrap());
        assert_eq!(told, expected, "{profile:?} {proof_type:?} {c_nonce:?}");
        if let Ok(answer) = result {
            let ka = read_ka(&house, &answer.attestations[0], c_nonce);
            assert_eq!(ka.nonce.as_deref(), c_nonce);
        }
    }
}
