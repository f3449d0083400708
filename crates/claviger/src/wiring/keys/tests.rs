#![allow(clippy::unwrap_used)]
use claviger_fixtures::TestKey;
use jose::{Curve, Signer};
use pki::{Issuer, Profile, Request, Subject};
use wallet_provider::{Generation, Seal};
use wscd::software::SoftwareDevice;
use wscd::{DeviceSigner, KeyName, Wscd};

use super::*;
use crate::keys::{KeyFolder, Retired};

async fn key(purpose: KeyPurpose, number: u32, from: &str, to: &str) -> Generation {
    certified(purpose, number, Profile::Wallet, from, to).await
}

async fn certified(
    purpose: KeyPurpose,
    number: u32,
    profile: Profile,
    from: &str,
    to: &str,
) -> Generation {
    let key = Arc::new(TestKey::generate(Curve::P256));
    let subject = Subject::legal("BE", "Example", "NTRBE-0123456789", "Example");
    let public = Signer::public_key(key.as_ref()).clone();
    let (from, to) = (time(from), time(to));
    let request = Request::new(profile, subject, public, from, to);
    let made = pki::issue(&request, Issuer::Itself(key.as_ref())).await;
    let chain = vec![made.unwrap().der().to_vec()];
    Generation::new(purpose, number, Seal { signer: key, chain }).unwrap()
}

fn time(day: &str) -> Timestamp {
    format!("{day}T00:00:00Z").parse().unwrap()
}

#[tokio::test]
async fn what_ends_is_told_long_before_and_louder_as_it_nears() {
    let ends = "2027-01-01";
    let keys: Generations = [
        key(KeyPurpose::Attestations, 1, "2026-01-01", ends).await,
        key(KeyPurpose::Status, 1, "2026-01-01", "2028-01-01").await,
    ]
    .into_iter()
    .collect();
    let urgencies = |day| -> Vec<Urgency> {
        let found = warnings(&keys, time(day));
        found.into_iter().map(|(_, urgency, _)| urgency).collect()
    };
    for (day, expected) in [
        ("2026-09-01", vec![]),
        ("2026-10-04", vec![Urgency::Soon]),
        ("2026-12-05", vec![Urgency::Pressing]),
        ("2026-12-26", vec![Urgency::Now]),
        // WIA and KA: both are without a key then.
        ("2027-01-02", vec![Urgency::Now, Urgency::Now]),
    ] {
        assert_eq!(urgencies(day), expected, "{day}");
    }
}

#[tokio::test]
async fn a_key_that_another_takes_over_from_may_end_in_silence() {
    let keys: Generations = [
        key(KeyPurpose::Attestations, 1, "2026-01-01", "2027-01-01").await,
        key(KeyPurpose::Attestations, 2, "2026-12-20", "2028-01-01").await,
        key(KeyPurpose::Status, 1, "2026-01-01", "2028-01-01").await,
    ]
    .into_iter()
    .collect();
    assert_eq!(warnings(&keys, time("2026-12-10")), []);
}

#[tokio::test]
async fn a_certificate_that_breaks_its_profile_keeps_a_node_from_starting() {
    let status = |number| key(KeyPurpose::Status, number, "2026-01-01", "2028-01-01");
    // One for status lists has no QcType of a wallet provider.
    let wrong = |from| {
        let profile = Profile::StatusList;
        certified(KeyPurpose::Attestations, 2, profile, from, "2029-01-01")
    };
    let good = || key(KeyPurpose::Attestations, 1, "2026-01-01", "2028-01-01");
    let set = |generations: Vec<Generation>| KeySet {
        generations: generations.into_iter().collect(),
        answers: wallet_provider::AnswerKeys::first(Arc::new(TestKey::generate(Curve::P256))),
    };
    let now = time("2026-11-22");
    assert!(check(&set(vec![good().await, status(1).await]), now, false).is_ok());
    // Whether it signs or comes next.
    for from in ["2026-02-01", "2027-01-01"] {
        let keys = set(vec![good().await, wrong(from).await, status(1).await]);
        let refused = check(&keys, now, false).unwrap_err().to_string();
        assert!(refused.contains("WUA_10") && refused.contains("attestations generation 2"));
        assert!(check(&keys, now, true).is_ok(), "development goes on");
    }
    // One that ended says nothing of now.
    let ended = wrong("2026-02-01").await.retired(Some(time("2026-03-01")));
    assert!(check(&set(vec![good().await, ended, status(1).await]), now, false).is_ok());
}

