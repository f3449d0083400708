//! The kit against WSCAs that were spoiled on purpose: each must fail at the rows that
//! say what is wrong with it, and at no others.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod card;

use card::{Card, Fault};
use rstest::rstest;
use sci::Architecture;
use sci::conformance::{self, Outcome, Report};

async fn run(card: &Card) -> Report {
    conformance::run(card, &|_| {}).await.unwrap()
}

#[rstest]
#[case(Fault::None, &[])]
#[case(Fault::ClaimsALevel, &["SCI-DESCRIPTOR"])]
#[case(Fault::NamesNoAssumption, &["SCI-DESCRIPTOR", "SCI-KEY-PROPERTIES"])]
#[case(Fault::SaysExportable, &["SCI-DESCRIPTOR", "SCI-KEY-PROPERTIES", "SCI-NO-EXPORT", "SCI-STATEMENT", "SCI-ASSOCIATION"])]
#[case(Fault::SignsWithoutSession, &["SCI-NO-SESSION", "SCI-SESSION-TASK", "SCI-SESSION-END", "SCI-SESSION-IDLE", "SCI-SESSION-REVOKED", "SCI-PIN-CHANGE", "SCI-DESTROY-UNIT"])]
#[case(Fault::IgnoresTheTask, &["SCI-SESSION-TASK"])]
#[case(Fault::SessionsStay, &["SCI-NO-SESSION", "SCI-SESSION-END", "SCI-PIN-WRONG"])]
#[case(Fault::SessionsHaveNoTime, &["SCI-SESSION-IDLE"])]
#[case(Fault::SessionsOutliveRevocation, &["SCI-SESSION-REVOKED"])]
#[case(Fault::RegistersAgain, &["SCI-PIN-ONCE"])]
#[case(Fault::TakesTrivialPins, &["SCI-PIN-ONCE", "SCI-PIN-CHANGE"])]
#[case(Fault::CountsNothing, &["SCI-PIN-WRONG", "SCI-PIN-PAUSE", "SCI-PIN-PARALLEL", "SCI-PIN-BLOCK", "SCI-IMPOSTOR", "SCI-REPLAY", "SCI-RESTART"])]
#[case(Fault::NeverBlocks, &["SCI-PIN-BLOCK"])]
#[case(Fault::TheRightPinIsNeverPaused, &["SCI-PIN-PAUSE", "SCI-PIN-PARALLEL", "SCI-PIN-BLOCK"])]
#[case(Fault::CountsAfterwards, &["SCI-PIN-PARALLEL"])]
#[case(Fault::TheOldPinStays, &["SCI-PIN-CHANGE"])]
#[case(Fault::MakesOneKeyTwice, &["SCI-GENERATE", "SCI-POSSESSION", "SCI-STATEMENT", "SCI-ASSOCIATION"])]
#[case(Fault::HasNoLimit, &["SCI-LIMITS"])]
#[case(Fault::SignsInTheWrongOrder, &["SCI-SIGN"])]
#[case(Fault::SignsWhatItCan, &["SCI-SIGN", "SCI-FOREIGN-KEYS", "SCI-DESTROY-KEYS"])]
#[case(Fault::PadsDigests, &["SCI-SIGN-DIGEST"])]
#[case(Fault::ReusesItsNonce, &["SCI-SIGN-NONCE"])]
#[case(Fault::AgreesOnNothing, &["SCI-AGREE"])]
#[case(Fault::ProvesAnything, &["SCI-POSSESSION"])]
#[case(Fault::ReadsKeysAsItems, &["SCI-NO-EXPORT"])]
#[case(Fault::StatesForAnyone, &["SCI-STATEMENT"])]
#[case(Fault::OneStatementForAll, &["SCI-ASSOCIATION"])]
#[case(Fault::ItemsEndWithTheirSession, &["SCI-ITEMS", "SCI-RESTART"])]
#[case(Fault::MixesUnits, &["SCI-FOREIGN-KEYS"])]
#[case(Fault::SharesItems, &["SCI-FOREIGN-ITEMS"])]
#[case(Fault::ServesAnyPhone, &["SCI-IMPOSTOR"])]
#[case(Fault::StrangersCostTries, &["SCI-IMPOSTOR"])]
#[case(Fault::IgnoresDestruction, &["SCI-STATEMENT", "SCI-DESTROY-KEYS", "SCI-RESTART"])]
#[case(Fault::UnitsLiveOn, &["SCI-DESTROY-UNIT"])]
#[case(Fault::TakesRepetitions, &["SCI-REPLAY"])]
#[case(Fault::TakesAlteredRequests, &["SCI-ALTERED"])]
#[case(Fault::DoublesUnderLoad, &["SCI-CONCURRENT"])]
#[case(Fault::ForgetsTriesOnRestart, &["SCI-RESTART"])]
#[case(Fault::ForgetsDestructionOnRestart, &["SCI-RESTART"])]
#[tokio::test]
async fn a_spoiled_wsca_fails_at_the_right_rows(#[case] fault: Fault, #[case] rows: &[&str]) {
    let report = run(&Card::with(fault, Architecture::Remote)).await;
    assert_eq!(report.failures(), rows, "{report:#?}");
    assert_eq!(report.passed(), rows.is_empty());
    for check in &report.checks {
        if rows.contains(&check.id) {
            assert!(
                matches!(&check.result, Outcome::Failed(evidence) if !evidence.is_empty()),
                "{check:?}"
            );
        }
    }
}

