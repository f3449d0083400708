//! The claims of a CWT as the claims of a JWT, so that one set of rules is held
//! against both.

use jose::Map;
use jose::cbor::Value as Cbor;
use serde_json::{Number, Value};

/// The integer keys of RFC 8392, and of a status (draft-ietf-oauth-status-list,
/// 14.3). A registration certificate's own claims have none.
const KEYS: [(i64, &str); 6] = [
    (1, "iss"),
    (2, "sub"),
    (4, "exp"),
    (5, "nbf"),
    (6, "iat"),
    (65535, "status"),
];

/// The claims, by name; or which of them cannot be taken over.
pub(crate) fn claims(cwt: &Cbor) -> Result<Map, String> {
    let entries = cwt.as_map().ok_or("no map")?;
    let mut claims = Map::new();
    for (key, value) in entries {
        let name = match key {
            Cbor::Integer(number) => {
                let number = i128::from(*number);
                let known = KEYS.iter().find(|(key, _)| i128::from(*key) == number);
                match known {
                    Some((_, name)) => (*name).to_owned(),
                    None => return Err(format!("the key {number} is not known")),
                }
            }
            Cbor::Text(name) => match KEYS.iter().find(|(_, own)| own == name) {
                Some((key, name)) => {
                    return Err(format!("{name} stands under its name, not under {key}"));
                }
                None => name.clone(),
            },
            _ => return Err("a key that is neither a number nor a text".to_owned()),
        };
        claims.insert(name, json(value)?);
    }
    Ok(claims)
}

fn json(value: &Cbor) -> Result<Value, String> {
    Ok(match value {
        Cbor::Null => Value::Null,
        Cbor::Bool(yes) => (*yes).into(),
        Cbor::Text(text) => text.as_str().into(),
        Cbor::Integer(number) => {
            let number = i128::from(*number);
            let signed = i64::try_from(number).map(Value::from);
            signed
                .or_else(|_| u64::try_from(number).map(Value::from))
                .map_err(|_| format!("the number {number}"))?
        }
        Cbor::Float(number) => {
            Value::Number(Number::from_f64(*number).ok_or("a number that is none")?)
        }
        Cbor::Array(items) => items.iter().map(json).collect::<Result<_, _>>()?,
        Cbor::Map(entries) => {
            let members = entries.iter().map(|(key, value)| {
                let name = key.as_text().ok_or("a key that is no text")?;
                Ok((name.to_owned(), json(value)?))
            });
            Value::Object(members.collect::<Result<_, String>>()?)
        }
        _ => return Err("bytes or a tag, which no claim has".to_owned()),
    })
}

/// What [`claims`] reads, from claims by name.
pub(crate) fn from_claims(claims: &Map) -> Cbor {
    let entries = claims.iter().map(|(name, value)| {
        let known = KEYS.iter().find(|(_, own)| own == name);
        let key = known.map_or_else(|| name.as_str().into(), |(key, _)| Cbor::from(*key));
        (key, cbor(value))
    });
    Cbor::Map(entries.collect())
}

fn cbor(value: &Value) -> Cbor {
    match value {
        Value::Null => Cbor::Null,
        Value::Bool(yes) => (*yes).into(),
        Value::String(text) => text.as_str().into(),
        Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(number), _) => number.into(),
            (_, Some(number)) => number.into(),
            _ => number.as_f64().unwrap_or_default().into(),
        },
        Value::Array(items) => Cbor::Array(items.iter().map(cbor).collect()),
        Value::Object(members) => Cbor::Map(
            members
                .iter()
                .map(|(name, value)| (name.as_str().into(), cbor(value)))
                .collect(),
        ),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use rstest::rstest;
    use serde_json::json;

    #[test]
    fn claims_come_back_as_they_went() {
        let claims_in = json!({
            "sub": "NTRDE-HRB1", "iat": 1, "exp": 18_446_744_073_709_551_615u64,
            "status": {"status_list": {"idx": 3, "uri": "https://a.example/1"}},
            "entitlements": ["a", null, true, -1, 1.5],
        });
        let claims_in = claims_in.as_object().unwrap();
        let cwt = from_claims(claims_in);
        let keys: Vec<&Cbor> = cwt.as_map().unwrap().iter().map(|(key, _)| key).collect();
        assert!(keys.contains(&&Cbor::from(2)) && keys.contains(&&Cbor::from(65535)));
        assert!(keys.contains(&&Cbor::from("entitlements")));
        assert_eq!(claims(&cwt).unwrap(), *claims_in);
    }

    #[rstest]
    #[case(Cbor::Null)]
    #[case(Cbor::Map(vec![(Cbor::from("sub"), Cbor::from("a"))]))]
    #[case(Cbor::Map(vec![(Cbor::from(7), Cbor::from("a"))]))]
    #[case(Cbor::Map(vec![(Cbor::Null, Cbor::from("a"))]))]
    #[case(Cbor::Map(vec![(Cbor::from("name"), Cbor::Bytes(vec![1]))]))]
    #[case(Cbor::Map(vec![(Cbor::from(6), Cbor::Tag(1, Box::new(Cbor::from(1))))]))]
    #[case(Cbor::Map(vec![(Cbor::from("a"), Cbor::Map(vec![(Cbor::from(1), Cbor::Null)]))]))]
    fn what_no_claim_has_is_refused(#[case] cwt: Cbor) {
        assert!(claims(&cwt).is_err());
    }
}
