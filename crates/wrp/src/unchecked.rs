use finding::{Finding, Refusal, Severity};
use jiff::{SignedDuration, Timestamp};
use jose::Map;
use jose::cbor::CborError;
use jose::cose::{self, CoseError};
use jose::json::JsonError;
use jose::jws::{self, Accept, JwsError};
use pki::Certificate;

use crate::registration::check;
use crate::{MAX_REGISTRATION, Mode, RegistrationCertificate, cwt, jades, rules};

/// A registration certificate as it came in: bounded, well-formed, of the right
/// type, and nothing in it believed yet. Its [`x5c`](Self::x5c) is what a trust
/// check is asked about.
#[derive(Debug)]
pub struct UncheckedRegistration {
    message: Message,
    chain: Vec<Vec<u8>>,
}

#[derive(Debug)]
enum Message {
    Jwt(jws::Unverified),
    Cwt(cose::Unverified),
}

/// The forms of a registration certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum RegistrationForm {
    /// `rc-wrp+jwt`.
    Jwt,
    /// `rc-wrp+cwt`.
    Cwt,
}

/// What a registration certificate is checked against.
#[derive(Debug, Clone, Copy)]
pub struct RegistrationCheck<'a> {
    /// The certificate of its signer. Whether it is to be trusted is asked apart.
    pub signer: &'a Certificate,
    /// The time the check is made for.
    pub at: Timestamp,
    /// How far the signer's clock may be off.
    pub skew: SignedDuration,
    /// How exactly.
    pub mode: Mode,
}

impl UncheckedRegistration {
    /// Reads a registration certificate: the text of a JWT, or the bytes of a CWT.
    ///
    /// # Errors
    /// [`rules::SIZE`], [`rules::FORM`], [`rules::TYP`], [`rules::ALG`],
    /// [`rules::X5C`] and [`rules::JADES_CRIT`].
    pub fn parse(bytes: &[u8]) -> Result<Self, Refusal> {
        if bytes.len() > MAX_REGISTRATION {
            let evidence = format!("{} bytes, at most {MAX_REGISTRATION} are read", bytes.len());
            return Err(Refusal::because(&rules::SIZE, TOKEN, evidence));
        }
        // A tagged COSE message begins with a byte that no JWS has.
        match bytes.first() {
            Some(0xc0..=0xdb) => Self::cwt(bytes),
            _ => Self::jwt(bytes),
        }
    }

    fn jwt(bytes: &[u8]) -> Result<Self, Refusal> {
        let text = std::str::from_utf8(bytes)
            .map_err(|e| Refusal::because(&rules::FORM, TOKEN, e.to_string()))?;
        let accept = Accept {
            max_bytes: MAX_REGISTRATION,
            understood: &lote::jades::UNDERSTOOD,
        };
        let jws = jws::parse_accepting(text.trim_ascii(), accept).map_err(|e| of_jws(&e))?;
        refuse_typ(jws.typ(), "rc-wrp+jwt")?;
        let chain = jws.x5c().map_err(|e| of_jws(&e))?;
        Ok(Self {
            chain: needed(chain, "x5c")?,
            message: Message::Jwt(jws),
        })
    }

    fn cwt(bytes: &[u8]) -> Result<Self, Refusal> {
        let cose = cose::parse(bytes, MAX_REGISTRATION).map_err(|e| of_cose(&e))?;
        refuse_typ(cose.typ(), "rc-wrp+cwt")?;
        let chain = cose.x5chain().map_err(|e| of_cose(&e))?;
        Ok(Self {
            chain: needed(chain, "x5chain")?,
            message: Message::Cwt(cose),
        })
    }

    /// The form it came in.
    pub fn form(&self) -> RegistrationForm {
        match self.message {
            Message::Jwt(_) => RegistrationForm::Jwt,
            Message::Cwt(_) => RegistrationForm::Cwt,
        }
    }

    /// The certificates it carries, each as DER, the signer's first; at least one.
    pub fn x5c(&self) -> &[Vec<u8>] {
        &self.chain
    }

