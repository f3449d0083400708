//! The KA, its two proof types, and every way of breaking them.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod common;

use claviger_fixtures::TestKey;
use common::*;
use finding::{Refusal, Rule, Severity};
use jiff::{SignedDuration, Timestamp};
use jose::{Curve, PublicKey};
use rstest::rstest;
use serde_json::{Value, json};
use wua::{
    AttackPotential, BuildError, KaCheck, KeyProof, KeyProofCheck, KeyProofProfile, Level, Limits,
    UnverifiedKa, UnverifiedKeyProof, VerifiedKa, VerifiedKeyProof, credential_error, rules,
};

use KeyProofProfile::{OpenId4VciFinal, Ts3};

const ISSUER: &str = "https://issuer.example";

struct World {
    signer: TestKey,
    keys: Vec<TestKey>,
}

impl World {
    fn new() -> Self {
        Self {
            signer: key(),
            keys: (0..3).map(|_| key()).collect(),
        }
    }

    fn publics(&self) -> Vec<PublicKey> {
        self.keys.iter().map(|k| public(k).clone()).collect()
    }

    async fn ka(&self) -> String {
        ka(self.publics()).sign(&x5c(), &self.signer).await.unwrap()
    }

    fn verify(&self, token: &str) -> Result<VerifiedKa, Refusal> {
        let check = KaCheck::new(public(&self.signer), at());
        UnverifiedKa::parse(token, &Limits::default())?.verify(&check)
    }

    async fn proof(&self, profile: KeyProofProfile) -> String {
        let mut ka = ka(self.publics());
        if profile == OpenId4VciFinal {
            ka.nonce = Some("n-1".into());
        }
        let proof = KeyProof {
            ka: ka.sign(&x5c(), &self.signer).await.unwrap(),
            audience: ISSUER.into(),
            issued: at(),
            nonce: Some("n-1".into()),
            client_id: Some("https://wallet.example".into()),
        };
        let first = &self.keys[0];
        proof.sign(profile, public(first), first).await.unwrap()
    }

    fn verify_proof(
        &self,
        token: &str,
        profile: KeyProofProfile,
    ) -> Result<VerifiedKeyProof, Refusal> {
        let check = KeyProofCheck {
            profile,
            client_id: Some("https://wallet.example"),
            ..KeyProofCheck::new(
                KaCheck::new(public(&self.signer), at()),
                ISSUER,
                Some("n-1"),
            )
        };
        UnverifiedKeyProof::parse(token, &Limits::default())?.verify(&check)
    }
}

#[tokio::test]
async fn a_ka_reads_back_and_its_claims_are_those_of_ts3() {
    let world = World::new();
    let token = world.ka().await;
    let read = world.verify(&token).unwrap();
    assert_eq!(read.claims(), &ka(world.publics()));
    assert_eq!(read.key_storage(), Some(AttackPotential::High));
    assert_eq!(read.user_authentication(), Some(AttackPotential::High));
    assert!(read.findings().is_empty());
    let (header, claims) = open(&token);
    assert_eq!(header["typ"], "key-attestation+jwt");
    let jwks: Vec<Value> = world.publics().iter().map(PublicKey::to_jwk).collect();
    assert_eq!(
        claims,
        json!({
            "iat": secs(0),
            "exp": secs(7 * DAY),
            "attested_keys": jwks,
            "key_storage": ["iso_18045_high"],
            "user_authentication": ["iso_18045_high"],
            "certification": "https://cab.example/wscd/9",
            "key_storage_status": {
                "status": {"status_list": {
                    "idx": 1337, "uri": "https://provider.example/status/42"}},
                "exp": secs(40 * DAY),
            },
        })
    );
}

#[tokio::test]
async fn a_ka_that_would_be_refused_is_not_made() {
    let world = World::new();
    let sound = ka(world.publics());
    let result = sound.sign(&[], &world.signer).await;
    assert!(matches!(result, Err(BuildError::Missing("x5c"))));
    let result = ka(vec![]).sign(&x5c(), &world.signer).await;
    assert!(matches!(result, Err(BuildError::Missing("attested_keys"))));
    let mut twice = sound.clone();
    twice.keys.push(twice.keys[1].clone());
    let result = twice.sign(&x5c(), &world.signer).await;
    assert!(matches!(result, Err(BuildError::RepeatedKey(3))));
    let mut backwards = sound.clone();
    backwards.expires = backwards.issued;
    let result = backwards.sign(&x5c(), &world.signer).await;
    assert!(matches!(result, Err(BuildError::Malformed("exp", _))));
    let mut vague = sound;
    vague.certification = "certified".into();
    let result = vague.sign(&x5c(), &world.signer).await;
    assert!(matches!(
        result,
        Err(BuildError::Malformed("certification", _))
    ));
}

