//! Fetching lists, CRLs and what else a decision needs, within limits.

use std::time::Duration;

use outbound::{Client, Request, Validators};
use url::Url;

use crate::read::read_file;
use crate::source::Location;
use finding::Finding;

pub use outbound::FetchError;
pub(crate) use outbound::Schemes;

/// The limits within which things are fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// For one fetch of a list with all its redirects and its whole body.
    pub timeout: Duration,
    /// For all that one check fetches: CRLs, OCSP responses, issuers' certificates.
    /// Shorter than whoever asks is willing to wait, so that a responder that does
    /// not answer gives "undecided", and not silence.
    pub check_timeout: Duration,
    /// For one connection.
    pub connect_timeout: Duration,
    /// The size of a list.
    pub max_list_bytes: usize,
    /// The size of a CRL.
    pub max_crl_bytes: usize,
    /// How many redirects are followed.
    pub max_redirects: usize,
    /// Whether http, and loopback addresses, may be used for this machine itself:
    /// for development and tests.
    pub allow_insecure_loopback: bool,
    /// Whether private addresses may be used: for a network of one's own.
    pub allow_private_addresses: bool,
}

impl Default for Limits {
    fn default() -> Self {
        let outbound = outbound::Limits::default();
        Self {
            timeout: outbound.timeout,
            check_timeout: Duration::from_secs(10),
            connect_timeout: outbound.connect_timeout,
            max_list_bytes: lote::MAX_BYTES,
            max_crl_bytes: pki::crl::MAX_CRL,
            max_redirects: outbound.max_redirects,
            allow_insecure_loopback: outbound.allow_insecure_loopback,
            allow_private_addresses: outbound.allow_private_addresses,
        }
    }
}

/// What was fetched.
#[derive(Debug)]
pub(crate) enum Fetched {
    /// What we have is still current (304).
    NotModified {
        /// For how long the source calls that fresh.
        fresh_for: Option<Duration>,
    },
    /// A body.
    Body {
        bytes: Vec<u8>,
        /// By what the source will recognise it.
        validators: Validators,
        /// For how long the source calls it fresh.
        fresh_for: Option<Duration>,
    },
}

/// Fetches within [`Limits`].
#[derive(Debug, Clone)]
pub(crate) struct Fetcher {
    client: Client,
    limits: Limits,
}

impl Fetcher {
    pub(crate) fn new(limits: Limits) -> Result<Self, FetchError> {
        let client = Client::new(outbound::Limits {
            timeout: limits.timeout,
            connect_timeout: limits.connect_timeout,
            max_redirects: limits.max_redirects,
            allow_insecure_loopback: limits.allow_insecure_loopback,
            allow_private_addresses: limits.allow_private_addresses,
        })?;
        Ok(Self { client, limits })
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// What is at a place, of at most `max_bytes`, unless it is still what is known.
    ///
    /// # Errors
    /// What keeps it from being had, as findings about the place.
    pub(crate) async fn place(
        &self,
        location: &Location,
        known: &Validators,
        max_bytes: usize,
    ) -> Result<Fetched, Failed> {
        match location {
            Location::Url(url) => {
                let request = Request::get(url, max_bytes).unless(known);
                self.fetch(&request).await.map_err(|error| Failed {
                    evidence: error.to_string(),
                    cause: Some(error.finding(location.to_string())),
                })
            }
            Location::File(path) => match read_file(path, max_bytes).await {
                Ok(bytes) => Ok(Fetched::Body {
                    bytes,
                    validators: Validators::default(),
                    fresh_for: None,
                }),
                Err(evidence) => Err(Failed {
                    evidence,
                    cause: None,
                }),
            },
        }
    }

    /// What is at a URL, of at most `max_bytes`.
    pub(crate) async fn get(
        &self,
        url: &Url,
        schemes: Schemes,
        max_bytes: usize,
    ) -> Result<Vec<u8>, FetchError> {
        self.body(&Request::get(url, max_bytes).schemes(schemes))
            .await
    }

    /// Sends a question to a URL, such as an OCSP request, and gives the answer of
    /// at most `max_bytes`.
    pub(crate) async fn post(
        &self,
        url: &Url,
        schemes: Schemes,
        content_type: &'static str,
        question: Vec<u8>,
        max_bytes: usize,
    ) -> Result<Vec<u8>, FetchError> {
        let request = Request::post(url, content_type, &question, max_bytes).schemes(schemes);
        self.body(&request).await
    }

    async fn body(&self, request: &Request<'_>) -> Result<Vec<u8>, FetchError> {
        match self.fetch(request).await? {
            Fetched::Body { bytes, .. } => Ok(bytes),
            Fetched::NotModified { .. } => Err(FetchError::Status(304)),
        }
    }

    async fn fetch(&self, request: &Request<'_>) -> Result<Fetched, FetchError> {
        Ok(match self.client.fetch(request).await? {
            outbound::Fetched::NotModified(freshness) => Fetched::NotModified {
                fresh_for: freshness.remaining,
            },
            outbound::Fetched::Body(response) => Fetched::Body {
                bytes: response.bytes,
                validators: response.validators,
                fresh_for: response.freshness.remaining,
            },
        })
    }
}

/// What is at a place could not be had.
#[derive(Debug)]
pub(crate) struct Failed {
    /// Why, in words.
    pub(crate) evidence: String,
    /// The rule of outgoing requests that it fell under, for a place on the network.
    pub(crate) cause: Option<Finding>,
}

impl Failed {
    /// The findings under a rule of this house: what could not be had, and why.
    pub(crate) fn findings(self, rule: &finding::Rule, subject: &str) -> Vec<Finding> {
        let mut findings = vec![rule.finding(subject, self.evidence)];
        let severity = rule.severity;
        findings.extend(self.cause.map(|mut cause| {
            cause.severity = cause.severity.min(severity);
            cause
        }));
        findings
    }
}
