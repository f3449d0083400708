use axum::http::{HeaderMap, header};
use jiff::Timestamp;
use subtle::{ConditionallySelectable, ConstantTimeEq};
use wallet_provider::operators::{Credential, Operator, OperatorRole};

use crate::tls::PeerCertificate;

/// An operator as the configuration names one: by the SHA-256 of a token, or of a
/// client certificate in DER.
#[derive(Clone)]
pub struct KnownOperator {
    operator: Operator,
    hash: [u8; 32],
}

/// The operators of a process.
#[derive(Debug, Clone, Default)]
pub struct KnownOperators(Vec<KnownOperator>);

/// Why these cannot be the operators.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OperatorsWrong {
    /// A name is none.
    #[error("{0:?}: a name is 1 to 64 letters, digits, dots, dashes, underscores or at signs")]
    Name(String),
    /// Two have one name.
    #[error("{0}: the name is there twice")]
    NameTwice(String),
    /// Two have one credential.
    #[error("{0} and {1} have the same credential")]
    CredentialTwice(String, String),
}

impl KnownOperator {
    /// One who shows a token of this SHA-256.
    pub fn by_token(name: impl Into<String>, role: OperatorRole, sha256: [u8; 32]) -> Self {
        Self::new(name.into(), role, Credential::Token, sha256)
    }

    /// The admin named "operator", by this token.
    pub fn single(token: &str) -> Self {
        let hash = jose::sha256(token.as_bytes());
        Self::by_token("operator", OperatorRole::Admin, hash)
    }

    /// One who shows a client certificate of this SHA-256, by mutual TLS.
    pub fn by_certificate(name: impl Into<String>, role: OperatorRole, sha256: [u8; 32]) -> Self {
        Self::new(name.into(), role, Credential::Certificate, sha256)
    }

    fn new(name: String, role: OperatorRole, by: Credential, hash: [u8; 32]) -> Self {
        let operator = Operator { name, role, by };
        Self { operator, hash }
    }
}

impl KnownOperators {
    /// These operators. Each has a name of its own and a credential of its own: the
    /// trail has to tell them apart.
    pub fn new(operators: Vec<KnownOperator>) -> Result<Self, OperatorsWrong> {
        for (place, one) in operators.iter().enumerate() {
            let name = &one.operator.name;
            let fits = |c: char| c.is_ascii_alphanumeric() || ".-_@".contains(c);
            if name.is_empty() || name.len() > 64 || !name.chars().all(fits) {
                return Err(OperatorsWrong::Name(name.clone()));
            }
            for other in operators.iter().take(place) {
                let theirs = &other.operator.name;
                if theirs == name {
                    return Err(OperatorsWrong::NameTwice(name.clone()));
                }
                if bool::from(other.hash.ct_eq(&one.hash)) {
                    return Err(OperatorsWrong::CredentialTwice(
                        theirs.clone(),
                        name.clone(),
                    ));
                }
            }
        }
        Ok(Self(operators))
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Who a request comes from: a certificate counts before a token.
    pub(super) fn recognise(
        &self,
        certificate: Option<&PeerCertificate>,
        headers: &HeaderMap,
        now: Timestamp,
    ) -> Result<Operator, Stranger> {
        // The handshake has checked it, and a connection may outlive it.
        let by_certificate = certificate
            .filter(|shown| shown.not_after >= now)
            .and_then(|shown| self.find(Credential::Certificate, &shown.sha256));
        if let Some(operator) = by_certificate {
            return Ok(operator);
        }
        let token = headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.strip_prefix("Bearer "));
        let Some(token) = token else {
            return Err(match certificate {
                Some(_) => Stranger::Certificate,
                None => Stranger::Nothing,
            });
        };
        self.find(Credential::Token, &jose::sha256(token.trim().as_bytes()))
            .ok_or(Stranger::Token)
    }

