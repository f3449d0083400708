//! Revocation: what the certificates of a decision name is fetched, and what came
//! is judged.
//!
//! The two are apart. Fetching gives [`Material`], as it came; judging is a
//! function of the material and the time, so that a recorded decision is judged
//! again in the same way ([`crate::Bundle`]).

mod judge;
mod kept;
mod material;

use std::sync::Arc;
use std::time::Duration;

use pki::ocsp::{CertIdHash, Nonce};
use pki::{
    AlgorithmPolicy, Certificate, Crl, OcspAnswer, OcspPolicy, OcspRequest, OcspResponse,
    RevocationMode, RevocationStatus, StatusSources, read_chain,
};
use tokio::time::{Instant, timeout_at};
use url::Url;

use crate::decision::StandsOn;
use crate::fetch::{Fetcher, Schemes};
use crate::request::CheckRequest;
use crate::rules;
use kept::Kept;

pub(crate) use judge::judge;
pub(crate) use material::{KeptAnswer, KeptCrl, Material};

/// How many addresses of one kind are tried for one certificate.
const MAX_ADDRESSES: usize = 3;
/// How many CRLs, and certificates of issuers, are kept.
const MAX_KEPT: usize = 256;
/// How many OCSP responses are kept.
const MAX_KEPT_ANSWERS: usize = 4_096;
/// How many bytes of CRLs are kept, as they came.
const MAX_KEPT_BYTES: usize = 64 * 1024 * 1024;

/// Looks up what is known of revocation, and keeps it until its nextUpdate.
#[derive(Debug)]
pub(crate) struct Revocations {
    fetcher: Fetcher,
    crls: Kept<Url, KeptCrl>,
    answers: Kept<(Url, [u8; 32]), KeptAnswer>,
    issuers: Kept<(Url, [u8; 32]), Certificate>,
}

impl Revocations {
    pub(crate) fn new(fetcher: Fetcher) -> Self {
        Self {
            fetcher,
            crls: Kept::new(MAX_KEPT, MAX_KEPT_BYTES),
            answers: Kept::new(MAX_KEPT_ANSWERS, MAX_KEPT_BYTES),
            issuers: Kept::new(MAX_KEPT, MAX_KEPT_BYTES),
        }
    }

    /// Fetches what a decision's certificates name, OCSP first, within the time
    /// that one fetch may take in all. Nothing for a decision that is no "yes", nor
    /// when revocation is skipped.
    pub(crate) async fn gather(
        &self,
        stands_on: Option<&StandsOn>,
        request: &CheckRequest,
    ) -> Material {
        let mut material = Material::default();
        let Some(stands_on) = stands_on else {
            return material;
        };
        if request.revocation == RevocationMode::Skip {
            return material;
        }
        let timeout = self.fetcher.limits().check_timeout;
        let mut search = Search {
            revocations: self,
            request,
            deadline: Instant::now() + timeout,
            timeout,
            material: &mut material,
        };
        let used_as = request.context.used_as();
        match stands_on {
            StandsOn::Leaf(leaf, issuer) => search.direct(leaf, issuer.as_ref(), used_as).await,
            StandsOn::Path(path) => {
                for (place, (certificate, issuer)) in path.pairs().enumerate() {
                    let used_as = if place == 0 {
                        used_as
                    } else {
                        pki::Profile::Ca
                    };
                    search.about(certificate, issuer, used_as).await;
                }
            }
        }
        material
    }
}

/// A search under way.
struct Search<'s> {
    revocations: &'s Revocations,
    request: &'s CheckRequest,
    deadline: Instant,
    timeout: Duration,
    material: &'s mut Material,
}

