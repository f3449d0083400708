//! `claviger cert`: which rules of its profile a certificate breaks, whether a
//! chain leads to an anchor, and certificates for test beds.

mod issue;
mod lint;
mod path;

pub(super) use issue::subject;

use crate::exit::Done;
use crate::output::Output;

// Parsed once a run: what a variant weighs does not matter.
#[allow(clippy::large_enum_variant)]
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Check a certificate against its profile
    Lint(lint::Lint),
    /// Find a path from a certificate to one of the anchors, and validate it
    Path(path::PathArgs),
    /// Make a certificate that conforms to its profile, for a test bed
    Issue(issue::Issue),
}

pub(crate) fn run(command: &Command, output: Output) -> Done {
    match command {
        Command::Lint(args) => lint::run(args, output),
        Command::Path(args) => path::run(args, output),
        Command::Issue(args) => issue::run(args, output),
    }
}
