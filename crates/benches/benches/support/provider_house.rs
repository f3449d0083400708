//! Wallet providers on one database, with lists that are seeded and not issued.

use std::path::Path;
use std::sync::Arc;

use claviger_fixtures::TestKey;
use clock::SystemClock;
use jose::{Curve, Signer};
use sci::UnitId;
use serde_json::json;
use store::Database;
use store::provider::SqlProviderStore;
use store::sql::query;
use wallet_provider::{
    AnswerKeys, Config, FolderPublisher, Generation, IndexSecret, KeyPurpose, KeySet, Keyring,
    Parts, Seal, WalletProvider, WalletSolution,
};
use wscd::{MacPurpose, Wscd};
use zeroize::Zeroizing;

const STATUS: &str = "https://provider.example/status";

/// How many entries a list has.
pub(crate) const SIZE: u64 = 1_000_000;
/// How many of them are revoked at the beginning: 1 %.
pub(crate) const SET: u64 = SIZE / 100;

/// What all nodes share.
pub(crate) struct House {
    device: Arc<dyn Wscd>,
    wsca: Arc<wsca::Wsca>,
    seal: Arc<TestKey>,
    lists: std::path::PathBuf,
    address: std::path::PathBuf,
    pub(crate) database: Database,
    _wsca_database: Database,
}

impl House {
    /// On the database at `address`, with everything else in `folder`.
    pub(crate) async fn open(folder: &Path, address: &Path) -> Self {
        let device = wscd::open("software:").await.unwrap();
        let wsca_database = Database::open(folder.join("wsca.db")).await.unwrap();
        let store = Arc::new(store::wsca::SqlWscaStore::new(wsca_database.clone()));
        let clock = Arc::new(SystemClock);
        let wsca = wsca::Wsca::open(device.clone(), store, clock, wsca::Config::default());
        Self {
            wsca: Arc::new(wsca.await.unwrap()),
            device,
            seal: Arc::new(TestKey::generate(Curve::P256)),
            lists: folder.join("lists"),
            address: address.to_owned(),
            database: Database::open(address).await.unwrap(),
            _wsca_database: wsca_database,
        }
    }

    /// A node: connections, a publisher and a memory of its own.
    pub(crate) async fn node(&self) -> WalletProvider {
        let solution = WalletSolution {
            client_id: "https://wallet.example".into(),
            name: "Example Wallet".into(),
            link: None,
            certification: json!({ "certified": false }),
        };
        let mut config = Config::new("https://provider.example/wallet-provider", solution);
        config.status_url = STATUS.into();
        config.accept_uncertified_wsca = true;
        config.list_size = SIZE;
        let keys = self.keys().await;
        let secret = self.device.mac(MacPurpose::StatusIndex, b"bench").await;
        let database = Database::open(&self.address).await.unwrap();
        WalletProvider::new(Parts {
            config,
            store: Arc::new(SqlProviderStore::new(database.clone())),
            revocations: Arc::new(SqlProviderStore::new(database)),
            pid_providers: None,
            wsca: self.wsca.clone(),
            publisher: Arc::new(FolderPublisher::new(&self.lists).unwrap()),
            clock: Arc::new(SystemClock),
            keys: Arc::new(keys),
            agreement_key: Arc::new(TestKey::generate(Curve::P256)),
            index_secret: IndexSecret::new(Zeroizing::new(secret.unwrap())),
        })
        .unwrap()
    }

