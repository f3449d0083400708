//! `claviger unit`: what an operator of the wallet provider may do, against a
//! running node.

mod bulk;

use std::io::Write;

use comfy_table::Cell;
use provider_api::{HistoryEntry, Selector, UnitState, UnitView};
use sci::UnitId;
use serde::{Deserialize, Serialize};

use super::node::NodeArgs;
use crate::exit::{Done, Failure, Outcome};
use crate::output::{self, Output, Report};
use crate::{runtime, time};

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Show units, in the order of their identifiers
    List(List),
    /// Show one unit with its history
    Show(Show),
    /// Revoke a unit, or all that a selector means. It is final
    Revoke(bulk::Revoke),
    /// Revocations of many units, and how far each is
    Revocations(bulk::Revocations),
}

#[derive(Debug, clap::Args)]
pub(crate) struct List {
    #[command(flatten)]
    node: NodeArgs,
    /// Those after this one
    #[arg(long)]
    after: Option<UnitId>,
    /// How many; all of them with --all
    #[arg(long, default_value_t = 100, value_parser = at_least_one)]
    limit: usize,
    /// All there are, page by page
    #[arg(long, conflicts_with = "limit")]
    all: bool,
    /// Those in this state: installed, operational, revoked
    #[arg(long, value_parser = state)]
    state: Option<UnitState>,
    /// Those on a device of this model, as its evidence says
    #[arg(long)]
    model: Option<String>,
    /// Those whose device had this security patch level or an older one: 202611
    #[arg(long, value_name = "YYYYMM", value_parser = year_and_month)]
    patch_level_up_to: Option<u32>,
    /// Those whose wallet solution had this version when they were activated
    #[arg(long)]
    version: Option<String>,
    /// Only those whose device turned out worse at a check; they get nothing until it
    /// is sound again, and somebody decides whether to revoke them
    #[arg(long)]
    device_worse: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Show {
    /// The unit's identifier
    unit: UnitId,
    #[command(flatten)]
    node: NodeArgs,
}

fn at_least_one(text: &str) -> Result<usize, String> {
    let number = text.parse::<usize>().ok().filter(|number| *number > 0);
    number.ok_or_else(|| "a number from 1 on is expected".to_owned())
}

fn year_and_month(text: &str) -> Result<u32, String> {
    let asked = Selector {
        patch_below: text.parse().ok(),
        ..Selector::default()
    };
    match (asked.patch_below, asked.check()) {
        (Some(level), Ok(())) => Ok(level),
        _ => Err("a year and a month as in 202611 are expected".to_owned()),
    }
}

fn state(name: &str) -> Result<UnitState, String> {
    UnitState::from_name(name).ok_or_else(|| "installed, operational or revoked".to_owned())
}

pub(crate) fn run(command: &Command, output: Output) -> Done {
    match command {
        Command::List(args) => output.print(&list(args)?)?,
        Command::Show(args) => {
            let path = format!("operator/units/{}", args.unit);
            let unit: Unit = args
                .node
                .ask(|http, url| http.get(format!("{url}/{path}")))?;
            output.print(&Units::one(unit))?;
        }
        Command::Revoke(args) => return bulk::revoke(args, output),
        Command::Revocations(args) => return bulk::revocations(args, output),
    }
    Ok(Outcome::Yes)
}

/// How many units are asked for at once.
const PAGE: usize = 1000;

/// Asks page after page until there is what was asked for.
fn list(args: &List) -> Result<Units, Failure> {
    let wanted = if args.all { usize::MAX } else { args.limit };
    let node = args.node.open()?;
    runtime::block_on(async {
        let mut found = Units {
            units: Vec::new(),
            next: args.after,
        };
        loop {
            let left = wanted.saturating_sub(found.units.len());
            let query = args.query(found.next, left.min(PAGE));
            let page: Units = node
                .ask(|http, url| http.get(format!("{url}/operator/units?{query}")))
                .await?;
            found.units.extend(page.units);
            found.next = page.next;
            if found.next.is_none() || found.units.len() >= wanted {
                return Ok(found);
            }
        }
    })
}

impl List {
    fn query(&self, after: Option<UnitId>, limit: usize) -> String {
        let pairs = [
            ("after", after.map(|unit| unit.to_string())),
            ("limit", Some(limit.to_string())),
            ("state", self.state.map(|state| state.name().to_owned())),
            ("model", self.model.clone()),
            (
                "patch_level_up_to",
                self.patch_level_up_to.map(|level| level.to_string()),
            ),
            ("version", self.version.clone()),
            ("device_worse", self.device_worse.then(|| "true".to_owned())),
        ];
        let given = pairs
            .into_iter()
            .filter_map(|(name, value)| Some((name, value?)));
        url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(given)
            .finish()
    }
}

impl Units {
    fn one(unit: Unit) -> Self {
        Self {
            units: vec![unit],
            next: None,
        }
    }
}

/// A page of units, or all that were asked for.
#[derive(Debug, Serialize, Deserialize)]
struct Units {
    units: Vec<Unit>,
    /// After which one to go on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    next: Option<UnitId>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Unit {
    #[serde(flatten)]
    view: UnitView,
    /// What the node tells beyond that, as it tells it.
    #[serde(flatten)]
    more: serde_json::Map<String, serde_json::Value>,
}

impl Unit {
    /// What came of a revocation, where it was revoked before that.
    fn revoked_before(&self) -> Option<&'static str> {
        if self.more.get("already") != Some(&serde_json::Value::Bool(true)) {
            return None;
        }
        // Its history has another one where the new reason has its keys frozen.
        let history = self.view.history.iter();
        let revoked = history.filter(|e| e.state == UnitState::Revoked && e.storage.is_none());
        Some(match revoked.count() {
            0 | 1 => "it was revoked before: nothing changed",
            _ => "it was revoked before: its keys are frozen besides",
        })
    }

