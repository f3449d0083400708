//! `cargo xtask test`: every test of the project, and one line at the end.
//!
//! Three kinds of test run: Rust's own, the demo (the whole circle over
//! loopback), and a verifier in another language that checks what the demo
//! left behind with its own libraries.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use cargo_metadata::{Message, TargetKind};

use crate::workspace::{Workspace, works};
use crate::{Doing, Failure, packages, pkits, tokens};

/// Names the file to which a test that cannot run appends a line,
/// `SKIPPED <test>: <why>` (`claviger_fixtures::skip`).
pub const SKIP_LOG: &str = "CLAVIGER_SKIP_LOG";

/// Where the verifier stands, from the project root.
const VERIFIER: &str = "tests/verify";

/// Names the file to which the kill loop appends its lines of counts.
const KILLS: &str = "CLAVIGER_KILLS_REPORT";

/// What runs once more over two nodes, from the project root: a folder of tests, or one
/// file of them.
const TWO_NODES: [&str; 7] = [
    "crates/wallet-provider/tests",
    "crates/claviger/tests/account_browser.rs",
    "crates/claviger/tests/account_pages.rs",
    "crates/claviger/tests/operators.rs",
    "crates/claviger/tests/set_up.rs",
    "crates/claviger/tests/status_lists.rs",
    "crates/claviger/tests/up.rs",
];

/// Where the tests' mail server stands; the tests find its Python by the variable.
const MAIL: &str = "tests/mail";
pub const PYTHON: &str = "CLAVIGER_PYTHON";

/// Runs everything. `Ok(false)` when a test failed.
pub fn run(workspace: &Workspace) -> Result<bool, Failure> {
    let work = workspace.target.join("xtask");
    std::fs::create_dir_all(&work).doing(work.display())?;
    let mut tally = Tally::default();

    step("packages", || {
        packages::provide();
        Ok(())
    })?;
    let python = step("prerequisites", || prerequisites(workspace))?;
    let built = step("build", || build(workspace))?;
    let suite = step("PKITS", || Ok(pkits_folder(workspace, &python)))?;
    step("tokens", || {
        build_tokens(workspace, &python);
        Ok(())
    })?;
    let postgres = step("PostgreSQL", || Ok(start_postgres(workspace)))?;
    let mail = step("mail server", || Ok(mail_python(workspace, &python)))?;
    let told = step("cargo test", || {
        let beside = Beside {
            pkits: suite.as_deref(),
            postgres: postgres.as_ref(),
            mail: mail.as_deref(),
        };
        rust_tests(workspace, &work, &beside, &mut tally)
    })?;
    if let Some(postgres) = &postgres {
        step("tests over two nodes", || {
            let beside = Beside {
                pkits: None,
                postgres: Some(postgres),
                mail: mail.as_deref(),
            };
            two_nodes(workspace, &work, &built.two_nodes, &beside, &mut tally)
        })?;
    }
    // Its last user: it is stopped.
    drop(postgres);
    let kept = work.join("demo");
    let circle_ran = step("demo", || demo(&built.claviger, &kept, &mut tally))?;
    step("verifier", || match (&python, circle_ran) {
        (Ok(python), true) => verify(workspace, python, &kept, &mut tally),
        (Err(missing), _) => {
            tally.skip("tests/verify", missing);
            Ok(())
        }
        (_, false) => {
            tally.skip("tests/verify", "the demo failed and left nothing to verify");
            Ok(())
        }
    })?;

    step("test vectors", || match &python {
        Ok(python) => vectors(workspace, python, &mut tally),
        Err(missing) => {
            tally.skip("tests/verify: the WSCA's test vectors", missing);
            Ok(())
        }
    })?;

    println!();
    print!("{told}");
    for failed in &tally.failures {
        println!("failed: {failed}");
    }
    for (test, why) in &tally.skips {
        println!("skipped: {test}: {why}");
    }
    println!("{}", tally.line());
    Ok(tally.failed == 0)
}

/// What the tests came to.
#[derive(Debug, Default, PartialEq, Eq)]
struct Tally {
    passed: usize,
    failed: usize,
    failures: Vec<String>,
    skips: BTreeSet<(String, String)>,
}

