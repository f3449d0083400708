//! `claviger trust`: is this chain trusted for this purpose, at this time, and why.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clock::SystemClock;
use finding::Verdict;
use jiff::Timestamp;
use pki::Certificate;
use trust::{
    CheckRequest, Config, Context, Limits, Location, Policy, Revocation, SignerPolicy, Source,
    TrustService, check_offline,
};
use url::Url;

use crate::exit::{Doing, Done, Failure};
use crate::output::Output;
use crate::{input, runtime, time};

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Judge a certificate chain
    Check(Check),
    /// Judge the chain in a token's x5c, and the token's signature under it
    Token(Token),
}

/// What every question about trust has in common.
#[derive(Debug, clap::Args)]
pub(crate) struct Question {
    /// What it is to be trusted for: pid, pid-status, wallet, wallet-status,
    /// access-certificate, registration-certificate,
    /// registration-certificate-status, pub-eaa, pub-eaa-status, mdl or mdl-status
    #[arg(long)]
    context: Context,
    #[command(flatten)]
    lists: Lists,
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

#[derive(Debug, clap::Args)]
pub(crate) struct Check {
    /// The chain, leaf first: PEM, DER, or a JSON array as in x5c
    #[arg(long)]
    chain: PathBuf,
    #[command(flatten)]
    question: Question,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Token {
    /// The token: a compact JWS with its own x5c
    file: PathBuf,
    #[command(flatten)]
    question: Question,
}

fn policy(name: &str) -> Result<Policy, String> {
    Policy::from_name(name).ok_or_else(|| "direct-only or direct-or-pkix".to_owned())
}

pub(crate) fn run(command: &Command, output: Output) -> Done {
    let verdict = match command {
        Command::Check(args) => {
            let chain = input::certificates(&args.chain)?;
            judge(&args.question.lists, args.question.context, chain)?
        }
        Command::Token(args) => token(args)?,
    };
    output.print(&verdict)?;
    Ok(verdict.trusted.into())
}

/// A token is trusted when its chain is, and its signature verifies under the leaf.
fn token(args: &Token) -> Result<Verdict, Failure> {
    let what = || args.file.display();
    let text = input::read_text(&args.file, input::TOKEN)?;
    let size = usize::try_from(input::TOKEN).unwrap_or(usize::MAX);
    let token = jose::jws::parse(&text, size).doing(what())?;
    let ders = token
        .x5c()
        .doing(what())?
        .ok_or_else(|| Failure::new(format!("{}: it carries no x5c", what())))?;
    let chain = pki::chain::from_ders(&ders).doing(what())?;
    let key = chain
        .first()
        .map(Certificate::public_key)
        .ok_or_else(|| Failure::new(format!("{}: its x5c is empty", what())))?
        .doing(what())?;
    let mut verdict = judge(&args.question.lists, args.question.context, chain)?;
    if let Err(error) = token.verify(&key) {
        let finding = TOKEN_SIGNATURE.finding(what().to_string(), error.to_string());
        verdict.findings.push(finding);
        verdict.trusted = finding::Trusted::No;
    }
    Ok(verdict)
}

finding::rules! {
    TOKEN_SIGNATURE = "TRUST-TOKEN-SIGNATURE", "RFC 7515, 5.2", Error,
        "a token's signature verifies under the first certificate of its x5c";
}

/// Asks the lists that were named on the command line.
pub(crate) fn judge(
    lists: &Lists,
    context: Context,
    chain: Vec<Certificate>,
) -> Result<Verdict, Failure> {
    let request = CheckRequest {
        chain,
        context,
        policy: lists.policy,
        revocation: lists.revocation,
        at: lists.at.unwrap_or_else(time::now),
    };
    let signers = lists
        .signer
        .as_deref()
        .map(input::certificates)
        .transpose()?;
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
    runtime::block_on(async {
        if urls.is_empty() {
            let places: Vec<PathBuf> = lists.lists.iter().map(PathBuf::from).collect();
            return check_offline(&places, signers.as_deref(), limits, &request)
                .await
                .doing("--lists");
        }
        if urls.len() != lists.lists.len() {
            return Err(Failure::new(
                "--lists: name either addresses or files, not both",
            ));
        }
        let sources = urls
            .into_iter()
            .map(|url| Source {
                profile: request.context.list(),
                location: Location::Url(url),
                signers: match &signers {
                    Some(signers) => SignerPolicy::Pinned(signers.clone()),
                    None => SignerPolicy::Anyone,
                },
                mode: lote::Mode::Interop,
            })
            .collect();
        let config = Config {
            sources,
            limits,
            copies: None,
        };
        let service = TrustService::new(config, Arc::new(SystemClock)).doing("--lists")?;
        service.refresh().await;
        Ok(service.check(&request).await)
    })
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
