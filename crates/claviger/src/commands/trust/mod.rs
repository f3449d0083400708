//! `claviger trust`: is this chain trusted for this purpose, at this time, and why.

mod bundle;
mod check;
mod halves;
mod question;
mod replay;
mod token;
mod watch;

use crate::exit::Done;
use crate::output::Output;

pub(crate) use question::{Lists, judge};
pub(crate) use token::RULES;

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Judge a certificate chain
    Check(check::Check),
    /// Judge the chain in a token's x5c, and the token's signature under it
    Token(token::Token),
    /// Judge a certificate chain, and write what the verdict stood on into a file
    Bundle(bundle::Bundle),
    /// Give the verdict of such a file again, offline, from what is in it
    Replay(replay::Replay),
    /// Show how old the lists are, and until when they hold
    Watch(watch::Watch),
}

pub(crate) fn run(command: &Command, output: Output) -> Done {
    match command {
        Command::Check(args) => check::run(args, output),
        Command::Token(args) => token::run(args, output),
        Command::Bundle(args) => bundle::run(args, output),
        Command::Replay(args) => replay::run(args, output),
        Command::Watch(args) => watch::run(args, output),
    }
}
