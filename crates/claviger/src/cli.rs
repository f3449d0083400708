//! What can be asked on the command line. Scripts and tests rely on it: commands
//! are added, none changes its meaning.

use clap::{Parser, Subcommand};

use crate::commands::{
    audit, cert, config, db, evidence, keys, list, notices, operator, rules, sci, serve, status,
    trust, unit, up, wsca, wscd, wua,
};
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

// Parsed once a run: what a variant weighs does not matter.
#[allow(clippy::large_enum_variant)]
#[derive(Debug, Subcommand)]
enum Command {
    /// Run the whole circle in one process, over real HTTP on loopback
    Demo(demo::Args),
    /// Run every role for development, on SQLite and the software device
    Up(up::Args),
    /// Run the roles that a configuration names
    Serve(serve::Args),
    /// Say whether a certificate chain is trusted for a purpose, and why
    #[command(subcommand)]
    Trust(trust::Command),
    /// Author and check lists of trusted entities
    #[command(subcommand)]
    List(list::Command),
    /// Check certificates
    #[command(subcommand)]
    Cert(cert::Command),
    /// Judge what a device says of a key and of itself
    #[command(subcommand)]
    Evidence(evidence::Command),
    /// Verify wallet unit attestations
    #[command(subcommand)]
    Wua(wua::Command),
    /// Read status lists
    #[command(subcommand)]
    Status(status::Command),
    /// Check devices
    #[command(subcommand)]
    Wscd(wscd::Command),
    /// Check WSCAs
    #[command(subcommand)]
    Sci(sci::Command),
    /// See to the WSCA after an alarm
    #[command(subcommand)]
    Wsca(wsca::Command),
    /// Check the WSCA's audit log
    #[command(subcommand)]
    Audit(audit::Command),
    /// Make, certify and rotate the wallet provider's signing keys
    #[command(subcommand)]
    Keys(keys::Command),
    /// Back the database up, restore it, check it
    #[command(subcommand)]
    Db(db::Command),
    /// See and revoke wallet units, on a running node
    #[command(subcommand)]
    Unit(unit::Command),
    /// See which users were not told
    #[command(subcommand)]
    Notices(notices::Command),
    /// Make operators' tokens, and see what operators did
    #[command(subcommand)]
    Operator(operator::Command),
    /// List every rule that a check can name
    Rules(rules::Args),
    /// Check a configuration
    #[command(subcommand)]
    Config(config::Command),
}

pub(crate) fn run(cli: Cli) -> Done {
    let output = Output::new(cli.json);
    match cli.command {
        Command::Demo(args) => demo::run(&args, output),
        Command::Up(args) => up::run(&args, output),
        Command::Serve(args) => serve::run(&args, output),
        Command::Trust(command) => trust::run(&command, output),
        Command::List(command) => list::run(&command, output),
        Command::Cert(command) => cert::run(&command, output),
        Command::Evidence(command) => evidence::run(&command, output),
        Command::Wua(command) => wua::run(&command, output),
        Command::Status(command) => status::run(&command, output),
        Command::Wscd(command) => wscd::run(&command, output),
        Command::Sci(command) => sci::run(&command, output),
        Command::Wsca(command) => wsca::run(&command, output),
        Command::Audit(command) => audit::run(&command, output),
        Command::Keys(command) => keys::run(&command, output),
        Command::Db(command) => db::run(&command, output),
        Command::Unit(command) => unit::run(&command, output),
        Command::Notices(command) => notices::run(&command, output),
        Command::Operator(command) => operator::run(&command, output),
        Command::Rules(args) => rules::run(&args, output),
        Command::Config(command) => config::run(&command, output),
    }
}
