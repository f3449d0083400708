//! The store file of the software device.
//!
//! ```text
//! "CLVWSCD1" | check(16) | salt(32) | nonce(12) | JSON of the state | tag(16)
//! ```
//!
//! Sealed with AES-256-GCM under a key derived from the store key and the salt,
//! fresh at each write; everything before the nonce is authenticated. `check`
//! is derived from the store key too, and tells a wrong key from a damaged file.
//!
//! A write goes to a temporary file beside it, is synced, renamed over the old
//! file, and the folder is synced: what was acknowledged is on disk, and a
//! crash leaves the old file or the new one. A file `….lock` is locked for as
//! long as the device is open.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use aws_lc_rs::constant_time::verify_slices_are_equal;
use zeroize::Zeroizing;

use super::secret::{Secret, fill};
use super::state::State;
use super::wrap::{decrypt, encrypt};
use crate::{DeviceError, OpenError};

const MAGIC: &[u8; 8] = b"CLVWSCD1";
const CHECK: usize = 16;
const SALT: usize = 32;
const HEADER: usize = MAGIC.len() + CHECK + SALT;
/// Far more than a thousand named keys and every shard's anchor take.
const MAX_STORE: u64 = 4 * 1024 * 1024;
const MAX_KEY_FILE: u64 = 1024;

/// The store, open and locked.
pub(super) struct Store {
    path: PathBuf,
    key: StoreKey,
    /// Unlocks when it is dropped.
    _lock: Lock,
}

impl Store {
    /// Locks the store at `path` and reads it, if there is one.
    pub(super) fn open(path: &Path, key: StoreKey) -> Result<(Self, Option<State>), OpenError> {
        let lock = lock(path)?;
        let store = Self {
            path: path.to_owned(),
            key,
            _lock: lock,
        };
        // What a crash left between writing and renaming was never acknowledged.
        match fs::remove_file(store.temporary()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(io_error("remove", &store.temporary(), error));
            }
            _ => {}
        }
        let state = store.read()?;
        Ok((store, state))
    }

    /// Writes the state; once this returns, it is on disk.
    pub(super) fn write(&self, state: &State) -> Result<(), OpenError> {
        self.write_temporary(state)?;
        fs::rename(self.temporary(), &self.path)
            .map_err(|error| io_error("rename to", &self.path, error))?;
        let folder = folder_of(&self.path);
        File::open(folder)
            .and_then(|folder| folder.sync_all())
            .map_err(|error| io_error("sync", folder, error))
    }

    fn write_temporary(&self, state: &State) -> Result<(), OpenError> {
        let sealed = self
            .seal(state)
            .map_err(|error| OpenError::Device(Box::new(error)))?;
        let path = self.temporary();
        private_file(OpenOptions::new().write(true).create(true).truncate(true))
            .open(&path)
            .and_then(|mut file| {
                file.write_all(&sealed)?;
                file.sync_all()
            })
            .map_err(|error| io_error("write", &path, error))
    }

    fn read(&self) -> Result<Option<State>, OpenError> {
        let file = match File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(io_error("open", &self.path, error)),
        };
        let mut bytes = Vec::new();
        file.take(MAX_STORE + 1)
            .read_to_end(&mut bytes)
            .map_err(|error| io_error("read", &self.path, error))?;
        if u64::try_from(bytes.len()).is_ok_and(|length| length > MAX_STORE) {
            return Err(self.corrupted("it is longer than any store"));
        }
        self.unseal(&bytes).map(Some)
    }

    fn seal(&self, state: &State) -> Result<Vec<u8>, DeviceError> {
        let json = state.to_json().map_err(|error| DeviceError::Failed {
            what: "write its store",
            cause: error.to_string(),
        })?;
        let mut salt = [0; SALT];
        fill(&mut salt)?;
        let header = [MAGIC.as_slice(), &self.key.check(), &salt].concat();
        encrypt(&self.key.sealing(&salt), header, &[], &json)
    }

    fn unseal(&self, bytes: &[u8]) -> Result<State, OpenError> {
        let Some((header, sealed)) = bytes.split_at_checked(HEADER) else {
            return Err(self.corrupted("it is too short"));
        };
        let (magic, keyed) = header.split_at(MAGIC.len());
        if magic != MAGIC {
            return Err(self.corrupted("it does not begin as a store of this version does"));
        }
        let (check, salt) = keyed.split_at(CHECK);
        if verify_slices_are_equal(check, &self.key.check()).is_err() {
            return Err(OpenError::WrongStoreKey {
                path: self.path.clone(),
            });
        }
        let json = decrypt("store", &self.key.sealing(salt), header, &[], sealed)
            .map_err(|error| self.corrupted(error.to_string()))?;
        State::from_json(&json).map_err(|cause| self.corrupted(cause))
    }

    fn temporary(&self) -> PathBuf {
        beside(&self.path, "tmp")
    }

    fn corrupted(&self, cause: impl Into<String>) -> OpenError {
        OpenError::Corrupted {
            path: self.path.clone(),
            cause: cause.into(),
        }
    }
}