impl Tally {
    fn skip(&mut self, test: &str, why: &str) {
        self.skips.insert((test.to_owned(), why.to_owned()));
    }

    fn one(&mut self, test: &str, passed: bool) {
        if passed {
            self.passed += 1;
        } else {
            self.failed += 1;
            self.failures.push(test.to_owned());
        }
    }

    /// One line of what a Rust test binary prints.
    fn read(&mut self, line: &str) {
        if let Some(counts) = line.strip_prefix("test result: ") {
            self.passed += count(counts, "passed");
            self.failed += count(counts, "failed");
        } else if let Some((test, result)) = line
            .strip_prefix("test ")
            .and_then(|line| line.split_once(" ... "))
        {
            if result == "FAILED" {
                self.failures.push(test.to_owned());
            } else if let Some(why) = result.strip_prefix("ignored") {
                let why = why.trim_start_matches(", ");
                self.skip(test, if why.is_empty() { "ignored" } else { why });
            }
        }
    }

    /// What the tests wrote into the skip log. Such a test counts as passed
    /// with its harness, and as skipped here.
    fn read_skips(&mut self, log: &str) {
        for line in log.lines() {
            let line = line.strip_prefix("SKIPPED ").unwrap_or(line);
            let (test, why) = line.split_once(": ").unwrap_or((line, "no reason given"));
            if self.skips.insert((test.to_owned(), why.to_owned())) {
                self.passed = self.passed.saturating_sub(1);
            }
        }
    }

    fn line(&self) -> String {
        format!(
            "tests: {} passed, {} failed, {} skipped",
            self.passed,
            self.failed,
            self.skips.len()
        )
    }
}

/// The number that stands before `what` in `ok. 3 passed; 0 failed; …`.
fn count(counts: &str, what: &str) -> usize {
    counts
        .split([';', '.'])
        .filter_map(|part| part.trim().strip_suffix(what)?.trim().parse::<usize>().ok())
        .sum()
}

fn step<T>(name: &str, run: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
    println!("== {name}");
    let started = Instant::now();
    let outcome = run();
    println!("== {name}: {:.1} s", started.elapsed().as_secs_f64());
    outcome
}

/// What was built.
struct Built {
    /// The claviger binary.
    claviger: PathBuf,
    /// The sources and the binaries of what runs over two nodes.
    two_nodes: Vec<(PathBuf, PathBuf)>,
}

/// Builds all tests.
fn build(workspace: &Workspace) -> Result<Built, Failure> {
    let mut two_nodes = Vec::new();
    let wanted = TWO_NODES.map(|place| workspace.root.join(place));
    let tests = &["test", "--workspace", "--no-run"];
    let mut claviger = artifacts(workspace, tests, |source, executable| {
        if wanted.iter().any(|place| source.starts_with(place)) {
            two_nodes.push((source.to_owned(), executable));
        }
    })?;
    if claviger.is_none() {
        claviger = artifacts(workspace, &["build", "--package", "claviger"], |_, _| {})?;
    }
    Ok(Built {
        claviger: claviger.ok_or_else(|| Failure::new("cargo built no binary named claviger"))?,
        two_nodes,
    })
}

/// Runs cargo; answers where the claviger binary is, if it was built, and tells `test` the
/// source and the executable of each test.
fn artifacts(
    workspace: &Workspace,
    arguments: &[&str],
    mut test: impl FnMut(&Path, PathBuf),
) -> Result<Option<PathBuf>, Failure> {
    let doing = format!("cargo {}", arguments.join(" "));
    let mut child = workspace
        .cargo(arguments)
        .arg("--message-format=json-render-diagnostics")
        .stdout(Stdio::piped())
        .spawn()
        .doing(&doing)?;
    let mut claviger = None;
    if let Some(output) = child.stdout.take() {
        for message in Message::parse_stream(BufReader::new(output)) {
            if let Message::CompilerArtifact(artifact) = message.doing(&doing)?
                && let Some(executable) = artifact.executable
            {
                let executable = executable.into_std_path_buf();
                let target = artifact.target;
                if artifact.profile.test {
                    test(target.src_path.as_std_path(), executable);
                } else if target.name == "claviger" && target.kind.contains(&TargetKind::Bin) {
                    claviger = Some(executable);
                }
            }
        }
    }
    if child.wait().doing(&doing)?.success() {
        Ok(claviger)
    } else {
        Err(Failure::new(format!("{doing} failed")))
    }
}

