//! `claviger trust bundle`: a verdict, and what it stood on, in one file.

use std::io::Write;
use std::path::PathBuf;

use finding::Verdict;
use serde::Serialize;

use super::question::{Question, record};
use crate::exit::{Doing, Done, Failure};
use crate::output::{Output, Report};
use crate::{files, input};

#[derive(Debug, clap::Args)]
pub(crate) struct Bundle {
    /// The chain, leaf first: PEM, DER, or a JSON array as in x5c
    #[arg(long)]
    chain: PathBuf,
    #[command(flatten)]
    question: Question,
    /// Where the bundle is written; a file that is there is left as it is
    #[arg(long)]
    out: PathBuf,
}

#[derive(Debug, Serialize)]
struct Written {
    file: String,
    /// SHA-256 over the bundle's body: kept elsewhere, it shows later that nothing
    /// of the bundle was replaced.
    sha256: String,
    bytes: usize,
    verdict: Verdict,
}

pub(super) fn run(args: &Bundle, output: Output) -> Done {
    if args.out.exists() {
        let why = format!("{}: it is there already", args.out.display());
        return Err(Failure::new(why));
    }
    let chain = input::certificates(&args.chain)?;
    let recorded = record(&args.question.lists, args.question.context, chain)?;
    let json = recorded.bundle.to_json();
    files::write(&args.out, &json).doing(args.out.display())?;
    let written = Written {
        file: args.out.display().to_string(),
        sha256: recorded.bundle.digest(),
        bytes: json.len(),
        verdict: recorded.verdict,
    };
    output.print(&written)?;
    Ok(written.verdict.trusted.into())
}

impl Report for Written {
    fn for_people(&self, out: &mut dyn Write) -> std::io::Result<()> {
        self.verdict.for_people(out)?;
        writeln!(out, "bundle   {}, {} bytes", self.file, self.bytes)?;
        writeln!(out, "         sha256 {}", self.sha256)
    }
}
