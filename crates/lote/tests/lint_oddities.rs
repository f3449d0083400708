//! The lint of what is odd: the warts of the standard, unknown members, garbage,
//! and reports that would never end.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod common;

use common::*;
use lote::{Profile, lint_bytes, lint_draft};
use rstest::rstest;
use serde_json::{Value, json};

const S: &str = "/LoTE/ListAndSchemeInformation";
const T: &str = "/LoTE/TrustedEntitiesList/0/TrustedEntityInformation";

#[tokio::test]
async fn the_warts_of_the_standard_are_survived() {
    let operator = operator().await;
    let draft = draft(Profile::Registration, &operator.certificate).await;
    let clean = serde_json::to_value(draft.list()).unwrap();

    // Table 1's spelling of the pointers.
    let mut document = clean.clone();
    let pointers = document
        .pointer(&format!("{S}/PointersToOtherLoTE"))
        .cloned();
    put(&mut document, &format!("{S}/PointersToOtherLoTE"), None);
    put(&mut document, &format!("{S}/PointerToOtherLoTE"), pointers);
    let report = lint_draft(document.to_string().as_bytes(), None, now());
    assert_eq!(all(&report.findings), ["LOTE-POINTER-SPELLING"]);
    assert_eq!(report.list.unwrap().scheme().pointers().count(), 1);

    // A closed list.
    let mut document = clean.clone();
    put(&mut document, &format!("{S}/NextUpdate"), Some(Value::Null));
    let report = lint_draft(document.to_string().as_bytes(), None, now());
    assert_eq!(all(&report.findings), ["LOTE-CLOSED"]);
    let list = report.list.unwrap();
    assert_eq!(list.scheme().next_update, Some(None));
    assert!(
        String::from_utf8(list.to_json().unwrap())
            .unwrap()
            .contains("\"NextUpdate\":null")
    );

    // Both forms of the legal notice, both spellings of Annex G's status URI.
    for (pointer, value) in [
        ("PolicyOrLegalNotice", json!([{"LoTELegalNotice": "plain"}])),
        (
            "PolicyOrLegalNotice",
            json!([{"LoTELegalNotice": {"lang": "en", "value": "tagged"}}]),
        ),
        (
            "StatusDeterminationApproach",
            json!("http://uri.etsi.org/19602/WRPRCProvidersList/StatusDetn/EU"),
        ),
        (
            "StatusDeterminationApproach",
            json!("http://uri.etsi.org/19602/WRPRCrovidersList/StatusDetn/EU"),
        ),
    ] {
        let mut document = clean.clone();
        put(&mut document, &format!("{S}/{pointer}"), Some(value));
        let report = lint_draft(document.to_string().as_bytes(), None, now());
        assert_eq!(report.findings, []);
    }
}

#[tokio::test]
async fn unknown_members_are_kept() {
    let operator = operator().await;
    let draft = draft(Profile::Pid, &operator.certificate).await;
    let mut document = serde_json::to_value(draft.list()).unwrap();
    put(
        &mut document,
        &format!("{S}/Colour"),
        Some(json!({"of": ["the", "house"]})),
    );
    put(&mut document, &format!("{T}/Shape"), Some(json!(7)));
    let list = lote::UncheckedList::from_value(document.clone()).unwrap();
    assert_eq!(serde_json::to_value(&list).unwrap(), document);
}

#[rstest]
#[case::nothing(b"".to_vec(), "LOTE-JSON")]
#[case::blank(b" \n".to_vec(), "LOTE-JSON")]
#[case::not_utf8(vec![0xff, 0xfe, 0x00], "LOTE-JSON")]
#[case::zeroes(vec![0; 100_000_000], "LOTE-JSON")]
#[case::zero(vec![0], "LOTE-JSON")]
#[case::not_json(b"{".to_vec(), "LOTE-JSON")]
#[case::nested(b"[".repeat(10_000), "LOTE-JSON")]
#[case::duplicate(br#"{"LoTE":{},"LoTE":{}}"#.to_vec(), "LOTE-JSON")]
#[case::array(b"[]".to_vec(), "LOTE-SHAPE")]
#[case::empty(b"{}".to_vec(), "LOTE-SHAPE")]
#[case::dots(b"a.b.c".to_vec(), "LOTE-SEAL-FORM")]
#[case::sentence(b"Hello. World".to_vec(), "LOTE-SEAL-FORM")]
fn garbage_is_one_clear_finding(#[case] bytes: Vec<u8>, #[case] rule: &str) {
    let report = lint_bytes(&bytes, None, now());
    assert_eq!(all(&report.findings), [rule]);
    assert_eq!(report.findings.len(), 1);
    assert!(report.list.is_none());
}

#[test]
fn a_report_of_millions_of_findings_is_cut() {
    let many = vec![json!(1); 50_000];
    let document = json!({"LoTE": {"ListAndSchemeInformation": {"SchemeName": many}}});
    let report = lint_bytes(document.to_string().as_bytes(), None, now());
    assert!(report.findings.len() <= 1_002, "{}", report.findings.len());
    assert!(
        report
            .findings
            .iter()
            .any(|f| f.rule == "LOTE-MORE-FINDINGS")
    );
}

#[test]
fn what_is_shown_has_no_control_characters() {
    let document = json!({"LoTE": {"ListAndSchemeInformation": {"LoTEType": "\u{1b}[31mred\u{7}", "\u{1b}]0;x": 1}}});
    for finding in lint_bytes(document.to_string().as_bytes(), None, now()).findings {
        assert!(
            !finding.to_string().chars().any(char::is_control),
            "{finding}"
        );
    }
}

#[test]
fn rule_ids_are_unique_and_name_their_clause() {
    let mut ids: Vec<&str> = lote::RULES.iter().map(|r| r.id).collect();
    ids.sort_unstable();
    let before = ids.len();
    ids.dedup();
    assert_eq!(ids.len(), before);
    assert!(
        lote::RULES
            .iter()
            .all(|r| r.id.starts_with("LOTE-") && !r.clause.is_empty())
    );
}
