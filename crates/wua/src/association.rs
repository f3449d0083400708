use std::collections::HashSet;

use finding::Refusal;
use jiff::{SignedDuration, Timestamp};
use jose::{Map, PublicKey, Signer, jws};
use serde_json::{Value, json};

use crate::claims::Reader;
use crate::token::{self, TokenRules};
use crate::{BuildError, Limits, rules};

/// A statement that two or more keys are managed by one WSCA for one user (ARF
/// `ACP_01`, `ACP_05`): signed by the wallet provider, over what the WSCA proved in one
/// live session. An attestation provider asks for it before it binds a new attestation
/// to the one that was shown.
///
/// It can be verified through the list of wallet providers, as a KA can. It names keys
/// by thumbprint and says nothing else of them: their levels are for KAs to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Association {
    /// `iss`: the wallet provider.
    pub issuer: String,
    /// `aud`: whom it is made for, and nobody else.
    pub audience: String,
    /// `nonce`: what the audience gave.
    pub nonce: String,
    /// `iat`, in whole seconds.
    pub issued: Timestamp,
    /// `exp`: at most [`MAX_ASSOCIATION_LIFETIME`] later.
    pub expires: Timestamp,
    /// `keys`: the thumbprints (RFC 7638, SHA-256) of the keys, two or more, each
    /// once.
    pub keys: Vec<String>,
}

/// The typ: no other token of the house has it.
pub const ASSOCIATION_TYP: &str = "claviger-key-association+jwt";

/// How long an association is good for, at most.
pub const MAX_ASSOCIATION_LIFETIME: SignedDuration = SignedDuration::from_mins(5);

/// An association as it came in, and nothing in it believed yet.
#[derive(Debug, Clone)]
pub struct UnverifiedAssociation {
    jws: jws::Unverified,
    x5c: Vec<Vec<u8>>,
    max_keys: usize,
}

/// What an association is checked against.
#[derive(Debug, Clone)]
pub struct AssociationCheck<'a> {
    /// The key of the signing certificate, which a trust check accepted.
    pub signer_key: &'a PublicKey,
    /// Who reads it.
    pub audience: &'a str,
    /// What the reader gave.
    pub nonce: &'a str,
    /// The keys that must be among those associated: that of the attestation that was
    /// shown, and that of the new one.
    pub keys: &'a [PublicKey],
    /// The time the check is made for.
    pub at: Timestamp,
    /// How far the sender's clock may be off.
    pub skew: SignedDuration,
}

impl Association {
    /// The association in JWS compact form, signed with the key of `x5c`'s leaf.
    pub async fn sign(&self, x5c: &[Vec<u8>], signer: &dyn Signer) -> Result<String, BuildError> {
        for (name, value) in [
            ("iss", &self.issuer),
            ("aud", &self.audience),
            ("nonce", &self.nonce),
        ] {
            if value.is_empty() {
                return Err(BuildError::Missing(name));
            }
        }
        let distinct: HashSet<&String> = self.keys.iter().collect();
        if self.keys.len() < 2 || distinct.len() != self.keys.len() {
            return Err(BuildError::Malformed("keys", "two or more, each once"));
        }
        let claims = token::claims([
            ("iss", json!(self.issuer)),
            ("aud", json!(self.audience)),
            ("nonce", json!(self.nonce)),
            ("iat", json!(self.issued.as_second())),
            ("exp", json!(self.expires.as_second())),
            ("keys", json!(self.keys)),
        ]);
        token::sign(ASSOCIATION_TYP, x5c, Map::new(), &claims, signer).await
    }
}

impl UnverifiedAssociation {
    /// Reads an association.
    pub fn parse(text: &str, limits: &Limits) -> Result<Self, Refusal> {
        let jws = ASSOCIATION.parse(text, limits.ka_bytes)?;
        let x5c = ASSOCIATION.chain(&jws, limits.certificates)?;
        Ok(Self {
            jws,
            x5c,
            max_keys: limits.attested_keys,
        })
    }

    /// The signer's chain, leaf first, each certificate as DER: what a trust check is
    /// asked about.
    pub fn x5c(&self) -> &[Vec<u8>] {
        &self.x5c
    }

    /// Checks the signature, and then everything it covers.
    pub fn verify(self, check: &AssociationCheck<'_>) -> Result<Association, Refusal> {
        let (_, claims) = ASSOCIATION.verify(self.jws, check.signer_key)?;
        let mut reader = Reader::new(&claims);
        let issuer = reader.text("iss", &rules::ASSOC_CLAIMS);
        reader.audience(check.audience, &rules::ASSOC_AUD);
        reader.equals("nonce", check.nonce, &rules::ASSOC_NONCE);
        let issued = reader.time("iat", &rules::ASSOC_TIMES);
        let expires = reader.time("exp", &rules::ASSOC_TIMES);
        if let (Some(issued), Some(expires)) = (issued, expires) {
            let life = expires.duration_since(issued);
            let ahead = issued.duration_since(check.at);
            let late = check.at.duration_since(expires);
            if life <= SignedDuration::ZERO
                || life > MAX_ASSOCIATION_LIFETIME
                || ahead > check.skew
                || late >= check.skew
            {
                let evidence = format!("{issued} to {expires}, asked at {}", check.at);
                reader.find(&rules::ASSOC_TIMES, "exp", evidence);
            }
        }
        let keys = thumbprints(reader.get("keys"), self.max_keys);
        match &keys {
            None => reader.find(
                &rules::ASSOC_KEYS,
                "keys",
                "not two or more thumbprints, each once",
            ),
            Some(keys) => {
                let missing = check
                    .keys
                    .iter()
                    .map(PublicKey::thumbprint_b64)
                    .find(|key| !keys.contains(key));
                if let Some(missing) = missing {
                    let evidence = format!("{missing} is not among them");
                    reader.find(&rules::ASSOC_KEYS, "keys", evidence);
                }
            }
        }
        reader.finish()?;
        match (issuer, issued, expires, keys) {
            (Some(issuer), Some(issued), Some(expires), Some(keys)) => Ok(Association {
                issuer,
                audience: check.audience.to_owned(),
                nonce: check.nonce.to_owned(),
                issued,
                expires,
                keys,
            }),
            // What is absent leaves an error behind; this arm only spares a panic.
            _ => Err(Refusal::because(&rules::ASSOC_CLAIMS, "claims", "absent")),
        }
    }
}

/// Two or more thumbprints, each once.
fn thumbprints(value: Option<&Value>, most: usize) -> Option<Vec<String>> {
    let items = value?.as_array()?;
    if items.len() < 2 || items.len() > most {
        return None;
    }
    let keys: Option<Vec<String>> = items
        .iter()
        .map(|item| item.as_str().map(str::to_owned))
        .collect();
    let keys = keys?;
    let distinct: HashSet<&String> = keys.iter().collect();
    (distinct.len() == keys.len()).then_some(keys)
}

static ASSOCIATION: TokenRules = TokenRules {
    what: "association",
    typ_value: ASSOCIATION_TYP,
    size: &rules::ASSOC_FORMAT,
    format: &rules::ASSOC_FORMAT,
    typ: &rules::ASSOC_TYP,
    alg: &rules::ASSOC_ALG,
    crit: &rules::ASSOC_FORMAT,
    signature: &rules::ASSOC_SIGNATURE,
    x5c: Some(&rules::ASSOC_X5C),
};
