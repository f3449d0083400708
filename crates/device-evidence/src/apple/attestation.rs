//! The first message of a key: the attestation object.

use std::borrow::Cow;

use finding::Finding;
use jiff::Timestamp;
use jose::cbor::{self, Limits, Value};
use jose::{Curve, PublicKey, sha256};
use pki::Certificate;
use serde::Serialize;

use super::auth_data::{AuthData, Credential};
use super::{APPLE, ApplePolicy, Environment, NONCE, nonce};
use crate::asn1::{Asn1Error, Reader};
use crate::assessment::{Assessment, Platform};
use crate::chain::{MAX_LEN, NoWay, RootKey, climb, not_a_ca};
use crate::{rules, same};

/// The largest attestation object. Real ones are about 6 KB, most of it receipt.
const MAX_BYTES: usize = 32 * 1024;

/// What an attestation is held against.
#[derive(Debug, Clone, Copy)]
pub struct AttestationCheck<'a> {
    /// What is required.
    pub policy: &'a ApplePolicy,
    /// The hash of the client data that the app was to attest, such as
    /// [`super::client_data_hash`]. Evidence without one is undecided.
    pub client_data_hash: Option<&'a [u8; 32]>,
    /// The key identifier that the app gave.
    pub key_id: Option<&'a [u8]>,
    /// The time the answer holds for.
    pub at: Timestamp,
}

/// What an attestation says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AttestationSaid {
    /// The App ID, where the policy names it.
    pub app: Option<String>,
    /// SHA-256 of the App ID.
    #[serde(with = "crate::android::bytes")]
    pub app_hash: Vec<u8>,
    /// Where the key was made, where that is known.
    pub environment: Option<Environment>,
    /// SHA-256 of the key: its identifier.
    #[serde(with = "crate::android::bytes")]
    pub key_id: Vec<u8>,
    /// 0 in a sound attestation.
    pub counter: u32,
    /// To be kept, for Apple's assessment of fraud.
    #[serde(skip)]
    pub receipt: Vec<u8>,
}

/// Judges an attestation object. After it is accepted, the caller keeps the key,
/// the counter 0 and the receipt.
pub fn assess_attestation(
    object: &[u8],
    check: &AttestationCheck<'_>,
) -> Assessment<AttestationSaid> {
    let mut assessment = Assessment::new(Platform::AppleAttestation, check.at);
    let mut findings = Vec::new();
    match Object::parse(object) {
        Ok(object) => judge(&object, check, &mut assessment, &mut findings),
        Err(finding) => findings.push(finding),
    }
    assessment.findings = findings;
    assessment.decided()
}

struct Object {
    chain: Vec<Certificate>,
    receipt: Vec<u8>,
    auth_data: Vec<u8>,
    data: AuthData,
    credential: Credential,
}

