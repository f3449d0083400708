//! Where things are: the project root, the target folder, the packages.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use cargo_metadata::{Metadata, MetadataCommand};

use crate::{Doing, Failure};

/// The project as cargo describes it.
#[derive(Debug)]
pub struct Workspace {
    /// The folder that holds the workspace's Cargo.toml.
    pub root: PathBuf,
    /// Cargo's target folder, which `CARGO_TARGET_DIR` may have moved.
    pub target: PathBuf,
    /// The packages and their dependencies as declared.
    pub metadata: Metadata,
}

impl Workspace {
    /// Opens the workspace that this command was built from.
    pub fn open() -> Result<Self, Failure> {
        Self::open_at(Path::new(env!("CARGO_MANIFEST_DIR")).join("..").as_path())
    }

    /// Opens the workspace in `root`. Nothing is fetched or resolved.
    pub fn open_at(root: &Path) -> Result<Self, Failure> {
        let metadata = MetadataCommand::new()
            .current_dir(root)
            .no_deps()
            .exec()
            .doing("cargo metadata")?;
        Ok(Self {
            root: metadata.workspace_root.clone().into_std_path_buf(),
            target: metadata.target_directory.clone().into_std_path_buf(),
            metadata,
        })
    }

    /// The folder of the package `name`, with `-` and `_` taken as the same.
    pub fn package_dir(&self, name: &str) -> Option<PathBuf> {
        self.package(name)
            .and_then(|package| package.manifest_path.parent())
            .map(|folder| folder.as_std_path().to_owned())
    }

    /// The package `name`, with `-` and `_` taken as the same.
    pub fn package(&self, name: &str) -> Option<&cargo_metadata::Package> {
        let wanted = name.replace('_', "-");
        self.metadata
            .packages
            .iter()
            .find(|package| package.name.replace('_', "-") == wanted)
    }

    /// A cargo command that runs in the project root.
    pub fn cargo<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Command {
        cargo_in(&self.root, arguments)
    }
}

/// A cargo command that runs in `folder`.
pub fn cargo_in<A: AsRef<OsStr>>(folder: &Path, arguments: impl IntoIterator<Item = A>) -> Command {
    let mut command =
        Command::new(std::env::var_os("CARGO").unwrap_or_else(|| OsStr::new("cargo").to_owned()));
    command.args(arguments).current_dir(folder);
    command
}

/// All Rust files below `folder`, sorted, so that reports do not change order.
pub fn rust_files(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        if !folder.is_dir() {
            continue;
        }
        for entry in std::fs::read_dir(&folder).doing(folder.display())? {
            let path = entry.doing(folder.display())?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    Ok(files)
}

/// Whether a command is there and ends well; what it says is nobody's concern.
pub(crate) fn works(command: &mut Command) -> bool {
    command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}
