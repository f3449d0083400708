//! The WIA: made here and read again, and every way of breaking one.
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
use jiff::Timestamp;
use jose::Curve;
use rstest::rstest;
use serde_json::{Value, json};
use wua::{
    BuildError, ClientAttestationDraft, Limits, UnverifiedWia, VerifiedWia, WiaCheck,
    client_attestation_error, rules,
};

use ClientAttestationDraft::{Draft07, Draft10};

fn verify_at(token: &str, signer: &TestKey, at: Timestamp) -> Result<VerifiedWia, Refusal> {
    let check = WiaCheck::new(public(signer), at);
    UnverifiedWia::parse(token, &Limits::default())?.verify(&check)
}

fn verify(token: &str, signer: &TestKey) -> Result<VerifiedWia, Refusal> {
    verify_at(token, signer, at())
}

#[rstest]
#[case(Curve::P256)]
#[case(Curve::P384)]
#[case(Curve::P521)]
#[tokio::test]
async fn a_wia_reads_back(#[case] curve: Curve) {
    let (signer, instance) = (TestKey::generate(curve), TestKey::generate(curve));
    let mut made = wia(public(&instance));
    let token = made.sign(Draft10, &x5c(), &signer).await.unwrap();
    let unverified = UnverifiedWia::parse(&token, &Limits::default()).unwrap();
    assert_eq!(unverified.x5c(), x5c());
    let read = verify(&token, &signer).unwrap();
    made.issuer = None;
    assert_eq!(read.claims(), &made);
    assert!(read.findings().is_empty());
}

#[tokio::test]
async fn the_claims_are_those_of_ts3() {
    let (signer, instance) = (key(), key());
    let made = wia(public(&instance));
    let (header, claims) = open(&made.sign(Draft10, &x5c(), &signer).await.unwrap());
    assert_eq!(header["typ"], "oauth-client-attestation+jwt");
    assert_eq!(header["alg"], "ES256");
    assert_eq!(header["x5c"], json!(["bGVhZg=="]));
    assert_eq!(
        claims,
        json!({
            "sub": "https://wallet.example",
            "iat": secs(0),
            "exp": secs(23 * 3600),
            "cnf": {"jwk": public(&instance).to_jwk()},
            "wallet_name": "Example Wallet",
            "wallet_version": "1.4.0",
            "wallet_link": "https://wallet.example/about",
            "wallet_solution_certification_information": "https://cab.example/certificates/17",
            "client_status": {
                "status": {"status_list": {
                    "idx": 1337, "uri": "https://provider.example/status/42"}},
                "exp": secs(40 * DAY),
            },
        })
    );
    let (_, claims) = open(&made.sign(Draft07, &x5c(), &signer).await.unwrap());
    assert_eq!(claims["iss"], "https://provider.example");
}

#[tokio::test]
async fn a_wia_that_would_be_refused_is_not_made() {
    let (signer, instance) = (key(), key());
    let sound = wia(public(&instance));
    let missing = |result: Result<String, BuildError>, what: &str| match result {
        Err(BuildError::Missing(name)) => assert_eq!(name, what),
        other => panic!("{other:?}"),
    };
    missing(sound.sign(Draft10, &[], &signer).await, "x5c");
    let mut wia = sound.clone();
    wia.issuer = None;
    missing(wia.sign(Draft07, &x5c(), &signer).await, "iss");
    let mut wia = sound.clone();
    wia.client_id = String::new();
    missing(wia.sign(Draft10, &x5c(), &signer).await, "sub");
    let mut wia = sound.clone();
    wia.certification = Value::Null;
    let name = "wallet_solution_certification_information";
    missing(wia.sign(Draft10, &x5c(), &signer).await, name);
    let mut wia = sound;
    wia.wallet_link = Some("about".into());
    let result = wia.sign(Draft10, &x5c(), &signer).await;
    assert!(matches!(
        result,
        Err(BuildError::Malformed("wallet_link", _))
    ));
}

