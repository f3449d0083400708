#![allow(clippy::unwrap_used)]

use jiff::Timestamp;
use provider_api::{RevocationReason, Revoker};
use sci::UnitId;

use super::*;
use crate::{Fact, Keys, NoticeId, Part};

const UNIT: [u8; 16] = [0xa1; 16];
const PAGE: &str = "https://wallet.example/account";

fn sender() -> Sender {
    Sender::new(
        "Example Wallet",
        PAGE.parse().unwrap(),
        Some("+49 30 123456"),
    )
    .unwrap()
}

/// Every fact there is, in every shape.
fn facts() -> Vec<Fact> {
    let mut facts = vec![
        Fact::AddressToConfirm {
            code: "1234-5678".parse().unwrap(),
        },
        Fact::AddressReplaced,
        Fact::AccountDeleted,
        Fact::PasskeyAdded,
        Fact::RecoveryCodesReplaced,
        Fact::SignedInByRecoveryCode,
    ];
    for reason in RevocationReason::ALL {
        for by in [Revoker::User, Revoker::Operator] {
            for keys in [Keys::Frozen, Keys::Usable] {
                facts.push(Fact::UnitRevoked {
                    by,
                    reason,
                    keys,
                    advisory: None,
                });
            }
            for part in [Part::Wscd, Part::Keystore] {
                facts.push(Fact::KeysRevoked {
                    part,
                    by,
                    reason,
                    advisory: Some("EUVD-2026-0001".parse().unwrap()),
                });
            }
        }
    }
    facts
}

fn text(fact: &Fact, language: Language) -> Text {
    sender().text(&Notice {
        id: NoticeId::random(),
        fact: fact.clone(),
        account: Some(1),
        unit: Some(UnitId::from_bytes(UNIT)),
        at: "2026-03-01T07:05:09Z".parse::<Timestamp>().unwrap(),
        language,
    })
}

#[test]
fn every_text_is_plain_and_names_no_unit_in_full_and_no_other_address() {
    for fact in facts() {
        for language in Language::ALL {
            let text = text(&fact, language);
            let all = format!("{}\n{}", text.subject, text.body);
            assert!(!text.subject.chars().any(char::is_control), "{all}");
            assert!(text.subject.chars().count() < 78, "{all}");
            assert!(text.body.ends_with('\n') && !text.body.contains(['\r', '\t']));
            assert!(text.body.lines().all(|line| line.len() < 998), "{all}");
            assert!(
                !all.contains(&UnitId::from_bytes(UNIT).to_string()),
                "{all}"
            );
            assert!(!all.contains("a1a1a1a1-"), "{all}");
            assert_eq!(all.matches("://").count(), 1, "{all}");
            assert!(all.contains(PAGE) && all.contains("+49 30 123456"), "{all}");
            assert!(!all.contains("  \n") && !all.contains("..") && !all.contains(" ."));
            assert!(!all.contains('<'), "{all}");
        }
    }
}

#[test]
fn a_revocation_says_what_when_why_what_works_and_what_to_do() {
    let parts = [
        (
            Language::English,
            "1 March 2026 at 07:05 UTC",
            "Why\n",
            "What still works\n",
            "What no longer works\n",
            "What to do\n",
        ),
        (
            Language::German,
            "1. März 2026 um 07:05 Uhr (UTC)",
            "Warum\n",
            "Was weiterhin geht\n",
            "Was nicht mehr geht\n",
            "Was Sie tun können\n",
        ),
        (
            Language::French,
            "1er mars 2026 à 07:05 (UTC)",
            "Pourquoi\n",
            "Ce qui fonctionne encore\n",
            "Ce qui ne fonctionne plus\n",
            "Que faire\n",
        ),
    ];
    for fact in facts() {
        let about_unit = matches!(fact, Fact::UnitRevoked { .. } | Fact::KeysRevoked { .. });
        if !about_unit {
            continue;
        }
        for (language, when, why, works, ended, measures) in parts {
            let body = text(&fact, language).body;
            let at: Vec<usize> = [when, why, works, ended, measures]
                .iter()
                .map(|part| body.find(part).unwrap_or(usize::MAX))
                .collect();
            assert!(at.is_sorted() && !at.contains(&usize::MAX), "{body}");
            assert!(body.contains("\"a1a1a1a1\""), "{body}");
            assert!(body.contains("PID"), "{body}");
        }
    }
}

/// ARF 4.6.4 and `WURevocation_14`: what differs by reason is told apart.
#[test]
fn each_reason_has_words_of_its_own() {
    for language in Language::ALL {
        let mut seen = std::collections::HashSet::new();
        for reason in RevocationReason::ALL {
            let revoked = |by, keys| {
                let advisory = None;
                let fact = Fact::UnitRevoked {
                    by,
                    reason,
                    keys,
                    advisory,
                };
                text(&fact, language).body
            };
            let frozen = revoked(Revoker::User, Keys::Frozen);
            assert_ne!(frozen, revoked(Revoker::User, Keys::Usable));
            assert!(seen.insert(frozen), "{reason:?}");
        }
    }
}

#[test]
fn a_breach_leads_to_its_technical_details() {
    let told = |advisory: Option<&str>| {
        let fact = Fact::UnitRevoked {
            by: Revoker::Operator,
            reason: RevocationReason::Security,
            keys: Keys::Frozen,
            advisory: advisory.map(|name| name.parse().unwrap()),
        };
        Language::ALL.map(|language| text(&fact, language).body)
    };
    assert!(
        told(Some("EUVD-2026-0001"))
            .iter()
            .all(|body| body.contains(" EUVD-2026-0001."))
    );
    let [english, ..] = told(None);
    assert!(english.contains("when you ask us"));
}

#[test]
fn a_line_for_users_is_one_line_without_a_link() {
    let page: url::Url = PAGE.parse().unwrap();
    for (solution, contact) in [
        ("", None),
        ("Wallet\r\nBcc: x@example.org", None),
        ("Wallet", Some("call\nus")),
        ("Wallet", Some("https://evil.example")),
        ("Wallet", Some("www.evil.example")),
    ] {
        assert!(Sender::new(solution, page.clone(), contact).is_err());
    }
    assert!(Sender::new(&"W".repeat(201), page, None).is_err());
}
