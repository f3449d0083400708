//! `claviger config`: whether a configuration holds.

use std::io::Write;
use std::path::PathBuf;

use serde::Serialize;

use crate::exit::{Done, Outcome};
use crate::output::{Output, Report};
use crate::settings::Settings;

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Read a configuration and say whether it holds. The files that it names and the
    /// device are not opened: `claviger serve` may still refuse them
    Check(Check),
}

#[derive(Debug, clap::Args)]
pub(crate) struct Check {
    /// The configuration (TOML); CLAVIGER_* variables override it
    file: PathBuf,
}

pub(crate) fn run(command: &Command, output: Output) -> Done {
    let Command::Check(args) = command;
    let settings = Settings::read(&args.file)?;
    output.print(&Checked {
        file: args.file.display().to_string(),
        development: settings.development,
        listen: settings.listen.to_string(),
        ignored: settings.ignored,
    })?;
    Ok(Outcome::Yes)
}

#[derive(Serialize)]
struct Checked {
    file: String,
    development: bool,
    listen: String,
    /// The `CLAVIGER_*` variables that are no setting.
    ignored: Vec<String>,
}

impl Report for Checked {
    fn for_people(&self, out: &mut dyn Write) -> std::io::Result<()> {
        let mode = if self.development {
            "DEVELOPMENT: not for real users"
        } else {
            "production"
        };
        for name in &self.ignored {
            writeln!(out, "{name} is no setting and is left alone")?;
        }
        writeln!(
            out,
            "{} holds: {mode}, listening on {}\n\
             the files it names and the device are not opened",
            self.file, self.listen
        )
    }
}
