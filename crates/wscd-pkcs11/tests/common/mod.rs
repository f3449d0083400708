//! Tokens for each test, in a process of its own: a module is initialised once
//! per process, and reads where its tokens are then. A test runs once with each
//! module that is at hand.

#![allow(dead_code, clippy::unwrap_used, clippy::indexing_slicing)]

pub(crate) mod raw;

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use claviger_fixtures::tokens::{Module, Tokens};

pub(crate) const LABEL: &str = "claviger test";
pub(crate) const PIN: &str = Tokens::PIN;
pub(crate) const SO_PIN: &str = Tokens::SO_PIN;

const FOLDER: &str = "CLAVIGER_PKCS11_TEST_FOLDER";
const MODULE: &str = "CLAVIGER_PKCS11_TEST_MODULE";
const ROLE: &str = "CLAVIGER_PKCS11_TEST_ROLE";

/// A place for tokens, and the PINs for one.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) tokens: Tokens,
    pub(crate) module: PathBuf,
    pub(crate) folder: PathBuf,
}

/// Runs `body` once with each module, in a process of its own with tokens of its
/// own. `test` is the test's full name.
pub(crate) fn with_tokens<F: Future<Output = ()>>(test: &str, body: impl FnOnce(Place) -> F) {
    with(&Module::ALL, test, body);
}

/// The same with SoftHSM alone, for what is done to its files.
pub(crate) fn with_softhsm<F: Future<Output = ()>>(test: &str, body: impl FnOnce(Place) -> F) {
    with(&[Module::SoftHsm], test, body);
}

#[allow(clippy::print_stdout)]
fn with<F: Future<Output = ()>>(kinds: &[Module], test: &str, body: impl FnOnce(Place) -> F) {
    if let Some(place) = Place::given() {
        run(body(place));
        return;
    }
    for kind in kinds {
        let Some(module) = kind.path() else {
            claviger_fixtures::skip(&format!("{test} ({kind:?})"), kind.missing());
            continue;
        };
        let folder = tempfile::tempdir().unwrap();
        let place = Place::of(Tokens::prepare(*kind, module, folder.path()).unwrap());
        let output = place.command(test).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        let passed = text.contains("test result: ok. 1 passed");
        // The module's own end, in a process that has passed its test and closed the
        // device, may still crash: SoftHSM's does now and then, after it was finalised
        // and begun again. It is said, and decides nothing about the device.
        if passed && output.status.code().is_none() {
            println!(
                "{test} ({kind:?}): passed, then {} at its end",
                output.status
            );
            continue;
        }
        assert!(
            output.status.success() && passed,
            "with {kind:?}: {}: {text}\n{}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
    }
}

/// What a second process of a test does: nothing, unless it is one.
pub(crate) fn as_other<F: Future<Output = ()>>(body: impl FnOnce(String, Place) -> F) {
    if let (Ok(role), Some(place)) = (std::env::var(ROLE), Place::given()) {
        run(body(role, place));
    }
}

impl Place {
    fn of(tokens: Tokens) -> Self {
        Self {
            module: tokens.module.clone(),
            folder: tokens.folder.clone(),
            tokens,
        }
    }

    /// The place that the process which started this one prepared.
    fn given() -> Option<Self> {
        let folder = PathBuf::from(std::env::var_os(FOLDER)?);
        let named = std::env::var(MODULE).ok()?;
        let kind = Module::ALL
            .into_iter()
            .find(|kind| format!("{kind:?}") == named)?;
        Some(Self::of(Tokens::at(kind, kind.path()?, &folder)))
    }

    pub(crate) fn is_softhsm(&self) -> bool {
        self.tokens.kind == Module::SoftHsm
    }

    pub(crate) fn uri(&self) -> String {
        self.tokens.uri(LABEL)
    }

    pub(crate) fn uri_with(&self, pin: &Path) -> String {
        self.tokens.uri_with(LABEL, pin)
    }

    pub(crate) fn tokens(&self) -> PathBuf {
        self.tokens.store()
    }

    /// A file with a PIN, of mode 0600.
    pub(crate) fn pin_file(&self, name: &str, pin: &str) -> PathBuf {
        self.tokens.pin_file(name, pin).unwrap()
    }

    /// Where a process that serves tokens to this one listens.
    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.join("socket")
    }

    /// Starts another process on the same tokens: the test `the_other_process`.
    pub(crate) fn start_other(&self, role: &str) -> Child {
        self.command("the_other_process")
            .env(ROLE, role)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    }

    /// Runs another process to its end.
    pub(crate) fn run_other(&self, role: &str) {
        finish(self.start_other(role));
    }

    fn command(&self, test: &str) -> Command {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command
            .args(["--exact", test, "--nocapture", "--test-threads=1"])
            .envs(self.tokens.environment())
            .env("REMOTE_TOKEN_SOCKET", self.socket())
            .env(MODULE, format!("{:?}", self.tokens.kind))
            .env(FOLDER, &self.folder);
        command
    }
}

/// Waits for its end, which has to be a good one; what it printed.
pub(crate) fn finish(child: Child) -> String {
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}\n{errors}");
    text
}

fn run(body: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
        .block_on(body);
}
