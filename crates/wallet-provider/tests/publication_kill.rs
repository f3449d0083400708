//! A node killed in the middle of a publication: its turn passes on, the files are
//! whole, and another node publishes what it left.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::explicit_write
)]

mod house;

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use house::{Device, House};
use provider_api::RevocationReason;
use status_list::{Reference, StatusList};
use wallet_provider::{FolderPublisher, PublishError, Publisher, TokenFormat, Tokens, Turn};

const FOLDER: &str = "CLAVIGER_PUBLICATION_KILL_FOLDER";

/// Where the child stops in its second publication.
const MOMENTS: [&str; 3] = ["before", "half", "between"];

#[test]
fn killed_in_the_middle_of_a_publication_it_holds_nobody_up() {
    let runtime = || tokio::runtime::Runtime::new().unwrap();
    if let Some(told) = std::env::var_os(FOLDER) {
        let told = told.into_string().unwrap();
        let (moment, folder) = told.split_once(':').unwrap();
        return runtime().block_on(stop_half_way(Path::new(folder), moment));
    }
    for moment in MOMENTS {
        let folder = tempfile::tempdir().unwrap();
        let (mut child, reference) = start(folder.path(), moment);
        runtime().block_on(async {
            let house = House::at(folder.path(), |_| {});
            let running = house.start().await;
            // Its turn is taken as long as it lives.
            let wait = Duration::from_millis(300);
            let waiting = tokio::time::timeout(wait, running.provider.publish_changed());
            assert!(waiting.await.is_err(), "{moment}: two at once");
            child.kill().unwrap();
            child.wait().unwrap();
            let began = Instant::now();
            assert_eq!(running.provider.publish_changed().await.unwrap(), 1);
            assert!(began.elapsed() < Duration::from_secs(5));
            assert!(revoked(folder.path(), &reference), "{moment}");
            let left = house::files(&folder.path().join("lists"));
            assert_eq!(left.len(), 2, "{moment}: {left:?}");
        });
    }
}

/// The child: issues, revokes, and stops in the middle of publishing that.
async fn stop_half_way(folder: &Path, moment: &str) {
    let house = House::at(folder, |_| {});
    let running = house.start().await;
    let device = Device::operational(&house, &running, "mine").await;
    let wia = device
        .fresh_wia(&house, &running, 1)
        .await
        .unwrap()
        .remove(0);
    let at = wia.status.reference;
    // The test harness keeps what is printed; the parent reads standard error.
    writeln!(std::io::stderr(), "issued {} {}", at.uri, at.idx).unwrap();
    let stopping = Arc::new(Stopping {
        lists: FolderPublisher::new(folder.join("lists")).unwrap(),
        moment: moment.to_owned(),
    });
    let running = house.start_with(stopping).await;
    let reason = RevocationReason::Security;
    let _ = running
        .provider
        .revoke_by_operator(device.unit, reason)
        .await;
}

/// Takes a publication up to some moment, and then stands still with its turn.
#[derive(Debug)]
struct Stopping {
    lists: FolderPublisher,
    moment: String,
}

#[async_trait]
impl Publisher for Stopping {
    async fn put(
        &self,
        name: &str,
        tokens: Tokens,
        turn: Arc<dyn Turn>,
    ) -> Result<(), PublishError> {
        let cwt = self.lists.path(name, TokenFormat::Cwt);
        match self.moment.as_str() {
            "half" => {
                let half = format!("{}.part", cwt.display());
                std::fs::write(half, &tokens.cwt[..tokens.cwt.len() / 2]).unwrap();
            }
            "between" => std::fs::write(cwt, &tokens.cwt).unwrap(),
            _ => {}
        }
        writeln!(std::io::stderr(), "stopped").unwrap();
        std::future::pending::<()>().await;
        drop(turn);
        Ok(())
    }

    async fn get(&self, name: &str, format: TokenFormat) -> Result<Option<Vec<u8>>, PublishError> {
        self.lists.get(name, format).await
    }

    async fn remove(&self, name: &str, turn: Arc<dyn Turn>) -> Result<(), PublishError> {
        self.lists.remove(name, turn).await
    }
}

/// A child that has come to its moment.
fn start(folder: &Path, moment: &str) -> (Child, Reference) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--nocapture", "--test-threads=1"])
        .arg("killed_in_the_middle_of_a_publication_it_holds_nobody_up")
        .env(FOLDER, format!("{moment}:{}", folder.display()))
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut reference = None;
    for line in BufReader::new(child.stderr.take().unwrap()).lines() {
        let line = line.unwrap();
        let mut words = line.split(' ');
        match words.next() {
            Some("issued") => {
                let (uri, idx) = (words.next().unwrap(), words.next().unwrap());
                reference = Some(Reference::new(uri, idx.parse().unwrap()));
            }
            Some("stopped") => return (child, reference.unwrap()),
            _ => {}
        }
    }
    panic!("{moment}: the child ended by itself");
}

/// Whether both forms have the entry set. Each process has a key of its own, which is
/// of no interest here.
fn revoked(folder: &Path, reference: &Reference) -> bool {
    let name = reference.uri.rsplit('/').next().unwrap();
    let lists = FolderPublisher::new(folder.join("lists")).unwrap();
    let read = |format| std::fs::read(lists.path(name, format)).unwrap();
    let limits = status_list::Limits::default();
    let jwt = String::from_utf8(read(TokenFormat::Jwt)).unwrap();
    let claims = jose::jws::parse(&jwt, 1 << 20).unwrap().claims().unwrap();
    let jwt = StatusList::from_json(&claims["status_list"], &limits).unwrap();
    let cwt = jose::cose::parse(&read(TokenFormat::Cwt), 1 << 20).unwrap();
    let cwt = jose::cbor::get(&cwt.claims().unwrap(), 65533)
        .cloned()
        .unwrap();
    let cwt = StatusList::from_cbor(&cwt, &limits).unwrap();
    assert_eq!(jwt, cwt);
    !jwt.get(reference.idx).unwrap().is_valid()
}