#[rstest]
#[case::iat_absent("iat", Value::Null, &rules::KA_IAT)]
#[case::iat_text("iat", json!("now"), &rules::KA_IAT)]
#[case::iat_ahead("iat", secs(61), &rules::KA_IAT)]
#[case::nbf_ahead("nbf", secs(61), &rules::KA_NBF)]
#[case::exp_absent("exp", Value::Null, &rules::KA_EXP)]
#[case::exp_text("exp", json!("never"), &rules::KA_EXP)]
#[case::exp_before_iat("exp", secs(0), &rules::KA_EXP)]
#[case::keys_absent("attested_keys", Value::Null, &rules::KA_KEYS)]
#[case::keys_empty("attested_keys", json!([]), &rules::KA_KEYS)]
#[case::keys_object("attested_keys", json!({}), &rules::KA_KEYS)]
#[case::key_text("attested_keys", json!(["key"]), &rules::KA_KEY)]
#[case::key_rsa("attested_keys", json!([{"kty": "RSA", "n": "AQAB", "e": "AQAB"}]), &rules::KA_KEY)]
#[case::storage_empty("key_storage", json!([]), &rules::KA_STORAGE)]
#[case::storage_text("key_storage", json!("iso_18045_high"), &rules::KA_STORAGE)]
#[case::storage_number("key_storage", json!([5]), &rules::KA_STORAGE)]
#[case::user_empty("user_authentication", json!([]), &rules::KA_USER_AUTH)]
#[case::user_text("user_authentication", json!("iso_18045_high"), &rules::KA_USER_AUTH)]
#[case::certification_absent("certification", Value::Null, &rules::KA_CERTIFICATION)]
#[case::certification_text("certification", json!("yes"), &rules::KA_CERTIFICATION)]
#[case::status_absent("key_storage_status", Value::Null, &rules::KA_STATUS)]
#[case::status_without_reference("key_storage_status/status", Value::Null, &rules::KA_STATUS)]
#[case::status_index_text("key_storage_status/status/status_list/idx", json!("7"), &rules::KA_STATUS)]
#[case::status_without_exp("key_storage_status/exp", Value::Null, &rules::KA_STATUS_EXP)]
#[case::status_too_short("key_storage_status/exp", secs(31 * DAY - 1), &rules::KA_STATUS_PERIOD)]
#[tokio::test]
async fn each_claim_broken_alone_names_its_rule(
    #[case] path: &str,
    #[case] value: Value,
    #[case] rule: &Rule,
) {
    let world = World::new();
    let (header, mut claims) = open(&world.ka().await);
    set(&mut claims, path, value);
    let token = seal(&header, &claims, &world.signer).await;
    assert_only(&world.verify(&token).unwrap_err(), rule);
}

#[rstest]
#[case::typ_absent("typ", Value::Null, &rules::KA_TYP)]
#[case::typ_older("typ", json!("keyattestation+jwt"), &rules::KA_TYP)]
#[case::typ_of_a_wia("typ", json!("oauth-client-attestation+jwt"), &rules::KA_TYP)]
#[case::x5c_absent("x5c", Value::Null, &rules::KA_X5C)]
#[case::x5c_many("x5c", json!(vec!["bGVhZg=="; 9]), &rules::KA_X5C)]
#[case::crit("crit", json!([]), &rules::KA_CRIT)]
#[tokio::test]
async fn each_header_broken_alone_names_its_rule(
    #[case] name: &str,
    #[case] value: Value,
    #[case] rule: &Rule,
) {
    let world = World::new();
    let (mut header, claims) = open(&world.ka().await);
    set(&mut header, name, value);
    let token = seal(&header, &claims, &world.signer).await;
    assert_only(&world.verify(&token).unwrap_err(), rule);
}

#[tokio::test]
async fn keys_are_public_and_stand_once() {
    let world = World::new();
    let (header, claims) = open(&world.ka().await);
    let mut twice = claims.clone();
    twice["attested_keys"][2] = claims["attested_keys"][0].clone();
    twice["attested_keys"][2]["kid"] = json!("under another name");
    let token = seal(&header, &twice, &world.signer).await;
    assert_only(&world.verify(&token).unwrap_err(), &rules::KA_KEY_REPEATED);
    let mut private = claims;
    private["attested_keys"][1]["d"] = json!("AAAA");
    let token = seal(&header, &private, &world.signer).await;
    assert_only(&world.verify(&token).unwrap_err(), &rules::KA_KEY_PRIVATE);
}

