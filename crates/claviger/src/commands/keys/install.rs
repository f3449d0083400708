//! `claviger keys install` and `keys activate`.

use std::io::Write;
use std::path::PathBuf;

use finding::{CertificateRef, Finding};
use jiff::Timestamp;
use owo_colors::OwoColorize;
use serde::Serialize;
use wallet_provider::{KeyPurpose, Seals, check_chain};

use super::place::{self, Place};
use crate::exit::{Done, Failure, Outcome};
use crate::keys::KeyFile;
use crate::output::{self, Output, Report};
use crate::settings::Settings;
use crate::{input, keys, runtime, time};

/// Install the certificates that were issued to a key.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  claviger keys install --config claviger.toml --purpose attestations --chain issued.pem
      the first key of its purpose: it signs as soon as the node has seen it
  claviger keys install --config claviger.toml --purpose attestations --generation 2 \\
      --chain issued.pem --start 2027-03-01T00:00:00Z
      one that takes over later, when the trusted list has named it long enough")]
pub(crate) struct Install {
    #[command(flatten)]
    place: Place,
    /// What the key is for: attestations (WIA and KA), wia, ka or status
    #[arg(long, value_parser = super::certified)]
    purpose: KeyPurpose,
    /// Which key; the newest that has no certificate, if absent
    #[arg(long)]
    generation: Option<u32>,
    /// Its certificate and those above it, its own first (PEM, DER or x5c)
    #[arg(long)]
    chain: PathBuf,
    /// When it takes over (RFC 3339, or `now`). Needed where another one signs
    #[arg(long, value_parser = place::start)]
    start: Option<Timestamp>,
    /// Take these certificates in place of others that the key has already
    #[arg(long)]
    replace: bool,
}

/// Set another start for a key that has not begun to sign.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  claviger keys activate --config claviger.toml --purpose wia --generation 2 --start now")]
pub(crate) struct Activate {
    #[command(flatten)]
    place: Place,
    /// What the key is for: attestations (WIA and KA), wia, ka or status
    #[arg(long, value_parser = super::certified)]
    purpose: KeyPurpose,
    /// Which key
    #[arg(long)]
    generation: u32,
    /// When it takes over (RFC 3339, or `now`)
    #[arg(long, value_parser = place::start)]
    start: Timestamp,
}

pub(super) fn run(args: &Install, output: Output) -> Done {
    let settings = args.place.settings()?;
    let chain = input::certificates(&args.chain)?;
    let now = time::now();
    let installed = runtime::block_on(async {
        let locked = place::folder(&settings).lock()?;
        let all = locked.read()?;
        let mut key = chosen(&all, args)?;
        let starts = match args.start {
            Some(start) => not_past(start, now)?,
            // What is installed already keeps its start.
            None if key.is_installed() && key.starts.is_some() => key.starts.unwrap_or(now),
            None if signs(&settings, &all, &key) => {
                return Err(Failure::new(format!(
                    "another key signs for {}: --start says when {key} takes over",
                    key.purpose
                )));
            }
            None => time::whole_second(now).max(not_before(&chain)),
        };
        let device = crate::device::open(&settings.device.uri).await?;
        // The device is asked, not the file: a certificate is of the key that signs.
        let signer = keys::open(&device, &key).await?;
        let public = jose::Signer::public_key(&signer);
        let findings = check_chain(&chain, key.purpose, public, starts, now);
        if finding::has_errors(&findings) {
            return Ok(Installed::refused(&key, findings));
        }
        let before = key.clone();
        key.install(&chain, starts);
        if before.is_installed() {
            if before.chain == key.chain && (args.start.is_none() || before.starts == key.starts) {
                return Ok(Installed::of(&before, &chain, findings));
            }
            if !args.replace {
                return Err(Failure::new(format!(
                    "{key} has certificates already: --replace takes these in their place"
                )));
            }
        }
        locked.write(&key)?;
        Ok(Installed::of(&key, &chain, findings))
    })?;
    output.print(&installed)?;
    Ok(Outcome::of(&installed.findings))
}