    /// Checks the signature, and then everything it says. What was not signed is
    /// not looked into.
    ///
    /// # Errors
    /// A refusal with everything that was found.
    pub fn verify(self, of: &RegistrationCheck<'_>) -> Result<RegistrationCertificate, Refusal> {
        let form = self.form();
        let key = of.signer.public_key();
        let key = key.map_err(|e| Refusal::because(&rules::ALG, "header", e.to_string()))?;
        let (claims, findings) = match self.message {
            Message::Jwt(jws) => {
                let jws = jws.verify(&key).map_err(|e| of_jws(&e))?;
                let header = jades::judge(&jws, of.mode);
                let mut findings = header.findings;
                findings.extend(signing_time(header.signed_at, of));
                (jws.claims().map_err(|e| of_jws(&e))?, findings)
            }
            Message::Cwt(cose) => {
                let cose = cose.verify(&key).map_err(|e| of_cose(&e))?;
                let claims = cose.claims().map_err(|e| of_cose(&e))?;
                (of_cwt(&claims)?, Vec::new())
            }
        };
        check(form, &claims, of, findings)
    }
}

impl<'a> RegistrationCheck<'a> {
    /// A strict check with a minute of clock skew.
    pub fn new(signer: &'a Certificate, at: Timestamp) -> Self {
        Self {
            signer,
            at,
            skew: SignedDuration::from_secs(60),
            mode: Mode::Strict,
        }
    }

    pub(crate) fn latest(&self) -> Timestamp {
        self.at.checked_add(self.skew).unwrap_or(Timestamp::MAX)
    }

    /// The weight of what only the strict mode refuses.
    pub(crate) fn deviation(&self) -> Severity {
        match self.mode {
            Mode::Strict => Severity::Error,
            Mode::Interop => Severity::Warning,
        }
    }
}

/// The certificate has to have been valid when the signature says it was made.
fn signing_time(signed: Option<Timestamp>, of: &RegistrationCheck<'_>) -> Option<Finding> {
    let signed = signed?;
    let rule = &rules::JADES_TIME;
    if signed > of.latest() {
        let evidence = format!("signed {signed}, which lies after {}", of.at);
        return Some(rule.finding("header", evidence));
    }
    let valid = of.signer.not_before() <= signed && signed <= of.signer.not_after();
    let evidence = || format!("the signer's certificate is not valid at {signed}");
    (!valid).then(|| rule.finding("header", evidence()))
}

fn of_cwt(claims: &jose::cbor::Value) -> Result<Map, Refusal> {
    cwt::claims(claims).map_err(|why| Refusal::because(&rules::CWT_CLAIM, "claims", why))
}

fn needed(chain: Option<Vec<Vec<u8>>>, name: &str) -> Result<Vec<Vec<u8>>, Refusal> {
    chain.ok_or_else(|| Refusal::because(&rules::X5C, "header", format!("no {name}")))
}

fn refuse_typ(typ: Option<&str>, expected: &str) -> Result<(), Refusal> {
    if typ == Some(expected) {
        return Ok(());
    }
    let evidence = jose::jws::unexpected_typ(typ, expected);
    Err(Refusal::because(&rules::TYP, "header", evidence))
}

fn of_jws(error: &JwsError) -> Refusal {
    let (rule, subject) = match error {
        JwsError::TooLarge { .. } | JwsError::Claims(JsonError::TooLarge { .. }) => {
            (&rules::SIZE, TOKEN)
        }
        JwsError::Algorithm(_) | JwsError::AlgorithmMismatch { .. } => (&rules::ALG, "header"),
        JwsError::MalformedCrit(_) | JwsError::UnknownCrit(_) => (&rules::JADES_CRIT, "header"),
        JwsError::X5c => (&rules::X5C, "header"),
        JwsError::BadSignature => (&rules::SIGNATURE, "signature"),
        _ => (&rules::FORM, TOKEN),
    };
    Refusal::because(rule, subject, error.to_string())
}

fn of_cose(error: &CoseError) -> Refusal {
    let (rule, subject) = match error {
        CoseError::Cbor(CborError::TooLarge { .. } | CborError::TooMany { .. })
        | CoseError::Claims(CborError::TooMany { .. }) => (&rules::SIZE, TOKEN),
        CoseError::Algorithm(_) | CoseError::AlgorithmMismatch { .. } => (&rules::ALG, "header"),
        CoseError::X5Chain => (&rules::X5C, "header"),
        CoseError::BadSignature => (&rules::SIGNATURE, "signature"),
        _ => (&rules::FORM, TOKEN),
    };
    Refusal::because(rule, subject, error.to_string())
}

const TOKEN: &str = "registration certificate";
