//! App Attest over keys of a test bed: each step of Apple's list broken alone.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod changed;
mod support;

use claviger_fixtures::TestKey;
use device_evidence::apple::{
    self, AppleLevels, ApplePolicy, AssertionCheck, AssertionSaid, AttestationCheck,
    AttestationSaid, Environment,
};
use device_evidence::{Assessment, AttackPotential, rules};
use finding::{Rule, Trusted};
use jose::{Curve, sha256};
use rstest::rstest;
use support::apple::*;
use support::{public, time};

const CHALLENGE: &[u8] = b"a challenge";

fn assess_with(bed: &Bed, object: &[u8], policy: &ApplePolicy) -> Assessment<AttestationSaid> {
    let hash = apple::client_data_hash(CHALLENGE, &[]);
    apple::assess_attestation(
        object,
        &AttestationCheck {
            policy,
            client_data_hash: Some(&hash),
            key_id: Some(&bed.key_id()),
            at: time(AT),
        },
    )
}

fn sound() -> Attestation<'static> {
    Attestation::sound(apple::client_data_hash(CHALLENGE, &[]))
}

#[track_caller]
fn refused<Said: std::fmt::Debug>(assessment: &Assessment<Said>, expected: &[&Rule]) {
    let mut found: Vec<&str> = assessment
        .findings
        .iter()
        .filter(|f| f.severity == finding::Severity::Error)
        .map(|f| f.rule.as_ref())
        .collect();
    found.dedup();
    let expected: Vec<&str> = expected.iter().map(|rule| rule.id).collect();
    assert_eq!(found, expected, "{:#?}", assessment.findings);
    assert_eq!(
        assessment.key_storage, None,
        "refused evidence earns nothing"
    );
}

#[test]
fn a_sound_attestation_is_accepted_and_earns_its_level() {
    let bed = Bed::new();
    let assessment = assess_with(&bed, &bed.attest(&sound()), &bed.policy());
    assert_eq!(
        assessment.accepted,
        Trusted::Yes,
        "{:#?}",
        assessment.findings
    );
    assert_eq!(assessment.key_storage, Some(AttackPotential::Moderate));
    assert_eq!(assessment.key, Some(public(&bed.key)));
    let said = assessment.says.unwrap();
    assert_eq!(said.app.as_deref(), Some(APP));
    assert_eq!(said.environment, Some(Environment::Production));
    assert_eq!(said.key_id, bed.key_id());
    assert_eq!(said.receipt, [0x30, 0x80]);
}

#[rstest]
#[case::another_nonce(Attestation { nonce: Some([1; 32]), ..sound() }, &[&rules::APPLE_NONCE])]
#[case::another_challenge(Attestation { client_data_hash: [1; 32], ..sound() }, &[&rules::APPLE_NONCE])]
#[case::another_key_id(Attestation { id: Some(vec![1; 32]), ..sound() }, &[&rules::APPLE_KEY_ID])]
#[case::another_app(Attestation { app: "TEAM123456.eu.evil", ..sound() }, &[&rules::APPLE_APP])]
#[case::counter(Attestation { counter: 1, ..sound() }, &[&rules::APPLE_COUNTER])]
#[case::development(Attestation { aaguid: DEVELOPMENT, ..sound() }, &[&rules::APPLE_ENVIRONMENT])]
#[case::another_authenticator(Attestation { aaguid: &[1; 16], ..sound() }, &[&rules::APPLE_ENVIRONMENT])]
#[case::format(Attestation { fmt: "packed", ..sound() }, &[&rules::APPLE_FORMAT])]
#[case::expired(Attestation { to: "2026-11-20T11:00:00Z", ..sound() }, &[&rules::APPLE_CHAIN])]
fn each_step_broken_alone(#[case] made: Attestation<'_>, #[case] expected: &[&Rule]) {
    let bed = Bed::new();
    refused(
        &assess_with(&bed, &bed.attest(&made), &bed.policy()),
        expected,
    );
}

#[test]
fn evidence_of_one_key_with_anothers_is_refused() {
    let bed = Bed::new();
    let other = Bed::new();
    // Another device's key id is given with it.
    let assessment = assess_with(&other, &bed.attest(&sound()), &bed.policy());
    refused(&assessment, &[&rules::APPLE_KEY_ID]);
    // The credential names another key than the certificate.
    let stranger = TestKey::generate(Curve::P256);
    let made = Attestation {
        cose: Some(&stranger),
        ..sound()
    };
    refused(
        &assess_with(&bed, &bed.attest(&made), &bed.policy()),
        &[&rules::APPLE_KEY_ID],
    );
    // One attestation's certificate with another's authenticator data.
    let leaf = other.leaf(&sound());
    let object = bed.object(&sound(), &[leaf.der(), other.ca.der()]);
    let assessment = assess_with(&bed, &object, &other.policy());
    refused(&assessment, &[&rules::APPLE_NONCE, &rules::APPLE_KEY_ID]);
}

