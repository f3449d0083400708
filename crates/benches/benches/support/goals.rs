//! What was measured, beside what has to hold.
#![allow(dead_code)] // Each benchmark states other goals.

use std::process::ExitCode;
use std::time::Duration;

/// What was measured, and whether it holds.
#[derive(Default)]
pub(crate) struct Goals {
    missed: usize,
}

impl Goals {
    pub(crate) fn ratio(&mut self, name: &str, of: Duration, to: Duration, most: f64) {
        let seen = of.as_secs_f64() / to.as_secs_f64();
        self.bound(&format!("{name} ({of:.1?} / {to:.1?})"), seen, most);
    }

    pub(crate) fn bound(&mut self, name: &str, seen: f64, most: f64) {
        self.line(
            seen <= most,
            name,
            format!("{seen:.2}"),
            format!("at most {most}"),
        );
    }

    pub(crate) fn at_least(&mut self, name: String, seen: f64, least: f64) {
        self.line(
            seen >= least,
            &name,
            format!("{seen:.2}"),
            format!("at least {least}"),
        );
    }

    pub(crate) fn at_most(&mut self, name: &str, seen: Duration, most: Duration) {
        self.line(
            seen <= most,
            name,
            format!("{seen:.1?}"),
            format!("at most {most:?}"),
        );
    }

    fn line(&mut self, holds: bool, name: &str, seen: String, goal: String) {
        let mark = if holds { "holds " } else { "MISSED" };
        println!("{mark}  {seen:>8}  {goal:<14}  {name}");
        self.missed += usize::from(!holds);
    }

    pub(crate) fn report(self) -> ExitCode {
        match self.missed {
            0 => ExitCode::SUCCESS,
            missed => {
                eprintln!("{missed} goals are missed");
                ExitCode::FAILURE
            }
        }
    }
}
