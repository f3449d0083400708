//! COSE_Sign1 messages made here and read again, and every way of breaking one.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

use claviger_fixtures::TestKey;
use jose::cbor::{self, CborError, Value};
use jose::cose::{self, CoseError, Header, Unverified, Verified};
use jose::{Curve, Signer};
use rstest::rstest;

const MAX: usize = 64 * 1024;

fn header(x5chain: &[Vec<u8>]) -> Header<'_> {
    Header {
        typ: Some("application/example+cwt"),
        x5chain,
        kid: Some(b"12"),
    }
}

fn read(bytes: &[u8], key: &TestKey) -> Result<Verified, CoseError> {
    cose::parse(bytes, MAX)?.verify(Signer::public_key(key))
}

#[rstest]
#[case(Curve::P256, &[])]
#[case(Curve::P384, &[vec![0x30, 1]])]
#[case(Curve::P521, &[vec![0x30, 1], vec![0x30, 2]])]
#[tokio::test]
async fn a_signed_message_reads_back(#[case] curve: Curve, #[case] chain: &[Vec<u8>]) {
    let key = TestKey::generate(curve);
    let payload = cbor::encode(&Value::Map(vec![(2.into(), "subject".into())]));
    let bytes = cose::sign(header(chain), &payload, &key).await.unwrap();
    let message = read(&bytes, &key).unwrap();
    assert_eq!(message.alg(), curve.algorithm());
    assert_eq!(message.typ(), Some("application/example+cwt"));
    assert_eq!(message.kid(), Some(b"12".as_slice()));
    assert_eq!(message.x5chain().unwrap().unwrap_or_default(), chain);
    assert_eq!(message.payload(), payload);
    let claims = message.claims().unwrap();
    assert_eq!(cbor::get(&claims, 2), Some(&"subject".into()));

    let other = TestKey::generate(curve);
    assert_eq!(read(&bytes, &other), Err(CoseError::BadSignature));
}

#[tokio::test]
async fn every_bit_that_is_signed_counts() {
    let key = TestKey::generate(Curve::P256);
    let bytes = cose::sign(header(&[]), b"\xa0", &key).await.unwrap();
    for place in 0..bytes.len() {
        for bit in 0..8 {
            let mut altered = bytes.clone();
            altered[place] ^= 1 << bit;
            assert!(read(&altered, &key).is_err(), "byte {place}, bit {bit}");
        }
    }
    for len in 0..bytes.len() {
        assert!(read(&bytes[..len], &key).is_err(), "cut at {len}");
    }
}

/// A message of the given parts, which nobody signed.
fn message(protected: Vec<(Value, Value)>, unprotected: Vec<(Value, Value)>) -> Vec<u8> {
    let protected = Value::Bytes(cbor::encode(&Value::Map(protected)));
    let parts = vec![
        protected,
        Value::Map(unprotected),
        Value::Bytes(vec![0xa0]),
        Value::Bytes(vec![0; 64]),
    ];
    cbor::encode(&Value::Tag(18, Box::new(Value::Array(parts))))
}

fn parse(
    protected: Vec<(Value, Value)>,
    unprotected: Vec<(Value, Value)>,
) -> Result<Unverified, CoseError> {
    let alg = [(1.into(), (-7).into())];
    let protected = alg.into_iter().chain(protected).collect();
    cose::parse(&message(protected, unprotected), MAX)
}

#[test]
fn other_algorithms_and_unprotected_ones_are_refused() {
    // RS256, HS256, none's absence, ES256K, and ES256 by a name in text.
    let cases: [Value; 5] = [
        (-257).into(),
        5.into(),
        Value::Null,
        (-47).into(),
        "ES256".into(),
    ];
    for alg in cases {
        let refused = cose::parse(&message(vec![(1.into(), alg.clone())], vec![]), MAX);
        assert!(matches!(refused, Err(CoseError::Algorithm(_))), "{alg:?}");
    }
    let refused = cose::parse(&message(vec![], vec![(1.into(), (-7).into())]), MAX);
    assert_eq!(refused, Err(CoseError::Algorithm("absent".into())));
}

