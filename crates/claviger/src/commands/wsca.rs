//! `claviger wsca`: what an operator can do after an alarm, deliberately.

use std::io::Write;

use comfy_table::Cell;
use owo_colors::OwoColorize;
use sci::UnitId;
use serde::Serialize;
use wsca::{LockedShard, Unlock};

use super::at_rest::Place;
use crate::exit::{Doing, Done, Failure, Outcome};
use crate::output::{self, Output, Report};
use crate::runtime;

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Show which shards are locked, and why: exit status 1 if any is
    Shards(Shards),
    /// Unlock a shard whose true database is lost. Stop every node first
    Unlock(UnlockArgs),
    /// Destroy a unit whose record was altered, which keeps the root from being rotated
    Condemn(Condemn),
}

#[derive(Debug, clap::Args)]
pub(crate) struct Shards {
    #[command(flatten)]
    place: Place,
}

#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("how").required(true))]
pub(crate) struct UnlockArgs {
    #[command(flatten)]
    place: Place,
    /// The shard
    #[arg(long)]
    shard: u16,
    /// Destroy every unit in it: nothing in doubt is used again
    #[arg(long, group = "how")]
    destroy: bool,
    /// Take the state as it is: tries, destroyed keys and destroyed units that are not
    /// erased yet come back
    #[arg(long, group = "how")]
    accept: bool,
    /// Why, in a few words: it goes into the audit log. No personal data
    #[arg(long)]
    reason: String,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Condemn {
    #[command(flatten)]
    place: Place,
    /// The unit
    unit: UnitId,
    /// Why, in a few words: it goes into the audit log. No personal data
    #[arg(long)]
    reason: String,
}

pub(crate) fn run(command: &Command, output: Output) -> Done {
    match command {
        Command::Shards(args) => shards(args, output),
        Command::Unlock(args) => unlock(args, output),
        Command::Condemn(args) => condemn(args, output),
    }
}

fn shards(args: &Shards, output: Output) -> Done {
    let locked = runtime::block_on(async {
        let at_rest = args.place.open().await?;
        let wsca = at_rest.wsca().await?;
        let locked = wsca.locked_shards();
        at_rest.database.close().await;
        Ok::<_, Failure>(locked)
    })?;
    let report = Locked::of(locked);
    output.print(&report)?;
    Ok(if report.locked.is_empty() {
        Outcome::Yes
    } else {
        Outcome::No
    })
}

fn unlock(args: &UnlockArgs, output: Output) -> Done {
    if args.reason.trim().is_empty() {
        return Err(Failure::new("--reason: it says nothing"));
    }
    let how = if args.destroy {
        Unlock::Destroy
    } else {
        Unlock::Accept
    };
    let done = runtime::block_on(async {
        let at_rest = args.place.open().await?;
        let wsca = at_rest.wsca().await?;
        let done = wsca.unlock(args.shard, how, &args.reason).await;
        at_rest.database.close().await;
        done.doing("the shard")
    })?;
    let report = Unlocked {
        shard: args.shard,
        unlocked: done.is_some(),
        destroyed: done.map_or(0, |done| done.destroyed),
        accepted: done.map_or(0, |done| done.accepted),
        refused: done.map_or(0, |done| done.refused),
    };
    output.print(&report)?;
    Ok(if report.unlocked {
        Outcome::Yes
    } else {
        Outcome::No
    })
}

fn condemn(args: &Condemn, output: Output) -> Done {
    let condemned = runtime::block_on(async {
        let at_rest = args.place.open().await?;
        let wsca = at_rest.wsca().await?;
        let condemned = wsca.condemn(args.unit, &args.reason).await;
        at_rest.database.close().await;
        condemned.doing("the unit")
    })?;
    output.print(&Condemned {
        unit: args.unit,
        condemned,
    })?;
    Ok(if condemned { Outcome::Yes } else { Outcome::No })
}

#[derive(Serialize)]
struct Locked {
    locked: Vec<Shard>,
}

#[derive(Serialize)]
struct Shard {
    shard: u16,
    reason: String,
}

impl Locked {
    fn of(locked: Vec<LockedShard>) -> Self {
        let shard = |LockedShard { shard, reason }| Shard { shard, reason };
        Self {
            locked: locked.into_iter().map(shard).collect(),
        }
    }
}

impl Report for Locked {
    fn for_people(&self, out: &mut dyn Write) -> std::io::Result<()> {
        if self.locked.is_empty() {
            return writeln!(out, "{}  no shard is locked", "in order".green().bold());
        }
        let mut table = output::table(&["shard", "locked because"]);
        for Shard { shard, reason } in &self.locked {
            table.add_row(vec![Cell::new(shard), Cell::new(reason)]);
        }
        writeln!(out, "{table}")?;
        writeln!(
            out,
            "Bring the true database back, if there is one: a start on it opens them again.\n\
             If it is lost: claviger wsca unlock --shard N --destroy|--accept --reason TEXT"
        )
    }
}

#[derive(Serialize)]
struct Unlocked {
    shard: u16,
    unlocked: bool,
    destroyed: u64,
    accepted: u64,
    refused: u64,
}

impl Report for Unlocked {
    fn for_people(&self, out: &mut dyn Write) -> std::io::Result<()> {
        if !self.unlocked {
            return writeln!(out, "shard {} is not locked: nothing was done", self.shard);
        }
        writeln!(
            out,
            "{}  shard {}: {} units destroyed, {} accepted, {} left refused",
            "unlocked".yellow().bold(),
            self.shard,
            self.destroyed,
            self.accepted,
            self.refused
        )
    }
}

#[derive(Serialize)]
struct Condemned {
    unit: UnitId,
    condemned: bool,
}

impl Report for Condemned {
    fn for_people(&self, out: &mut dyn Write) -> std::io::Result<()> {
        if self.condemned {
            writeln!(out, "{}  unit {}", "destroyed".yellow().bold(), self.unit)
        } else {
            writeln!(
                out,
                "unit {} is not there, or its record is in order: nothing was done",
                self.unit
            )
        }
    }
}