/// The key that the store is sealed under: 32 bytes, as 64 hexadecimal digits,
/// in an environment variable or in a file that its owner alone can read.
#[derive(Clone)]
pub struct StoreKey(Secret);

impl StoreKey {
    /// From the environment.
    pub fn from_env(name: &str) -> Result<Self, OpenError> {
        let text = std::env::var(name)
            .map(Zeroizing::new)
            .map_err(|error| OpenError::KeyEnv {
                name: name.to_owned(),
                cause: match error {
                    std::env::VarError::NotPresent => "is not set",
                    std::env::VarError::NotUnicode(_) => NOT_A_KEY,
                },
            })?;
        Self::parse(&text).ok_or_else(|| OpenError::KeyEnv {
            name: name.to_owned(),
            cause: NOT_A_KEY,
        })
    }

    /// From a file. One that its group or others may read, write or run is
    /// refused.
    pub fn from_file(path: &Path) -> Result<Self, OpenError> {
        let file = File::open(path).map_err(|error| io_error("open", path, error))?;
        // The opened file is asked, not the path: it cannot change in between.
        let metadata = file
            .metadata()
            .map_err(|error| io_error("open", path, error))?;
        if !metadata.is_file() {
            return Err(OpenError::KeyFile {
                path: path.to_owned(),
                cause: "is not a file",
            });
        }
        check_private(path, &metadata)?;
        let mut text = Zeroizing::new(String::with_capacity(MAX_KEY_FILE as usize));
        file.take(MAX_KEY_FILE)
            .read_to_string(&mut text)
            .map_err(|error| match error.kind() {
                io::ErrorKind::InvalidData => OpenError::KeyFile {
                    path: path.to_owned(),
                    cause: NOT_A_KEY,
                },
                _ => io_error("read", path, error),
            })?;
        Self::parse(&text).ok_or_else(|| OpenError::KeyFile {
            path: path.to_owned(),
            cause: NOT_A_KEY,
        })
    }

    /// A key from its bytes.
    pub fn from_bytes(bytes: &[u8; 32]) -> Self {
        Self(Secret::copy(bytes))
    }

    fn parse(text: &str) -> Option<Self> {
        let mut bytes = Zeroizing::new([0; 32]);
        hex::decode_to_slice(text.trim(), bytes.as_mut()).ok()?;
        Some(Self::from_bytes(&bytes))
    }

    /// Tells this key from another without telling anything of it.
    fn check(&self) -> [u8; CHECK] {
        let mac = self.0.hmac(b"claviger software device: store key check");
        let mut check = [0; CHECK];
        check.iter_mut().zip(mac).for_each(|(to, from)| *to = from);
        check
    }

    fn sealing(&self, salt: &[u8]) -> Secret {
        let label = b"claviger software device: store seal";
        Secret::copy(&self.0.hmac(&[label.as_slice(), salt].concat()))
    }
}

const NOT_A_KEY: &str = "does not hold 64 hexadecimal digits (make one with: openssl rand -hex 32)";

impl std::fmt::Debug for StoreKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("StoreKey(..)")
    }
}

/// A lock that is given up when it is dropped. Closing the file alone would leave
/// it to a process that is being started at that moment and holds a copy.
#[derive(Debug)]
struct Lock(File);

impl Drop for Lock {
    fn drop(&mut self) {
        let _ = self.0.unlock();
    }
}

fn lock(path: &Path) -> Result<Lock, OpenError> {
    let lock_path = beside(path, "lock");
    let lock = private_file(OpenOptions::new().write(true).create(true).truncate(false))
        .open(&lock_path)
        .map_err(|error| io_error("open", &lock_path, error))?;
    match lock.try_lock() {
        Ok(()) => Ok(Lock(lock)),
        Err(TryLockError::WouldBlock) => Err(OpenError::Locked {
            path: path.to_owned(),
        }),
        Err(TryLockError::Error(error)) => Err(io_error("lock", &lock_path, error)),
    }
}