    /// What is known of its device and its version, in a line or two.
    fn known(&self) -> String {
        let device = self.more.get("device");
        let of_device = |name: &str| device.and_then(|device| device.get(name));
        let text = |value: Option<&serde_json::Value>| match value {
            Some(serde_json::Value::String(text)) => Some(text.clone()),
            Some(serde_json::Value::Number(number)) => Some(number.to_string()),
            _ => None,
        };
        let lines = [
            ("version", text(self.more.get("wallet_version"))),
            (
                "device",
                text(of_device("model")).or_else(|| text(of_device("kind"))),
            ),
            ("patch level", text(of_device("patch_level"))),
            ("keys", text(of_device("key_storage"))),
            (
                "worse:",
                text(of_device("worse").and_then(|w| w.get("why"))),
            ),
        ];
        let lines: Vec<String> = lines
            .into_iter()
            .filter_map(|(name, value)| Some(format!("{name} {}", value?)))
            .collect();
        lines.join("\n")
    }
}

impl Report for Units {
    fn for_people(&self, out: &mut dyn Write) -> std::io::Result<()> {
        if self.units.is_empty() {
            return writeln!(out, "no units");
        }
        let mut table = output::table(&["unit", "state", "history", "known"]);
        output::keep_whole(&mut table, 0);
        for unit in &self.units {
            let history: Vec<String> = unit.view.history.iter().map(line).collect();
            table.add_row(vec![
                Cell::new(unit.view.unit),
                Cell::new(unit.view.state),
                Cell::new(history.join("\n")),
                Cell::new(unit.known()),
            ]);
        }
        writeln!(out, "{table}")?;
        for said in self.units.iter().filter_map(Unit::revoked_before) {
            writeln!(out, "{said}")?;
        }
        if let Some(next) = self.next {
            writeln!(out, "there are more: --after {next}")?;
        }
        Ok(())
    }
}

fn line(entry: &HistoryEntry) -> String {
    let mut line = format!("{} {}", time::whole_second(entry.at), entry.state);
    if let (Some(by), Some(reason)) = (entry.by, entry.reason) {
        let who = entry.name.as_deref().map(|name| format!(" ({name})"));
        let what = entry.storage.map(|storage| format!(" {storage} revoked"));
        line.push_str(&format!(
            "{} by {}{}: {}",
            what.unwrap_or_default(),
            by.name(),
            who.unwrap_or_default(),
            reason.name()
        ));
    }
    line
}