#[tokio::test]
async fn a_thousand_keys_are_refused_unless_asked_for() {
    let world = World::new();
    let many: Vec<PublicKey> = (0..1000).map(|_| public(&key()).clone()).collect();
    let token = ka(many).sign(&x5c(), &world.signer).await.unwrap();
    assert_only(&world.verify(&token).unwrap_err(), &rules::KA_SIZE);
    let check = KaCheck::new(public(&world.signer), at());
    let mut limits = Limits {
        ka_bytes: 1024 * 1024,
        ..Limits::default()
    };
    let refusal = UnverifiedKa::parse(&token, &limits)
        .unwrap()
        .verify(&check)
        .unwrap_err();
    assert_only(&refusal, &rules::KA_KEYS_MANY);
    limits.attested_keys = 1000;
    let read = UnverifiedKa::parse(&token, &limits)
        .unwrap()
        .verify(&check)
        .unwrap();
    assert_eq!(read.claims().keys.len(), 1000);
}

#[tokio::test]
async fn levels_left_out_or_foreign_earn_nothing_and_are_reported() {
    let world = World::new();
    let mut made = ka(world.publics());
    made.key_storage = vec![];
    made.user_authentication = vec![Level::from("https://levels.example/best")];
    let token = made.sign(&x5c(), &world.signer).await.unwrap();
    assert!(open(&token).1.get("key_storage").is_none());
    let read = world.verify(&token).unwrap();
    assert_eq!(
        (read.key_storage(), read.user_authentication()),
        (None, None)
    );
    let [warning] = read.findings() else {
        panic!("one warning")
    };
    assert!(warning.is(&rules::KA_LEVEL_ABSENT));
    assert_eq!(warning.severity, Severity::Warning);
}

