//! `claviger wscd`: what a device can do, and whether it does what it must.

use std::io::Write;

use comfy_table::Cell;
use owo_colors::OwoColorize;
use serde::Serialize;
use wscd::conformance::{self, Outcome as Found, Scope};

use crate::exit::{Doing, Done, Outcome};
use crate::output::{self, Output, Report};
use crate::runtime;

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Run the conformance kit against a device that serves nobody: its root is
    /// rotated, so whatever hangs from it is erased
    Conformance(Conformance),
}

#[derive(Debug, clap::Args)]
pub(crate) struct Conformance {
    /// The device: software:, or software:PATH?key-file=FILE
    #[arg(long)]
    device: String,
    /// The device serves somebody: leave out what rotates or anchors. Such a run
    /// cannot pass
    #[arg(long)]
    in_use: bool,
}

pub(crate) fn run(command: &Command, output: Output) -> Done {
    let Command::Conformance(args) = command;
    let report = runtime::block_on(async {
        let device = wscd::open(&args.device).await.doing("the device")?;
        let scope = if args.in_use {
            Scope::InUse
        } else {
            Scope::Empty
        };
        Ok(conformance::run(device.as_ref(), scope).await)
    })?;
    let passed = report.passed();
    output.print(&Checked { passed, report })?;
    Ok(if passed { Outcome::Yes } else { Outcome::No })
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
        for check in &self.report.checks {
            let (result, evidence) = match &check.result {
                Found::Passed => ("passed".green().to_string(), String::new()),
                Found::Failed(evidence) => ("FAILED".red().to_string(), evidence.clone()),
                Found::NotOffered => ("not offered".yellow().to_string(), String::new()),
                Found::Skipped(why) => ("left out".yellow().to_string(), why.clone()),
            };
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
        writeln!(out, "{answer}, {} checks", self.report.checks.len())
    }
}
