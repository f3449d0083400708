//! Nodes are killed at random moments, and their database server with them, while
//! clients activate, attest and revoke: nothing that was acknowledged is lost, no
//! index is used twice, and no revoked unit gets an attestation.
//!
//! `CLAVIGER_KILL_ROUNDS` says how often (10).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout
)]

mod support;

use std::collections::HashSet;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use claviger_fixtures::postgres::{Cluster, Stop};
use provider_api::{RevocationReason, UnitState};
use support::nodes::{Device, Nodes};
use support::{Phone, is_set};
use tokio::sync::Mutex;
use wallet_client::keystore::DeviceKeystore;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_on_sqlite_it_loses_nothing_acknowledged() {
    let place = tempfile::tempdir().unwrap();
    let nodes = Nodes::start(place.path(), 1, None, &Device::Software).await;
    run("SQLite, one node", nodes, None).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_on_postgresql_killed_with_it_lose_nothing_acknowledged() {
    let test = "two_nodes_on_postgresql_killed_with_it_lose_nothing_acknowledged";
    let place = tempfile::tempdir().unwrap();
    let Some(device) = Device::token(test) else {
        return;
    };
    let Some(cluster) = claviger_fixtures::postgres::cluster(&place.path().join("postgres")) else {
        return;
    };
    let database = cluster.server().create().unwrap();
    let nodes = Nodes::start(place.path(), 2, Some(&database.url()), &device).await;
    run("PostgreSQL, two nodes", nodes, Some(cluster)).await;
}

/// How many clients work at once.
const CLIENTS: usize = 4;

/// What was acknowledged.
#[derive(Default)]
struct Acknowledged {
    issued: Mutex<Vec<(String, u64)>>,
    revoked: Mutex<Vec<Gone>>,
    /// Requests that were not answered: their node was killed.
    cut: AtomicU64,
    /// Attestations asked for after the revocation, and refused.
    refused: AtomicU64,
}

/// A unit that is revoked, and its entries.
struct Gone {
    phone: Phone,
    entries: Vec<(String, u64)>,
}

async fn run(what: &str, mut nodes: Nodes, mut cluster: Option<Cluster>) {
    let rounds = std::env::var("CLAVIGER_KILL_ROUNDS").map_or(10, |n| n.parse().unwrap());
    let seen = Arc::new(Acknowledged::default());
    let over = Arc::new(AtomicBool::new(false));
    let clients: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let (url, seen, over) = (nodes.front.url.clone(), seen.clone(), over.clone());
            tokio::spawn(async move {
                while !over.load(Ordering::Relaxed) {
                    if live(&url, &seen).await.is_none() {
                        seen.cut.fetch_add(1, Ordering::Relaxed);
                        tokio::time::sleep(Duration::from_millis(50)).await;
                    }
                }
            })
        })
        .collect();
    let (mut killed, mut crashed) = (0, 0);
    for round in 0..rounds {
        tokio::time::sleep(Duration::from_millis(400 + below(1600))).await;
        // Every third time the database goes too, in one of two ways.
        if let Some(cluster) = cluster.as_mut().filter(|_| round % 3 == 2) {
            match round % 2 {
                0 => cluster.kill().unwrap(),
                _ => cluster.stop(Stop::Immediate).unwrap(),
            }
            tokio::time::sleep(Duration::from_millis(below(300))).await;
            cluster.start().unwrap();
            crashed += 1;
        }
        let which = usize::try_from(below(nodes.nodes.len() as u64)).unwrap();
        nodes.nodes[which].kill();
        killed += 1;
        tokio::time::sleep(Duration::from_millis(below(500))).await;
        nodes.nodes[which].restart();
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    over.store(true, Ordering::Relaxed);
    for client in clients {
        client.await.unwrap();
    }
    // A start finishes what was begun.
    for node in &mut nodes.nodes {
        node.kill();
        node.restart();
    }
    let published = settle(&seen).await;

    let issued = seen.issued.lock().await;
    let unique: HashSet<_> = issued.iter().collect();
    assert_eq!(unique.len(), issued.len(), "an index was used twice");
    let revoked = seen.revoked.lock().await;
    for gone in revoked.iter() {
        let unit = gone.phone.answer.unit;
        let view = gone.phone.provider.unit(unit, gone.phone.device.signing());
        assert_eq!(view.await.unwrap().state, UnitState::Revoked, "{unit}");
        assert!(try_wia(&gone.phone).await.is_err(), "{unit} got one more");
    }
    assert!(revoked.len() >= 3 && issued.len() > revoked.len());
    for node in &mut nodes.nodes {
        node.kill();
    }
    let (status, report) = nodes.command(&["db", "check"]);
    assert_eq!(status, 0, "{report:#}");
    tell(&format!(
        "{what}: {killed} nodes and {crashed} servers killed, {} requests cut off; {} indices \
         issued, each once; {} units revoked, {published} entries of them all published; {} \
         attestations refused after it",
        seen.cut.load(Ordering::Relaxed),
        issued.len(),
        revoked.len(),
        seen.refused.load(Ordering::Relaxed) + revoked.len() as u64,
    ));
}

