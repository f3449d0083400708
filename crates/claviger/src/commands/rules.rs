//! `claviger rules`: every rule that a check of the house can name.

use std::io::Write;

use finding::Rule;
use owo_colors::OwoColorize;
use serde::Serialize;

use crate::exit::{Done, Outcome};
use crate::output::{self, Output, Report};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Only rules whose id, clause or text contains this
    filter: Option<String>,
}

pub(crate) fn run(args: &Args, output: Output) -> Done {
    let filter = args.filter.as_deref().unwrap_or("").to_lowercase();
    let rules = all()
        .filter(|rule| {
            [rule.id, rule.clause, rule.says]
                .iter()
                .any(|text| text.to_lowercase().contains(&filter))
        })
        .map(Entry::from)
        .collect();
    output.print(&Listing { rules })?;
    Ok(Outcome::Yes)
}

/// The rules of every room, in the order of the rooms.
pub(crate) fn all() -> impl Iterator<Item = &'static Rule> {
    [
        lote::RULES,
        pki::RULES,
        status_list::RULES,
        wua::RULES,
        device_evidence::RULES,
        issuer_guard::RULES,
        provider_api::RULES,
        accounts::RULES,
        wallet_provider::rules::RULES,
        wallet_provider::keyring::rules::RULES,
        wallet_provider::upkeep::rules::RULES,
        sci::RULES,
        wsca::RULES,
        server::RULES,
        trust::RULES,
        trust::counterpart::RULES,
        wrp::RULES,
        outbound::RULES,
        ::notices::RULES,
        super::trust::RULES,
    ]
    .into_iter()
    .flatten()
    .copied()
}

#[derive(Serialize)]
struct Listing {
    rules: Vec<Entry>,
}

#[derive(Serialize)]
struct Entry {
    id: &'static str,
    clause: &'static str,
    severity: finding::Severity,
    says: &'static str,
}

impl From<&'static Rule> for Entry {
    fn from(rule: &'static Rule) -> Self {
        Self {
            id: rule.id,
            clause: rule.clause,
            severity: rule.severity,
            says: rule.says,
        }
    }
}

impl Report for Listing {
    fn for_people(&self, out: &mut dyn Write) -> std::io::Result<()> {
        for rule in &self.rules {
            writeln!(out, "{}  {}", rule.id.bold(), rule.severity)?;
            writeln!(out, "    {}", rule.says)?;
            writeln!(out, "    {}", rule.clause.dimmed())?;
        }
        let rules = output::counted(self.rules.len(), "rule", "rules");
        writeln!(out, "{rules}")
    }
}
