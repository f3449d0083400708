//! Broken input of every kind: judged or refused, and never a panic.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod common;

use common::*;
use lote::{Mode, Profile, Signers, Verifier, lint_bytes};

/// A small generator of numbers, so that a failure can be repeated.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % end
    }
}

#[tokio::test]
async fn flipped_cut_and_doubled_bytes_never_panic_and_never_verify() {
    let operator = operator().await;
    let draft = draft(Profile::PubEaa, &operator.certificate).await;
    let signers = [operator.certificate.clone()];
    let sealed = lote::seal(draft.list(), &signers, &operator.key, issued())
        .await
        .unwrap();
    let pinned = Verifier {
        signers: Signers::Pinned(&signers),
        mode: Mode::Interop,
    };
    let anyone = Verifier {
        signers: Signers::Anyone,
        mode: Mode::Interop,
    };
    let mut numbers = Numbers(7);
    for original in [sealed.into_bytes(), draft.list().to_json().unwrap()] {
        for _ in 0..400 {
            let mut bytes = original.clone();
            let place = numbers.below(bytes.len());
            match numbers.below(3) {
                0 => bytes[place] ^= 1 << numbers.below(8),
                1 => bytes.truncate(place),
                _ => {
                    let part = bytes[place..(place + 40).min(bytes.len())].to_vec();
                    bytes.splice(place..place, part);
                }
            }
            let report = lint_bytes(&bytes, None, now());
            assert!(report.findings.iter().all(|f| !f.rule.is_empty()));
            // White space around it is no part of a seal.
            if bytes.trim_ascii() != original {
                assert!(pinned.verify(&bytes, now()).is_err());
            }
            let _ = anyone.verify(&bytes, now());
        }
    }
}

/// Every member of a list replaced by a value of each other type.
#[tokio::test]
async fn every_member_may_be_of_any_type() {
    let operator = operator().await;
    let draft = draft(Profile::PubEaa, &operator.certificate).await;
    let document = serde_json::to_value(draft.list()).unwrap();
    let mut pointers = Vec::new();
    walk(&document, String::new(), &mut pointers);
    assert!(pointers.len() > 100);
    let mut passed = Vec::new();
    for pointer in pointers {
        for value in [
            serde_json::json!(null),
            serde_json::json!(true),
            serde_json::json!(-1e300),
            serde_json::json!(u64::MAX),
            serde_json::json!("\u{202e}\u{0}é"),
            serde_json::json!([]),
            serde_json::json!({}),
            serde_json::json!([[[]]]),
        ] {
            let mut broken = document.clone();
            put(&mut broken, &pointer, Some(value.clone()));
            let report = lint_bytes(broken.to_string().as_bytes(), None, now());
            if errors(&report.findings).len() <= 1 && report.list.is_some() {
                passed.push(format!("{pointer} = {value}"));
            }
        }
    }
    // That one closes the list (6.3.15), which is a warning.
    assert_eq!(passed, ["/LoTE/ListAndSchemeInformation/NextUpdate = null"]);
}

fn walk(value: &serde_json::Value, at: String, pointers: &mut Vec<String>) {
    let children: Vec<(String, &serde_json::Value)> = match value {
        serde_json::Value::Object(o) => o.iter().map(|(k, v)| (k.clone(), v)).collect(),
        serde_json::Value::Array(a) => a
            .iter()
            .enumerate()
            .map(|(i, v)| (i.to_string(), v))
            .collect(),
        _ => Vec::new(),
    };
    for (name, child) in children {
        let at = format!("{at}/{name}");
        pointers.push(at.clone());
        walk(child, at, pointers);
    }
}
