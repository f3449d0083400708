//! A sound attestation of each kind, and ways to break it.
#![allow(dead_code)] // each test file uses its own part
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

use claviger_fixtures::TestKey;
use finding::{Refusal, Rule, Severity};
use jiff::{SignedDuration, Timestamp};
use jose::{Curve, PublicKey, Signer, b64, jws};
use serde_json::{Value, json};
use status_list::Reference;
use wua::{AttackPotential, Ka, StatusPeriod, Wia};

pub(crate) fn at() -> Timestamp {
    "2026-11-22T12:00:00Z".parse().unwrap()
}

pub(crate) fn hours(n: i64) -> SignedDuration {
    SignedDuration::from_hours(n)
}

/// [`at`] plus `offset`, as a NumericDate.
pub(crate) fn secs(offset: i64) -> Value {
    json!(at().as_second() + offset)
}

pub(crate) const DAY: i64 = 86_400;

pub(crate) fn key() -> TestKey {
    TestKey::generate(Curve::P256)
}

pub(crate) fn public(key: &TestKey) -> &PublicKey {
    Signer::public_key(key)
}

pub(crate) fn x5c() -> Vec<Vec<u8>> {
    vec![b"leaf".to_vec()]
}

pub(crate) fn status() -> StatusPeriod {
    StatusPeriod {
        reference: Reference::new("https://provider.example/status/42", 1337),
        maintained_until: at() + hours(24 * 40),
    }
}

pub(crate) fn wia(key: &PublicKey) -> Wia {
    Wia {
        issuer: Some("https://provider.example".into()),
        client_id: "https://wallet.example".into(),
        issued: Some(at()),
        expires: at() + hours(23),
        key: key.clone(),
        wallet_name: "Example Wallet".into(),
        wallet_version: "1.4.0".into(),
        wallet_link: Some("https://wallet.example/about".into()),
        certification: json!("https://cab.example/certificates/17"),
        status: status(),
    }
}

pub(crate) fn ka(keys: Vec<PublicKey>) -> Ka {
    Ka {
        issued: at(),
        expires: at() + hours(24 * 7),
        keys,
        key_storage: vec![AttackPotential::High.into()],
        user_authentication: vec![AttackPotential::High.into()],
        certification: "https://cab.example/wscd/9".into(),
        nonce: None,
        status: status(),
    }
}

/// The header and claims of a token.
pub(crate) fn open(token: &str) -> (Value, Value) {
    let mut parts = token
        .split('.')
        .map(|part| serde_json::from_slice(&b64::decode(part).unwrap_or_default()));
    let header: Value = parts.next().unwrap().unwrap();
    let claims: Value = parts.next().unwrap().unwrap();
    (header, claims)
}

/// A token with this header (`alg` aside) and these claims.
pub(crate) async fn seal(header: &Value, claims: &Value, key: &TestKey) -> String {
    seal_text(header, &claims.to_string(), key).await
}

/// A token over a payload as it is, sound JSON or not.
pub(crate) async fn seal_text(header: &Value, payload: &str, key: &TestKey) -> String {
    let header = header.as_object().unwrap().clone();
    jws::sign(header, payload.as_bytes(), key).await.unwrap()
}

/// Sets the member at a path such as `client_status/exp`; a null removes it.
pub(crate) fn set(object: &mut Value, path: &str, value: Value) {
    let (parents, name) = path.rsplit_once('/').unwrap_or(("", path));
    let mut place = object;
    for parent in parents.split('/').filter(|p| !p.is_empty()) {
        place = place.get_mut(parent).unwrap();
    }
    let map = place.as_object_mut().unwrap();
    if value.is_null() {
        map.remove(name).expect("there was something to remove");
    } else {
        map.insert(name.into(), value);
    }
}

/// Exactly this rule is broken, and no other.
pub(crate) fn assert_only(refusal: &Refusal, rule: &Rule) {
    let errors: Vec<_> = refusal
        .findings()
        .iter()
        .filter(|f| f.severity == Severity::Error)
        .map(|f| f.rule.as_ref())
        .collect();
    assert_eq!(errors, [rule.id], "{refusal}");
}

/// A token that claims to be signed with something we do not take.
pub(crate) fn with_alg(token: &str, alg: &str) -> String {
    let (mut header, _) = open(token);
    header["alg"] = json!(alg);
    let payload = token.split('.').nth(1).unwrap();
    let signature = match alg {
        "none" => "",
        _ => token.split('.').nth(2).unwrap(),
    };
    format!("{}.{payload}.{signature}", b64::encode(header.to_string()))
}

pub(crate) const OTHER_ALGORITHMS: [&str; 6] =
    ["none", "HS256", "RS256", "PS256", "EdDSA", "ES256K"];