fn beside(path: &Path, extension: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(extension);
    PathBuf::from(name)
}

fn folder_of(path: &Path) -> &Path {
    path.parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."))
}

fn io_error(what: &'static str, path: &Path, source: io::Error) -> OpenError {
    OpenError::Io {
        what,
        path: path.to_owned(),
        source,
    }
}

#[cfg(unix)]
fn private_file(options: &mut OpenOptions) -> &mut OpenOptions {
    use std::os::unix::fs::OpenOptionsExt;
    options.mode(0o600)
}

#[cfg(not(unix))]
fn private_file(options: &mut OpenOptions) -> &mut OpenOptions {
    options
}

#[cfg(unix)]
fn check_private(path: &Path, metadata: &fs::Metadata) -> Result<(), OpenError> {
    use std::os::unix::fs::PermissionsExt;
    let mode = metadata.permissions().mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(OpenError::KeyFilePermissions {
            path: path.to_owned(),
            mode,
        });
    }
    Ok(())
}

#[cfg(not(unix))]
fn check_private(path: &Path, _: &fs::Metadata) -> Result<(), OpenError> {
    Err(OpenError::KeyFile {
        path: path.to_owned(),
        cause: "has permissions that cannot be checked on this system: use key-env",
    })
}

#[cfg(test)]
mod tests {
    #![allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic
    )]

    use super::*;

    fn key() -> StoreKey {
        StoreKey::from_bytes(&[7; 32])
    }

    #[test]
    fn a_crash_between_writing_and_renaming_leaves_the_old_state() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store");
        let (store, found) = Store::open(&path, key()).unwrap();
        assert!(found.is_none());
        let mut state = State::create().unwrap();
        store.write(&state).unwrap();

        // The next state reaches the temporary file, and then the power goes.
        let before = state.root_state();
        state.begin_rotation().unwrap();
        store.write_temporary(&state).unwrap();
        assert!(store.temporary().exists());
        drop(store);

        let (store, found) = Store::open(&path, key()).unwrap();
        assert_eq!(found.unwrap().root_state(), before);
        assert!(!store.temporary().exists(), "the stale file is gone");
    }

    #[test]
    fn a_torn_temporary_file_is_passed_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store");
        let (store, _) = Store::open(&path, key()).unwrap();
        let state = State::create().unwrap();
        store.write(&state).unwrap();
        fs::write(store.temporary(), b"CLVW").unwrap();
        drop(store);

        let (_, found) = Store::open(&path, key()).unwrap();
        assert_eq!(found.unwrap().device, state.device);
    }

    #[test]
    fn a_failed_write_leaves_the_old_state() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store");
        let (store, _) = Store::open(&path, key()).unwrap();
        let mut state = State::create().unwrap();
        store.write(&state).unwrap();
        // A folder in the temporary file's place makes the write fail.
        fs::create_dir(store.temporary()).unwrap();
        let before = state.root_state();
        state.begin_rotation().unwrap();
        assert!(matches!(
            store.write(&state),
            Err(OpenError::Io { what: "write", .. })
        ));
        assert_eq!(store.read().unwrap().unwrap().root_state(), before);
    }

    #[test]
    fn every_changed_byte_of_the_store_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store");
        let (store, _) = Store::open(&path, key()).unwrap();
        store.write(&State::create().unwrap()).unwrap();
        let good = fs::read(&path).unwrap();
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 1;
            let key_check = MAGIC.len()..MAGIC.len() + CHECK;
            match store.unseal(&bad) {
                Err(OpenError::WrongStoreKey { .. }) if key_check.contains(&at) => {}
                Err(OpenError::Corrupted { .. }) if !key_check.contains(&at) => {}
                other => panic!("byte {at}: {other:?}"),
            }
        }
        for length in 0..good.len() {
            assert!(
                matches!(
                    store.unseal(&good[..length]),
                    Err(OpenError::Corrupted { .. })
                ),
                "{length} bytes"
            );
        }
    }

    #[test]
    fn the_store_never_holds_a_key_in_the_clear() {
        let state = State::create().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store");
        let (store, _) = Store::open(&path, key()).unwrap();
        store.write(&state).unwrap();
        let root = state.root(state.root_state().current).unwrap().expose();
        let bytes = fs::read(&path).unwrap();
        assert!(!bytes.windows(root.len()).any(|window| window == root));
        let text = hex::encode(root);
        assert!(!bytes.windows(text.len()).any(|w| w == text.as_bytes()));
    }
}
