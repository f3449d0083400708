use jiff::Timestamp;
use sci::Code;
use serde::{Deserialize, Serialize};

/// A refusal on the wire: inside an answer's `data.error` once the asker is
/// known, and as the `code` of a problem document (RFC 9457) before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// Why.
    pub code: Code,
    /// When the same request may be made again, where waiting helps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_at: Option<Timestamp>,
}

impl Problem {
    /// A refusal without a time to wait.
    pub fn new(code: Code) -> Self {
        Self {
            code,
            retry_at: None,
        }
    }
}

impl From<Code> for Problem {
    fn from(code: Code) -> Self {
        Self::new(code)
    }
}

impl From<Problem> for sci::Error {
    fn from(problem: Problem) -> Self {
        sci::Error::Refused {
            code: problem.code,
            retry_at: problem.retry_at,
        }
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.retry_at {
            Some(at) => write!(f, "{}; again at {at}", self.code),
            None => self.code.fmt(f),
        }
    }
}
