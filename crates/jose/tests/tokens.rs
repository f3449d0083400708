//! JWS, JWE and keys, and what an attacker would try with them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use claviger_fixtures::TestKey;
use jose::jwe::{self, JweError};
use jose::jws::{self, Accept, JwsError};
use jose::{Algorithm, Curve, HashAlg, KeyAgreement, KeyError, Map, PublicKey, Signer, b64};
use rstest::rstest;
use serde_json::json;
use zeroize::Zeroizing;

fn header(value: serde_json::Value) -> Map {
    value.as_object().unwrap().clone()
}

async fn token(key: &TestKey) -> String {
    jws::sign(header(json!({"typ": "t"})), br#"{"a":1}"#, key)
        .await
        .unwrap()
}

#[rstest]
#[case(Curve::P256, Algorithm::Es256)]
#[case(Curve::P384, Algorithm::Es384)]
#[case(Curve::P521, Algorithm::Es512)]
#[tokio::test]
async fn signs_and_verifies(#[case] curve: Curve, #[case] algorithm: Algorithm) {
    let key = TestKey::generate(curve);
    let read = jws::parse(&token(&key).await, 4096).unwrap();
    assert_eq!((read.alg(), read.typ()), (algorithm, Some("t")));
    let verified = read.verify(Signer::public_key(&key)).unwrap();
    assert_eq!(verified.claims().unwrap()["a"], 1);
}

#[tokio::test]
async fn every_flipped_bit_of_a_token_is_refused() {
    let key = TestKey::generate(Curve::P256);
    let text = token(&key).await;
    for position in 0..text.len() {
        let mut bytes = text.clone().into_bytes();
        bytes[position] ^= 1;
        let Ok(changed) = String::from_utf8(bytes) else {
            continue;
        };
        let accepted = jws::parse(&changed, 4096)
            .ok()
            .and_then(|read| read.verify(Signer::public_key(&key)).ok());
        assert!(accepted.is_none(), "bit flipped at {position}");
    }
}

#[tokio::test]
async fn every_truncation_is_refused() {
    let key = TestKey::generate(Curve::P256);
    let text = token(&key).await;
    for len in 0..text.len() {
        let accepted = jws::parse(&text[..len], 4096)
            .ok()
            .and_then(|read| read.verify(Signer::public_key(&key)).ok());
        assert!(accepted.is_none(), "cut at {len}");
    }
}

#[tokio::test]
async fn another_key_and_another_curve_are_refused() {
    let key = TestKey::generate(Curve::P256);
    let text = token(&key).await;
    let stranger = TestKey::generate(Curve::P256);
    assert_eq!(
        jws::parse(&text, 4096)
            .unwrap()
            .verify(Signer::public_key(&stranger))
            .unwrap_err(),
        JwsError::BadSignature
    );
    let larger = TestKey::generate(Curve::P384);
    assert_eq!(
        jws::parse(&text, 4096)
            .unwrap()
            .verify(Signer::public_key(&larger))
            .unwrap_err(),
        JwsError::AlgorithmMismatch {
            header: Algorithm::Es256,
            key: Algorithm::Es384
        }
    );
}

#[rstest]
#[case(r#"{"alg":"none"}"#, JwsError::Algorithm("none".into()))]
#[case(r#"{"alg":"HS256"}"#, JwsError::Algorithm("HS256".into()))]
#[case(r#"{"alg":"RS256"}"#, JwsError::Algorithm("RS256".into()))]
#[case(r#"{}"#, JwsError::Algorithm("".into()))]
#[case(
    r#"{"alg":"ES256","crit":[]}"#,
    JwsError::MalformedCrit("not a non-empty array")
)]
#[case(
    r#"{"alg":"ES256","crit":"x"}"#,
    JwsError::MalformedCrit("not a non-empty array")
)]
#[case(
    r#"{"alg":"ES256","crit":["alg"]}"#,
    JwsError::MalformedCrit("a name of RFC 7515 itself")
)]
#[case(
    r#"{"alg":"ES256","crit":["x"]}"#,
    JwsError::MalformedCrit("a name is not in the header")
)]
#[case(
    r#"{"alg":"ES256","sigT":1,"crit":["sigT","sigT"]}"#,
    JwsError::MalformedCrit("a name stands twice")
)]
#[case(r#"{"alg":"ES256","x":1,"crit":["x"]}"#, JwsError::UnknownCrit("x".into()))]
fn refuses_headers(#[case] header: &str, #[case] expected: JwsError) {
    let text = format!("{}.e30.AAAA", b64::encode(header));
    let accept = Accept {
        max_bytes: 4096,
        understood: &["sigT"],
    };
    assert_eq!(jws::parse_accepting(&text, accept), Err(expected));
}

