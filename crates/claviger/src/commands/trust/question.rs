//! What every question about trust has in common: the context, and the lists that
//! are asked.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clock::SystemClock;
use finding::Verdict;
use jiff::Timestamp;
use pki::Certificate;
use trust::{
    CheckRequest, Config, Context, Limits, Location, Policy, Recorded, Revocation, SignerPolicy,
    Source, TrustService, Upkeep, check_offline, record_offline,
};
use url::Url;

use crate::exit::{Doing, Failure};
use crate::{input, runtime, time};

/// What every question about trust has in common.
#[derive(Debug, clap::Args)]
pub(crate) struct Question {
    /// What it is to be trusted for: pid, pid-status, wallet, wallet-status,
    /// access-certificate, registration-certificate,
    /// registration-certificate-status, pub-eaa, pub-eaa-status, mdl or mdl-status
    #[arg(long)]
    pub(super) context: Context,
    #[command(flatten)]
    pub(super) lists: Lists,
}

/// Which lists are asked, and how.
#[derive(Debug, clap::Args)]
pub(crate) struct Lists {
    /// A list, a folder of lists, or the address of a list; several may be named
    #[arg(long, required = true, num_args = 1..)]
    lists: Vec<OsString>,
    /// The certificates that must have sealed the lists (PEM or DER); without them
    /// the place is trusted, and the verdict says so
    #[arg(long)]
    signer: Option<PathBuf>,
    /// direct-only: PID and wallet lists hold the certificates themselves;
    /// direct-or-pkix: they may hold CAs
    #[arg(long, default_value = "direct-only", value_parser = policy)]
    policy: Policy,
    /// hard: what cannot be learnt leaves it undecided; soft: that is reported only;
    /// skip: nobody is asked
    #[arg(long, default_value = "hard")]
    revocation: Revocation,
    /// The time the answer holds for (RFC 3339); now, if absent
    #[arg(long)]
    at: Option<Timestamp>,
    /// Allow http, and addresses on this machine: for development
    #[arg(long)]
    allow_loopback: bool,
}

fn policy(name: &str) -> Result<Policy, String> {
    Policy::from_name(name).ok_or_else(|| "direct-only or direct-or-pkix".to_owned())
}

/// Asks the lists that were named on the command line.
pub(crate) fn judge(
    lists: &Lists,
    context: Context,
    chain: Vec<Certificate>,
) -> Result<Verdict, Failure> {
    let asked = Asked::new(lists, context, chain)?;
    runtime::block_on(async {
        match asked.places {
            Places::Files(places) => check_offline(
                &places,
                asked.signers.as_deref(),
                asked.limits,
                &asked.request,
            )
            .await
            .doing("--lists"),
            Places::Service(config) => {
                let service = service(*config).await?;
                Ok(service.check(&asked.request).await)
            }
        }
    })
}

/// As [`judge`], with what the verdict stood on.
pub(super) fn record(
    lists: &Lists,
    context: Context,
    chain: Vec<Certificate>,
) -> Result<Recorded, Failure> {
    let asked = Asked::new(lists, context, chain)?;
    let signers = asked.signers.as_deref();
    runtime::block_on(async {
        match asked.places {
            Places::Files(places) => {
                record_offline(&places, signers, asked.limits, &asked.request, time::now())
                    .await
                    .doing("--lists")
            }
            Places::Service(config) => {
                let service = service(*config).await?;
                service
                    .check_recorded(&asked.request)
                    .await
                    .doing("--lists")
            }
        }
    })
}

