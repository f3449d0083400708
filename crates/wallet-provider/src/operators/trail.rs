//! The trail of what operators did, in a chain: each row's hash is over the row and
//! the hash before it, so that none can be changed, removed or moved without all
//! later ones changing.
//!
//! Who can write the database can also make the whole chain anew. What shows that is
//! a [`Head`] that was noted elsewhere: each row's is in the log.

use std::fmt;
use std::str::FromStr;

use finding::Finding;
use jiff::Timestamp;
use jose::sha256;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Credential, OperatorRole};
use crate::rules::{OPERATOR_TRAIL, OPERATOR_TRAIL_END};

/// One thing that an operator did, or was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Act {
    /// When, to the millisecond.
    pub at: Timestamp,
    /// Who.
    pub operator: String,
    /// The role that the operator had then.
    pub role: OperatorRole,
    /// How the operator proved to be one.
    pub by: Credential,
    /// What.
    pub action: String,
    /// To what.
    pub object: String,
    /// Why, where a reason was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// How it ended: `ok`, or the code of the problem.
    pub outcome: String,
}

/// A row of the trail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrailRow {
    /// Its number; the first is 1.
    pub sequence: u64,
    /// What was done.
    #[serde(flatten)]
    pub act: Act,
    /// The chain's hash up to it, in hexadecimal digits.
    #[serde(serialize_with = "to_hex", deserialize_with = "from_hex")]
    pub hash: [u8; 32],
}

/// How far a trail has come. It is written `SEQUENCE:HASH`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// The number of the last row.
    pub sequence: u64,
    /// The chain's hash up to it.
    pub hash: [u8; 32],
}

/// Where a trail begins and ends, as the store says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TrailEnds {
    /// What the oldest kept row follows on.
    pub start: Head,
    /// The newest row; the start, where no row is kept.
    pub end: Head,
}

/// Before the first row.
pub const GENESIS: Head = Head {
    sequence: 0,
    hash: [0; 32],
};

impl TrailRow {
    /// The row for `act` after `head`.
    pub fn after(head: Head, act: Act) -> Self {
        let sequence = head.sequence.saturating_add(1);
        Self {
            sequence,
            hash: chain(&head.hash, sequence, &act),
            act,
        }
    }

    /// The trail's end, where this row is the last.
    pub fn head(&self) -> Head {
        Head {
            sequence: self.sequence,
            hash: self.hash,
        }
    }
}

/// The chain's hash after `act`, which has number `sequence` and follows `previous`.
pub fn chain(previous: &[u8; 32], sequence: u64, act: &Act) -> [u8; 32] {
    let mut bytes = Vec::with_capacity(256);
    bytes.extend_from_slice(b"claviger-operator-trail-v1");
    bytes.extend_from_slice(previous);
    bytes.extend_from_slice(&sequence.to_be_bytes());
    bytes.extend_from_slice(&act.at.as_millisecond().to_be_bytes());
    // No reason is not the same as an empty one.
    bytes.push(u8::from(act.reason.is_some()));
    for part in [
        act.operator.as_str(),
        act.role.name(),
        act.by.name(),
        &act.action,
        &act.object,
        act.reason.as_deref().unwrap_or_default(),
        &act.outcome,
    ] {
        let len = u32::try_from(part.len()).unwrap_or(u32::MAX);
        bytes.extend_from_slice(&len.to_be_bytes());
        bytes.extend_from_slice(part.as_bytes());
    }
    sha256(&bytes)
}

/// Checks that `rows` follow on `from`, and that the row of each head in `known` is
/// the one it was. What was found, and the new end.
pub fn verify<'a>(
    from: Head,
    rows: impl IntoIterator<Item = &'a TrailRow>,
    known: &[Head],
) -> (Head, Vec<Finding>) {
    let mut findings = Vec::new();
    let mut head = from;
    for row in rows {
        let subject = format!("row {}", row.sequence);
        let next = head.sequence.saturating_add(1);
        if row.sequence != next {
            findings.push(OPERATOR_TRAIL.finding(
                &subject,
                format!(
                    "it follows on row {}: what was between is gone",
                    head.sequence
                ),
            ));
        } else if chain(&head.hash, next, &row.act) != row.hash {
            findings.push(OPERATOR_TRAIL.finding(
                &subject,
                "its hash is not over it and the row before: one of the two was changed or moved",
            ));
        }
        head = row.head();
        if known
            .iter()
            .any(|known| known.sequence == head.sequence && *known != head)
        {
            findings.push(OPERATOR_TRAIL_END.finding(subject, "another row was noted elsewhere"));
        }
    }
    for known in known.iter().filter(|known| known.sequence > head.sequence) {
        findings.push(OPERATOR_TRAIL_END.finding(
            "the trail",
            format!(
                "it ends with row {}, and row {} was noted elsewhere",
                head.sequence, known.sequence
            ),
        ));
    }
    (head, findings)
}

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.sequence, hex::encode(self.hash))
    }
}

