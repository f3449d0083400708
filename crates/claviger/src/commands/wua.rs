//! `claviger wua`: what a WIA or KA says, and whether the wallet list vouches for
//! its signer.

use std::io::Write;
use std::path::PathBuf;

use finding::{Finding, Refusal, Trusted, Verdict, has_errors};
use jose::PublicKey;
use owo_colors::OwoColorize;
use serde::Serialize;
use serde_json::{Value, json};
use trust::Context;
use wua::{KaCheck, Limits, UnverifiedKa, UnverifiedWia, WiaCheck};

use super::trust::{Lists, judge};
use crate::exit::{Doing, Done, Outcome};
use crate::input;
use crate::output::{self, Output, Report};

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Verify a WIA or a KA against the wallet list. Its proof and its status are
    /// not looked at: that takes an issuer's challenge and the network
    Verify(Verify),
}

#[derive(Debug, clap::Args)]
#[command(group(clap::ArgGroup::new("token").required(true).args(["wia", "ka"])))]
pub(crate) struct Verify {
    /// A Wallet Instance Attestation
    #[arg(long)]
    wia: Option<PathBuf>,
    /// A Key Attestation
    #[arg(long)]
    ka: Option<PathBuf>,
    #[command(flatten)]
    lists: Lists,
}

pub(crate) fn run(command: &Command, output: Output) -> Done {
    let Command::Verify(args) = command;
    let report = match (&args.wia, &args.ka) {
        (Some(path), _) => {
            let text = input::read_text(path, input::TOKEN)?;
            examine(
                args,
                "WIA",
                UnverifiedWia::parse(&text, &Limits::default()),
                wia,
            )?
        }
        (None, Some(path)) => {
            let text = input::read_text(path, input::TOKEN)?;
            examine(
                args,
                "KA",
                UnverifiedKa::parse(&text, &Limits::default()),
                ka,
            )?
        }
        (None, None) => return Err(crate::exit::Failure::new("--wia or --ka is needed")),
    };
    output.print(&report)?;
    Ok(match report.decision {
        Trusted::Yes => Outcome::Yes,
        Trusted::No => Outcome::No,
        Trusted::Undecided => Outcome::Undecided,
    })
}

/// A token that shows the chain of its signer before it is verified.
trait Chained {
    fn chain(&self) -> &[Vec<u8>];
}

impl Chained for UnverifiedWia {
    fn chain(&self) -> &[Vec<u8>] {
        self.x5c()
    }
}

impl Chained for UnverifiedKa {
    fn chain(&self) -> &[Vec<u8>] {
        self.x5c()
    }
}

type Said = Result<(Value, Vec<Finding>), Refusal>;

fn examine<T: Chained>(
    args: &Verify,
    kind: &'static str,
    parsed: Result<T, Refusal>,
    verify: impl FnOnce(T, &PublicKey, jiff::Timestamp) -> Said,
) -> Result<Verified, crate::exit::Failure> {
    let mut report = Verified {
        kind,
        decision: Trusted::No,
        says: Value::Null,
        signer: None,
        findings: Vec::new(),
    };
    let token = match parsed {
        Ok(token) => token,
        Err(refusal) => {
            report.findings = refusal.into_findings();
            return Ok(report);
        }
    };
    let chain = pki::chain::from_ders(token.chain()).doing("x5c")?;
    let key = chain.first().map(pki::Certificate::public_key);
    let signer = judge(&args.lists, Context::Wallet, chain)?;
    report.decision = signer.trusted;
    let at = signer.at;
    report.signer = Some(signer);
    let Some(Ok(key)) = key else {
        report.decision = Trusted::No;
        return Ok(report);
    };
    match verify(token, &key, at) {
        Ok((says, findings)) => (report.says, report.findings) = (says, findings),
        Err(refusal) => report.findings = refusal.into_findings(),
    }
    if has_errors(&report.findings) {
        report.decision = Trusted::No;
    }
    Ok(report)
}

fn wia(token: UnverifiedWia, key: &PublicKey, at: jiff::Timestamp) -> Said {
    let verified = token.verify(&WiaCheck::new(key, at))?;
    let claims = verified.claims();
    let says = json!({
        "wallet_name": claims.wallet_name,
        "wallet_version": claims.wallet_version,
        "expires": claims.expires,
        "key": claims.key,
        "status": claims.status.reference,
        "status_maintained_until": claims.status.maintained_until,
    });
    Ok((says, verified.findings().to_vec()))
}

fn ka(token: UnverifiedKa, key: &PublicKey, at: jiff::Timestamp) -> Said {
    let verified = token.verify(&KaCheck::new(key, at))?;
    let claims = verified.claims();
    let says = json!({
        "attested_keys": claims.keys.len(),
        "key_storage": verified.key_storage().map(|level| level.name()),
        "user_authentication": verified.user_authentication().map(|level| level.name()),
        "certification": claims.certification,
        "expires": claims.expires,
        "status": claims.status.reference,
        "status_maintained_until": claims.status.maintained_until,
    });
    Ok((says, verified.findings().to_vec()))
}

#[derive(Serialize)]
struct Verified {
    kind: &'static str,
    decision: Trusted,
    says: Value,
    signer: Option<Verdict>,
    findings: Vec<Finding>,
}

impl Report for Verified {
    fn for_people(&self, out: &mut dyn Write) -> std::io::Result<()> {
        let answer = match self.decision {
            Trusted::Yes => format!("{}", "verified".green().bold()),
            Trusted::No => format!("{}", "refused".red().bold()),
            Trusted::Undecided => format!("{}", "undecided".yellow().bold()),
        };
        writeln!(out, "{answer}  {}", self.kind)?;
        if let Value::Object(says) = &self.says {
            for (name, value) in says {
                writeln!(out, "{name:24} {value}")?;
            }
        }
        output::findings(out, &self.findings)?;
        if let Some(signer) = &self.signer {
            writeln!(out, "\nits signer:")?;
            signer.for_people(out)?;
        }
        Ok(())
    }
}
