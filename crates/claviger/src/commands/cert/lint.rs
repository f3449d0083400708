//! `claviger cert lint`: which rules of its profile a certificate breaks.

use std::io::Write;
use std::path::PathBuf;

use finding::{CertificateRef, Finding};
use jiff::Timestamp;
use pki::Profile;
use serde::Serialize;

use crate::exit::{Done, Outcome};
use crate::output::{self, Output, Report};
use crate::{input, time};

#[derive(Debug, clap::Args)]
pub(crate) struct Lint {
    /// The certificate: PEM, DER, or a JSON array as in x5c (the first is checked)
    file: PathBuf,
    /// The profile it should have: pid, wallet, access, pub-eaa, ca …
    #[arg(long)]
    profile: Profile,
    /// The time the answer holds for (RFC 3339); now, if absent
    #[arg(long)]
    at: Option<Timestamp>,
}

pub(super) fn run(args: &Lint, output: Output) -> Done {
    let chain = input::certificates(&args.file)?;
    let Some(certificate) = chain.first() else {
        return Err(crate::exit::Failure::new(format!(
            "{}: no certificate in it",
            args.file.display()
        )));
    };
    let at = args.at.unwrap_or_else(time::now);
    let report = Linted {
        profile: args.profile.to_string(),
        at,
        certificate: certificate.to_ref(),
        findings: pki::profile::lint(certificate, args.profile, at),
    };
    output.print(&report)?;
    Ok(Outcome::of(&report.findings))
}

#[derive(Serialize)]
struct Linted {
    profile: String,
    at: Timestamp,
    certificate: CertificateRef,
    findings: Vec<Finding>,
}

impl Report for Linted {
    fn for_people(&self, out: &mut dyn Write) -> std::io::Result<()> {
        writeln!(out, "{}", self.certificate.subject)?;
        writeln!(
            out,
            "profile {}: {}",
            self.profile,
            output::tally(&self.findings)
        )?;
        output::findings(out, &self.findings)
    }
}
