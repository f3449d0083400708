//! Seals: made, verified, and refused for each way they can be wrong.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod common;

use common::*;
use jose::b64;
use lote::{Mode, Profile, SealError, Signers, UncheckedList, Verifier, rules, seal};
use rstest::rstest;
use serde_json::{Map, Value, json};

async fn sealed() -> (Party, UncheckedList, String) {
    let operator = operator().await;
    let draft = draft(Profile::Pid, &operator.certificate).await;
    let list = draft.list().clone();
    let text = seal(
        &list,
        std::slice::from_ref(&operator.certificate),
        &operator.key,
        issued(),
    )
    .await
    .unwrap();
    (operator, list, text)
}

fn pinned(mode: Mode, party: &Party) -> Verifier<'_> {
    Verifier {
        signers: Signers::Pinned(std::slice::from_ref(&party.certificate)),
        mode,
    }
}

fn refused_as(refusal: finding::Refusal) -> Vec<String> {
    errors(refusal.findings())
}

#[tokio::test]
async fn a_seal_of_ours_verifies_strictly() {
    let (operator, list, text) = sealed().await;
    let verified = pinned(Mode::Strict, &operator)
        .verify(text.as_bytes(), now())
        .unwrap();
    assert_eq!(verified.findings, []);
    assert_eq!(verified.list.content(), &list);
    assert_eq!(verified.list.profile(), Some(Profile::Pid));
    assert_eq!(
        (verified.list.sequence(), verified.list.issued()),
        (1, issued())
    );
    assert_eq!(verified.list.next_update(), Some(next()));
    assert_eq!(verified.signer, Some(operator.certificate));
    assert_eq!(verified.sealed_at, Some(issued()));
    assert_eq!(verified.sha256, jose::sha256(text.as_bytes()));
}

#[tokio::test]
async fn the_header_is_baseline_b() {
    let (operator, _, text) = sealed().await;
    let header: Value =
        serde_json::from_slice(&b64::decode(text.split('.').next().unwrap()).unwrap()).unwrap();
    assert_eq!(
        header,
        json!({
            "alg": "ES256",
            "typ": "JOSE",
            "iat": issued().as_second(),
            "x5t#S256": b64::encode(operator.certificate.sha256()),
            "x5c": [b64::encode_std(operator.certificate.der())],
        })
    );
}

#[tokio::test]
async fn a_changed_list_or_header_does_not_verify() {
    let (operator, list, text) = sealed().await;
    let mut changed = list.clone();
    changed.lote.scheme.sequence = Some(2);
    let parts: Vec<&str> = text.split('.').collect();
    let forged = format!(
        "{}.{}.{}",
        parts[0],
        b64::encode(changed.to_json().unwrap()),
        parts[2]
    );
    for mode in [Mode::Strict, Mode::Interop] {
        let refusal = pinned(mode, &operator)
            .verify(forged.as_bytes(), now())
            .unwrap_err();
        assert_eq!(refused_as(refusal), [rules::SEAL_SIGNATURE.id]);
    }
}

#[tokio::test]
async fn another_signer_is_refused_and_a_twin_is_called_one() {
    let (operator, list, _) = sealed().await;
    // The same names, another key: what "match by subject" would let through.
    let twin = common::operator().await;
    let text = seal(&list, &[twin.certificate], &twin.key, issued())
        .await
        .unwrap();
    for mode in [Mode::Strict, Mode::Interop] {
        let refusal = pinned(mode, &operator)
            .verify(text.as_bytes(), now())
            .unwrap_err();
        assert_eq!(refused_as(refusal.clone()), [rules::SEAL_SIGNER.id]);
        assert!(
            refusal.to_string().contains("another certificate"),
            "{refusal}"
        );
    }
    // Nobody pinned: taken, and said so.
    let anyone = Verifier {
        signers: Signers::Anyone,
        mode: Mode::Strict,
    };
    let verified = anyone.verify(text.as_bytes(), now()).unwrap();
    assert_eq!(all(&verified.findings), [rules::SEAL_SIGNER.id]);
}

#[tokio::test]
async fn a_stolen_certificate_without_its_key_is_refused() {
    let (operator, list, _) = sealed().await;
    let thief = party(Subject::default()).await;
    let header = header_of(&operator, issued().as_second());
    let text = jose::jws::sign(header, &list.to_json().unwrap(), &thief.key)
        .await
        .unwrap();
    let refusal = pinned(Mode::Interop, &operator)
        .verify(text.as_bytes(), now())
        .unwrap_err();
    assert_eq!(refused_as(refusal), [rules::SEAL_SIGNATURE.id]);
}

