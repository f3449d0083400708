use finding::Refusal;
use jose::Map;
use jose::cbor::{self, Value as Cbor};
use serde_json::Value;

use crate::{DecodeError, Limits, StatusList, rules};

/// What a token of either form says, so that one set of rules is held against
/// both. Only a signed payload becomes claims.
pub(crate) struct Claims {
    /// `sub`, `iat`, `exp`, `nbf`, `ttl` and `status_list`, by their names in a
    /// JWT; the packed list apart.
    pub(crate) plain: Map,
    /// The list, or why there is none.
    pub(crate) list: Result<StatusList, DecodeError>,
}

impl Claims {
    /// Reads the payload of a JWT.
    pub(crate) fn from_json(payload: &[u8], limits: &Limits) -> Result<Self, Refusal> {
        let json_limits = jose::json::Limits {
            max_bytes: limits.token_bytes,
            ..jose::json::Limits::TOKEN
        };
        let plain = jose::json::parse_object(payload, json_limits)
            .map_err(|e| Refusal::because(&rules::FORMAT, "claims", e.to_string()))?;
        let list = plain.get("status_list").unwrap_or(&Value::Null);
        let list = StatusList::from_json(list, limits);
        Ok(Self { plain, list })
    }

    /// Takes over the claims of a CWT (RFC 8392, section 3.1; draft-20, 5.2).
    pub(crate) fn from_cbor(claims: &Cbor, limits: &Limits) -> Self {
        let claim = |key: i64| cbor::get(claims, key);
        let list = claim(STATUS_LIST).unwrap_or(&Cbor::Null);
        let mut plain = Map::new();
        for (key, name) in [(SUB, "sub"), (IAT, "iat"), (EXP, "exp"), (NBF, "nbf")] {
            if let Some(value) = claim(key) {
                plain.insert(name.into(), to_json(value));
            }
        }
        if let Some(ttl) = claim(TTL) {
            // Unlike in a JWT, no fraction: an unsigned integer.
            let whole = ttl.is_integer().then(|| to_json(ttl));
            plain.insert("ttl".into(), whole.unwrap_or_default());
        }
        if let Some(uri) = cbor::get(list, "aggregation_uri") {
            let list = Map::from_iter([("aggregation_uri".into(), to_json(uri))]);
            plain.insert("status_list".into(), list.into());
        }
        let list = StatusList::from_cbor(list, limits);
        Self { plain, list }
    }
}

/// Numbers and text as they are; anything else becomes null, which no claim may be.
fn to_json(value: &Cbor) -> Value {
    match value {
        Cbor::Integer(number) => i64::try_from(*number)
            .map(Value::from)
            .or_else(|_| u64::try_from(*number).map(Value::from))
            .unwrap_or_default(),
        Cbor::Float(number) => Value::from(*number),
        Cbor::Text(text) => Value::from(text.as_str()),
        _ => Value::Null,
    }
}

pub(crate) const JWT_TYP: &str = "statuslist+jwt";
pub(crate) const CWT_TYP: &str = "application/statuslist+cwt";

pub(crate) const SUB: i64 = 2;
pub(crate) const EXP: i64 = 4;
pub(crate) const NBF: i64 = 5;
pub(crate) const IAT: i64 = 6;
pub(crate) const STATUS_LIST: i64 = 65533;
pub(crate) const TTL: i64 = 65534;