#[tokio::test]
async fn forged_altered_and_expired_kas_are_refused() {
    let world = World::new();
    let token = world.ka().await;
    let (header, mut claims) = open(&token);
    let forged = seal(&header, &claims, &key()).await;
    assert_only(&world.verify(&forged).unwrap_err(), &rules::KA_SIGNATURE);
    claims["attested_keys"][0] = public(&key()).to_jwk();
    let parts: Vec<&str> = token.split('.').collect();
    let altered = jose::b64::encode(claims.to_string());
    let altered = format!("{}.{altered}.{}", parts[0], parts[2]);
    assert_only(&world.verify(&altered).unwrap_err(), &rules::KA_SIGNATURE);
    for alg in OTHER_ALGORITHMS {
        let refusal = world.verify(&with_alg(&token, alg)).unwrap_err();
        assert_only(&refusal, &rules::KA_ALG);
    }
    let check = |at: Timestamp| {
        let check = KaCheck::new(public(&world.signer), at);
        UnverifiedKa::parse(&token, &Limits::default())
            .unwrap()
            .verify(&check)
    };
    let end = at() + hours(7 * 24);
    assert!(check(end - SignedDuration::from_secs(1)).is_ok());
    assert_only(&check(end).unwrap_err(), &rules::KA_EXPIRED);
    assert_only(&world.verify("x").unwrap_err(), &rules::KA_FORMAT);
    let (header, claims) = open(&token);
    let twice = claims
        .to_string()
        .replacen('{', r#"{"attested_keys":[],"#, 1);
    let twice = seal_text(&header, &twice, &world.signer).await;
    assert_only(&world.verify(&twice).unwrap_err(), &rules::KA_FORMAT);
}

#[tokio::test]
async fn an_attestation_proof_is_one_ka_with_the_nonce() {
    let world = World::new();
    let mut made = ka(world.publics());
    made.nonce = Some("n-1".into());
    let token = made.sign(&x5c(), &world.signer).await.unwrap();
    let bare = world.ka().await;
    let limits = Limits::default();
    let verify = |token: &str, nonce| {
        let check = KaCheck {
            nonce: Some(nonce),
            ..KaCheck::new(public(&world.signer), at())
        };
        UnverifiedKa::parse_attestation_proof(&[token], &limits)
            .unwrap()
            .verify(&check)
    };
    assert_eq!(
        verify(&token, "n-1").unwrap().claims().nonce.as_deref(),
        Some("n-1")
    );
    for (token, nonce) in [(&token, "n-2"), (&bare, "n-1")] {
        let refusal = verify(token, nonce).unwrap_err();
        assert_only(&refusal, &rules::KA_NONCE);
        assert_eq!(credential_error(&refusal), "invalid_nonce");
    }
    for proofs in [vec![], vec![token.clone(), token.clone()]] {
        let refusal = UnverifiedKa::parse_attestation_proof(&proofs, &limits).unwrap_err();
        assert_only(&refusal, &rules::PROOF_ONE);
        let refusal = UnverifiedKeyProof::parse_jwt_proofs(&proofs, &limits).unwrap_err();
        assert_only(&refusal, &rules::PROOF_ONE);
    }
}

#[rstest]
#[case(Ts3)]
#[case(OpenId4VciFinal)]
#[tokio::test]
async fn a_jwt_proof_reads_back_in_its_own_profile(#[case] profile: KeyProofProfile) {
    let world = World::new();
    let proof = world
        .verify_proof(&world.proof(profile).await, profile)
        .unwrap();
    assert_eq!((proof.key_index(), proof.nonce()), (0, Some("n-1")));
    assert_eq!(proof.issued(), at());
    assert_eq!(proof.into_ka().claims().keys, world.publics());
}

#[rstest]
#[case::aud_absent("aud", Value::Null, &rules::PROOF_AUD)]
#[case::aud_of_another("aud", json!("https://evil.example"), &rules::PROOF_AUD)]
#[case::iss_of_another("iss", json!("https://other.example"), &rules::PROOF_ISS)]
#[case::iat_absent("iat", Value::Null, &rules::PROOF_IAT)]
#[case::iat_old("iat", secs(-301), &rules::PROOF_WINDOW)]
#[case::iat_ahead("iat", secs(61), &rules::PROOF_WINDOW)]
#[case::nonce_absent("nonce", Value::Null, &rules::PROOF_NONCE)]
#[case::nonce_of_another("nonce", json!("n-2"), &rules::PROOF_NONCE)]
#[tokio::test]
async fn each_claim_of_a_proof_broken_alone_names_its_rule(
    #[case] path: &str,
    #[case] value: Value,
    #[case] rule: &Rule,
) {
    let world = World::new();
    let (header, mut claims) = open(&world.proof(Ts3).await);
    set(&mut claims, path, value);
    let token = seal(&header, &claims, &world.keys[0]).await;
    assert_only(&world.verify_proof(&token, Ts3).unwrap_err(), rule);
}

#[tokio::test]
async fn only_the_key_at_index_0_proves_under_ts3() {
    let world = World::new();
    let (mut header, claims) = open(&world.proof(Ts3).await);
    // Another attested key, and one that is not attested at all.
    for key in [&world.keys[1], &key()] {
        let token = seal(&header, &claims, key).await;
        let refusal = world.verify_proof(&token, Ts3).unwrap_err();
        assert_only(&refusal, &rules::PROOF_SIGNATURE);
        assert_eq!(credential_error(&refusal), "invalid_proof");
    }
    // A header that names another key does not choose it; `kid` says nothing.
    header["jwk"] = public(&world.keys[1]).to_jwk();
    let token = seal(&header, &claims, &world.keys[1]).await;
    assert_only(
        &world.verify_proof(&token, Ts3).unwrap_err(),
        &rules::PROOF_KEY,
    );
    header["jwk"] = public(&world.keys[0]).to_jwk();
    header["kid"] = json!("1");
    let token = seal(&header, &claims, &world.keys[0]).await;
    assert!(world.verify_proof(&token, Ts3).is_ok());
    header["jwk"]["d"] = json!("AAAA");
    let token = seal(&header, &claims, &world.keys[0]).await;
    assert_only(
        &world.verify_proof(&token, Ts3).unwrap_err(),
        &rules::PROOF_KEY,
    );
}

#[tokio::test]
async fn openid4vci_by_the_letter_finds_the_key_in_the_header() {
    let world = World::new();
    let (sound, claims) = open(&world.proof(OpenId4VciFinal).await);
    let jwk = |i: usize| public(&world.keys[i]).to_jwk();
    let thumbprint = public(&world.keys[2]).thumbprint_b64();
    let cases = [
        (json!({"kid": "1"}), 1, None),
        (json!({"kid": thumbprint}), 2, None),
        (json!({"jwk": jwk(2)}), 2, None),
        (json!({"kid": "1"}), 0, Some(&rules::PROOF_SIGNATURE)),
        (json!({"kid": "3"}), 0, Some(&rules::PROOF_KEY)),
        (json!({"kid": "did:key:x"}), 0, Some(&rules::PROOF_KEY)),
        (json!({"kid": 0}), 0, Some(&rules::PROOF_KEY)),
        (
            json!({"jwk": public(&key()).to_jwk()}),
            0,
            Some(&rules::PROOF_KEY),
        ),
        (
            json!({"kid": "0", "jwk": jwk(0)}),
            0,
            Some(&rules::PROOF_KEY),
        ),
        (json!({"x5c": ["bGVhZg=="]}), 0, Some(&rules::PROOF_KEY)),
        (json!({}), 0, Some(&rules::PROOF_KEY)),
    ];
    for (named, signs, refused) in cases {
        let mut header = sound.clone();
        set(&mut header, "kid", Value::Null);
        for (name, value) in named.as_object().unwrap() {
            header[name] = value.clone();
        }
        let token = seal(&header, &claims, &world.keys[signs]).await;
        match (world.verify_proof(&token, OpenId4VciFinal), refused) {
            (Ok(proof), None) => assert_eq!(proof.key_index(), signs, "{named}"),
            (Err(refusal), Some(rule)) => assert_only(&refusal, rule),
            (result, _) => panic!("{named}: {result:?}"),
        }
    }
    // TS3's own form lacks the nonce in the KA, and names no key.
    let (mut header, claims) = open(&world.proof(Ts3).await);
    header["kid"] = json!("0");
    let token = seal(&header, &claims, &world.keys[0]).await;
    let refusal = world.verify_proof(&token, OpenId4VciFinal).unwrap_err();
    assert_only(&refusal, &rules::PROOF_KA_NONCE);
}

#[tokio::test]
async fn a_proof_without_a_sound_ka_or_type_is_refused() {
    let world = World::new();
    let token = world.proof(Ts3).await;
    let (header, claims) = open(&token);
    let forged = seal(
        &json!({"typ": "key-attestation+jwt", "x5c": ["bGVhZg=="]}),
        &open(&world.ka().await).1,
        &key(),
    )
    .await;
    let cases = [
        (
            "key_attestation",
            Value::Null,
            &rules::PROOF_KEY_ATTESTATION,
        ),
        ("key_attestation", json!(1), &rules::PROOF_KEY_ATTESTATION),
        ("key_attestation", json!("a.b.c"), &rules::KA_FORMAT),
        ("key_attestation", json!(forged), &rules::KA_SIGNATURE),
        ("typ", json!("JWT"), &rules::PROOF_TYP),
        ("typ", json!("key-attestation+jwt"), &rules::PROOF_TYP),
        ("crit", json!(["key_attestation"]), &rules::PROOF_CRIT),
    ];
    for (name, value, rule) in cases {
        let mut header = header.clone();
        set(&mut header, name, value);
        let token = seal(&header, &claims, &world.keys[0]).await;
        assert_only(&world.verify_proof(&token, Ts3).unwrap_err(), rule);
    }
    for alg in OTHER_ALGORITHMS {
        let refusal = world.verify_proof(&with_alg(&token, alg), Ts3).unwrap_err();
        assert_only(&refusal, &rules::PROOF_ALG);
    }
    assert_only(
        &world.verify_proof("x", Ts3).unwrap_err(),
        &rules::PROOF_FORMAT,
    );
    let long = "a".repeat(1024 * 1024);
    assert_only(
        &world.verify_proof(&long, Ts3).unwrap_err(),
        &rules::PROOF_SIZE,
    );
}

#[tokio::test]
async fn keys_of_every_curve_prove() {
    for curve in [Curve::P256, Curve::P384, Curve::P521] {
        let mut world = World::new();
        world.keys = vec![TestKey::generate(curve)];
        world.signer = TestKey::generate(curve);
        let token = world.proof(Ts3).await;
        assert!(world.verify_proof(&token, Ts3).is_ok(), "{curve:?}");
    }
}

#[tokio::test]
async fn a_proof_is_not_made_with_a_key_it_does_not_name() {
    let world = World::new();
    let proof = KeyProof {
        ka: world.ka().await,
        audience: ISSUER.into(),
        issued: at(),
        nonce: None,
        client_id: None,
    };
    let result = proof
        .sign(Ts3, public(&world.keys[0]), &world.keys[1])
        .await;
    assert!(matches!(result, Err(BuildError::WrongKey)));
}
