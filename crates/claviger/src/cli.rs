//! What can be asked on the command line. Scripts and tests rely on it: commands
//! are added, none changes its meaning.

use clap::{Parser, Subcommand};

use crate::commands::{cert, config, list, rules, status, up};
use crate::demo;
use crate::exit::Done;
use crate::output::Output;

/// The trust backbone of a European Digital Identity Wallet.
///
/// Exit status: 0 yes, 1 no (with findings), 2 usage or configuration, 3 undecided.
#[derive(Debug, Parser)]
#[command(name = "claviger", version, max_term_width = 100)]
pub(crate) struct Cli {
    /// Print one JSON document instead of text for people
    #[arg(long, global = true)]
    json: bool,

    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the whole circle in one process, over real HTTP on loopback
    Demo(demo::Args),
    /// Run every role for development, on SQLite and the software device
    Up(up::Args),
    /// Check certificates
    #[command(subcommand)]
    Cert(cert::Command),
    /// Author and check lists of trusted entities
    #[command(subcommand)]
    List(list::Command),
    /// Check a configuration
    #[command(subcommand)]
    Config(config::Command),
    /// Read status lists
    #[command(subcommand)]
    Status(status::Command),
    /// List every rule that a check can name
    Rules(rules::Args),
}

pub(crate) fn run(cli: Cli) -> Done {
    let output = Output::new(cli.json);
    match cli.command {
        Command::Demo(args) => demo::run(&args, output),
        Command::Up(args) => up::run(&args, output),
        Command::Cert(command) => cert::run(&command, output),
        Command::List(command) => list::run(&command, output),
        Command::Config(command) => config::run(&command, output),
        Command::Status(command) => status::run(&command, output),
        Command::Rules(args) => rules::run(&args, output),
    }
}
