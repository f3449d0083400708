//! A list read entity by entity, so that a large one never stands in memory as a
//! whole.
//!
//! Only what is read without any trouble is read here: whoever meets trouble reads
//! the whole list ([`UncheckedList::from_json`]) and gets it told.

use std::fmt;

use jose::json::Limits;
use serde::de::{DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::model::{Entity, LIMITS, UncheckedList};
use crate::shape;

/// Reads a list. `each` is given every entity, with the scheme as JSON; the list
/// that comes back has none. `None` where anything is not as it should be, or
/// where the entities stand before the scheme.
pub(crate) fn read(bytes: &[u8], each: &mut dyn FnMut(&Value, Entity)) -> Option<UncheckedList> {
    if bytes.len() > LIMITS.max_bytes {
        return None;
    }
    let mut reader = Reader {
        lote: None,
        other: Map::new(),
        each,
    };
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    Root(&mut reader).deserialize(&mut deserializer).ok()?;
    deserializer.end().ok()?;
    let mut root = reader.other;
    root.insert("LoTE".into(), Value::Object(reader.lote?));
    UncheckedList::from_value(Value::Object(root)).ok()
}

struct Reader<'f> {
    lote: Option<Map<String, Value>>,
    other: Map<String, Value>,
    each: &'f mut dyn FnMut(&Value, Entity),
}

/// Where an entity stands: document, `LoTE`, the array.
const DEPTH_OF_ENTITIES: usize = 3;

/// A member's value, as strictly as [`jose::json::parse`] reads it.
fn strict<E: serde::de::Error>(raw: &RawValue, depth: usize) -> Result<Value, E> {
    let limits = Limits {
        max_depth: LIMITS.max_depth.saturating_sub(depth),
        ..LIMITS
    };
    jose::json::parse(raw.get().as_bytes(), limits).map_err(E::custom)
}

fn insert<E: serde::de::Error>(
    members: &mut Map<String, Value>,
    name: String,
    value: Value,
) -> Result<(), E> {
    match members.insert(name, value) {
        None => Ok(()),
        Some(_) => Err(E::custom("a member stands twice")),
    }
}

/// The document.
struct Root<'r, 'f>(&'r mut Reader<'f>);

impl<'de> DeserializeSeed<'de> for Root<'_, '_> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Root<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of trusted entities")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        while let Some(name) = members.next_key::<String>()? {
            if name == "LoTE" {
                if self.0.lote.is_some() {
                    return Err(A::Error::custom("LoTE stands twice"));
                }
                members.next_value_seed(Lote(self.0))?;
            } else {
                let value = strict(members.next_value()?, 1)?;
                insert(&mut self.0.other, name, value)?;
            }
        }
        Ok(())
    }
}

/// Its member `LoTE`.
struct Lote<'r, 'f>(&'r mut Reader<'f>);

impl<'de> DeserializeSeed<'de> for Lote<'_, '_> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Lote<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the scheme and its entities")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let mut lote = Map::new();
        let mut entities = false;
        while let Some(name) = members.next_key::<String>()? {
            if name == "TrustedEntitiesList" {
                if std::mem::replace(&mut entities, true) {
                    return Err(A::Error::custom("the entities stand twice"));
                }
                let scheme = lote
                    .get("ListAndSchemeInformation")
                    .ok_or_else(|| A::Error::custom("the entities stand before the scheme"))?;
                members.next_value_seed(Entities {
                    scheme,
                    each: self.0.each,
                })?;
            } else {
                let value = strict(members.next_value()?, 2)?;
                insert(&mut lote, name, value)?;
            }
        }
        self.0.lote = Some(lote);
        Ok(())
    }
}

/// `TrustedEntitiesList`.
struct Entities<'r> {
    scheme: &'r Value,
    each: &'r mut dyn FnMut(&Value, Entity),
}

impl<'de> DeserializeSeed<'de> for Entities<'_> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Entities<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("trusted entities")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        while let Some(raw) = elements.next_element::<&RawValue>()? {
            let value = strict(raw, DEPTH_OF_ENTITIES)?;
            if !shape::is_entity(&value) {
                return Err(A::Error::custom("no entity"));
            }
            let entity = serde_json::from_value(value).map_err(A::Error::custom)?;
            (self.each)(self.scheme, entity);
        }
        Ok(())
    }
}
