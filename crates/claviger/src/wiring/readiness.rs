//! What `/ready` asks.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use clock::Clock;
use server::Readiness;
use wallet_provider::{Keyring, WalletProvider};
use wsca::Wsca;
use wsca_link::RemoteWsca;
use wscd::Wscd;

use super::keys::{Listing, warnings};
use crate::exit::Failure;

#[derive(Debug)]
pub(super) struct DatabaseReady(pub(super) store::Database);

#[async_trait]
impl Readiness for DatabaseReady {
    fn name(&self) -> &'static str {
        "database"
    }

    async fn check(&self) -> Result<(), String> {
        self.0.health().await.map_err(|error| error.to_string())
    }
}

#[derive(Debug)]
pub(super) struct DeviceReady(pub(super) Arc<dyn Wscd>);

#[async_trait]
impl Readiness for DeviceReady {
    fn name(&self) -> &'static str {
        "device"
    }

    async fn check(&self) -> Result<(), String> {
        match self.0.health().await {
            Ok(_) => Ok(()),
            Err(error) => Err(error.to_string()),
        }
    }
}

/// A WSCA whose database is older than its device remembers has to be looked at.
#[derive(Debug)]
pub(super) struct WscaReady(pub(super) Arc<Wsca>);

#[async_trait]
impl Readiness for WscaReady {
    fn name(&self) -> &'static str {
        "wsca"
    }

    async fn check(&self) -> Result<(), String> {
        match self.0.alarms().as_slice() {
            [] => Ok(()),
            alarms => Err(format!("{alarms:?}")),
        }
    }
}

/// A wallet provider without its WSCA activates and attests nothing.
#[derive(Debug)]
pub(super) struct LinkReady(pub(super) Arc<RemoteWsca>);

#[async_trait]
impl Readiness for LinkReady {
    fn name(&self) -> &'static str {
        "wsca link"
    }

    async fn check(&self) -> Result<(), String> {
        self.0.check().await.map_err(|error| error.to_string())
    }
}

/// What the provider's upkeep could not finish, until it could.
#[derive(Debug, Clone, Default)]
pub(super) struct Trouble(Arc<Mutex<Option<String>>>);

impl Trouble {
    /// Takes down how a round of upkeep went.
    pub(super) fn note(
        &self,
        round: Result<(), wallet_provider::Error>,
        keys: Result<(), Failure>,
    ) {
        let mut trouble = None;
        if let Err(error) = keys {
            let error = error.to_string();
            tracing::error!(
                error,
                "the keys that were installed cannot be taken up; trying again"
            );
            trouble = Some(error);
        }
        if let Err(error) = round {
            let error = error.to_string();
            tracing::error!(
                error,
                "revocations or status lists are not finished; trying again"
            );
            trouble = Some(error);
        }
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
    }

    fn check(&self) -> Result<(), String> {
        match &*self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            None => Ok(()),
            Some(trouble) => Err(trouble.clone()),
        }
    }
}

#[derive(Debug)]
pub(super) struct ProviderReady {
    pub(super) provider: Arc<WalletProvider>,
    pub(super) trouble: Trouble,
    pub(super) keyring: Arc<Keyring>,
    pub(super) listing: Listing,
    pub(super) clock: Arc<dyn Clock>,
}

#[async_trait]
impl Readiness for ProviderReady {
    fn name(&self) -> &'static str {
        "wallet provider"
    }

    async fn check(&self) -> Result<(), String> {
        self.provider
            .health()
            .await
            .map_err(|error| error.to_string())?;
        if let Some(trouble) = self.provider.publication_trouble() {
            return Err(trouble);
        }
        // Asked of the store: whoever renews the lists may be the one that hangs.
        match self.provider.overdue_list().await {
            Ok(None) => {}
            Ok(Some(ends)) => {
                return Err(format!(
                    "a status list ends at {ends} and was not signed anew in time"
                ));
            }
            Err(error) => return Err(error.to_string()),
        }
        self.trouble.check()
    }

    fn warnings(&self) -> Vec<String> {
        let keys = self.keyring.generations();
        let keys = warnings(&keys, self.clock.now());
        let mut texts: Vec<String> = keys.into_iter().map(|(_, _, text)| text).collect();
        texts.extend(self.listing.warnings());
        texts.extend(self.provider.revocation_list_trouble());
        texts
    }
}
