//! `claviger list`: authoring and checking lists of trusted entities.

mod author;
mod description;
mod publish;
mod read;

use crate::exit::Done;
use crate::output::Output;

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Say everything that is wrong with a list, sealed or not
    Lint(read::Lint),
    /// Verify a list's seal and that it may be used now
    Verify(read::Verify),
    /// Say what changed between two versions of a list
    Diff(read::Diff),
    /// Begin a draft of a list from a description
    New(author::New),
    /// Add an entity and its services to a draft
    Add(author::Add),
    /// Withdraw an entity from a draft
    Withdraw(author::Withdraw),
    /// Announce who will seal later versions, or take the announcement back
    Signers(author::Signers),
    /// Issue and seal the next version of a draft
    Seal(author::Seal),
    /// Publish a sealed list into a folder: list, JSON copy, page and archive
    Publish(publish::Publish),
}

pub(crate) fn run(command: &Command, output: Output) -> Done {
    match command {
        Command::Lint(args) => read::lint(args, output),
        Command::Verify(args) => read::verify(args, output),
        Command::Diff(args) => read::diff(args, output),
        Command::New(args) => author::new(args, output),
        Command::Add(args) => author::add(args, output),
        Command::Withdraw(args) => author::withdraw(args, output),
        Command::Signers(args) => author::signers(args, output),
        Command::Seal(args) => author::seal(args, output),
        Command::Publish(args) => publish::publish(args, output),
    }
}
