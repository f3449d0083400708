//! `claviger keys list`.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use comfy_table::Cell;
use finding::Finding;
use jiff::Timestamp;
use jose::{PublicKey, SignError, Signer};
use serde::Serialize;
use wallet_provider::{
    CertificateState, Generation, Generations, KeyPurpose, Seal, Standing, Succession, check_chain,
};

use super::place::{self, Place};
use crate::exit::{Doing, Done, Failure, Outcome};
use crate::keys::{KeyFile, generation};
use crate::output::{self, Output, Report};
use crate::settings::Settings;
use crate::{input, time};

/// Show every key: which signs, which comes next, and until when.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The first key of the answers is not among them: it is in the device alone, which is not asked.

Examples:
  claviger keys list --config claviger.toml
  claviger keys list --config claviger.toml --at 2027-03-01T00:00:00Z --json")]
pub(crate) struct Args {
    #[command(flatten)]
    place: Place,
    /// The time the answer holds for (RFC 3339); now, if absent
    #[arg(long)]
    at: Option<Timestamp>,
}

pub(super) fn run(args: &Args, output: Output) -> Done {
    let settings = args.place.settings()?;
    let at = args.at.unwrap_or_else(time::now);
    let files = place::folder(&settings).read()?;
    let states = generations(&settings, &files)?.certificates(at);
    let mut keys: Vec<Row> = states.iter().map(|state| Row::of(state, at)).collect();
    let waits = |file: &&KeyFile| !file.is_installed() || file.is_compromised();
    keys.extend(
        files
            .iter()
            .filter(waits)
            .map(|file| Row::without(file, at)),
    );
    keys.sort_by_key(|row| (row.purpose, row.generation));
    let findings = keys.iter().flat_map(|row| row.findings.clone()).collect();
    let listing = Listing { at, keys, findings };
    output.print(&listing)?;
    Ok(Outcome::of(&listing.findings))
}

/// The keys that the configuration and the files name, as far as their certificates
/// tell: the device is not asked, a node may have it open.
pub(super) fn generations(settings: &Settings, files: &[KeyFile]) -> Result<Generations, Failure> {
    let mut generations = Vec::new();
    if let Some(provider) = &settings.wallet_provider {
        let named = [
            (KeyPurpose::Attestations, &provider.certificate),
            (KeyPurpose::Status, &provider.status_certificate),
        ];
        for (purpose, path) in named {
            if let Some(path) = path {
                generations.push(Arc::new(configured(purpose, path)?));
            }
        }
    }
    let installed = files
        .iter()
        .filter(|file| file.is_installed() && !file.is_compromised());
    for file in installed.filter(|file| file.purpose != KeyPurpose::Answers) {
        let signer = NotUsed(file.public_key.clone());
        generations.push(Arc::new(generation(file, signer)?));
    }
    Ok(generations.into_iter().collect())
}

/// Generation 0: what the configuration names.
fn configured(purpose: KeyPurpose, path: &Path) -> Result<Generation, Failure> {
    let chain = input::certificates(path)?;
    let own = chain.first().map(pki::Certificate::public_key);
    let key = own.ok_or_else(|| Failure::new("no certificate"))?;
    let seal = Seal {
        signer: Arc::new(NotUsed(key.doing(path.display())?)),
        chain: chain.iter().map(|c| c.der().to_vec()).collect(),
    };
    Generation::new(purpose, 0, seal).doing(path.display())
}

/// A key that is only looked at.
#[derive(Debug)]
pub(super) struct NotUsed(pub(super) PublicKey);

#[async_trait]
impl Signer for NotUsed {
    fn public_key(&self) -> &PublicKey {
        &self.0
    }

    async fn sign(&self, _: &[u8]) -> Result<Vec<u8>, SignError> {
        Err(SignError::Refused("this key is only looked at".into()))
    }
}

#[derive(Serialize)]
struct Listing {
    at: Timestamp,
    keys: Vec<Row>,
    findings: Vec<Finding>,
}

#[derive(Serialize)]
struct Row {
    purpose: KeyPurpose,
    generation: u32,
    standing: &'static str,
    algorithm: &'static str,
    kid: String,
    starts: Option<Timestamp>,
    subject: Option<String>,
    not_before: Option<Timestamp>,
    not_after: Option<Timestamp>,
    days_left: Option<i64>,
    succession: Option<Succession>,
    findings: Vec<Finding>,
}

