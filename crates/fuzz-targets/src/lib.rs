//! Every reader of input from outside as a function over bytes, which must come
//! back without a panic, whatever the bytes are.
//!
//! `fuzz/` calls these under libFuzzer; `tests/corpus.rs` here calls them with the
//! files of `fuzz/corpus` and with mutations of them, in every test run.
//!
//! What a signature protects would hardly be reached by mutation, so where claims
//! are read only after it verified, the target signs the bytes itself.

mod attestations;
mod certificates;
mod counterparts;
mod envelopes;
mod evidence;
mod lists;
pub mod mutate;
mod revocation;
mod signed;
mod status_lists;
mod tokens;

/// A reader of one kind of input.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Its name: of the fuzzer's binary, and of its folder in `fuzz/corpus`.
    pub name: &'static str,
    /// Feeds it one input.
    pub run: fn(&[u8]),
}

/// All of them.
pub const TARGETS: [Target; 11] = [
    Target {
        name: "attestation",
        run: attestations::run,
    },
    Target {
        name: "certificate",
        run: certificates::certificate,
    },
    Target {
        name: "cose",
        run: tokens::cose,
    },
    Target {
        name: "counterpart",
        run: counterparts::run,
    },
    Target {
        name: "crl",
        run: revocation::crl,
    },
    Target {
        name: "envelope",
        run: envelopes::run,
    },
    Target {
        name: "evidence",
        run: evidence::run,
    },
    Target {
        name: "jws",
        run: tokens::jws,
    },
    Target {
        name: "list",
        run: lists::run,
    },
    Target {
        name: "ocsp",
        run: revocation::ocsp,
    },
    Target {
        name: "status_list",
        run: status_lists::run,
    },
];

/// Feeds one input to the target of that name.
///
/// # Panics
/// When there is no such target, or when the target has a fault: that is its point.
#[allow(clippy::panic)]
pub fn run(name: &str, data: &[u8]) {
    match TARGETS.iter().find(|target| target.name == name) {
        Some(target) => (target.run)(data),
        None => panic!("no target is named {name}"),
    }
}

/// The time all targets live at.
fn now() -> jiff::Timestamp {
    jiff::Timestamp::from_second(1_795_348_800).unwrap_or(jiff::Timestamp::UNIX_EPOCH)
}
