//! A process of `claviger serve`; or two of them, where the run asks for it.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::front::Front;
use super::twins::Twins;

/// A node that serves until it is dropped or killed.
pub struct Served {
    /// Its process, or those of its [`Twins`].
    processes: Vec<Process>,
    config: PathBuf,
    environment: Vec<(String, PathBuf)>,
    /// An address of it, `/health` below it.
    health: String,
    log: Arc<Mutex<Vec<String>>>,
    fronts: Vec<Front>,
}

struct Process {
    child: Child,
    /// Where it listens.
    address: String,
}

impl Served {
    /// Starts on this configuration, and waits until `health` answers.
    pub fn start(config: &Path, health: &str) -> Self {
        Self::start_with(config, health, vec![])
    }

    pub fn start_with(config: &Path, health: &str, environment: Vec<(String, PathBuf)>) -> Self {
        let mut served = Self::spawn(config, health, environment);
        served.wait();
        served
    }

    /// Starts one node, also where each is wanted twice: what is looked at is its own.
    pub fn start_alone(config: &Path, health: &str) -> Self {
        let mut served = Self::new(config, health, vec![]);
        served.run(config, address(health));
        served.wait();
        served
    }

    /// Starts, and does not wait.
    pub fn spawn(config: &Path, health: &str, environment: Vec<(String, PathBuf)>) -> Self {
        let mut served = Self::new(config, health, environment);
        let Some(twins) = Twins::of(config) else {
            served.run(config, address(health));
            return served;
        };
        served.environment.extend(twins.environment.iter().cloned());
        for (config, address) in &twins.nodes {
            // The first makes what is missing.
            served.wait();
            served.run(config, address.clone());
        }
        served.fronts = twins.fronts;
        served
    }

    fn new(config: &Path, health: &str, environment: Vec<(String, PathBuf)>) -> Self {
        Self {
            processes: Vec::new(),
            config: config.to_owned(),
            environment,
            health: health.to_owned(),
            log: Arc::default(),
            fronts: Vec::new(),
        }
    }

    fn run(&mut self, config: &Path, address: String) {
        let mut child = Command::new(env!("CARGO_BIN_EXE_claviger"))
            .envs(self.environment.iter().cloned())
            .args(["serve", "--config"])
            .arg(config)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (stderr, kept) = (child.stderr.take().unwrap(), Arc::clone(&self.log));
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                kept.lock().unwrap().push(line);
            }
        });
        self.processes.push(Process { child, address });
    }

    /// Waits until it answers, with whatever: before that, it is not open.
    pub fn wait(&mut self) {
        let begun = Instant::now();
        for at in 0..self.processes.len() {
            while !answers(&self.processes[at].address) {
                let ended = self.processes[at].child.try_wait().unwrap();
                if ended.is_some() || begun.elapsed().as_secs() > 60 {
                    panic!("it did not start:\n{}", self.log());
                }
                std::thread::sleep(Duration::from_millis(20));
            }
        }
    }

    /// The process's number.
    pub fn id(&self) -> u32 {
        self.processes[0].child.id()
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        for process in &mut self.processes {
            process.child.kill().unwrap();
            process.child.wait().unwrap();
        }
    }

    /// Starts again after [`Served::kill`].
    pub fn restart(&mut self) {
        let environment = self.environment.clone();
        // Two do not listen at one address.
        self.fronts.clear();
        *self = Self::start_with(&self.config.clone(), &self.health.clone(), environment);
    }

    /// Asks it to stop and waits until it has.
    pub fn stop(mut self) {
        for process in &mut self.processes {
            let pid = process.child.id().to_string();
            Command::new("kill").args(["-TERM", &pid]).status().unwrap();
            process.child.wait().unwrap();
        }
    }

    /// Whether it logs this, within a moment: what it writes is read by another thread.
    pub fn logs(&self, what: &str) -> bool {
        let begun = Instant::now();
        while !self.log().contains(what) {
            if begun.elapsed() > Duration::from_secs(5) {
                return false;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        true
    }

    pub fn log(&self) -> String {
        self.log.lock().unwrap().join("\n")
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        for process in &mut self.processes {
            let _ = process.child.kill();
            let _ = process.child.wait();
        }
    }
}

/// Of a URL, or of an address alone.
fn address(health: &str) -> String {
    let after = health.split("//").nth(1).unwrap_or(health);
    after.split('/').next().unwrap_or_default().to_owned()
}

fn answers(address: &str) -> bool {
    let Ok(mut stream) = std::net::TcpStream::connect(address) else {
        return false;
    };
    let asked =
        stream.write_all(b"GET /health HTTP/1.1\r\nHost: node\r\nConnection: close\r\n\r\n");
    let _ = stream.set_read_timeout(Some(Duration::from_secs(5)));
    asked.is_ok() && matches!(stream.read(&mut [0; 1]), Ok(1))
}

/// An address on loopback that nobody listens at.
pub fn free_address() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}