#[test]
fn chains_lead_over_cas_to_the_root_key() {
    let bed = Bed::new();
    let made = sound();
    let leaf = bed.leaf(&made);
    let assess = |chain: &[&[u8]], policy: &ApplePolicy| {
        assess_with(&bed, &bed.object(&made, chain), policy)
    };
    // Without the CA; the wrong way round; nothing; under Apple's root alone.
    let policy = bed.policy();
    refused(&assess(&[leaf.der()], &policy), &[&rules::APPLE_CHAIN]);
    let turned = assess(&[bed.ca.der(), leaf.der()], &policy);
    assert!(turned.refused_for(&rules::APPLE_CHAIN));
    refused(&assess(&[], &policy), &[&rules::APPLE_CHAIN]);
    let apples = ApplePolicy {
        apple_root: true,
        roots: vec![],
        ..bed.policy()
    };
    let chain: &[&[u8]] = &[leaf.der(), bed.ca.der()];
    refused(&assess(chain, &apples), &[&rules::APPLE_CHAIN]);
    // A leaf under a leaf: what an app key could sign.
    let fake = Bed {
        ca_key: TestKey::generate(Curve::P256),
        ..Bed::new()
    };
    let fake_leaf = fake.leaf(&made);
    let chain: &[&[u8]] = &[fake_leaf.der(), leaf.der(), bed.ca.der()];
    let assessment = assess_with(&fake, &fake.object(&made, chain), &bed.policy());
    assert!(assessment.refused_for(&rules::APPLE_CHAIN));
    assert_eq!(assessment.accepted, Trusted::No);
}

#[test]
fn a_key_of_development_may_be_accepted_and_earns_nothing() {
    let bed = Bed::new();
    let policy = ApplePolicy {
        environments: vec![Environment::Development, Environment::Production],
        ..bed.policy()
    };
    let made = Attestation {
        aaguid: DEVELOPMENT,
        ..sound()
    };
    let assessment = assess_with(&bed, &bed.attest(&made), &policy);
    assert_eq!(
        assessment.accepted,
        Trusted::Yes,
        "{:#?}",
        assessment.findings
    );
    assert_eq!(assessment.key_storage, None);
    let levelless = ApplePolicy {
        levels: AppleLevels {
            attested_key: None,
            bound_keys: None,
        },
        ..bed.policy()
    };
    let assessment = assess_with(&bed, &bed.attest(&sound()), &levelless);
    assert_eq!(
        (assessment.accepted, assessment.key_storage),
        (Trusted::Yes, None)
    );
}

#[test]
fn what_is_not_known_leaves_it_undecided() {
    let bed = Bed::new();
    let object = bed.attest(&sound());
    let policy = bed.policy();
    let assessment = apple::assess_attestation(
        &object,
        &AttestationCheck {
            policy: &policy,
            client_data_hash: None,
            key_id: None,
            at: time(AT),
        },
    );
    assert_eq!(assessment.accepted, Trusted::Undecided);
    refused(&assessment, &[&rules::CHALLENGE_UNKNOWN]);
    let nameless = ApplePolicy {
        apps: vec![],
        ..bed.policy()
    };
    let assessment = assess_with(&bed, &object, &nameless);
    assert_eq!(assessment.accepted, Trusted::Undecided);
    refused(&assessment, &[&rules::APPLE_APP_UNKNOWN]);
}

#[test]
fn nothing_changed_or_cut_short_is_accepted() {
    let bed = Bed::new();
    let object = bed.attest(&sound());
    let policy = bed.policy();
    for byte in (0..object.len()).step_by(3) {
        let mut changed = object.clone();
        changed[byte] ^= 0x04;
        let assessment = assess_with(&bed, &changed, &policy);
        // The receipt is Apple's, and not signed over here.
        let receipt = object.windows(7).position(|w| w == b"receipt").unwrap();
        let in_receipt = (receipt + 8..receipt + 11).contains(&byte);
        let name = (receipt - 1..receipt + 8).contains(&byte);
        if !in_receipt && !name {
            assert_eq!(assessment.accepted, Trusted::No, "byte {byte}");
        }
        assert!(
            !assessment.findings.is_empty() || assessment.accepted == Trusted::Yes,
            "byte {byte}"
        );
    }
    // What is refused is refused for what was changed.
    changed::try_each(&object, &changed::attestation(&object), |other| {
        changed::errors(&assess_with(&bed, other, &policy))
    });
    for len in 0..object.len() {
        let assessment = assess_with(&bed, &object[..len], &policy);
        refused(&assessment, &[&rules::APPLE_FORMAT]);
    }
    let large = vec![0x41; 40_000];
    refused(&assess_with(&bed, &large, &policy), &[&rules::SIZE]);
    let mut deep = vec![0x81; 5_000];
    deep.push(0);
    refused(&assess_with(&bed, &deep, &policy), &[&rules::APPLE_FORMAT]);
}

