//! Tokens of the CWT form made here and read again, and every way of breaking one.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

use claviger_fixtures::TestKey;
use finding::{Refusal, Rule, Severity};
use jiff::{SignedDuration, Timestamp};
use jose::cbor::{self, Value};
use jose::cose::{self, Header};
use jose::{Curve, Signer, jws};
use rstest::rstest;
use status_list::{
    Bits, BuildError, CompressionEffort, Limits, Reference, Status, StatusList, StatusListCheck,
    StatusListToken, TokenFormat, UnverifiedStatusList, VerifiedStatusList, rules,
};

const URI: &str = "https://status.example/wia/7";
const TYP: &str = "application/statuslist+cwt";

fn at() -> Timestamp {
    "2026-11-22T12:00:00Z".parse().unwrap()
}

fn token() -> StatusListToken {
    let mut list = StatusList::new(Bits::Two, 10_000).unwrap();
    list.set(1337, Status::SUSPENDED).unwrap();
    StatusListToken {
        expires: Some(at() + SignedDuration::from_hours(12)),
        ttl: Some(SignedDuration::from_hours(1)),
        ..StatusListToken::new(URI, at(), list)
    }
}

fn verify(bytes: &[u8], key: &TestKey, at: Timestamp) -> Result<VerifiedStatusList, Refusal> {
    let check = StatusListCheck::new(URI, Signer::public_key(key), at);
    UnverifiedStatusList::parse(bytes, &Limits::default())?.verify(&check)
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
    let bytes = token.sign_cwt(&chain, &key).await.unwrap();
    let unverified = UnverifiedStatusList::parse(&bytes, &Limits::default()).unwrap();
    assert_eq!(unverified.format(), TokenFormat::Cwt);
    assert_eq!(unverified.x5c(), chain);
    assert_eq!(unverified.claimed_uri().as_deref(), Some(URI));
    let list = verify(&bytes, &key, at()).unwrap();
    assert_eq!(
        list.status(&Reference::new(URI, 1337)),
        Ok(Status::SUSPENDED)
    );
    assert_eq!(list.status(&Reference::new(URI, 1336)), Ok(Status::VALID));
    assert_eq!(list.aggregation_uri(), Some("https://status.example/all"));
    assert_eq!(list.issued(), at());
    assert_eq!(list.expires(), token.expires);
    assert_eq!(list.ttl(), token.ttl);
    assert_eq!(list.list(), &token.list);
    assert!(list.findings().is_empty());
}

#[tokio::test]
async fn both_forms_say_the_same() {
    let key = TestKey::generate(Curve::P256);
    let jwt = token().sign(&[], &key).await.unwrap();
    let cwt = token().sign_cwt(&[], &key).await.unwrap();
    assert!(cwt.len() < jwt.len());
    let (jwt, cwt) = (
        verify(jwt.as_bytes(), &key, at()).unwrap(),
        verify(&cwt, &key, at()).unwrap(),
    );
    assert_eq!(format!("{jwt:?}"), format!("{cwt:?}"));
}

#[tokio::test]
async fn a_token_that_contradicts_itself_is_not_made() {
    let key = TestKey::generate(Curve::P256);
    let mut early = token();
    early.expires = Some(at());
    assert!(matches!(
        early.sign_cwt(&[], &key).await,
        Err(BuildError::ExpiresBeforeIssued)
    ));
}

#[tokio::test]
async fn a_declared_form_that_is_not_the_real_one_is_refused() {
    let key = TestKey::generate(Curve::P256);
    let limits = Limits::default();
    let jwt = token().sign(&[], &key).await.unwrap();
    let cwt = token().sign_cwt(&[], &key).await.unwrap();
    for (format, bytes) in [
        (TokenFormat::Cwt, jwt.as_bytes()),
        (TokenFormat::Jwt, cwt.as_slice()),
    ] {
        let refusal = UnverifiedStatusList::parse_as(format, bytes, &limits).unwrap_err();
        assert_only(&refusal, &rules::FORMAT);
    }
    assert!(UnverifiedStatusList::parse_as(TokenFormat::Cwt, &cwt, &limits).is_ok());
}

fn claims() -> Vec<(Value, Value)> {
    vec![
        (2.into(), URI.into()),
        (6.into(), at().as_second().into()),
        (4.into(), (at().as_second() + 3600).into()),
        (65534.into(), 600.into()),
        (65533.into(), token().list.to_cbor(CompressionEffort::Best)),
    ]
}

