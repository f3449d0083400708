use std::io::Write;
use std::path::{Path, PathBuf};

use async_trait::async_trait;

/// Where status list tokens are put for the world to fetch.
#[async_trait]
pub trait Publisher: Send + Sync + std::fmt::Debug {
    /// Puts a list's token in place of the one before it. When this returns, the
    /// new token survives a crash, and at no moment was there none or half of one.
    async fn put(&self, name: &str, token: Vec<u8>) -> Result<(), PublishError>;

    /// The list's token as it is published now; `None` where there is none.
    async fn get(&self, name: &str) -> Result<Option<Vec<u8>>, PublishError>;

    /// Takes a list away for good.
    async fn remove(&self, name: &str) -> Result<(), PublishError>;
}

/// A list could not be published.
#[derive(Debug, thiserror::Error)]
#[error("{}: {what}: {source}", path.display())]
pub struct PublishError {
    /// The file or folder.
    pub path: PathBuf,
    /// What was tried.
    pub what: &'static str,
    /// Why it failed.
    pub source: std::io::Error,
}

/// Publishes into a folder that any web server or object store can serve: the
/// token of list `name` is the file `name.jwt`.
#[derive(Debug, Clone)]
pub struct FolderPublisher {
    folder: PathBuf,
}

impl FolderPublisher {
    /// A publisher into `folder`, which is made where it is missing. What a crash
    /// left half written is taken away.
    pub fn new(folder: impl Into<PathBuf>) -> Result<Self, PublishError> {
        let folder = folder.into();
        let fail = |what| {
            let path = folder.clone();
            move |source| PublishError { path, what, source }
        };
        std::fs::create_dir_all(&folder).map_err(fail("cannot be made"))?;
        for entry in std::fs::read_dir(&folder).map_err(fail("cannot be read"))? {
            let path = entry.map_err(fail("cannot be read"))?.path();
            if path.extension().is_some_and(|extension| extension == HALF) {
                std::fs::remove_file(&path).map_err(fail("cannot be cleared"))?;
            }
        }
        Ok(Self { folder })
    }

    /// The file of the list `name`.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.jwt"))
    }
}

/// What a file is called until it is whole.
const HALF: &str = "part";

#[async_trait]
impl Publisher for FolderPublisher {
    async fn put(&self, name: &str, token: Vec<u8>) -> Result<(), PublishError> {
        let path = self.path(name);
        in_background(path.clone(), move || replace(&mut OsDisk, &path, &token)).await
    }

    async fn get(&self, name: &str) -> Result<Option<Vec<u8>>, PublishError> {
        let path = self.path(name);
        in_background(path.clone(), move || match std::fs::read(&path) {
            Ok(token) => Ok(Some(token)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(PublishError {
                path,
                what: "cannot be read",
                source,
            }),
        })
        .await
    }

    async fn remove(&self, name: &str) -> Result<(), PublishError> {
        let path = self.path(name);
        in_background(path.clone(), move || take_away(&mut OsDisk, &path)).await
    }
}

async fn in_background<T: Send + 'static>(
    path: PathBuf,
    work: impl FnOnce() -> Result<T, PublishError> + Send + 'static,
) -> Result<T, PublishError> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|error| {
            let source = std::io::Error::other(error);
            let what = "the writer broke down";
            Err(PublishError { path, what, source })
        })
}

/// Writes beside the file, syncs, renames over it, and syncs the folder: only
/// then is the new file there after a crash, and whole.
fn replace<D: Disk>(disk: &mut D, path: &Path, token: &[u8]) -> Result<(), PublishError> {
    let half = path.with_extension(HALF);
    let fail = |what| {
        let path = half.clone();
        move |source| PublishError { path, what, source }
    };
    let mut file = disk.create(&half).map_err(fail("cannot be made"))?;
    disk.write(&mut file, token)
        .map_err(fail("cannot be written"))?;
    disk.sync(&file).map_err(fail("cannot be synced"))?;
    drop(file);
    disk.rename(&half, path)
        .map_err(fail("cannot be put in place"))?;
    sync_folder_of(disk, path)
}

