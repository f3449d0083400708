use finding::Refusal;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::rules;

/// Where the status of a token is told: the list, and the index in it
/// (draft-20, section 6.2). In JSON `{"idx", "uri"}`, which a token carries as
/// `{"status_list": {…}}`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Reference {
    /// The index in the list.
    pub idx: u64,
    /// The list: a URI, and the `sub` of its token.
    pub uri: String,
}

impl Reference {
    /// A reference to one entry.
    pub fn new(uri: impl Into<String>, idx: u64) -> Self {
        Self {
            idx,
            uri: uri.into(),
        }
    }

    /// Reads a `status` member: an object that holds `status_list`. `subject`
    /// says in findings where it stood.
    pub fn from_status(status: &Value, subject: &str) -> Result<Self, Refusal> {
        let refuse = |evidence: String| Refusal::because(&rules::REFERENCE, subject, evidence);
        let entry = status
            .get("status_list")
            .and_then(Value::as_object)
            .ok_or_else(|| refuse("status_list is absent or not an object".into()))?;
        let idx = entry
            .get("idx")
            .and_then(Value::as_u64)
            .ok_or_else(|| refuse("idx is absent or not a non-negative integer".into()))?;
        let uri = entry
            .get("uri")
            .and_then(Value::as_str)
            .ok_or_else(|| refuse("uri is absent or not a string".into()))?;
        if !is_absolute_uri(uri) {
            return Err(refuse(format!(
                "uri is not an absolute URI of at most {MAX_URI} bytes"
            )));
        }
        Ok(Self::new(uri, idx))
    }

    /// The `status` member: `{"status_list": {"idx", "uri"}}`.
    pub fn to_status(&self) -> Value {
        json!(self.as_status())
    }

    /// The same, to be written where it stands.
    pub fn as_status(&self) -> impl Serialize + '_ {
        #[derive(Serialize)]
        struct Status<'a> {
            status_list: &'a Reference,
        }
        Status { status_list: self }
    }
}

impl std::fmt::Display for Reference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}#{}", self.uri, self.idx)
    }
}

/// A scheme, a colon, something after it, and only the characters RFC 3986 has.
pub(crate) fn is_absolute_uri(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once(':') else {
        return false;
    };
    let mut letters = scheme.bytes();
    text.len() <= MAX_URI
        && !rest.is_empty()
        && letters.next().is_some_and(|b| b.is_ascii_alphabetic())
        && letters.all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b))
        && rest
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-._~:/?#[]@!$&'()*+,;=%".contains(&b))
}

const MAX_URI: usize = 2048;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    #[test]
    fn a_reference_reads_back() {
        let reference = Reference::new("https://example.com/statuslists/1", 412);
        let status = reference.to_status();
        assert_eq!(
            status.to_string(),
            r#"{"status_list":{"idx":412,"uri":"https://example.com/statuslists/1"}}"#
        );
        assert_eq!(Reference::from_status(&status, "/status"), Ok(reference));
    }

    #[test]
    fn what_is_not_a_reference_is_refused() {
        let long = format!("https://example.com/{}", "a".repeat(MAX_URI));
        for status in [
            json!(null),
            json!({}),
            json!({"status_list": []}),
            json!({"status_list": {"uri": "https://example.com/1"}}),
            json!({"status_list": {"idx": -1, "uri": "https://example.com/1"}}),
            json!({"status_list": {"idx": 1.5, "uri": "https://example.com/1"}}),
            json!({"status_list": {"idx": "1", "uri": "https://example.com/1"}}),
            json!({"status_list": {"idx": 1}}),
            json!({"status_list": {"idx": 1, "uri": 1}}),
            json!({"status_list": {"idx": 1, "uri": ""}}),
            json!({"status_list": {"idx": 1, "uri": "/statuslists/1"}}),
            json!({"status_list": {"idx": 1, "uri": "https://exa mple.com"}}),
            json!({"status_list": {"idx": 1, "uri": "1ttp:x"}}),
            json!({"status_list": {"idx": 1, "uri": long}}),
        ] {
            let refusal = Reference::from_status(&status, "/status").unwrap_err();
            assert!(refusal.names(&rules::REFERENCE), "{status}");
        }
    }
}
