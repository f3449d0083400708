//! The list as it stands in its JSON binding (Annex A.1), before anything about
//! it is believed.
//!
//! Every member is optional and every date, URI and certificate is still text,
//! so that a broken list can be read, judged and reported in full. Members that
//! the standard does not know are kept (`other`), reported by the lint, and
//! written back unchanged.

mod entity;
mod scheme;

pub use entity::{
    Address, Entity, EntityInformation, HistoryInstance, PkiObject, Service, ServiceIdentity,
    ServiceInformation, SupplyPoint,
};
pub use scheme::{
    Addresses, LegalNotice, Pointer, PolicyOrLegalNotice, PostalAddress, Qualifier,
    SchemeInformation,
};

use jose::json::Limits;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use crate::{rules, shape};
use finding::{Finding, Refusal};

/// Limits for a list read from outside: 64 MiB, 64 levels deep.
pub const LIMITS: Limits = Limits {
    max_bytes: 64 * 1024 * 1024,
    max_depth: 64,
};

/// A list that was read and is not yet checked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
pub struct UncheckedList {
    /// The list itself (`LoTE`).
    #[serde(rename = "LoTE")]
    pub lote: Lote,
    /// What else stood beside it, such as an embedded `signature`.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// The member `LoTE`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
pub struct Lote {
    /// 6.3.
    #[serde(rename = "ListAndSchemeInformation")]
    pub scheme: SchemeInformation,
    /// 6.4; absent when no entity is or was approved.
    #[serde(
        rename = "TrustedEntitiesList",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub entities: Option<Vec<Entity>>,
    /// Members that the standard does not know.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

impl UncheckedList {
    /// Reads a list from its JSON text.
    ///
    /// # Errors
    /// Refused under [`rules::JSON`] when the bytes are not one JSON document
    /// within [`LIMITS`] (duplicate members included), and under
    /// [`rules::SHAPE`] when a member has another type than the standard gives it.
    pub fn from_json(bytes: &[u8]) -> Result<Self, Refusal> {
        Self::from_value(read_json(bytes)?)
    }

    /// Reads a list from a parsed JSON value.
    ///
    /// # Errors
    /// Refused under [`rules::SHAPE`], one finding for each member of another
    /// type than the standard gives it.
    pub fn from_value(value: Value) -> Result<Self, Refusal> {
        let mut wrong: Vec<Finding> = shape::judge(&value);
        wrong.retain(|f| f.is(&rules::SHAPE));
        Refusal::unless_clean(wrong)?;
        serde_json::from_value(value)
            .map_err(|e| Refusal::because(&rules::SHAPE, "list", e.to_string()))
    }

    /// The list as JSON, members in the order of the standard.
    ///
    /// # Errors
    /// Only when a kept unknown member cannot be written, which `serde_json`
    /// does not let happen for values it has read itself.
    pub fn to_json(&self) -> Result<Vec<u8>, serde_json::Error> {
        serde_json::to_vec(self)
    }

    /// The entities, none when the member is absent.
    pub fn entities(&self) -> &[Entity] {
        self.lote.entities.as_deref().unwrap_or_default()
    }

    /// The scheme information.
    pub fn scheme(&self) -> &SchemeInformation {
        &self.lote.scheme
    }
}

/// Reads one JSON document within [`LIMITS`].
pub(crate) fn read_json(bytes: &[u8]) -> Result<Value, Refusal> {
    jose::json::parse(bytes, LIMITS)
        .map_err(|e| Refusal::because(&rules::JSON, "list", e.to_string()))
}

/// A text in one language (6.1.4).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct Text {
    /// The language (RFC 5646, lower case).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lang: Option<String>,
    /// The text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// Members that the standard does not know.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

impl Text {
    /// A text in English, the language that every list has (6.1.4).
    pub fn en(value: impl Into<String>) -> Self {
        Self {
            lang: Some("en".into()),
            value: Some(value.into()),
            other: Map::new(),
        }
    }

    /// The text, empty when it is absent.
    pub fn text(&self) -> &str {
        self.value.as_deref().unwrap_or_default()
    }
}

/// A pointer to a resource in one language (6.1.4).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct TextUri {
    /// The language of what is pointed to (RFC 5646, lower case).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lang: Option<String>,
    /// The URI.
    #[serde(rename = "uriValue", default, skip_serializing_if = "Option::is_none")]
    pub uri: Option<String>,
    /// Members that the standard does not know.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

impl TextUri {
    /// A pointer to something in English.
    pub fn en(uri: impl Into<String>) -> Self {
        Self {
            lang: Some("en".into()),
            uri: Some(uri.into()),
            other: Map::new(),
        }
    }

    /// The URI, empty when it is absent.
    pub fn uri(&self) -> &str {
        self.uri.as_deref().unwrap_or_default()
    }
}

/// Keeps "absent" and "null" apart: a `NextUpdate` of null closes a list (6.3.15).
pub(crate) fn nullable<'de, D, T>(deserializer: D) -> Result<Option<Option<T>>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    Option::<T>::deserialize(deserializer).map(Some)
}
