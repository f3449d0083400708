use serde::{Serialize, Serializer};

/// What attack potential a keystore or a user authentication resists
/// (OpenID4VCI 1.0, D.2), the strongest first in the order of comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AttackPotential {
    /// `iso_18045_basic`: VAN.2.
    Basic,
    /// `iso_18045_enhanced-basic`: VAN.3.
    EnhancedBasic,
    /// `iso_18045_moderate`: VAN.4.
    Moderate,
    /// `iso_18045_high`: VAN.5, which a WSCD must reach.
    High,
}

impl AttackPotential {
    /// The value in `key_storage` and `user_authentication`.
    pub fn name(self) -> &'static str {
        match self {
            AttackPotential::Basic => "iso_18045_basic",
            AttackPotential::EnhancedBasic => "iso_18045_enhanced-basic",
            AttackPotential::Moderate => "iso_18045_moderate",
            AttackPotential::High => "iso_18045_high",
        }
    }

    /// The level a value names. Values are case sensitive.
    pub fn from_name(name: &str) -> Option<Self> {
        [
            AttackPotential::Basic,
            AttackPotential::EnhancedBasic,
            AttackPotential::Moderate,
            AttackPotential::High,
        ]
        .into_iter()
        .find(|level| level.name() == name)
    }
}

impl std::fmt::Display for AttackPotential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}

/// One value of `key_storage` or `user_authentication`.
///
/// A keystore that resists nothing in particular (WIAM_08a: none) has no value
/// here: its KA leaves the claim out, since an empty array is not allowed.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Level {
    /// A level of ISO 18045.
    Iso(AttackPotential),
    /// A value of another ecosystem. It earns nothing here.
    Other(String),
}

impl Level {
    /// The value as it stands in the claim.
    pub fn as_str(&self) -> &str {
        match self {
            Level::Iso(level) => level.name(),
            Level::Other(text) => text,
        }
    }
}

impl Serialize for Level {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl From<AttackPotential> for Level {
    fn from(level: AttackPotential) -> Self {
        Level::Iso(level)
    }
}

impl From<&str> for Level {
    fn from(text: &str) -> Self {
        AttackPotential::from_name(text).map_or_else(|| Level::Other(text.into()), Level::Iso)
    }
}

/// The strongest level of ISO 18045 among the values: what resists a stronger
/// attacker resists a weaker one, which is how TS3's own example of
/// `["iso_18045_high", "iso_18045_moderate"]` for a WSCD is read.
pub fn strongest(levels: &[Level]) -> Option<AttackPotential> {
    levels
        .iter()
        .filter_map(|level| match level {
            Level::Iso(level) => Some(*level),
            Level::Other(_) => None,
        })
        .max()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back_and_are_case_sensitive() {
        for name in [
            "iso_18045_basic",
            "iso_18045_enhanced-basic",
            "iso_18045_moderate",
            "iso_18045_high",
        ] {
            assert_eq!(Level::from(name).as_str(), name);
            assert!(matches!(Level::from(name), Level::Iso(_)));
        }
        for name in ["ISO_18045_HIGH", "high", "none", ""] {
            assert_eq!(Level::from(name), Level::Other(name.into()));
        }
    }

    #[test]
    fn the_strongest_counts_and_foreign_values_earn_nothing() {
        let levels = |names: &[&str]| names.iter().map(|n| Level::from(*n)).collect::<Vec<_>>();
        assert_eq!(
            strongest(&levels(&["iso_18045_moderate", "iso_18045_high"])),
            Some(AttackPotential::High)
        );
        assert_eq!(strongest(&levels(&["https://level.example/top"])), None);
        assert_eq!(strongest(&[]), None);
    }
}
