//! Every later message of an attested key: an assertion with a growing counter.

use finding::Finding;
use jiff::Timestamp;
use jose::cbor::{self, Limits, Value};
use jose::{HashAlg, PublicKey};
use serde::Serialize;

use super::auth_data::AuthData;
use super::{ApplePolicy, Environment, nonce};
use crate::assessment::{Assessment, Platform};
use crate::rules;

/// The largest assertion. Real ones are about 140 bytes.
const MAX_BYTES: usize = 4 * 1024;

/// What an assertion is held against.
#[derive(Debug, Clone, Copy)]
pub struct AssertionCheck<'a> {
    /// What is required.
    pub policy: &'a ApplePolicy,
    /// The attested key, as the caller kept it.
    pub key: &'a PublicKey,
    /// Where the key was made, as the caller kept it: what the assertion of a
    /// development key binds earns no level.
    pub environment: Environment,
    /// The counter of the last assertion that was accepted; 0 after the
    /// attestation.
    pub counter: u32,
    /// The hash of the client data that the app was to sign. Evidence without
    /// one is undecided.
    pub client_data_hash: Option<&'a [u8; 32]>,
    /// The time the answer holds for.
    pub at: Timestamp,
}

/// What an assertion says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AssertionSaid {
    /// The App ID, where the policy names it.
    pub app: Option<String>,
    /// SHA-256 of the App ID.
    #[serde(with = "crate::android::bytes")]
    pub app_hash: Vec<u8>,
    /// What the caller keeps as the last counter, once the assertion is accepted.
    pub counter: u32,
}

/// Judges an assertion. What is earned is the level of keys that the app binds
/// through the client data.
pub fn assess_assertion(bytes: &[u8], check: &AssertionCheck<'_>) -> Assessment<AssertionSaid> {
    let mut assessment = Assessment::new(Platform::AppleAssertion, check.at);
    assessment.key = Some(check.key.clone());
    let mut findings = Vec::new();
    match parse(bytes) {
        Ok(parts) => judge(&parts, check, &mut assessment, &mut findings),
        Err(finding) => findings.push(finding),
    }
    assessment.findings = findings;
    assessment.decided()
}

struct Assertion {
    signature: Vec<u8>,
    auth_data: Vec<u8>,
    data: AuthData,
}

fn parse(bytes: &[u8]) -> Result<Assertion, Finding> {
    if bytes.len() > MAX_BYTES {
        return Err(rules::SIZE.finding(
            "the assertion",
            format!("{} bytes, at most {MAX_BYTES} are read", bytes.len()),
        ));
    }
    let bad = |what: &str, why: String| rules::APPLE_FORMAT.finding(what, why);
    let map = cbor::parse(bytes, Limits::bytes(MAX_BYTES))
        .map_err(|error| bad("the assertion", error.to_string()))?;
    let member = |name: &str| {
        cbor::get(&map, name)
            .and_then(Value::as_bytes)
            .cloned()
            .ok_or_else(|| bad(name, "it is absent, or not bytes".into()))
    };
    let signature = member("signature")?;
    let auth_data = member("authenticatorData")?;
    let data = AuthData::of_assertion(&auth_data).map_err(|why| bad("authenticatorData", why))?;
    Ok(Assertion {
        signature,
        auth_data,
        data,
    })
}

fn judge(
    assertion: &Assertion,
    check: &AssertionCheck<'_>,
    assessment: &mut Assessment<AssertionSaid>,
    findings: &mut Vec<Finding>,
) {
    match check.client_data_hash {
        None => findings.push(
            rules::CHALLENGE_UNKNOWN.finding("the client data hash", "there is none to verify"),
        ),
        Some(hash) => {
            let signed = nonce(&assertion.auth_data, hash);
            let good = check
                .key
                .verify_der(HashAlg::Sha256, &signed, &assertion.signature);
            if good.is_err() {
                findings.push(rules::APPLE_SIGNATURE.finding(
                    "signature",
                    "it is not the key's over this authenticator data and client data",
                ));
            }
        }
    }
    let app = assertion.data.app(check.policy, findings);
    let counter = assertion.data.counter;
    if counter <= check.counter {
        findings.push(rules::APPLE_COUNTER.finding(
            "authenticatorData.signCount",
            format!("{counter} after {}", check.counter),
        ));
    }
    if !check.policy.environments.contains(&check.environment) {
        findings.push(rules::APPLE_ENVIRONMENT.finding(
            "the attested key",
            format!("{} is not accepted", check.environment),
        ));
    }
    if check.environment == Environment::Production {
        assessment.key_storage = check.policy.levels.bound_keys;
        assessment.basis = assessment
            .key_storage
            .map(|_| "keys of a genuine app on an Apple device".into());
    }
    assessment.says = Some(AssertionSaid {
        app,
        app_hash: assertion.data.app_hash.to_vec(),
        counter,
    });
}
