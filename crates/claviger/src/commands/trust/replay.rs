//! `claviger trust replay`: the same verdict from a bundle, offline, later.

use std::io::Write;
use std::path::PathBuf;

use finding::{Finding, Trusted, Verdict};
use owo_colors::OwoColorize;
use serde::Serialize;
use trust::{MAX_BUNDLE, Pins};

use crate::exit::{Done, Outcome};
use crate::input;
use crate::output::{self, Output, Report};

#[derive(Debug, clap::Args)]
pub(crate) struct Replay {
    /// The bundle, as `claviger trust bundle` wrote it
    file: PathBuf,
    /// The certificates that must have sealed the lists (PEM or DER); without them
    /// the bundle's own word is taken for whose seals were accepted
    #[arg(long)]
    signer: Option<PathBuf>,
    /// The digest that was printed when the bundle was written
    #[arg(long)]
    sha256: Option<String>,
}

#[derive(Debug, Serialize)]
struct Replayed {
    /// Whether the evidence gives the verdict that was recorded.
    replayed: bool,
    /// The digest of the bundle, where it could be read.
    sha256: Option<String>,
    /// The verdict, where it follows from the evidence.
    verdict: Option<Verdict>,
    /// Why it does not.
    findings: Vec<Finding>,
}

pub(super) fn run(args: &Replay, output: Output) -> Done {
    let most = u64::try_from(MAX_BUNDLE).unwrap_or(u64::MAX);
    let bytes = input::read(&args.file, most)?;
    let signers = args.signer.as_deref().map(input::certificates);
    let pins = Pins {
        signers: signers.transpose()?,
        digest: args.sha256.clone(),
    };
    let read = trust::Bundle::from_json(&bytes);
    let sha256 = read.as_ref().ok().map(trust::Bundle::digest);
    let (verdict, findings) = match read.and_then(|bundle| bundle.replay(&pins)) {
        Ok(verdict) => (Some(verdict), Vec::new()),
        Err(refusal) => (None, refusal.into_findings()),
    };
    let report = Replayed {
        replayed: verdict.is_some(),
        sha256,
        verdict,
        findings,
    };
    output.print(&report)?;
    Ok(report
        .verdict
        .map_or(Outcome::from(Trusted::No), |verdict| verdict.trusted.into()))
}

impl Report for Replayed {
    fn for_people(&self, out: &mut dyn Write) -> std::io::Result<()> {
        match &self.verdict {
            Some(verdict) => {
                writeln!(out, "{}", "the evidence gives this verdict".green())?;
                verdict.for_people(out)?;
            }
            None => writeln!(out, "{}", "the evidence is refused".red().bold())?,
        }
        output::findings(out, &self.findings)
    }
}
