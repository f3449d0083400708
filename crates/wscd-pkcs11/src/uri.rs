//! The device's URI (RFC 7512), checked.

use std::path::PathBuf;

use crate::error::OpenError;
use crate::pin::PinSource;

/// The scheme that this crate opens.
pub const SCHEME: &str = "pkcs11";

/// PKCS#11 connections of one device when the URI does not say: neither SoftHSM
/// nor kryoptic gets faster with more, a network HSM does.
const DEFAULT_LINES: usize = 4;
const MAX_LINES: usize = 64;
/// Tokens of one device.
const MAX_TOKENS: usize = 8;

/// One token or several that hold the same keys, the modules that reach them, and
/// where their PINs are: `pkcs11:token=LABEL?module-path=FILE&pin-source=FILE`.
///
/// - path: `token` (wanted, the token's label, at most 32 bytes), `serial` (where two tokens
///   have one label), joined by `;`;
/// - query: `module-path` (wanted, an absolute path) and one of `pin-source`
///   (a file, as a path or `file:` URI) and `pin-env` (ours: the name of an
///   environment variable); `lines` (ours: how many calls each token works on
///   at a time, 1 to 64); `replica` (ours, any number of times: a further token
///   with the same keys, as a PKCS#11 URI of its own, `;` and `&` in it written
///   `%3B` and `%26`; what its query does not say is as for the first); `keys=replicated`
///   (ours: accept keys that our own set-up brought from token to token, which a
///   token does not call its own).
///
/// So two tokens of one module are
/// `pkcs11:token=a?module-path=FILE&pin-source=FILE&replica=pkcs11:token=b`.
///
/// `%XX` stands for a byte. `pin-value` is refused: a PIN in a URI ends up in
/// process lists and logs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceUri {
    pub(crate) first: TokenUri,
    pub(crate) replicas: Vec<TokenUri>,
    pub(crate) lines: usize,
    /// Whether keys may have been brought from token to token by our set-up.
    pub(crate) replicated_keys: bool,
}

/// One token: its module and its PIN.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TokenUri {
    pub(crate) token: TokenName,
    pub(crate) module: PathBuf,
    pub(crate) pin: PinSource,
}

/// Which token of the module's.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct TokenName {
    pub(crate) label: String,
    pub(crate) serial: Option<String>,
}

impl std::fmt::Display for TokenName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.label)?;
        match &self.serial {
            Some(serial) => write!(f, " (serial {serial})"),
            None => Ok(()),
        }
    }
}

impl DeviceUri {
    /// Reads a URI.
    ///
    /// Errors: [`OpenError::BadUri`], [`OpenError::PinInUri`], [`OpenError::NoPin`].
    pub fn parse(uri: &str) -> Result<Self, OpenError> {
        let parts = Parts::read(uri)?;
        let first = TokenUri {
            token: parts.token,
            module: parts
                .module
                .ok_or_else(|| bad("it names no module (module-path=FILE)"))?,
            pin: parts.pin.ok_or(OpenError::NoPin)?,
        };
        let mut replicas: Vec<TokenUri> = Vec::new();
        for replica in parts.replicas {
            let replica = Parts::read(&replica)?;
            if !replica.replicas.is_empty() || replica.lines.is_some() || replica.keys.is_some() {
                return Err(bad(
                    "a replica has a token, a serial, a module and a PIN of its own, and nothing else",
                ));
            }
            let replica = TokenUri {
                token: replica.token,
                module: replica.module.unwrap_or_else(|| first.module.clone()),
                pin: replica.pin.unwrap_or_else(|| first.pin.clone()),
            };
            let is_same =
                |other: &TokenUri| other.token == replica.token && other.module == replica.module;
            if is_same(&first) || replicas.iter().any(is_same) {
                return Err(bad(format!("it names the token {} twice", replica.token)));
            }
            replicas.push(replica);
        }
        if replicas.len() >= MAX_TOKENS {
            return Err(bad(format!("a device has at most {MAX_TOKENS} tokens")));
        }
        let lines = match parts.lines {
            None => DEFAULT_LINES,
            Some(text) => text
                .parse()
                .ok()
                .filter(|lines| (1..=MAX_LINES).contains(lines))
                .ok_or_else(|| bad("lines is not a number from 1 to 64"))?,
        };
        let replicated_keys = match parts.keys.as_deref() {
            None => false,
            Some("replicated") => true,
            Some(_) => return Err(bad("keys is not `replicated`, the one value there is")),
        };
        Ok(Self {
            first,
            replicas,
            lines,
            replicated_keys,
        })
    }

    /// Every token, the first one first.
    pub(crate) fn tokens(&self) -> impl Iterator<Item = &TokenUri> {
        std::iter::once(&self.first).chain(&self.replicas)
    }
}

