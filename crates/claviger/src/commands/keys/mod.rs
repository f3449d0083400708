//! `claviger keys`: the signing keys of the wallet provider, from their making to
//! their retirement (docs/keys.md).

mod hand_over;
mod install;
mod list;
mod place;
mod request;
mod retire;

use jose::Curve;
use wallet_provider::KeyPurpose;

use crate::exit::Done;
use crate::output::Output;

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Show every key: which signs, which comes next, and until when
    List(list::Args),
    /// Make a key in the device and a certificate request (PKCS#10) that it signs
    Request(request::Args),
    /// Install the certificates that were issued to a key, and say when it takes over
    Install(install::Install),
    /// Set another start for a key that has not begun to sign
    Activate(install::Activate),
    /// Have a key sign no more
    Retire(retire::Args),
    /// Make the next key of the answers, and have the current one hand over to it
    HandOver(hand_over::Args),
}

pub(crate) fn run(command: &Command, output: Output) -> Done {
    match command {
        Command::List(args) => list::run(args, output),
        Command::Request(args) => request::run(args, output),
        Command::Install(args) => install::run(args, output),
        Command::Activate(args) => install::activate(args, output),
        Command::Retire(args) => retire::run(args, output),
        Command::HandOver(args) => hand_over::run(args, output),
    }
}

/// A purpose whose keys have certificates.
fn certified(name: &str) -> Result<KeyPurpose, String> {
    KeyPurpose::from_name(name)
        .filter(|purpose| purpose.profile().is_some())
        .ok_or_else(|| "attestations, wia, ka or status is expected".to_owned())
}

fn curve(name: &str) -> Result<Curve, String> {
    Curve::from_name(name).ok_or_else(|| "P-256, P-384 or P-521 is expected".to_owned())
}
