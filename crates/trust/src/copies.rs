//! The last good copies of lists, on disk.
//!
//! A copy is verified again whenever it is read, under the pinned signers: the
//! folder is memory, not a source of trust. When a list was sealed by a signer
//! that only the list before announced, that list is kept as well, so that the
//! way from the pinned signer to the new one can be walked again.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A folder of copies.
#[derive(Debug, Clone)]
pub(crate) struct Copies {
    folder: PathBuf,
}

/// What is remembered of a source.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Memory {
    /// The place it came from.
    pub(crate) source: String,
    /// The highest sequence number ever accepted from it.
    pub(crate) sequence: u64,
    /// The ETag of the copy.
    pub(crate) etag: Option<String>,
    /// The file of the copy.
    pub(crate) copy: Option<String>,
    /// When the copy was accepted.
    pub(crate) accepted: Option<Timestamp>,
    /// The lists that announced a change of signer, oldest first.
    pub(crate) pivots: Vec<Pivot>,
}

/// A list that announced the signer of the next one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Pivot {
    /// Its file.
    pub(crate) file: String,
    /// When it was accepted; its signer's certificate may have run out since.
    pub(crate) accepted: Timestamp,
}

/// A copy could not be read or written.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {cause}")]
pub struct CopyError {
    /// Which file or folder.
    pub path: String,
    /// What went wrong.
    #[source]
    pub cause: std::io::Error,
}

impl Copies {
    /// Opens a folder, making it where it is not there.
    pub(crate) fn open(folder: &Path) -> Result<Self, CopyError> {
        fs::create_dir_all(folder).map_err(|cause| error(folder, cause))?;
        Ok(Self {
            folder: folder.to_owned(),
        })
    }

    /// What is remembered of a source; the beginning where nothing is.
    pub(crate) fn memory(&self, source: &str) -> Result<Memory, CopyError> {
        let path = self.path(&format!("{}.json", key(source)));
        let fresh = || Memory {
            source: source.to_owned(),
            ..Memory::default()
        };
        match fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|e| {
                error(
                    &path,
                    std::io::Error::new(std::io::ErrorKind::InvalidData, e),
                )
            }),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(fresh()),
            Err(cause) => Err(error(&path, cause)),
        }
    }

    /// Reads a list that is kept.
    pub(crate) fn read(&self, name: &str) -> Result<Vec<u8>, CopyError> {
        let path = self.path(name);
        fs::read(&path).map_err(|cause| error(&path, cause))
    }

    /// Keeps a list as the copy of its source; it is there, or the one before is,
    /// whatever happens in between.
    pub(crate) fn keep(&self, memory: &Memory, list: &[u8]) -> Result<Memory, CopyError> {
        let name = format!("{}-{}.jose", key(&memory.source), memory.sequence);
        self.write(&name, list)?;
        let memory = Memory {
            copy: Some(name),
            ..memory.clone()
        };
        self.remember(&memory)?;
        self.sweep(&memory);
        Ok(memory)
    }

    /// Writes what is remembered of a source.
    pub(crate) fn remember(&self, memory: &Memory) -> Result<(), CopyError> {
        let name = format!("{}.json", key(&memory.source));
        let bytes = serde_json::to_vec_pretty(memory)
            .map_err(|e| error(&self.path(&name), std::io::Error::other(e)))?;
        self.write(&name, &bytes)
    }

    /// Temporary file, sync, rename, sync of the folder.
    fn write(&self, name: &str, bytes: &[u8]) -> Result<(), CopyError> {
        let path = self.path(name);
        let temporary = self.path(&format!(".{name}.new"));
        let written = (|| {
            let mut file = File::create(&temporary)?;
            file.write_all(bytes)?;
            file.sync_all()?;
            fs::rename(&temporary, &path)?;
            File::open(&self.folder)?.sync_all()
        })();
        written.map_err(|cause| error(&path, cause))
    }

    /// Removes what no memory names any more. Failing to is harmless.
    fn sweep(&self, memory: &Memory) {
        let prefix = format!("{}-", key(&memory.source));
        let Ok(entries) = fs::read_dir(&self.folder) else {
            return;
        };
        for entry in entries.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let kept = memory.copy.as_deref() == Some(name.as_str())
                || memory.pivots.iter().any(|p| p.file == name);
            if name.starts_with(&prefix) && !kept {
                let _ = fs::remove_file(entry.path());
            }
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

/// A file name for a source: no URL can lead out of the folder.
fn key(source: &str) -> String {
    let digest = jose::sha256(source.as_bytes());
    jose::b64::encode(digest.get(..12).unwrap_or(&digest))
}

fn error(path: &Path, cause: std::io::Error) -> CopyError {
    CopyError {
        path: path.display().to_string(),
        cause,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_copy_is_there_after_it_was_kept_and_the_one_before_is_swept() {
        let folder = tempfile::tempdir().unwrap();
        let copies = Copies::open(folder.path()).unwrap();
        let source = "https://example.eu/../../etc/passwd";
        let mut memory = copies.memory(source).unwrap();
        assert_eq!(memory.sequence, 0);
        for sequence in 1..=3 {
            memory.sequence = sequence;
            memory = copies
                .keep(&memory, format!("list {sequence}").as_bytes())
                .unwrap();
        }
        let read = copies.memory(source).unwrap();
        assert_eq!(read, memory);
        assert_eq!(copies.read(&read.copy.unwrap()).unwrap(), b"list 3");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }

    #[test]
    fn a_pivot_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let copies = Copies::open(folder.path()).unwrap();
        let memory = Memory {
            source: "a".into(),
            sequence: 1,
            ..Memory::default()
        };
        let mut memory = copies.keep(&memory, b"one").unwrap();
        let file = memory.copy.clone().unwrap();
        memory.pivots.push(Pivot {
            file,
            accepted: Timestamp::UNIX_EPOCH,
        });
        memory.sequence = 2;
        let memory = copies.keep(&memory, b"two").unwrap();
        assert_eq!(
            copies.read(&memory.pivots.first().unwrap().file).unwrap(),
            b"one"
        );
    }
}
