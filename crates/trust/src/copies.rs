//! The accepted lists, on disk: the last good copy of each source, and as many of
//! its earlier instances as are wanted.
//!
//! A copy is verified again whenever it is read, under the pinned signers: the
//! folder is memory, not a source of trust. When a list was sealed by a signer
//! that only the list before announced, that list is kept whatever its age, so that
//! the way from the pinned signer to the new one can be walked again.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use lote::VerifiedList;
use outbound::Validators;
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
    /// By what the source recognises the copy.
    #[serde(flatten)]
    pub(crate) validators: Validators,
    /// The file of the copy.
    pub(crate) copy: Option<String>,
    /// When the copy was accepted.
    pub(crate) accepted: Option<Timestamp>,
    /// The lists that announced a change of signer, oldest first.
    pub(crate) pivots: Vec<Pivot>,
    /// The instances that are kept, the copy among them, by rising number.
    #[serde(default)]
    pub(crate) instances: Vec<Instance>,
    /// The highest number that was removed for being beyond the limits; it and those
    /// before it are not fetched from an archive again.
    #[serde(default)]
    pub(crate) pruned_to: u64,
}

/// An instance of a list that is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Instance {
    /// Its LoTESequenceNumber.
    pub(crate) sequence: u64,
    /// Its ListIssueDateTime.
    pub(crate) issued: Timestamp,
    /// Its file.
    pub(crate) file: String,
    /// How long the file is.
    pub(crate) bytes: u64,
    /// SHA-256 of the file, in hex.
    pub(crate) sha256: String,
}

/// How many instances of a list are kept: the newest, the current one always.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ArchiveLimits {
    /// How many of each list.
    pub instances: usize,
    /// How many bytes of each list.
    pub bytes: u64,
}

impl Default for ArchiveLimits {
    /// 100 instances, which is years of a list that changes monthly, and 1 GiB.
    fn default() -> Self {
        Self {
            instances: 100,
            bytes: 1 << 30,
        }
    }
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
    /// whatever happens in between. What is beyond the limits is removed.
    pub(crate) fn keep(
        &self,
        memory: &Memory,
        list: &VerifiedList,
        bytes: &[u8],
        limits: &ArchiveLimits,
    ) -> Result<Memory, CopyError> {
        let mut memory = memory.clone();
        let instance = self.write_instance(&memory.source, list, bytes)?;
        memory.copy = Some(instance.file.clone());
        memory.put(instance);
        self.remember(&memory.pruned(limits))
    }

    /// Keeps earlier instances of a list beside its copy.
    pub(crate) fn keep_earlier(
        &self,
        memory: &Memory,
        instances: Vec<Instance>,
        limits: &ArchiveLimits,
    ) -> Result<Memory, CopyError> {
        let mut memory = memory.clone();
        for instance in instances {
            memory.put(instance);
        }
        self.remember(&memory.pruned(limits))
    }

    /// Forgets the lists of a source, but not how far its numbers had come.
    pub(crate) fn let_go(&self, memory: &Memory) -> Result<Memory, CopyError> {
        self.remember(&Memory {
            source: memory.source.clone(),
            sequence: memory.sequence,
            ..Memory::default()
        })
    }

    /// Writes a sealed list under its source and number.
    pub(crate) fn write_instance(
        &self,
        source: &str,
        list: &VerifiedList,
        bytes: &[u8],
    ) -> Result<Instance, CopyError> {
        let sequence = list.list.sequence();
        let file = format!("{}-{sequence}.jose", key(source));
        self.write(&file, bytes)?;
        Ok(Instance {
            sequence,
            issued: list.list.issued(),
            file,
            bytes: u64::try_from(bytes.len()).unwrap_or(u64::MAX),
            sha256: hex::encode(list.sha256),
        })
    }

    /// Where a file lies.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Writes what is remembered of a source.
    fn remember(&self, memory: &Memory) -> Result<Memory, CopyError> {
        let name = format!("{}.json", key(&memory.source));
        let bytes = serde_json::to_vec_pretty(memory)
            .map_err(|e| error(&self.path(&name), std::io::Error::other(e)))?;
        self.write(&name, &bytes)?;
        self.sweep(memory);
        Ok(memory.clone())
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
                || memory.pivots.iter().any(|p| p.file == name)
                || memory.instances.iter().any(|i| i.file == name);
            if name.starts_with(&prefix) && !kept {
                let _ = fs::remove_file(entry.path());
            }
        }
    }
}

