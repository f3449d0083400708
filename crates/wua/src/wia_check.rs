use finding::{Finding, Refusal};
use jiff::{SignedDuration, Timestamp};
use jose::{KeyError, PublicKey, jws};
use serde_json::Value;

use crate::claims::Reader;
use crate::status_period::StatusRules;
use crate::token::TokenRules;
use crate::wia::WIA_TYP;
use crate::{ClientAttestationDraft, Limits, MAX_WIA_LIFETIME, MIN_MAINTENANCE, Wia, rules};

/// A WIA as it came in: bounded, well-formed, of the right type, and nothing in
/// it believed yet.
#[derive(Debug)]
pub struct UnverifiedWia {
    jws: jws::Unverified,
    x5c: Vec<Vec<u8>>,
}

/// What a WIA is checked against.
#[derive(Debug, Clone)]
pub struct WiaCheck<'a> {
    /// The key of the signing certificate, which a trust check accepted.
    pub signer_key: &'a PublicKey,
    /// The time the check is made for.
    pub at: Timestamp,
    /// Which text the sender follows.
    pub draft: ClientAttestationDraft,
    /// The request's `client_id`, where it has one.
    pub client_id: Option<&'a str>,
    /// The wallet solutions that the list names for this wallet provider, where
    /// the caller knows them: `wallet_name` is one of them.
    pub wallet_names: Option<&'a [String]>,
    /// How far the sender's clock may be off.
    pub skew: SignedDuration,
    /// How long the status is still maintained, at least.
    pub min_maintenance: SignedDuration,
}

/// A WIA whose signature and claims were checked.
#[derive(Debug, Clone)]
pub struct VerifiedWia {
    claims: Wia,
    x5c: Vec<Vec<u8>>,
    findings: Vec<Finding>,
}

impl UnverifiedWia {
    /// Reads the value of an `OAuth-Client-Attestation` header.
    pub fn parse(text: &str, limits: &Limits) -> Result<Self, Refusal> {
        let jws = WIA.parse(text, limits.wia_bytes)?;
        let x5c = WIA.chain(&jws, limits.certificates)?;
        Ok(Self { jws, x5c })
    }

    /// The signer's chain, leaf first, each certificate as DER: never empty.
    pub fn x5c(&self) -> &[Vec<u8>] {
        &self.x5c
    }

    /// Checks the signature, and then everything it covers.
    pub fn verify(self, check: &WiaCheck<'_>) -> Result<VerifiedWia, Refusal> {
        let (_, claims) = WIA.verify(self.jws, check.signer_key)?;
        let mut reader = Reader::new(&claims);
        let latest = check.at.checked_add(check.skew).unwrap_or(Timestamp::MAX);
        let issuer = match check.draft {
            ClientAttestationDraft::Draft07 => reader.text("iss", &rules::WIA_ISS),
            ClientAttestationDraft::Draft10 => None,
        };
        let client_id = reader.text("sub", &rules::WIA_SUB);
        if let (Some(expected), Some(_)) = (check.client_id, &client_id) {
            reader.equals("sub", expected, &rules::WIA_SUB);
        }
        let issued = reader.time_not_after("iat", latest, &rules::WIA_IAT);
        reader.time_not_after("nbf", latest, &rules::WIA_NBF);
        let expires = reader.time("exp", &rules::WIA_EXP);
        if let Some(expires) = expires {
            check_expiry(&mut reader, expires, check);
        }
        let key = read_cnf(&mut reader);
        let wallet_name = read_wallet_name(&mut reader, check);
        let wallet_version = reader.text("wallet_version", &rules::WIA_WALLET_VERSION);
        let wallet_link = match reader.get("wallet_link") {
            Some(_) => reader.uri("wallet_link", &rules::WIA_WALLET_LINK),
            None => {
                reader.find(&rules::WIA_WALLET_LINK_ABSENT, "wallet_link", "absent");
                None
            }
        };
        let certification = reader.get(CERTIFICATION).cloned();
        if certification.as_ref().is_none_or(is_empty) {
            reader.find(&rules::WIA_CERTIFICATION, CERTIFICATION, "absent or empty");
        }
        let status = STATUS.read(&mut reader, check.at, check.min_maintenance);
        let findings = reader.finish()?;
        let (
            Some(client_id),
            Some(expires),
            Some(key),
            Some(wallet_name),
            Some(wallet_version),
            Some(certification),
            Some(status),
        ) = (
            client_id,
            expires,
            key,
            wallet_name,
            wallet_version,
            certification,
            status,
        )
        else {
            // Each leaves an error behind when absent; this arm only spares a panic.
            return Err(Refusal::because(&rules::WIA_FORMAT, "claims", "incomplete"));
        };
        Ok(VerifiedWia {
            claims: Wia {
                issuer,
                client_id,
                issued,
                expires,
                key,
                wallet_name,
                wallet_version,
                wallet_link,
                certification,
                status,
            },
            x5c: self.x5c,
            findings,
        })
    }
}

