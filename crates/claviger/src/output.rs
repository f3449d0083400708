//! What a command prints: one JSON document for a program, tables and colour for
//! a person.

use std::io::{IsTerminal, Write};

use comfy_table::{ColumnConstraint, ContentArrangement, Table, presets};
use finding::{Finding, Severity, Trusted, Verdict};
use indicatif::{ProgressBar, ProgressStyle};
use owo_colors::OwoColorize;
use serde::Serialize;

use crate::exit::Failure;
use crate::time;

/// Where a command's answer goes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    json: bool,
}

/// A bar of work whose end can be foreseen by what is done already.
pub(crate) const TIMED: &str = "{bar:40} {pos}/{len} {eta}";

/// What a command has to say.
pub(crate) trait Report: Serialize {
    /// Says it to a person.
    fn for_people(&self, out: &mut dyn Write) -> std::io::Result<()>;
}

impl Output {
    pub(crate) fn new(json: bool) -> Self {
        Self { json }
    }

    /// A bar of this many steps, drawn by `template` where somebody watches standard
    /// error.
    pub(crate) fn progress(self, steps: u64, template: &str) -> ProgressBar {
        if self.json || !std::io::stderr().is_terminal() {
            return ProgressBar::hidden();
        }
        let bar = ProgressBar::new(steps);
        match ProgressStyle::with_template(template) {
            Ok(style) => bar.with_style(style),
            Err(_) => bar,
        }
    }

    /// Whether a program reads the answer.
    pub(crate) fn is_json(self) -> bool {
        self.json
    }

    /// Prints the report in the form that was asked for.
    pub(crate) fn print(self, report: &impl Report) -> Result<(), Failure> {
        let mut out = anstream::stdout().lock();
        let written = if self.json {
            serde_json::to_string_pretty(report)
                .map_err(std::io::Error::other)
                .and_then(|text| writeln!(out, "{text}"))
        } else {
            report.for_people(&mut out)
        };
        match written.and_then(|()| out.flush()) {
            Ok(()) => Ok(()),
            // Whoever reads has read enough.
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
            Err(error) => Err(Failure::of("standard output", &error)),
        }
    }
}

/// A table in the house's style. What goes into its cells is plain: it takes the codes
/// of a colour for text, counts them and cuts them.
pub(crate) fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table
        .load_style(presets::UTF8_HORIZONTAL_ONLY)
        .set_width(width())
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_header(header);
    table
}

/// Breaks nothing in this column of a table: an identifier is copied in one piece.
pub(crate) fn keep_whole(table: &mut Table, column: usize) {
    if let Some(column) = table.column_mut(column) {
        column.set_constraint(ColumnConstraint::ContentWidth);
    }
}

/// Findings, the gravest first, each with its rule, clause and evidence.
pub(crate) fn findings(out: &mut dyn Write, findings: &[Finding]) -> std::io::Result<()> {
    let mut sorted: Vec<&Finding> = findings.iter().collect();
    sorted.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    for finding in sorted {
        let label = match finding.severity {
            Severity::Error => format!("{}", "error  ".red().bold()),
            Severity::Warning => format!("{}", "warning".yellow()),
            Severity::Note => format!("{}", "note   ".blue()),
        };
        writeln!(out, "{label}  {}", finding.rule.bold())?;
        writeln!(out, "         {}: {}", finding.subject, finding.evidence)?;
        writeln!(out, "         {}", finding.clause.dimmed())?;
    }
    Ok(())
}

/// A number of things, in words.
pub(crate) fn counted<N>(number: N, one: &str, many: &str) -> String
where
    N: std::fmt::Display + PartialEq + From<u8>,
{
    let what = if number == N::from(1) { one } else { many };
    format!("{number} {what}")
}

/// How many findings of each weight there are, in words.
pub(crate) fn tally(findings: &[Finding]) -> String {
    let count = |severity| findings.iter().filter(|f| f.severity == severity).count();
    format!(
        "{}, {}, {}",
        counted(count(Severity::Error), "error", "errors"),
        counted(count(Severity::Warning), "warning", "warnings"),
        counted(count(Severity::Note), "note", "notes")
    )
}

impl Report for Verdict {
    fn for_people(&self, out: &mut dyn Write) -> std::io::Result<()> {
        let answer = match self.trusted {
            Trusted::Yes => format!("{}", "trusted".green().bold()),
            Trusted::No => format!("{}", "not trusted".red().bold()),
            Trusted::Undecided => format!("{}", "undecided".yellow().bold()),
        };
        let at = time::whole_second(self.at);
        writeln!(out, "{answer}  as {} at {at}", self.context)?;
        if let (Some(method), Some(anchor)) = (self.method, &self.anchor) {
            let method = match method {
                finding::Method::Direct => "the listed certificate itself",
                finding::Method::Pkix => "a path to the listed certificate",
            };
            writeln!(out, "by       {method}: {}", anchor.subject)?;
            writeln!(out, "         sha256 {}", anchor.sha256)?;
        }
        for certificate in &self.path {
            writeln!(out, "chain    {}", certificate.subject)?;
            writeln!(
                out,
                "         {} to {}, sha256 {}",
                certificate.not_before, certificate.not_after, certificate.sha256
            )?;
        }
        for list in &self.lists {
            let next = list
                .next_update
                .map_or_else(|| "closed".to_owned(), |next| format!("until {next}"));
            writeln!(out, "list     {} no. {}, {next}", list.uri, list.sequence)?;
        }
        findings(out, &self.findings)
    }
}

/// How wide a table may be: the terminal, within reason, or 100 columns where
/// there is none.
fn width() -> u16 {
    terminal_size::terminal_size().map_or(100, |(width, _)| width.0.clamp(60, 160))
}

/// The words of a text, in lines as wide as a table.
pub(crate) fn wrapped(text: &str) -> String {
    wrapped_at(text, usize::from(width()))
}

fn wrapped_at(text: &str, width: usize) -> String {
    let (mut lines, mut taken) = (String::new(), 0);
    for word in text.split_whitespace() {
        let length = word.chars().count();
        if taken > 0 && taken + 1 + length > width {
            lines.push('\n');
            taken = 0;
        } else if taken > 0 {
            lines.push(' ');
            taken += 1;
        }
        lines.push_str(word);
        taken += length;
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_keeps_to_its_width_and_loses_no_word() {
        let text = "The circle is closed. Requirements touched: CIR-2024-2979-5-1-a, WIAM_04.";
        let wrapped = wrapped_at(text, 30);
        assert!(wrapped.lines().all(|line| line.chars().count() <= 30));
        assert_eq!(wrapped.lines().count(), 3, "{wrapped}");
        assert_eq!(wrapped.replace('\n', " "), text);
        // A word that is longer stands alone, whole.
        assert_eq!(wrapped_at("a bcdefg h", 3), "a\nbcdefg\nh");
    }

    #[test]
    fn one_is_one() {
        assert_eq!(counted(1_u64, "entry", "entries"), "1 entry");
        assert_eq!(counted(0_usize, "rule", "rules"), "0 rules");
    }
}
