//! Real App Attest objects: attestations and assertions of one app on three
//! versions of iOS.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod changed;

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use device_evidence::apple::{
    self, AppId, ApplePolicy, AssertionCheck, AttestationCheck, Environment,
};
use device_evidence::rules;
use finding::Trusted;
use jiff::{SignedDuration, Timestamp};
use jose::PublicKey;

/// A YAML document of the vectors, its top-level scalars by name.
type Document = HashMap<String, String>;

fn documents(test: &str) -> Vec<Document> {
    let Some(vectors) = claviger_fixtures::vectors() else {
        claviger_fixtures::skip(test, "there is no folder of test vectors");
        return Vec::new();
    };
    let mut documents = Vec::new();
    for name in ["ios-14.2", "ios-14.3-beta-2", "ios-14.3"] {
        let path = vectors.join("app-attest").join(format!("{name}.yaml"));
        let text = std::fs::read_to_string(path).unwrap();
        let text = format!("\n{text}");
        let parts = text.split("\n---\n").filter(|t| !t.trim().is_empty());
        documents.extend(parts.map(read));
    }
    assert!(documents.len() > 9, "{}", documents.len());
    documents
}

fn read(text: &str) -> Document {
    let mut document = Document::new();
    let mut last = String::new();
    for line in text.lines() {
        match line.split_once(':') {
            Some((name, value)) if !line.starts_with(' ') => {
                last = name.to_owned();
                let value = value.trim().trim_matches('\'').trim_start_matches('|');
                document.insert(last.clone(), value.to_owned());
            }
            _ => {
                if let Some(value) = document.get_mut(&last) {
                    value.push_str(line.trim());
                }
            }
        }
    }
    document
}

fn bytes(document: &Document, name: &str) -> Vec<u8> {
    STANDARD
        .decode(&document[name])
        .unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn hash(document: &Document) -> [u8; 32] {
    bytes(document, "clientDataHashSha256Base64")
        .try_into()
        .unwrap()
}

fn key(document: &Document) -> PublicKey {
    let body = document["publicKey"]
        .replace("-----BEGIN PUBLIC KEY-----", "")
        .replace("-----END PUBLIC KEY-----", "");
    PublicKey::from_spki_der(&STANDARD.decode(body).unwrap()).unwrap()
}

fn at(document: &Document) -> Timestamp {
    document["timestamp"].parse().unwrap()
}

fn policy(document: &Document) -> ApplePolicy {
    let app = format!(
        "{}.{}",
        document["teamIdentifier"], document["bundleIdentifier"]
    );
    ApplePolicy {
        apps: vec![AppId::try_from(app).unwrap()],
        environments: vec![Environment::Development, Environment::Production],
        ..ApplePolicy::default()
    }
}

fn of<'a>(documents: &'a [Document], kind: &str) -> Vec<&'a Document> {
    documents.iter().filter(|d| d["type"] == kind).collect()
}

#[test]
fn every_attestation_is_accepted_in_its_time() {
    let documents = documents("every_attestation_is_accepted_in_its_time");
    let attestations = of(&documents, "attestation");
    assert!(documents.is_empty() || attestations.len() == 3);
    for document in attestations {
        let object = bytes(document, "attestationBase64");
        let policy = policy(document);
        let key_id = bytes(document, "keyIdBase64");
        let hash = hash(document);
        let check = AttestationCheck {
            policy: &policy,
            client_data_hash: Some(&hash),
            key_id: Some(&key_id),
            at: at(document),
        };
        let assessment = apple::assess_attestation(&object, &check);
        assert_eq!(
            assessment.accepted,
            Trusted::Yes,
            "{:#?}",
            assessment.findings
        );
        assert_eq!(assessment.key, Some(key(document)));
        assert_eq!(
            assessment.root.as_deref(),
            Some("Apple App Attestation Root CA")
        );
        let said = assessment.says.unwrap();
        assert_eq!(said.key_id, key_id);
        assert_eq!(said.environment, Some(Environment::Development));
        assert_eq!(said.counter, 0);
        assert!(said.receipt.len() > 1000);
        assert_eq!(
            assessment.key_storage, None,
            "a key of development earns nothing"
        );

        // The certificate lives for three days.
        for days in [-4, 4] {
            let at = check.at + SignedDuration::from_hours(24 * days);
            let assessment = apple::assess_attestation(&object, &AttestationCheck { at, ..check });
            assert!(assessment.refused_for(&rules::APPLE_CHAIN), "{days} days");
        }
        // By default the development environment is not accepted.
        let strict = ApplePolicy {
            environments: vec![Environment::Production],
            ..policy.clone()
        };
        let strict = AttestationCheck {
            policy: &strict,
            ..check
        };
        let assessment = apple::assess_attestation(&object, &strict);
        assert!(assessment.refused_for(&rules::APPLE_ENVIRONMENT));
        let other = AttestationCheck {
            client_data_hash: Some(&[0; 32]),
            ..check
        };
        assert!(apple::assess_attestation(&object, &other).refused_for(&rules::APPLE_NONCE));
    }
}

