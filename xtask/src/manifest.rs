//! What cargo's metadata does not tell about a package: whether it takes the
//! workspace's lints, and whether its dependencies come from the workspace.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use toml::Value;

use crate::{Doing, Failure};

/// The parts of a Cargo.toml that the rules of the house look at.
#[derive(Debug, Deserialize)]
pub struct Manifest {
    lints: Option<Value>,
    #[serde(default)]
    dependencies: BTreeMap<String, Value>,
    #[serde(default, rename = "dev-dependencies")]
    dev_dependencies: BTreeMap<String, Value>,
    #[serde(default, rename = "build-dependencies")]
    build_dependencies: BTreeMap<String, Value>,
    #[serde(default)]
    target: BTreeMap<String, Target>,
    workspace: Option<Value>,
}

#[derive(Debug, Default, Deserialize)]
struct Target {
    #[serde(default)]
    dependencies: BTreeMap<String, Value>,
    #[serde(default, rename = "dev-dependencies")]
    dev_dependencies: BTreeMap<String, Value>,
}

impl Manifest {
    /// Reads a Cargo.toml.
    pub fn read(path: &Path) -> Result<Self, Failure> {
        Self::parse(&std::fs::read_to_string(path).doing(path.display())?).doing(path.display())
    }

    /// Parses the text of a Cargo.toml.
    pub fn parse(text: &str) -> Result<Self, toml::de::Error> {
        toml::from_str(text)
    }

    /// Whether `[lints] workspace = true` stands there.
    pub fn takes_workspace_lints(&self) -> bool {
        self.lints
            .as_ref()
            .and_then(|lints| lints.get("workspace"))
            .and_then(Value::as_bool)
            == Some(true)
    }

    /// Dependencies that do not say `workspace = true`.
    pub fn own_dependencies(&self) -> Vec<String> {
        let targets = self
            .target
            .values()
            .flat_map(|target| [&target.dependencies, &target.dev_dependencies]);
        [
            &self.dependencies,
            &self.dev_dependencies,
            &self.build_dependencies,
        ]
        .into_iter()
        .chain(targets)
        .flatten()
        .filter(|(_, wanted)| wanted.get("workspace").and_then(Value::as_bool) != Some(true))
        .map(|(name, _)| name.clone())
        .collect()
    }

    /// Whether the workspace forbids unsafe code.
    pub fn forbids_unsafe_code(&self) -> bool {
        let level = self
            .workspace
            .as_ref()
            .and_then(|workspace| workspace.get("lints"))
            .and_then(|lints| lints.get("rust"))
            .and_then(|rust| rust.get("unsafe_code"));
        // A lint is a level, or a table that holds one.
        level
            .and_then(|level| {
                level
                    .as_str()
                    .or_else(|| level.get("level").and_then(Value::as_str))
            })
            .is_some_and(|level| level == "forbid")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::Manifest;

    #[test]
    fn lints_count_only_when_taken_from_the_workspace() {
        for (text, taken) in [
            ("[lints]\nworkspace = true", true),
            ("[lints]\nworkspace = false", false),
            ("[lints.rust]\nunsafe_code = \"forbid\"", false),
            ("", false),
        ] {
            assert_eq!(
                Manifest::parse(text).unwrap().takes_workspace_lints(),
                taken,
                "{text}"
            );
        }
    }

    #[test]
    fn a_dependency_with_a_version_of_its_own_is_found_in_every_table() {
        let text = r#"
            [dependencies]
            a.workspace = true
            b = "1"
            [dev-dependencies]
            c = { path = "../c" }
            [target.'cfg(unix)'.dependencies]
            d = { version = "1" }
            e = { workspace = true, features = ["x"] }
        "#;
        assert_eq!(
            Manifest::parse(text).unwrap().own_dependencies(),
            ["b", "c", "d"]
        );
    }

    #[test]
    fn only_forbid_forbids() {
        for (level, forbids) in [
            ("\"forbid\"", true),
            ("{ level = \"forbid\", priority = 1 }", true),
            ("\"deny\"", false),
        ] {
            let text = format!("[workspace.lints.rust]\nunsafe_code = {level}");
            assert_eq!(
                Manifest::parse(&text).unwrap().forbids_unsafe_code(),
                forbids,
                "{text}"
            );
        }
        assert!(!Manifest::parse("").unwrap().forbids_unsafe_code());
    }
}
