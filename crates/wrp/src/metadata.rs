use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::credential::{Type, types_of};
use crate::show::show;
use crate::statement::times;
use crate::{Judged, Statement, rules};

/// What signed credential-issuer metadata says of what is issued.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct IssuerMetadata {
    /// The credential issuer's identifier.
    pub issuer: Option<String>,
    /// What it offers.
    pub configurations: Vec<Configuration>,
}

/// One credential that is offered.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Configuration {
    /// The name it is offered under.
    pub id: String,
    /// Its format.
    pub format: String,
    #[serde(skip)]
    pub(crate) of: Type,
}

/// What metadata is checked against.
#[derive(Debug, Clone, Copy)]
pub struct MetadataCheck<'a> {
    /// The identifier that it was fetched for, where it is known.
    pub issuer: Option<&'a str>,
    /// The time the check is made for.
    pub at: Timestamp,
    /// How far the issuer's clock may be off.
    pub skew: SignedDuration,
}

impl IssuerMetadata {
    /// Reads metadata whose signature verified.
    pub fn read(statement: &Statement, of: &MetadataCheck<'_>) -> Judged<Self> {
        let claims = &statement.claims;
        let mut identity = times(claims, of.at, of.skew);
        if !claims.contains_key("iat") {
            identity.push(rules::METADATA_IAT.finding("iat", "absent"));
        }
        let text = |name: &str| claims.get(name).and_then(Value::as_str);
        let (sub, issuer) = (text("sub"), text("credential_issuer"));
        let wrong = match (sub, issuer) {
            (Some(sub), Some(issuer)) if sub != issuer => Some(format!(
                "sub is {}, credential_issuer {}",
                show(sub),
                show(issuer)
            )),
            (Some(_), Some(issuer)) => of
                .issuer
                .filter(|expected| *expected != issuer)
                .map(|expected| format!("it is of {}, not of {expected}", show(issuer))),
            _ => Some("sub or credential_issuer is absent".to_owned()),
        };
        if let Some(evidence) = wrong {
            identity.push(rules::METADATA_ISSUER.finding("credential_issuer", evidence));
        }
        let mut entitlement = Vec::new();
        let configurations = configurations(claims).unwrap_or_else(|why| {
            let rule = &rules::METADATA_CONFIGURATIONS;
            entitlement.push(rule.finding("credential_configurations_supported", why));
            Vec::new()
        });
        Judged {
            value: Self {
                issuer: issuer.map(str::to_owned),
                configurations,
            },
            identity,
            entitlement,
        }
    }
}

fn configurations(claims: &Map<String, Value>) -> Result<Vec<Configuration>, String> {
    let all = claims
        .get("credential_configurations_supported")
        .and_then(Value::as_object)
        .filter(|all| !all.is_empty())
        .ok_or("absent, or not a non-empty object")?;
    if all.len() > crate::MAX_CLAIMS {
        return Err(format!("{} configurations", all.len()));
    }
    all.iter()
        .map(|(id, value)| {
            let format = value.get("format").and_then(Value::as_str);
            let format = format.ok_or_else(|| format!("{} has no format", show(id)))?;
            let of = offered_type(format, value)
                .ok_or_else(|| format!("{} does not say its type", show(id)))?;
            Ok(Configuration {
                id: id.clone(),
                format: format.to_owned(),
                of,
            })
        })
        .collect()
}

/// The type of an offered credential (OpenID4VCI 1.0, A), as registrations have it.
fn offered_type(format: &str, value: &Value) -> Option<Type> {
    let meta = match format {
        "dc+sd-jwt" | "vc+sd-jwt" => json!({ "vct_values": [value.get("vct")?] }),
        "mso_mdoc" => json!({ "doctype_value": value.get("doctype")? }),
        "jwt_vc_json" | "vp+jwt" | "ldp_vc" => {
            let types = value.get("credential_definition")?.get("type")?;
            json!({ "type_values": [types] })
        }
        // A format that is not known: whatever names a credential there.
        _ => {
            let known = ["vct", "doctype", "credential_definition", "meta"];
            let named = known.iter().find_map(|name| value.get(*name))?;
            match named {
                Value::Object(meta) => Value::Object(meta.clone()),
                other => json!({ "type": other }),
            }
        }
    };
    types_of(format, meta.as_object()?).into_iter().next()
}

impl Configuration {
    /// The type that is issued, in words.
    pub fn type_name(&self) -> String {
        self.of.to_string()
    }

    /// Whether it is person identification data: the PID's type in SD-JWT VC
    /// (`urn:eudi:pid:` and national extensions of it) or mdoc.
    pub(crate) fn is_pid(&self) -> bool {
        match &self.of {
            Type::Name(name) => {
                name == "urn:eudi:pid"
                    || name.starts_with("urn:eudi:pid:")
                    || name == "eu.europa.ec.eudi.pid"
                    || name.starts_with("eu.europa.ec.eudi.pid.")
            }
            _ => false,
        }
    }
}
