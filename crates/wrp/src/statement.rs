//! What a party signs with the key of its access certificate.

use finding::{Finding, Refusal};
use jiff::{SignedDuration, Timestamp};
use jose::Map;
use jose::json::JsonError;
use jose::jws::{self, JwsError};
use pki::Certificate;

use crate::{MAX_STATEMENT, rules};

/// Signed credential-issuer metadata, or a request object: bounded, well-formed,
/// of a known type, and nothing in it believed yet.
#[derive(Debug)]
pub struct UncheckedStatement {
    kind: StatementKind,
    jws: jws::Unverified,
    chain: Vec<Vec<u8>>,
}

/// What is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum StatementKind {
    /// Credential-issuer metadata (OpenID4VCI 1.0, 12.2.3).
    IssuerMetadata,
    /// An authorization request (OpenID4VP 1.0, 5; RFC 9101).
    AuthorizationRequest,
}

/// A statement whose signature verified under its access certificate.
#[derive(Debug, Clone)]
pub struct Statement {
    /// What it is.
    pub kind: StatementKind,
    /// Its protected header.
    pub header: Map,
    /// Its claims.
    pub claims: Map,
}

/// A statement read by its rules: what it says, and what is wrong with it, by the
/// question that it bears on.
#[derive(Debug, Clone)]
pub struct Judged<T> {
    /// What it says.
    pub value: T,
    /// What bears on who speaks.
    pub identity: Vec<Finding>,
    /// What bears on what may be done.
    pub entitlement: Vec<Finding>,
}

impl StatementKind {
    /// The kind that has this `typ`.
    pub fn of_typ(typ: &str) -> Option<Self> {
        [Self::IssuerMetadata, Self::AuthorizationRequest]
            .into_iter()
            .find(|kind| kind.typ() == typ)
    }

    /// Its `typ`.
    pub fn typ(self) -> &'static str {
        match self {
            Self::IssuerMetadata => "openidvci-issuer-metadata+jwt",
            Self::AuthorizationRequest => "oauth-authz-req+jwt",
        }
    }
}

impl UncheckedStatement {
    /// Reads the text of a statement.
    ///
    /// # Errors
    /// [`rules::STATEMENT_SIZE`], [`rules::STATEMENT_FORM`],
    /// [`rules::STATEMENT_TYP`], [`rules::STATEMENT_ALG`] and
    /// [`rules::STATEMENT_X5C`].
    pub fn parse(bytes: &[u8]) -> Result<Self, Refusal> {
        if bytes.len() > MAX_STATEMENT {
            let evidence = format!("{} bytes, at most {MAX_STATEMENT} are read", bytes.len());
            return Err(Refusal::because(&rules::STATEMENT_SIZE, TOKEN, evidence));
        }
        let text = std::str::from_utf8(bytes)
            .map_err(|e| Refusal::because(&rules::STATEMENT_FORM, TOKEN, e.to_string()))?;
        let jws = jws::parse(text.trim_ascii(), MAX_STATEMENT).map_err(|e| refuse(&e))?;
        let typ = jws.typ().unwrap_or_default();
        let Some(kind) = StatementKind::of_typ(typ) else {
            let evidence = format!("typ is {}", crate::show::show(typ));
            return Err(Refusal::because(&rules::STATEMENT_TYP, "header", evidence));
        };
        let chain = jws
            .x5c()
            .map_err(|e| refuse(&e))?
            .ok_or_else(|| Refusal::because(&rules::STATEMENT_X5C, "header", "no x5c"))?;
        Ok(Self { kind, jws, chain })
    }

    /// What it is.
    pub fn kind(&self) -> StatementKind {
        self.kind
    }

    /// The certificates it carries, each as DER, the access certificate first; at
    /// least one.
    pub fn x5c(&self) -> &[Vec<u8>] {
        &self.chain
    }

    /// Verifies the signature under an access certificate, whose trust is asked
    /// apart.
    ///
    /// # Errors
    /// [`rules::STATEMENT_ALG`], [`rules::STATEMENT_SIGNATURE`], and
    /// [`rules::STATEMENT_FORM`] when the claims are no JSON object.
    pub fn verify(self, access: &Certificate) -> Result<Statement, Refusal> {
        let key = access
            .public_key()
            .map_err(|e| Refusal::because(&rules::STATEMENT_ALG, "x5c", e.to_string()))?;
        let kind = self.kind;
        let jws = self.jws.verify(&key).map_err(|e| refuse(&e))?;
        let limits = jose::json::Limits::bytes(MAX_STATEMENT);
        let claims = jose::json::parse_object(jws.payload(), limits)
            .map_err(|e| refuse(&JwsError::Claims(e)))?;
        Ok(Statement {
            kind,
            header: jws.header().clone(),
            claims,
        })
    }
}

/// Whether a statement's times hold at `at`: `iat` and `nbf` not after it, `exp`
/// not before it.
pub(crate) fn times(claims: &Map, at: Timestamp, skew: SignedDuration) -> Vec<Finding> {
    let rule = &rules::STATEMENT_TIME;
    let latest = at.checked_add(skew).unwrap_or(Timestamp::MAX);
    let mut findings = Vec::new();
    for name in ["iat", "nbf", "exp"] {
        let Some(value) = claims.get(name) else {
            continue;
        };
        match status_list::numeric_date(value) {
            None => findings.push(rule.finding(name, "not a time in seconds")),
            Some(time) if name == "exp" && time <= at => {
                findings.push(rule.finding(name, format!("expired {time}, asked at {at}")));
            }
            Some(time) if name != "exp" && time > latest => {
                findings.push(rule.finding(name, format!("{time} lies after {at}")));
            }
            Some(_) => {}
        }
    }
    findings
}

fn refuse(error: &JwsError) -> Refusal {
    let (rule, subject) = match error {
        JwsError::TooLarge { .. } | JwsError::Claims(JsonError::TooLarge { .. }) => {
            (&rules::STATEMENT_SIZE, TOKEN)
        }
        JwsError::Algorithm(_) | JwsError::AlgorithmMismatch { .. } => {
            (&rules::STATEMENT_ALG, "header")
        }
        JwsError::X5c => (&rules::STATEMENT_X5C, "header"),
        JwsError::BadSignature => (&rules::STATEMENT_SIGNATURE, "signature"),
        _ => (&rules::STATEMENT_FORM, TOKEN),
    };
    Refusal::because(rule, subject, error.to_string())
}

const TOKEN: &str = "statement";
