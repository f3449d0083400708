//! Status lists as files in a folder.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use status_list::TokenFormat;

use super::publisher::{PublishError, Publisher, Tokens};
use super::turn::Turn;

/// Publishes into a folder that any web server or object store can serve: the
/// tokens of list `name` are the files `name.jwt` and `name.cwt`. Several nodes can
/// publish into one folder.
#[derive(Debug, Clone)]
pub struct FolderPublisher {
    folder: PathBuf,
}

impl FolderPublisher {
    /// A publisher into `folder`, which is made where it is missing.
    pub fn new(folder: impl Into<PathBuf>) -> Result<Self, PublishError> {
        let folder = folder.into();
        if let Err(source) = std::fs::create_dir_all(&folder) {
            return Err(PublishError {
                path: folder,
                what: "cannot be made",
                source,
            });
        }
        Ok(Self { folder })
    }

    /// The file of the list `name` in this form.
    pub fn path(&self, name: &str, format: TokenFormat) -> PathBuf {
        let extension = match format {
            TokenFormat::Jwt => "jwt",
            TokenFormat::Cwt => "cwt",
        };
        self.folder.join(format!("{name}.{extension}"))
    }

    /// The CWT goes first: see [`replace`].
    fn paths(&self, name: &str) -> [PathBuf; 2] {
        [TokenFormat::Cwt, TokenFormat::Jwt].map(|format| self.path(name, format))
    }
}

/// What a file's name ends with until it is whole. One that a crash left behind is
/// written over by the list's next publication, and goes with the list.
const HALF: &str = ".part";

/// More than the largest list's token has. A larger file is not ours, and what is
/// read of it is refused.
const MOST: u64 = 64 * 1024 * 1024;

#[async_trait]
impl Publisher for FolderPublisher {
    async fn put(
        &self,
        name: &str,
        tokens: Tokens,
        turn: Arc<dyn Turn>,
    ) -> Result<(), PublishError> {
        let [cwt, jwt] = self.paths(name);
        in_background(self.folder.clone(), move || {
            let done = replace(&mut OsDisk, &[(&cwt, &tokens.cwt), (&jwt, &tokens.jwt)]);
            drop(turn);
            done
        })
        .await
    }

    async fn get(&self, name: &str, format: TokenFormat) -> Result<Option<Vec<u8>>, PublishError> {
        let path = self.path(name, format);
        in_background(path.clone(), move || {
            let read = std::fs::File::open(&path).and_then(|file| {
                let mut token = Vec::new();
                file.take(MOST).read_to_end(&mut token)?;
                Ok(token)
            });
            match read {
                Ok(token) => Ok(Some(token)),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
                Err(source) => Err(PublishError {
                    path,
                    what: "cannot be read",
                    source,
                }),
            }
        })
        .await
    }

