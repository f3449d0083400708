//! `claviger up`: all roles for development, on SQLite and the software device.

use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use clock::{Clock, SystemClock};
use owo_colors::OwoColorize;
use serde::Serialize;
use server::{KnownOperator, KnownOperators, Proxies, Rates};
use tokio::net::TcpListener;
use wallet_provider::{Generation, KeyPurpose, Seal};

use crate::exit::{Doing, Done, Failure, Outcome};
use crate::output::{Output, Report};
use crate::settings::{
    CompatibilitySettings, DATABASE_FILE, IssuanceSettings, RevocationSettings, Role,
};
use crate::testbed::{ListName, Party, SampleLists, TestBed};
use crate::wiring::{
    EvidenceParts, Node, NodeParts, NoticeParts, OperatorParts, ProviderParts, WscaParts,
    sample_accounts,
};
use crate::{files, logging, runtime, shutdown};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Where the data is kept
    #[arg(long, default_value = "./claviger-data")]
    data: PathBuf,
    /// Where to listen
    #[arg(long, default_value = "127.0.0.1:8710")]
    listen: SocketAddr,
}

pub(crate) fn run(args: &Args, output: Output) -> Done {
    logging::start(logging::Form::Text);
    runtime::block_on(async {
        let listener = TcpListener::bind(args.listen)
            .await
            .doing(format_args!("cannot listen on {}", args.listen))?;
        let address = listener.local_addr().doing("the listening address")?;
        if !address.ip().is_loopback() {
            tracing::warn!(
                "DEVELOPMENT, and not on loopback: whoever reaches {address} can use it"
            );
        }
        let url = format!("http://{address}");
        let development = Development::open(&args.data, &url, Arc::new(SystemClock)).await?;
        let app = development.node.app()?.into_router();
        output.print(&Running::of(&development, &args.data, &url)?)?;
        server::serve(
            listener,
            app,
            shutdown::requested(),
            shutdown::requested_again(),
        )
        .await
        .doing("the server")?;
        development.node.close().await;
        tracing::info!("drained and stopped");
        Ok(Outcome::Yes)
    })
}

/// A node of all roles with its test bed, as `up` and the demo run it.
#[derive(Debug)]
pub(crate) struct Development {
    pub(crate) node: Node,
    pub(crate) test_bed: TestBed,
    pub(crate) lists: SampleLists,
}

