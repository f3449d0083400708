//! Authenticator data (WebAuthn Level 2, 6.1) as App Attest fills it.

use finding::Finding;
use jose::cbor::{self, Limits, Value};
use jose::{Curve, PublicKey};

use super::ApplePolicy;
use crate::{rules, same};

/// What both attestation and assertion begin with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AuthData {
    /// SHA-256 of the App ID.
    pub(super) app_hash: [u8; 32],
    /// How many assertions the key has made.
    pub(super) counter: u32,
}

/// What an attestation has beside that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Credential {
    pub(super) aaguid: [u8; 16],
    /// The key identifier.
    pub(super) id: Vec<u8>,
    /// The key, as COSE has it.
    pub(super) key: PublicKey,
}

/// The bit that says that attested credential data follows.
const ATTESTED: u8 = 0x40;

impl AuthData {
    /// Of an assertion. Its flags may claim credential data; there is none.
    pub(super) fn of_assertion(bytes: &[u8]) -> Result<Self, String> {
        match Self::split(bytes)? {
            (data, _, []) => Ok(data),
            (_, _, rest) => Err(format!(
                "authenticator data of an assertion with {} bytes more than 37",
                rest.len()
            )),
        }
    }

    pub(super) fn of_attestation(bytes: &[u8]) -> Result<(Self, Credential), String> {
        let (data, flags, rest) = Self::split(bytes)?;
        if flags & ATTESTED == 0 {
            return Err("authenticator data without attested credential data".into());
        }
        let short = || "authenticator data is cut short".to_owned();
        let (aaguid, rest) = rest.split_first_chunk::<16>().ok_or_else(short)?;
        let (len, rest) = rest.split_first_chunk::<2>().ok_or_else(short)?;
        let len = usize::from(u16::from_be_bytes(*len));
        let (id, key) = rest.split_at_checked(len).ok_or_else(short)?;
        let key = cose_key(key)?;
        let credential = Credential {
            aaguid: *aaguid,
            id: id.to_vec(),
            key,
        };
        Ok((data, credential))
    }

    fn split(bytes: &[u8]) -> Result<(Self, u8, &[u8]), String> {
        let short = || format!("authenticator data of {} bytes, 37 at least", bytes.len());
        let (app_hash, rest) = bytes.split_first_chunk::<32>().ok_or_else(short)?;
        let (&flags, rest) = rest.split_first().ok_or_else(short)?;
        let (counter, rest) = rest.split_first_chunk::<4>().ok_or_else(short)?;
        let data = Self {
            app_hash: *app_hash,
            counter: u32::from_be_bytes(*counter),
        };
        Ok((data, flags, rest))
    }

    /// The App ID of the policy's whose hash it is.
    pub(super) fn app(&self, policy: &ApplePolicy, findings: &mut Vec<Finding>) -> Option<String> {
        if policy.apps.is_empty() {
            let why = "the policy names no app";
            findings.push(rules::APPLE_APP_UNKNOWN.finding("authData.rpIdHash", why));
            return None;
        }
        let found = policy
            .apps
            .iter()
            .find(|app| same(&app.hash(), &self.app_hash));
        if found.is_none() {
            findings.push(rules::APPLE_APP.finding(
                "authData.rpIdHash",
                format!("{} is of no app of the policy", hex::encode(self.app_hash)),
            ));
        }
        found.map(|app| app.as_str().to_owned())
    }
}

/// An EC2 key on P-256 (RFC 9053, 7.1.1) and nothing after it.
fn cose_key(bytes: &[u8]) -> Result<PublicKey, String> {
    let key = cbor::parse(bytes, Limits::bytes(1024))
        .map_err(|error| format!("the credential's key: {error}"))?;
    let bad = || "the credential's key is not an EC2 key on P-256 for ES256".to_owned();
    let number = |label: i64, value: i64| {
        cbor::get(&key, label).and_then(Value::as_integer) == Some(value.into())
    };
    if !(number(1, 2) && number(3, -7) && number(-1, 1)) {
        return Err(bad());
    }
    let coordinate = |label: i64| {
        cbor::get(&key, label)
            .and_then(Value::as_bytes)
            .filter(|bytes| bytes.len() == 32)
            .ok_or_else(bad)
    };
    let mut point = vec![4];
    point.extend_from_slice(coordinate(-2)?);
    point.extend_from_slice(coordinate(-3)?);
    PublicKey::from_point(Curve::P256, &point).map_err(|_| bad())
}
