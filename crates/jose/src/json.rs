//! JSON from outside, read strictly.
//!
//! `serde_json` keeps the last of two members of the same name without a word,
//! so two readers of one signed document can see different things. This reader
//! refuses duplicates, and bounds size and depth before anything is built.

use std::cell::RefCell;
use std::fmt;

use serde::de::{DeserializeOwned, DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Number, Value};

use crate::Map;

/// How much JSON is accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The size of the whole text, in bytes.
    pub max_bytes: usize,
    /// How many arrays and objects may stand in each other; at most 120.
    pub max_depth: usize,
}

impl Limits {
    /// For JOSE headers and claims: 64 KiB, 16 levels.
    pub const TOKEN: Limits = Limits {
        max_bytes: 64 * 1024,
        max_depth: 16,
    };

    /// The same depth with another size.
    pub const fn bytes(max_bytes: usize) -> Self {
        Self {
            max_bytes,
            max_depth: 32,
        }
    }
}

/// Why a text was not read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    /// The text is larger than is accepted.
    #[error("{len} bytes of JSON, at most {max} are accepted")]
    TooLarge {
        /// Its size in bytes.
        len: usize,
        /// The limit in bytes.
        max: usize,
    },
    /// Arrays and objects are nested deeper than is accepted.
    #[error("JSON nested deeper than {max} levels")]
    TooDeep {
        /// The limit.
        max: usize,
    },
    /// An object has two members of one name.
    #[error("the JSON member {0:?} stands twice")]
    Duplicate(String),
    /// The text is not JSON.
    #[error("not JSON: {0}")]
    Syntax(String),
    /// The text is JSON of another shape than expected.
    #[error("unexpected JSON: {0}")]
    Shape(String),
}

/// Reads JSON of at most the given size and depth, without duplicate members.
pub fn parse(bytes: &[u8], limits: Limits) -> Result<Value, JsonError> {
    if bytes.len() > limits.max_bytes {
        return Err(JsonError::TooLarge {
            len: bytes.len(),
            max: limits.max_bytes,
        });
    }
    let cause = RefCell::new(None);
    let reader = Strict {
        depth_left: limits.max_depth.min(MAX_DEPTH),
        limits,
        cause: &cause,
    };
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let result = reader
        .deserialize(&mut deserializer)
        .and_then(|value| deserializer.end().map(|()| value));
    result.map_err(|error| {
        cause
            .take()
            .unwrap_or_else(|| JsonError::Syntax(error.to_string()))
    })
}

/// Reads an object as [`parse`] does.
pub fn parse_object(bytes: &[u8], limits: Limits) -> Result<Map, JsonError> {
    match parse(bytes, limits)? {
        Value::Object(map) => Ok(map),
        _ => Err(JsonError::Shape("an object was expected".into())),
    }
}

/// Reads a typed value as [`parse`] does; the error names the member that is
/// not as it should be.
pub fn parse_as<T: DeserializeOwned>(bytes: &[u8], limits: Limits) -> Result<T, JsonError> {
    let value = parse(bytes, limits)?;
    serde_json::from_value(value).map_err(|error| JsonError::Shape(error.to_string()))
}

/// Below the recursion limit of `serde_json` (128), so that the error is ours.
const MAX_DEPTH: usize = 120;

struct Strict<'c> {
    depth_left: usize,
    limits: Limits,
    cause: &'c RefCell<Option<JsonError>>,
}

impl Strict<'_> {
    fn deeper<E: serde::de::Error>(&self) -> Result<Strict<'_>, E> {
        match self.depth_left.checked_sub(1) {
            Some(depth_left) => Ok(Strict {
                depth_left,
                limits: self.limits,
                cause: self.cause,
            }),
            None => {
                *self.cause.borrow_mut() = Some(JsonError::TooDeep {
                    max: self.limits.max_depth.min(MAX_DEPTH),
                });
                Err(E::custom("too deep"))
            }
        }
    }

    fn again(&self) -> Strict<'_> {
        Strict {
            depth_left: self.depth_left,
            limits: self.limits,
            cause: self.cause,
        }
    }
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value)
            .map(Value::Number)
            .ok_or_else(|| E::custom("not a finite number"))
    }

    fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<Value, E> {
        self.visit_string(value.to_owned())
    }

    fn visit_string<E: serde::de::Error>(self, value: String) -> Result<Value, E> {
        // It stands in no text that a person wrote, ends a string elsewhere, and there
        // are databases that cannot hold it.
        if value.contains('\0') {
            return Err(E::custom("a string holds U+0000"));
        }
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut items = Vec::new();
        while let Some(item) = access.next_element_seed(inner.again())? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut map = Map::new();
        while let Some(name) = access.next_key::<String>()? {
            if map.contains_key(&name) {
                let shown: String = name.chars().take(64).collect();
                *self.cause.borrow_mut() = Some(JsonError::Duplicate(shown));
                return Err(A::Error::custom("duplicate member"));
            }
            let value = access.next_value_seed(inner.again())?;
            map.insert(name, value);
        }
        Ok(Value::Object(map))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(r#"{"a":1,"a":2}"#, JsonError::Duplicate("a".into()))]
    #[case(r#"{"x":{"b":1,"c":2,"b":3}}"#, JsonError::Duplicate("b".into()))]
    #[case("[[[[[[]]]]]]", JsonError::TooDeep { max: 4 })]
    #[case(&" ".repeat(101), JsonError::TooLarge { len: 101, max: 100 })]
    fn refuses(#[case] text: &str, #[case] expected: JsonError) {
        let limits = Limits {
            max_bytes: 100,
            max_depth: 4,
        };
        assert_eq!(parse(text.as_bytes(), limits), Err(expected));
    }

    #[rstest]
    #[case("{\"a\":1} x")]
    #[case("")]
    #[case("\u{0}")]
    #[case("[1,]")]
    #[case("NaN")]
    fn refuses_what_is_not_json(#[case] text: &str) {
        assert!(matches!(
            parse(text.as_bytes(), Limits::TOKEN),
            Err(JsonError::Syntax(_))
        ));
    }

    #[test]
    fn ten_thousand_levels_are_refused_without_overflow() {
        let text = "[".repeat(10_000);
        let limits = Limits {
            max_bytes: 1 << 20,
            max_depth: 1 << 20,
        };
        assert_eq!(
            parse(text.as_bytes(), limits),
            Err(JsonError::TooDeep { max: MAX_DEPTH })
        );
    }

    proptest::proptest! {
        #[test]
        fn agrees_with_serde_json_on_what_it_writes(
            keys in proptest::collection::btree_set("[a-z]{1,6}", 0..8),
            number: i64,
            text: String,
        ) {
            let map: Map = keys.into_iter().map(|k| (k, serde_json::json!([number, text, null, true]))).collect();
            let bytes = serde_json::to_vec(&map).expect("serializes");
            proptest::prop_assert_eq!(parse(&bytes, Limits::bytes(1 << 20)), Ok(Value::Object(map)));
        }
    }
}