impl Object {
    fn parse(bytes: &[u8]) -> Result<Self, Finding> {
        if bytes.len() > MAX_BYTES {
            return Err(rules::SIZE.finding(
                "the attestation object",
                format!("{} bytes, at most {MAX_BYTES} are read", bytes.len()),
            ));
        }
        let bad = |what: &str, why: String| rules::APPLE_FORMAT.finding(what, why);
        let object = cbor::parse(bytes, Limits::bytes(MAX_BYTES))
            .map_err(|error| bad("the attestation object", error.to_string()))?;
        if cbor::get(&object, "fmt").and_then(Value::as_text) != Some("apple-appattest") {
            return Err(bad("fmt", "it is not apple-appattest".into()));
        }
        let member = |map: &Value, name: &str| cbor::get(map, name).cloned();
        let statement =
            member(&object, "attStmt").ok_or_else(|| bad("attStmt", "it is absent".into()))?;
        let receipt = match member(&statement, "receipt") {
            Some(Value::Bytes(receipt)) => receipt,
            None => Vec::new(),
            Some(_) => return Err(bad("attStmt.receipt", "it is not bytes".into())),
        };
        let Some(Value::Array(certificates)) = member(&statement, "x5c") else {
            return Err(bad("attStmt.x5c", "it is not an array".into()));
        };
        if certificates.len() > MAX_LEN {
            let count = certificates.len();
            return Err(rules::SIZE.finding(
                "attStmt.x5c",
                format!("{count} certificates, at most {MAX_LEN} are read"),
            ));
        }
        let ders: Vec<Vec<u8>> = certificates
            .into_iter()
            .map(|certificate| certificate.into_bytes())
            .collect::<Result<_, _>>()
            .map_err(|_| bad("attStmt.x5c", "it is not an array of bytes".into()))?;
        let chain = pki::chain::from_ders(ders)
            .map_err(|error| rules::APPLE_CHAIN.finding("attStmt.x5c", error.to_string()))?;
        let Some(Value::Bytes(auth_data)) = member(&object, "authData") else {
            return Err(bad("authData", "it is not bytes".into()));
        };
        let (data, credential) =
            AuthData::of_attestation(&auth_data).map_err(|why| bad("authData", why))?;
        Ok(Self {
            chain,
            receipt,
            auth_data,
            data,
            credential,
        })
    }
}

fn judge(
    object: &Object,
    check: &AttestationCheck<'_>,
    assessment: &mut Assessment<AttestationSaid>,
    findings: &mut Vec<Finding>,
) {
    assessment.path = object.chain.iter().map(Certificate::to_ref).collect();
    assessment.root = chain(&object.chain, check, findings);
    let Some(leaf) = object.chain.first() else {
        return;
    };
    bound_to_the_challenge(leaf, object, check, findings);
    let key = key(leaf, object, check, findings);
    let app = object.data.app(check.policy, findings);
    if object.data.counter != 0 {
        findings.push(rules::APPLE_COUNTER.finding(
            "authData.signCount",
            format!("{} in an attestation, 0 is expected", object.data.counter),
        ));
    }
    let environment = environment(object, check.policy, findings);
    if object.receipt.is_empty() {
        findings.push(rules::APPLE_RECEIPT.finding("attStmt.receipt", "it is absent"));
    }
    if environment == Some(Environment::Production) {
        assessment.key_storage = check.policy.levels.attested_key;
        assessment.basis = assessment
            .key_storage
            .map(|_| "attested to be in a Secure Enclave".into());
    }
    if assessment.key_storage.is_none() {
        findings.push(rules::LEVEL_NONE.finding(
            "key_storage",
            "the policy gives it no level, or the key is of the development environment",
        ));
    }
    assessment.key = key;
    assessment.says = Some(AttestationSaid {
        app,
        app_hash: object.data.app_hash.to_vec(),
        environment,
        key_id: object.credential.id.clone(),
        counter: object.data.counter,
        receipt: object.receipt.clone(),
    });
}

fn chain(
    chain: &[Certificate],
    check: &AttestationCheck<'_>,
    findings: &mut Vec<Finding>,
) -> Option<String> {
    let mut add = |position: usize, why: String| {
        let place = format!("attStmt.x5c/{position}");
        findings.push(rules::APPLE_CHAIN.finding(place, why));
    };
    for (position, certificate) in chain.iter().enumerate() {
        if check.at < certificate.not_before() || check.at > certificate.not_after() {
            let why = format!(
                "valid from {} to {}, looked at {}",
                certificate.not_before(),
                certificate.not_after(),
                check.at
            );
            add(position, why);
        }
        match not_a_ca(certificate, position.saturating_sub(1)) {
            Some(why) if position > 0 => add(position, why),
            None if position == 0 => add(position, "the key's certificate is a CA's".into()),
            _ => {}
        }
    }
    let roots = roots(check.policy);
    match climb(chain, &roots) {
        Ok(way) => Some(way.root.name.clone()),
        Err(NoWay::Link(position, why)) => {
            add(position, why);
            None
        }
        Err(NoWay::Root) => {
            let last = chain.len().saturating_sub(1);
            add(
                last,
                "neither it nor its signature is of a trusted root key".into(),
            );
            None
        }
    }
}

