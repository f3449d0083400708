//! The project's own commands, and the checks on the house that are ordinary
//! tests: `house` holds the dependency rules, `requirements` the table of
//! requirements and the tests that hold them true.
#![allow(clippy::print_stdout, clippy::print_stderr)] // A command talks to the terminal.

pub mod house;
pub mod manifest;
pub mod packages;
pub mod pkits;
pub mod prove;
pub mod requirements;
pub mod source;
pub mod suite;
pub mod tokens;
pub mod workspace;

use std::fmt;

/// Why a command could not answer.
#[derive(Debug)]
pub struct Failure {
    what: String,
    usage: bool,
}

impl Failure {
    /// Something outside the caller's hands went wrong: exit status 1.
    pub fn new(what: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            usage: false,
        }
    }

    /// The caller asked for something that does not exist: exit status 2.
    pub fn usage(what: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            usage: true,
        }
    }

    /// The exit status of the command line's contract.
    pub fn exit_status(&self) -> u8 {
        if self.usage { 2 } else { 1 }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl std::error::Error for Failure {}

/// Says what was being done when an error came.
pub trait Doing<T> {
    /// `doing` names the thing in hand, for instance a file.
    fn doing(self, doing: impl fmt::Display) -> Result<T, Failure>;
}

impl<T, E: fmt::Display> Doing<T> for Result<T, E> {
    fn doing(self, doing: impl fmt::Display) -> Result<T, Failure> {
        self.map_err(|cause| Failure::new(format!("{doing}: {cause}")))
    }
}
