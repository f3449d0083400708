use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clock::Clock;
use server::{
    App, InFlight, Limits, Metrics, OperatorToken, PublicFolder, Readiness, StatusLists, Trust,
};
use store::Database;
use store::provider::SqlProviderStore;
use store::wsca::SqlWscaStore;
use tokio::task::JoinHandle;
use trust::TrustService;
use wallet_provider::{
    Config, FolderPublisher, IndexSecret, Parts, Seal, WalletProvider, WalletSolution,
};
use wsca::{Wsca, WscaAdmin};
use wsca_link::RemoteWsca;
use wscd::{DeviceAgreement, DeviceSigner, KeyName, MacPurpose, Wscd};
use zeroize::Zeroizing;

use super::evidence::{EvidenceParts, RevocationFile};
use super::readiness::{DatabaseReady, DeviceReady, LinkReady, ProviderReady, Trouble, WscaReady};
use crate::exit::{Doing, Failure};
use crate::settings::Role;

/// What a node is made of.
#[derive(Debug)]
pub(crate) struct NodeParts {
    /// Where its data is.
    pub(crate) data: PathBuf,
    /// The database's address: a path, or `postgres://…`.
    pub(crate) database: PathBuf,
    /// Where clients find it, without a slash at its end.
    pub(crate) public_url: String,
    pub(crate) roles: Vec<Role>,
    pub(crate) device: Arc<dyn Wscd>,
    pub(crate) clock: Arc<dyn Clock>,
    /// The WSCA: here, or elsewhere.
    pub(crate) wsca: WscaParts,
    /// For the role `wallet-provider`.
    pub(crate) provider: Option<ProviderParts>,
    pub(crate) limits: Limits,
    /// Where the lists come from that questions of trust are answered by; none,
    /// and there are no such routes.
    pub(crate) trust: trust::Config,
    /// How questions of trust are answered unless they say otherwise.
    pub(crate) policy: trust::Policy,
    pub(crate) revocation: trust::Revocation,
    /// The operators' token; without one there are no operators' routes.
    pub(crate) operator_token: Option<String>,
    /// Whether operators have a listener of their own.
    pub(crate) admin_apart: bool,
}

/// What is known of the WSCA.
#[derive(Debug, Default)]
pub(crate) struct WscaParts {
    /// How the one in this process behaves.
    pub(crate) config: wsca::Config,
    /// How many of its requests are worked on at once.
    pub(crate) in_flight: InFlight,
    /// Whether a wallet provider in another process administers it.
    pub(crate) linked: bool,
    /// The one in another process, if it is there.
    pub(crate) remote: Option<Arc<RemoteWsca>>,
}

/// What the role `wallet-provider` needs besides.
#[derive(Debug)]
pub(crate) struct ProviderParts {
    pub(crate) solution: WalletSolution,
    /// Seals WIA and KA.
    pub(crate) attestation_seal: Seal,
    /// Seals status lists.
    pub(crate) status_seal: Seal,
    /// The folder that status lists are published into; one in the data, if absent.
    pub(crate) status_folder: Option<PathBuf>,
    /// Takes activations without evidence of the device, and a WSCA that nobody
    /// certified.
    pub(crate) development: bool,
    /// What device evidence is held against.
    pub(crate) evidence: EvidenceParts,
}

/// A process of the house: its roles, open and ready to be served.
#[derive(Debug)]
pub(crate) struct Node {
    parts: NodeParts,
    database: Database,
    wsca: Option<Arc<Wsca>>,
    provider: Option<Arc<WalletProvider>>,
    trust: Option<Arc<TrustService>>,
    upkeep: Vec<JoinHandle<()>>,
    trouble: Trouble,
}

/// How often lists that changed, or whose token ends soon, are published, beyond
/// what each change does by itself.
const UPKEEP: Duration = Duration::from_secs(30);
/// About once an hour, what is past its time is forgotten.
const ROUNDS_A_PURGE: u64 = 120;