/// The folder of NIST's path validation tests; without it they skip themselves.
fn pkits_folder(workspace: &Workspace, python: &Result<PathBuf, String>) -> Option<PathBuf> {
    match pkits::folder(workspace, python.as_deref().ok()) {
        Ok(folder) => {
            println!("{}", folder.display());
            Some(folder)
        }
        Err(why) => {
            println!("{why}");
            None
        }
    }
}

/// The modules of `tools/`; the tests that want one that is not there skip themselves.
fn build_tokens(workspace: &Workspace, python: &Result<PathBuf, String>) {
    for (tool, built) in tokens::both(workspace, python.as_deref().ok()) {
        match built {
            Ok(folder) => println!("{tool}: {}", folder.display()),
            Err(why) => println!("{tool}: {why}"),
        }
    }
}

/// The server that the tests share. It stops when this process has ended, however
/// it ends; the tests that want one that is not there skip themselves.
fn start_postgres(workspace: &Workspace) -> Option<postgres_cluster::Lease> {
    match postgres_cluster::shared(&workspace.target) {
        Ok(lease) => {
            println!("started, for the tests of this run");
            Some(lease)
        }
        Err(why) => {
            println!("{why}");
            None
        }
    }
}

/// The Python with the modules of the tests' mail server; the tests that want one
/// that is not there skip themselves.
fn mail_python(workspace: &Workspace, python: &Result<PathBuf, String>) -> Option<PathBuf> {
    let python = match python {
        Ok(python) => python,
        Err(why) => {
            println!("{why}");
            return None;
        }
    };
    let has_module = || works(Command::new(python).args(["-c", "import aiosmtpd"]));
    let wanted = workspace.root.join(MAIL).join("requirements.txt");
    // Nothing is installed into a Python that is not ours.
    let ours = python.starts_with(&workspace.target);
    if has_module() || (ours && install(python, &wanted) && has_module()) {
        println!("{}", python.display());
        return Some(python.clone());
    }
    println!(
        "the Python module aiosmtpd is missing, and was not installed from {}",
        wanted.display()
    );
    None
}

/// What the tests find beside the workspace.
struct Beside<'a> {
    pkits: Option<&'a Path>,
    postgres: Option<&'a postgres_cluster::Lease>,
    mail: Option<&'a Path>,
}

impl Beside<'_> {
    fn tell(&self, command: &mut Command) {
        if let Some(suite) = self.pkits {
            command.env(pkits::FOLDER, suite);
        }
        if let Some(postgres) = self.postgres {
            command.env(postgres_cluster::VARIABLE, postgres.server().url());
        }
        if let Some(python) = self.mail {
            command.env(PYTHON, python);
        }
    }
}

/// Runs Rust's own tests; answers what NIST's path validation tests came to.
fn rust_tests(
    workspace: &Workspace,
    work: &Path,
    beside: &Beside<'_>,
    tally: &mut Tally,
) -> Result<String, Failure> {
    let log = work.join("skipped.log");
    std::fs::write(&log, "").doing(log.display())?;
    let report = work.join("pkits.txt");
    std::fs::write(&report, "").doing(report.display())?;
    let kills = work.join("kills.txt");
    std::fs::write(&kills, "").doing(kills.display())?;
    let before = tally.failed;
    let mut command = workspace.cargo(["test", "--workspace", "--no-fail-fast"]);
    command
        .env(SKIP_LOG, &log)
        .env(pkits::REPORT, &report)
        .env(KILLS, &kills);
    beside.tell(&mut command);
    let mut child = command.stdout(Stdio::piped()).spawn().doing("cargo test")?;
    if let Some(output) = child.stdout.take() {
        for line in BufReader::new(output).lines() {
            let line = line.doing("cargo test")?;
            println!("{line}");
            tally.read(&line);
        }
    }
    let success = child.wait().doing("cargo test")?.success();
    // A test binary that aborts prints no result.
    if !success && tally.failed == before {
        tally.one("cargo test ended without a result", false);
    }
    tally.read_skips(&std::fs::read_to_string(&log).doing(log.display())?);
    let report = std::fs::read_to_string(&report).doing(report.display())?;
    if beside.pkits.is_some() && report.is_empty() {
        tally.one("PKITS is at hand and was not run", false);
    }
    let kills = std::fs::read_to_string(&kills).doing(kills.display())?;
    if kills.is_empty() {
        tally.one("the kill loop told nothing", false);
    }
    Ok(format!("{report}{kills}"))
}