impl Memory {
    fn put(&mut self, instance: Instance) {
        self.instances.retain(|i| i.sequence != instance.sequence);
        self.instances.push(instance);
        self.instances.sort_by_key(|i| i.sequence);
    }

    /// With no more instances than are wanted. The oldest go first.
    fn pruned(&self, limits: &ArchiveLimits) -> Self {
        let mut left = limits.bytes;
        let mut kept: Vec<Instance> = Vec::new();
        let mut pruned_to = self.pruned_to;
        for instance in self.instances.iter().rev() {
            let is_current = self.copy.as_deref() == Some(instance.file.as_str());
            if !is_current && (kept.len() >= limits.instances || instance.bytes > left) {
                pruned_to = pruned_to.max(instance.sequence);
                break;
            }
            left = left.saturating_sub(instance.bytes);
            kept.push(instance.clone());
        }
        kept.reverse();
        Self {
            instances: kept,
            pruned_to,
            ..self.clone()
        }
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
    use rstest::rstest;

    const SOURCE: &str = "https://example.eu/../../etc/passwd";

    fn instance(sequence: u64, bytes: u64) -> Instance {
        Instance {
            sequence,
            issued: Timestamp::UNIX_EPOCH,
            file: format!("{}-{sequence}.jose", key(SOURCE)),
            bytes,
            sha256: String::new(),
        }
    }

    fn memory(instances: Vec<Instance>) -> Memory {
        Memory {
            source: SOURCE.into(),
            sequence: instances.last().map_or(0, |i| i.sequence),
            copy: instances.last().map(|i| i.file.clone()),
            instances,
            ..Memory::default()
        }
    }

    #[rstest]
    #[case::all(100, 1000, &[1, 2, 3, 4])]
    #[case::so_many(2, 1000, &[3, 4])]
    #[case::so_long(100, 25, &[3, 4])]
    #[case::none_but_the_current_one(0, 1000, &[4])]
    #[case::the_current_one_however_long(100, 5, &[4])]
    fn the_oldest_go_first(#[case] instances: usize, #[case] bytes: u64, #[case] expected: &[u64]) {
        let memory = memory((1..=4).map(|n| instance(n, 10)).collect());
        let kept = memory.pruned(&ArchiveLimits { instances, bytes });
        let kept: Vec<u64> = kept.instances.iter().map(|i| i.sequence).collect();
        assert_eq!(kept, expected);
    }

    #[test]
    fn what_is_remembered_stays_and_the_rest_is_swept() {
        let folder = tempfile::tempdir().unwrap();
        let copies = Copies::open(folder.path()).unwrap();
        assert_eq!(copies.memory(SOURCE).unwrap().sequence, 0);
        for name in [&instance(1, 1).file, &instance(2, 1).file, "of-others.jose"] {
            copies.write(name, b"list").unwrap();
        }
        let mut memory = memory(vec![instance(2, 4)]);
        memory.pivots.push(Pivot {
            file: instance(1, 4).file,
            accepted: Timestamp::UNIX_EPOCH,
        });
        copies.remember(&memory).unwrap();
        assert_eq!(copies.memory(SOURCE).unwrap(), memory);
        assert!(copies.read(&instance(1, 4).file).is_ok(), "a pivot stays");

        let gone = copies.let_go(&memory).unwrap();
        assert_eq!((gone.sequence, gone.copy), (2, None));
        assert!(copies.read(&instance(1, 4).file).is_err());
        assert!(copies.read(&instance(2, 4).file).is_err());
        assert!(copies.read("of-others.jose").is_ok());
    }

    #[test]
    fn a_memory_of_before_there_was_an_archive_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let copies = Copies::open(folder.path()).unwrap();
        let old = format!(
            r#"{{"source":"{SOURCE}","sequence":7,"etag":"\"x\"","copy":"a","accepted":null,"pivots":[]}}"#
        );
        std::fs::write(copies.path(&format!("{}.json", key(SOURCE))), old).unwrap();
        let memory = copies.memory(SOURCE).unwrap();
        assert_eq!(memory.sequence, 7);
        assert_eq!(memory.validators.etag.as_deref(), Some("\"x\""));
    }
}
