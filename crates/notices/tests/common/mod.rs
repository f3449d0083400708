#![allow(
    unreachable_pub,
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]
//! A database with a user in it, a clock that is set by hand, and a web server that
//! behaves as it is told.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use claviger_fixtures::TestKey;
use claviger_fixtures::mail::MailServer;
use clock::{Clock, ManualClock};
use jiff::{SignedDuration, Timestamp};
use jose::{Curve, Signer};
use notices::{
    Courier, CourierParts, Fact, Keys, Mailer, MailerConfig, NewNotice, Outbox, Round, Security,
    Sender, Trouble, Webhook, WebhookConfig,
};
use provider_api::{RevocationReason, Revoker};
use sci::UnitId;
use store::notices::SqlOutbox;
use store::sql::query;
use store::{Database, Error};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

pub const ADDRESS: &str = "maria@example.org";
pub const ALIAS: &str = "maria\r\nBcc: everybody@example.org";

/// A database with an account, its unit, and a key to sign with.
pub struct Scene {
    pub database: Database,
    pub outbox: Arc<SqlOutbox>,
    pub clock: Arc<ManualClock>,
    pub key: Arc<TestKey>,
    pub unit: UnitId,
    _folder: tempfile::TempDir,
    _postgres: Option<claviger_fixtures::postgres::Database>,
}

/// On SQLite, and on PostgreSQL where there is one.
pub async fn scenes() -> Vec<Scene> {
    let mut scenes = vec![scene().await];
    if let Some(postgres) = claviger_fixtures::postgres::database() {
        let database = Database::open(postgres.url()).await.unwrap();
        scenes.push(Scene::on(database, Some(postgres)).await);
    }
    scenes
}

/// On SQLite.
pub async fn scene() -> Scene {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::open(folder.path().join("claviger.db")).await;
    let mut scene = Scene::on(database.unwrap(), None).await;
    scene._folder = folder;
    scene
}

impl Scene {
    async fn on(
        database: Database,
        postgres: Option<claviger_fixtures::postgres::Database>,
    ) -> Self {
        let unit = UnitId::random();
        let scene = Self {
            outbox: Arc::new(SqlOutbox::new(database.clone())),
            database,
            clock: Arc::new(ManualClock::at("2026-11-22T12:00:00Z".parse().unwrap())),
            key: Arc::new(TestKey::generate(Curve::P256)),
            unit,
            _folder: tempfile::tempdir().unwrap(),
            _postgres: postgres,
        };
        scene.insert_user().await;
        scene.address(Some(ADDRESS)).await;
        scene
    }

    async fn insert_user(&self) {
        let unit = *self.unit.as_bytes();
        self.database
            .write::<_, Error, _>(move |tx| {
                Box::pin(async move {
                    query("INSERT INTO account (id, alias, created_at) VALUES (1, ?, 0)")
                        .bind(ALIAS)
                        .execute(tx)
                        .await?;
                    query(
                        "INSERT INTO unit (id, account, state, signing_key, signing_thumbprint,
                             agreement_key, agreement_thumbprint, evidence, wallet_version,
                             created_at)
                         VALUES (?1, 1, 'operational', ?1, ?1, ?1, ?1, '', '1', 0)",
                    )
                    .bind(unit)
                    .execute(tx)
                    .await?;
                    Ok(())
                })
            })
            .await
            .unwrap();
    }

    /// Gives the account a confirmed address, whatever it is, or takes it away.
    pub async fn address(&self, address: Option<&str>) {
        self.raw(
            "UPDATE account SET email = ?, email_confirmed_at = 0, language = 'de' WHERE id = 1",
            address,
        )
        .await;
    }

    pub async fn raw(&self, sql: &'static str, value: Option<&str>) {
        let value = value.map(str::to_owned);
        self.database
            .write::<_, Error, _>(move |tx| {
                Box::pin(async move {
                    let statement = query(sql);
                    match sql.contains('?') {
                        true => statement.bind(value).execute(tx).await?,
                        false => statement.execute(tx).await?,
                    };
                    Ok(())
                })
            })
            .await
            .unwrap();
    }

    /// What a statement finds.
    pub async fn texts(&self, sql: &'static str) -> Vec<Option<String>> {
        let mut reader = self.database.reader().await.unwrap();
        query(sql).all(&mut reader).await.unwrap()
    }

    /// A revocation's notice in the outbox.
    pub async fn revoked(&self) -> notices::NoticeId {
        let fact = Fact::UnitRevoked {
            by: Revoker::User,
            reason: RevocationReason::LostOrStolen,
            keys: Keys::Frozen,
            advisory: None,
        };
        let notice = NewNotice::of_unit(self.unit, fact, self.clock.now());
        let id = notice.id;
        self.outbox.add(notice).await.unwrap();
        id
    }

    pub fn courier(&self, mailer: Option<Mailer>, webhooks: Vec<Webhook>) -> Arc<Courier> {
        Arc::new(
            Courier::new(CourierParts {
                outbox: self.outbox.clone(),
                sender: sender(),
                mailer,
                webhooks,
                clock: self.clock.clone(),
                bell: self.database.bell(),
                keep: SignedDuration::from_hours(30 * 24),
            })
            .unwrap(),
        )
    }

    pub fn webhook(&self, name: &str, url: &str) -> Webhook {
        self.try_webhook(name, url).unwrap()
    }

    pub fn try_webhook(&self, name: &str, url: &str) -> Result<Webhook, notices::ConfigError> {
        let config = WebhookConfig {
            name: name.into(),
            url: url.parse().unwrap(),
            timeout: Duration::from_millis(700),
            allow_private_addresses: true,
            allow_insecure_loopback: true,
        };
        let signer: Arc<dyn Signer> = self.key.clone();
        Webhook::new(
            config,
            "https://wallet.example/wallet-provider".into(),
            signer,
        )
    }

    pub async fn round(&self, courier: &Courier) -> Round {
        courier.round(self.clock.now()).await.unwrap()
    }

    pub async fn troubles(&self) -> Vec<Trouble> {
        self.outbox.troubles(100).await.unwrap()
    }

    pub fn minutes(&self, minutes: i64) {
        self.clock.advance(SignedDuration::from_mins(minutes));
    }

    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }
}