impl Node {
    /// Opens the roles. What the last run acknowledged and did not finish (a
    /// revocation that was not published yet) is finished first.
    pub(crate) async fn open(parts: NodeParts) -> Result<Self, Failure> {
        std::fs::create_dir_all(&parts.data).doing(parts.data.display())?;
        let database = Database::open(&parts.database)
            .await
            .doing("the database")?;
        database.synced().await.doing("the database")?;
        let mut node = Self {
            wsca: None,
            provider: None,
            trust: None,
            upkeep: Vec::new(),
            trouble: Trouble::default(),
            database,
            parts,
        };
        if node.parts.roles.contains(&Role::Wsca) {
            let wsca = Arc::new(node.open_wsca().await?);
            node.upkeep.push(tokio::spawn(Arc::clone(&wsca).keep_up()));
            node.wsca = Some(wsca);
        }
        if node.parts.roles.contains(&Role::WalletProvider) {
            let provider = Arc::new(node.open_provider().await?);
            let list = node.parts.provider.as_ref();
            let list = list.and_then(|parts| parts.evidence.revocation_list.clone());
            let mut list = list.map(RevocationFile::new);
            if let Some(list) = &mut list {
                list.refresh(&provider).await;
            }
            // What cannot be finished now (one unit whose record was altered, a device
            // that is away) must not keep everything else from working.
            node.trouble.note(provider.recover().await);
            let upkeep = keep_up(Arc::clone(&provider), list, node.trouble.clone());
            node.upkeep.push(tokio::spawn(upkeep));
            node.provider = Some(provider);
        }
        if !node.parts.trust.sources.is_empty() {
            let trust = Arc::new(node.open_trust()?);
            trust.refresh().await;
            let kept = Arc::clone(&trust);
            // It ends with the task, which `close` ends.
            node.upkeep.push(tokio::spawn(async move {
                kept.keep_fresh(std::future::pending()).await;
            }));
            node.trust = Some(trust);
        }
        Ok(node)
    }

    /// The wallet provider, where that is among the roles.
    pub(crate) fn provider(&self) -> Option<&Arc<WalletProvider>> {
        self.provider.as_ref()
    }

    /// The application that serves the roles.
    pub(crate) fn app(&self) -> Result<App, Failure> {
        let metrics = Metrics::install().doing("metrics")?;
        let mut readiness: Vec<Arc<dyn Readiness>> = vec![
            Arc::new(DatabaseReady(self.database.clone())),
            Arc::new(DeviceReady(Arc::clone(&self.parts.device))),
        ];
        if let Some(wsca) = &self.wsca {
            readiness.push(Arc::new(WscaReady(Arc::clone(wsca))));
        }
        if let Some(remote) = &self.parts.wsca.remote {
            readiness.push(Arc::new(LinkReady(Arc::clone(remote))));
        }
        let mut folders = Vec::new();
        if let Some(provider) = &self.provider {
            readiness.push(Arc::new(ProviderReady {
                provider: Arc::clone(provider),
                trouble: self.trouble.clone(),
            }));
        }
        if self.parts.roles.contains(&Role::Lists) {
            for (path, media_type) in [
                ("lists", "application/jose"),
                ("ca", "application/pkix-cert"),
            ] {
                folders.push((
                    path,
                    PublicFolder {
                        folder: self.parts.data.join("public").join(path),
                        media_type,
                        max_age: 300,
                    },
                ));
            }
        }
        Ok(App {
            limits: self.parts.limits,
            metrics: Some(metrics),
            readiness,
            wsca: self.wsca.clone(),
            wsca_in_flight: self.parts.wsca.in_flight,
            link: match &self.wsca {
                Some(wsca) if self.parts.wsca.linked => {
                    Some(Arc::clone(wsca) as Arc<dyn WscaAdmin>)
                }
                _ => None,
            },
            admin_apart: self.parts.admin_apart,
            provider: self.provider.clone(),
            status: self.provider.as_ref().map(|provider| StatusLists {
                folder: self.status_folder(),
                ttl: provider.list_ttl_seconds(),
            }),
            trust: self.trust.as_ref().map(|service| Trust {
                service: Arc::clone(service),
                clock: Arc::clone(&self.parts.clock),
                policy: self.parts.policy,
                revocation: self.parts.revocation,
                public_url: self.parts.public_url.clone(),
            }),
            operator: self.parts.operator_token.as_deref().map(OperatorToken::of),
            folders,
        })
    }