/// What a WSCA beside the user may leave to its platform, a remote one may not.
#[tokio::test]
async fn what_is_mandatory_depends_on_where_it_stands() {
    let left_out = [
        "SCI-PIN-FIRST",
        "SCI-PIN-ONCE",
        "SCI-PIN-CHANGE",
        "SCI-STATEMENT",
        "SCI-ITEMS",
        "SCI-FOREIGN-ITEMS",
    ];
    let local = run(&Card::with(Fault::OnlyKeys, Architecture::LocalNative)).await;
    assert_eq!(local.failures(), [""; 0], "{local:#?}");
    let remote = run(&Card::with(Fault::OnlyKeys, Architecture::Remote)).await;
    for id in left_out {
        let check = remote.checks.iter().find(|check| check.id == id).unwrap();
        assert!(check.mandatory && !check.is_in_order(), "{check:?}");
        let check = local.checks.iter().find(|check| check.id == id).unwrap();
        assert!(!check.mandatory, "{check:?}");
    }
    // Nobody has to offer association (ARF 6.5.3.3).
    let association = |report: &Report| {
        let mut checks = report.checks.iter();
        let check = checks.find(|check| check.id == "SCI-ASSOCIATION").unwrap();
        (check.mandatory, check.is_in_order())
    };
    assert_eq!(association(&remote), (false, true));
    assert_eq!(association(&local), (false, true));
}

/// What a harness cannot do stands against nobody, and is said.
#[tokio::test]
async fn what_was_not_tried_is_told() {
    let card = Card::with(Fault::None, Architecture::Remote).without_powers();
    let report = run(&card).await;
    assert!(report.passed());
    assert_eq!(
        report.not_tried(),
        [
            "SCI-SESSION-IDLE",
            "SCI-SESSION-REVOKED",
            "SCI-PIN-BLOCK",
            "SCI-IMPOSTOR",
            "SCI-REPLAY",
            "SCI-ALTERED",
            "SCI-RESTART"
        ]
    );
}

#[test]
fn every_check_has_a_name_and_a_clause_of_its_own() {
    let mut ids = std::collections::HashSet::new();
    for (id, requirement, says) in conformance::checks() {
        assert!(ids.insert(id), "{id} stands twice");
        assert!(id.starts_with("SCI-") && !requirement.is_empty() && !says.is_empty());
    }
}
