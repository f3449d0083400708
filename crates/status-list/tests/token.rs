//! Tokens made here and read again, and every way of breaking one.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

use claviger_fixtures::TestKey;
use finding::{Refusal, Rule, Severity};
use jiff::{SignedDuration, Timestamp};
use jose::{Curve, Signer, b64, jws};
use rstest::rstest;
use serde_json::{Value, json};
use status_list::{
    Bits, BuildError, Caching, CompressionEffort, Limits, Reference, Status, StatusList,
    StatusListCheck, StatusListToken, TokenFormat, UnverifiedStatusList, VerifiedStatusList, rules,
};

const URI: &str = "https://status.example/wia/7";

fn at() -> Timestamp {
    "2026-11-22T12:00:00Z".parse().unwrap()
}

fn token() -> StatusListToken {
    let mut list = StatusList::new(Bits::One, 10_000).unwrap();
    list.set(1337, Status::INVALID).unwrap();
    StatusListToken {
        expires: Some(at() + SignedDuration::from_hours(12)),
        ttl: Some(SignedDuration::from_hours(1)),
        ..StatusListToken::new(URI, at(), list)
    }
}

fn verify(text: &str, key: &TestKey, at: Timestamp) -> Result<VerifiedStatusList, Refusal> {
    UnverifiedStatusList::parse(text.as_bytes(), &Limits::default())?.verify(&StatusListCheck::new(
        URI,
        Signer::public_key(key),
        at,
    ))
}

/// Exactly this rule is broken, and no other.
fn assert_only(refusal: &Refusal, rule: &Rule) {
    let errors: Vec<_> = refusal
        .findings()
        .iter()
        .filter(|f| f.severity == Severity::Error)
        .map(|f| f.rule.as_ref())
        .collect();
    assert_eq!(errors, [rule.id]);
}

#[rstest]
#[case(Curve::P256)]
#[case(Curve::P384)]
#[case(Curve::P521)]
#[tokio::test]
async fn a_signed_token_reads_back(#[case] curve: Curve) {
    let key = TestKey::generate(curve);
    let chain = [vec![0x30, 1], vec![0x30, 2]];
    let mut token = token();
    token.aggregation_uri = Some("https://status.example/all".into());
    token.effort = CompressionEffort::Quick;
    let text = token.sign(&chain, &key).await.unwrap();
    let unverified = UnverifiedStatusList::parse(text.as_bytes(), &Limits::default()).unwrap();
    assert_eq!(unverified.x5c(), chain);
    let list = verify(&text, &key, at()).unwrap();
    assert_eq!(list.status(&Reference::new(URI, 1337)), Ok(Status::INVALID));
    assert_eq!(list.status(&Reference::new(URI, 1336)), Ok(Status::VALID));
    assert_eq!(list.aggregation_uri(), Some("https://status.example/all"));
    assert_eq!(list.list(), &token.list);
    assert!(list.findings().is_empty());
}

#[tokio::test]
async fn a_token_that_contradicts_itself_is_not_made() {
    let key = TestKey::generate(Curve::P256);
    let mut early = token();
    early.expires = Some(at());
    let mut short = token();
    short.ttl = Some(SignedDuration::from_millis(900));
    assert!(matches!(
        early.sign(&[], &key).await,
        Err(BuildError::ExpiresBeforeIssued)
    ));
    assert!(matches!(
        short.sign(&[], &key).await,
        Err(BuildError::TtlNotPositive)
    ));
}

async fn signed(header: Value, claims: &str, key: &TestKey) -> String {
    let Value::Object(header) = header else {
        panic!("a header is an object");
    };
    jws::sign(header, claims.as_bytes(), key).await.unwrap()
}

fn claims() -> Value {
    let list = token().list.to_json(CompressionEffort::Best);
    json!({
        "sub": URI, "iat": at().as_second(), "exp": at().as_second() + 3600, "ttl": 600,
        "status_list": list,
    })
}

