//! The lint of services: their certificates, keys, identifiers and statuses.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod common;

use common::*;
use lote::{Profile, lint_draft};
use rstest::rstest;
use serde_json::json;

const I: &str = "/LoTE/TrustedEntitiesList/0/TrustedEntityServices/0/ServiceInformation";

#[tokio::test]
async fn keys_and_subjects_of_one_public_sector_service_are_one() {
    let operator = operator().await;
    let one = party(Subject::default()).await;
    let other_key = party(Subject::default()).await;
    let other_subject = certificate(
        &one.key,
        &Subject {
            identifier: None,
            ..Subject::default()
        },
    )
    .await;
    for (second, rule) in [
        (&other_key.certificate, "LOTE-SVC-ONE-KEY"),
        (&other_subject, "LOTE-SVC-ONE-SUBJECT"),
    ] {
        let mut draft = new_draft(Profile::PubEaa, &operator.certificate);
        draft.add_entity(&entity()).unwrap();
        let mut new = service(
            Profile::PubEaa,
            lote::ServiceKind::Issuance,
            &one.certificate,
        );
        new.certificates.push(second.clone());
        draft.add_service(ENTITY, &new, issued()).unwrap();
        draft.issue(issued(), next()).unwrap();
        let findings = lote::lint(draft.list(), None, now());
        assert_eq!(errors(&findings), [rule]);
    }
}

#[tokio::test]
async fn a_public_key_beside_its_certificate_is_its_own() {
    let operator = operator().await;
    let provider = party(Subject::default()).await;
    let mut draft = new_draft(Profile::Pid, &operator.certificate);
    draft.add_entity(&entity()).unwrap();
    let new = service(
        Profile::Pid,
        lote::ServiceKind::Issuance,
        &provider.certificate,
    );
    draft.add_service(ENTITY, &new, issued()).unwrap();
    draft.issue(issued(), next()).unwrap();
    let clean = serde_json::to_value(draft.list()).unwrap();
    for (key, expected) in [
        (provider.certificate.public_key().unwrap(), &[][..]),
        (
            operator.certificate.public_key().unwrap(),
            &["LOTE-SVC-PUBLIC-KEY"][..],
        ),
    ] {
        let mut document = clean.clone();
        let at = format!("{I}/ServiceDigitalIdentity/PublicKeyValues");
        put(&mut document, &at, Some(json!([key.to_jwk()])));
        let report = lint_draft(document.to_string().as_bytes(), None, now());
        assert_eq!(errors(&report.findings), expected);
    }
}

#[rstest]
#[case(Profile::Pid, true, &["LOTE-SVC-CA"])]
#[case(Profile::Wallet, true, &["LOTE-SVC-CA"])]
#[case(Profile::Access, false, &["LOTE-SVC-NOT-CA"])]
#[case(Profile::Registration, false, &["LOTE-SVC-NOT-CA"])]
#[case(Profile::PubEaa, true, &[])]
#[tokio::test]
async fn the_kind_of_certificate_is_a_warning(
    #[case] profile: Profile,
    #[case] ca: bool,
    #[case] rules: &[&str],
) {
    let operator = operator().await;
    let provider = party(Subject {
        ca,
        ..Subject::default()
    })
    .await;
    let mut draft = new_draft(profile, &operator.certificate);
    draft.add_entity(&entity()).unwrap();
    let new = service(profile, lote::ServiceKind::Issuance, &provider.certificate);
    draft.add_service(ENTITY, &new, issued()).unwrap();
    draft.issue(issued(), next()).unwrap();
    let findings = lote::lint(draft.list(), None, now());
    assert_eq!(all(&findings), rules);
    assert_eq!(errors(&findings), [""; 0]);
}

#[tokio::test]
async fn an_identifier_is_of_one_service() {
    let operator = operator().await;
    let provider = party(Subject::default()).await;
    let of = |names: &[(&str, lote::ServiceKind)]| {
        let mut draft = new_draft(Profile::Wallet, &operator.certificate);
        draft.add_entity(&entity()).unwrap();
        for (name, kind) in names {
            let mut new = service(Profile::Wallet, *kind, &provider.certificate);
            new.name = (*name).to_owned();
            new.unique_id = Some("urn:example:wallet:1".into());
            draft.add_service(ENTITY, &new, issued()).unwrap();
        }
        draft.issue(issued(), next()).unwrap();
        errors(&lote::lint(draft.list(), None, now()))
    };
    use lote::ServiceKind::{Issuance, Revocation};
    // One wallet solution is issued and revoked.
    assert_eq!(of(&[("One", Issuance), ("One", Revocation)]), [""; 0]);
    assert_eq!(
        of(&[("One", Issuance), ("Its status", Revocation)]),
        [""; 0]
    );
    assert_eq!(
        of(&[("One", Issuance), ("Two", Issuance)]),
        ["LOTE-SVC-ID-TWICE"]
    );
}

#[tokio::test]
async fn a_status_without_its_time_is_told() {
    let operator = operator().await;
    let draft = draft(Profile::PubEaa, &operator.certificate).await;
    let mut document = serde_json::to_value(draft.list()).unwrap();
    put(&mut document, &format!("{I}/StatusStartingTime"), None);
    let report = lint_draft(document.to_string().as_bytes(), None, now());
    assert_eq!(all(&report.findings), ["LOTE-SVC-STATUS-TIME"]);
    assert_eq!(errors(&report.findings), [""; 0]);
}
