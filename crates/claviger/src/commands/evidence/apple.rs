//! What an Apple device says.

use std::path::PathBuf;

use device_evidence::apple::{
    self, AssertionCheck, AssertionSaid, AttestationCheck, AttestationSaid, Environment,
};
use jose::{cbor, sha256};

use super::Common;
use super::report::{Judged, Row, Rows, row};
use super::value::{self, Bytes};
use crate::exit::{Done, Failure};
use crate::output::Output;

/// The size of an attestation object or assertion, in bytes, base64 or not.
const OBJECT: u64 = 64 << 10;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The attestation object or the assertion: CBOR, or base64 of it
    file: PathBuf,
    /// The challenge is the client data; its SHA-256 is what is signed
    #[command(flatten)]
    common: Common,
    /// SHA-256 of the client data, where the data itself is not at hand:
    /// `hex:…` or `base64:…`
    #[arg(long, conflicts_with = "challenge")]
    client_data_hash: Option<Bytes>,
    /// Of an attestation: the key identifier that the app gave, `base64:…`
    #[arg(long)]
    key_id: Option<Bytes>,
    /// Of an assertion: the attested key, PEM or a JWK
    #[arg(long)]
    key: Option<PathBuf>,
    /// Of an assertion: the counter of the last one; 0 after the attestation
    #[arg(long, default_value_t = 0)]
    counter: u32,
    /// Of an assertion: the key was made in the development environment
    #[arg(long)]
    development: bool,
}

pub(super) fn run(args: &Args, output: Output) -> Done {
    let object = value::cbor(&args.file, OBJECT)?;
    let policy = args.common.policy()?.apple;
    let at = args.common.at();
    let hash = client_data_hash(args)?;
    if is_assertion(&object) {
        let Some(key) = &args.key else {
            return Err(Failure::new(
                "an assertion needs --key, the key that was attested",
            ));
        };
        let key = value::public_key(key)?;
        let environment = if args.development {
            Environment::Development
        } else {
            Environment::Production
        };
        let check = AssertionCheck {
            policy: &policy,
            key: &key,
            environment,
            counter: args.counter,
            client_data_hash: hash.as_ref(),
            at,
        };
        let assessment = apple::assess_assertion(&object, &check);
        Judged::print(&args.file, assessment, output)
    } else {
        let check = AttestationCheck {
            policy: &policy,
            client_data_hash: hash.as_ref(),
            key_id: args.key_id.as_ref().map(|id| id.0.as_slice()),
            at,
        };
        let assessment = apple::assess_attestation(&object, &check);
        Judged::print(&args.file, assessment, output)
    }
}

fn client_data_hash(args: &Args) -> Result<Option<[u8; 32]>, Failure> {
    match (&args.common.challenge, &args.client_data_hash) {
        (Some(data), _) => Ok(Some(sha256(&data.0))),
        (None, Some(hash)) => match hash.0.as_slice().try_into() {
            Ok(hash) => Ok(Some(hash)),
            Err(_) => Err(Failure::new("--client-data-hash: not 32 octets")),
        },
        (None, None) => Ok(None),
    }
}

/// Only an assertion has authenticator data under that name. What is neither is
/// refused as an attestation.
fn is_assertion(object: &[u8]) -> bool {
    cbor::parse(object, cbor::Limits::TOKEN)
        .is_ok_and(|map| cbor::get(&map, "authenticatorData").is_some())
}

impl Rows for AttestationSaid {
    fn rows(&self) -> Vec<Row> {
        let environment = self
            .environment
            .map_or_else(|| "unknown".into(), |environment| environment.to_string());
        vec![
            app(self.app.as_ref(), &self.app_hash),
            row("environment", environment),
            row("key id", hex::encode(&self.key_id)),
            row("counter", self.counter.to_string()),
            row("receipt", format!("{} bytes", self.receipt.len())),
        ]
    }
}

impl Rows for AssertionSaid {
    fn rows(&self) -> Vec<Row> {
        vec![
            app(self.app.as_ref(), &self.app_hash),
            row("counter", self.counter.to_string()),
        ]
    }
}

fn app(name: Option<&String>, hash: &[u8]) -> Row {
    let hash = hex::encode(hash);
    let shown = name.map_or_else(
        || format!("SHA-256 {hash}"),
        |name| format!("{name} ({hash})"),
    );
    row("app", shown)
}