fn bound_to_the_challenge(
    leaf: &Certificate,
    object: &Object,
    check: &AttestationCheck<'_>,
    findings: &mut Vec<Finding>,
) {
    let Some(extension) = leaf.extension(NONCE) else {
        let why = format!("the extension {NONCE} is absent");
        findings.push(rules::APPLE_NONCE.finding("attStmt.x5c/0", why));
        return;
    };
    let found = match read_nonce(extension.extn_value.as_bytes()) {
        Ok(found) => found,
        Err(error) => {
            let finding = rules::APPLE_NONCE.finding("attStmt.x5c/0", error.to_string());
            findings.push(finding);
            return;
        }
    };
    match check.client_data_hash {
        None => findings.push(
            rules::CHALLENGE_UNKNOWN.finding("the client data hash", "there is none to compare"),
        ),
        Some(hash) if !same(&nonce(&object.auth_data, hash), found) => {
            findings.push(rules::APPLE_NONCE.finding(
                "attStmt.x5c/0",
                "the nonce is not of this authenticator data and client data",
            ));
        }
        Some(_) => {}
    }
}

/// `SEQUENCE { [1] EXPLICIT OCTET STRING }`.
fn read_nonce(der: &[u8]) -> Result<&[u8], Asn1Error> {
    let mut outer = Reader::new(der);
    let mut fields = outer.sequence("nonce")?;
    outer.finish("nonce")?;
    let (tag, mut value) = fields.explicit("nonce")?;
    if tag != 1 {
        return Err(Asn1Error::Value("nonce tag".into(), tag.into()));
    }
    let nonce = value.octets("nonce")?;
    value.finish("nonce")?;
    fields.finish("nonce")?;
    Ok(nonce)
}

fn key(
    leaf: &Certificate,
    object: &Object,
    check: &AttestationCheck<'_>,
    findings: &mut Vec<Finding>,
) -> Option<PublicKey> {
    let mut add = |place: &str, why: &str| {
        findings.push(rules::APPLE_KEY_ID.finding(place, why));
    };
    let key = leaf
        .public_key()
        .ok()
        .filter(|key| key.curve() == Curve::P256);
    let Some(key) = key else {
        add("attStmt.x5c/0", "its key is not EC on P-256");
        return None;
    };
    if !same(&sha256(key.point()), &object.credential.id) {
        add(
            "authData.credentialId",
            "it is not the hash of the certified key",
        );
    }
    if object.credential.key != key {
        add(
            "authData.credentialPublicKey",
            "it is not the certified key",
        );
    }
    if check
        .key_id
        .is_some_and(|given| !same(given, &object.credential.id))
    {
        add("the key identifier given", "it is another key's");
    }
    Some(key)
}

fn environment(
    object: &Object,
    policy: &ApplePolicy,
    findings: &mut Vec<Finding>,
) -> Option<Environment> {
    let environment = Environment::from_aaguid(&object.credential.aaguid);
    let why = match environment {
        None => format!(
            "the AAGUID {} is none of App Attest",
            hex::encode(object.credential.aaguid)
        ),
        Some(found) if !policy.environments.contains(&found) => {
            format!("{found} is not accepted")
        }
        Some(_) => return environment,
    };
    findings.push(rules::APPLE_ENVIRONMENT.finding("authData.aaguid", why));
    environment
}

fn roots(policy: &ApplePolicy) -> Cow<'_, [RootKey]> {
    match (policy.apple_root, policy.roots.as_slice()) {
        (false, own) => Cow::Borrowed(own),
        (true, []) => Cow::Borrowed(&*APPLE),
        (true, own) => APPLE.iter().chain(own).cloned().collect(),
    }
}
