//! Users' accounts put together with the wallet provider whose units are theirs.

use std::sync::Arc;
use std::time::Duration;

use accounts::{AccountId, Accounts, Belongings, BoxError, Config, ConsentText, Parts};
use async_trait::async_trait;
use clock::Clock;
use provider_api::ConsentView;
use store::Database;
use store::accounts::SqlAccountStore;
use url::Url;
use wallet_provider::WalletProvider;
use wscd::{MacPurpose, Wscd};

use crate::exit::{Doing, Failure};

/// The text that development asks its users to agree to.
const SAMPLE_CONSENT: &str = include_str!("consent.en.txt");

/// The units of an account, which end before it does.
#[derive(Debug)]
struct Units(Arc<WalletProvider>);

#[async_trait]
impl Belongings for Units {
    async fn end(&self, account: AccountId) -> Result<(), BoxError> {
        self.0.revoke_account(account).await?;
        Ok(())
    }
}

/// Opens the accounts on the database that the provider has.
pub(super) async fn open(
    config: Config,
    database: &Database,
    device: &Arc<dyn Wscd>,
    provider: &Arc<WalletProvider>,
    clock: &Arc<dyn Clock>,
) -> Result<Accounts, Failure> {
    let secret = device
        .mac(
            MacPurpose::AccountAlias,
            b"passkeys of aliases that nobody has",
        )
        .await
        .doing("the device")?;
    Accounts::new(Parts {
        config,
        store: Arc::new(SqlAccountStore::new(database.clone())),
        belongings: Arc::new(Units(Arc::clone(provider))),
        letters: None,
        clock: Arc::clone(clock),
        secret,
    })
    .doing("accounts")
}

/// What a wallet instance asks its user to agree to: the text of the pages.
pub(super) fn consent_view(config: &Config) -> ConsentView {
    let origin = config.origin.origin().ascii_serialization();
    ConsentView {
        version: config.consent.version().to_owned(),
        sha256: jose::b64::encode(config.consent.sha256()),
        url: format!("{origin}/account/consent"),
    }
}

/// How often what has ended is forgotten.
const PURGE: Duration = Duration::from_secs(300);

/// Forgets what has ended, for good.
pub(super) async fn keep_up(accounts: Arc<Accounts>) {
    let mut pause = tokio::time::interval(PURGE);
    pause.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        pause.tick().await;
        if let Err(error) = accounts.purge().await {
            tracing::error!(%error, "what has ended was not forgotten; trying again");
        }
    }
}

/// The accounts of a development node: at its address if that has a name, and
/// otherwise at `localhost`, since no browser has passkeys for an address of numbers.
pub(crate) fn sample(url: &str) -> Result<Config, Failure> {
    let mut origin: Url = url.parse().doing("the address")?;
    if origin.domain().is_none() {
        origin.set_host(Some("localhost")).doing("the address")?;
    }
    let consent = ConsentText::new("sample 1", SAMPLE_CONSENT);
    Config::new(origin, "Claviger, in development", consent).doing("accounts")
}