impl Row {
    fn of(state: &CertificateState, at: Timestamp) -> Self {
        let generation = &state.generation;
        let certificate = generation.certificate();
        let key = generation.seal().signer.public_key();
        let chain = pki::chain::from_ders(&generation.seal().chain).unwrap_or_default();
        let in_use = matches!(state.standing, Standing::Signing | Standing::Next);
        let purpose = generation.purpose();
        Self {
            purpose,
            generation: generation.number(),
            standing: state.standing.name(),
            algorithm: key.algorithm().name(),
            kid: key.thumbprint_b64(),
            starts: Some(generation.starts()),
            subject: Some(certificate.subject()),
            not_before: Some(certificate.not_before()),
            not_after: Some(certificate.not_after()),
            days_left: Some(state.seconds_left.div_euclid(24 * 60 * 60)),
            succession: Some(state.succession),
            findings: if in_use {
                check_chain(&chain, purpose, key, generation.starts(), at)
            } else {
                Vec::new()
            },
        }
    }

    /// A key that signs nothing that has a certificate.
    fn without(file: &KeyFile, at: Timestamp) -> Self {
        let standing = match (file.retired, file.purpose, file.starts) {
            (Some(retired), _, _) if retired.compromised => "compromised",
            (Some(_), _, _) => "retired",
            (_, KeyPurpose::Answers, Some(starts)) if starts > at => "next",
            (_, KeyPurpose::Answers, Some(_)) => "in force",
            _ => "requested",
        };
        Self {
            purpose: file.purpose,
            generation: file.generation,
            standing,
            algorithm: file.public_key.algorithm().name(),
            kid: file.public_key.thumbprint_b64(),
            starts: file.starts,
            subject: None,
            not_before: None,
            not_after: None,
            days_left: None,
            succession: None,
            findings: Vec::new(),
        }
    }
}

impl Report for Listing {
    fn for_people(&self, out: &mut dyn Write) -> std::io::Result<()> {
        if self.keys.is_empty() {
            return writeln!(out, "no keys");
        }
        let header = [
            "purpose",
            "no.",
            "stands",
            "algorithm",
            "signs from",
            "until",
            "days",
        ];
        let mut table = output::table(&header);
        for row in &self.keys {
            let time = |at: Option<Timestamp>| match at {
                Some(at) => time::whole_second(at).to_string(),
                None => String::new(),
            };
            let days = match (row.days_left, row.succession) {
                (Some(days), Some(Succession::Open)) if days <= 90 && row.standing == "signing" => {
                    format!("{days}: nothing comes after it")
                }
                (Some(days), _) => days.to_string(),
                (None, _) => String::new(),
            };
            table.add_row(vec![
                Cell::new(row.purpose),
                Cell::new(row.generation),
                Cell::new(row.standing),
                Cell::new(row.algorithm),
                Cell::new(time(row.starts)),
                Cell::new(time(row.not_after)),
                Cell::new(days),
            ]);
        }
        writeln!(out, "{table}")?;
        output::findings(out, &self.findings)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::keys::Retired;
    use claviger_fixtures::TestKey;

    const AT: &str = "2026-11-22T12:00:00Z";

    fn requested() -> KeyFile {
        let key = TestKey::generate(jose::Curve::P256);
        KeyFile {
            purpose: KeyPurpose::Wia,
            generation: 1,
            key: "wallet-wia-1".to_owned(),
            public_key: Signer::public_key(&key).clone(),
            made: AT.parse().unwrap(),
            chain: Vec::new(),
            starts: None,
            retired: None,
            handover: None,
        }
    }

    fn shown(keys: Vec<Row>) -> String {
        let listing = Listing {
            at: AT.parse().unwrap(),
            keys,
            findings: Vec::new(),
        };
        let mut out = Vec::new();
        listing.for_people(&mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_key_that_was_given_up_before_its_certificate_came_waits_for_none() {
        let at = AT.parse().unwrap();
        for (retired, standing) in [
            (None, "requested"),
            (Some(false), "retired"),
            (Some(true), "compromised"),
        ] {
            let file = KeyFile {
                retired: retired.map(|compromised| Retired { at, compromised }),
                ..requested()
            };
            assert_eq!(Row::without(&file, at).standing, standing);
        }
    }

    #[test]
    fn a_table_is_whole_words_and_no_table_where_there_is_no_key() {
        assert_eq!(shown(Vec::new()), "no keys\n");
        let at = AT.parse().unwrap();
        for standing in ["signing", "ended", "compromised"] {
            let row = Row {
                standing,
                days_left: Some(9),
                succession: Some(Succession::Open),
                ..Row::without(&requested(), at)
            };
            let shown = shown(vec![row]);
            assert!(shown.contains(standing), "{shown}");
            assert!(!shown.contains('\u{1b}'), "{shown}");
        }
    }
}