/// A node whose only attestation key is one of the folder's.
struct Node {
    folder: KeyFolder,
    upkeep: KeyUpkeep,
    file: KeyFile,
    now: Timestamp,
}

impl Node {
    async fn new(data: &std::path::Path) -> Self {
        let device: Arc<dyn Wscd> = Arc::new(SoftwareDevice::ephemeral().unwrap());
        let folder = KeyFolder::of(data);
        let name = KeyName::new("wallet-attestations-1").unwrap();
        let signer = DeviceSigner::open(Arc::clone(&device), name, Curve::P256);
        let signer = signer.await.unwrap();
        let now = time("2026-11-22");
        let mut file = KeyFile {
            purpose: KeyPurpose::Attestations,
            generation: 1,
            key: "wallet-attestations-1".into(),
            public_key: signer.public_key().clone(),
            made: now,
            chain: Vec::new(),
            starts: None,
            retired: None,
            handover: None,
        };
        let subject = Subject::legal("BE", "Example", "NTRBE-0123456789", "Example");
        let (from, to) = (time("2026-01-01"), time("2028-01-01"));
        let public = file.public_key.clone();
        let request = Request::new(Profile::Wallet, subject, public, from, to);
        let certificate = pki::issue(&request, Issuer::Itself(&signer)).await.unwrap();
        file.install(&[certificate], now);
        folder.lock().unwrap().write(&file).unwrap();
        let status = key(KeyPurpose::Status, 0, "2026-01-01", "2028-01-01").await;
        let base = "https://provider.example/wallet-provider".to_owned();
        let source = KeySource::new(device, data, base, vec![status]);
        let clock = Arc::new(clock::ManualClock::at(now));
        let upkeep = KeyUpkeep::open(source, clock, true).await.unwrap();
        Self {
            folder,
            upkeep,
            file,
            now,
        }
    }

    fn compromise(&self) {
        let file = KeyFile {
            retired: Some(Retired {
                at: self.now,
                compromised: true,
            }),
            ..self.file.clone()
        };
        self.folder.lock().unwrap().write(&file).unwrap();
    }

    fn signs(&self, what: Seals) -> bool {
        let keyring = self.upkeep.keyring();
        keyring.generations().signing(what, self.now).is_some()
    }
}

/// The only key of its kind is given up all the same: nothing is attested any more, and
/// revocations are still published.
#[tokio::test]
async fn a_compromised_key_signs_no_more_though_it_is_the_only_one() {
    let data = tempfile::tempdir().unwrap();
    let mut node = Node::new(data.path()).await;
    assert!(node.signs(Seals::Wia) && node.signs(Seals::Status));
    node.compromise();
    node.upkeep.round().await.unwrap();
    assert!(!node.signs(Seals::Wia) && node.signs(Seals::Status));
}

/// Nor is it kept because something else is wrong with the folder.
#[tokio::test]
async fn a_compromised_key_signs_no_more_though_another_cannot_be_read() {
    let data = tempfile::tempdir().unwrap();
    let mut node = Node::new(data.path()).await;
    let wrong = KeyFile {
        generation: 2,
        key: "wallet-attestations-2".into(),
        ..node.file.clone()
    };
    node.folder.lock().unwrap().write(&wrong).unwrap();
    let refused = node.upkeep.round().await.unwrap_err().to_string();
    assert!(refused.contains("attestations generation 2"), "{refused}");
    assert!(node.signs(Seals::Wia), "what was in use goes on");
    node.compromise();
    node.upkeep.round().await.unwrap_err();
    assert!(!node.signs(Seals::Wia) && node.signs(Seals::Status));
}
