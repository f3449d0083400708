//! A list loaded entity by entity: as it is read whole, with less in memory.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod common;

use common::*;
use jose::b64;
use lote::{Index, Mode, Profile, ServiceKind, Signers, Verifier};
use rstest::rstest;
use serde_json::{Value, json};

/// Any bytes under a seal that holds.
async fn sealed(payload: &[u8], by: &Party) -> String {
    let header = json!({
        "typ": "JOSE",
        "iat": issued().as_second(),
        "x5t#S256": b64::encode(by.certificate.sha256()),
        "x5c": [b64::encode_std(by.certificate.der())],
    });
    let Value::Object(header) = header else {
        panic!("an object");
    };
    jose::jws::sign(header, payload, &by.key).await.unwrap()
}

/// Loading a list entity by entity says and finds what reading it whole does.
#[rstest]
#[tokio::test]
async fn a_list_is_loaded_as_it_is_read(
    #[values(
        Profile::Pid,
        Profile::Wallet,
        Profile::Access,
        Profile::Registration,
        Profile::PubEaa,
        Profile::Registrars,
        Profile::Mdl
    )]
    profile: Profile,
) {
    let operator = operator().await;
    let draft = draft(profile, &operator.certificate).await;
    let json = draft.list().to_json().unwrap();
    let sealed = sealed(&json, &operator).await;
    let signers = [operator.certificate.clone()];
    let verifier = Verifier {
        signers: Signers::Pinned(&signers),
        mode: Mode::Strict,
    };
    let whole = verifier.authenticate(sealed.as_bytes(), now()).unwrap();
    let (lean, index) = verifier.load(sealed.as_bytes(), now()).unwrap();
    assert_eq!(lean.list.content().scheme(), whole.list.content().scheme());
    assert_eq!(
        (lean.list.sequence(), lean.list.profile(), lean.sha256),
        (whole.list.sequence(), whole.list.profile(), whole.sha256)
    );
    assert_eq!(
        (&lean.signer, lean.sealed_at),
        (&whole.signer, whole.sealed_at)
    );
    assert_eq!(lean.findings, whole.findings);
    assert!(lean.list.is_same_version(&whole.list) && whole.list.is_same_version(&lean.list));
    // What has a status is kept, since the next version is held against it.
    let keeps = profile == Profile::PubEaa;
    assert_eq!(lean.list.is_lean(), !keeps);
    assert_eq!(lean.list.content().entities().is_empty(), !keeps);
    let other = Index::of(&whole.list);
    assert_eq!(index.len(), other.len());
    for kind in [
        ServiceKind::Issuance,
        ServiceKind::Revocation,
        ServiceKind::Register,
    ] {
        let (one, two) = (index.of_kind(kind), other.of_kind(kind));
        assert_eq!(one.len(), two.len());
        for (one, two) in one.iter().zip(two) {
            assert_eq!(one.certificate, two.certificate);
            assert_eq!(one.entity, two.entity);
            assert_eq!(
                (&one.service_name, &one.statuses),
                (&two.service_name, &two.statuses)
            );
        }
    }
    assert_eq!(index.findings(), other.findings());
}

/// What is wrong is told by the same rule, however the list is read.
#[rstest]
#[case::twice(r#"{"LoTE":{"#, r#"{"LoTE":{},"LoTE":{"#, "LOTE-JSON")]
#[case::member_twice(r#""TEName":"#, r#""TEName":[],"TEName":"#, "LOTE-JSON")]
#[case::entities_twice(
    r#""TrustedEntitiesList":"#,
    r#""TrustedEntitiesList":[],"TrustedEntitiesList":"#,
    "LOTE-JSON"
)]
#[case::shape(r#""TEName":["#, r#""TEName":[1,"#, "LOTE-SHAPE")]
#[case::deep(r#""TEName":"#, &format!(r#""x":{}1{},"TEName":"#, "[".repeat(62), "]".repeat(62)), "LOTE-JSON")]
#[case::critical(
    r#""TEName":"#,
    r#""TEInformationExtensions":[{"critical":true}],"TEName":"#,
    "LOTE-CRITICAL-EXTENSION"
)]
#[case::cut("}]}}", "}]}", "LOTE-JSON")]
#[tokio::test]
async fn trouble_is_told_alike(#[case] from: &str, #[case] to: &str, #[case] rule: &str) {
    let operator = operator().await;
    let draft = draft(Profile::Pid, &operator.certificate).await;
    let json = String::from_utf8(draft.list().to_json().unwrap()).unwrap();
    assert!(json.contains(from), "{from}");
    let broken = json.replacen(from, to, 1);
    let text = sealed(broken.as_bytes(), &operator).await;
    let signers = [operator.certificate.clone()];
    let verifier = Verifier {
        signers: Signers::Pinned(&signers),
        mode: Mode::Strict,
    };
    let whole = verifier.authenticate(text.as_bytes(), now()).unwrap_err();
    let lean = verifier.load(text.as_bytes(), now()).unwrap_err();
    assert_eq!(whole.findings(), lean.findings());
    assert_eq!(whole.findings()[0].rule, rule, "{whole:?}");
}
