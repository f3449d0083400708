//! `claviger status`: what a status list token says.

use std::io::Write;
use std::path::PathBuf;

use finding::{CertificateRef, Finding, Refusal, Rule};
use jiff::{SignedDuration, Timestamp};
use outbound::{Client, Fetched, Request};
use serde::Serialize;
use status_list::{
    Limits, Reference, StatusListCheck, TokenFormat, UnverifiedStatusList, VerifiedStatusList,
    rules,
};
use url::Url;

use crate::exit::{Doing, Done, Failure, Outcome};
use crate::output::{self, Output, Report};
use crate::{input, runtime, time};

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Read a status list token: its signature, its times, its entries
    Inspect(Inspect),
}

#[derive(Debug, clap::Args)]
pub(crate) struct Inspect {
    /// The token, as it is served: a file, or the https address of the list
    token: PathBuf,
    /// Show the status at this index
    #[arg(long)]
    index: Option<u64>,
    /// The URI it should be of; if absent, the address it was fetched from, or what
    /// it says itself
    #[arg(long)]
    uri: Option<String>,
    /// The form to ask an address for
    #[arg(long, value_enum, default_value = "jwt")]
    form: Form,
    /// The time the answer holds for (RFC 3339); now, if absent
    #[arg(long)]
    at: Option<Timestamp>,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Form {
    Jwt,
    Cwt,
}

impl Form {
    fn format(self) -> TokenFormat {
        match self {
            Self::Jwt => TokenFormat::Jwt,
            Self::Cwt => TokenFormat::Cwt,
        }
    }
}

pub(crate) fn run(command: &Command, output: Output) -> Done {
    match command {
        Command::Inspect(args) => inspect(args, output),
    }
}

fn inspect(args: &Inspect, output: Output) -> Done {
    let source = Source::read(args)?;
    let mut report = Inspected {
        file: args.token.display().to_string(),
        at: args.at.unwrap_or_else(time::now),
        form: source.format.media_type(),
        bytes: source.bytes.len(),
        signer: None,
        token: None,
        status: None,
        checks: Vec::new(),
        findings: Vec::new(),
    };
    match verify(&source, args, report.at, &mut report.signer) {
        Ok(list) => {
            report.findings = list.findings().to_vec();
            if let Some(index) = args.index {
                match list.status(&Reference::new(list.uri(), index)) {
                    Ok(status) => report.status = Some(status.to_string()),
                    Err(refusal) => report.findings.extend(refusal.into_findings()),
                }
            }
            report.token = Some(Token::of(&list));
        }
        Err(refusal) => report.findings = refusal.into_findings(),
    }
    report.checks = checks(&report.findings, args.index.is_some());
    output.print(&report)?;
    Ok(Outcome::of(&report.findings))
}

/// A token as it came.
struct Source {
    bytes: Vec<u8>,
    format: TokenFormat,
    /// Where it was fetched.
    address: Option<String>,
}

impl Source {
    fn read(args: &Inspect) -> Result<Self, Failure> {
        let address = |text: &&str| text.starts_with("https://") || text.starts_with("http://");
        let Some(text) = args.token.to_str().filter(address) else {
            let bytes = input::read(&args.token, input::STATUS_LIST)?;
            return Ok(Self {
                format: TokenFormat::of(&bytes),
                bytes,
                address: None,
            });
        };
        let url = Url::parse(text).doing(text)?;
        let format = args.form.format();
        let max = usize::try_from(input::STATUS_LIST).unwrap_or(usize::MAX);
        let request = Request::get(&url, max).accept(format.media_type());
        // A person named the address: it may be in a network of one's own.
        let client = Client::new(outbound::Limits {
            allow_insecure_loopback: true,
            allow_private_addresses: true,
            ..outbound::Limits::default()
        });
        let client = client.doing("the HTTP client")?;
        let fetched = runtime::block_on(async { client.fetch(&request).await.doing(text) })?;
        let Fetched::Body(response) = fetched else {
            return Err(Failure::new(format!("{text}: nothing was served")));
        };
        let told = response.content_type.unwrap_or_default();
        let Some(format) = TokenFormat::from_media_type(&told) else {
            return Err(Failure::new(format!(
                "{text}: {told:?} is not the media type of a status list token"
            )));
        };
        Ok(Self {
            bytes: response.bytes,
            format,
            address: Some(text.to_owned()),
        })
    }
}

/// Reads the token under its own certificate. Whether that certificate is to be
/// trusted is another question (`trust token --context wallet-status`).
fn verify(
    source: &Source,
    args: &Inspect,
    at: Timestamp,
    signer: &mut Option<CertificateRef>,
) -> Result<VerifiedStatusList, Refusal> {
    let token = UnverifiedStatusList::parse_as(source.format, &source.bytes, &Limits::default())?;
    let leaf = token.x5c().first().ok_or_else(|| {
        Refusal::because(
            &rules::FORMAT,
            "header/x5c",
            "absent: there is no key to read the token under",
        )
    })?;
    let not_a_signer = |error: &dyn std::error::Error| {
        Refusal::because(&rules::FORMAT, "header/x5c", error.to_string())
    };
    let leaf = pki::Certificate::from_der(leaf).map_err(|error| not_a_signer(&error))?;
    *signer = Some(leaf.to_ref());
    let key = leaf.public_key().map_err(|error| not_a_signer(&error))?;
    let uri = match args.uri.as_ref().or(source.address.as_ref()) {
        Some(uri) => uri.clone(),
        None => token.claimed_uri().unwrap_or_default(),
    };
    token.verify(&StatusListCheck {
        uri: &uri,
        key: &key,
        at,
        skew: SignedDuration::from_secs(60),
    })
}

/// What is checked, in its order, and by which rules; and whether nothing after it is
/// looked at where it does not hold.
const CHECKS: [(&str, &[&Rule], Then); 6] = [
    (
        "form",
        &[
            &rules::SIZE,
            &rules::FORMAT,
            &rules::TYP,
            &rules::ALG,
            &rules::CRIT,
            &rules::X5C,
        ],
        Then::Stop,
    ),
    ("signature", &[&rules::SIGNATURE], Then::Stop),
    ("subject", &[&rules::SUB], Then::GoOn),
    (
        "times",
        &[
            &rules::IAT,
            &rules::EXP,
            &rules::EXPIRED,
            &rules::TTL,
            &rules::NBF,
        ],
        Then::GoOn,
    ),
    (
        "list",
        &[&rules::LIST, &rules::LIST_SIZE, &rules::AGGREGATION],
        Then::GoOn,
    ),
    ("index", &[&rules::INDEX], Then::GoOn),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Then {
    Stop,
    GoOn,
}

/// How each check came out, by what was found.
fn checks(findings: &[Finding], index: bool) -> Vec<Check> {
    let mut stopped = false;
    let mut checks = Vec::new();
    let errors: Vec<&Finding> = findings
        .iter()
        .filter(|finding| finding.severity == finding::Severity::Error)
        .collect();
    for (check, by, then) in CHECKS {
        let broken = errors
            .iter()
            .any(|finding| by.iter().any(|rule| finding.rule == rule.id));
        let asked = check != "index" || (index && (broken || errors.is_empty()));
        let result = match (stopped || !asked, broken) {
            (true, _) => CheckResult::NotReached,
            (false, true) => CheckResult::Broken,
            (false, false) => CheckResult::Holds,
        };
        stopped |= broken && then == Then::Stop;
        if check != "index" || index {
            checks.push(Check { check, result });
        }
    }
    checks
}

#[derive(Serialize)]
struct Check {
    check: &'static str,
    result: CheckResult,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum CheckResult {
    Holds,
    Broken,
    NotReached,
}

#[derive(Serialize)]
struct Inspected {
    /// The file or address.
    file: String,
    at: Timestamp,
    /// The media type of the form it has.
    form: &'static str,
    /// The token's size.
    bytes: usize,
    signer: Option<CertificateRef>,
    #[serde(flatten)]
    token: Option<Token>,
    /// The status at the index that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<String>,
    checks: Vec<Check>,
    findings: Vec<Finding>,
}

#[derive(Serialize)]
struct Token {
    uri: String,
    issued: Timestamp,
    expires: Option<Timestamp>,
    ttl_seconds: Option<i64>,
    aggregation_uri: Option<String>,
    bits: u8,
    entries: u64,
    /// How many entries are not VALID.
    set: u64,
}

impl Token {
    fn of(token: &VerifiedStatusList) -> Self {
        let list = token.list();
        Self {
            uri: token.uri().to_owned(),
            issued: token.issued(),
            expires: token.expires(),
            ttl_seconds: token.ttl().map(|ttl| ttl.as_secs()),
            aggregation_uri: token.aggregation_uri().map(str::to_owned),
            bits: list.bits().count(),
            entries: list.len(),
            set: list.not_valid(),
        }
    }
}

impl Report for Inspected {
    fn for_people(&self, out: &mut dyn Write) -> std::io::Result<()> {
        writeln!(out, "form     {}, {} bytes", self.form, self.bytes)?;
        if let Some(token) = &self.token {
            writeln!(out, "list     {}", token.uri)?;
            write!(out, "issued   {}", token.issued)?;
            match token.expires {
                Some(expires) => write!(out, ", until {expires}")?,
                None => write!(out, ", without an end")?,
            }
            match token.ttl_seconds {
                Some(ttl) => writeln!(out, ", to be fetched again after {ttl} s")?,
                None => writeln!(out)?,
            }
            if let Some(all) = &token.aggregation_uri {
                writeln!(out, "all      {all}")?;
            }
            writeln!(
                out,
                "entries  {} of {} bit{}, {} of them not valid",
                token.entries,
                token.bits,
                if token.bits == 1 { "" } else { "s" },
                token.set
            )?;
        }
        if let Some(signer) = &self.signer {
            writeln!(
                out,
                "signer   {} (its trust is not judged here)",
                signer.subject
            )?;
        }
        let checks: Vec<String> = self
            .checks
            .iter()
            .map(|Check { check, result }| match result {
                CheckResult::Holds => format!("{check} holds"),
                CheckResult::Broken => format!("{check} is broken"),
                CheckResult::NotReached => format!("{check} was not reached"),
            })
            .collect();
        writeln!(out, "checked  {}", checks.join(", "))?;
        if let Some(status) = &self.status {
            writeln!(out, "status   {status}")?;
        }
        output::findings(out, &self.findings)
    }
}
