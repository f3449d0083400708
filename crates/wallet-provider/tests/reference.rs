//! The interface of the EU reference wallet provider.
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

use attested::{DAY, chain, start};
use claviger_fixtures::TestKey;
use clock::Clock;
use devices::android::{self, Description};
use devices::{apple, der, public};
use house::{BASE, House, Running, read_ka, read_wia};
use jose::{Curve, b64};
use provider_api::reference::*;
use provider_api::{BulkRevocation, Extent, RevocationReason, Selector};
use serde_json::json;
use wallet_provider::reference::{ReferenceProfile, Refused, Vouched};
use wallet_provider::{Config, LooseSelection};

const PURPOSE: &str = "ios app-attest: secure enclave protected key";

fn on(config: &mut Config) {
    config.reference = Some(ReferenceProfile {
        wallet_version: "9.9".into(),
    });
}

async fn challenge(running: &Running) -> (String, Vec<u8>) {
    let challenge = running
        .provider
        .reference_challenge()
        .await
        .unwrap()
        .challenge;
    let bytes = b64::decode(&challenge).unwrap();
    assert_eq!(bytes.len(), 32);
    (challenge, bytes)
}

fn android_key(
    bed: &android::Bed,
    key: &TestKey,
    challenge: &[u8],
    says: impl FnOnce(Description) -> Description,
) -> AndroidKeyAttestation {
    let made = Description {
        challenge: challenge.to_vec(),
        ..Description::sound()
    };
    AndroidKeyAttestation {
        x5c: chain(bed, key, &says(made)),
    }
}

fn ios_key(bed: &apple::Bed, key: &TestKey, challenge: &[u8], purpose: &str) -> IosKeyAttestation {
    let client_data = json!({
        "purpose": purpose,
        "publicKey": b64::encode(public(key).point()),
        "challenge": b64::encode(challenge),
    });
    let client_data = client_data.to_string();
    let made = apple::Attestation::sound(jose::sha256(client_data.as_bytes()));
    IosKeyAttestation {
        attestation: b64::encode(bed.attest(&made)),
        client_data_json: b64::encode(client_data),
    }
}

