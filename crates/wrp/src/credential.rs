//! Credentials as registrations, requests and issuers name them: a format, a type
//! and claims.

use serde::Serialize;
use serde_json::{Map, Value};

/// A credential that is registered: to be asked for, or to be issued.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Credential {
    /// Its format, such as `dc+sd-jwt`.
    pub format: String,
    /// What names its type, by the format.
    pub meta: Map<String, Value>,
    /// The claims that may be asked for.
    pub claims: Vec<Claim>,
}

/// A claim of a credential.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Claim {
    /// Where it stands (OpenID4VP 1.0, 7).
    pub path: Vec<PathStep>,
    /// The values it may have; empty for any.
    pub values: Vec<Value>,
}

/// One step of a claim's path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum PathStep {
    /// The member of this name.
    Member(String),
    /// The element at this place.
    Element(u64),
    /// All elements.
    All,
}

/// A type that a credential may be of.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Type {
    /// `vct` or doctype.
    Name(String),
    /// The types of a W3C credential, all of which it has.
    Types(Vec<String>),
    /// What a format that is not known here says of it.
    Meta(Map<String, Value>),
}

impl Credential {
    /// Reads a credential of a registration.
    pub(crate) fn read(value: &Value) -> Result<Self, String> {
        let format = value.get("format").and_then(Value::as_str);
        let meta = value.get("meta").and_then(Value::as_object);
        let (Some(format), Some(meta)) = (format, meta) else {
            return Err("format is no text, or meta no object".to_owned());
        };
        // B.2.9 and Annex C have "claim"; OpenID4VP, after which it is made, "claims".
        let claims = match (value.get("claim"), value.get("claims")) {
            (Some(_), Some(_)) => return Err("both claim and claims".to_owned()),
            (Some(claims), None) | (None, Some(claims)) => read_claims(claims)?,
            (None, None) => Vec::new(),
        };
        let credential = Self {
            format: format.to_owned(),
            meta: meta.clone(),
            claims,
        };
        match credential.types().is_empty() {
            true => Err(format!("meta names no type of the format {format}")),
            false => Ok(credential),
        }
    }

    /// The types it may be of.
    pub(crate) fn types(&self) -> Vec<Type> {
        types_of(&self.format, &self.meta)
    }

    /// Whether a credential of that format and type is one of these.
    pub(crate) fn includes(&self, format: &str, wanted: &Type) -> bool {
        same_format(&self.format, format)
            && self.types().iter().any(|own| match (own, wanted) {
                // What has more types than are registered is a kind of it.
                (Type::Types(own), Type::Types(wanted)) => {
                    own.iter().all(|name| wanted.contains(name))
                }
                _ => own == wanted,
            })
    }
}

impl Claim {
    /// Whether asking for `other` asks for no more than this.
    pub(crate) fn includes_path(&self, other: &[PathStep]) -> bool {
        self.path.len() <= other.len()
            && self.path.iter().zip(other).all(|(own, other)| {
                own == other || matches!((own, other), (PathStep::All, PathStep::Element(_)))
            })
    }
}

impl std::fmt::Display for PathStep {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Member(name) => write!(f, "{name:?}"),
            Self::Element(place) => write!(f, "{place}"),
            Self::All => f.write_str("null"),
        }
    }
}

impl std::fmt::Display for Type {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Types(names) => f.write_str(&names.join(" and ")),
            Self::Meta(meta) => write!(f, "{}", Value::Object(meta.clone())),
        }
    }
}

/// The types that a `meta` object names (OpenID4VP 1.0, 6.1 and B).
pub(crate) fn types_of(format: &str, meta: &Map<String, Value>) -> Vec<Type> {
    match format {
        "dc+sd-jwt" | "vc+sd-jwt" => texts(meta.get("vct_values"))
            .into_iter()
            .map(Type::Name)
            .collect(),
        "mso_mdoc" => meta
            .get("doctype_value")
            .and_then(Value::as_str)
            .map(|name| Type::Name(name.to_owned()))
            .into_iter()
            .collect(),
        "jwt_vc_json" | "vp+jwt" | "ldp_vc" => meta
            .get("type_values")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .map(|names| texts(Some(names)))
            .filter(|names| !names.is_empty())
            .map(Type::Types)
            .collect(),
        _ if meta.is_empty() => Vec::new(),
        _ => vec![Type::Meta(meta.clone())],
    }
}