/// Runs tests once more with every node on PostgreSQL and twice, each request going to
/// the other of the two.
fn two_nodes(
    workspace: &Workspace,
    work: &Path,
    tests: &[(PathBuf, PathBuf)],
    beside: &Beside<'_>,
    tally: &mut Tally,
) -> Result<(), Failure> {
    let before = tally.passed;
    for place in TWO_NODES {
        let wanted = workspace.root.join(place);
        if !tests.iter().any(|(source, _)| source.starts_with(&wanted)) {
            tally.one(
                &format!("{place} over two nodes: there is no such test"),
                false,
            );
        }
    }
    let log = work.join("skipped-over-two-nodes.log");
    std::fs::write(&log, "").doing(log.display())?;
    for (source, test) in tests {
        let mut command = Command::new(test);
        // As cargo does: in the package's folder.
        command.current_dir(source.parent().and_then(Path::parent).unwrap_or(source));
        beside.tell(&mut command);
        let output = command
            .env("CLAVIGER_HOUSE", "two-nodes")
            .env(SKIP_LOG, &log)
            .stderr(Stdio::inherit())
            .output()
            .doing(test.display())?;
        let said = String::from_utf8_lossy(&output.stdout);
        if !output.status.success() {
            print!("{said}");
            tally.one(&format!("{} over two nodes", source.display()), false);
        }
        said.lines().for_each(|line| tally.read(line));
    }
    // Another test than the one of the same name over one node.
    let skipped = std::fs::read_to_string(&log).doing(log.display())?;
    let skipped = skipped.lines().map(|line| {
        let (test, why) = line.split_once(": ").unwrap_or((line, ""));
        format!("{test} over two nodes: {why}\n")
    });
    tally.read_skips(&skipped.collect::<String>());
    println!("{} tests passed", tally.passed - before);
    Ok(())
}

/// Runs the circle and keeps what it made. Answers whether it ran to its end.
fn demo(claviger: &Path, kept: &Path, tally: &mut Tally) -> Result<bool, Failure> {
    if kept.exists() {
        std::fs::remove_dir_all(kept).doing(kept.display())?;
    }
    let output = Command::new(claviger)
        .args(["demo", "--json", "--out"])
        .arg(kept)
        .stderr(Stdio::inherit())
        .output()
        .doing(claviger.display())?;
    let said: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    let steps = said
        .get("steps")
        .and_then(serde_json::Value::as_array)
        .map_or(0, Vec::len);
    let ok = said.get("ok").and_then(serde_json::Value::as_bool) == Some(true);
    println!("claviger demo: {}, ok {ok}, {steps} steps", output.status);
    let passed = output.status.success() && ok && steps >= 9;
    tally.one("claviger demo --json --out", passed);
    Ok(passed)
}

fn verify(
    workspace: &Workspace,
    python: &Path,
    kept: &Path,
    tally: &mut Tally,
) -> Result<(), Failure> {
    let script = workspace.root.join(VERIFIER).join("verify.py");
    for (name, sabotage) in [
        ("tests/verify: what the demo kept", false),
        ("tests/verify: sabotage is noticed", true),
    ] {
        let mut command = Command::new(python);
        command.arg(&script);
        if sabotage {
            command.arg("--sabotage-check");
        }
        let status = command.arg(kept).status().doing(python.display())?;
        tally.one(name, status.success());
    }
    Ok(())
}

