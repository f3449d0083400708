//! Google's list of revoked attestation keys, by the serial numbers of their
//! certificates.

use std::collections::HashMap;

use finding::Refusal;
use jiff::Timestamp;
use jose::json::{self, Limits};
use pki::Certificate;
use serde_json::Value;

use crate::rules;

/// The largest list that is read, in bytes. Google's is below 1 MiB.
pub const MAX_REVOCATION_LIST: usize = 16 * 1024 * 1024;

/// A copy of the list at `https://android.googleapis.com/attestation/status`.
/// Fetching and keeping it is the caller's part.
#[derive(Debug, Clone)]
pub struct RevocationList {
    fetched: Timestamp,
    entries: HashMap<String, Status>,
}

/// Why a certificate is not to be trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// `REVOKED` or `SUSPENDED`.
    pub status: String,
    /// Such as `KEY_COMPROMISE`.
    pub reason: Option<String>,
}

impl Status {
    /// Whether it may end. Whatever else a status is called, it is a revocation.
    pub fn is_suspended(&self) -> bool {
        self.status.eq_ignore_ascii_case("SUSPENDED")
    }
}

impl RevocationList {
    /// Reads the JSON of a list that was fetched at `fetched`.
    pub fn from_json(bytes: &[u8], fetched: Timestamp) -> Result<Self, Refusal> {
        let refuse = |evidence: String| {
            Refusal::because(
                &rules::ANDROID_REVOCATION_LIST,
                "the revocation list",
                evidence,
            )
        };
        let limits = Limits {
            max_bytes: MAX_REVOCATION_LIST,
            max_depth: 4,
        };
        let list = json::parse_object(bytes, limits).map_err(|error| refuse(error.to_string()))?;
        let Some(Value::Object(found)) = list.get("entries") else {
            return Err(refuse("it has no object of entries".into()));
        };
        let mut entries = HashMap::with_capacity(found.len());
        for (serial, entry) in found {
            let hex = !serial.is_empty() && serial.bytes().all(|b| b.is_ascii_hexdigit());
            if !hex || serial.len() > 64 {
                let shown: String = serial.chars().take(70).collect();
                return Err(refuse(format!("{shown:?} is not a serial in hex")));
            }
            let status = entry
                .get("status")
                .and_then(Value::as_str)
                .ok_or_else(|| refuse(format!("the entry {serial} has no status")))?;
            let status = Status {
                status: status.chars().take(32).collect(),
                reason: entry
                    .get("reason")
                    .and_then(Value::as_str)
                    .map(|reason| reason.chars().take(64).collect()),
            };
            // Written in two ways, the entries must not hide each other: both
            // say that it is not to be trusted.
            entries.insert(normal(serial), status);
        }
        Ok(Self { fetched, entries })
    }

    /// When it was fetched.
    pub fn fetched(&self) -> Timestamp {
        self.fetched
    }

    /// How many certificates it names.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether it names none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The serial numbers of what it names as revoked, in hex, lower case, without
    /// leading zeros. What is suspended may come back, and is not among them.
    pub fn revoked(&self) -> impl Iterator<Item = &str> {
        self.entries
            .iter()
            .filter(|(_, status)| !status.is_suspended())
            .map(|(serial, _)| serial.as_str())
    }

    /// The serial number of a certificate, as [`RevocationList::revoked`] has it.
    pub fn serial_of(certificate: &Certificate) -> String {
        normal(&certificate.serial())
    }

    /// What it says of a certificate. Any status counts: what is not revoked is
    /// not in the list.
    pub fn status(&self, certificate: &Certificate) -> Option<&Status> {
        self.entries.get(&normal(&certificate.serial()))
    }
}

/// Lower case, without leading zeros.
fn normal(serial: &str) -> String {
    serial.trim_start_matches('0').to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use rstest::rstest;

    #[test]
    fn serials_are_compared_as_numbers() {
        let list = br#"{"entries":{"0A1b":{"status":"REVOKED","reason":"KEY_COMPROMISE"},
            "c35747a084470c3135aeefe2b8d40cd6":{"status":"SUSPENDED","expires":"2030-01-01"}}}"#;
        let list = RevocationList::from_json(list, Timestamp::UNIX_EPOCH).unwrap();
        assert_eq!(list.len(), 2);
        assert_eq!(
            list.entries.get("a1b").unwrap().reason.as_deref(),
            Some("KEY_COMPROMISE")
        );
    }

    #[test]
    fn what_is_suspended_is_not_revoked() {
        let list = br#"{"entries":{"0A":{"status":"REVOKED"},"0b":{"status":"SUSPENDED"},
            "c":{"status":"something new"}}}"#;
        let list = RevocationList::from_json(list, Timestamp::UNIX_EPOCH).unwrap();
        let mut revoked: Vec<&str> = list.revoked().collect();
        revoked.sort_unstable();
        assert_eq!(revoked, ["a", "c"]);
    }

    #[rstest]
    #[case(b"" as &[u8])]
    #[case(b"[]")]
    #[case(b"{}")]
    #[case(br#"{"entries":[]}"#)]
    #[case(br#"{"entries":{"xyz":{"status":"REVOKED"}}}"#)]
    #[case(br#"{"entries":{"":{"status":"REVOKED"}}}"#)]
    #[case(br#"{"entries":{"ab":{"reason":"KEY_COMPROMISE"}}}"#)]
    #[case(br#"{"entries":{"ab":{"status":"REVOKED"},"ab":{"status":"OK"}}}"#)]
    fn what_is_no_list_is_refused(#[case] bytes: &[u8]) {
        let refusal = RevocationList::from_json(bytes, Timestamp::UNIX_EPOCH).unwrap_err();
        assert!(refusal.names(&rules::ANDROID_REVOCATION_LIST));
    }
}
