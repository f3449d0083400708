//! A process of `claviger serve`.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// A process that serves until it is dropped or killed.
pub struct Served {
    child: Child,
    config: PathBuf,
    environment: Vec<(String, PathBuf)>,
    /// What it says about itself, `/health` below it.
    health: String,
    log: Arc<Mutex<Vec<String>>>,
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

    /// Starts, and does not wait.
    pub fn spawn(config: &Path, health: &str, environment: Vec<(String, PathBuf)>) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_claviger"))
            .envs(environment.iter().cloned())
            .args(["serve", "--config"])
            .arg(config)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = Arc::new(Mutex::new(Vec::new()));
        let (stderr, kept) = (child.stderr.take().unwrap(), Arc::clone(&log));
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                kept.lock().unwrap().push(line);
            }
        });
        Self {
            child,
            config: config.to_owned(),
            environment,
            health: health.to_owned(),
            log,
        }
    }

    /// Waits until it answers, with whatever: before that, it is not open.
    pub fn wait(&mut self) {
        let begun = Instant::now();
        let address = self
            .health
            .split("//")
            .nth(1)
            .unwrap_or(&self.health)
            .split('/')
            .next()
            .unwrap_or_default()
            .to_owned();
        while !answers(&address) {
            if self.child.try_wait().unwrap().is_some() || begun.elapsed().as_secs() > 60 {
                panic!("it did not start:\n{}", self.log());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The process's number.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Starts again after [`Served::kill`].
    pub fn restart(&mut self) {
        let environment = self.environment.clone();
        *self = Self::start_with(&self.config.clone(), &self.health.clone(), environment);
    }

    /// Asks it to stop and waits until it has.
    pub fn stop(mut self) {
        let pid = self.child.id().to_string();
        Command::new("kill").args(["-TERM", &pid]).status().unwrap();
        self.child.wait().unwrap();
    }

    pub fn log(&self) -> String {
        self.log.lock().unwrap().join("\n")
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
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
