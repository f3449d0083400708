//! `claviger serve`: the roles that a configuration names, in production.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clock::{Clock, SystemClock};
use server::{InFlight, Limits};
use wallet_provider::{Seal, WalletSolution};
use wsca_link::{LinkError, LinkSettings, RemoteWsca};
use wscd::{DeviceSigner, KeyName, Wscd};

use super::up::{Development, Part};
use crate::exit::{Doing, Done, Failure, Outcome};
use crate::output::Output;
use crate::settings::{RemoteWscaSettings, Role, Settings, WalletProviderSettings};
use crate::wiring::{EvidenceParts, Listeners, Node, NodeParts, ProviderParts, WscaParts, pem};
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
        let scheme = if settings.tls.is_some() {
            "https"
        } else {
            "http"
        };
        let url = settings
            .public_url
            .clone()
            .unwrap_or_else(|| format!("{scheme}://{address}"));
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
    let device = crate::device::open(&settings.device.uri).await?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let limits = Limits {
        max_body: settings.limits.body_bytes,
        timeout: Duration::from_secs(settings.limits.request_seconds),
    };
    let operator_token = settings
        .operator_token_file
        .as_deref()
        .map(|path| input::read_text(path, 4096))
        .transpose()?;
    let wsca = wsca_parts(settings).await?;
    let admin_apart = settings.admin.is_some();
    if settings.development && samples_are_wanted(settings) {
        let part = Part {
            roles: settings.roles.clone(),
            wsca,
            limits,
            operator_token,
            admin_apart,
            database: Some(settings.database()),
        };
        let development = Development::in_part(&settings.data, url, device, clock, part).await?;
        return Ok(development.node);
    }
    let provider = match (&settings.wallet_provider, settings.roles.as_slice()) {
        (Some(provider), roles) if roles.contains(&Role::WalletProvider) => {
            Some(provider_parts(provider, &device, settings.development).await?)
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
        limits,
        trust: crate::wiring::trust_config(settings)?,
        policy: settings.trust.policy,
        revocation: settings.trust.revocation,
        operator_token,
        admin_apart,
    })
    .await
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

/// In development, a wallet provider without certificates gets sample ones.
fn samples_are_wanted(settings: &Settings) -> bool {
    settings.roles.contains(&Role::WalletProvider)
        && settings
            .wallet_provider
            .as_ref()
            .is_some_and(|provider| provider.certificate.is_none())
}

async fn provider_parts(
    settings: &WalletProviderSettings,
    device: &Arc<dyn Wscd>,
    development: bool,
) -> Result<ProviderParts, Failure> {
    let seal = |name: &'static str, key: &'static str, path: Option<PathBuf>| async move {
        let path = path.ok_or_else(|| Failure::new(format!("{key}: needed")))?;
        let chain = input::certificates(&path)?;
        let signer = DeviceSigner::open(
            Arc::clone(device),
            KeyName::new(name).doing(key)?,
            jose::Curve::P256,
        )
        .await
        .doing(key)?;
        let own = chain.first().map(pki::Certificate::public_key);
        if own.is_none_or(|own| own.as_ref() != Ok(jose::Signer::public_key(&signer))) {
            return Err(Failure::new(format!(
                "{key}: {}: the certificate is not of the device's key {name}",
                path.display()
            )));
        }
        Ok(Seal {
            signer: Arc::new(signer),
            chain: chain.iter().map(|c| c.der().to_vec()).collect(),
        })
    };
    Ok(ProviderParts {
        solution: WalletSolution {
            client_id: settings.client_id.clone(),
            name: settings.solution.clone(),
            link: settings.link.clone(),
            certification: settings.certification.clone().into(),
        },
        attestation_seal: seal(
            "wallet-attestations",
            "wallet_provider.certificate",
            settings.certificate.clone(),
        )
        .await?,
        status_seal: seal(
            "wallet-status",
            "wallet_provider.status_certificate",
            settings.status_certificate.clone(),
        )
        .await?,
        status_folder: settings.status_folder.clone(),
        development,
        evidence: EvidenceParts {
            policy: match &settings.evidence_policy {
                Some(path) => super::evidence::policy(path)?,
                None => device_evidence::Policy::default(),
            },
            revocation_list: settings.android_revocation_list.clone(),
        },
    })
}
