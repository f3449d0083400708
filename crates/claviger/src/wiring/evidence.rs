//! What the wallet provider holds device evidence against: the operator's policy, and
//! a copy of Google's revocation list in a file, which the node or somebody else keeps
//! fresh.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clock::Clock;
use device_evidence::Policy;
use device_evidence::android::{MAX_REVOCATION_LIST, RevocationList};
use jiff::Timestamp;
use outbound::{Client, Fetched, Limits, Request};
use url::Url;
use wallet_provider::WalletProvider;

use crate::exit::{Doing, Failure};
use crate::{files, input};

/// How old the copy grows before the next one is fetched.
const FETCH_AFTER: Duration = Duration::from_secs(3600);
/// How long is waited after a fetch that failed.
const TRY_AGAIN: Duration = Duration::from_secs(300);

/// What the provider needs for it.
#[derive(Debug, Clone, Default)]
pub(crate) struct EvidenceParts {
    /// What is required.
    pub(crate) policy: Policy,
    /// The file with the copy. Its time of change is when it was fetched.
    pub(crate) revocation_list: Option<PathBuf>,
    /// Where the node fetches it from; absent where somebody else does.
    pub(crate) revocation_list_url: Option<Url>,
}

/// Fetches the list into its file.
#[derive(Debug)]
pub(super) struct RevocationFetch {
    url: Url,
    path: PathBuf,
    client: Client,
    clock: Arc<dyn Clock>,
}

impl RevocationFetch {
    /// None where somebody else fetches it.
    pub(super) fn of(
        parts: &EvidenceParts,
        development: bool,
        clock: Arc<dyn Clock>,
    ) -> Result<Option<Self>, Failure> {
        let (Some(url), Some(path)) = (&parts.revocation_list_url, &parts.revocation_list) else {
            return Ok(None);
        };
        let limits = Limits {
            allow_insecure_loopback: development,
            ..Limits::default()
        };
        Ok(Some(Self {
            url: url.clone(),
            path: path.clone(),
            client: Client::new(limits).doing("the HTTP client")?,
            clock,
        }))
    }

    /// Keeps the file fresh, as long as the node is there. Where that fails the copy
    /// stays, and grows old: `/ready` warns of it before the policy refuses it.
    pub(super) async fn keep_fresh(self) {
        loop {
            let pause = match self.round().await {
                Ok(pause) => pause,
                Err(error) => {
                    tracing::error!(event = "revocation_list.not-fetched", %error);
                    TRY_AGAIN
                }
            };
            tokio::time::sleep(pause).await;
        }
    }

    /// Fetches the list where the copy is old, or none is there; how long it is good for.
    async fn round(&self) -> Result<Duration, Failure> {
        if let Some(left) = self.left() {
            return Ok(left);
        }
        let request = Request::get(&self.url, MAX_REVOCATION_LIST).accept("application/json");
        let fetched = self.client.fetch(&request).await.doing(&self.url)?;
        let Fetched::Body(response) = fetched else {
            return Err(Failure::new(format!("{}: nothing was served", self.url)));
        };
        // What is no list takes the place of none.
        RevocationList::from_json(&response.bytes, self.clock.now()).doing(&self.url)?;
        files::write(&self.path, &response.bytes).doing(self.path.display())?;
        tracing::info!(event = "revocation_list.fetched");
        Ok(FETCH_AFTER)
    }

    /// How long the copy that is there is good for; a time to come is none.
    fn left(&self) -> Option<Duration> {
        let changed = std::fs::metadata(&self.path).ok()?.modified().ok()?;
        FETCH_AFTER.checked_sub(changed.elapsed().ok()?)
    }
}

/// Gives the provider the list, when the file changed since the last call.
#[derive(Debug)]
pub(super) struct RevocationFile {
    path: PathBuf,
    fetched: Option<Timestamp>,
}

impl RevocationFile {
    pub(super) fn new(path: PathBuf) -> Self {
        let fetched = None;
        Self { path, fetched }
    }

