use finding::Refusal;
use jiff::Timestamp;
use jose::cbor::{self, CborError, Value as Cbor};
use jose::cose::{self, CoseError};
use jose::jws::{self, JwsError};

use crate::claims::{self, CWT_TYP, Claims, JWT_TYP};
use crate::verify::{StatusListCheck, VerifiedStatusList, check_claims};
use crate::{Limits, TokenFormat, numeric_date, rules};

/// A token as it came in: bounded, well-formed, of the right type, and nothing
/// in it believed yet. Its [`x5c`](Self::x5c) is what a trust check is asked about.
#[derive(Debug)]
pub struct UnverifiedStatusList {
    message: Message,
    x5c: Vec<Vec<u8>>,
    limits: Limits,
}

#[derive(Debug)]
enum Message {
    Jwt(jws::Unverified),
    Cwt(cose::Unverified),
}

impl UnverifiedStatusList {
    /// Reads a token as it was served, in the form it turns out to have.
    pub fn parse(bytes: &[u8], limits: &Limits) -> Result<Self, Refusal> {
        Self::parse_as(TokenFormat::of(bytes), bytes, limits)
    }

    /// Reads a token as it was served, in the form that its `Content-Type`
    /// declares. One of the other form is refused.
    pub fn parse_as(format: TokenFormat, bytes: &[u8], limits: &Limits) -> Result<Self, Refusal> {
        if bytes.len() > limits.token_bytes {
            let evidence = format!("{} bytes, {} accepted", bytes.len(), limits.token_bytes);
            return Err(Refusal::because(&rules::SIZE, TOKEN, evidence));
        }
        match format {
            TokenFormat::Jwt => Self::jwt(bytes, limits),
            TokenFormat::Cwt => Self::cwt(bytes, limits),
        }
    }

    fn jwt(bytes: &[u8], limits: &Limits) -> Result<Self, Refusal> {
        let text = std::str::from_utf8(bytes)
            .map_err(|e| Refusal::because(&rules::FORMAT, TOKEN, e.to_string()))?;
        let jws = jws::parse(text.trim_ascii(), limits.token_bytes).map_err(refuse_jws)?;
        check_typ(jws.typ(), JWT_TYP)?;
        let x5c = jws.x5c().map_err(refuse_jws)?.unwrap_or_default();
        Ok(Self {
            message: Message::Jwt(jws),
            x5c,
            limits: *limits,
        })
    }

    fn cwt(bytes: &[u8], limits: &Limits) -> Result<Self, Refusal> {
        let cose = cose::parse(bytes, limits.token_bytes).map_err(refuse_cose)?;
        check_typ(cose.typ(), CWT_TYP)?;
        let x5c = cose.x5chain().map_err(refuse_cose)?.unwrap_or_default();
        Ok(Self {
            message: Message::Cwt(cose),
            x5c,
            limits: *limits,
        })
    }

    /// The form it came in.
    pub fn format(&self) -> TokenFormat {
        match self.message {
            Message::Jwt(_) => TokenFormat::Jwt,
            Message::Cwt(_) => TokenFormat::Cwt,
        }
    }

    /// The signer's chain (`x5c`, or `x5chain` in a CWT), leaf first, each
    /// certificate as DER; empty when the token carries none.
    pub fn x5c(&self) -> &[Vec<u8>] {
        &self.x5c
    }

    /// The URI that the token says it is of, which nobody has vouched for: for a
    /// tool that shows a token without a reference to it.
    pub fn claimed_uri(&self) -> Option<String> {
        match &self.message {
            Message::Jwt(jws) => Some(jws.claims().ok()?.get("sub")?.as_str()?.to_owned()),
            Message::Cwt(cose) => {
                let claims = cose.claims().ok()?;
                let sub = cbor::get(&claims, claims::SUB).and_then(Cbor::as_text)?;
                Some(sub.to_owned())
            }
        }
    }

    /// When it says that it was issued, which nobody has vouched for: for a look at
    /// what one published oneself, which may have expired since.
    pub fn claimed_issued(&self) -> Option<Timestamp> {
        match &self.message {
            Message::Jwt(jws) => numeric_date(jws.claims().ok()?.get("iat")?),
            Message::Cwt(cose) => {
                let claims = cose.claims().ok()?;
                let issued = cbor::get(&claims, claims::IAT).and_then(Cbor::as_integer)?;
                Timestamp::from_second(i64::try_from(issued).ok()?).ok()
            }
        }
    }

    /// Checks everything the token says. The first thing checked is the
    /// signature: what was not signed is not looked into.
    pub fn verify(self, check: &StatusListCheck<'_>) -> Result<VerifiedStatusList, Refusal> {
        let claims = match self.message {
            Message::Jwt(jws) => {
                let verified = jws.verify(check.key).map_err(refuse_jws)?;
                Claims::from_json(verified.payload(), &self.limits)?
            }
            Message::Cwt(cose) => {
                let verified = cose.verify(check.key).map_err(refuse_cose)?;
                let claims = verified.claims().map_err(refuse_cose)?;
                Claims::from_cbor(&claims, &self.limits)
            }
        };
        check_claims(claims, check)
    }
}

fn check_typ(typ: Option<&str>, expected: &str) -> Result<(), Refusal> {
    if typ == Some(expected) {
        return Ok(());
    }
    let evidence = jose::jws::unexpected_typ(typ, expected);
    Err(Refusal::because(&rules::TYP, "header/typ", evidence))
}

fn refuse_jws(error: JwsError) -> Refusal {
    let (rule, subject) = match &error {
        JwsError::TooLarge { .. } => (&rules::SIZE, TOKEN),
        JwsError::Algorithm(_) | JwsError::AlgorithmMismatch { .. } => (&rules::ALG, "header/alg"),
        JwsError::MalformedCrit(_) | JwsError::UnknownCrit(_) => (&rules::CRIT, "header/crit"),
        JwsError::X5c => (&rules::X5C, "header/x5c"),
        JwsError::BadSignature => (&rules::SIGNATURE, "signature"),
        _ => (&rules::FORMAT, TOKEN),
    };
    Refusal::because(rule, subject, error.to_string())
}

fn refuse_cose(error: CoseError) -> Refusal {
    let (rule, subject) = match &error {
        CoseError::Cbor(CborError::TooLarge { .. }) => (&rules::SIZE, TOKEN),
        CoseError::Algorithm(_) | CoseError::AlgorithmMismatch { .. } => {
            (&rules::ALG, "header/alg")
        }
        CoseError::MalformedCrit(_) | CoseError::UnknownCrit(_) => (&rules::CRIT, "header/crit"),
        CoseError::X5Chain => (&rules::X5C, "header/x5chain"),
        CoseError::BadSignature => (&rules::SIGNATURE, "signature"),
        CoseError::Claims(_) => (&rules::FORMAT, "claims"),
        _ => (&rules::FORMAT, TOKEN),
    };
    Refusal::because(rule, subject, error.to_string())
}

const TOKEN: &str = "status list token";
