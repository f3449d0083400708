//! The corpus of the fuzzer, fed to its targets in every test run: each file as it
//! is, and mutated. A panic is a failure, and so is a target without a corpus.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

use std::collections::BTreeSet;
use std::path::PathBuf;

use fuzz_targets::mutate::{Random, mutate};
use fuzz_targets::{TARGETS, Target};

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fuzz")
}

/// The files of a target by name, and what is in them.
fn corpus(target: &Target) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<_> = std::fs::read_dir(folder().join("corpus").join(target.name))
        .unwrap_or_else(|e| panic!("{}: {e}", target.name))
        .map(|entry| entry.unwrap().path())
        .map(|path| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            (name, std::fs::read(path).unwrap())
        })
        .collect();
    files.sort();
    files
}

#[test]
fn every_target_has_a_corpus_and_a_binary() {
    let names: BTreeSet<String> = TARGETS.iter().map(|t| t.name.to_owned()).collect();
    assert_eq!(names.len(), TARGETS.len());
    let folders: BTreeSet<String> = std::fs::read_dir(folder().join("corpus"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    assert_eq!(folders, names);
    let manifest = std::fs::read_to_string(folder().join("Cargo.toml")).unwrap();
    for target in &TARGETS {
        assert!(corpus(target).len() >= 2, "{}: seeds", target.name);
        assert!(
            manifest.contains(&format!("name = \"{}\"", target.name)),
            "{}: no binary in fuzz/Cargo.toml",
            target.name
        );
        let binary = folder().join(format!("fuzz_targets/{}.rs", target.name));
        let code = std::fs::read_to_string(binary).unwrap();
        assert!(code.contains(&format!("run(\"{}\"", target.name)));
    }
}

#[test]
fn the_corpus_stays_small() {
    for target in &TARGETS {
        for (name, data) in corpus(target) {
            assert!(
                data.len() <= 64 * 1024,
                "{}/{name}: {}",
                target.name,
                data.len()
            );
        }
    }
}

#[test]
fn every_file_of_the_corpus_is_survived() {
    for target in &TARGETS {
        for (name, data) in corpus(target) {
            // Every way of being cut short, or as many as there is time for.
            let step = data.len().div_ceil(64).max(1);
            let lengths = (0..data.len()).step_by(step).chain([data.len()]);
            for len in lengths {
                let survived = std::panic::catch_unwind(|| (target.run)(&data[..len]));
                assert!(survived.is_ok(), "{}/{name}, cut at {len}", target.name);
            }
        }
    }
}

/// `CLAVIGER_FUZZ_ROUNDS` sets the number of mutations for each target,
/// `CLAVIGER_FUZZ_SEED` where they begin.
#[test]
fn mutations_of_the_corpus_are_survived() {
    let setting = |name: &str| std::env::var(name).ok().map(|n| n.parse::<u64>().unwrap());
    let rounds = setting("CLAVIGER_FUZZ_ROUNDS").unwrap_or(2_000);
    let seed = setting("CLAVIGER_FUZZ_SEED").unwrap_or(1);
    std::thread::scope(|scope| {
        for target in &TARGETS {
            scope.spawn(move || mutations(target, seed, rounds));
        }
    });
}

fn mutations(target: &Target, seed: u64, rounds: u64) {
    let corpus = corpus(target);
    for round in 0..rounds {
        let mut random = Random::new(seed.wrapping_add(round));
        let (name, input) = &corpus[random.below(corpus.len())];
        let (_, other) = &corpus[random.below(corpus.len())];
        let data = mutate(input, other, &mut random);
        let survived = std::panic::catch_unwind(|| (target.run)(&data)).is_ok();
        assert!(
            survived,
            "{}/{name}: CLAVIGER_FUZZ_SEED={} CLAVIGER_FUZZ_ROUNDS=1 shows it again",
            target.name,
            seed.wrapping_add(round)
        );
    }
}

#[test]
fn mutations_are_the_same_every_time_and_do_change_something() {
    let input = b"a sound input of some length".as_slice();
    let made = |seed: u64| mutate(input, b"another", &mut Random::new(seed));
    let different = (0..100).filter(|seed| made(*seed) != input).count();
    assert!(different > 80, "{different} of 100");
    for seed in 0..100 {
        assert_eq!(made(seed), made(seed));
    }
    assert!(mutate(b"", b"", &mut Random::new(3)).len() < 100);
}
