//! What an authorization request asks for (DCQL: OpenID4VP 1.0, 6).

use serde::Serialize;
use serde_json::{Map, Value};

use crate::MAX_CLAIMS;
use crate::credential::{Claim, Type, read_claims, types_of};
use crate::show::show;

/// A DCQL query. Each claim that stands in it counts as asked for, whichever sets
/// of credentials and claims it also has.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Query {
    /// What is asked for.
    pub credentials: Vec<CredentialQuery>,
}

/// A credential that is asked for.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CredentialQuery {
    /// Its name in the query.
    pub id: String,
    /// Its format.
    pub format: String,
    /// What names its type; a query without asks for any.
    pub meta: Map<String, Value>,
    /// The claims asked for.
    pub claims: Vec<Claim>,
}

impl Query {
    /// Reads `dcql_query`.
    pub(crate) fn read(value: &Value) -> Result<Self, String> {
        let items = value.get("credentials").and_then(Value::as_array);
        let items = items.filter(|items| !items.is_empty());
        let items = items.ok_or("credentials is not a non-empty array")?;
        let credentials: Vec<CredentialQuery> =
            items.iter().map(credential).collect::<Result<_, _>>()?;
        let mut ids: Vec<&str> = credentials.iter().map(|c| c.id.as_str()).collect();
        ids.sort_unstable();
        if let Some(pair) = ids.windows(2).find(|pair| pair.first() == pair.last()) {
            let twice = pair.first().copied().unwrap_or_default();
            return Err(format!("the id {} stands twice", show(twice)));
        }
        let claims: usize = credentials.iter().map(|c| c.claims.len().max(1)).sum();
        match claims > MAX_CLAIMS {
            true => Err(format!("{claims} claims, at most {MAX_CLAIMS} are read")),
            false => Ok(Self { credentials }),
        }
    }
}

impl CredentialQuery {
    pub(crate) fn types(&self) -> Vec<Type> {
        types_of(&self.format, &self.meta)
    }
}

fn credential(value: &Value) -> Result<CredentialQuery, String> {
    let text = |name: &str| value.get(name).and_then(Value::as_str);
    let id = text("id").filter(|id| is_id(id));
    let id = id.ok_or("an id that is not letters, digits, hyphens and underscores")?;
    let format = text("format").ok_or_else(|| format!("{id} has no format"))?;
    let meta = match value.get("meta") {
        None => Map::new(),
        Some(Value::Object(meta)) => meta.clone(),
        Some(_) => return Err(format!("meta of {id} is no object")),
    };
    let claims = match value.get("claims") {
        None => Vec::new(),
        Some(Value::Array(items)) if items.is_empty() => {
            return Err(format!("claims of {id} is empty"));
        }
        Some(claims) => read_claims(claims).map_err(|why| format!("{id}: {why}"))?,
    };
    Ok(CredentialQuery {
        id: id.to_owned(),
        format: format.to_owned(),
        meta,
        claims,
    })
}

/// OpenID4VP 1.0, 6.1.
fn is_id(id: &str) -> bool {
    !id.is_empty()
        && id.len() <= 200
        && id
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use serde_json::json;

    #[rstest]
    #[case(json!({}))]
    #[case(json!({"credentials": []}))]
    #[case(json!({"credentials": [{"format": "mso_mdoc"}]}))]
    #[case(json!({"credentials": [{"id": "", "format": "mso_mdoc"}]}))]
    #[case(json!({"credentials": [{"id": "a b", "format": "mso_mdoc"}]}))]
    #[case(json!({"credentials": [{"id": "a"}]}))]
    #[case(json!({"credentials": [{"id": "a", "format": "b", "meta": []}]}))]
    #[case(json!({"credentials": [{"id": "a", "format": "b", "claims": []}]}))]
    #[case(json!({"credentials": [{"id": "a", "format": "b", "claims": [{}]}]}))]
    #[case(json!({"credentials": [{"id": "a", "format": "b"}, {"id": "a", "format": "c"}]}))]
    fn no_queries(#[case] query: Value) {
        assert!(Query::read(&query).is_err(), "{query}");
    }
}
