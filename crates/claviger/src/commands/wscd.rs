//! `claviger wscd`: what a device can do, and whether it does what it must.

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use comfy_table::Cell;
use owo_colors::OwoColorize;
use serde::Serialize;
use wscd::Wscd;
use wscd::conformance::{self, Check, Marks, Outcome as Found, Scope};
use wscd_pkcs11::{Ceremony, PinSource};

use super::wscd_rotate;
use crate::exit::{Doing, Done, Failure, Outcome};
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
    /// Replace the root of the key tree: what was destroyed becomes unreadable in every
    /// copy of the database. An interrupted rotation is taken up
    Rotate(wscd_rotate::Args),
}

#[derive(Debug, clap::Args)]
pub(crate) struct Init {
    /// The token: pkcs11:token=LABEL?module-path=FILE&pin-source=FILE. Further ones
    /// that are to hold the same keys: &replica=pkcs11:token=LABEL, each. Their keys
    /// come there by their maker's means; where it has none (test tokens), with
    /// &keys=replicated, by ours
    #[arg(long)]
    device: String,
    /// The file that holds the security officer's PIN, if a token itself is yet to
    /// be made
    #[arg(long, value_name = "FILE", conflicts_with = "so_pin_env")]
    so_pin_source: Option<PathBuf>,
    /// The environment variable that holds it
    #[arg(long, value_name = "NAME")]
    so_pin_env: Option<String>,
    /// Give up tokens of the set that the device does not name: what they alone
    /// remember is lost, and if they come back they are not let in
    #[arg(long)]
    without_missing: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Conformance {
    /// The device: software:, software:PATH?key-file=FILE, or
    /// pkcs11:token=LABEL?module-path=FILE&pin-source=FILE (see `wscd init`)
    #[arg(long)]
    device: String,
    /// The device serves somebody: leave out what rotates or anchors. Such a run
    /// cannot pass
    #[arg(long)]
    in_use: bool,
    /// The device has served somebody, and may lose every key that hangs from its root
    #[arg(long, conflicts_with = "in_use")]
    erase: bool,
}

pub(crate) fn run(command: &Command, output: Output) -> Done {
    match command {
        Command::Init(args) => init(args, output),
        Command::Conformance(args) => conform(args, output),
        Command::Rotate(args) => wscd_rotate::run(args, output),
    }
}

fn init(args: &Init, output: Output) -> Done {
    let file = args.so_pin_source.clone().map(PinSource::File);
    let ceremony = Ceremony {
        so_pin: file.or_else(|| args.so_pin_env.clone().map(PinSource::Env)),
        without_missing: args.without_missing,
    };
    let made = runtime::block_on(async {
        wscd_pkcs11::init_as(&args.device, ceremony)
            .await
            .doing("the device")
    })?;
    output.print(&Made {
        token_made: made.token_made,
        objects_made: made.objects_made,
        set_made: made.set_made,
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
        if scope == Scope::Empty && !args.erase && has_served(&*device).await? {
            return Err(Failure::new(
                "this device serves somebody: it remembers a WSCA's state, and a run would \
                 erase every key. Use --in-use, or --erase if nobody needs them any more",
            ));
        }
        let mut report = conformance::run(device.as_ref(), scope).await;
        if crate::device::is_kept(&args.device) {
            report.checks.push(restart(device, &args.device).await?);
        }
        Ok(report)
    })?;
    let passed = report.passed();
    output.print(&Checked { passed, report })?;
    Ok(if passed { Outcome::Yes } else { Outcome::No })
}

/// Whether a WSCA has anchored its state in the device: the first shard's anchor is
/// written when its database is made.
async fn has_served(device: &dyn Wscd) -> Result<bool, Failure> {
    let anchor = device.read_anchor(0).await.doing("the device")?;
    Ok(anchor.is_some())
}

/// Closes the device and opens it again: what was left in it must be there.
async fn restart(device: Arc<dyn Wscd>, uri: &str) -> Result<Check, Failure> {
    let marks = Marks::leave(device.as_ref()).await;
    drop(device);
    let device = crate::device::open(uri).await?;
    Ok(match marks {
        Ok(marks) => marks.check(device.as_ref()).await,
        Err(evidence) => Marks::not_left(evidence),
    })
}

#[derive(Serialize)]
struct Made {
    token_made: bool,
    objects_made: Vec<String>,
    set_made: bool,
}

impl Report for Made {
    fn for_people(&self, out: &mut dyn Write) -> std::io::Result<()> {
        if self.token_made {
            writeln!(out, "the token was made")?;
        }
        if self.set_made {
            writeln!(out, "the tokens are a set")?;
        }
        match self.objects_made.as_slice() {
            [] if self.set_made => Ok(()),
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
        let of_what = format!("{} ({})", self.report.model, self.report.backend);
        writeln!(out, "{}", of_what.bold())?;
        let mut table = output::table(&["check", "what it shows", "requirement", "result"]);
        let mut counts = [0_usize; 4];
        for check in &self.report.checks {
            let (kind, result) = match &check.result {
                Found::Passed => (0, "passed".to_owned()),
                Found::Failed(evidence) => (1, format!("FAILED: {evidence}")),
                Found::NotOffered if check.mandatory => {
                    (1, "NOT OFFERED, and it must be".to_owned())
                }
                Found::NotOffered => (2, "not offered".to_owned()),
                Found::Skipped(why) => (3, format!("left out: {why}")),
            };
            if let Some(count) = counts.get_mut(kind) {
                *count += 1;
            }
            table.add_row(vec![
                Cell::new(check.id.strip_prefix("WSCD-").unwrap_or(check.id)),
                Cell::new(check.says),
                Cell::new(check.requirement),
                Cell::new(result),
            ]);
        }
        writeln!(out, "{table}")?;
        let [passed, failed, absent, skipped] = counts;
        let answer = if self.passed {
            "conforms".green().bold().to_string()
        } else {
            "does not conform".red().bold().to_string()
        };
        write!(
            out,
            "{answer}: {passed} passed, {failed} failed, {absent} not offered"
        )?;
        if skipped > 0 {
            write!(out, ", {skipped} left out")?;
        }
        writeln!(out)
    }
}
