//! Making registration certificates, for test beds and providers.

use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use jose::{Map, SignError, Signer, b64, cbor, cose, jws};
use pki::Certificate;
use serde_json::{Value, json};
use status_list::Reference;

use crate::registration::POLICY;
use crate::{Entitlement, cwt};

/// What a registration of a legal person says. Its claims can be taken as JSON, be
/// changed, and be signed.
#[derive(Debug, Clone)]
pub struct NewRegistration {
    /// The identifier: what the access certificate has as organizationIdentifier.
    pub id: String,
    /// The official name.
    pub legal_name: String,
    /// The trade name: what the access certificate has as its commonName.
    pub trade_name: String,
    /// The country.
    pub country: String,
    /// What it is entitled to.
    pub entitlements: Vec<Entitlement>,
    /// A URL under which its pages and the register's stand.
    pub web: String,
    /// Where users ask for deletion: a URI of the access certificate.
    pub support: String,
    /// The service that it is for, where it is named.
    pub service_id: Option<String>,
    /// What may be asked for: an array of `{format, meta, claim}`; for a service
    /// provider.
    pub credentials: Option<Value>,
    /// What is issued: an array of `{format, meta}`; for a provider.
    pub provides: Option<Value>,
    /// When it is issued; it ends twelve months after.
    pub issued: Timestamp,
    /// Where its status is told.
    pub status: Reference,
}

/// Why a registration certificate was not made.
#[derive(Debug, thiserror::Error)]
pub enum IssueError {
    /// No certificate to sign with.
    #[error("a registration certificate needs its signer's certificate")]
    NoCertificate,
    /// The signer holds another key than the certificate names.
    #[error("the signer's key is not the key of the certificate {0}")]
    OtherKey(String),
    /// The key was not used.
    #[error(transparent)]
    Sign(#[from] SignError),
}

impl NewRegistration {
    /// Its claims, as a JWT has them.
    pub fn claims(&self) -> Map {
        let text = |value: &str| json!([{ "lang": "en", "value": value }]);
        let entitlements: Vec<String> = self.entitlements.iter().map(Entitlement::uri).collect();
        let expires = self.issued.to_zoned(TimeZone::UTC).checked_add(12.months());
        let web = self.web.trim_end_matches('/');
        let members = [
            ("name", Some(json!(self.trade_name))),
            ("sub_ln", Some(json!(self.legal_name))),
            ("sub", Some(json!(self.id))),
            ("country", Some(json!(self.country))),
            ("registry_uri", Some(json!(format!("{web}/register")))),
            ("srv_id", self.service_id.as_ref().map(|id| json!(id))),
            ("srv_description", Some(json!([text(&self.trade_name)]))),
            ("entitlements", Some(json!(entitlements))),
            ("privacy_policy", Some(json!(format!("{web}/privacy")))),
            ("info_uri", Some(json!(web))),
            ("support_uri", Some(json!(self.support))),
            (
                "supervisory_authority",
                Some(json!({ "email": "complaints@authority.example" })),
            ),
            ("policy_id", Some(json!([POLICY]))),
            ("certificate_policy", Some(json!(format!("{web}/policy")))),
            ("iat", Some(json!(self.issued.as_second()))),
            (
                "exp",
                expires.ok().map(|end| json!(end.timestamp().as_second())),
            ),
            ("status", Some(self.status.to_status())),
            (
                "purpose",
                self.credentials.as_ref().map(|_| text("To serve the user")),
            ),
            ("credentials", self.credentials.clone()),
            ("provides_attestations", self.provides.clone()),
        ];
        let members = members.into_iter();
        members
            .filter_map(|(name, value)| Some((name.to_owned(), value?)))
            .collect()
    }
}

/// Signs claims as a JWT, with a JAdES baseline B signature made at `at`. `chain`
/// has the signer's certificate first.
///
/// # Errors
/// [`IssueError`]. The claims themselves are not judged.
pub async fn sign_jwt(
    claims: &Map,
    chain: &[Certificate],
    signer: &dyn Signer,
    at: Timestamp,
) -> Result<String, IssueError> {
    let leaf = leaf(chain, signer)?;
    let x5c: Vec<Value> = chain
        .iter()
        .map(|c| b64::encode_std(c.der()).into())
        .collect();
    let header = Map::from_iter([
        ("typ".to_owned(), json!("rc-wrp+jwt")),
        ("iat".to_owned(), json!(at.as_second())),
        ("x5t#S256".to_owned(), json!(b64::encode(leaf.sha256()))),
        ("x5c".to_owned(), x5c.into()),
    ]);
    let payload = Value::Object(claims.clone()).to_string();
    Ok(jws::sign(header, payload.as_bytes(), signer).await?)
}

/// Signs claims as a CWT.
///
/// # Errors
/// [`IssueError`]. The claims themselves are not judged.
pub async fn sign_cwt(
    claims: &Map,
    chain: &[Certificate],
    signer: &dyn Signer,
) -> Result<Vec<u8>, IssueError> {
    leaf(chain, signer)?;
    let x5chain: Vec<Vec<u8>> = chain.iter().map(|c| c.der().to_vec()).collect();
    let header = cose::Header {
        typ: Some("rc-wrp+cwt"),
        x5chain: &x5chain,
        kid: None,
    };
    let payload = cbor::encode(&cwt::from_claims(claims));
    Ok(cose::sign(header, &payload, signer).await?)
}

fn leaf<'c>(chain: &'c [Certificate], signer: &dyn Signer) -> Result<&'c Certificate, IssueError> {
    let leaf = chain.first().ok_or(IssueError::NoCertificate)?;
    match leaf.public_key() {
        Ok(key) if key == *signer.public_key() => Ok(leaf),
        _ => Err(IssueError::OtherKey(leaf.subject())),
    }
}
