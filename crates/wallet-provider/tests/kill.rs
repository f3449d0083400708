//! A process killed at any moment loses nothing that it acknowledged.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout
)]

mod house;

use std::collections::HashSet;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use house::{Device, House};
use provider_api::RevocationReason;
use sci::UnitId;
use status_list::{Reference, StatusList};

const FOLDER: &str = "CLAVIGER_KILL_FOLDER";

#[test]
fn killed_between_any_two_steps_it_loses_no_acknowledged_revocation_and_no_index() {
    let runtime = || tokio::runtime::Runtime::new().unwrap();
    if let Some(folder) = std::env::var_os(FOLDER) {
        return runtime().block_on(work_until_killed(Path::new(&folder)));
    }
    let folder = tempfile::tempdir().unwrap();
    let (mut issued, mut revoked, mut pending) = (Vec::new(), Vec::new(), 0);
    for round in 0..4u32 {
        for line in run_and_kill(
            folder.path(),
            Duration::from_millis(300 + 37 * u64::from(round)),
        ) {
            let mut words = line.split(' ');
            let (what, uri, idx) = (words.next(), words.next(), words.next());
            let reference = Reference::new(uri.unwrap(), idx.unwrap().parse().unwrap());
            match what.unwrap() {
                "issued" => issued.push(reference),
                _ => revoked.push(reference),
            }
        }
        runtime().block_on(async {
            let house = House::at(folder.path(), |_| {});
            let running = house.start().await;
            pending += running.provider.publish_changed().await.unwrap();
            running.provider.recover().await.unwrap();
            running.database.close().await;
        });
        for reference in &revoked {
            assert!(
                published(folder.path(), reference),
                "round {round}: {reference} is lost"
            );
        }
    }
    let unique: HashSet<_> = issued.iter().collect();
    assert_eq!(unique.len(), issued.len(), "no index twice");
    assert!(!revoked.is_empty() && issued.len() >= revoked.len());
    println!(
        "killed 4 times: {} issued, {} revoked, all published; {pending} lists were due at a start",
        issued.len(),
        revoked.len()
    );
}

/// The child: issues and revokes, and says so after each acknowledgement.
async fn work_until_killed(folder: &Path) {
    let house = House::at(folder, |_| {});
    let running = house.start().await;
    running.provider.recover().await.unwrap();
    // The test harness keeps what is printed; the parent reads standard error.
    let say = |what: &str, at: &Reference| {
        let mut out = std::io::stderr();
        writeln!(out, "{what} {} {}", at.uri, at.idx).unwrap();
    };
    let end = Instant::now() + Duration::from_secs(30);
    while Instant::now() < end {
        let alias = UnitId::random().to_string();
        let device = Device::operational(&house, &running, &alias).await;
        let wia = device
            .fresh_wia(&house, &running, 1)
            .await
            .unwrap()
            .remove(0);
        say("issued", &wia.status.reference);
        running
            .provider
            .revoke_by_operator(device.unit, RevocationReason::Security)
            .await
            .unwrap();
        say("revoked", &wia.status.reference);
    }
}

fn run_and_kill(folder: &Path, after: Duration) -> Vec<String> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--nocapture", "--test-threads=1"])
        .arg("killed_between_any_two_steps_it_loses_no_acknowledged_revocation_and_no_index")
        .env(FOLDER, folder)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stderr.take().unwrap()).lines();
    // On a slow machine, wait for the first sign of life before the clock runs.
    let mut said = Vec::new();
    let mut deadline = None;
    for line in lines.map_while(Result::ok) {
        let real = line.starts_with("issued ") || line.starts_with("revoked ");
        if real {
            said.push(line);
        }
        let kill_at = *deadline.get_or_insert_with(|| Instant::now() + after);
        if Instant::now() >= kill_at {
            // SIGKILL on Unix: no handler, no destructor, no flush.
            child.kill().ok();
        }
    }
    child.wait().unwrap();
    // A line that was cut in half by the kill says nothing.
    said.retain(|line| line.split(' ').count() == 3);
    said
}

/// Whether the list in the folder has the entry set. Which key sealed it is of no
/// interest here: each process has its own.
fn published(folder: &Path, reference: &Reference) -> bool {
    let name = reference.uri.rsplit('/').next().unwrap();
    let token = std::fs::read_to_string(folder.join("lists").join(format!("{name}.jwt"))).unwrap();
    let claims = jose::jws::parse(&token, 1 << 20).unwrap().claims().unwrap();
    let list =
        StatusList::from_json(&claims["status_list"], &status_list::Limits::default()).unwrap();
    !list.get(reference.idx).unwrap().is_valid()
}
