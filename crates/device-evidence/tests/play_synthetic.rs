//! Play Integrity tokens under the app's own keys.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod support;

use device_evidence::play::{self, Bound, Check, PlayPolicy, Said};
use device_evidence::{Assessment, rules};
use finding::{Rule, Trusted};
use jose::b64;
use rstest::rstest;
use serde_json::{Value, json};
use support::play::*;
use support::time;

fn assess_with(token: &str, policy: &PlayPolicy) -> Assessment<Said> {
    let check = Check {
        policy,
        bound: Some(Bound::Nonce(NONCE)),
        at: time(AT),
    };
    play::assess(token, &check)
}

#[track_caller]
fn refused(assessment: &Assessment<Said>, rule: &Rule) {
    let found: Vec<&str> = assessment
        .findings
        .iter()
        .map(|f| f.rule.as_ref())
        .collect();
    assert_eq!(found, [rule.id], "{:#?}", assessment.findings);
    assert_ne!(assessment.accepted, Trusted::Yes);
}

#[test]
fn a_sound_token_is_accepted_and_earns_no_level() {
    let bed = Bed::new();
    let assessment = assess_with(&bed.token(&Bed::sound()), &bed.policy());
    assert_eq!(
        assessment.accepted,
        Trusted::Yes,
        "{:#?}",
        assessment.findings
    );
    assert_eq!(assessment.key_storage, None);
    let said = assessment.says.unwrap();
    assert_eq!(said.device.sdk_version, Some(36));
    assert_eq!(said.app.version, Some(7));
    // Padded, and numbers as numbers.
    let mut payload = Bed::sound();
    let padded = format!("{}=", b64::encode(NONCE));
    assert_eq!(padded.len() % 4, 0);
    payload["requestDetails"]["nonce"] = padded.into();
    payload["requestDetails"]["timestampMillis"] = time(AT).as_millisecond().into();
    payload["appIntegrity"]["versionCode"] = 7.into();
    let assessment = assess_with(&bed.token(&payload), &bed.policy());
    assert_eq!(
        assessment.accepted,
        Trusted::Yes,
        "{:#?}",
        assessment.findings
    );
}

fn with(pointer: &str, value: Value) -> Value {
    let mut payload = Bed::sound();
    *payload.pointer_mut(pointer).unwrap() = value;
    payload
}

#[rstest]
#[case(with("/requestDetails/nonce", "b3RoZXI".into()), &rules::PLAY_NONCE)]
#[case(with("/requestDetails/nonce", "!".into()), &rules::PLAY_NONCE)]
#[case(with("/requestDetails/nonce", Value::Null), &rules::PLAY_NONCE)]
#[case(with("/requestDetails/timestampMillis", json!("1795000000000")), &rules::PLAY_AGE)]
#[case(with("/requestDetails/timestampMillis", json!("1796000000000")), &rules::PLAY_AGE)]
#[case(with("/requestDetails/requestPackageName", "eu.evil".into()), &rules::PLAY_PACKAGE)]
#[case(with("/appIntegrity/packageName", "eu.evil".into()), &rules::PLAY_PACKAGE)]
#[case(with("/appIntegrity/certificateSha256Digest", json!([b64::encode([9; 32])])), &rules::PLAY_PACKAGE)]
#[case(with("/appIntegrity/certificateSha256Digest", json!([])), &rules::PLAY_PACKAGE)]
#[case(with("/appIntegrity/versionCode", json!("4")), &rules::PLAY_PACKAGE)]
#[case(with("/appIntegrity/appRecognitionVerdict", "UNRECOGNIZED_VERSION".into()), &rules::PLAY_APP)]
#[case(with("/appIntegrity", json!({"appRecognitionVerdict": "UNEVALUATED"})), &rules::PLAY_UNEVALUATED)]
#[case(with("/appIntegrity", json!({"appRecognitionVerdict": "PLAY_RECOGNIZED"})), &rules::PLAY_APP)]
#[case(with("/deviceIntegrity/deviceRecognitionVerdict", json!(["MEETS_BASIC_INTEGRITY"])), &rules::PLAY_DEVICE)]
#[case(with("/deviceIntegrity", json!({})), &rules::PLAY_UNEVALUATED)]
#[case(with("/accountDetails/appLicensingVerdict", "UNLICENSED".into()), &rules::PLAY_ACCOUNT)]
#[case(with("/requestDetails", json!({})), &rules::PLAY_FORMAT)]
#[case(with("/requestDetails/timestampMillis", json!("soon")), &rules::PLAY_FORMAT)]
#[case(with("/requestDetails/timestampMillis", json!("99999999999999999")), &rules::PLAY_FORMAT)]
#[case(json!([]), &rules::PLAY_FORMAT)]
fn each_demand_broken_alone(#[case] payload: Value, #[case] rule: &'static Rule) {
    let bed = Bed::new();
    refused(&assess_with(&bed.token(&payload), &bed.policy()), rule);
}

#[test]
fn a_request_hash_binds_as_a_nonce_does() {
    let bed = Bed::new();
    let payload = with(
        "/requestDetails",
        json!({
            "requestPackageName": PACKAGE,
            "timestampMillis": time(AT).as_millisecond().to_string(),
            "requestHash": "a hash of the request",
        }),
    );
    let token = bed.token(&payload);
    let policy = bed.policy();
    let assess = |bound| {
        play::assess(
            &token,
            &Check {
                policy: &policy,
                bound,
                at: time(AT),
            },
        )
    };
    let yes = assess(Some(Bound::RequestHash("a hash of the request")));
    assert_eq!(yes.accepted, Trusted::Yes, "{:#?}", yes.findings);
    refused(
        &assess(Some(Bound::RequestHash("another"))),
        &rules::PLAY_NONCE,
    );
    refused(&assess(Some(Bound::Nonce(NONCE))), &rules::PLAY_NONCE);
    let unknown = assess(None);
    assert_eq!(unknown.accepted, Trusted::Undecided);
    refused(&unknown, &rules::CHALLENGE_UNKNOWN);
}

