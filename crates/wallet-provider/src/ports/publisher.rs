use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use status_list::TokenFormat;

use crate::Turn;

/// Where status list tokens are put for the world to fetch.
#[async_trait]
pub trait Publisher: Send + Sync + std::fmt::Debug {
    /// Puts a list's tokens in place of those before them. When this returns, the
    /// new ones survive a crash, and at no moment was there none or half of one.
    ///
    /// `turn` is held until the last step is done, also where the caller does not
    /// wait for it: nothing older is put over what another one publishes next.
    async fn put(
        &self,
        name: &str,
        tokens: Tokens,
        turn: Arc<dyn Turn>,
    ) -> Result<(), PublishError>;

    /// The list's token of this form as it is published now; `None` where there is
    /// none.
    async fn get(&self, name: &str, format: TokenFormat) -> Result<Option<Vec<u8>>, PublishError>;

    /// Takes a list away for good, in both forms.
    async fn remove(&self, name: &str, turn: Arc<dyn Turn>) -> Result<(), PublishError>;
}

/// One list's token in both forms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tokens {
    /// As JWT.
    pub jwt: Vec<u8>,
    /// As CWT.
    pub cwt: Vec<u8>,
}

/// A list could not be published.
#[derive(Debug, thiserror::Error)]
#[error("{}: {what}: {source}", path.display())]
pub struct PublishError {
    /// The file or folder.
    pub path: PathBuf,
    /// What was tried.
    pub what: &'static str,
    /// Why it failed.
    pub source: std::io::Error,
}
