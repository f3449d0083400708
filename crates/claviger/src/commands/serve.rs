//! `claviger serve`: the roles that a configuration names, in production.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clock::{Clock, SystemClock};
use server::{InFlight, KnownOperator, KnownOperators, Limits};
use url::Url;
use wallet_provider::{Generation, KeyPurpose, Seal, WalletSolution};
use wsca_link::{LinkError, LinkSettings, RemoteWsca};
use wscd::{DeviceSigner, KeyName, Wscd};

use super::up::{Development, Part};
use crate::exit::{Doing, Done, Failure, Outcome};
use crate::output::Output;
use crate::settings::{
    OperatorSettings, RemoteWscaSettings, Role, Settings, WalletProviderSettings,
};
use crate::wiring::{
    EvidenceParts, Listeners, Node, NodeParts, NoticeParts, OperatorParts, ProviderParts,
    WscaParts, pem,
};
use crate::{input, logging, runtime};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The configuration (TOML); CLAVIGER_* variables override it
    #[arg(long)]
    config: PathBuf,
}

pub(crate) fn run(args: &Args, _output: Output) -> Done {
    let settings = Settings::read(&args.config)?;
    logging::start(if settings.development {
        logging::Form::Text
    } else {
        logging::Form::Json
    });
    for name in &settings.ignored {
        tracing::warn!(name, "a variable that is no setting is left alone");
    }
    if settings.development {
        tracing::warn!(
            "development = true: THE SOFTWARE DEVICE AND ACTIVATIONS WITHOUT EVIDENCE ARE ACCEPTED"
        );
        tracing::warn!("development = true: NOT FOR REAL USERS");
    }
    runtime::block_on(async {
        let listeners = Listeners::open(&settings).await?;
        let address = listeners.address();
        let url = settings.url_at(address);
        let node = open(&settings, &url).await?;
        let app = node.app()?;
        tracing::info!(%address, %url, roles = ?settings.roles, "serving");
        listeners.serve(app).await?;
        node.close().await;
        tracing::info!("drained and stopped");
        Ok(Outcome::Yes)
    })
}

async fn open(settings: &Settings, url: &str) -> Result<Node, Failure> {
    let device = crate::device::configured(&settings.device).await?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let limits = Limits {
        max_body: settings.limits.body_bytes,
        timeout: Duration::from_secs(settings.limits.request_seconds),
    };
    let operators = operators(settings)?;
    let wsca = wsca_parts(settings).await?;
    let admin_apart = settings.admin.is_some();
    let accounts = match (&settings.accounts, &settings.wallet_provider) {
        (Some(accounts), Some(provider)) => Some(accounts.config(url, &provider.solution)?),
        _ => None,
    };
    if settings.development && samples_are_wanted(settings) {
        if !settings.trusted_lists.is_empty() {
            tracing::warn!(
                "no wallet_provider.certificate: keys, certificates and lists are samples, and \
                 [[trusted_lists]] is not read"
            );
        }
        let provider = settings.wallet_provider.as_ref();
        let part = Part {
            roles: settings.roles.clone(),
            wsca,
            accounts,
            limits,
            operators: Some(operators),
            rates: settings.limits.rates(),
            proxies: settings.limits.proxies(),
            admin_apart,
            notices: notice_parts(settings),
            solution: provider.map(solution),
            status_folder: provider.and_then(|provider| provider.status_folder.clone()),
            database: Some(settings.database()),
            evidence: settings
                .wallet_provider
                .as_ref()
                .map(|provider| evidence(provider, &settings.data))
                .transpose()?
                .unwrap_or_default(),
            issuance: settings
                .wallet_provider
                .as_ref()
                .map(|provider| provider.issuance.clone())
                .unwrap_or_default(),
            compatibility: settings
                .wallet_provider
                .as_ref()
                .map(|provider| provider.compatibility.clone())
                .unwrap_or_default(),
            revocation: settings
                .wallet_provider
                .as_ref()
                .map(|provider| provider.revocation.clone())
                .unwrap_or_default(),
        };
        let development = Development::in_part(&settings.data, url, device, clock, part).await?;
        return Ok(development.node);
    }
    let provider = match (&settings.wallet_provider, settings.roles.as_slice()) {
        (Some(provider), roles) if roles.contains(&Role::WalletProvider) => {
            let notices = notice_parts(settings);
            let evidence = evidence(provider, &settings.data)?;
            let development = settings.development;
            Some(provider_parts(provider, &device, development, notices, evidence).await?)
        }
        _ => None,
    };
    Node::open(NodeParts {
        data: settings.data.clone(),
        database: settings.database(),
        public_url: url.to_owned(),
        roles: settings.roles.clone(),
        device,
        clock,
        wsca,
        provider,
        accounts,
        limits,
        trust: crate::wiring::trust_config(settings)?,
        policy: settings.trust.policy,
        revocation: settings.trust.revocation,
        operators,
        rates: settings.limits.rates(),
        proxies: settings.limits.proxies(),
        admin_apart,
    })
    .await
}

/// How users are told, as the settings have it.
fn notice_parts(settings: &Settings) -> NoticeParts {
    NoticeParts {
        settings: settings.notices.clone(),
        development: settings.development,
    }
}

