use jiff::Timestamp;
use jose::{Map, PublicKey, Signer};
use serde::Serialize;
use serde_json::Value;

use crate::token::sign;
use crate::{BuildError, StatusPeriod};

/// What a Wallet Instance Attestation says (TS3 v1.5.2, 2.3.1; OpenID4VCI 1.0,
/// Appendix E). Times are written in whole seconds; round them first
/// ([`crate::Rounding`]).
#[derive(Debug, Clone, PartialEq)]
pub struct Wia {
    /// `iss`: written under draft 07 only, which demands it.
    pub issuer: Option<String>,
    /// `sub`: the client_id, one value for all instances of the wallet solution.
    pub client_id: String,
    /// `iat`, which TS3 does not ask for.
    pub issued: Option<Timestamp>,
    /// `exp`: less than 24 hours after the wallet instance was checked.
    pub expires: Timestamp,
    /// `cnf.jwk`: the wallet instance's key, a fresh one for each issuer.
    pub key: PublicKey,
    /// `wallet_name`: the wallet solution as the wallet provider list names it.
    pub wallet_name: String,
    /// `wallet_version`.
    pub wallet_version: String,
    /// `wallet_link`: recommended; a URI to read more at.
    pub wallet_link: Option<String>,
    /// `wallet_solution_certification_information`: of a shape that TS3 leaves
    /// open so far.
    pub certification: Value,
    /// `client_status`: the state of the wallet instance.
    pub status: StatusPeriod,
}

/// Which text of attestation-based client authentication is followed. They
/// differ in `iss`, which draft 07 demands of the WIA and of its proof, and
/// which is gone since draft 08.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, Default, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum ClientAttestationDraft {
    /// Draft 07, which OpenID4VCI 1.0 pins.
    Draft07,
    /// Draft 10, which TS3 v1.5.2 agrees with.
    #[default]
    Draft10,
}

impl Wia {
    /// The WIA in JWS compact form, signed by the wallet provider's key. `x5c`
    /// (DER, leaf first) holds at least the signing certificate.
    pub async fn sign(
        &self,
        draft: ClientAttestationDraft,
        x5c: &[Vec<u8>],
        signer: &dyn Signer,
    ) -> Result<String, BuildError> {
        if x5c.is_empty() {
            return Err(BuildError::Missing("x5c"));
        }
        for (name, value) in [
            ("sub", &self.client_id),
            ("wallet_name", &self.wallet_name),
            ("wallet_version", &self.wallet_version),
        ] {
            if value.is_empty() {
                return Err(BuildError::Missing(name));
            }
        }
        if self.certification.is_null() {
            return Err(BuildError::Missing(
                "wallet_solution_certification_information",
            ));
        }
        if let Some(link) = &self.wallet_link
            && url::Url::parse(link).is_err()
        {
            return Err(BuildError::Malformed("wallet_link", "not a URI"));
        }
        let issuer = match (draft, &self.issuer) {
            (ClientAttestationDraft::Draft07, None) => return Err(BuildError::Missing("iss")),
            (ClientAttestationDraft::Draft07, Some(issuer)) => Some(issuer.as_str()),
            (ClientAttestationDraft::Draft10, _) => None,
        };
        let claims = Claims {
            iss: issuer,
            sub: &self.client_id,
            iat: self.issued.map(Timestamp::as_second),
            exp: self.expires.as_second(),
            cnf: Confirmation { jwk: &self.key },
            wallet_name: &self.wallet_name,
            wallet_version: &self.wallet_version,
            wallet_link: self.wallet_link.as_deref(),
            wallet_solution_certification_information: &self.certification,
            client_status: &self.status,
        };
        sign(WIA_TYP, x5c, Map::new(), &claims, signer).await
    }
}

#[derive(Serialize)]
struct Claims<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    iss: Option<&'a str>,
    sub: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    iat: Option<i64>,
    exp: i64,
    cnf: Confirmation<'a>,
    wallet_name: &'a str,
    wallet_version: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    wallet_link: Option<&'a str>,
    wallet_solution_certification_information: &'a Value,
    client_status: &'a StatusPeriod,
}

#[derive(Serialize)]
struct Confirmation<'a> {
    jwk: &'a PublicKey,
}

pub(crate) const WIA_TYP: &str = "oauth-client-attestation+jwt";