async fn signed(claims: Vec<(Value, Value)>, key: &TestKey) -> Vec<u8> {
    let header = Header {
        typ: Some(TYP),
        ..Header::default()
    };
    let payload = cbor::encode(&Value::Map(claims));
    cose::sign(header, &payload, key).await.unwrap()
}

fn list(bits: u8, lst: &[u8], aggregation_uri: Option<&str>) -> Value {
    let mut list = vec![
        ("bits".into(), bits.into()),
        ("lst".into(), Value::Bytes(lst.to_vec())),
    ];
    list.extend(aggregation_uri.map(|uri| ("aggregation_uri".into(), uri.into())));
    Value::Map(list)
}

/// Sixteen entries of one bit, as the draft prints them.
const LST: [u8; 10] = [0x78, 0xda, 0xdb, 0xb9, 0x18, 0x00, 0x02, 0x17, 0x01, 0x5d];

#[rstest]
#[case::sub_of_another(2, "https://status.example/wia/8".into(), &rules::SUB)]
#[case::sub_absent(2, Value::Null, &rules::SUB)]
#[case::sub_bytes(2, Value::Bytes(URI.into()), &rules::SUB)]
#[case::iat_absent(6, Value::Null, &rules::IAT)]
#[case::iat_text(6, "2026".into(), &rules::IAT)]
#[case::iat_tagged(6, Value::Tag(1, Box::new(1_795_348_800.into())), &rules::IAT)]
#[case::iat_ahead(6, 1_795_348_861.into(), &rules::IAT)]
#[case::exp_text(4, "tomorrow".into(), &rules::EXP)]
#[case::exp_nan(4, f64::NAN.into(), &rules::EXP)]
#[case::exp_before_iat(4, 1_795_348_000.into(), &rules::EXP)]
#[case::ttl_zero(65534, 0.into(), &rules::TTL)]
#[case::ttl_negative(65534, (-5).into(), &rules::TTL)]
#[case::ttl_fraction(65534, 600.5.into(), &rules::TTL)]
#[case::ttl_text(65534, "600".into(), &rules::TTL)]
#[case::nbf_ahead(5, 1_795_349_800.into(), &rules::NBF)]
#[case::list_absent(65533, Value::Null, &rules::LIST)]
#[case::list_bits(65533, list(5, &LST, None), &rules::LIST)]
#[case::list_cut(65533, list(1, &LST[..6], None), &rules::LIST)]
#[case::list_trailing(65533, list(1, &[LST.as_slice(), &[0]].concat(), None), &rules::LIST)]
#[case::aggregation(65533, list(1, &LST, Some("elsewhere")), &rules::AGGREGATION)]
#[tokio::test]
async fn each_claim_broken_alone_names_its_rule(
    #[case] key: i64,
    #[case] value: Value,
    #[case] rule: &Rule,
) {
    let signer = TestKey::generate(Curve::P256);
    assert!(verify(&signed(claims(), &signer).await, &signer, at()).is_ok());
    let mut claims = claims();
    claims.retain(|(k, _)| *k != key.into());
    if value != Value::Null {
        claims.push((key.into(), value));
    }
    let bytes = signed(claims, &signer).await;
    assert_only(&verify(&bytes, &signer, at()).unwrap_err(), rule);
}

#[tokio::test]
async fn each_header_broken_alone_names_its_rule() {
    let key = TestKey::generate(Curve::P256);
    let payload = cbor::encode(&Value::Map(claims()));
    for typ in [None, Some("statuslist+cwt"), Some("application/rc-wrp+cwt")] {
        let header = Header {
            typ,
            ..Header::default()
        };
        let bytes = cose::sign(header, &payload, &key).await.unwrap();
        assert_only(&verify(&bytes, &key, at()).unwrap_err(), &rules::TYP);
    }
    let protected = |alg: i64| vec![(1.into(), alg.into()), (16.into(), TYP.into())];
    let mut crit = protected(-7);
    crit.extend([
        (2.into(), Value::Array(vec![99.into()])),
        (99.into(), 1.into()),
    ]);
    let mut chain = protected(-7);
    chain.push((33.into(), Value::Array(vec![])));
    for (protected, rule) in [
        (protected(-257), &rules::ALG),
        (protected(-35), &rules::ALG),
        (crit, &rules::CRIT),
        (chain, &rules::X5C),
        (protected(-7), &rules::SIGNATURE),
    ] {
        let parts = vec![
            Value::Bytes(cbor::encode(&Value::Map(protected))),
            Value::Map(vec![]),
            Value::Bytes(payload.clone()),
            Value::Bytes(vec![1; 64]),
        ];
        let bytes = cbor::encode(&Value::Tag(18, Box::new(Value::Array(parts))));
        assert_only(&verify(&bytes, &key, at()).unwrap_err(), rule);
    }
}