#[tokio::test]
async fn a_key_on_another_curve_is_refused() {
    let (key, wide) = (
        TestKey::generate(Curve::P256),
        TestKey::generate(Curve::P384),
    );
    let bytes = cose::sign(header(&[]), b"\xa0", &key).await.unwrap();
    assert!(matches!(
        read(&bytes, &wide),
        Err(CoseError::AlgorithmMismatch { .. })
    ));
}

#[test]
fn critical_parameters_are_understood_or_refused() {
    let crit = |labels: Value| (Value::from(2), labels);
    let array = |items: &[Value]| Value::Array(items.to_vec());
    assert!(parse(vec![crit(array(&[1.into()]))], vec![]).is_ok());
    let unknown = parse(
        vec![crit(array(&["x".into()])), ("x".into(), 1.into())],
        vec![],
    );
    assert_eq!(unknown, Err(CoseError::UnknownCrit("\"x\"".into())));
    for (protected, unprotected) in [
        (vec![crit(array(&[]))], vec![]),
        (vec![crit(1.into())], vec![]),
        (vec![crit(array(&["x".into()]))], vec![]),
        (vec![crit(array(&[Value::Null]))], vec![]),
        (vec![], vec![crit(array(&[1.into()]))]),
    ] {
        let refused = parse(protected, unprotected);
        assert!(
            matches!(refused, Err(CoseError::MalformedCrit(_))),
            "{refused:?}"
        );
    }
}

#[test]
fn a_label_stands_in_one_header_once() {
    let kid = |kid: &[u8]| (Value::from(4), Value::from(kid));
    let both = parse(vec![kid(b"a")], vec![kid(b"b")]);
    assert_eq!(both, Err(CoseError::Duplicate("4".into())));
    let twice = parse(vec![kid(b"a"), kid(b"a")], vec![]);
    assert!(matches!(
        twice,
        Err(CoseError::Protected(CborError::Duplicate(_)))
    ));
    let twice = parse(vec![], vec![kid(b"a"), kid(b"a")]);
    assert!(matches!(
        twice,
        Err(CoseError::Cbor(CborError::Duplicate(_)))
    ));
}

#[test]
fn a_chain_is_certificates_or_refused() {
    let chain = |value: Value| {
        parse(vec![(33.into(), value.clone())], vec![])
            .unwrap()
            .x5chain()
            .and_then(|protected| {
                let unprotected = parse(vec![], vec![(33.into(), value)]).unwrap().x5chain()?;
                assert_eq!(protected, unprotected);
                Ok(protected)
            })
    };
    let one = Value::Bytes(vec![0x30]);
    assert_eq!(chain(one.clone()), Ok(Some(vec![vec![0x30]])));
    assert_eq!(
        chain(Value::Array(vec![one.clone(), one.clone()])),
        Ok(Some(vec![vec![0x30]; 2]))
    );
    for bad in [
        Value::Array(vec![]),
        Value::Array(vec![one, "text".into()]),
        "text".into(),
        Value::Null,
    ] {
        assert_eq!(chain(bad), Err(CoseError::X5Chain));
    }
}

#[test]
fn what_is_not_a_tagged_sign1_is_refused() {
    let good = message(vec![(1.into(), (-7).into())], vec![]);
    assert!(cose::parse(&good, MAX).is_ok());
    // Untagged; COSE_Mac0's tag; the CWT tag around.
    let mac0 = [&[0xd1], &good[1..]].concat();
    let cwt = [&[0xd8, 61], good.as_slice()].concat();
    for bytes in [&good[1..], &mac0, &cwt, b"\xd2\x80", b"\xd2\x01", b"\x01"] {
        assert!(
            matches!(cose::parse(bytes, MAX), Err(CoseError::NotSign1(_))),
            "{bytes:02x?}"
        );
    }
    // A detached payload.
    let parts = vec![
        Value::Bytes(b"\xa1\x01\x26".to_vec()),
        Value::Map(vec![]),
        Value::Null,
        Value::Bytes(vec![0; 64]),
    ];
    let detached = cbor::encode(&Value::Tag(18, Box::new(Value::Array(parts))));
    assert_eq!(
        cose::parse(&detached, MAX),
        Err(CoseError::NotSign1("the payload is not inside"))
    );
    assert!(matches!(
        cose::parse(&good, good.len() - 1),
        Err(CoseError::Cbor(CborError::TooLarge { .. }))
    ));
}
