use std::fmt::Write as _;
use std::fs::File;
use std::io::Read as _;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::watch::{open, stop_after_the_last};
use crate::{Absent, Doing, Programs, Server};

/// A cluster of one's own, which can be stopped, killed and started again. Dropping
/// it stops it, and so does the end of this process.
#[derive(Debug)]
pub struct Cluster {
    programs: Programs,
    folder: PathBuf,
    password: String,
    port: u16,
    environment: Vec<(String, PathBuf)>,
    /// Whether its folder is not where it was wanted, and goes with it.
    elsewhere: bool,
    /// Locked as long as this process wants the server.
    owner: Option<File>,
}

/// How a server is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// Open transactions are rolled back, everything is written, and it ends.
    Fast,
    /// It ends at once, as after a crash: the next start replays its log.
    Immediate,
}

/// The superuser of a cluster of ours.
const SUPERUSER: &str = "claviger";

/// What is said about durability is what production has, and is said in full: a
/// commit is acknowledged when its log is on disk.
const SETTINGS: &str = "
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
password_encryption = 'scram-sha-256'
fsync = on
synchronous_commit = on
full_page_writes = on
max_connections = 200
timezone = 'UTC'
log_timezone = 'UTC'
";

impl Cluster {
    /// Makes a cluster below `folder`, unless there is one, and starts it.
    pub fn start_in(folder: &Path) -> Result<Self, Absent> {
        let mut cluster = Self::at(Programs::find()?, folder)?;
        cluster.start()?;
        let lock = cluster.folder.join("owner.lock");
        let owner = open(&lock)?;
        owner.lock_shared().doing(lock.display())?;
        cluster.owner = Some(owner);
        stop_after_the_last(&cluster, &lock, 0)?;
        Ok(cluster)
    }

    /// The cluster below `folder`, made where it is missing. It is not started, and
    /// dropping it does not stop it.
    pub(crate) fn at(programs: Programs, folder: &Path) -> Result<Self, Absent> {
        let wanted = folder;
        let folder = programs.reachable(wanted)?;
        let data = folder.join("data");
        if !data.is_dir() {
            make(&programs, &folder, &data)?;
        }
        let secret = folder.join("password");
        let password = std::fs::read_to_string(&secret).doing(secret.display())?;
        let elsewhere = folder != wanted;
        let mut cluster = Self {
            programs,
            folder,
            password: password.trim().to_owned(),
            port: 0,
            environment: Vec::new(),
            elsewhere,
            owner: None,
        };
        if cluster.is_running() {
            cluster.port = port_of(&data).unwrap_or(0);
        }
        Ok(cluster)
    }

    /// What the server has in its environment from its next start on.
    pub fn set_environment(&mut self, environment: Vec<(String, PathBuf)>) {
        self.environment = environment;
    }

    /// Starts it; again on the port it had, since its clients know that one.
    pub fn start(&mut self) -> Result<(), Absent> {
        const TRIES: u32 = 20;
        for _ in 0..TRIES {
            // Between the look and the start another process may take the port.
            let port = match self.port {
                0 => free_port()?,
                known => known,
            };
            let started = self
                .pg_ctl("start")
                .envs(self.environment.iter().cloned())
                .args(["-w", "-t", "60", "-l"])
                .arg(self.log_file())
                .args(["-o", &format!("-p {port}")])
                .output()
                .doing("pg_ctl start")?;
            if started.status.success() {
                self.port = port;
                return Ok(());
            }
            // After it was killed, its children hold its memory for a moment.
            std::thread::sleep(Duration::from_millis(250));
        }
        let log = std::fs::read_to_string(self.log_file()).unwrap_or_default();
        let cause = log.lines().rev().find(|line| line.contains("FATAL"));
        Err(Absent::new(format!(
            "PostgreSQL does not start: {}",
            cause.unwrap_or("its log says nothing")
        )))
    }

    /// Stops it and waits until it has.
    pub fn stop(&self, how: Stop) -> Result<(), Absent> {
        let mode = match how {
            Stop::Fast => "fast",
            Stop::Immediate => "immediate",
        };
        let stopped = self
            .pg_ctl("stop")
            .args(["-w", "-t", "60", "-m", mode])
            .output()
            .doing("pg_ctl stop")?;
        if stopped.status.success() || !self.is_running() {
            Ok(())
        } else {
            Err(Absent::new("PostgreSQL does not stop"))
        }
    }