fn assert_with(
    bed: &Bed,
    bytes: &[u8],
    counter: u32,
    hash: Option<&[u8; 32]>,
) -> Assessment<AssertionSaid> {
    apple::assess_assertion(
        bytes,
        &AssertionCheck {
            policy: &bed.policy(),
            key: &public(&bed.key),
            environment: Environment::Production,
            counter,
            client_data_hash: hash,
            at: time(AT),
        },
    )
}

#[test]
fn an_assertion_is_accepted_once_and_the_counter_grows() {
    let bed = Bed::new();
    let hash = apple::client_data_hash(CHALLENGE, &[public(&bed.key)]);
    let first = bed.assert(&hash, APP, 1);
    let assessment = assert_with(&bed, &first, 0, Some(&hash));
    assert_eq!(
        assessment.accepted,
        Trusted::Yes,
        "{:#?}",
        assessment.findings
    );
    assert_eq!(assessment.key_storage, Some(AttackPotential::EnhancedBasic));
    let kept = assessment.says.unwrap().counter;
    assert_eq!(kept, 1);
    // Replayed, and going back.
    refused(
        &assert_with(&bed, &first, kept, Some(&hash)),
        &[&rules::APPLE_COUNTER],
    );
    refused(
        &assert_with(&bed, &first, 7, Some(&hash)),
        &[&rules::APPLE_COUNTER],
    );
    let later = bed.assert(&hash, APP, 9);
    let assessment = assert_with(&bed, &later, kept, Some(&hash));
    assert_eq!(assessment.accepted, Trusted::Yes);
    assert_eq!(assessment.says.unwrap().counter, 9);
}

#[test]
fn an_assertion_binds_its_client_data_key_and_app() {
    let bed = Bed::new();
    let hash = apple::client_data_hash(CHALLENGE, &[public(&bed.key)]);
    let bytes = bed.assert(&hash, APP, 1);
    let signature: &[&Rule] = &[&rules::APPLE_SIGNATURE];
    // Another challenge; other keys; another attested key; another app.
    for other in [
        apple::client_data_hash(b"another", &[public(&bed.key)]),
        apple::client_data_hash(CHALLENGE, &[]),
        apple::client_data_hash(CHALLENGE, &[public(&Bed::new().key)]),
        sha256(CHALLENGE),
    ] {
        refused(&assert_with(&bed, &bytes, 0, Some(&other)), signature);
    }
    let theirs = Bed {
        key: TestKey::generate(Curve::P256),
        ..Bed::new()
    };
    refused(&assert_with(&theirs, &bytes, 0, Some(&hash)), signature);
    let other_app = bed.assert(&hash, "TEAM123456.eu.evil", 1);
    refused(
        &assert_with(&bed, &other_app, 0, Some(&hash)),
        &[&rules::APPLE_APP],
    );
    refused(
        &assert_with(&bed, &bytes, 0, None),
        &[&rules::CHALLENGE_UNKNOWN],
    );
    // Each part changed, cut short, too large.
    changed::try_each(&bytes, &changed::assertion(&bytes), |other| {
        changed::errors(&assert_with(&bed, other, 0, Some(&hash)))
    });
    for byte in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[byte] ^= 0x01;
        let assessment = assert_with(&bed, &changed, 0, Some(&hash));
        assert_eq!(assessment.accepted, Trusted::No, "byte {byte}");
        let cut = assert_with(&bed, &bytes[..byte], 0, Some(&hash));
        refused(&cut, &[&rules::APPLE_FORMAT]);
    }
    refused(
        &assert_with(&bed, &[0; 5000], 0, Some(&hash)),
        &[&rules::SIZE],
    );
}

/// The parts cannot run into each other.
#[test]
fn the_client_data_hash_tells_challenge_and_keys_apart() {
    let key = public(&TestKey::generate(Curve::P256));
    let other = public(&TestKey::generate(Curve::P256));
    let hashes = [
        apple::client_data_hash(b"", &[]),
        apple::client_data_hash(b"a", &[]),
        apple::client_data_hash(b"", std::slice::from_ref(&key)),
        apple::client_data_hash(&key.thumbprint(), &[]),
        apple::client_data_hash(b"", &[key.clone(), other.clone()]),
        apple::client_data_hash(b"", &[other, key]),
    ];
    let different: std::collections::HashSet<_> = hashes.iter().collect();
    assert_eq!(different.len(), hashes.len());
}