pub fn sender() -> Sender {
    let page = "https://wallet.example/account".parse().unwrap();
    Sender::new("Example Wallet", page, Some("+49 30 123456")).unwrap()
}

pub fn mail_config(port: u16) -> MailerConfig {
    MailerConfig {
        host: "localhost".into(),
        port,
        security: Security::Plain,
        ca: None,
        credentials: None,
        from: "wallet@wallet.example".into(),
        timeout: Duration::from_secs(5),
    }
}

pub fn mailer(port: u16) -> Mailer {
    Mailer::new(mail_config(port), &sender()).unwrap()
}

pub fn mailer_to(server: &MailServer) -> Mailer {
    mailer(server.port())
}

pub const DELIVERED: Round = Round {
    delivered: 1,
    put_off: 0,
    ended: 0,
    lost: 0,
};
pub const PUT_OFF: Round = Round {
    delivered: 0,
    put_off: 1,
    ended: 0,
    lost: 0,
};
pub const ENDED: Round = Round {
    delivered: 0,
    put_off: 0,
    ended: 1,
    lost: 0,
};
pub const NOTHING: Round = Round {
    delivered: 0,
    put_off: 0,
    ended: 0,
    lost: 0,
};

/// A web server over loopback. What it says is set by hand, bytes and all.
pub struct WebServer {
    pub port: u16,
    said: Arc<Mutex<Says>>,
    posts: Arc<Mutex<Vec<Post>>>,
}

#[derive(Clone)]
pub enum Says {
    /// These bytes, and the connection ends.
    Bytes(Vec<u8>),
    /// Nothing, for a long time.
    Nothing,
}

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Post {
    pub head: String,
    pub body: String,
}

impl WebServer {
    pub async fn start(status: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = Self {
            port: listener.local_addr().unwrap().port(),
            said: Arc::new(Mutex::new(Says::Nothing)),
            posts: Arc::default(),
        };
        server.says(status);
        let (said, posts) = (server.said.clone(), server.posts.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(answer(stream, said.clone(), posts.clone()));
            }
        });
        server
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/notices", self.port)
    }

    pub fn says(&self, status: u16) {
        let bytes =
            format!("HTTP/1.1 {status} x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        self.set(Says::Bytes(bytes.into()));
    }

    pub fn set(&self, says: Says) {
        *self.said.lock().unwrap() = says;
    }

    pub fn posts(&self) -> Vec<Post> {
        self.posts.lock().unwrap().clone()
    }
}

async fn answer(mut stream: TcpStream, said: Arc<Mutex<Says>>, posts: Arc<Mutex<Vec<Post>>>) {
    let mut read = Vec::new();
    let mut buffer = [0; 4096];
    let post = loop {
        let count = stream.read(&mut buffer).await.unwrap_or(0);
        if count == 0 {
            return;
        }
        read.extend_from_slice(&buffer[..count]);
        let text = String::from_utf8_lossy(&read).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let head = head.to_ascii_lowercase();
        let length: usize = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "))
            .map_or(0, |length| length.trim().parse().unwrap());
        if body.len() >= length {
            break Post {
                head,
                body: body.to_owned(),
            };
        }
    };
    posts.lock().unwrap().push(post);
    let said = said.lock().unwrap().clone();
    match said {
        Says::Bytes(bytes) => {
            let _ = stream.write_all(&bytes).await;
        }
        Says::Nothing => tokio::time::sleep(Duration::from_secs(60)).await,
    }
}

/// A server of TCP that says this to whoever connects, and then nothing, or hangs up.
pub async fn talker(says: &'static [u8], hangs_up: bool) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let _ = stream.write_all(says).await;
                if !hangs_up {
                    tokio::time::sleep(Duration::from_secs(60)).await;
                }
            });
        }
    });
    port
}
