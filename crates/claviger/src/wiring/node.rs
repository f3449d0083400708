use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ::accounts::Accounts;
use ::notices::Courier;
use clock::Clock;
use server::{
    AccountPages, App, InFlight, KnownOperators, Limits, Metrics, Operators, Proxies, PublicFolder,
    Rates, Readiness, StatusLists, Trust,
};
use store::Database;
use store::operators::SqlOperatorTrail;
use store::provider::SqlProviderStore;
use store::wsca::SqlWscaStore;
use tokio::task::JoinHandle;
use trust::TrustService;
use wallet_provider::operators::OperatorDesk;
use wallet_provider::{
    Config, FolderPublisher, IndexSecret, Keyring, Parts, PidProviderCheck, WalletProvider,
    WalletSolution,
};
use wsca::{Wsca, WscaAdmin};
use wsca_link::RemoteWsca;
use wscd::{DeviceAgreement, KeyName, MacPurpose, Wscd};
use zeroize::Zeroizing;

use super::accounts;
use super::evidence::{EvidenceParts, RevocationFetch, RevocationFile};
use super::keys::{KeyUpkeep, Listing};
use super::notices::{self, NoticeParts};
use super::pid_providers::PidProviders;
use super::readiness::{DatabaseReady, DeviceReady, LinkReady, ProviderReady, Trouble, WscaReady};
use crate::exit::{Doing, Failure};
use crate::keys::{FirstKeys, KeySource};
use crate::settings::{CompatibilitySettings, IssuanceSettings, RevocationSettings, Role};

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
    /// Users' accounts, beside that role.
    pub(crate) accounts: Option<::accounts::Config>,
    pub(crate) limits: Limits,
    /// Where the lists come from that questions of trust are answered by; none,
    /// and there are no such routes.
    pub(crate) trust: trust::Config,
    /// How questions of trust are answered unless they say otherwise.
    pub(crate) policy: trust::Policy,
    pub(crate) revocation: trust::Revocation,
    /// The operators; without any there are no routes for them.
    pub(crate) operators: OperatorParts,
    /// How often may be asked.
    pub(crate) rates: Rates,
    /// The proxies in front.
    pub(crate) proxies: Proxies,
    /// Whether operators have a listener of their own.
    pub(crate) admin_apart: bool,
}

/// Who operates the wallet provider.
#[derive(Debug, Clone, Default)]
pub(crate) struct OperatorParts {
    pub(crate) known: KnownOperators,
    /// For how many days the trail of what they did is kept.
    pub(crate) trail_days: u32,
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
    /// The keys that the configuration names, or samples; those that were installed
    /// since are in the data folder.
    pub(crate) first_keys: FirstKeys,
    /// The folder that status lists are published into; one in the data, if absent.
    pub(crate) status_folder: Option<PathBuf>,
    /// Takes activations without evidence of the device, and a WSCA that nobody
    /// certified.
    pub(crate) development: bool,
    /// What device evidence is held against.
    pub(crate) evidence: EvidenceParts,
    /// What the texts leave it to choose.
    pub(crate) issuance: IssuanceSettings,
    /// Which interfaces of others it serves too.
    pub(crate) compatibility: CompatibilitySettings,
    /// How revocation is done.
    pub(crate) revocation: RevocationSettings,
    /// How users are told what happened to their units.
    pub(crate) notices: NoticeParts,
}

