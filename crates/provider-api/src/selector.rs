//! Many units at once: what an operator chooses them by, and how far it is.

use jiff::Timestamp;
use sci::UnitId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::RevocationReason;

/// The longest text that a selector compares with, in bytes.
const MAX_TEXT: usize = 256;

/// Which units are meant: those for which everything holds that is given here.
/// Nothing given is no selector; `everything` stands alone.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Selector {
    /// This unit.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = "uuid")]
    pub unit: Option<UnitId>,
    /// On a device of this model, as its evidence names it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// On a device whose patch level, year and month as in `202611`, lies below. A
    /// device that told none is not meant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub patch_below: Option<u32>,
    /// With a WSCD of this type: a unit has one once keys in it were attested.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wscd_type: Option<String>,
    /// With a keystore of this type, likewise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keystore_type: Option<String>,
    /// Of this version of the wallet solution.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Of a version below: numbers between dots are compared as numbers. A version
    /// that is not made of them is not meant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version_below: Option<String>,
    /// All of them (ARF `WPNot_06`).
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub everything: bool,
}

/// Why a selector is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SelectorError {
    /// Nothing is given.
    #[error("nothing is selected: say which units, or everything")]
    Empty,
    /// Everything, and something besides.
    #[error("everything stands alone")]
    NotAlone,
    /// A text is empty or too long.
    #[error("{0}: 1 to {MAX_TEXT} bytes are expected")]
    Text(&'static str),
    /// A patch level that is no year and month.
    #[error("patch_below: a year and a month as in 202611 are expected")]
    Patch,
    /// An advisory's name that is none.
    #[error("advisory: 1 to 64 letters, digits, dots, hyphens and colons are expected")]
    Advisory,
    /// A version that has no order.
    #[error("version_below: numbers between dots are expected")]
    Version,
}

impl Selector {
    /// All units.
    pub fn everything() -> Self {
        Self {
            everything: true,
            ..Self::default()
        }
    }

    /// Refuses what selects nothing, or says two things at once.
    pub fn check(&self) -> Result<(), SelectorError> {
        let texts = [
            ("model", &self.model),
            ("wscd_type", &self.wscd_type),
            ("keystore_type", &self.keystore_type),
            ("version", &self.version),
            ("version_below", &self.version_below),
        ];
        let narrow = self.unit.is_some()
            || self.patch_below.is_some()
            || texts.iter().any(|(_, text)| text.is_some());
        match (narrow, self.everything) {
            (false, false) => return Err(SelectorError::Empty),
            (true, true) => return Err(SelectorError::NotAlone),
            _ => {}
        }
        for (name, text) in texts {
            if let Some(text) = text
                && (text.is_empty() || text.len() > MAX_TEXT)
            {
                return Err(SelectorError::Text(name));
            }
        }
        let year_and_month =
            |level: u32| (2000..3000).contains(&(level / 100)) && (1..=12).contains(&(level % 100));
        if self.patch_below.is_some_and(|level| !year_and_month(level)) {
            return Err(SelectorError::Patch);
        }
        if let Some(bound) = &self.version_below
            && numbers(bound).is_none()
        {
            return Err(SelectorError::Version);
        }
        Ok(())
    }

    /// Whether a unit of this version is one of those below `version_below`, where
    /// that is given.
    pub fn takes_version(&self, version: &str) -> bool {
        let Some(bound) = &self.version_below else {
            return true;
        };
        match (numbers(version), numbers(bound)) {
            (Some(version), Some(bound)) => version < bound,
            _ => false,
        }
    }
}

/// The numbers of a version; zeros at its end say nothing.
fn numbers(version: &str) -> Option<Vec<u64>> {
    let mut numbers = version
        .split('.')
        .map(|number| number.parse().ok())
        .collect::<Option<Vec<u64>>>()?;
    while numbers.last() == Some(&0) {
        numbers.pop();
    }
    Some(numbers)
}

/// What is revoked of the units that are selected.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Extent {
    /// The unit, with everything it has.
    #[default]
    Unit,
    /// Its keystore alone; the unit goes on. Only where the provider has a risk
    /// analysis that says why (ARF `WURevocation_09c`).
    Keystore,
}

impl Extent {
    /// The name on the wire and in the store.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unit => "unit",
            Self::Keystore => "keystore",
        }
    }

    /// The extent of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Unit, Self::Keystore]
            .into_iter()
            .find(|extent| extent.name() == name)
    }
}

/// The revocation of many units at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BulkRevocation {
    /// Which units.
    pub selector: Selector,
    /// Why.
    pub reason: RevocationReason,
    /// What of them.
    #[serde(default)]
    pub extent: Extent,
    /// The name of an advisory that tells the technical details of a breach, such as
    /// `EUVD-2026-0001`: letters, digits, dots, hyphens and colons, at most 64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub advisory: Option<String>,
    /// Whether the units are only counted.
    #[serde(default)]
    pub dry_run: bool,
    /// The most units that are meant: where more are selected, none is revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_most: Option<u64>,
}

