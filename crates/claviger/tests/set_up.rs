//! A unit's beginning as an app makes it, over real HTTP: what it holds at its end, its
//! checks, its issuers, and the reference provider's interface beside it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod attested;
#[path = "../../device-evidence/tests/support/mod.rs"]
mod devices;
mod support;

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use attested::{AndroidPhone, serve, set_up};
use claviger_fixtures::TestKey;
use clock::SystemClock;
use devices::android::{Bed, Description};
use devices::{public, signing_usage};
use jose::{Curve, Signer, b64};
use provider_api::UnitState;
use sci::Pin;
use serde_json::{Value, json};
use support::Up;
use wallet_client::keystore::{DeviceKeystore, SoftwareKeystore};
use wallet_client::sci_remote::{HttpTransport, Transport, TransportError};
use wallet_client::{
    IssuerSecret, KaOptions, ProviderClient, RefillError, SetUp, SetUpError, Stock, Unattested,
    WiaOptions,
};

fn claims(token: &str) -> Value {
    Value::Object(jose::jws::parse(token, 1 << 20).unwrap().claims().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_unit_begins_with_a_wia_and_a_ka_for_each_storage() {
    let folder = tempfile::tempdir().unwrap();
    let up = Up::start(folder.path(), "127.0.0.1:0");
    let device = Arc::new(SoftwareKeystore::generate().unwrap());
    let (provider, unit) = set_up(&up.url, &Unattested, &device).await;
    assert!(!provider.certification().certification.is_null());
    assert!(unit.account_code.is_some());
    let view = provider.unit(unit.unit, device.signing()).await.unwrap();
    assert_eq!(view.state, UnitState::Operational);

    let wia = claims(&unit.wia.attestation);
    assert_eq!(wia["cnf"]["jwk"], unit.wia.key.public_key().to_jwk());
    let wscd = claims(&unit.wscd_ka.attestation);
    let keys: Vec<_> = unit
        .wscd_ka
        .keys
        .iter()
        .map(|key| key.public_key.to_jwk())
        .collect();
    assert_eq!(wscd["attested_keys"], json!(keys));
    let keystore_ka = unit.keystore_ka.unwrap();
    let keystore = claims(&keystore_ka.attestation);
    let keys: Vec<_> = keystore_ka
        .keys
        .iter()
        .map(|key| key.public_key().to_jwk())
        .collect();
    assert_eq!(keystore["attested_keys"], json!(keys));
    // One tells the WSCD, the other a keystore, and whoever follows it is told so.
    for (ka, kind) in [(&wscd, "wscd"), (&keystore, "keystore")] {
        let page = reqwest::get(ka["certification"].as_str().unwrap())
            .await
            .unwrap();
        let page: Value = serde_json::from_slice(&page.bytes().await.unwrap()).unwrap();
        assert_eq!(page["kind"], kind);
    }
    // The session that it took is over.
    assert_eq!(sci::Sci::session(unit.sci.as_ref()).await.unwrap(), None);
}

/// Method A: each WIA is used once, and at the limit that the provider told the next
/// batch is there without the user's doing.
#[tokio::test(flavor = "multi_thread")]
async fn a_stock_of_wias_is_filled_again_at_its_limit() {
    let folder = tempfile::tempdir().unwrap();
    let up = Up::start(folder.path(), "127.0.0.1:0");
    let device = Arc::new(SoftwareKeystore::generate().unwrap());
    let (provider, unit) = set_up(&up.url, &Unattested, &device).await;
    let mut stock = Stock::new();
    let options = WiaOptions::default();
    let mut filled = Vec::new();
    let (mut keys, mut places) = (HashSet::new(), HashSet::new());
    for _ in 0..40 {
        let refill = provider.refill_wias(
            unit.unit,
            device.as_ref(),
            &Unattested,
            &mut stock,
            &options,
        );
        filled.extend(Some(refill.await.unwrap()).filter(|count| *count > 0));
        let taken = stock.take(jiff::Timestamp::now()).unwrap();
        let wia = claims(&taken.attestation);
        assert_eq!(wia["cnf"]["jwk"], taken.key.public_key().to_jwk());
        assert_eq!(wia["exp"], taken.ends.as_second());
        assert!(keys.insert(taken.key.public_key().thumbprint()));
        assert!(places.insert(wia["client_status"].to_string()));
    }
    assert_eq!(filled[0], 1, "what a batch is, is told with the first");
    assert!(filled.len() > 2 && filled[1] > 1, "{filled:?}");
    assert!(
        filled[1..].iter().all(|count| *count == filled[1]),
        "{filled:?}"
    );
}

/// The same of KAs: each over one key, of the WSCD in a session that the user opened, and
/// of the keystore without one.
#[tokio::test(flavor = "multi_thread")]
async fn stocks_of_kas_are_filled_again_at_their_limit() {
    let folder = tempfile::tempdir().unwrap();
    let up = Up::start(folder.path(), "127.0.0.1:0");
    let device = Arc::new(SoftwareKeystore::generate().unwrap());
    let (provider, unit) = set_up(&up.url, &Unattested, &device).await;
    let (signing, sci) = (device.signing(), unit.sci.as_ref());
    let pin = Pin::new("493827").unwrap();
    let (mut wscd, mut keystore) = (Stock::new(), Stock::new());
    let (mut filled, mut keys) = ([Vec::new(), Vec::new()], HashSet::new());
    // Without a session there is no statement, and nothing is taken in.
    let refused = provider
        .refill_kas(unit.unit, signing, sci, &mut wscd)
        .await;
    assert!(matches!(refused, Err(RefillError::Wsca(_))), "{refused:?}");
    for _ in 0..25 {
        let now = jiff::Timestamp::now();
        if wscd.wants(now).is_some() {
            sci::Sci::open_session(sci, &pin, sci::Task::Issuance)
                .await
                .unwrap();
            let refill = provider.refill_kas(unit.unit, signing, sci, &mut wscd);
            filled[0].push(refill.await.unwrap());
            sci::Sci::end_session(sci).await.unwrap();
        }
        let options = KaOptions::default();
        let refill =
            provider.refill_keystore_kas(unit.unit, signing, &Unattested, &mut keystore, &options);
        let refilled = refill.await.unwrap().unwrap();
        filled[1].extend(Some(refilled).filter(|count| *count > 0));
        let taken = wscd.take(now).unwrap();
        let beside = keystore.take(now).unwrap();
        for (ka, key) in [
            (&taken.attestation, &taken.key.public_key),
            (&beside.attestation, beside.key.public_key()),
        ] {
            assert_eq!(claims(ka)["attested_keys"], json!([key.to_jwk()]));
            assert!(keys.insert(key.thumbprint()), "no key twice");
        }
    }
    for filled in filled {
        assert_eq!(filled[0], 1, "what a batch is, is told with the first");
        assert!(filled.len() > 2 && filled[1] > 1, "{filled:?}");
        let batch = filled[1];
        assert!(filled[1..].iter().all(|count| *count == batch));
    }
}

/// A way to the WSCA on which every answer after the first few is lost.
#[derive(Debug)]
struct Losing {
    way: HttpTransport,
    kept: usize,
    sent: AtomicUsize,
}

#[async_trait]
impl Transport for Losing {
    async fn post(&self, request: String) -> Result<Vec<u8>, TransportError> {
        let answer = self.way.post(request).await?;
        if self.sent.fetch_add(1, Ordering::SeqCst) < self.kept {
            return Ok(answer);
        }
        Err(TransportError::Unreachable("the answer was lost".into()))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_set_up_whose_answers_were_lost_is_begun_again_or_gone_on_with() {
    let folder = tempfile::tempdir().unwrap();
    let up = Up::start(folder.path(), "127.0.0.1:0");
    let device = Arc::new(SoftwareKeystore::generate().unwrap());
    let base = format!("{}/wallet-provider", up.url);
    let provider = ProviderClient::discover(&base, Arc::new(SystemClock))
        .await
        .unwrap();
    let pin = Pin::choose("493827").unwrap();
    let with = |kept| {
        let address = format!("{}/wsca/r2ps", up.url).parse().unwrap();
        SetUp {
            alias: "mine",
            account_code: None,
            consent: None,
            device: device.clone(),
            platform: &Unattested,
            wallet_version: "1",
            pin: &pin,
            transport: Losing {
                way: HttpTransport::new(reqwest::Client::new(), address),
                kept,
                sent: AtomicUsize::new(0),
            },
            keys: 1,
        }
    };
    let begin = async |kept| {
        let shown = provider.certification().shown();
        provider.set_up(shown, with(kept)).await.unwrap_err()
    };
    // The PIN is registered, and the phone does not learn it.
    let SetUpError::Unfinished { answer: lost, .. } = begin(1).await else {
        panic!("the activation began")
    };
    let view = provider.unit(lost.unit, device.signing()).await.unwrap();
    assert_eq!(view.state, UnitState::Installed);
    // Begun again: the unit is the same, its PIN stays, and it becomes operational.
    let SetUpError::Unfinished { answer, .. } = begin(1).await else {
        panic!("the activation began")
    };
    assert_eq!(answer.unit, lost.unit);
    assert!(answer.account_code.is_some() && answer.account_code != lost.account_code);
    let view = provider.unit(answer.unit, device.signing()).await.unwrap();
    assert_eq!(view.state, UnitState::Operational);
    // From here it is gone on with, and not begun.
    let SetUpError::Provider(refused) = begin(usize::MAX).await else {
        panic!("the account is another unit's to join by its code")
    };
    assert_eq!(refused.code(), Some("account-code"));
    for _ in 0..2 {
        let unit = provider.go_on(with(usize::MAX), &answer).await.unwrap();
        assert_eq!(unit.unit, lost.unit);
        assert_eq!(unit.account_code, answer.account_code);
        let wia = claims(&unit.wia.attestation);
        assert_eq!(wia["cnf"]["jwk"], unit.wia.key.public_key().to_jwk());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attested_phone_is_checked_again_by_its_sdk_and_meets_issuers_unlinkably() {
    let folder = tempfile::tempdir().unwrap();
    let bed = Bed::new();
    let settings = "max_check_age_seconds = 3\nrounding_seconds = 1\nissuer_scopes = 10";
    let (_served, url) = serve(folder.path(), &bed, settings);
    let phone = AndroidPhone {
        bed: Some(bed),
        ..AndroidPhone::default()
    };
    let device = Arc::new(SoftwareKeystore::generate().unwrap());
    let (provider, unit) = set_up(&url, &phone, &device).await;
    let keystore = claims(&unit.keystore_ka.unwrap().attestation);
    assert_eq!(keystore["key_storage"], json!(["iso_18045_enhanced-basic"]));
    assert_eq!(provider.view().offers.issuer_scopes, 10);

    // The check gets old: the provider says so, and the SDK makes up for it.
    tokio::time::sleep(std::time::Duration::from_secs(4)).await;
    let key = device.fresh_signing_key().unwrap();
    let late = provider
        .wias(
            unit.unit,
            device.signing(),
            &[key.as_ref()],
            &<_>::default(),
        )
        .await
        .unwrap_err();
    assert_eq!(late.code(), Some("check-due"));
    let before = phone.checks.load(Ordering::SeqCst);
    let secret = IssuerSecret::generate().unwrap();
    let place = async |issuer: &str| {
        let key = device.fresh_signing_key().unwrap();
        let options = WiaOptions {
            issuer_scope: Some(secret.scope(issuer)),
            ..WiaOptions::default()
        };
        let keys: [&dyn Signer; 1] = [key.as_ref()];
        let wias = provider
            .checked_wias(unit.unit, device.signing(), &phone, &keys, &options)
            .await
            .unwrap();
        claims(&wias.attestations[0])["client_status"]["status"].clone()
    };
    let first = place("https://pid.example").await;
    assert_eq!(phone.checks.load(Ordering::SeqCst), before + 1);
    assert_eq!(place("https://pid.example").await, first);
    assert_ne!(place("https://other.example").await, first);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_of_the_reference_finds_what_it_calls() {
    let folder = tempfile::tempdir().unwrap();
    let bed = Bed::new();
    let (_served, url) = serve(folder.path(), &bed, "");
    let base = format!("{url}/reference-provider");
    let client = reqwest::Client::new();
    let post = async |path: &str, body: Value| {
        let answer = client
            .post(format!("{base}/{path}"))
            .header("content-type", "application/json")
            .body(body.to_string())
            .send()
            .await
            .unwrap();
        let status = answer.status().as_u16();
        let body: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
        (status, body)
    };
    let jwk = || public(&TestKey::generate(Curve::P256)).to_jwk();
    // As the apps do today: by JWK, the newer and the older name, with something more.
    let (status, wia) = post(
        "wallet-instance-attestation/jwk",
        json!({"jwk": jwk(), "walletMetadata": {"a": 1}, "somethingNew": true}),
    )
    .await;
    assert_eq!(status, 200, "{wia}");
    let wia = claims(wia["walletInstanceAttestation"].as_str().unwrap());
    assert_eq!(wia["wallet_version"], "3.2.1");
    assert!(wia.get("wallet_metadata").is_none());
    for (path, name) in [
        ("key-attestation/jwk-set", "keyAttestation"),
        ("wallet-unit-attestation/jwk-set", "walletUnitAttestation"),
    ] {
        let body = json!({"jwkSet": {"keys": [jwk()]}, "nonce": "n"});
        let (status, ka) = post(path, body).await;
        assert_eq!(status, 200, "{ka}");
        let ka = claims(ka[name].as_str().unwrap());
        assert_eq!((&ka["nonce"], ka.get("key_storage")), (&json!("n"), None));
    }
    // By evidence, over a challenge; and once.
    let (_, challenge) = post("challenge", Value::Null).await;
    let challenge = challenge["challenge"].as_str().unwrap().to_owned();
    let made = Description {
        challenge: b64::decode(&challenge).unwrap(),
        ..Description::sound()
    };
    let key = TestKey::generate(Curve::P256);
    let leaf = bed.leaf_for(public(&key), vec![signing_usage(), made.to_extension()]);
    let x5c: Vec<_> = bed.chain_of(&leaf).iter().map(b64::encode).collect();
    let body = json!({
        "platformKeyAttestations": [{"x5c": x5c}],
        "challenge": challenge,
        "supportedSigningAlgorithms": ["ES256"],
    });
    let path = "key-attestation/platform-key-attestation/android";
    let (status, ka) = post(path, body.clone()).await;
    assert_eq!(status, 200, "{ka}");
    let ka = claims(ka["keyAttestation"].as_str().unwrap());
    assert_eq!(ka["key_storage"], json!(["iso_18045_enhanced-basic"]));
    let (status, again) = post(path, body).await;
    assert_eq!(
        (status, again),
        (400, json!({"errors": ["invalid_challenge"]}))
    );
    let (status, refused) = post(
        "wallet-instance-attestation/jwk",
        json!({"jwk": jwk(), "supportedSigningAlgorithms": ["EdDSA"]}),
    )
    .await;
    let expected = json!({"error": "unsupported_signing_algorithms"});
    assert_eq!((status, refused), (400, expected));
    let (status, malformed) = post("wallet-instance-attestation/jwk", json!({})).await;
    assert_eq!((status, &malformed["code"]), (400, &json!("malformed")));

    for path in ["jwks", ".well-known/oauth-protected-resource"] {
        let answer = client.get(format!("{base}/{path}")).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{path}");
    }
}
