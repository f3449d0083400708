//! A list that somebody else published, and the schema of ETSI.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod common;

use common::*;
use lote::{Mode, Profile, Signers, Verifier, lint_bytes};
use rstest::rstest;
use serde_json::Value;

fn vector(test: &str, name: &str) -> Option<Vec<u8>> {
    match claviger_fixtures::vectors() {
        Some(vectors) => Some(std::fs::read(vectors.join("lote").join(name)).unwrap()),
        None => {
            claviger_fixtures::skip(test, "../shared/vectors is absent");
            None
        }
    }
}

const WEBUILD: &str = "webuild-wrpac-providers-lote.json";

#[test]
fn the_we_build_list_breaks_these_rules() {
    let Some(bytes) = vector("the_we_build_list_breaks_these_rules", WEBUILD) else {
        return;
    };
    let report = lint_bytes(&bytes, None, now());
    assert_eq!(report.profile, Some(Profile::Access));
    assert_eq!(
        errors(&report.findings),
        [
            "LOTE-COUNTRY",
            "LOTE-NEXT-UPDATE",
            "LOTE-POLICY-NOTICE",
            "LOTE-SCHEME-NAME",
            "LOTE-SEAL-CERT-DIGEST",
            "LOTE-SEAL-FORM",
            "LOTE-UNKNOWN-MEMBER",
            "LOTE-WEB-SITE",
        ],
        "{:#?}",
        report.findings
    );
    let clause = |rule: &str| {
        let found = report.findings.iter().find(|f| f.rule == rule).unwrap();
        (found.clause.to_string(), found.evidence.clone())
    };
    assert_eq!(
        clause("LOTE-POLICY-NOTICE").0,
        "ETSI TS 119 602 v1.1.1, 6.3.0 (Table 1) and 6.3.11"
    );
    assert_eq!(
        clause("LOTE-SEAL-FORM").0,
        "ETSI TS 119 602 v1.1.1, 6.8.0 and D.4 to I.4"
    );
    assert!(
        clause("LOTE-SEAL-FORM")
            .1
            .contains("not a compact JAdES seal")
    );
    assert!(
        clause("LOTE-NEXT-UPDATE")
            .1
            .contains("2026-11-06T00:00:00Z")
    );
    // Before that day it had not passed.
    let earlier = lint_bytes(&bytes, None, at("2026-11-05T00:00:00Z"));
    assert!(!errors(&earlier.findings).contains(&"LOTE-NEXT-UPDATE".to_owned()));
}

#[test]
fn the_we_build_list_verifies_in_interop_alone() {
    let Some(bytes) = vector("the_we_build_list_verifies_in_interop_alone", WEBUILD) else {
        return;
    };
    let then = at("2026-07-01T00:00:00Z");
    let anyone = Verifier {
        signers: Signers::Anyone,
        mode: Mode::Interop,
    };
    let verified = anyone.verify(&bytes, then).unwrap();
    assert_eq!(verified.list.sequence(), 1);
    assert_eq!(
        all(&verified.findings),
        [
            "LOTE-SEAL-CERT-DIGEST",
            "LOTE-SEAL-FORM",
            "LOTE-SEAL-SIGNER"
        ]
    );

    let signer = [verified.signer.unwrap()];
    let pinned = Verifier {
        signers: Signers::Pinned(&signer),
        mode: Mode::Interop,
    };
    assert!(pinned.verify(&bytes, then).is_ok());
    assert!(
        pinned
            .verify(&bytes, now())
            .unwrap_err()
            .names(&lote::rules::NEXT_UPDATE)
    );
    let strict = Verifier {
        signers: Signers::Pinned(&signer),
        mode: Mode::Strict,
    };
    assert!(
        strict
            .verify(&bytes, then)
            .unwrap_err()
            .names(&lote::rules::SEAL_FORM)
    );

    let mut changed: Value = serde_json::from_slice(&bytes).unwrap();
    put(
        &mut changed,
        "/LoTE/ListAndSchemeInformation/LoTESequenceNumber",
        Some(2.into()),
    );
    let refusal = pinned
        .verify(changed.to_string().as_bytes(), then)
        .unwrap_err();
    assert!(refusal.names(&lote::rules::SEAL_SIGNATURE));
}

#[rstest]
#[tokio::test]
async fn our_lists_are_valid_under_the_schema_of_etsi(
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
    let Some(bytes) = vector(
        "our_lists_are_valid_under_the_schema_of_etsi",
        "1960201_json_schema.json",
    ) else {
        return;
    };
    let mut schema: Value = serde_json::from_slice(&bytes).unwrap();
    // A reference to a file that does not come with the schema.
    schema["definitions"]["PublicKeyValue"] = serde_json::json!({"type": "object"});
    // Stands among the properties, where it is no schema of its own.
    schema["definitions"]["ServiceDigitalIdentity"]["properties"]
        .as_object_mut()
        .unwrap()
        .remove("additionalProperties");
    let validator = jsonschema::validator_for(&schema).unwrap();
    let operator = operator().await;
    let mut draft = draft(profile, &operator.certificate).await;
    let list = serde_json::to_value(draft.list()).unwrap();
    let wrong: Vec<String> = validator
        .iter_errors(&list)
        .map(|e| e.to_string())
        .collect();
    assert_eq!(wrong, [""; 0]);

    draft.withdraw_entity(ENTITY, next()).unwrap();
    let list = serde_json::to_value(draft.list()).unwrap();
    let wrong: Vec<String> = validator
        .iter_errors(&list)
        .map(|e| e.to_string())
        .collect();
    assert_eq!(wrong, [""; 0], "after a withdrawal");
}
