//! `claviger keys request`.

use std::io::Write;
use std::path::PathBuf;

use jose::Curve;
use pki::Subject;
use serde::Serialize;
use wallet_provider::KeyPurpose;

use super::place::{self, Place};
use crate::commands::cert::subject;
use crate::exit::{Doing, Done, Failure, Outcome};
use crate::output::{Output, Report};
use crate::{files, keys, runtime};

/// Make a key in the device and a certificate request (PKCS#10) that it signs.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  claviger keys request --config claviger.toml --purpose attestations --curve P-384 \\
      --subject \"C=BE,O=Org,organizationIdentifier=VATBE-0876866142,CN=Org\\, wallet unit attestations\" \\
      --out attestations.csr
  claviger keys request --config claviger.toml --purpose attestations --generation 1 \\
      --subject \"…\"        the request of a key that was made before, again")]
pub(crate) struct Args {
    #[command(flatten)]
    place: Place,
    /// What the key is for: attestations (WIA and KA), wia, ka or status
    #[arg(long, value_parser = super::certified)]
    purpose: KeyPurpose,
    /// Its curve, which makes its algorithm: P-256, P-384 or P-521
    #[arg(long, default_value = "P-256", value_parser = super::curve)]
    curve: Curve,
    /// Whom it is to be certified for, such as
    /// "C=BE,O=Org,organizationIdentifier=VATBE-0876866142,CN=Name"
    #[arg(long, value_parser = subject)]
    subject: Subject,
    /// The key that was made before and is asked for again; a new one, if absent
    #[arg(long)]
    generation: Option<u32>,
    /// Where the request goes (PEM); standard output, if absent
    #[arg(long)]
    out: Option<PathBuf>,
}

pub(super) fn run(args: &Args, output: Output) -> Done {
    let settings = args.place.settings()?;
    let profile = args.purpose.profile();
    let profile = profile.ok_or_else(|| Failure::new("such a key has no certificate"))?;
    // Before a key is made for it.
    if let Some(out) = &args.out
        && out.exists()
    {
        let why = format!("{}: it is there already", out.display());
        return Err(Failure::new(why));
    }
    let (file, request) = runtime::block_on(async {
        let locked = place::folder(&settings).lock()?;
        let device = crate::device::open(&settings.device.uri).await?;
        let (file, signer) = match args.generation {
            Some(generation) => {
                let file = locked.key(args.purpose, generation)?;
                let signer = keys::open(&device, &file).await?;
                (file, signer)
            }
            None => {
                let keys = locked.read()?;
                let made = place::make_key(&device, &keys, args.purpose, args.curve).await?;
                locked.write(&made.0)?;
                made
            }
        };
        let request = pki::signing_request(profile, &args.subject, &signer);
        let request = request.await.doing("the request")?;
        Ok::<_, Failure>((file, pki::request_to_pem(&request)))
    })?;
    if let Some(out) = &args.out {
        files::write(out, request.as_bytes()).doing(out.display())?;
    }
    output.print(&Requested {
        purpose: file.purpose,
        generation: file.generation,
        key: file.key,
        algorithm: file.public_key.algorithm().name(),
        kid: file.public_key.thumbprint_b64(),
        profile: profile.name(),
        out: args.out.as_ref().map(|out| out.display().to_string()),
        config: args.place.config(),
        request,
    })?;
    Ok(Outcome::Yes)
}

#[derive(Serialize)]
struct Requested {
    purpose: KeyPurpose,
    generation: u32,
    key: String,
    algorithm: &'static str,
    kid: String,
    profile: &'static str,
    out: Option<String>,
    #[serde(skip)]
    config: String,
    request: String,
}

impl Report for Requested {
    fn for_people(&self, out: &mut dyn Write) -> std::io::Result<()> {
        let Some(file) = &self.out else {
            return out.write_all(self.request.as_bytes());
        };
        writeln!(
            out,
            "{file}: asks for a certificate of the profile {} for {} generation {} ({}, {})",
            self.profile, self.purpose, self.generation, self.key, self.algorithm
        )?;
        writeln!(
            out,
            "then: claviger keys install --config {} --purpose {} --generation {} --chain FILE",
            self.config, self.purpose, self.generation
        )
    }
}
