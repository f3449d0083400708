use std::fs::{self, File, OpenOptions};
use std::path::{Path, PathBuf};

use jose::json::{self, Limits};
use wallet_provider::KeyPurpose;

use super::KeyFile;
use crate::exit::{Doing, Failure};
use crate::{files, input};

/// The size of a key's file, in bytes: a chain and some words.
const MAX_FILE: u64 = 1 << 20;

/// How many files a folder may have: a generation a month for a lifetime.
const MAX_FILES: usize = 2000;

/// The folder of the key files. Each is replaced whole, so that it can be read while
/// somebody writes; who writes holds its lock.
#[derive(Debug, Clone)]
pub(crate) struct KeyFolder {
    path: PathBuf,
}

/// The folder, while nobody else writes. The lock ends with the process, whatever
/// becomes of it.
#[derive(Debug)]
pub(crate) struct Locked {
    folder: KeyFolder,
    _lock: File,
}

impl KeyFolder {
    /// The one in a data folder.
    pub(crate) fn of(data: &Path) -> Self {
        let path = data.join("keys");
        Self { path }
    }

    /// What is known of all keys, by purpose and generation. A folder that is not
    /// there has none.
    pub(crate) fn read(&self) -> Result<Vec<KeyFile>, Failure> {
        let entries = match fs::read_dir(&self.path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.doing(self.path.display())?,
        };
        let mut keys = Vec::new();
        for entry in entries {
            let path = entry.doing(self.path.display())?.path();
            let name = path.file_name().and_then(|name| name.to_str());
            // A write that was interrupted leaves a name that begins with a dot.
            if name.is_none_or(|name| name.starts_with('.') || !name.ends_with(".json")) {
                continue;
            }
            if keys.len() == MAX_FILES {
                let what = format!("{}: more than {MAX_FILES} keys", self.path.display());
                return Err(Failure::new(what));
            }
            keys.push(read_key(&path)?);
        }
        keys.sort_by_key(|key| (key.purpose, key.generation));
        Ok(keys)
    }

    /// Waits until nobody else writes.
    pub(crate) fn lock(&self) -> Result<Locked, Failure> {
        fs::create_dir_all(&self.path).doing(self.path.display())?;
        let path = self.path.join(".lock");
        let lock = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .doing(path.display())?;
        lock.lock().doing(path.display())?;
        let locked = Locked {
            folder: self.clone(),
            _lock: lock,
        };
        locked.clear()?;
        Ok(locked)
    }
}

impl Locked {
    pub(crate) fn read(&self) -> Result<Vec<KeyFile>, Failure> {
        self.folder.read()
    }

    /// One key, which must be there.
    pub(crate) fn key(&self, purpose: KeyPurpose, generation: u32) -> Result<KeyFile, Failure> {
        let keys = self.read()?;
        keys.into_iter()
            .find(|key| key.purpose == purpose && key.generation == generation)
            .ok_or_else(|| {
                Failure::new(format!(
                    "there is no {purpose} generation {generation} here"
                ))
            })
    }

    /// Writes what is known of a key, whole. Once this returns it survives a crash.
    pub(crate) fn write(&self, key: &KeyFile) -> Result<(), Failure> {
        let path = self.folder.path.join(key.name());
        let text = serde_json::to_vec_pretty(key).doing(path.display())?;
        files::write(&path, &text).doing(path.display())
    }

    /// Takes away what writers left who were killed.
    fn clear(&self) -> Result<(), Failure> {
        let path = &self.folder.path;
        for entry in fs::read_dir(path).doing(path.display())? {
            let path = entry.doing(path.display())?.path();
            let half = path
                .file_name()
                .and_then(|name| name.to_str())
                .is_some_and(|name| name.starts_with('.') && name.ends_with(".new"));
            if half {
                fs::remove_file(&path).doing(path.display())?;
            }
        }
        Ok(())
    }
}

fn read_key(path: &Path) -> Result<KeyFile, Failure> {
    let bytes = input::read(path, MAX_FILE)?;
    let max = usize::try_from(MAX_FILE).unwrap_or(usize::MAX);
    let key: KeyFile = json::parse_as(&bytes, Limits::bytes(max)).doing(path.display())?;
    if path.file_name().and_then(|name| name.to_str()) != Some(key.name().as_str()) {
        let what = format!("{}: it is the file of {key}", path.display());
        return Err(Failure::new(what));
    }
    Ok(key)
}

#[cfg(test)]
mod tests;
