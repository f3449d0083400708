//! `claviger demo`: the whole circle in one process, over real HTTP on loopback,
//! in a temporary folder. A key is made in a device, the provider attests it, the
//! issuer verifies the attestation through the list, the unit is revoked, and the
//! issuer sees it; and on the way everything that must be refused is tried.
//!
//! Each step demands what it claims: the demo ends with a failure where something
//! does not hold.

mod artefacts;
mod circle;
mod issuer;
mod record;
mod refusals;
mod revocation;
mod units;
mod wallet;

use std::path::PathBuf;

use crate::exit::{Done, Outcome};
use crate::output::Output;
use crate::{logging, runtime};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The device that holds the keys: software:, software:PATH?key-file=FILE, or
    /// pkcs11:token=LABEL?module-path=FILE&pin-source=FILE
    #[arg(long, default_value = "software:")]
    device: String,
    /// Keep every artefact (lists, certificates, tokens, status lists) in this folder
    #[arg(long)]
    out: Option<PathBuf>,
}

/// The steps, for the progress bar.
const STEPS: u64 = 9;

pub(crate) fn run(args: &Args, output: Output) -> Done {
    logging::start_quiet();
    let record = runtime::block_on(async {
        let mut recorder = record::Recorder::new(output, STEPS);
        let circle = circle::Circle::open(&mut recorder, &args.device).await?;
        let (first, second) = units::activate(&mut recorder, &circle).await?;
        units::make_keys(&mut recorder, &first, &second).await?;
        let shown = units::attest(&mut recorder, &circle, &first, &second).await?;
        let issuer = issuer::Issuer::open(&circle).await?;
        let issued = issuer::verify(&mut recorder, &circle, &issuer, &shown).await?;
        refusals::refuse(&mut recorder, &circle, &issuer, &first, &second, &shown).await?;
        let ended =
            revocation::revoke(&mut recorder, &circle, &issuer, &first, &second, &shown).await?;
        let kept = match &args.out {
            None => None,
            Some(folder) => {
                artefacts::keep(folder, &circle, &shown, &issued, &ended)?;
                Some(folder.display().to_string())
            }
        };
        circle::summarize(&mut recorder);
        circle.close().await;
        Ok(recorder.finish(kept))
    })?;
    output.print(&record)?;
    Ok(Outcome::Yes)
}