/// Gives `ask` the lists that a wallet's counterpart is looked up in: those of the
/// question, and those of `registrars`.
pub(super) fn look_up<T>(
    lists: &Lists,
    context: Context,
    registrars: &[OsString],
    ask: impl AsyncFnOnce(trust::counterpart::Lists<'_>) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let mut asked = Asked::new(lists, context, Vec::new())?;
    for place in registrars {
        let url = place.to_str().filter(|place| place.contains("://"));
        match (&mut asked.places, url) {
            (Places::Files(places), None) => places.push(place.into()),
            (Places::Service(config), Some(url)) => {
                let url = Url::parse(url).doing(url)?;
                let context = Context::RegistrationCertificate;
                let source = source(url, context, asked.signers.as_deref());
                config.sources.push(source);
            }
            _ => {
                let why = "--lists and --registrars: name either addresses or files, not both";
                return Err(Failure::new(why));
            }
        }
    }
    let limits = asked.limits;
    let signers = asked.signers.as_deref();
    runtime::block_on(async {
        match asked.places {
            Places::Files(places) => {
                let places = &places;
                ask(trust::counterpart::Lists::Files {
                    places,
                    signers,
                    limits,
                })
                .await
            }
            Places::Service(config) => {
                let service = service(*config).await?;
                ask(trust::counterpart::Lists::Service(&service)).await
            }
        }
    })
}

impl Lists {
    /// How revocation is taken.
    pub(super) fn revocation(&self) -> Revocation {
        self.revocation
    }

    /// Whether addresses on this machine are allowed.
    pub(super) fn allow_loopback(&self) -> bool {
        self.allow_loopback
    }

    /// The time the answer holds for.
    pub(super) fn at(&self) -> Timestamp {
        self.at.unwrap_or_else(time::now)
    }
}

async fn service(config: Config) -> Result<TrustService, Failure> {
    let service = TrustService::new(config, Arc::new(SystemClock)).doing("--lists")?;
    service.refresh().await;
    Ok(service)
}

/// A question as the command line puts it.
struct Asked {
    request: CheckRequest,
    signers: Option<Vec<Certificate>>,
    limits: Limits,
    places: Places,
}

enum Places {
    Files(Vec<PathBuf>),
    Service(Box<Config>),
}

impl Asked {
    fn new(lists: &Lists, context: Context, chain: Vec<Certificate>) -> Result<Self, Failure> {
        let request = CheckRequest {
            chain,
            context,
            policy: lists.policy,
            revocation: lists.revocation,
            at: lists.at.unwrap_or_else(time::now),
        };
        let signers = lists.signer.as_deref().map(input::certificates);
        let signers = signers.transpose()?;
        let limits = Limits {
            allow_insecure_loopback: lists.allow_loopback,
            ..Limits::default()
        };
        let urls: Vec<Url> = lists
            .lists
            .iter()
            .filter_map(|place| place.to_str())
            .filter(|place| place.contains("://"))
            .map(|place| Url::parse(place).doing(place))
            .collect::<Result<_, _>>()?;
        for place in &lists.lists {
            refuse_what_is_no_list(Path::new(place))?;
        }
        let places = match urls.len() {
            0 => Places::Files(lists.lists.iter().map(PathBuf::from).collect()),
            n if n == lists.lists.len() => {
                let sources = urls
                    .into_iter()
                    .map(|url| source(url, context, signers.as_deref()));
                Places::Service(Box::new(Config {
                    sources: sources.collect(),
                    limits,
                    ..Config::default()
                }))
            }
            _ => {
                return Err(Failure::new(
                    "--lists: name either addresses or files, not both",
                ));
            }
        };
        Ok(Self {
            request,
            signers,
            limits,
            places,
        })
    }
}

fn source(url: Url, context: Context, signers: Option<&[Certificate]>) -> Source {
    Source {
        profile: context.list(),
        location: Location::Url(url),
        signers: match signers {
            Some(signers) => SignerPolicy::Pinned(signers.to_vec()),
            None => SignerPolicy::Anyone,
        },
        mode: lote::Mode::Interop,
        upkeep: Upkeep::default(),
    }
}

/// In a folder, what is no list is passed over and reported. A file that was named
/// itself has to be one.
fn refuse_what_is_no_list(place: &Path) -> Result<(), Failure> {
    if !place.is_file() {
        return Ok(());
    }
    let bytes = input::read(place, input::LIST)?;
    let linted = lote::lint_bytes(&bytes, None, time::now());
    match (linted.list, linted.findings.first()) {
        (None, Some(why)) => Err(Failure::new(format!(
            "{}: not a list: {}",
            place.display(),
            why.evidence
        ))),
        _ => Ok(()),
    }
}