/// The line of counts, where it is seen: a test that passes keeps what it prints to
/// itself.
fn tell(line: &str) {
    println!("{line}");
    if let Some(path) = std::env::var_os("CLAVIGER_KILLS_REPORT") {
        let file = std::fs::OpenOptions::new()
            .append(true)
            .create(true)
            .open(path);
        writeln!(file.unwrap(), "{line}").unwrap();
    }
}

/// One unit's life; `None` where a request was not answered.
async fn live(url: &str, seen: &Acknowledged) -> Option<()> {
    let alias = hex::encode(random::<8>());
    let phone = Phone::try_activate(url, &alias).await?;
    let mut entries = Vec::new();
    for _ in 0..2 {
        let (_, uri, index) = try_wia(&phone).await.ok()?;
        seen.issued.lock().await.push((uri.clone(), index));
        entries.push((uri, index));
    }
    let revocation = phone.revocation(RevocationReason::UserRequest);
    let revoked = phone.provider.revoke(&revocation).await.ok()?;
    assert_eq!(revoked.state, UnitState::Revoked);
    // Another node may answer this one.
    match try_wia(&phone).await {
        Ok(_) => panic!("a revoked unit got an attestation"),
        Err(Some(problem)) if problem == "unit-revoked" => {
            seen.refused.fetch_add(1, Ordering::Relaxed);
        }
        Err(_) => {}
    }
    seen.revoked.lock().await.push(Gone { phone, entries });
    Some(())
}

/// A WIA and its place; or the code of the problem, where it was answered.
async fn try_wia(phone: &Phone) -> Result<(String, String, u64), Option<String>> {
    phone.try_wia().await.map_err(|error| {
        let code = error.problem().map(|problem| problem.code.clone());
        code.filter(|code| code != "unavailable" && code != "internal")
    })
}

/// Waits until everything acknowledged is published; how many entries.
async fn settle(seen: &Acknowledged) -> usize {
    let revoked = seen.revoked.lock().await;
    let mut left: Vec<&(String, u64)> = revoked.iter().flat_map(|gone| &gone.entries).collect();
    let count = left.len();
    for _ in 0..100 {
        let mut still = Vec::new();
        let mut tokens = std::collections::HashMap::new();
        for entry in left {
            let (uri, index) = entry;
            if !tokens.contains_key(uri) {
                let token = reqwest::get(uri).await.unwrap().bytes().await.unwrap();
                tokens.insert(uri, token);
            }
            if !is_set(&tokens[uri], uri, *index) {
                still.push(entry);
            }
        }
        if still.is_empty() {
            return count;
        }
        left = still;
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    panic!("{} acknowledged revocations are not published", left.len());
}

fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).unwrap();
    bytes
}

fn below(limit: u64) -> u64 {
    u64::from_le_bytes(random()) % limit
}
