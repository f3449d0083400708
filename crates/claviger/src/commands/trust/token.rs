//! `claviger trust token`: a token with its own chain; one of a wallet's
//! counterpart is answered in two halves.

use std::ffi::OsString;
use std::path::PathBuf;

use finding::Verdict;
use pki::Certificate;
use trust::counterpart::{Counterpart, CounterpartVerdict, Kind, Presented, Statuses};
use trust::{Context, Revocation};

use super::question::{Lists, Question, judge, look_up};
use crate::exit::{Doing, Done, Failure};
use crate::input;
use crate::output::Output;

#[derive(Debug, clap::Args)]
pub(crate) struct Token {
    /// The token: a compact JWS with its own x5c, or a registration certificate as
    /// a JWT or CWT. Signed issuer metadata, authorization requests and registration
    /// certificates are told by their typ, and answered in two halves: who are you,
    /// and what may you do
    file: PathBuf,
    #[command(flatten)]
    question: Question,
    /// What the token has to be; told by its typ, if absent
    #[arg(long)]
    kind: Option<Expected>,
    /// Where the lists of providers of registration certificates are, when --lists
    /// names addresses: lists, folders or addresses
    #[arg(long, num_args = 1..)]
    registrars: Vec<OsString>,
    /// Status list tokens at hand; others are fetched, unless --revocation is skip
    #[arg(long, num_args = 1..)]
    status: Vec<PathBuf>,
    /// The access certificate that belongs to a registration certificate by itself
    #[arg(long)]
    access: Option<PathBuf>,
    /// The client_id that came beside a request object
    #[arg(long)]
    client_id: Option<String>,
    /// The wallet's identifier, which a request may name as its audience
    #[arg(long)]
    wallet: Option<String>,
    /// The credential issuer identifier that metadata was fetched for
    #[arg(long)]
    issuer: Option<String>,
    /// The credential configuration that is wanted; absent, and all that is offered
    /// has to be registered
    #[arg(long)]
    configuration: Option<String>,
    /// Accept what is known of the wild, and report it: no signing time or digest in
    /// a registration certificate, x509_san_dns clients
    #[arg(long)]
    interop: bool,
}

/// The kinds of tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Expected {
    /// Signed credential-issuer metadata (OpenID4VCI)
    IssuerMetadata,
    /// An authorization request (OpenID4VP)
    AuthorizationRequest,
    /// A registration certificate (TS 119 475)
    Registration,
    /// Any JWS with its own x5c
    Plain,
}

pub(super) fn run(args: &Token, output: Output) -> Done {
    let bytes = input::read(&args.file, input::TOKEN)?;
    let kind = Kind::of(&bytes);
    if let Some(expected) = args.kind
        && expected != Expected::Plain
        && expected != Expected::of(kind)
    {
        let what = args.file.display();
        let why = format!(
            "{what}: by its form and typ it is of the kind {}",
            kind.name()
        );
        return Err(Failure::new(why));
    }
    let halves = args.kind != Some(Expected::Plain)
        && match args.question.context {
            Context::AccessCertificate => {
                matches!(kind, Kind::IssuerMetadata | Kind::AuthorizationRequest)
            }
            Context::RegistrationCertificate => kind == Kind::Registration,
            _ => false,
        };
    if halves {
        let verdict = counterpart(args, &bytes)?;
        output.print(&verdict)?;
        return Ok(verdict.answer().into());
    }
    let verdict = token(args)?;
    output.print(&verdict)?;
    Ok(verdict.trusted.into())
}

/// Who are you, and what may you do?
fn counterpart(args: &Token, token: &[u8]) -> Result<CounterpartVerdict, Failure> {
    let files = args.status.iter();
    let files = files.map(|file| input::read(file, input::STATUS_LIST));
    let files: Vec<Vec<u8>> = files.collect::<Result<_, _>>()?;
    let access = args.access.as_deref().map(input::certificates);
    let access = access.transpose()?.unwrap_or_default();
    let lists: &Lists = &args.question.lists;
    let client = match lists.revocation() {
        Revocation::Skip => None,
        _ => {
            let limits = outbound::Limits {
                allow_insecure_loopback: lists.allow_loopback(),
                ..outbound::Limits::default()
            };
            Some(outbound::Client::new(limits).doing("the HTTP client")?)
        }
    };
    let statuses = Statuses::of_files(files, client);
    look_up(
        lists,
        args.question.context,
        &args.registrars,
        async |places| {
            let counterpart = Counterpart {
                lists: places,
                statuses: &statuses,
                revocation: lists.revocation(),
                mode: match args.interop {
                    true => lote::Mode::Interop,
                    false => lote::Mode::Strict,
                },
                skew: jiff::SignedDuration::from_secs(60),
                at: lists.at(),
            };
            let presented = Presented {
                token,
                client_id: args.client_id.as_deref(),
                wallet: args.wallet.as_deref(),
                issuer: args.issuer.as_deref(),
                configuration: args.configuration.as_deref(),
                access: &access,
            };
            counterpart.judge(&presented).await.doing("--lists")
        },
    )
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

impl Expected {
    fn of(kind: Kind) -> Self {
        match kind {
            Kind::IssuerMetadata => Self::IssuerMetadata,
            Kind::AuthorizationRequest => Self::AuthorizationRequest,
            Kind::Registration => Self::Registration,
            Kind::Unknown => Self::Plain,
        }
    }
}

finding::rules! {
    TOKEN_SIGNATURE = "TRUST-TOKEN-SIGNATURE", "RFC 7515, 5.2", Error,
        "a token's signature verifies under the first certificate of its x5c";
}
