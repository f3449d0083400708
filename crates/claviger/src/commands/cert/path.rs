//! `claviger cert path`: a path from a certificate to an anchor (RFC 5280, 6),
//! whatever the anchor is listed for.

use std::io::Write;
use std::path::PathBuf;

use finding::{CertificateRef, Finding, Trusted};
use jiff::Timestamp;
use owo_colors::OwoColorize;
use pki::{
    AnchorIndex, Certificate, Certval, Oid, PathSettings, RevocationMode, RevocationSources,
    find_path, path_status,
};
use serde::Serialize;

use crate::exit::{Doing, Done, Failure};
use crate::output::{self, Output, Report};
use crate::{input, time};

#[derive(Debug, clap::Args)]
pub(crate) struct PathArgs {
    /// The chain, its leaf first, the others in any order: PEM, DER, or a JSON
    /// array as in x5c
    #[arg(long)]
    chain: PathBuf,
    /// The trust anchors: PEM, DER, or a JSON array as in x5c
    #[arg(long)]
    anchors: PathBuf,
    /// The time the answer holds for (RFC 3339); now, if absent
    #[arg(long)]
    at: Option<Timestamp>,
    /// CRLs, PEM or DER; without them nobody looks whether anything is revoked
    #[arg(long)]
    crls: Option<PathBuf>,
    /// A certificate policy the path must be valid under; several may be named
    #[arg(long, num_args = 1.., value_parser = policy)]
    policy_oid: Vec<Oid>,
}

fn policy(text: &str) -> Result<Oid, String> {
    Oid::new(text).map_err(|_| "an object identifier such as 1.2.3 is expected".to_owned())
}

pub(super) fn run(args: &PathArgs, output: Output) -> Done {
    let chain = input::certificates(&args.chain)?;
    let anchors = AnchorIndex::new(input::certificates(&args.anchors)?);
    let crls = match &args.crls {
        None => None,
        Some(file) => {
            let max = u64::try_from(pki::crl::MAX_CRL).unwrap_or(u64::MAX);
            let bytes = input::read(file, max)?;
            Some(pki::chain::read_crls(&bytes).doing(file.display())?)
        }
    };
    let Some((leaf, others)) = chain.split_first() else {
        return Err(Failure::new(format!(
            "{}: no certificate in it",
            args.chain.display()
        )));
    };
    let mut settings = PathSettings::at(args.at.unwrap_or_else(time::now));
    settings.policies.clone_from(&args.policy_oid);
    settings.explicit_policy = !args.policy_oid.is_empty();
    let validator = Certval::new();
    let mut report = Traced {
        trusted: Trusted::No,
        at: settings.at,
        leaf: leaf.to_ref(),
        path: vec![],
        anchor: None,
        findings: vec![],
    };
    match find_path(leaf, others, &anchors, &settings, &validator) {
        Err(refusal) => report.findings = refusal.findings().to_vec(),
        Ok(path) => {
            report.trusted = Trusted::Yes;
            report.path = path.certificates.iter().map(Certificate::to_ref).collect();
            report.anchor = Some(path.anchor.to_ref());
            let (mode, crls) = match &crls {
                None => (RevocationMode::Skip, [].as_slice()),
                Some(crls) => (RevocationMode::Hard, crls.as_slice()),
            };
            let sources = RevocationSources {
                crls,
                certificates: others,
                settings: &settings,
                validator: &validator,
            };
            for (certificate, status) in path_status(&path, sources) {
                let (answer, finding) = status.judge(&certificate, mode);
                report.findings.extend(finding);
                report.trusted = worse(report.trusted, answer);
            }
        }
    }
    output.print(&report)?;
    Ok(report.trusted.into())
}

fn worse(one: Trusted, other: Trusted) -> Trusted {
    match (one, other) {
        (Trusted::No, _) | (_, Trusted::No) => Trusted::No,
        (Trusted::Undecided, _) | (_, Trusted::Undecided) => Trusted::Undecided,
        (Trusted::Yes, Trusted::Yes) => Trusted::Yes,
    }
}

#[derive(Serialize)]
struct Traced {
    trusted: Trusted,
    at: Timestamp,
    leaf: CertificateRef,
    /// Leaf first, without the anchor; empty where there is none.
    path: Vec<CertificateRef>,
    anchor: Option<CertificateRef>,
    findings: Vec<Finding>,
}

impl Report for Traced {
    fn for_people(&self, out: &mut dyn Write) -> std::io::Result<()> {
        let answer = match self.trusted {
            Trusted::Yes => format!("{}", "valid".green().bold()),
            Trusted::No => format!("{}", "not valid".red().bold()),
            Trusted::Undecided => format!("{}", "undecided".yellow().bold()),
        };
        let at = time::whole_second(self.at);
        writeln!(out, "{answer}  {} at {at}", self.leaf.subject)?;
        for certificate in &self.path {
            writeln!(out, "chain    {}", certificate.subject)?;
            writeln!(
                out,
                "         {} to {}, sha256 {}",
                certificate.not_before, certificate.not_after, certificate.sha256
            )?;
        }
        if let Some(anchor) = &self.anchor {
            writeln!(out, "anchor   {}", anchor.subject)?;
            writeln!(out, "         sha256 {}", anchor.sha256)?;
        }
        output::findings(out, &self.findings)
    }
}