#[test]
fn policy_may_ask_for_less() {
    let bed = Bed::new();
    let policy = PlayPolicy {
        device_labels: vec![],
        recognized_app: false,
        licensed: false,
        ..bed.policy()
    };
    let mut payload = Bed::sound();
    payload["appIntegrity"] = json!({"appRecognitionVerdict": "UNEVALUATED"});
    payload["deviceIntegrity"] = json!({});
    payload["accountDetails"] = json!({"appLicensingVerdict": "UNEVALUATED"});
    let assessment = assess_with(&bed.token(&payload), &policy);
    assert_eq!(
        assessment.accepted,
        Trusted::Yes,
        "{:#?}",
        assessment.findings
    );
}

#[test]
fn other_keys_neither_open_nor_verify() {
    let bed = Bed::new();
    let token = bed.token(&Bed::sound());
    let other_kek = Bed {
        kek: [4; 32],
        key: Bed::new().key,
    };
    refused(
        &assess_with(&token, &other_kek.policy()),
        &rules::PLAY_AUTHENTIC,
    );
    let other_key = Bed::new();
    refused(
        &assess_with(&token, &other_key.policy()),
        &rules::PLAY_AUTHENTIC,
    );
}

#[test]
fn only_the_documented_form_is_read() {
    let bed = Bed::new();
    let signed = bed.signed(Bed::sound().to_string().as_bytes());
    let cases = [
        (
            bed.seal(json!({"alg": "dir", "enc": "A256GCM"}), signed.as_bytes()),
            &rules::PLAY_FORMAT,
        ),
        (
            bed.seal(
                json!({"alg": "A256KW", "enc": "A128GCM"}),
                signed.as_bytes(),
            ),
            &rules::PLAY_FORMAT,
        ),
        (
            bed.seal(
                json!({"alg": "A256KW", "enc": "A256GCM", "zip": "DEF"}),
                signed.as_bytes(),
            ),
            &rules::PLAY_FORMAT,
        ),
        (
            bed.seal(
                json!({"alg": "A256KW", "enc": "A256GCM", "crit": ["x"]}),
                signed.as_bytes(),
            ),
            &rules::PLAY_FORMAT,
        ),
        (
            bed.seal(
                json!({"alg": "A256KW", "enc": "A256GCM"}),
                Bed::sound().to_string().as_bytes(),
            ),
            &rules::PLAY_FORMAT,
        ),
        (
            bed.seal(json!({"alg": "A256KW", "enc": "A256GCM"}), b"\xff\xfe"),
            &rules::PLAY_FORMAT,
        ),
        (signed.clone(), &rules::PLAY_FORMAT),
        (String::new(), &rules::PLAY_FORMAT),
        ("a".repeat(40_000), &rules::SIZE),
    ];
    for (token, rule) in cases {
        refused(&assess_with(&token, &bed.policy()), rule);
    }
    // A JWS without a signature, inside a sound JWE.
    let none = format!(
        "{}.{}.",
        b64::encode(r#"{"alg":"none"}"#),
        b64::encode(Bed::sound().to_string())
    );
    let token = bed.seal(json!({"alg": "A256KW", "enc": "A256GCM"}), none.as_bytes());
    refused(&assess_with(&token, &bed.policy()), &rules::PLAY_FORMAT);
}

#[test]
fn nothing_changed_or_cut_short_is_accepted() {
    let bed = Bed::new();
    let token = bed.token(&Bed::sound());
    let policy = bed.policy();
    for at in 0..token.len() {
        let mut changed = token.clone().into_bytes();
        changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(changed).unwrap();
        let assessment = assess_with(&changed, &policy);
        assert_eq!(assessment.accepted, Trusted::No, "character {at}");
        refused_for(&assessment, what_breaks(&token, at), at);
        refused(&assess_with(&token[..at], &policy), &rules::PLAY_FORMAT);
    }
    // The JWS inside: Google signed its header and its payload.
    let signed = bed.signed(Bed::sound().to_string().as_bytes());
    for at in (0..signed.len()).step_by(5) {
        let mut changed = signed.clone().into_bytes();
        changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
        let token = bed.seal(json!({"alg": "A256KW", "enc": "A256GCM"}), &changed);
        let assessment = assess_with(&token, &policy);
        assert_eq!(assessment.accepted, Trusted::No, "character {at}");
        refused_for(&assessment, what_breaks(&signed, at), at);
    }
}

/// What a character of a compact token breaks: its form, where that is what it says or
/// where a part ends, whose last character has bits to spare; its authenticity.
fn what_breaks(token: &str, at: usize) -> &'static [&'static str] {
    let bytes = token.as_bytes();
    let in_header = !token[..=at].contains('.');
    let ends_a_part = bytes.get(at + 1).is_none_or(|next| *next == b'.');
    match bytes[at] {
        b'.' => &["EVIDENCE-PLAY-FORMAT"],
        _ if in_header || ends_a_part => &["EVIDENCE-PLAY-FORMAT", "EVIDENCE-PLAY-AUTHENTIC"],
        _ => &["EVIDENCE-PLAY-AUTHENTIC"],
    }
}

#[track_caller]
fn refused_for(assessment: &Assessment<Said>, one_of: &[&str], at: usize) {
    let found: Vec<&str> = assessment
        .findings
        .iter()
        .map(|f| f.rule.as_ref())
        .collect();
    assert!(
        matches!(found[..], [only] if one_of.contains(&only)),
        "character {at}: {found:?}"
    );
}
