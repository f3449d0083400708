//! A running node, as an operator asks it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::{Certificate, Client, Identity, RequestBuilder, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::exit::{Doing, Failure};
use crate::{input, runtime};

/// The node that is asked, and who asks.
#[derive(Debug, clap::Args)]
pub(crate) struct NodeArgs {
    /// The node's address, or that of its listener for operators
    #[arg(long, default_value = "http://127.0.0.1:8710")]
    url: String,
    /// The file that holds the operator's token
    #[arg(
        long,
        default_value = "./claviger-data/operator.token",
        conflicts_with = "certificate"
    )]
    token_file: PathBuf,
    /// The operator's certificate with its chain (PEM), instead of a token
    #[arg(long, requires = "key")]
    certificate: Option<PathBuf>,
    /// The certificate's private key (PEM)
    #[arg(long, requires = "certificate")]
    key: Option<PathBuf>,
    /// The CA that the node's certificate chains to (PEM), where the system knows it not
    #[arg(long)]
    ca: Option<PathBuf>,
    /// Why, in your own words: it goes into the trail of what operators did
    #[arg(long)]
    because: Option<String>,
}

/// The size of a certificate's or key's file, in bytes.
const PEM: u64 = 1 << 20;

impl NodeArgs {
    /// Puts one question.
    pub(crate) fn ask<T: DeserializeOwned>(
        &self,
        request: impl FnOnce(&Client, &str) -> RequestBuilder,
    ) -> Result<T, Failure> {
        let node = self.open()?;
        runtime::block_on(node.ask(request))
    }

    /// For several questions.
    pub(crate) fn open(&self) -> Result<Node, Failure> {
        let mut http = Client::builder()
            .timeout(Duration::from_secs(30))
            .redirect(reqwest::redirect::Policy::none());
        if let Some(ca) = &self.ca {
            let anchor = Certificate::from_pem(&input::read(ca, PEM)?).doing(ca.display())?;
            http = http.tls_certs_only([anchor]);
        }
        let token = match (&self.certificate, &self.key) {
            (Some(certificate), Some(key)) => {
                http = http.identity(identity(certificate, key)?);
                None
            }
            _ => Some(input::read_text(&self.token_file, 4096)?),
        };
        Ok(Node {
            http: http.build().doing("the HTTP client")?,
            url: self.url.trim_end_matches('/').to_owned(),
            token,
            because: self.because.clone(),
        })
    }
}

fn identity(certificate: &Path, key: &Path) -> Result<Identity, Failure> {
    let mut both = input::read(certificate, PEM)?;
    both.push(b'\n');
    both.extend(input::read(key, PEM)?);
    Identity::from_pem(&both).doing(certificate.display())
}

/// A node, ready to be asked.
pub(crate) struct Node {
    http: Client,
    url: String,
    token: Option<String>,
    because: Option<String>,
}

impl Node {
    /// Puts a question: `request` gets the client and the node's address.
    pub(crate) async fn ask<T: DeserializeOwned>(
        &self,
        request: impl FnOnce(&Client, &str) -> RequestBuilder,
    ) -> Result<T, Failure> {
        let url = &self.url;
        let mut request = request(&self.http, url);
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        if let Some(because) = &self.because {
            request = request.header("operator-reason", because.as_bytes());
        }
        let response = request.send().await.map_err(|error| {
            let failure = Failure::of(url, &error);
            // An address that is none was never asked.
            match error.is_builder() {
                true => failure,
                false => failure.undecided(),
            }
        })?;
        let status = response.status();
        let bytes = response.bytes().await;
        let bytes = bytes.map_err(|error| Failure::of(url, &error).undecided())?;
        if status.is_success() {
            return serde_json::from_slice(&bytes).doing("the node's answer");
        }
        let problem: Problem = serde_json::from_slice(&bytes).unwrap_or_default();
        let detail = problem.detail.unwrap_or(problem.title);
        let unknown = matches!(
            problem.code.as_deref(),
            Some("unknown-unit" | "unknown-object")
        );
        let hint = match status {
            StatusCode::UNAUTHORIZED => " (is it the token or certificate of an operator there?)",
            StatusCode::NOT_FOUND if !unknown => {
                " (is it the listener for operators, and are there any?)"
            }
            _ => "",
        };
        let failure = Failure::new(format!("{url}: {status}: {detail}{hint}"));
        // What is not offered will not be later.
        let passing = status.is_server_error() && status != StatusCode::NOT_IMPLEMENTED;
        Err(if unknown {
            failure.no()
        } else if passing {
            failure.undecided()
        } else {
            failure
        })
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Problem {
    code: Option<String>,
    title: String,
    detail: Option<String>,
}