#[test]
fn every_assertion_is_accepted_once() {
    let documents = documents("every_assertion_is_accepted_once");
    let assertions = of(&documents, "assertion");
    assert!(documents.is_empty() || assertions.len() >= 3);
    for document in assertions {
        let assertion = bytes(document, "assertionBase64");
        let policy = policy(document);
        let key = key(document);
        let hash = hash(document);
        let counter: u32 = document["counter"].parse().unwrap();
        let check = AssertionCheck {
            policy: &policy,
            key: &key,
            environment: Environment::Development,
            counter: counter - 1,
            client_data_hash: Some(&hash),
            at: at(document),
        };
        let assessment = apple::assess_assertion(&assertion, &check);
        assert_eq!(
            assessment.accepted,
            Trusted::Yes,
            "{:#?}",
            assessment.findings
        );
        assert_eq!(assessment.says.unwrap().counter, counter);
        assert_eq!(assessment.key_storage, None);
        let again = AssertionCheck { counter, ..check };
        assert!(apple::assess_assertion(&assertion, &again).refused_for(&rules::APPLE_COUNTER));
    }
}

#[test]
fn a_changed_byte_is_refused_for_what_it_breaks() {
    let documents = documents("a_changed_byte_is_refused_for_what_it_breaks");
    for document in of(&documents, "attestation") {
        let object = bytes(document, "attestationBase64");
        let (policy, hash) = (policy(document), hash(document));
        let key_id = bytes(document, "keyIdBase64");
        let check = AttestationCheck {
            policy: &policy,
            client_data_hash: Some(&hash),
            key_id: Some(&key_id),
            at: at(document),
        };
        changed::try_each(&object, &changed::attestation(&object), |other| {
            let assessment = apple::assess_attestation(other, &check);
            assert_eq!(assessment.accepted, Trusted::No);
            changed::errors(&assessment)
        });
    }
    for document in of(&documents, "assertion") {
        let assertion = bytes(document, "assertionBase64");
        let (policy, hash, key) = (policy(document), hash(document), key(document));
        let counter: u32 = document["counter"].parse().unwrap();
        let check = AssertionCheck {
            policy: &policy,
            key: &key,
            environment: Environment::Development,
            counter: counter - 1,
            client_data_hash: Some(&hash),
            at: at(document),
        };
        changed::try_each(&assertion, &changed::assertion(&assertion), |other| {
            let assessment = apple::assess_assertion(other, &check);
            assert_eq!(assessment.accepted, Trusted::No);
            changed::errors(&assessment)
        });
    }
}

#[test]
fn one_devices_assertion_is_not_anothers() {
    let documents = documents("one_devices_assertion_is_not_anothers");
    let assertions = of(&documents, "assertion");
    for one in &assertions {
        for other in assertions.iter().filter(|other| key(other) != key(one)) {
            let assessment = apple::assess_assertion(
                &bytes(one, "assertionBase64"),
                &AssertionCheck {
                    policy: &policy(one),
                    key: &key(other),
                    environment: Environment::Development,
                    counter: 0,
                    client_data_hash: Some(&hash(one)),
                    at: at(one),
                },
            );
            assert!(assessment.refused_for(&rules::APPLE_SIGNATURE));
        }
    }
}
