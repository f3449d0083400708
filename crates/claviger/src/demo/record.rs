//! What the demo writes down while it runs: one entry a step, with what was
//! proven, under which requirement, and how long it took.

use std::io::Write;
use std::time::{Duration, Instant};

use comfy_table::Cell;
use finding::Finding;
use indicatif::ProgressBar;
use owo_colors::OwoColorize;
use serde::Serialize;

use crate::exit::Failure;
use crate::output::{self, Output, Report};

/// The whole run.
#[derive(Debug, Serialize)]
pub(super) struct Record {
    /// Whether every step proved what it set out to prove.
    pub(super) ok: bool,
    pub(super) steps: Vec<Step>,
    /// The ids of `docs/requirements.toml` that the steps touched.
    pub(super) requirements: Vec<String>,
    /// Where the artefacts are, if they were kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) kept_in: Option<String>,
    pub(super) milliseconds: u128,
}

/// One step of the circle.
#[derive(Debug, Serialize)]
pub(super) struct Step {
    pub(super) number: usize,
    pub(super) title: &'static str,
    pub(super) proven: Vec<String>,
    /// The attempts that had to be refused, each with the rule that refused it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) refusals: Vec<Refused>,
    pub(super) requirements: &'static [&'static str],
    pub(super) milliseconds: u128,
}

/// One refusal, as it had to come.
#[derive(Debug, Serialize)]
pub(super) struct Refused {
    /// What was tried.
    pub(super) attempt: String,
    /// The rule, or the stable code, that refused it.
    pub(super) rule: String,
    /// Where the rule comes from.
    pub(super) clause: String,
    /// What was seen.
    pub(super) evidence: String,
}

/// Writes a [`Record`] step by step, with progress for whoever watches.
#[derive(Debug)]
pub(super) struct Recorder {
    steps: Vec<Step>,
    begun: Instant,
    progress: ProgressBar,
}

/// The step that is running.
#[derive(Debug)]
pub(super) struct Open {
    step: Step,
    begun: Instant,
}

impl Recorder {
    pub(super) fn new(output: Output, steps: u64) -> Self {
        Self {
            steps: Vec::new(),
            begun: Instant::now(),
            progress: output.progress(steps, "{bar:20} {pos}/{len} {wide_msg}"),
        }
    }

    /// Opens the next step.
    pub(super) fn step(&self, title: &'static str, requirements: &'static [&'static str]) -> Open {
        self.progress.set_message(title);
        Open {
            step: Step {
                number: self.steps.len() + 1,
                title,
                proven: Vec::new(),
                refusals: Vec::new(),
                requirements,
                milliseconds: 0,
            },
            begun: Instant::now(),
        }
    }

    /// Closes a step.
    pub(super) fn close(&mut self, open: Open) {
        let mut step = open.step;
        step.milliseconds = open.begun.elapsed().as_millis();
        self.steps.push(step);
        self.progress.inc(1);
    }

    /// How many steps are closed, and how many refusals stand in them.
    pub(super) fn so_far(&self) -> (usize, usize) {
        let refusals = self.steps.iter().map(|step| step.refusals.len()).sum();
        (self.steps.len(), refusals)
    }

    /// Ends the run. Every step that got here proved what it had to: a step that
    /// did not has ended the run with a failure.
    pub(super) fn finish(self, kept_in: Option<String>) -> Record {
        self.progress.finish_and_clear();
        let mut requirements: Vec<String> = self
            .steps
            .iter()
            .flat_map(|step| step.requirements)
            .map(|id| (*id).to_owned())
            .collect();
        requirements.sort();
        requirements.dedup();
        Record {
            ok: true,
            steps: self.steps,
            requirements,
            kept_in,
            milliseconds: self.begun.elapsed().as_millis(),
        }
    }
}

impl Open {
    /// Writes down what was proven.
    pub(super) fn proven(&mut self, what: impl Into<String>) {
        self.step.proven.push(what.into());
    }

    /// Demands that something holds; the demo ends where it does not.
    pub(super) fn demand(&mut self, holds: bool, what: impl Into<String>) -> Result<(), Failure> {
        let what = what.into();
        if !holds {
            return Err(self.broken(format!("this does not hold: {what}")));
        }
        self.proven(what);
        Ok(())
    }

    /// Writes down a refusal by a rule of the house: one of `findings` has to be
    /// an error under `rule`.
    pub(super) fn refused_by(
        &mut self,
        attempt: impl Into<String>,
        findings: &[Finding],
        rule: &finding::Rule,
    ) -> Result<(), Failure> {
        let attempt = attempt.into();
        let found = findings
            .iter()
            .find(|f| f.severity == finding::Severity::Error && f.is(rule));
        let Some(found) = found else {
            let seen: Vec<String> = findings.iter().map(ToString::to_string).collect();
            return Err(self.broken(format!(
                "{attempt}: was to be refused by {}, found: {}",
                rule.id,
                seen.join("; ")
            )));
        };
        self.step.refusals.push(Refused {
            attempt,
            rule: found.rule.to_string(),
            clause: found.clause.to_string(),
            evidence: found.evidence.clone(),
        });
        Ok(())
    }

    /// Writes down a refusal by a stable code of a protocol.
    pub(super) fn refused_with(
        &mut self,
        attempt: impl Into<String>,
        rule: impl Into<String>,
        clause: impl Into<String>,
        evidence: impl Into<String>,
    ) {
        self.step.refusals.push(Refused {
            attempt: attempt.into(),
            rule: rule.into(),
            clause: clause.into(),
            evidence: evidence.into(),
        });
    }

    /// A failure of this step.
    pub(super) fn broken(&self, why: impl std::fmt::Display) -> Failure {
        Failure::new(format!(
            "step {} ({}): {why}",
            self.step.number, self.step.title
        ))
    }
}

/// How the demo ends, in a word.
const CLOSED: &str = "The circle is closed";

impl Report for Record {
    fn for_people(&self, out: &mut dyn Write) -> std::io::Result<()> {
        let mut table = output::table(&["", "step", "what was proven", "time"]);
        for step in &self.steps {
            let mut lines = step.proven.clone();
            lines.extend(
                step.refusals
                    .iter()
                    .map(|refused| format!("refused, {}: {}", refused.rule, refused.attempt)),
            );
            table.add_row(vec![
                Cell::new(step.number),
                Cell::new(step.title),
                Cell::new(lines.join("\n")),
                Cell::new(format!("{} ms", step.milliseconds)),
            ]);
        }
        writeln!(out, "{table}")?;
        let took = Duration::from_millis(u64::try_from(self.milliseconds).unwrap_or(u64::MAX));
        let said = output::wrapped(&format!(
            "{CLOSED} in {:.1} s. Requirements touched: {}.",
            took.as_secs_f64(),
            self.requirements.join(", ")
        ));
        // The colour has no width.
        let rest = said.strip_prefix(CLOSED).unwrap_or(&said);
        writeln!(out, "{}{rest}", CLOSED.green().bold())?;
        if let Some(folder) = &self.kept_in {
            writeln!(out, "Every artefact is in {folder}.")?;
        }
        Ok(())
    }
}
