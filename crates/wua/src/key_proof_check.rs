use finding::Refusal;
use jiff::{SignedDuration, Timestamp};
use jose::{PublicKey, jws};
use serde_json::Value;

use crate::claims::{Reader, short};
use crate::key_proof::PROOF_TYP;
use crate::token::TokenRules;
use crate::{KaCheck, KeyProofProfile, Limits, UnverifiedKa, VerifiedKa, rules};

/// A `jwt` proof as it came in, with the KA in its header, and nothing in either
/// believed yet.
#[derive(Debug)]
pub struct UnverifiedKeyProof {
    jws: jws::Unverified,
    ka: UnverifiedKa,
}

/// What a `jwt` proof is checked against.
#[derive(Debug, Clone)]
pub struct KeyProofCheck<'a> {
    /// What the KA is checked against. Its own `nonce` stays `None`: a `jwt` proof
    /// carries the nonce, and [`KeyProofCheck::nonce`] is held against both where
    /// the profile asks for both.
    pub ka: KaCheck<'a>,
    /// The credential issuer's identifier.
    pub audience: &'a str,
    /// The c_nonce the issuer gave; `None` only for an issuer without a nonce
    /// endpoint.
    pub nonce: Option<&'a str>,
    /// The client that the access token was given to, where it is known.
    pub client_id: Option<&'a str>,
    /// Which text the sender follows.
    pub profile: KeyProofProfile,
    /// How old a proof may be.
    pub window: SignedDuration,
}

/// A `jwt` proof whose signature and claims were checked, with its KA. Whether
/// its nonce was used before is for the caller to say, who keeps state.
#[derive(Debug, Clone)]
pub struct VerifiedKeyProof {
    ka: VerifiedKa,
    key_index: usize,
    nonce: Option<String>,
    issued: Timestamp,
}

impl UnverifiedKeyProof {
    /// Reads one element of `proofs.jwt`.
    pub fn parse(text: &str, limits: &Limits) -> Result<Self, Refusal> {
        // The KA stands inside the header, which base64 makes longer by a third.
        let max_bytes = limits.ka_bytes.saturating_mul(3) / 2 + PROOF_BYTES;
        let jws = PROOF.parse(text, max_bytes)?;
        let Some(ka) = jws.header().get("key_attestation").and_then(Value::as_str) else {
            return Err(Refusal::because(
                &rules::PROOF_KEY_ATTESTATION,
                "header/key_attestation",
                "absent or not a string",
            ));
        };
        let ka = UnverifiedKa::parse(ka, limits)?;
        Ok(Self { jws, ka })
    }

    /// Reads the value of `proofs.jwt`: with a KA, one proof stands for all keys.
    pub fn parse_jwt_proofs<T: AsRef<str>>(proofs: &[T], limits: &Limits) -> Result<Self, Refusal> {
        match proofs {
            [one] => Self::parse(one.as_ref(), limits),
            _ => Err(Refusal::because(
                &rules::PROOF_ONE,
                "proofs/jwt",
                format!("{} elements", proofs.len()),
            )),
        }
    }

    /// The KA in the header; its `x5c` is what a trust check is asked about.
    pub fn ka(&self) -> &UnverifiedKa {
        &self.ka
    }

    /// Checks the KA, then the proof's signature under the attested key, and then
    /// everything it covers.
    pub fn verify(self, check: &KeyProofCheck<'_>) -> Result<VerifiedKeyProof, Refusal> {
        let ka = self.ka.verify(&check.ka)?;
        let key_index = proof_key(self.jws.header(), &ka, check.profile)?;
        let Some(key) = ka.claims().keys.get(key_index) else {
            return Err(Refusal::because(&rules::KA_KEYS, "attested_keys", "empty"));
        };
        let (_, claims) = PROOF.verify(self.jws, key)?;
        let mut reader = Reader::new(&claims);
        reader.audience(check.audience, &rules::PROOF_AUD);
        if let (Some(client_id), Some(_)) = (check.client_id, reader.get("iss")) {
            reader.equals("iss", client_id, &rules::PROOF_ISS);
        }
        let issued = reader.time("iat", &rules::PROOF_IAT);
        if let Some(issued) = issued {
            let age = check.ka.at.duration_since(issued);
            if age > check.window || SignedDuration::ZERO - age > check.ka.skew {
                let evidence = format!(
                    "made at {issued}, asked at {}: at most {} s old and {} s ahead",
                    check.ka.at,
                    check.window.as_secs(),
                    check.ka.skew.as_secs()
                );
                reader.find(&rules::PROOF_WINDOW, "iat", evidence);
            }
        }
        if let Some(nonce) = check.nonce {
            reader.equals("nonce", nonce, &rules::PROOF_NONCE);
            if check.profile == KeyProofProfile::OpenId4VciFinal
                && ka.claims().nonce.as_deref() != Some(nonce)
            {
                let evidence = "absent, or not the c_nonce";
                reader.find(&rules::PROOF_KA_NONCE, "key_attestation/nonce", evidence);
            }
        }
        let nonce = reader
            .get("nonce")
            .and_then(Value::as_str)
            .map(str::to_owned);
        reader.finish()?;
        let Some(issued) = issued else {
            // Its absence leaves an error behind; this arm only spares a panic.
            return Err(Refusal::because(&rules::PROOF_IAT, "iat", "absent"));
        };
        Ok(VerifiedKeyProof {
            ka,
            key_index,
            nonce,
            issued,
        })
    }
}

