//! `claviger db`: the database is backed up, restored and checked.

mod backup;
mod check;
mod restore;

use std::io::Write;
use std::path::PathBuf;

use serde::Serialize;
use store::backup::Manifest;
use wallet_provider::KeyPurpose;
use wallet_provider::upkeep::Published;

use super::at_rest::{Found, Place};
use crate::exit::{Doing, Done, Failure};
use crate::input;
use crate::keys::KeyFolder;
use crate::output::{Output, Report};

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Write everything in the database into one file, while nodes go on working
    Backup(backup::Backup),
    /// Read a backup to its end and say what it holds
    Verify(backup::Verify),
    /// Put a backup into an empty database, and bring it up to what is published.
    /// Stop every node first
    Restore(restore::Restore),
    /// Bring a database that was restored by other means up to what is published.
    /// Stop every node first
    Reconcile(restore::Reconcile),
    /// Check that what the database holds fits together, and fits what is published
    Check(check::Check),
}

/// A database and what is published from it.
#[derive(Debug, clap::Args)]
pub(crate) struct Where {
    #[command(flatten)]
    place: Place,
    /// A certificate of the key that signs, or once signed, status lists (PEM); may be
    /// repeated. That of the configuration is taken as well
    #[arg(long)]
    status_certificate: Vec<PathBuf>,
}

pub(crate) fn run(command: &Command, output: Output) -> Done {
    match command {
        Command::Backup(args) => backup::backup(args, output),
        Command::Verify(args) => backup::verify(args, output),
        Command::Restore(args) => restore::restore(args, output),
        Command::Reconcile(args) => restore::reconcile(args, output),
        Command::Check(args) => check::run(args, output),
    }
}

/// The lists that are published, and the keys that they are verified with: those of the
/// certificates, and every generation that the data folder knows.
fn published(found: &Found, certificates: &[PathBuf]) -> Result<Published, Failure> {
    let mut keys = Vec::new();
    for path in certificates.iter().chain(&found.status_certificate) {
        if let Some(own) = input::certificates(path)?.first() {
            keys.push(own.public_key().doing(path.display())?);
        }
    }
    let files = KeyFolder::of(&found.data).read()?;
    let status = files
        .into_iter()
        .filter(|key| key.purpose == KeyPurpose::Status);
    keys.extend(status.map(|key| key.public_key));
    Published::in_folder(&found.status_folder, keys).doing("status lists")
}

/// A backup, as a report tells of it.
#[derive(Debug, Serialize)]
struct Held {
    file: String,
    #[serde(flatten)]
    manifest: Manifest,
}

impl Report for Held {
    fn for_people(&self, out: &mut dyn Write) -> std::io::Result<()> {
        let Manifest {
            made_at,
            made_from,
            schema,
            rows,
            lists,
            sha256,
        } = &self.manifest;
        writeln!(out, "backup   {}", self.file)?;
        writeln!(out, "made     {made_at}, from {made_from}")?;
        let last = schema.last().map_or(0, |step| step.0);
        writeln!(out, "schema   {} steps, to {last}", schema.len())?;
        let all: u64 = rows.values().sum();
        let units = rows.get("unit").copied().unwrap_or_default();
        writeln!(
            out,
            "holds    {all} rows, {units} units, {} lists",
            lists.len()
        )?;
        writeln!(out, "sha256   {sha256}")
    }
}
