use std::collections::HashSet;

use finding::{Finding, Refusal, Rule};
use jiff::{SignedDuration, Timestamp};
use jose::{KeyError, PublicKey, jws};
use serde_json::Value;

use crate::claims::Reader;
use crate::ka::KA_TYP;
use crate::status_period::StatusRules;
use crate::token::TokenRules;
use crate::{AttackPotential, Ka, Level, Limits, MIN_MAINTENANCE, rules, strongest};

/// A KA as it came in: bounded, well-formed, of the right type, and nothing in
/// it believed yet.
#[derive(Debug, Clone)]
pub struct UnverifiedKa {
    jws: jws::Unverified,
    x5c: Vec<Vec<u8>>,
    max_keys: usize,
}

/// What a KA is checked against.
#[derive(Debug, Clone)]
pub struct KaCheck<'a> {
    /// The key of the signing certificate, which a trust check accepted.
    pub signer_key: &'a PublicKey,
    /// The time the check is made for.
    pub at: Timestamp,
    /// The c_nonce that the KA must carry: always with an `attestation` proof.
    /// `None` when the nonce is elsewhere, as in a `jwt` proof.
    pub nonce: Option<&'a str>,
    /// How far the sender's clock may be off.
    pub skew: SignedDuration,
    /// How long the status is still maintained, at least.
    pub min_maintenance: SignedDuration,
}

/// A KA whose signature and claims were checked.
#[derive(Debug, Clone)]
pub struct VerifiedKa {
    claims: Ka,
    kids: Vec<Option<String>>,
    x5c: Vec<Vec<u8>>,
    findings: Vec<Finding>,
}

impl UnverifiedKa {
    /// Reads a KA.
    pub fn parse(text: &str, limits: &Limits) -> Result<Self, Refusal> {
        let jws = KA.parse(text, limits.ka_bytes)?;
        let x5c = KA.chain(&jws, limits.certificates)?;
        Ok(Self {
            jws,
            x5c,
            max_keys: limits.attested_keys,
        })
    }

    /// Reads the value of `proofs.attestation` (OpenID4VCI 1.0, F.3): exactly one
    /// KA. Whoever verifies it sets [`KaCheck::nonce`].
    pub fn parse_attestation_proof<T: AsRef<str>>(
        proofs: &[T],
        limits: &Limits,
    ) -> Result<Self, Refusal> {
        match proofs {
            [one] => Self::parse(one.as_ref(), limits),
            _ => Err(Refusal::because(
                &rules::PROOF_ONE,
                "proofs/attestation",
                format!("{} elements", proofs.len()),
            )),
        }
    }

    /// The signer's chain, leaf first, each certificate as DER: never empty.
    pub fn x5c(&self) -> &[Vec<u8>] {
        &self.x5c
    }

    /// Checks the signature, and then everything it covers.
    pub fn verify(self, check: &KaCheck<'_>) -> Result<VerifiedKa, Refusal> {
        let (_, claims) = KA.verify(self.jws, check.signer_key)?;
        let mut reader = Reader::new(&claims);
        let latest = check.at.checked_add(check.skew).unwrap_or(Timestamp::MAX);
        let issued = match reader.get("iat") {
            Some(_) => reader.time_not_after("iat", latest, &rules::KA_IAT),
            None => reader.time("iat", &rules::KA_IAT),
        };
        reader.time_not_after("nbf", latest, &rules::KA_NBF);
        let expires = reader.time("exp", &rules::KA_EXP);
        if let Some(expires) = expires {
            if issued.is_some_and(|issued| expires <= issued) {
                reader.find(&rules::KA_EXP, "exp", format!("{expires} is not after iat"));
            } else if expires <= check.at {
                let evidence = format!("expired at {expires}, asked at {}", check.at);
                reader.find(&rules::KA_EXPIRED, "exp", evidence);
            }
        }
        let (keys, kids) = read_keys(&mut reader, self.max_keys);
        let key_storage = read_levels(&mut reader, "key_storage", &rules::KA_STORAGE);
        let user_authentication =
            read_levels(&mut reader, "user_authentication", &rules::KA_USER_AUTH);
        let certification = reader.uri("certification", &rules::KA_CERTIFICATION);
        if let Some(nonce) = check.nonce {
            reader.equals("nonce", nonce, &rules::KA_NONCE);
        }
        let nonce = reader
            .get("nonce")
            .and_then(Value::as_str)
            .map(str::to_owned);
        let status = STATUS.read(&mut reader, check.at, check.min_maintenance);
        let findings = reader.finish()?;
        let (Some(issued), Some(expires), Some(certification), Some(status)) =
            (issued, expires, certification, status)
        else {
            // Each leaves an error behind when absent; this arm only spares a panic.
            return Err(Refusal::because(&rules::KA_FORMAT, "claims", "incomplete"));
        };
        Ok(VerifiedKa {
            claims: Ka {
                issued,
                expires,
                keys,
                key_storage,
                user_authentication,
                certification,
                nonce,
                status,
            },
            kids,
            x5c: self.x5c,
            findings,
        })
    }
}