/// Reads the protocol's test vectors with the second reader.
fn vectors(workspace: &Workspace, python: &Path, tally: &mut Tally) -> Result<(), Failure> {
    let script = workspace.root.join(VERIFIER).join("wsca_vectors.py");
    let kept = workspace.root.join("docs/protocols/vectors/wsca.json");
    for (name, sabotage) in [
        ("tests/verify: the WSCA's test vectors", false),
        ("tests/verify: a changed test vector is noticed", true),
    ] {
        let mut command = Command::new(python);
        command.arg(&script);
        if sabotage {
            command.arg("--sabotage-check");
        }
        let status = command.arg(&kept).status().doing(python.display())?;
        tally.one(name, status.success());
    }
    Ok(())
}

/// The Python that runs the verifier, or what is missing for it. Nothing else
/// is needed beyond a Rust toolchain and a C compiler.
fn prerequisites(workspace: &Workspace) -> Result<Result<PathBuf, String>, Failure> {
    if !works(Command::new("cc").arg("--version")) {
        println!("no C compiler answers to `cc`; the build will need one");
    }
    let python = verifier_python(workspace);
    match &python {
        Ok(python) => println!("python: {}", python.display()),
        Err(missing) => println!("{missing}"),
    }
    Ok(python)
}

fn verifier_python(workspace: &Workspace) -> Result<PathBuf, String> {
    let folder = workspace.target.join("xtask").join("python");
    let python = folder.join("bin").join("python");
    let wanted = workspace.root.join(VERIFIER).join("requirements.txt");
    let has_modules =
        |python: &Path| works(Command::new(python).args(["-c", "import cryptography"]));
    if has_modules(&python) {
        return Ok(python);
    }
    let system = Path::new("python3");
    if !works(Command::new(system).arg("--version")) {
        return Err("python3 is missing: the independent verifier does not run".to_owned());
    }
    let made = works(
        Command::new(system)
            .args(["-m", "venv", "--clear"])
            .arg(&folder),
    );
    let filled = made && install(&python, &wanted);
    if filled && has_modules(&python) {
        return Ok(python);
    }
    if has_modules(system) {
        return Ok(system.to_owned());
    }
    Err(if made {
        format!(
            "the Python module cryptography is missing, and pip could not install {}",
            wanted.display()
        )
    } else {
        "Python's venv module is missing (Debian: python3-venv), and so is cryptography".to_owned()
    })
}

/// Whether pip could install what the file names.
fn install(python: &Path, wanted: &Path) -> bool {
    works(
        Command::new(python)
            .args([
                "-m",
                "pip",
                "install",
                "--quiet",
                "--disable-pip-version-check",
                "-r",
            ])
            .arg(wanted),
    )
}

#[cfg(test)]
mod tests {
    use super::Tally;

    fn read(lines: &[&str]) -> Tally {
        let mut tally = Tally::default();
        for line in lines {
            tally.read(line);
        }
        tally
    }

    #[test]
    fn results_of_all_binaries_add_up() {
        let tally = read(&[
            "running 3 tests",
            "test a::b ... ok",
            "test a::c ... FAILED",
            "test a::d ... ignored, needs a token",
            "test a::e ... ignored",
            "test result: FAILED. 1 passed; 1 failed; 2 ignored; 0 measured; 0 filtered out",
            "test result: ok. 5 passed; 0 failed; 0 ignored; 0 measured; 1 filtered out; finished in 0.00s",
        ]);
        assert_eq!(tally.line(), "tests: 6 passed, 1 failed, 2 skipped");
        assert_eq!(tally.failures, ["a::c"]);
        let skips: Vec<String> = tally
            .skips
            .iter()
            .map(|(test, why)| format!("{test}: {why}"))
            .collect();
        assert_eq!(skips, ["a::d: needs a token", "a::e: ignored"]);
    }

    #[test]
    fn a_test_that_skips_itself_is_not_counted_as_passed() {
        let mut tally = read(&["test result: ok. 3 passed; 0 failed; 0 ignored"]);
        // Two cases of one test may say the same.
        tally.read_skips("SKIPPED x::y: no vectors\nSKIPPED x::y: no vectors\nz\n");
        assert_eq!(tally.line(), "tests: 1 passed, 0 failed, 2 skipped");
    }

    #[test]
    fn what_a_test_prints_is_not_a_result() {
        let tally = read(&["the test result: 5 passed", "test", "testing ... FAILED"]);
        assert_eq!(tally, Tally::default());
    }
}