impl Search<'_> {
    /// A leaf that stands on the list: its issuer is found first, since under its
    /// key everything else is verified.
    async fn direct(
        &mut self,
        leaf: &Certificate,
        issuer: Option<&Certificate>,
        used_as: pki::Profile,
    ) {
        if !names_a_source(leaf) {
            return;
        }
        let issuer = match issuer {
            Some(issuer) => Some(issuer.clone()),
            None => self.issuer(leaf).await,
        };
        match issuer {
            Some(issuer) => {
                self.about(leaf, &issuer, used_as).await;
                self.material.issuer = Some(issuer);
            }
            None => {
                let evidence = "neither in the chain nor where caIssuers says";
                let finding = rules::REVOCATION_ISSUER.finding(leaf.subject(), evidence);
                self.material.failed.push(finding);
            }
        }
    }

    /// One certificate: its responders until one answers, and if none does its
    /// CRLs until one tells.
    async fn about(
        &mut self,
        certificate: &Certificate,
        issuer: &Certificate,
        used_as: pki::Profile,
    ) {
        for address in certificate.ocsp_urls().iter().take(MAX_ADDRESSES) {
            match self.answer(address, certificate, issuer, used_as).await {
                Ok(answer) => {
                    let told = self.tells(certificate, issuer, used_as, None, Some(&answer));
                    self.material.answers.push(answer);
                    if told {
                        return;
                    }
                }
                Err(why) => self.failed(certificate, address, &why),
            }
        }
        for address in certificate.crl_urls().iter().take(MAX_ADDRESSES) {
            match self.crl(address, certificate, issuer, used_as).await {
                Ok(crl) => {
                    let told = self.tells(certificate, issuer, used_as, Some(&crl), None);
                    if !self.material.crls.iter().any(|c| Arc::ptr_eq(c, &crl)) {
                        self.material.crls.push(crl);
                    }
                    if told {
                        return;
                    }
                }
                Err(why) => self.failed(certificate, address, &why),
            }
        }
    }

    /// Whether these alone say that the certificate is good or revoked.
    fn tells(
        &self,
        certificate: &Certificate,
        issuer: &Certificate,
        used_as: pki::Profile,
        crl: Option<&KeptCrl>,
        answer: Option<&KeptAnswer>,
    ) -> bool {
        let sources = StatusSources {
            crls: crl.map_or(&[], |c| std::slice::from_ref(&c.crl)),
            answers: answer.map_or(&[], |a| std::slice::from_ref(&a.answer)),
            at: self.request.at,
            algorithms: AlgorithmPolicy::AGREED,
            ocsp: OcspPolicy::default(),
        };
        let known = pki::status(certificate, issuer, used_as, &sources);
        matches!(
            known.status,
            RevocationStatus::Good | RevocationStatus::Revoked { .. }
        )
    }

    async fn answer(
        &self,
        address: &str,
        certificate: &Certificate,
        issuer: &Certificate,
        used_as: pki::Profile,
    ) -> Result<Arc<KeptAnswer>, String> {
        let url: Url = address.parse().map_err(|_| "not a URL".to_owned())?;
        let fetcher = &self.revocations.fetcher;
        let asked = url.clone();
        let fetch = async || {
            let nonce = Nonce::random().map_err(|e| e.to_string())?;
            let request = OcspRequest::new(certificate, issuer, CertIdHash::Sha1, Some(nonce))
                .map_err(|e| e.to_string())?;
            let der = fetcher
                .post(
                    &asked,
                    Schemes::HttpToo,
                    "application/ocsp-request",
                    request.der,
                    pki::ocsp::MAX_RESPONSE,
                )
                .await
                .map_err(|e| e.to_string())?;
            let response = OcspResponse::from_der(&der).map_err(|e| e.to_string())?;
            let answer = OcspAnswer {
                response,
                nonce: Some(nonce),
            };
            let size = der.len();
            let uri = asked.to_string();
            Ok((KeptAnswer { uri, der, answer }, size))
        };
        let still = |kept: &KeptAnswer| self.tells(certificate, issuer, used_as, None, Some(kept));
        let key = (url, certificate.sha256());
        self.in_time(self.revocations.answers.get(key, still, fetch))
            .await
    }

    async fn crl(
        &self,
        address: &str,
        certificate: &Certificate,
        issuer: &Certificate,
        used_as: pki::Profile,
    ) -> Result<Arc<KeptCrl>, String> {
        let url: Url = address.parse().map_err(|_| "not a URL".to_owned())?;
        let fetcher = &self.revocations.fetcher;
        let asked = url.clone();
        let fetch = async || {
            let max = fetcher.limits().max_crl_bytes;
            let der = fetcher
                .get(&asked, Schemes::HttpToo, max)
                .await
                .map_err(|e| e.to_string())?;
            let crl = Crl::from_der_within(&der, max).map_err(|e| e.to_string())?;
            let size = der.len();
            let uri = asked.to_string();
            Ok((KeptCrl { uri, der, crl }, size))
        };
        let still = |kept: &KeptCrl| self.tells(certificate, issuer, used_as, Some(kept), None);
        self.in_time(self.revocations.crls.get(url, still, fetch))
            .await
    }

    /// The issuer from where the certificate says it is; its key shows that it is.
    async fn issuer(&mut self, certificate: &Certificate) -> Option<Certificate> {
        let fetcher = &self.revocations.fetcher;
        for address in certificate.ca_issuers_urls().iter().take(MAX_ADDRESSES) {
            let Ok(url) = address.parse::<Url>() else {
                self.failed(certificate, address, "not a URL");
                continue;
            };
            let asked = url.clone();
            let fetch = async || {
                let max = pki::MAX_CERTIFICATE;
                let der = fetcher
                    .get(&asked, Schemes::HttpToo, max)
                    .await
                    .map_err(|e| e.to_string())?;
                let found = read_chain(&der).map_err(|e| e.to_string())?;
                let issuer = found.into_iter().find(|c| has_issued(c, certificate));
                let issuer = issuer.ok_or_else(|| "it did not issue the certificate".to_owned())?;
                let size = issuer.der().len();
                Ok((issuer, size))
            };
            let key = (url, certificate.sha256());
            let found = self.revocations.issuers.get(key, |_| true, fetch);
            match self.in_time(found).await {
                Ok(issuer) => return Some(Certificate::clone(&issuer)),
                Err(why) => self.failed(certificate, address, &why),
            }
        }
        None
    }

    /// What comes within the time that the whole check has.
    async fn in_time<T>(
        &self,
        fetch: impl Future<Output = Result<T, String>>,
    ) -> Result<T, String> {
        match timeout_at(self.deadline, fetch).await {
            Ok(result) => result,
            Err(_) => Err(format!("no whole answer within {:?}", self.timeout)),
        }
    }

    fn failed(&mut self, certificate: &Certificate, address: &str, why: &str) {
        let evidence = format!("{address}: {why}");
        let finding = rules::REVOCATION_FETCH.finding(certificate.subject(), evidence);
        self.material.failed.push(finding);
    }
}

/// Whether one certificate issued another, by name and by key: one with the
/// issuer's key under another name would have its CRLs pass for somebody else's.
pub(crate) fn has_issued(issuer: &Certificate, certificate: &Certificate) -> bool {
    issuer.subject_name().matches(&certificate.issuer_name())
        && certificate.verify_issued_by(issuer).is_ok()
}

/// Whether a certificate says where to learn of its revocation.
pub(crate) fn names_a_source(certificate: &Certificate) -> bool {
    !certificate.crl_urls().is_empty() || !certificate.ocsp_urls().is_empty()
}
