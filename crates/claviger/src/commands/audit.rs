//! `claviger audit`: is the WSCA's log what was written?

use std::io::Write;
use std::path::PathBuf;

use jose::PublicKey;
use owo_colors::OwoColorize;
use sci::audit::Receipt;
use serde::Serialize;
use wsca::WscaStore;
use wsca::audit_check::{self, AuditReport, Known};
use wsca::rules::{AUDIT_KEY, AUDIT_TRUNCATED};
use wscd::{KeyName, KeyUse};

use super::at_rest::{AtRest, Place};
use crate::exit::{Doing, Done, Failure, Outcome};
use crate::output::{self, Output, Report, TIMED};
use crate::{input, runtime};

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Check the log against its own chain, its signed checkpoints, those kept
    /// elsewhere, receipts, and what the device remembers
    Verify(Verify),
    /// Sign a checkpoint over what the log says now, and print it, to be kept elsewhere
    Checkpoint(Checkpoint),
}

#[derive(Debug, clap::Args)]
pub(crate) struct Verify {
    #[command(flatten)]
    place: Place,
    /// A checkpoint that was kept elsewhere; may be repeated
    #[arg(long)]
    checkpoint: Vec<PathBuf>,
    /// A receipt that a client holds (JSON), or an array of them; may be repeated
    #[arg(long)]
    receipt: Vec<PathBuf>,
    /// The key that checkpoints are signed with (JWK), where the device is not at hand
    #[arg(long)]
    key: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Checkpoint {
    #[command(flatten)]
    place: Place,
}

pub(crate) fn run(command: &Command, output: Output) -> Done {
    match command {
        Command::Verify(args) => verify(args, output),
        Command::Checkpoint(args) => checkpoint(args, output),
    }
}

fn verify(args: &Verify, output: Output) -> Done {
    let report = runtime::block_on(async {
        let at_rest = args.place.open().await?;
        let known = known(args, &at_rest).await?;
        let end = at_rest.store.audit_end().await.doing("the audit log")?;
        let progress = output.progress(end.map_or(0, |end| end.sequence), TIMED);
        let report = audit_check::check(&*at_rest.store, &known, |done| {
            progress.set_position(done);
        })
        .await
        .doing("the audit log")?;
        progress.finish_and_clear();
        at_rest.database.close().await;
        Ok::<_, Failure>(Verified { report })
    })?;
    let findings = &report.report.findings;
    let outcome = match Outcome::of(findings) {
        // Nobody has said whose checkpoints these are.
        Outcome::Yes if findings.iter().any(|found| found.is(&AUDIT_KEY)) => Outcome::Undecided,
        outcome => outcome,
    };
    output.print(&report)?;
    Ok(outcome)
}

async fn known(args: &Verify, at_rest: &AtRest) -> Result<Known, Failure> {
    let mut known = Known::default();
    for path in &args.checkpoint {
        known
            .checkpoints
            .push(input::read_text(path, input::TOKEN)?);
    }
    for path in &args.receipt {
        known.receipts.extend(receipts(path)?);
    }
    if let Some(path) = &args.key {
        let text = input::read_text(path, 4096)?;
        let jwk = serde_json::from_str(&text).doing(path.display())?;
        known.key = Some(PublicKey::from_jwk(&jwk).doing(path.display())?);
    }
    let (device, _) = of_device(at_rest).await?;
    known.anchor = device.anchor;
    known.key = known.key.or(device.key);
    Ok(known)
}

/// What the device knows of the log, or why it was not asked. Without one to be had,
/// the log is checked as far as it can be, and the report says how far that is.
pub(super) async fn of_device(at_rest: &AtRest) -> Result<(Known, Option<Failure>), Failure> {
    let mut known = Known::default();
    let mut not_asked = None;
    match at_rest.device().await {
        Ok(device) => {
            known.anchor = audit_check::anchor(&*device).await.doing("the device")?;
            let name = KeyName::new("wsca-audit").doing("the device")?;
            let key = device.named_key(&name, jose::Curve::P256, KeyUse::Sign);
            known.key = Some(key.await.doing("the device")?);
        }
        Err(failure) => {
            anstream::eprintln!("{failure}: going on without the device");
            not_asked = Some(failure);
        }
    }
    Ok((known, not_asked))
}

fn receipts(path: &std::path::Path) -> Result<Vec<Receipt>, Failure> {
    #[derive(serde::Deserialize)]
    #[serde(untagged)]
    enum OneOrMore {
        One(Receipt),
        More(Vec<Receipt>),
    }
    let text = input::read_text(path, input::TOKEN)?;
    Ok(match serde_json::from_str(&text).doing(path.display())? {
        OneOrMore::One(receipt) => vec![receipt],
        OneOrMore::More(receipts) => receipts,
    })
}

fn checkpoint(args: &Checkpoint, output: Output) -> Done {
    let signed = runtime::block_on(async {
        let at_rest = args.place.open().await?;
        let wsca = at_rest.wsca().await?;
        wsca.checkpoint().await.doing("the audit log")?;
        let last = at_rest.store.last_checkpoint().await;
        let signed = last.doing("the audit log")?.map(|row| Signed {
            sequence: row.sequence,
            checkpoint: row.token,
            key: wsca.audit_key().to_jwk(),
        });
        at_rest.database.close().await;
        Ok::<_, Failure>(signed)
    })?;
    let signed = signed.ok_or_else(|| Failure::new("the audit log is empty"))?;
    output.print(&signed)?;
    Ok(Outcome::Yes)
}

#[derive(Serialize)]
struct Signed {
    sequence: u64,
    checkpoint: String,
    key: serde_json::Value,
}

impl Report for Signed {
    /// The checkpoint alone, so that it can be redirected into a file.
    fn for_people(&self, out: &mut dyn Write) -> std::io::Result<()> {
        writeln!(out, "{}", self.checkpoint)
    }
}

#[derive(Serialize)]
struct Verified {
    #[serde(flatten)]
    report: AuditReport,
}

impl Report for Verified {
    fn for_people(&self, out: &mut dyn Write) -> std::io::Result<()> {
        let report = &self.report;
        let wrong = finding::has_errors(&report.findings);
        let short = report.findings.iter().any(|f| f.is(&AUDIT_TRUNCATED));
        let answer = match (wrong, short, &report.key) {
            (true, true, _) => format!("{}", "cut short".red().bold()),
            (true, false, _) => format!("{}", "altered".red().bold()),
            (false, _, None) => format!("{}", "undecided".yellow().bold()),
            (false, _, Some(_)) => format!("{}", "whole".green().bold()),
        };
        let entries = output::counted(report.entries, "entry", "entries");
        writeln!(out, "{answer}  {entries}")?;
        let checkpoints = output::counted(report.checkpoints, "checkpoint", "checkpoints");
        writeln!(out, "covered  to entry {} by {checkpoints}", report.covered)?;
        writeln!(out, "head     entry {}, {}", report.last, report.head)?;
        if let Some(key) = &report.key {
            writeln!(out, "key      {key}")?;
        }
        output::findings(out, &report.findings)
    }
}
