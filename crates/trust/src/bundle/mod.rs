//! Evidence: what one decision stood on, in one file, from which anybody gives the
//! same verdict again, offline, later.
//!
//! The format is `docs/protocols/trust-bundle.md`.

mod parts;
mod record;
mod replay;

use finding::{Finding, Refusal, Verdict};
use jiff::Timestamp;
use jose::json;
use serde::{Deserialize, Serialize};

use crate::request::CheckRequest;
use crate::rules;
use parts::{List, Question, Revocation};

pub use record::{RecordError, Recorded, record_offline};
pub use replay::Pins;

/// How large a bundle may be: 256 MiB, some six lists of 10,000 entities.
pub const MAX_BUNDLE: usize = 256 * 1024 * 1024;

/// The version of the format that is written and read.
const VERSION: u32 = 1;

/// What a decision stood on, and the decision. One that was read holds together:
/// each part, and the whole, has the digest that stands beside it. Whether the
/// verdict follows from it is for [`Bundle::replay`] to say.
#[derive(Debug, Clone, PartialEq)]
pub struct Bundle {
    body: Body,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    /// The program and its version.
    made_by: String,
    /// When it was recorded.
    made_at: Timestamp,
    question: Question,
    /// For how long past its NextUpdate a list was still used, in seconds.
    grace_seconds: u64,
    lists: Vec<List>,
    revocation: Revocation,
    /// What was told beside.
    remarks: Vec<Finding>,
    verdict: Verdict,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document<B> {
    /// The version of the format.
    trust_bundle: u32,
    /// SHA-256 over the body, written without white space.
    sha256: String,
    body: B,
}

impl Bundle {
    /// Reads a bundle of at most [`MAX_BUNDLE`] bytes.
    ///
    /// # Errors
    /// Refused under [`rules::BUNDLE_FORM`], [`rules::BUNDLE_PART`] (which names
    /// the part) or [`rules::BUNDLE_DIGEST`].
    pub fn from_json(bytes: &[u8]) -> Result<Self, Refusal> {
        let form = |why: String| Refusal::because(&rules::BUNDLE_FORM, "bundle", why);
        let document: Document<Body> = json::parse_as(bytes, json::Limits::bytes(MAX_BUNDLE))
            .map_err(|e| form(e.to_string()))?;
        if document.trust_bundle != VERSION {
            let why = format!("version {}, and {VERSION} is read", document.trust_bundle);
            return Err(form(why));
        }
        let bundle = Self {
            body: document.body,
        };
        let altered = bundle.altered_parts();
        Refusal::unless_clean(altered)?;
        let own = bundle.digest();
        if own != document.sha256 {
            let why = format!(
                "the body's digest is {own}, not {}",
                shown(&document.sha256)
            );
            return Err(Refusal::because(&rules::BUNDLE_DIGEST, "bundle", why));
        }
        Ok(bundle)
    }

    /// The bundle as one JSON document.
    pub fn to_json(&self) -> Vec<u8> {
        let document = Document {
            trust_bundle: VERSION,
            sha256: self.digest(),
            body: &self.body,
        };
        let mut json = serde_json::to_vec(&document).unwrap_or_default();
        json.push(b'\n');
        json
    }

    /// SHA-256 over the body, in lower-case hex. Who keeps it elsewhere, or signs
    /// it, can tell later that nothing of the bundle was replaced.
    pub fn digest(&self) -> String {
        let body = serde_json::to_vec(&self.body).unwrap_or_default();
        hex::encode(jose::sha256(&body))
    }

    /// The verdict that was recorded.
    pub fn verdict(&self) -> &Verdict {
        &self.body.verdict
    }

    /// When it was recorded.
    pub fn made_at(&self) -> Timestamp {
        self.body.made_at
    }

    /// The question that was asked.
    ///
    /// # Errors
    /// Refused under [`rules::BUNDLE_FORM`] when it cannot be read.
    pub fn question(&self) -> Result<CheckRequest, Refusal> {
        self.body.question.read()
    }

    fn altered_parts(&self) -> Vec<Finding> {
        let lists = self.body.lists.iter().flat_map(List::altered);
        lists.chain(self.body.revocation.altered()).collect()
    }
}

fn shown(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(80).collect()
}
