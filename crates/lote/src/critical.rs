//! Extensions and their criticality (6.3.17).

use serde_json::Value;

/// Whether an extension says that it is critical; `None` when it says neither.
pub(crate) fn criticality(extension: &Value) -> Option<bool> {
    let members = extension.as_object()?;
    members
        .iter()
        .find(|(name, _)| {
            ["critical", "iscritical", "criticality"].contains(&name.to_ascii_lowercase().as_str())
        })
        .and_then(|(_, value)| match value {
            Value::Bool(critical) => Some(*critical),
            Value::String(text) => text.parse().ok(),
            _ => None,
        })
}

/// The extensions of services that are recognized here.
pub(crate) const KNOWN_SERVICE_EXTENSIONS: [&str; 1] = ["ServiceUniqueIdentifier"];
/// The extensions of entities that are recognized here.
pub(crate) const KNOWN_ENTITY_EXTENSIONS: [&str; 1] = ["OtherAssociatedBodies"];

/// Whether an extension is critical and nothing in it is recognized.
pub(crate) fn is_unknown_critical(extension: &Value, known: &[&str]) -> bool {
    criticality(extension) == Some(true)
        && !extension
            .as_object()
            .is_some_and(|members| members.keys().any(|name| known.contains(&name.as_str())))
}