    async fn remove(&self, name: &str, turn: Arc<dyn Turn>) -> Result<(), PublishError> {
        let paths = self.paths(name);
        in_background(self.folder.clone(), move || {
            let done = take_away(&mut OsDisk, &paths);
            drop(turn);
            done
        })
        .await
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

/// Writes all beside the files and syncs them, renames them over, and syncs the
/// folder: only then are the new files there after a crash, and each whole.
///
/// Nothing is renamed before everything is written, so the forms of a list tell
/// different states for no longer than two renames take. A crash between the two
/// leaves them so until the list's next publication, which is due, since this one was
/// not acknowledged. The JWT comes last: whoever reads the new one finds a CWT that
/// is no older.
fn replace<D: Disk>(disk: &mut D, files: &[(&Path, &[u8])]) -> Result<(), PublishError> {
    let done = files
        .iter()
        .try_for_each(|(path, token)| write_half(disk, path, token))
        .and_then(|()| {
            files.iter().try_for_each(|(path, _)| {
                let half = half(path);
                disk.rename(&half, path)
                    .map_err(failed(&half, "cannot be put in place"))
            })
        });
    if done.is_err() {
        // A full disk needs the room.
        for (path, _) in files {
            let _ = disk.remove(&half(path));
        }
        return done;
    }
    files
        .first()
        .map_or(Ok(()), |(path, _)| sync_folder_of(disk, path))
}

fn write_half<D: Disk>(disk: &mut D, path: &Path, token: &[u8]) -> Result<(), PublishError> {
    let half = half(path);
    let mut file = disk
        .create(&half)
        .map_err(failed(&half, "cannot be made"))?;
    disk.write(&mut file, token)
        .map_err(failed(&half, "cannot be written"))?;
    disk.sync(&file).map_err(failed(&half, "cannot be synced"))
}

fn take_away<D: Disk>(disk: &mut D, paths: &[PathBuf]) -> Result<(), PublishError> {
    for path in paths {
        for path in [half(path), path.clone()] {
            match disk.remove(&path) {
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                done => done.map_err(failed(&path, "cannot be removed"))?,
            }
        }
    }
    paths
        .first()
        .map_or(Ok(()), |path| sync_folder_of(disk, path))
}

fn half(path: &Path) -> PathBuf {
    let mut half = path.to_owned().into_os_string();
    half.push(HALF);
    half.into()
}

fn failed(path: &Path, what: &'static str) -> impl FnOnce(std::io::Error) -> PublishError {
    let path = path.to_owned();
    move |source| PublishError { path, what, source }
}

fn sync_folder_of<D: Disk>(disk: &mut D, path: &Path) -> Result<(), PublishError> {
    let folder = path.parent().unwrap_or(Path::new("."));
    disk.sync_folder(folder)
        .map_err(failed(folder, "cannot be synced"))
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

    fn files() -> [&'static Path; 2] {
        ["lists/a.cwt", "lists/a.jwt"].map(Path::new)
    }

    fn replace_all(disk: &mut Cached, token: &[u8]) -> Result<(), PublishError> {
        replace(disk, &files().map(|path| (path, token)))
    }

    /// What one publication takes: six steps for the two files, two renames, one sync
    /// of the folder.
    const STEPS: usize = 9;

    #[test]
    fn whenever_the_power_goes_each_form_is_whole_and_what_was_acknowledged_is_there() {
        let (mut refused, mut acknowledged, mut apart) = (0, 0, 0);
        for steps in 0..STEPS + 2 {
            let mut disk = Cached {
                steps: STEPS,
                ..Cached::default()
            };
            replace_all(&mut disk, b"old").unwrap();
            disk.steps = steps;
            let done = replace_all(&mut disk, b"new").is_ok();
            for on_disk in [0, 1] {
                let [cwt, jwt] = files().map(|path| disk.after_crash(path)[on_disk].unwrap());
                for found in [cwt, jwt] {
                    assert!(
                        found == b"new" || (found == b"old" && !done),
                        "after {steps} steps"
                    );
                }
                assert!(!(jwt == b"new" && cwt == b"old"), "the JWT comes last");
                apart += usize::from(jwt != cwt);
            }
            *(if done {
                &mut acknowledged
            } else {
                &mut refused
            }) += 1;
        }
        assert_eq!((refused, acknowledged), (STEPS, 2));
        assert_eq!(apart, 1, "between the two renames, and at no other moment");
    }

    #[test]
    fn a_list_that_was_taken_away_does_not_come_back() {
        let mut disk = Cached {
            steps: STEPS + 5,
            ..Cached::default()
        };
        replace_all(&mut disk, b"old").unwrap();
        take_away(&mut disk, &files().map(Path::to_owned)).unwrap();
        for path in files() {
            assert_eq!(disk.after_crash(path), [None, None]);
        }
    }

    #[derive(Debug)]
    struct Mine;
    impl Turn for Mine {}

    async fn put(lists: &FolderPublisher, token: &str) -> Result<(), PublishError> {
        let tokens = Tokens {
            jwt: token.into(),
            cwt: token.into(),
        };
        lists.put("a", tokens, Arc::new(Mine)).await
    }

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[tokio::test]
    async fn tokens_replace_those_before_and_go_when_told() {
        let folder = tempfile::tempdir().unwrap();
        let lists = FolderPublisher::new(folder.path().join("lists")).unwrap();
        for token in ["one", "two"] {
            put(&lists, token).await.unwrap();
            for format in [TokenFormat::Jwt, TokenFormat::Cwt] {
                let found = lists.get("a", format).await.unwrap();
                assert_eq!(found.unwrap(), token.as_bytes());
            }
        }
        let files = || names(&folder.path().join("lists"));
        assert_eq!(files(), ["a.cwt", "a.jwt"]);
        for _ in 0..2 {
            lists.remove("a", Arc::new(Mine)).await.unwrap();
            assert_eq!(files(), [] as [String; 0]);
        }
        assert_eq!(lists.get("a", TokenFormat::Jwt).await.unwrap(), None);
    }

    #[tokio::test]
    async fn what_a_crash_left_half_written_is_written_over_or_goes_with_the_list() {
        let folder = tempfile::tempdir().unwrap();
        let lists = FolderPublisher::new(folder.path()).unwrap();
        put(&lists, "whole").await.unwrap();
        let half = folder.path().join("a.jwt.part");
        std::fs::write(&half, "a half that is longer than the whole").unwrap();
        put(&lists, "new").await.unwrap();
        let found = lists.get("a", TokenFormat::Jwt).await.unwrap();
        assert_eq!(found.unwrap(), b"new");
        assert_eq!(names(folder.path()), ["a.cwt", "a.jwt"]);
        std::fs::write(&half, "ha").unwrap();
        lists.remove("a", Arc::new(Mine)).await.unwrap();
        assert_eq!(names(folder.path()), [] as [String; 0]);
    }

    /// `/dev/full` takes no byte, as a full disk does.
    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn a_full_disk_leaves_the_lists_as_they_were_and_no_half_behind() {
        let folder = tempfile::tempdir().unwrap();
        let lists = FolderPublisher::new(folder.path()).unwrap();
        put(&lists, "old").await.unwrap();
        for form in ["cwt", "jwt"] {
            let half = folder.path().join(format!("a.{form}.part"));
            std::os::unix::fs::symlink("/dev/full", half).unwrap();
            let error = put(&lists, "new").await.unwrap_err();
            assert_eq!(error.source.kind(), std::io::ErrorKind::StorageFull);
            assert_eq!(names(folder.path()), ["a.cwt", "a.jwt"]);
            let found = lists.get("a", TokenFormat::Jwt).await.unwrap();
            assert_eq!(found.unwrap(), b"old");
        }
        put(&lists, "new").await.unwrap();
    }

    #[tokio::test]
    async fn a_folder_that_is_gone_is_an_error_that_names_it() {
        let folder = tempfile::tempdir().unwrap();
        let lists = FolderPublisher::new(folder.path().join("lists")).unwrap();
        std::fs::remove_dir(folder.path().join("lists")).unwrap();
        let error = put(&lists, "x").await.unwrap_err();
        assert_eq!(error.what, "cannot be made");
        assert_eq!(error.path, folder.path().join("lists/a.cwt.part"));
    }
}