#[rstest]
#[case::sub_of_another("sub", json!("https://status.example/wia/8"), &rules::SUB)]
#[case::sub_absent("sub", Value::Null, &rules::SUB)]
#[case::iat_absent("iat", Value::Null, &rules::IAT)]
#[case::iat_text("iat", json!("2026"), &rules::IAT)]
#[case::iat_ahead("iat", json!(1_795_348_861), &rules::IAT)]
#[case::exp_text("exp", json!("tomorrow"), &rules::EXP)]
#[case::exp_before_iat("exp", json!(1_795_348_000), &rules::EXP)]
#[case::ttl_zero("ttl", json!(0), &rules::TTL)]
#[case::ttl_negative("ttl", json!(-5), &rules::TTL)]
#[case::ttl_text("ttl", json!("600"), &rules::TTL)]
#[case::nbf_ahead("nbf", json!(1_795_349_800), &rules::NBF)]
#[case::nbf_text("nbf", json!("now"), &rules::NBF)]
#[case::list_absent("status_list", Value::Null, &rules::LIST)]
#[case::list_bits("status_list", json!({"bits": 5, "lst": "eNrbuRgAAhcBXQ"}), &rules::LIST)]
#[case::list_cut("status_list", json!({"bits": 1, "lst": "eNrbuRgA"}), &rules::LIST)]
#[case::aggregation("status_list",
    json!({"bits": 1, "lst": "eNrbuRgAAhcBXQ", "aggregation_uri": "elsewhere"}), &rules::AGGREGATION)]
#[tokio::test]
async fn each_claim_broken_alone_names_its_rule(
    #[case] name: &str,
    #[case] value: Value,
    #[case] rule: &Rule,
) {
    assert_eq!(
        at().as_second(),
        1_795_348_800,
        "the times above are meant around it"
    );
    let key = TestKey::generate(Curve::P256);
    let mut claims = claims();
    if value.is_null() {
        claims.as_object_mut().unwrap().remove(name);
    } else {
        claims[name] = value;
    }
    let text = signed(json!({"typ": "statuslist+jwt"}), &claims.to_string(), &key).await;
    assert_only(&verify(&text, &key, at()).unwrap_err(), rule);
}

#[rstest]
#[case::typ_absent(json!({}), &rules::TYP)]
#[case::typ_jwt(json!({"typ": "JWT"}), &rules::TYP)]
#[case::typ_of_a_wia(json!({"typ": "oauth-client-attestation+jwt"}), &rules::TYP)]
#[case::crit(json!({"typ": "statuslist+jwt", "crit": ["b64"], "b64": false}), &rules::CRIT)]
#[case::x5c_empty(json!({"typ": "statuslist+jwt", "x5c": []}), &rules::X5C)]
#[case::x5c_not_base64(json!({"typ": "statuslist+jwt", "x5c": ["*"]}), &rules::X5C)]
#[tokio::test]
async fn each_header_broken_alone_names_its_rule(#[case] header: Value, #[case] rule: &Rule) {
    let key = TestKey::generate(Curve::P256);
    let text = signed(header, &claims().to_string(), &key).await;
    assert_only(&verify(&text, &key, at()).unwrap_err(), rule);
}

#[rstest]
#[case("none")]
#[case("HS256")]
#[case("RS256")]
#[case("ES256K")]
#[case("es256")]
fn other_algorithms_are_refused(#[case] alg: &str) {
    let key = TestKey::generate(Curve::P256);
    let header = b64::encode(json!({"alg": alg, "typ": "statuslist+jwt"}).to_string());
    let text = format!("{header}.{}.", b64::encode(claims().to_string()));
    assert_only(&verify(&text, &key, at()).unwrap_err(), &rules::ALG);
}

#[tokio::test]
async fn a_forged_or_altered_token_is_refused() {
    let (key, other) = (
        TestKey::generate(Curve::P256),
        TestKey::generate(Curve::P256),
    );
    let text = token().sign(&[], &other).await.unwrap();
    assert_only(&verify(&text, &key, at()).unwrap_err(), &rules::SIGNATURE);

    // The list of a valid token swapped for one where nothing is revoked.
    let text = token().sign(&[], &key).await.unwrap();
    let parts: Vec<&str> = text.split('.').collect();
    let mut altered = claims();
    altered["status_list"] = StatusList::new(Bits::One, 10_000)
        .unwrap()
        .to_json(CompressionEffort::Best);
    let swapped = format!(
        "{}.{}.{}",
        parts[0],
        b64::encode(altered.to_string()),
        parts[2]
    );
    assert_only(
        &verify(&swapped, &key, at()).unwrap_err(),
        &rules::SIGNATURE,
    );

    // A key on another curve than the header's algorithm.
    let wide = TestKey::generate(Curve::P384);
    assert_only(&verify(&text, &wide, at()).unwrap_err(), &rules::ALG);
}

