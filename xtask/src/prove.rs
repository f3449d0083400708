//! A proof that a requirement's tests mean something: a recorded patch breaks
//! the code, and the tests named for the requirement must then fail.
//!
//! The patch is applied in a worktree of its own under the target folder, so
//! the files being worked on are never touched. What is proven is the last
//! commit.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::requirements::{FILE, PROOFS, Requirement, Requirements, TestIndex, TestRef, proof_ids};
use crate::suite::{PYTHON, SKIP_LOG};
use crate::workspace::{Workspace, cargo_in};
use crate::{Doing, Failure};

/// Proves one requirement. `Ok(true)` when its tests noticed the broken code.
pub fn one(workspace: &Workspace, id: &str) -> Result<bool, Failure> {
    let requirements = Requirements::read(&workspace.root)?;
    let requirement = requirements
        .find(id)
        .ok_or_else(|| Failure::usage(format!("{id} does not stand in {FILE}")))?;
    let patch = workspace.root.join(PROOFS).join(format!("{id}.patch"));
    if !patch.is_file() {
        return Err(Failure::usage(format!(
            "{id}: no proof is recorded ({PROOFS}/{id}.patch); proofs are recorded for: {}",
            proof_ids(&workspace.root)?.join(", ")
        )));
    }
    let tree = Worktree::new(workspace)?;
    prove(workspace, &tree, requirement, &patch)
}

/// Proves some of the recorded proofs, drawn at random. `Ok(true)` when all hold.
pub fn sample(workspace: &Workspace, count: usize) -> Result<bool, Failure> {
    let requirements = Requirements::read(&workspace.root)?;
    let mut ids = proof_ids(&workspace.root)?;
    if ids.is_empty() {
        return Err(Failure::usage(format!(
            "no proofs are recorded in {PROOFS}"
        )));
    }
    shuffle(
        &mut ids,
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(1, |t| t.as_secs()),
    );
    ids.truncate(count);
    let tree = Worktree::new(workspace)?;
    let mut held = 0;
    for id in &ids {
        let requirement = requirements
            .find(id)
            .ok_or_else(|| Failure::new(format!("{id} does not stand in {FILE}")))?;
        let patch = workspace.root.join(PROOFS).join(format!("{id}.patch"));
        // One proof that cannot be made says nothing about the others.
        match prove(workspace, &tree, requirement, &patch) {
            Ok(true) => held += 1,
            Ok(false) => {}
            Err(failure) => println!("{id}: NOT PROVEN: {failure}"),
        }
    }
    println!("proofs: {held} of {} hold", ids.len());
    Ok(held == ids.len())
}

/// A shuffle that needs no dependency: which proofs are drawn is no secret.
fn shuffle(ids: &mut [String], seed: u64) {
    let mut state = seed | 1;
    for last in (1..ids.len()).rev() {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let drawn = (state >> 33) as usize % (last + 1);
        ids.swap(last, drawn);
    }
}

fn prove(
    workspace: &Workspace,
    tree: &Worktree,
    requirement: &Requirement,
    patch: &Path,
) -> Result<bool, Failure> {
    let id = &requirement.id;
    let started = Instant::now();
    let index = TestIndex::scan(&Workspace::open_at(&tree.folder)?)?;
    let tests: Vec<&TestRef> = requirement
        .tests
        .iter()
        .map(|name| {
            index.find(name).ok_or_else(|| {
                Failure::new(format!("{id}: there is no test {name} in the last commit"))
            })
        })
        .collect::<Result<_, _>>()?;
    if tests.is_empty() {
        return Err(Failure::new(format!("{id}: names no test")));
    }
    let with_patch = tree.apply(patch)?;
    // A test that fails on broken code only counts when it passes on whole
    // code, and code that does not build proves nothing.
    let mut ran = Vec::new();
    let mut noticed = 0;
    for test in &tests {
        let said = match run(workspace, tree, test)? {
            Outcome::DoesNotBuild => {
                return Err(Failure::new(format!(
                    "{id}: the code does not build under {}",
                    patch.display()
                )));
            }
            Outcome::NothingRan => "did not run",
            Outcome::Failed => {
                ran.push(test);
                noticed += 1;
                "fails on the broken code, as it must"
            }
            Outcome::Passed => {
                ran.push(test);
                "passes on the broken code"
            }
        };
        println!("{id}: {} {said}", test.path);
    }
    drop(with_patch);
    for test in ran {
        if run(workspace, tree, test)? != Outcome::Passed {
            println!("{id}: NOT PROVEN: {} fails on whole code too", test.path);
            return Ok(false);
        }
    }
    println!(
        "{id}: {}: {noticed} of {} tests notice the broken code ({:.0} s)",
        if noticed > 0 { "PROVEN" } else { "NOT PROVEN" },
        tests.len(),
        started.elapsed().as_secs_f64()
    );
    Ok(noticed > 0)
}

#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    Passed,
    Failed,
    NothingRan,
    DoesNotBuild,
}