    /// `kill -9` of the postmaster. Its children end by themselves when they see it.
    pub fn kill(&self) -> Result<(), Absent> {
        let file = self.data().join("postmaster.pid");
        let text = std::fs::read_to_string(&file).doing(file.display())?;
        let pid = text.lines().next().unwrap_or_default().trim();
        let killed = Command::new("kill")
            .args(["-9", pid])
            .status()
            .doing("kill")?;
        if killed.success() {
            Ok(())
        } else {
            Err(Absent::new(format!("kill -9 {pid} failed")))
        }
    }

    /// Whether a server runs on it.
    pub fn is_running(&self) -> bool {
        self.pg_ctl("status")
            .output()
            .is_ok_and(|output| output.status.success())
    }

    /// The server, as its clients see it.
    pub fn server(&self) -> Server {
        let url = format!(
            "postgres://{SUPERUSER}:{}@127.0.0.1:{}",
            self.password, self.port
        );
        Server::new(url, self.programs.psql())
    }

    /// Where its data is.
    pub fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// What stops it, as a line for a shell.
    pub(crate) fn stop_line(&self) -> String {
        let mut command = self.pg_ctl("stop");
        command.args(["-w", "-m", "fast"]);
        let mut line = quoted(command.get_program());
        for argument in command.get_args() {
            let _ = write!(line, " {}", quoted(argument));
        }
        line
    }

    fn pg_ctl(&self, what: &str) -> Command {
        let mut command = self.programs.server("pg_ctl", &self.folder);
        command.arg(what).arg("-D").arg(self.data());
        command
    }

    fn log_file(&self) -> PathBuf {
        self.folder.join("log")
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if self.owner.is_none() {
            return;
        }
        if self.is_running() {
            let _ = self.stop(Stop::Immediate);
        }
        if self.elsewhere {
            let _ = std::fs::remove_dir_all(&self.folder);
        }
    }
}

/// Made beside its place and renamed, so that what is there is whole.
fn make(programs: &Programs, folder: &Path, data: &Path) -> Result<(), Absent> {
    let secret = folder.join("password");
    std::fs::write(&secret, random_word()?).doing(secret.display())?;
    programs.own(&secret, 0o600)?;
    let half = folder.join("data.new");
    if half.exists() {
        std::fs::remove_dir_all(&half).doing(half.display())?;
    }
    let made = programs
        .server("initdb", folder)
        .args(["-U", SUPERUSER, "--encoding", "UTF8", "--locale", "C.UTF-8"])
        .args(["--auth-host", "scram-sha-256", "--auth-local", "reject"])
        .arg("--pwfile")
        .arg(&secret)
        .arg("-D")
        .arg(&half)
        .output()
        .doing("initdb")?;
    if !made.status.success() {
        let said = String::from_utf8_lossy(&made.stderr);
        let cause = said.lines().find(|line| line.contains("error"));
        return Err(Absent::new(format!(
            "PostgreSQL cannot be set up: {}",
            cause.unwrap_or("initdb failed")
        )));
    }
    let file = half.join("postgresql.conf");
    let given = std::fs::read_to_string(&file).doing(file.display())?;
    std::fs::write(&file, given + SETTINGS).doing(file.display())?;
    std::fs::rename(&half, data).doing(data.display())
}

/// The port of a server that runs.
fn port_of(data: &Path) -> Option<u16> {
    let text = std::fs::read_to_string(data.join("postmaster.pid")).ok()?;
    text.lines().nth(3)?.trim().parse().ok()
}

fn free_port() -> Result<u16, Absent> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).doing("a free port")?;
    Ok(listener.local_addr().doing("a free port")?.port())
}

/// 128 random bits in hexadecimal.
pub(crate) fn random_word() -> Result<String, Absent> {
    let mut bytes = [0; 16];
    std::fs::File::open("/dev/urandom")
        .and_then(|mut source| source.read_exact(&mut bytes))
        .doing("/dev/urandom")?;
    Ok(bytes.iter().fold(String::new(), |mut word, byte| {
        let _ = write!(word, "{byte:02x}");
        word
    }))
}

fn quoted(word: &std::ffi::OsStr) -> String {
    format!("'{}'", word.to_string_lossy().replace('\'', r"'\''"))
}