pub(super) fn activate(args: &Activate, output: Output) -> Done {
    let settings = args.place.settings()?;
    let now = time::now();
    let locked = place::folder(&settings).lock()?;
    let mut key = locked.key(args.purpose, args.generation)?;
    let Some(before) = key.starts.filter(|_| key.is_installed()) else {
        return Err(Failure::new(format!("{key} has no certificates yet")));
    };
    if before <= now {
        return Err(Failure::new(format!("{key} began to sign at {before}")));
    }
    let starts = not_past(args.start, now)?;
    let chain = key.certificates()?;
    let findings = check_chain(&chain, key.purpose, &key.public_key, starts, now);
    let report = if finding::has_errors(&findings) {
        Installed::refused(&key, findings)
    } else {
        key.starts = Some(starts);
        locked.write(&key)?;
        Installed::of(&key, &chain, findings)
    };
    let report = Installed {
        activated: true,
        ..report
    };
    output.print(&report)?;
    Ok(Outcome::of(&report.findings))
}

/// The key that is meant.
fn chosen(all: &[KeyFile], args: &Install) -> Result<KeyFile, Failure> {
    let mut of_purpose = all.iter().filter(|key| key.purpose == args.purpose).rev();
    let found = match args.generation {
        Some(generation) => of_purpose.find(|key| key.generation == generation),
        None => of_purpose.find(|key| !key.is_installed()),
    };
    match found {
        Some(key) if key.retired.is_none() => Ok(key.clone()),
        Some(key) => Err(Failure::new(format!("{key} is retired"))),
        None => Err(Failure::new(format!(
            "no key for {} waits for its certificates: `claviger keys request` makes one",
            args.purpose
        ))),
    }
}

/// Whether some other key signs, or will, what this one is for.
fn signs(settings: &Settings, all: &[KeyFile], key: &KeyFile) -> bool {
    let provider = settings.wallet_provider.as_ref();
    let configured = provider.is_some_and(|provider| match key.purpose {
        KeyPurpose::Status => provider.status_certificate.is_some(),
        _ => provider.certificate.is_some(),
    });
    let shares = |other: &KeyFile| {
        let mut kinds = Seals::ALL.into_iter();
        kinds.any(|what| other.purpose.seals(what) && key.purpose.seals(what))
    };
    let others = all.iter().filter(|other| other.key != key.key);
    configured
        || others
            .filter(|other| other.is_installed() && other.retired.is_none())
            .any(shares)
}

/// A start that lies behind would say of attestations that another key signed them.
fn not_past(start: Timestamp, now: Timestamp) -> Result<Timestamp, Failure> {
    let now = time::whole_second(now);
    let tolerated = jiff::SignedDuration::from_mins(1);
    if now.duration_since(start) > tolerated {
        return Err(Failure::new(format!(
            "the start {start} has passed: --start now"
        )));
    }
    Ok(start)
}

fn not_before(chain: &[pki::Certificate]) -> Timestamp {
    chain
        .first()
        .map_or(Timestamp::MIN, pki::Certificate::not_before)
}

#[derive(Serialize)]
struct Installed {
    purpose: KeyPurpose,
    generation: u32,
    key: String,
    installed: bool,
    /// Whether its start alone was set: it was installed before.
    #[serde(skip)]
    activated: bool,
    starts: Option<Timestamp>,
    certificate: Option<CertificateRef>,
    findings: Vec<Finding>,
}

impl Installed {
    fn of(key: &KeyFile, chain: &[pki::Certificate], findings: Vec<Finding>) -> Self {
        Self {
            purpose: key.purpose,
            generation: key.generation,
            key: key.key.clone(),
            installed: true,
            activated: false,
            starts: key.starts,
            certificate: chain.first().map(pki::Certificate::to_ref),
            findings,
        }
    }

    fn refused(key: &KeyFile, findings: Vec<Finding>) -> Self {
        Self {
            installed: false,
            starts: None,
            ..Self::of(key, &[], findings)
        }
    }
}

impl Report for Installed {
    fn for_people(&self, out: &mut dyn Write) -> std::io::Result<()> {
        let what = format!("{} generation {}", self.purpose, self.generation);
        let (done, refused) = if self.activated {
            ("activated", "not activated")
        } else {
            ("installed", "not installed")
        };
        match (&self.certificate, self.starts) {
            (Some(certificate), Some(starts)) => writeln!(
                out,
                "{} {what} signs from {starts} on, until {} at the latest",
                done.green().bold(),
                certificate.not_after
            )?,
            _ => writeln!(out, "{} {what}", refused.red().bold())?,
        }
        output::findings(out, &self.findings)
    }
}
