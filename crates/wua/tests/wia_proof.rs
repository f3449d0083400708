//! The proof of possession of a WIA, and every way of breaking one.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod common;

use claviger_fixtures::TestKey;
use common::*;
use finding::{Refusal, Rule};
use jiff::Timestamp;
use rstest::rstest;
use serde_json::{Value, json};
use wua::{
    ClientAttestationDraft, Limits, UnverifiedWia, UnverifiedWiaProof, VerifiedWia,
    VerifiedWiaProof, WiaCheck, WiaProof, WiaProofCheck, client_attestation_error, rules,
};

use ClientAttestationDraft::{Draft07, Draft10};

const SERVER: &str = "https://issuer.example";

struct World {
    instance: TestKey,
    wia: VerifiedWia,
}

impl World {
    async fn new() -> Self {
        let (signer, instance) = (key(), key());
        let token = wia(public(&instance))
            .sign(Draft10, &x5c(), &signer)
            .await
            .unwrap();
        let wia = UnverifiedWia::parse(&token, &Limits::default())
            .unwrap()
            .verify(&WiaCheck::new(public(&signer), at()))
            .unwrap();
        Self { instance, wia }
    }

    async fn proof(&self, draft: ClientAttestationDraft) -> String {
        let proof = WiaProof {
            client_id: "https://wallet.example".into(),
            audience: SERVER.into(),
            jti: "d25d00ab".into(),
            issued: at(),
            challenge: Some("c-1".into()),
        };
        proof.sign(draft, &self.instance).await.unwrap()
    }

    fn check(&self, at: Timestamp) -> WiaProofCheck<'_> {
        WiaProofCheck {
            challenge: Some("c-1"),
            ..WiaProofCheck::new(&self.wia, SERVER, at)
        }
    }

    fn verify(&self, token: &str) -> Result<VerifiedWiaProof, Refusal> {
        UnverifiedWiaProof::parse(token, &Limits::default())?.verify(&self.check(at()))
    }
}

#[tokio::test]
async fn a_proof_reads_back() {
    let world = World::new().await;
    let proof = world.verify(&world.proof(Draft10).await).unwrap();
    assert_eq!((proof.jti(), proof.issued()), ("d25d00ab", at()));
    assert_eq!(
        proof.usable_until(),
        at() + jiff::SignedDuration::from_mins(5)
    );
}

#[rstest]
#[case::aud_absent("aud", Value::Null, &rules::POP_AUD)]
#[case::aud_of_another("aud", json!("https://evil.example"), &rules::POP_AUD)]
#[case::aud_of_two("aud", json!([SERVER, "https://evil.example"]), &rules::POP_AUD)]
#[case::aud_with_slash("aud", json!("https://issuer.example/"), &rules::POP_AUD)]
#[case::jti_absent("jti", Value::Null, &rules::POP_JTI)]
#[case::jti_empty("jti", json!(""), &rules::POP_JTI)]
#[case::jti_long("jti", json!("j".repeat(257)), &rules::POP_JTI)]
#[case::iat_absent("iat", Value::Null, &rules::POP_IAT)]
#[case::iat_text("iat", json!("now"), &rules::POP_IAT)]
#[case::iat_old("iat", secs(-301), &rules::POP_WINDOW)]
#[case::iat_ahead("iat", secs(61), &rules::POP_WINDOW)]
#[case::nbf_ahead("nbf", secs(61), &rules::POP_NBF)]
#[case::challenge_absent("challenge", Value::Null, &rules::POP_CHALLENGE)]
#[case::challenge_of_another("challenge", json!("c-2"), &rules::POP_CHALLENGE)]
#[tokio::test]
async fn each_claim_broken_alone_names_its_rule(
    #[case] path: &str,
    #[case] value: Value,
    #[case] rule: &Rule,
) {
    let world = World::new().await;
    let (header, mut claims) = open(&world.proof(Draft10).await);
    set(&mut claims, path, value);
    let token = seal(&header, &claims, &world.instance).await;
    assert_only(&world.verify(&token).unwrap_err(), rule);
}

