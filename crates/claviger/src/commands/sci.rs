//! `claviger sci`: whether a WSCA does what it must for its users.

mod local;
mod remote;

use std::io::Write;
use std::path::PathBuf;

use comfy_table::Cell;
use owo_colors::OwoColorize;
use sci::conformance::{self, Harness, Outcome as Found};
use serde::Serialize;

use crate::exit::{Done, Failure, Outcome};
use crate::output::{self, Output, Report};
use crate::{logging, runtime};

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Run the conformance kit against a WSCA. It makes units of its own, and destroys
    /// them
    Conformance(Conformance),
}

#[derive(Debug, clap::Args)]
#[group(id = "asked", required = true, multiple = false, args = ["wsca", "device"])]
pub(crate) struct Conformance {
    /// The WSCA: https://HOST, or http:// on loopback. Units are activated at its
    /// wallet provider, which must take activations without evidence
    #[arg(long)]
    wsca: Option<String>,
    /// The wallet provider, where it is not at the WSCA's address
    #[arg(long, requires = "wsca")]
    provider: Option<String>,
    /// The CA that their certificates chain to (PEM), besides those of the system
    #[arg(long, requires = "wsca")]
    ca: Option<PathBuf>,
    /// A device: Claviger's own WSCA is started over it, with a clock and a process
    /// that the kit may move and restart: software:, pkcs11:…
    #[arg(long)]
    device: Option<String>,
}

pub(crate) fn run(command: &Command, output: Output) -> Done {
    let Command::Conformance(args) = command;
    logging::start_quiet();
    let report = runtime::block_on(async {
        match (&args.wsca, &args.device) {
            (Some(url), _) => {
                let provider = args.provider.as_deref().unwrap_or(url);
                let harness = remote::Elsewhere::new(url, provider, args.ca.as_deref())?;
                run_kit(&harness, output).await
            }
            (None, Some(device)) => {
                let harness = local::Here::start(device).await?;
                let report = run_kit(&harness, output).await;
                harness.close().await;
                report
            }
            (None, None) => Err(Failure::new("--wsca or --device is needed")),
        }
    })?;
    let passed = report.passed();
    output.print(&Checked { passed, report })?;
    Ok(if passed { Outcome::Yes } else { Outcome::No })
}

async fn run_kit(harness: &dyn Harness, output: Output) -> Result<conformance::Report, Failure> {
    let count = u64::try_from(conformance::checks().count()).unwrap_or(0);
    let bar = output.progress(count, "{bar:30} {pos}/{len} {msg}");
    let progress = |id: &'static str| {
        bar.set_message(id);
        bar.inc(1);
    };
    let report = conformance::run(harness, &progress).await;
    bar.finish_and_clear();
    report.map_err(|why| Failure::new(format!("the WSCA: {why}")))
}

#[derive(Serialize)]
struct Checked {
    passed: bool,
    #[serde(flatten)]
    report: conformance::Report,
}

impl Report for Checked {
    fn for_people(&self, out: &mut dyn Write) -> std::io::Result<()> {
        let mut table = output::table(&["check", "requirement", "result", ""]);
        let mut counts = [0_usize; 4];
        for check in &self.report.checks {
            let (kind, result, evidence) = match &check.result {
                Found::Passed => (0, "passed", String::new()),
                Found::Failed(evidence) => (1, "FAILED", evidence.clone()),
                Found::NotOffered if check.mandatory => {
                    let why = "mandatory for a WSCA of this architecture".to_owned();
                    (2, "NOT OFFERED", why)
                }
                Found::NotOffered => (2, "not offered", String::new()),
                Found::NotTried(why) => (3, "not tried", why.clone()),
            };
            if let Some(count) = counts.get_mut(kind) {
                *count += 1;
            }
            table.add_row(vec![
                Cell::new(format!("{}\n{}", check.id, check.says)),
                Cell::new(check.requirement),
                Cell::new(result),
                Cell::new(evidence),
            ]);
        }
        writeln!(out, "{table}")?;
        let answer = if self.passed {
            "conforms".green().to_string()
        } else {
            "does not conform".red().to_string()
        };
        let [passed, failed, not_offered, not_tried] = counts;
        writeln!(
            out,
            "{answer}: {}, {passed} passed, {failed} failed, {not_offered} not offered, {not_tried} not tried",
            self.report.model
        )
    }
}
