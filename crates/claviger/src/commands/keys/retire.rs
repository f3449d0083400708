//! `claviger keys retire`.

use std::io::Write;

use jiff::Timestamp;
use serde::Serialize;
use wallet_provider::{KeyPurpose, Seals};

use super::list::{self, NotUsed};
use super::place::{self, Place};
use crate::exit::{Done, Failure, Outcome};
use crate::keys::{KeyFile, Retired, generation};
use crate::output::{Output, Report};
use crate::time;

/// Have a key sign no more.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  claviger keys retire --config claviger.toml --purpose wia --generation 1
      what it signed stays good, and its key published, until all of it has ended
  claviger keys retire --config claviger.toml --purpose wia --generation 1 --compromised
      somebody else may have the key: it is published no more")]
pub(crate) struct Args {
    #[command(flatten)]
    place: Place,
    /// What the key is for: attestations (WIA and KA), wia, ka or status
    #[arg(long, value_parser = super::certified)]
    purpose: KeyPurpose,
    /// Which key
    #[arg(long)]
    generation: u32,
    /// Somebody else may have it: nothing that it signed is taken any more, even
    /// where then nothing signs
    #[arg(long)]
    compromised: bool,
}

pub(super) fn run(args: &Args, output: Output) -> Done {
    let settings = args.place.settings()?;
    let now = time::whole_second(time::now());
    if args.generation == 0 {
        return Err(Failure::new(
            "generation 0 is what the configuration names. Once a later generation signs, it \
             signs no more. To give it up as compromised, take its certificate out of the \
             configuration and start the node again: then it is published no more, and nothing \
             that it signed is taken for the provider's own",
        ));
    }
    let locked = place::folder(&settings).lock()?;
    let mut key = locked.key(args.purpose, args.generation)?;
    let at = key.retired.map_or(now, |before| before.at);
    key.retired = Some(Retired {
        at,
        compromised: args.compromised || key.is_compromised(),
    });
    if !args.compromised {
        let mut after = locked.read()?;
        after.retain(|other| other.key != key.key);
        let left = list::generations(&settings, &after)?;
        let kinds = Seals::ALL
            .into_iter()
            .filter(|what| args.purpose.seals(*what));
        for what in kinds {
            if left.signing(what, now).is_none() && is_in_use(&key, now)? {
                return Err(Failure::new(format!(
                    "{key} is the only one that signs for {}: install another first",
                    what.name()
                )));
            }
        }
    }
    locked.write(&key)?;
    output.print(&Retirement {
        purpose: key.purpose,
        generation: key.generation,
        retired: at,
        compromised: key.is_compromised(),
    })?;
    Ok(Outcome::Yes)
}

/// Whether the key could sign now, were it not retired.
fn is_in_use(key: &KeyFile, now: Timestamp) -> Result<bool, Failure> {
    if !key.is_installed() {
        return Ok(false);
    }
    let unretired = KeyFile {
        retired: None,
        ..key.clone()
    };
    let signer = NotUsed(key.public_key.clone());
    Ok(generation(&unretired, signer)?.may_sign(now))
}

#[derive(Serialize)]
struct Retirement {
    purpose: KeyPurpose,
    generation: u32,
    retired: Timestamp,
    compromised: bool,
}

impl Report for Retirement {
    fn for_people(&self, out: &mut dyn Write) -> std::io::Result<()> {
        let (purpose, generation) = (self.purpose, self.generation);
        writeln!(
            out,
            "{purpose} generation {generation} signs no more since {}",
            self.retired
        )?;
        if self.compromised {
            writeln!(
                out,
                "it is published no more; have it taken off the trusted list and its \
                 certificate revoked"
            )?;
        }
        Ok(())
    }
}