#[rstest]
#[case::country("DE", OPERATOR, &["LOTE-SEAL-COUNTRY"])]
#[case::organization("EU", "Somebody Else", &["LOTE-SEAL-ORGANIZATION"])]
#[case::both("DE", "Somebody Else", &["LOTE-SEAL-COUNTRY", "LOTE-SEAL-ORGANIZATION"])]
#[tokio::test]
async fn the_signer_is_the_operator_of_the_list(
    #[case] country: &str,
    #[case] organization: &str,
    #[case] expected: &[&str],
) {
    let (_, list, _) = sealed().await;
    let signer = party(Subject {
        country,
        organization,
        identifier: None,
        ..Subject::default()
    })
    .await;
    let chain = [signer.certificate.clone()];
    let Err(SealError::NotTheOperator(refusal)) = seal(&list, &chain, &signer.key, issued()).await
    else {
        panic!("it was sealed");
    };
    assert_eq!(refused_as(refusal), expected);
    // Sealed by somebody with less scruples.
    let header = header_of(&signer, issued().as_second());
    let text = jose::jws::sign(header, &list.to_json().unwrap(), &signer.key)
        .await
        .unwrap();
    for mode in [Mode::Strict, Mode::Interop] {
        let refusal = pinned(mode, &signer)
            .verify(text.as_bytes(), now())
            .unwrap_err();
        assert_eq!(refused_as(refusal), expected);
    }
}

#[tokio::test]
async fn a_list_is_used_between_its_issue_and_its_next_update() {
    let (operator, _, text) = sealed().await;
    let verifier = pinned(Mode::Strict, &operator);
    for (time, rule) in [
        ("2026-10-31T23:00:00Z", &rules::SEAL_TIME),
        ("2027-04-01T00:00:00Z", &rules::NEXT_UPDATE),
        ("2028-01-01T00:00:00Z", &rules::NEXT_UPDATE),
    ] {
        let refusal = verifier.verify(text.as_bytes(), at(time)).unwrap_err();
        assert_eq!(refused_as(refusal), [rule.id], "{time}");
    }
    // Kept, and still not current.
    let kept = verifier.authenticate(text.as_bytes(), next()).unwrap();
    assert!(
        kept.list
            .current(next())
            .unwrap_err()
            .is(&rules::NEXT_UPDATE)
    );
    assert!(kept.list.current(now()).is_ok());
    assert!(
        kept.list
            .current(at("2026-10-01T00:00:00Z"))
            .unwrap_err()
            .is(&rules::ISSUE_TIME)
    );
}

#[tokio::test]
async fn a_certificate_out_of_its_time_seals_nothing() {
    let (_, list, _) = sealed().await;
    let late = party(Subject {
        country: "EU",
        organization: OPERATOR,
        identifier: None,
        not_after: "20261031000000Z",
        ..Subject::default()
    })
    .await;
    let chain = [late.certificate.clone()];
    assert!(matches!(
        seal(&list, &chain, &late.key, issued()).await,
        Err(SealError::NotValid(_, _))
    ));
    let header = header_of(&late, issued().as_second());
    let text = jose::jws::sign(header, &list.to_json().unwrap(), &late.key)
        .await
        .unwrap();
    for mode in [Mode::Strict, Mode::Interop] {
        let refusal = pinned(mode, &late)
            .verify(text.as_bytes(), now())
            .unwrap_err();
        assert_eq!(refused_as(refusal), [rules::SEAL_VALIDITY.id]);
    }
}

#[tokio::test]
async fn a_certificate_that_ran_out_since_is_refused_strictly() {
    let (_, list, _) = sealed().await;
    let short = party(Subject {
        country: "EU",
        organization: OPERATOR,
        identifier: None,
        not_after: "20261110000000Z",
        ..Subject::default()
    })
    .await;
    let text = seal(
        &list,
        std::slice::from_ref(&short.certificate),
        &short.key,
        issued(),
    )
    .await
    .unwrap();
    let refusal = pinned(Mode::Strict, &short)
        .verify(text.as_bytes(), now())
        .unwrap_err();
    assert_eq!(refused_as(refusal), [rules::SEAL_VALIDITY.id]);
    let verified = pinned(Mode::Interop, &short)
        .verify(text.as_bytes(), now())
        .unwrap();
    assert_eq!(all(&verified.findings), [rules::SEAL_VALIDITY.id]);
}

fn header_of(party: &Party, iat: i64) -> Map<String, Value> {
    let Value::Object(header) = json!({
        "iat": iat,
        "x5t#S256": b64::encode(party.certificate.sha256()),
        "x5c": [b64::encode_std(party.certificate.der())],
    }) else {
        unreachable!()
    };
    header
}

