use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::software::{SoftwareDevice, StoreKey};
use crate::{DeviceError, Wscd};

/// The schemes that [`open`] knows.
pub const SUPPORTED_SCHEMES: &[&str] = &["software"];

/// Opens the device that a URI names.
///
/// - `software:` is a software device in memory, gone when it is closed;
/// - `software:PATH?key-env=NAME` or `software:PATH?key-file=FILE` is one whose
///   store is at `PATH`, sealed under a key of 64 hexadecimal digits in an
///   environment variable, or in a file that its owner alone can read. A store
///   that is not there is made.
///
/// `%XX` stands for a byte, as everywhere in a URI. No secret belongs in one.
pub async fn open(uri: &str) -> Result<Arc<dyn Wscd>, OpenError> {
    match DeviceUri::parse(uri)? {
        DeviceUri::Ephemeral => SoftwareDevice::ephemeral()
            .map(|device| Arc::new(device) as Arc<dyn Wscd>)
            .map_err(|error| OpenError::Device(Box::new(error))),
        DeviceUri::Software { path, key } => {
            let key = match key {
                KeySource::Env(name) => StoreKey::from_env(&name)?,
                KeySource::File(file) => StoreKey::from_file(&file)?,
            };
            Ok(Arc::new(SoftwareDevice::open(&path, key)?))
        }
    }
}

/// Why a device did not open.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another kind of device than this version drives.
    #[error(
        "no device of scheme {scheme:?} is known here; known: {}",
        SUPPORTED_SCHEMES.join(", ")
    )]
    UnknownScheme {
        /// The URI's scheme.
        scheme: String,
    },
    /// Not a device URI.
    #[error("not a device URI: {cause}")]
    BadUri {
        /// What is wrong with it.
        cause: String,
    },
    /// A store without a word about its key.
    #[error(
        "a software device with a store needs the store's key: add ?key-env=NAME or ?key-file=PATH"
    )]
    NoStoreKey,
    /// The environment variable does not hold a key.
    #[error("the environment variable {name} {cause}")]
    KeyEnv {
        /// The variable.
        name: String,
        /// What is wrong with it.
        cause: &'static str,
    },
    /// The key file does not hold a key.
    #[error("the key file {} {cause}", .path.display())]
    KeyFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        cause: &'static str,
    },
    /// Others than its owner may use the key file.
    #[error(
        "the key file {} has mode {mode:04o}: its owner alone may read it (chmod 600)",
        .path.display()
    )]
    KeyFilePermissions {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The store is sealed under another key.
    #[error("the store {} is sealed under another key than the one given", .path.display())]
    WrongStoreKey {
        /// The store.
        path: PathBuf,
    },
    /// The store is damaged, or no store.
    #[error("the store {} cannot be used: {cause}", .path.display())]
    Corrupted {
        /// The store.
        path: PathBuf,
        /// What is wrong with it.
        cause: String,
    },
    /// Another process, or another part of this one, has the store open.
    #[error("the store {} is in use", .path.display())]
    Locked {
        /// The store.
        path: PathBuf,
    },
    /// The system refused.
    #[error("cannot {what} {}", .path.display())]
    Io {
        /// What was being done.
        what: &'static str,
        /// To which file.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// The device itself failed.
    #[error("the device does not start")]
    Device(#[source] Box<DeviceError>),
}

#[derive(Debug, PartialEq, Eq)]
enum DeviceUri {
    Ephemeral,
    Software { path: PathBuf, key: KeySource },
}

#[derive(Debug, PartialEq, Eq)]
enum KeySource {
    Env(String),
    File(PathBuf),
}

impl DeviceUri {
    fn parse(uri: &str) -> Result<Self, OpenError> {
        let (scheme, rest) = uri
            .split_once(':')
            .ok_or_else(|| bad("it has no scheme (try software:)"))?;
        if scheme != "software" {
            return Err(OpenError::UnknownScheme {
                scheme: scheme.chars().take(32).collect(),
            });
        }
        let (path, query) = match rest.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (rest, None),
        };
        // software:///a/b is /a/b on this machine.
        let path = match path.strip_prefix("//") {
            Some(local) if local.starts_with('/') => local,
            Some(_) => return Err(bad("a store is on this machine: software:PATH")),
            None => path,
        };
        let path = decode(path)?;
        let mut key = None;
        for option in query.iter().flat_map(|query| query.split('&')) {
            let (name, value) = option
                .split_once('=')
                .ok_or_else(|| bad(format!("the option {option:?} has no value")))?;
            let value = decode(value)?;
            let source = match name {
                _ if value.is_empty() => {
                    return Err(bad(format!("the option {name:?} has no value")));
                }
                "key-env" => KeySource::Env(value),
                "key-file" => KeySource::File(PathBuf::from(value)),
                _ => {
                    return Err(bad(format!(
                        "the option {name:?} is unknown; known: key-env, key-file"
                    )));
                }
            };
            if key.replace(source).is_some() {
                return Err(bad("it names the store's key twice"));
            }
        }
        match (path.as_str(), key) {
            ("", None) => Ok(Self::Ephemeral),
            ("", Some(_)) => Err(bad("it has a key and no path of a store")),
            (_, None) => Err(OpenError::NoStoreKey),
            (path, Some(_)) if path.ends_with('/') => {
                Err(bad("the path of its store is that of a folder"))
            }
            (path, Some(key)) => Ok(Self::Software {
                path: Path::new(path).to_owned(),
                key,
            }),
        }
    }
}

fn decode(text: &str) -> Result<String, OpenError> {
    let broken = || bad("a % without two hexadecimal digits, or bytes that are not UTF-8");
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        if *first != b'%' {
            bytes.push(*first);
            rest = after;
            continue;
        }
        let (digits, after) = after.split_first_chunk::<2>().ok_or_else(broken)?;
        let mut byte = [0];
        hex::decode_to_slice(digits, &mut byte).map_err(|_| broken())?;
        if byte == [0] {
            return Err(bad("it holds a NUL byte"));
        }
        bytes.extend_from_slice(&byte);
        rest = after;
    }
    String::from_utf8(bytes).map_err(|_| broken())
}