    /// A file that cannot be read leaves the provider the list it has, which grows
    /// old, and then the policy decides.
    pub(super) async fn refresh(&mut self, provider: &WalletProvider) {
        let (path, before) = (self.path.clone(), self.fetched);
        let read = tokio::task::spawn_blocking(move || read(&path, before)).await;
        match read {
            Ok(Ok(Some(list))) => {
                tracing::info!(event = "revocation_list.read", entries = list.len());
                let fetched = list.fetched();
                match provider.take_revocation_list(list).await {
                    Ok(_) => self.fetched = Some(fetched),
                    // It is read again, and what was not revoked yet is then.
                    Err(error) => tracing::error!(event = "revocation_list.failed", %error),
                }
            }
            Ok(Ok(None)) => {}
            Ok(Err(error)) => tracing::error!(event = "revocation_list.failed", %error),
            Err(error) => tracing::error!(event = "revocation_list.failed", %error),
        }
    }
}

fn read(path: &Path, before: Option<Timestamp>) -> Result<Option<RevocationList>, Failure> {
    let changed = std::fs::metadata(path)
        .and_then(|metadata| metadata.modified())
        .doing(path.display())?;
    let fetched = Timestamp::try_from(changed).doing(path.display())?;
    if before == Some(fetched) {
        return Ok(None);
    }
    let max = u64::try_from(MAX_REVOCATION_LIST).unwrap_or(u64::MAX);
    let bytes = input::read(path, max)?;
    let list = RevocationList::from_json(&bytes, fetched).doing(path.display())?;
    Ok(Some(list))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// Serves one answer after the other, of status and body, at this address.
    fn serving(answers: Vec<(u16, &'static str)>) -> String {
        use std::io::{Read, Write};
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}/status", listener.local_addr().unwrap());
        std::thread::spawn(move || {
            for (status, body) in answers {
                let (mut stream, _) = listener.accept().unwrap();
                let _ = stream.read(&mut [0; 4096]).unwrap();
                write!(
                    stream,
                    "HTTP/1.1 {status} X\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                    body.len()
                )
                .unwrap();
            }
        });
        address
    }

    #[tokio::test]
    async fn a_list_is_fetched_when_the_copy_is_old_and_kept_when_that_fails() {
        let listed = r#"{"entries":{"ab":{"status":"REVOKED"}}}"#;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("status.json");
        let url = serving(vec![
            (200, listed),
            (200, "no list"),
            (500, ""),
            (200, listed),
        ]);
        let clock = Arc::new(clock::SystemClock);
        let parts = EvidenceParts {
            revocation_list: Some(path.clone()),
            revocation_list_url: Some(url.parse().unwrap()),
            ..EvidenceParts::default()
        };
        let fetch = RevocationFetch::of(&parts, true, clock.clone())
            .unwrap()
            .unwrap();
        assert_eq!(fetch.round().await.unwrap(), FETCH_AFTER);
        assert_eq!(read(&path, None).unwrap().unwrap().len(), 1);
        // A fresh copy asks nobody.
        assert!(fetch.round().await.unwrap() <= FETCH_AFTER);
        let old = || {
            let file = std::fs::File::options().write(true).open(&path).unwrap();
            let before = std::time::SystemTime::now() - 2 * FETCH_AFTER;
            file.set_modified(before).unwrap();
        };
        // What is no list, or did not come, leaves the copy and its time.
        for _ in 0..2 {
            old();
            fetch.round().await.unwrap_err();
            assert_eq!(std::fs::read_to_string(&path).unwrap(), listed);
            assert_eq!(fetch.left(), None);
        }
        fetch.round().await.unwrap();
        assert!(fetch.left().is_some());
        // Outside development nothing is fetched from this machine, nor without TLS.
        let strict = RevocationFetch::of(&parts, false, clock).unwrap().unwrap();
        old();
        strict.round().await.unwrap_err();
    }

    #[test]
    fn the_file_is_read_when_it_changed_and_only_then() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("status.json");
        assert!(read(&path, None).is_err(), "there is none yet");
        std::fs::write(&path, r#"{"entries":{"ab":{"status":"REVOKED"}}}"#).unwrap();
        let list = read(&path, None).unwrap().unwrap();
        assert_eq!(list.len(), 1);
        assert!(read(&path, Some(list.fetched())).unwrap().is_none());
        std::fs::write(&path, "no list").unwrap();
        let later = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(9);
        let file = std::fs::File::options().write(true).open(&path).unwrap();
        file.set_modified(later).unwrap();
        assert!(
            read(&path, Some(list.fetched())).is_err(),
            "it says nothing"
        );
    }
}