/// A change to the header, what strict mode calls it, and whether interop takes it.
#[rstest]
#[case::no_iat(json!({"iat": null}), "LOTE-SEAL-TIME", true)]
#[case::iat_as_text(json!({"iat": "now"}), "LOTE-SEAL-TIME", false)]
#[case::sig_t_today(json!({"iat": null, "sigT": "2026-11-01T00:00:00Z", "crit": ["sigT"]}), "LOTE-SEAL-TIME", true)]
#[case::two_times(json!({"sigT": "2026-11-01T00:00:00Z"}), "LOTE-SEAL-TIME", true)]
#[case::no_digest(json!({"x5t#S256": null}), "LOTE-SEAL-CERT-DIGEST", true)]
#[case::wrong_digest(json!({"x5t#S256": "AAAA"}), "LOTE-SEAL-CERT-DIGEST", false)]
#[case::two_digests(json!({"x5t#o": {"digAlg": "S256", "digVal": "SELF"}}), "LOTE-SEAL-CERT-DIGEST", true)]
#[case::wrong_other_digest(json!({"x5t#S256": null, "x5t#o": {"digAlg": "S512", "digVal": "AAAA"}}), "LOTE-SEAL-CERT-DIGEST", false)]
#[case::no_x5c(json!({"x5c": null}), "LOTE-SEAL-CERTIFICATE", true)]
#[case::garbage_x5c(json!({"x5c": ["AAAA"]}), "LOTE-SEAL-CERTIFICATE", false)]
#[case::text_x5c(json!({"x5c": "AAAA"}), "LOTE-SEAL-CERTIFICATE", false)]
#[case::empty_crit(json!({"crit": []}), "LOTE-SEAL-CRIT", false)]
#[case::registered_crit(json!({"crit": ["alg"]}), "LOTE-SEAL-CRIT", false)]
#[case::double_crit(json!({"crit": ["iat", "iat"]}), "LOTE-SEAL-CRIT", false)]
#[case::absent_crit(json!({"crit": ["sigT"]}), "LOTE-SEAL-CRIT", false)]
#[case::unknown_crit(json!({"crit": ["colour"], "colour": 1}), "LOTE-SEAL-CRIT", false)]
#[case::detached(json!({"crit": ["sigD"], "sigD": {}}), "LOTE-SEAL-CRIT", false)]
#[case::detached_uncritical(json!({"sigD": {}}), "LOTE-SEAL-CRIT", false)]
#[case::unencoded(json!({"b64": false}), "LOTE-SEAL-CRIT", false)]
#[tokio::test]
async fn a_header_that_is_not_baseline_b(
    #[case] change: Value,
    #[case] rule: &str,
    #[case] interop: bool,
) {
    let (operator, list, _) = sealed().await;
    let mut header = header_of(&operator, issued().as_second());
    for (name, value) in change.as_object().unwrap() {
        if value.is_null() {
            header.remove(name);
            continue;
        }
        let own = b64::encode(operator.certificate.sha256());
        let text = value.to_string().replace("SELF", &own);
        header.insert(name.clone(), serde_json::from_str(&text).unwrap());
    }
    let text = jose::jws::sign(header, &list.to_json().unwrap(), &operator.key)
        .await
        .unwrap();
    let strict = pinned(Mode::Strict, &operator)
        .verify(text.as_bytes(), now())
        .unwrap_err();
    assert_eq!(refused_as(strict), [rule]);
    match pinned(Mode::Interop, &operator).verify(text.as_bytes(), now()) {
        Ok(verified) => {
            assert!(interop, "interop took it");
            assert_eq!(all(&verified.findings), [rule]);
        }
        Err(refusal) => {
            assert!(!interop, "interop refused it: {refusal}");
            assert_eq!(refused_as(refusal), [rule]);
        }
    }
    // The lint says the same of it.
    let linted = lote::lint_bytes(text.as_bytes(), None, now());
    assert!(
        errors(&linted.findings).contains(&rule.to_owned()),
        "{:?}",
        linted.findings
    );
}

#[tokio::test]
async fn older_and_other_ways_of_baseline_b_are_strict_too() {
    let (operator, list, _) = sealed().await;
    let mut header = header_of(&operator, 0);
    header.remove("iat");
    header.remove("x5t#S256");
    header.insert("sigT".into(), json!("2025-07-01T00:00:00Z"));
    header.insert("crit".into(), json!(["sigT"]));
    let digest = jose::HashAlg::Sha512.digest(operator.certificate.der());
    header.insert(
        "x5t#o".into(),
        json!({"digAlg": "S512", "digVal": b64::encode(digest)}),
    );
    let text = jose::jws::sign(header, &list.to_json().unwrap(), &operator.key)
        .await
        .unwrap();
    // Sealed before the certificate was valid, and that alone is wrong with it.
    let refusal = pinned(Mode::Strict, &operator)
        .verify(text.as_bytes(), now())
        .unwrap_err();
    assert_eq!(refused_as(refusal), [rules::SEAL_VALIDITY.id]);
}

