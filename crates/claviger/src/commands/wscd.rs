//! `claviger wscd`: what a device can do, and whether it does what it must.

use std::io::Write;
use std::path::PathBuf;

use comfy_table::Cell;
use owo_colors::OwoColorize;
use serde::Serialize;
use wscd::conformance::{self, Outcome as Found, Scope};
use wscd_pkcs11::PinSource;

use crate::exit::{Doing, Done, Outcome};
use crate::output::{self, Output, Report};
use crate::runtime;

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Set a token up: the root of the key tree and the keys beside it. What is
    /// there already stays
    Init(Init),
    /// Run the conformance kit against a device that serves nobody: its root is
    /// rotated, so whatever hangs from it is erased
    Conformance(Conformance),
}

#[derive(Debug, clap::Args)]
pub(crate) struct Init {
    /// The token: pkcs11:token=LABEL?module-path=FILE&pin-source=FILE
    #[arg(long)]
    device: String,
    /// The file that holds the security officer's PIN, if the token itself is yet
    /// to be made
    #[arg(long)]
    so_pin_source: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Conformance {
    /// The device: software:, software:PATH?key-file=FILE, or
    /// pkcs11:token=LABEL?module-path=FILE&pin-source=FILE
    #[arg(long)]
    device: String,
    /// The device serves somebody: leave out what rotates or anchors. Such a run
    /// cannot pass
    #[arg(long)]
    in_use: bool,
}

pub(crate) fn run(command: &Command, output: Output) -> Done {
    match command {
        Command::Init(args) => init(args, output),
        Command::Conformance(args) => conform(args, output),
    }
}

fn init(args: &Init, output: Output) -> Done {
    let so_pin = args.so_pin_source.clone().map(PinSource::File);
    let made = runtime::block_on(async {
        wscd_pkcs11::init(&args.device, so_pin)
            .await
            .doing("the device")
    })?;
    output.print(&Made {
        token_made: made.token_made,
        objects_made: made.objects_made,
    })?;
    Ok(Outcome::Yes)
}

fn conform(args: &Conformance, output: Output) -> Done {
    let report = runtime::block_on(async {
        let device = crate::device::open(&args.device).await?;
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
struct Made {
    token_made: bool,
    objects_made: Vec<String>,
}

impl Report for Made {
    fn for_people(&self, out: &mut dyn Write) -> std::io::Result<()> {
        if self.token_made {
            writeln!(out, "the token was made")?;
        }
        match self.objects_made.as_slice() {
            [] => writeln!(out, "everything was there already"),
            made => writeln!(out, "made: {}", made.join(", ")),
        }
    }
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