/// A process of the house: its roles, open and ready to be served.
#[derive(Debug)]
pub(crate) struct Node {
    parts: NodeParts,
    database: Database,
    wsca: Option<Arc<Wsca>>,
    provider: Option<Arc<WalletProvider>>,
    accounts: Option<Arc<Accounts>>,
    desk: Option<Arc<OperatorDesk>>,
    keyring: Option<Arc<Keyring>>,
    /// What the trusted lists say of the provider's certificates.
    listing: Listing,
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
        // First: what is counted before is lost.
        Metrics::install().doing("metrics")?;
        std::fs::create_dir_all(&parts.data).doing(parts.data.display())?;
        let database = Database::open(&parts.database)
            .await
            .doing("the database")?;
        database.synced().await.doing("the database")?;
        let mut node = Self {
            wsca: None,
            provider: None,
            accounts: None,
            desk: None,
            keyring: None,
            listing: Listing::default(),
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
        if !node.parts.trust.sources.is_empty() {
            node.trust = Some(Arc::new(node.open_trust()?));
        }
        if node.parts.roles.contains(&Role::WalletProvider) {
            let keys = node.open_keys().await?;
            let provider = Arc::new(node.open_provider(keys.keyring()).await?);
            let parts = node.parts.provider.as_ref();
            let clock = &node.parts.clock;
            let fetch = parts.map(|parts| {
                RevocationFetch::of(&parts.evidence, parts.development, Arc::clone(clock))
            });
            if let Some(fetch) = fetch.transpose()?.flatten() {
                node.upkeep.push(tokio::spawn(fetch.keep_fresh()));
            }
            let list = parts.and_then(|parts| parts.evidence.revocation_list.clone());
            let mut list = list.map(RevocationFile::new);
            if let Some(list) = &mut list {
                list.refresh(&provider).await;
            }
            // What cannot be finished now (one unit whose record was altered, a device
            // that is away) must not keep everything else from working.
            node.trouble.note(provider.recover().await, Ok(()));
            node.keyring = Some(keys.keyring());
            let trail = Arc::new(SqlOperatorTrail::new(node.database.clone()));
            let search = Arc::new(SqlProviderStore::new(node.database.clone()));
            let desk = Arc::new(OperatorDesk::new(Arc::clone(&provider), trail, search));
            let kept = (Arc::clone(&desk), node.parts.operators.trail_days);
            let trouble = node.trouble.clone();
            let upkeep = keep_up(Arc::clone(&provider), kept, keys, list, trouble);
            node.upkeep.push(tokio::spawn(upkeep));
            let jobs = Arc::clone(&provider);
            node.upkeep
                .push(tokio::spawn(async move { jobs.keep_jobs_going().await }));
            if let Some(config) = node.parts.accounts.clone() {
                let notices = node.parts.provider.as_ref().map(|parts| &parts.notices);
                let beside = accounts::Beside {
                    database: &node.database,
                    device: &node.parts.device,
                    provider: &provider,
                    clock: &node.parts.clock,
                    mail: notices.is_some_and(|notices| notices.settings.smtp.is_some()),
                };
                let opened = Arc::new(accounts::open(config, beside).await?);
                node.upkeep
                    .push(tokio::spawn(accounts::keep_up(Arc::clone(&opened))));
                node.accounts = Some(opened);
            }
            node.desk = Some(desk);
            node.provider = Some(provider);
            let courier = Arc::new(node.open_courier().await?);
            node.upkeep.push(tokio::spawn(courier.run()));
        }
        if let Some(trust) = &node.trust {
            trust.refresh().await;
            if let Some(keyring) = &node.keyring
                && node.parts.trust.sources.iter().any(is_wallet_list)
            {
                let (listing, keyring) = (node.listing.clone(), Arc::clone(keyring));
                let (policy, clock) = (node.parts.policy, Arc::clone(&node.parts.clock));
                let watch = listing.watch(keyring, Arc::clone(trust), policy, clock);
                node.upkeep.push(tokio::spawn(watch));
            }
            let kept = Arc::clone(trust);
            // It ends with the task, which `close` ends.
            node.upkeep.push(tokio::spawn(async move {
                kept.keep_fresh(std::future::pending()).await;
            }));
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
        if let (Some(provider), Some(keyring)) = (&self.provider, &self.keyring) {
            readiness.push(Arc::new(ProviderReady {
                provider: Arc::clone(provider),
                trouble: self.trouble.clone(),
                keyring: Arc::clone(keyring),
                listing: self.listing.clone(),
                clock: Arc::clone(&self.parts.clock),
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
            accounts: self
                .accounts
                .clone()
                .zip(self.provider.clone())
                .map(|(accounts, provider)| AccountPages { accounts, provider }),
            provider: self.provider.clone(),
            reference_provider: self
                .parts
                .provider
                .as_ref()
                .and_then(|provider| provider.compatibility.profile())
                .map(|_| self.parts.public_url.clone()),
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
            operators: self.operators(),
            rates: self.parts.rates,
            proxies: self.parts.proxies.clone(),
            folders,
        })
    }

    fn operators(&self) -> Option<Operators> {
        let desk = self.desk.as_ref()?;
        let known = &self.parts.operators.known;
        (!known.is_empty()).then(|| Operators {
            known: Arc::new(known.clone()),
            desk: Arc::clone(desk),
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
        let named = provider.and_then(|parts| parts.status_folder.clone());
        if named.is_none() && self.database.kind() == store::Kind::Postgres {
            tracing::warn!(
                "PostgreSQL without wallet_provider.status_folder: where several nodes share the \
                 database, they have to share the folder of the status lists too, or each \
                 publishes its own"
            );
        }
        named.unwrap_or_else(|| self.parts.data.join("public").join("status"))
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

    async fn open_courier(&self) -> Result<Courier, Failure> {
        let Some(provider) = &self.parts.provider else {
            return Err(Failure::new("the role wallet-provider needs its settings"));
        };
        let beside = notices::Beside {
            database: &self.database,
            clock: Arc::clone(&self.parts.clock),
            device: &self.parts.device,
            public_url: &self.parts.public_url,
            solution: &provider.solution.name,
        };
        notices::courier(&provider.notices, beside).await
    }

    async fn open_keys(&mut self) -> Result<KeyUpkeep, Failure> {
        let base_url = provider_url(&self.parts.public_url);
        let Some(provider) = &mut self.parts.provider else {
            return Err(Failure::new("the role wallet-provider needs its settings"));
        };
        let device = Arc::clone(&self.parts.device);
        let first = std::mem::take(&mut provider.first_keys);
        let source = KeySource::new(device, &self.parts.data, base_url, first);
        KeyUpkeep::open(source, Arc::clone(&self.parts.clock), provider.development).await
    }

    async fn open_provider(&self, keys: Arc<Keyring>) -> Result<WalletProvider, Failure> {
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
        let base_url = provider_url(&self.parts.public_url);
        let mut config = Config::new(base_url, provider.solution.clone());
        config.status_url = format!("{}/status", self.parts.public_url);
        config.accept_no_evidence = provider.development;
        config.evidence = provider.evidence.policy.clone();
        config.accept_uncertified_wsca = provider.development;
        provider.issuance.apply(&mut config);
        config.reference = provider.compatibility.profile();
        provider.revocation.apply(&mut config);
        config.consent = self.parts.accounts.as_ref().map(accounts::consent_view);
        config.accept_no_consent = provider.development;
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
            revocations: Arc::new(SqlProviderStore::new(self.database.clone())),
            pid_providers: self.trust.as_ref().map(|lists| {
                Arc::new(PidProviders {
                    lists: Arc::clone(lists),
                    policy: self.parts.policy,
                    revocation: self.parts.revocation,
                }) as Arc<dyn PidProviderCheck>
            }),
            publisher: Arc::new(FolderPublisher::new(self.status_folder()).doing("status lists")?),
            clock: Arc::clone(&self.parts.clock),
            keys,
            agreement_key: Arc::new(agreement_key),
            index_secret: IndexSecret::new(Zeroizing::new(secret)),
        })
        .map_err(|error| match error.key {
            // What it is called in a configuration.
            "accept_uncertified_wsca" => {
                let whose = "the WSCA's device (device.uri of the role wsca)";
                Failure::new(format!("{whose}: {}", error.what))
            }
            _ => Failure::of("the wallet provider", &error),
        })
    }
}

async fn keep_up(
    provider: Arc<WalletProvider>,
    (desk, trail_days): (Arc<OperatorDesk>, u32),
    mut keys: KeyUpkeep,
    mut list: Option<RevocationFile>,
    trouble: Trouble,
) {
    let mut pause = tokio::time::interval(UPKEEP);
    pause.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let forgets_from = first_round_to_forget(&provider).await;
    for round in 0u64.. {
        pause.tick().await;
        let taken_up = keys.round().await;
        trouble.note(provider.recover().await, taken_up);
        if let Err(error) = provider.measure().await {
            tracing::warn!(%error, "what waits was not measured");
        }
        if let Some(list) = &mut list {
            list.refresh(&provider).await;
        }
        if round % ROUNDS_A_PURGE == 0 {
            let mut done = vec![provider.revoke_listed().await.err()];
            if round >= forgets_from {
                done.extend([
                    provider.purge().await.err(),
                    provider.forget_installed().await.err(),
                    desk.forget_older(trail_days).await.err(),
                ]);
            }
            for error in done.into_iter().flatten() {
                tracing::error!(%error, "upkeep was not finished; trying again");
            }
        }
    }
}

/// From which round on what is past its time is forgotten. A clock that runs ahead
/// would have everything forgotten that can still be revoked, for good: so not at the
/// start, and where the clock says that nobody published for days, only once somebody
/// had a day to see the alarm.
async fn first_round_to_forget(provider: &WalletProvider) -> u64 {
    match provider.clock_leap().await {
        Ok(None) => ROUNDS_A_PURGE,
        Ok(Some(leap)) => {
            tracing::error!(
                target: "claviger::alarm",
                event = "clock.leap",
                days = leap.as_hours() / 24,
                "nothing was published for days, by the clock: nothing is forgotten for a day; \
                 if the clock is wrong, stop the node and set it"
            );
            24 * ROUNDS_A_PURGE
        }
        Err(error) => {
            tracing::error!(%error, "the time of the last publication cannot be had");
            24 * ROUNDS_A_PURGE
        }
    }
}

/// The provider's identifier, and the address of its interface.
pub(crate) fn provider_url(public_url: &str) -> String {
    format!("{public_url}/wallet-provider")
}

fn is_wallet_list(source: &trust::Source) -> bool {
    source.profile == lote::Profile::Wallet
}

fn name(name: &str) -> Result<KeyName, Failure> {
    KeyName::new(name).doing("a key's name")
}
