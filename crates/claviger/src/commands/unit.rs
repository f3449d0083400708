//! `claviger unit`: what an operator of the wallet provider may do, against a
//! running node.

mod bulk;

use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use comfy_table::Cell;
use provider_api::UnitView;
use reqwest::{Client, RequestBuilder};
use sci::UnitId;
use serde::{Deserialize, Serialize};

use crate::exit::{Doing, Done, Failure, Outcome};
use crate::output::{self, Output, Report};
use crate::{input, runtime};

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

/// The node that is asked.
#[derive(Debug, clap::Args)]
pub(crate) struct NodeArgs {
    /// The node's address
    #[arg(long, default_value = "http://127.0.0.1:8710")]
    url: String,
    /// The file that holds the operators' token
    #[arg(long, default_value = "./claviger-data/operator.token")]
    token_file: PathBuf,
}

#[derive(Debug, clap::Args)]
pub(crate) struct List {
    #[command(flatten)]
    node: NodeArgs,
    /// Those after this one
    #[arg(long)]
    after: Option<UnitId>,
    /// How many, at most 1000
    #[arg(long, default_value_t = 100)]
    limit: u32,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Show {
    /// The unit's identifier
    unit: UnitId,
    #[command(flatten)]
    node: NodeArgs,
}

pub(crate) fn run(command: &Command, output: Output) -> Done {
    match command {
        Command::List(args) => {
            let mut path = format!("operator/units?limit={}", args.limit);
            if let Some(after) = args.after {
                path.push_str(&format!("&after={after}"));
            }
            let units: Units = args
                .node
                .ask(|http, url| http.get(format!("{url}/{path}")))?;
            output.print(&units)?;
        }
        Command::Show(args) => {
            let path = format!("operator/units/{}", args.unit);
            let unit: UnitView = args
                .node
                .ask(|http, url| http.get(format!("{url}/{path}")))?;
            output.print(&Units { units: vec![unit] })?;
        }
        Command::Revoke(args) => return bulk::revoke(args, output),
        Command::Revocations(args) => return bulk::revocations(args, output),
    }
    Ok(Outcome::Yes)
}

impl NodeArgs {
    fn ask<T: serde::de::DeserializeOwned>(
        &self,
        request: impl FnOnce(&Client, &str) -> RequestBuilder,
    ) -> Result<T, Failure> {
        let token = input::read_text(&self.token_file, 4096)?;
        let url = self.url.trim_end_matches('/');
        runtime::block_on(async {
            let http = Client::builder()
                .timeout(Duration::from_secs(30))
                .redirect(reqwest::redirect::Policy::none())
                .build()
                .doing("the HTTP client")?;
            let response = request(&http, url)
                .bearer_auth(token)
                .send()
                .await
                .doing(url)?;
            let status = response.status();
            let bytes = response.bytes().await.doing(url)?;
            if status.is_success() {
                return serde_json::from_slice(&bytes).doing("the node's answer");
            }
            let problem: Problem = serde_json::from_slice(&bytes).unwrap_or_default();
            let detail = problem.detail.unwrap_or(problem.title);
            Err(Failure::new(format!("{url}: {status}: {detail}")))
        })
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Problem {
    title: String,
    detail: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Units {
    units: Vec<UnitView>,
}

impl Report for Units {
    fn for_people(&self, out: &mut dyn Write) -> std::io::Result<()> {
        if self.units.is_empty() {
            return writeln!(out, "no units");
        }
        let mut table = output::table(&["unit", "state", "history"]);
        for unit in &self.units {
            let history: Vec<String> = unit
                .history
                .iter()
                .map(|entry| {
                    let mut line = format!("{} {}", entry.at, entry.state);
                    if let (Some(by), Some(reason)) = (entry.by, entry.reason) {
                        let who = entry.name.as_deref().map(|name| format!(" ({name})"));
                        let who = who.unwrap_or_default();
                        let what = entry.storage.map(|storage| format!(" {storage} revoked"));
                        let what = what.unwrap_or_default();
                        line.push_str(&format!("{what} by {}{who}: {}", by.name(), reason.name()));
                    }
                    line
                })
                .collect();
            table.add_row(vec![
                Cell::new(unit.unit),
                Cell::new(unit.state),
                Cell::new(history.join("\n")),
            ]);
        }
        writeln!(out, "{table}")
    }
}