#[track_caller]
fn codes<T: std::fmt::Debug>(result: Result<T, Refused>) -> Vec<ReferenceError> {
    match result.unwrap_err() {
        Refused::ByCode { errors, .. } => errors,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn it_is_off_unless_it_is_switched_on() {
    let house = House::new();
    let running = house.start().await;
    let keys = JwkSet { keys: vec![] };
    let challenge = running.provider.reference_challenge().await;
    assert!(matches!(challenge, Err(Refused::Off)));
    let wia = running
        .provider
        .reference_wia(Vouched::Nothing(&keys), &<_>::default())
        .await;
    assert!(matches!(wia, Err(Refused::Off)));
    assert!(matches!(
        running.provider.reference_jwks(),
        Err(Refused::Off)
    ));
    let refused = house.try_start_configured_with(|config| {
        config.reference = Some(ReferenceProfile {
            wallet_version: String::new(),
        });
    });
    assert_eq!(refused.await.unwrap_err().key, "reference");
}

#[tokio::test]
async fn android_keys_earn_what_their_evidence_says() {
    let (house, bed) = (House::new(), android::Bed::new());
    let running = start(&house, &bed, &apple::Bed::new(), on).await;
    let keys: Vec<_> = (0..3).map(|_| TestKey::generate(Curve::P256)).collect();
    let (text, bytes) = challenge(&running).await;
    let one = [android_key(&bed, &keys[0], &bytes, |says| says)];
    let wia = running
        .provider
        .reference_wia(Vouched::Android(&one, &text), &<_>::default())
        .await
        .unwrap();
    let wia = read_wia(&house, &wia);
    assert_eq!(
        (wia.key, wia.wallet_version),
        (public(&keys[0]), "9.9".into())
    );

    let (text, bytes) = challenge(&running).await;
    let two = [1, 2].map(|n| android_key(&bed, &keys[n], &bytes, |says| says));
    let options = ReferenceKaOptions {
        nonce: Some("issuer's".into()),
        supported_signing_algorithms: Some(vec!["RS256".into(), "ES256".into()]),
        preferred_key_storage_status_period: Some(100 * DAY as u64),
    };
    let ka = running
        .provider
        .reference_ka(Vouched::Android(&two, &text), &options)
        .await
        .unwrap();
    let ka = read_ka(&house, &ka, Some("issuer's"));
    assert_eq!(ka.keys, [public(&keys[1]), public(&keys[2])]);
    // Not `iso_18045_high` for everybody.
    assert_eq!(
        ka.key_storage,
        [wua::Level::from("iso_18045_enhanced-basic")]
    );
    assert_eq!(ka.user_authentication, []);
    assert_eq!(ka.certification, format!("{BASE}/certification/keystore"));
    let left = ka.status.maintained_until.duration_since(house.clock.now());
    assert!(left >= jiff::SignedDuration::from_hours(24 * 100));
}

#[tokio::test]
async fn a_challenge_is_answered_once_by_evidence_of_now() {
    use ReferenceError::*;
    let (house, bed) = (House::new(), android::Bed::new());
    let running = start(&house, &bed, &apple::Bed::new(), on).await;
    let key = || TestKey::generate(Curve::P256);
    let (text, bytes) = challenge(&running).await;
    let (other, other_bytes) = challenge(&running).await;
    let ka = async |keys: &[AndroidKeyAttestation], challenge: &str| {
        let vouched = Vouched::Android(keys, challenge);
        running
            .provider
            .reference_ka(vouched, &<_>::default())
            .await
    };
    // Evidence for another challenge, an unlocked device, a fake chain; each code once.
    let stale = android_key(&bed, &key(), &other_bytes, |says| says);
    let unlocked = android_key(&bed, &key(), &bytes, |says| {
        says.with(704, android::boot(&[0; 32], false, 2))
    });
    let foreign = android_key(&android::Bed::new(), &key(), &bytes, |says| says);
    let bad = [stale, unlocked, foreign];
    assert_eq!(
        codes(ka(&bad, &text).await),
        [InvalidPlatformKeyAttestation]
    );
    assert_eq!(codes(ka(&[], &text).await), [InvalidPlatformKeyAttestation]);
    // A challenge of nobody's, of the other interface, of another length, no base64url.
    let theirs = running.provider.challenge().await.unwrap().challenge;
    for made_up in [b64::encode([7; 32]), theirs] {
        let bytes = b64::decode(&made_up).unwrap();
        let one = [android_key(&bed, &key(), &bytes, |says| says)];
        assert_eq!(codes(ka(&one, &made_up).await), [InvalidChallenge]);
    }
    for malformed in ["", "!", "AAAA"] {
        let one = [android_key(&bed, &key(), &bytes, |says| says)];
        assert_eq!(codes(ka(&one, malformed).await), [InvalidChallenge]);
    }
    // One key twice; and once more for good.
    let twice = {
        let one = android_key(&bed, &key(), &bytes, |says| says);
        [one.clone(), one]
    };
    assert_eq!(
        codes(ka(&twice, &text).await),
        [NonUniquePlatformAttestedKeys]
    );
    let attested = key();
    let one = [android_key(&bed, &attested, &bytes, |says| says)];
    ka(&one, &text).await.unwrap();
    assert_eq!(codes(ka(&one, &text).await), [InvalidChallenge]);
    let again = [android_key(&bed, &attested, &other_bytes, |says| says)];
    assert_eq!(
        codes(ka(&again, &other).await),
        [NonUniquePlatformAttestedKeys]
    );
    // Late.
    let (text, bytes) = challenge(&running).await;
    house.pass(300);
    let late = [android_key(&bed, &key(), &bytes, |says| says)];
    assert_eq!(codes(ka(&late, &text).await), [InvalidChallenge]);
}

#[tokio::test]
async fn an_ios_key_is_bound_by_the_client_data() {
    use ReferenceError::*;
    let (house, bed) = (House::new(), apple::Bed::new());
    let running = start(&house, &android::Bed::new(), &bed, on).await;
    let key = TestKey::generate(Curve::P256);
    let (text, bytes) = challenge(&running).await;
    let wia = async |one: IosKeyAttestation, challenge: &str| {
        let one = [one];
        let vouched = Vouched::Ios(&one, challenge);
        running
            .provider
            .reference_wia(vouched, &<_>::default())
            .await
    };
    let wrong_purpose = ios_key(&bed, &key, &bytes, "something else");
    let wrong_challenge = ios_key(&bed, &key, &[1; 32], PURPOSE);
    let foreign = ios_key(&apple::Bed::new(), &key, &bytes, PURPOSE);
    // The attestation is over other client data: the key was put in another's place.
    let swapped = IosKeyAttestation {
        client_data_json: ios_key(&bed, &TestKey::generate(Curve::P256), &bytes, PURPOSE)
            .client_data_json,
        ..ios_key(&bed, &key, &bytes, PURPOSE)
    };
    for bad in [wrong_purpose, wrong_challenge, foreign, swapped] {
        assert_eq!(
            codes(wia(bad, &text).await),
            [InvalidPlatformKeyAttestation]
        );
    }
    let sound = ios_key(&bed, &key, &bytes, PURPOSE);
    let issued = wia(sound, &text).await.unwrap();
    assert_eq!(read_wia(&house, &issued).key, public(&key));

    let (text, bytes) = challenge(&running).await;
    let one = [ios_key(
        &bed,
        &TestKey::generate(Curve::P384),
        &bytes,
        PURPOSE,
    )];
    let ka = running
        .provider
        .reference_ka(Vouched::Ios(&one, &text), &<_>::default())
        .await
        .unwrap();
    let ka = read_ka(&house, &ka, None);
    assert_eq!(
        ka.key_storage,
        [wua::Level::from("iso_18045_enhanced-basic")]
    );
}

#[tokio::test]
async fn keys_without_evidence_are_for_development_and_earn_nothing() {
    use ReferenceError::*;
    let house = House::tuned(on);
    let running = house.start().await;
    let jwk = |curve| public(&TestKey::generate(curve)).to_jwk();
    let ka = async |keys: Vec<serde_json::Value>| {
        let keys = JwkSet { keys };
        let vouched = Vouched::Nothing(&keys);
        running
            .provider
            .reference_ka(vouched, &<_>::default())
            .await
    };
    let issued = ka(vec![jwk(Curve::P256), jwk(Curve::P521)]).await.unwrap();
    let issued = read_ka(&house, &issued, None);
    assert_eq!((issued.keys.len(), issued.key_storage.len()), (2, 0));
    let one = jwk(Curve::P256);
    let koblitz = json!({"kty": "EC", "crv": "secp256k1", "x": "AA", "y": "AA"});
    let rsa = json!({"kty": "RSA", "n": "AA", "e": "AQAB"});
    for (keys, code) in [
        (vec![koblitz], UnsupportedPlatformAttestedKeyCurve),
        (vec![rsa], UnsupportedPlatformAttestedKey),
        (vec![json!(7)], UnsupportedPlatformAttestedKey),
        (vec![one.clone(), one], NonUniquePlatformAttestedKeys),
        (vec![], InvalidPlatformKeyAttestation),
    ] {
        assert_eq!(codes(ka(keys).await), [code]);
    }
    let options = ReferenceWiaOptions {
        supported_signing_algorithms: Some(vec!["ES384".into()]),
        ..<_>::default()
    };
    let keys = JwkSet {
        keys: vec![jwk(Curve::P256)],
    };
    let wia = running
        .provider
        .reference_wia(Vouched::Nothing(&keys), &options);
    assert_eq!(codes(wia.await), [UnsupportedSigningAlgorithms]);
    // An app in development comes again with the key it has.
    for _ in 0..2 {
        let options = <_>::default();
        let wia = running
            .provider
            .reference_wia(Vouched::Nothing(&keys), &options);
        wia.await.unwrap();
    }

    let evidence = start(&house, &android::Bed::new(), &apple::Bed::new(), |_| {}).await;
    let refused = evidence
        .provider
        .reference_wia(Vouched::Nothing(&keys), &<_>::default())
        .await;
    assert!(matches!(refused, Err(Refused::Off)), "{refused:?}");
}

#[tokio::test]
async fn what_belongs_to_no_unit_can_be_revoked_all_the_same() {
    let (house, bed) = (House::new(), android::Bed::new());
    let running = start(&house, &bed, &apple::Bed::new(), on).await;
    let mut issued = Vec::new();
    for patch in [202_610, 202_611, 202_611, 202_611, 202_612] {
        let (text, bytes) = challenge(&running).await;
        let key = TestKey::generate(Curve::P256);
        let one = [android_key(&bed, &key, &bytes, |says| {
            says.with(706, der::integer(patch))
        })];
        let vouched = Vouched::Android(&one, &text);
        let options = <_>::default();
        let wia = running.provider.reference_wia(vouched, &options);
        issued.push(read_wia(&house, &wia.await.unwrap()).status.reference);
    }
    let state = || {
        issued
            .iter()
            .map(|place| house.revoked(place))
            .collect::<Vec<_>>()
    };
    let revoke = async |selection| running.provider.revoke_loose(selection).await.unwrap();
    assert_eq!(state(), [false; 5]);
    assert_eq!(revoke(LooseSelection::PatchedBefore(202_611)).await, 1);
    assert_eq!(state(), [true, false, false, false, false]);
    let place = LooseSelection::Entry {
        uri: issued[1].uri.clone(),
        index: issued[1].idx,
    };
    assert_eq!(revoke(place.clone()).await, 1);
    assert_eq!(revoke(place).await, 0, "once");
    let nowhere = LooseSelection::Entry {
        uri: "https://other.example".into(),
        index: issued[2].idx,
    };
    assert_eq!(revoke(nowhere).await, 0);
    assert_eq!(revoke(LooseSelection::Model("another".into())).await, 0);
    assert_eq!(state(), [true, true, false, false, false]);
    // An operator's job means them too, by patch level, by model, and with everything.
    let job = async |selector| {
        let asked = BulkRevocation {
            selector,
            reason: RevocationReason::Security,
            extent: Extent::Unit,
            advisory: None,
            dry_run: false,
            at_most: None,
        };
        let begun = running.provider.begin_bulk_revocation(asked, None).await;
        begun.unwrap();
        running.provider.do_jobs().await.unwrap();
    };
    job(Selector {
        patch_below: Some(202_612),
        ..Selector::default()
    })
    .await;
    assert_eq!(state(), [true, true, true, true, false]);
    let model = "examplebrand Example One";
    assert_eq!(revoke(LooseSelection::Model(model.into())).await, 1);
    assert_eq!(state(), [true; 5]);
    let (text, bytes) = challenge(&running).await;
    let key = TestKey::generate(Curve::P256);
    let one = [android_key(&bed, &key, &bytes, |says| says)];
    let vouched = Vouched::Android(&one, &text);
    let options = <_>::default();
    let wia = running.provider.reference_wia(vouched, &options);
    let last = read_wia(&house, &wia.await.unwrap()).status.reference;
    assert!(!house.revoked(&last));
    // There is no unit, and all the same something to revoke: a dry run says so.
    let counted = async |selector: Selector| {
        let asked = BulkRevocation {
            selector,
            reason: RevocationReason::Security,
            extent: Extent::Unit,
            advisory: None,
            dry_run: true,
            at_most: None,
        };
        let counted = running.provider.count_selected(&asked).await.unwrap();
        (counted.selected, counted.entries)
    };
    let of_model = |model: &str| Selector {
        model: Some(model.into()),
        ..Selector::default()
    };
    assert_eq!(counted(Selector::everything()).await, (0, 1));
    assert_eq!(counted(of_model(model)).await, (0, 1));
    assert_eq!(counted(of_model("another")).await, (0, 0));
    job(Selector::everything()).await;
    assert_eq!(counted(Selector::everything()).await, (0, 0));
    assert!(house.revoked(&last));
    assert_eq!(revoke(LooseSelection::All).await, 0);
    // They are forgotten with their maintenance, as every entry is.
    house.pass(40 * DAY);
    running.provider.purge().await.unwrap();
}

#[tokio::test]
async fn its_keys_and_metadata_are_told() {
    let house = House::tuned(on);
    let running = house.start().await;
    let jwks = running.provider.reference_jwks().unwrap();
    // One for attestations, one for status lists, each with its certificate.
    let keys = jwks["keys"].as_array().unwrap();
    assert_eq!(keys.len(), 2);
    assert!(keys.iter().all(|key| key["x5c"][0].is_string()));
    let metadata = running
        .provider
        .reference_metadata("https://p.example/r")
        .unwrap();
    assert_eq!(metadata["jwks_uri"], "https://p.example/r/jwks");
    assert_eq!(
        metadata["proof_signing_alg_values_supported"],
        json!(["ES256"])
    );
}
