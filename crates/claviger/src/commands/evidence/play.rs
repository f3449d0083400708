//! What Google says of an app and its device.

use std::path::PathBuf;

use device_evidence::play::{self, Bound, Check, Said};

use super::Common;
use super::report::{Judged, Row, Rows, row};
use crate::exit::{Done, Failure};
use crate::input;
use crate::output::Output;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The token
    file: PathBuf,
    /// The challenge is the nonce, before base64
    #[command(flatten)]
    common: Common,
    /// The request hash that the app gave, of a standard request
    #[arg(long, conflicts_with = "challenge")]
    request_hash: Option<String>,
}

pub(super) fn run(args: &Args, output: Output) -> Done {
    let token = input::read_text(&args.file, input::TOKEN)?;
    let policy = args.common.policy()?.play.ok_or_else(|| {
        Failure::new("--policy with a [play] part is needed: it holds the app's keys")
    })?;
    let bound = match (&args.common.challenge, &args.request_hash) {
        (Some(nonce), _) => Some(Bound::Nonce(&nonce.0)),
        (None, Some(hash)) => Some(Bound::RequestHash(hash)),
        (None, None) => None,
    };
    let check = Check {
        policy: &policy,
        bound,
        at: args.common.at(),
    };
    let assessment = play::assess(&token, &check);
    Judged::print(&args.file, assessment, output)
}

impl Rows for Said {
    fn rows(&self) -> Vec<Row> {
        let unknown = || "not said".to_owned();
        let mut rows = vec![
            row("asked by", self.request.package.clone()),
            row("asked at", self.request.at.to_string()),
        ];
        if let Some(nonce) = &self.request.nonce {
            rows.push(row("nonce", nonce.clone()));
        }
        if let Some(hash) = &self.request.request_hash {
            rows.push(row("request hash", hash.clone()));
        }
        let version = self.app.version.map_or_else(unknown, |v| v.to_string());
        rows.push(row(
            "app",
            format!("{}, version {version}", self.app.verdict),
        ));
        let signers = self.app.signers.iter();
        rows.extend(signers.map(|signer| row("signed by", signer.clone())));
        rows.push(row("device", self.device.labels.join(", ")));
        if let Some(sdk) = self.device.sdk_version {
            rows.push(row("system", format!("SDK {sdk}")));
        }
        rows.push(row(
            "licence",
            self.licensing.clone().unwrap_or_else(unknown),
        ));
        if let Some(protect) = &self.play_protect {
            rows.push(row("Play Protect", protect.clone()));
        }
        rows
    }
}
