//! Where a PIN comes from: a file that its owner alone can read, or the
//! environment; never a command line or a URI.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use aws_lc_rs::digest;
use cryptoki::types::AuthPin;
use zeroize::{Zeroize, Zeroizing};

use crate::error::OpenError;

const MAX_PIN: u64 = 256;

/// Where a PIN is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PinSource {
    /// In a file of mode 0600 or stricter; its first line is the PIN.
    File(PathBuf),
    /// In an environment variable.
    Env(String),
}

/// A PIN, zeroized when dropped.
pub(crate) struct Pin {
    pin: AuthPin,
    /// So that two PINs can be compared without looking at either.
    hash: digest::Digest,
}

impl PinSource {
    pub(crate) fn read(&self) -> Result<Pin, OpenError> {
        match self {
            Self::File(path) => from_file(path),
            Self::Env(name) => from_env(name),
        }
    }
}

impl Pin {
    fn new(text: &str) -> Option<Self> {
        let pin = text.trim_end_matches(['\r', '\n']);
        (!pin.is_empty() && !pin.contains(['\r', '\n', '\0'])).then(|| Self {
            pin: AuthPin::from(pin.to_owned()),
            hash: digest::digest(&digest::SHA256, pin.as_bytes()),
        })
    }

    pub(crate) fn expose(&self) -> &AuthPin {
        &self.pin
    }

    pub(crate) fn is(&self, other: &Self) -> bool {
        aws_lc_rs::constant_time::verify_slices_are_equal(self.hash.as_ref(), other.hash.as_ref())
            .is_ok()
    }
}

impl std::fmt::Debug for Pin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Pin")
    }
}

fn from_env(name: &str) -> Result<Pin, OpenError> {
    let bad = |cause| OpenError::PinEnv {
        name: name.to_owned(),
        cause,
    };
    let text = Zeroizing::new(match std::env::var(name) {
        Ok(text) => text,
        Err(std::env::VarError::NotPresent) => return Err(bad("is not set")),
        Err(std::env::VarError::NotUnicode(_)) => return Err(bad("is not UTF-8")),
    });
    Pin::new(&text).ok_or_else(|| bad("does not hold one line"))
}

fn from_file(path: &Path) -> Result<Pin, OpenError> {
    let unreadable = |source: io::Error| OpenError::PinUnreadable {
        path: path.to_owned(),
        source,
    };
    let bad = |cause| OpenError::PinFile {
        path: path.to_owned(),
        cause,
    };
    let file = File::open(path).map_err(unreadable)?;
    let about = file.metadata().map_err(unreadable)?;
    if !about.is_file() {
        return Err(bad("is no file"));
    }
    check_mode(path, &about)?;
    // Room from the start: growing would leave a copy behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(512));
    file.take(MAX_PIN + 1)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length > MAX_PIN) {
        return Err(bad("is longer than any PIN"));
    }
    let text = std::str::from_utf8(&bytes).map_err(|_| bad("is not UTF-8"))?;
    let pin = Pin::new(text).ok_or_else(|| bad("does not hold one line"));
    bytes.zeroize();
    pin
}

#[cfg(unix)]
fn check_mode(path: &Path, about: &std::fs::Metadata) -> Result<(), OpenError> {
    use std::os::unix::fs::PermissionsExt;
    let mode = about.permissions().mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(OpenError::PinFilePermissions {
            path: path.to_owned(),
            mode,
        });
    }
    Ok(())
}

#[cfg(not(unix))]
fn check_mode(_path: &Path, _about: &std::fs::Metadata) -> Result<(), OpenError> {
    Ok(())
}

#[cfg(all(test, unix))]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]

    use std::os::unix::fs::PermissionsExt;

    use rstest::rstest;

    use super::*;

    fn file(text: &[u8], mode: u32) -> (tempfile::TempDir, PinSource) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pin");
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        (folder, PinSource::File(path))
    }

    #[rstest]
    #[case(0o644)]
    #[case(0o640)]
    #[case(0o604)]
    #[case(0o660)]
    fn a_file_that_others_can_use_is_refused(#[case] bits: u32) {
        let (_folder, source) = file(b"4711\n", bits);
        let error = source.read().unwrap_err();
        assert!(matches!(error, OpenError::PinFilePermissions { mode, .. } if mode == bits));
    }

    #[rstest]
    #[case(b"4711")]
    #[case(b"4711\n")]
    #[case(b"4711\r\n")]
    fn a_line_is_a_pin(#[case] text: &[u8]) {
        let (_folder, source) = file(text, 0o600);
        let pin = source.read().unwrap();
        assert!(pin.is(&Pin::new("4711").unwrap()));
        assert!(!pin.is(&Pin::new("4712").unwrap()));
        assert_eq!(format!("{pin:?}"), "Pin");
    }

    #[rstest]
    #[case(b"", "one line")]
    #[case(b"\n", "one line")]
    #[case(b"47\n11", "one line")]
    #[case(b"\xff", "UTF-8")]
    #[case(&[b'1'; 300], "longer")]
    fn what_is_no_pin_is_refused(#[case] text: &[u8], #[case] part: &str) {
        let (_folder, source) = file(text, 0o600);
        match source.read().unwrap_err() {
            OpenError::PinFile { cause, .. } => assert!(cause.contains(part), "{cause}"),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_is_not_there_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let source = PinSource::File(folder.path().join("pin"));
        assert!(matches!(
            source.read().unwrap_err(),
            OpenError::PinUnreadable { .. }
        ));
        let source = PinSource::Env("CLAVIGER_NO_SUCH_PIN".into());
        assert!(matches!(
            source.read().unwrap_err(),
            OpenError::PinEnv {
                cause: "is not set",
                ..
            }
        ));
    }
}