#[tokio::test]
async fn a_forged_or_altered_token_is_refused() {
    let (key, other) = (
        TestKey::generate(Curve::P256),
        TestKey::generate(Curve::P256),
    );
    let forged = token().sign_cwt(&[], &other).await.unwrap();
    assert_only(&verify(&forged, &key, at()).unwrap_err(), &rules::SIGNATURE);
    // The list of a valid token swapped for one where nothing is suspended.
    let bytes = token().sign_cwt(&[], &key).await.unwrap();
    let mut clean = token();
    clean.list = StatusList::new(Bits::Two, 10_000).unwrap();
    let clean = clean.sign_cwt(&[], &other).await.unwrap();
    let parts = |bytes: &[u8]| match cbor::parse(bytes, cbor::Limits::TOKEN).unwrap() {
        Value::Tag(18, parts) => parts.into_array().unwrap(),
        other => panic!("{other:?}"),
    };
    let mut swapped = parts(&bytes);
    swapped[2] = parts(&clean)[2].clone();
    let swapped = cbor::encode(&Value::Tag(18, Box::new(Value::Array(swapped))));
    assert_only(
        &verify(&swapped, &key, at()).unwrap_err(),
        &rules::SIGNATURE,
    );
    // A JWT's signature over a CWT's payload has another structure.
    let payload = parts(&bytes)[2].as_bytes().unwrap().clone();
    let text = jws::sign(jose::Map::new(), &payload, &key).await.unwrap();
    let signature = jws::parse(&text, 1 << 20).unwrap();
    let mut borrowed = parts(&bytes);
    borrowed[3] = Value::Bytes(signature.signature().to_vec());
    let borrowed = cbor::encode(&Value::Tag(18, Box::new(Value::Array(borrowed))));
    assert_only(
        &verify(&borrowed, &key, at()).unwrap_err(),
        &rules::SIGNATURE,
    );
}

#[tokio::test]
async fn what_is_not_a_token_is_refused() {
    let key = TestKey::generate(Curve::P256);
    let good = token().sign_cwt(&[], &key).await.unwrap();
    let cwt_tagged = [&[0xd8, 61], good.as_slice()].concat();
    let mac0 = [&[0xd1], &good[1..]].concat();
    let trailing = [good.as_slice(), &[0]].concat();
    let deep = [0xd2; 100_000];
    for bytes in [
        &cwt_tagged,
        &mac0,
        &trailing,
        &good[1..],
        &good[..good.len() - 1],
        deep.as_slice(),
    ] {
        assert_only(&verify(bytes, &key, at()).unwrap_err(), &rules::FORMAT);
    }
    // A claim that stands twice, signed.
    let mut twice = claims();
    twice.push((2.into(), "https://status.example/wia/8".into()));
    let bytes = signed(twice, &key).await;
    assert_only(&verify(&bytes, &key, at()).unwrap_err(), &rules::FORMAT);
}

#[tokio::test]
async fn size_is_limited_before_and_after_decompression() {
    let key = TestKey::generate(Curve::P256);
    let bytes = token().sign_cwt(&[], &key).await.unwrap();
    let check = StatusListCheck::new(URI, Signer::public_key(&key), at());
    let small = Limits {
        token_bytes: bytes.len() - 1,
        ..Limits::default()
    };
    let refusal = UnverifiedStatusList::parse(&bytes, &small).unwrap_err();
    assert_only(&refusal, &rules::SIZE);
    let small = Limits {
        list_bytes: 2499,
        ..Limits::default()
    };
    let unverified = UnverifiedStatusList::parse(&bytes, &small).unwrap();
    assert_only(&unverified.verify(&check).unwrap_err(), &rules::LIST_SIZE);
}

#[tokio::test]
async fn an_expired_token_is_refused() {
    let key = TestKey::generate(Curve::P256);
    let bytes = token().sign_cwt(&[], &key).await.unwrap();
    let end = at() + SignedDuration::from_hours(12);
    assert!(verify(&bytes, &key, end - SignedDuration::from_secs(1)).is_ok());
    assert_only(&verify(&bytes, &key, end).unwrap_err(), &rules::EXPIRED);
}
