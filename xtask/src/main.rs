//! `cargo xtask`: the project's own commands.
#![allow(clippy::print_stdout, clippy::print_stderr)] // A command talks to the terminal.

use std::process::ExitCode;

use xtask::{Failure, pkits, prove, requirements, suite, tokens, workspace::Workspace};

const USAGE: &str = "\
usage:
  cargo xtask test                          every test: Rust, the demo, the independent verifier
  cargo xtask pkits                         fetch NIST's path validation tests, which `test` does too
  cargo xtask tokens                        build the PKCS#11 modules of tools/, which `test` does too
  cargo xtask requirements                  check docs/requirements.toml
  cargo xtask requirements --prove ID       break the code of ID and see its tests fail
  cargo xtask requirements --prove-sample N the same for N recorded proofs, drawn at random
  cargo xtask requirements --prove-all      the same for all of them

exit status: 0 yes, 1 no, 2 usage, or no proof is recorded";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = Workspace::open().and_then(|workspace| match arguments.as_slice() {
        ["test"] => suite::run(&workspace),
        ["pkits"] => pkits::report(&workspace),
        ["tokens"] => tokens::report(&workspace),
        ["requirements"] => requirements::report(&workspace),
        ["requirements", "--prove", id] => prove::one(&workspace, id),
        ["requirements", "--prove-sample", count] => match count.parse() {
            Ok(count) => prove::sample(&workspace, count),
            Err(_) => Err(Failure::usage(format!("not a number: {count}"))),
        },
        ["requirements", "--prove-all"] => prove::sample(&workspace, usize::MAX),
        _ => Err(Failure::usage(USAGE)),
    });
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::from(failure.exit_status())
        }
    }
}
