//! `claviger serve`: the roles that a configuration names, in production.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clock::{Clock, SystemClock};
use server::Limits;
use tokio::net::TcpListener;
use trust::{Location, SignerPolicy, Source};
use url::Url;
use wallet_provider::{Seal, WalletSolution};
use wscd::{DeviceSigner, KeyName, Wscd};

use super::up::Development;
use crate::exit::{Doing, Done, Failure, Outcome};
use crate::output::Output;
use crate::settings::{ListSettings, Role, Settings, WalletProviderSettings};
use crate::wiring::{Node, NodeParts, ProviderParts};
use crate::{input, logging, runtime, shutdown};

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
        let listener = TcpListener::bind(settings.listen)
            .await
            .doing(format_args!("cannot listen on {}", settings.listen))?;
        let address = listener.local_addr().doing("the listening address")?;
        let url = settings
            .public_url
            .clone()
            .unwrap_or_else(|| format!("http://{address}"));
        let node = open(&settings, &url).await?;
        let app = node.app()?.into_router();
        tracing::info!(%address, %url, roles = ?settings.roles, "serving");
        server::serve(
            listener,
            app,
            shutdown::requested(),
            shutdown::requested_again(),
        )
        .await
        .doing("the server")?;
        node.close().await;
        tracing::info!("drained and stopped");
        Ok(Outcome::Yes)
    })
}

async fn open(settings: &Settings, url: &str) -> Result<Node, Failure> {
    let device = crate::device::open(&settings.device.uri).await?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    if settings.development && samples_are_wanted(settings) {
        let development = Development::on_device(&settings.data, url, device, clock).await?;
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
        public_url: url.to_owned(),
        roles: settings.roles.clone(),
        device,
        clock,
        provider,
        limits: Limits {
            max_body: settings.limits.body_bytes,
            timeout: Duration::from_secs(settings.limits.request_seconds),
        },
        lists: sources(&settings.trusted_lists)?,
        operator_token: settings
            .operator_token_file
            .as_deref()
            .map(|path| input::read_text(path, 4096))
            .transpose()?,
    })
    .await
}

fn sources(lists: &[ListSettings]) -> Result<Vec<Source>, Failure> {
    lists
        .iter()
        .map(|list| {
            let profile = lote::Profile::from_name(&list.profile)
                .ok_or_else(|| Failure::new("trusted_lists.profile: no list has this profile"))?;
            let location = match Url::parse(&list.location) {
                Ok(url) if list.location.contains("://") => Location::Url(url),
                _ => Location::File(PathBuf::from(&list.location)),
            };
            let signers = input::certificates(&list.signer)?;
            Ok(Source {
                profile,
                location,
                signers: SignerPolicy::Pinned(signers),
                mode: lote::Mode::Strict,
            })
        })
        .collect()
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
        development,
    })
}