fn take_away<D: Disk>(disk: &mut D, path: &Path) -> Result<(), PublishError> {
    match disk.remove(path) {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
            return Err(PublishError {
                path: path.to_owned(),
                what: "cannot be removed",
                source,
            });
        }
        _ => {}
    }
    sync_folder_of(disk, path)
}

fn sync_folder_of<D: Disk>(disk: &mut D, path: &Path) -> Result<(), PublishError> {
    let folder = path.parent().unwrap_or(Path::new("."));
    disk.sync_folder(folder).map_err(|source| PublishError {
        path: folder.to_owned(),
        what: "cannot be synced",
        source,
    })
}

/// What is done to a disk, one step at a time, so that a test can pull the plug
/// between any two of them.
trait Disk {
    type File;
    fn create(&mut self, path: &Path) -> std::io::Result<Self::File>;
    fn write(&mut self, file: &mut Self::File, bytes: &[u8]) -> std::io::Result<()>;
    fn sync(&mut self, file: &Self::File) -> std::io::Result<()>;
    fn rename(&mut self, from: &Path, to: &Path) -> std::io::Result<()>;
    fn remove(&mut self, path: &Path) -> std::io::Result<()>;
    fn sync_folder(&mut self, folder: &Path) -> std::io::Result<()>;
}

/// The machine's own.
struct OsDisk;

impl Disk for OsDisk {
    type File = std::fs::File;

    fn create(&mut self, path: &Path) -> std::io::Result<Self::File> {
        std::fs::File::create(path)
    }

    fn write(&mut self, file: &mut Self::File, bytes: &[u8]) -> std::io::Result<()> {
        file.write_all(bytes)
    }

    fn sync(&mut self, file: &Self::File) -> std::io::Result<()> {
        file.sync_all()
    }

    fn rename(&mut self, from: &Path, to: &Path) -> std::io::Result<()> {
        std::fs::rename(from, to)
    }

    fn remove(&mut self, path: &Path) -> std::io::Result<()> {
        std::fs::remove_file(path)
    }

