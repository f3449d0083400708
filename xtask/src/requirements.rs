//! `docs/requirements.toml`: every requirement, and the test that holds it true.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::source::{code_only, modules_by_path, test_functions};
use crate::workspace::{Workspace, rust_files};
use crate::{Doing, Failure};

/// Where the table stands, from the project root.
pub const FILE: &str = "docs/requirements.toml";
/// Where the recorded proofs stand, from the project root.
pub const PROOFS: &str = "docs/proofs";

/// The whole table.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Requirements {
    /// In the order of the file.
    pub requirement: Vec<Requirement>,
}

/// One requirement. Which members it must have depends on its status.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Requirement {
    /// The text's own id where it has one.
    pub id: String,
    /// Document, version and clause.
    pub source: String,
    /// What it asks, in our own words.
    pub says: String,
    /// How far it is fulfilled.
    pub status: Status,
    /// The area that brings it.
    pub planned: Option<String>,
    /// Why it is not for this project.
    pub why: Option<String>,
    /// What is missing from a partial one.
    pub note: Option<String>,
    /// Files that fulfil it, from the project root.
    #[serde(default)]
    pub code: Vec<String>,
    /// Tests that fail without that code.
    #[serde(default)]
    pub tests: Vec<String>,
}

/// How far a requirement is fulfilled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// Fulfilled, and held true by tests.
    Done,
    /// Fulfilled in part; the note says what is missing.
    Partial,
    /// A later piece of work brings it.
    Planned,
    /// Somebody else's duty.
    NotOurs,
}

impl Requirements {
    /// Reads the project's table.
    pub fn read(root: &Path) -> Result<Self, Failure> {
        Self::parse(&std::fs::read_to_string(root.join(FILE)).doing(FILE)?)
    }

    /// Parses a table.
    pub fn parse(text: &str) -> Result<Self, Failure> {
        toml::from_str(text).doing(FILE)
    }

    /// The requirement with this id.
    pub fn find(&self, id: &str) -> Option<&Requirement> {
        self.requirement
            .iter()
            .find(|requirement| requirement.id == id)
    }

    /// What is wrong with the table by itself, one line each.
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let mut seen = BTreeSet::new();
        for requirement in &self.requirement {
            if !seen.insert(&requirement.id) {
                problems.push(format!("{}: stands there twice", requirement.id));
            }
            requirement.problems(&mut problems);
        }
        problems
    }
}

impl Requirement {
    fn problems(&self, problems: &mut Vec<String>) {
        let mut problem = |what: &str| problems.push(format!("{}: {what}", self.id));
        if self.id.is_empty() || self.id.contains(char::is_whitespace) {
            problem("an id is one word");
        }
        if self.source.trim().is_empty() {
            problem("has no source");
        }
        if self.says.trim().is_empty() {
            problem("does not say what it asks");
        }
        let fulfilled = matches!(self.status, Status::Done | Status::Partial);
        if fulfilled && self.code.is_empty() {
            problem("names no code");
        }
        if fulfilled && self.tests.is_empty() {
            problem("names no test");
        }
        let present = |text: &Option<String>| text.as_deref().is_some_and(|t| !t.trim().is_empty());
        if self.status == Status::Partial && !present(&self.note) {
            problem("is partial and does not note what is missing");
        }
        if self.status == Status::Planned && !present(&self.planned) {
            problem("is planned and does not say what brings it");
        }
        if self.status == Status::NotOurs && !present(&self.why) {
            problem("is not ours and does not say why");
        }
    }
}

/// A test as the table names it, found in the source.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct TestRef {
    /// The package it belongs to.
    pub package: String,
    /// The integration test's file name without `.rs`; none for a unit test.
    pub file: Option<String>,
    /// Its path within that test binary.
    pub path: String,
}

impl TestRef {
    /// Reads `<crate>::<module path>::<test>` or `<folder>/tests/<file>.rs::<test>`.
    pub fn parse(text: &str) -> Option<Self> {
        let (first, path) = text.split_once("::")?;
        if path.is_empty() {
            return None;
        }
        let Some((folder, file)) = first.split_once("/tests/") else {
            return (!first.contains('/')).then(|| Self {
                package: first.to_owned(),
                file: None,
                path: path.to_owned(),
            });
        };
        Some(Self {
            package: folder.rsplit('/').next()?.to_owned(),
            file: Some(file.strip_suffix(".rs").unwrap_or(file).to_owned()),
            path: path.to_owned(),
        })
    }
}

