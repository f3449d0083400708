//! How a command ends, and what the shell learns of it.

use std::process::ExitCode;

/// The answer of a command that asked something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Yes, or simply done: exit status 0.
    Yes,
    /// No, with findings: exit status 1.
    No,
    /// It could not be decided: exit status 3.
    Undecided,
}

impl From<finding::Trusted> for Outcome {
    fn from(trusted: finding::Trusted) -> Self {
        match trusted {
            finding::Trusted::Yes => Outcome::Yes,
            finding::Trusted::No => Outcome::No,
            finding::Trusted::Undecided => Outcome::Undecided,
        }
    }
}

impl Outcome {
    /// No, if any of the findings is an error.
    pub(crate) fn of(findings: &[finding::Finding]) -> Self {
        if finding::has_errors(findings) {
            Outcome::No
        } else {
            Outcome::Yes
        }
    }
}

impl From<Outcome> for ExitCode {
    fn from(outcome: Outcome) -> Self {
        ExitCode::from(match outcome {
            Outcome::Yes => 0,
            Outcome::No => 1,
            Outcome::Undecided => 3,
        })
    }
}

/// A command that could not do its work: wrong use, a file that cannot be read,
/// configuration that does not hold. One line on standard error, and exit status 2,
/// unless the failure answers what was asked.
#[derive(Debug, thiserror::Error)]
#[error("{text}")]
pub(crate) struct Failure {
    text: String,
    answers: Option<Outcome>,
}

impl From<Failure> for ExitCode {
    fn from(failure: Failure) -> Self {
        failure
            .answers
            .map_or(ExitCode::from(2), |outcome| outcome.into())
    }
}

impl Failure {
    /// A failure in words.
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            answers: None,
        }
    }

    /// It is the answer no: exit status 1.
    pub(crate) fn no(self) -> Self {
        let answers = Some(Outcome::No);
        Self { answers, ..self }
    }

    /// Who was to answer could not be reached: exit status 3.
    pub(crate) fn undecided(self) -> Self {
        let answers = Some(Outcome::Undecided);
        Self { answers, ..self }
    }

    /// A failure of something named, with all its causes in one line.
    pub(crate) fn of(what: impl std::fmt::Display, error: &dyn std::error::Error) -> Self {
        let mut text = format!("{what}: {error}");
        let mut source = error.source();
        while let Some(cause) = source {
            let cause_text = cause.to_string();
            if !text.contains(&cause_text) {
                text.push_str(": ");
                text.push_str(&cause_text);
            }
            source = cause.source();
        }
        Self::new(text.replace('\n', " "))
    }
}

/// What every command answers with.
pub(crate) type Done = Result<Outcome, Failure>;

/// Names what was being done when something failed.
pub(crate) trait Doing<T> {
    /// Turns an error into a [`Failure`] of `what`.
    fn doing(self, what: impl std::fmt::Display) -> Result<T, Failure>;
}

impl<T, E: std::error::Error> Doing<T> for Result<T, E> {
    fn doing(self, what: impl std::fmt::Display) -> Result<T, Failure> {
        self.map_err(|error| Failure::of(what, &error))
    }
}
