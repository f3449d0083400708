//! `claviger notices`: who was not told, and why.

use std::io::Write;
use std::path::PathBuf;

use ::notices::{Outbox, Still, Trouble};
use comfy_table::Cell;
use serde::Serialize;
use store::Database;
use store::notices::SqlOutbox;

use super::at_rest::not_opened;
use crate::exit::{Doing, Done, Outcome};
use crate::output::{self, Output, Report};
use crate::runtime;
use crate::settings::Settings;

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Show the notices that have not reached their user: exit status 1 if one never will
    List(List),
}

#[derive(Debug, clap::Args)]
pub(crate) struct List {
    /// The node's configuration (TOML); CLAVIGER_* variables override it
    #[arg(long)]
    config: PathBuf,
    /// How many, at most 1000
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: u32,
}

pub(crate) fn run(command: &Command, output: Output) -> Done {
    let Command::List(args) = command;
    let settings = Settings::read(&args.config)?;
    let troubles = runtime::block_on(async {
        let database = Database::open(settings.database())
            .await
            .map_err(|error| not_opened(&error))?;
        let troubles = SqlOutbox::new(database.clone()).troubles(args.limit).await;
        database.close().await;
        troubles.doing("the outbox")
    });
    let report = Troubles {
        notices: troubles?.into_iter().map(Line::of).collect(),
    };
    output.print(&report)?;
    let never = report.notices.iter().any(|line| line.over);
    Ok(if never { Outcome::No } else { Outcome::Yes })
}

#[derive(Serialize)]
struct Troubles {
    notices: Vec<Line>,
}

#[derive(Serialize)]
struct Line {
    notice: String,
    kind: String,
    channel: String,
    state: &'static str,
    /// Whether it is not tried any more.
    #[serde(skip)]
    over: bool,
    tries: u32,
    since: String,
    last: String,
    why: Option<String>,
}

impl Line {
    fn of(trouble: Trouble) -> Self {
        Self {
            notice: trouble.notice.to_string(),
            kind: trouble.kind,
            channel: trouble.channel.to_string(),
            state: trouble.still.name(),
            over: trouble.still != Still::Waiting,
            tries: trouble.tries,
            since: trouble.since.to_string(),
            last: trouble.last.to_string(),
            why: trouble.why,
        }
    }
}

impl Report for Troubles {
    fn for_people(&self, out: &mut dyn Write) -> std::io::Result<()> {
        if self.notices.is_empty() {
            return writeln!(out, "every notice that was tried has reached its user");
        }
        let mut table = output::table(&[
            "notice", "kind", "channel", "state", "tries", "since", "why",
        ]);
        for line in &self.notices {
            table.add_row([
                Cell::new(&line.notice),
                Cell::new(&line.kind),
                Cell::new(&line.channel),
                Cell::new(line.state),
                Cell::new(line.tries),
                Cell::new(&line.since),
                Cell::new(line.why.as_deref().unwrap_or("-")),
            ]);
        }
        writeln!(out, "{table}")
    }
}
