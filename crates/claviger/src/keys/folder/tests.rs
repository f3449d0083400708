#![allow(clippy::unwrap_used)]
use std::sync::Arc;

use claviger_fixtures::TestKey;
use jose::{Curve, Signer};

use super::*;

fn key(generation: u32) -> KeyFile {
    let key = TestKey::generate(Curve::P256);
    KeyFile {
        purpose: KeyPurpose::Wia,
        generation,
        key: format!("wallet-wia-{generation}"),
        public_key: Signer::public_key(&key).clone(),
        made: "2026-11-22T12:00:00Z".parse().unwrap(),
        chain: Vec::new(),
        starts: None,
        retired: None,
        handover: None,
    }
}

#[test]
fn what_was_written_is_read_and_what_a_killed_writer_left_is_not() {
    let data = tempfile::tempdir().unwrap();
    let folder = KeyFolder::of(data.path());
    assert!(folder.read().unwrap().is_empty(), "there is no folder yet");
    let (one, two) = (key(1), key(2));
    let locked = folder.lock().unwrap();
    locked.write(&two).unwrap();
    locked.write(&one).unwrap();
    drop(locked);
    let half = data.path().join("keys/.wia-3.json.77.new");
    std::fs::write(&half, r#"{"purpose":"wi"#).unwrap();
    assert_eq!(folder.read().unwrap(), [one.clone(), two]);
    drop(folder.lock().unwrap());
    assert!(!half.exists(), "the next writer takes it away");
}

#[test]
fn a_file_that_is_not_whole_or_not_its_own_is_refused() {
    let data = tempfile::tempdir().unwrap();
    let folder = KeyFolder::of(data.path());
    folder.lock().unwrap().write(&key(1)).unwrap();
    let path = data.path().join("keys/wia-1.json");
    let text = std::fs::read_to_string(&path).unwrap();
    let cases = [
        text.split_at(text.len() / 2).0.to_owned(),
        text.replace("\"generation\": 1", "\"generation\": 2"),
        text.replace("\"made\"", "\"private\": 1, \"made\""),
        " ".repeat(2 << 20),
    ];
    for case in cases {
        std::fs::write(&path, &case).unwrap();
        let said = folder.read().unwrap_err().to_string();
        assert!(said.contains("wia-1.json"), "{said}");
    }
}

#[test]
fn who_writes_writes_alone() {
    let data = tempfile::tempdir().unwrap();
    let folder = Arc::new(KeyFolder::of(data.path()));
    let writers: Vec<_> = (0..8)
        .map(|_| {
            let folder = Arc::clone(&folder);
            std::thread::spawn(move || {
                let locked = folder.lock().unwrap();
                let next = locked.read().unwrap().len() + 1;
                locked.write(&key(u32::try_from(next).unwrap())).unwrap();
            })
        })
        .collect();
    for writer in writers {
        writer.join().unwrap();
    }
    assert_eq!(folder.read().unwrap().len(), 8, "each took its own number");
}