impl Development {
    /// Opens everything in `data`, making what is missing.
    pub(crate) async fn open(
        data: &Path,
        url: &str,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, Failure> {
        make_private_folder(data)?;
        let device = open_device(data).await?;
        let part = Part {
            accounts: Some(sample_accounts(url)?),
            ..Part::default()
        };
        Self::in_part(data, url, device, clock, part).await
    }

    /// As [`Development::open`], on a device that is open already.
    pub(crate) async fn on_device(
        data: &Path,
        url: &str,
        device: Arc<dyn wscd::Wscd>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, Failure> {
        Self::in_part(data, url, device, clock, Part::default()).await
    }

    /// As [`Development::on_device`], doing some of the roles.
    pub(crate) async fn in_part(
        data: &Path,
        url: &str,
        device: Arc<dyn wscd::Wscd>,
        clock: Arc<dyn Clock>,
        part: Part,
    ) -> Result<Self, Failure> {
        let at = clock.now();
        let public = data.join("public");
        let ca_url = format!("{url}/ca");
        let test_bed = TestBed::open(&device, &data.join("pki"), &ca_url, at).await?;
        test_bed.publish(&public.join("ca"), at).await?;
        let lists = SampleLists::publish(
            &test_bed,
            &public.join("lists"),
            &format!("{url}/lists"),
            at,
        )
        .await?;
        let node = Node::open(NodeParts {
            data: data.to_owned(),
            database: part.database.unwrap_or_else(|| data.join(DATABASE_FILE)),
            public_url: url.to_owned(),
            roles: part.roles,
            device,
            clock,
            wsca: part.wsca,
            provider: Some(ProviderParts {
                solution: part.solution.unwrap_or_else(sample_solution),
                first_keys: vec![
                    sample_key(KeyPurpose::Attestations, &test_bed.wallet_provider)?,
                    sample_key(KeyPurpose::Status, &test_bed.wallet_status)?,
                ],
                status_folder: part.status_folder,
                development: true,
                evidence: part.evidence,
                issuance: part.issuance,
                compatibility: part.compatibility,
                revocation: part.revocation,
                notices: part.notices,
            }),
            accounts: part.accounts,
            limits: part.limits,
            policy: trust::Policy::default(),
            revocation: trust::Revocation::Hard,
            trust: trust::Config {
                sources: lists.sources(&test_bed.operator.certificate),
                ..trust::Config::default()
            },
            operators: match part.operators {
                Some(operators) if !operators.known.is_empty() => operators,
                _ => OperatorParts {
                    known: KnownOperators::new(vec![KnownOperator::single(&operator_token(data)?)])
                        .doing("operators")?,
                    ..OperatorParts::default()
                },
            },
            rates: part.rates,
            proxies: part.proxies,
            admin_apart: part.admin_apart,
        })
        .await?;
        Ok(Self {
            node,
            test_bed,
            lists,
        })
    }
}

/// Which part of everything a node does.
#[derive(Debug)]
pub(crate) struct Part {
    pub(crate) roles: Vec<Role>,
    pub(crate) wsca: WscaParts,
    pub(crate) accounts: Option<accounts::Config>,
    pub(crate) limits: server::Limits,
    pub(crate) operators: Option<OperatorParts>,
    pub(crate) rates: Rates,
    pub(crate) proxies: Proxies,
    pub(crate) admin_apart: bool,
    /// The wallet solution, where it is not the sample.
    pub(crate) solution: Option<wallet_provider::WalletSolution>,
    /// Where status lists are published, where that is not among the data.
    pub(crate) status_folder: Option<PathBuf>,
    /// The database's address, where it is not a file among the data.
    pub(crate) database: Option<PathBuf>,
    /// What device evidence is held against, where a device shows any.
    pub(crate) evidence: EvidenceParts,
    /// How attestations are issued.
    pub(crate) issuance: IssuanceSettings,
    /// Which interfaces of others are served too.
    pub(crate) compatibility: CompatibilitySettings,
    /// How units are revoked and forgotten.
    pub(crate) revocation: RevocationSettings,
    pub(crate) notices: NoticeParts,
}

impl Default for Part {
    /// All of it.
    fn default() -> Self {
        Self {
            roles: Role::ALL.to_vec(),
            wsca: WscaParts::default(),
            accounts: None,
            limits: server::Limits::default(),
            notices: NoticeParts::default(),
            operators: None,
            rates: Rates::default(),
            proxies: Proxies::default(),
            admin_apart: false,
            solution: None,
            status_folder: None,
            database: None,
            evidence: EvidenceParts::default(),
            issuance: IssuanceSettings::default(),
            compatibility: CompatibilitySettings::default(),
            revocation: RevocationSettings::default(),
        }
    }
}

/// The sample's wallet solution; the name is that on the sample list.
pub(crate) fn sample_solution() -> wallet_provider::WalletSolution {
    wallet_provider::WalletSolution {
        client_id: "https://wallet.example".into(),
        name: crate::testbed::WALLET_SOLUTION.into(),
        link: Some("https://wallet.example/about".into()),
        certification: serde_json::json!("none: a development sample, certified by nobody"),
    }
}

/// A test bed's party as the provider seals with it.
pub(crate) fn seal(party: &Party) -> Seal {
    Seal {
        signer: party.signer.clone(),
        chain: vec![party.certificate.der().to_vec()],
    }
}

fn sample_key(purpose: KeyPurpose, party: &Party) -> Result<Generation, Failure> {
    Generation::new(purpose, 0, seal(party)).doing("a sample key")
}

/// The software device of a development folder, its store sealed under a key in
/// a file beside it.
pub(crate) async fn open_device(data: &Path) -> Result<Arc<dyn wscd::Wscd>, Failure> {
    let key_file = data.join("device.key");
    if !key_file.exists() {
        files::write_secret(&key_file, hex::encode(random::<32>()?).as_bytes())
            .doing(key_file.display())?;
    }
    let (store, key_file) = (uri_path(&data.join("device.store"))?, uri_path(&key_file)?);
    wscd::open(&format!("software:{store}?key-file={key_file}"))
        .await
        .doing("the software device")
}

/// A path as it stands in a device URI.
fn uri_path(path: &Path) -> Result<String, Failure> {
    let path = std::path::absolute(path).doing(path.display())?;
    let bytes = path.as_os_str().as_encoded_bytes();
    Ok(bytes
        .iter()
        .map(|byte| match byte {
            b'/' | b'.' | b'-' | b'_' => char::from(*byte).to_string(),
            byte if byte.is_ascii_alphanumeric() => char::from(*byte).to_string(),
            byte => format!("%{byte:02X}"),
        })
        .collect())
}

/// The token of `claviger unit`, made at the first start.
fn operator_token(data: &Path) -> Result<String, Failure> {
    let path = data.join("operator.token");
    if !path.exists() {
        let token = jose::b64::encode(random::<32>()?);
        files::write_secret(&path, token.as_bytes()).doing(path.display())?;
    }
    crate::input::read_text(&path, 4096)
}

fn make_private_folder(data: &Path) -> Result<(), Failure> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(data)
        .doing(data.display())
}

fn random<const N: usize>() -> Result<[u8; N], Failure> {
    let mut bytes = [0; N];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| Failure::new("no randomness could be had"))?;
    Ok(bytes)
}

