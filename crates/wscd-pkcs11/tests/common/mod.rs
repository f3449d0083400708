//! A SoftHSM token for each test, in a process of its own: a module is
//! initialised once per process, and reads where its tokens are then.

#![allow(dead_code, clippy::unwrap_used, clippy::indexing_slicing)]

pub(crate) mod raw;

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

pub(crate) const LABEL: &str = "claviger test";
pub(crate) const PIN: &str = "471100";
pub(crate) const SO_PIN: &str = "08154711";

const FOLDER: &str = "CLAVIGER_PKCS11_TEST_FOLDER";
const ROLE: &str = "CLAVIGER_PKCS11_TEST_ROLE";

/// A place for tokens, and the PINs for one.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) module: PathBuf,
    pub(crate) folder: PathBuf,
}

/// Runs `body` in a process of its own with tokens of its own. `test` is the
/// test's full name.
pub(crate) fn with_tokens<F: Future<Output = ()>>(test: &str, body: impl FnOnce(Place) -> F) {
    let Some(module) = module() else {
        claviger_fixtures::skip(test, "no SoftHSM2 module here (CLAVIGER_SOFTHSM names one)");
        return;
    };
    if let Some(folder) = std::env::var_os(FOLDER) {
        let folder = PathBuf::from(folder);
        run(body(Place { module, folder }));
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    prepare(folder.path());
    let output = command(folder.path(), test).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && text.contains("1 passed"),
        "{text}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// What a second process of a test does: nothing, unless it is one.
pub(crate) fn as_other<F: Future<Output = ()>>(body: impl FnOnce(String, Place) -> F) {
    let (Ok(role), Some(folder)) = (std::env::var(ROLE), std::env::var_os(FOLDER)) else {
        return;
    };
    let folder = PathBuf::from(folder);
    let module = module().unwrap();
    run(body(role, Place { module, folder }));
}

impl Place {
    pub(crate) fn uri(&self) -> String {
        self.uri_with(&self.folder.join("pin"))
    }

    pub(crate) fn uri_with(&self, pin: &Path) -> String {
        format!(
            "pkcs11:token={}?module-path={}&pin-source={}",
            LABEL.replace(' ', "%20"),
            self.module.display(),
            pin.display()
        )
    }

    pub(crate) fn tokens(&self) -> PathBuf {
        self.folder.join("tokens")
    }

    /// A file with a PIN, of mode 0600.
    pub(crate) fn pin_file(&self, name: &str, pin: &str) -> PathBuf {
        pin_file(&self.folder, name, pin)
    }

    /// Starts another process on the same tokens: the test `the_other_process`.
    pub(crate) fn start_other(&self, role: &str) -> Child {
        command(&self.folder, "the_other_process")
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
}

pub(crate) fn finish(child: Child) {
    let output = child.wait_with_output().unwrap();
    assert!(
        output.status.success(),
        "{}\n{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

fn module() -> Option<PathBuf> {
    let named = std::env::var_os("CLAVIGER_SOFTHSM").map(PathBuf::from);
    let known = [
        "/usr/lib/softhsm/libsofthsm2.so",
        "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
        "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so",
        "/usr/lib64/pkcs11/libsofthsm2.so",
        "/usr/lib64/softhsm/libsofthsm2.so",
        "/usr/local/lib/softhsm/libsofthsm2.so",
        "/opt/homebrew/lib/softhsm/libsofthsm2.so",
    ];
    named
        .into_iter()
        .chain(known.into_iter().map(PathBuf::from))
        .find(|path| path.is_file())
}

fn prepare(folder: &Path) {
    std::fs::create_dir(folder.join("tokens")).unwrap();
    let config = format!(
        "directories.tokendir = {}\nobjectstore.backend = file\nlog.level = ERROR\n",
        folder.join("tokens").display()
    );
    std::fs::write(folder.join("softhsm2.conf"), config).unwrap();
    pin_file(folder, "pin", PIN);
    pin_file(folder, "so-pin", SO_PIN);
}

fn pin_file(folder: &Path, name: &str, pin: &str) -> PathBuf {
    use std::os::unix::fs::PermissionsExt;
    let path = folder.join(name);
    std::fs::write(&path, pin).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    path
}

fn command(folder: &Path, test: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", test, "--nocapture", "--test-threads=1"])
        .env("SOFTHSM2_CONF", folder.join("softhsm2.conf"))
        .env(FOLDER, folder);
    command
}

fn run(body: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
        .block_on(body);
}
