use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The identifier of a wallet unit: a random UUID (version 4), written in lower
/// case with hyphens. It says nothing of the user, the device or the time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct UnitId(Uuid);

/// The text is no wallet unit's identifier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a wallet unit's identifier: a UUID in lower case with hyphens is expected")]
pub struct NotAUnit;

impl UnitId {
    /// A fresh identifier.
    pub fn random() -> Self {
        Self(Uuid::new_v4())
    }

    /// The identifier in 16 bytes.
    pub fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }

    /// An identifier from its 16 bytes.
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Uuid::from_bytes(bytes))
    }

    /// An identifier from bytes of unknown length.
    pub fn from_slice(bytes: &[u8]) -> Result<Self, NotAUnit> {
        Uuid::from_slice(bytes).map(Self).map_err(|_| NotAUnit)
    }
}

impl std::fmt::Display for UnitId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.0.hyphenated().encode_lower(&mut Uuid::encode_buffer()))
    }
}

impl std::str::FromStr for UnitId {
    type Err = NotAUnit;

    /// Reads the one written form: a unit has one name, not several.
    fn from_str(text: &str) -> Result<Self, NotAUnit> {
        let unit = Self(Uuid::try_parse(text).map_err(|_| NotAUnit)?);
        if unit.to_string() == text {
            Ok(unit)
        } else {
            Err(NotAUnit)
        }
    }
}

impl TryFrom<String> for UnitId {
    type Error = NotAUnit;

    fn try_from(text: String) -> Result<Self, NotAUnit> {
        text.parse()
    }
}

impl From<UnitId> for String {
    fn from(unit: UnitId) -> String {
        unit.to_string()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_unit_has_one_written_form() {
        let unit = UnitId::random();
        let text = unit.to_string();
        assert_eq!(text.parse(), Ok(unit));
        for other in [
            text.to_uppercase(),
            text.replace('-', ""),
            format!("{{{text}}}"),
            format!("urn:uuid:{text}"),
            String::new(),
        ] {
            assert_eq!(other.parse::<UnitId>(), Err(NotAUnit), "{other}");
        }
        let json = serde_json::to_value(unit).unwrap();
        assert_eq!(json, text);
        assert_eq!(serde_json::from_value::<UnitId>(json).unwrap(), unit);
    }
}