    /// Ends what runs in the background and closes the database.
    pub(crate) async fn close(self) {
        for upkeep in self.upkeep {
            upkeep.abort();
        }
        self.database.close().await;
    }

    fn status_folder(&self) -> PathBuf {
        let provider = self.parts.provider.as_ref();
        provider
            .and_then(|parts| parts.status_folder.clone())
            .unwrap_or_else(|| self.parts.data.join("public").join("status"))
    }

    fn open_trust(&self) -> Result<TrustService, Failure> {
        let config = trust::Config {
            copies: Some(self.parts.data.join("trust")),
            ..self.parts.trust.clone()
        };
        TrustService::new(config, Arc::clone(&self.parts.clock)).doing("the trust service")
    }

    async fn open_wsca(&self) -> Result<Wsca, Failure> {
        let store = Arc::new(SqlWscaStore::new(self.database.clone()));
        Wsca::open(
            Arc::clone(&self.parts.device),
            store,
            Arc::clone(&self.parts.clock),
            self.parts.wsca.config.clone(),
        )
        .await
        .doing("the WSCA")
    }

    async fn open_provider(&self) -> Result<WalletProvider, Failure> {
        let wsca: Arc<dyn WscaAdmin> = match (&self.wsca, &self.parts.wsca.remote) {
            (Some(wsca), _) => Arc::clone(wsca) as _,
            (None, Some(remote)) => Arc::clone(remote) as _,
            (None, None) => {
                return Err(Failure::new(
                    "the role wallet-provider needs a WSCA, here or elsewhere",
                ));
            }
        };
        let Some(provider) = &self.parts.provider else {
            return Err(Failure::new("the role wallet-provider needs its settings"));
        };
        let device = &self.parts.device;
        let base_url = format!("{}/wallet-provider", self.parts.public_url);
        let mut config = Config::new(base_url, provider.solution.clone());
        config.status_url = format!("{}/status", self.parts.public_url);
        config.accept_no_evidence = provider.development;
        config.evidence = provider.evidence.policy.clone();
        config.accept_uncertified_wsca = provider.development;
        let answer_key = DeviceSigner::open(
            Arc::clone(device),
            name("provider-answers")?,
            jose::Curve::P256,
        )
        .await
        .doing("the device")?;
        let agreement_key = DeviceAgreement::open(
            Arc::clone(device),
            name("provider-agreement")?,
            jose::Curve::P256,
        )
        .await
        .doing("the device")?;
        let secret = device
            .mac(MacPurpose::StatusIndex, b"order of status indices")
            .await
            .doing("the device")?;
        WalletProvider::new(Parts {
            config,
            store: Arc::new(SqlProviderStore::new(self.database.clone())),
            wsca,
            publisher: Arc::new(FolderPublisher::new(self.status_folder()).doing("status lists")?),
            clock: Arc::clone(&self.parts.clock),
            wia_seal: provider.attestation_seal.clone(),
            ka_seal: provider.attestation_seal.clone(),
            status_seal: provider.status_seal.clone(),
            answer_key: Arc::new(answer_key),
            agreement_key: Arc::new(agreement_key),
            index_secret: IndexSecret::new(Zeroizing::new(secret)),
        })
        .doing("the wallet provider")
    }
}

async fn keep_up(
    provider: Arc<WalletProvider>,
    mut list: Option<RevocationFile>,
    trouble: Trouble,
) {
    let mut pause = tokio::time::interval(UPKEEP);
    pause.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    for round in 0u64.. {
        pause.tick().await;
        trouble.note(provider.recover().await);
        if let Some(list) = &mut list {
            list.refresh(&provider).await;
        }
        if round % ROUNDS_A_PURGE == 0
            && let Err(error) = provider.purge().await
        {
            tracing::error!(%error, "what is past its time was not forgotten; trying again");
        }
    }
}

fn name(name: &str) -> Result<KeyName, Failure> {
    KeyName::new(name).doing("a key's name")
}