/// The claims of a registration or query.
pub(crate) fn read_claims(value: &Value) -> Result<Vec<Claim>, String> {
    let items = value.as_array().ok_or("the claims are no array")?;
    items.iter().map(read_claim).collect()
}

fn read_claim(value: &Value) -> Result<Claim, String> {
    let steps = value.get("path").and_then(Value::as_array);
    let steps = steps.filter(|steps| !steps.is_empty());
    let steps = steps.ok_or("a claim without path, or of an empty one")?;
    let path = steps.iter().map(|step| match step {
        Value::String(name) => Ok(PathStep::Member(name.clone())),
        Value::Null => Ok(PathStep::All),
        Value::Number(place) => place
            .as_u64()
            .map(PathStep::Element)
            .ok_or("a negative place in a path"),
        _ => Err("a step of a path that is no text, place or null"),
    });
    let values = match value.get("values") {
        None => Vec::new(),
        Some(Value::Array(values)) if !values.is_empty() => values.clone(),
        Some(_) => return Err("values is no array, or an empty one".to_owned()),
    };
    Ok(Claim {
        path: path.collect::<Result<_, &str>>()?,
        values,
    })
}

fn texts(value: Option<&Value>) -> Vec<String> {
    let items = value.and_then(Value::as_array).into_iter().flatten();
    items.filter_map(Value::as_str).map(str::to_owned).collect()
}

/// `vc+sd-jwt` is what `dc+sd-jwt` was called until November 2024.
fn same_format(a: &str, b: &str) -> bool {
    let name = |format| match format {
        "vc+sd-jwt" => "dc+sd-jwt",
        other => other,
    };
    name(a) == name(b)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use rstest::rstest;
    use serde_json::json;

    #[rstest]
    #[case::same(json!(["a"]), json!(["a"]), true)]
    #[case::inside(json!(["address"]), json!(["address", "city"]), true)]
    #[case::around(json!(["address", "city"]), json!(["address"]), false)]
    #[case::other(json!(["a"]), json!(["b"]), false)]
    #[case::case(json!(["a"]), json!(["A"]), false)]
    #[case::all_has_one(json!(["n", null]), json!(["n", 3]), true)]
    #[case::all_has_all(json!(["n", null]), json!(["n", null]), true)]
    #[case::one_has_not_all(json!(["n", 3]), json!(["n", null]), false)]
    #[case::one_has_not_another(json!(["n", 3]), json!(["n", 4]), false)]
    #[case::all_is_no_member(json!(["n", null]), json!(["n", "m"]), false)]
    #[case::place_is_no_name(json!(["n", "3"]), json!(["n", 3]), false)]
    fn paths(#[case] registered: Value, #[case] asked: Value, #[case] inside: bool) {
        let registered = read_claim(&json!({ "path": registered })).unwrap();
        let asked = read_claim(&json!({ "path": asked })).unwrap();
        assert_eq!(registered.includes_path(&asked.path), inside);
    }

    #[rstest]
    #[case(json!({}))]
    #[case(json!({"path": []}))]
    #[case(json!({"path": "a"}))]
    #[case(json!({"path": [-1]}))]
    #[case(json!({"path": [1.5]}))]
    #[case(json!({"path": [true]}))]
    #[case(json!({"path": ["a"], "values": []}))]
    #[case(json!({"path": ["a"], "values": "b"}))]
    fn no_claims(#[case] claim: Value) {
        assert!(read_claims(&json!([claim])).is_err());
    }

    #[test]
    fn more_types_are_a_kind_of_fewer() {
        let registered = Credential::read(&json!({
            "format": "jwt_vc_json", "meta": {"type_values": [["A"], ["B", "C"]]}
        }));
        let registered = registered.unwrap();
        let types = |names: &[&str]| Type::Types(names.iter().map(|n| (*n).to_owned()).collect());
        assert!(registered.includes("jwt_vc_json", &types(&["A", "D"])));
        assert!(registered.includes("jwt_vc_json", &types(&["C", "B"])));
        assert!(!registered.includes("jwt_vc_json", &types(&["B"])));
        assert!(!registered.includes("vp+jwt", &types(&["A"])));
    }
}
