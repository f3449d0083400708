//! `claviger wscd rotate`: a new root, so that what was destroyed is erased.

use std::io::Write;

use owo_colors::OwoColorize;
use serde::Serialize;
use wsca::RotationError;

use super::at_rest::Place;
use crate::exit::{Done, Failure, Outcome};
use crate::output::{Output, Report, TIMED};
use crate::runtime;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    place: Place,
}

pub(crate) fn run(args: &Args, output: Output) -> Done {
    let rotated = runtime::block_on(async {
        let at_rest = args.place.open().await?;
        let wsca = at_rest.wsca().await?;
        let progress = output.progress(0, TIMED);
        let rotated = wsca
            .rotate(|now| {
                progress.set_length(now.of);
                progress.set_position(now.done);
            })
            .await;
        progress.finish_and_clear();
        if rotated.is_ok()
            && let Err(error) = wsca.checkpoint().await
        {
            tracing::warn!(%error, "no checkpoint was signed over it");
        }
        at_rest.database.close().await;
        match rotated {
            Ok(rotated) => Ok(Ok(rotated)),
            Err(error @ (RotationError::Locked(_) | RotationError::Unmoved { .. })) => {
                Ok(Err(error.to_string()))
            }
            Err(error) => Err(Failure::of("the rotation", &error)),
        }
    })?;
    match rotated {
        Ok(rotated) => {
            output.print(&Rotated {
                rotated: true,
                root: Some(rotated.root.0),
                units: rotated.units,
                keys: rotated.keys,
                resumed: rotated.resumed,
                because: None,
            })?;
            Ok(Outcome::Yes)
        }
        Err(because) => {
            output.print(&Rotated {
                rotated: false,
                root: None,
                units: 0,
                keys: 0,
                resumed: false,
                because: Some(because),
            })?;
            Ok(Outcome::No)
        }
    }
}

#[derive(Serialize)]
struct Rotated {
    rotated: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    root: Option<u64>,
    units: u64,
    keys: u64,
    resumed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    because: Option<String>,
}

impl Report for Rotated {
    fn for_people(&self, out: &mut dyn Write) -> std::io::Result<()> {
        if let Some(because) = &self.because {
            writeln!(out, "{}  {because}", "not rotated".red().bold())?;
            return writeln!(
                out,
                "The old root is still there: nothing is lost, and the same command goes on."
            );
        }
        let done = if self.resumed {
            "taken up and done"
        } else {
            "done"
        };
        writeln!(
            out,
            "{}  root {}, {} units and {} keys were moved",
            done.green().bold(),
            self.root.unwrap_or_default(),
            self.units,
            self.keys
        )?;
        writeln!(
            out,
            "What was destroyed before is erased: no copy of the database from before opens it."
        )
    }
}
