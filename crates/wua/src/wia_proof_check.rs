use finding::Refusal;
use jiff::{SignedDuration, Timestamp};
use jose::jws;

use crate::claims::Reader;
use crate::token::TokenRules;
use crate::wia_proof::POP_TYP;
use crate::{ClientAttestationDraft, Limits, VerifiedWia, rules};

/// A proof of possession as it came in, and nothing in it believed yet.
#[derive(Debug)]
pub struct UnverifiedWiaProof {
    jws: jws::Unverified,
}

/// What a proof of possession is checked against.
#[derive(Debug, Clone)]
pub struct WiaProofCheck<'a> {
    /// The WIA it came with; its `cnf` holds the key.
    pub wia: &'a VerifiedWia,
    /// The identifier of the server that asks.
    pub audience: &'a str,
    /// The challenge the server gave, when it gave one.
    pub challenge: Option<&'a str>,
    /// The time the check is made for.
    pub at: Timestamp,
    /// Which text the sender follows.
    pub draft: ClientAttestationDraft,
    /// How old a proof may be.
    pub window: SignedDuration,
    /// How far the sender's clock may be ahead.
    pub skew: SignedDuration,
}

/// A proof of possession whose signature and claims were checked. Whether its
/// `jti` was seen before is for the caller to say, who keeps state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedWiaProof {
    jti: String,
    issued: Timestamp,
    usable_until: Timestamp,
}

impl UnverifiedWiaProof {
    /// Reads the value of an `OAuth-Client-Attestation-PoP` header.
    pub fn parse(text: &str, limits: &Limits) -> Result<Self, Refusal> {
        let jws = POP.parse(text, limits.wia_proof_bytes)?;
        Ok(Self { jws })
    }

    /// Checks the signature under the key in the WIA's `cnf`, and then everything
    /// it covers.
    pub fn verify(self, check: &WiaProofCheck<'_>) -> Result<VerifiedWiaProof, Refusal> {
        let wia = check.wia.claims();
        let (_, claims) = POP.verify(self.jws, &wia.key)?;
        let mut reader = Reader::new(&claims);
        if check.draft == ClientAttestationDraft::Draft07 {
            reader.equals("iss", &wia.client_id, &rules::POP_ISS);
        }
        reader.audience(check.audience, &rules::POP_AUD);
        let jti = reader.text("jti", &rules::POP_JTI);
        if jti.as_ref().is_some_and(|jti| jti.len() > MAX_JTI) {
            let evidence = format!("longer than {MAX_JTI} bytes");
            reader.find(&rules::POP_JTI, "jti", evidence);
        }
        let issued = reader.time("iat", &rules::POP_IAT);
        let latest = check.at.checked_add(check.skew).unwrap_or(Timestamp::MAX);
        if let Some(issued) = issued {
            let age = check.at.duration_since(issued);
            if issued > latest || age > check.window {
                let evidence = format!(
                    "made at {issued}, asked at {}: at most {} s old and {} s ahead",
                    check.at,
                    check.window.as_secs(),
                    check.skew.as_secs()
                );
                reader.find(&rules::POP_WINDOW, "iat", evidence);
            }
        }
        reader.time_not_after("nbf", latest, &rules::POP_NBF);
        if let Some(challenge) = check.challenge {
            reader.equals("challenge", challenge, &rules::POP_CHALLENGE);
        }
        reader.finish()?;
        match (jti, issued) {
            (Some(jti), Some(issued)) => Ok(VerifiedWiaProof {
                jti,
                issued,
                usable_until: issued.checked_add(check.window).unwrap_or(Timestamp::MAX),
            }),
            // Both leave an error behind when absent; this arm only spares a panic.
            _ => Err(Refusal::because(&rules::POP_FORMAT, "claims", "incomplete")),
        }
    }
}

impl VerifiedWiaProof {
    /// What tells this proof from every other of the same key.
    pub fn jti(&self) -> &str {
        &self.jti
    }

    /// When it was made.
    pub fn issued(&self) -> Timestamp {
        self.issued
    }

    /// How long its `jti` has to be remembered: after this the proof is refused
    /// for its age.
    pub fn usable_until(&self) -> Timestamp {
        self.usable_until
    }
}

impl<'a> WiaProofCheck<'a> {
    /// A check after draft 10, for proofs of at most five minutes, with a minute
    /// of clock skew.
    pub fn new(wia: &'a VerifiedWia, audience: &'a str, at: Timestamp) -> Self {
        Self {
            wia,
            audience,
            challenge: None,
            at,
            draft: ClientAttestationDraft::Draft10,
            window: SignedDuration::from_mins(5),
            skew: SignedDuration::from_secs(60),
        }
    }
}

const MAX_JTI: usize = 256;

static POP: TokenRules = TokenRules {
    what: "WIA proof of possession",
    typ_value: POP_TYP,
    size: &rules::POP_SIZE,
    format: &rules::POP_FORMAT,
    typ: &rules::POP_TYP,
    alg: &rules::POP_ALG,
    crit: &rules::POP_CRIT,
    signature: &rules::POP_SIGNATURE,
    x5c: None,
};
