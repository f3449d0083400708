//! The lint: clean lists are clean, and each rule broken alone is found alone.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod common;
mod lint_cases;

use common::*;
use lint_cases::cases;
use lote::{Profile, lint_bytes, lint_draft};
use rstest::rstest;
use serde_json::json;

const S: &str = "/LoTE/ListAndSchemeInformation";

#[rstest]
#[tokio::test]
async fn our_own_lists_are_clean(
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
    let report = lint_draft(&draft.list().to_json().unwrap(), None, now());
    assert_eq!(report.findings, []);
    assert_eq!(report.profile, Some(profile));

    let sealed = lote::seal(
        draft.list(),
        &[operator.certificate],
        &operator.key,
        issued(),
    )
    .await
    .unwrap();
    let report = lint_bytes(sealed.as_bytes(), Some(profile), now());
    assert_eq!(report.findings, []);
    assert_eq!(report.list.as_ref(), Some(draft.list()));
}

#[tokio::test]
async fn each_rule_broken_alone_is_found_alone() {
    let operator = operator().await;
    let mut wrong = Vec::new();
    for (profile, rule, pointer, value) in cases() {
        let draft = draft(profile, &operator.certificate).await;
        let mut document = serde_json::to_value(draft.list()).unwrap();
        put(&mut document, &pointer, value.clone());
        let report = lint_draft(document.to_string().as_bytes(), Some(profile), now());
        let found = errors(&report.findings);
        // Annex I wants a registration number only where there is one.
        let expected: &[&str] = match (profile, rule) {
            (Profile::Registrars, "LOTE-TE-TRADE-NAME") => &[],
            (_, "LOTE-TE-SERVICES") => &["LOTE-EMPTY-ARRAY", rule],
            _ => &[rule],
        };
        if found != expected {
            wrong.push(format!(
                "{profile} {pointer} {value:?}: {rule} expected, {found:?} found"
            ));
        }
    }
    assert_eq!(wrong, [""; 0], "{wrong:#?}");
}

#[tokio::test]
async fn a_territory_other_than_eu_is_found_with_the_name_that_carries_it() {
    let operator = operator().await;
    let draft = draft(Profile::Pid, &operator.certificate).await;
    let mut document = serde_json::to_value(draft.list()).unwrap();
    put(
        &mut document,
        &format!("{S}/SchemeTerritory"),
        Some(json!("DE")),
    );
    let report = lint_draft(document.to_string().as_bytes(), None, now());
    assert_eq!(
        errors(&report.findings),
        ["LOTE-SCHEME-NAME", "LOTE-TERRITORY"]
    );
    let territory = report
        .findings
        .iter()
        .find(|f| f.rule == "LOTE-TERRITORY")
        .unwrap();
    assert_eq!(
        territory.clause,
        "ETSI TS 119 602 v1.1.1, Table D.1 (6.3.10)"
    );
    assert_eq!(territory.subject, format!("{S}/SchemeTerritory"));
}

#[tokio::test]
async fn a_list_judged_by_another_profile_breaks_its_annex() {
    let operator = operator().await;
    let draft = draft(Profile::Pid, &operator.certificate).await;
    let report = lint_draft(
        &draft.list().to_json().unwrap(),
        Some(Profile::Wallet),
        now(),
    );
    assert_eq!(
        errors(&report.findings),
        [
            "LOTE-COMMUNITY-RULES",
            "LOTE-STATUS-DETERMINATION",
            "LOTE-SVC-TYPE",
            "LOTE-SVC-UNIQUE-ID",
            "LOTE-TE-RESPONSIBLE",
            "LOTE-TYPE",
        ]
    );
}
