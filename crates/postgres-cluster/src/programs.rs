//! PostgreSQL's own programs: where they are, and as whom they run.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::{Absent, Doing};

/// PostgreSQL's programs of one version. PostgreSQL refuses to run as root; root
/// runs it as the user that the package made for it.
#[derive(Debug, Clone)]
pub struct Programs {
    folder: PathBuf,
    runs_as: Option<Account>,
}

/// The user that a server runs as where we are root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Account {
    uid: u32,
    gid: u32,
}

/// What the package calls that user.
const USER: &str = "postgres";

/// What must be in the folder.
const NEEDED: [&str; 4] = ["postgres", "initdb", "pg_ctl", "psql"];

impl Programs {
    /// The newest version on this machine, or that of `CLAVIGER_POSTGRES_BIN`.
    pub fn find() -> Result<Self, Absent> {
        let folder = folders()
            .into_iter()
            .find(|folder| NEEDED.iter().all(|name| folder.join(name).is_file()))
            .ok_or_else(|| {
                Absent::new("PostgreSQL is not installed (Debian: apt-get install postgresql)")
            })?;
        let runs_as = if id(&["-u"])? == 0 {
            let missing = |_| Absent::new(format!("there is no user {USER} to run PostgreSQL as"));
            Some(Account {
                uid: id(&["-u", USER]).map_err(missing)?,
                gid: id(&["-g", USER]).map_err(missing)?,
            })
        } else {
            None
        };
        Ok(Self { folder, runs_as })
    }

    /// A client, run as whoever we are.
    pub(crate) fn psql(&self) -> PathBuf {
        self.folder.join("psql")
    }

    /// A program of the server, run as the server's user, in `folder`.
    pub(crate) fn server(&self, program: &str, folder: &Path) -> Command {
        let program = self.folder.join(program);
        let mut command = match self.runs_as {
            Some(_) => {
                let mut command = Command::new("runuser");
                command.args(["-u", USER, "--"]).arg(program);
                command
            }
            None => Command::new(program),
        };
        command
            .current_dir(folder)
            .env("LC_ALL", "C")
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        command
    }

    /// Gives a folder or file to the server's user, and to nobody else.
    pub(crate) fn own(&self, path: &Path, mode: u32) -> Result<(), Absent> {
        use std::os::unix::fs::{PermissionsExt, chown};
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))
            .doing(path.display())?;
        match self.runs_as {
            Some(account) => {
                chown(path, Some(account.uid), Some(account.gid)).doing(path.display())
            }
            None => Ok(()),
        }
    }

    /// `wanted`, or a folder of its own below the system's temporary ones where the
    /// server's user cannot get at it: a home folder may be closed to others.
    pub(crate) fn reachable(&self, wanted: &Path) -> Result<PathBuf, Absent> {
        let outside = std::env::temp_dir().join(format!("claviger-postgres-{:016x}", hash(wanted)));
        for folder in [wanted, &outside] {
            std::fs::create_dir_all(folder).doing(folder.display())?;
            self.own(folder, 0o700)?;
            let entered = self.runs_as.is_none()
                || Command::new("runuser")
                    .args(["-u", USER, "--", "test", "-w"])
                    .arg(folder)
                    .current_dir("/")
                    .status()
                    .is_ok_and(|status| status.success());
            if entered {
                return Ok(folder.to_owned());
            }
        }
        Err(Absent::new(format!(
            "{}: the user {USER} cannot write there",
            outside.display()
        )))
    }
}

fn folders() -> Vec<PathBuf> {
    let mut versions: Vec<(u32, PathBuf)> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let version = entry.file_name().to_str()?.parse().ok()?;
            Some((version, entry.path().join("bin")))
        })
        .collect();
    versions.sort_unstable();
    let newest_first = versions.into_iter().rev().map(|(_, folder)| folder);
    let elsewhere = [
        "/usr/bin",
        "/usr/local/bin",
        "/usr/local/pgsql/bin",
        "/opt/homebrew/bin",
    ];
    std::env::var_os("CLAVIGER_POSTGRES_BIN")
        .map(PathBuf::from)
        .into_iter()
        .chain(newest_first)
        .chain(elsewhere.map(PathBuf::from))
        .collect()
}

fn id(arguments: &[&str]) -> Result<u32, Absent> {
    let output = Command::new("id")
        .args(arguments)
        .stderr(Stdio::null())
        .output()
        .doing("id")?;
    String::from_utf8_lossy(&output.stdout)
        .trim()
        .parse()
        .map_err(|_| Absent::new(format!("id {} says nothing", arguments.join(" "))))
}

/// FNV-1a: the same for the same folder, in every version of Rust.
fn hash(path: &Path) -> u64 {
    path.as_os_str()
        .as_encoded_bytes()
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
        })
}