impl BulkRevocation {
    /// Refuses what cannot be meant.
    pub fn check(&self) -> Result<(), SelectorError> {
        check_advisory(self.advisory.as_deref())?;
        self.selector.check()
    }
}

/// Refuses what is no advisory's name.
pub fn check_advisory(advisory: Option<&str>) -> Result<(), SelectorError> {
    let known = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':');
    match advisory {
        Some(name) if !(1..=64).contains(&name.len()) || !name.chars().all(known) => {
            Err(SelectorError::Advisory)
        }
        _ => Ok(()),
    }
}

/// How much a revocation would take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Selected {
    /// How many units are selected and not revoked.
    pub selected: u64,
    /// How many status entries that belong to no unit would be set besides: of
    /// attestations without a unit, and such as all units of a type share.
    #[serde(default)]
    pub entries: u64,
}

/// Where a revocation of many units stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum JobState {
    /// There is more to do; it goes on by itself, after a crash too.
    Running,
    /// Every unit that was selected is revoked, on disk.
    Done,
}

impl JobState {
    /// The name on the wire and in the store.
    pub fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Done => "done",
        }
    }

    /// The state of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Running, Self::Done]
            .into_iter()
            .find(|state| state.name() == name)
    }
}

/// A revocation of many units.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RevocationJob {
    /// Its identifier.
    pub job: String,
    /// Which units.
    pub selector: Selector,
    /// Why.
    pub reason: RevocationReason,
    /// What of them.
    pub extent: Extent,
    /// The advisory that tells the technical details.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub advisory: Option<String>,
    /// Who asked for it, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// When it began.
    #[schema(value_type = String, format = "date-time")]
    pub began: Timestamp,
    /// When it was done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = "date-time")]
    pub finished: Option<Timestamp>,
    /// Where it stands.
    pub state: JobState,
    /// How many units were selected when it began.
    pub selected: u64,
    /// How many of them it has revoked. Another revocation may have taken some.
    pub revoked: u64,
}

/// Revocations of many units, the newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RevocationJobs {
    /// The jobs.
    pub jobs: Vec<RevocationJob>,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_selector_says_one_thing_and_says_something() {
        let with = |change: fn(&mut Selector)| {
            let mut selector = Selector::default();
            change(&mut selector);
            selector.check()
        };
        assert_eq!(with(|_| {}), Err(SelectorError::Empty));
        assert_eq!(with(|s| s.everything = true), Ok(()));
        assert_eq!(
            with(|s| {
                s.everything = true;
                s.model = Some("m".into());
            }),
            Err(SelectorError::NotAlone)
        );
        assert_eq!(
            with(|s| s.model = Some(String::new())),
            Err(SelectorError::Text("model"))
        );
        assert_eq!(
            with(|s| s.version = Some("x".repeat(257))),
            Err(SelectorError::Text("version"))
        );
        for level in [0, 2026, 202_600, 202_613, 20_261_101] {
            let selector = Selector {
                patch_below: Some(level),
                ..Selector::default()
            };
            assert_eq!(selector.check(), Err(SelectorError::Patch), "{level}");
        }
        assert_eq!(
            with(|s| s.version_below = Some("1.x".into())),
            Err(SelectorError::Version)
        );
        assert_eq!(
            with(|s| {
                s.model = Some("m".into());
                s.patch_below = Some(202_611);
                s.version_below = Some("1.10".into());
            }),
            Ok(())
        );
    }

    #[test]
    fn versions_are_compared_as_numbers() {
        let below = |bound: &str| Selector {
            version_below: Some(bound.into()),
            ..Selector::default()
        };
        for (version, bound, taken) in [
            ("1.9.9", "1.10.0", true),
            ("1.10.0", "1.9.9", false),
            ("1.10", "1.10.0", false),
            ("1.10.0.1", "1.10", false),
            ("1.10", "1.10.0.1", true),
            ("2", "10", true),
            ("nightly", "10", false),
            ("", "10", false),
            ("1.-1", "10", false),
            ("99999999999999999999999", "1", false),
        ] {
            assert_eq!(
                below(bound).takes_version(version),
                taken,
                "{version} below {bound}"
            );
        }
        assert!(Selector::default().takes_version("nightly"));
    }

    #[test]
    fn what_is_not_given_is_not_written() {
        let text = serde_json::to_string(&Selector::everything()).unwrap();
        assert_eq!(text, r#"{"everything":true}"#);
        assert!(serde_json::from_str::<Selector>(r#"{"modell":"m"}"#).is_err());
    }
}
