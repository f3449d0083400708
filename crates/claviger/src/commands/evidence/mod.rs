//! `claviger evidence`: what a device says of a key and of itself, and what that
//! is worth.

mod android;
mod apple;
mod play;
mod report;
mod value;

use std::path::{Path, PathBuf};

use device_evidence::Policy;
use jiff::Timestamp;

use self::value::Bytes;
use crate::exit::{Doing, Done, Failure};
use crate::input;
use crate::output::Output;
use crate::time;

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Judge an Android key attestation: a certificate chain, the key's first
    Android(android::Args),
    /// Judge an App Attest attestation or assertion
    Apple(apple::Args),
    /// Judge a Play Integrity token. The policy holds the app's keys for it
    Play(play::Args),
}

/// What all three have in common.
#[derive(Debug, clap::Args)]
struct Common {
    /// What is required (TOML, see docs/evidence-policy.example.toml). Without it
    /// no app is named, and nothing is accepted
    #[arg(long)]
    policy: Option<PathBuf>,
    /// The time the answer holds for (RFC 3339); now, if absent
    #[arg(long)]
    at: Option<Timestamp>,
    /// The challenge that the evidence must carry: `text:…`, `hex:…` or `base64:…`
    #[arg(long)]
    challenge: Option<Bytes>,
}

impl Common {
    fn at(&self) -> Timestamp {
        self.at.unwrap_or_else(time::now)
    }

    fn policy(&self) -> Result<Policy, Failure> {
        self.policy
            .as_deref()
            .map_or_else(|| Ok(Policy::default()), policy)
    }
}

pub(crate) fn run(command: &Command, output: Output) -> Done {
    match command {
        Command::Android(args) => android::run(args, output),
        Command::Apple(args) => apple::run(args, output),
        Command::Play(args) => play::run(args, output),
    }
}

/// The largest policy, in bytes: thousands of certified devices.
const POLICY: u64 = 4 << 20;

/// Reads a policy from a file.
pub(crate) fn policy(path: &Path) -> Result<Policy, Failure> {
    let text = input::read_text(path, POLICY)?;
    toml::from_str(&text).doing(path.display())
}
