//! `claviger status`: what a status list token says.

use std::io::Write;
use std::path::PathBuf;

use finding::{CertificateRef, Finding, Refusal};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use status_list::{Limits, StatusListCheck, UnverifiedStatusList, VerifiedStatusList};

use crate::exit::{Done, Failure, Outcome};
use crate::output::{self, Output, Report};
use crate::{input, time};

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Read a status list token: its signature, its times, its entries
    Inspect(Inspect),
}

#[derive(Debug, clap::Args)]
pub(crate) struct Inspect {
    /// The token, as it is served
    file: PathBuf,
    /// Show the status at this index
    #[arg(long)]
    index: Option<u64>,
    /// The URI it should be of; what it says itself, if absent
    #[arg(long)]
    uri: Option<String>,
    /// The time the answer holds for (RFC 3339); now, if absent
    #[arg(long)]
    at: Option<Timestamp>,
}

pub(crate) fn run(command: &Command, output: Output) -> Done {
    match command {
        Command::Inspect(args) => inspect(args, output),
    }
}

fn inspect(args: &Inspect, output: Output) -> Done {
    let bytes = input::read(&args.file, input::STATUS_LIST)?;
    let mut report = Inspected {
        file: args.file.display().to_string(),
        at: args.at.unwrap_or_else(time::now),
        signer: None,
        token: None,
        status: None,
        findings: Vec::new(),
    };
    match read(&bytes, args, report.at, &mut report.signer) {
        Ok(list) => {
            report.findings = list.findings().to_vec();
            if let Some(index) = args.index {
                match list.list().get(index) {
                    Ok(status) => report.status = Some(status.to_string()),
                    Err(error) => {
                        return Err(Failure::of(args.file.display(), &error));
                    }
                }
            }
            report.token = Some(Token::of(&list));
        }
        Err(refusal) => report.findings = refusal.into_findings(),
    }
    output.print(&report)?;
    Ok(Outcome::of(&report.findings))
}

/// Reads the token under its own certificate. Whether that certificate is to be
/// trusted is another question (`trust token --context wallet-status`).
fn read(
    bytes: &[u8],
    args: &Inspect,
    at: Timestamp,
    signer: &mut Option<CertificateRef>,
) -> Result<VerifiedStatusList, Refusal> {
    let token = UnverifiedStatusList::parse(bytes, &Limits::default())?;
    let leaf = token.x5c().first().ok_or_else(|| {
        Refusal::because(
            &status_list::rules::FORMAT,
            "header/x5c",
            "absent: there is no key to read the token under",
        )
    })?;
    let not_a_signer = |error: &dyn std::error::Error| {
        Refusal::because(&status_list::rules::FORMAT, "header/x5c", error.to_string())
    };
    let leaf = pki::Certificate::from_der(leaf).map_err(|error| not_a_signer(&error))?;
    *signer = Some(leaf.to_ref());
    let key = leaf.public_key().map_err(|error| not_a_signer(&error))?;
    let uri = match &args.uri {
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

#[derive(Serialize)]
struct Inspected {
    file: String,
    at: Timestamp,
    signer: Option<CertificateRef>,
    #[serde(flatten)]
    token: Option<Token>,
    /// The status at the index that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<String>,
    findings: Vec<Finding>,
}

#[derive(Serialize)]
struct Token {
    uri: String,
    issued: Timestamp,
    expires: Option<Timestamp>,
    ttl_seconds: Option<i64>,
    bits: u8,
    entries: u64,
    /// How many entries are not VALID.
    set: u64,
}

impl Token {
    fn of(token: &VerifiedStatusList) -> Self {
        let list = token.list();
        let set = (0..list.len())
            .filter(|index| list.get(*index).is_ok_and(|status| !status.is_valid()))
            .count();
        Self {
            uri: token.uri().to_owned(),
            issued: token.issued(),
            expires: token.expires(),
            ttl_seconds: token.ttl().map(|ttl| ttl.as_secs()),
            bits: list.bits().count(),
            entries: list.len(),
            set: u64::try_from(set).unwrap_or(u64::MAX),
        }
    }
}

impl Report for Inspected {
    fn for_people(&self, out: &mut dyn Write) -> std::io::Result<()> {
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
        if let Some(status) = &self.status {
            writeln!(out, "status   {status}")?;
        }
        output::findings(out, &self.findings)
    }
}
