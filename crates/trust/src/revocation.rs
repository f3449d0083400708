//! Revocation: CRLs fetched for the certificates a verdict stands on.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use finding::{Finding, Trusted, Verdict};
use jiff::Timestamp;
use pki::revocation::{RevocationSources, Unknown, path_status};
use pki::{
    AlgorithmPolicy, Certificate, Crl, PathSettings, PathValidator, RevocationMode,
    RevocationStatus, read_chain, status_by_crl,
};
use url::Url;

use crate::check::{CheckRequest, Decision, StandsOn};
use crate::fetch::{Fetched, Fetcher, Schemes};
use crate::rules;

/// How many addresses of one certificate are tried.
const MAX_ADDRESSES: usize = 3;
/// How long a fetched CRL is used again without asking.
const FRESH: Duration = Duration::from_secs(300);
/// How many CRLs are kept.
const MAX_KEPT: usize = 64;

/// Looks CRLs up, and keeps them for a little.
#[derive(Debug)]
pub(crate) struct Revocations {
    fetcher: Fetcher,
    kept: Mutex<HashMap<Url, (Instant, Arc<Crl>)>>,
}

impl Revocations {
    pub(crate) fn new(fetcher: Fetcher) -> Self {
        Self {
            fetcher,
            kept: Mutex::default(),
        }
    }

    /// Completes a decision with what is known of revocation. A "yes" may become
    /// "no" or "undecided"; nothing becomes "yes".
    pub(crate) async fn complete(
        &self,
        decision: Decision,
        request: &CheckRequest,
        validator: &dyn PathValidator,
    ) -> Verdict {
        let Decision {
            mut verdict,
            stands_on,
        } = decision;
        let Some(stands_on) = stands_on else {
            return verdict;
        };
        if request.revocation == RevocationMode::Skip {
            let leaf = request
                .chain
                .first()
                .map(Certificate::subject)
                .unwrap_or_default();
            verdict
                .findings
                .push(pki::rules::REVOCATION_SKIPPED.finding(leaf, "skip"));
            return verdict;
        }
        let mut findings = Vec::new();
        let statuses = match stands_on {
            StandsOn::Leaf(leaf, issuer) => {
                match self.leaf(&leaf, issuer, request, &mut findings).await {
                    Some(status) => vec![(leaf, status)],
                    None => Vec::new(),
                }
            }
            StandsOn::Path(path) => {
                let crls = self
                    .crls(&path.certificates, request.at, &mut findings)
                    .await;
                let sources = RevocationSources {
                    crls: &crls,
                    certificates: &request.chain,
                    settings: &PathSettings::at(request.at),
                    validator,
                };
                path_status(&path, sources)
            }
        };
        for (certificate, status) in statuses {
            let (answer, finding) = status.judge(&certificate, request.revocation);
            findings.extend(finding);
            verdict.trusted = match (verdict.trusted, answer) {
                (_, Trusted::No) | (Trusted::No, _) => Trusted::No,
                (_, Trusted::Undecided) | (Trusted::Undecided, _) => Trusted::Undecided,
                (Trusted::Yes, Trusted::Yes) => Trusted::Yes,
            };
        }
        // What decided stands first.
        findings.append(&mut verdict.findings);
        verdict.findings = findings;
        verdict
    }

    /// The status of a directly trusted leaf; none when the list is its only
    /// revocation.
    async fn leaf(
        &self,
        leaf: &Certificate,
        issuer: Option<Certificate>,
        request: &CheckRequest,
        findings: &mut Vec<Finding>,
    ) -> Option<RevocationStatus> {
        if leaf.crl_urls().is_empty() && leaf.ocsp_urls().is_empty() {
            let evidence = "it names neither a CRL nor an OCSP responder";
            findings.push(rules::REVOCATION_BY_LIST.finding(leaf.subject(), evidence));
            return None;
        }
        let crls = self
            .crls(std::slice::from_ref(leaf), request.at, findings)
            .await;
        let issuer = match issuer {
            None if !crls.is_empty() => self.issuer(leaf).await,
            known => known,
        };
        let Some(issuer) = issuer else {
            if !crls.is_empty() {
                let evidence = "neither in the chain nor where caIssuers says";
                findings.push(rules::REVOCATION_ISSUER.finding(leaf.subject(), evidence));
            }
            return Some(RevocationStatus::Unknown(Unknown::NoCrl));
        };
        let algorithms = AlgorithmPolicy::AGREED;
        Some(status_by_crl(leaf, &issuer, &crls, request.at, algorithms))
    }

    /// The CRLs that these certificates name: of each the first that can be had.
    async fn crls(
        &self,
        certificates: &[Certificate],
        at: Timestamp,
        findings: &mut Vec<Finding>,
    ) -> Vec<Crl> {
        let mut crls = Vec::new();
        for certificate in certificates {
            for address in certificate.crl_urls().iter().take(MAX_ADDRESSES) {
                match self.crl(address, at).await {
                    Ok(crl) => {
                        crls.push(Crl::clone(&crl));
                        break;
                    }
                    Err(why) => {
                        let evidence = format!("{address}: {why}");
                        let subject = certificate.subject();
                        findings.push(rules::REVOCATION_FETCH.finding(subject, evidence));
                    }
                }
            }
        }
        crls
    }

    async fn crl(&self, address: &str, at: Timestamp) -> Result<Arc<Crl>, String> {
        let url: Url = address.parse().map_err(|_| "not a URL".to_owned())?;
        if let Some(crl) = self.kept(&url, at) {
            return Ok(crl);
        }
        let max = self.fetcher.limits().max_crl_bytes;
        let fetched = self.fetcher.get(&url, Schemes::HttpToo, None, max).await;
        let Fetched::Body { bytes, .. } = fetched.map_err(|e| e.to_string())? else {
            return Err("no body".to_owned());
        };
        let crl = Arc::new(Crl::from_der_within(&bytes, max).map_err(|e| e.to_string())?);
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|_, (since, _)| since.elapsed() < FRESH);
        if kept.len() < MAX_KEPT {
            kept.insert(url, (Instant::now(), Arc::clone(&crl)));
        }
        Ok(crl)
    }

    fn kept(&self, url: &Url, at: Timestamp) -> Option<Arc<Crl>> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let (since, crl) = kept.get(url)?;
        let current = since.elapsed() < FRESH && crl.next_update().is_some_and(|next| at <= next);
        current.then(|| Arc::clone(crl))
    }

    /// The issuer from where the certificate says it is; its key shows that it is.
    async fn issuer(&self, certificate: &Certificate) -> Option<Certificate> {
        for address in certificate.ca_issuers_urls().iter().take(MAX_ADDRESSES) {
            let Ok(url) = address.parse::<Url>() else {
                continue;
            };
            let max = pki::MAX_CERTIFICATE;
            let Ok(Fetched::Body { bytes, .. }) =
                self.fetcher.get(&url, Schemes::HttpToo, None, max).await
            else {
                continue;
            };
            let found = read_chain(&bytes).unwrap_or_default();
            let issued = |c: &Certificate| certificate.verify_signature(c.spki_der()).is_ok();
            if let Some(issuer) = found.into_iter().find(issued) {
                return Some(issuer);
            }
        }
        None
    }
}