/// A URI's attributes, as far as they are given.
struct Parts {
    token: TokenName,
    module: Option<PathBuf>,
    pin: Option<PinSource>,
    lines: Option<String>,
    keys: Option<String>,
    replicas: Vec<String>,
}

impl Parts {
    fn read(uri: &str) -> Result<Self, OpenError> {
        let rest = uri
            .strip_prefix(SCHEME)
            .and_then(|rest| rest.strip_prefix(':'))
            .ok_or_else(|| bad("it does not begin with pkcs11:"))?;
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (mut token, mut serial) = (None, None);
        for (name, value) in attributes(path, ';')? {
            let place = match name {
                "token" => &mut token,
                "serial" => &mut serial,
                "pin-value" => return Err(OpenError::PinInUri),
                _ => return Err(unknown(name, "token, serial")),
            };
            put(place, name, value)?;
        }
        let (mut module, mut file, mut env, mut lines, mut keys) = (None, None, None, None, None);
        let mut replicas = Vec::new();
        for (name, value) in attributes(query, '&')? {
            let place = match name {
                "module-path" => &mut module,
                "pin-source" => &mut file,
                "pin-env" => &mut env,
                "lines" => &mut lines,
                "keys" => &mut keys,
                "replica" => {
                    replicas.push(value);
                    continue;
                }
                "pin-value" => return Err(OpenError::PinInUri),
                _ => {
                    return Err(unknown(
                        name,
                        "module-path, pin-source, pin-env, lines, replica, keys",
                    ));
                }
            };
            put(place, name, value)?;
        }
        let label = token.ok_or_else(|| bad("it names no token (token=LABEL)"))?;
        if label.len() > 32 {
            return Err(bad("no token's label is longer than 32 bytes"));
        }
        let module = module.map(PathBuf::from);
        if module.as_ref().is_some_and(|module| !module.is_absolute()) {
            return Err(bad("module-path is not an absolute path"));
        }
        let pin = match (file, env) {
            (Some(_), Some(_)) => return Err(bad("it says twice where the PIN is")),
            (Some(file), None) => Some(PinSource::File(pin_file(&file)?)),
            (None, Some(name)) => Some(PinSource::Env(name)),
            (None, None) => None,
        };
        Ok(Self {
            token: TokenName { label, serial },
            module,
            pin,
            lines,
            keys,
            replicas,
        })
    }
}

fn pin_file(value: &str) -> Result<PathBuf, OpenError> {
    if value.starts_with('|') {
        return Err(bad("pin-source is a file; commands are not run"));
    }
    let path = match value.strip_prefix("file:") {
        Some(rest) => rest.strip_prefix("//").unwrap_or(rest),
        None => value,
    };
    let path = PathBuf::from(path);
    if !path.is_absolute() {
        return Err(bad("pin-source is not an absolute path"));
    }
    Ok(path)
}

fn attributes(text: &str, separator: char) -> Result<Vec<(&str, String)>, OpenError> {
    if text.is_empty() {
        return Ok(Vec::new());
    }
    text.split(separator)
        .map(|attribute| {
            let (name, value) = attribute
                .split_once('=')
                .filter(|(_, value)| !value.is_empty())
                .ok_or_else(|| {
                    // Never the text itself: it may hold what should not be there.
                    bad("an attribute without a value")
                })?;
            Ok((name, decode(value)?))
        })
        .collect()
}

fn put(place: &mut Option<String>, name: &str, value: String) -> Result<(), OpenError> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(bad(format!("it says {name} twice"))),
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
        bytes.extend_from_slice(&byte);
        rest = after;
    }
    if bytes.contains(&0) {
        return Err(bad("it holds a NUL byte"));
    }
    String::from_utf8(bytes).map_err(|_| broken())
}