/// What runs, and how to try it.
#[derive(Serialize)]
struct Running {
    development: bool,
    url: String,
    data: String,
    wallet_provider: String,
    wsca: String,
    lists: Vec<String>,
    operator_token: String,
    /// Where users look after their wallets: passkeys need a host with a name.
    account: String,
}

impl Running {
    fn of(development: &Development, data: &Path, url: &str) -> Result<Self, Failure> {
        let origin = sample_accounts(url)?.origin;
        Ok(Self {
            account: origin.join("account").doing("the address")?.into(),
            development: true,
            url: url.to_owned(),
            data: data.display().to_string(),
            wallet_provider: format!("{url}/wallet-provider"),
            wsca: format!("{url}/wsca/r2ps"),
            lists: ListName::ALL
                .into_iter()
                .map(|name| development.lists.url(name))
                .collect(),
            operator_token: data.join("operator.token").display().to_string(),
        })
    }
}

impl Report for Running {
    fn for_people(&self, out: &mut dyn Write) -> std::io::Result<()> {
        writeln!(
            out,
            "{} {}",
            "DEVELOPMENT".yellow().bold(),
            "sample keys and certificates, a software device, no evidence asked: not for real users"
                .yellow()
        )?;
        writeln!(out, "data             {}", self.data)?;
        writeln!(out, "wallet provider  {}", self.wallet_provider)?;
        writeln!(out, "WSCA             {}", self.wsca)?;
        writeln!(out, "account pages    {}", self.account)?;
        for list in &self.lists {
            writeln!(out, "list             {list}")?;
        }
        writeln!(out, "\nTry:")?;
        for line in [
            format!("curl {}/ready", self.url),
            format!("curl {}/wallet-provider/provider", self.url),
            format!(
                "curl -X POST {}/wallet-provider/challenge -H 'content-type: application/json' -d '{{}}'",
                self.url
            ),
            format!(
                "curl -X POST {}/v1/trust/check -H 'content-type: application/json' -d \"{{\\\"context\\\":\\\"pid\\\",\\\"chain\\\":[\\\"$(grep -v CERT {}/pki/pid-provider.pem | tr -d '\\n')\\\"]}}\"",
                self.url, self.data
            ),
            format!("curl {}/openapi.json", self.url),
            format!("curl {}/metrics", self.url),
            format!(
                "curl -H \"authorization: Bearer $(cat {})\" {}/operator/units",
                self.operator_token, self.url
            ),
        ] {
            writeln!(out, "  {line}")?;
        }
        writeln!(
            out,
            "\nCtrl-C drains and stops; a restart goes on where it was."
        )
    }
}
