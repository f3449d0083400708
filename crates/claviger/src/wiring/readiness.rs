//! What `/ready` asks.

use std::sync::Arc;

use async_trait::async_trait;
use server::Readiness;
use wallet_provider::WalletProvider;
use wsca::Wsca;
use wscd::Wscd;

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

#[derive(Debug)]
pub(super) struct ProviderReady(pub(super) Arc<WalletProvider>);

#[async_trait]
impl Readiness for ProviderReady {
    fn name(&self) -> &'static str {
        "wallet provider"
    }

    async fn check(&self) -> Result<(), String> {
        self.0.health().await.map_err(|error| error.to_string())
    }
}
