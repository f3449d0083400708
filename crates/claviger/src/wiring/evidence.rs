//! What the wallet provider holds device evidence against: the operator's policy,
//! and the copy of Google's revocation list that somebody else fetches into a file.

use std::path::{Path, PathBuf};

use device_evidence::Policy;
use device_evidence::android::{MAX_REVOCATION_LIST, RevocationList};
use jiff::Timestamp;
use wallet_provider::WalletProvider;

use crate::exit::{Doing, Failure};
use crate::input;

/// What the provider needs for it.
#[derive(Debug, Clone, Default)]
pub(crate) struct EvidenceParts {
    /// What is required.
    pub(crate) policy: Policy,
    /// The file with the copy. Its time of change is when it was fetched.
    pub(crate) revocation_list: Option<PathBuf>,
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