/// What is no head.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a row's number, a colon, and 64 hexadecimal digits are expected")]
pub struct NoHead;

impl FromStr for Head {
    type Err = NoHead;

    fn from_str(text: &str) -> Result<Self, NoHead> {
        let (sequence, hash) = text.split_once(':').ok_or(NoHead)?;
        let mut head = Self {
            sequence: sequence.parse().map_err(|_| NoHead)?,
            hash: [0; 32],
        };
        hex::decode_to_slice(hash, &mut head.hash).map_err(|_| NoHead)?;
        Ok(head)
    }
}

fn to_hex<S: Serializer>(hash: &[u8; 32], to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&hex::encode(hash))
}

fn from_hex<'de, D: Deserializer<'de>>(from: D) -> Result<[u8; 32], D::Error> {
    let mut hash = [0; 32];
    hex::decode_to_slice(String::deserialize(from)?, &mut hash).map_err(D::Error::custom)?;
    Ok(hash)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;

    fn trail(length: usize) -> Vec<TrailRow> {
        let mut head = GENESIS;
        (0..length)
            .map(|number| {
                let act = Act {
                    at: Timestamp::from_millisecond(1_800_000_000_000 + number as i64).unwrap(),
                    operator: "ada".into(),
                    role: OperatorRole::Support,
                    by: Credential::Token,
                    action: "unit.show".into(),
                    object: format!("units/{number}"),
                    reason: None,
                    outcome: "ok".into(),
                };
                let row = TrailRow::after(head, act);
                head = row.head();
                row
            })
            .collect()
    }

    fn found(rows: &[TrailRow], known: &[Head]) -> Vec<(String, String)> {
        let (_, findings) = verify(GENESIS, rows, known);
        let told = |f: Finding| (f.rule.into_owned(), f.subject);
        findings.into_iter().map(told).collect()
    }

    #[test]
    fn a_trail_as_it_was_written_holds() {
        let rows = trail(5);
        let heads: Vec<Head> = rows.iter().map(TrailRow::head).collect();
        assert_eq!(found(&rows, &heads), []);
        assert_eq!(heads[4].to_string().parse(), Ok(heads[4]));
        for wrong in ["", "5", "5:ab", "x:00", "-1:00"] {
            assert_eq!(wrong.parse::<Head>(), Err(NoHead), "{wrong}");
        }
    }

    /// Each part of a row stands in its hash.
    #[test]
    fn a_row_that_was_altered_is_noticed() {
        let changes: [fn(&mut Act); 8] = [
            |act| act.at += jiff::SignedDuration::from_millis(1),
            |act| act.operator = "eve".into(),
            |act| act.role = OperatorRole::Admin,
            |act| act.by = Credential::Certificate,
            |act| act.action = "unit.list".into(),
            |act| act.object = "units/9".into(),
            |act| act.reason = Some(String::new()),
            |act| act.outcome = "forbidden".into(),
        ];
        for (which, change) in changes.into_iter().enumerate() {
            let mut rows = trail(5);
            change(&mut rows[2].act);
            let expected = ("WP-OPERATOR-TRAIL".to_owned(), "row 3".to_owned());
            assert_eq!(found(&rows, &[]), [expected], "change {which}");
        }
    }

    #[test]
    fn a_row_that_was_removed_or_moved_is_noticed() {
        let mut gone = trail(5);
        gone.remove(2);
        assert_eq!(found(&gone, &[])[0].1, "row 4");
        let mut first = trail(5);
        first.remove(0);
        assert_eq!(found(&first, &[])[0].1, "row 2");
        let mut moved = trail(5);
        moved.swap(1, 2);
        assert!(!found(&moved, &[]).is_empty());
    }

    /// The end cut away, or all of it made anew: only what was noted elsewhere tells.
    #[test]
    fn a_head_that_was_noted_elsewhere_tells_what_the_chain_cannot() {
        let rows = trail(5);
        let known = [rows[4].head()];
        assert_eq!(found(&rows[..3], &[]), [], "the chain itself holds");
        assert_eq!(found(&rows[..3], &known)[0].0, "WP-OPERATOR-TRAIL-END");

        let mut anew = Vec::new();
        let mut head = GENESIS;
        for mut row in rows {
            row.act.operator = "eve".into();
            let row = TrailRow::after(head, row.act);
            head = row.head();
            anew.push(row);
        }
        assert_eq!(found(&anew, &[]), []);
        let expected = ("WP-OPERATOR-TRAIL-END".to_owned(), "row 5".to_owned());
        assert_eq!(found(&anew, &known), [expected]);
    }

    #[test]
    fn a_row_is_told_flat_and_reads_back() {
        let row = trail(1).remove(0);
        let told = serde_json::to_value(&row).unwrap();
        assert_eq!(told["operator"], "ada");
        assert_eq!(told["role"], "support");
        assert_eq!(told["hash"].as_str().unwrap().len(), 64);
        assert_eq!(serde_json::from_value::<TrailRow>(told).unwrap(), row);
    }
}