impl VerifiedKa {
    /// What the KA says.
    pub fn claims(&self) -> &Ka {
        &self.claims
    }

    /// The strongest attack potential the key storage is said to resist.
    pub fn key_storage(&self) -> Option<AttackPotential> {
        strongest(&self.claims.key_storage)
    }

    /// The strongest attack potential the user authentication is said to resist.
    pub fn user_authentication(&self) -> Option<AttackPotential> {
        strongest(&self.claims.user_authentication)
    }

    /// The signer's chain, leaf first.
    pub fn x5c(&self) -> &[Vec<u8>] {
        &self.x5c
    }

    /// What was found that is not a reason to refuse.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// The `kid` members of the attested keys, where they have one.
    pub(crate) fn kids(&self) -> &[Option<String>] {
        &self.kids
    }
}

impl<'a> KaCheck<'a> {
    /// A check with a minute of clock skew and the 31 days of TS3, for a KA whose
    /// nonce is elsewhere.
    pub fn new(signer_key: &'a PublicKey, at: Timestamp) -> Self {
        Self {
            signer_key,
            at,
            nonce: None,
            skew: SignedDuration::from_secs(60),
            min_maintenance: MIN_MAINTENANCE,
        }
    }
}

fn read_keys(reader: &mut Reader<'_>, max: usize) -> (Vec<PublicKey>, Vec<Option<String>>) {
    let none = (Vec::new(), Vec::new());
    let Some(jwks) = reader
        .get("attested_keys")
        .and_then(Value::as_array)
        .filter(|keys| !keys.is_empty())
    else {
        reader.find(
            &rules::KA_KEYS,
            "attested_keys",
            "not an array of at least one",
        );
        return none;
    };
    if jwks.len() > max {
        let evidence = format!("{} keys, {max} accepted", jwks.len());
        reader.find(&rules::KA_KEYS_MANY, "attested_keys", evidence);
        return none;
    }
    let mut keys = Vec::with_capacity(jwks.len());
    let mut kids = Vec::with_capacity(jwks.len());
    let mut seen = HashSet::new();
    for (index, jwk) in jwks.iter().enumerate() {
        let subject = format!("attested_keys/{index}");
        match PublicKey::from_jwk(jwk) {
            Ok(key) if seen.insert(key.clone()) => {
                keys.push(key);
                kids.push(jwk.get("kid").and_then(Value::as_str).map(str::to_owned));
            }
            Ok(_) => reader.find(&rules::KA_KEY_REPEATED, &subject, "stands there before"),
            Err(KeyError::Private) => {
                reader.find(&rules::KA_KEY_PRIVATE, &subject, "it has the member d");
            }
            Err(error) => reader.find(&rules::KA_KEY, &subject, error.to_string()),
        }
    }
    (keys, kids)
}

fn read_levels(reader: &mut Reader<'_>, name: &str, rule: &Rule) -> Vec<Level> {
    let Some(value) = reader.get(name) else {
        reader.find(&rules::KA_LEVEL_ABSENT, name, "absent: no level is claimed");
        return Vec::new();
    };
    let levels: Option<Vec<Level>> = value
        .as_array()
        .filter(|items| !items.is_empty() && items.len() <= MAX_LEVELS)
        .and_then(|items| items.iter().map(|i| i.as_str().map(Level::from)).collect());
    if levels.is_none() {
        reader.find(
            rule,
            name,
            format!("not an array of 1 to {MAX_LEVELS} strings"),
        );
    }
    levels.unwrap_or_default()
}

const MAX_LEVELS: usize = 16;

static KA: TokenRules = TokenRules {
    what: "KA",
    typ_value: KA_TYP,
    size: &rules::KA_SIZE,
    format: &rules::KA_FORMAT,
    typ: &rules::KA_TYP,
    alg: &rules::KA_ALG,
    crit: &rules::KA_CRIT,
    signature: &rules::KA_SIGNATURE,
    x5c: Some(&rules::KA_X5C),
};

static STATUS: StatusRules = StatusRules {
    claim: "key_storage_status",
    reference: &rules::KA_STATUS,
    exp: &rules::KA_STATUS_EXP,
    period: &rules::KA_STATUS_PERIOD,
};