#[rstest]
#[case::sub_absent("sub", Value::Null, &rules::WIA_SUB)]
#[case::sub_empty("sub", json!(""), &rules::WIA_SUB)]
#[case::sub_number("sub", json!(1), &rules::WIA_SUB)]
#[case::iat_text("iat", json!("now"), &rules::WIA_IAT)]
#[case::iat_ahead("iat", secs(61), &rules::WIA_IAT)]
#[case::nbf_ahead("nbf", secs(3600), &rules::WIA_NBF)]
#[case::exp_absent("exp", Value::Null, &rules::WIA_EXP)]
#[case::exp_text("exp", json!("never"), &rules::WIA_EXP)]
#[case::exp_passed("exp", secs(-1), &rules::WIA_EXPIRED)]
#[case::exp_now("exp", secs(0), &rules::WIA_EXPIRED)]
#[case::exp_too_far("exp", secs(DAY + 60), &rules::WIA_LIFETIME)]
#[case::exp_forever("exp", secs(3650 * DAY), &rules::WIA_LIFETIME)]
#[case::cnf_absent("cnf", Value::Null, &rules::WIA_CNF)]
#[case::cnf_empty("cnf", json!({}), &rules::WIA_CNF)]
#[case::cnf_kid_only("cnf", json!({"kid": "1"}), &rules::WIA_CNF)]
#[case::cnf_symmetric("cnf/jwk", json!({"kty": "oct", "k": "AAAA"}), &rules::WIA_CNF)]
#[case::cnf_other_curve("cnf/jwk/crv", json!("secp256k1"), &rules::WIA_CNF)]
#[case::cnf_off_curve("cnf/jwk/x", json!("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"), &rules::WIA_CNF)]
#[case::cnf_private("cnf/jwk/d", json!("AAAA"), &rules::WIA_CNF_PRIVATE)]
#[case::name_absent("wallet_name", Value::Null, &rules::WIA_WALLET_NAME)]
#[case::name_empty("wallet_name", json!(""), &rules::WIA_WALLET_NAME)]
#[case::version_absent("wallet_version", Value::Null, &rules::WIA_WALLET_VERSION)]
#[case::version_number("wallet_version", json!(1.4), &rules::WIA_WALLET_VERSION)]
#[case::link_relative("wallet_link", json!("about"), &rules::WIA_WALLET_LINK)]
#[case::certification_absent("wallet_solution_certification_information", Value::Null, &rules::WIA_CERTIFICATION)]
#[case::certification_empty("wallet_solution_certification_information", json!({}), &rules::WIA_CERTIFICATION)]
#[case::status_absent("client_status", Value::Null, &rules::WIA_STATUS)]
#[case::status_text("client_status", json!("valid"), &rules::WIA_STATUS)]
#[case::status_without_reference("client_status/status", Value::Null, &rules::WIA_STATUS)]
#[case::status_without_index("client_status/status/status_list/idx", Value::Null, &rules::WIA_STATUS)]
#[case::status_negative_index("client_status/status/status_list/idx", json!(-1), &rules::WIA_STATUS)]
#[case::status_without_uri("client_status/status/status_list/uri", Value::Null, &rules::WIA_STATUS)]
#[case::status_relative_uri("client_status/status/status_list/uri", json!("42"), &rules::WIA_STATUS)]
#[case::status_without_exp("client_status/exp", Value::Null, &rules::WIA_STATUS_EXP)]
#[case::status_exp_text("client_status/exp", json!("later"), &rules::WIA_STATUS_EXP)]
#[case::status_too_short("client_status/exp", secs(31 * DAY - 1), &rules::WIA_STATUS_PERIOD)]
#[tokio::test]
async fn each_claim_broken_alone_names_its_rule(
    #[case] path: &str,
    #[case] value: Value,
    #[case] rule: &Rule,
) {
    let (signer, instance) = (key(), key());
    let token = wia(public(&instance))
        .sign(Draft10, &x5c(), &signer)
        .await
        .unwrap();
    let (header, mut claims) = open(&token);
    set(&mut claims, path, value);
    let refusal = verify(&seal(&header, &claims, &signer).await, &signer).unwrap_err();
    assert_only(&refusal, rule);
}

