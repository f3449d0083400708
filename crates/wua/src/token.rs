//! What every token here has in common: bounds, `typ`, `alg`, `crit`, `x5c`.

use finding::{Refusal, Rule};
use jose::jws::{self, JwsError};
use jose::{Map, PublicKey, Signer, b64};
use serde::Serialize;
use serde_json::Value;

use crate::BuildError;

/// The rules one kind of token is read by.
pub(crate) struct TokenRules {
    pub(crate) what: &'static str,
    pub(crate) typ_value: &'static str,
    pub(crate) size: &'static Rule,
    pub(crate) format: &'static Rule,
    pub(crate) typ: &'static Rule,
    pub(crate) alg: &'static Rule,
    pub(crate) crit: &'static Rule,
    pub(crate) signature: &'static Rule,
    /// `None` for tokens that carry no chain.
    pub(crate) x5c: Option<&'static Rule>,
}

impl TokenRules {
    /// Reads a token of at most `max_bytes`, of this `typ`.
    pub(crate) fn parse(&self, text: &str, max_bytes: usize) -> Result<jws::Unverified, Refusal> {
        let jws = jws::parse(text, max_bytes).map_err(|e| self.refuse(&e))?;
        if jws.typ() != Some(self.typ_value) {
            let evidence = jws::unexpected_typ(jws.typ(), self.typ_value);
            return Err(Refusal::because(self.typ, "header/typ", evidence));
        }
        Ok(jws)
    }

    /// The chain of a token that must carry one.
    pub(crate) fn chain(
        &self,
        jws: &jws::Unverified,
        max_certificates: usize,
    ) -> Result<Vec<Vec<u8>>, Refusal> {
        let refuse = |evidence: String| {
            Refusal::because(self.x5c.unwrap_or(self.format), "header/x5c", evidence)
        };
        match jws.x5c() {
            Ok(Some(chain)) if chain.len() <= max_certificates => Ok(chain),
            Ok(Some(chain)) => Err(refuse(format!(
                "{} certificates, {max_certificates} accepted",
                chain.len()
            ))),
            Ok(None) => Err(refuse("absent".into())),
            Err(error) => Err(refuse(error.to_string())),
        }
    }

    /// The claims, once the signature verified under `key`.
    pub(crate) fn verify(
        &self,
        jws: jws::Unverified,
        key: &PublicKey,
    ) -> Result<(jws::Verified, Map), Refusal> {
        let verified = jws.verify(key).map_err(|e| self.refuse(&e))?;
        let claims = verified.claims().map_err(|e| self.refuse(&e))?;
        Ok((verified, claims))
    }

    fn refuse(&self, error: &JwsError) -> Refusal {
        let (rule, subject) = match error {
            JwsError::TooLarge { .. } => (self.size, self.what),
            JwsError::Algorithm(_) | JwsError::AlgorithmMismatch { .. } => (self.alg, "header/alg"),
            JwsError::MalformedCrit(_) | JwsError::UnknownCrit(_) => (self.crit, "header/crit"),
            JwsError::BadSignature => (self.signature, "signature"),
            _ => (self.format, self.what),
        };
        Refusal::because(rule, subject, error.to_string())
    }
}

/// Signs claims under a header of `typ`, `x5c` (left out when empty) and `extra`.
pub(crate) async fn sign(
    typ: &str,
    x5c: &[Vec<u8>],
    extra: Map,
    claims: &(impl Serialize + Sync),
    signer: &dyn Signer,
) -> Result<String, BuildError> {
    #[derive(Serialize)]
    struct Header<'a> {
        typ: &'a str,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        x5c: Vec<String>,
        #[serde(flatten)]
        extra: Map,
    }
    let header = Header {
        typ,
        x5c: x5c.iter().map(b64::encode_std).collect(),
        extra,
    };
    Ok(jws::sign_claims(&header, claims, signer).await?)
}

/// Claims in the order given; those that are `null` are left out.
pub(crate) fn claims<const N: usize>(members: [(&str, Value); N]) -> Map {
    members
        .into_iter()
        .filter(|(_, value)| !value.is_null())
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}