    /// Looks at every operator, whichever it is, and takes the same time.
    fn find(&self, by: Credential, hash: &[u8; 32]) -> Option<Operator> {
        let mut found = u32::MAX;
        for (place, known) in (0u32..).zip(&self.0) {
            if known.operator.by == by {
                found.conditional_assign(&place, known.hash.ct_eq(hash));
            }
        }
        let found = usize::try_from(found).ok()?;
        self.0.get(found).map(|known| known.operator.clone())
    }
}

/// Who is no operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stranger {
    /// Shows nothing.
    Nothing,
    /// Shows a token that is nobody's.
    Token,
    /// Shows a certificate that is no operator's, or no longer one.
    Certificate,
}

impl std::fmt::Debug for KnownOperator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.operator.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use jiff::SignedDuration;

    use super::*;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn known() -> KnownOperators {
        KnownOperators::new(vec![
            KnownOperator::by_token("ada", OperatorRole::Admin, jose::sha256(b"one")),
            KnownOperator::by_token("bob", OperatorRole::Read, jose::sha256(b"two")),
            KnownOperator::by_certificate("eve", OperatorRole::Support, [3; 32]),
        ])
        .unwrap()
    }

    fn who(
        authorization: Option<&str>,
        certificate: Option<PeerCertificate>,
    ) -> Result<String, Stranger> {
        let mut headers = HeaderMap::new();
        if let Some(value) = authorization {
            headers.insert(header::AUTHORIZATION, value.parse().unwrap());
        }
        let operator = known().recognise(certificate.as_ref(), &headers, NOW)?;
        Ok(operator.name)
    }

    fn certificate(first: u8, ends_in: i64) -> Option<PeerCertificate> {
        Some(PeerCertificate {
            sha256: [first; 32],
            not_after: NOW + SignedDuration::from_secs(ends_in),
        })
    }

    #[test]
    fn an_operator_is_who_shows_the_credential() {
        use Stranger::{Certificate, Nothing, Token};
        let cases = [
            (Some("Bearer one"), None, Ok("ada")),
            (Some("Bearer two"), None, Ok("bob")),
            (Some("Bearer three"), None, Err(Token)),
            (Some("Bearer "), None, Err(Token)),
            (Some("Basic one"), None, Err(Nothing)),
            (None, None, Err(Nothing)),
            (None, certificate(3, 9), Ok("eve")),
            (None, certificate(3, -9), Err(Certificate)),
            (None, certificate(4, 9), Err(Certificate)),
            // A certificate's hash is no token, and a token's no certificate.
            (
                None,
                certificate(jose::sha256(b"one")[0], 9),
                Err(Certificate),
            ),
            (Some("Bearer two"), certificate(3, 9), Ok("eve")),
            (Some("Bearer two"), certificate(4, 9), Ok("bob")),
        ];
        for (authorization, certificate, expected) in cases {
            let found = who(authorization, certificate.clone());
            assert_eq!(
                found,
                expected.map(str::to_owned),
                "{authorization:?} {certificate:?}"
            );
        }
    }

    #[test]
    fn operators_can_be_told_apart() {
        let one =
            |name: &str, hash: u8| KnownOperator::by_token(name, OperatorRole::Read, [hash; 32]);
        let wrong = |operators| KnownOperators::new(operators).unwrap_err();
        assert_eq!(wrong(vec![one("", 1)]), OperatorsWrong::Name(String::new()));
        assert_eq!(
            wrong(vec![one("a b", 1)]),
            OperatorsWrong::Name("a b".into())
        );
        let twice = OperatorsWrong::NameTwice("ada".into());
        assert_eq!(wrong(vec![one("ada", 1), one("ada", 2)]), twice);
        let same = OperatorsWrong::CredentialTwice("ada".into(), "bob".into());
        assert_eq!(wrong(vec![one("ada", 1), one("bob", 1)]), same);
    }

    #[test]
    fn debug_shows_no_hash() {
        let shown = format!("{:?}", known());
        assert!(shown.contains("ada") && !shown.contains("hash"), "{shown}");
    }
}