    /// Where folders cannot be opened (not on Unix), the system keeps their
    /// entries itself.
    fn sync_folder(&mut self, folder: &Path) -> std::io::Result<()> {
        if cfg!(unix) {
            std::fs::File::open(folder)?.sync_all()?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;
    use std::collections::HashMap;

    /// A disk with a cache: what was not synced is lost with the power, and the
    /// power goes after `steps` steps.
    #[derive(Default)]
    struct Cached {
        steps: usize,
        contents: Vec<(Vec<u8>, Vec<u8>)>,
        names: HashMap<PathBuf, usize>,
        names_on_disk: HashMap<PathBuf, usize>,
    }

    impl Cached {
        fn step(&mut self) -> std::io::Result<()> {
            self.steps = self
                .steps
                .checked_sub(1)
                .ok_or(std::io::ErrorKind::BrokenPipe)?;
            Ok(())
        }

        /// What a reader finds after a crash, whether or not the folder's entries
        /// happened to reach the disk by themselves.
        fn after_crash(&self, path: &Path) -> [Option<&[u8]>; 2] {
            [&self.names, &self.names_on_disk].map(|names| {
                names
                    .get(path)
                    .map(|inode| self.contents[*inode].1.as_slice())
            })
        }
    }

    impl Disk for Cached {
        type File = usize;

        fn create(&mut self, path: &Path) -> std::io::Result<usize> {
            self.step()?;
            self.contents.push(Default::default());
            let inode = self.contents.len() - 1;
            self.names.insert(path.to_owned(), inode);
            Ok(inode)
        }

        fn write(&mut self, file: &mut usize, bytes: &[u8]) -> std::io::Result<()> {
            self.step()?;
            self.contents[*file].0.extend_from_slice(bytes);
            Ok(())
        }

        fn sync(&mut self, file: &usize) -> std::io::Result<()> {
            self.step()?;
            let (cached, on_disk) = &mut self.contents[*file];
            on_disk.clone_from(cached);
            Ok(())
        }

        fn rename(&mut self, from: &Path, to: &Path) -> std::io::Result<()> {
            self.step()?;
            let inode = self
                .names
                .remove(from)
                .ok_or(std::io::ErrorKind::NotFound)?;
            self.names.insert(to.to_owned(), inode);
            Ok(())
        }

        fn remove(&mut self, path: &Path) -> std::io::Result<()> {
            self.step()?;
            self.names
                .remove(path)
                .ok_or(std::io::ErrorKind::NotFound)?;
            Ok(())
        }

        fn sync_folder(&mut self, _: &Path) -> std::io::Result<()> {
            self.step()?;
            self.names_on_disk.clone_from(&self.names);
            Ok(())
        }
    }

    #[test]
    fn whenever_the_power_goes_the_list_is_whole_and_what_was_acknowledged_is_there() {
        let path = Path::new("lists/a.jwt");
        let (mut refused, mut acknowledged) = (0, 0);
        for steps in 0..8 {
            let mut disk = Cached {
                steps: 5,
                ..Cached::default()
            };
            replace(&mut disk, path, b"old").unwrap();
            disk.steps = steps;
            let done = replace(&mut disk, path, b"new").is_ok();
            for found in disk.after_crash(path) {
                let found = found.unwrap();
                assert!(
                    found == b"new" || (found == b"old" && !done),
                    "after {steps} steps"
                );
            }
            *(if done {
                &mut acknowledged
            } else {
                &mut refused
            }) += 1;
        }
        assert_eq!((refused, acknowledged), (5, 3));
    }

    #[test]
    fn a_list_that_was_taken_away_does_not_come_back() {
        let path = Path::new("lists/a.jwt");
        let mut disk = Cached {
            steps: 7,
            ..Cached::default()
        };
        replace(&mut disk, path, b"old").unwrap();
        take_away(&mut disk, path).unwrap();
        assert_eq!(disk.after_crash(path), [None, None]);
    }

    #[tokio::test]
    async fn a_token_replaces_the_one_before_and_goes_when_told() {
        let folder = tempfile::tempdir().unwrap();
        let lists = FolderPublisher::new(folder.path().join("lists")).unwrap();
        for token in ["one", "two"] {
            lists.put("a", token.into()).await.unwrap();
            assert_eq!(std::fs::read_to_string(lists.path("a")).unwrap(), token);
            assert_eq!(lists.get("a").await.unwrap().unwrap(), token.as_bytes());
        }
        assert_eq!(
            std::fs::read_dir(folder.path().join("lists"))
                .unwrap()
                .count(),
            1
        );
        lists.remove("a").await.unwrap();
        lists.remove("a").await.unwrap();
        assert!(!lists.path("a").exists());
        assert_eq!(lists.get("a").await.unwrap(), None);
    }

    #[tokio::test]
    async fn what_a_crash_left_half_written_is_cleared_and_the_list_stays() {
        let folder = tempfile::tempdir().unwrap();
        let lists = FolderPublisher::new(folder.path()).unwrap();
        lists.put("a", b"whole".to_vec()).await.unwrap();
        std::fs::write(folder.path().join("a.part"), "ha").unwrap();
        let lists = FolderPublisher::new(folder.path()).unwrap();
        assert!(!folder.path().join("a.part").exists());
        assert_eq!(std::fs::read_to_string(lists.path("a")).unwrap(), "whole");
    }

    #[tokio::test]
    async fn a_folder_that_is_gone_is_an_error_that_names_it() {
        let folder = tempfile::tempdir().unwrap();
        let lists = FolderPublisher::new(folder.path().join("lists")).unwrap();
        std::fs::remove_dir(folder.path().join("lists")).unwrap();
        let error = lists.put("a", b"x".to_vec()).await.unwrap_err();
        assert_eq!(error.what, "cannot be made");
        assert_eq!(error.path, folder.path().join("lists/a.part"));
    }
}