/// Every test of the project, by a scan of the source. Cases that a macro
/// makes (`rstest`) count under the function's own name.
#[derive(Debug)]
pub struct TestIndex {
    tests: BTreeSet<TestRef>,
    /// Packages by the name of their folder, for references by path.
    folders: BTreeMap<String, String>,
}

impl TestIndex {
    /// Scans all packages.
    pub fn scan(workspace: &Workspace) -> Result<Self, Failure> {
        let mut index = Self {
            tests: BTreeSet::new(),
            folders: BTreeMap::new(),
        };
        for package in &workspace.metadata.packages {
            let Some(folder) = workspace.package_dir(&package.name) else {
                continue;
            };
            if let Some(name) = folder.file_name() {
                index.folders.insert(
                    name.to_string_lossy().into_owned(),
                    package.name.to_string(),
                );
            }
            let source = folder.join("src");
            let files = rust_files(&source)?;
            let renamed = renamed_modules(&source, &files)?;
            for file in &files {
                let modules = renamed
                    .get(file)
                    .cloned()
                    .unwrap_or_else(|| modules_of(file.strip_prefix(&source).unwrap_or(file)));
                index.add(&package.name, None, &modules, file)?;
            }
            let tests = folder.join("tests");
            for file in rust_files(&tests)? {
                let mut modules = modules_of(file.strip_prefix(&tests).unwrap_or(&file));
                let binary = (!modules.is_empty()).then(|| modules.remove(0));
                index.add(&package.name, binary, &modules, &file)?;
            }
        }
        Ok(index)
    }

    fn add(
        &mut self,
        package: &str,
        binary: Option<String>,
        modules: &[String],
        file: &PathBuf,
    ) -> Result<(), Failure> {
        let text = std::fs::read_to_string(file).doing(file.display())?;
        for test in test_functions(&code_only(&text)) {
            let path = [modules, &test.modules, &[test.name]].concat().join("::");
            self.tests.insert(TestRef {
                package: package.to_owned(),
                file: binary.clone(),
                path,
            });
        }
        Ok(())
    }

    /// The test that the table means, by the package's real name.
    pub fn find(&self, named: &str) -> Option<&TestRef> {
        let mut wanted = TestRef::parse(named)?;
        if let Some(package) = self.folders.get(&wanted.package) {
            wanted.package.clone_from(package);
        }
        let same = |a: &str, b: &str| a.replace('_', "-") == b.replace('_', "-");
        self.tests.iter().find(|test| {
            same(&test.package, &wanted.package)
                && test.file == wanted.file
                && test.path == wanted.path
        })
    }
}

/// The modules of files that are declared under a name that is not theirs.
fn renamed_modules(
    source: &Path,
    files: &[PathBuf],
) -> Result<BTreeMap<PathBuf, Vec<String>>, Failure> {
    let mut renamed = BTreeMap::new();
    for file in files {
        let text = std::fs::read_to_string(file).doing(file.display())?;
        for (named, module) in modules_by_path(&text) {
            let mut modules = modules_of(file.strip_prefix(source).unwrap_or(file));
            modules.push(module);
            renamed.insert(file.with_file_name(named), modules);
        }
    }
    Ok(renamed)
}

/// `a/b.rs` and `a/b/mod.rs` are the module a::b; `lib.rs` and `main.rs` none.
fn modules_of(file: &Path) -> Vec<String> {
    let mut modules: Vec<String> = file
        .with_extension("")
        .iter()
        .map(|part| part.to_string_lossy().into_owned())
        .collect();
    let root = modules.len() == 1;
    let last = modules.last().map(String::as_str);
    if last == Some("mod") || (root && matches!(last, Some("lib" | "main"))) {
        modules.pop();
    }
    modules
}

/// Everything wrong with the table, its tests, its files and its proofs.
pub fn check(workspace: &Workspace) -> Result<(Requirements, Vec<String>), Failure> {
    let requirements = Requirements::read(&workspace.root)?;
    let index = TestIndex::scan(workspace)?;
    let mut problems = requirements.problems();
    for requirement in &requirements.requirement {
        for file in &requirement.code {
            if !workspace.root.join(file).is_file() {
                problems.push(format!("{}: there is no {file}", requirement.id));
            }
        }
        for test in &requirement.tests {
            if index.find(test).is_none() {
                problems.push(format!("{}: there is no test {test}", requirement.id));
            }
        }
    }
    for id in proof_ids(&workspace.root)? {
        match requirements.find(&id) {
            None => problems.push(format!("{PROOFS}/{id}.patch proves no requirement")),
            Some(found) if found.tests.is_empty() => {
                problems.push(format!("{id}: has a proof and names no test"));
            }
            Some(_) => {}
        }
    }
    Ok((requirements, problems))
}