impl VerifiedKeyProof {
    /// The KA the proof came with.
    pub fn ka(&self) -> &VerifiedKa {
        &self.ka
    }

    /// The KA the proof came with, by value.
    pub fn into_ka(self) -> VerifiedKa {
        self.ka
    }

    /// Which of the attested keys signed the proof.
    pub fn key_index(&self) -> usize {
        self.key_index
    }

    /// The nonce the proof was made over.
    pub fn nonce(&self) -> Option<&str> {
        self.nonce.as_deref()
    }

    /// When the proof was made.
    pub fn issued(&self) -> Timestamp {
        self.issued
    }
}

impl<'a> KeyProofCheck<'a> {
    /// A check after TS3, for proofs of at most five minutes.
    pub fn new(ka: KaCheck<'a>, audience: &'a str, nonce: Option<&'a str>) -> Self {
        Self {
            ka,
            audience,
            nonce,
            client_id: None,
            profile: KeyProofProfile::Ts3,
            window: SignedDuration::from_mins(5),
        }
    }
}

/// The index of the attested key that the proof must be signed with.
fn proof_key(
    header: &jose::Map,
    ka: &VerifiedKa,
    profile: KeyProofProfile,
) -> Result<usize, Refusal> {
    let refuse =
        |subject: &str, evidence: String| Refusal::because(&rules::PROOF_KEY, subject, evidence);
    let jwk = header
        .get("jwk")
        .map(|jwk| {
            PublicKey::from_jwk(jwk)
                .map_err(|e| refuse("header/jwk", e.to_string()))
                .and_then(|key| {
                    ka.claims()
                        .keys
                        .iter()
                        .position(|attested| *attested == key)
                        .ok_or_else(|| refuse("header/jwk", "not an attested key".into()))
                })
        })
        .transpose()?;
    match profile {
        // TS3 fixes the key, so that nothing in the header can choose another.
        KeyProofProfile::Ts3 => match jwk {
            Some(index) if index != 0 => Err(refuse(
                "header/jwk",
                format!("names the attested key {index}, not the one at index 0"),
            )),
            _ => Ok(0),
        },
        KeyProofProfile::OpenId4VciFinal => {
            let named = ["kid", "jwk", "x5c"].map(|n| header.contains_key(n));
            match (named, jwk) {
                ([false, true, false], Some(index)) => Ok(index),
                ([true, false, false], None) => {
                    let kid = header
                        .get("kid")
                        .and_then(Value::as_str)
                        .unwrap_or_default();
                    key_of_kid(kid, ka).ok_or_else(|| {
                        refuse("header/kid", format!("{:?} is no attested key", short(kid)))
                    })
                }
                ([false, false, true], None) => Err(refuse(
                    "header/x5c",
                    "an attested key is a bare key, not a certificate".into(),
                )),
                _ => Err(refuse(
                    "header",
                    "exactly one of kid and jwk was expected".into(),
                )),
            }
        }
    }
}

/// OpenID4VCI leaves open what a `kid` of an attested key looks like; its example
/// uses the index. The key's own `kid` and its thumbprint are understood too.
fn key_of_kid(kid: &str, ka: &VerifiedKa) -> Option<usize> {
    let by_name = ka.kids().iter().position(|k| k.as_deref() == Some(kid));
    let keys = &ka.claims().keys;
    by_name
        .or_else(|| kid.parse().ok().filter(|index| *index < keys.len()))
        .or_else(|| keys.iter().position(|key| key.thumbprint_b64() == kid))
}

/// What a proof may take beside the KA in its header.
const PROOF_BYTES: usize = 8 * 1024;

static PROOF: TokenRules = TokenRules {
    what: "jwt proof",
    typ_value: PROOF_TYP,
    size: &rules::PROOF_SIZE,
    format: &rules::PROOF_FORMAT,
    typ: &rules::PROOF_TYP,
    alg: &rules::PROOF_ALG,
    crit: &rules::PROOF_CRIT,
    signature: &rules::PROOF_SIGNATURE,
    x5c: None,
};
