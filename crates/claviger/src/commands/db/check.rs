use std::io::Write;

use finding::{Finding, has_errors};
use owo_colors::OwoColorize;
use serde::Serialize;
use store::operators::SqlOperatorTrail;
use store::provider::SqlProviderStore;
use store::{Database, SchemaState};
use wallet_provider::OperatorTrail;
use wallet_provider::operators::{self, Head};
use wallet_provider::upkeep::{self, Checked};
use wsca::WscaStore;
use wsca::audit_check::{self, AuditReport};

use super::{Where, published};
use crate::commands::at_rest::{AtRest, not_opened};
use crate::commands::audit;
use crate::exit::{Doing, Done, Failure, Outcome};
use crate::output::{self, Output, Report, TIMED};
use crate::runtime;

#[derive(Debug, clap::Args)]
pub(crate) struct Check {
    #[command(flatten)]
    place: Where,
}

pub(super) fn run(args: &Check, output: Output) -> Done {
    let found = args.place.place.find()?;
    found.must_be_there()?;
    let lists = published(&found, &args.place.status_certificate)?;
    let report = runtime::block_on(async {
        let database = Database::open_as_it_is(&found.database).await;
        let database = database.map_err(|error| not_opened(&error))?;
        if database.schema().await.doing("the schema")? != SchemaState::Ours {
            return Err(Failure::new(
                "the database's schema is not this version's: start a node of this version on it first",
            ));
        }
        let store = SqlProviderStore::new(database.clone());
        let progress = output.progress(u64::try_from(lists.names().len()).unwrap_or(0), TIMED);
        let mut provider = upkeep::check(&store, &lists, |done| {
            progress.set_position(done);
        })
        .await
        .doing("the database")?;
        progress.finish_and_clear();
        let trail = trail(&SqlOperatorTrail::new(database.clone())).await?;
        provider.findings.extend(trail);
        let audit = audit(&found.with(database.clone())).await?;
        let report = CheckReport {
            database: database.place(),
            provider,
            audit,
        };
        database.close().await;
        Ok(report)
    })?;
    output.print(&report)?;
    Ok(report.outcome())
}

/// What is wrong with the chain of what operators did.
async fn trail(trail: &SqlOperatorTrail) -> Result<Vec<Finding>, Failure> {
    const PAGE: u32 = 1000;
    let ends = trail.ends().await.doing("the operators' trail")?;
    let (mut head, mut findings) = (ends.start, Vec::new());
    loop {
        let rows = trail.rows(head.sequence, PAGE).await;
        let rows = rows.doing("the operators' trail")?;
        let is_last = rows.len() < usize::try_from(PAGE).unwrap_or(usize::MAX);
        let known: &[Head] = if is_last { &[ends.end] } else { &[] };
        let (end, found) = operators::verify(head, &rows, known);
        findings.extend(found);
        head = end;
        if is_last {
            break;
        }
    }
    Ok(findings)
}

/// The WSCA's audit log, where there is one.
async fn audit(at_rest: &AtRest) -> Result<Option<AuditReport>, Failure> {
    let end = at_rest.store.audit_end().await.doing("the audit log")?;
    if end.is_none() {
        return Ok(None);
    }
    let (known, not_asked) = audit::of_device(at_rest).await?;
    let report = audit_check::check(&*at_rest.store, &known, |_| {}).await;
    let mut report = report.doing("the audit log")?;
    if let Some(why) = not_asked {
        for finding in &mut report.findings {
            if finding.is(&wsca::rules::AUDIT_KEY) {
                finding.evidence = format!(
                    "the device was not asked ({why}), so only the chain was checked; where a \
                     node has the software device in use, stop the node first"
                );
            }
        }
    }
    Ok(Some(report))
}

#[derive(Debug, Serialize)]
struct CheckReport {
    database: String,
    #[serde(flatten)]
    provider: Checked,
    #[serde(skip_serializing_if = "Option::is_none")]
    audit: Option<AuditReport>,
}

impl CheckReport {
    fn findings(&self) -> impl Iterator<Item = &Finding> {
        let audit = self.audit.iter().flat_map(|audit| &audit.findings);
        self.provider.findings.iter().chain(audit)
    }

    /// Undecided, where something could not be looked at for want of a key.
    fn outcome(&self) -> Outcome {
        let findings: Vec<Finding> = self.findings().cloned().collect();
        let keyless = |finding: &Finding| {
            finding.is(&upkeep::rules::NO_KEY) || finding.is(&wsca::rules::AUDIT_KEY)
        };
        let (unlooked, wrong): (Vec<_>, Vec<_>) = findings.into_iter().partition(keyless);
        match (has_errors(&wrong), unlooked.is_empty()) {
            (true, _) => Outcome::No,
            (false, false) => Outcome::Undecided,
            (false, true) => Outcome::Yes,
        }
    }
}

impl Report for CheckReport {
    fn for_people(&self, out: &mut dyn Write) -> std::io::Result<()> {
        let answer = match self.outcome() {
            Outcome::Yes => format!("{}", "whole".green().bold()),
            Outcome::No => format!("{}", "not whole".red().bold()),
            Outcome::Undecided => format!("{}", "undecided".yellow().bold()),
        };
        let Checked {
            units,
            revoked,
            lists,
            set,
            ..
        } = &self.provider;
        writeln!(out, "{answer}  {}", self.database)?;
        writeln!(out, "units    {units}, {revoked} of them revoked")?;
        writeln!(out, "lists    {lists}, {set} entries set")?;
        if let Some(audit) = &self.audit {
            let entries = output::counted(audit.entries, "entry", "entries");
            writeln!(out, "audit    {entries}, to {}", audit.last)?;
        }
        let findings: Vec<Finding> = self.findings().cloned().collect();
        output::findings(out, &findings)
    }
}
