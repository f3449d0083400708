//! Files that a person names on the command line: read within limits, refused in
//! one clear line.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::exit::{Doing, Failure};

/// The size of a certificate file, in bytes: a chain as PEM.
const CERTIFICATES: u64 = 1 << 20;
/// The size of a list, in bytes: 10,000 entities are about 38 MB as a seal.
pub(crate) const LIST: u64 = 64 << 20;
/// The size of a token, in bytes.
pub(crate) const TOKEN: u64 = 1 << 20;
/// The size of a status list token, in bytes: 8 bits for a million entries.
pub(crate) const STATUS_LIST: u64 = 8 << 20;

/// The bytes of a file of at most `max` bytes.
pub(crate) fn read(path: &Path, max: u64) -> Result<Vec<u8>, Failure> {
    let shown = || path.display();
    let failed = |error: std::io::Error| Failure::of(shown(), &error);
    let file = File::open(path).map_err(&failed)?;
    let metadata = file.metadata().map_err(&failed)?;
    if metadata.is_dir() {
        return Err(Failure::new(format!(
            "{}: a directory, not a file",
            shown()
        )));
    }
    if metadata.len() > max {
        return Err(too_large(path, metadata.len(), max));
    }
    // A pipe has no length: count what really comes.
    let mut bytes = Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or(0));
    file.take(max + 1)
        .read_to_end(&mut bytes)
        .map_err(&failed)?;
    match u64::try_from(bytes.len()) {
        Ok(0) => Err(Failure::new(format!("{}: the file is empty", shown()))),
        Ok(len) if len > max => Err(too_large(path, len, max)),
        _ => Ok(bytes),
    }
}

/// The certificates in a file: PEM, DER, or a JSON array as in x5c.
pub(crate) fn certificates(path: &Path) -> Result<Vec<pki::Certificate>, Failure> {
    let bytes = read(path, CERTIFICATES)?;
    pki::read_chain(&bytes).doing(path.display())
}

/// The text of a file of at most `max` bytes, without white space around it.
pub(crate) fn read_text(path: &Path, max: u64) -> Result<String, Failure> {
    let bytes = read(path, max)?;
    let text = String::from_utf8(bytes)
        .map_err(|_| Failure::new(format!("{}: not text in UTF-8", path.display())))?;
    Ok(text.trim().to_owned())
}

fn too_large(path: &Path, len: u64, max: u64) -> Failure {
    Failure::new(format!(
        "{}: {len} bytes or more, at most {max} are accepted",
        path.display()
    ))
}
