//! How an assessment is shown.

use std::io::Write;
use std::path::Path;

use comfy_table::Cell;
use device_evidence::{Assessment, AttackPotential, Platform};
use finding::Trusted;
use owo_colors::OwoColorize;
use serde::Serialize;

use crate::exit::Done;
use crate::output::{self, Output, Report};
use crate::time;

/// What is said of one thing.
pub(super) struct Row {
    what: &'static str,
    says: String,
}

pub(super) fn row(what: &'static str, says: impl Into<String>) -> Row {
    Row {
        what,
        says: says.into(),
    }
}

/// Bytes as text where they are, otherwise in hex.
pub(super) fn bytes(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) if !text.is_empty() && text.chars().all(|c| c.is_ascii_graphic() || c == ' ') => {
            format!("{text:?} ({})", hex::encode(bytes))
        }
        _ => hex::encode(bytes),
    }
}

/// What a device says, in a person's words.
pub(super) trait Rows {
    fn rows(&self) -> Vec<Row>;
}

/// An assessment of a file.
#[derive(Serialize)]
pub(super) struct Judged<Said> {
    file: String,
    #[serde(flatten)]
    assessment: Assessment<Said>,
}

impl<Said: Serialize + Rows> Judged<Said> {
    pub(super) fn print(file: &Path, assessment: Assessment<Said>, output: Output) -> Done {
        let outcome = assessment.accepted.into();
        output.print(&Self {
            file: file.display().to_string(),
            assessment,
        })?;
        Ok(outcome)
    }
}

impl<Said: Serialize + Rows> Report for Judged<Said> {
    fn for_people(&self, out: &mut dyn Write) -> std::io::Result<()> {
        let assessment = &self.assessment;
        let answer = match assessment.accepted {
            Trusted::Yes => format!("{}", "accepted".green().bold()),
            Trusted::No => format!("{}", "refused".red().bold()),
            Trusted::Undecided => format!("{}", "undecided".yellow().bold()),
        };
        let at = time::whole_second(assessment.at);
        writeln!(out, "{answer}  {} at {at}", assessment.platform)?;
        // Google's word on a device earns a key no level.
        if assessment.platform != Platform::Play {
            let level =
                |level: Option<AttackPotential>| level.map_or("none", AttackPotential::name);
            write!(out, "level     {}", level(assessment.key_storage).bold())?;
            match &assessment.basis {
                Some(basis) => writeln!(out, ": {basis}")?,
                None => writeln!(out)?,
            }
            let user = level(assessment.user_authentication);
            writeln!(out, "          user authentication {user}")?;
        }
        self.chain(out)?;
        if let Some(said) = &assessment.says {
            let mut table = output::table(&["", "what it says"]);
            for row in said.rows() {
                table.add_row(vec![Cell::new(row.what), Cell::new(row.says)]);
            }
            writeln!(out, "{table}")?;
        }
        output::findings(out, &assessment.findings)
    }
}

impl<Said> Judged<Said> {
    fn chain(&self, out: &mut dyn Write) -> std::io::Result<()> {
        let assessment = &self.assessment;
        for (position, certificate) in assessment.path.iter().enumerate() {
            let what = if position == 0 { "chain" } else { "" };
            let (subject, serial) = (&certificate.subject, &certificate.serial);
            writeln!(out, "{what:9} {subject}, serial {serial}")?;
        }
        match (&assessment.root, assessment.path.is_empty()) {
            (Some(root), _) => writeln!(out, "root      {root}"),
            (None, false) => writeln!(out, "root      {}", "none that is trusted".red()),
            (None, true) => Ok(()),
        }
    }
}
