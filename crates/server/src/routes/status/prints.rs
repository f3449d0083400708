//! What is remembered of published files, so that they are not read again for whoever
//! has them already.

use std::collections::HashMap;
use std::fs::{File, Metadata};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

/// What a file is told by from one that took its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    /// 0 where the system has none.
    pub(super) inode: u64,
    pub(super) length: u64,
    /// As fine as the file system keeps it.
    pub(super) modified: Option<SystemTime>,
}

impl Stamp {
    pub(super) fn of(file: &Metadata) -> Self {
        #[cfg(unix)]
        let inode = std::os::unix::fs::MetadataExt::ino(file);
        #[cfg(not(unix))]
        let inode = 0;
        Self {
            inode,
            length: file.len(),
            modified: file.modified().ok(),
        }
    }
}

/// A file as it was read.
#[derive(Debug)]
pub(super) struct Token {
    pub(super) stamp: Stamp,
    pub(super) hash: [u8; 32],
    pub(super) content: Vec<u8>,
}

impl Token {
    /// Reads it, and stands still meanwhile.
    pub(super) fn read(file: &Path) -> std::io::Result<Self> {
        let mut file = File::open(file)?;
        let stamp = Stamp::of(&file.metadata()?);
        let mut content = Vec::new();
        file.read_to_end(&mut content)?;
        Ok(Self {
            stamp,
            hash: jose::sha256(&content),
            content,
        })
    }
}

/// The hashes of files.
#[derive(Debug, Default)]
pub(super) struct Prints(Mutex<HashMap<PathBuf, Print>>);

#[derive(Debug)]
struct Print {
    stamp: Stamp,
    /// Since when the file is known to bear this stamp.
    since: Instant,
    hash: Option<[u8; 32]>,
}

/// For so long after a stamp is first seen another file could bear the same one: a file
/// system's time stands still between its ticks. What is read later is what it stands
/// for.
const SETTLED: Duration = Duration::from_secs(1);

/// How many files are remembered.
const MOST: usize = 2048;

impl Prints {
    /// The hash of the file that bears this stamp, where that is known.
    pub(super) fn hash(&self, file: &Path, stamp: Stamp) -> Option<[u8; 32]> {
        let known = self.known();
        let print = known.get(file).filter(|print| print.stamp == stamp)?;
        print.hash
    }

    /// The file was read after `asked`.
    pub(super) fn note(&self, file: &Path, read: &Token, asked: Instant) {
        let mut known = self.known();
        if let Some(print) = known.get_mut(file)
            && print.stamp == read.stamp
        {
            if asked.saturating_duration_since(print.since) >= SETTLED {
                print.hash = Some(read.hash);
            }
            return;
        }
        if known.len() >= MOST {
            known.clear();
        }
        let print = Print {
            stamp: read.stamp,
            since: Instant::now(),
            hash: None,
        };
        known.insert(file.to_owned(), print);
    }

    fn known(&self) -> std::sync::MutexGuard<'_, HashMap<PathBuf, Print>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(content: &[u8], inode: u64, nanosecond: u64) -> Token {
        let modified = SystemTime::UNIX_EPOCH + Duration::from_nanos(nanosecond);
        Token {
            stamp: Stamp {
                inode,
                length: content.len() as u64,
                modified: Some(modified),
            },
            hash: jose::sha256(content),
            content: content.to_vec(),
        }
    }

    #[test]
    fn a_file_that_took_anothers_place_is_never_taken_for_it() {
        let (prints, file) = (Prints::default(), Path::new("list.jwt"));
        let hash = |token: &Token| prints.hash(file, token.stamp);
        let later = |seconds| Instant::now() + Duration::from_secs(seconds);
        let first = token(b"first", 1, 5);
        prints.note(file, &first, later(0));
        assert_eq!(hash(&first), None, "it was seen a moment ago");
        prints.note(file, &first, later(2));
        assert_eq!(hash(&first), Some(first.hash));

        // Of the same second and length; and then of the same place on the disk.
        for other in [token(b"other", 1, 6), token(b"other", 2, 5)] {
            assert_eq!(hash(&other), None);
        }
        let second = token(b"other", 2, 6);
        prints.note(file, &second, later(0));
        assert_eq!((hash(&second), hash(&first)), (None, None));
        // One that bears the same stamp, within the tick in which it was given.
        let third = token(b"third", 2, 6);
        prints.note(file, &third, later(0));
        assert_eq!(hash(&third), None);
        prints.note(file, &third, later(2));
        assert_eq!(hash(&third), Some(third.hash));
        assert_eq!(prints.hash(Path::new("list.cwt"), third.stamp), None);
    }
}
