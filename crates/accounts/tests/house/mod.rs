//! Accounts on a real database, a browser with a passkey, and letters that lie in a
//! drawer.
#![allow(
    dead_code,
    unreachable_pub,
    missing_debug_implementations,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

use std::sync::{Arc, Mutex};

use accounts::*;
use async_trait::async_trait;
use claviger_fixtures::SoftAuthenticator;
use clock::{Clock, ManualClock};
use jiff::SignedDuration;
use serde_json::Value;
use store::accounts::SqlAccountStore;
use store::{Database, Kind};

pub const ORIGIN: &str = "https://wallet.example";

pub struct House {
    _kept: Kept,
    pub accounts: Accounts,
    pub database: Database,
    pub clock: Arc<ManualClock>,
    pub belongings: Arc<Drawer>,
}

/// What the database lies in, until the test ends.
enum Kept {
    Folder(tempfile::TempDir),
    Server(claviger_fixtures::postgres::Database),
}

/// What belongs to accounts, and the letters that were sent.
#[derive(Debug, Default)]
pub struct Drawer {
    pub ended: Mutex<Vec<AccountId>>,
    pub letters: Mutex<Vec<(String, String)>>,
    pub stuck: Mutex<bool>,
}

#[async_trait]
impl Belongings for Drawer {
    async fn end(&self, account: AccountId) -> Result<(), BoxError> {
        if *self.stuck.lock().unwrap() {
            return Err("on purpose".into());
        }
        self.ended.lock().unwrap().push(account);
        Ok(())
    }
}

#[async_trait]
impl Letters for Drawer {
    fn read(&self, address: &str) -> Result<String, BoxError> {
        Ok(address.parse::<notices::MailAddress>()?.as_str().to_owned())
    }

    async fn confirm_address(
        &self,
        _: AccountId,
        address: &str,
        _: &str,
        code: &str,
    ) -> Result<(), BoxError> {
        let letter = (address.to_owned(), code.to_owned());
        self.letters.lock().unwrap().push(letter);
        Ok(())
    }
}

pub fn consent() -> ConsentText {
    ConsentText::new("1", "What we keep\n\nLittle.")
}

impl House {
    /// None where this machine has no such database; the log says so.
    pub async fn new(kind: Kind) -> Option<Self> {
        let (kept, database) = match kind {
            Kind::Sqlite => {
                let folder = tempfile::tempdir().unwrap();
                let file = folder.path().join("claviger.db");
                (Kept::Folder(folder), Database::open(file).await.unwrap())
            }
            Kind::Postgres => {
                let server = claviger_fixtures::postgres::database()?;
                let database = Database::open(server.url()).await.unwrap();
                (Kept::Server(server), database)
            }
        };
        let clock = Arc::new(ManualClock::at("2026-11-22T12:00:00Z".parse().unwrap()));
        let belongings = Arc::<Drawer>::default();
        Some(Self {
            accounts: open(&database, &clock, &belongings, consent()),
            _kept: kept,
            database,
            clock,
            belongings,
        })
    }

    /// Another node on the same database.
    pub fn node(&self, consent: ConsentText) -> Accounts {
        open(&self.database, &self.clock, &self.belongings, consent)
    }

    pub fn pass(&self, seconds: i64) {
        self.clock.advance(SignedDuration::from_secs(seconds));
    }

    /// An account with one passkey, whose user is signed in.
    pub async fn user(&self, alias: &str) -> (SoftAuthenticator, SignedIn) {
        let mut passkey = SoftAuthenticator::at(ORIGIN);
        let token = self.sign_up(alias, &mut passkey).await.unwrap();
        let who = self.accounts.signed_in(&token).await.unwrap();
        (passkey, who)
    }

    pub async fn sign_up(
        &self,
        alias: &str,
        passkey: &mut SoftAuthenticator,
    ) -> Result<Token, Error> {
        let begun = self.accounts.begin_sign_up(wish(alias)).await?;
        let credential = passkey.create(&begun.options);
        self.accounts
            .finish_sign_up(finished(&begun, credential), None)
            .await
    }

    pub async fn sign_in(
        &self,
        alias: &str,
        passkey: &mut SoftAuthenticator,
    ) -> Result<Token, Error> {
        let begun = self.accounts.begin_sign_in(alias).await?;
        let credential = passkey.get(&begun.options);
        self.accounts
            .finish_sign_in(finished(&begun, credential), None)
            .await
    }

    /// The code of the last letter.
    pub fn letter(&self) -> (String, String) {
        self.belongings
            .letters
            .lock()
            .unwrap()
            .last()
            .unwrap()
            .clone()
    }

    pub fn letters(&self) -> usize {
        self.belongings.letters.lock().unwrap().len()
    }
}

fn open(
    database: &Database,
    clock: &Arc<ManualClock>,
    belongings: &Arc<Drawer>,
    consent: ConsentText,
) -> Accounts {
    Accounts::new(Parts {
        config: Config::new(ORIGIN.parse().unwrap(), "Example Wallet", consent).unwrap(),
        store: Arc::new(SqlAccountStore::new(database.clone())),
        belongings: belongings.clone(),
        letters: Some(belongings.clone()),
        clock: clock.clone() as Arc<dyn Clock>,
        secret: [7; 32],
    })
    .unwrap()
}

pub fn wish(alias: &str) -> SignUp {
    SignUp {
        alias: alias.into(),
        language: "en".into(),
        consent: Some(consent().digest()),
    }
}

pub fn finished(begun: &Begun, credential: Value) -> Finished {
    Finished {
        ceremony: begun.ceremony.clone(),
        credential,
    }
}

/// Why it was refused.
pub fn problem<T: std::fmt::Debug>(result: Result<T, Error>) -> Option<Problem> {
    result.unwrap_err().problem()
}
