//! What happened, in a chain: each entry's hash is over the entry and the hash
//! before it, so that none can be changed, removed or moved without all later
//! ones changing. No digest, no PIN, nothing of the user's.

use jiff::Timestamp;
use jose::sha256;
use sci::{Code, UnitId};

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// When, to the millisecond.
    pub at: Timestamp,
    /// To which unit; none where it concerns the service itself.
    pub unit: Option<UnitId>,
    /// What: a service type's name, or `enroll`, `freeze`, `rotation_begin`, …
    pub operation: String,
    /// The thumbprint (RFC 7638) of the key concerned, one entry a key.
    pub key: Option<String>,
    /// How it ended: `ok`, or a refusal's code.
    pub outcome: String,
}

impl Entry {
    /// Something that was done.
    pub(crate) fn done(at: Timestamp, unit: UnitId, operation: impl Into<String>) -> Self {
        Self {
            at,
            unit: Some(unit),
            operation: operation.into(),
            key: None,
            outcome: "ok".into(),
        }
    }

    /// Something that was done to the service itself.
    pub(crate) fn of_service(at: Timestamp, operation: impl Into<String>) -> Self {
        Self {
            at,
            unit: None,
            operation: operation.into(),
            key: None,
            outcome: "ok".into(),
        }
    }

    /// Something that was refused.
    pub(crate) fn refused(
        at: Timestamp,
        unit: UnitId,
        operation: impl Into<String>,
        code: Code,
    ) -> Self {
        Self {
            outcome: code.name().into(),
            ..Self::done(at, unit, operation)
        }
    }

    /// The same, for one key.
    pub(crate) fn with_key(&self, thumbprint: String) -> Self {
        Self {
            key: Some(thumbprint),
            ..self.clone()
        }
    }
}

/// The hash before the first entry.
pub const GENESIS: [u8; 32] = [0; 32];

/// The chain's hash after `entry`, which has number `sequence` and follows
/// `previous`.
pub fn chain(previous: &[u8; 32], sequence: u64, entry: &Entry) -> [u8; 32] {
    let mut bytes = Vec::with_capacity(256);
    bytes.extend_from_slice(b"claviger-wsca-audit-v1");
    bytes.extend_from_slice(previous);
    bytes.extend_from_slice(&sequence.to_be_bytes());
    bytes.extend_from_slice(&entry.at.as_millisecond().to_be_bytes());
    // No unit has the nil UUID: they are random ones, which carry a version.
    let unit = entry.unit.map_or([0; 16], |unit| *unit.as_bytes());
    bytes.extend_from_slice(&unit);
    let key = entry.key.as_deref().unwrap_or_default();
    for part in [entry.operation.as_str(), key, entry.outcome.as_str()] {
        let len = u32::try_from(part.len()).unwrap_or(u32::MAX);
        bytes.extend_from_slice(&len.to_be_bytes());
        bytes.extend_from_slice(part.as_bytes());
    }
    sha256(&bytes)
}

/// The chain is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the audit log is broken at entry {sequence}")]
pub struct BrokenChain {
    /// The first entry that does not fit.
    pub sequence: u64,
}

/// Checks that `rows` follow on `(sequence, hash)`, and gives the chain's new end.
/// The beginning is `(0, GENESIS)`.
pub fn verify<'a>(
    from: (u64, [u8; 32]),
    rows: impl IntoIterator<Item = &'a crate::AuditRow>,
) -> Result<(u64, [u8; 32]), BrokenChain> {
    rows.into_iter().try_fold(from, |(sequence, hash), row| {
        let next = sequence.saturating_add(1);
        if row.sequence == next && row.hash == chain(&hash, next, &row.entry) {
            Ok((next, row.hash))
        } else {
            Err(BrokenChain { sequence: next })
        }
    })
}

/// A reason as it may stand in the log: a few words, and nothing that looks like
/// anything else.
pub(crate) fn word(reason: &str) -> String {
    reason
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || "-_ ".contains(*c))
        .take(64)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::word;

    #[test]
    fn a_reason_is_a_few_plain_words() {
        assert_eq!(word("restored after fire, #12"), "restored after fire 12");
        assert_eq!(word(&"x".repeat(1000)).len(), 64);
        assert_eq!(word("\n\u{1b}[31m"), "31m");
    }
}
