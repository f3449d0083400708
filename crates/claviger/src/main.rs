//! The `claviger` command: the whole house from one binary.
//!
//! `cli` says what can be asked, `commands` holds one file a command, `demo` is
//! the circle in one process, `wiring` puts the rooms together.

mod cli;
mod commands;
mod demo;
mod device;
mod exit;
mod files;
mod input;
mod keys;
mod logging;
mod output;
mod runtime;
mod settings;
mod shutdown;
mod testbed;
mod time;
mod wiring;

use std::process::ExitCode;

use clap::Parser;

/// Requests allocate much, and in many threads.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    match cli::run(cli) {
        Ok(outcome) => outcome.into(),
        Err(failure) => {
            complain(&failure);
            failure.into()
        }
    }
}

#[allow(clippy::print_stderr)]
fn complain(failure: &exit::Failure) {
    use owo_colors::OwoColorize;
    anstream::eprintln!("{} {failure}", "error:".red().bold());
}
