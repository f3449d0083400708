//! A counterpart's two answers, for people.

use std::io::Write;

use finding::Trusted;
use owo_colors::OwoColorize;
use trust::counterpart::{CounterpartVerdict, Half, Registration};

use crate::output::{Report, findings};
use crate::time;

impl Report for CounterpartVerdict {
    fn for_people(&self, out: &mut dyn Write) -> std::io::Result<()> {
        let at = time::whole_second(self.at);
        writeln!(out, "{}  at {at}", self.kind.name().bold())?;
        writeln!(out)?;
        half(out, "who are you?", &self.identity)?;
        if let Some(access) = &self.access {
            if let Some(leaf) = access.path.first() {
                writeln!(out, "access   {}", leaf.subject)?;
                writeln!(out, "         sha256 {}", leaf.sha256)?;
            }
            findings(out, &access.findings)?;
        }
        writeln!(out)?;
        half(out, "what may you do?", &self.entitlement)?;
        self.registrations
            .iter()
            .try_for_each(|one| registration(out, one))
    }
}

fn half(out: &mut dyn Write, question: &str, half: &Half) -> std::io::Result<()> {
    let answer = match half.answer() {
        Trusted::Yes => format!("{}", "yes".green().bold()),
        Trusted::No => format!("{}", "no".red().bold()),
        Trusted::Undecided => format!("{}", "undecided".yellow().bold()),
    };
    writeln!(out, "{}  {answer}", question.bold())?;
    findings(out, half.findings())
}

fn registration(out: &mut dyn Write, one: &Registration) -> std::io::Result<()> {
    if let Some(certificate) = &one.certificate {
        writeln!(
            out,
            "party    {} ({})",
            certificate.shown_name(),
            certificate.id
        )?;
        for entitlement in &certificate.entitlements {
            writeln!(out, "         {}", entitlement.uri())?;
        }
        if let Some(intended_use) = &certificate.intended_use {
            for purpose in &intended_use.purpose {
                writeln!(out, "purpose  {} [{}]", purpose.value, purpose.lang)?;
            }
        }
        let until = certificate
            .expires
            .map_or_else(|| "without end".to_owned(), |end| format!("until {end}"));
        writeln!(out, "issued   {}, {until}", certificate.issued)?;
    }
    if let Some(status) = &one.status {
        let said = status
            .status
            .map_or_else(|| "not known".to_owned(), |s| s.to_string());
        writeln!(out, "status   {said}, by {}", status.reference)?;
    }
    match &one.signer {
        Some(signer) => findings(out, &signer.findings),
        None => Ok(()),
    }
}
