//! `claviger keys hand-over`.

use std::io::Write;

use jiff::Timestamp;
use jose::{Curve, Signer};
use provider_api::Handover;
use serde::Serialize;
use wallet_provider::KeyPurpose;

use super::place::{self, Place};
use crate::exit::{Doing, Done, Failure, Outcome};
use crate::keys::KeySource;
use crate::output::{Output, Report};
use crate::wiring::provider_url;
use crate::{runtime, time};

/// Make the next key of the answers, and have the current one hand over to it.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  claviger keys hand-over --config claviger.toml --start 2027-03-01T00:00:00Z
      apps that pinned the key before, or any earlier one, follow by themselves")]
pub(crate) struct Args {
    #[command(flatten)]
    place: Place,
    /// Its curve, which makes its algorithm: P-256, P-384 or P-521
    #[arg(long, default_value = "P-256", value_parser = super::curve)]
    curve: Curve,
    /// When it takes over (RFC 3339, or `now`)
    #[arg(long, value_parser = place::start)]
    start: Timestamp,
}

pub(super) fn run(args: &Args, output: Output) -> Done {
    let settings = args.place.settings()?;
    let now = time::now();
    let starts = time::whole_second(args.start).max(time::whole_second(now));
    let base_url = provider_url(&settings.url_at(settings.listen));
    let file = runtime::block_on(async {
        let locked = place::folder(&settings).lock()?;
        let keys = locked.read()?;
        let device = crate::device::open(&settings.device.uri).await?;
        let source = KeySource::new(device.clone(), &settings.data, base_url.clone(), Vec::new());
        let answers = source.answers(&keys).await?;
        let latest = keys
            .iter()
            .filter(|key| key.purpose == KeyPurpose::Answers)
            .filter_map(|key| key.starts)
            .max();
        if latest.is_some_and(|latest| starts <= latest) {
            return Err(Failure::new(
                "another answer key takes over then or later: one comes after the other",
            ));
        }
        let made = place::make_key(&device, &keys, KeyPurpose::Answers, args.curve).await?;
        let (mut file, signer) = made;
        let handover = Handover {
            iss: base_url,
            iat: now.as_second(),
            answer_key: signer.public_key().clone(),
            starts: starts.as_second(),
        };
        let signed = handover.sign(answers.newest().as_ref()).await;
        file.handover = Some(signed.doing("the handover")?);
        file.starts = Some(starts);
        locked.write(&file)?;
        Ok::<_, Failure>(file)
    })?;
    output.print(&HandedOver {
        generation: file.generation,
        key: file.key,
        algorithm: file.public_key.algorithm().name(),
        kid: file.public_key.thumbprint_b64(),
        starts,
    })?;
    Ok(Outcome::Yes)
}

#[derive(Serialize)]
struct HandedOver {
    generation: u32,
    key: String,
    algorithm: &'static str,
    kid: String,
    starts: Timestamp,
}

impl Report for HandedOver {
    fn for_people(&self, out: &mut dyn Write) -> std::io::Result<()> {
        writeln!(
            out,
            "answers generation {} ({}, {}) signs answers from {} on",
            self.generation, self.key, self.algorithm, self.starts
        )?;
        writeln!(out, "a new version of the app pins the key {}", self.kid)
    }
}