fn unknown(name: &str, known: &str) -> OpenError {
    let name: String = name.chars().take(32).collect();
    bad(format!(
        "the attribute {name:?} is unknown here; known: {known}"
    ))
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

    const MODULE: &str = "module-path=/m.so";

    #[test]
    fn a_uri_names_token_module_and_pin() {
        let uri = "pkcs11:token=My%20token;serial=01?module-path=/m.so&pin-source=file:/p&lines=2";
        let expected = DeviceUri {
            first: TokenUri {
                token: TokenName {
                    label: "My token".into(),
                    serial: Some("01".into()),
                },
                module: "/m.so".into(),
                pin: PinSource::File("/p".into()),
            },
            replicas: vec![],
            lines: 2,
            replicated_keys: false,
        };
        assert_eq!(DeviceUri::parse(uri).unwrap(), expected);
        let uri = format!("pkcs11:token=a?{MODULE}&pin-env=PIN");
        let parsed = DeviceUri::parse(&uri).unwrap();
        assert_eq!(parsed.first.pin, PinSource::Env("PIN".into()));
        assert_eq!(parsed.lines, DEFAULT_LINES);
        for source in ["/p", "file:/p", "file:///p", "%2fp"] {
            let uri = format!("pkcs11:token=a?{MODULE}&pin-source={source}");
            let parsed = DeviceUri::parse(&uri).unwrap();
            assert_eq!(parsed.first.pin, PinSource::File("/p".into()), "{source}");
        }
    }

    #[test]
    fn replicas_take_after_the_first_what_they_do_not_say() {
        let uri = "pkcs11:token=a?module-path=/m.so&pin-env=P&replica=pkcs11:token=b\
            &replica=pkcs11:token=c%3Bserial=7?module-path=/n.so%26pin-source=/q&keys=replicated";
        let parsed = DeviceUri::parse(uri).unwrap();
        assert!(parsed.replicated_keys);
        let tokens: Vec<_> = parsed
            .tokens()
            .map(|token| {
                (
                    token.token.to_string(),
                    token.module.to_str().unwrap().to_owned(),
                    token.pin.clone(),
                )
            })
            .collect();
        let env = PinSource::Env("P".into());
        let expected = [
            ("a", "/m.so", env.clone()),
            ("b", "/m.so", env),
            ("c (serial 7)", "/n.so", PinSource::File("/q".into())),
        ];
        assert_eq!(
            tokens,
            expected.map(|(name, module, pin)| (name.into(), module.into(), pin))
        );
    }

    #[rstest]
    #[case("", "begin with pkcs11:")]
    #[case("software:token=a", "begin with pkcs11:")]
    #[case("pkcs11:?module-path=/m&pin-env=P", "names no token")]
    #[case("pkcs11:token=a?pin-env=P", "names no module")]
    #[case("pkcs11:token=a?module-path=m&pin-env=P", "absolute")]
    #[case("pkcs11:token=a?module-path=/m&pin-source=p", "absolute")]
    #[case("pkcs11:token=a?module-path=/m&pin-source=|cat", "not run")]
    #[case("pkcs11:token=a?module-path=/m&pin-source=/p&pin-env=P", "twice")]
    #[case("pkcs11:token=a;token=b?module-path=/m&pin-env=P", "token twice")]
    #[case(
        "pkcs11:token=a;slot-id=1?module-path=/m&pin-env=P",
        "\"slot-id\" is unknown"
    )]
    #[case("pkcs11:token=a?module-path=/m&pin-env=P&x=1", "\"x\" is unknown")]
    #[case("pkcs11:token=?module-path=/m&pin-env=P", "without a value")]
    #[case("pkcs11:token=a%2?module-path=/m&pin-env=P", "hexadecimal")]
    #[case("pkcs11:token=a%00?module-path=/m&pin-env=P", "NUL")]
    #[case("pkcs11:token=a%ff?module-path=/m&pin-env=P", "UTF-8")]
    #[case("pkcs11:token=a?module-path=/m&pin-env=P&lines=0", "1 to 64")]
    #[case("pkcs11:token=a?module-path=/m&pin-env=P&keys=mine", "`replicated`")]
    #[case(
        "pkcs11:token=a?module-path=/m&pin-env=P&replica=b",
        "begin with pkcs11:"
    )]
    #[case(
        "pkcs11:token=a?module-path=/m&pin-env=P&replica=pkcs11:token=a",
        "twice"
    )]
    #[case(
        "pkcs11:token=a?module-path=/m&pin-env=P&replica=pkcs11:token=b?lines=2",
        "nothing else"
    )]
    #[case(
        "pkcs11:token=a?module-path=/m&pin-env=P&replica=pkcs11:token=b?replica=pkcs11:token=c",
        "nothing else"
    )]
    #[case(
        "pkcs11:token=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa?module-path=/m&pin-env=P",
        "32 bytes"
    )]
    fn a_bad_uri_is_told_what_is_bad(#[case] uri: &str, #[case] part: &str) {
        match DeviceUri::parse(uri) {
            Err(OpenError::BadUri { cause }) => assert!(cause.contains(part), "{cause}"),
            other => panic!("{other:?}"),
        }
    }

    #[rstest]
    #[case("pkcs11:token=a?module-path=/m&pin-value=4711")]
    #[case("pkcs11:token=a;pin-value=4711?module-path=/m")]
    fn a_pin_in_the_uri_is_refused_and_not_repeated(#[case] uri: &str) {
        let error = DeviceUri::parse(uri).unwrap_err();
        assert!(matches!(error, OpenError::PinInUri));
        assert!(!format!("{error} {error:?}").contains("4711"));
    }

    #[test]
    fn a_uri_without_a_pin_is_told_how_to_give_one() {
        let error = DeviceUri::parse("pkcs11:token=a?module-path=/m").unwrap_err();
        assert!(matches!(error, OpenError::NoPin));
    }
}