fn bad(cause: impl Into<String>) -> OpenError {
    OpenError::BadUri {
        cause: cause.into(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]

    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("software:", DeviceUri::Ephemeral)]
    #[case("software:a/b?key-env=K", software("a/b", KeySource::Env("K".into())))]
    #[case("software:/a%20b?key-file=/k", software("/a b", KeySource::File("/k".into())))]
    #[case("software:///a?key-env=K", software("/a", KeySource::Env("K".into())))]
    fn a_uri_names_a_device(#[case] uri: &str, #[case] expected: DeviceUri) {
        assert_eq!(DeviceUri::parse(uri).unwrap(), expected);
    }

    #[rstest]
    #[case("", "it has no scheme")]
    #[case("software", "it has no scheme")]
    #[case("software:a?key-env", "has no value")]
    #[case("software:a?key-env=", "has no value")]
    #[case("software:a?", "has no value")]
    #[case("software:a?pin=1", "\"pin\" is unknown; known: key-env, key-file")]
    #[case("software:a?key-env=A&key-file=b", "twice")]
    #[case("software:?key-env=A", "no path")]
    #[case("software:a/?key-env=A", "folder")]
    #[case("software://host/a?key-env=A", "this machine")]
    #[case("software:a%2?key-env=A", "two hexadecimal digits")]
    #[case("software:a%ff?key-env=A", "UTF-8")]
    #[case("software:a%00?key-env=A", "NUL")]
    fn a_bad_uri_is_told_what_is_bad(#[case] uri: &str, #[case] part: &str) {
        match DeviceUri::parse(uri) {
            Err(OpenError::BadUri { cause }) => assert!(cause.contains(part), "{cause}"),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_unknown_scheme_is_told_which_are_known() {
        let error = DeviceUri::parse("pkcs11:token=a").unwrap_err();
        assert_eq!(
            error.to_string(),
            "no device of scheme \"pkcs11\" is known here; known: software"
        );
    }

    #[test]
    fn a_store_without_a_key_is_told_how_to_give_one() {
        let error = DeviceUri::parse("software:a").unwrap_err();
        assert!(matches!(error, OpenError::NoStoreKey));
    }

    fn software(path: &str, key: KeySource) -> DeviceUri {
        DeviceUri::Software {
            path: path.into(),
            key,
        }
    }
}