#[tokio::test]
async fn what_is_not_a_token_is_refused() {
    let key = TestKey::generate(Curve::P256);
    for text in ["", ".", "..", "a.b.c", "{}", "eyJ9.e30.AA", "\u{0}"] {
        assert_only(&verify(text, &key, at()).unwrap_err(), &rules::FORMAT);
    }
    let limits = Limits::default();
    let invalid = UnverifiedStatusList::parse(&[0xff, 0xfe], &limits).unwrap_err();
    assert_only(&invalid, &rules::FORMAT);
    let twice = r#"{"sub":"https://status.example/wia/7","sub":"x"}"#;
    let text = signed(json!({"typ": "statuslist+jwt"}), twice, &key).await;
    assert_only(&verify(&text, &key, at()).unwrap_err(), &rules::FORMAT);
}

#[tokio::test]
async fn size_is_limited_before_and_after_decompression() {
    let key = TestKey::generate(Curve::P256);
    let text = token().sign(&[], &key).await.unwrap();
    let check = StatusListCheck::new(URI, Signer::public_key(&key), at());
    let small = Limits {
        token_bytes: text.len() - 1,
        ..Limits::default()
    };
    let refusal = UnverifiedStatusList::parse(text.as_bytes(), &small).unwrap_err();
    assert_only(&refusal, &rules::SIZE);
    // 1,250 bytes of list come out of some twenty.
    let small = Limits {
        list_bytes: 1249,
        ..Limits::default()
    };
    let unverified = UnverifiedStatusList::parse(text.as_bytes(), &small).unwrap();
    assert_only(&unverified.verify(&check).unwrap_err(), &rules::LIST_SIZE);
}

#[tokio::test]
async fn an_expired_token_is_refused_and_a_replayed_reference_too() {
    let key = TestKey::generate(Curve::P256);
    let text = token().sign(&[], &key).await.unwrap();
    let end = at() + SignedDuration::from_hours(12);
    assert!(verify(&text, &key, end - SignedDuration::from_secs(1)).is_ok());
    assert_only(&verify(&text, &key, end).unwrap_err(), &rules::EXPIRED);
    let list = verify(&text, &key, at()).unwrap();
    let elsewhere = Reference::new("https://status.example/wia/8", 1337);
    assert_only(&list.status(&elsewhere).unwrap_err(), &rules::SUB);
    let past = Reference::new(URI, 10_000);
    assert_only(&list.status(&past).unwrap_err(), &rules::INDEX);
}

#[tokio::test]
async fn caching_follows_ttl_and_exp_within_its_own_bounds() {
    let key = TestKey::generate(Curve::P256);
    let caching = Caching::default();
    let hours = SignedDuration::from_hours;
    let cases = [
        // ttl, exp, used for
        (Some(hours(2)), Some(hours(12)), hours(2)),
        (Some(hours(2)), Some(hours(1)), hours(1)),
        (None, Some(hours(12)), caching.default_ttl),
        (None, None, caching.default_ttl),
        (Some(SignedDuration::from_secs(1)), None, caching.min_ttl),
        (Some(hours(24 * 365)), None, caching.max_ttl),
    ];
    for (ttl, exp, expected) in cases {
        let mut token = token();
        token.ttl = ttl;
        token.expires = exp.map(|e| at() + e);
        let text = token.sign(&[], &key).await.unwrap();
        let list = verify(&text, &key, at()).unwrap();
        assert_eq!(
            caching.fresh_until(&list, at()),
            at() + expected,
            "{ttl:?} {exp:?}"
        );
        let unbounded = list.findings().iter().any(|f| f.is(&rules::UNBOUNDED));
        assert_eq!(unbounded, ttl.is_none() && exp.is_none());
    }
}

#[test]
fn media_types_are_told_apart() {
    for (content_type, form) in [
        ("application/statuslist+jwt", Some(TokenFormat::Jwt)),
        (
            "Application/StatusList+JWT; charset=utf-8",
            Some(TokenFormat::Jwt),
        ),
        ("application/statuslist+cwt", Some(TokenFormat::Cwt)),
        ("application/json", None),
        ("", None),
    ] {
        assert_eq!(TokenFormat::from_media_type(content_type), form);
    }
}