#[tokio::test]
async fn other_algorithms_are_refused() {
    let (operator, list, _) = sealed().await;
    for alg in ["none", "HS256", "RS256"] {
        let header = b64::encode(json!({"alg": alg}).to_string());
        let text = format!("{header}.{}.AAAA", b64::encode(list.to_json().unwrap()));
        let refusal = pinned(Mode::Interop, &operator)
            .verify(text.as_bytes(), now())
            .unwrap_err();
        assert_eq!(refused_as(refusal), [rules::SEAL_ALGORITHM.id]);
    }
}

#[tokio::test]
async fn an_unsealed_list_is_taken_from_a_trusted_place_alone() {
    let (operator, list, _) = sealed().await;
    let bytes = list.to_json().unwrap();
    for verifier in [
        pinned(Mode::Strict, &operator),
        pinned(Mode::Interop, &operator),
        Verifier {
            signers: Signers::Anyone,
            mode: Mode::Strict,
        },
    ] {
        let refusal = verifier.verify(&bytes, now()).unwrap_err();
        assert_eq!(refused_as(refusal), [rules::SEAL_FORM.id]);
    }
    let anyone = Verifier {
        signers: Signers::Anyone,
        mode: Mode::Interop,
    };
    let verified = anyone.verify(&bytes, now()).unwrap();
    assert_eq!(all(&verified.findings), [rules::SEAL_FORM.id]);
    assert_eq!(verified.signer, None);
}

#[rstest]
#[case::duplicate(br#"{"LoTE":{"ListAndSchemeInformation":{}},"LoTE":{}}"#.to_vec(), &rules::JSON)]
#[case::nested(b"[".repeat(10_000), &rules::JSON)]
#[case::shape(br#"{"LoTE":1}"#.to_vec(), &rules::SHAPE)]
#[tokio::test]
async fn a_sealed_payload_that_is_no_list_is_refused(
    #[case] payload: Vec<u8>,
    #[case] rule: &finding::Rule,
) {
    let operator = operator().await;
    let header = header_of(&operator, issued().as_second());
    let text = jose::jws::sign(header, &payload, &operator.key)
        .await
        .unwrap();
    let refusal = pinned(Mode::Strict, &operator)
        .verify(text.as_bytes(), now())
        .unwrap_err();
    assert_eq!(refused_as(refusal), [rule.id]);
}

#[rstest]
#[case("LoTEVersionIdentifier", json!(2), &rules::VERSION)]
#[case("LoTESequenceNumber", json!(-1), &rules::SEQUENCE)]
#[case("ListIssueDateTime", json!("soon"), &rules::DATE)]
#[case("NextUpdate", json!("later"), &rules::DATE)]
#[case("SchemeExtensions", json!([{"Critical": true}]), &rules::CRITICAL_EXTENSION)]
#[tokio::test]
async fn a_list_that_cannot_be_used_is_refused(
    #[case] member: &str,
    #[case] value: Value,
    #[case] rule: &finding::Rule,
) {
    let (operator, list, _) = sealed().await;
    let mut document = serde_json::to_value(&list).unwrap();
    put(
        &mut document,
        &format!("/LoTE/ListAndSchemeInformation/{member}"),
        Some(value),
    );
    let list = UncheckedList::from_value(document).unwrap();
    let chain = [operator.certificate.clone()];
    let text = seal(&list, &chain, &operator.key, issued()).await.unwrap();
    let refusal = pinned(Mode::Interop, &operator)
        .verify(text.as_bytes(), now())
        .unwrap_err();
    assert_eq!(refused_as(refusal), [rule.id]);
}

#[tokio::test]
async fn a_hundred_million_zeroes_are_refused_before_anything_is_read() {
    let operator = operator().await;
    let refusal = pinned(Mode::Interop, &operator)
        .verify(&vec![0; 100_000_000], now())
        .unwrap_err();
    assert_eq!(refused_as(refusal), [rules::JSON.id]);
}

#[tokio::test]
async fn a_truncated_seal_is_refused() {
    let (operator, _, text) = sealed().await;
    for cut in [1, 10, 100, text.len() / 2, text.len() - 1] {
        let part = &text[..text.len() - cut];
        assert!(
            pinned(Mode::Interop, &operator)
                .verify(part.as_bytes(), now())
                .is_err()
        );
    }
}

#[tokio::test]
async fn a_seal_is_made_with_the_key_of_its_certificate() {
    let (operator, list, _) = sealed().await;
    let other = party(Subject::default()).await;
    let chain = [operator.certificate];
    assert!(matches!(
        seal(&list, &chain, &other.key, issued()).await,
        Err(SealError::OtherKey(_))
    ));
    assert!(matches!(
        seal(&list, &[], &other.key, issued()).await,
        Err(SealError::NoCertificate)
    ));
}
