//! Reading lists: lint, verify, diff.

use std::io::Write;
use std::path::{Path, PathBuf};

use finding::{CertificateRef, Finding};
use jiff::Timestamp;
use lote::{Change, ChangeKind, Mode, Profile, Signers, UncheckedList, Verifier};
use owo_colors::OwoColorize;
use pki::Certificate;
use serde::Serialize;

use crate::exit::{Done, Failure, Outcome};
use crate::output::{self, Output, Report};
use crate::{input, time};

#[derive(Debug, clap::Args)]
pub(crate) struct Lint {
    /// The list: a compact JAdES seal, or plain JSON
    file: PathBuf,
    /// The profile it should have; what its LoTEType says, if absent
    #[arg(long, value_parser = profile)]
    profile: Option<Profile>,
    /// The list is a draft that is yet to be sealed
    #[arg(long)]
    draft: bool,
    /// The time the answer holds for (RFC 3339); now, if absent
    #[arg(long)]
    at: Option<Timestamp>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Verify {
    /// The sealed list
    file: PathBuf,
    /// The certificate of the operator who has to have sealed it (PEM or DER)
    #[arg(long)]
    signer: PathBuf,
    /// How exactly the seal has to follow JAdES: strict, or interop
    #[arg(long, default_value = "strict", value_parser = mode)]
    mode: Mode,
    /// The time the answer holds for (RFC 3339); now, if absent
    #[arg(long)]
    at: Option<Timestamp>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Diff {
    /// The older version, sealed or not
    old: PathBuf,
    /// The newer version, sealed or not
    new: PathBuf,
}

/// The profile of a list by its name on the command line.
pub(super) fn profile(name: &str) -> Result<Profile, String> {
    Profile::from_name(name).ok_or_else(|| {
        let names: Vec<&str> = Profile::ALL.iter().map(|profile| profile.name()).collect();
        format!("one of {}", names.join(", "))
    })
}

pub(super) fn mode(name: &str) -> Result<Mode, String> {
    match name {
        "strict" => Ok(Mode::Strict),
        "interop" => Ok(Mode::Interop),
        _ => Err("strict or interop".to_owned()),
    }
}

pub(super) fn lint(args: &Lint, output: Output) -> Done {
    let bytes = input::read(&args.file, input::LIST)?;
    let at = args.at.unwrap_or_else(time::now);
    let linted = if args.draft {
        lote::lint_draft(&bytes, args.profile, at)
    } else {
        lote::lint_bytes(&bytes, args.profile, at)
    };
    let report = Linted {
        file: args.file.display().to_string(),
        profile: linted.profile.map(Profile::name),
        at,
        findings: linted.findings,
    };
    output.print(&report)?;
    Ok(Outcome::of(&report.findings))
}

pub(super) fn verify(args: &Verify, output: Output) -> Done {
    let bytes = input::read(&args.file, input::LIST)?;
    let signers = input::certificates(&args.signer)?;
    let at = args.at.unwrap_or_else(time::now);
    let verifier = Verifier {
        signers: Signers::Pinned(&signers),
        mode: args.mode,
    };
    let report = match verifier.verify(&bytes, at) {
        Ok(verified) => Verified {
            file: args.file.display().to_string(),
            at,
            verified: true,
            sequence: Some(verified.list.sequence()),
            next_update: verified.list.next_update(),
            signer: verified.signer.map(|signer| signer.to_ref()),
            findings: verified.findings,
        },
        Err(refusal) => Verified {
            file: args.file.display().to_string(),
            at,
            verified: false,
            sequence: None,
            next_update: None,
            signer: None,
            findings: refusal.into_findings(),
        },
    };
    output.print(&report)?;
    Ok(Outcome::of(&report.findings))
}

pub(super) fn diff(args: &Diff, output: Output) -> Done {
    let (old, before) = unverified(&args.old)?;
    let (new, after) = unverified(&args.new)?;
    let mut changes = lote::diff(&old, &new);
    changes.extend(other_signer(&old, before.as_ref(), after.as_ref()));
    output.print(&Changes { changes })?;
    Ok(Outcome::Yes)
}

/// Tells when another certificate seals the list than before, and whether the
/// older version announced it.
fn other_signer(
    old: &UncheckedList,
    before: Option<&Certificate>,
    after: Option<&Certificate>,
) -> Option<Change> {
    let (before, after) = (before?, after?);
    if before.der() == after.der() {
        return None;
    }
    let mut announced = old.scheme().own_pointers().flat_map(|p| p.certificates());
    let announced = if announced.any(|c| c.der() == after.der()) {
        "announced by the older version"
    } else {
        "not announced by the older version"
    };
    Some(Change {
        kind: ChangeKind::Changed,
        subject: "the seal".to_owned(),
        words: format!(
            "it is by {} (SHA-256 {}), {announced}; it was by {} (SHA-256 {})",
            after.subject(),
            after.sha256_hex(),
            before.subject(),
            before.sha256_hex()
        ),
    })
}

/// What a file says, sealed or not, and by whom; nothing of it is vouched for.
fn unverified(path: &Path) -> Result<(UncheckedList, Option<Certificate>), Failure> {
    let bytes = input::read(path, input::LIST)?;
    let linted = lote::lint_bytes(&bytes, None, time::now());
    let why = linted
        .findings
        .first()
        .map_or_else(|| "not a list".to_owned(), ToString::to_string);
    match linted.list {
        Some(list) => Ok((list, linted.signer)),
        None => Err(Failure::new(format!("{}: {why}", path.display()))),
    }
}

#[derive(Serialize)]
struct Linted {
    file: String,
    profile: Option<&'static str>,
    at: Timestamp,
    findings: Vec<Finding>,
}

impl Report for Linted {
    fn for_people(&self, out: &mut dyn Write) -> std::io::Result<()> {
        let profile = self.profile.unwrap_or("none that is known");
        writeln!(
            out,
            "{}, profile {profile}: {}",
            self.file,
            output::tally(&self.findings)
        )?;
        output::findings(out, &self.findings)
    }
}

#[derive(Serialize)]
struct Verified {
    file: String,
    at: Timestamp,
    verified: bool,
    sequence: Option<u64>,
    next_update: Option<Timestamp>,
    signer: Option<CertificateRef>,
    findings: Vec<Finding>,
}

impl Report for Verified {
    fn for_people(&self, out: &mut dyn Write) -> std::io::Result<()> {
        match (&self.signer, self.sequence) {
            (Some(signer), Some(sequence)) => {
                writeln!(
                    out,
                    "{}  {} no. {sequence}, sealed by {}",
                    "verified".green().bold(),
                    self.file,
                    signer.subject
                )?;
            }
            _ => writeln!(out, "{}  {}", "refused".red().bold(), self.file)?,
        }
        output::findings(out, &self.findings)
    }
}

#[derive(Serialize)]
struct Changes {
    changes: Vec<Change>,
}

impl Report for Changes {
    fn for_people(&self, out: &mut dyn Write) -> std::io::Result<()> {
        if self.changes.is_empty() {
            return writeln!(out, "nothing changed");
        }
        for change in &self.changes {
            let mark = match change.kind {
                ChangeKind::Added => format!("{}", "+".green()),
                ChangeKind::Removed => format!("{}", "-".red()),
                ChangeKind::Changed => format!("{}", "~".yellow()),
            };
            writeln!(out, "{mark} {change}")?;
        }
        Ok(())
    }
}