/// The operators as the settings have them. Whoever has the token of
/// `operator_token_file` is an admin named "operator".
fn operators(settings: &Settings) -> Result<OperatorParts, Failure> {
    let mut known: Vec<KnownOperator> = Vec::new();
    if let Some(path) = &settings.operator_token_file {
        known.push(KnownOperator::single(&input::read_text(path, 4096)?));
    }
    known.extend(
        settings
            .operators
            .iter()
            .filter_map(OperatorSettings::known),
    );
    Ok(OperatorParts {
        known: KnownOperators::new(known).doing("operators")?,
        trail_days: settings.operator_trail_days,
    })
}

/// The WSCA as the settings have it; the one elsewhere must be there.
async fn wsca_parts(settings: &Settings) -> Result<WscaParts, Failure> {
    let remote = match &settings.remote_wsca {
        None => None,
        Some(remote) => Some(Arc::new(link(remote).await?)),
    };
    Ok(WscaParts {
        config: settings.wsca.config(),
        in_flight: InFlight {
            total: settings.limits.wsca_in_flight,
            per_address: settings.limits.wsca_in_flight_per_address,
        },
        linked: settings.wsca_link.is_some(),
        remote,
    })
}

/// Opens the link. Two processes that are started together find each other.
async fn link(settings: &RemoteWscaSettings) -> Result<RemoteWsca, Failure> {
    const TRIES: u32 = 20;
    let link = LinkSettings {
        url: settings.url.parse().doing("remote_wsca.url")?,
        ca: pem(&settings.ca)?,
        certificate: pem(&settings.certificate)?,
        key: pem(&settings.key)?,
    };
    let mut tried = 1;
    loop {
        match RemoteWsca::connect(&link).await {
            Err(LinkError::Unreachable(why)) if tried < TRIES => {
                tracing::warn!(why, "the WSCA is not there yet; trying again");
                tried += 1;
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
            connected => return connected.doing("remote_wsca"),
        }
    }
}

/// In development, a wallet provider without certificates gets sample ones; those
/// that were installed take over from them.
fn samples_are_wanted(settings: &Settings) -> bool {
    settings.roles.contains(&Role::WalletProvider)
        && settings
            .wallet_provider
            .as_ref()
            .is_some_and(|provider| provider.certificate.is_none())
}

fn solution(settings: &WalletProviderSettings) -> WalletSolution {
    WalletSolution {
        client_id: settings.client_id.clone(),
        name: settings.solution.clone(),
        link: settings.link.clone(),
        certification: settings.certification.clone().into(),
    }
}

async fn provider_parts(
    settings: &WalletProviderSettings,
    device: &Arc<dyn Wscd>,
    development: bool,
    notices: NoticeParts,
    evidence: EvidenceParts,
) -> Result<ProviderParts, Failure> {
    let named = [
        (
            KeyPurpose::Attestations,
            "wallet-attestations",
            "wallet_provider.certificate",
            &settings.certificate,
        ),
        (
            KeyPurpose::Status,
            "wallet-status",
            "wallet_provider.status_certificate",
            &settings.status_certificate,
        ),
    ];
    let mut first_keys = Vec::new();
    for (purpose, name, key, path) in named {
        if let Some(path) = path {
            first_keys.push(first_key(device, purpose, name, path).await.doing(key)?);
        }
    }
    Ok(ProviderParts {
        solution: solution(settings),
        first_keys,
        status_folder: settings.status_folder.clone(),
        development,
        notices,
        evidence,
        issuance: settings.issuance.clone(),
        compatibility: settings.compatibility.clone(),
        revocation: settings.revocation.clone(),
    })
}

/// The key that the configuration certifies.
async fn first_key(
    device: &Arc<dyn Wscd>,
    purpose: KeyPurpose,
    name: &str,
    path: &Path,
) -> Result<Generation, Failure> {
    let chain = input::certificates(path)?;
    // Its curve is its certificate's, and so is its algorithm.
    let curve = chain
        .first()
        .and_then(|own| own.public_key().ok())
        .map_or(jose::Curve::P256, |key| key.curve());
    let name = KeyName::new(name).doing("a key's name")?;
    let signer = DeviceSigner::open(Arc::clone(device), name.clone(), curve)
        .await
        .doing(&name)?;
    let seal = Seal {
        signer: Arc::new(signer),
        chain: chain.iter().map(|c| c.der().to_vec()).collect(),
    };
    let of_what = || format!("{}: the device's key {name}", path.display());
    Generation::new(purpose, 0, seal).doing(of_what())
}

fn evidence(settings: &WalletProviderSettings, data: &Path) -> Result<EvidenceParts, Failure> {
    let url = settings.android_revocation_list_url.as_deref();
    let fetched = url.map(|_| data.join("android-status.json"));
    Ok(EvidenceParts {
        policy: match &settings.evidence_policy {
            Some(path) => super::evidence::policy(path)?,
            None => device_evidence::Policy::default(),
        },
        revocation_list: settings.android_revocation_list.clone().or(fetched),
        revocation_list_url: url
            .map(|url| Url::parse(url).doing("wallet_provider.android_revocation_list_url"))
            .transpose()?,
    })
}