#[rstest]
#[case::aud_as_array_of_one("aud", json!([SERVER]))]
#[case::at_the_edge_of_the_window("iat", secs(-300))]
#[case::clock_a_minute_ahead("iat", secs(60))]
#[case::unknown_claim("htm", json!("POST"))]
#[tokio::test]
async fn what_is_just_allowed_is_accepted(#[case] path: &str, #[case] value: Value) {
    let world = World::new().await;
    let (header, mut claims) = open(&world.proof(Draft10).await);
    set(&mut claims, path, value);
    world
        .verify(&seal(&header, &claims, &world.instance).await)
        .unwrap();
}

#[tokio::test]
async fn draft_07_ties_iss_to_the_wias_sub() {
    let world = World::new().await;
    let verify = |token: &str| {
        let check = WiaProofCheck {
            draft: Draft07,
            ..world.check(at())
        };
        UnverifiedWiaProof::parse(token, &Limits::default())
            .unwrap()
            .verify(&check)
    };
    let token = world.proof(Draft07).await;
    verify(&token).unwrap();
    let absent = world.proof(Draft10).await;
    assert_only(&verify(&absent).unwrap_err(), &rules::POP_ISS);
    let (header, mut claims) = open(&token);
    claims["iss"] = json!("https://other.example");
    let other = seal(&header, &claims, &world.instance).await;
    assert_only(&verify(&other).unwrap_err(), &rules::POP_ISS);
}

#[tokio::test]
async fn a_proof_by_another_key_or_kind_is_refused() {
    let world = World::new().await;
    let token = world.proof(Draft10).await;
    let (mut header, claims) = open(&token);
    let stolen = seal(&header, &claims, &key()).await;
    assert_only(&world.verify(&stolen).unwrap_err(), &rules::POP_SIGNATURE);
    for alg in OTHER_ALGORITHMS {
        let refusal = world.verify(&with_alg(&token, alg)).unwrap_err();
        assert_only(&refusal, &rules::POP_ALG);
    }
    for typ in [
        "JWT",
        "dpop+jwt",
        "oauth-client-attestation+jwt",
        "openid4vci-proof+jwt",
    ] {
        header["typ"] = json!(typ);
        let other = seal(&header, &claims, &world.instance).await;
        assert_only(&world.verify(&other).unwrap_err(), &rules::POP_TYP);
    }
    header["typ"] = json!("oauth-client-attestation-pop+jwt");
    header["crit"] = json!(["x"]);
    let other = seal(&header, &claims, &world.instance).await;
    assert_only(&world.verify(&other).unwrap_err(), &rules::POP_CRIT);
    assert_only(&world.verify("no token").unwrap_err(), &rules::POP_FORMAT);
    let long = "a".repeat(Limits::default().wia_proof_bytes + 1);
    assert_only(&world.verify(&long).unwrap_err(), &rules::POP_SIZE);
}

#[tokio::test]
async fn a_replay_after_the_window_is_refused_by_its_age() {
    let world = World::new().await;
    let token = world.proof(Draft10).await;
    let proof = world.verify(&token).unwrap();
    let late = proof.usable_until() + jiff::SignedDuration::from_secs(1);
    let refusal = UnverifiedWiaProof::parse(&token, &Limits::default())
        .unwrap()
        .verify(&world.check(late))
        .unwrap_err();
    assert_only(&refusal, &rules::POP_WINDOW);
}

#[tokio::test]
async fn the_protocols_errors_follow_the_rules() {
    let world = World::new().await;
    let (header, mut claims) = open(&world.proof(Draft10).await);
    claims["challenge"] = json!("c-0");
    let token = seal(&header, &claims, &world.instance).await;
    let refusal = world.verify(&token).unwrap_err();
    assert_eq!(
        client_attestation_error(&refusal),
        "use_attestation_challenge"
    );
    let refusal = world.verify("no token").unwrap_err();
    assert_eq!(
        client_attestation_error(&refusal),
        "invalid_client_attestation"
    );
}