    /// One key for attestations and status lists, with a certificate of its own making.
    async fn keys(&self) -> Keyring {
        let subject = pki::Subject::legal("BE", "Example", "NTRBE-0123456789", "Example Wallet");
        let public = Signer::public_key(self.seal.as_ref()).clone();
        let [from, to] = ["2020-01-01T00:00:00Z", "2049-01-01T00:00:00Z"];
        let (from, to) = (from.parse().unwrap(), to.parse().unwrap());
        let request = pki::Request::new(pki::Profile::Wallet, subject, public, from, to);
        let issued = pki::issue(&request, pki::Issuer::Itself(self.seal.as_ref()));
        let chain = vec![issued.await.unwrap().der().to_vec()];
        let of = |purpose| {
            let seal = Seal {
                signer: self.seal.clone(),
                chain: chain.clone(),
            };
            Generation::new(purpose, 0, seal).unwrap()
        };
        let answers = AnswerKeys::first(Arc::new(TestKey::generate(Curve::P256)));
        Keyring::new(KeySet {
            generations: [of(KeyPurpose::Attestations), of(KeyPurpose::Status)]
                .into_iter()
                .collect(),
            answers,
        })
        .unwrap()
    }

    /// Closed lists of [`SIZE`] entries, [`SET`] of them revoked, and `units` units
    /// with an entry in each of `lists_a_unit` lists.
    pub(crate) async fn seed(&self, lists: u64, units: usize, lists_a_unit: u64) -> Vec<UnitId> {
        let ids: Vec<UnitId> = (0..units).map(|_| UnitId::random()).collect();
        let keys: Vec<[TestKey; 2]> = ids
            .iter()
            .map(|_| [(); 2].map(|()| TestKey::generate(Curve::P256)))
            .collect();
        let seeded = ids.clone();
        let done = self.database.write::<_, store::Error, _>(move |tx| {
            Box::pin(async move {
                let mut random = 1u64;
                for list in 1..=lists {
                    let name = format!("list{list}");
                    query(
                        "INSERT INTO status_list (id, kind, name, uri, size, key_check,
                                                  next_counter, closed_at)
                         VALUES (?1, 'wia', ?2, ?3, ?4, ?5, ?4, 1)",
                    )
                    .bind(list as i64)
                    .bind(&name)
                    .bind(format!("{STATUS}/{name}"))
                    .bind(SIZE as i64)
                    .bind([0u8; 8])
                    .execute(tx)
                    .await?;
                    let mut set = 0;
                    while set < SET {
                        set += query(
                            "INSERT INTO status_set (list, idx) VALUES (?, ?)
                             ON CONFLICT DO NOTHING",
                        )
                        .bind(list as i64)
                        .bind(draw(&mut random) as i64)
                        .execute(tx)
                        .await?;
                    }
                }
                query("INSERT INTO account (id, alias, created_at) VALUES (1, 'a', 1)")
                    .execute(tx)
                    .await?;
                for (place, (unit, [sign, agree])) in seeded.iter().zip(&keys).enumerate() {
                    query(
                        "INSERT INTO unit (id, account, state, signing_key, signing_thumbprint,
                                           agreement_key, agreement_thumbprint, evidence,
                                           wallet_version, created_at)
                         VALUES (?, 1, 'operational', ?, ?, ?, ?, 'none', '1', 1)",
                    )
                    .bind(unit.as_bytes().as_slice())
                    .bind(Signer::public_key(sign).to_spki_der())
                    .bind(Signer::public_key(sign).thumbprint())
                    .bind(Signer::public_key(agree).to_spki_der())
                    .bind(Signer::public_key(agree).thumbprint())
                    .execute(tx)
                    .await?;
                    for nth in 0..lists_a_unit {
                        let list = (place as u64 + nth) % lists + 1;
                        let mut free = 0;
                        while free == 0 {
                            free = query(
                                "INSERT INTO status_entry (list, idx, unit, maintained_until)
                                 VALUES (?, ?, ?, 4000000000) ON CONFLICT DO NOTHING",
                            )
                            .bind(list as i64)
                            .bind(draw(&mut random) as i64)
                            .bind(unit.as_bytes().as_slice())
                            .execute(tx)
                            .await?;
                        }
                    }
                }
                Ok(())
            })
        });
        done.await.unwrap();
        ids
    }
}

/// An index at random (xorshift).
fn draw(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    (*state >> 16) % SIZE
}