fn run(workspace: &Workspace, tree: &Worktree, test: &TestRef) -> Result<Outcome, Failure> {
    let mut arguments = vec!["test".to_owned(), "--package".into(), test.package.clone()];
    match &test.file {
        Some(file) => arguments.extend(["--test".into(), file.clone()]),
        None if workspace
            .package(&test.package)
            .is_some_and(|package| package.targets.iter().any(cargo_metadata::Target::is_lib)) =>
        {
            arguments.push("--lib".into());
        }
        None => arguments.push("--bins".into()),
    }
    // From the worktree, the path that tests know by themselves leads nowhere.
    let vectors = std::env::var_os("CLAVIGER_VECTORS")
        .unwrap_or_else(|| workspace.root.join("../shared/vectors").into_os_string());
    // Nor to the Python that was made for them beside it.
    let python = std::env::var_os(PYTHON)
        .unwrap_or_else(|| workspace.target.join("xtask/python/bin/python").into());
    // A target folder of its own, though that builds every dependency once more:
    // cargo keeps one binary per name, and a broken one must not be left where
    // the next test looks for a whole one.
    let target = workspace.target.join("proofs").join("target");
    let skips = workspace.target.join("proofs").join("skipped.log");
    std::fs::write(&skips, "").doing(skips.display())?;
    let cargo = |more: &[&str]| {
        let mut command = cargo_in(&tree.folder, &arguments);
        command
            .args(more)
            .env("CARGO_TARGET_DIR", &target)
            .env("CLAVIGER_VECTORS", &vectors)
            .env(PYTHON, &python)
            .env(SKIP_LOG, &skips);
        command
    };
    let built = cargo(&["--no-run", "--quiet"])
        .stderr(Stdio::null())
        .status()
        .doing("cargo test --no-run")?;
    if !built.success() {
        return Ok(Outcome::DoesNotBuild);
    }
    // Without --exact: the cases of a table-driven test bear longer names.
    let output = cargo(&["--", &test.path]).output().doing("cargo test")?;
    // A test that skipped itself says nothing either way.
    if !std::fs::read(&skips).doing(skips.display())?.is_empty() {
        return Ok(Outcome::NothingRan);
    }
    let text = String::from_utf8_lossy(&output.stdout);
    Ok(outcome(&text, output.status.success()))
}

fn outcome(text: &str, success: bool) -> Outcome {
    let ran = text
        .lines()
        .filter_map(|line| {
            line.strip_prefix("running ")?
                .split(' ')
                .next()?
                .parse::<usize>()
                .ok()
        })
        .sum::<usize>();
    match (ran, success) {
        (0, _) => Outcome::NothingRan,
        (_, true) => Outcome::Passed,
        (_, false) => Outcome::Failed,
    }
}

/// A checkout of the last commit, removed when done with.
#[derive(Debug)]
struct Worktree {
    root: PathBuf,
    folder: PathBuf,
}

impl Worktree {
    fn new(workspace: &Workspace) -> Result<Self, Failure> {
        let tree = Self {
            root: workspace.root.clone(),
            folder: workspace.target.join("proofs").join("tree"),
        };
        tree.remove();
        std::fs::create_dir_all(workspace.target.join("proofs")).doing("target/proofs")?;
        git(
            &tree.root,
            ["worktree", "add", "--quiet", "--force", "--detach"],
            &[&tree.folder, Path::new("HEAD")],
        )?;
        Ok(tree)
    }

    /// Applies the patch until the answer is dropped.
    fn apply(&self, patch: &Path) -> Result<Applied<'_>, Failure> {
        git(&self.folder, ["apply", "--whitespace=nowarn"], &[patch])?;
        Ok(Applied { tree: self })
    }

    fn remove(&self) {
        // A tree that is not there needs no removing.
        let _gone = Command::new("git")
            .args(["worktree", "remove", "--force"])
            .arg(&self.folder)
            .current_dir(&self.root)
            .stderr(Stdio::null())
            .status();
        let _gone = std::fs::remove_dir_all(&self.folder);
        let _pruned = Command::new("git")
            .args(["worktree", "prune"])
            .current_dir(&self.root)
            .status();
    }
}

impl Drop for Worktree {
    fn drop(&mut self) {
        self.remove();
    }
}

#[derive(Debug)]
struct Applied<'a> {
    tree: &'a Worktree,
}

impl Drop for Applied<'_> {
    fn drop(&mut self) {
        if let Err(failure) = git(&self.tree.folder, ["reset", "--quiet", "--hard"], &[]) {
            eprintln!("{failure}");
        }
    }
}

fn git<const N: usize>(
    folder: &Path,
    arguments: [&str; N],
    paths: &[&Path],
) -> Result<(), Failure> {
    let doing = format!("git {}", arguments.join(" "));
    let output = Command::new("git")
        .args(arguments)
        .args(paths)
        .current_dir(folder)
        .output()
        .doing(&doing)?;
    if output.status.success() {
        return Ok(());
    }
    Err(Failure::new(format!(
        "{doing}: {}",
        String::from_utf8_lossy(&output.stderr).trim()
    )))
}

#[cfg(test)]
mod tests {
    use super::{Outcome, outcome, shuffle};

    #[test]
    fn a_run_without_tests_proves_nothing() {
        for (text, success, wanted) in [
            (
                "running 0 tests\n\ntest result: ok.",
                true,
                Outcome::NothingRan,
            ),
            ("", false, Outcome::NothingRan),
            ("running 2 tests\ntest result: ok.", true, Outcome::Passed),
            (
                "running 1 test\ntest result: FAILED.",
                false,
                Outcome::Failed,
            ),
        ] {
            assert_eq!(outcome(text, success), wanted, "{text}");
        }
    }

    #[test]
    fn a_shuffle_keeps_every_id() {
        let ids: Vec<String> = (0..20).map(|id: u8| id.to_string()).collect();
        let mut shuffled = ids.clone();
        shuffle(&mut shuffled, 7);
        assert_ne!(shuffled, ids);
        shuffled.sort_by_key(|id| id.parse::<u8>().ok());
        assert_eq!(shuffled, ids);
    }
}