impl VerifiedWia {
    /// What the WIA says.
    pub fn claims(&self) -> &Wia {
        &self.claims
    }

    /// The signer's chain, leaf first.
    pub fn x5c(&self) -> &[Vec<u8>] {
        &self.x5c
    }

    /// What was found that is not a reason to refuse.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }
}

impl<'a> WiaCheck<'a> {
    /// A check after draft 10, with a minute of clock skew and the 31 days of TS3.
    pub fn new(signer_key: &'a PublicKey, at: Timestamp) -> Self {
        Self {
            signer_key,
            at,
            draft: ClientAttestationDraft::Draft10,
            client_id: None,
            wallet_names: None,
            skew: SignedDuration::from_secs(60),
            min_maintenance: MIN_MAINTENANCE,
        }
    }
}

/// `exp` against the time. The wallet instance was checked at `check.at` at the
/// latest, so an `exp` 24 hours from now is too far whatever `iat` says; `iat`
/// itself is rounded down and would make sound tokens look too long-lived.
fn check_expiry(reader: &mut Reader<'_>, expires: Timestamp, check: &WiaCheck<'_>) {
    let left = expires.duration_since(check.at);
    if left <= SignedDuration::ZERO {
        let evidence = format!("expired at {expires}, asked at {}", check.at);
        reader.find(&rules::WIA_EXPIRED, "exp", evidence);
    } else if left >= MAX_WIA_LIFETIME.saturating_add(check.skew) {
        let evidence = format!("{expires} is 24 hours or more after {}", check.at);
        reader.find(&rules::WIA_LIFETIME, "exp", evidence);
    }
}

fn read_cnf(reader: &mut Reader<'_>) -> Option<PublicKey> {
    let jwk = reader.get("cnf").and_then(|cnf| cnf.get("jwk"));
    match jwk.map(PublicKey::from_jwk) {
        Some(Ok(key)) => Some(key),
        Some(Err(KeyError::Private)) => {
            reader.find(&rules::WIA_CNF_PRIVATE, "cnf/jwk", "it has the member d");
            None
        }
        Some(Err(error)) => {
            reader.find(&rules::WIA_CNF, "cnf/jwk", error.to_string());
            None
        }
        None => {
            reader.find(&rules::WIA_CNF, "cnf/jwk", "absent");
            None
        }
    }
}

fn read_wallet_name(reader: &mut Reader<'_>, check: &WiaCheck<'_>) -> Option<String> {
    let name = reader.text("wallet_name", &rules::WIA_WALLET_NAME)?;
    if let Some(listed) = check.wallet_names
        && !listed.contains(&name)
    {
        let evidence = format!("{:?} is not one of {listed:?}", crate::claims::short(&name));
        reader.find(&rules::WIA_WALLET_NAME, "wallet_name", evidence);
    }
    Some(name)
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::String(text) => text.is_empty(),
        Value::Object(members) => members.is_empty(),
        Value::Array(items) => items.is_empty(),
        _ => false,
    }
}

const CERTIFICATION: &str = "wallet_solution_certification_information";

static WIA: TokenRules = TokenRules {
    what: "WIA",
    typ_value: WIA_TYP,
    size: &rules::WIA_SIZE,
    format: &rules::WIA_FORMAT,
    typ: &rules::WIA_TYP,
    alg: &rules::WIA_ALG,
    crit: &rules::WIA_CRIT,
    signature: &rules::WIA_SIGNATURE,
    x5c: Some(&rules::WIA_X5C),
};

static STATUS: StatusRules = StatusRules {
    claim: "client_status",
    reference: &rules::WIA_STATUS,
    exp: &rules::WIA_STATUS_EXP,
    period: &rules::WIA_STATUS_PERIOD,
};