/// The ids for which a proof is recorded, sorted.
pub fn proof_ids(root: &Path) -> Result<Vec<String>, Failure> {
    let folder = root.join(PROOFS);
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let mut ids = Vec::new();
    for entry in std::fs::read_dir(&folder).doing(PROOFS)? {
        let path = entry.doing(PROOFS)?.path();
        if path
            .extension()
            .is_some_and(|extension| extension == "patch")
        {
            ids.extend(path.file_stem().map(|s| s.to_string_lossy().into_owned()));
        }
    }
    ids.sort();
    Ok(ids)
}

/// Prints what is wrong, and how many requirements are in which state.
pub fn report(workspace: &Workspace) -> Result<bool, Failure> {
    let (requirements, problems) = check(workspace)?;
    for problem in &problems {
        println!("{problem}");
    }
    let mut counts = BTreeMap::new();
    for requirement in &requirements.requirement {
        *counts.entry(requirement.status).or_insert(0_usize) += 1;
    }
    let of = |status| counts.get(&status).copied().unwrap_or(0);
    println!(
        "requirements: {} in all, {} done, {} partial, {} planned, {} not ours; {} proofs recorded; {} problems",
        requirements.requirement.len(),
        of(Status::Done),
        of(Status::Partial),
        of(Status::Planned),
        of(Status::NotOurs),
        proof_ids(&workspace.root)?.len(),
        problems.len(),
    );
    Ok(problems.is_empty())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::path::Path;

    use super::{Requirements, TestRef, modules_of};

    fn table(members: &str) -> String {
        format!("[[requirement]]\nid = \"A_1\"\nsource = \"S\"\nsays = \"x\"\n{members}\n")
    }

    #[test]
    fn each_status_wants_its_members() {
        let whole = "code = [\"c.rs\"]\ntests = [\"a::b\"]";
        for (members, problems) in [
            (format!("status = \"done\"\n{whole}"), vec![]),
            (
                "status = \"done\"".to_owned(),
                vec!["A_1: names no code", "A_1: names no test"],
            ),
            (
                format!("status = \"partial\"\n{whole}"),
                vec!["A_1: is partial and does not note what is missing"],
            ),
            (
                "status = \"planned\"".to_owned(),
                vec!["A_1: is planned and does not say what brings it"],
            ),
            (
                "status = \"not-ours\"\nwhy = \" \"".to_owned(),
                vec!["A_1: is not ours and does not say why"],
            ),
            (
                "status = \"planned\"\nplanned = \"wsca\"".to_owned(),
                vec![],
            ),
        ] {
            let table = Requirements::parse(&table(&members)).unwrap();
            assert_eq!(table.problems(), problems, "{members}");
        }
    }

    #[test]
    fn an_id_stands_once() {
        let one = table("status = \"planned\"\nplanned = \"x\"");
        let twice = Requirements::parse(&format!("{one}{one}")).unwrap();
        assert_eq!(twice.problems(), ["A_1: stands there twice"]);
    }

    #[test]
    fn unknown_members_and_states_are_refused() {
        for members in ["status = \"almost\"", "status = \"done\"\nproof = \"x\""] {
            assert!(Requirements::parse(&table(members)).is_err(), "{members}");
        }
    }

    #[test]
    fn a_test_is_named_by_module_or_by_file() {
        let test = |package: &str, file: Option<&str>, path: &str| {
            Some(TestRef {
                package: package.to_owned(),
                file: file.map(str::to_owned),
                path: path.to_owned(),
            })
        };
        for (text, wanted) in [
            ("lote::lint::tests::a", test("lote", None, "lint::tests::a")),
            (
                "crates/lote/tests/seal.rs::a",
                test("lote", Some("seal"), "a"),
            ),
            ("lote/tests/seal::m::a", test("lote", Some("seal"), "m::a")),
            ("lote", None),
            ("lote::", None),
            ("crates/lote/src/a.rs::b", None),
        ] {
            assert_eq!(TestRef::parse(text), wanted, "{text}");
        }
    }

    #[test]
    fn files_are_modules() {
        for (file, modules) in [
            ("lib.rs", vec![]),
            ("main.rs", vec![]),
            ("a.rs", vec!["a"]),
            ("a/mod.rs", vec!["a"]),
            ("a/b.rs", vec!["a", "b"]),
            ("a/lib.rs", vec!["a", "lib"]),
        ] {
            assert_eq!(modules_of(Path::new(file)), modules, "{file}");
        }
    }
}