#[rstest]
#[case("", JwsError::NotCompact)]
#[case("a.b", JwsError::NotCompact)]
#[case("a.b.c.d", JwsError::NotCompact)]
#[case("e30.e30.=", JwsError::Algorithm("".into()))]
#[case("!.e30.", JwsError::NotBase64 { part: "header" })]
fn refuses_texts(#[case] text: &str, #[case] expected: JwsError) {
    assert_eq!(jws::parse(text, 4096), Err(expected));
}

#[test]
fn size_is_checked_first() {
    let text = "x".repeat(100);
    assert_eq!(
        jws::parse(&text, 99),
        Err(JwsError::TooLarge { len: 100, max: 99 })
    );
}

#[test]
fn duplicate_header_members_are_refused() {
    let text = format!("{}.e30.", b64::encode(r#"{"alg":"ES256","alg":"ES256"}"#));
    assert!(matches!(
        jws::parse(&text, 4096),
        Err(JwsError::Header(jose::json::JsonError::Duplicate(name))) if name == "alg"
    ));
}

#[rstest]
#[case(json!({"kty":"RSA"}), KeyError::NotEc("RSA".into()))]
#[case(json!({"kty":"EC","crv":"P-255","x":"","y":""}), KeyError::UnknownCurve("P-255".into()))]
#[case(json!({"kty":"EC","crv":"P-256","y":""}), KeyError::Member("x"))]
#[case(json!({"kty":"EC","crv":"P-256","d":"AA"}), KeyError::Private)]
fn refuses_jwks(#[case] jwk: serde_json::Value, #[case] expected: KeyError) {
    assert_eq!(PublicKey::from_jwk(&jwk), Err(expected));
}

#[test]
fn a_point_off_the_curve_is_refused() {
    let key = TestKey::generate(Curve::P256);
    let mut point = Signer::public_key(&key).point().to_vec();
    point[40] ^= 1;
    assert_eq!(
        PublicKey::from_point(Curve::P256, &point),
        Err(KeyError::NotOnCurve(Curve::P256))
    );
}

#[rstest]
#[case(Curve::P256)]
#[case(Curve::P384)]
#[case(Curve::P521)]
#[tokio::test]
async fn keys_survive_both_forms_and_der_signatures(#[case] curve: Curve) {
    let key = TestKey::generate(curve);
    let public = Signer::public_key(&key);
    assert_eq!(&PublicKey::from_jwk(&public.to_jwk()).unwrap(), public);
    let spki = public.to_spki_der();
    assert_eq!(&PublicKey::from_spki_der(&spki).unwrap(), public);
    assert_eq!(
        PublicKey::from_spki_der(&spki[..spki.len() - 1]),
        Err(KeyError::NotOnCurve(curve))
    );

    let signature = key.sign(b"message").await.unwrap();
    let der = jose::ecdsa_to_der(&signature).unwrap();
    assert_eq!(jose::ecdsa_from_der(&der, curve).unwrap(), signature);
    let hash = curve.algorithm().hash();
    public.verify_der(hash, b"message", &der).unwrap();
    assert!(public.verify_der(hash, b"massage", &der).is_err());
}

#[tokio::test]
async fn p256_with_sha512_is_not_a_pair_we_verify() {
    let key = TestKey::generate(Curve::P256);
    let public = Signer::public_key(&key);
    let der = jose::ecdsa_to_der(&key.sign(b"message").await.unwrap()).unwrap();
    public
        .verify_der(HashAlg::Sha256, b"message", &der)
        .unwrap();
    assert!(
        public
            .verify_der(HashAlg::Sha512, b"message", &der)
            .is_err()
    );
}

#[test]
fn the_thumbprint_does_not_depend_on_the_order_of_members() {
    // The key of RFC 7515, A.3.
    let x = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU";
    let y = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0";
    let one = PublicKey::from_jwk(&json!({"kty":"EC","crv":"P-256","x":x,"y":y})).unwrap();
    let other =
        PublicKey::from_jwk(&json!({"use":"sig","y":y,"x":x,"crv":"P-256","kty":"EC"})).unwrap();
    assert_eq!(one.thumbprint_b64(), other.thumbprint_b64());
    let canonical = format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#);
    assert_eq!(one.thumbprint(), jose::sha256(canonical.as_bytes()));
}

#[test]
fn the_signature_of_rfc_7515_verifies() {
    // RFC 7515, A.3.
    let key = PublicKey::from_jwk(&json!({"kty":"EC","crv":"P-256",
        "x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
        "y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}))
    .unwrap();
    let text = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
    let verified = jws::parse(text, 4096).unwrap().verify(&key).unwrap();
    assert_eq!(verified.claims().unwrap()["iss"], "joe");
}

#[tokio::test]
async fn jwe_opens_for_its_recipient_alone() {
    let recipient = TestKey::generate(Curve::P256);
    let public = KeyAgreement::public_key(&recipient);
    let text = jwe::encrypt_to(header(json!({"typ": "x"})), b"a", b"b", b"secret", public).unwrap();
    let sealed = jwe::parse(&text, 4096).unwrap();
    assert_eq!(sealed.member("typ"), Some("x"));
    assert_eq!(
        sealed.open_with(&recipient).await.unwrap().as_slice(),
        b"secret"
    );
    let stranger = TestKey::generate(Curve::P256);
    assert!(matches!(
        sealed.open_with(&stranger).await,
        Err(JweError::NotAuthentic)
    ));
    let larger = TestKey::generate(Curve::P384);
    assert!(matches!(
        sealed.open_with(&larger).await,
        Err(JweError::Unsupported("epk"))
    ));
}

#[tokio::test]
async fn every_changed_character_of_a_jwe_is_refused() {
    let key = Zeroizing::new([7; 32]);
    let text = jwe::encrypt_direct(header(json!({"kid": "s"})), b"content", &key).unwrap();
    assert_eq!(
        jwe::parse(&text, 4096)
            .unwrap()
            .open_direct(&key)
            .unwrap()
            .as_slice(),
        b"content"
    );
    for position in 0..text.len() {
        let mut bytes = text.clone().into_bytes();
        bytes[position] ^= 1;
        let Ok(changed) = String::from_utf8(bytes) else {
            continue;
        };
        let opened = jwe::parse(&changed, 4096)
            .ok()
            .and_then(|sealed| sealed.open_direct(&key).ok());
        assert!(opened.is_none(), "changed at {position}");
    }
}

#[tokio::test]
async fn one_kind_of_jwe_is_not_opened_as_the_other() {
    let recipient = TestKey::generate(Curve::P256);
    let public = KeyAgreement::public_key(&recipient);
    let to_key = jwe::encrypt_to(Map::new(), b"", b"", b"x", public).unwrap();
    let shared = Zeroizing::new([1; 32]);
    assert!(matches!(
        jwe::parse(&to_key, 4096).unwrap().open_direct(&shared),
        Err(JweError::Unsupported("alg"))
    ));
    let direct = jwe::encrypt_direct(Map::new(), b"x", &shared).unwrap();
    assert!(matches!(
        jwe::parse(&direct, 4096)
            .unwrap()
            .open_with(&recipient)
            .await,
        Err(JweError::Unsupported("alg"))
    ));
}
