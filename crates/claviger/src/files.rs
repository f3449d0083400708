//! Files that must be there after a crash.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Writes a file so that after a crash it holds either what it held before or
/// all of `content`: a new file beside it, synced, renamed over it, and the
/// folder synced.
pub(crate) fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    write_with_mode(path, content, 0o644)
}

/// As [`write()`], readable by its owner alone.
pub(crate) fn write_secret(path: &Path, content: &[u8]) -> io::Result<()> {
    write_with_mode(path, content, 0o600)
}

fn write_with_mode(path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    let mut beside = Beside::create(path, mode)?;
    beside.file().write_all(content)?;
    beside.into_place()
}

/// A file beside the one that it is to become. Dropped before it is in its place, it
/// is taken away: a full disk leaves nothing half.
#[derive(Debug)]
pub(crate) struct Beside {
    file: File,
    at: PathBuf,
    place: PathBuf,
    in_place: bool,
}

impl Beside {
    /// Makes it, empty.
    pub(crate) fn create(place: &Path, mode: u32) -> io::Result<Self> {
        use std::os::unix::fs::OpenOptionsExt;
        let name = place
            .file_name()
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "no file name"))?;
        let mut beside = std::ffi::OsString::from(".");
        beside.push(name);
        beside.push(format!(".{}.new", std::process::id()));
        let at = folder_of(place).join(beside);
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(mode)
            .open(&at)?;
        Ok(Self {
            file,
            at,
            place: place.to_owned(),
            in_place: false,
        })
    }

    /// What to write to.
    pub(crate) fn file(&mut self) -> &mut File {
        &mut self.file
    }

    /// Syncs it, puts it in its place, and syncs the folder.
    pub(crate) fn into_place(mut self) -> io::Result<()> {
        self.file.sync_all()?;
        fs::rename(&self.at, &self.place)?;
        self.in_place = true;
        File::open(folder_of(&self.place))?.sync_all()
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        if !self.in_place {
            let _ = fs::remove_file(&self.at);
        }
    }
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}
