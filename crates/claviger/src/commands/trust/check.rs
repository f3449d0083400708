//! `claviger trust check`: one chain, one context, one verdict.

use std::path::PathBuf;

use super::question::{Question, judge};
use crate::exit::Done;
use crate::input;
use crate::output::Output;

#[derive(Debug, clap::Args)]
pub(crate) struct Check {
    /// The chain, leaf first: PEM, DER, or a JSON array as in x5c
    #[arg(long)]
    chain: PathBuf,
    #[command(flatten)]
    question: Question,
}

pub(super) fn run(args: &Check, output: Output) -> Done {
    let chain = input::certificates(&args.chain)?;
    let verdict = judge(&args.question.lists, args.question.context, chain)?;
    output.print(&verdict)?;
    Ok(verdict.trusted.into())
}
