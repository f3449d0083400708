//! Users' accounts put together with the wallet provider whose units are theirs.

use std::sync::Arc;
use std::time::Duration;

use ::accounts::{AccountId, Accounts, Belongings, BoxError, Config, ConsentText, Letters, Parts};
use ::notices::{Fact, Language, MailAddress, NewNotice, Outbox};
use async_trait::async_trait;
use clock::Clock;
use provider_api::ConsentView;
use store::Database;
use store::accounts::SqlAccountStore;
use store::notices::SqlOutbox;
use wallet_provider::WalletProvider;
use wscd::{MacPurpose, Wscd};

use crate::exit::{Doing, Failure};
use crate::settings::account_origin;

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

/// Letters by the outbox, from which the courier takes them.
#[derive(Debug)]
struct Letterbox {
    outbox: SqlOutbox,
    clock: Arc<dyn Clock>,
}

#[async_trait]
impl Letters for Letterbox {
    fn read(&self, address: &str) -> Result<String, BoxError> {
        Ok(address.parse::<MailAddress>()?.as_str().to_owned())
    }

    async fn confirm_address(
        &self,
        account: AccountId,
        address: &str,
        language: &str,
        code: &str,
    ) -> Result<(), BoxError> {
        let fact = Fact::AddressToConfirm {
            code: code.parse()?,
        };
        let (address, language) = (address.parse()?, Language::of_tag(language));
        let now = self.clock.now();
        let notice = NewNotice::to_address(Some(account.0), address, language, fact, now);
        Ok(self.outbox.add(notice).await?)
    }
}

/// What accounts stand on besides.
pub(super) struct Beside<'a> {
    pub(super) database: &'a Database,
    pub(super) device: &'a Arc<dyn Wscd>,
    pub(super) provider: &'a Arc<WalletProvider>,
    pub(super) clock: &'a Arc<dyn Clock>,
    /// Whether there is a mail server.
    pub(super) mail: bool,
}

/// Opens the accounts on the database that the provider has.
pub(super) async fn open(config: Config, beside: Beside<'_>) -> Result<Accounts, Failure> {
    let secret = beside
        .device
        .mac(
            MacPurpose::AccountAlias,
            b"passkeys of aliases that nobody has",
        )
        .await
        .doing("the device")?;
    Accounts::new(Parts {
        config,
        store: Arc::new(SqlAccountStore::new(beside.database.clone())),
        belongings: Arc::new(Units(Arc::clone(beside.provider))),
        letters: beside.mail.then(|| {
            let outbox = SqlOutbox::new(beside.database.clone());
            let clock = Arc::clone(beside.clock);
            Arc::new(Letterbox { outbox, clock }) as Arc<dyn Letters>
        }),
        clock: Arc::clone(beside.clock),
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

/// The accounts of a development node at `url`.
pub(crate) fn sample(url: &str) -> Result<Config, Failure> {
    let consent = ConsentText::new("sample 1", SAMPLE_CONSENT);
    Config::new(account_origin(url)?, "Claviger, in development", consent).doing("accounts")
}