#[rstest]
#[case::at_31_days("client_status/exp", secs(31 * DAY))]
#[case::just_under_a_day("exp", secs(DAY - 1))]
#[case::clock_a_minute_ahead("iat", secs(60))]
#[case::unknown_claim("favourite_colour", json!("blue"))]
#[case::certification_object("wallet_solution_certification_information", json!({"cab": "x"}))]
#[tokio::test]
async fn what_is_just_allowed_is_accepted(#[case] path: &str, #[case] value: Value) {
    let (signer, instance) = (key(), key());
    let token = wia(public(&instance))
        .sign(Draft10, &x5c(), &signer)
        .await
        .unwrap();
    let (header, mut claims) = open(&token);
    set(&mut claims, path, value);
    verify(&seal(&header, &claims, &signer).await, &signer).unwrap();
}

#[rstest]
#[case::typ_absent("typ", Value::Null, &rules::WIA_TYP)]
#[case::typ_of_the_proof("typ", json!("oauth-client-attestation-pop+jwt"), &rules::WIA_TYP)]
#[case::typ_of_a_ka("typ", json!("key-attestation+jwt"), &rules::WIA_TYP)]
#[case::typ_jwt("typ", json!("JWT"), &rules::WIA_TYP)]
#[case::x5c_absent("x5c", Value::Null, &rules::WIA_X5C)]
#[case::x5c_empty("x5c", json!([]), &rules::WIA_X5C)]
#[case::x5c_text("x5c", json!("bGVhZg=="), &rules::WIA_X5C)]
#[case::x5c_url_base64("x5c", json!(["_-8"]), &rules::WIA_X5C)]
#[case::x5c_many("x5c", json!(vec!["bGVhZg=="; 9]), &rules::WIA_X5C)]
#[case::crit("crit", json!(["exp"]), &rules::WIA_CRIT)]
#[tokio::test]
async fn each_header_broken_alone_names_its_rule(
    #[case] name: &str,
    #[case] value: Value,
    #[case] rule: &Rule,
) {
    let (signer, instance) = (key(), key());
    let token = wia(public(&instance))
        .sign(Draft10, &x5c(), &signer)
        .await
        .unwrap();
    let (mut header, claims) = open(&token);
    set(&mut header, name, value);
    let refusal = verify(&seal(&header, &claims, &signer).await, &signer).unwrap_err();
    assert_only(&refusal, rule);
}

#[tokio::test]
async fn draft_07_demands_iss_and_draft_10_passes_over_it() {
    let (signer, instance) = (key(), key());
    let made = wia(public(&instance));
    let old = made.sign(Draft07, &x5c(), &signer).await.unwrap();
    let new = made.sign(Draft10, &x5c(), &signer).await.unwrap();
    let check = |token: &str, draft| {
        let check = WiaCheck {
            draft,
            ..WiaCheck::new(public(&signer), at())
        };
        UnverifiedWia::parse(token, &Limits::default())
            .unwrap()
            .verify(&check)
    };
    assert!(check(&old, Draft07).unwrap().claims().issuer.is_some());
    assert!(check(&old, Draft10).unwrap().claims().issuer.is_none());
    assert!(check(&new, Draft10).is_ok());
    assert_only(&check(&new, Draft07).unwrap_err(), &rules::WIA_ISS);
}

#[tokio::test]
async fn the_wallet_and_client_must_be_those_expected() {
    let (signer, instance) = (key(), key());
    let token = wia(public(&instance))
        .sign(Draft10, &x5c(), &signer)
        .await
        .unwrap();
    let check = |client_id, wallet_names| {
        let check = WiaCheck {
            client_id,
            wallet_names,
            ..WiaCheck::new(public(&signer), at())
        };
        UnverifiedWia::parse(&token, &Limits::default())
            .unwrap()
            .verify(&check)
    };
    let (ours, theirs) = (["Example Wallet".to_owned()], ["Other Wallet".to_owned()]);
    assert!(check(Some("https://wallet.example"), Some(&ours)).is_ok());
    let refusal = check(Some("https://other.example"), Some(&ours)).unwrap_err();
    assert_only(&refusal, &rules::WIA_SUB);
    let refusal = check(None, Some(&theirs)).unwrap_err();
    assert_only(&refusal, &rules::WIA_WALLET_NAME);
}

#[tokio::test]
async fn a_link_left_out_is_a_note() {
    let (signer, instance) = (key(), key());
    let mut made = wia(public(&instance));
    made.wallet_link = None;
    let token = made.sign(Draft10, &x5c(), &signer).await.unwrap();
    let read = verify(&token, &signer).unwrap();
    let [note] = read.findings() else {
        panic!("one note")
    };
    assert!(note.is(&rules::WIA_WALLET_LINK_ABSENT));
    assert_eq!(note.severity, Severity::Note);
}

#[tokio::test]
async fn forged_altered_and_expired_wias_are_refused() {
    let (signer, stranger, instance) = (key(), key(), key());
    let made = wia(public(&instance));
    // The same chain, another key: what a certificate of the same subject and
    // serial number would give.
    let forged = made.sign(Draft10, &x5c(), &stranger).await.unwrap();
    assert_only(
        &verify(&forged, &signer).unwrap_err(),
        &rules::WIA_SIGNATURE,
    );

    let token = made.sign(Draft10, &x5c(), &signer).await.unwrap();
    let (_, mut claims) = open(&token);
    claims["cnf"]["jwk"] = public(&stranger).to_jwk();
    let parts: Vec<&str> = token.split('.').collect();
    let altered = jose::b64::encode(claims.to_string());
    let altered = format!("{}.{altered}.{}", parts[0], parts[2]);
    assert_only(
        &verify(&altered, &signer).unwrap_err(),
        &rules::WIA_SIGNATURE,
    );

    let end = at() + hours(23);
    assert!(verify_at(&token, &signer, end - hours(1)).is_ok());
    let refusal = verify_at(&token, &signer, end).unwrap_err();
    assert_only(&refusal, &rules::WIA_EXPIRED);
    assert_eq!(client_attestation_error(&refusal), "use_fresh_attestation");

    let wide = TestKey::generate(Curve::P384);
    assert_only(&verify(&token, &wide).unwrap_err(), &rules::WIA_ALG);
    for alg in OTHER_ALGORITHMS {
        let refusal = verify(&with_alg(&token, alg), &signer).unwrap_err();
        assert_only(&refusal, &rules::WIA_ALG);
    }
}

#[tokio::test]
async fn what_is_not_a_wia_is_refused() {
    let (signer, instance) = (key(), key());
    let token = wia(public(&instance))
        .sign(Draft10, &x5c(), &signer)
        .await
        .unwrap();
    for text in [
        "",
        "..",
        "a.b",
        "{}",
        &token[..token.len() / 2],
        &format!("{token}.x"),
    ] {
        assert_only(&verify(text, &signer).unwrap_err(), &rules::WIA_FORMAT);
    }
    let (header, claims) = open(&token);
    let twice = claims
        .to_string()
        .replacen('{', r#"{"exp":99999999999,"#, 1);
    let deep = format!("{}{}", "[".repeat(5000), "]".repeat(5000));
    for payload in [&twice, "[]", "null", "{", &format!(r#"{{"a":{deep}}}"#)] {
        let text = seal_text(&header, payload, &signer).await;
        assert_only(&verify(&text, &signer).unwrap_err(), &rules::WIA_FORMAT);
    }
    let twice = r#"{"alg":"ES256","alg":"none","typ":"oauth-client-attestation+jwt"}"#;
    let text = format!("{}.e30.AA", jose::b64::encode(twice));
    assert_only(&verify(&text, &signer).unwrap_err(), &rules::WIA_FORMAT);
    let long = "a".repeat(Limits::default().wia_bytes + 1);
    assert_only(&verify(&long, &signer).unwrap_err(), &rules::WIA_SIZE);
}

#[test]
fn every_rule_has_its_own_id_and_clause() {
    let ids: std::collections::HashSet<_> = wua::RULES.iter().map(|r| r.id).collect();
    assert_eq!(ids.len(), wua::RULES.len());
    assert!(
        wua::RULES
            .iter()
            .all(|r| !r.clause.is_empty() && !r.says.is_empty())
    );
}
